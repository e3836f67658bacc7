"""What a snippet of code is made of and what it says; values as Python writes them."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from utils.studio.prompt import Prompt

if TYPE_CHECKING:
    from utils.models.language_model import LanguageModel

LINE = 100
"""Characters of a line above which a list or a dictionary is written in several."""


@dataclass(frozen=True)
class Endpoint:
    """Where code asks: url, such as "http://127.0.0.1:8000/v1", and the model's name there."""

    url: str
    model: str

    @property
    def predict(self) -> str:
        """The address of Vertex's `predict` for this model."""
        return f"{self.url}/endpoints/{quote(self.model, safe='/@')}:predict"


@dataclass(frozen=True)
class Asked:
    """What code shall ask. load: returns the prompt's own model; it is called only where that is needed."""

    prompt: Prompt
    load: "Callable[[], LanguageModel]" = field(repr=False)
    endpoint: Endpoint


@dataclass(frozen=True)
class Snippet:
    """Code, the name of a file for it, the command that runs it, and how its answer compares with the studio's."""

    code: str
    file: str
    run: str
    said: str


def literal(value: Any, *, indent: int = 0) -> str:
    """Return a value of texts, numbers, lists and dictionaries as Python that reads as the same value.

    A text of several lines, and what is longer than a line, stands in several. indent: spaces before these.
    """
    inner, outer = " " * (indent + 4), " " * indent
    if isinstance(value, str):
        lines = re.findall(r"[^\n]*\n|[^\n]+", value)
        return repr(value) if len(lines) < 2 else "(\n" + "".join(f"{inner}{line!r}\n" for line in lines) + f"{outer})"
    if isinstance(value, list):
        brackets, items = "[]", [literal(item, indent=indent + 4) for item in value]
    elif isinstance(value, dict):
        brackets, items = "{}", [f"{name!r}: {literal(item, indent=indent + 4)}" for name, item in value.items()]
    else:
        return repr(value)
    one_line = f"{brackets[0]}{', '.join(items)}{brackets[1]}"
    if len(one_line) + indent <= LINE and "\n" not in one_line:
        return one_line
    return f"{brackets[0]}\n" + "".join(f"{inner}{item},\n" for item in items) + f"{outer}{brackets[1]}"
