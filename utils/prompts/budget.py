"""What a prompt costs: how a context window is shared out, in tokens."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.arguments import whole_number

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

    def __str__(self) -> str:
        taken = f"{self.prompt:,} tokens of prompt and at most {self.completion:,} of completion"
        return f"{taken}, out of a context window of {self.window:,}."


def token_budget(model: "LanguageModel", prompt: str, *, max_new_tokens: int) -> TokenBudget:
    """Return what a prompt and the longest completion take of the context window. Raises UnsupportedSetting."""
    completion = whole_number(max_new_tokens, "max new tokens is a whole number, 1 or more", least=1)
    return TokenBudget(model.count_tokens(prompt), completion, model.context_window)
