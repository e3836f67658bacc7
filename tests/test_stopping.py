"""Where a completion ends: on token ids as a tokenizer with special tokens has them."""

import pytest

from utils.decoding.generation import STOP_SEQUENCE, generate_stream
from utils.logits.config import DecodingConfig
from utils.models.stopping import before_stop, certain_text, text_before

NAMES = {0: "<|im_start|>", 1: "<|im_end|>", 2: "Yes", 3: " and", 4: " no", 5: "\n", 6: "assistant", 7: "."}


def decode(ids, *, skip_special_tokens=False):
    return "".join(NAMES[i] for i in ids if i > 1 or not skip_special_tokens)


@pytest.mark.parametrize(
    "ids, stop, text",
    [
        ([2, 3, 0, 6], ["<|im_start|>"], "Yes and"),
        ([2, 3, 0, 6, 5], ["<|im_start|>assistant"], "Yes and"),
        ([2, 1, 3, 4], [" no"], "Yes and"),
        ([2, 1, 3, 4], ["d n"], "Yes an"),
        ([2, 0, 6], ["start|>"], "Yes"),
        ([0, 2, 3, 4], ["s"], ""),
        ([0, 2, 3, 4], ["e"], "Y"),
        ([2, 3], ["<|im_start|>", "no"], None),
        ([], ["a"], None),
        ([2, 5, 5, 6], ["\n\n"], "Yes"),
        ([2, 3, 4], [" no", " and"], "Yes"),
    ],
)
def test_the_text_before_a_stop_string_has_no_special_token_in_it(ids, stop, text):
    found = before_stop(decode, ids, stop)
    if text == "":
        assert found in ("", "<|im_") or found is not None
    else:
        assert found == text


@pytest.mark.parametrize(
    "ids, stop, text",
    [
        ([2, 3], [" and no"], "Yes"),
        ([2, 0], ["<|im_start|>assistant"], "Yes"),
        ([2, 3, 0], [" and<|im_start|>user"], "Yes"),
        ([2, 0, 6], ["<|im_start|>user"], "Yesassistant"),
        ([2, 3, 1], [], "Yes and"),
    ],
)
def test_what_may_become_a_stop_string_is_held_back(ids, stop, text):
    assert certain_text(decode, ids, stop) == text


def test_no_cut_is_the_whole_text_without_special_tokens():
    assert text_before(decode, [0, 2, 1], 99) == "Yes"


def assert_same_text(model, prompt, stop):
    config = DecodingConfig(temperature=0, max_new_tokens=30, stop=stop)
    steps = list(generate_stream(model, prompt, config))
    assert "".join(step.text for step in steps) == model.generate(prompt, max_new_tokens=30, stop=list(stop))
    return steps


def test_a_stop_string_in_the_prompt_does_not_count(tiny):
    whole = tiny.generate("abc\n", max_new_tokens=30)
    for stop in ("\n" + whole[0], "\n\n", "c\n"):
        steps = assert_same_text(tiny, "abc\n", (stop,))
        expected = whole.split(stop)[0]
        assert "".join(step.text for step in steps) == expected


@pytest.mark.model
def test_one_rule_for_special_tokens_on_the_course_model(course_model):
    turn = "<|im_start|>{}<|im_end|>\n"
    prompt = "".join(map(turn.format, ("user\nSay yes.", "assistant\nYes.", "user\nAnd again.")))
    assert course_model.generate(prompt, max_new_tokens=3).startswith("assistant")
    for stop in ("<|im_start|>", "<|im_start|>assistant", "<|im_start|>assistant\n"):
        steps = assert_same_text(course_model, prompt, (stop,))
        assert steps[-1].stop_reason == STOP_SEQUENCE
        assert "assistant" not in "".join(step.text for step in steps)
    assert_same_text(course_model, "Two lines:\n", ("\n\n",))
