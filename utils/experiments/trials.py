"""Results of long trainings, kept in the repository: what each was asked, and what its model answered.

They were made by `utils.experiments.sweeps` (`make sweeps`), one result a line. A machine that
has run them itself (`sweeps.rerun`) reads its own.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from utils.datasets.splits import DATA
from utils.errors import DataError
from utils.evaluation.summaries import rouge_scores
from utils.storage.places import tuning_dir
from utils.training.tasks import TASKS, is_right

TRIALS = DATA / "tuning" / "trials.jsonl"


@dataclass(frozen=True)
class Trial:
    """One training.

    records: how many of the training records it sees, the first ones; size and
    learning_rate: None for the method's own.
    """

    task: str
    method: str
    seed: int = 0
    records: int = 240
    size: int | None = None
    learning_rate: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of a trial.

    trainable, changed: how many numbers; validation_loss: of the adapter kept; losses:
    (step, training loss, validation loss) at each evaluation; answers: one text a record
    of the test split. made_by: hash of the code, threads, processor kernels, torch build; None where
    it was not recorded.
    """

    trial: Trial
    trainable: int
    changed: int
    validation_loss: float
    losses: tuple[tuple[int, float, float], ...]
    answers: tuple[str, ...]
    versions: dict[str, str]
    made_by: dict[str, Any] | None = None

    @property
    def correct(self) -> np.ndarray:
        """Which test reviews got the right label: shape (texts,), 0 or 1."""
        records = TASKS["reviews"].records("test")
        return np.array([is_right(said, record) for said, record in zip(self.answers, records, strict=True)], float)


def own_trials() -> Path:
    """Return where this machine's own results are, or would be."""
    return tuning_dir() / TRIALS.name


def outcomes(path: Path | None = None) -> dict[Trial, Outcome]:
    """Return all results of a file, by trial; of this machine's own file, else the repository's, when None."""
    path = path or (own_trials() if own_trials().exists() else TRIALS)
    lines = path.read_text(encoding="utf8").splitlines() if path.exists() else []
    return {outcome.trial: outcome for outcome in map(_outcome, lines)}


def find(task: str, method: str, *, path: Path | None = None, **settings: Any) -> list[Outcome]:
    """Return the results with these settings, one a seed; what is not named has its default. Raises DataError."""
    wanted = Trial(task, method, **settings)
    found = [
        outcome
        for trial, outcome in outcomes(path).items()
        if (trial.task, trial.method, trial.records, trial.size, trial.learning_rate)
        == (wanted.task, wanted.method, wanted.records, wanted.size, wanted.learning_rate)
    ]
    if not found:
        raise DataError(f"There is no result for {wanted}: run make sweeps, which adds what is missing.")
    return found


def rouge1(runs: Sequence[Outcome], references: Sequence[str]) -> np.ndarray:
    """Return the ROUGE-1 F-measure of every run's answers: shape (runs, texts), 0 to 1."""
    return np.array([rouge_scores(run.answers, references)["ROUGE-1"] for run in runs])


def grid(task: str, method: str, *, value: Callable[[Outcome], float], path: Path | None = None) -> pd.DataFrame:
    """Return a value of every result with a size and a learning rate of its own: a row a size, a column a rate.

    The rates are text, so that each is shown with its own digits: "0.005", not "0.0050".
    """
    swept = {
        (trial.size, trial.learning_rate): value(outcome)
        for trial, outcome in outcomes(path).items()
        if (trial.task, trial.method) == (task, method) and None not in (trial.size, trial.learning_rate)
    }
    table = pd.Series(swept, dtype=float).unstack()
    return table.rename(columns="{:g}".format).rename_axis(index="rank", columns="learning rate")


def _outcome(line: str) -> Outcome:
    found = json.loads(line)
    trial = Trial(**{field.name: found.pop(field.name) for field in fields(Trial)})
    return Outcome(trial, **found | {"answers": tuple(found["answers"]), "losses": tuple(map(tuple, found["losses"]))})
