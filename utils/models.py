"""Load any causal or sequence-to-sequence language model by name or path, and ask it."""

import hashlib
import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from utils import packing
from utils.checkpoints import default_checkpoint
from utils.errors import ContextWindowExceeded, EmptyPrompt, ModelNotFound

DEFAULT_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
MAX_NEW_TOKENS = 50
BATCH_SIZE = 16
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
        """A short hash that changes when a weight tensor or the tokenizer does."""
        digest = hashlib.sha256(self.tokenizer.name_or_path.encode())
        for name, weight in self.model.state_dict().items():
            digest.update(f"{name}{tuple(weight.shape)}".encode())
            digest.update(weight.flatten()[:64].float().cpu().numpy().tobytes())
        return digest.hexdigest()[:16]

    def encode(self, prompt: str) -> list[int]:
        """Return the token ids of a prompt as the model reads them. Raises EmptyPrompt."""
        if not prompt.strip():
            raise EmptyPrompt("The prompt is empty: write the text that the model shall continue.")
        return self.tokenizer(prompt)["input_ids"]

    def count_tokens(self, prompt: str) -> int:
        """Return how many tokens of the context window a prompt takes."""
        return len(self.encode(prompt))

    def check_window(self, prompt: str, *, max_new_tokens: int) -> None:
        """Raise ContextWindowExceeded if prompt and completion do not fit; nothing is cut."""
        tokens = self.count_tokens(prompt)
        needed = max(tokens, max_new_tokens) if self.is_encoder_decoder else tokens + max_new_tokens
        if needed > self.context_window:
            raise ContextWindowExceeded(
                f"The prompt has {tokens} tokens and the completion may have {max_new_tokens}, {needed} in all, "
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
        tokens are sampled, the same ones for the same seed. Other settings (top_k, top_p,
        repetition_penalty, ...) go to transformers' `generate`; top_k and top_p keep every
        token unless given. Raises EmptyPrompt, ContextWindowExceeded.
        """
        texts = [prompts] if isinstance(prompts, str) else list(prompts)
        for text in texts:
            self.check_window(text, max_new_tokens=max_new_tokens)
        config |= {"max_new_tokens": max_new_tokens, **_sampling(temperature, config)}
        if stop:
            config |= {"stop_strings": stop, "tokenizer": self.tokenizer}
        completions: list[str] = [""] * len(texts)
        for batch in _batches([self.encode(text) for text in texts]):
            torch.manual_seed(seed)
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
            inputs = packing.prefilled_batch(self.model, rows, shared, pad=self.tokenizer.pad_token_id)
        else:
            inputs = self.tokenizer.pad({"input_ids": rows}, padding_side="left", return_tensors="pt").to(self.device)
        output = self.model.generate(**inputs, pad_token_id=self.tokenizer.pad_token_id, **config)
        new = output if self.is_encoder_decoder else output[:, inputs["input_ids"].shape[1] :]
        return self.tokenizer.batch_decode(new, skip_special_tokens=True)


def load_model(name: str | None = None, *, device: str | None = None) -> LanguageModel:
    """Load a language model: the course's default, a hub name, or a local folder.

    name: COURSE_MODEL, or the default model, when None. device: "cpu", "cuda", "mps";
    COURSE_DEVICE, or the best one present, when None. The first call for the default
    model fetches and converts it. Raises ModelNotFound and what `utils.assets.fetch` raises.
    """
    name = name or os.environ.get("COURSE_MODEL") or DEFAULT_MODEL
    source = default_checkpoint() if name == DEFAULT_MODEL else name
    device = device or os.environ.get("COURSE_DEVICE") or best_device()
    with _no_progress_bar():
        try:
            config = AutoConfig.from_pretrained(source)
            kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
            tokenizer = AutoTokenizer.from_pretrained(source)
            model = kind.from_pretrained(source, dtype=torch.float32)
        except (OSError, ValueError, KeyError) as error:
            raise ModelNotFound(_why_not_found(name, error)) from None
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return LanguageModel(name, model.eval().to(device), tokenizer, _context_window(config, tokenizer))


def best_device() -> str:
    """Return "cuda" or "mps" where there is such a device, else "cpu"."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _sampling(temperature: float, config: dict[str, Any]) -> dict[str, Any]:
    if temperature == 0:
        return {"do_sample": False}
    return {
        "do_sample": True,
        "temperature": temperature,
        "top_k": config.get("top_k", 0),
        "top_p": config.get("top_p", 1.0),
    }


def _batches(rows: list[list[int]]) -> list[list[int]]:
    """Group the rows' indices, shortest first, so that a padded batch stays small."""
    batches: list[list[int]] = []
    for index in sorted(range(len(rows)), key=lambda i: len(rows[i])):
        current = batches[-1] if batches else []
        if current and len(current) < BATCH_SIZE and (len(current) + 1) * len(rows[index]) <= BATCH_TOKENS:
            current.append(index)
        else:
            batches.append([index])
    return batches


def _before_stop(completion: str, stop: str | Sequence[str] | None) -> str:
    for text in [stop] if isinstance(stop, str) else stop or []:
        completion = completion.split(text, maxsplit=1)[0]
    return completion


def _context_window(config, tokenizer: PreTrainedTokenizerBase) -> int:
    for field in ("max_position_embeddings", "n_positions", "max_sequence_length"):
        if getattr(config, field, None):
            return getattr(config, field)
    return tokenizer.model_max_length


def _why_not_found(name: str, error: Exception) -> str:
    reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
    if Path(name).exists():
        return f"The folder {name} does not hold a model that transformers can load ({reason})."
    return (
        f"No model named {name!r} could be loaded ({reason}): check the spelling and the network connection, "
        f"give the path of a folder, or call load_model() for the course's own model."
    )


def _no_progress_bar():
    if not transformers_logging.is_progress_bar_enabled():
        return nullcontext()
    return _ProgressBarOff()


class _ProgressBarOff:
    def __enter__(self) -> None:
        transformers_logging.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        transformers_logging.enable_progress_bar()
