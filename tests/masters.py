"""What stands for learners' answers: masters of labs, folded solutions of lessons, and outputs, as a lab shows them."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from utils.authoring import BEGIN, MASTERS, ROOT, STUB, labs_in, learner_lab, lessons_in
from utils.exercises.checks import NOT_ATTEMPTED

LESSONS = ROOT / "notebooks"
CHECK = re.compile(r'check\("(\d+\.\d+)", (.+?)(?:, \w+=.*)?\)')
"""A check cell: the exercise and the expression that is handed over."""
FOLDED = re.compile(r"<details><summary>Solution</summary>\n\n```python\n(.+)\n```\n\n</details>", re.DOTALL)
"""A lesson's solution, folded below its stub."""


@dataclass(frozen=True)
class Asked:
    """One exercise in a notebook: what a learner finds in its cell, the solution's code, the checked expression."""

    stub: str
    solution: str
    checked: str


def notebook(number: int | str) -> Path:
    """Return the path of a lab's master (1), or of a lesson ("01")."""
    if len(str(number)) == 2:
        return next(LESSONS.glob(f"{number}_*.ipynb"))
    return next(MASTERS.glob(f"lab_{number}_*.ipynb"))


def with_exercises() -> list[str]:
    """Return the numbers of all notebooks that check answers: "01" for a lesson, "1" for a lab."""
    lessons = [path.name[:2] for path in lessons_in(LESSONS) if exercises(path)]
    return [*lessons, *(path.name.split("_")[1] for path in labs_in(MASTERS))]


def exercises(path: Path) -> dict[str, Asked]:
    """Return all exercises of a notebook by their number."""
    found, stub, solution = {}, "", ""
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            solution = folded[1] if (folded := FOLDED.fullmatch(cell.source)) else solution
        elif BEGIN in cell.source:
            stub, solution = cell.source.split(BEGIN)[0], cell.source
        elif STUB in cell.source:
            stub = cell.source
        elif checked := CHECK.fullmatch(cell.source):
            found[checked[1]] = Asked(stub, solution, checked[2])
    return found


def names(number: int | str, **given: Any) -> dict[str, Any]:
    """Run a notebook's imports and solutions and return all names; given: what they need of other cells."""
    known = dict(given)
    for cell in nbformat.read(notebook(number), as_version=4).cells:
        if cell.cell_type == "markdown":
            exec(folded[1] if (folded := FOLDED.fullmatch(cell.source)) else "", known)
        elif BEGIN in cell.source:
            exec(cell.source, known)
        else:
            imports = [node for node in ast.parse(cell.source).body if isinstance(node, ast.Import | ast.ImportFrom)]
            exec(compile(ast.Module(imports, []), cell.id, "exec"), known)
    return known


def answers(number: int | str, known: dict[str, Any]) -> dict[str, Any]:
    """Return what a notebook's solutions hand over to each check, by the exercise."""
    return {exercise: eval(asked.checked, known) for exercise, asked in exercises(notebook(number)).items()}


def untouched(path: Path) -> NotebookNode:
    """Return a learner's lab as it is after a run without an answer: what its master shows, but for the checks."""
    master = nbformat.read(path, as_version=4)
    lab, shown = learner_lab(master), {cell.id: cell.get("outputs") for cell in master.cells}
    for cell in lab.cells:
        if checked := CHECK.fullmatch(cell.source):
            cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=not_attempted(checked[1]))]
        elif cell.cell_type == "code":
            cell.outputs = shown[cell.id]
    return lab


def not_attempted(exercise: str) -> str:
    """Return what the check of an exercise prints before anything was answered."""
    return f"Exercise {exercise}: {NOT_ATTEMPTED}\n"


def code_cells(path: Path) -> list[NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
