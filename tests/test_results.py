"""Kept results: the code part of a key is what computed them, with all that it imports."""

from functools import partial

import pytest

from utils.storage import results
from utils.storage.results import code_hash, import_closure, remembered


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
