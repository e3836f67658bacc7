"""What stands in the studio's pages, kept on disk: another kernel, or another window, finds all of it."""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from utils.storage.files import disk_errors_explained, replace, write_text
from utils.storage.places import studio_dir

EARLIER = "earlier"
"""The folder of what was written over by another studio, or could not be read."""
LOCK_SECONDS = 10


class Workspace:
    """The states of the pages, a JSON file each; two studios may write the same one, and nothing is lost.

    problem: a sentence about the last file that could not be read, "" where all could.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or studio_dir()
        self.problem = ""
        self._seen: dict[str, int] = {}

    def read(self, page: str) -> dict[str, Any]:
        """Return a page's state, {} where there is none; a damaged file is put aside, and `problem` says so."""
        self._seen[page], state = self._read(page)
        return state

    def write(self, page: str, state: Mapping[str, Any]) -> str:
        """Keep a page's state. Returns "" or the sentence that another studio's was replaced, and where that is kept.

        Raises DiskFull, CacheUnusable.
        """
        file = self._file(page)
        with disk_errors_explained(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(file.with_suffix(".lock"), timeout=LOCK_SECONDS):
                revision, theirs = self._read(page)
                other = revision != self._seen.get(page, 0) and theirs not in ({}, state)
                said = self._keep_earlier(page, theirs) if other else ""
                self._seen[page] = revision + 1
                write_text(file, json.dumps({"revision": revision + 1, "state": state}, ensure_ascii=False, indent=1))
        return said

    def _read(self, page: str) -> tuple[int, dict[str, Any]]:
        """Return how often a page's state was written, and the state."""
        file = self._file(page)
        try:
            kept = json.loads(file.read_text(encoding="utf8"))
            return int(kept["revision"]), dict(kept["state"])
        except FileNotFoundError:
            return 0, {}
        except (OSError, ValueError, TypeError, LookupError):
            aside = self._aside(page)
            with suppress(OSError), disk_errors_explained(file):
                aside.parent.mkdir(parents=True, exist_ok=True)
                replace(file, aside)
            self.problem = f"What was kept of the page {page} is damaged and was put aside: {aside}."
            return 0, {}

    def _keep_earlier(self, page: str, state: Mapping[str, Any]) -> str:
        aside = self._aside(page)
        aside.parent.mkdir(exist_ok=True)
        write_text(aside, json.dumps(state, ensure_ascii=False, indent=1))
        return f"Another studio has changed this page meanwhile; what it wrote is kept in {aside}."

    def _file(self, page: str) -> Path:
        return self.folder / f"{page.lower().replace(' ', '_')}.json"

    def _aside(self, page: str) -> Path:
        now = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
        return self.folder / EARLIER / f"{self._file(page).stem}-{now}.json"
