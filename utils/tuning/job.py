"""A tuning job: a name, a data file, and a process of its own that trains while the notebook stays free."""

import os
import re
import subprocess
import time
from contextlib import suppress
from dataclasses import asdict, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock

from utils.adapters.methods import find_method, load_adapter
from utils.arguments import number, text
from utils.datasets.records import TextToText, as_records, load_text_to_text, require_texts
from utils.errors import CourseError, DataError, RegistryError, TuningError
from utils.models.language_model import LanguageModel
from utils.models.loading import DEFAULT_MODEL, lasting_name, load_model
from utils.processes import start_apart
from utils.progress import working
from utils.registry.tracking import check_address
from utils.storage.files import disk_errors_explained
from utils.storage.places import jobs_dir, lasting
from utils.training.loop import Measured, TrainingConfig
from utils.tuning.recording import record, unrecorded
from utils.tuning.states import JobFolder, Settings, State, Status, data_hash, folders

NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
EPOCHS, BATCH_SIZE = 3, 8
PACKAGES = ("torch", "transformers", "peft")
CHOSEN = ("method", "epochs", "learning_rate", "batch_size", "adapter_size", "seed", "model", "make_default")
LOOK_AGAIN = 0.2

Data = Any
"""A JSON Lines file with `input_text` and `output_text`, at a path or an address such as s3:// or gs://, or what
`as_records` takes: records, pairs or dictionaries in a list, or a DataFrame of pandas."""


class TuningJob:
    """One tuning of a model on a text-to-text data file.

    name: of the job and of the model in the registry. train_data, validation_data: see
    `Data`; without validation data the last adapter is kept, with it the best. method: a
    name in `methods.METHODS`. model: a model's name or path, or one that is loaded by
    name; the course's own when None. epochs: times that each record is seen.
    learning_rate: the method's own when None; learning_rate_multiplier: by what it is
    multiplied. adapter_size: rank, width or virtual tokens; the method's own when None.
    make_default: whether the new version becomes the registry's default; the first always does.

    Numbers of numpy's and paths are taken as Python's. Raises UnsupportedSetting for a setting
    that cannot be, DataError for data of another kind, TuningError for a name.
    """

    def __init__(
        self,
        name: str,
        train_data: Data,
        validation_data: Data | None = None,
        *,
        method: str = "lora",
        model: str | Path | LanguageModel | None = None,
        epochs: int = EPOCHS,
        learning_rate: float | None = None,
        learning_rate_multiplier: float = 1.0,
        batch_size: int = BATCH_SIZE,
        adapter_size: int | None = None,
        seed: int = 0,
        make_default: bool = True,
    ) -> None:
        self.name = _job_name(name)
        self.train_data = _given(train_data, "train_data")
        self.validation_data = _given([] if validation_data is None else validation_data, "validation_data")
        chosen = find_method(method, adapter_size)
        rate = chosen.learning_rate
        if learning_rate is not None:
            rate = number(learning_rate, "the learning rate is a number above 0", least=0, above=True)
        rule = "the learning_rate_multiplier is a number above 0"
        config = TrainingConfig(
            epochs, rate * number(learning_rate_multiplier, rule, least=0, above=True), batch_size, seed
        )
        self.asked: dict[str, Any] = {
            "method": chosen.name,
            "adapter_size": chosen.size,
            **asdict(config),
            "model": _model_name(model),
            "weights": model.weights_hash if isinstance(model, LanguageModel) else None,
            "make_default": make_default,
        }
        self.folder: JobFolder | None = None

    @classmethod
    def find(cls, name: str) -> "TuningJob":
        """Return the newest job of a name, from whichever kernel it was started. Raises TuningError."""
        found = folders(_job_name(name))
        if not found:
            raise TuningError(f"No job named {name!r} was ever started in {jobs_dir()}: check the name.")
        return cls.of(found[-1])

    @classmethod
    def of(cls, folder: JobFolder) -> "TuningJob":
        """Return the job in a folder. Raises TuningError."""
        settings = folder.settings
        job = cls(folder.path.parent.name, [], **{field: getattr(settings, field) for field in CHOSEN})
        with suppress(TuningError, DataError):  # what was trained is there without its data; start() asks for them
            job.train_data, job.validation_data = folder.records()
        job.asked["weights"] = settings.weights
        job.folder = folder
        return job

    def start(self, *, anew: bool = False, quiet: bool = False) -> "TuningJob":
        """Start the job's process, or take up the job that is there already, say which, and return at once.

        The same name, data, settings and package versions are the same job: one that runs
        is watched, one that has succeeded is kept, one that was cancelled or interrupted
        goes on from its checkpoint; one whose folder is damaged stays as it is, and a new
        one begins. anew: train again all the same; quiet: say nothing. Raises DataError for data that cannot be
        read, TuningError while another job of this name runs, RegistryError for a
        MLFLOW_TRACKING_URI that cannot work.
        """
        check_address()
        train, validation = _records(self.train_data), _records(self.validation_data)
        if not train:
            raise DataError("There is no record in train_data: give at least 10, better 100.")
        versions = {package: version(package) for package in PACKAGES}
        settings = Settings(self.name, data=data_hash(train, validation), versions=versions, **self.asked)
        parent = jobs_dir() / self.name
        with disk_errors_explained(parent / "settings.json"):
            parent.mkdir(parents=True, exist_ok=True)
            with FileLock(parent / ".lock"):
                before = folders(self.name)
                earlier = [folder for folder in reversed(before[:-1]) if _was_asked(folder, settings)]
                if not any(self._takes_up(folder, settings, anew=anew) for folder in (*before[-1:], *earlier)):
                    last = int(before[-1].path.name) if before else 0
                    self.folder = JobFolder(parent / f"{last + 1:04d}")
                    self.folder.create(settings, train, validation)
                    _spawn(self.folder)
        if not quiet:
            print(f"Tuning job {self.name}: {self._begun(len(train))}")
        return self

    @property
    def state(self) -> State:
        """Status, step, seconds and, where it failed, the cause. Raises TuningError before the start."""
        return self.started().state

    @property
    def status(self) -> Status:
        """PENDING, VALIDATING, RUNNING, SUCCEEDED, FAILED or CANCELLED."""
        return self.state.status

    def wait(self) -> "TuningJob":
        """Return when the job has ended. Raises TuningError with the cause if it failed."""
        waiting, step = f"Waiting for the tuning job {self.name!r}", 0
        try:
            with working(waiting):
                while not ((state := self.state).steps or state.status.is_end):
                    time.sleep(LOOK_AGAIN)
            with working(waiting, total=state.steps) as advance:
                while not (state := self.state).status.is_end:
                    advance(state.step - step)
                    step = state.step
                    time.sleep(LOOK_AGAIN)
        except KeyboardInterrupt as stopped:
            stopped.add_note(
                f"The job {self.name!r} goes on: run the cell again to wait for it, or end it with cancel()."
            )
            raise
        if state.status is Status.FAILED:
            raise TuningError(f"The tuning job {self.name!r} failed. {state.cause}")
        return self

    def cancel(self) -> None:
        """Ask the job to end after the step it is at; what is already being saved is saved."""
        self.started().ask_to_cancel()

    @property
    def metrics(self) -> pd.DataFrame:
        """One row a step, with the columns of `training.Measured`."""
        rows = [asdict(one) for one in self.started().measured()]
        return pd.DataFrame(rows, columns=[field.name for field in fields(Measured)]).set_index("step", drop=False)

    def result(self, *, base: LanguageModel | None = None) -> LanguageModel:
        """Wait, and return the tuned model. base: the model it was tuned on, if it is loaded already.

        Raises TuningError if the job failed or was cancelled, or its adapter was deleted.
        """
        adapter = self._trained().adapter
        return load_adapter(base or load_model(self.asked["model"]), adapter)

    def register(self) -> "TuningJob":
        """Wait, and record in MLflow what it did not take at the job's end: the run, the adapter as a version.

        Nothing is trained again, and what MLflow has is not recorded twice. Raises
        RegistryError while the store does not take it, TuningError as `result` does.
        """
        folder = self._trained()
        check_address()
        with disk_errors_explained(folder.path), FileLock(folder.path.parent / ".lock"):
            state = record(folder)
            folder.write_state(state)
        if missing := unrecorded(state):
            raise RegistryError(missing)
        return self

    def started(self) -> JobFolder:
        """Return the job's folder. Raises TuningError before the start."""
        if self.folder is None:
            raise TuningError(f"The job {self.name!r} was not started yet: call start().")
        return self.folder

    def _trained(self) -> JobFolder:
        """Wait, and return the folder of a job that has succeeded. Raises TuningError."""
        state = self.wait().state
        if state.status is Status.CANCELLED:
            raise TuningError(
                f"The tuning job {self.name!r} was cancelled: call its start() again, it goes on where it was."
            )
        folder = self.started()
        if not folder.adapter.is_dir():
            kept = f"load it with registry.load('{self.name}/{state.version}'), or " if state.version else ""
            raise TuningError(f"The adapter in {folder.adapter} was deleted: {kept}start the job again, to train anew.")
        return folder

    def _begun(self, records: int) -> str:
        """Say what became of a job by its start, and where to watch it."""
        state = self.state
        if state.status is Status.SUCCEEDED:
            return "it has succeeded before, with these data and settings. Nothing is trained again; see its result()."
        asked = f"{self.asked['method']} (records: {records}, epochs: {self.asked['epochs']})"
        begun = f"it goes on at step {state.step} of {state.steps}" if state.step else f"started with {asked}"
        return f"{begun}, in a process of its own. monitor(job) shows its progress and the time left."

    def _takes_up(self, folder: JobFolder, settings: Settings, *, anew: bool) -> bool:
        """Make a job that exists this one, if it is the same; say whether. A damaged one is none."""
        try:
            state, same = folder.state, folder.settings == settings
            if state.can_go_on:
                folder.records()
        except CourseError:
            state, same = State(Status.PENDING if folder.is_alive() else Status.FAILED), False
        if not state.status.is_end and (anew or not same):
            raise TuningError(
                f"A job named {self.name!r} is running, with other data or settings: "
                f"wait for it, cancel it (TuningJob.find({self.name!r}).cancel()), or take another name."
            )
        deleted = state.status is Status.SUCCEEDED and not folder.adapter.is_dir()
        if anew or not same or deleted or (state.status is Status.FAILED and not state.can_go_on):
            return False
        self.folder = folder
        if state.can_go_on:
            folder.withdraw_cancel()
            folder.write_state(replace(state, status=Status.PENDING, cause="", can_go_on=False))
            _spawn(folder)
        return True


def _was_asked(folder: JobFolder, settings: Settings) -> bool:
    """Whether a job has these settings; a damaged one has none."""
    with suppress(CourseError):
        return folder.settings == settings
    return False


def _spawn(folder: JobFolder) -> None:
    """Start the process that trains: it outlives the kernel that started it."""
    with folder.log.open("ab") as log:
        process = start_apart("utils.tuning.worker", str(folder.path), stdout=log, stderr=subprocess.STDOUT)
    folder.started_by(process.pid)


def _job_name(name: str) -> str:
    found = text(name, "the job's name")
    if not re.fullmatch(NAME, found):
        raise TuningError(f"{found!r} cannot be a job's name: use letters, digits, - and _, 64 at most.")
    return found


def _given(data: Data, what: str) -> str | list[TextToText]:
    """Return data as an address, or as records that can be written. Raises DataError."""
    if isinstance(data, str | os.PathLike):
        return lasting(text(data, what))
    records = as_records(data, what)
    require_texts(records, what)
    return records


def _records(data: str | list[TextToText]) -> list[TextToText]:
    return load_text_to_text(data) if isinstance(data, str) else data


def _model_name(model: str | Path | LanguageModel | None) -> str:
    """Return a model's name, of a folder the absolute path."""
    if isinstance(model, LanguageModel):
        return lasting_name(model.name)
    given = "" if model is None else text(model, "the model")
    return lasting_name(given or os.environ.get("COURSE_MODEL") or DEFAULT_MODEL)
