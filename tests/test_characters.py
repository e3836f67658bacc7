"""Parts of characters: the sentence that explains them, in tables and rows of tokens."""

import pytest

from utils.characters import HALF, about_parts
from utils.decoding.generation import Step
from utils.decoding.steps import shown
from utils.tables import texts


@pytest.mark.parametrize(
    ("found", "signs"),
    [
        (["a", r"\xe2\x80"], r"\xe2: "),
        ([f"the end {HALF}"], f"{HALF}: "),
        ([HALF, r"\xf0", r"\x9f"], rf"\xf0 and {HALF}: "),
    ],
)
def test_parts_of_characters_are_named_and_explained(found, signs):
    said = about_parts(found)
    assert said.startswith(f"{signs}a part of a character.") and said.endswith("can take several tokens.")


def test_whole_characters_need_no_sentence():
    assert about_parts(["a", "\N{GRINNING FACE}", r"C:\xylophone"]) == about_parts([]) == ""


def test_a_table_explains_half_a_character_below_and_says_nothing_else():
    assert about_parts([HALF]) in texts({"hot": f"Once {HALF}"}, columns=("setting", "completion"))._repr_html_()
    assert "character" not in texts({"cool": "Once"}, columns=("setting", "completion"))._repr_html_()


@pytest.mark.parametrize(
    ("text", "token", "row"),
    [
        ("", r"\xf0\x9f", r"\xf0\x9f"),
        ("\N{GRINNING FACE}", r"\x98\x80", "\N{GRINNING FACE}"),
        (f"{HALF} on", " on", " on"),
        (HALF, r"\xf0\x9f", r"\xf0\x9f"),
        (HALF, HALF, HALF),
        ("", "<|endoftext|>", ""),
    ],
)
def test_a_row_of_tokens_shows_bytes_where_a_character_does_not_end(text, token, row):
    assert shown(Step(0, text, 1.0, 1.0, 1, 0.0, (), None, token)) == row
