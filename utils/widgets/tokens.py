"""The token viewer: text in, tokens out, with their ids and bytes, as one types."""

import html

import ipywidgets as widgets
import pandas as pd

from utils.characters import about_parts
from utils.models.language_model import LanguageModel
from utils.models.tokens import token_counts, token_table
from utils.widgets.picture import Picture
from utils.widgets.view import FULL_LABEL, WIDE, paragraph, show, told_in

SHOWN = 300
"""Tokens that have room in a page."""


class TokenViewer:
    """A box for a text, and its tokens below it.

    counts: `token_counts` of the text; table: `token_table` of its first tokens.
    """

    def __init__(self, model: LanguageModel, text: str) -> None:
        self.model = model
        self.counts, self.table = _read(model, text)
        self.text = widgets.Textarea(text, description="Text", rows=2, style=FULL_LABEL, layout=WIDE)
        self.message, self.picture = widgets.HTML(), Picture()
        self.text.observe(lambda _change: self.redraw(), names="value")
        self.redraw()

    @property
    def view(self) -> widgets.VBox:
        """The text above its counts and its tokens."""
        return widgets.VBox([self.text, self.message, self.picture])

    @property
    def said(self) -> str:
        """The counts in a sentence."""
        found = self.counts.iloc[0]
        ratio = f" ({found['tokens per word']:.2f} tokens per word)" if found["words"] else ""
        window = self.model.context_window
        too_long = f" The context window is {window:,} tokens: the model cannot read all of it."
        return (
            f"{_counted(found['tokens'], 'token')}, {_counted(found['words'], 'word')}{ratio}, "
            f"{_counted(found['characters'], 'character')}, {_counted(found['bytes'], 'byte')}."
            f"{too_long * bool(found['tokens'] > window)}"
        )

    def redraw(self) -> None:
        """Count and show the tokens of the text in the box."""
        self.picture.value = ""
        with told_in(self.message):
            self.counts, self.table = _read(self.model, self.text.value)
            self.message.value = paragraph(self.said)
            self.picture.value = tokens_html(self.table) + self._rest

    @property
    def _rest(self) -> str:
        left = int(self.counts["tokens"].iloc[0]) - len(self.table)
        return paragraph(f"{left:,} more tokens follow.") if left > 0 else ""


def token_viewer(model: LanguageModel, text: str) -> TokenViewer:
    """Show a text's tokens, which follow what is typed, and return the viewer. Raises EmptyPrompt, DataError."""
    made = TokenViewer(model, text)
    table = made.table.to_html(index_names=False)
    summary = paragraph(text) + paragraph(made.said) + table + paragraph("Run this cell to type another text.")
    show(made.view, summary=summary, text=f"A token viewer. {made.said}")
    return made


def tokens_html(table: pd.DataFrame) -> str:
    """Return a list of tokens, each with its id and its bytes; the sentence below it explains parts of characters."""
    tokens = "".join(_token(*row) for row in table[["token", "id", "bytes", "special"]].itertuples(index=False))
    parts = about_parts(table["token"])
    boxes = paragraph("Each box: a token, its id, and its bytes in hexadecimal.")
    return f'{boxes}<ol class="course-token-boxes" aria-label="Tokens">{tokens}</ol>{paragraph(parts) if parts else ""}'


def _token(token: str, number: int, written: str, special: bool) -> str:
    kind = ' class="course-special"' if special else ""
    below = "special" if special else written
    return f"<li{kind}><b>{html.escape(token)}</b> <span>{number}</span> <small>{below}</small></li>"


def _read(model: LanguageModel, text: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    return token_counts(model, {"text": text}), token_table(model, text, most=SHOWN)


def _counted(number: float, what: str) -> str:
    count = int(number)
    return f"{count:,} {what}{'s' * (count != 1)}"
