"""Text-to-text records: a learner's JSON Lines file, from this machine or from storage in a cloud."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.arguments import a_list, text
from utils.datasets.addresses import read_text
from utils.errors import DataError, opened
from utils.prompts.templates import Example, as_examples
from utils.storage.files import disk_errors_explained, write_text
from utils.storage.places import tuning_dir

FIELDS = ("input_text", "output_text")
FILE_NAME = re.compile(r"\w[\w .-]{0,99}")


@dataclass(frozen=True)
class TextToText:
    """One record of a text-to-text file: what goes in and what shall come out."""

    input_text: str
    output_text: str

    @property
    def example(self) -> Example:
        """The record as an example for a prompt."""
        return Example(self.input_text, self.output_text)


def as_records(data: Any, what: str = "the records") -> list[TextToText]:
    """Return what a learner holds as records: a list of records, pairs or dictionaries, or a DataFrame.

    Each item is what `as_example` takes; a DataFrame has the columns `input_text` and `output_text`, or `input` and
    `output`; other fields and columns are left out. what: their name in an error. Raises DataError with the number of
    the first wrong one; an empty text is not refused here: the linter tells of it.
    """
    if hasattr(data, "iterrows"):  # a DataFrame of pandas, which this room does not import
        twice = [name for name, times in Counter(data.columns).items() if times > 1]
        if twice:
            raise DataError(f"{opened(what)} have the column {twice[0]!r} twice: rename or drop one.")
        data = data.to_dict("records")
    items = a_list(data, what)
    cases = as_examples(items, what)
    return [
        item if isinstance(item, TextToText) else TextToText(*case) for item, case in zip(items, cases, strict=True)
    ]


def load_text_to_text(path_or_uri: str | Path) -> list[TextToText]:
    """Return the records of a JSON Lines file with the fields `input_text` and `output_text`.

    path_or_uri: a local path, or any address that fsspec reads (s3://, gs://, https://); gzip, bzip2 and xz are
    unpacked. Other fields are left out. Raises DataError naming the line.
    """
    records = read_records(text(path_or_uri, "the path of a file"))
    return [TextToText(record["input_text"], record["output_text"]) for record in records]


def save_text_to_text(records: Any, name: str) -> Path:
    """Write records as a JSON Lines file of that name beside the tuning jobs and return its path.

    records: what `as_records` takes, none of them blank; name: a file's name without folders. The file has the two
    fields of `load_text_to_text`; it replaces an earlier one at once. Raises DataError, DiskFull, CacheUnusable.
    """
    found = as_records(records)
    require_texts(found)
    if not found:
        raise DataError("There is no record to save: give at least one.")
    path = tuning_dir() / "data" / f"{_file_name(name)}.jsonl"
    with disk_errors_explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, to_json_lines(found))
    return path


def to_json_lines(records: Sequence[TextToText]) -> str:
    """Return records as the text of a JSON Lines file with `input_text` and `output_text`."""
    pairs = ({field: getattr(record, field) for field in FIELDS} for record in records)
    return "".join(json.dumps(pair, ensure_ascii=False) + "\n" for pair in pairs)


def read_records(address: str, fields: Sequence[str] = FIELDS) -> list[dict]:
    """Return the records of a JSON Lines file, each with text in all `fields`. Raises DataError naming the line."""
    lines = read_text(address).replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")
    if not any(line.strip() for line in lines):
        raise DataError(f"{address} is empty: it needs one JSON object a line.")
    return [_parse_record(line, f"{address}, line {number}", fields) for number, line in enumerate(lines, start=1)]


def _parse_record(line: str, where: str, fields: Sequence[str]) -> dict:
    if not line.strip():
        raise DataError(f"{where} is empty: delete it, every line holds one record.")
    if not line.lstrip().startswith("{"):
        raise DataError(
            f"{where} does not begin with {{: write one JSON object a line, no list around them and no table (CSV)."
        )
    try:
        record = json.loads(line, object_pairs_hook=_no_key_twice, parse_int=float)  # no number is too long for a float
    except json.JSONDecodeError as error:
        raise DataError(f"{where} is not valid JSON ({error.msg} at column {error.colno}): mend that line.") from None
    except KeyError as error:
        raise DataError(f"{where} has the field {error.args[0]!a} twice: delete or rename one of the two.") from None
    except RecursionError:
        raise DataError(
            f"{where} is nested too deeply to be read: a record needs two texts and nothing else."
        ) from None
    for field in fields:
        if not isinstance(record.get(field), str) or not record[field].strip():
            form = ", ".join(f'"{name}": ...' for name in fields)
            raise DataError(f'{where} has no text in "{field}": a record is {{{form}}}.')
        text(record[field], f'"{field}" of {where}')
    return record


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    twice = [key for key, times in Counter(key for key, _ in pairs).items() if times > 1]
    if twice:
        raise KeyError(twice[0])
    return dict(pairs)


def require_texts(records: Sequence[TextToText], what: str = "the records") -> None:
    """Raise DataError naming the first record without text in one of its two fields."""
    blank = [
        (n, field) for n, record in enumerate(records, 1) for field in FIELDS if not getattr(record, field).strip()
    ]
    if blank:
        number, field = blank[0]
        raise DataError(f"Number {number} of {what} has no text in {field}: fill it in or leave it out.")


def _file_name(name: str) -> str:
    found = text(name, "the name of a file").removesuffix(".jsonl")
    if not FILE_NAME.fullmatch(found):
        raise DataError(
            f"{name!r:.80} cannot be a file's name: take letters, digits, spaces and . _ - (100 at most), no folders."
        )
    return found


def completion_text(record: TextToText) -> str:
    """Return a record's output as it stands behind its input: after a space, unless one is there."""
    begun = record.input_text[-1:].isspace()
    return record.output_text if begun else f" {record.output_text}"
