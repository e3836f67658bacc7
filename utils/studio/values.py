"""Values for a prompt's variables: read from a table, and put into the prompt."""

import csv
import io
from collections.abc import Sequence

from utils.errors import DataError
from utils.studio.prompt import Prompt, Row

DELIMITERS = ("\t", ";", ",")
"""What stands between two cells: the first of these that the first line has."""
LONGEST_CELL = 10_000_000
"""Characters; Python's own limit is lower."""


def read_values(text: str, variables: Sequence[str]) -> list[Row]:
    """Return the rows of a table as it is copied from a spreadsheet or written in a CSV file.

    A first line that names a variable names the columns; without it they are the variables in their order. Raises
    DataError.
    """
    csv.field_size_limit(LONGEST_CELL)
    text = text.lstrip("\ufeff")
    opening = text.partition("\n")[0]
    delimiter = next((each for each in DELIMITERS if each in opening), ",")
    try:
        lines = [line for line in csv.reader(io.StringIO(text), delimiter=delimiter) if any(map(str.strip, line))]
    except csv.Error as error:
        raise DataError(f"The table cannot be read ({error}): one row a line, texts in quotation marks.") from None
    if not lines:
        raise DataError("The table is empty: write one row a line.")
    named = set(map(str.strip, lines[0])) & set(variables)
    names = [name.strip() for name in lines[0]] if named else list(variables)
    rows = lines[1:] if named else lines
    if wrong := [n for n, line in enumerate(rows, 1) if len(line) > len(names)]:
        raise DataError(
            f"Row {wrong[0]:,} of the table has {len(rows[wrong[0] - 1])} cells and there are {len(names)} columns: "
            "put texts with a comma or a tab into quotation marks."
        )
    return [tuple(zip(names, line, strict=False)) for line in rows]


def values_of(prompt: Prompt, row: int) -> dict[str, str]:
    """Return the values of a prompt's row, from 0, by variable; none where there is no such row."""
    return {name: value for name, value in prompt.values[row] if value} if 0 <= row < len(prompt.values) else {}


def filled(prompt: Prompt, row: int) -> Prompt:
    """Return a prompt with one of its rows of values; a variable without a value stays as it stands."""
    return prompt.filled(values_of(prompt, row))


def unfilled(prompt: Prompt, row: int) -> list[str]:
    """Return the variables that have no value in a row."""
    values = values_of(prompt, row)
    return [name for name in prompt.variables if name not in values]
