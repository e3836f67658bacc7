"""The net holds: what nbval must find in a notebook, it finds, with the options that `make test` uses."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.test_notebooks import KERNEL

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.process
WIDGET = """
import ipywidgets as widgets
slider = widgets.IntSlider(description="shots")
slider.observe(lambda change: 1 / 0, names="value")
slider.value = 3
"""
SAMPLER = """
from importlib import import_module
from utils.decoding import DecodingConfig
from utils.decoding import given
module = import_module("utils.widgets.sampler")
module.read_prompt = lambda model, prompt: given(prompt, {"a": 0.75, "b": 0.25})
view = module.Sampler(None, "a or b", DecodingConfig())
"""
MOVED = "view.temperature.value = 0.5"
BREAK = """
def broken(read, config):
    raise RuntimeError("broken")
module.next_token = broken
"""
FIGURE = """
import pandas as pd
from utils.plots import intervals
table = pd.DataFrame({"mean": [0.25, 0.5], "low": [0.2, 0.4], "high": [0.3, 0.6]}, index=["first", "second"])
intervals(table, xlabel="effect", xlim=(0, 1))
"""


def run_nbval(tmp_path: Path, *cells: tuple[str, list]) -> str:
    """Write a notebook with these (source, outputs) cells and return nbval's verdict on it."""
    notebook = nbformat.v4.new_notebook(metadata=KERNEL)
    for number, (source, outputs) in enumerate(cells, start=1):
        notebook.cells.append(nbformat.v4.new_code_cell(source.strip(), outputs=outputs, execution_count=number))
    path = tmp_path / "fixture.ipynb"
    nbformat.write(notebook, path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", ROOT / "pyproject.toml", path],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.strip().split("\n")[-1]


def stream(text: str) -> list:
    return [nbformat.v4.new_output("stream", name="stdout", text=text)]


def result(text: str, html: str) -> list:
    return [nbformat.v4.new_output("execute_result", {"text/plain": text, "text/html": html}, execution_count=1)]


ALT = "Points with 95 % intervals of effect. first: 0.25 (0.20 to 0.30); second: 0.50 (0.40 to 0.60)."
HTML = '<img src="data:image/png;base64,AAAA" alt="{}" style="max-width: 100%">'


RIGHT = ("print(round(2 / 3, 2))", stream("0.67\n"))
WRONG = {
    "changed number": ("print(round(2 / 3, 2))", stream("0.68\n")),
    "lost output": ("print(round(2 / 3, 2))", []),
    "raising cell": ("1 / 0", []),
    "raising widget callback": (WIDGET, []),
}


def test_a_right_notebook_passes(tmp_path):
    assert run_nbval(tmp_path, RIGHT).startswith("1 passed")


@pytest.mark.parametrize("cell", WRONG.values(), ids=WRONG)
def test_a_wrong_notebook_fails(tmp_path, cell):
    assert run_nbval(tmp_path, cell).startswith("1 failed")


def test_a_widget_callback_that_works_passes(tmp_path):
    assert run_nbval(tmp_path, (WIDGET.replace("1 / 0", "None"), [])).startswith("1 passed")


@pytest.mark.parametrize(
    ("broken", "verdict"), [("", "3 passed"), (BREAK, "1 failed, 2 passed")], ids=["works", "breaks"]
)
def test_a_sampler_that_breaks_when_a_slider_moves_fails(tmp_path, broken, verdict):
    assert run_nbval(tmp_path, (SAMPLER, []), (broken, []), (MOVED, [])).startswith(verdict)


def test_a_figure_is_compared_by_its_text_and_not_by_its_pixels(tmp_path):
    assert run_nbval(tmp_path, (FIGURE, result(ALT, HTML.format(ALT)))).startswith("1 passed")


def test_a_figure_whose_numbers_changed_fails(tmp_path):
    wrong = ALT.replace("0.25", "0.26")
    assert run_nbval(tmp_path, (FIGURE, result(wrong, HTML.format(wrong)))).startswith("1 failed")


def test_an_ignored_cell_that_raises_fails_all_the_same(tmp_path):
    assert run_nbval(tmp_path, ("# NBVAL_IGNORE_OUTPUT\n" + WIDGET.strip(), [])).startswith("1 failed")
