"""Small tables that a notebook shows: long texts left-aligned and whole."""

import html
from collections.abc import Mapping
from dataclasses import dataclass

from utils.characters import about_parts

CELL = 'style="text-align: left; vertical-align: top; white-space: pre-wrap; padding: 4px 12px 4px 0"'


@dataclass(frozen=True)
class TextTable:
    """Rows of text under a heading for each column; parts of characters are explained below."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __repr__(self) -> str:
        return "\n".join(" | ".join(row) for row in (self.columns, *self.rows))

    def _repr_html_(self) -> str:
        head = "".join(f"<th {CELL}>{html.escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td {CELL}>{html.escape(text)}</td>" for text in row) + "</tr>" for row in self.rows
        )
        parts = about_parts(text for row in self.rows for text in row)
        note = f'<p style="margin: 0">{html.escape(parts)}</p>' if parts else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}"


def texts(rows: Mapping[str, str], *, columns: tuple[str, str]) -> TextTable:
    """Return a table with a row for each name and its text, shown to the last word."""
    return TextTable(columns, tuple((name, text) for name, text in rows.items()))
