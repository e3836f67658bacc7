"""A conversation as one string, in the form that a model was trained on, or in plain words where there is none."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

NO_CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message.role | capitalize }}: {{ message.content }}\n\n{% endfor %}Assistant: "
)
"""How a conversation is written for a model that was not trained on any."""


def chat_prompt(tokenizer: "PreTrainedTokenizerBase", turns: Sequence[dict[str, str]]) -> str:
    """Return a conversation up to where the assistant's answer begins; a sentence says where there is no template.

    turns: dictionaries with role, "user" or "assistant", and content.
    """
    say_where_none(tokenizer)
    return conversation(tokenizer, turns)


def conversation(tokenizer: "PreTrainedTokenizerBase", turns: Sequence[dict[str, str]]) -> str:
    """Return `chat_prompt` without a word; a tokenizer without a chat template gets the words User and Assistant."""
    template = None if tokenizer.chat_template else NO_CHAT_TEMPLATE
    prompt = tokenizer.apply_chat_template(
        list(turns), tokenize=False, add_generation_prompt=True, chat_template=template
    )
    return str(prompt)


def say_where_none(tokenizer: "PreTrainedTokenizerBase") -> None:
    """Print that a tokenizer has no chat template, and what is used instead."""
    if not tokenizer.chat_template:
        print("This model has no chat template: the words User and Assistant mark the turns instead.")
