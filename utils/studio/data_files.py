"""Where tuning data comes from: the files of a folder, or one that is handed over and kept."""

import hashlib
import re
from pathlib import Path

from utils.errors import DataError, short_reason
from utils.storage.files import disk_errors_explained, written_whole
from utils.storage.places import tuning_dir

SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.bz2", ".jsonl.xz")
"""How the name of a data file ends, packed or not."""


def folders_and_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return what stands in a folder: its folders, and its data files, by name. Raises DataError."""
    try:
        found = sorted(folder.iterdir(), key=lambda path: path.name.casefold())
        shown = [path for path in found if not path.name.startswith(".")]
        folders = [path for path in shown if path.is_dir()]
    except OSError as error:
        raise DataError(f"The folder {folder} cannot be read ({short_reason(error)}): choose another.") from None
    return folders, [path for path in shown if path.name.endswith(SUFFIXES)]


def keep(name: str, content: bytes) -> Path:
    """Write a file that was handed over to a folder beside the tuning jobs and return its path.

    Its name ends with a hash of what stands in it, so that no file replaces another. Raises DiskFull, CacheUnusable.
    """
    word = re.sub(r"\W+", "-", name.removesuffix(".jsonl")).strip("-")[:60] or "data"
    path = tuning_dir() / "data" / f"{word}-{hashlib.sha256(content).hexdigest()[:8]}.jsonl"
    with disk_errors_explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as new:
            new.write_bytes(content)
    return path
