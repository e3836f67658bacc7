"""The settings of decoding: how the next token is chosen, and when a completion ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from utils.arguments import a_list, number, whole_number
from utils.errors import UnsupportedSetting

MAX_NEW_TOKENS = 50

Order = Literal["transformers", "studio"]
ORDERS: dict[str, tuple[str, ...]] = {
    "transformers": ("repetition penalty", "temperature", "top-k", "top-p", "min-p"),
    "studio": ("repetition penalty", "top-k", "top-p", "min-p", "temperature"),
}
"""The order of the steps in the library transformers, and as the studio of Vertex AI documents it."""


@dataclass(frozen=True)
class DecodingConfig:
    """How the next token is chosen, and when a completion ends.

    temperature: 0 is greedy, 1 leaves the model's probabilities. top_k: 0 keeps every
    token. top_p, min_p: 0 to 1; 1 and 0 keep every token. repetition_penalty: above 0; 1 is
    off. order: "transformers" or "studio". max_new_tokens: 1 or more. stop: strings before which a
    completion ends, found in the completion alone, special tokens' names among them. This is
    the one place that checks these settings. Raises UnsupportedSetting.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    order: Order = "transformers"
    seed: int = 0
    max_new_tokens: int = MAX_NEW_TOKENS
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        checked = {
            "temperature": number(self.temperature, "temperature is 0 (greedy) or more", least=0),
            "top_k": whole_number(self.top_k, "top-k is a whole number, 0 (off) or more", least=0),
            "top_p": number(self.top_p, "top-p lies between 0 and 1 (off)", least=0, most=1),
            "min_p": number(self.min_p, "min-p lies between 0 (off) and 1", least=0, most=1),
            "repetition_penalty": number(
                self.repetition_penalty, "repetition penalty lies between 0.01 and 100 (1 is off)", least=0.01, most=100
            ),
            "seed": check_seed(self.seed),
            "max_new_tokens": whole_number(self.max_new_tokens, "max new tokens is a whole number, 1 or more", least=1),
            "stop": _stop(self.stop),
        }
        if self.order not in ORDERS:
            raise UnsupportedSetting(f"Order is one of {', '.join(ORDERS)}; {self.order!r} was given.")
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def sampling(self) -> dict[str, Any]:
        """The settings that `reshape` and `stages` take."""
        names = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "order")
        return {name: getattr(self, name) for name in names}


def check_seed(seed: Any) -> int:
    """Return a seed as an int: any whole number of at most 100 digits. Raises UnsupportedSetting."""
    found = whole_number(seed, "a seed is a whole number")
    return whole_number(found, "a seed has 100 digits at most", least=-(10**100), most=10**100)


def check_seeds(seeds: Any) -> list[int]:
    """Return a list of seeds, each as `check_seed` does. Raises UnsupportedSetting, DataError for what is no list."""
    return [check_seed(seed) for seed in a_list(seeds, "seeds")]


def _stop(stop: Sequence[str]) -> tuple[str, ...]:
    rule = "Stop is a tuple of strings, none of them empty"
    if isinstance(stop, str) or not isinstance(stop, Sequence):
        raise UnsupportedSetting(f"{rule}; {stop!r} was given.")
    if not all(isinstance(text, str) and text for text in stop):
        raise UnsupportedSetting(f"{rule}; {stop!r} was given.")
    return tuple(stop)
