"""Labelled and text-to-text data: the course's own, a learner's file, or the hub's."""

import hashlib
import html
import io
import json
import logging
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import fsspec

from utils.assets import VADER, cache_dir, disk_errors_explained, fetch, write_text
from utils.errors import DataError
from utils.prompts import Example

SPLITS = ("train", "validation", "test")
LABELS = ("negative", "positive")
DATA = Path(__file__).parents[1] / "labs" / "data"
DIALOGUES_FOLDER = DATA / "dialogues"
QUESTIONS_FOLDER = DATA / "questions"

REVIEWS_PER_SPLIT = {"train": 240, "validation": 40, "test": 60}
REVIEW_FILES = {"movie": "movieReviewSnippets_GroundTruth.txt", "product": "amazonReviewSnippets_GroundTruth.txt"}
REVIEW_WORDS = range(6, 19)
CLEAR_RATING = 1.5

READ_SECONDS = 30
"""Longest wait for a file from the network."""

SIGN_IN = {
    "s3": "`aws configure`",
    "gs": "`gcloud auth application-default login`",
    "gcs": "`gcloud auth application-default login`",
}

logging.getLogger("gcsfs").addHandler(logging.NullHandler())  # its errors reach the learner as one sentence


@dataclass(frozen=True)
class Review:
    """A sentence of a review with its mean human rating, from -4 (negative) to 4 (positive)."""

    text: str
    label: str
    rating: float

    @property
    def example(self) -> Example:
        """The review as an example for a prompt: its text and its label."""
        return Example(self.text, self.label)


@dataclass(frozen=True)
class TextToText:
    """One record of a text-to-text file: what goes in and what shall come out."""

    input_text: str
    output_text: str

    @property
    def example(self) -> Example:
        """The record as an example for a prompt."""
        return Example(self.input_text, self.output_text)


@dataclass(frozen=True)
class Dialogue(TextToText):
    """A dialogue (one turn a line) and its one-sentence summary."""

    id: str
    topic: str


@dataclass(frozen=True)
class Question(TextToText):
    """A short factual question and its one short answer."""

    id: str
    topic: str


def load_reviews(split: str, *, domain: str = "movie") -> list[Review]:
    """Return a fixed, balanced split of short movie or product reviews, in a fixed mixed order.

    split: "train" (240), "validation" (40) or "test" (60), half of each label, no review
    in two of them. Only clear cases: a mean rating of 1.5 or more, or -1.5 or less, 6 to
    18 words. Source: C.J. Hutto and E. Gilbert, "VADER", ICWSM 2014, data in the package
    vaderSentiment (MIT). Raises DataError for another split or domain, and what
    `utils.assets.fetch` raises.
    """
    _check_name(split, SPLITS, "split")
    _check_name(domain, tuple(REVIEW_FILES), "domain")
    start = sum(REVIEWS_PER_SPLIT[earlier] for earlier in SPLITS[: SPLITS.index(split)]) // 2
    stop = start + REVIEWS_PER_SPLIT[split] // 2
    chosen = [
        review
        for label in LABELS
        for review in [review for review in _rated_reviews(domain) if review.label == label][start:stop]
    ]
    return sorted(chosen, key=lambda review: _shuffle_key(f"order in a split {review.text}"))


def load_dialogues(split: str, source: str | None = None) -> list[Dialogue]:
    """Return a split of the course's dialogues: "train" (240), "validation" (60) or "test" (60).

    source: a dataset on the hub with the fields `dialogue` and `summary`, such as
    "knkarthick/dialogsum", in place of the course's own (needs a network). Raises DataError.
    """
    _check_name(split, SPLITS, "split")
    if source is not None:
        return _hub_dialogues(split, source)
    return [Dialogue(**record) for record in _read_records(str(DIALOGUES_FOLDER / f"{split}.jsonl"))]


def load_questions(split: str) -> list[Question]:
    """Return a split of the course's questions: "train" (8), "validation" (40) or "test" (40).

    Eight topics, as many questions of each in every split. Raises DataError.
    """
    _check_name(split, SPLITS, "split")
    return [Question(**record) for record in _read_records(str(QUESTIONS_FOLDER / f"{split}.jsonl"))]


def load_text_to_text(path_or_uri: str | Path) -> list[TextToText]:
    """Return the records of a JSON Lines file with the fields `input_text` and `output_text`.

    path_or_uri: a local path, or any address that fsspec reads (s3://, gs://, https://).
    Other fields are left out. Raises DataError naming the line.
    """
    records = _read_records(str(path_or_uri))
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


def _read_records(address: str) -> list[dict]:
    try:
        text = _read_bytes(address).decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"There is no file {address}: check the path.") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{address} is not UTF-8 text ({error.reason}): save it as UTF-8.") from None
    except ImportError as error:
        raise DataError(f"{address} cannot be opened: {error}.") from None
    except TimeoutError:
        raise DataError(f"{address} did not arrive within {READ_SECONDS} seconds: {_advice(address)}.") from None
    except Exception as error:  # each storage service raises its own kinds
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise DataError(f"{address} cannot be opened ({reason}): {_advice(address)}.") from None
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


def _hub_dialogues(split: str, source: str) -> list[Dialogue]:
    from datasets import load_dataset

    try:
        rows = load_dataset(source, split=split)
    except Exception as error:  # the library raises many kinds, all for the same two reasons
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(
            f"The dataset {source!r} could not be loaded ({reason}): check its name and the network connection, "
            "or leave `source` out for the course's own dialogues."
        ) from None
    if not {"dialogue", "summary"} <= set(rows.column_names):
        raise DataError(
            f"The dataset {source!r} has the fields {rows.column_names}: it needs `dialogue` and `summary`."
        )
    return [
        Dialogue(row["dialogue"], row["summary"], id=str(row.get("id", number)), topic=str(row.get("topic", "")))
        for number, row in enumerate(rows)
    ]


@cache
def _rated_reviews(domain: str) -> tuple[Review, ...]:
    """Return the clear, short reviews of a domain in the order that the splits are cut from."""
    with tarfile.open(fetch(VADER)) as package:
        name = next(name for name in package.getnames() if name.endswith("hutto_ICWSM_2014.tar.gz"))
        with tarfile.open(fileobj=io.BytesIO(package.extractfile(name).read())) as data:
            text = data.extractfile(f"hutto_ICWSM_2014/{REVIEW_FILES[domain]}").read().decode("utf8", "replace")
    found: dict[str, Review] = {}
    for line in text.splitlines():
        _, rating, sentence = line.split("\t", maxsplit=2)
        sentence = html.unescape(sentence).replace("''", '"').strip()
        clear = abs(float(rating)) >= CLEAR_RATING and len(sentence.split()) in REVIEW_WORDS and sentence.isascii()
        if clear:
            found.setdefault(sentence.lower(), Review(sentence, LABELS[float(rating) > 0], round(float(rating), 2)))
    return tuple(sorted(found.values(), key=lambda review: _shuffle_key(review.text)))


def _shuffle_key(text: str) -> str:
    """Return a key that mixes texts in an order which no version of a library can change."""
    return hashlib.sha256(text.encode("utf8")).hexdigest()


def _check_name(name: str, known: tuple[str, ...], what: str) -> None:
    if name not in known:
        raise DataError(f"There is no {what} {name!r}: take one of {', '.join(known)}.")
