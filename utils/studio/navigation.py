"""The row of buttons that brings the studio's pages to front."""

from collections.abc import Callable
from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__).parent


class Navigation(anywidget.AnyWidget):
    """The names of all pages; value: the one in front."""

    _esm = HERE / "navigation.js"
    _css = HERE / "navigation.css"

    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    value = traitlets.Unicode().tag(sync=True)

    def when_chosen(self, call: Callable[[str], None]) -> None:
        """Call a function with the name of the page whose button was pressed."""
        self.on_msg(lambda _widget, content, _buffers: call(content["chosen"]) if "chosen" in content else None)
