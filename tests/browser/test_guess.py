"""A guess in a real page: keys and mouse, the answer, and a stored output that is hidden until its cell is run."""

import nbformat
from playwright.sync_api import Page, expect

from tests.browser.page import nameless, shoot
from utils.authoring import clean

ASK = """from utils.widgets import guess

asked = guess("How many of the four completions will name the hearing aid?", range(5))"""
HIDDEN = {"jupyter": {"outputs_hidden": True}}


def code(source: str, output: str = "", **metadata):
    outputs = [nbformat.v4.new_output("stream", name="stdout", text=output)] if output else []
    return nbformat.v4.new_code_cell(source, outputs=outputs, metadata=metadata, execution_count=1)


def test_a_guess_is_committed_by_enter_and_the_answer_opens_when_it_is_run(open_notebook, folder):
    cells = [code(ASK), code("asked.reveal(2)", "The stored answer: 2.\n", **HIDDEN)]
    nbformat.write(clean(nbformat.v4.new_notebook(cells=cells)), folder / "guess.ipynb")
    page = open_notebook("guess.ipynb")
    page.set_viewport_size({"width": 1280, "height": 720})
    expect(page.locator(".jp-OutputPlaceholder")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("The stored answer")).to_be_hidden()
    expect(page.locator(".jp-mod-dirty")).to_have_count(0)
    shoot(page, "guess_1_stored")
    page.locator(".jp-Cell .cm-content").first.click()
    page.keyboard.press("Shift+Enter")
    expect(page.get_by_role("radio")).to_have_count(5, timeout=180_000)
    assert nameless(page, ".course-guess") == []
    page.get_by_role("radio", name="1").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="Your guess: 3.")).to_be_visible(timeout=30_000)
    page.get_by_role("radio", name="2").check()
    page.get_by_role("button", name="Commit guess").click()
    expect(page.get_by_role("status").filter(has_text="Your guess: 2. You can change it")).to_be_visible(timeout=30_000)
    for width in (1280, 700):
        page.set_viewport_size({"width": width, "height": 720})
        shoot(page, f"guess_2_committed_{width}")
        assert cut(page) == []
    page.locator(".jp-Cell .cm-content").nth(1).click()
    page.keyboard.press("Shift+Enter")
    expect(page.get_by_text("Your guess: 2. The answer: 2. You were right.")).to_have_count(2, timeout=30_000)
    expect(page.get_by_role("radio", name="2")).to_be_disabled()
    shoot(page, "guess_3_revealed")


def cut(page: Page) -> list[str]:
    """Return the parts of the widget that do not fit into it."""
    return page.locator(".course-guess").evaluate(
        "form => [...form.querySelectorAll('*')].filter("
        "part => part.getBoundingClientRect().right > form.parentElement.getBoundingClientRect().right + 1"
        " || part.scrollWidth > part.clientWidth + 1 && part.clientWidth).map(part => part.outerHTML)"
    )
