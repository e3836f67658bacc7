"""An endpoint's log in a real page: a new line takes neither the focus nor the place that is read."""

from playwright.sync_api import expect

CELL = """
import ipywidgets as widgets

from utils.studio.actions_page import Actions
from utils.studio.endpoint_page import Served
from utils.studio.traffic import Snapshot

served = Served(Actions(), look=lambda: None, open=print, seconds=2.0)
lines = [f"line {n}" for n in range(30)]
served.show(Snapshot("ended", log=lines))
more = widgets.Button(description="More")
more.on_click(lambda _button: served.show(Snapshot("ended", log=[*lines, "the newest"])))
widgets.VBox([more, served.view])
"""
PATIENCE = 90_000


def test_a_new_line_leaves_focus_and_place_as_they_are(show_widget):
    page = show_widget(CELL)
    log = page.get_by_role("region", name="The endpoint's log")
    log.focus(timeout=PATIENCE)
    log.evaluate("box => box.scrollTop = 100")
    page.get_by_role("button", name="More").evaluate("button => button.click()")
    expect(log).to_contain_text("the newest", timeout=PATIENCE)
    expect(log).to_be_focused()
    assert log.evaluate("box => box.scrollTop") == 100
    assert log.inner_text().split("\n")[0] == "the newest"
