"""Compare a learner's function with the right one, case by case, and name the mistake that explains its results."""

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from utils.exercises.checks import Mistake, NotAttempted, call, require

Case = tuple[tuple, str]
"""What a learner's function is called with, and what to think of when it is wrong there."""
Diagnosis = tuple[Callable, str]
"""A function with a typical mistake in it, and what to say of the mistake."""


def compare(
    answer: Callable, right: Callable, cases: Sequence[Case], mistakes: Sequence[Diagnosis], *, read: Callable
) -> None:
    """Insist on the right result in every case.

    A mistake that explains all results is named; otherwise the first wrong case is. Where
    a case breaks, those before it are judged first. read: makes a value of what the learner
    returns that can be compared, or raises Mistake.
    """
    results, trouble = [], ""
    for given, why in cases:
        try:
            results.append(read(call_with_copies(answer, *given)))
        except (NotAttempted, Mistake) as problem:
            if not results:
                raise
            trouble = f"{problem if problem.args else 'Your function returns nothing in one case.'} {why}"
            break

    def explained_by(function: Callable) -> bool:
        return all(_same(result, function(*given)) for result, (given, _) in zip(results, cases, strict=False))

    if not explained_by(right):
        for mistaken, message in mistakes:
            require(not explained_by(mistaken), message)
        wrong = (why for result, (given, why) in zip(results, cases, strict=False) if not _same(result, right(*given)))
        raise Mistake(f"One case is not right. {next(wrong)}")
    require(not trouble, trouble)


def call_with_copies(answer: Callable, *given: Any) -> Any:
    """Call a learner's function with copies and insist that they stay as they were."""
    mine = copy.deepcopy(given)
    result = call(answer, *mine)
    unchanged = all(map(_same, mine, given))
    require(unchanged, "Your function changes what it was given. Make a new list, dictionary or tensor.")
    return result


def _same(got: Any, right: Any) -> bool:
    if isinstance(right, torch.Tensor):
        return got.shape == right.shape and torch.allclose(got, right, rtol=1e-4, atol=1e-5)
    return math.isclose(got, right, rel_tol=1e-5) if isinstance(right, float) else got == right


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
