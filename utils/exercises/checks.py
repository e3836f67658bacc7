"""Check a learner's answer and say what is wrong with it and why, never what the answer is."""

import os
from collections.abc import Callable
from importlib import import_module
from typing import Any

from utils.errors import DataError

NOT_ATTEMPTED = (
    "not attempted yet. Write your answer in the exercise's cell (a function ends with return), "
    "run that cell, then run this one again."
)


class NotAttempted(Exception):
    """The answer is still the placeholder."""


class Mistake(Exception):
    """What is wrong with an answer, and why, in words for the learner."""


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
        found.judge(answer, **given)
    except NotAttempted:
        return NOT_ATTEMPTED, False
    except Mistake as mistake:
        return f"not yet. {mistake}", False
    except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RuntimeError):
        return "not yet. Your answer is another kind of value than the exercise asks for. Read its text again.", False
    return f"correct. {found.praise}", True


def call(function: Callable, *arguments: Any, **named: Any) -> Any:
    """Call a learner's function. Raises NotAttempted if it returns nothing, Mistake if it breaks."""
    if not callable(function):
        raise Mistake("Hand over the function itself, without brackets behind its name.")
    try:
        result = function(*arguments, **named)
    except Exception as error:  # whatever a learner's code raises is told, not thrown
        raise Mistake(f"Your function stopped with {type(error).__name__}: {error}.") from None
    if result is None or result is ...:
        raise NotAttempted
    return result


def require(condition: object, message: str) -> None:
    """Raise Mistake with a message unless the condition holds."""
    if not condition:
        raise Mistake(message)


def _find(exercise: str) -> Any:
    """Return the record (`utils.exercises.exercise.Exercise`) of an exercise."""
    lab = exercise.split(".")[0]
    try:
        return import_module(f"utils.exercises.lab_{lab}").CHECKS[exercise]
    except (ModuleNotFoundError, KeyError):
        raise DataError(f"There is no exercise {exercise!r}: use the number in the exercise's title.") from None
