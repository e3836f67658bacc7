"""The reflection cards in JupyterLab: by keyboard alone, and from an answer to the cell that shows it."""

from playwright.sync_api import expect

CELL = """
import os
import tempfile
from pathlib import Path

os.environ["COURSE_PROGRESS"] = "off"

from utils.studio.studio import Studio
from utils.studio.reflection_page import ReflectionPage
from utils.studio.workspace import Workspace

page = ReflectionPage(Studio(Workspace(Path(tempfile.mkdtemp()))))
page.view
"""
PATIENCE = 90_000


def test_a_card_is_answered_by_keyboard_and_its_link_opens_the_cell(show_widget):
    page = show_widget(CELL)
    show = page.get_by_role("button", name="Show the answer")
    show.focus(timeout=PATIENCE)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Again: in 1 minute")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Good: it comes again in 10 minutes.")).to_be_visible()
    expect(show).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="A program that continues text").click(timeout=PATIENCE)
    cell = page.locator(".jp-Notebook .jp-Cell").filter(has_text="To use a model is called inference")
    expect(cell.first).to_be_in_viewport()
