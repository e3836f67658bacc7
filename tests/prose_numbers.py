"""The numbers of the notebooks' prose, as they were last read beside their outputs.

`python -m tests.prose_numbers` writes the file anew; do so after reading each changed sentence, never before.
"""

import json
import re
from pathlib import Path

import nbformat

from utils.authoring import MASTERS, ROOT
from utils.storage.files import write_text

READ = Path(__file__).with_name("prose_numbers.json")
SOURCES = [*sorted((ROOT / "notebooks").glob("*.ipynb")), *sorted(MASTERS.glob("*.ipynb"))]
"""Lessons, glossary and masters: a learner's lab has the prose of its master."""


def prose_numbers(path: Path) -> dict[str, str]:
    """Return all numbers of each Markdown cell, in their order, by the cell's id; links are left out."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
    found = {cell.id: re.findall(r"\d+(?:[,.]\d+)*", re.sub(r"\]\([^)]*\)", "]", cell.source)) for cell in cells}
    return {cell: " ".join(numbers) for cell, numbers in found.items() if numbers}


def read() -> dict[str, dict[str, str]]:
    """Return the numbers that were read, by the notebook's name."""
    return json.loads(READ.read_text(encoding="utf8"))


if __name__ == "__main__":
    write_text(READ, json.dumps({path.name: prose_numbers(path) for path in SOURCES}, indent=1) + "\n")
