"""Prompt design as a hand uses it, by keyboard alone: a run that streams, one that is stopped, and all found again."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.page import nameless, shoot
from tests.browser.server import ENVIRONMENT
from tests.browser.studio import MINUTE, go, open_studio, studio_server

pytestmark = [pytest.mark.process, pytest.mark.model, pytest.mark.slow]
TEXT = 'Say <b>"yes"</b> to {name}, who says 안녕 \N{FIRE} and {"a": 1}:'


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with studio_server(tmp_path_factory.mktemp("design"), ENVIRONMENT) as address:
        yield address


@pytest.fixture(scope="module")
def page(browser, address):
    """Prompt design, opened once."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    open_studio(page, address)
    ready(page)
    yield page
    page.close()


def ready(page: Page) -> None:
    """Bring Prompt design to front, and wait for its model."""
    go(page, "Prompt design")
    expect(page.get_by_label("Model", exact=True)).to_contain_text("The course's model (", timeout=2 * MINUTE)


def type_into(field: Locator, text: str) -> None:
    """Replace what stands in a field, as a hand does."""
    field.focus()
    field.page.keyboard.press("Control+a")
    field.page.keyboard.insert_text(text)


def answer(page: Page, seed: int = 0) -> Locator:
    return page.get_by_label(f"Response with seed {seed}, its text")


def unfold(page: Page, name: str) -> None:
    page.get_by_role("button", name=f"▸ {name}").press("Space")
    expect(page.get_by_role("button", name=f"▾ {name}")).to_be_visible()


def places(page: Page, prompt: str = "Prompt") -> list[dict[str, float]]:
    """Where the field of a prompt, the run button and the answer stand, in pixels."""
    parts = (page.get_by_label(prompt, exact=True), page.get_by_role("button", name="Run", exact=True), answer(page))
    return [part.bounding_box() for part in parts]


WATCH = """answer => {
    window.seen = [];
    new MutationObserver(() => {
        const shown = document.querySelector(answer), box = shown.getBoundingClientRect();
        window.seen.push([shown.innerText.length, box.y, box.height]);
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""
"""Notes how long an answer is and where, at each change of the page: a test that looks itself may come too late."""


def test_an_answer_streams_and_nothing_moves(page):
    type_into(page.get_by_label("Prompt", exact=True), "Once upon a time")
    expect(page.get_by_text("4 tokens of prompt and at most 50 of completion")).to_be_visible()
    before = places(page)
    page.evaluate(WATCH, "[aria-label='Response with seed 0, its text']")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Done: ")).to_be_visible(timeout=4 * MINUTE)
    lengths, *where = zip(*page.evaluate("window.seen"), strict=True)
    assert len(set(lengths)) > 2 and list(lengths) == sorted(lengths)
    assert [len(set(each)) for each in where] == [1, 1]
    assert places(page) == before
    assert all(box["y"] + box["height"] < 720 for box in before)
    shoot(page, "design_freeform")


@pytest.mark.parametrize(("kind", "field"), [("structured", "Test input"), ("chat", "The user says")])
def test_prompt_and_answer_stand_together_in_a_laptop_s_window(page, kind, field):
    page.get_by_label(kind, exact=True).check()
    expect(page.get_by_label(field, exact=True)).to_be_visible()
    assert all(box["y"] + box["height"] < 720 for box in places(page, field))
    shoot(page, f"design_{kind}_together")
    page.get_by_label("freeform", exact=True).check()


def test_escape_stops_and_what_is_written_stays(page):
    unfold(page, "Parameters")
    limit = page.get_by_role("spinbutton", name="Max new tokens")
    type_into(limit, "2000")
    limit.press("Enter")
    expect(page.get_by_text("at most 2,000 of completion")).to_be_visible()
    count = page.get_by_role("spinbutton", name="Responses")
    type_into(count, "2")
    count.press("Enter")
    page.keyboard.press("Control+Enter")
    expect(answer(page, 1)).to_contain_text(" ")
    page.keyboard.press("Escape")
    expect(page.get_by_text("Stopped: ")).to_be_visible()
    written = answer(page, 1).inner_text()
    page.wait_for_timeout(1_000)
    assert answer(page, 1).inner_text() == written
    type_into(limit, "8")
    limit.press("Enter")


def test_values_and_examples_are_written_by_keyboard(page):
    page.get_by_role("radio", name="freeform").press("ArrowRight")
    expect(page.get_by_label("Test input")).to_be_visible()
    page.get_by_role("button", name="Add row").first.press("Enter")
    for key in ("a film", "Tab", "good", "Alt+Enter", "bad", "Shift+Tab", "a book", "Alt+ArrowUp"):
        page.keyboard.press(key) if "+" in key or key == "Tab" else page.keyboard.type(key)
    expect(page.get_by_label("Input, row 1")).to_have_value("a book")
    expect(page.get_by_label("Output, row 2")).to_have_value("good")
    type_into(page.get_by_label("Context"), "Is it {how}?")
    type_into(page.get_by_label("Test input"), "A play")
    unfold(page, "Values")
    type_into(page.get_by_label("how, row 1"), "good or bad")
    shoot(page, "design_structured")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Done: ")).to_be_visible()


def test_a_thousand_rows_are_pasted_and_walked_page_by_page(page):
    table = "how\tn\n" + "\n".join(f"good {n}\t{n}" for n in range(1000))
    type_into(page.get_by_label("A table (CSV, or copied from a spreadsheet)"), table)
    page.get_by_role("button", name="Replace the rows by this table").press("Enter")
    expect(page.get_by_text("1,000 rows taken over.")).to_be_visible()
    page.get_by_role("button", name="Next rows").press("Enter")
    expect(page.get_by_label("how, row 51")).to_have_value("good 50")
    type_into(page.get_by_label("how, row 52"), "better")
    expect(page.get_by_text("Row 52 is chosen.")).to_be_visible()
    page.keyboard.press("Alt+Delete")
    expect(page.get_by_label("how, row 52")).to_have_value("good 52")
    expect(page.get_by_text("of 999.")).to_be_visible()


def test_everything_is_found_again_by_another_kernel(page, address):
    page.get_by_role("radio", name="structured").press("ArrowLeft")
    type_into(page.get_by_label("Prompt", exact=True), TEXT)
    expect(page.get_by_text("Without a value: {name}.")).to_be_visible()
    before = answer(page, 1).inner_text()
    open_studio(page, address)
    expect(page.get_by_label("Prompt", exact=True)).to_have_value(TEXT, timeout=2 * MINUTE)
    assert answer(page, 1).inner_text() == before
    expect(page.get_by_role("spinbutton", name="Responses")).to_have_value("2")
    page.get_by_role("radio", name="freeform").press("ArrowRight")
    expect(page.get_by_label("Input, row 1")).to_have_value("a book")
    expect(page.get_by_label("Context")).to_have_value("Is it {how}?")
    unfold(page, "Values")
    expect(page.get_by_text("of 999.")).to_be_visible()


def test_the_model_chooses_a_label_and_the_next_token_is_drawn(page):
    unfold(page, "Choose a label")
    type_into(page.get_by_label("Labels, one a line"), "good\nbad")
    page.get_by_label("Choose one of these labels instead of generating").press("Space")
    unfold(page, "Next token")
    expect(page.get_by_text("tokens kept")).to_be_visible(timeout=2 * MINUTE)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Chosen: ")).to_be_visible()
    expect(page.get_by_role("region", name="Labels")).to_contain_text("Compare measures")
    unfold(page, "Parameters")
    assert nameless(page, ".course-widget") == []
    shoot(page, "design_labels")
