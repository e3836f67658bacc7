"""The questions: what their README promises."""

import re
from collections import Counter

import pytest

from utils.datasets.questions import Question, load_questions
from utils.datasets.splits import SPLITS
from utils.errors import DataError

SIZES = {"train": 8, "validation": 40, "test": 40}


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    return [question for split in SPLITS for question in load_questions(split)]


@pytest.mark.parametrize("split", SPLITS)
def test_the_splits_have_their_sizes_and_topics(split):
    topics = Counter(question.topic for question in load_questions(split))
    assert topics.total() == SIZES[split] and set(topics.values()) == {SIZES[split] // 8}


def test_no_id_and_no_question_comes_twice(questions):
    assert len({question.id for question in questions}) == len(questions) == 88
    assert len({question.input_text.lower() for question in questions}) == 88


def test_questions_and_answers_are_short_and_plain(questions):
    for question in questions:
        asked, answer = question.input_text, question.output_text
        assert asked.endswith("?") and asked.isascii() and len(asked.split()) <= 14
        assert re.fullmatch(r"[A-Za-z]+( [A-Za-z]+)?", answer)
        assert not set(answer.lower().split()) & set(re.findall(r"\w+", asked.lower()))


def test_names_are_capitalised_and_nothing_else(questions):
    named = {"capitals", "languages"}
    plain = {"opposites", "colours", "animals", "jobs"}
    for question in questions:
        if question.topic in named:
            assert question.output_text.istitle()
        if question.topic in plain:
            assert question.output_text.islower()


def test_a_question_is_an_example_for_a_prompt():
    assert load_questions("train")[0].example == ("What is the capital of France?", "Paris")


def test_an_unknown_split_is_named():
    with pytest.raises(DataError, match="no split 'dev': take one of train, validation, test"):
        load_questions("dev")
