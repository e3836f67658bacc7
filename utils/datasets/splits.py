"""The names of the splits, orders that no version of a library can change, and a share set aside."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from utils.arguments import number
from utils.errors import DataError

SPLITS = ("train", "validation", "test")
DATA = Path(__file__).parents[2] / "labs" / "data"

Record = TypeVar("Record")


def shuffle_key(text: str) -> str:
    """Return a key that mixes texts in an order which no version of a library can change."""
    return hashlib.sha256(text.encode("utf8")).hexdigest()


def set_aside(
    records: Sequence[Record], share: float, *, key: Callable[[Record], str], seed: int = 0
) -> tuple[list[Record], list[Record]]:
    """Return the records without a share of them (0 to 1), and that share, both in the order given.

    key: a record's text by which it is drawn, so that those with the same text go together, but for the last ones
    drawn. Raises UnsupportedSetting.
    """
    share = number(share, "the share set aside is a number from 0 to 1", least=0, most=1)
    drawn = sorted(range(len(records)), key=lambda n: shuffle_key(f"{seed}\n{key(records[n])}"))
    aside = set(drawn[: round(share * len(records))])
    parts = ([record for n, record in enumerate(records) if (n in aside) is there] for there in (False, True))
    return next(parts), next(parts)


def check_name(name: str, known: tuple[str, ...], what: str) -> None:
    """Raise DataError unless `name` is one of those known; what: a split, a domain."""
    if name not in known:
        raise DataError(f"There is no {what} {name!r}: take one of {', '.join(known)}.")
