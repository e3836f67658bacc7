"""The settings of decoding: how the next token is chosen, and when a completion ends."""

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal

from utils.errors import UnsupportedSetting
from utils.models.language_model import MAX_NEW_TOKENS

Order = Literal["hf", "vertex"]
ORDERS: dict[str, tuple[str, ...]] = {
    "hf": ("repetition penalty", "temperature", "top-k", "top-p", "min-p"),
    "vertex": ("repetition penalty", "top-k", "top-p", "min-p", "temperature"),
}
"""The order of the steps in transformers ("hf") and as Vertex AI's studio documents it ("vertex")."""


@dataclass(frozen=True)
class DecodingConfig:
    """How the next token is chosen, and when a completion ends.

    temperature: 0 is greedy, 1 leaves the model's probabilities. top_k: 0 keeps every
    token. top_p, min_p: 0 to 1; 1 and 0 keep every token. repetition_penalty: above 0; 1 is
    off. order: "hf" or "vertex". max_new_tokens: 1 or more. stop: strings before which a
    completion ends. Raises UnsupportedSetting.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    order: Order = "hf"
    seed: int = 0
    max_new_tokens: int = MAX_NEW_TOKENS
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_settings(**self.sampling)
        whole = isinstance(self.max_new_tokens, Integral) and self.max_new_tokens >= 1
        _require(whole, "max new tokens is a whole number, 1 or more", self.max_new_tokens)
        _require(not isinstance(self.stop, str), "stop is a tuple of strings", self.stop)

    @property
    def sampling(self) -> dict[str, Any]:
        """The settings that `reshape` and `stages` take."""
        names = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "order")
        return {name: getattr(self, name) for name in names}


def check_settings(
    *, temperature: float, top_k: int, top_p: float, min_p: float, repetition_penalty: float, order: str
) -> None:
    """Raise UnsupportedSetting, naming the setting and its range, unless all are in range."""
    _require(_is_number(temperature) and temperature >= 0, "temperature is 0 (greedy) or more", temperature)
    _require(isinstance(top_k, Integral) and top_k >= 0, "top-k is a whole number, 0 (off) or more", top_k)
    _require(_is_number(top_p) and 0 <= top_p <= 1, "top-p lies between 0 and 1 (off)", top_p)
    _require(_is_number(min_p) and 0 <= min_p <= 1, "min-p lies between 0 (off) and 1", min_p)
    within = _is_number(repetition_penalty) and 0.01 <= repetition_penalty <= 100
    _require(within, "repetition penalty lies between 0.01 and 100 (1 is off)", repetition_penalty)
    _require(order in ORDERS, f"order is one of {', '.join(ORDERS)}", order)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and math.isfinite(value)


def _require(condition: bool, rule: str, value: object) -> None:
    if not condition:
        raise UnsupportedSetting(f"{rule[0].upper()}{rule[1:]}; {value!r} was given.")
