"""An exercise as a table: cases, properties and typical mistakes, and the short engine that judges an answer by them."""

import inspect
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from utils.exercises import showing
from utils.exercises.mistakes import Mistake, NotAttempted, require
from utils.exercises.running import GENERATORS, Hung, Printed, Run, copies, is_stub

TOLERANCE = 5e-4
"""How far a number may be off: what three digits behind the point show, of the number itself where that is above 1."""
ODD = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RuntimeError)
"""What comparing raises with a value that no check has foreseen."""


@dataclass(frozen=True)
class Case:
    """What a learner's function is called with, and what is right there.

    why: what is right in kind, said when the answer is wrong here. edge: names a case that is easily
    forgotten. right: the right result, where the exercise's own function does not give it. tolerance:
    how far a number may be off, where it is not the exercise's.
    """

    given: tuple
    why: str = ""
    edge: str = ""
    right: Any = None
    tolerance: float | None = None


@dataclass(frozen=True)
class Wrong:
    """A function with a typical mistake in it, and what to say when its results are the learner's in all cases."""

    function: Callable
    message: str


@dataclass(frozen=True)
class Property:
    """What must hold of every result, `holds(result, case)`, and what to say when it does not.

    message: the sentence, or a function of the same two that makes it.
    """

    holds: Callable[[Any, Case], object]
    message: str | Callable[[Any, Case], str]

    def problem(self, result: Any, case: Case) -> str:
        """Return what to say of a result, "" where the property holds."""
        if self.holds(result, case):
            return ""
        return self.message if isinstance(self.message, str) else self.message(result, case)


@dataclass(frozen=True)
class Outcome:
    """What a learner's function gave in one case: its result, or what broke; problem: what is wrong with it."""

    case: Case
    result: Any = None
    broke: bool = False
    problem: str = ""


def generated(make: Callable[[random.Random], tuple], number: int = 20, *, why: str = "") -> list[Case]:
    """Return cases whose given values are drawn, the same ones each time."""
    return [Case(make(random.Random(seed)), why) for seed in range(number)]


def same(result: Any, right: Any, tolerance: float = TOLERANCE) -> bool:
    """Tell whether a result is the right one, but for rounding: numbers, texts, and tensors and lists of them."""
    if isinstance(right, torch.Tensor):
        right = right.double()
        return result.shape == right.shape and torch.allclose(result.double(), right, rtol=tolerance, atol=tolerance)
    if isinstance(right, tuple | list):
        return len(result) == len(right) and all(same(*pair, tolerance) for pair in zip(result, right, strict=True))
    if isinstance(right, float | np.floating):
        return math.isclose(result, right, rel_tol=tolerance, abs_tol=tolerance)
    return result == right


@dataclass(frozen=True)
class Exercise:
    """All that the check of one exercise knows.

    praise: said of a right answer. call: the function as the exercise writes it, such as "f(x, y)"; "" where a
    value is asked for. right: the right function. mistakes: each said when it explains all results. properties: of
    every result. read: makes a value of what the learner returns that can be compared, or raises Mistake. alike:
    compares a result with the right one. examine: what no table says, such as what several calls have in common; it
    takes the answer (a function as a `Run`) and by name what the notebook hands over, raises Mistake or
    NotAttempted, and returns what else is to be said.
    """

    praise: str
    call: str = ""
    cases: Sequence[Case] = ()
    right: Callable | None = None
    mistakes: Sequence[Wrong] = ()
    properties: Sequence[Property] = ()
    read: Callable[[Any], Any] = lambda value: value
    alike: Callable[[Any, Any, float], bool] = same
    tolerance: float = TOLERANCE
    examine: Callable | None = None

    @property
    def name(self) -> str:
        """What the exercise calls the function; "" where a value is asked for."""
        return self.call.partition("(")[0]

    @property
    def takes(self) -> tuple[str, ...]:
        """The names of the function's arguments."""
        return tuple(part.partition("=")[0].strip() for part in self.call.partition("(")[2].rstrip(")").split(","))

    def keywords(self) -> Mapping[str, inspect.Parameter]:
        """Return what the notebook hands over by name: those without a default must be there."""
        found = inspect.signature(self.examine).parameters if self.examine else {}
        return {name: one for name, one in found.items() if one.kind is one.KEYWORD_ONLY}

    def judge(self, answer: Any, printed: Printed | None = None, /, **given: Any) -> str:
        """Return what else is to be said of a right answer. Raises NotAttempted, or Mistake with what is wrong and why.

        A mistake that explains all results is named; otherwise the first wrong case is told.
        printed: takes what the answer prints.
        """
        if is_stub(answer):
            raise NotAttempted
        if self.call:
            answer = Run(self.name, self.takes, answer, printed or Printed())
            self._judge_cases(answer)
        return str((self.examine(answer, **given) if self.examine else "") or "")

    def _judge_cases(self, run: Run) -> None:
        outcomes: list[Outcome] = []
        for case in self.cases:
            try:
                outcomes.append(self._outcome(run, case))
            except Hung as hung:
                outcomes.append(Outcome(case, broke=True, problem=_told(case, str(hung))))
                break
        problem = next((outcome.problem for outcome in outcomes if outcome.problem), "")
        if problem:
            raise Mistake(self._explained(outcomes) or self._other_again(run, outcomes[0]) or problem)

    def _other_again(self, run: Run, first: Outcome) -> str:
        """Return what to say when the first case, asked again, has another result; "" where it has the same."""
        if not self.right or first.broke or any(isinstance(value, GENERATORS) for value in first.case.given):
            return ""
        try:
            again = self.read(run(*first.case.given))
            if self._alike(again, first.result, first.case) or showing.shown(again) == showing.shown(first.result):
                return ""
            came = showing.shown(again)
        except Hung:
            return ""
        except Mistake as mistake:
            came = str(mistake).rstrip(".?")
        return (
            f"{run.shown(first.case.given)} gave {showing.shown(first.result)}, and later {came}. The same values must give the same result: is something "
            "kept from one call to the next, such as a list as a default value or a name outside of the function, or drawn at random?"
        )

    def _outcome(self, run: Run, case: Case) -> Outcome:
        try:
            returned = run(*case.given)
        except Hung:
            raise
        except Mistake as mistake:
            return Outcome(case, broke=True, problem=_told(case, f"{mistake} {case.why if case.edge else ''}"))
        came = f"{run.shown(case.given)} gave {showing.shown(returned)}."
        try:
            result = self.read(returned)
            problem = next((said for one in self.properties if (said := one.problem(result, case))), "")
            wrong = problem or not self._is_right(result, case)
        except Mistake as mistake:
            return Outcome(case, broke=True, problem=_told(case, f"{came} {mistake} {case.why if case.edge else ''}"))
        except ODD:
            return Outcome(case, broke=True, problem=_told(case, f"{came} That is another kind of value than the exercise asks for."))
        return Outcome(case, result, problem=_told(case, f"{came} {problem or case.why}") if wrong else "")

    def _is_right(self, result: Any, case: Case) -> bool:
        if case.right is None and self.right is None:
            return True
        right = self.right(*copies(case.given)) if self.right and case.right is None else case.right
        return self._alike(result, right, case)

    def _alike(self, result: Any, right: Any, case: Case) -> bool:
        return bool(self.alike(result, right, self.tolerance if case.tolerance is None else case.tolerance))

    def _explained(self, outcomes: Sequence[Outcome]) -> str:
        """Return the sentence of the mistake whose results are the learner's in all cases, "" where there is none."""
        wrong = [outcome for outcome in outcomes if outcome.problem and not outcome.broke and not outcome.case.edge]
        if not wrong:
            return ""
        return next((one.message for one in self.mistakes if all(self._agrees(one, outcome) for outcome in outcomes)), "")

    def _agrees(self, mistake: Wrong, outcome: Outcome) -> bool:
        """Tell whether a mistake explains an outcome; what happens besides where a case is easily forgotten is another matter."""
        case = outcome.case
        if case.edge:
            return True
        try:
            theirs = self.read(mistake.function(*copies(case.given)))
        except Exception:  # the mistake breaks here, as the learner's answer may
            return outcome.broke
        return not outcome.broke and self._alike(outcome.result, theirs, case)


def first_problem(problems: Iterable[tuple[object, str]]) -> None:
    """Raise Mistake with the first message whose condition does not hold."""
    for holds, message in problems:
        require(holds, message)


def _told(case: Case, text: str) -> str:
    return f"Edge case, {case.edge}: {text}".strip() if case.edge else text.strip()
