"""Every widget and notebook of the course as a reader meets it: sizes, themes, links; reading changes nothing."""

import nbformat

from tests.browser import test_lab_1, test_lab_2, test_lab_3
from tests.browser.checks import faults, out_of_view
from tests.browser.page import OUTPUTS, SIZES, nameless, run_to_the_end
from utils.authoring import KERNEL

WIDGETS = [
    test_lab_2.SAMPLER,
    test_lab_2.FORECASTS,
    test_lab_2.PLAYGROUND,
    test_lab_2.REPETITION,
    test_lab_1.WORKBENCH,
    test_lab_1.QUIZ,
    *test_lab_3.JOB.replace("range(1, 401)", "range(1, 41)").partition("view = monitor(job)")[:2],
    test_lab_3.DIAL,
]
TEXT = "\n\n".join(["Text that stands between cells, as in a lesson. " * 6] * 3)


def with_text_between(sources: list[str]) -> nbformat.NotebookNode:
    """A notebook of code cells with text before, between and after them."""
    cells = [nbformat.v4.new_markdown_cell(f"# Widgets\n\n{TEXT}")]
    for source in sources:
        cells += [nbformat.v4.new_code_cell(source.strip()), nbformat.v4.new_markdown_cell(TEXT)]
    return nbformat.v4.new_notebook(cells=cells, metadata=KERNEL)


def test_every_widget_is_whole_and_readable_and_in_view_once_it_has_run(open_notebook, folder):
    nbformat.write(with_text_between(WIDGETS), folder / "widgets.ipynb")
    page = open_notebook("widgets.ipynb")
    page.set_viewport_size(dict(zip(("width", "height"), SIZES[0], strict=True)))
    run_to_the_end(page, minutes=4)
    found = faults(page) + out_of_view(page, "widget")
    print(*found, sep="\n")
    assert found == []
    assert nameless(page, OUTPUTS) == []
