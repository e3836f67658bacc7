"""A tuning job on disk: its settings, its data, how far it is, and what it measured.

A job is a folder. Whoever knows the folder knows the job: the process that trains, the
notebook that started it, and a kernel started later.
"""

import json
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

import psutil

from utils.datasets.records import TextToText, load_text_to_text, to_json_lines
from utils.storage.files import write_text, written_whole
from utils.storage.places import jobs_dir
from utils.training.loop import Measured

SECONDS_TO_START = 10.0
"""Between a job's folder and its process; a PENDING job without one after that never began."""


class Status(StrEnum):
    """Where a job stands; the last three are ends."""

    PENDING = "PENDING"
    VALIDATING = "VALIDATING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_end(self) -> bool:
        """Whether nothing more will happen."""
        return self in (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)


@dataclass(frozen=True)
class State:
    """How far a job is.

    cause: why it failed; can_go_on: whether, started again, it goes on from its last
    checkpoint; notes: what went wrong beside the training, such as tracking; version: its
    number in the registry.
    """

    status: Status = Status.PENDING
    cause: str = ""
    can_go_on: bool = False
    step: int = 0
    steps: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    version: int | None = None
    run_id: str | None = None


@dataclass(frozen=True)
class Settings:
    """What a job was asked to do; the same settings and versions give the same adapter.

    data: SHA-256 of the training and validation records; versions: of the packages that train.
    """

    name: str
    method: str
    adapter_size: int | None
    model: str
    weights: str | None
    epochs: int
    learning_rate: float
    batch_size: int
    seed: int
    data: str
    versions: dict[str, str]


@dataclass(frozen=True)
class JobFolder:
    """The files of one job."""

    path: Path

    @property
    def adapter(self) -> Path:
        """Where the tuned adapter is, once the job has succeeded."""
        return self.path / "adapter"

    @property
    def checkpoint(self) -> Path:
        """From where an interrupted training goes on."""
        return self.path / "checkpoint.pt"

    @property
    def log(self) -> Path:
        """What the job's process printed."""
        return self.path / "log.txt"

    @property
    def settings(self) -> Settings:
        """What the job was asked to do."""
        return Settings(**json.loads((self.path / "settings.json").read_text(encoding="utf8")))

    def records(self, split: str) -> list[TextToText]:
        """Return the job's own copy of its "train" or "validation" records."""
        path = self.path / f"{split}.jsonl"
        return load_text_to_text(path) if path.exists() else []

    def create(self, settings: Settings, train: Sequence[TextToText], validation: Sequence[TextToText]) -> None:
        """Write a new job; it appears under its name only when it is whole."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(self.path) as temporary:
            new = JobFolder(temporary)
            new.path.mkdir()
            (new.path / "settings.json").write_text(json.dumps(asdict(settings), indent=1), encoding="utf8")
            for split, records in (("train", train), ("validation", validation)):
                if records:
                    (new.path / f"{split}.jsonl").write_text(to_json_lines(records), encoding="utf8")
            new.write_state(State())

    @property
    def written_state(self) -> State:
        """The state as the job's process last wrote it."""
        found = json.loads((self.path / "state.json").read_text(encoding="utf8"))
        return State(**found | {"status": Status(found["status"]), "notes": tuple(found["notes"])})

    @property
    def state(self) -> State:
        """The state as it is: a job whose process is gone has failed, and can be started again."""
        state = self.written_state
        if state.status.is_end or self.is_alive() or self._is_about_to_start(state):
            return state
        state = self.written_state
        if state.status.is_end:
            return state
        error = self._last_error()
        why = f"with {error!r}" if error else "without a word: it was killed, or the memory was full"
        cause = (
            f"The job's process ended at step {state.step} {why} (its log is {self.log}). "
            "Start the job again: it goes on from its last checkpoint."
        )
        return replace(state, status=Status.FAILED, cause=cause, can_go_on=True)

    def _last_error(self) -> str:
        """Return the last line of the log if an exception ended the process, such as an import that failed."""
        lines = self.log.read_text(encoding="utf8", errors="replace").split("\n") if self.log.exists() else []
        last = next((line for line in reversed(lines) if line.strip()), "")
        return last if re.match(r"[\w.]+(Error|Exception)\b", last) else ""

    def write_state(self, state: State) -> None:
        """Replace the state at once, so that no reader sees half of it."""
        write_text(self.path / "state.json", json.dumps(asdict(state)))

    def started_by(self, pid: int) -> None:
        """Note which process trains."""
        write_text(self.path / "process.json", json.dumps([pid, psutil.Process(pid).create_time()]))

    def is_alive(self) -> bool:
        """Whether the job's process still runs."""
        try:
            pid, created = json.loads((self.path / "process.json").read_text(encoding="utf8"))
            process = psutil.Process(pid)
            return process.create_time() == created and process.status() != psutil.STATUS_ZOMBIE
        except (OSError, ValueError, psutil.Error):
            return False

    def _is_about_to_start(self, state: State) -> bool:
        age = time.time() - (self.path / "state.json").stat().st_mtime
        return state.status is Status.PENDING and age < SECONDS_TO_START

    def ask_to_cancel(self) -> None:
        """Leave word for the job's process that it shall end."""
        (self.path / "cancel").touch()

    def withdraw_cancel(self) -> None:
        """Take that word back."""
        (self.path / "cancel").unlink(missing_ok=True)

    @property
    def is_cancel_asked(self) -> bool:
        """Whether the job shall end."""
        return (self.path / "cancel").exists()

    def append(self, measured: Iterable[Measured]) -> None:
        """Add measurements to those on disk."""
        with (self.path / "metrics.jsonl").open("a", encoding="utf8") as file:
            file.writelines(json.dumps(asdict(one)) + "\n" for one in measured)

    def measured(self) -> list[Measured]:
        """Return the measurements so far, one a step; of a step trained twice the later one."""
        try:
            lines = (self.path / "metrics.jsonl").read_text(encoding="utf8").split("\n")
        except FileNotFoundError:
            return []
        found = [Measured(**json.loads(line)) for line in lines[:-1]]
        return sorted({one.step: one for one in found}.values(), key=lambda one: one.step)


def folders(name: str) -> list[JobFolder]:
    """Return the jobs of a name, the oldest first."""
    return [JobFolder(path) for path in sorted((jobs_dir() / name).glob("[0-9]*"))]
