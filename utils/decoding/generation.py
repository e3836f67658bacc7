"""Generate text: the loop over the KV cache, token by token, or many seeds side by side."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from transformers.modeling_outputs import BaseModelOutput

from utils.internals import base_model, repeat_cache, takes_logits_to_keep
from utils.logits.config import DecodingConfig, check_seeds
from utils.logits.reshaping import entropy, reshape
from utils.logits.sampling import noise_generator, sample
from utils.logits.threads import one_thread
from utils.models.language_model import LanguageModel
from utils.models.stopping import before_stop, certain_text
from utils.models.tokens import token_text
from utils.progress import progress

ALTERNATIVES = 5
END_OF_TEXT, STOP_SEQUENCE, TOKEN_LIMIT = "end of text", "stop sequence", "max new tokens"


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
    completion ends here, None if it goes on. token_text: the token alone, as `models.tokens` writes it.
    """

    token: int
    text: str
    probability: float
    model_probability: float
    rank: int
    entropy: float
    alternatives: tuple[Alternative, ...]
    stop_reason: str | None = None
    token_text: str = ""


@torch.inference_mode()
def generate_stream(
    model: LanguageModel, prompt: str, config: DecodingConfig, *, begun: Sequence[int] = ()
) -> Iterator[Step]:
    """Yield a completion token by token (streaming), each with its probability and what else could have come.

    begun: tokens that the completion begins with; their steps come first. The prompt is
    read once; its keys and values stay in the KV cache. The last step says why it is the
    last. Only the settings in `config` count, none that the model brings along. Raises
    EmptyPrompt, ContextWindowExceeded, both when the first step is asked for.
    """
    model.check_window(prompt, max_new_tokens=config.max_new_tokens)
    reader = CachedReader(model, model.encode(prompt), rows=1)
    begun = begun[: config.max_new_tokens]
    waiting = list(reader.start(begun)[0])
    ids: list[int] = []
    written = ""
    for position in range(config.max_new_tokens):
        logits = waiting.pop(0) if waiting else reader.read([ids[-1]])[0]
        probabilities = reshape(logits, **config.sampling, input_ids=reader.seen(ids))
        drawn = begun[position] if position < len(begun) else choose(probabilities, config, config.seed, position)
        ids.append(drawn)
        whole, reason = text_so_far(model, ids, config)
        yield _step(model, logits.softmax(-1), probabilities, drawn, whole[len(written) :], reason)
        if reason:
            return
        written = whole


def complete_many(model: LanguageModel, prompt: str, config: DecodingConfig, *, seeds: Sequence[int]) -> list[str]:
    """Return one completion a seed, computed side by side: the text of `generate_stream` with that seed.

    Raises EmptyPrompt, ContextWindowExceeded, UnsupportedSetting, DataError.
    """
    done: dict[int, str] = {}
    for row in _side_by_side(model, prompt, config, check_seeds(seeds)):
        if row.stop_reason:
            done[row.number] = row.text
    return [done[n] for n in sorted(done)]


@torch.inference_mode()
def stream_many(
    model: LanguageModel, prompt: str, config: DecodingConfig, *, seeds: Sequence[int]
) -> Iterator[tuple[int, Step]]:
    """Yield the steps of one completion a seed, computed side by side, each with its place in `seeds`.

    The steps of a completion are those of `generate_stream` with that seed. Raises EmptyPrompt, ContextWindowExceeded,
    UnsupportedSetting, DataError, all when the first step is asked for.
    """
    written: dict[int, str] = {}
    for row in _side_by_side(model, prompt, config, check_seeds(seeds)):
        added = row.text[len(written.get(row.number, "")) :]
        before = row.logits.softmax(-1)
        yield row.number, _step(model, before, row.probabilities, row.token, added, row.stop_reason)
        written[row.number] = row.text


class _Row(NamedTuple):
    """A token of a completion that is written beside others, and the text up to there."""

    number: int
    logits: torch.Tensor
    probabilities: torch.Tensor
    token: int
    text: str
    stop_reason: str | None


@torch.inference_mode()
def _side_by_side(model: LanguageModel, prompt: str, config: DecodingConfig, seeds: list[int]) -> Iterator[_Row]:
    """Yield token by token the completions that have not ended; all rows are read in one pass."""
    model.check_window(prompt, max_new_tokens=config.max_new_tokens)
    if not seeds:
        return
    reader = CachedReader(model, model.encode(prompt), rows=len(seeds))
    logits = reader.start(())[:, -1]
    rows: list[list[int]] = [[] for _ in seeds]
    done: set[int] = set()
    what = f"Writing {len(seeds)} completion{'s' * (len(seeds) > 1)}, token by token"
    for position in progress(range(config.max_new_tokens), what):
        seen = torch.cat([reader.seen(row)[None] for row in rows])
        for n, probabilities in enumerate(reshape(logits, **config.sampling, input_ids=seen)):
            if n in done:
                rows[n].append(rows[n][-1])
                continue
            rows[n].append(choose(probabilities, config, seeds[n], position))
            whole, reason = text_so_far(model, rows[n], config)
            yield _Row(n, logits[n], probabilities, rows[n][-1], whole, reason)
            if reason:
                done.add(n)
        if len(done) == len(rows):
            break
        logits = reader.read([row[-1] for row in rows])


class CachedReader:
    """A prompt, repeated in every row, and the KV cache of all that was read behind it."""

    def __init__(self, model: LanguageModel, prompt_ids: Sequence[int], *, rows: int) -> None:
        self.model, self.rows, self.prompt_ids = model, rows, prompt_ids
        self.cache: Any = None
        self.encoder: dict[str, Any] = {}

    def start(self, begun: Sequence[int]) -> torch.Tensor:
        """Read the prompt and the begun tokens once; return logits of shape (rows, len(begun) + 1, vocabulary).

        An adapter's soft prompt is read before them, and then stands in the cache.
        """
        model, keep = self.model.model, len(begun) + 1
        if self.model.is_encoder_decoder:
            ids = self._tensor([[self.model.decoder_start, *begun]])
            output = model(input_ids=self._tensor([self.prompt_ids]), decoder_input_ids=ids, use_cache=True)
            read = output.encoder_last_hidden_state.expand(self.rows, -1, -1)
            self.encoder = {"encoder_outputs": BaseModelOutput(last_hidden_state=read)}
        else:
            only = {"logits_to_keep": keep} if takes_logits_to_keep(base_model(model)) else {}
            output = model(input_ids=self._tensor([[*self.prompt_ids, *begun]]), **only, use_cache=True)
        self.cache = output.past_key_values
        repeat_cache(self.cache, self.rows)
        return output.logits[:, -keep:].float().expand(self.rows, -1, -1)

    def read(self, tokens: Sequence[int]) -> torch.Tensor:
        """Read one more token a row; return logits of shape (rows, vocabulary)."""
        name = "decoder_input_ids" if self.model.is_encoder_decoder else "input_ids"
        inputs = {name: self._tensor(tokens)[:, None], **self.encoder}
        output = base_model(self.model.model)(**inputs, past_key_values=self.cache, use_cache=True)
        self.cache = output.past_key_values
        return output.logits[:, -1].float()

    def seen(self, ids: Sequence[int]) -> torch.Tensor:
        """Return the tokens that a repetition penalty looks at: shape (tokens,)."""
        before = [self.model.decoder_start] if self.model.is_encoder_decoder else self.prompt_ids
        return self._tensor([*before, *ids])

    def _tensor(self, ids: Sequence) -> torch.Tensor:
        return torch.tensor(ids, device=self.model.device)


def choose(probabilities: torch.Tensor, config: DecodingConfig, seed: int, position: int) -> int:
    """Return the token at a position of a completion, from its distribution of shape (vocabulary,)."""
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
            Alternative(other, token_text(model.tokenizer, other), float(after[other]), float(before[other]))
            for other in others[:ALTERNATIVES]
        ),
        stop_reason=reason,
        token_text=token_text(model.tokenizer, token),
    )


def text_so_far(model: LanguageModel, ids: list[int], config: DecodingConfig) -> tuple[str, str | None]:
    """Return the completion up to here and why it ends here, if it does."""
    before = before_stop(model.decode, ids, config.stop)
    if before is not None:
        return before, STOP_SEQUENCE
    ended = END_OF_TEXT if ids[-1] in model.end_of_text else TOKEN_LIMIT if len(ids) == config.max_new_tokens else None
    text = model.decode(ids, skip_special_tokens=True) if ended else certain_text(model.decode, ids, config.stop)
    return text, ended
