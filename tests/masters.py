"""What the master labs hold: answers, run as they stand there, and outputs, as a learner's lab shows them."""

import ast
import re
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from utils.authoring import BEGIN, MASTERS, learner_lab
from utils.exercises.checks import NOT_ATTEMPTED

CHECK = re.compile(r'check\("(\d+\.\d+)", (.+?)(?:, \w+=.*)?\)')
"""A check cell: the exercise and the expression that is handed over."""


def master(lab: int) -> Path:
    """Return the path of a lab's master."""
    return next(MASTERS.glob(f"lab_{lab}_*.ipynb"))


def stubs(path: Path) -> dict[str, tuple[str, str]]:
    """Return what a learner finds in each exercise's cell, and the expression that is checked, by the exercise."""
    found, stub = {}, ""
    for cell in code_cells(path):
        stub = cell.source.split(BEGIN)[0] if BEGIN in cell.source else stub
        if checked := CHECK.fullmatch(cell.source):
            found[checked[1]] = (stub, checked[2])
    return found


def names(lab: int, **given: Any) -> dict[str, Any]:
    """Run a master's imports and solution cells and return all names; given: what they need of other cells."""
    known = dict(given)
    for cell in code_cells(master(lab)):
        if BEGIN in cell.source:
            exec(cell.source, known)
        else:
            imports = [node for node in ast.parse(cell.source).body if isinstance(node, ast.Import | ast.ImportFrom)]
            exec(compile(ast.Module(imports, []), cell.id, "exec"), known)
    return known


def answers(lab: int, known: dict[str, Any]) -> dict[str, Any]:
    """Return what the master hands over to each check, by the exercise."""
    return {exercise: eval(checked, known) for exercise, (_, checked) in stubs(master(lab)).items()}


def untouched(path: Path) -> NotebookNode:
    """Return a learner's lab as it is after a run without an answer: what its master shows, but for the checks."""
    master = nbformat.read(path, as_version=4)
    lab, shown = learner_lab(master), {cell.id: cell.get("outputs") for cell in master.cells}
    for cell in lab.cells:
        if checked := CHECK.fullmatch(cell.source):
            said = f"Exercise {checked[1]}: {NOT_ATTEMPTED}\n"
            cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=said)]
        elif cell.cell_type == "code":
            cell.outputs = shown[cell.id]
    return lab


def code_cells(path: Path) -> list[NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
