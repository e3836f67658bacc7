"""Load a language model: the course's default, a hub name, or a local folder."""

import os
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import PreTrainedTokenizerBase

from utils.arguments import text
from utils.errors import ModelNotFound, UnsupportedSetting, short_reason
from utils.models.language_model import LanguageModel
from utils.storage.checkpoints import default_checkpoint, gguf_checkpoint, is_gguf, read_model
from utils.storage.places import lasting

DEFAULT_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
UNSTATED_WINDOW = 2048
"""Context window taken for a model that states none; most of those were trained with this length."""


def load_model(
    name: str | os.PathLike[str] | None = None, *, device: str | torch.device | None = None
) -> LanguageModel:
    """Load a language model: the course's default, a hub name, a local folder, or a GGUF file.

    name: COURSE_MODEL, or the default model, when None. device: "cpu", "cuda", "mps";
    COURSE_DEVICE, or the best one present, when None. The first call for the default
    model fetches and converts it, the first for a GGUF file converts that. Raises ModelNotFound,
    UnsupportedSetting, and what `utils.storage.fetch` raises.
    """
    name = text(name or os.environ.get("COURSE_MODEL") or DEFAULT_MODEL, "a model's name or path")
    device = str(device or os.environ.get("COURSE_DEVICE") or best_device())
    if not is_present(device):
        raise UnsupportedSetting(f"There is no device {device!r} on this machine: use cpu, or leave the device out.")
    source = _source(name)
    try:
        tokenizer, model = read_model(source)
    except (OSError, ValueError, KeyError, ImportError, SafetensorError) as error:
        raise ModelNotFound(_why_not_found(name, source, error)) from None
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    name = name if name == DEFAULT_MODEL else lasting(name)
    return LanguageModel(name, model.eval().to(device), tokenizer, _context_window(model.config, tokenizer))


def _source(name: str) -> str | Path:
    """Return what transformers can load: a folder's path, or a name that it looks up on the hub."""
    path = Path(name).expanduser()
    if name == DEFAULT_MODEL:
        return default_checkpoint()
    if is_gguf(path):
        return gguf_checkpoint(path)
    return str(path)


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
