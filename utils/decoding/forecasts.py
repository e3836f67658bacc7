"""Predict, then reveal: a forecast about the next-token distribution is committed before it is shown."""

import math
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from utils.decoding.candidates import NextToken, ReadPrompt, next_token
from utils.errors import UnsupportedSetting
from utils.logits.config import DecodingConfig

SETTINGS = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")


@dataclass(frozen=True)
class Forecast:
    """A question whose answer the distribution under one setting gives.

    setting: "temperature", "top_k", "top_p", "min_p" or "repetition_penalty"; value: what it
    is set to. measure: takes the answer from the distribution. near: the largest distance that
    still scores. answer: what is asked for, a probability or a number of tokens. Raises
    UnsupportedSetting.
    """

    name: str
    question: str
    setting: str
    value: float
    measure: Callable[[NextToken], float]
    near: float
    answer: Literal["probability", "tokens"] = "probability"

    def __post_init__(self) -> None:
        if self.setting not in SETTINGS:
            raise UnsupportedSetting(f"A forecast is about one of {', '.join(SETTINGS)}; {self.setting!r} was given.")
        self.config(self.value)

    def read(self, guess: Any, *, vocabulary: int) -> float:
        """Return a guess as a number in the range of the answer. Raises UnsupportedSetting."""
        return _probability(guess) if self.answer == "probability" else _tokens(guess, most=vocabulary)

    def config(self, value: float) -> DecodingConfig:
        """Return the setting at a value and all others off. Raises UnsupportedSetting."""
        whole = self.setting == "top_k" and isinstance(value, float) and value.is_integer()
        given: dict[str, Any] = {self.setting: int(value) if whole else value}
        return DecodingConfig(**given)


@dataclass(frozen=True)
class Revealed:
    """A committed forecast beside the truth."""

    guess: float
    truth: float
    near: float

    @property
    def scores(self) -> bool:
        """Whether the forecast was near enough."""
        return abs(self.guess - self.truth) <= self.near


@dataclass
class Forecasts:
    """Forecasts about one prompt and what was committed so far, by name."""

    read: ReadPrompt
    items: Sequence[Forecast]
    committed: dict[str, Revealed] = field(default_factory=dict)

    def commit(self, name: str, guess: Any) -> Revealed:
        """Commit a forecast, once, and return it with the truth. Raises UnsupportedSetting."""
        item = next((item for item in self.items if item.name == name), None)
        if item is None:
            raise UnsupportedSetting(
                f"There is no forecast {name!r}: take one of {', '.join(repr(item.name) for item in self.items)}."
            )
        if name in self.committed:
            raise UnsupportedSetting(f"{name} is committed already: a forecast made after the answer is none.")
        read = item.read(guess, vocabulary=len(self.read.logits))
        revealed = Revealed(read, item.measure(self.seen(item, item.value)), item.near)
        self.committed[name] = revealed
        return revealed

    def seen(self, item: Forecast, value: float) -> NextToken:
        """Return the distribution with a forecast's setting at a value and all others off."""
        return next_token(self.read, item.config(value), shown=10)

    @property
    def score(self) -> str:
        """How many forecasts were near enough so far."""
        right = sum(revealed.scores for revealed in self.committed.values())
        return f"{right} of {len(self.items)} near enough, {len(self.committed)} of {len(self.items)} committed."


def _probability(guess: Any) -> float:
    """Return a probability; a percentage needs its sign. Raises UnsupportedSetting."""
    typed = _typed(guess)
    percent = typed.endswith("%")
    number = _number(typed.removesuffix("%").replace(",", ".")) / (100 if percent else 1)
    if 0 <= number <= 1:
        return number
    meant = f"write {number / 100:g} or {number:g} %" if 1 < number <= 100 and not percent else "write 0.25 or 25 %"
    raise UnsupportedSetting(f"This forecast is a probability, 0 to 1: {meant}; {guess!r} was given.")


def _tokens(guess: Any, *, most: int) -> int:
    """Return a number of tokens, with or without commas between thousands. Raises UnsupportedSetting."""
    typed = _typed(guess)
    number = _number(typed.replace(",", "") if THOUSANDS.fullmatch(typed) else typed)
    if number % 1 == 0 and 1 <= number <= most:
        return int(number)
    raise UnsupportedSetting(f"This forecast is a whole number of tokens, 1 to {most:,}; {guess!r} was given.")


THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+")


def _typed(guess: Any) -> str:
    with suppress(AttributeError, ValueError, RuntimeError):  # a number of numpy or torch
        guess = guess.item()
    return str(guess).strip()


def _number(typed: str) -> float:
    try:
        return float(typed)
    except ValueError:
        return math.nan
