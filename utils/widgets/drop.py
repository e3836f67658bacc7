"""A place for a file that is dropped: the whole box that this stands in."""

from collections.abc import Callable
from pathlib import Path

import anywidget

HERE = Path(__file__).parent


class Drop(anywidget.AnyWidget):
    """Calls a function with the name and the content of a file that is dropped on the box."""

    _esm = HERE / "drop.js"

    def __init__(self, take: Callable[[str, bytes], None]) -> None:
        super().__init__()
        self.layout.display = "none"
        self.on_msg(lambda _widget, content, buffers: take(content["dropped"], bytes(buffers[0])))
