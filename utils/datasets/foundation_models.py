"""Foundation models and the numbers of parameters that their makers publish."""

import json
from dataclasses import dataclass
from pathlib import Path

from utils.datasets.splits import DATA
from utils.errors import DataError

FILE = DATA / "foundation_models" / "models.json"


@dataclass(frozen=True)
class FoundationModel:
    """A foundation model and what is published of its size.

    released: year and month, such as "2018-10". parameters: all of them, None where the maker publishes no count.
    active: those that take part in computing one token, of a sparse model. family: "encoder", "encoder-decoder" or
    "decoder". open_weights: whether the maker gives the weights out, under the licence. source: an address.
    """

    name: str
    maker: str
    released: str
    parameters: int | None
    family: str
    open_weights: bool
    source: str
    licence: str | None = None
    active: int | None = None


def load_foundation_models(path: Path = FILE) -> list[FoundationModel]:
    """Return the models of the course's list, oldest first. Raises DataError."""
    try:
        return [FoundationModel(**entry) for entry in json.loads(path.read_text(encoding="utf8"))]
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path.name} cannot be read ({error}): it is a file of the course, get it again.") from None
