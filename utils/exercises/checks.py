"""Check a learner's answer and say what is wrong with it and why, never what the answer is; give hints."""

import os
import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from utils.errors import DataError
from utils.exercises import attempts, showing
from utils.exercises.exercise import ODD, Exercise
from utils.exercises.hints import load_hints
from utils.exercises.mistakes import Mistake, NotAttempted
from utils.exercises.notebooks import module_of, notebook_of
from utils.exercises.running import Printed, functions_used, is_stub

NOT_ATTEMPTED = "not attempted yet. Write your answer in the exercise's cell (a function ends with return), run that cell, then run this one again."


def check(exercise: str, answer: Any, **given: Any) -> None:
    """Print what is right or wrong with the answer to an exercise such as "1.3", or "01.3" of a lesson; keep what was tried.

    given: results of the notebook that the check needs. Under nbgrader's autograder an
    answer that is not right raises AssertionError, so that it costs its points. Raises
    DataError for an exercise that does not exist, or for other values than it needs.
    """
    exercise, _ = _find(exercise)
    verdict, right = assess(exercise, answer, **given)
    print(f"Exercise {exercise}: {verdict}")
    if verdict != NOT_ATTEMPTED:
        attempts.keep(exercise, right=right, said=verdict, answer=attempts.source_of(answer))
    if os.environ.get("NBGRADER_EXECUTION") and not right:
        raise AssertionError(verdict)


def hint(exercise: str) -> None:
    """Print the next hint to an exercise such as "1.3"; after the last one they begin again. Raises DataError."""
    exercise, _ = _find(exercise)
    hints = load_hints(exercise.split(".")[0])[exercise]
    seen = [line["hint"] for line in attempts.load_attempts() if line["exercise"] == exercise and "hint" in line]
    number = (seen[-1] if seen else 0) % len(hints) + 1
    print(f"Exercise {exercise}, hint {number} of {len(hints)}: {hints[number - 1]}")
    attempts.keep(exercise, hint=number)


def assess(exercise: str, answer: Any, **given: Any) -> tuple[str, bool]:
    """Return what `check` prints and whether the answer is right. Raises DataError as `check` does."""
    exercise, checks = _find(exercise)
    found, printed = checks[exercise], Printed()
    _require_keywords(exercise, found, given)
    try:
        note = found.judge(answer, printed, **given)
    except NotAttempted:
        return NOT_ATTEMPTED, False
    except Mistake as mistake:
        return f"not yet. {_rests_on(answer, checks) or mistake}{printed}", False
    except ODD:
        return f"not yet. Your answer is another kind of value than the exercise asks for. Read its text again.{printed}", False
    return f"{' '.join(filter(None, ('correct.', found.praise, note)))}{printed}".replace(" \n", "\n"), True


def _rests_on(answer: Any, checks: Mapping[str, Exercise]) -> str:
    """Return what to say of an earlier function that an answer calls and that is empty, or not right itself."""
    exercises = {found.name: (number, found) for number, found in checks.items() if found.call}
    for name, function in functions_used(answer):
        number, found = exercises.get(name, ("", None))
        where = f" of Exercise {number}" if number else ""
        if is_stub(function):
            return f"Your function calls `{name}`{where}, which is still empty. Write that one first."
        if found and not found.examine and not _is_right(found, function):
            return f"Your function calls `{name}`{where}, and that one is not right yet: check({number!r}, {name}) says why."
    return ""


def _is_right(found: Exercise, answer: Any) -> bool:
    try:
        found.judge(answer)
    except (Mistake, NotAttempted):
        return False
    return True


def _require_keywords(exercise: str, found: Exercise, given: Mapping[str, Any]) -> None:
    known = found.keywords()
    missing = [name for name, one in known.items() if one.default is one.empty and name not in given]
    extra = [name for name in given if name not in known]
    call = f"check({exercise!r}, ...)"
    if missing:
        raise DataError(f"{call} also needs {' and '.join(f'{name}=...' for name in missing)}: write it as it stands in the notebook.")
    if extra:
        raise DataError(f"{call} does not take {' or '.join(extra)}: leave it out, as in the notebook.")


def _place(number: str) -> int:
    return int(number.partition(".")[2])


def _find(exercise: Any) -> tuple[str, Mapping[str, Exercise]]:
    """Return the number of an exercise and all checks of its notebook. Raises DataError."""
    if not isinstance(exercise, str):
        raise DataError(f'The number of an exercise is a text, in quotation marks, as in check("1.3", ...); this is {showing.kind(exercise)}.')
    number = exercise.strip()
    notebook, _, _ = number.partition(".")
    module = f"utils.exercises.{module_of(notebook)}"
    try:
        checks = import_module(module).CHECKS if re.fullmatch(r"\d\d?\.\d+", number) else {}
    except ModuleNotFoundError as error:
        if error.name != module:
            raise DataError(f"The checks of {notebook_of(notebook)} need the package {error.name}, which is not installed.") from None
        checks = {}
    if not checks:
        raise DataError(f'There is no exercise {exercise!r}: use the number in the exercise\'s title, such as "1.3".')
    if number not in checks:
        raise DataError(f"There is no exercise {exercise!r}: {notebook_of(notebook)} has {min(checks, key=_place)} to {max(checks, key=_place)}.")
    return number, checks
