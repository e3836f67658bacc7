"""Prompts: templates, examples, and what they take of the context window."""

from utils.prompts.budget import TokenBudget, token_budget
from utils.prompts.conversations import chat_prompt
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
    "chat_prompt",
    "token_budget",
]
