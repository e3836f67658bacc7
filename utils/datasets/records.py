"""Text-to-text records: a learner's JSON Lines file, from this machine or from storage in a cloud."""

import json
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec

from utils.arguments import a_list
from utils.errors import DataError, short_reason
from utils.prompts.templates import Example, as_examples
from utils.storage.files import disk_errors_explained, write_text
from utils.storage.places import cache_dir

READ_SECONDS = 30
"""Longest wait for a file from the network."""
CLOUD = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs"}
"""The package that reads an address, by what the address begins with."""

SIGN_IN = {
    "s3": "`aws configure`",
    "gs": "`gcloud auth application-default login`",
    "gcs": "`gcloud auth application-default login`",
}
logging.getLogger("gcsfs").addHandler(logging.NullHandler())  # its errors reach the learner as one sentence


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
            raise DataError(f"{what[0].upper()}{what[1:]} have the column {twice[0]!r} twice: rename or drop one.")
        data = data.to_dict("records")
    items = a_list(data, what)
    cases = as_examples(items, what)
    return [
        item if isinstance(item, TextToText) else TextToText(*case) for item, case in zip(items, cases, strict=True)
    ]


def load_text_to_text(path_or_uri: str | Path) -> list[TextToText]:
    """Return the records of a JSON Lines file with the fields `input_text` and `output_text`.

    path_or_uri: a local path, or any address that fsspec reads (s3://, gs://, https://).
    Other fields are left out. Raises DataError naming the line.
    """
    records = read_records(str(path_or_uri))
    return [TextToText(record["input_text"], record["output_text"]) for record in records]


def save_text_to_text(records: Sequence[TextToText], name: str) -> Path:
    """Write records as a JSON Lines file of that name in the course's cache and return its path.

    The file has the two fields of `load_text_to_text`; it replaces an earlier one at once.
    """
    path = cache_dir() / "data" / f"{name}.jsonl"
    with disk_errors_explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, to_json_lines(records))
    return path


def to_json_lines(records: Sequence[TextToText]) -> str:
    """Return records as the text of a JSON Lines file with `input_text` and `output_text`."""
    pairs = ({"input_text": record.input_text, "output_text": record.output_text} for record in records)
    return "".join(json.dumps(pair, ensure_ascii=False) + "\n" for pair in pairs)


def read_records(address: str) -> list[dict]:
    """Return the records of a JSON Lines file, each with text in `input_text` and `output_text`. Raises DataError."""
    try:
        text = _read_bytes(address).decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"There is no file {address}: check the path.") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{address} is not UTF-8 text ({error.reason}): save it as UTF-8.") from None
    except ImportError as error:
        package = CLOUD.get(address.split("://")[0])
        remedy = f"run `make cloud`, or `pip install {package}`, and restart the kernel" if package else "install it"
        raise DataError(f"{address} needs a package that is not installed ({short_reason(error)}): {remedy}.") from None
    except TimeoutError:
        raise DataError(f"{address} did not arrive within {READ_SECONDS} seconds: {_advice(address)}.") from None
    except Exception as error:  # each storage service raises its own kinds
        raise DataError(f"{address} cannot be opened ({short_reason(error)}): {_advice(address)}.") from None
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    if not any(line.strip() for line in lines):
        raise DataError(f"{address} is empty: it needs one JSON object a line.")
    return [_parse_record(line, f"{address}, line {number}") for number, line in enumerate(lines, start=1)]


def _read_bytes(address: str) -> bytes:
    filesystem, path = fsspec.url_to_fs(address)
    limit = {"timeout": READ_SECONDS} if filesystem.async_impl else {}
    return filesystem.cat_file(path, **limit)


def _advice(address: str) -> str:
    protocol = address.split("://")[0]
    if protocol == address:
        return "check the path and your right to read it"
    credentials = f", set up your credentials ({SIGN_IN[protocol]})" if protocol in SIGN_IN else ""
    return (
        f"check the address and the network connection{credentials}, or copy the file to this machine and give its path"
    )


def _parse_record(line: str, where: str) -> dict:
    if not line.strip():
        raise DataError(f"{where} is empty: delete it, every line holds one record.")
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{where} is not valid JSON ({error.msg} at column {error.colno}): mend that line.") from None
    for field in ("input_text", "output_text"):
        if not isinstance(record, dict) or not isinstance(record.get(field), str) or not record[field].strip():
            raise DataError(f'{where} has no text in "{field}": a record is {{"input_text": ..., "output_text": ...}}.')
    return record


def completion_text(record: TextToText) -> str:
    """Return a record's output as it stands behind its input: after a space, unless one is there."""
    begun = record.input_text[-1:].isspace()
    return record.output_text if begun else f" {record.output_text}"
