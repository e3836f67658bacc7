"""Prompts: their exact text, and what they cost."""

import copy

import numpy as np
import pytest

from tests.tiny_models import letters
from utils.datasets.records import TextToText
from utils.datasets.reviews import Review
from utils.errors import DataError, EmptyPrompt, UnsupportedSetting
from utils.prompts.budget import token_budget
from utils.prompts.conversations import chat_prompt
from utils.prompts.templates import DIALOGUES, PLAIN, REVIEWS, ChatTemplate, Example, build_prompt

EXAMPLES = [("Great fun.", "positive"), ("A bore.", "negative")]


def test_a_zero_shot_prompt():
    assert build_prompt("Judge it.", "Fine.") == "Judge it.\n\nInput: Fine.\nOutput:"


def test_a_few_shot_prompt_without_instruction():
    assert build_prompt("", "Fine.", EXAMPLES, REVIEWS) == (
        "Review: Great fun.\nSentiment: positive\n\nReview: A bore.\nSentiment: negative\n\nReview: Fine.\nSentiment:"
    )


def test_a_dialogue_begins_on_a_line_of_its_own():
    assert build_prompt("", "#Person1#: Hi", (), DIALOGUES) == "Dialogue:\n#Person1#: Hi\nSummary:"


@pytest.mark.parametrize("template", [PLAIN, REVIEWS, DIALOGUES])
def test_an_example_is_the_prompt_with_its_completion(template):
    solved = build_prompt("", "Great fun.", (), template) + template.completion("positive")
    assert build_prompt("", "Fine.", EXAMPLES[:1], template).startswith(solved + "\n\n")


def test_the_chat_template_is_the_tokenizer_s_own(course_model):
    template = ChatTemplate(course_model.tokenizer, "Review", "Sentiment")
    prompt = build_prompt("Judge it.", "Fine.", EXAMPLES[:1], template)
    assert prompt.endswith(
        "<|im_start|>user\nJudge it.\n\nReview: Great fun.\nSentiment:<|im_end|>\n"
        "<|im_start|>assistant\npositive<|im_end|>\n"
        "<|im_start|>user\nReview: Fine.\nSentiment:<|im_end|>\n<|im_start|>assistant\n"
    )
    assert course_model.encode(prompt)[0] == course_model.tokenizer.convert_tokens_to_ids("<|im_start|>")


def test_a_tokenizer_without_a_chat_template_gets_plain_words(tiny_tokenizer):
    template = ChatTemplate(tiny_tokenizer, "Review", "Sentiment")
    assert build_prompt("Judge it.", "Fine.", EXAMPLES[:1], template) == (
        "User: Judge it.\n\nReview: Great fun.\nSentiment:\n\nAssistant: positive\n\n"
        "User: Review: Fine.\nSentiment:\n\nAssistant: "
    )


def test_that_a_template_is_missing_is_said_in_a_sentence(tiny_tokenizer, capsys):
    turn = {"role": "user", "content": "Name three fruits."}
    assert chat_prompt(tiny_tokenizer, [turn]) == "User: Name three fruits.\n\nAssistant: "
    said = "This model has no chat template: the words User and Assistant mark the turns instead.\n"
    assert capsys.readouterr().out == said
    ChatTemplate(tiny_tokenizer)
    assert capsys.readouterr().out == said


def test_a_template_that_is_there_is_used_without_a_word(capsys):
    tokenizer = letters()
    tokenizer.chat_template = "{% for m in messages %}[{{ m.content }}]{% endfor %}{{ '>' if add_generation_prompt }}"
    assert chat_prompt(tokenizer, [{"role": "user", "content": "Hi"}]) == "[Hi]>"
    assert build_prompt("", "Fine.", (), ChatTemplate(tokenizer)) == "[Input: Fine.\nOutput:]>"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("query", ["", "  \n"])
def test_an_empty_query_is_refused(query):
    with pytest.raises(EmptyPrompt, match="query is empty"):
        build_prompt("Judge it.", query)


@pytest.mark.parametrize(
    "given",
    [
        ("happy", "sad"),
        ["happy", "sad"],
        {"input": "happy", "output": "sad"},
        {"output_text": "sad", "input_text": "happy", "note": "a learner's own"},
        TextToText("happy", "sad"),
        Review("happy", "sad", 2.0),
        Example("happy", "sad"),
    ],
)
def test_records_pairs_and_dictionaries_are_examples(given, tiny_tokenizer):
    pair = [("happy", "sad")]
    assert build_prompt("Give the antonym.", "big", [given]) == (
        "Give the antonym.\n\nInput: happy\nOutput: sad\n\nInput: big\nOutput:"
    )
    for template in (PLAIN, ChatTemplate(tiny_tokenizer)):
        assert template.render("", "big", [given]) == build_prompt("", "big", iter(pair), template)


@pytest.mark.parametrize(
    "given, said",
    [
        ("ab", r"The examples are given in a list, \[...\]; 'ab'"),
        ({"input": "a", "output": "b"}, "given in a list"),
        (("a", "b"), "Number 1 of the examples is 'a': give a record, a pair"),
        ([("a", "b"), {"question": "a", "answer": "b"}], "Number 2 of the examples is {'question'.*`input_text`"),
        ([("a", "b", "c")], "give a record, a pair"),
        ([{"a", "b"}], "give a record, a pair"),
        ([("a", 1)], r"number 1 of the examples are texts; number 2 is 1 \(int\)"),
        ([("a", None)], "number 2 is None"),
        ([None], "Number 1 of the examples is None"),
        (None, "given in a list"),
    ],
)
def test_what_is_no_example_is_refused(given, said):
    with pytest.raises(DataError, match=said) as caught:
        build_prompt("", "big", given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "instruction, query, said",
    [
        ("", None, r"texts; number 2 is None"),
        (3, "big", r"Instruction and query are texts; number 1 is 3"),
        ("", ["big"], r"number 2 is \['big'\]"),
        ("", "big\ud83d", "holds half a character"),
    ],
)
def test_instruction_and_query_are_texts(instruction, query, said):
    with pytest.raises(DataError, match=said):
        build_prompt(instruction, query)


def test_a_budget_is_asked_for_in_whole_tokens(tiny):
    for wrong in (0, 2.5, "10"):
        with pytest.raises(UnsupportedSetting, match="Max new tokens is a whole number"):
            token_budget(tiny, "Two words", max_new_tokens=wrong)
    assert token_budget(tiny, "Two words", max_new_tokens=np.int64(3)).completion == 3


@pytest.mark.parametrize(
    "turns, said",
    [
        ("Hello", "The turns are given in a list"),
        ({"role": "user", "content": "Hello"}, "The turns are given in a list"),
        (["Hello"], "Turn 1 is 'Hello': give a dictionary with `role` and `content`"),
        ([{"role": "user", "text": "Hello"}], "Turn 1 is .*give a dictionary"),
        ([{"role": "user", "content": None}], "Role and content of turn 1 are texts; number 2 is None"),
    ],
)
def test_what_is_no_conversation_is_refused(tiny_tokenizer, turns, said):
    with pytest.raises(DataError, match=said):
        chat_prompt(tiny_tokenizer, turns)


def test_turns_that_a_template_refuses_are_told_in_its_words(tiny_tokenizer):
    tokenizer = copy.deepcopy(tiny_tokenizer)
    tokenizer.chat_template = "{{ raise_exception('System role not supported') }}"
    with pytest.raises(DataError, match=r"template refuses these turns \(System role not supported\): let user"):
        chat_prompt(tokenizer, [{"role": "system", "content": "Be kind."}])


def test_the_budget_adds_up(course_model):
    budget = token_budget(course_model, "Two words", max_new_tokens=10)
    assert (budget.prompt, budget.completion, budget.window) == (2, 10, 8192)
    assert budget.free == 8180
    assert token_budget(course_model, "Two words", max_new_tokens=9000).free < 0


def test_tokens_of_a_label_behind_the_prompt_are_the_tokens_of_the_whole(course_model):
    encode = course_model.encode
    for template in (REVIEWS, ChatTemplate(course_model.tokenizer, "Review", "Sentiment")):
        prompt = build_prompt("Judge it.", "Fine.", EXAMPLES, template)
        for label in ("negative", "positive"):
            label = template.completion(label)
            assert encode(prompt + label) == encode(prompt) + encode(label)
