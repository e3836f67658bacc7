"""A table that is edited in the page: rows are added, changed, moved, deleted, and pasted from a spreadsheet."""

from collections.abc import Callable, Sequence
from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__).parent


class TableEditor(anywidget.AnyWidget):
    """Rows of texts under named columns.

    label: its accessible name. chosen: the row that the hand is at, from 0; -1 in a table without rows. The page shows
    fifty rows at a time.
    """

    _esm = HERE / "table.js"
    _css = HERE / "table.css"

    label = traitlets.Unicode().tag(sync=True)
    columns = traitlets.List(traitlets.Unicode()).tag(sync=True)
    rows = traitlets.List(traitlets.List(traitlets.Unicode())).tag(sync=True, echo_update=False)
    chosen = traitlets.Int(-1).tag(sync=True, echo_update=False)

    def __init__(self, label: str, columns: Sequence[str], rows: Sequence[Sequence[str]] = ()) -> None:
        super().__init__(label=label, columns=list(columns))
        self.put(rows)

    def put(self, rows: Sequence[Sequence[str]], *, columns: Sequence[str] | None = None) -> None:
        """Show other rows, and other columns where they are given."""
        with self.hold_sync():
            if columns is not None:
                self.columns = list(columns)
            self.rows = [list(row) for row in rows]
            self.chosen = min(max(self.chosen, 0), len(self.rows) - 1)

    def when_changed(self, call: Callable[[], None]) -> None:
        """Call a function after each change of a text or of the rows' order or number, and of the row chosen."""
        self.observe(lambda _change: call(), names=["rows", "chosen"])
