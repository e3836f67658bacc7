"""From logits to text: reshape the next-token distribution stage by stage, sample, generate.

Pure functions on tensors. Everything works on the whole vocabulary, and every random
choice is fixed by a seed and a position.
"""

import inspect
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
import torch

from utils.errors import DataError, UnsupportedSetting
from utils.models import MAX_NEW_TOKENS, LanguageModel
from utils.threads import one_thread

Order = Literal["hf", "vertex"]
ORDERS: dict[str, tuple[str, ...]] = {
    "hf": ("repetition penalty", "temperature", "top-k", "top-p", "min-p"),
    "vertex": ("repetition penalty", "top-k", "top-p", "min-p", "temperature"),
}
"""The order of the steps in transformers ("hf") and as Vertex AI's studio documents it ("vertex")."""

ALTERNATIVES = 5
END_OF_TEXT, STOP_SEQUENCE, TOKEN_LIMIT = "end of text", "stop sequence", "max new tokens"


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


@dataclass(frozen=True)
class Alternative:
    """Another token that could have stood here, with its probability after and before reshaping."""

    token: int
    text: str
    probability: float
    model_probability: float


@dataclass(frozen=True)
class Step:
    """One token of a completion.

    text: what it adds to the completion (nothing for an end-of-text token). probability:
    what it was drawn with, 1 for greedy decoding. The rest speaks of the model's own
    distribution, before any setting: model_probability, rank (1 is the likeliest token),
    entropy (bits), alternatives (the likeliest other tokens). stop_reason: why the
    completion ends here, None if it goes on.
    """

    token: int
    text: str
    probability: float
    model_probability: float
    rank: int
    entropy: float
    alternatives: tuple[Alternative, ...]
    stop_reason: str | None = None


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
    order: Order = "hf",
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


@one_thread()
def sample(probabilities: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return token ids drawn from distributions of shape (..., vocabulary): shape (...).

    Drawn by the Gumbel-max trick: the largest log-probability plus noise wins. The noise
    does not look at the probabilities, so with the same generator state another setting
    changes the token only where its own effect outweighs the noise. Source: Gumbel, 1954.
    """
    return pick(probabilities, gumbel_noise(probabilities.shape, generator))


def gumbel_noise(shape: Sequence[int], generator: torch.Generator) -> torch.Tensor:
    """Return independent noise from the standard Gumbel distribution: float64 of this shape."""
    uniform = torch.rand(shape, dtype=torch.float64, generator=generator)
    return -(-uniform.log()).log()


def pick(probabilities: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Return the tokens whose log-probability plus noise is largest: shape (...)."""
    return (probabilities.cpu().log() + noise).argmax(-1)


def noise_generator(seed: int, position: int) -> torch.Generator:
    """Return the generator of the noise for one position of a completion: the same for all settings."""
    return torch.Generator().manual_seed(random.Random(f"{seed} {position}").getrandbits(63))


def entropy(probabilities: torch.Tensor) -> torch.Tensor:
    """Return the entropy of distributions (..., vocabulary) in bits: 0 is certain, 1 a coin toss."""
    smallest = torch.finfo(probabilities.dtype).tiny
    return (probabilities * probabilities.clamp_min(smallest).log2()).sum(-1).abs()


@torch.inference_mode()
def generate_stream(
    model: LanguageModel, prompt: str, config: DecodingConfig, *, begun: Sequence[int] = ()
) -> Iterator[Step]:
    """Yield a completion token by token, each with how likely it was and what else could have come.

    begun: tokens that the completion begins with; their steps come first. The prompt is
    read once; its keys and values stay in the KV cache. The last step says why it is the
    last. Only the settings in `config` count, none that the model brings along. Raises
    EmptyPrompt, ContextWindowExceeded, both when the first step is asked for.
    """
    model.check_window(prompt, max_new_tokens=config.max_new_tokens)
    reader = _CachedReader(model, prompt, rows=1)
    begun = begun[: config.max_new_tokens]
    waiting = list(reader.start(begun)[0])
    ids: list[int] = []
    written = ""
    for position in range(config.max_new_tokens):
        logits = waiting.pop(0) if waiting else reader.read([ids[-1]])[0]
        probabilities = reshape(logits, **config.sampling, input_ids=reader.seen(ids))
        drawn = begun[position] if position < len(begun) else _choose(probabilities, config, config.seed, position)
        ids.append(drawn)
        whole, reason = _text_so_far(model, ids, config)
        yield _step(model, logits.softmax(-1), probabilities, drawn, whole[len(written) :], reason)
        if reason:
            return
        written = whole


@torch.inference_mode()
def complete_many(model: LanguageModel, prompt: str, config: DecodingConfig, *, seeds: Sequence[int]) -> list[str]:
    """Return one completion a seed, computed side by side: the text of `generate_stream` with that seed.

    Raises EmptyPrompt, ContextWindowExceeded.
    """
    model.check_window(prompt, max_new_tokens=config.max_new_tokens)
    if not seeds:
        return []
    reader = _CachedReader(model, prompt, rows=len(seeds))
    logits = reader.start(())[:, -1]
    rows: list[list[int]] = [[] for _ in seeds]
    done: dict[int, str] = {}
    for position in range(config.max_new_tokens):
        seen = torch.cat([reader.seen(row)[None] for row in rows])
        for n, probabilities in enumerate(reshape(logits, **config.sampling, input_ids=seen)):
            if n in done:
                rows[n].append(rows[n][-1])
                continue
            rows[n].append(_choose(probabilities, config, seeds[n], position))
            whole, reason = _text_so_far(model, rows[n], config)
            if reason:
                done[n] = whole
        if len(done) == len(rows):
            break
        logits = reader.read([row[-1] for row in rows])
    return [done[n] for n in range(len(rows))]


class _CachedReader:
    """A prompt, repeated in every row, and the KV cache of all that was read behind it."""

    def __init__(self, model: LanguageModel, prompt: str, *, rows: int) -> None:
        self.model, self.rows = model, rows
        self.prompt_ids = model.encode(prompt)
        self.cache: Any = None
        self.extra: dict[str, Any] = {}

    def start(self, begun: Sequence[int]) -> torch.Tensor:
        """Read the prompt and the begun tokens once; return logits of shape (rows, len(begun) + 1, vocabulary)."""
        keep = len(begun) + 1
        if self.model.is_encoder_decoder:
            read = self.model.model.get_encoder()(self._tensor([self.prompt_ids]))
            self.extra = {"encoder_outputs": read}
            logits = self._run("decoder_input_ids", self._tensor([[self.model.decoder_start, *begun]]))
            read.last_hidden_state = read.last_hidden_state.expand(self.rows, -1, -1)
        else:
            lean = "logits_to_keep" in inspect.signature(self.model.model.forward).parameters
            self.extra = {"logits_to_keep": keep} if lean else {}
            logits = self._run("input_ids", self._tensor([[*self.prompt_ids, *begun]]))
            self.extra = {}
        self.cache.batch_repeat_interleave(self.rows)
        return logits[:, -keep:].expand(self.rows, -1, -1)

    def read(self, tokens: Sequence[int]) -> torch.Tensor:
        """Read one more token a row; return logits of shape (rows, vocabulary)."""
        name = "decoder_input_ids" if self.model.is_encoder_decoder else "input_ids"
        return self._run(name, self._tensor(tokens)[:, None])[:, -1]

    def seen(self, ids: Sequence[int]) -> torch.Tensor:
        """Return the tokens that a repetition penalty looks at: shape (tokens,)."""
        before = [self.model.decoder_start] if self.model.is_encoder_decoder else self.prompt_ids
        return self._tensor([*before, *ids])

    def _run(self, name: str, ids: torch.Tensor) -> torch.Tensor:
        output = self.model.model(**{name: ids}, **self.extra, past_key_values=self.cache, use_cache=True)
        self.cache = output.past_key_values
        return output.logits.float()

    def _tensor(self, ids: Sequence) -> torch.Tensor:
        return torch.tensor(ids, device=self.model.device)


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


def _choose(probabilities: torch.Tensor, config: DecodingConfig, seed: int, position: int) -> int:
    if config.temperature == 0:
        return int(probabilities.argmax())
    return int(sample(probabilities, noise_generator(seed, position)))


@one_thread()
def _step(
    model: LanguageModel, before: torch.Tensor, after: torch.Tensor, token: int, text: str, reason: str | None
) -> Step:
    others = [int(other) for other in before.topk(min(ALTERNATIVES + 1, len(before))).indices if int(other) != token]
    return Step(
        token=token,
        text=text,
        probability=float(after[token]),
        model_probability=float(before[token]),
        rank=int((before > before[token]).sum()) + 1,
        entropy=float(entropy(before)),
        alternatives=tuple(
            Alternative(other, model.tokenizer.decode([other]), float(after[other]), float(before[other]))
            for other in others[:ALTERNATIVES]
        ),
        stop_reason=reason,
    )


def _text_so_far(model: LanguageModel, ids: list[int], config: DecodingConfig) -> tuple[str, str | None]:
    """Return the completion up to here and why it ends here, if it does."""
    text = model.tokenizer.decode(ids, skip_special_tokens=True)
    found = [text.index(stop) for stop in config.stop if stop and stop in text]
    if found:
        return text[: min(found)], STOP_SEQUENCE
    if ids[-1] in end_of_text(model):
        return text, END_OF_TEXT
    if len(ids) == config.max_new_tokens:
        return text, TOKEN_LIMIT
    return _certain(text, config.stop), None


def _certain(text: str, stop: Sequence[str]) -> str:
    """Return the text without an end that later tokens may change: half a character, half a stop sequence."""
    text = text.rstrip("\ufffd")
    begun = [n for end in stop for n in range(1, len(end)) if text.endswith(end[:n])]
    return text[: len(text) - max(begun, default=0)]


def end_of_text(model: LanguageModel) -> tuple[int, ...]:
    """Return the tokens with which the model ends a completion."""
    ids = model.model.generation_config.eos_token_id
    return tuple(ids) if isinstance(ids, list) else () if ids is None else (ids,)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and math.isfinite(value)


def _require(condition: bool, rule: str, value: object) -> None:
    if not condition:
        raise UnsupportedSetting(f"{rule[0].upper()}{rule[1:]}; {value!r} was given.")
