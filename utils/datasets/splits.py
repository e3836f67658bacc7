"""The names of the splits, and orders that no version of a library can change."""

import hashlib
from pathlib import Path

from utils.errors import DataError

SPLITS = ("train", "validation", "test")
DATA = Path(__file__).parents[2] / "labs" / "data"


def shuffle_key(text: str) -> str:
    """Return a key that mixes texts in an order which no version of a library can change."""
    return hashlib.sha256(text.encode("utf8")).hexdigest()


def check_name(name: str, known: tuple[str, ...], what: str) -> None:
    """Raise DataError unless `name` is one of those known; what: a split, a domain."""
    if name not in known:
        raise DataError(f"There is no {what} {name!r}: take one of {', '.join(known)}.")
