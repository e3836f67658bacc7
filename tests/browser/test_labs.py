"""Each learner's lab run whole in a real page, its outputs compared with its master's as nbval does it."""

import nbformat
import pytest

from tests import masters
from tests.browser.checks import faults, out_of_view
from tests.browser.page import run_to_the_end, save, walk
from tests.comparison import differences, reference_cells
from tests.test_net import RIGHT, WIDGET, WRONG
from utils.authoring import KERNEL, MASTERS, WIDGET_VIEW, lab_of, labs_in

ALIVE = {
    "lab_1": {"Commit guess", "Ask the model", "Answer to question 5"},
    "lab_2": {"Commit guess", "Commit forecast 1", "More settings", "Generate", "Answer to question 6"},
    "lab_3": {"Commit guess", "Cancel", "Adapter scale", "Answer to question 6"},
    "lab_5": {"Commit guess", "Prompt design", "Reflection cards", "Answer to question 6"},
}
"""Controls that a lab shows once it has run."""


@pytest.mark.parametrize("path", labs_in(MASTERS), ids=lambda path: path.stem)
def test_a_learner_s_lab_runs_whole_and_shows_what_its_master_shows(open_notebook, folder, request, tmp_path, path):
    """But for the checks, each of which says that nothing was attempted yet."""
    nbformat.write(masters.untouched(path), tmp_path / path.name)
    page = open_notebook(f"labs/{path.name}")
    run_to_the_end(page, minutes=20)
    controls = ALIVE.get(lab_of(path.name), set())
    assert walk(page, controls, f"{lab_of(path.name)}_run") == controls
    ran = save(page, folder / "labs" / path.name)
    assert differences(reference_cells(request.session, tmp_path / path.name), ran) == []
    for cell in ran.cells:
        if cell.metadata.get("not_compared") == "widget":
            assert any(WIDGET_VIEW in output.get("data", {}) for output in cell.outputs), cell.source
    wrong = [*faults(page), *out_of_view(page, lab_of(path.name))]
    assert wrong == [], "\n".join(wrong)


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ([RIGHT, *WRONG.values()][:3], ["Cell 1: ", "Cell 2: "]),
        ([WRONG["raising cell"], RIGHT], ["Cell 0 raised ZeroDivisionError", "Cell 1 did not run"]),
        ([RIGHT, WRONG["raising widget callback"]], ["Cell 1 raised ZeroDivisionError"]),
        ([RIGHT, (WIDGET.replace("1 / 0", "None"), [])], []),
    ],
    ids=["changed number and lost output", "raising cell", "raising widget callback", "right"],
)
def test_what_nbval_finds_is_found_in_the_page(open_notebook, folder, request, tmp_path, cells, found):
    notebook = nbformat.v4.new_notebook(metadata=KERNEL)
    notebook.cells = [nbformat.v4.new_code_cell(source.strip(), outputs=outputs) for source, outputs in cells]
    nbformat.write(notebook, tmp_path / "net.ipynb")
    nbformat.write(notebook, folder / "net.ipynb")
    page = open_notebook("net.ipynb")
    run_to_the_end(page, minutes=1)
    ran = save(page, folder / "net.ipynb")
    differ = differences(reference_cells(request.session, tmp_path / "net.ipynb"), ran)
    assert [one[: len(begin)] for one, begin in zip(differ, found, strict=True)] == found
