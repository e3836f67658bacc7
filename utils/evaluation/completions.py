"""Completions as they are scored: kept on disk, and cut to the line that answers."""

from collections.abc import Sequence
from typing import Any

from utils.arguments import texts
from utils.models.language_model import LanguageModel
from utils.storage.results import remembered


def complete(model: LanguageModel, prompts: Sequence[str], **config: Any) -> list[str]:
    """Return the completions of prompts (`model.generate`), kept on disk."""
    prompts = texts(prompts, "the prompts")
    question = {"complete": prompts, "model": model.fingerprint, "config": config}
    return remembered(question, lambda: model.generate(prompts, **config))


def first_line(completion: str) -> str:
    """Return the first line with text in it; a model without a stop goes on after its answer."""
    return next(iter(completion.strip().splitlines()), "").strip()
