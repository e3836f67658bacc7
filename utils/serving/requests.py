"""What is asked of the scheduler and what it answers with: the words that the interfaces and the scheduler share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch

from utils.logits.config import DecodingConfig
from utils.models.language_model import LanguageModel
from utils.serving.refusals import Refusal

LoraWeights = Mapping[str, tuple[torch.Tensor, torch.Tensor]]
"""A LoRA's matrices by the base's module: a of shape (rank, inputs), b of (outputs, rank), alpha / rank within b."""


@dataclass(frozen=True, eq=False)
class Adapter:
    """An adapter that the endpoint holds in memory.

    reference: the version in the registry, such as "name/3"; fingerprint: a hash of its weights. weights: of a plain
    LoRA, which shares batches with the base; model: of any other kind, the base with the adapter on it.
    """

    reference: str
    fingerprint: str
    weights: LoraWeights | None = None
    model: LanguageModel | None = None


@dataclass(frozen=True)
class Request:
    """One completion that is asked for (n of them are n requests, each with its seed).

    prompt: token ids. adapter: None for the base. bias: what is added to a token's logit. logprobs: how many of the
    likeliest tokens are told beside each token, None for no log-probability at all. read_prompt: log-probabilities of
    the prompt's tokens, too; only_prompt: nothing is written behind it. schema: a JSON schema that the completion
    obeys, as JSON, None for free text. seconds: from arrival to the last token, the endpoint's limit when None.
    """

    prompt: tuple[int, ...]
    config: DecodingConfig
    adapter: Adapter | None = None
    bias: Mapping[int, float] = field(default_factory=dict)
    logprobs: int | None = None
    read_prompt: bool = False
    only_prompt: bool = False
    schema: str | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Score:
    """A token's log-probability (natural) in the model's own distribution, and the likeliest tokens with theirs."""

    token: int
    logprob: float
    likeliest: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class PromptScores:
    """The scores of a prompt's tokens but the first, before which nothing stands."""

    scores: tuple[Score, ...]


Finish = Literal["stop", "length"]


@dataclass(frozen=True)
class Token:
    """One token of a completion.

    text: what is certain of the completion with it and was not before: never half a character, nor the beginning of
    a stop string. score: None unless asked for. finish: why the completion ends here, None if it goes on.
    """

    id: int
    text: str
    score: Score | None = None
    finish: Finish | None = None


Event = PromptScores | Token | Refusal
"""What a request is answered with: scores if asked for, tokens up to one with `finish`, or at any point a Refusal."""

Emit = Callable[[int, Event], None]
"""Called in the scheduler's thread with the number of the request in its list; must not block."""
