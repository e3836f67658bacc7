"""The process of a tuning job: `python -m utils.tuning.worker FOLDER`, started by `TuningJob.start`."""

import os
import sys
import time
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
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
from utils.errors import (
    CacheUnusable,
    CourseError,
    DiskFull,
    FetchError,
    HashMismatch,
    ModelNotFound,
    TuningError,
    short_reason,
)
from utils.models.language_model import LanguageModel
from utils.models.loading import load_model
from utils.registry.tracking import Tracker
from utils.storage.files import is_disk_full, written_whole
from utils.storage.files import replace as move
from utils.training.forward import forward_for
from utils.training.linter import lint, require_usable
from utils.training.loop import Training, TrainingConfig
from utils.training.memory import peak_memory
from utils.training.records import encode
from utils.tuning.recording import PEAK, parameters, record
from utils.tuning.states import JobFolder, State, Status

CHECKPOINT_SECONDS = 20.0
"""Between two checkpoints; COURSE_CHECKPOINT_SECONDS sets another time."""

GO_ON = "Start the job again: it goes on from its last checkpoint."

OUTSIDE = (CacheUnusable, DiskFull, FetchError, HashMismatch, ModelNotFound)
"""What may be mended without another job: this one goes on then."""


class Cancelled(Exception):
    """The learner asked the job to end."""


def work(folder: JobFolder) -> State:
    """Do a job from its folder and return the state it ended in; every end is written there."""
    try:
        state = _succeed(folder)
    except Cancelled:
        state = replace(_last_state(folder), status=Status.CANCELLED, can_go_on=True)
    except Exception as error:
        traceback.print_exc()
        cause, can_go_on = _explain(folder, error)
        state = replace(_last_state(folder), status=Status.FAILED, cause=cause, can_go_on=can_go_on)
    folder.write_state(state)
    return state


def _last_state(folder: JobFolder) -> State:
    """Return the state as it was written last, or a new one where it cannot be read any more."""
    try:
        return folder.written_state
    except TuningError:
        return State()


def _succeed(folder: JobFolder) -> State:
    if folder.facts and folder.adapter.exists():  # trained by a process that was killed before its last word
        return record(folder)
    settings = folder.settings
    _advance(folder, status=Status.VALIDATING)
    base = load_model(settings.model)
    if settings.weights not in (None, base.weights_hash):
        raise TuningError(
            f"The model given has other weights than {settings.model} has on disk: save it to a folder and give "
            "the folder's path."
        )
    train, validation = folder.records()
    report = lint(train, validation, model=base)
    print(report, flush=True)
    require_usable(report)
    method = find_method(settings.method, settings.adapter_size)
    adapted = add_adapter(base, method, seed=settings.seed)
    config = TrainingConfig(settings.epochs, settings.learning_rate, settings.batch_size, settings.seed)
    encoded = [[encode(base, record) for record in records] for records in (train, validation)]
    training = Training(adapted, forward_for(adapted, method), *encoded, config)
    folder.write_facts(_counts(base, adapted))
    tracker = Tracker(settings.name, parameters(folder))
    before = base.next_token_logits(train[0].input_text)
    with _run_ended(folder, tracker):
        _train(folder, training, tracker)
        folder.write_facts(_counts(base, adapted) | {PEAK: peak_memory()})
        _save(folder, adapted, method, base=base)
        if not torch.equal(base.next_token_logits(train[0].input_text), before):
            raise TuningError("The base model changed while its adapter was tuned: please report this.")
    folder.checkpoint.unlink(missing_ok=True)
    return record(folder, tracker)


@contextmanager
def _run_ended(folder: JobFolder, tracker: Tracker) -> Generator[None]:
    """Let no run stay open in the tracking store when a job ends early."""
    try:
        yield
    except BaseException as error:
        status = "KILLED" if isinstance(error, Cancelled) else "FAILED"
        tracker.finish(status, folder.measured(), {})
        raise


def _train(folder: JobFolder, training: Training, tracker: Tracker) -> None:
    """Train to the end, leaving word after every step and a checkpoint now and then."""
    _resume(folder, training)
    folder.keep_until(training.step)
    _advance(folder, status=Status.RUNNING, step=training.step, steps=training.steps, seconds=training.seconds)
    between, saved = _between_checkpoints(), time.monotonic()
    for measured in training.run():
        folder.append([measured])
        _advance(folder, step=measured.step, seconds=measured.seconds)
        _stop_if_asked(folder, training)
        if measured.validation_loss is not None or measured.step == measured.steps:
            tracker.send(folder.measured())
        if time.monotonic() - saved >= between:
            _write_checkpoint(folder, training)
            saved = time.monotonic()


def _resume(folder: JobFolder, training: Training) -> None:
    """Go on from the checkpoint, or begin again, with a note, where it is damaged."""
    if not folder.checkpoint.exists():
        return
    first = training.state()
    try:
        training.resume(torch.load(folder.checkpoint, weights_only=True))
    except Exception as error:  # a file that is cut off breaks in many ways
        if _is_memory_full(error):
            raise
        training.resume(first)
        folder.checkpoint.unlink()
        note = f"The checkpoint was damaged ({short_reason(error)}), so the training began again with the first step."
        _advance(folder, notes=(*folder.written_state.notes, note))


def _stop_if_asked(folder: JobFolder, training: Training) -> None:
    if folder.is_cancel_asked:
        _write_checkpoint(folder, training)
        raise Cancelled


def _between_checkpoints() -> float:
    given = os.environ.get("COURSE_CHECKPOINT_SECONDS", "")
    try:
        return float(given or CHECKPOINT_SECONDS)
    except ValueError:
        raise TuningError(f"COURSE_CHECKPOINT_SECONDS is {given!r}: set it to seconds, or unset it.") from None


def _write_checkpoint(folder: JobFolder, training: Training) -> None:
    temporary = folder.checkpoint.with_suffix(".tmp")
    torch.save(training.state(), temporary)
    move(temporary, folder.checkpoint)


def _save(folder: JobFolder, adapted: LanguageModel, method: Method, *, base: LanguageModel) -> None:
    """Write the adapter and read it back before it gets its name."""
    with written_whole(folder.adapter) as new:
        save_adapter(adapted, method, new, base=base)
        load_adapter(base, new)


def _advance(folder: JobFolder, **changes: object) -> None:
    folder.write_state(replace(folder.written_state, **changes))


def _counts(base: LanguageModel, adapted: LanguageModel) -> dict[str, float]:
    return {
        "trainable_parameters": count_trainable(adapted.model),
        "changed_parameters": count_changed(adapted.model),
        "base_parameters": base.model.num_parameters(),
    }


def _explain(folder: JobFolder, error: Exception) -> tuple[str, bool]:
    """Return why a job failed and what to do, and whether it can go on once that is done."""
    if isinstance(error, CourseError):
        return str(error), isinstance(error, OUTSIDE)
    if is_disk_full(error):
        return f"The disk is full, and the job could not write to {folder.path}: free some space. {GO_ON}", True
    if _is_memory_full(error):
        return f"The memory is full: close other programs, or take a smaller batch_size. {GO_ON}", True
    begun = folder.checkpoint.exists()
    why = f"It stopped with {type(error).__name__}: {error}. The log {folder.log} has more; please report this."
    return f"{why} {GO_ON}" if begun else why, begun


def _is_memory_full(error: Exception) -> bool:
    return isinstance(error, MemoryError) or "not enough memory" in str(error)


if __name__ == "__main__":
    sys.exit(0 if work(JobFolder(Path(sys.argv[1]))).status is not Status.FAILED else 1)
