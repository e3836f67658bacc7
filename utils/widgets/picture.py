"""A drawing in a place of fixed height (pixels), changed in the page as little as possible."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import anywidget
import ipywidgets as widgets
import traitlets

HERE = Path(__file__).parent
LONGEST = 60
"""Characters of a prompt that is quoted over a picture."""


class Picture(anywidget.AnyWidget):
    """SVG or HTML in `value`; the page changes what differs from the value before.

    old: what the drawing belongs to, once that is no longer what was asked for; it stands over
    the greyed drawing. Empty: the drawing is current.
    """

    _esm = HERE / "picture.js"
    _css = HERE / "picture.css"

    value = traitlets.Unicode().tag(sync=True)
    old = traitlets.Unicode().tag(sync=True)

    def __init__(self, value: str = "", *, height: int | None = None):
        """height: None for a place that grows with what stands in it."""
        place = {"height": f"{height}px", "overflow": "hidden"} if height else {}
        super().__init__(value=value, layout=widgets.Layout(flex="0 0 auto", **place))
        if not height:
            self.add_class("course-flowing")

    @contextmanager
    def or_old(self, said: str) -> Generator[None]:
        """Mark the drawing as old, in these words, if what draws it anew raises; else it is current."""
        try:
            yield
        except BaseException:
            self.old = said
            raise
        self.old = ""


def old_prompt(prompt: str) -> str:
    """Return what stands over a drawing whose prompt is no longer the one in the box."""
    return f"Old: this picture belongs to the prompt '{short(prompt)}'."


def short(prompt: str) -> str:
    """Return a prompt as a line quotes it: in one line, its end left out where it is long."""
    words = " ".join(prompt.split())
    return words if len(words) <= LONGEST else words[:LONGEST] + "…"
