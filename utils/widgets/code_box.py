"""Code to take away: it stands as it is, and a button copies it."""

from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__).parent


class CodeBox(anywidget.AnyWidget):
    """A text in a box that scrolls by itself, with a button "Copy" that says when it has copied.

    code: the text; label: its accessible name, such as "Python with transformers".
    """

    _esm = HERE / "code_box.js"
    _css = HERE / "code_box.css"

    code = traitlets.Unicode().tag(sync=True)
    label = traitlets.Unicode("Code").tag(sync=True)
