"""A tuning job: a name, a data file, and a process of its own that trains while the notebook stays free."""

import hashlib
import os
import re
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock

from utils.adapters.methods import find_method, load_adapter
from utils.datasets.records import TextToText, load_text_to_text
from utils.errors import TuningError, UnsupportedSetting
from utils.models.language_model import LanguageModel
from utils.models.loading import DEFAULT_MODEL, load_model
from utils.processes import start_apart
from utils.storage.files import disk_errors_explained
from utils.storage.places import jobs_dir
from utils.training.loop import Measured
from utils.tuning.states import JobFolder, Settings, State, Status, folders

NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
EPOCHS, BATCH_SIZE = 3, 8
PACKAGES = ("torch", "transformers", "peft")
LOOK_AGAIN = 0.2

Data = str | Path | Sequence[TextToText]
"""A JSON Lines file with `input_text` and `output_text`, at a path or an address such as s3:// or gs://, or records."""


class TuningJob:
    """One tuning of a model on a text-to-text data file.

    name: of the job and of the model in the registry. train_data, validation_data: see
    `Data`; without validation data the last adapter is kept, with it the best. method: a
    name in `methods.METHODS`. model: a model's name or path, or one that is loaded by
    name; the course's own when None. epochs: times that each record is seen.
    learning_rate: the method's own when None; learning_rate_multiplier: by what it is
    multiplied. adapter_size: rank, width or virtual tokens; the method's own when None.

    Raises UnsupportedSetting for a setting that cannot be, TuningError for a name.
    """

    def __init__(
        self,
        name: str,
        train_data: Data,
        validation_data: Data | None = None,
        *,
        method: str = "lora",
        model: str | LanguageModel | None = None,
        epochs: int = EPOCHS,
        learning_rate: float | None = None,
        learning_rate_multiplier: float = 1.0,
        batch_size: int = BATCH_SIZE,
        adapter_size: int | None = None,
        seed: int = 0,
    ) -> None:
        if not re.fullmatch(NAME, name):
            raise TuningError(f"{name!r} cannot be a job's name: use letters, digits, - and _, 64 at most.")
        chosen = find_method(method, adapter_size)
        rate = (chosen.learning_rate if learning_rate is None else learning_rate) * learning_rate_multiplier
        for what, value in (("epochs", epochs), ("batch_size", batch_size), ("learning rate", rate)):
            if not value > 0:
                raise UnsupportedSetting(f"The {what} of a tuning job cannot be {value}: take a number above 0.")
        self.name, self.train_data, self.validation_data = name, train_data, validation_data
        self.asked: dict[str, Any] = {
            "method": method,
            "adapter_size": chosen.size,
            "epochs": epochs,
            "learning_rate": rate,
            "batch_size": batch_size,
            "seed": seed,
            "model": _model_name(model),
            "weights": model.weights_hash if isinstance(model, LanguageModel) else None,
        }
        self.folder: JobFolder | None = None

    @classmethod
    def find(cls, name: str) -> "TuningJob":
        """Return the newest job of a name, from whichever kernel it was started. Raises TuningError."""
        found = folders(name)
        if not found:
            raise TuningError(f"No job named {name!r} was ever started in {jobs_dir()}: check the name.")
        settings = found[-1].settings
        job = cls(
            name,
            found[-1].records("train"),
            found[-1].records("validation") or None,
            method=settings.method,
            epochs=settings.epochs,
            learning_rate=settings.learning_rate,
            batch_size=settings.batch_size,
            adapter_size=settings.adapter_size,
            seed=settings.seed,
            model=settings.model,
        )
        job.asked["weights"] = settings.weights
        job.folder = found[-1]
        return job

    def start(self, *, anew: bool = False) -> "TuningJob":
        """Start the job's process, or take up the job that is there already, and return at once.

        The same name, data, settings and package versions are the same job: one that runs
        is watched, one that has succeeded is kept, one that was cancelled or interrupted
        goes on from its checkpoint. anew: train again all the same. Raises DataError for
        data that cannot be read, TuningError while another job of this name runs.
        """
        train = _records(self.train_data)
        validation = _records(self.validation_data) if self.validation_data is not None else []
        data = hashlib.sha256(
            repr([[(r.input_text, r.output_text) for r in some] for some in (train, validation)]).encode()
        )
        versions = {package: version(package) for package in PACKAGES}
        settings = Settings(self.name, data=data.hexdigest(), versions=versions, **self.asked)
        parent = jobs_dir() / self.name
        with disk_errors_explained(parent / "settings.json"):
            parent.mkdir(parents=True, exist_ok=True)
            with FileLock(parent / ".lock"):
                before = folders(self.name)
                if before and self._takes_up(before[-1], settings, anew=anew):
                    return self
                number = int(before[-1].path.name) + 1 if before else 1
                self.folder = JobFolder(parent / f"{number:04d}")
                self.folder.create(settings, train, validation)
                _spawn(self.folder)
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
        while not (state := self.state).status.is_end:
            time.sleep(LOOK_AGAIN)
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

        Raises TuningError if the job failed or was cancelled.
        """
        if self.wait().status is Status.CANCELLED:
            raise TuningError(f"The tuning job {self.name!r} was cancelled: start it again, it goes on where it was.")
        return load_adapter(base or load_model(self.asked["model"]), self.started().adapter)

    def started(self) -> JobFolder:
        """Return the job's folder. Raises TuningError before the start."""
        if self.folder is None:
            raise TuningError(f"The job {self.name!r} was not started yet: call start().")
        return self.folder

    def _takes_up(self, folder: JobFolder, settings: Settings, *, anew: bool) -> bool:
        """Make a job that exists this one, if it is the same; say whether."""
        state, same = folder.state, folder.settings == settings
        if not state.status.is_end and (anew or not same):
            raise TuningError(
                f"A job named {self.name!r} is running, with other data or settings: "
                f"wait for it, cancel it (TuningJob.find({self.name!r}).cancel()), or take another name."
            )
        if anew or not same or (state.status is Status.FAILED and not state.can_go_on):
            return False
        self.folder = folder
        if state.can_go_on:
            folder.withdraw_cancel()
            folder.write_state(State(step=state.step, steps=state.steps, seconds=state.seconds))
            _spawn(folder)
        return True


def _spawn(folder: JobFolder) -> None:
    """Start the process that trains: it outlives the kernel that started it."""
    with folder.log.open("ab") as log:
        process = start_apart("utils.tuning.worker", str(folder.path), stdout=log, stderr=subprocess.STDOUT)
    folder.started_by(process.pid)


def _records(data: Data) -> list[TextToText]:
    return load_text_to_text(data) if isinstance(data, str | Path) else list(data)


def _model_name(model: str | LanguageModel | None) -> str:
    if isinstance(model, LanguageModel):
        return model.name
    return model or os.environ.get("COURSE_MODEL") or DEFAULT_MODEL
