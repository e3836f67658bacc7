"""What a check raises, and how it calls a learner's function."""

from collections.abc import Callable
from typing import Any


class NotAttempted(Exception):
    """The answer is still the placeholder."""


class Mistake(Exception):
    """What is wrong with an answer, and why, in words for the learner."""


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
