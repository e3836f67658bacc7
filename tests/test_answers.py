"""Expected accuracy: hand-computed, against full passes, against sampling and greedy decoding."""

import math
import string
from dataclasses import replace

import numpy as np
import pytest
import torch

from utils.datasets.questions import load_questions
from utils.decoding.generation import complete_many, generate_stream
from utils.errors import ContextWindowExceeded, DataError, EmptyPrompt
from utils.evaluation.answers import AnswerLogits, answer_ends, answer_logits, answer_probability, expected_accuracy
from utils.logits.config import DecodingConfig
from utils.prompts.templates import PlainTemplate, build_prompt

PROMPTS = ["A beginning: abc: ", "A beginning: x: ", "another one: "]
ANSWERS = ["abc", "d", "ef"]
QUESTIONS = PlainTemplate("Question", "Answer")
GREEDY = DecodingConfig(temperature=0)
SETTINGS = [
    DecodingConfig(),
    DecodingConfig(temperature=0.7, top_k=5),
    DecodingConfig(temperature=1.5, top_p=0.9, order="studio"),
    DecodingConfig(repetition_penalty=1.3, min_p=0.01),
]


def by_hand(*rows: list[float], answer=(1,), ends=(0, 2), before=(0,)) -> AnswerLogits:
    return AnswerLogits(torch.tensor(rows).log(), answer, ends, before)


def course_prompts(shots: int, number: int) -> tuple[list[str], list[str]]:
    examples = [question.example for question in load_questions("train")[:shots]]
    asked = load_questions("validation")[:number]
    prompts = [build_prompt("", question.input_text, examples, QUESTIONS) for question in asked]
    return prompts, [QUESTIONS.completion(question.output_text) for question in asked]


def full_pass(model, prompt: str, begun: list[int]) -> torch.Tensor:
    """The next token's logits by one pass over everything, nothing shared."""
    with torch.inference_mode():
        if model.is_encoder_decoder:
            decoder = torch.tensor([[model.decoder_start, *begun]])
            return model.model(torch.tensor([model.encode(prompt)]), decoder_input_ids=decoder).logits[0, -1]
        return model.model(torch.tensor([model.encode(prompt) + begun])).logits[0, -1]


def test_a_probability_is_the_product_over_the_tokens_and_the_ends():
    scored = by_hand([0.5, 0.25, 0.25], [0.1, 0.2, 0.7])
    assert answer_probability(scored, DecodingConfig()) == pytest.approx(0.25 * 0.8)


def test_settings_reshape_every_token():
    scored = by_hand([0.3, 0.6, 0.1], [0.1, 0.3, 0.6])
    squared = (0.36 / 0.46) * (0.37 / 0.46)
    assert answer_probability(scored, DecodingConfig(temperature=0.5)) == pytest.approx(squared)
    assert answer_probability(scored, DecodingConfig(top_k=2)) == pytest.approx((6 / 9) * (6 / 9))
    assert answer_probability(scored, DecodingConfig(top_p=0.5)) == pytest.approx(1)


def test_the_penalty_sees_the_prompt_and_the_answer_so_far():
    scored = AnswerLogits(torch.tensor([[2.0, 2.0, 0.0], [0.0, 2.0, 2.0]]), (1,), (2,), (0,))
    first = math.exp(2) / (math.exp(1) + math.exp(2) + 1)
    last = math.exp(2) / (1 + math.exp(1) + math.exp(2))
    assert answer_probability(scored, DecodingConfig(repetition_penalty=2)) == pytest.approx(first * last)


@pytest.mark.parametrize("row, expected", [([0.3, 0.6, 0.1], 1), ([0.6, 0.3, 0.1], 0)])
def test_greedy_is_right_or_wrong(row, expected):
    assert answer_probability(by_hand(row, [0.6, 0.3, 0.1]), GREEDY) == expected
    assert answer_probability(by_hand(row, [0.3, 0.6, 0.1]), GREEDY) == 0


def test_expected_accuracy_is_the_mean_over_the_questions():
    scored = [by_hand([0.0, 1.0, 0.0], [1.0, 0.0, 0.0]), by_hand([0.5, 0.5, 0.0], [1.0, 0.0, 0.0])]
    found = expected_accuracy(scored, DecodingConfig())
    assert found.mean == pytest.approx(0.75) and 0.5 <= found.low <= found.mean <= found.high <= 1


def test_logits_equal_one_full_pass_a_token(tiny):
    for prompt, answer, scored in zip(PROMPTS, ANSWERS, answer_logits(tiny, PROMPTS, ANSWERS), strict=True):
        tokens = tiny.tokenizer(answer)["input_ids"]
        expected = torch.stack([full_pass(tiny, prompt, tokens[:k]) for k in range(len(tokens) + 1)])
        assert scored.answer == tuple(tokens)
        torch.testing.assert_close(scored.logits, expected, atol=1e-3, rtol=0)


def test_an_answer_ends_at_a_new_line_or_the_end_of_text(tiny):
    assert answer_ends(tiny) == (tiny.tokenizer.eos_token_id, tiny.tokenizer.convert_tokens_to_ids("\n"))


def test_the_course_model_s_ends_are_new_lines_and_the_end_of_a_turn(course_model):
    texts = [course_model.tokenizer.decode([token]) for token in answer_ends(course_model)]
    assert {"\n", "\n\n", "\r\n", "<|im_end|>"} <= set(texts) and all(
        text.strip() in ("", "<|im_end|>") for text in texts
    )


@pytest.mark.parametrize("config", SETTINGS, ids=lambda config: f"{config.temperature}-{config.order}")
def test_sampling_answers_right_as_often_as_computed(tiny, config):
    """150 completions of two tokens; the likeliest character and, as its end, the likeliest token after it."""
    characters = string.ascii_letters + string.digits + ".,:?'#"
    scored = answer_logits(tiny, [PROMPTS[0]] * len(characters), list(characters))
    scored = [replace(some, ends=(int(some.logits[-1].argmax()),)) for some in scored]
    best = max(scored, key=lambda some: answer_probability(some, config))
    expected, hits = answer_probability(best, config), 0
    for seed in range(150):
        steps = generate_stream(tiny, PROMPTS[0], replace(config, seed=seed, max_new_tokens=2))
        hits += [step.token for step in steps] == [*best.answer, *best.ends]
    assert expected > 0 and abs(hits / 150 - expected) <= 4 * math.sqrt(expected * (1 - expected) / 150)


def test_the_course_model_samples_right_as_often_as_computed(course_model):
    prompts, answers = course_prompts(1, 4)
    config = DecodingConfig(temperature=0.7, max_new_tokens=6, stop=("\n",))
    computed = [answer_probability(scored, config) for scored in answer_logits(course_model, prompts, answers)]
    right = [
        [text == answer for text in complete_many(course_model, prompt, config, seeds=range(8))]
        for prompt, answer in zip(prompts, answers, strict=True)
    ]
    error = math.sqrt(sum(p * (1 - p) / 8 for p in computed)) / len(computed)
    assert abs(np.mean(right) - np.mean(computed)) <= 3 * error


def test_greedy_is_the_first_line_of_the_greedy_completion(course_model):
    prompts, answers = course_prompts(8, 12)
    written = [text.split("\n")[0] for text in course_model.generate(prompts, max_new_tokens=8)]
    computed = [answer_probability(scored, GREEDY) for scored in answer_logits(course_model, prompts, answers)]
    assert computed == [float(text == answer) for text, answer in zip(written, answers, strict=True)]
    assert 0 < np.mean(computed) < 1


def test_no_questions_have_no_logits_and_no_accuracy(tiny):
    assert answer_logits(tiny, [], []) == []
    with pytest.raises(DataError, match="no question to measure"):
        expected_accuracy([], GREEDY)


def test_wrong_input_is_named(tiny):
    with pytest.raises(DataError, match="2 prompts came with 1 answers"):
        answer_logits(tiny, PROMPTS[:2], ["a"])
    with pytest.raises(DataError, match="right answer is empty"):
        answer_logits(tiny, PROMPTS[:2], ["a", " "])
    with pytest.raises(EmptyPrompt):
        answer_logits(tiny, [" "], ["a"])
    with pytest.raises(ContextWindowExceeded):
        answer_logits(tiny, ["a" * 256], ["a" * 256])
