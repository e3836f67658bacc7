"""The long comparisons of lesson 08 and Lab 3, run by script: `make sweeps`.

A trial that is in the results file is not run again, so an interrupted sweep goes on
where it was. Delete the file, or lines of it, to run them anew.
"""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from filelock import FileLock

from utils.adapters.methods import METHODS, add_adapter, count_changed, count_trainable, find_method
from utils.experiments.ledger import LEDGER
from utils.experiments.measure import measure_apart
from utils.experiments.provenance import made_by, versions
from utils.experiments.trials import TRIALS, Trial, outcomes, own_trials
from utils.models.language_model import LanguageModel
from utils.models.loading import load_model
from utils.storage.files import write_text
from utils.training.forward import forward_for
from utils.training.loop import Training, TrainingConfig
from utils.training.records import encode
from utils.training.tasks import TASKS

SEEDS = (0, 1, 2)
SIZES, RATES = (1, 8, 32), (5e-4, 5e-3, 5e-2)


def dialogues() -> Iterator[Trial]:
    """Yield what Lab 3 compares on dialogues: LoRA, the same with less data, full fine-tuning."""
    yield Trial("dialogues", "lora-top")
    for records in (100, 30, 10):
        yield Trial("dialogues", "lora-top", 0, records)
    yield Trial("dialogues", "full", 0, 100)
    for seed in SEEDS[1:]:
        yield Trial("dialogues", "lora-top", seed)


def reviews() -> Iterator[Trial]:
    """Yield each method once on reviews, LoRA with every seed."""
    for seed in SEEDS:
        yield Trial("reviews", "lora", seed)
    for method in sorted(METHODS.keys() - {"lora", "bitfit"}):  # the course's model has no biases to train
        yield Trial("reviews", method)


def rank_and_rate() -> Iterator[Trial]:
    """Yield LoRA's rank against its learning rate, on reviews."""
    for size in SIZES:
        for learning_rate in RATES:
            yield Trial("reviews", "lora-top", 0, 240, size, learning_rate)


SWEEPS = {"reviews": reviews, "dialogues": dialogues, "rank": rank_and_rate}


def run(trial: Trial, base: LanguageModel) -> dict[str, object]:
    """Train as the trial says and return its settings with what came of it, as JSON values."""
    task, method = TASKS[trial.task], find_method(trial.method, trial.size)
    model = add_adapter(base, method, seed=trial.seed)
    train = [encode(base, record) for record in task.records("train")[: trial.records]]
    validation = [encode(base, record) for record in task.records("validation")[: task.validated]]
    rate = trial.learning_rate or method.learning_rate
    config = TrainingConfig(task.epochs, rate, task.batch_size, trial.seed)
    training = Training(model, forward_for(model, method), train, validation, config)
    measured = list(training.run())
    return {
        **asdict(trial),
        "trainable": count_trainable(model.model),
        "changed": count_changed(model.model),
        "validation_loss": training.best_loss,
        "losses": [(m.step, m.loss, m.validation_loss) for m in measured if m.validation_loss is not None],
        "answers": task.answers(model, task.records("test")),
        "versions": versions("torch", "transformers", "peft"),
        "made_by": made_by("utils.experiments.sweeps"),
    }


def sweep(trials: Iterator[Trial], path: Path = TRIALS) -> None:
    """Run the trials that the file does not have yet and append each result."""
    base = load_model(device="cpu")
    path.parent.mkdir(parents=True, exist_ok=True)
    for trial in trials:
        if trial in outcomes(path):
            continue
        begun = time.perf_counter()
        result = run(trial, base)
        with FileLock(path.with_suffix(".lock")), path.open("a", encoding="utf8") as file:
            file.write(json.dumps(result) + "\n")
        print(f"{time.perf_counter() - begun:.0f} s {trial}", flush=True)


def rerun() -> None:
    """Run every trial again on this machine, about two hours on two cores, into a file of its own."""
    for trials in SWEEPS.values():
        sweep(trials(), own_trials())


def write_ledger(path: Path = LEDGER, trials: Path = TRIALS) -> None:
    """Measure what each method costs, join it with the quality on reviews, and write the ledger."""
    tried = [outcome for trial, outcome in outcomes(trials).items() if trial in set(reviews())]
    costs = {name: measure_apart(name) for name in dict.fromkeys(outcome.trial.method for outcome in tried)}
    records = [
        {
            "method": outcome.trial.method,
            "size": find_method(outcome.trial.method).size,
            "seed": outcome.trial.seed,
            "trainable": outcome.trainable,
            "changed": outcome.changed,
            "validation_loss": outcome.validation_loss,
            "correct": [bool(right) for right in outcome.correct],
            **costs[outcome.trial.method],
            "versions": outcome.versions,
        }
        for outcome in tried
    ]
    write_text(path, json.dumps(records, indent=1) + "\n")


if __name__ == "__main__":
    for name in sys.argv[1:] or [*SWEEPS, "ledger"]:
        if name == "ledger":
            write_ledger()
        else:
            sweep(SWEEPS[name]())
