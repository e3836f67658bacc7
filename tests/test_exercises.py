"""Checks of every lab: right answers pass in every style, wrong ones are told why, nothing gives the answer away."""

import ast
import importlib
import re
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch

from tests import masters
from tests.answers import anew
from tests.exercise_mutants import MISTAKE, MOST_LET_THROUGH, let_through, write_table
from utils.authoring import BEGIN, LABS, MASTERS
from utils.datasets.records import TextToText
from utils.datasets.reviews import Review
from utils.errors import DataError
from utils.exercises import Question, check, claim, load_quiz, running
from utils.exercises.checks import NOT_ATTEMPTED, assess
from utils.exercises.hints import load_hints
from utils.models.loading import DEFAULT_MODEL

LABS_WITH_MASTERS = sorted(int(re.search(r"lab_(\d+)_", path.name)[1]) for path in MASTERS.glob("lab_*.ipynb"))
EXERCISES = [(lab, exercise) for lab in LABS_WITH_MASTERS for exercise in masters.stubs(masters.master(lab))]
ANSWERS = {lab: importlib.import_module(f"tests.answers.lab_{lab}") for lab in LABS_WITH_MASTERS}
CHECKS = {lab: importlib.import_module(f"utils.exercises.lab_{lab}").CHECKS for lab in LABS_WITH_MASTERS}
GIVEN = {exercise: given for answers in ANSWERS.values() for exercise, given in answers.GIVEN.items()}
SOLUTIONS = {
    exercise: answer
    for lab in LABS_WITH_MASTERS
    for exercise, answer in masters.answers(lab, ANSWERS[lab].MASTER).items()
}
MANY_CALLS = ("3.6",)
"""Exercises whose check calls an answer a hundred times."""
EXAMPLE = re.compile(r"# Example: (.+) -> (.+)(?:\n *# with (.+))?")
"""A worked call, its result (rounded, where it is a number), and what its names stand for."""
FORM = re.compile(r"# A wrong answer in the right form:((?:\n# .+)+)")
"""For an answer that is no function: code that gives one which is not right."""


def numbered(answers: dict[str, list]) -> list:
    return [
        pytest.param(
            exercise, answer, id=f"{exercise}-{number}", marks=[pytest.mark.slow] if exercise in MANY_CALLS else []
        )
        for exercise, found in answers.items()
        for number, answer in enumerate(found)
    ]


RIGHT = [case for answers in ANSWERS.values() for case in numbered(answers.RIGHT)]
WRONG = [case for answers in ANSWERS.values() for case in numbered(answers.WRONG)]


@pytest.fixture(autouse=True)
def quick_measurements(monkeypatch):
    """Where a check asks the model for completions, stand-ins answer."""
    for answers in ANSWERS.values():
        for name, stand_in in answers.PATCHES.items():
            monkeypatch.setattr(name, stand_in)


def judged(exercise, answer):
    return assess(exercise, anew(answer), **GIVEN.get(exercise, {}))


@pytest.mark.parametrize(("lab", "exercise"), EXERCISES)
def test_every_exercise_is_proved_by_enough_answers(lab, exercise):
    assert len(ANSWERS[lab].RIGHT[exercise]) >= 4 and len(ANSWERS[lab].WRONG[exercise]) >= 8


@pytest.mark.parametrize(("exercise", "answer"), RIGHT)
def test_a_right_answer_passes_however_it_is_written(exercise, answer):
    verdict, right = judged(exercise, answer)
    assert right and verdict.startswith("correct. "), verdict


@pytest.mark.parametrize(("exercise", "answer"), WRONG)
def test_a_plausible_wrong_answer_is_told_why(exercise, answer, monkeypatch):
    monkeypatch.setattr(running, "SECONDS", 2.0)
    wrong, sentence = answer
    verdict, right = judged(exercise, wrong)
    assert not right and verdict.startswith("not yet. ")
    assert re.search(sentence, verdict), verdict


@pytest.mark.parametrize(
    ("exercise", "mistake"),
    [
        pytest.param(exercise, mistake, id=f"{exercise}-{number}")
        for checks in CHECKS.values()
        for exercise, found in checks.items()
        for number, mistake in enumerate(found.mistakes)
    ],
)
def test_each_mistake_of_a_table_is_told_its_own_sentence(exercise, mistake):
    verdict, right = judged(exercise, mistake.function)
    assert not right and mistake.message in verdict, verdict


@pytest.mark.slow
def test_hardly_a_changed_solution_is_let_through(monkeypatch):
    """At most 2 in 100 over all labs, and each of them is explained."""
    monkeypatch.setattr(running, "SECONDS", 1.0)
    found = {lab: let_through(lab) for lab in LABS_WITH_MASTERS}
    explained = {key: why for answers in ANSWERS.values() for key, why in answers.EXPLAINED.items()}
    write_table(found, explained)
    accepted = [(mutant.exercise, mutant.change) for _, passed in found.values() for mutant in passed]
    assert [change for change in accepted if change not in explained] == []
    assert [change for change in explained if change not in accepted] == [], (
        "what is explained must still be let through"
    )
    mistakes = [change for change in accepted if explained[change].startswith(MISTAKE)]
    assert len(mistakes) <= MOST_LET_THROUGH * sum(len(made) for made, _ in found.values())


@pytest.mark.parametrize("lab", LABS_WITH_MASTERS)
def test_every_exercise_of_a_lab_has_its_record_its_hints_and_is_checked(lab):
    assert list(CHECKS[lab]) == [f"{lab}.{n}" for n in range(1, len(CHECKS[lab]) + 1)]
    assert list(CHECKS[lab]) == list(masters.stubs(masters.master(lab))) == list(load_hints(lab))
    assert all(2 <= len(hints) <= 3 and all(hints) for hints in load_hints(lab).values())


def test_a_lab_without_hints_says_so():
    with pytest.raises(DataError, match="no hints for Lab 99"):
        load_hints(99)


@pytest.mark.parametrize("exercise", [exercise for exercise in SOLUTIONS if exercise not in ("2.1", "2.8")])
def test_the_master_s_answer_is_right(exercise):
    """The forecasts are committed in a test of their own; the settings pass on the course's model."""
    verdict, right = judged(exercise, SOLUTIONS[exercise])
    assert right and verdict.startswith("correct. "), verdict


@pytest.mark.parametrize("lab", LABS_WITH_MASTERS)
def test_the_committed_verdicts_are_those_that_the_checks_give(lab):
    for cell in masters.code_cells(masters.master(lab)):
        if checked := masters.CHECK.fullmatch(cell.source):
            verdict = f"correct. {CHECKS[lab][checked[1]].praise}"
            assert cell.outputs[0].text.startswith(f"Exercise {checked[1]}: {verdict}")


@pytest.mark.parametrize(("lab", "exercise"), EXERCISES)
def test_the_stub_of_a_learner_s_lab_and_nothing_else_is_not_attempted(lab, exercise):
    cells = masters.code_cells(LABS / masters.master(lab).name)
    stub = next(cell for cell, after in pairwise(cells) if after.source.startswith(f'check("{exercise}"'))
    names = dict(ANSWERS[lab].BLANK if hasattr(ANSWERS[lab], "BLANK") else {})
    exec(stub.source, names)
    checked = masters.stubs(masters.master(lab))[exercise][1]
    if checked in names or "," in checked:
        assert judged(exercise, eval(checked, names)) == (NOT_ATTEMPTED, False)
    if CHECKS[lab][exercise].call:
        for answer in (lambda *_: None, None, lambda *_: ...):
            assert judged(exercise, answer)[0] != NOT_ATTEMPTED


@pytest.mark.parametrize("lab", LABS_WITH_MASTERS)
def test_no_name_that_a_stub_asks_for_is_there_before(lab):
    """Or its check would pass unanswered, and `??` would show an answer."""
    known = set()
    for cell in masters.code_cells(masters.master(lab)):
        tree = ast.parse(cell.source)
        names = {alias.asname or alias.name for node in ast.walk(tree) for alias in getattr(node, "names", [])}
        names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        if BEGIN in cell.source:
            assert not functions & known
        known |= {name for name in names if isinstance(name, str)} | functions


def test_check_prints_the_verdict(capsys):
    check("1.1", ...)
    assert capsys.readouterr().out == f"Exercise 1.1: {NOT_ATTEMPTED}\n"


def test_under_nbgrader_a_missing_or_wrong_answer_costs_its_points(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    with pytest.raises(AssertionError, match="not attempted"):
        check("1.1", ...)
    check("1.1", SOLUTIONS["1.1"])


# What a learner finds in a lab


@pytest.fixture(scope="module")
def known() -> dict[int, dict]:
    """The names of each master: its own answers, and what a worked call may use of other cells."""
    train = [TextToText(f"#Person1#: {n}?", f"Number {n}.") for n in range(3)]
    reviews = [Review(f"text {n}", ("negative", "positive")[n % 2], 2.0) for n in range(8)]
    names = {lab: dict(answers.MASTER) for lab, answers in ANSWERS.items()}
    names[1] |= {"train": train, "review_train": reviews}
    names[2] |= {"forecasts": ANSWERS[2].forecasts_committed()}
    return names


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
def test_a_stub_shows_a_worked_call_that_is_true(lab, exercise, known):
    stub, checked = masters.stubs(masters.master(lab))[exercise]
    names, examples, forms = dict(known[lab]), EXAMPLE.findall(stub), FORM.findall(stub)
    assert len(examples) + len(forms) == 1
    for called, result, values in examples:
        exec(values, names)
        assert checked in called and close(eval(called, names), eval(result, names | {"tensor": torch.tensor}))
    for form in forms:
        exec(form.replace("\n# ", "\n"), names)
        verdict, right = judged(exercise, eval(checked, names))
        assert not right and verdict != NOT_ATTEMPTED


def close(result, shown) -> bool:
    """Whether a result is what the worked call shows, to the third digit."""
    if isinstance(shown, torch.Tensor):
        return result.shape == shown.shape and torch.allclose(result.float(), shown.float(), atol=0.0006)
    return result == (pytest.approx(shown, abs=0.0006) if isinstance(shown, float) else shown)


def test_a_learner_finds_the_worked_call_in_the_lab():
    for lab in LABS_WITH_MASTERS:
        text = (LABS / masters.master(lab).name).read_text(encoding="utf8")
        shown = len(re.findall(r"# Example: |# A wrong answer in the right form:", text))
        assert shown == sum(number == lab for number, _ in EXERCISES), "in each stub once, and not among the solutions"


def test_no_sentence_is_the_code_of_a_solution():
    for lab, exercise in EXERCISES:
        solution = next(
            cell.source.split(BEGIN)[1]
            for cell in masters.code_cells(masters.master(lab))
            if masters_cell(cell, exercise)
        )
        lines = {line.strip() for line in solution.splitlines() if len(line.strip()) > 25}
        said = " ".join([CHECKS[lab][exercise].praise, *(one.message for one in CHECKS[lab][exercise].mistakes)])
        assert not [line for line in lines if line in said]


def masters_cell(cell, exercise: str) -> bool:
    return cell.id == f"exercise-{exercise.replace('.', '-')}"


# Quizzes and claims


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


def test_the_longest_choice_is_not_always_the_right_one():
    questions = load_quiz(3).questions
    longest = [max(range(3), key=lambda choice, q=question: len(q.choices[choice])) for question in questions]
    assert sum(guess == question.right for guess, question in zip(longest, questions, strict=True)) <= 3


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


def test_a_question_without_explanations_cannot_be_made():
    with pytest.raises(ValueError, match="needs its explanation"):
        Question("?", ("a", "b"), 0, ("why",))


OURS, OTHER = SimpleNamespace(name=DEFAULT_MODEL), SimpleNamespace(name="people/other")


def test_a_claim_is_asserted_for_the_course_s_own_model(capsys):
    claim(True, OURS, "it fell")
    claim(True, OURS)
    assert capsys.readouterr().out == "it fell: True\n"
    with pytest.raises(AssertionError, match="it fell"):
        claim(False, OURS, "it fell")
    with pytest.raises(AssertionError, match="does not hold here"):
        claim(False, OURS)


@pytest.mark.parametrize(("holds", "found"), [(True, "it holds, too"), (False, "it does not hold")])
def test_another_model_is_told_whether_a_claim_holds(capsys, holds, found):
    said = f"This is asserted of the course's own model only; with people/other {found}.\n"
    claim(holds, OTHER, "it fell")
    claim(holds, OTHER)
    assert capsys.readouterr().out == f"it fell: {holds}\n{said}{said}"
