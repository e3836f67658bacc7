"""Completions as they are scored: kept on disk, and cut to the line that answers."""

from collections.abc import Sequence
from typing import Any

from utils.models.language_model import LanguageModel


def complete(model: LanguageModel, prompts: Sequence[str], **config: Any) -> list[str]:
    """Return the completions of prompts (`model.generate`), each kept on disk as it comes."""
    return model.kept_completions(prompts, **config)


def first_line(completion: str) -> str:
    """Return the first line with text in it; a model without a stop goes on after its answer."""
    return next(iter(completion.strip().splitlines()), "").strip()
