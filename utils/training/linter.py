"""What to know about tuning data before training: enough, repeated, contradictory, leaked, blank, unknown, too long."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from utils.datasets.records import TextToText, as_records
from utils.errors import DataError
from utils.models.language_model import LanguageModel
from utils.progress import progress
from utils.tables import TextTable
from utils.training.records import Encoded, encode

FEWEST = 10
USUAL = range(100, 1001)
NAMED = 5

Numbered = tuple[str, Mapping[int, Encoded]]
"""A split's name and its records' tokens by record number, from 1; blank records are left out."""


@dataclass(frozen=True)
class Finding:
    """What one check found and what to do. level: "ok", "advice" or "error"."""

    check: str
    level: str
    text: str


@dataclass(frozen=True)
class Report:
    """The findings of all checks."""

    findings: tuple[Finding, ...]

    @property
    def refused(self) -> bool:
        """Whether the data cannot be trained on before the errors are mended."""
        return any(finding.level == "error" for finding in self.findings)

    def table(self) -> TextTable:
        """Return a row for each finding."""
        rows = tuple((finding.check, finding.level, finding.text) for finding in self.findings)
        return TextTable(("check", "level", "found"), rows)

    def __repr__(self) -> str:
        return repr(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def lint(train: Any, validation: Any = (), *, model: LanguageModel) -> Report:
    """Return what is good and bad about the data that a model shall be tuned on. Raises DataError for no records."""
    train, validation = as_records(train, "the training records"), as_records(validation, "the validation records")
    splits = {"training": train, "validation": validation}
    encoded = [(name, _encoded(model, records)) for name, records in splits.items()]
    return Report(
        (
            _count(len(train)),
            *_tokens(list(encoded[0][1].values())),
            _blank(splits),
            _repeated(train),
            _contradictory(train),
            _leaked(train, validation),
            *_unknown(model, splits, dict(encoded)),
            _too_long(model, encoded),
        )
    )


def require_usable(report: Report) -> None:
    """Raise DataError with all errors of a report, if it has any."""
    if report.refused:
        raise DataError(" ".join(finding.text for finding in report.findings if finding.level == "error"))


def _count(number: int) -> Finding:
    if number < FEWEST:
        text = f"There are {number} training records, too few to learn from: collect at least {FEWEST}, better 100."
        return Finding("count", "error", text)
    if number < USUAL.start:
        text = f"There are {number} training records: that can teach a style or a format, for a task collect 100."
        return Finding("count", "advice", text)
    if number >= USUAL.stop:
        text = f"There are {number:,} training records: start with 1,000, training on all of them takes long here."
        return Finding("count", "advice", text)
    return Finding("count", "ok", f"There are {number:,} training records.")


def _tokens(records: Sequence[Encoded]) -> Iterator[Finding]:
    if records:
        prompts, completions = (_spread([len(getattr(r, side)) for r in records]) for side in ("prompt", "completion"))
        text = f"Tokens a record, shortest / median / longest: prompt {prompts}, completion {completions}."
        yield Finding("tokens", "ok", text)


def _blank(splits: Mapping[str, Sequence[TextToText]]) -> Finding:
    places = {
        (name, side): [n for n, record in enumerate(records, 1) if not getattr(record, f"{side}_text").strip()]
        for name, records in splits.items()
        for side in ("input", "output")
    }
    found = [f"in the {side} of {_records(name, numbers)}" for (name, side), numbers in places.items() if numbers]
    if found:
        return Finding("blank", "error", f"There is no text {' and '.join(found)}: fill it in or delete the record.")
    return Finding("blank", "ok", "Every record has an input and an output.")


def _repeated(train: Sequence[TextToText]) -> Finding:
    again = sorted(
        n for group in _groups(train, lambda record: (record.input_text, record.output_text)) for n in group[1:]
    )
    if again:
        text = f"An earlier record is repeated, input and output, in {_records('training', again)}: "
        return Finding("duplicates", "advice", text + "delete the repeats, or they count more than other records.")
    return Finding("duplicates", "ok", "No training record repeats another.")


def _contradictory(train: Sequence[TextToText]) -> Finding:
    groups = _groups(train, lambda record: record.input_text)
    numbers = sorted(n for group in groups if len({train[n - 1].output_text for n in group}) > 1 for n in group)
    if numbers:
        text = f"The same input has different outputs in {_records('training', numbers)}: "
        return Finding("contradictions", "advice", text + "keep the best output of each input, no model learns all.")
    return Finding("contradictions", "ok", "No two training records have the same input and different outputs.")


def _leaked(train: Sequence[TextToText], validation: Sequence[TextToText]) -> Finding:
    known = {_plain(record) for record in train}
    leaked = [n for n, record in enumerate(validation, 1) if _plain(record) in known]
    if leaked:
        text = f"An input of the training data stands again in {_records('validation', leaked)}: "
        return Finding("leakage", "advice", text + "delete it from one of the two, or validation looks too good.")
    return Finding("leakage", "ok", "No input is in both training and validation.")


def _unknown(
    model: LanguageModel, splits: Mapping[str, Sequence[TextToText]], encoded: Mapping[str, Mapping[int, Encoded]]
) -> Iterator[Finding]:
    """Yield what the tokenizer has no token for: what does not come again when the tokens are decoded."""
    lost: Counter[str] = Counter()
    places: dict[str, dict[str, list[int]]] = {"advice": {}, "error": {}}
    for split, records in encoded.items():
        for n, tokens in records.items():
            record = splits[split][n - 1]
            read, _ = _lost(model, record.input_text, tokens.prompt)
            learned, nothing_left = _lost(model, record.output_text, tokens.completion)
            lost += read + learned
            if read or learned:
                places["error" if nothing_left else "advice"].setdefault(split, []).append(n)
    more = f" and {len(lost) - NAMED} more" if len(lost) > NAMED else ""
    characters = ", ".join(f"{character!r} ({times:,})" for character, times in lost.most_common(NAMED)) + more
    for level, what in (("error", "for anything in the output of"), ("advice", f"for {characters} in")):
        found = " and ".join(_records(split, numbers) for split, numbers in places[level].items())
        if found:
            text = f"The tokenizer has no token {what} {found}: write it in other characters, or tune another model."
            yield Finding("unknown", level, text)


def _lost(model: LanguageModel, text: str, ids: Sequence[int]) -> tuple[Counter[str], bool]:
    """Return the characters of a text that its tokens have lost, how often, and whether no other is left.

    Special tokens that stand in the text, spaces, and what tokenizers do on purpose (NFKC, lower case) do not count.
    """
    for special in model.tokenizer.all_special_tokens:
        text = text.replace(special, "")
    kept = _characters(model.decode(ids, skip_special_tokens=True))
    return _characters(text) - kept, not kept


def _characters(text: str) -> Counter[str]:
    return Counter("".join(unicodedata.normalize("NFKC", text).casefold().split()))


def _too_long(model: LanguageModel, splits: Sequence[Numbered]) -> Finding:
    window = f"context window of {model.context_window:,} tokens"
    sizes = {(name, n): _size(model, record) for name, records in splits for n, record in records.items()}
    over = [place for place, size in sizes.items() if size > model.context_window]
    if not over:
        return Finding("length", "ok", f"Every record fits into the {window}.")
    found = [_records(name, [n for split, n in over if split == name]) for name, _ in splits if name in dict(over)]
    name, number = longest = max(over, key=sizes.__getitem__)
    text = (
        f"The {window} is too small for {' and for '.join(found)}; the longest, {name} record {number}, "
        f"has {sizes[longest]:,} tokens: shorten or delete them."
    )
    return Finding("length", "error", text)


def _encoded(model: LanguageModel, records: Sequence[TextToText]) -> dict[int, Encoded]:
    found = {}
    for n, record in enumerate(progress(records, "Reading records"), 1):
        if record.input_text.strip():
            found[n] = encode(model, record)
    return found


def _size(model: LanguageModel, record: Encoded) -> int:
    """Return how much of the context window a record takes: an encoder-decoder model has one for each side."""
    return max(len(record.prompt), len(record.completion)) if model.is_encoder_decoder else len(record)


def _groups(records: Sequence[TextToText], key: Callable[[TextToText], Hashable]) -> list[list[int]]:
    """Return the numbers, from 1, of records with the same key, where there are two or more."""
    groups: dict[Hashable, list[int]] = {}
    for number, record in enumerate(records, 1):
        groups.setdefault(key(record), []).append(number)
    return [group for group in groups.values() if len(group) > 1]


def _plain(record: TextToText) -> str:
    return " ".join(record.input_text.casefold().split())


def _records(split: str, numbers: Sequence[int]) -> str:
    """Return "training record 3", or "training records 3, 5" with at most NAMED numbers and how many more."""
    more = f" and {len(numbers) - NAMED} more" if len(numbers) > NAMED else ""
    return f"{split} record{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers[:NAMED]))}{more}"


def _spread(lengths: Sequence[int]) -> str:
    return f"{min(lengths):,} / {median(lengths):,.0f} / {max(lengths):,}"
