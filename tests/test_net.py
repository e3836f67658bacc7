"""The net holds: what nbval must find in a notebook, it finds, with the options that `make test` uses."""

import re
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
MOVED, MOVED_ON = "view.temperature.value = 0.5", "view.temperature.value = 0.7"
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


def stream(text: str) -> list:
    return [nbformat.v4.new_output("stream", name="stdout", text=text)]


def result(text: str, html: str) -> list:
    return [nbformat.v4.new_output("execute_result", {"text/plain": text, "text/html": html}, execution_count=1)]


ALT = "Points with 95 % intervals of effect. first: 0.25 (0.20 to 0.30); second: 0.50 (0.40 to 0.60)."
OTHER = ALT.replace("0.25", "0.26")
HTML = '<img src="data:image/png;base64,AAAA" alt="{}" style="max-width: 100%">'


RIGHT = ("print(round(2 / 3, 2))", stream("0.67\n"))
WRONG = {
    "changed number": ("print(round(2 / 3, 2))", stream("0.68\n")),
    "lost output": ("print(round(2 / 3, 2))", []),
    "raising cell": ("1 / 0", []),
    "raising widget callback": (WIDGET, []),
}


PASSES, FAILS = "PASSED", "FAILED"
NOTEBOOKS: dict[str, list[tuple[str, list, str]]] = {
    "right": [(*RIGHT, PASSES)],
    "figure": [(FIGURE, result(ALT, HTML.format(ALT)), PASSES), (FIGURE, result(OTHER, HTML.format(OTHER)), FAILS)],
    "callback that works": [(WIDGET.replace("1 / 0", "None"), [], PASSES)],
    "ignored cell that raises": [("# NBVAL_IGNORE_OUTPUT\n" + WIDGET.strip(), [], FAILS)],
    "sampler that breaks": [(SAMPLER, [], PASSES), (MOVED, [], PASSES), (BREAK, [], PASSES), (MOVED_ON, [], FAILS)],
} | {name: [(*cell, FAILS)] for name, cell in WRONG.items()}
"""Notebooks by what is in them: the source of each cell, the outputs that are stored, and what nbval must say."""


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory) -> dict[str, list[str]]:
    """What nbval says of each cell, notebook by notebook, from one run over all of them."""
    folder = tmp_path_factory.mktemp("net")
    for name, cells in NOTEBOOKS.items():
        notebook = nbformat.v4.new_notebook(metadata=KERNEL)
        notebook.cells = [
            nbformat.v4.new_code_cell(source.strip(), outputs=outputs, execution_count=number)
            for number, (source, outputs, _) in enumerate(cells, start=1)
        ]
        nbformat.write(notebook, folder / f"{name}.ipynb")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-c", ROOT / "pyproject.toml", folder],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    said: dict[str, list[str]] = {}
    for name, verdict in re.findall(r"([^/\n]+)\.ipynb::Cell \d+ ([A-Z]+)", done.stdout):
        said.setdefault(name, []).append(verdict)
    return said


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_what_is_wrong_in_a_notebook_fails_and_nothing_else(name, verdicts):
    assert verdicts[name] == [verdict for _, _, verdict in NOTEBOOKS[name]]
