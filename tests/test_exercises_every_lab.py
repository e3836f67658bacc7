"""What holds of the exercises of every lab: their numbers, importance and worked calls, and the engine itself."""

import re
import sys
from importlib import import_module
from types import ModuleType

import pytest
import torch

from tests import masters
from tests import test_exercises as lab_1
from tests import test_exercises_lab_2 as lab_2
from tests import test_exercises_lab_3 as lab_3
from utils.authoring import LABS, MASTERS
from utils.datasets.records import TextToText
from utils.datasets.reviews import Review
from utils.errors import DataError
from utils.exercises import load_quiz
from utils.exercises.checks import NOT_ATTEMPTED, assess
from utils.exercises.exercise import Case, Exercise, Rule, Sign, Wrong

LABS_WITH_MASTERS = sorted(int(re.search(r"lab_(\d+)_", path.name)[1]) for path in MASTERS.glob("lab_*.ipynb"))
EXERCISES = [(lab, exercise) for lab in LABS_WITH_MASTERS for exercise in masters.stubs(masters.master(lab))]
EXAMPLE = re.compile(r"# Example: (.+) -> (.+)(?:\n *# with (.+))?")
"""A worked call, its result (rounded, where it is a number), and what its names stand for."""
FORM = re.compile(r"# A wrong answer in the right form:((?:\n# .+)+)")
"""For an answer that is no function: code that gives one which is not right."""


GIVEN = {"1.5": {"table": lab_1.TABLE}, "2.8": {"scored": [], "model": None, "story": ""}}
SOLUTIONS = lab_1.SOLUTIONS | lab_2.SOLUTIONS | lab_3.SOLUTIONS
FUNCTIONS = [exercise for exercise, answer in SOLUTIONS.items() if callable(answer)]


@pytest.mark.parametrize("lab", LABS_WITH_MASTERS)
def test_every_exercise_of_a_lab_has_its_record_and_is_checked(lab):
    checks = import_module(f"utils.exercises.lab_{lab}").CHECKS
    assert list(checks) == [f"{lab}.{n}" for n in range(1, len(checks) + 1)]
    assert list(checks) == list(masters.stubs(masters.master(lab)))


@pytest.mark.parametrize("exercise", [exercise for exercise in SOLUTIONS if exercise not in ("2.1", "2.8")])
def test_the_master_s_answer_is_right(exercise):
    """The forecasts are committed in a test of their own; the settings pass on the course's model."""
    verdict, right = assess(exercise, SOLUTIONS[exercise], **GIVEN.get(exercise, {}))
    assert right and verdict.startswith("correct. ")


@pytest.mark.parametrize("folder", [MASTERS, LABS])
@pytest.mark.parametrize("lab", LABS_WITH_MASTERS)
def test_the_committed_verdicts_are_those_that_the_checks_give(lab, folder):
    """Of right answers in the master, of blank ones in the learners' lab."""
    checks = import_module(f"utils.exercises.lab_{lab}").CHECKS
    for cell in masters.code_cells(folder / masters.master(lab).name):
        if checked := masters.CHECK.fullmatch(cell.source):
            verdict = f"correct. {checks[checked[1]].praise}" if folder == MASTERS else NOT_ATTEMPTED
            assert cell.outputs[0].text == f"Exercise {checked[1]}: {verdict}\n"


@pytest.mark.parametrize("exercise", SOLUTIONS)
@pytest.mark.parametrize("blank", [..., None, lambda *_, **__: None, lambda *_, **__: ...])
def test_an_unanswered_exercise_is_not_attempted_yet(exercise, blank):
    if exercise in FUNCTIONS or not callable(blank):
        assert assess(exercise, blank, **GIVEN.get(exercise, {})) == (NOT_ATTEMPTED, False)


@pytest.mark.parametrize("exercise", FUNCTIONS)
def test_a_function_that_breaks_or_a_call_instead_of_a_function_is_told(exercise):
    assert "stopped with ZeroDivisionError" in assess(exercise, lambda *_, **__: 1 / 0)[0]
    for result in (3, torch.ones(3)):
        assert "the function itself" in assess(exercise, result)[0]


@pytest.mark.parametrize(("lab", "number"), [(1, 5), (2, 6), (3, 6)])
def test_a_quiz_explains_every_choice(lab, number):
    quiz = load_quiz(lab)
    assert len(quiz.questions) == number
    for question in quiz.questions:
        assert len(set(question.choices)) == len(question.choices) == len(set(question.why)) == 3
        for choice in range(3):
            assert question.answer(choice).startswith("Correct. " if choice == question.right else "Not quite. ")
    right = [question.right for question in quiz.questions]
    assert quiz.score(dict(enumerate(right))) == number and quiz.score({0: (right[0] + 1) % 3}) == 0
    assert max(right.count(choice) for choice in range(3)) <= 3, "a place must not give the answer away"


@pytest.fixture(scope="module")
def known() -> dict[int, dict]:
    """The names of each master: its own answers, and what a worked call may use of other cells."""
    train = [TextToText(f"#Person1#: {n}?", f"Number {n}.") for n in range(3)]
    reviews = [Review(f"text {n}", ("negative", "positive")[n % 2], 2.0) for n in range(8)]
    return {
        1: lab_1.MASTER | {"train": train, "review_train": reviews},
        2: lab_2.MASTER,
        3: lab_3.MASTER,
    }


def test_the_exercises_of_every_lab_are_numbered_in_the_order_in_which_they_come():
    for folder in (MASTERS, LABS):
        for path in folder.glob("lab_*.ipynb"):
            lab = re.search(r"lab_(\d+)_", path.name)[1]
            cells = masters.nbformat.read(path, as_version=4).cells
            headed = re.findall(r"^### Exercise ([\d.]+):", "\n".join(cell.source for cell in cells), re.MULTILINE)
            assert headed == [f"{lab}.{n}" for n in range(1, len(headed) + 1)] and len(headed) >= 8
            ids = [f"{kind}-{exercise.replace('.', '-')}" for exercise in headed for kind in ("exercise", "check")]
            graded = [cell for cell in cells if "nbgrader" in cell.metadata]
            assert [cell.id for cell in graded] == [cell.metadata.nbgrader.grade_id for cell in graded] == ids
            checked = [masters.CHECK.fullmatch(cell.source)[1] for cell in graded if cell.id.startswith("check")]
            assert checked == headed


@pytest.mark.parametrize(("lab", "exercise"), EXERCISES)
def test_a_stub_shows_a_worked_call_that_is_true(lab, exercise, known, monkeypatch):
    stub, checked = masters.stubs(masters.master(lab))[exercise]
    names, examples, forms = dict(known[lab]), EXAMPLE.findall(stub), FORM.findall(stub)
    assert len(examples) + len(forms) == 1
    for called, result, values in examples:
        exec(values, names)
        assert checked in called and close(eval(called, names), eval(result, names | {"tensor": torch.tensor}))
    for form in forms:
        names["forecasts"] = lab_2.forecasts_committed()
        exec(form.replace("\n# ", "\n"), names)
        answer = eval(checked, names)
        verdict, right = (
            lab_2.quick_2_8(monkeypatch, answer)
            if exercise == "2.8"
            else assess(exercise, answer, **GIVEN.get(exercise, {}))
        )
        assert not right and verdict != NOT_ATTEMPTED and "another kind of value" not in verdict


def close(result, shown) -> bool:
    """Whether a result is what the worked call shows, to the third digit."""
    if isinstance(shown, torch.Tensor):
        return result.shape == shown.shape and torch.allclose(result, shown.float(), atol=0.0006)
    return result == (pytest.approx(shown, abs=0.0006) if isinstance(shown, float) else shown)


def test_a_learner_finds_the_worked_call_in_the_lab():
    for lab in LABS_WITH_MASTERS:
        text = (LABS / masters.master(lab).name).read_text(encoding="utf8")
        shown = len(re.findall(r"# Example: |# A wrong answer in the right form:", text))
        assert shown == sum(number == lab for number, _ in EXERCISES), "in each stub once, and not among the solutions"


# The engine


DOUBLE = Exercise(
    "Twice as much.",
    cases=[
        Case((2,), "Two and two are more.", where="for 2"),
        Case((3,), "Add the number to itself.", where="for 3"),
        Case((0,), "Nothing stays nothing.", edge="0"),
    ],
    right=lambda n: 2 * n,
    mistakes=[Wrong(lambda n: n * n, "You take the square.")],
    signs=[Sign(lambda got, right, case: got == -right, "the sign is wrong.")],
    rules=[Rule(lambda got, case: got < 100, lambda got, case: f"{got} is too much for {case.given[0]}.")],
)


@pytest.fixture
def lab_10(monkeypatch):
    module = ModuleType("utils.exercises.lab_10")
    module.CHECKS = {"10.1": DOUBLE, "10.12": DOUBLE}
    monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (lambda n: n + n, "correct. Twice as much."),
        (..., NOT_ATTEMPTED),
        (lambda n: None, NOT_ATTEMPTED),
        (lambda n: n * n, "not yet. You take the square."),
        (lambda n: -2 * n, "not yet. For 2 the sign is wrong."),
        (lambda n: n + 2, "not yet. Not right for 3. Add the number to itself."),
        (lambda n: 2 * n or 1, "not yet. Edge case, 0: Nothing stays nothing."),
        (lambda n: 2 * n or None, "not yet. Edge case, 0: Your function returns nothing. Nothing stays nothing."),
        (lambda n: 2 * n if n < 3 else None, "not yet. Your function returns nothing in one case. Add the number"),
        (lambda n: 500, "not yet. 500 is too much for 2."),
        (lambda n: 2 * n if n else 500, "not yet. Edge case, 0: 500 is too much for 0. Nothing stays nothing."),
        (lambda n: str(n), "not yet. Your answer is another kind of value"),
    ],
)
def test_an_exercise_of_a_lab_with_two_digits_is_judged_by_its_table(lab_10, answer, verdict):
    for exercise in ("10.1", "10.12"):
        assert assess(exercise, answer)[0].startswith(verdict)


def test_numbers_of_two_digits_are_told_apart(lab_10):
    for exercise in ("10.2", "10.120", "1.12", "100.1"):
        with pytest.raises(DataError, match=f"no exercise '{exercise}'"):
            assess(exercise, 1)


def test_a_quiz_of_a_lab_with_two_digits(tmp_path, monkeypatch):
    (tmp_path / "quiz_10.md").write_text(
        "One?\n- [ ] no | Not it.\n- [x] yes | It is.\n\nTwo?\n- [x] a | A.\n- [ ] b | B.\n"
    )
    monkeypatch.setattr("utils.exercises.quiz.FOLDER", tmp_path)
    questions = load_quiz(10).questions
    assert [question.right for question in questions] == [1, 0] and questions[0].answer(1) == "Correct. It is."
    (tmp_path / "quiz_10.md").write_text("One?\n- yes | It is.\n")
    with pytest.raises(ValueError, match="a choice is written"):
        load_quiz(10)
    with pytest.raises(DataError, match="no quiz for lab 11"):
        load_quiz(11)
