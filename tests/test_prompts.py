"""Prompts: their exact text, and what they cost."""

import pytest

from utils.errors import EmptyPrompt
from utils.prompts.budget import token_budget
from utils.prompts.templates import DIALOGUES, PLAIN, REVIEWS, ChatTemplate, build_prompt

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


@pytest.mark.parametrize("query", ["", "  \n"])
def test_an_empty_query_is_refused(query):
    with pytest.raises(EmptyPrompt, match="query is empty"):
        build_prompt("Judge it.", query)


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
