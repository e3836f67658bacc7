"""What is wrong with a page as a reader would see it: text cut or broken, controls out of view, pictures that mislead."""

from pathlib import Path

from playwright.sync_api import Locator

SOURCE = (Path(__file__).parent / "checks.js").read_text()
LAID_OUT = ("cut", "broken", "small", "covered", "scrolled")
"""Checks of the layout, which a size may break."""


def found(part: Locator, *checks: str) -> list[str]:
    """Return what checks find in a part of a page, a sentence each."""
    return part.evaluate(f"(part, checks) => {SOURCE}.look(part, checks)", checks)


def walked(panel: Locator, *checks: str) -> list[str]:
    """Return what checks find in each cell of a notebook."""
    return panel.evaluate(f"(panel, checks) => {SOURCE}.walk(panel, checks)", checks)
