"""Graded hints to the exercises: the first asks, the last nearly solves.

The hints of a notebook stand in `hints_N.md`, or `hints_NN.md` of a lesson: the exercise's number on a line of its own, then its hints, each begun with "- ".
"""

import re
from functools import cache
from pathlib import Path

from utils.errors import DataError
from utils.exercises.notebooks import notebook_of

FOLDER = Path(__file__).parent


@cache
def load_hints(number: int | str) -> dict[str, tuple[str, ...]]:
    """Return the hints of a lab (1) or lesson ("01") by the exercise, from the first to the last. Raises DataError where there are none."""
    path = FOLDER / f"hints_{number}.md"
    if not path.exists():
        raise DataError(f"There are no hints for {notebook_of(number)}.")
    blocks = re.split(r"^(\d+\.\d+)\n", path.read_text(encoding="utf8"), flags=re.MULTILINE)[1:]
    return {exercise: _hints(text) for exercise, text in zip(blocks[::2], blocks[1::2], strict=True)}


def _hints(text: str) -> tuple[str, ...]:
    return tuple(hint.strip() for hint in re.split(r"^- ", text, flags=re.MULTILINE)[1:])
