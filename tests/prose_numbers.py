"""The numbers of the notebooks' prose, as they were last read beside their outputs.

`python -m tests.prose_numbers` writes the file anew; do so after reading each changed sentence, never before.
"""

import json
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from utils.authoring import MASTERS, ROOT, in_order, labs_in
from utils.storage.files import write_text

READ = Path(__file__).with_name("prose_numbers.json")
SOURCES = [*in_order((ROOT / "notebooks").glob("*.ipynb")), *labs_in(MASTERS)]
"""Lessons, glossary and masters: a learner's lab has the prose of its master."""


NUMBER = re.compile(r"\d+(?:[,.]\d+)*")
LINK = re.compile(r"\]\([^)]*\)")


def prose_numbers(notebook: NotebookNode) -> dict[str, str]:
    """Return all numbers of each Markdown cell, in their order, by the cell's id; links are left out."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    found = {cell.id: NUMBER.findall(LINK.sub("]", cell.source)) for cell in cells}
    return {cell: " ".join(numbers) for cell, numbers in found.items() if numbers}


def read() -> dict[str, dict[str, str]]:
    """Return the numbers that were read, by the notebook's name."""
    return json.loads(READ.read_text(encoding="utf8"))


if __name__ == "__main__":
    numbers = {path.name: prose_numbers(nbformat.read(path, as_version=4)) for path in SOURCES}
    write_text(READ, json.dumps(numbers, indent=1) + "\n")
