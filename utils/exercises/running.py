"""Run a learner's answer: whatever it does ends in a result or in a sentence."""

import copy
import dis
import functools
import inspect
import io
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from itertools import islice
from types import CodeType
from typing import Any

import numpy as np
import pandas as pd
import torch

from utils.exercises import showing
from utils.exercises.explaining import explained
from utils.exercises.limits import TimeIsUp, time_limit
from utils.exercises.mistakes import Mistake, require

SECONDS, ALL_SECONDS = 10.0, 60.0
"""How long one call may take, and all calls of one check together."""
LONGEST_PRINT, MOST_LINES, MOST_ITEMS = 400, 5, 100_000
STEPS_OF_A_STUB = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE"}
GENERATORS = (torch.Generator, np.random.Generator, random.Random)


class Printed(io.TextIOBase):
    """Keeps the beginning of what is printed, however much that is."""

    def __init__(self) -> None:
        self.kept, self.length = "", 0

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Keep what still fits."""
        self.kept += text[: max(0, LONGEST_PRINT - len(self.kept))]
        self.length += len(text)
        return len(text)

    def __str__(self) -> str:
        """Return what stands behind a verdict: nothing, or a line of its own and what was printed."""
        lines = self.kept.rstrip().splitlines()
        cut = "\n..." if self.length > LONGEST_PRINT or len(lines) > MOST_LINES else ""
        return "\n".join(["\nYour code printed:", *lines[:MOST_LINES]]) + cut if lines else ""


@dataclass
class Run:
    """A learner's function, called for a check: `run(*given)` returns its result.

    name: what the exercise calls it. takes: the names of its arguments. Each call gets copies and
    must not change them, has a limit of time, and what it prints is kept. Raises Mistake.
    """

    name: str
    takes: tuple[str, ...]
    answer: Any
    printed: Printed = field(default_factory=Printed)
    spent: float = 0.0

    def __post_init__(self) -> None:
        self.answer = as_function(self.name, self.answer)

    def __call__(self, *given: Any) -> Any:
        """Return what the answer makes of copies of the given values; a generator's values as a list."""
        mine, begun = copies(given), time.monotonic()
        try:
            with redirect_stdout(self.printed), time_limit(min(SECONDS, ALL_SECONDS - self.spent)):
                result = _listed(self.answer(*mine))
        except TimeIsUp:
            raise Hung(self._too_long(given)) from None
        except BaseException as error:  # whatever a learner's code raises is told, not thrown
            kind = Hung if isinstance(error, KeyboardInterrupt) else Mistake
            raise kind(f"{self.shown(given)} stopped with {explained(error, file_of(self.answer))}") from None
        self.spent = min(self.spent + time.monotonic() - begun, ALL_SECONDS - 0.1)
        self._require_unchanged(given, mine)
        require(result is not None, f"{self.shown(given)} gave None: in this case the function ends without `return`.")
        return result

    def shown(self, given: tuple) -> str:
        """Return a call as a learner would write it, its values in short."""
        return showing.call(self.name, given)

    def _too_long(self, given: tuple) -> str:
        limit = f"{SECONDS:g} seconds"
        if self.spent > ALL_SECONDS - SECONDS:
            limit = f"its part of the {ALL_SECONDS:g} seconds that all calls of this check have together"
        return f"{self.shown(given)} was stopped: it did not end within {limit}. Is there a loop whose condition never changes for these values?"

    def _require_unchanged(self, given: tuple, mine: tuple) -> None:
        changed = [number for number, pair in enumerate(zip(given, mine, strict=True)) if not equal(*pair)]
        if changed:
            what = self.takes[changed[0]] if changed[0] < len(self.takes) else "what it was given"
            raise Mistake(
                f"{self.shown(given)} changed `{what}`, which belongs to the caller: "
                f"afterwards it was {showing.shown(mine[changed[0]])}. Work on a copy, or make a new one."
            )


class Hung(Mistake):
    """A call did not end by itself: no other is tried."""


def as_function(name: str, answer: Any) -> Callable:
    """Return what a learner handed over as something to call. Raises Mistake for what is no function."""
    if inspect.isclass(answer) and "__call__" in vars(answer):
        answer = answer()
    require(
        callable(answer),
        f"The function {name} itself is asked for, without brackets behind its name; you handed over "
        f"{showing.shown(answer)}{'' if answer is None else f' ({showing.kind(answer)})'}.",
    )
    return answer


def is_stub(answer: Any) -> bool:
    """Whether an answer is the stub that a lab comes with: three dots, or a function of which only the head is there."""
    if answer is ...:
        return True
    code = getattr(answer, "__code__", None)
    if not isinstance(code, CodeType) or code.co_name == "<lambda>":
        return False
    steps = [step for step in dis.get_instructions(code) if step.opname != "RESUME"]
    return all(step.opname in STEPS_OF_A_STUB and step.argval is None for step in steps)


def file_of(answer: Any) -> str:
    """Return the file that a function stands in, as Python knows it."""
    return getattr(getattr(_function(answer), "__code__", None), "co_filename", "")


def functions_used(answer: Any) -> Iterator[tuple[str, Any]]:
    """Yield the functions of the notebook that an answer names, with their names."""
    function = _function(answer)
    known = getattr(function, "__globals__", {})
    for name in sorted(_names(function.__code__)) if known else ():
        if inspect.isfunction(known.get(name)) and known[name] is not function:
            yield name, known[name]


def _function(answer: Any) -> Any:
    """Return the function inside a partial, a method or an object that can be called."""
    while isinstance(answer, functools.partial):
        answer = answer.func
    answer = getattr(answer, "__func__", answer)
    return answer if hasattr(answer, "__code__") else vars(type(answer)).get("__call__")


def _names(code: CodeType) -> set[str]:
    inner = [const for const in code.co_consts if isinstance(const, CodeType)]
    return set(code.co_names).union(*map(_names, inner))


def _listed(result: Any) -> Any:
    if inspect.iscoroutine(result):
        result.close()
        raise TypeError("an `async` function gives no result when it is called: leave out the word async")
    return list(islice(result, MOST_ITEMS)) if isinstance(result, Iterator) else result


def copies(given: tuple) -> tuple:
    """Return copies of values; generators of random numbers stay what they are, so that they move on."""
    return copy.deepcopy(given, {id(value): value for value in given if isinstance(value, GENERATORS)})


def random_states() -> tuple:
    """Return the global random states of Python, numpy and torch, which an answer may have to leave alone."""
    name, keys, *rest = np.random.get_state()
    return random.getstate(), (name, *np.asarray(keys).tolist(), *rest), torch.get_rng_state().tolist()


def equal(one: Any, other: Any) -> bool:
    """Whether two values are the same through and through; a generator of random numbers may have moved on."""
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        return one.shape == other.shape and one.dtype == other.dtype and torch.equal(one.nan_to_num(), other.nan_to_num())
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, pd.DataFrame | pd.Series):
        return one.equals(other)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    return isinstance(one, GENERATORS) or one == other
