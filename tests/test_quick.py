"""`make quick` stays quick: a test that needs a model, a process or a browser must say so."""

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from playwright.sync_api import sync_playwright

from tests.conftest import in_order
from utils.models.loading import load_model


@pytest.mark.parametrize(
    ("needs", "marker"),
    [
        (lambda: subprocess.run(["true"]), "process"),
        (lambda: os.fork(), "process"),
        (load_model, "model"),
        (lambda: sync_playwright().__enter__(), "browser"),
    ],
    ids=["process", "fork", "model", "browser"],
)
def test_what_is_not_marked_is_refused(needs, marker):
    with pytest.raises(pytest.fail.Exception, match=f"mark this test with {marker}"):
        needs()


@pytest.mark.process
def test_a_marked_test_has_its_process():
    assert subprocess.run(["true"]).returncode == 0


def test_the_course_s_model_marks_the_tests_that_use_it(request):
    items = [item for item in request.session.items if "course_model" in getattr(item, "fixturenames", ())]
    assert [item.nodeid for item in items if item.get_closest_marker("model") is None] == []


def made(nodeid: str, *markers: str) -> SimpleNamespace:
    path = Path(nodeid.split("::")[0])
    marks = [SimpleNamespace(name=marker) for marker in markers]
    return SimpleNamespace(nodeid=nodeid, path=path, name=nodeid.split("::")[1], iter_markers=lambda: marks)


def test_the_groups_that_take_longest_come_first_and_in_a_lab_its_master():
    quick = [made(f"tests/test_many.py::{number}") for number in range(30)]
    pages = [made(f"tests/browser/test_page.py::{number}", "browser") for number in range(2)]
    lab = [made("tests/browser/test_labs.py::[lab_1_a]", "browser"), made("labs/solutions/lab_1_a.ipynb::Cell 0")]
    assert in_order([*quick, *lab, *pages]) == [*reversed(lab), *pages, *quick]
