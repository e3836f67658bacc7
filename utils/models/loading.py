"""Load a language model: the course's default, a hub name, a local folder, or one behind an address."""

import os
import re
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerBase

from utils.arguments import text
from utils.errors import CourseError, ModelNotFound, UnsupportedSetting, short_reason
from utils.models.catalog import CatalogModel
from utils.models.endpoints import is_address, load_endpoint
from utils.models.fitting import fit
from utils.models.language_model import UNSTATED_WINDOW, LanguageModel
from utils.models.memory import machine_memory
from utils.progress import working
from utils.storage.checkpoints import default_checkpoint, gguf_checkpoint, is_gguf, read_model
from utils.storage.places import lasting

DEFAULT_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
ADAPTER_FILES = ("adapter_config.json", "adapter.json")
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
HUB_SECONDS = 4.0
"""How long the hub may take to answer before it counts as out of reach."""


def load_model(
    name: str | os.PathLike[str] | None = None, *, device: str | torch.device | None = None
) -> LanguageModel:
    """Load a language model: the course's default, a hub name, a local folder, a GGUF file, or an endpoint's address.

    name: COURSE_MODEL, or the default model, when None. device: "cpu", "cuda", "mps";
    COURSE_DEVICE, or the best one present, when None. The first call for the default
    model fetches and converts it, the first for a GGUF file converts that. Of an endpoint,
    "http://host:port/v1#model", see `load_endpoint`. Raises ModelNotFound,
    UnsupportedSetting, and what `utils.storage.fetch` raises.
    """
    name = text(name or os.environ.get("COURSE_MODEL") or DEFAULT_MODEL, "a model's name or path")
    if is_address(name):
        return load_endpoint(name)
    device = str(device or os.environ.get("COURSE_DEVICE") or best_device())
    if not is_present(device):
        raise UnsupportedSetting(f"There is no device {device!r} on this machine: use cpu, or leave the device out.")
    name = lasting_name(name)
    source = model_source(name)
    try:
        with working(f"Reading the model {name}"):
            tokenizer, model = read_model(source)
    except (CourseError, MemoryError):
        raise
    except Exception as error:  # of every kind, as what stands in the folder is
        raise ModelNotFound(_why_not_found(name, source, error)) from None
    fitted = fit(LanguageModel(name, model.eval(), tokenizer, _context_window(model.config, tokenizer)))
    return replace(fitted, model=fitted.model.to(device))


def load_from_catalog(model: CatalogModel) -> LanguageModel:
    """Load a model of the catalog, from this machine or from the hub. Raises ModelNotFound where neither can be.

    What cannot be had is said within seconds: a model larger than the memory, or a hub that does not answer.
    """
    memory = machine_memory()
    if model.run_bytes > memory:
        raise ModelNotFound(
            f"{model.name} takes {model.run_bytes / 1e9:.1f} GB to run and this machine has {memory / 1e9:.1f}: "
            "choose a smaller one."
        )
    source = found_here(model)
    if source is None and not hub_answers(model.hub):
        raise ModelNotFound(
            f"{model.name} is not on this machine and the hub does not give it: run load_model({model.hub!r}) once "
            "with a network, or set COURSE_MODEL to a folder of that name that holds it."
        )
    return load_model(source or model.hub)


def found_here(model: CatalogModel) -> str | None:
    """Return by which name `load_model` finds a model of the catalog on this machine, None where it is not here.

    The default model, which the course brings; the one that COURSE_MODEL names; and what the hub's cache holds whole.
    """
    from huggingface_hub import try_to_load_from_cache

    own = os.environ.get("COURSE_MODEL") or ""
    if own and not is_address(own) and (own == model.hub or Path(own).name in (model.name, model.file)):
        return own
    if model.hub == DEFAULT_MODEL:
        return DEFAULT_MODEL
    held = [isinstance(try_to_load_from_cache(model.hub, file), str) for file in ("config.json", *WEIGHTS)]
    return model.hub if held[0] and any(held[1:]) else None


def hub_answers(hub: str) -> bool:
    """Whether the hub tells of a model of that name, within seconds: a name that is not resolved may wait for long."""
    from huggingface_hub import model_info
    from huggingface_hub.constants import is_offline_mode

    found = []

    def ask() -> None:
        with suppress(Exception):  # no network, no such model, not for everyone
            found.append(model_info(hub, timeout=HUB_SECONDS))

    if not is_offline_mode():
        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        asking.join(HUB_SECONDS)
    return bool(found)


def lasting_name(name: str) -> str:
    """Return the name of a model that holds in any working folder: of a file or folder its absolute path."""
    return name if name == DEFAULT_MODEL else lasting(name)


def model_source(name: str) -> str | Path:
    """Return what transformers can load: a folder's path, or a name that it looks up on the hub."""
    if name == DEFAULT_MODEL:
        return default_checkpoint()
    path = Path(name)
    if is_gguf(path):
        return gguf_checkpoint(path)
    if not (path / "config.json").exists() and any((path / file).exists() for file in ADAPTER_FILES):
        raise ModelNotFound(
            f"The folder {name} holds an adapter and not a model: load the model that it was tuned on, and the adapter "
            f"with load_adapter(model, {name!r})."
        )
    return name


def best_device() -> str:
    """Return "cuda" or "mps" where there is such a device, else "cpu"."""
    return next(device for device in ("cuda", "mps", "cpu") if is_present(device))


def is_present(device: str) -> bool:
    """Whether this machine has a device of that name, such as "cpu", "cuda", "cuda:0" or "mps"."""
    asked = re.fullmatch(r"(cpu|cuda|mps)(?::(\d+))?", device)
    if not asked or asked[1] == "cpu":
        return asked is not None
    devices = getattr(torch, asked[1])
    return devices.is_available() and int(asked[2] or 0) < devices.device_count()


def _context_window(config, tokenizer: PreTrainedTokenizerBase) -> int:
    text = config.get_text_config()
    for field in ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"):
        if getattr(text, field, None):
            return getattr(text, field)
    return tokenizer.model_max_length if tokenizer.model_max_length < 10**9 else UNSTATED_WINDOW


def _why_not_found(name: str, source: str | Path, error: Exception) -> str:
    reason = short_reason(error)
    if isinstance(source, Path):
        return f"The model kept in {source} is damaged ({reason}): delete that folder and run this again."
    if Path(source).is_file():
        return (
            f"{name} is a file: give the folder that it stands in, with config.json and the tokenizer, or a GGUF file."
        )
    if files := sorted(Path(source).glob("*.gguf")):
        return f"The folder {name} holds a GGUF file: give its path, {files[0]}."
    if Path(source).is_dir():
        return f"The folder {name} does not hold a model that transformers can load ({reason})."
    return (
        f"No model named {name!r} could be loaded ({reason}): check the spelling and the network connection, "
        f"give the path of a folder, or call load_model() for the course's own model."
    )
