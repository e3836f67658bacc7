"""A trained job recorded in MLflow, its run and its adapter: at its end, and later what was missed then."""

import math
from dataclasses import asdict, replace

from utils.errors import RegistryError, short_reason
from utils.registry.tracking import Tracker
from utils.registry.versions import find, register
from utils.tuning.states import JobFolder, Settings, State, Status

LATER = "job.register()"
PEAK = "peak_memory_bytes"
NOT_CHOSEN = ("name", "versions", "make_default")
"""Settings that say nothing of the training."""


def record(folder: JobFolder, tracker: Tracker | None = None) -> State:
    """Record what MLflow misses of a trained job, and return the state that the job is in then: SUCCEEDED.

    tracker: the run's, where it is open. Whatever the store raises costs no adapter: one
    note says what it did not take, and how to record that later.
    """
    settings, state, metrics = folder.settings, folder.written_state, _metrics(folder)
    if tracker is None:
        tracker = Tracker(settings.name, parameters(folder), earlier=state.run_id, seconds=state.seconds)
    tracker.finish("FINISHED", folder.measured(), metrics)
    lacking = [tracker.problem] if tracker.problem else []
    number = state.version
    try:
        if tracker.run_id is not None:
            number = _registered(folder, settings, number, metrics, tracker.run_id)
        elif number is None:
            lacking.append("The adapter is not in the registry.")
    except Exception as error:  # each store raises its own kinds
        number = None
        lacking.append(f"The adapter is not in the registry: {short_reason(error, longest=1000)}")
    notes = [note for note in state.notes if LATER not in note]
    if lacking:
        notes.append(
            f"{' '.join(lacking)} The tuned model is whole, its adapter is kept in {folder.adapter}, and {LATER} "
            "records what is missing, without training again."
        )
    run_id = tracker.run_id or state.run_id
    return replace(state, status=Status.SUCCEEDED, notes=tuple(notes), version=number, run_id=run_id)


def unrecorded(state: State) -> str | None:
    """Return the note on what MLflow misses of a job, None where it has all."""
    return next((note for note in state.notes if LATER in note), None)


def parameters(folder: JobFolder) -> dict[str, object]:
    """Return what a job's run shows of its settings, package versions and counted parameters."""
    chosen = asdict(folder.settings)
    del chosen["make_default"]
    counted = {name: value for name, value in folder.facts.items() if name != PEAK}
    return {**chosen.pop("versions"), **{name: value for name, value in chosen.items() if value is not None}, **counted}


def _metrics(folder: JobFolder) -> dict[str, float]:
    state, facts = folder.written_state, folder.facts
    losses = [one.validation_loss for one in folder.measured() if one.validation_loss is not None]
    best = min(filter(math.isfinite, losses), default=None)
    metrics = {
        "file_bytes": sum(file.stat().st_size for file in folder.adapter.iterdir()),
        "seconds": state.seconds,
        PEAK: facts.get(PEAK),
        "steps": state.step,
        "best_validation_loss": best,
    }
    return {name: value for name, value in metrics.items() if value is not None}


def _registered(folder: JobFolder, settings: Settings, number: int | None, metrics: dict, run_id: str) -> int:
    """Return the number of the job's version, which is registered where the registry does not have it."""
    if number is not None:
        try:
            return find(f"{settings.name}/{number}").number
        except RegistryError:  # deleted, or the registry is another one
            pass
    chosen = {name: value for name, value in asdict(settings).items() if name not in NOT_CHOSEN}
    return register(
        settings.name,
        folder.adapter,
        parameters=chosen,
        metrics=metrics,
        run_id=run_id,
        make_default=settings.make_default,
    ).number
