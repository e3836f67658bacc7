"""Every widget and notebook of the course as a reader meets it: sizes, themes, links; reading changes nothing."""

import re

import nbformat
import pytest
from playwright.sync_api import Page, expect

from tests.browser import test_lab_1, test_lab_2, test_lab_3, test_lesson_02, test_lessons
from tests.browser.checks import OF_LAYOUT, faults, found, out_of_view, walked
from tests.browser.page import OUTPUTS, PANEL, SIZES, at_size, nameless, open_path, run_to_the_end, shoot
from utils.authoring import KERNEL, LABS, MASTERS, ROOT

GUESS = """
from utils.widgets import guess
view = guess("How many of the four completions will name the hearing aid?", range(5))
"""
WIDGETS = [
    test_lab_2.SAMPLER,
    test_lab_2.FORECASTS,
    test_lab_2.PLAYGROUND,
    test_lab_2.REPETITION,
    test_lab_1.WORKBENCH,
    test_lab_1.QUIZ,
    *test_lab_3.JOB.replace("range(1, 401)", "range(1, 41)").partition("view = monitor(job)")[:2],
    test_lab_3.DIAL,
    test_lessons.TOKENS,
    test_lessons.ATTENTION,
    test_lessons.GARDEN,
    test_lesson_02.WRITER,
    GUESS,
]
TEXT = "\n\n".join(["Text that stands between cells, as in a lesson. " * 6] * 3)
REFUSED = {"empty": "", "too long": "word " * 9_000}
SLOW = {
    "a completion": """
from utils.models import load_model
print("begun")
load_model().generate("Once upon a time", max_new_tokens=2000)
""",
    "a learner's own loop": """
import time
def wait():
    while True:
        time.sleep(1)
print("begun")
wait()
""",
}


@pytest.fixture(scope="module")
def widgets_page(open_module_notebook, folder) -> Page:
    """All widgets of the course in a notebook, with text before, between and after them, run."""
    cells = [nbformat.v4.new_markdown_cell(f"# Widgets\n\n{TEXT}")]
    for source in WIDGETS:
        cells += [nbformat.v4.new_code_cell(source.strip()), nbformat.v4.new_markdown_cell(TEXT)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=KERNEL), folder / "widgets.ipynb")
    page = open_module_notebook("widgets.ipynb")
    at_size(page, SIZES[0])
    run_to_the_end(page, minutes=8)
    return page


def test_every_widget_is_whole_and_readable_at_every_size_and_in_both_themes(widgets_page):
    wrong = faults(widgets_page)
    assert wrong == [], "\n".join(wrong)
    assert nameless(widgets_page, OUTPUTS) == []
    labels = widgets_page.locator(f"{OUTPUTS} label:has(input[type=radio]):visible")
    places = "labels => labels.map(label => label.firstElementChild.offsetLeft - label.offsetLeft)"
    assert labels.count() > 20
    assert max(labels.evaluate_all(places)) < 5, "a radio button stands before its name"


def test_a_run_cell_leaves_its_widget_in_view(widgets_page):
    assert out_of_view(widgets_page, "widget") == []


@pytest.mark.parametrize("refused", REFUSED)
def test_no_picture_stays_as_it_was_beside_a_message_that_refuses_its_prompt(widgets_page, refused):
    boxes = widgets_page.locator(OUTPUTS).get_by_role("textbox", name=re.compile("^Prompt"))
    assert boxes.count() == 3
    for box in boxes.all():
        prompt = box.input_value()
        cell = box.locator("xpath=ancestor::div[contains(@class, 'jp-CodeCell')]")
        box.fill(REFUSED[refused])
        box.press("Tab")
        expect(cell.get_by_role("alert").filter(has_text=re.compile("prompt")).first).to_be_visible(timeout=20_000)
        shoot(widgets_page, f"refused_{refused}_{cell.get_attribute('data-windowed-list-index')}")
        assert found(cell, "contradicted") == []
        box.fill(prompt)
        box.press("Tab")


def test_notebooks_are_readable_before_they_run_and_reading_changes_nothing(open_notebook, folder):
    paths = sorted(
        path.relative_to(ROOT) for room in (ROOT / "notebooks", LABS, MASTERS) for path in room.glob("*.ipynb")
    )
    before = {path: (folder / path).read_bytes() for path in paths}
    page = open_notebook(str(paths[0]))
    wrong, shown = [], None
    for path in paths:
        open_path(page, str(path))
        if path.parent != LABS.relative_to(ROOT):  # masters have the same text
            for size in SIZES:
                at_size(page, size)
                wrong += [f"{path}, {size[0]} px, {sentence}" for sentence in walked(page, *OF_LAYOUT, "faint")]
        assert page.locator(".jp-mod-dirty").count() == 0
        if shown:  # what was read before is closed once another is in front: a page with many open is slow
            page.locator(f".lm-TabBar-tab[title*='{shown}'] .lm-TabBar-tabCloseIcon").click()
        shown = path
    assert wrong == [], "\n".join(wrong)
    assert page.locator(".jp-Dialog").count() == 0
    assert {path: (folder / path).read_bytes() for path in paths} == before


LINK = re.compile(r"\]\((?:\.\./)?(?:notebooks/)?glossary\.ipynb(#[^)]+)\)")


def sample(of_each: list[list[str]]) -> list[str]:
    """Return some of the terms that notebooks link: the first of each, all of an unusual form, others evenly spread.

    Last comes first, so that the glossary is scrolled both by its opening and from further down.
    """
    terms = sorted({term for some in of_each for term in some})
    unusual = [term for term in terms if not re.fullmatch("#[a-z-]+", term)]
    return sorted({*(some[0] for some in of_each if some), *unusual, *terms[::8], terms[-1]}, reverse=True)


def test_links_to_the_glossary_land_at_their_terms(open_notebook, folder):
    """A sample: that every link names a heading is tested without a page, in test_notebooks."""
    paths = [*(folder / "notebooks").glob("*.ipynb"), *(folder / "labs").glob("*.ipynb")]
    terms = sample([LINK.findall(path.read_text()) for path in paths])
    lines = "\n".join(f"- [term {number}](glossary.ipynb{term})" for number, term in enumerate(terms))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(lines)], metadata=KERNEL)
    nbformat.write(notebook, folder / "notebooks" / "links.ipynb")
    page = open_notebook("notebooks/links.ipynb")
    at_size(page, SIZES[0])
    lost = []
    for number, term in enumerate(terms):
        page.get_by_role("link", name=f"term {number}", exact=True).click()
        if not lands(page, term[1:]):
            lost.append(term)
        page.locator(".lm-TabBar-tab[title*='links.ipynb']").click()
    assert len(terms) > 20
    assert lost == []


def lands(page: Page, term: str) -> bool:
    """Whether the glossary comes to the front with a term's heading in view, and stays there."""
    heading = page.locator(f"{PANEL} [data-jupyter-id='{term}'], {PANEL} [id='{term}']").first
    try:
        expect(heading).to_be_in_viewport(timeout=20_000)
    except AssertionError:
        return False
    return True


def test_what_an_interrupt_leaves_is_short(open_notebook, folder):
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in SLOW.values()]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=KERNEL), folder / "slow.ipynb")
    page = open_notebook("slow.ipynb")
    for number in range(len(cells)):
        cell = page.locator(f".jp-Cell[data-windowed-list-index='{number}']")
        cell.locator(".cm-content").click()
        page.keyboard.press("Shift+Enter")
        expect(cell.locator(OUTPUTS).get_by_text("begun")).to_be_visible(timeout=180_000)
        page.locator("[data-command='notebook:interrupt-kernel']").first.click()
        expect(cell.locator("[data-mime-type*=error], [data-mime-type*=stderr]").first).to_be_visible(timeout=30_000)
        shoot(page, f"interrupted_{number}")
        assert found(cell, "red") == []
