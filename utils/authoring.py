"""Make the notebooks as they are committed: lessons and masters executed, learners' labs from the masters.

python -m utils.authoring execute NOTEBOOK ...  # run and write the outputs
python -m utils.authoring labs                  # learners' labs out of labs/solutions, without outputs
"""

import copy
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.preprocessors import ClearSolutions
from traitlets.config import Config

from utils.storage.files import write_text

ROOT = Path(__file__).parents[1]
MASTERS = ROOT / "labs" / "solutions"
LABS = ROOT / "labs"
STUB = "# your code here"
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def learner_lab(master: NotebookNode) -> NotebookNode:
    """Return the learner's lab: solutions replaced by a stub (nbgrader) and folded away below, and no outputs.

    A lab stands one folder higher than its master, and so do its links. What a cell will show stands nowhere: the lab
    asks before it shows.
    """
    with_folded = copy.deepcopy(master)
    with_folded.cells = [cell for original in with_folded.cells for cell in _with_folded_solution(original)]
    config = Config(ClearSolutions={"code_stub": {"python": STUB}})
    cleared, _ = ClearSolutions(config=config).preprocess(with_folded, ResourcesDict())
    for cell in cleared.cells:
        cell.source = cell.source.replace("](../../", "](../")
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
    return clean(cleared)


def _with_folded_solution(cell: NotebookNode) -> list[NotebookNode]:
    if cell.cell_type != "code" or BEGIN not in cell.source:
        return [cell]
    stub, solution = re.split(rf" *{BEGIN}\n", cell.source, maxsplit=1)
    code = kept_of(stub) + re.sub(rf"\n? *{END}", "", solution)
    folded = nbformat.v4.new_markdown_cell(
        f"<details><summary>Solution</summary>\n\n```python\n{code}\n```\n\n</details>", id=f"{cell.id}-solution"[:64]
    )
    return [cell, folded]


def kept_of(stub: str) -> str:
    """Return what a solution keeps of its stub: all but comments and what stands for the answer, three dots."""
    dots = re.compile(r"(.+ = |\s*)\.\.\.")
    lines = [line for line in stub.split("\n") if not dots.fullmatch(line) and not line.strip().startswith("#")]
    return "\n".join(lines)


def execute(path: Path) -> None:
    """Run a notebook from a fresh kernel in its own folder and write it back with clean metadata."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=1800,
        store_widget_state=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()
    write(clean(notebook), path)


def clean(notebook: NotebookNode) -> NotebookNode:
    """Strip what changes from run to run: timings, and live widget views that have a static picture."""
    language = {"name": "python"}
    notebook.metadata = nbformat.from_dict({**KERNEL, "language_info": language})
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            if "text/html" in output.get("data", {}):
                output.data.pop(WIDGET_VIEW, None)
    return notebook


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook, if it is a valid one."""
    nbformat.validate(notebook)
    write_text(path, nbformat.writes(notebook) + "\n")


def in_order(paths: Iterable[Path]) -> list[Path]:
    """Sort by name, numbers by their value: lab_2 stands before lab_10."""
    return sorted(
        paths, key=lambda path: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.name)]
    )


def labs_in(folder: Path) -> list[Path]:
    """Return the notebooks of all labs in a folder, lab_N_topic.ipynb, in the order of their numbers."""
    return in_order(folder.glob("lab_*.ipynb"))


def lab_of(name: str) -> str | None:
    """Return the lab, such as lab_10, that the name of a file or of a test speaks of."""
    found = re.search(r"lab_\d+", name)
    return found[0] if found else None


def lessons_in(folder: Path) -> list[Path]:
    """Return the notebooks of all lessons in a folder, NN_topic.ipynb, in the order of their numbers."""
    return in_order(folder.glob("[0-9]*.ipynb"))


def make_labs() -> list[Path]:
    """Write every master's lab for learners and return the paths."""
    paths = []
    for master in labs_in(MASTERS):
        paths.append(LABS / master.name)
        write(learner_lab(nbformat.read(master, as_version=4)), paths[-1])
    return paths


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["labs"]:
            for made in make_labs():
                print(f"made {made.relative_to(ROOT)}")
        case ["execute", *names] if names:
            for name in names:
                execute(Path(name).resolve())
                print(f"executed {name}")
        case _:
            sys.exit(__doc__)
