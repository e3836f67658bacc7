"""The loss mask before training: which tokens of a record the loss counts."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

from utils.datasets.records import TextToText
from utils.models.language_model import LanguageModel
from utils.models.tokens import token_text
from utils.training.records import encode

ENDS_SHOWN = 20
"""Tokens of a long prompt that are shown at its beginning, and again at its end."""

TOKEN = "display: inline-block; white-space: pre; margin: 1px; padding: 0 2px; border-radius: 2px; line-height: 1.5"
LEFT_OUT = f"{TOKEN}; color: var(--jp-ui-font-color2, #555); border: 1px dotted var(--jp-border-color1, #888)"
COUNTED = (
    f"{TOKEN}; font-weight: 700; text-decoration: underline; color: var(--jp-ui-font-color1, #222); "
    "background: rgba(0, 114, 178, 0.28); border: 1px solid #0072B2"
)
"""One look for light and dark themes: the tint lets the theme's background through."""


@dataclass(frozen=True)
class LossMask:
    """The tokens of one record as text: the prompt's, left out of the loss, and the completion's, counted."""

    prompt: tuple[str, ...]
    completion: tuple[str, ...]

    @property
    def legend(self) -> str:
        """What is counted, in words."""
        return (
            f"Dotted: {len(self.prompt)} prompt tokens, read but left out of the loss. Bold and underlined: "
            f"{len(self.completion)} completion tokens that the loss counts, the end mark last."
        )

    def __repr__(self) -> str:
        counted = "".join(f"[{token}]" for token in self.completion)
        return f"{len(self.prompt)} prompt tokens left out, {len(self.completion)} tokens counted: {counted}"

    def _repr_html_(self) -> str:
        start, left_out, end = _ends(self.prompt)
        gap = f" <em>... {left_out} tokens ...</em> " if left_out else ""
        tokens = f"{_spans(start, LEFT_OUT)}{gap}{_spans(end, LEFT_OUT)}{_spans(self.completion, COUNTED)}"
        return f"<div><p>{html.escape(self.legend)}</p><p>{tokens}</p></div>"


def loss_mask(model: LanguageModel, record: TextToText) -> LossMask:
    """Return which tokens of a record the loss counts. Raises EmptyPrompt."""
    encoded = encode(model, record)
    return LossMask(_texts(model, encoded.prompt), _texts(model, encoded.completion))


def _texts(model: LanguageModel, ids: Sequence[int]) -> tuple[str, ...]:
    """Return each token as it stands in the text, line breaks and lone bytes made visible."""
    return tuple(_shown(model, token) for token in ids)


def _shown(model: LanguageModel, token: int) -> str:
    text = token_text(model.tokenizer, token)
    return text.replace("\n", "\N{RETURN SYMBOL}").replace("\t", "\N{RIGHTWARDS ARROW TO BAR}")


def _ends(tokens: tuple[str, ...]) -> tuple[tuple[str, ...], int, tuple[str, ...]]:
    """Return the first and the last tokens and how many between them are not shown."""
    if len(tokens) <= 2 * ENDS_SHOWN:
        return tokens, 0, ()
    return tokens[:ENDS_SHOWN], len(tokens) - 2 * ENDS_SHOWN, tokens[-ENDS_SHOWN:]


def _spans(tokens: Sequence[str], style: str) -> str:
    return "".join(f'<span style="{style}">{html.escape(token)}</span>' for token in tokens)
