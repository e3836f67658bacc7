"""Keys that do something wherever in a widget the focus is."""

from collections.abc import Callable, Mapping
from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__).parent


class Keys(anywidget.AnyWidget):
    """Calls a function when its keys are pressed in the box that this stands in.

    acts: by keys as a page names them, with Control+ before a key that is held down with Control, or Command on a Mac.
    """

    _esm = HERE / "keys.js"

    heard = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(self, acts: Mapping[str, Callable[[], None]]) -> None:
        super().__init__(heard=list(acts))
        self.layout.display = "none"
        self.on_msg(lambda _widget, content, _buffers: acts[content["pressed"]]())
