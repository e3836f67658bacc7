"""What differs between two texts, word by word where that can be read, and between two sets of parameters."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby
from typing import Any, Literal

WORD = re.compile(r"\s+|\w+|[^\w\s]")
MOST_WORDS = 2000
"""Words in a changed passage up to which it is compared word by word: the time grows with their square."""

Kind = Literal["same", "removed", "added"]


@dataclass(frozen=True)
class Part:
    """A passage of two texts: in both, in the old one only, or in the new one only."""

    kind: Kind
    text: str


def compare_texts(old: str, new: str) -> list[Part]:
    """Return the passages that lead from one text to another, in order; the old text is all but what was added."""
    return [
        Part(kind, "".join(part.text for part in run))
        for kind, run in groupby(_by_line(old, new), key=lambda part: part.kind)
    ]


def compare_values(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return (name, old value, new value) where they differ, in the order of the names; None for a missing one."""
    names = dict.fromkeys([*old, *new])
    return [(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]


def _by_line(old: str, new: str) -> Iterator[Part]:
    lines = old.splitlines(keepends=True), new.splitlines(keepends=True)
    for kind, before, after in _changes(*lines, autojunk=True):
        words = WORD.findall(before), WORD.findall(after)
        if kind == "replace" and max(map(len, words)) <= MOST_WORDS:
            for _, removed, added in _changes(*words, autojunk=False):
                yield from _parts(removed, added)
        else:
            yield from _parts(before, after)


def _changes(old: Sequence[str], new: Sequence[str], *, autojunk: bool) -> Iterator[tuple[str, str, str]]:
    """Yield what difflib did, and to which passage. autojunk: leaves out what is frequent in long texts, for speed."""
    for kind, *(i, j, k, m) in SequenceMatcher(None, old, new, autojunk=autojunk).get_opcodes():
        yield kind, "".join(old[i:j]), "".join(new[k:m])


def _parts(before: str, after: str) -> Iterator[Part]:
    if before == after:
        yield Part("same", before)
        return
    if before:
        yield Part("removed", before)
    if after:
        yield Part("added", after)
