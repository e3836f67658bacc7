"""A tuning job as the fields of a page say it: its data, split as asked, and its settings."""

import shlex
from dataclasses import dataclass
from typing import Literal

from utils.adapters.methods import find_method
from utils.datasets.records import TextToText, load_text_to_text, save_text_to_text
from utils.datasets.splits import set_aside
from utils.errors import DataError
from utils.models.language_model import LanguageModel
from utils.training.linter import Report, lint
from utils.tuning.estimation import Estimate, estimate
from utils.tuning.job import BATCH_SIZE, EPOCHS, TuningJob

Validation = Literal["share", "file", "none"]
Records = tuple[list[TextToText], list[TextToText]]
"""Training and validation records."""


@dataclass(frozen=True)
class Checked:
    """What is known of a plan before its job starts. cost: None for data that cannot be trained on."""

    plan: "Plan"
    train: list[TextToText]
    validation: list[TextToText]
    report: Report
    cost: Estimate | None


@dataclass(frozen=True)
class Plan:
    """What a tuning job is to be.

    train, validation_file: a path or an address, see `load_text_to_text`. validation: a share of the training file (0
    to 1, drawn by a seed), a file of its own, or none. adapter_size: the method's own when None. multiplier: of the
    method's learning rate. model: a model's name or folder, the course's own when empty.
    """

    name: str
    train: str
    validation: Validation = "share"
    share: float = 0.2
    split_seed: int = 0
    validation_file: str = ""
    method: str = "lora"
    adapter_size: int | None = None
    epochs: int = EPOCHS
    multiplier: float = 1.0
    model: str = ""

    def records(self) -> Records:
        """Return the records, read anew. Raises DataError naming the line."""
        if not self.train.strip():
            raise DataError("Choose a data file, or give its address.")
        train = load_text_to_text(self.train.strip())
        if self.validation == "share":
            return set_aside(train, self.share, key=lambda record: record.input_text, seed=self.split_seed)
        if self.validation == "none":
            return train, []
        if not self.validation_file.strip():
            raise DataError("Choose a file for the validation, or take a share of the data file.")
        return train, load_text_to_text(self.validation_file.strip())

    def checked(self, model: LanguageModel) -> "Checked":
        """Return what is known before a job starts: records, what the linter finds, and the cost where it may start.

        Raises what `records`, `lint` and `estimate` raise.
        """
        train, validation = self.records()
        report = lint(train, validation, model=model)
        method, cost = find_method(self.method, self.adapter_size), None
        if not report.refused:
            cost = estimate(model, method, train, validation, epochs=self.epochs, batch_size=BATCH_SIZE)
        return Checked(self, train, validation, report, cost)

    def job(self) -> tuple[TuningJob, str]:
        """Return the job, which is not started yet, and the shell's command that starts the same.

        Where the validation is a share, the two parts are kept as files of their own. Raises what `records`,
        `TuningJob` and `save_text_to_text` raise.
        """
        train, validation = self._files()
        job = TuningJob(
            self.name,
            train,
            validation,
            method=self.method,
            model=self.model or None,
            epochs=self.epochs,
            learning_rate_multiplier=self.multiplier,
            adapter_size=self.adapter_size,
        )
        options = {
            "name": job.name,
            "train-data": train,
            "validation-data": validation,
            "method": self.method,
            "adapter-size": self.adapter_size,
            "epochs": self.epochs,
            "learning-rate-multiplier": self.multiplier,
            "model": self.model or None,
        }
        given = [f"--{name}={value}" for name, value in options.items() if value is not None]
        return job, shlex.join(["python", "-m", "utils.tuning", *given])

    def _files(self) -> tuple[str, str | None]:
        if self.validation == "file":
            self.records()
            return self.train.strip(), self.validation_file.strip()
        train, validation = self.records()
        if not validation:
            return self.train.strip(), None
        kept = [
            str(save_text_to_text(some, f"{self.name}-{part}"))
            for part, some in (("train", train), ("validation", validation))
        ]
        return kept[0], kept[1]
