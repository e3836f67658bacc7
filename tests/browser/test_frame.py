"""What frames every widget, in a real page: a kernel that is gone is told, and what was run stays in view."""

import re

import nbformat
from playwright.sync_api import Locator, Page, expect

from tests.browser.page import press, save, shoot
from utils.authoring import KERNEL

WIDGET = """
import asyncio
import sys
from types import ModuleType
import ipywidgets as widgets
import utils

sys.modules["utils.widgets"] = ModuleType("utils.widgets")
sys.modules["utils.widgets"].__path__ = [f"{utils.__path__[0]}/widgets"]
from utils.widgets.picture import Picture
from utils.widgets.slider import temperature_slider
from utils.widgets.view import paragraph, show

slider, said, picture = temperature_slider(), widgets.HTML(), Picture()
slider.when_moved(lambda: setattr(said, "value", paragraph(f"The kernel heard {slider.value}.")))
show(widgets.VBox([slider, said, picture]), summary="<p>Run this cell.</p>", text="Run this cell.")
"""
"""A widget of the course's parts, without the face of `utils.widgets`, which imports torch: many kernels run this."""
DRAWN_LATE = """
async def draw():
    await asyncio.sleep({seconds})
    picture.value = '<svg role="img" aria-label="drawn late" width="300" height="{height}"></svg>'

task = asyncio.get_running_loop().create_task(draw())
"""
DIES = "import os\nos._exit(1)"
TEXT = "A line of text.\n\n" * 20
GONE = re.compile("This widget is off: its kernel was restarted or has ended. Run the notebook from the top")


def write_notebook(folder, name: str, cells: list[str]) -> str:
    """Write a notebook of code, and of text where a cell is `TEXT`; return its name."""
    made = [
        nbformat.v4.new_markdown_cell(source) if source == TEXT else nbformat.v4.new_code_cell(source.strip())
        for source in cells
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=made, metadata=KERNEL), folder / f"{name}.ipynb")
    return f"{name}.ipynb"


def cell(page: Page, number: int) -> Locator:
    return page.locator(".jp-Notebook .jp-Cell").nth(number)


def run_cell(page: Page, number: int) -> None:
    """Run a cell and stay there."""
    cell(page, number).locator(".cm-content").click()
    page.keyboard.press("Control+Enter")


def choose(page: Page, menu: str, item: str) -> None:
    page.get_by_role("menuitem", name=menu, exact=True).click()
    page.get_by_role("menuitem", name=re.compile(f"^{item}")).first.click()


def hears(page: Page, times: int) -> None:
    """The slider's steps, from where it stands, reach the kernel, and its answer the page."""
    slider = page.get_by_role("slider", name="Temperature")
    expect(slider).to_be_visible(timeout=240_000)
    expect(page.get_by_role("alert").filter(has_text=GONE)).to_have_count(0)
    reached = float(slider.get_attribute("aria-valuetext") or "nan") + 0.05 * times
    press(slider, "ArrowRight", times)
    expect(page.get_by_text(f"The kernel heard {reached:g}.")).to_be_visible()


def is_off(page: Page) -> None:
    """The widget says why it is off, and no hand moves it."""
    notice = page.get_by_role("alert").filter(has_text=GONE)
    expect(notice).to_be_visible(timeout=120_000)
    slider = page.locator(".course-slider input[type=range]")
    before = slider.get_attribute("aria-valuetext")
    slider.evaluate("slider => slider.focus()")
    page.keyboard.press("ArrowRight")
    assert slider.evaluate("slider => document.activeElement !== slider && !!slider.closest('[inert]')")
    assert slider.get_attribute("aria-valuetext") == before
    assert float(page.locator(".course-off > .widget-vbox").evaluate("box => getComputedStyle(box).opacity")) < 0.6


def test_a_widget_says_when_its_kernel_is_gone_and_lives_again_when_it_is_run(open_notebook, folder):
    page = open_notebook(write_notebook(folder, "gone", [WIDGET, DIES]))
    page.set_viewport_size({"width": 1280, "height": 720})
    run_cell(page, 0)
    hears(page, 1)
    cell(page, 1).click()
    save(page, folder / "gone.ipynb")
    page.reload()
    hears(page, 2)

    choose(page, "Kernel", "Restart Kernel…")
    page.locator(".jp-Dialog").get_by_role("button", name="Confirm Kernel Restart").click()
    is_off(page)
    shoot(page, "frame_restarted")
    run_cell(page, 0)
    hears(page, 1)

    run_cell(page, 1)
    page.locator(".jp-Dialog").get_by_role("button", name="Ok").click(timeout=120_000)
    is_off(page)
    expect(page.get_by_text("| Idle")).to_be_visible(timeout=120_000)
    run_cell(page, 0)
    hears(page, 1)

    choose(page, "Kernel", "Shut Down Kernel")
    is_off(page)


def test_a_widget_whose_cell_was_run_is_in_view_until_a_hand_moves_the_page(open_notebook, folder):
    tall = WIDGET + DRAWN_LATE.format(height=400, seconds=1.5)
    high = WIDGET + DRAWN_LATE.format(height=900, seconds=7)
    page = open_notebook(write_notebook(folder, "in_view", [TEXT, "1 + 1", TEXT, tall, TEXT, high, TEXT, TEXT]))
    page.set_viewport_size({"width": 1280, "height": 720})
    cell(page, 0).click()
    for _ in range(4):
        page.keyboard.press("Shift+Enter")
    widget, drawn = (cell(page, 3).locator(part) for part in (".course-widget", "svg[aria-label='drawn late']"))
    expect(drawn).to_be_visible(timeout=240_000)
    expect(widget).to_be_in_viewport(ratio=1)
    shoot(page, "frame_in_view")
    cell(page, 2).hover()
    page.mouse.wheel(0, 2000)
    page.wait_for_timeout(500)
    expect(widget).not_to_be_in_viewport()

    cell(page, 5).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    expect(cell(page, 5).locator("svg[aria-label='drawn late']")).to_be_visible(timeout=30_000)
    page.wait_for_timeout(500)
    top = "box => box.getBoundingClientRect().top - box.closest('.jp-WindowedPanel-outer').getBoundingClientRect().top"
    assert 0 <= cell(page, 5).locator(".course-widget").evaluate(top) < 2, "a widget higher than the view shows its top"

    choose(page, "Run", "Run All Cells")
    page.wait_for_timeout(4000)
    expect(cell(page, 7)).to_be_in_viewport()
    expect(cell(page, 3).locator(".course-widget")).not_to_be_in_viewport()
