"""A box for an answer that is given once, with the button that gives it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

HERE = Path(__file__).parent


class Entry(anywidget.AnyWidget):
    """A box and a button; the button, or Enter in the box, hands over what stands in the box at that moment."""

    _esm = HERE / "entry.js"
    _css = HERE / "entry.css"

    label = traitlets.Unicode().tag(sync=True)
    button = traitlets.Unicode().tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)

    def when_committed(self, call: Callable[[str], Any]) -> None:
        """Call a function with what was typed."""
        self.on_msg(lambda _entry, content, _buffers: call(content["committed"]) if "committed" in content else None)

    def when_typed(self, call: Callable[[], Any]) -> None:
        """Call a function at every change in the box."""
        self.on_msg(lambda _entry, content, _buffers: call() if "typed" in content else None)
