"""A drawing in a place of fixed height, changed in the page as little as possible."""

from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__).parent


class Picture(anywidget.AnyWidget):
    """SVG or HTML in `value`; the page changes what differs from the value before. height: in CSS units."""

    _esm = HERE / "picture.js"

    value = traitlets.Unicode().tag(sync=True)
    height = traitlets.Unicode("auto").tag(sync=True)
