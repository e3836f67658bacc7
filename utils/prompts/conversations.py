"""A conversation as one string, in the form that a model was trained on, or in plain words where there is none."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from utils.arguments import a_list, texts
from utils.errors import DataError, short_reason

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

NO_CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message.role | capitalize }}: {{ message.content }}\n\n{% endfor %}Assistant: "
)
"""How a conversation is written for a model that was not trained on any."""


def chat_prompt(tokenizer: "PreTrainedTokenizerBase", turns: Sequence[dict[str, str]]) -> str:
    """Return a conversation up to where the assistant's answer begins; a sentence says where there is no template.

    turns: dictionaries with role, "user" or "assistant", and content. Raises DataError for anything else, and for
    turns that the model's template refuses.
    """
    turns = _checked(turns)
    say_where_none(tokenizer)
    return conversation(tokenizer, turns)


def conversation(tokenizer: "PreTrainedTokenizerBase", turns: Sequence[dict[str, str]]) -> str:
    """Return `chat_prompt` without a word; a tokenizer without a chat template gets the words User and Assistant."""
    template = None if tokenizer.chat_template else NO_CHAT_TEMPLATE
    try:
        prompt = tokenizer.apply_chat_template(
            list(turns), tokenize=False, add_generation_prompt=True, chat_template=template
        )
    except Exception as error:  # a template raises what its author chose
        raise DataError(
            f"The model's chat template refuses these turns ({short_reason(error)}): let user and assistant "
            "take turns, beginning and ending with the user."
        ) from None
    return str(prompt)


def say_where_none(tokenizer: "PreTrainedTokenizerBase") -> None:
    """Print that a tokenizer has no chat template, and what is used instead."""
    if not tokenizer.chat_template:
        print("This model has no chat template: the words User and Assistant mark the turns instead.")


def _checked(turns: Any) -> list[dict[str, str]]:
    found = a_list(turns, "the turns")
    for n, turn in enumerate(found, 1):
        if not isinstance(turn, Mapping) or not {"role", "content"} <= turn.keys():
            raise DataError(f"Turn {n} is {turn!r:.80}: give a dictionary with `role` and `content`.")
        texts([turn["role"], turn["content"]], f"role and content of turn {n}")
    return found
