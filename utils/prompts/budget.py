"""What a prompt costs: how a context window is shared out, in tokens."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from utils.models.language_model import LanguageModel


@dataclass(frozen=True)
class TokenBudget:
    """How a context window is shared out, in tokens."""

    prompt: int
    completion: int
    window: int

    @property
    def free(self) -> int:
        """Tokens left over; negative when prompt and completion do not fit."""
        return self.window - self.prompt - self.completion


def token_budget(model: "LanguageModel", prompt: str, *, max_new_tokens: int) -> TokenBudget:
    """Return what a prompt and the longest completion asked for take of the context window."""
    return TokenBudget(model.count_tokens(prompt), max_new_tokens, model.context_window)
