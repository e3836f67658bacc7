"""The sets of the studio's lab: a folder each, with text-to-text files for three splits and a pipeline's file."""

from pathlib import Path

from utils.arguments import text
from utils.datasets.records import TextToText, load_text_to_text
from utils.datasets.splits import DATA, SPLITS, check_name
from utils.errors import DataError

SETS = ("tickets", "products", "dialogues")


def set_folder(name: str | Path) -> Path:
    """Return the folder of one of `SETS`, or a learner's own. Raises DataError for one that is not there.

    It holds train.jsonl, validation.jsonl, test.jsonl and pipeline.yaml.
    """
    folder = DATA / name if name in SETS else Path(text(name, "a set")).expanduser()
    if not folder.is_dir():
        raise DataError(f"There is no set {str(name)!r}: take one of {', '.join(SETS)}, or a folder of your own.")
    return folder


def load_set(name: str | Path, split: str) -> list[TextToText]:
    """Return the records of "train", "validation" or "test" of a set (`set_folder`). Raises DataError."""
    check_name(split, SPLITS, "split")
    return load_text_to_text(set_folder(name) / f"{split}.jsonl")
