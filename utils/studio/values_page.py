"""The table of values for a prompt's variables."""

from collections.abc import Callable, Sequence

import ipywidgets as widgets

from utils.errors import DataError
from utils.studio.fields_page import text_area
from utils.studio.prompt import Row
from utils.studio.values import read_values
from utils.widgets.table import TableEditor
from utils.widgets.view import button, fitted, paragraph, row, told_in

HOW = "Write {name} in the prompt: each name in braces is a column here."


class ValueFields:
    """A column for each variable, and for what has values of an earlier one; rows can be pasted or read from a file."""

    def __init__(self) -> None:
        self.variables: tuple[str, ...] = ()
        self.table = TableEditor("Values of the variables", ())
        self.message = widgets.HTML(paragraph(HOW), layout=widgets.Layout(min_height="20px"))
        self.pasted = text_area("A table (CSV, or copied from a spreadsheet)", rows=3)
        self.take_button = button("Replace the rows by this table")
        self.file = widgets.FileUpload(
            accept=".csv,.tsv,.txt", description="Read a file", multiple=False, layout=fitted()
        )
        self.take_button.on_click(lambda _button: self.take(self.pasted.value))
        self.file.observe(lambda change: self._read(change["new"]), names="value")
        self.view = widgets.VBox([self.message, self.table, self.pasted, row(self.take_button, self.file)])

    @property
    def rows(self) -> tuple[Row, ...]:
        """The values of each row that are there."""
        columns = self.table.columns
        return tuple(
            tuple((name, value) for name, value in zip(columns, cells, strict=False) if value)
            for cells in self.table.rows
        )

    @property
    def chosen(self) -> int:
        """The number of the row that is run, from 0; -1 where there is none."""
        return self.table.chosen

    def put(self, rows: Sequence[Row], variables: Sequence[str], *, chosen: int = 0) -> None:
        """Show rows of values for these variables."""
        self.variables = tuple(variables)
        found = [dict(each) for each in rows]
        names = dict.fromkeys([*variables, *(name for each in found for name, value in each.items() if value)])
        found = found or [{}] * bool(variables)
        self.table.chosen = chosen
        self.table.put([[each.get(name, "") for name in names] for each in found], columns=list(names))

    def show_variables(self, variables: Sequence[str]) -> None:
        """Let the columns be these variables, and all else that has values."""
        if tuple(variables) != self.variables:
            self.put(self.rows, variables, chosen=self.chosen)

    def take(self, text: str) -> None:
        """Replace the rows by those of a table; the ones before stay where it cannot be read."""
        with told_in(self.message):
            rows = read_values(text, self.variables)
            self.put(rows, self.variables)
            self.message.value = paragraph(f"{len(rows):,} row{'s' * (len(rows) != 1)} taken over.")
            self.pasted.value = ""

    def when_changed(self, call: Callable[[], None]) -> None:
        """Call a function after each change of a value, of the row chosen and of the table pasted."""
        self.table.when_changed(call)
        self.pasted.observe(lambda _change: call(), names="value")

    def _read(self, files: Sequence) -> None:
        with told_in(self.message):
            for file in files:
                try:
                    text = bytes(file.content).decode("utf-8-sig")
                except UnicodeDecodeError:
                    raise DataError(f"{file.name} is no text in UTF-8: save the table as CSV (UTF-8).") from None
                self.take(text)
        self.file.value = ()
