"""Kept results: the code part of a key is what computed them, with all that it imports."""

from contextlib import nullcontext
from functools import partial

import pytest

from utils.storage import results
from utils.storage.results import code_hash, import_closure, remembered, remembered_each


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A small package: `scores` imports `models` through its face, which imports `packing`; `plots` stands apart."""
    package = tmp_path / "utils"
    files = {
        "scores.py": "from utils.models import load\n",
        "models/__init__.py": "from utils.models.packing import load\n",
        "models/packing.py": "def load():\n    from utils import errors\n    return 1\n",
        "errors.py": "",
        "plots.py": "import utils.scores\nfrom utils.scores import load\n",
    }
    for name, text in files.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(results, "PACKAGE", package)
    code_hash.cache_clear()
    yield package
    code_hash.cache_clear()


def test_the_closure_is_all_that_is_imported_and_nothing_else(house):
    assert import_closure("utils.scores") == {"utils.scores", "utils.models", "utils.models.packing", "utils.errors"}


@pytest.mark.parametrize(
    ("changed", "other"),
    [
        ("scores.py", True),
        ("models/__init__.py", True),
        ("models/packing.py", True),
        ("errors.py", True),
        ("plots.py", False),
    ],
)
def test_a_change_of_what_computed_a_result_and_of_nothing_else_makes_another_key(changed, other, house):
    before = code_hash("utils.scores")
    code_hash.cache_clear()
    (house / changed).write_text((house / changed).read_text() + "# changed\n")
    assert (code_hash("utils.scores") != before) == other


def test_what_the_course_keeps_rests_on_the_code_that_it_rests_on():
    assert "utils.models.packing" in import_closure("utils.evaluation.completions")
    assert "utils.logits.reshaping" in import_closure("utils.decoding.diversity")
    assert not any(
        "widgets" in name or "exercises" in name for name in import_closure("utils.evaluation.classification")
    )


def test_a_function_whose_code_is_not_known_is_refused():
    with pytest.raises(ValueError, match="no module of utils"):
        remembered({"question": 1}, partial(int, 3))


def test_a_result_is_computed_once(monkeypatch):
    asked = []
    compute = lambda: asked.append(1) or [0.5]  # noqa: E731
    compute.__module__ = "utils.evaluation.completions"
    assert remembered({"question": 2}, compute) == remembered({"question": 2}, compute) == [0.5]
    assert len(asked) == 1
    monkeypatch.setattr(results, "code_hash", lambda module: "changed")
    assert remembered({"question": 2}, compute) == [0.5] and len(asked) == 2


def parts_of(answers, asked):
    """Something that computes parts of a question, backwards, and notes what it was asked for."""

    def compute(missing):
        asked.append(missing)
        for number in reversed(missing):
            if answers[number] is None:
                raise KeyboardInterrupt
            yield number, answers[number]

    compute.__module__ = "utils.evaluation.completions"
    return compute


def test_parts_are_kept_as_they_come_and_are_one_result_in_the_end(tmp_path):
    asked = []
    with pytest.raises(KeyboardInterrupt):
        remembered_each({"each": 1}, 4, parts_of([None, "b", [0.1], "d\u2028"], asked), "Asking")
    answers = ["a", "b", [0.1], "d\u2028"]
    assert remembered_each({"each": 1}, 4, parts_of(answers, asked), "Asking") == answers
    assert asked == [[0, 1, 2, 3], [0]]
    assert remembered_each({"each": 1}, 4, parts_of([None] * 4, asked), "Asking") == answers
    assert len(asked) == 2 and [path.suffix for path in (tmp_path / "results").iterdir()] == [".json"]


def test_what_a_stopped_process_left_half_written_is_computed_again(tmp_path):
    asked = []
    with pytest.raises(KeyboardInterrupt):
        remembered_each({"each": 2}, 3, parts_of([None, 1, 2], asked), "Asking")
    (parts,) = (tmp_path / "results").glob("*.parts")
    parts.write_text(parts.read_text()[:-1])
    with pytest.raises(KeyboardInterrupt):
        remembered_each({"each": 2}, 3, parts_of([None, 1, 2], asked), "Asking")
    assert remembered_each({"each": 2}, 3, parts_of([0, 1, 2], asked), "Asking") == [0, 1, 2]
    assert asked == [[0, 1, 2], [0, 1], [0]]


def test_parts_that_are_only_kept_until_all_are_there(tmp_path):
    asked = []
    with pytest.raises(KeyboardInterrupt):
        remembered_each({"each": 3}, 2, parts_of([None, 1], asked), "Asking", forget=True)
    for _ in range(2):
        assert remembered_each({"each": 3}, 2, parts_of([0, 1], asked), "Asking", forget=True) == [0, 1]
    assert asked == [[0, 1], [0], [0, 1]] and not list((tmp_path / "results").iterdir())


@pytest.mark.parametrize("folder", ["off", "a file"])
def test_where_nothing_can_be_kept_parts_are_computed_all_the_same(folder, tmp_path, monkeypatch):
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("COURSE_RESULTS", folder if folder == "off" else str(tmp_path / folder))
    with nullcontext() if folder == "off" else pytest.warns(UserWarning, match="could not be kept"):
        assert remembered_each({"each": 4}, 2, parts_of([0, 1], []), "Asking") == [0, 1]
