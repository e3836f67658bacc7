"""nbval's own comparison, for notebooks that ran elsewhere: in a page of JupyterLab."""

from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbval.plugin import IPyNbCell, IPyNbFile


def reference_cells(session: pytest.Session, path: Path) -> list[IPyNbCell]:
    """Return the code cells of a committed notebook, as nbval collects them with the options of this session."""
    file = IPyNbFile.from_parent(session, path=path)
    file.setup_sanitize_files()
    return list(file.collect())


def differences(reference: list[IPyNbCell], ran: NotebookNode) -> list[str]:
    """Return what nbval would find: cells that did not run or raised, and compared outputs that are not the same."""
    cells = [cell for cell in ran.cells if cell.cell_type == "code"]
    assert [cell.source for cell in cells] == [item.cell.source for item in reference]
    found = []
    for item, cell in zip(reference, cells, strict=True):
        if cell.execution_count is None:
            found.append(f"{item.name} did not run")
        elif errors := [output for output in cell.outputs if output.output_type == "error"]:
            found.append(f"{item.name} raised {errors[0].ename}: {errors[0].evalue}")
        elif item.options["check"] and not item.compare_outputs(cell.outputs, item.cell.outputs):
            found.append(f"{item.name}: " + "\n".join(item.comparison_traceback))
    return found
