"""Read what a learner's function returns: a value that can be compared, or a Mistake that says what to return."""

from typing import Any

import torch

from utils.exercises.mistakes import Mistake, require


def as_text(value: Any) -> str:
    """Return a text as it is. Raises Mistake for anything else."""
    require(isinstance(value, str), "Return a text (a string).")
    return value


def as_texts(value: Any) -> list[str]:
    """Return texts as a list. Raises Mistake for anything else."""
    require(
        isinstance(value, list | tuple),
        "Return a list. A set has no order, and a number does not say which texts to take out.",
    )
    require(all(isinstance(text, str) for text in value), "Return the texts (strings), not the records they stand in.")
    return list(value)


def as_labels(value: Any) -> list[int]:
    """Return a flat list or tensor of whole numbers as a list. Raises Mistake for anything else."""
    asked = "Return one flat list of whole numbers."
    require(hasattr(value, "__len__") and not isinstance(value, str | dict | set), asked)
    return [int(as_number(label, asked)) for label in value]


def as_tensor(value: Any) -> torch.Tensor:
    """Return a tensor, detached and as floats. Raises Mistake for anything else."""
    require(isinstance(value, torch.Tensor), "Return a torch tensor.")
    return value.detach().float()


def as_numbers(value: Any, count: int, otherwise: str) -> tuple[float, ...]:
    """Return as many numbers as asked for. Raises Mistake with the message `otherwise`."""
    require(hasattr(value, "__len__") and not isinstance(value, str | dict | set) and len(value) == count, otherwise)
    return tuple(as_number(number, otherwise) for number in value)


def as_number(value: Any, otherwise: str) -> float:
    """Return a number, which may come as a tensor of one element. Raises Mistake with the message `otherwise`."""
    require(not isinstance(value, str), otherwise)
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        raise Mistake(otherwise) from None


def as_whole(value: Any, otherwise: str) -> int:
    """Return a whole number, which may come as a tensor of one element. Raises Mistake with the message `otherwise`."""
    number = as_number(value, otherwise)
    require(number == round(number), otherwise)
    return int(number)
