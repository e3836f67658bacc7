"""What a tuning job will cost on this machine: two steps are run and scaled to the whole job."""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import nn

from utils.adapters.methods import Method, add_adapter, trained
from utils.datasets.records import as_records
from utils.errors import DataError
from utils.models.language_model import LanguageModel
from utils.models.sharing import embeddings
from utils.training.forward import forward_for, has_two_halves
from utils.training.loop import EVALUATIONS_PER_EPOCH, Training, TrainingConfig, evaluate
from utils.training.records import Encoded, encode

MEASURED_TOKENS = 256
"""About how many tokens a measured step reads: enough for the speed of a long one, and soon done."""

COPIES = 5
"""Of each trained weight: itself, its gradient, AdamW's two moments, the best one so far."""


@dataclass(frozen=True)
class Estimate:
    """How long a tuning job takes and how much memory its tensors need."""

    seconds: float
    memory_bytes: int

    def __str__(self) -> str:
        return f"about {_duration(self.seconds)} and {self.memory_bytes / 1e9:.1f} GB of memory on this machine"


def estimate(
    model: LanguageModel,
    method: Method,
    train: Any,
    validation: Any = (),
    *,
    epochs: int,
    batch_size: int,
) -> Estimate:
    """Return what tuning a model costs, from two steps on records of middle length.

    train (one record or more), validation: what `as_records` takes. Time grows with the tokens,
    but for the change of the weights at the end of each step. The model stays as it is. Raises
    DataError, UnsupportedSetting and what `encode`, `add_adapter` and `forward_for` raise.
    """
    asked = TrainingConfig(epochs, method.learning_rate, batch_size)
    epochs, batch_size = asked.epochs, asked.batch_size
    records = [encode(model, record) for record in as_records(train, "the training records")]
    held_out = [encode(model, record) for record in as_records(validation, "the validation records")]
    if not records:
        raise DataError("There are no training records to estimate from: give one or more.")
    sample = _middle(records, batch_size)
    adapted = add_adapter(model, method)
    forward = forward_for(adapted, method)
    training = Training(adapted, forward, sample, (), TrainingConfig(2, method.learning_rate, len(sample)))
    with torch.random.fork_rng():
        steps = training.run()
        with _saved_bytes(adapted.model) as saved:
            first = next(steps).seconds
        second = next(steps).seconds - first
        change = _timed(training.optimizer.step)
        reading = _timed(lambda: evaluate(adapted.model, forward, sample))
    to_train, to_validate = (sum(map(len, split)) / sum(map(len, sample)) for split in (records, held_out))
    a_epoch = to_train * (second - change) + EVALUATIONS_PER_EPOCH * to_validate * reading
    seconds = epochs * (a_epoch + change * -(-len(records) // batch_size))
    largest = sorted(map(len, records))[-batch_size:]
    memory = sum(weight.nbytes for weight in model.model.parameters())
    memory += COPIES * sum(weight.nbytes for _, weight in trained(adapted.model))
    memory += sum(saved) * max(largest) * len(largest) / sum(map(len, sample))
    if method.top_blocks and has_two_halves(model):
        # the trunk is passed once, in the first step, and what it made is kept
        seconds += max(0.0, first - second) * (to_train + to_validate)
        memory += sum(map(len, chain(records, held_out))) * embeddings(model.model)[0].nbytes
    return Estimate(seconds, int(memory))


@contextmanager
def _saved_bytes(model: nn.Module) -> Generator[list[int]]:
    """Give a list that fills with the bytes of each tensor a forward pass keeps for the backward pass."""
    known = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    sizes: list[int] = []

    def count(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            known.add(storage.data_ptr())
            sizes.append(storage.nbytes())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        yield sizes


def _middle(records: Sequence[Encoded], batch_size: int) -> list[Encoded]:
    """Return records of middle length, about MEASURED_TOKENS in all and no more than a batch."""
    ordered = sorted(records, key=len)
    size = max(1, min(batch_size, len(records), MEASURED_TOKENS // len(ordered[len(ordered) // 2])))
    start = (len(ordered) - size) // 2
    return ordered[start : start + size]


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _duration(seconds: float) -> str:
    size, unit = next((pair for pair in ((3600, "hour"), (60, "minute")) if seconds >= 1.5 * pair[0]), (1, "second"))
    count = max(1, round(seconds / size))
    return f"{count} {unit}{'s' if count > 1 else ''}"
