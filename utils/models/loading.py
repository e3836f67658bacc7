"""Load a language model: the course's default, a hub name, or a local folder."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from utils.errors import ModelNotFound, UnsupportedSetting, short_reason
from utils.models.language_model import LanguageModel
from utils.storage.checkpoints import default_checkpoint
from utils.storage.places import lasting

DEFAULT_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
UNSTATED_WINDOW = 2048
"""Context window taken for a model that states none; most of those were trained with this length."""


def load_model(name: str | None = None, *, device: str | None = None) -> LanguageModel:
    """Load a language model: the course's default, a hub name, or a local folder.

    name: COURSE_MODEL, or the default model, when None. device: "cpu", "cuda", "mps";
    COURSE_DEVICE, or the best one present, when None. The first call for the default
    model fetches and converts it. Raises ModelNotFound and what `utils.storage.fetch` raises.
    """
    name = name or os.environ.get("COURSE_MODEL") or DEFAULT_MODEL
    source = default_checkpoint() if name == DEFAULT_MODEL else name
    device = device or os.environ.get("COURSE_DEVICE") or best_device()
    if not is_present(device):
        raise UnsupportedSetting(f"There is no device {device!r} on this machine: use cpu, or leave the device out.")
    with _no_progress_bar():
        try:
            config = AutoConfig.from_pretrained(source)
            kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
            tokenizer: Any = AutoTokenizer.from_pretrained(source)
            model = kind.from_pretrained(source, dtype=torch.float32)
        except (OSError, ValueError, KeyError, ImportError, SafetensorError) as error:
            raise ModelNotFound(_why_not_found(name, source, error)) from None
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    name = lasting(name) if source == name else name
    return LanguageModel(name, model.eval().to(device), tokenizer, _context_window(config, tokenizer))


def best_device() -> str:
    """Return "cuda" or "mps" where there is such a device, else "cpu"."""
    return next(device for device in ("cuda", "mps", "cpu") if is_present(device))


def is_present(device: str) -> bool:
    """Whether this machine has a device of that name, such as "cpu", "cuda", "cuda:0" or "mps"."""
    kind = device.split(":")[0]
    return kind == "cpu" or (kind in ("cuda", "mps") and getattr(torch, kind).is_available())


def _context_window(config, tokenizer: PreTrainedTokenizerBase) -> int:
    text = config.get_text_config()
    for field in ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"):
        if getattr(text, field, None):
            return getattr(text, field)
    return tokenizer.model_max_length if tokenizer.model_max_length < 10**9 else UNSTATED_WINDOW


def _why_not_found(name: str, source: str | Path, error: Exception) -> str:
    reason = short_reason(error)
    if isinstance(source, Path):
        return f"The course's model in {source} is damaged ({reason}): delete that folder and run this again."
    if Path(name).exists():
        return f"The folder {name} does not hold a model that transformers can load ({reason})."
    return (
        f"No model named {name!r} could be loaded ({reason}): check the spelling and the network connection, "
        f"give the path of a folder, or call load_model() for the course's own model."
    )


@contextmanager
def _no_progress_bar() -> Generator[None]:
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()
