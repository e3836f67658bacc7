"""Read what a learner's function returns as a value that can be compared, whatever kind of number or list it is.

Each function takes what was expected, in words, and raises Mistake with it and with what came instead.
"""

import math
from collections.abc import Collection, Mapping, Set
from numbers import Number
from typing import Any

import numpy as np
import torch

from utils.errors import opened
from utils.exercises import showing
from utils.exercises.mistakes import Mistake, require


def expected(asked: str, value: Any) -> str:
    """Return the sentence that says what was expected, and what came instead."""
    return f"{opened(asked)} was expected here, and this is {showing.kind(value)}."


def as_text(value: Any, asked: str = "a text") -> str:
    """Return a text as it is."""
    require(isinstance(value, str), expected(asked, value))
    return str(value)


def as_list(value: Any, asked: str = "a list") -> list:
    """Return what stands one behind the other, in a list, a tuple, an array, a tensor or a column, as a list."""
    in_order = isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping | Set)
    in_order = len(value.shape) > 0 if isinstance(value, torch.Tensor | np.ndarray) else in_order
    require(in_order, expected(asked, value))
    return list(value)


def as_texts(value: Any, asked: str = "a list of texts") -> list[str]:
    """Return texts as a list."""
    texts = as_list(value, asked)
    other = next((text for text in texts if not isinstance(text, str)), "")
    require(isinstance(other, str), f"{expected(asked, value)} It holds {showing.shown(other)}, {showing.kind(other)}.")
    return [str(text) for text in texts]


def as_number(value: Any, asked: str = "one number") -> float:
    """Return a number of Python, numpy or torch; one that stands alone in a tensor or an array counts, too."""
    if isinstance(value, torch.Tensor | np.ndarray | np.generic):
        one = value.numel() if isinstance(value, torch.Tensor) else value.size
        require(one == 1, expected(asked, value))
        value = value.item()
    require(isinstance(value, Number) and not isinstance(value, complex), expected(asked, value))
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def as_whole(value: Any, asked: str = "a whole number") -> int:
    """Return a whole number; 3.0 counts as 3."""
    number = as_number(value, asked)
    if not math.isfinite(number) or number != round(number):
        raise Mistake(f"{opened(asked)} was expected here, and this is {showing.shown(number)}.")
    return int(number)


def as_numbers(value: Any, count: int | None = None, asked: str = "a list of numbers") -> tuple[float, ...]:
    """Return numbers as a tuple; count: how many they must be."""
    numbers = as_list(value, asked)
    require(count in (None, len(numbers)), expected(asked, value))
    read = []
    for number in numbers:
        try:
            read.append(as_number(number))
        except Mistake:
            raise Mistake(f"{expected(f'{asked}, each a number,', value)} It holds {showing.kind(number)}.") from None
    return tuple(read)


def as_labels(value: Any, asked: str = "one flat list of whole numbers") -> list[int]:
    """Return whole numbers that stand one behind the other as a list."""
    labels = []
    for label in as_list(value, asked):
        try:
            labels.append(as_whole(label))
        except Mistake:
            raise Mistake(f"{expected(asked, value)} It holds {showing.shown(label)}, {showing.kind(label)}.") from None
    return labels


def as_tensor(value: Any, asked: str = "a tensor of numbers") -> torch.Tensor:
    """Return a tensor, an array or (nested) lists of numbers as a tensor of doubles, detached."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().double()
    if isinstance(value, list | tuple):
        value = [part.tolist() if isinstance(part, torch.Tensor | np.ndarray) else part for part in value]
    try:
        numbers = np.asarray(value)
    except (TypeError, ValueError):
        raise Mistake(expected(asked, value)) from None
    require(numbers.dtype.kind in "biuf", expected(asked, value))
    return torch.as_tensor(numbers.astype(float))
