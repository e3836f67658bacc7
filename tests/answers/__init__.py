"""Answers that learners write to the exercises, right ones and wrong ones, a file for each lab and lesson.

RIGHT: for each exercise, answers in different styles. WRONG: plausible wrong ones, each with a pattern of the
sentence that it must get. GIVEN: what a check needs besides. MASTER: the names of the notebook's own solutions,
`masters.names("01")`. PATCHES: stand-ins for what takes long. EXPLAINED: changed solutions that a check lets through.
"""

from copy import deepcopy
from types import FunctionType
from typing import Any


def anew(answer: Any) -> Any:
    """Return an answer that remembers nothing of earlier checks in the values that its arguments have by default."""
    if not isinstance(answer, FunctionType) or not answer.__defaults__:
        return answer
    defaults = deepcopy(answer.__defaults__)
    made = FunctionType(answer.__code__, answer.__globals__, answer.__name__, defaults, answer.__closure__)
    made.__kwdefaults__ = answer.__kwdefaults__
    return made
