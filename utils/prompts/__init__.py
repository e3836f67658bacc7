"""Prompts: templates, examples, and what they take of the context window."""

from utils.prompts.budget import TokenBudget, token_budget
from utils.prompts.templates import (
    DIALOGUES,
    PLAIN,
    REVIEWS,
    ChatTemplate,
    Example,
    PlainTemplate,
    Template,
    build_prompt,
)

__all__ = [
    "DIALOGUES",
    "PLAIN",
    "REVIEWS",
    "ChatTemplate",
    "Example",
    "PlainTemplate",
    "Template",
    "TokenBudget",
    "build_prompt",
    "token_budget",
]
