"""What a pipeline's runs leave on disk: a folder each, with a record of every step, beside the tuning jobs."""

import json
import re
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from utils.errors import TuningError
from utils.processes import start_apart
from utils.storage.files import disk_errors_explained, write_text
from utils.storage.places import tuning_dir

STEPS = ("lint", "tune", "evaluate", "promote", "deploy", "smoke test")
NUMBER = re.compile(r"[0-9]{4,}")
GONE = "Its process ended before the step did: run the pipeline again, it goes on from here."
LOOK_AGAIN = 0.2
LOCK_SECONDS = 2.0
"""How long a run waits for another one's lock, which a page that looks also holds for a moment."""


class Status(StrEnum):
    """Where a step stands."""

    NOT_RUN = "not run"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Record:
    """What one step did.

    said: its outcome in a sentence, while it runs how far it is. inputs: SHA-256 of all that its result depends on.
    result: JSON values that later steps read. began: in UTC, ISO 8601.
    """

    step: str
    status: Status = Status.NOT_RUN
    said: str = ""
    inputs: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    began: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class RunFolder:
    """The files of one run: what it was asked to do, and a record of each step."""

    path: Path

    @property
    def identity(self) -> str:
        """The hash of what the run was asked to do; empty where it cannot be read."""
        with suppress(OSError):
            return (self.path / "identity").read_text(encoding="utf8")
        return ""

    @property
    def is_running(self) -> bool:
        """Whether a process works on a run of this pipeline."""
        try:
            with FileLock(self.path.parent / ".lock", timeout=0):
                return False
        except Timeout:
            return True

    def record(self, step: str) -> Record:
        """Return the record of a step; one that cannot be read counts as not run."""
        try:
            found = json.loads(self._file(step).read_text(encoding="utf8"))
            return Record(**found | {"status": Status(found["status"])})
        except (OSError, ValueError, TypeError, KeyError):
            return Record(step)

    def records(self) -> list[Record]:
        """Return the records of all steps, in order; a step whose process is gone has failed."""
        found = [self.record(step) for step in STEPS]
        if self.is_running:
            return found
        return [replace(one, status=Status.FAILED, said=GONE) if one.status is Status.RUNNING else one for one in found]

    def write(self, record: Record) -> None:
        """Replace a step's record at once."""
        with disk_errors_explained(self._file(record.step)):
            write_text(self._file(record.step), json.dumps(asdict(record), indent=1, ensure_ascii=False))

    def forget_after(self, step: str) -> None:
        """Delete the records of the steps behind one: they tell of an attempt before."""
        for later in STEPS[STEPS.index(step) + 1 :]:
            self._file(later).unlink(missing_ok=True)

    def ask_to_cancel(self) -> None:
        """Leave word for the run's process that it shall end."""
        with disk_errors_explained(self._cancel):
            self._cancel.touch()

    def withdraw_cancel(self) -> None:
        """Take that word back."""
        self._cancel.unlink(missing_ok=True)

    @property
    def is_cancel_asked(self) -> bool:
        """Whether the run shall end."""
        return self._cancel.exists()

    @property
    def _cancel(self) -> Path:
        return self.path / "cancel"

    def _file(self, step: str) -> Path:
        return self.path / f"{STEPS.index(step) + 1}-{step.replace(' ', '-')}.json"


def runs(name: str) -> list[RunFolder]:
    """Return the runs of a pipeline, the oldest first."""
    found = [path for path in _home(name).glob("*") if NUMBER.fullmatch(path.name)]
    return [RunFolder(path) for path in sorted(found, key=lambda path: int(path.name))]


@contextmanager
def taken_up(name: str, identity: str, text: str) -> Generator[RunFolder]:
    """Give the newest run of a pipeline, where it was asked to do the same, or a new one; no other process gets it.

    text: the pipeline's file, of which a new run keeps a copy. Raises TuningError while another process runs it.
    """
    home = _home(name)
    with disk_errors_explained(home / "log.txt"):
        home.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(home / ".lock", timeout=LOCK_SECONDS):
                known = runs(name)
                same = known and known[-1].identity == identity
                last = int(known[-1].path.name) if known else 0
                folder = known[-1] if same else _new(home, last + 1, identity, text)
                folder.withdraw_cancel()
                yield folder
        except Timeout:
            raise TuningError(
                f"The pipeline {name!r} is running already: wait for it, or cancel it with --cancel."
            ) from None


def newest(name: str) -> RunFolder | None:
    """Return the newest run of a pipeline, None where there is none."""
    return next(iter(runs(name)[::-1]), None) if name else None


def newest_records(name: str) -> list[Record]:
    """Return the records of the newest run of a pipeline, none where there is no run."""
    folder = newest(name)
    return folder.records() if folder else []


def start(file: Path, name: str) -> subprocess.Popen:
    """Run a pipeline's file in a process of its own, which outlives this one; what it prints goes to the log."""
    log = log_file(name)
    with disk_errors_explained(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as written:
            return start_apart("utils.studio.pipeline", str(file), stdout=written, stderr=subprocess.STDOUT)


def started(process: subprocess.Popen, name: str, before: list[Record]) -> str:
    """Wait until a process runs its pipeline. Returns "", or what it said where it ended without writing a record.

    before: the newest records when it was started.
    """
    while process.poll() is None:
        if (folder := newest(name)) and folder.is_running:
            return ""
        time.sleep(LOOK_AGAIN)
    said = log_file(name).read_text(encoding="utf8", errors="replace").strip()
    return said.splitlines()[-1] if process.returncode and said and newest_records(name) == before else ""


def log_file(name: str) -> Path:
    """Return where the process that a page started prints."""
    return _home(name) / "log.txt"


def now() -> str:
    """Return the time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _new(home: Path, number: int, identity: str, text: str) -> RunFolder:
    folder = home / f"{number:04d}"
    folder.mkdir()
    write_text(folder / "pipeline.yaml", text)
    write_text(folder / "identity", identity)
    return RunFolder(folder)


def _home(name: str) -> Path:
    return tuning_dir() / "pipelines" / name
