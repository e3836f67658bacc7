"""What differs between two texts and two sets of values."""

import random
from itertools import pairwise

import pytest

from utils.studio.differences import Part, compare_texts, compare_values


def test_words_that_changed_stand_between_those_that_did_not():
    assert compare_texts("Say {a} now.\nTwo\n", "Say {b} now.\nTwo\nThree") == [
        Part("same", "Say {"),
        Part("removed", "a"),
        Part("added", "b"),
        Part("same", "} now.\nTwo\n"),
        Part("added", "Three"),
    ]


@pytest.mark.parametrize("text", ["", "one", "a\r\nb\u2028c", "안녕 👩‍👩‍👧\n"])
def test_a_text_beside_itself_is_the_same(text):
    assert compare_texts(text, text) == ([Part("same", text)] if text else [])


LONG = [("ab" * 50_000, "ab" * 49_999 + "c"), ("\n" * 100_000, "\n" * 99_999), ("a b\n" * 25_000, "a c\n" * 25_000)]


@pytest.mark.parametrize("seed", range(20))
def test_old_and_new_can_be_read_from_the_passages(seed):
    rng = random.Random(seed)
    old, new = ("".join(rng.choices("a b {}\n", k=rng.randint(0, 60))) for _ in range(2))
    assert_whole(old, new)


@pytest.mark.parametrize(("old", "new"), LONG)
def test_the_longest_texts_are_compared_too(old, new):
    assert_whole(old, new)


def assert_whole(old: str, new: str) -> None:
    parts = compare_texts(old, new)
    assert "".join(part.text for part in parts if part.kind != "added") == old
    assert "".join(part.text for part in parts if part.kind != "removed") == new
    assert all(before.kind != after.kind for before, after in pairwise(parts))


def test_values_are_told_by_name_where_they_differ():
    assert compare_values({"a": 1, "b": 2, "c": 0}, {"b": 3, "c": 0, "d": "x"}) == [
        ("a", 1, None),
        ("b", 2, 3),
        ("d", None, "x"),
    ]
