"""An exercise as a table: cases, rules and typical mistakes, and the short engine that judges an answer by them."""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from utils.exercises.mistakes import Mistake, NotAttempted, call, require


@dataclass(frozen=True)
class Case:
    """What a learner's function is called with, and what to think of when it is wrong there.

    where: names the case in a sentence, such as "at temperature 2". edge: names a case that is
    easily forgotten; it is judged after the ordinary ones. right: the right result, where the
    exercise's own function does not give it.
    """

    given: tuple
    why: str = ""
    where: str = ""
    edge: str = ""
    right: Any = None


@dataclass(frozen=True)
class Wrong:
    """A function with a typical mistake in it, and what to say when it explains all results."""

    function: Callable
    message: str


@dataclass(frozen=True)
class Rule:
    """What must hold of every result, `holds(result, case)`, and what to say when it does not.

    message: the sentence, or a function of the same two that makes it.
    """

    holds: Callable[[Any, Case], object]
    message: str | Callable[[Any, Case], str]


@dataclass(frozen=True)
class Sign:
    """What gives away the mistake in one wrong result, `shows(result, right, case)`, and what to say of it.

    message: the rest of a sentence that begins with the case, or a function of the same three that makes it.
    """

    shows: Callable[[Any, Any, Case], object]
    message: str | Callable[[Any, Any, Case], str]


def same(result: Any, right: Any) -> bool:
    """Tell whether a result is the right one, but for rounding."""
    if isinstance(right, torch.Tensor):
        return result.shape == right.shape and torch.allclose(result, right, rtol=1e-4, atol=1e-5)
    if isinstance(right, tuple):
        return len(result) == len(right) and all(map(same, result, right))
    return math.isclose(result, right, rel_tol=1e-6) if isinstance(right, float) else result == right


@dataclass(frozen=True)
class Exercise:
    """All that the check of one exercise knows.

    praise: said of a right answer. right: the right function. mistakes: explain all ordinary
    results. signs: explain one. read: makes a value of what the learner returns that can be
    compared, or raises Mistake. alike: compares a result with the right one. examine: what no
    table says, such as what several calls have in common; raises Mistake or NotAttempted.
    """

    praise: str
    cases: Sequence[Case] = ()
    right: Callable | None = None
    mistakes: Sequence[Wrong] = ()
    signs: Sequence[Sign] = ()
    rules: Sequence[Rule] = ()
    read: Callable = lambda value: value
    alike: Callable[[Any, Any], bool] = same
    examine: Callable | None = None

    def judge(self, answer: Any, **given: Any) -> str:
        """Return what else is to be said of a right answer. Raises NotAttempted, or Mistake with what is wrong and why.

        A mistake that explains all results is named; otherwise the first wrong case is. Where
        a case breaks, those before it are judged first.
        """
        self._judge_ordinary(answer, [case for case in self.cases if not case.edge])
        for case in self.cases:
            if case.edge:
                self._judge_edge(answer, case)
        said = self.examine(answer, **given) if self.examine else None
        return str(said or "")

    def _judge_ordinary(self, answer: Callable, cases: list[Case]) -> None:
        results, trouble = [], ""
        for case in cases:
            try:
                results.append((self._result(answer, case), case))
            except (NotAttempted, Mistake) as problem:
                if not results:
                    raise
                trouble = f"{problem if problem.args else 'Your function returns nothing in one case.'} {case.why}"
                break
        wrong = [(result, case) for result, case in results if not self._is_right(result, case)]
        if wrong:
            for mistake in self.mistakes:
                explained = all(self.alike(result, mistake.function(*case.given)) for result, case in results)
                require(not explained, mistake.message)
            result, case = wrong[0]
            sign = self._sign(result, case)
            raise Mistake(_capital(f"{case.where} {sign}".strip()) if sign else f"{_not_right(case.where)} {case.why}")
        require(not trouble, trouble.strip())

    def _judge_edge(self, answer: Callable, case: Case) -> None:
        try:
            result = self._result(answer, case)
        except (NotAttempted, Mistake) as problem:
            what = problem if problem.args else "Your function returns nothing."
            raise Mistake(f"Edge case, {case.edge}: {what} {case.why}") from None
        if not self._is_right(result, case):
            sign = self._sign(result, case)
            raise Mistake(f"Edge case, {case.edge}: {case.why} {_capital(sign)}".strip())

    def _result(self, answer: Callable, case: Case) -> Any:
        result = self.read(call_with_copies(answer, *case.given))
        for rule in self.rules:
            if not rule.holds(result, case):
                raise Mistake(rule.message if isinstance(rule.message, str) else rule.message(result, case))
        return result

    def _right(self, case: Case) -> Any:
        return self.right(*case.given) if self.right and case.right is None else case.right

    def _is_right(self, result: Any, case: Case) -> bool:
        right = self._right(case)
        return right is None or self.alike(result, right)

    def _sign(self, result: Any, case: Case) -> str:
        seen = (result, self._right(case), case)
        found = next((sign.message for sign in self.signs if sign.shows(*seen)), "")
        return found if isinstance(found, str) else found(*seen)


def call_with_copies(answer: Callable, *given: Any) -> Any:
    """Call a learner's function with copies and insist that they stay as they were."""
    mine = copy.deepcopy(given)
    result = call(answer, *mine)
    one_tensor = sum(isinstance(value, torch.Tensor) for value in given) == 1
    changed = "the tensor that it was given. Make a new one." if one_tensor else "what it was given. Make a new list, dictionary or tensor."
    require(all(map(same, mine, given)), f"Your function changes {changed}")
    return result


def _not_right(where: str) -> str:
    return f"Not right {where}." if where else "One case is not right."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
