"""Check a learner's answer and say what is wrong with it and why, never what the answer is."""

import os
from importlib import import_module
from typing import Any

from utils.errors import DataError
from utils.exercises.exercise import Exercise
from utils.exercises.mistakes import Mistake, NotAttempted

NOT_ATTEMPTED = "not attempted yet. Write your answer in the exercise's cell (a function ends with return), run that cell, then run this one again."


def check(exercise: str, answer: Any, **given: Any) -> None:
    """Print what is right or wrong with the answer to an exercise such as "1.3".

    given: results of the notebook that the check needs. Under nbgrader's autograder an
    answer that is not right raises AssertionError, so that it costs its points. Raises
    DataError for an exercise that does not exist.
    """
    verdict, right = assess(exercise, answer, **given)
    print(f"Exercise {exercise}: {verdict}")
    if os.environ.get("NBGRADER_EXECUTION") and not right:
        raise AssertionError(verdict)


def assess(exercise: str, answer: Any, **given: Any) -> tuple[str, bool]:
    """Return the sentence that `check` prints and whether the answer is right."""
    found = _find(exercise)
    try:
        if answer is ... or answer is None:
            raise NotAttempted
        note = found.judge(answer, **given)
    except NotAttempted:
        return NOT_ATTEMPTED, False
    except Mistake as mistake:
        return f"not yet. {mistake}", False
    except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RuntimeError):
        return "not yet. Your answer is another kind of value than the exercise asks for. Read its text again.", False
    return f"correct. {found.praise} {note}".strip(), True


def _find(exercise: str) -> Exercise:
    lab = exercise.split(".")[0]
    try:
        return import_module(f"utils.exercises.lab_{lab}").CHECKS[exercise]
    except (ModuleNotFoundError, KeyError):
        raise DataError(f"There is no exercise {exercise!r}: use the number in the exercise's title.") from None
