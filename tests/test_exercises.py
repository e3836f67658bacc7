"""Checks of every lab and lesson: right answers pass in every style, wrong ones are told why, nothing is given away."""

import ast
import importlib
import re
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tests import masters
from tests.answers import anew
from tests.exercise_mutants import MISTAKE, MOST_LET_THROUGH, let_through, write_table
from utils.authoring import BEGIN, LABS, MASTERS, ROOT, STUB, lessons_in
from utils.datasets.records import TextToText
from utils.datasets.reviews import Review
from utils.errors import DataError
from utils.exercises import Question, check, claim, load_quiz, running
from utils.exercises.checks import NOT_ATTEMPTED, assess
from utils.exercises.hints import load_hints
from utils.exercises.notebooks import module_of
from utils.models.loading import DEFAULT_MODEL

NOTEBOOKS = masters.with_exercises()
LESSONS = [number for number in NOTEBOOKS if len(number) == 2]
ASKED = {number: masters.exercises(masters.notebook(number)) for number in NOTEBOOKS}
EXERCISES = [(number, exercise) for number, asked in ASKED.items() for exercise in asked]
ANSWERS = {number: importlib.import_module(f"tests.answers.{module_of(number)}") for number in NOTEBOOKS}
CHECKS = {number: importlib.import_module(f"utils.exercises.{module_of(number)}").CHECKS for number in NOTEBOOKS}
GIVEN = {exercise: given for answers in ANSWERS.values() for exercise, given in answers.GIVEN.items()}
SOLUTIONS = {
    exercise: answer
    for number in NOTEBOOKS
    for exercise, answer in masters.answers(number, ANSWERS[number].MASTER).items()
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


@pytest.mark.parametrize(("number", "exercise"), EXERCISES)
def test_every_exercise_is_proved_by_enough_answers(number, exercise):
    right, wrong = (2, 4) if number in LESSONS else (4, 8)
    assert len(ANSWERS[number].RIGHT[exercise]) >= right and len(ANSWERS[number].WRONG[exercise]) >= wrong


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
    """At most 2 in 100 over all notebooks, and each of them is explained."""
    monkeypatch.setattr(running, "SECONDS", 1.0)
    found = {number: let_through(number) for number in NOTEBOOKS}
    explained = {key: why for answers in ANSWERS.values() for key, why in answers.EXPLAINED.items()}
    write_table(found, explained)
    accepted = [(mutant.exercise, mutant.change) for _, passed in found.values() for mutant in passed]
    assert [change for change in accepted if change not in explained] == []
    assert [change for change in explained if change not in accepted] == [], (
        "what is explained must still be let through"
    )
    mistakes = [change for change in accepted if explained[change].startswith(MISTAKE)]
    assert len(mistakes) <= MOST_LET_THROUGH * sum(len(made) for made, _ in found.values())


@pytest.mark.parametrize("number", NOTEBOOKS)
def test_every_exercise_has_its_record_its_hints_and_is_checked(number):
    assert list(CHECKS[number]) == [f"{number}.{n}" for n in range(1, len(CHECKS[number]) + 1)]
    assert list(CHECKS[number]) == list(ASKED[number]) == list(load_hints(number))
    assert all(2 <= len(hints) <= 3 and all(hints) for hints in load_hints(number).values())


def test_no_check_and_no_quiz_is_left_without_its_lesson():
    folder = ROOT / "utils" / "exercises"
    for pattern in ("lesson_*.py", "hints_[0-9][0-9].md"):
        assert sorted(path.stem[-2:] for path in folder.glob(pattern)) == LESSONS
    shown = {path.name[:2] for path in lessons_in(masters.LESSONS) if f'load_quiz("{path.name[:2]}")' in code_of(path)}
    assert {path.stem[-2:] for path in folder.glob("quiz_[0-9][0-9].md")} == shown >= set(LESSONS)


def code_of(path) -> str:
    return "\n".join(cell.source for cell in masters.code_cells(path))


def test_a_notebook_without_hints_says_so():
    with pytest.raises(DataError, match="no hints for Lab 9"):
        load_hints(9)
    with pytest.raises(DataError, match="no hints for lesson 99"):
        load_hints("99")


@pytest.mark.parametrize("exercise", [exercise for exercise in SOLUTIONS if exercise not in ("2.1", "2.8")])
def test_the_master_s_answer_is_right(exercise):
    """The forecasts are committed in a test of their own; the settings pass on the course's model."""
    verdict, right = judged(exercise, SOLUTIONS[exercise])
    assert right and verdict.startswith("correct. "), verdict


@pytest.mark.parametrize("number", NOTEBOOKS)
def test_the_committed_verdicts_are_those_that_the_checks_give(number):
    for cell in masters.code_cells(masters.notebook(number)):
        if checked := masters.CHECK.fullmatch(cell.source):
            praised = f"Exercise {checked[1]}: correct. {CHECKS[number][checked[1]].praise}"
            verdict = masters.not_attempted(checked[1]) if number in LESSONS else praised
            assert cell.outputs[0].text.startswith(verdict)


@pytest.mark.parametrize(("number", "exercise"), EXERCISES)
def test_the_stub_that_a_learner_finds_and_nothing_else_is_not_attempted(number, exercise):
    cells = masters.code_cells(for_learners(number))
    stub = next(cell for cell, after in pairwise(cells) if after.source.startswith(f'check("{exercise}"'))
    names = dict(ANSWERS[number].BLANK if hasattr(ANSWERS[number], "BLANK") else {})
    exec(stub.source, names)
    checked = ASKED[number][exercise].checked
    if checked in names or "," in checked:
        assert judged(exercise, eval(checked, names)) == (NOT_ATTEMPTED, False)
    if CHECKS[number][exercise].call:
        for answer in (lambda *_: None, None, lambda *_: ...):
            assert judged(exercise, answer)[0] != NOT_ATTEMPTED


def for_learners(number: str) -> Path:
    """Return the notebook as a learner opens it: a lesson as it is, of a lab the one without answers."""
    path = masters.notebook(number)
    return path if number in LESSONS else LABS / path.name


@pytest.mark.parametrize("number", NOTEBOOKS)
def test_no_name_that_a_stub_asks_for_is_there_before(number):
    """Or its check would pass unanswered, and `??` would show an answer."""
    known = set()
    for cell in masters.code_cells(masters.notebook(number)):
        tree = ast.parse(cell.source)
        names = {alias.asname or alias.name for node in ast.walk(tree) for alias in getattr(node, "names", [])}
        names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        if BEGIN in cell.source or STUB in cell.source:
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
def known() -> dict[str, dict]:
    """The names of each notebook: its own answers, and what a worked call may use of other cells."""
    train = [TextToText(f"#Person1#: {n}?", f"Number {n}.") for n in range(3)]
    reviews = [Review(f"text {n}", ("negative", "positive")[n % 2], 2.0) for n in range(8)]
    names = {number: dict(answers.MASTER) for number, answers in ANSWERS.items()}
    names["1"] |= {"train": train, "review_train": reviews}
    names["2"] |= {"forecasts": ANSWERS["2"].forecasts_committed()}
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


@pytest.mark.parametrize(("number", "exercise"), EXERCISES)
def test_a_stub_shows_a_worked_call_that_is_true(number, exercise, known):
    stub, checked = ASKED[number][exercise].stub, ASKED[number][exercise].checked
    names, examples, forms = dict(known[number]), EXAMPLE.findall(stub), FORM.findall(stub)
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


@pytest.mark.parametrize("number", NOTEBOOKS)
def test_a_learner_finds_the_worked_call(number):
    text = for_learners(number).read_text(encoding="utf8")
    shown = len(re.findall(r"# Example: |# A wrong answer in the right form:", text))
    assert shown == len(ASKED[number]), "in each stub once, and not among the solutions"


@pytest.mark.parametrize(("number", "exercise"), EXERCISES)
def test_no_sentence_is_the_code_of_a_solution(number, exercise):
    solution = ASKED[number][exercise].solution.split(BEGIN)[-1]
    lines = {line.strip() for line in solution.splitlines() if len(line.strip()) > 25}
    said = " ".join([CHECKS[number][exercise].praise, *(one.message for one in CHECKS[number][exercise].mistakes)])
    assert not [line for line in lines if line in said]


# Quizzes and claims


@pytest.mark.parametrize("of", NOTEBOOKS)
def test_a_quiz_explains_every_choice(of):
    quiz = load_quiz(of)
    number = len(quiz.questions)
    assert number in ((4, 5) if of in LESSONS else (5, 6))
    for question in quiz.questions:
        assert len(set(question.choices)) == len(question.choices) == len(set(question.why)) == 3
        for choice in range(3):
            assert question.answer(choice).startswith("Correct. " if choice == question.right else "Not quite. ")
    right = [question.right for question in quiz.questions]
    assert quiz.score(dict(enumerate(right))) == number and quiz.score({0: (right[0] + 1) % 3}) == 0
    assert max(right.count(choice) for choice in range(3)) <= (number + 1) // 2, "a place must not give the answer away"


@pytest.mark.parametrize("of", [*LESSONS, "3"])
def test_the_longest_choice_is_not_always_the_right_one(of):
    questions = load_quiz(of).questions
    longest = [max(range(3), key=lambda choice, q=question: len(q.choices[choice])) for question in questions]
    assert sum(guess == question.right for guess, question in zip(longest, questions, strict=True)) <= 3


def test_a_quiz_of_a_lesson(tmp_path, monkeypatch):
    (tmp_path / "quiz_01.md").write_text(
        "One?\n- [ ] no | Not it.\n- [x] yes | It is.\n\nTwo?\n- [x] a | A.\n- [ ] b | B.\n"
    )
    monkeypatch.setattr("utils.exercises.quiz.FOLDER", tmp_path)
    questions = load_quiz("01").questions
    assert [question.right for question in questions] == [1, 0] and questions[0].answer(1) == "Correct. It is."
    (tmp_path / "quiz_01.md").write_text("One?\n- yes | It is.\n")
    with pytest.raises(ValueError, match="a choice is written"):
        load_quiz("01")
    with pytest.raises(DataError, match="no quiz for lesson 11"):
        load_quiz("11")


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


def test_a_claim_about_other_data_is_shown_only(capsys):
    claim(False, OURS, "it fell", where=False)
    assert capsys.readouterr().out == "it fell: False\nThe text speaks of other data: this is shown, not asserted.\n"


@pytest.mark.parametrize(("holds", "found"), [(True, "it holds, too"), (False, "it does not hold")])
def test_another_model_is_told_whether_a_claim_holds(capsys, holds, found):
    said = f"This is asserted of the course's own model only; with people/other {found}.\n"
    claim(holds, OTHER, "it fell")
    claim(holds, OTHER)
    assert capsys.readouterr().out == f"it fell: {holds}\n{said}{said}"
