"""What a caller gave, in plain Python: numbers, texts and lists of texts, or a sentence that says what was wrong.

numpy's numbers and 0-dimensional tensors count as numbers, paths as texts; text never counts as a number,
nor a bare string as a list.
"""

import math
import os
import re
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

from utils.errors import DataError, UnsupportedSetting, opened


def whole_number(value: Any, what: str, *, least: int | None = None, most: int | None = None) -> int:
    """Return a whole number within a range, as an int. what: the setting with its rule. Raises UnsupportedSetting."""
    given = _plain(value)
    fits = isinstance(given, Integral) and not isinstance(given, bool)
    if not fits or (least is not None and given < least) or (most is not None and given > most):
        raise UnsupportedSetting(f"{opened(what)}; {_shown(value)} was given.")
    return int(given)


def number(value: Any, what: str, *, least: float = -math.inf, most: float = math.inf, above: bool = False) -> float:
    """Return a finite number within a range; above: `least` itself is out of it. Raises UnsupportedSetting."""
    given = _plain(value)
    fits = isinstance(given, Real) and not isinstance(given, bool) and -math.inf < given < math.inf
    if not fits or not least <= given <= most or (above and given == least):
        raise UnsupportedSetting(f"{opened(what)}; {_shown(value)} was given.")
    return int(given) if isinstance(given, Integral) else float(given)


def text(value: Any, what: str) -> str:
    """Return a text, or a path as text. what: the argument's name. Raises DataError."""
    if not isinstance(value, str | os.PathLike):
        raise DataError(f"{opened(what)} is a text; {_named(value)} was given.")
    return _whole(str(os.fspath(value)), what)


def texts(values: Any, what: str) -> list[str]:
    """Return a list of texts; a bare string is refused, since its letters would count as texts. Raises DataError."""
    found = a_list(values, what)
    wrong = [n for n, value in enumerate(found, 1) if not isinstance(value, str)]
    if wrong:
        raise DataError(f"{opened(what)} are texts; number {wrong[0]} is {_named(found[wrong[0] - 1])}.")
    return [_whole(str(value), f"number {n} of {what}") for n, value in enumerate(found, 1)]


def a_list(values: Any, what: str) -> list[Any]:
    """Return what was given as a list; neither a bare string nor a dictionary is one. Raises DataError."""
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise DataError(f"{opened(what)} are given in a list, [...]; {_named(values)} was given.")
    return list(values)


def _whole(found: str, what: str) -> str:
    """Return a text that can be written as UTF-8: half a character can be neither kept nor given to a model."""
    if not found.isascii():
        half = re.search("[\ud800-\udfff]", found)
        if half:
            raise DataError(
                f"{opened(what)} holds half a character ({half[0]!a}, a lone surrogate) at character "
                f"{half.start() + 1}: write the whole character or delete it."
            )
    return found


def _plain(value: Any) -> Any:
    """Return a number of numpy's or torch's as Python's."""
    single = hasattr(value, "item") and getattr(value, "shape", None) == ()
    return value.item() if single else value


def _named(value: Any) -> str:
    return f"{_shown(value)} ({type(value).__name__})"


def _shown(value: Any) -> str:
    try:
        shown = repr(value)
    except ValueError:  # Python writes no number of so many digits
        return "a number of thousands of digits"
    return shown if len(shown) <= 60 else f"{shown[:60]} ..."
