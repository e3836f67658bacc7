"""A drawing in a place of fixed height (pixels), changed in the page as little as possible."""

from pathlib import Path

import anywidget
import ipywidgets as widgets
import traitlets

HERE = Path(__file__).parent


class Picture(anywidget.AnyWidget):
    """SVG or HTML in `value`; the page changes what differs from the value before."""

    _esm = HERE / "picture.js"

    value = traitlets.Unicode().tag(sync=True)

    def __init__(self, value: str = "", *, height: int):
        layout = widgets.Layout(height=f"{height}px", flex="0 0 auto", overflow="hidden")
        super().__init__(value=value, layout=layout)
