"""What is wrong with a page as a reader sees it: text cut or broken, controls out of view, pictures that mislead."""

from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.browser.page import PANEL, SIZES, at_size, in_theme, run_by_hand, shoot

SOURCE = (Path(__file__).parent / "checks.js").read_text()
OF_LAYOUT = ("cut", "broken", "small", "covered", "scrolled")
"""Checks of what a size may break; a theme does not."""
LOOKS = 10
"""How often, one and a half seconds apart, a page is looked at until all is in view."""
OF_CONTENT = ("faint", "contradicted", "red")


def found(part: Locator, *checks: str) -> list[str]:
    """Return what checks find in a part of a page, a sentence each."""
    return part.evaluate(f"(part, checks) => {SOURCE}.look(part, checks)", checks)


def walked(page: Page, *checks: str) -> list[str]:
    """Return what checks find in each cell of the notebook in front, read from its first cell to its last."""
    return page.locator(PANEL).evaluate(f"(panel, checks) => {SOURCE}.walk(panel, checks)", checks)


def faults(page: Page) -> list[str]:
    """Return what is wrong with the notebook in front in any of the sizes and themes, each fault once."""
    said: dict[str, str] = {}
    for where, checks in looks(page):
        for sentence in walked(page, *checks):
            said.setdefault(sentence, f"{where}, {sentence}")
    return list(said.values())


def looks(page: Page) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Show a page in each size, then in the dark; yields a name of the look and the checks that it is worth.

    What a theme changes does not depend on the size.
    """
    for size in SIZES:
        at_size(page, size)
        yield f"{size[0]} px", (*OF_LAYOUT, *OF_CONTENT)
    in_theme(page, "Dark")
    yield "in the dark", OF_CONTENT
    in_theme(page, "Light")
    at_size(page, SIZES[0])


def out_of_view(page: Page, name: str) -> list[str]:
    """Run each cell that shows a widget, by hand; return which controls and pictures are then out of view."""
    numbers = page.locator(PANEL).evaluate(f"panel => {SOURCE}.widgets(panel)")
    return [sentence for number in numbers for sentence in _after_running(page, number, name)]


def _after_running(page: Page, number: int, name: str) -> list[str]:
    """Once in some hundred runs JupyterLab itself jumps to the notebook's top: what is so twice is the widget's."""
    return _once_run(page, number, name) and _once_run(page, number, name)


def _once_run(page: Page, number: int, name: str) -> list[str]:
    cell = page.locator(f".jp-Cell[data-windowed-list-index='{number}']")
    run_by_hand(cell)
    expect(cell.locator(".jupyter-widgets").first).to_be_visible()
    for _ in range(LOOKS):
        page.wait_for_timeout(1500)
        outside = found(cell.locator(".jp-OutputArea").first, "outside")
        if not outside:
            break
    shoot(page, f"{name}_{number}_after_running")
    return [f"cell {number}: {sentence}" for sentence in outside]
