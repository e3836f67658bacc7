"""A tuning job on disk: its settings, its data, how far it is, and what it measured.

A job is a folder. Whoever knows the folder knows the job: the process that trains, the
notebook that started it, and a kernel started later.
"""

import hashlib
import json
import re
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from utils.datasets.records import TextToText, load_text_to_text, to_json_lines
from utils.errors import TuningError, short_reason
from utils.processes import find_process, known_by
from utils.storage.files import disk_errors_explained, write_text, written_whole
from utils.storage.places import jobs_dir
from utils.training.loop import Measured

NUMBER = re.compile(r"[0-9]+")

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
    number in the registry; run_id: MLflow's of its run.
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

    data: SHA-256 of the training and validation records; versions: of the packages that train. make_default: whether
    its version becomes the registry's default, which is no matter of the adapter.
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
    make_default: bool = field(default=True, compare=False)


@dataclass(frozen=True)
class JobFolder:
    """The files of one job. What is damaged, or was deleted, raises TuningError when it is asked for."""

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
        return self._read("settings.json", lambda found: Settings(**found))

    @property
    def facts(self) -> dict[str, float]:
        """What only the process that trained can count, such as its memory; empty while it is not known."""
        try:
            return self._read("facts.json", dict)
        except TuningError:
            return {}

    def write_facts(self, facts: dict[str, float]) -> None:
        """Keep those numbers."""
        write_text(self.path / "facts.json", json.dumps(facts))

    def records(self) -> tuple[list[TextToText], list[TextToText]]:
        """Return the job's own copy of its training and validation records."""
        splits = [self.path / f"{split}.jsonl" for split in ("train", "validation")]
        train, validation = (load_text_to_text(path) if path.exists() else [] for path in splits)
        if data_hash(train, validation) != self.settings.data:
            raise self._damaged("its copy of the data is not what it was")
        return train, validation

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

        def made(found: Any) -> State:
            return State(**found | {"status": Status(found["status"]), "notes": tuple(found["notes"])})

        return self._read("state.json", made)

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
        write_text(self.path / "process.json", json.dumps(known_by(pid)))

    def is_alive(self) -> bool:
        """Whether the job's process still runs."""
        try:
            pid, began = json.loads((self.path / "process.json").read_text(encoding="utf8"))
        except (OSError, ValueError, TypeError):
            return False
        return find_process(pid, began) is not None

    def _is_about_to_start(self, state: State) -> bool:
        age = time.time() - (self.path / "state.json").stat().st_mtime
        return state.status is Status.PENDING and age < SECONDS_TO_START

    def _read(self, name: str, made: Callable[[Any], Any]) -> Any:
        """Return what is made of a file's JSON."""
        try:
            return made(json.loads((self.path / name).read_text(encoding="utf8")))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise self._damaged(f"{name}: {short_reason(error)}") from None

    def _damaged(self, why: str) -> TuningError:
        return TuningError(
            f"The job in {self.path} cannot be read ({why}): start the job again, it gets a folder of its own, or "
            "delete this one."
        )

    def ask_to_cancel(self) -> None:
        """Leave word for the job's process that it shall end."""
        if not self.path.is_dir():
            raise self._damaged("the folder was deleted")
        with disk_errors_explained(self.path / "cancel"):
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
            file.writelines(_line(one) for one in measured)

    def keep_until(self, step: int) -> None:
        """Drop the measurements after a step, from which the training goes on, and a line that was cut off."""
        kept = [_line(one) for one in self.measured() if one.step <= step]
        write_text(self.path / "metrics.jsonl", "".join(kept))

    def measured(self) -> list[Measured]:
        """Return the measurements so far, one a step; of a step trained twice the later one.

        A line that cannot be read is left out, with a warning.
        """
        try:
            lines = (self.path / "metrics.jsonl").read_text(encoding="utf8", errors="replace").split("\n")
        except FileNotFoundError:
            return []
        found: dict[int, Measured] = {}
        for number, line in enumerate(lines[:-1], start=1):
            try:
                one = Measured(**json.loads(line))
                found[one.step] = one
            except (ValueError, TypeError):
                warnings.warn(f"Line {number} of {self.path / 'metrics.jsonl'} is damaged and left out.", stacklevel=2)
        return [found[step] for step in sorted(found)]


def _line(measured: Measured) -> str:
    return json.dumps(asdict(measured)) + "\n"


def data_hash(train: Sequence[TextToText], validation: Sequence[TextToText]) -> str:
    """Return the SHA-256 of a job's records."""
    pairs = [[(record.input_text, record.output_text) for record in records] for records in (train, validation)]
    return hashlib.sha256(repr(pairs).encode()).hexdigest()


def folders(name: str) -> list[JobFolder]:
    """Return the jobs of a name, the oldest first; other folders, such as a copy "0001 (1)", are none of them."""
    found = [path for path in (jobs_dir() / name).glob("*") if NUMBER.fullmatch(path.name)]
    return [JobFolder(path) for path in sorted(found, key=lambda path: int(path.name))]


def names() -> list[str]:
    """Return the names under which a job was ever started, the one whose newest job is newest first."""
    found = {path.name: folders(path.name) for path in jobs_dir().glob("*") if path.is_dir()}
    newest = {name: some[-1].path.stat().st_mtime for name, some in found.items() if some}
    return sorted(newest, key=newest.__getitem__, reverse=True)
