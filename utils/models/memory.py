"""What a model takes in memory, computed: to run, and to train; and what this machine has."""

from dataclasses import dataclass

import psutil

FLOAT32 = 4
"""Bytes of one number."""


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes that training keeps from step to step; the activations of a step are left out."""

    weights: int
    gradients: int
    moments: int

    @property
    def total(self) -> int:
        """All bytes together."""
        return self.weights + self.gradients + self.moments


def training_memory(parameters: int, *, added: int | None = None) -> TrainingMemory:
    """Return what training keeps in memory in float32 with Adam, which has two moments for each trained number.

    added: how many parameters an adapter adds and trains while the model stays as it is;
    None trains the model itself. 16 bytes a trained parameter, 4 bytes a frozen one.
    """
    trained = parameters if added is None else added
    weights = parameters + (added or 0)
    return TrainingMemory(FLOAT32 * weights, FLOAT32 * trained, 2 * FLOAT32 * trained)


def running_memory(parameters: int, *, bits: int = 8 * FLOAT32) -> int:
    """Return the bytes of a model's weights at so many bits a number; what a prompt adds is left out."""
    return parameters * bits // 8


def machine_memory() -> int:
    """Return the bytes of memory that this machine has in all, used or not."""
    return psutil.virtual_memory().total
