"""A causal or sequence-to-sequence language model, and how it is asked."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, overload
from weakref import WeakKeyDictionary

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from utils.arguments import text, texts
from utils.errors import ContextWindowExceeded, DataError, EmptyPrompt
from utils.internals import (
    adapters_in_use,
    base_model,
    takes_logits_to_keep,
    times_changed,
    tokenizer_state,
    virtual_tokens,
    without_known_warnings,
)
from utils.models import packing
from utils.models.drawing import Draw, Stop
from utils.models.settings import GenerationSettings, own_settings_only, read_settings, special_tokens
from utils.models.sharing import embeddings
from utils.models.stopping import before_stop
from utils.progress import progress, working
from utils.storage.results import remembered_each

BATCH_SIZE = 16
UNSTATED_WINDOW = 2048
"""Context window taken for a model that states none; most of those were trained with this length."""

_FINGERPRINTS: WeakKeyDictionary[PreTrainedModel, dict[tuple, str]] = WeakKeyDictionary()
SHARED_PREFIX_TOKENS = 64


@dataclass(frozen=True)
class LanguageModel:
    """A model, its tokenizer and what a prompt must know about them.

    context_window: the most tokens that prompt and completion may have together (for an
    encoder-decoder model, the most that each of them may have).
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    context_window: int

    @property
    def device(self) -> torch.device:
        """Where the model's weights are."""
        return self.model.device

    @property
    def embedded(self) -> int:
        """How many tokens have an embedding: every token id that the model reads is below it."""
        return embeddings(self.model).shape[0]

    @property
    def is_encoder_decoder(self) -> bool:
        """Whether the prompt goes to an encoder and the completion comes from a decoder."""
        return bool(self.model.config.is_encoder_decoder)

    @property
    def virtual_tokens(self) -> int:
        """How many tokens of the context window an adapter's soft prompt takes."""
        return virtual_tokens(self.model)

    @property
    def fingerprint(self) -> str:
        """A short hash of all that a completion depends on but the prompt and the settings.

        Weights, tokenizer, special tokens, device, number format and active adapters.
        """
        model = self.model
        settings = (special_tokens(model), str(self.device), str(model.dtype), adapters_in_use(model))
        return hashlib.sha256(f"{self.weights_hash} {settings}".encode()).hexdigest()[:16]

    @property
    def weights_hash(self) -> str:
        """The SHA-256 of the tokenizer and of every weight."""
        weights = self.model.state_dict()
        state = tuple((name, weight.data_ptr(), times_changed(weight)) for name, weight in weights.items())
        known = _FINGERPRINTS.setdefault(self.model, {})
        if state not in known:
            digest = hashlib.sha256(tokenizer_state(self.tokenizer).encode())
            for name, weight in progress(weights.items(), "Hashing the model's weights"):
                digest.update(f"{name} {tuple(weight.shape)}".encode())
                digest.update(weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
            known[state] = digest.hexdigest()
        return known[state]

    def encode(self, prompt: str) -> list[int]:
        """Return the token ids of a prompt as the model reads them. Raises EmptyPrompt, DataError for no text."""
        prompt = with_text(prompt)
        begun = bool(self.tokenizer.bos_token) and prompt.startswith(self.tokenizer.bos_token)
        return self.known(self.tokenizer(prompt, add_special_tokens=not begun)["input_ids"])

    def known(self, ids: list[int]) -> list[int]:
        """Return token ids as they are. Raises DataError for one that the model has no embedding for."""
        if max(ids, default=0) >= self.embedded:
            raise DataError(
                f"The text holds {self.decode([max(ids)])!r}, a token of the tokenizer that the model does not know: "
                "leave it out."
            )
        return ids

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = False) -> str:
        """Return the text that token ids stand for."""
        return self.tokenizer.batch_decode([list(ids)], skip_special_tokens=skip_special_tokens)[0]

    def count_tokens(self, prompt: str) -> int:
        """Return how many tokens of the context window a prompt takes."""
        return len(self.encode(prompt))

    def check_window(self, prompt: str, *, max_new_tokens: int) -> None:
        """Raise ContextWindowExceeded if prompt and completion do not fit; nothing is cut."""
        virtual, tokens = self.virtual_tokens, self.count_tokens(prompt)
        read = tokens + virtual
        left = self.context_window - (0 if self.is_encoder_decoder else read)
        if read <= self.context_window and max_new_tokens <= left:
            return
        said = f"The prompt has {tokens:,} tokens" + (f", its soft prompt {virtual:,}" if virtual else "")
        window = f"but the context window is {self.context_window:,} tokens"
        if max_new_tokens == 1:
            raise ContextWindowExceeded(f"{said}, {window}, the next one included: shorten the prompt.")
        together = "" if self.is_encoder_decoder else f", {read + max_new_tokens:,} in all"
        fewer = f", or allow at most {left:,} new tokens" if read <= self.context_window and left > 0 else ""
        raise ContextWindowExceeded(
            f"{said} and the completion may have {max_new_tokens:,}{together}, {window}: shorten the prompt{fewer}."
        )

    @overload
    def generate(self, prompts: str, **settings: Any) -> str: ...
    @overload
    def generate(self, prompts: Sequence[str], **settings: Any) -> list[str]: ...
    def generate(self, prompts, **settings):
        """Return the completion of a prompt, or the completions of a list, computed in batches.

        Settings: max_new_tokens, the most tokens a completion may have; stop, a string or a
        list of them, before which a completion ends; temperature, 0 (greedy decoding) unless
        given; top_k, top_p, min_p, repetition_penalty and seed as in `DecodingConfig`; any
        other (num_beams, no_repeat_ngram_size, ...) goes to transformers' `generate`. Nothing
        else counts, not what the model's own generation_config.json says. A prompt gets the same
        text in a list and alone; one that stands in the list again is drawn anew, with the
        next seed. Raises EmptyPrompt, ContextWindowExceeded, UnsupportedSetting, DataError.
        """
        if isinstance(prompts, str):
            return self.generate([prompts], **settings)[0]
        if len(listed := texts(prompts, "prompts")) > BATCH_SIZE:
            return self.kept_completions(listed, forget=True, **settings)
        return [completion for _, completion in sorted(self.completions(listed, **settings))]

    def kept_completions(self, prompts: Sequence[str], *, forget: bool = False, **settings: Any) -> list[str]:
        """Return `generate` of a list, each completion kept on disk as its batch ends (`remembered_each`)."""
        listed, chosen = texts(prompts, "prompts"), read_settings(settings)

        def missing(numbers: list[int]) -> Iterator[tuple[int, str]]:
            """Ask for a prompt as often as it stands in the list: each time it has another seed."""
            wanted = {listed[number] for number in numbers}
            asked = [number for number, prompt in enumerate(listed) if prompt in wanted]
            for n, completion in self.completions([listed[number] for number in asked], **settings):
                yield asked[n], completion

        config = {**asdict(chosen.config), "others": repr(sorted(chosen.others.items()))}
        question = {"complete": listed, "model": self.fingerprint, "config": config}
        return remembered_each(question, len(listed), missing, "Completing prompts", forget=forget)

    def completions(self, prompts: Sequence[str], **settings: Any) -> Iterator[tuple[int, str]]:
        """Yield each prompt's number in the list, from 0, and its completion, as batches end; settings: `generate`."""
        listed, chosen = texts(prompts, "prompts"), read_settings(settings)
        for prompt in listed:
            self.check_window(prompt, max_new_tokens=chosen.config.max_new_tokens)
        rows = [self.encode(prompt) for prompt in listed]
        return self._completions(rows, seeds_of(listed, chosen.config.seed), chosen)

    def _completions(
        self, rows: list[list[int]], seeds: list[int], chosen: GenerationSettings
    ) -> Iterator[tuple[int, str]]:
        size, pads = 1 if chosen.others else BATCH_SIZE, not self.virtual_tokens
        batches, steps = _batches(rows, size=size, pads=pads), chosen.config.max_new_tokens
        what = f"Writing {len(rows)} completion{'s' * (len(rows) > 1)}, token by token"
        with working(what, total=steps * len(batches)) as advance:
            for batch in batches:
                stop = Stop(self.decode, () if chosen.beams else chosen.config.stop, advance)
                found = self._complete([rows[n] for n in batch], [seeds[n] for n in batch], chosen, stop)
                advance(steps - stop.steps)
                yield from zip(batch, found, strict=True)

    @torch.inference_mode()
    def next_token_logits(self, prompt: str) -> torch.Tensor:
        """Return the logits of the token after a prompt: float32, shape (vocabulary,)."""
        self.check_window(prompt, max_new_tokens=1)
        inputs = torch.tensor([self.encode(prompt)], device=self.device)
        extra: dict[str, Any] = {}
        if self.is_encoder_decoder:
            extra = {"decoder_input_ids": torch.full_like(inputs[:, :1], self.decoder_start)}
        elif takes_logits_to_keep(base_model(self.model)):
            extra = {"logits_to_keep": 1}
        return self.model(inputs, **extra).logits[0, -1].float()

    @property
    def decoder_start(self) -> int:
        """The token that an encoder-decoder model's completion begins with."""
        return self.model.generation_config.decoder_start_token_id or self.model.config.decoder_start_token_id

    @property
    def end_of_text(self) -> tuple[int, ...]:
        """The tokens with which the model ends a completion."""
        ids = self.model.generation_config.eos_token_id
        return tuple(ids) if isinstance(ids, list) else () if ids is None else (ids,)

    @torch.inference_mode()
    def _complete(self, rows: list[list[int]], seeds: list[int], chosen: GenerationSettings, stop: Stop) -> list[str]:
        config, inputs, pad = chosen.config, self._batch(rows), self.tokenizer.pad_token_id
        mask = torch.ones(len(rows), 1) if self.is_encoder_decoder else inputs["attention_mask"]
        stop.begun = mask.shape[1]
        with own_settings_only(self.model, pad=pad, given=chosen.others), without_known_warnings():
            generate: Any = self.model.generate  # torch types what it does not know of a module as a tensor
            output = generate(
                **inputs,
                **chosen.others,
                max_new_tokens=config.max_new_tokens,
                logits_processor=[Draw(config, seeds, mask.to(self.device))] if chosen.draws else [],
                stopping_criteria=[stop],
            )
        new = output[:, stop.begun :].tolist()
        return [self._completion_text(ids[: stop.lengths.get(row)], config.stop) for row, ids in enumerate(new)]

    def _completion_text(self, ids: list[int], stop: Sequence[str]) -> str:
        end = next((n for n, token in enumerate(ids) if token in self.end_of_text), len(ids))
        before = before_stop(self.decode, ids[: end + 1], stop)
        return self.decode(ids[: end + 1], skip_special_tokens=True) if before is None else before

    def _batch(self, rows: list[list[int]]) -> dict[str, Any]:
        """Return rows as inputs of `generate`: what they begin with is read once where the model's kind allows it."""
        shared = packing.shared_prefix(rows) if len(rows) > 1 else 0
        if shared >= SHARED_PREFIX_TOKENS and packing.can_share(self.model):
            return packing.prefilled_batch(self.model, rows, shared, pad=self.tokenizer.pad_token_id)
        side = "right" if self.is_encoder_decoder else "left"
        return dict(self.tokenizer.pad({"input_ids": rows}, padding_side=side, return_tensors="pt").to(self.device))


def with_text(prompt: str) -> str:
    """Return a prompt as it is. Raises EmptyPrompt for one without text, DataError for what is no text."""
    if not text(prompt, "a prompt").strip():
        raise EmptyPrompt("The prompt is empty: write the text that the model shall continue.")
    return prompt


def seeds_of(prompts: Sequence[str], seed: int) -> list[int]:
    """Return the seed of each prompt in a list: one that stands in it again is drawn anew, with the next seed."""
    return [seed + prompts[:n].count(prompt) for n, prompt in enumerate(prompts)]


def _batches(rows: list[list[int]], *, size: int, pads: bool) -> list[list[int]]:
    """Group the rows' indices, shortest first, so that a padded batch stays small; without padding by length."""
    batches: list[list[int]] = []
    for index in sorted(range(len(rows)), key=lambda i: len(rows[i])):
        current, length = batches[-1] if batches else [], len(rows[index])
        fits = len(current) < size and (len(current) + 1) * length <= packing.BATCH_TOKENS
        if current and fits and (pads or len(rows[current[0]]) == length):
            current.append(index)
        else:
            batches.append([index])
    return batches
