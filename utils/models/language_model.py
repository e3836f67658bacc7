"""Load any causal or sequence-to-sequence language model by name or path, and ask it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload
from weakref import WeakKeyDictionary

import torch
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from utils.errors import ContextWindowExceeded, EmptyPrompt, UnsupportedSetting
from utils.internals import adapters_in_use, times_changed, tokenizer_state
from utils.models import packing

MAX_NEW_TOKENS = 50
BATCH_SIZE = 16
BATCHED_SETTINGS = {
    "max_new_tokens",
    "do_sample",
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "stop_strings",
    "tokenizer",
}
_FINGERPRINTS: WeakKeyDictionary[PreTrainedModel, dict[tuple, str]] = WeakKeyDictionary()
BATCH_TOKENS = 12_288
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
    def is_encoder_decoder(self) -> bool:
        """Whether the prompt goes to an encoder and the completion comes from a decoder."""
        return bool(self.model.config.is_encoder_decoder)

    @property
    def fingerprint(self) -> str:
        """A short hash of all that a completion depends on but the prompt and the settings.

        Weights, tokenizer, generation defaults, device, number format and active adapters.
        """
        model = self.model
        settings = (model.generation_config.to_dict(), str(self.device), str(model.dtype), adapters_in_use(model))
        return hashlib.sha256(f"{self.weights_hash} {settings}".encode()).hexdigest()[:16]

    @property
    def weights_hash(self) -> str:
        """The SHA-256 of the tokenizer and of every weight."""
        weights = self.model.state_dict()
        state = tuple((name, weight.data_ptr(), times_changed(weight)) for name, weight in weights.items())
        known = _FINGERPRINTS.setdefault(self.model, {})
        if state not in known:
            digest = hashlib.sha256(tokenizer_state(self.tokenizer).encode())
            for name, weight in weights.items():
                digest.update(f"{name} {tuple(weight.shape)}".encode())
                digest.update(weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
            known[state] = digest.hexdigest()
        return known[state]

    def encode(self, prompt: str) -> list[int]:
        """Return the token ids of a prompt as the model reads them. Raises EmptyPrompt."""
        if not prompt.strip():
            raise EmptyPrompt("The prompt is empty: write the text that the model shall continue.")
        begun = bool(self.tokenizer.bos_token) and prompt.startswith(self.tokenizer.bos_token)
        return self.tokenizer(prompt, add_special_tokens=not begun)["input_ids"]

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = False) -> str:
        """Return the text that token ids stand for."""
        return self.tokenizer.batch_decode([list(ids)], skip_special_tokens=skip_special_tokens)[0]

    def count_tokens(self, prompt: str) -> int:
        """Return how many tokens of the context window a prompt takes."""
        return len(self.encode(prompt))

    def check_window(self, prompt: str, *, max_new_tokens: int) -> None:
        """Raise ContextWindowExceeded if prompt and completion do not fit; nothing is cut."""
        tokens = self.count_tokens(prompt)
        needed = max(tokens, max_new_tokens) if self.is_encoder_decoder else tokens + max_new_tokens
        if needed > self.context_window:
            together = "" if self.is_encoder_decoder else f", {needed} in all"
            raise ContextWindowExceeded(
                f"The prompt has {tokens} tokens and the completion may have {max_new_tokens}{together}, "
                f"but the context window is {self.context_window} tokens: "
                "use fewer or shorter examples, or a smaller max_new_tokens."
            )

    @overload
    def generate(self, prompts: str, **config: Any) -> str: ...
    @overload
    def generate(self, prompts: Sequence[str], **config: Any) -> list[str]: ...
    def generate(self, prompts, *, max_new_tokens=MAX_NEW_TOKENS, stop=None, temperature=0.0, seed=0, **config):
        """Return the completion of a prompt, or the completions of a list run in batches.

        max_new_tokens: most tokens a completion may have. stop: a string, or a list of
        them, before which a completion ends. temperature: 0 is greedy decoding; above 0
        tokens are sampled, the same ones for the same list and seed. Other settings (top_k,
        top_p, repetition_penalty, num_beams, ...) go to transformers' `generate`; top_k and
        top_p keep every token unless given. Settings that look back at the whole row, such as
        repetition_penalty, run one prompt at a time, since padding would count as text.
        Raises EmptyPrompt, ContextWindowExceeded, UnsupportedSetting.
        """
        if config.get("num_return_sequences", 1) != 1:
            raise UnsupportedSetting("generate gives one completion a prompt: repeat the prompt in a list for more.")
        texts = [prompts] if isinstance(prompts, str) else list(prompts)
        for text in texts:
            self.check_window(text, max_new_tokens=max_new_tokens)
        config |= {"max_new_tokens": max_new_tokens, **_sampling(temperature, config)}
        if stop:
            config |= {"stop_strings": stop, "tokenizer": self.tokenizer}
        completions: list[str] = [""] * len(texts)
        size = BATCH_SIZE if config.keys() <= BATCHED_SETTINGS else 1
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            for batch in _batches([self.encode(text) for text in texts], size=size):
                for index, completion in zip(batch, self._complete([texts[i] for i in batch], config), strict=True):
                    completions[index] = _before_stop(completion, stop)
        return completions[0] if isinstance(prompts, str) else completions

    @torch.inference_mode()
    def next_token_logits(self, prompt: str) -> torch.Tensor:
        """Return the logits of the token after a prompt: float32, shape (vocabulary,)."""
        self.check_window(prompt, max_new_tokens=1)
        inputs = torch.tensor([self.encode(prompt)], device=self.device)
        start = {}
        if self.is_encoder_decoder:
            start = {"decoder_input_ids": torch.full_like(inputs[:, :1], self.decoder_start)}
        return self.model(inputs, **start).logits[0, -1].float()

    @property
    def decoder_start(self) -> int:
        """The token that an encoder-decoder model's completion begins with."""
        return self.model.generation_config.decoder_start_token_id or self.model.config.decoder_start_token_id

    @torch.inference_mode()
    def _complete(self, prompts: list[str], config: dict[str, Any]) -> list[str]:
        rows = [self.encode(prompt) for prompt in prompts]
        shared = packing.shared_prefix(rows) if len(rows) > 1 else 0
        if shared >= SHARED_PREFIX_TOKENS and packing.can_pack(self.model):
            inputs: Any = packing.prefilled_batch(self.model, rows, shared, pad=self.tokenizer.pad_token_id)
        else:
            side = "right" if self.is_encoder_decoder else "left"
            inputs = self.tokenizer.pad({"input_ids": rows}, padding_side=side, return_tensors="pt").to(self.device)
        generate: Any = self.model.generate  # torch types what it does not know of a module as a tensor
        output = generate(**inputs, pad_token_id=self.tokenizer.pad_token_id, **config)
        new = output if self.is_encoder_decoder else output[:, inputs["input_ids"].shape[1] :]
        return self.tokenizer.batch_decode(new, skip_special_tokens=True)


def _sampling(temperature: float, config: dict[str, Any]) -> dict[str, Any]:
    if temperature == 0:
        return {"do_sample": False}
    return {
        "do_sample": True,
        "temperature": temperature,
        "top_k": config.get("top_k", 0),
        "top_p": config.get("top_p", 1.0),
    }


def _batches(rows: list[list[int]], *, size: int) -> list[list[int]]:
    """Group the rows' indices, shortest first, so that a padded batch stays small."""
    batches: list[list[int]] = []
    for index in sorted(range(len(rows)), key=lambda i: len(rows[i])):
        current = batches[-1] if batches else []
        if current and len(current) < size and (len(current) + 1) * len(rows[index]) <= BATCH_TOKENS:
            current.append(index)
        else:
            batches.append([index])
    return batches


def _before_stop(completion: str, stop: str | Sequence[str] | None) -> str:
    for text in [stop] if isinstance(stop, str) else stop or []:
        completion = completion.split(text, maxsplit=1)[0]
    return completion
