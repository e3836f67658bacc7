"""The process of a tuning job: `python -m utils.tuning.worker FOLDER`, started by `TuningJob.start`."""

import os
import sys
import time
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import torch

from utils.adapters.methods import (
    Method,
    add_adapter,
    count_changed,
    count_trainable,
    find_method,
    load_adapter,
    save_adapter,
)
from utils.errors import CourseError, TuningError
from utils.models.language_model import LanguageModel
from utils.models.loading import load_model
from utils.registry.tracking import Tracker
from utils.registry.versions import register
from utils.storage.files import is_disk_full, written_whole
from utils.storage.files import replace as move
from utils.training.forward import forward_for
from utils.training.linter import lint, require_usable
from utils.training.loop import Measured, Training, TrainingConfig
from utils.training.memory import peak_memory
from utils.training.records import encode
from utils.tuning.states import JobFolder, Settings, State, Status

CHECKPOINT_SECONDS = 20.0
"""Between two checkpoints; COURSE_CHECKPOINT_SECONDS sets another time."""

GO_ON = "Start the job again: it goes on from its last checkpoint."


class Cancelled(Exception):
    """The learner asked the job to end."""


def work(folder: JobFolder) -> State:
    """Do a job from its folder and return the state it ended in; every end is written there."""
    try:
        state = _succeed(folder)
    except Cancelled:
        state = replace(folder.written_state, status=Status.CANCELLED, can_go_on=True)
    except Exception as error:
        traceback.print_exc()
        cause, can_go_on = _explain(folder, error)
        state = replace(folder.written_state, status=Status.FAILED, cause=cause, can_go_on=can_go_on)
    folder.write_state(state)
    return state


def _succeed(folder: JobFolder) -> State:
    settings = folder.settings
    _advance(folder, status=Status.VALIDATING)
    base = load_model(settings.model)
    if settings.weights not in (None, base.weights_hash):
        raise TuningError(
            f"The model given has other weights than {settings.model} has on disk: save it to a folder and give "
            "the folder's path."
        )
    train, validation = folder.records("train"), folder.records("validation")
    report = lint(train, validation, model=base)
    print(report, flush=True)
    require_usable(report)
    method = find_method(settings.method, settings.adapter_size)
    adapted = add_adapter(base, method, seed=settings.seed)
    config = TrainingConfig(settings.epochs, settings.learning_rate, settings.batch_size, settings.seed)
    encoded = [[encode(base, record) for record in records] for records in (train, validation)]
    training = Training(adapted, forward_for(adapted, method), *encoded, config)
    tracker = Tracker(settings.name, _parameters(settings, base, adapted))
    before = base.next_token_logits(train[0].input_text)
    with _run_ended(folder, training, tracker):
        _train(folder, training, tracker)
        _save(folder, adapted, method, base=base)
        if not torch.equal(base.next_token_logits(train[0].input_text), before):
            raise TuningError("The base model changed while its adapter was tuned: please report this.")
    return _finish(folder, training, tracker)


@contextmanager
def _run_ended(folder: JobFolder, training: Training, tracker: Tracker) -> Generator[None]:
    """Let no run stay open in the tracking store when a job ends early."""
    try:
        yield
    except BaseException as error:
        status = "KILLED" if isinstance(error, Cancelled) else "FAILED"
        tracker.finish(status, _measured(folder, training), {})
        raise


def _train(folder: JobFolder, training: Training, tracker: Tracker) -> None:
    """Train to the end, leaving word after every step and a checkpoint now and then."""
    if folder.checkpoint.exists():
        training.resume(torch.load(folder.checkpoint, weights_only=True))
    _advance(folder, status=Status.RUNNING, step=training.step, steps=training.steps, seconds=training.seconds)
    between = float(os.environ.get("COURSE_CHECKPOINT_SECONDS", CHECKPOINT_SECONDS))
    saved = time.monotonic()
    for measured in training.run():
        folder.append([measured])
        _advance(folder, step=measured.step, seconds=measured.seconds)
        _stop_if_asked(folder, training)
        if measured.validation_loss is not None or measured.step == measured.steps:
            tracker.send(_measured(folder, training))
        if time.monotonic() - saved >= between:
            _write_checkpoint(folder, training)
            saved = time.monotonic()


def _measured(folder: JobFolder, training: Training) -> list[Measured]:
    """Return what was measured up to here; an interrupted job may have been further than its checkpoint."""
    return [one for one in folder.measured() if one.step <= training.step]


def _stop_if_asked(folder: JobFolder, training: Training) -> None:
    if folder.is_cancel_asked:
        _write_checkpoint(folder, training)
        raise Cancelled


def _write_checkpoint(folder: JobFolder, training: Training) -> None:
    temporary = folder.checkpoint.with_suffix(".tmp")
    torch.save(training.state(), temporary)
    move(temporary, folder.checkpoint)


def _save(folder: JobFolder, adapted: LanguageModel, method: Method, *, base: LanguageModel) -> None:
    """Write the adapter and read it back before it gets its name."""
    with written_whole(folder.adapter) as new:
        save_adapter(adapted, method, new, base=base)
        load_adapter(base, new)


def _finish(folder: JobFolder, training: Training, tracker: Tracker) -> State:
    """Register the adapter and close the run; what goes wrong here costs no adapter."""
    metrics = {
        "file_bytes": sum(file.stat().st_size for file in folder.adapter.iterdir()),
        "seconds": training.seconds,
        "peak_memory_bytes": peak_memory(),
        "steps": training.step,
    }
    if training.best_weights:
        metrics["best_validation_loss"] = training.best_loss
    tracker.finish("FINISHED", _measured(folder, training), metrics)
    notes = [tracker.problem] if tracker.problem else []
    number = None
    try:
        settings = folder.settings
        registered = register(
            settings.name,
            folder.adapter,
            parameters={name: value for name, value in asdict(settings).items() if name not in ("name", "versions")},
            metrics=metrics,
            run_id=tracker.run_id,
        )
        number = registered.number
    except CourseError as error:
        notes.append(f"The adapter is kept in {folder.adapter}, but is not in the registry: {error}")
    folder.checkpoint.unlink(missing_ok=True)
    return replace(
        folder.written_state, status=Status.SUCCEEDED, notes=tuple(notes), version=number, run_id=tracker.run_id
    )


def _advance(folder: JobFolder, **changes: object) -> None:
    folder.write_state(replace(folder.written_state, **changes))


def _parameters(settings: Settings, base: LanguageModel, adapted: LanguageModel) -> dict[str, object]:
    numbers = {
        "trainable_parameters": count_trainable(adapted.model),
        "changed_parameters": count_changed(adapted.model),
        "base_parameters": base.model.num_parameters(),
    }
    chosen = asdict(settings)
    return {**chosen.pop("versions"), **{name: value for name, value in chosen.items() if value is not None}, **numbers}


def _explain(folder: JobFolder, error: Exception) -> tuple[str, bool]:
    """Return why a job failed and what to do, and whether it can go on once that is done."""
    if isinstance(error, CourseError):
        return str(error), False
    if is_disk_full(error):
        return f"The disk is full, and the job could not write to {folder.path}: free some space. {GO_ON}", True
    if isinstance(error, MemoryError) or "not enough memory" in str(error):
        return f"The memory is full: close other programs, or take a smaller batch_size. {GO_ON}", True
    return f"It stopped with {type(error).__name__}: {error}. The log {folder.log} has more; please report this.", False


if __name__ == "__main__":
    sys.exit(0 if work(JobFolder(Path(sys.argv[1]))).status is not Status.FAILED else 1)
