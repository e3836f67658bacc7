"""Values as a verdict shows them: short, on one line, whatever a learner's code makes."""

import random
import types
from collections.abc import Callable, Mapping, Sequence, Set
from itertools import islice
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd
import torch

LONGEST_TEXT, LONGEST_LIST, MOST_PARTS, MOST_NUMBERS = 70, 160, 6, 12


def shown(value: Any) -> str:
    """Return a value in short: long texts, lists and tensors are cut, and say so."""
    try:
        return _shown(value, depth=0)
    except Exception:  # whatever a learner's own class does when it is printed
        return kind(value)


def kind(value: Any) -> str:
    """Return what a value is, in words: "a list of 3", "a tensor of shape (2, 3)", "a text"."""
    for types_, name in KINDS:
        if isinstance(value, types_):
            return name(value) if callable(name) else name
    return f"an object of the class {type(value).__name__}"


def call(name: str, given: Sequence[Any]) -> str:
    """Return a call as one would write it, its values in short."""
    return f"{name}({', '.join(map(shown, given))})"


def _shape(noun: str) -> Callable[[Any], str]:
    return lambda value: f"{noun} of shape {tuple(value.shape)}" if len(value.shape) else f"{noun} of one number"


def _length(noun: str) -> Callable[[Any], str]:
    return lambda value: f"{noun} of {len(value)}"


KINDS: tuple[tuple[Any, Any], ...] = (
    (type(None), "None"),
    (type(...), "three dots"),
    (bool, "a truth value"),
    (str, "a text"),
    (bytes, "bytes"),
    (torch.Tensor, _shape("a tensor")),
    (np.ndarray, _shape("an array")),
    (np.generic, "a number of numpy"),
    (pd.DataFrame, "a table"),
    (pd.Series, _length("a column")),
    (pd.Index, _length("an index")),
    (int, "a whole number"),
    (complex, "a complex number"),
    (Number, "a number"),
    (list, _length("a list")),
    (tuple, _length("a tuple")),
    (Mapping, _length("a dictionary")),
    (Set, _length("a set")),
    (range, "a range"),
    (torch.Generator | np.random.Generator | random.Random, "a generator of random numbers"),
    (type, "a class"),
    (types.ModuleType, "a module"),
    (types.FunctionType | types.MethodType | types.BuiltinFunctionType, "a function"),
)


def _shown(value: Any, depth: int) -> str:
    if isinstance(value, str):
        return _cut(repr(str(value)), LONGEST_TEXT)
    if isinstance(value, np.generic):
        return _shown(value.item(), depth)
    if isinstance(value, float):
        return f"{value:.1f}" if value.is_integer() and abs(value) < 1e6 else f"{value:.6g}"
    if isinstance(value, torch.Tensor | np.ndarray):
        return _numbers(value)
    if isinstance(value, pd.DataFrame):
        return f"a table with index {shown(list(value.index))}, " + ", ".join(f"{name} {shown(list(value[name]))}" for name in value)
    if isinstance(value, list | tuple | dict | set | frozenset) and depth < 3:
        return _parts(value, depth + 1)
    if isinstance(value, torch.Generator | np.random.Generator | random.Random):
        return "generator"
    if isinstance(value, types.FunctionType | type | types.ModuleType):
        return f"{kind(value)} ({value.__name__})"
    return _cut(" ".join(repr(value).split()), LONGEST_TEXT)


def _numbers(value: torch.Tensor | np.ndarray) -> str:
    if value.size > MOST_NUMBERS if isinstance(value, np.ndarray) else value.numel() > MOST_NUMBERS:
        return kind(value)
    noun = "tensor" if isinstance(value, torch.Tensor) else "array"
    return f"{noun}({_shown(value.tolist(), depth=0)})"


def _parts(value: Any, depth: int) -> str:
    if isinstance(value, dict):
        parts = [f"{_shown(key, depth)}: {_shown(part, depth)}" for key, part in list(value.items())[:MOST_PARTS]]
        left, right = "{", "}"
    else:
        first = list(islice(value, MOST_NUMBERS))
        most = MOST_NUMBERS if all(isinstance(part, Number) for part in first) else MOST_PARTS
        parts = [_shown(part, depth) for part in first[:most]]
        left, right = "[]" if isinstance(value, list) else "()" if isinstance(value, tuple) else "{}"
    while len(parts) > 1 and sum(map(len, parts)) > LONGEST_LIST:
        parts.pop()
    rest = len(value) - len(parts)
    more = [f"... {rest} more"] if rest else []
    comma = "," if isinstance(value, tuple) and len(value) == 1 else ""
    return f"{left}{', '.join([*parts, *more])}{comma}{right}"


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    half = (longest - 5) // 2
    return f"{text[:half]} ... {text[-half:]}"
