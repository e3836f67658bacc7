"""Small sets written for the course, one for each measured use of a language model: `labs/data/NAME`."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

from utils.datasets.records import TextToText, read_records
from utils.datasets.splits import DATA, check_name

USES_SPLITS = ("train", "test")
"""Solved examples for prompts, and what is measured."""


@dataclass(frozen=True)
class Translation(TextToText):
    """An English sentence and its translation."""

    id: str
    language: str


@dataclass(frozen=True)
class EntitySentence(TextToText):
    """A sentence, and the persons, places and dates in it as `utils.evaluation.read_entities` reads them."""

    id: str


@dataclass(frozen=True)
class PassageQuestion(TextToText):
    """A question that a passage answers, and the answer in the passage's words."""

    id: str
    passage: str


@dataclass(frozen=True)
class CodeTask(TextToText):
    """The head of a Python function with its docstring, a body that is right, and tests: one `assert` a line."""

    id: str
    tests: str


def load_translations(split: str, language: str | None = None) -> list[Translation]:
    """Return a split of the translations from English: "train" (3 a language) or "test" (12 a language).

    language: "French", "German", "Spanish" or "Korean"; all of them, one after the other, when None. Raises DataError.
    """
    found = _read_split(Translation, "translations", split)
    if language is None:
        return found
    check_name(language, tuple(dict.fromkeys(item.language for item in found)), "language")
    return [item for item in found if item.language == language]


def load_entities(split: str) -> list[EntitySentence]:
    """Return a split of the sentences with their entities: "train" (4) or "test" (40). Raises DataError."""
    return _read_split(EntitySentence, "entities", split)


def load_passages(split: str) -> list[PassageQuestion]:
    """Return a split of the questions about a given text: "train" (2) or "test" (16). Raises DataError."""
    return _read_split(PassageQuestion, "passages", split)


def load_code_tasks(split: str) -> list[CodeTask]:
    """Return a split of the programming tasks: "train" (2) or "test" (10). Raises DataError."""
    return _read_split(CodeTask, "code_tasks", split)


Record = TypeVar("Record", bound=TextToText)


def _read_split(kind: type[Record], folder: str, split: str, data: Path = DATA) -> list[Record]:
    check_name(split, USES_SPLITS, "split")
    names = [field.name for field in fields(kind)]
    records = read_records(str(data / folder / f"{split}.jsonl"), names)
    return [kind(**{name: record[name] for name in names}) for record in records]
