"""Reshape the next-token distribution stage by stage: penalty, temperature, top-k, top-p, min-p.

Pure functions on tensors over the whole vocabulary.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from utils.errors import DataError
from utils.logits.config import ORDERS, DecodingConfig, Order
from utils.logits.threads import one_thread


@dataclass(frozen=True)
class Stages:
    """The distribution after each step, and which step cut which token.

    names: "model", then the steps in order. probabilities: shape (len(names), ...,
    vocabulary). cut_by: shape (..., vocabulary), the index in `names` of the step that cut
    the token, 0 where none did.
    """

    names: tuple[str, ...]
    probabilities: torch.Tensor
    cut_by: torch.Tensor


@one_thread()
def reshape(
    logits: torch.Tensor,
    *,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
    repetition_penalty: float = 1.0,
    input_ids: torch.Tensor | None = None,
    order: Order = "transformers",
) -> torch.Tensor:
    """Return the probabilities that a token is drawn with: shape and vocabulary as `logits`.

    logits: (..., vocabulary); input_ids: (..., tokens), the text so far, for the repetition
    penalty. temperature 0 puts all on the likeliest token. Same numbers as the warpers of
    transformers 5.23 (`generation/logits_process.py`). Raises UnsupportedSetting, DataError.
    """
    config = DecodingConfig(temperature, top_k, top_p, min_p, repetition_penalty, order)
    *_, (_, scores) = _scores(logits, input_ids, config)
    return scores.softmax(-1)


@one_thread()
def stages(logits: torch.Tensor, *, input_ids: torch.Tensor | None = None, **settings: Any) -> Stages:
    """Return the distribution after each step and the step that cut each token; arguments as `reshape`."""
    names, rows = [], []
    cut_by = torch.zeros(logits.shape, dtype=torch.int8, device=logits.device)
    before = None
    for name, scores in _scores(logits, input_ids, DecodingConfig(**settings)):
        if scores is before:
            rows.append(rows[-1])
        else:
            rows.append(scores.softmax(-1))
            if before is not None:
                cut_by[scores.isneginf() & ~before.isneginf()] = len(names)
        names.append(name)
        before = scores
    return Stages(tuple(names), torch.stack(rows), cut_by)


def entropy(probabilities: torch.Tensor) -> torch.Tensor:
    """Return the entropy of distributions (..., vocabulary) in bits: 0 is certain, 1 a coin toss."""
    smallest = torch.finfo(probabilities.dtype).tiny
    return (probabilities * probabilities.clamp_min(smallest).log2()).sum(-1).abs()


def _scores(
    logits: torch.Tensor, input_ids: torch.Tensor | None, config: DecodingConfig
) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the scores before and after each step; a step that changes nothing yields the same object."""
    scores = logits.detach().float()
    if scores.numel() == 0 or not torch.isfinite(scores.amax(-1)).all():
        raise DataError("The logits are empty, or hold NaN or infinity: give the model's numbers as they are.")
    steps = {
        "repetition penalty": lambda scores: _penalize(scores, input_ids, config.repetition_penalty),
        "temperature": lambda scores: _scale(scores, config.temperature),
        "top-k": lambda scores: _keep_top_k(scores, config.top_k),
        "top-p": lambda scores: _keep_top_p(scores, config.top_p),
        "min-p": lambda scores: _keep_min_p(scores, config.min_p),
    }
    yield "model", scores
    for name in ORDERS[config.order]:
        scores = steps[name](scores)
        yield name, scores


def _penalize(scores: torch.Tensor, input_ids: torch.Tensor | None, penalty: float) -> torch.Tensor:
    """Lower the score of every token that was seen, however often. Source: Keskar et al., "CTRL", 2019."""
    if penalty == 1 or input_ids is None:
        return scores
    seen = scores.gather(-1, input_ids)
    return scores.scatter(-1, input_ids, torch.where(seen < 0, seen * penalty, seen / penalty))


def _scale(scores: torch.Tensor, temperature: float) -> torch.Tensor:
    if temperature == 1:
        return scores
    if temperature == 0:
        likeliest = scores.argmax(-1, keepdim=True)
        return torch.full_like(scores, -torch.inf).scatter(-1, likeliest, scores.gather(-1, likeliest))
    temperature = min(max(temperature, 1e-30), 1e30)  # what float32 can divide by
    scaled = scores / temperature
    if torch.isfinite(scaled.amax(-1)).all():
        return scaled
    return (scores - scores.amax(-1, keepdim=True)) / temperature


def _keep_top_k(scores: torch.Tensor, k: int) -> torch.Tensor:
    """Keep the k likeliest tokens and all that tie with the last of them. Source: Fan et al., 2018."""
    if k == 0 or k >= scores.shape[-1]:
        return scores
    return scores.masked_fill(scores < scores.topk(int(k)).values[..., -1:], -torch.inf)


def _keep_top_p(scores: torch.Tensor, p: float) -> torch.Tensor:
    """Keep the smallest set of likeliest tokens whose probability is at least p. Source: Holtzman et al., 2019.

    Summed from the least likely token up, as transformers does, so that rounding agrees.
    """
    if p == 1:
        return scores
    ascending = torch.from_numpy(np.sort(scores.cpu().numpy(), axis=-1)).to(scores.device)
    removed = ascending.softmax(-1).cumsum(-1) <= 1 - p
    removed[..., -1] = False
    last_kept = ascending.gather(-1, removed.sum(-1, keepdim=True))
    ties = scores == last_kept
    ties_kept = ((ascending == last_kept) & ~removed).sum(-1, keepdim=True)
    return scores.masked_fill((scores < last_kept) | (ties & (ties.cumsum(-1) > ties_kept)), -torch.inf)


def _keep_min_p(scores: torch.Tensor, p: float) -> torch.Tensor:
    """Keep the tokens with at least p times the likeliest token's probability. Source: Nguyen et al., 2024."""
    if p == 0:
        return scores
    probabilities = scores.softmax(-1)
    return scores.masked_fill(probabilities < p * probabilities.amax(-1, keepdim=True), -torch.inf)
