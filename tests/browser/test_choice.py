"""A choice in a real page: what a hand chose before the kernel's new options came is what the kernel takes."""

from playwright.sync_api import expect

from tests.browser.page import at_size, nameless, shoot

CELL = """
import time
import ipywidgets as widgets
from utils.widgets.choice import Choice
from utils.widgets.view import button, paragraph, row, show

version, cards = Choice("Version", ["nothing", "1"]), Choice("Cards", [f"card {n}" for n in range(9)], rows=4)
said, save = widgets.HTML(), button("Save")

def tell(_change=None):
    said.value = paragraph(f"chosen: {version.value}, {cards.value}")

def after_a_while(_button):
    time.sleep(2)
    version.offer(["nothing", "3", "2", "1"])
    cards.offer(["a new card", *cards.options])
    said.value = paragraph("Saved.")

save.on_click(after_a_while)
for choice in (version, cards):
    choice.observe(tell, names="value")
show(widgets.VBox([row(version, save), cards, said]), summary="<p>Run this cell.</p>", text="Run this cell.")
"""


def test_what_was_chosen_while_the_options_changed_is_what_was_read(show_widget):
    page = show_widget(CELL)
    version, cards = (page.get_by_label(name, exact=True) for name in ("Version", "Cards"))
    expect(version.locator("option")).to_have_text(["nothing", "1"])
    page.get_by_role("button", name="Save", exact=True).click()
    version.select_option("1")
    cards.focus()
    for _ in range(5):
        page.keyboard.press("ArrowDown")
    expect(cards).to_have_value("card 5")
    expect(version.locator("option")).to_have_text(["nothing", "3", "2", "1"])
    expect(page.get_by_text("chosen: 1, card 5")).to_be_visible()
    expect(version).to_have_value("1")
    expect(cards).to_have_value("card 5")
    expect(cards).to_be_focused()
    assert nameless(page, ".course-widget") == []
    for width in (1280, 700):
        at_size(page, (width, 720))
        shoot(page, f"choice_{width}")
