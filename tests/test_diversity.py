"""Diversity and repetition: hand-computed values, properties, and the models' own surprise."""

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.decoding.diversity import (
    COLUMNS,
    completions,
    completions_by_temperature,
    distinct_n,
    diversity_curve,
    repeated_ngrams,
    self_bleu,
    surprise,
)
from utils.decoding.generation import complete_many
from utils.errors import CourseError, DataError, UnsupportedSetting
from utils.logits.config import DecodingConfig
from utils.plots import diversity_curves
from utils.words import words

PROMPT = "The cat: "
STORY = "Once upon a time, in a garden behind the old school,"
SHORT = DecodingConfig(max_new_tokens=6)

TEXTS = st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), max_size=9).map(" ".join)
SEVERAL = st.lists(TEXTS, min_size=2, max_size=5)


def properties(test):
    return settings(derandomize=True, deadline=None, max_examples=100)(test)


def test_words_are_lower_cased_and_bare():
    assert words("Don't stop: the 2 cats, O\u2019Neil's_x! \u00c9t\u00e9.") == [
        *("don't", "stop", "the", "2", "cats", "o\u2019neil's", "x", "\u00e9t\u00e9")
    ]
    assert words("Don't", apostrophes=False) == ["don", "t"]
    assert words(" ... ") == words("") == []


@given(st.text(st.characters(codec="ascii")))
@properties
def test_words_of_ascii_text_are_runs_of_letters_and_digits(text):
    assert words(text) == re.findall(r"[a-z0-9]+(?:'[a-z0-9]+)*", text.lower())


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Größe, Straße", "größe straße"),
        ("Привет, мир!", "привет мир"),
        ("मेरो नेपाली भाषा।", "मेरो नेपाली भाषा"),
        ("தமிழ் மொழி", "தமிழ் மொழி"),
        ("שלום, עולם", "שלום עולם"),
        ("한국어 말", "한국어 말"),
        ("e\u0301te\u0301", "\u00e9t\u00e9"),
        ("می\u200cخواهم co\u00adop a\u200bb", "میخواهم coop a b"),  # noqa: RUF001
        ("我爱北京2008年iPhone。", "我 爱 北 京 2008 年 iphone"),
        ("コーヒーを、", "コ ー ヒ ー を"),
        ("น้ำดีปี ๒๕๖๗", "น้ำ ดี ปี ๒๕๖๗"),
        ("ខ្មែរ", "ខ្មែ រ"),
        ("3.14 ½", "3 14 ½"),
        ("\u0301 ไ\U0001f44d", "ไ"),
    ],
)
def test_words_of_other_scripts_keep_their_marks_and_stand_alone_where_no_spaces_are(text, expected):
    assert words(text) == words(text, apostrophes=False) == expected.split()


@pytest.mark.parametrize(
    "texts, n, expected",
    [
        (["a b a b"], 1, 2 / 4),
        (["a b a b"], 2, 2 / 3),
        (["A, b", "a b!"], 2, 1 / 2),
        (["a b", "b a"], 2, 1),
        (["a b", "c"], 2, 1),
        (["a"], 2, 0),
        (["", ""], 1, 0),
        ([], 1, 0),
    ],
)
def test_distinct_n_by_hand(texts, n, expected):
    assert distinct_n(texts, n) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text, n, expected",
    [("a b a b a b", 2, 3 / 5), ("a b a b a b", 3, 2 / 4), ("a b c", 2, 0), ("a", 2, 0), ("", 1, 0)],
)
def test_repeated_ngrams_by_hand(text, n, expected):
    assert repeated_ngrams(text, n) == pytest.approx(expected)


def test_self_bleu_by_hand():
    assert self_bleu(["a b c d", "a b c e"]) == pytest.approx((3 / 4 * 2 / 3 * 1 / 2 * 0.1 / 1) ** (1 / 4))
    assert self_bleu(["a b c d", "a b c d", "x y z w"]) == pytest.approx(2 / 3)
    assert self_bleu(["a b", "c d"]) == self_bleu(["", ""]) == self_bleu(["", "a"]) == 0


@given(SEVERAL, st.integers(1, 3))
@properties
def test_shares_lie_between_0_and_1(texts, n):
    for share in (distinct_n(texts, n), repeated_ngrams(texts[0], n), self_bleu(texts)):
        assert 0 <= share <= 1 + 1e-12


@given(TEXTS.filter(bool), st.integers(2, 5), st.integers(1, 3))
@properties
def test_copies_are_alike_and_less_distinct(text, copies, n):
    assert self_bleu([text] * copies) == pytest.approx(1)
    assert distinct_n([text] * copies, n) == pytest.approx(distinct_n([text], n) / copies)


@given(SEVERAL, st.randoms(use_true_random=False))
@properties
def test_the_order_of_the_texts_does_not_matter(texts, random):
    mixed = random.sample(texts, len(texts))
    assert self_bleu(mixed) == pytest.approx(self_bleu(texts))
    assert distinct_n(mixed, 2) == distinct_n(texts, 2)


@given(TEXTS.filter(bool))
@properties
def test_distinct_and_repeated_are_two_sides_of_one_text(text):
    assert distinct_n([text], 1) + repeated_ngrams(text, 1) == pytest.approx(1)


def test_wrong_input_is_named(tiny):
    with pytest.raises(DataError, match="give two or more"):
        self_bleu(["a"])
    for n in (0, 1.5, "2"):
        with pytest.raises(UnsupportedSetting, match=f"whole number from 1; {n!r} was given"):
            distinct_n(["a"], n)
    with pytest.raises(UnsupportedSetting, match="Temperature is 0"):
        completions_by_temperature(tiny, PROMPT, SHORT, temperatures=[-1], seeds=[0])


@pytest.mark.parametrize("text", ["น้ำดีปีใหม่", "我爱北京", "मेरो नेपाली भाषा", "Größe und Grüße"])
def test_diversity_is_measured_in_any_language(text):
    assert distinct_n([text, text], 1) == 1 / 2 and repeated_ngrams(f"{text} {text}", 1) == 1 / 2
    assert self_bleu([text, text]) == pytest.approx(1)


@pytest.mark.parametrize(
    "given, said",
    [
        ("the cat", "are given in a list.*'the cat'"),
        (None, "are given in a list"),
        (["a", None], "texts; number 2 is None"),
        (["a", float("nan")], "number 2 is nan"),
    ],
)
def test_what_is_no_list_of_texts_is_refused(tiny, given, said):
    measures = (lambda: distinct_n(given, 2), lambda: self_bleu(given), lambda: surprise(tiny, PROMPT, given))
    for measure in measures:
        with pytest.raises(DataError, match=said):
            measure()


def test_numbers_of_numpy_are_seeds_and_temperatures(tiny):
    curve = diversity_curve(tiny, PROMPT, SHORT, temperatures=np.array([0, 1.0]), seeds=np.arange(2))
    assert curve.equals(diversity_curve(tiny, PROMPT, SHORT, temperatures=[0, 1], seeds=[0, 1]))
    assert distinct_n(np.array(["a b", "b a"]), np.int64(2)) == 1


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"seeds": [0]}, "give two or more"),
        ({"seeds": "01"}, "Seeds are given in a list"),
        ({"seeds": [0, 1.5]}, "seed is a whole number; 1.5"),
        ({"temperatures": "12"}, "Temperatures are given in a list"),
        ({"temperatures": [1, "2"]}, "Temperature is 0 .* '2' was given"),
    ],
)
def test_a_curve_is_refused_before_anything_is_written(tiny, monkeypatch, settings, said):
    monkeypatch.setattr("utils.decoding.diversity.complete_many", lambda *_, **__: pytest.fail("too late"))
    with pytest.raises(CourseError, match=said):
        diversity_curve(tiny, PROMPT, SHORT, **{"temperatures": [1], "seeds": [0, 1], **settings})


def test_surprise_is_minus_log2_of_the_model_s_probabilities(tiny):
    texts, bits = ["ab", "", "cdea"], []
    for text in texts:
        tokens = tiny.tokenizer(text)["input_ids"]
        for k, token in enumerate(tokens):
            with torch.inference_mode():
                if tiny.is_encoder_decoder:
                    begun = torch.tensor([[tiny.decoder_start, *tokens[:k]]])
                    logits = tiny.model(torch.tensor([tiny.encode(PROMPT)]), decoder_input_ids=begun).logits
                else:
                    logits = tiny.model(torch.tensor([tiny.encode(PROMPT) + tokens[:k]])).logits
            bits.append(-float(logits[0, -1].log_softmax(-1)[token]) / math.log(2))
    assert surprise(tiny, PROMPT, texts) == pytest.approx(sum(bits) / 6, abs=1e-3)


def test_completions_without_a_token_do_not_surprise(tiny):
    assert surprise(tiny, PROMPT, ["", ""]) == surprise(tiny, PROMPT, []) == 0


def test_completions_are_those_of_complete_many_and_kept(tiny, monkeypatch):
    expected = complete_many(tiny, PROMPT, SHORT, seeds=[3, 4])
    assert completions(tiny, PROMPT, SHORT, seeds=[3, 4]) == expected
    monkeypatch.setattr("utils.decoding.diversity.complete_many", lambda *_, seeds: [f"again {seed}" for seed in seeds])
    assert completions(tiny, PROMPT, SHORT, seeds=[3, 4]) == expected
    assert completions(tiny, PROMPT, SHORT, seeds=[4, 3]) == ["again 4", "again 3"]
    assert completions(tiny, PROMPT, DecodingConfig(max_new_tokens=5), seeds=[3, 4]) == ["again 3", "again 4"]


def test_a_greedy_completion_is_computed_once(tiny, monkeypatch):
    asked = []
    monkeypatch.setattr("utils.decoding.diversity.complete_many", lambda *_, seeds: asked.append(seeds) or ["abc"])
    found = completions_by_temperature(tiny, PROMPT, SHORT, temperatures=[0], seeds=[5, 6, 7])
    assert found == {0.0: ["abc"] * 3} and asked == [[5]]


def test_the_curve_of_the_course_model(course_model):
    config = DecodingConfig(max_new_tokens=8)
    curve = diversity_curve(course_model, STORY, config, temperatures=[0, 1, 2], seeds=[0, 1])
    assert tuple(curve.columns) == COLUMNS and list(curve.index) == [0.0, 1.0, 2.0]
    assert curve.loc[0, "self-BLEU"] == 1 and curve.loc[0, "distinct-2"] <= 0.5
    assert curve["bits per token"].is_monotonic_increasing and curve["distinct-2"].is_monotonic_increasing
    plot = diversity_curves(curve)
    assert (
        plot.png.startswith(b"\x89PNG") and f"bits per token: {curve.loc[0, 'bits per token']:.2f} at 0.0" in plot.alt
    )
