"""Dialogues with one-sentence summaries: the course's own, or the hub's."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.arguments import text
from utils.datasets.records import TextToText, read_records
from utils.datasets.splits import DATA, SPLITS, check_name
from utils.errors import DataError, short_reason
from utils.progress import progress, working

DIALOGUES_FOLDER = DATA / "dialogues"


@dataclass(frozen=True)
class Dialogue(TextToText):
    """A dialogue (one turn a line) and its one-sentence summary."""

    id: str
    topic: str


def load_dialogues(split: str, source: str | Path | None = None) -> list[Dialogue]:
    """Return a split of the course's dialogues: "train" (240), "validation" (60) or "test" (60).

    source: a dataset on the hub with the fields `dialogue` and `summary`, such as
    "knkarthick/dialogsum", in place of the course's own (needs a network), or a folder with
    such files. Raises DataError, naming the record that has no text in one of them.
    """
    check_name(split, SPLITS, "split")
    if source is not None:
        return _hub_dialogues(split, text(source, "the source"))
    return [Dialogue(**record) for record in read_records(str(DIALOGUES_FOLDER / f"{split}.jsonl"))]


def _hub_dialogues(split: str, source: str) -> list[Dialogue]:
    from datasets import load_dataset

    try:
        with working(f"Reading the dataset {source}"), _without_bars():
            rows = load_dataset(source, split=split)
    except Exception as error:  # the library raises many kinds, all for the same two reasons
        raise DataError(
            f"The dataset {source!r} could not be loaded ({short_reason(error)}): check its name and the network "
            "connection, or leave `source` out for the course's own dialogues."
        ) from None
    if not {"dialogue", "summary"} <= set(rows.column_names):
        raise DataError(
            f"The dataset {source!r} has the fields {rows.column_names}: it needs `dialogue` and `summary`."
        )
    if not len(rows):
        raise DataError(f"The dataset {source!r} has no record in its split {split!r}: take another split or dataset.")
    found = []
    for n, row in enumerate(progress(rows, "Reading dialogues", total=len(rows))):
        found.append(_dialogue(row, n, f"The {split} record {n + 1} of {source!r}"))
    return found


@contextmanager
def _without_bars() -> Generator[None]:
    """Read without the library's own bars, which stay in a notebook."""
    from datasets.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    silent = are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if not silent:
            enable_progress_bars()


def _dialogue(row: dict[str, Any], number: int, where: str) -> Dialogue:
    for field in ("dialogue", "summary"):
        if not isinstance(row[field], str) or not row[field].strip():
            raise DataError(
                f"{where} has no text in `{field}` ({row[field]!r:.80}): mend it there, or take another dataset."
            )
    named = {field: row[field] for field in ("id", "topic") if row.get(field) is not None}
    return Dialogue(row["dialogue"], row["summary"], id=str(named.get("id", number)), topic=str(named.get("topic", "")))
