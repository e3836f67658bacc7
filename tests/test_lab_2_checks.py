"""What holds of the checks of Lab 2 besides the answers in `tests/answers/lab_2.py`."""

import re
from types import FunctionType, SimpleNamespace

import pytest
import torch

from tests.answers.lab_2 import (
    CLAIMS,
    GARDEN,
    GIVEN,
    GREEDY,
    KEPT,
    LOOP,
    MASTER,
    PATCHES,
    SALAD,
    SCORED,
    SOLUTIONS,
    STORY,
    TALE,
    WRONG,
    draw,
    forecasts_committed,
    keep_top_k,
    keep_top_p,
    two_orders,
)
from utils.datasets.questions import load_questions
from utils.decoding.candidates import given, next_token
from utils.decoding.diversity import completions, distinct_n, surprise
from utils.evaluation.answers import answer_logits, expected_accuracy
from utils.exercises.checks import NOT_ATTEMPTED, assess
from utils.exercises.lab_2 import ACCURACY_LOSS, FORECASTS
from utils.logits.config import DecodingConfig
from utils.prompts.templates import PlainTemplate, build_prompt
from utils.widgets.forecasts import predict

OTHER = SimpleNamespace(name="people/other")


@pytest.fixture
def by_hand(monkeypatch):
    for name, stand_in in PATCHES.items():
        monkeypatch.setattr(name, stand_in)


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("2.1", forecasts_committed()),
        ("2.5", dict.fromkeys(KEPT, ...)),
        ("2.8", (..., ..., dict.fromkeys(CLAIMS, ...))),
    ],
)
def test_an_answer_of_dots_is_not_attempted_yet(exercise, answer):
    assert assess(exercise, answer, **GIVEN.get(exercise, {})) == (NOT_ATTEMPTED, False)


def test_what_a_learner_hands_over_in_2_1_is_the_widget():
    asked = predict(given("?", GARDEN), FORECASTS)
    assert assess("2.1", asked) == (NOT_ATTEMPTED, False)
    for item in FORECASTS:
        asked.commit(item.name, 1)
    verdict, right = assess("2.1", asked)
    assert right, verdict


def test_a_draw_that_ignores_the_generator_never_passes():
    torch.manual_seed(0)
    assert not any(assess("2.7", lambda p, g: draw(p, None))[1] for _ in range(20))


@pytest.mark.parametrize("broken", ["with_temperature", "keep_top_p"])
@pytest.mark.parametrize(("code", "said"), [("pass", "still empty"), ("return logits", "not right yet")])
def test_two_orders_rests_on_two_earlier_functions(broken, code, said):
    """Their exercise is named, not what broke in 2.6."""
    known = dict(MASTER)
    exec(f"def {broken}(logits, value):\n    {code}", known)
    answer = FunctionType(two_orders.__code__, known)
    exercise = {"with_temperature": "2.2", "keep_top_p": "2.4"}[broken]
    verdict, right = assess("2.6", answer)
    assert not right and f"calls `{broken}` of Exercise {exercise}" in verdict and said in verdict


def test_no_message_gives_the_numbers_of_2_5_away():
    for name, number in KEPT.items():
        verdict = assess("2.5", KEPT | {name: 13})[0].split("is not right.")[1]
        assert not re.search(rf"(?<![\d.]){number}(?![\d.])", verdict)


def test_2_5_asks_for_what_transformers_keeps():
    for name, number in KEPT.items():
        setting, value = name.split()
        config = DecodingConfig(top_k=int(value)) if setting == "top-k" else DecodingConfig(top_p=float(value))
        assert next_token(given("?", GARDEN), config).kept == number
        probabilities = torch.tensor(list(GARDEN.values()))
        own = keep_top_k(probabilities, int(value)) if setting == "top-k" else keep_top_p(probabilities, float(value))
        assert (own > 0).sum() == number, "the learner's own function must not mislead"


@pytest.mark.parametrize("number", [3, 400, 49152])
def test_the_solution_of_2_4_keeps_every_token_at_p_1(number):
    logits = torch.randn(number, generator=torch.Generator().manual_seed(0)) * 4
    assert int((keep_top_p(torch.softmax(logits, -1), 1.0) > 0).sum()) == number


# 2.8


def test_no_message_of_2_8_gives_a_measured_number_away(by_hand):
    measured = [f"{number:.2f}" for number in (expected_accuracy(SCORED, GREEDY).mean, *list(CLAIMS.values())[1:])]
    for answer, _ in WRONG["2.8"]:
        verdict = assess("2.8", answer, **GIVEN["2.8"])[0]
        assert not any(number in verdict for number in (*measured, "0.625", "0.12", "9.27")), verdict


@pytest.mark.parametrize(("loss", "passes"), [(ACCURACY_LOSS, True), (ACCURACY_LOSS + 0.01, False)])
def test_the_accuracy_may_fall_by_the_named_share_and_no_more(by_hand, monkeypatch, loss, passes):
    measured = {GREEDY: 0.62, LOOP: 0.62 - loss}
    monkeypatch.setattr(
        "utils.exercises.lab_2.expected_accuracy", lambda _, config: SimpleNamespace(mean=measured[config])
    )
    assert assess("2.8", (LOOP, TALE, CLAIMS | {"accuracy": 0.62 - loss}), **GIVEN["2.8"])[1] == passes


@pytest.mark.parametrize("stories", [TALE, LOOP, SALAD])
def test_with_another_model_stories_have_no_limits_and_the_check_says_so(by_hand, stories):
    claims = {
        TALE: CLAIMS,
        LOOP: CLAIMS | {"distinct-2": 0.12, "bits per token": 0.41},
        SALAD: CLAIMS | {"bits per token": 9.27},
    }
    given = GIVEN["2.8"] | {"model": OTHER}
    verdict, right = assess("2.8", (GREEDY, stories, claims[stories]), **given)
    assert right and "the course's own model: with people/other they are not asked for" in verdict
    assert "people/other" not in assess("2.8", (GREEDY, TALE, CLAIMS), **GIVEN["2.8"])[0]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((SALAD, TALE, CLAIMS), "lose more than 0.02"),
        ((GREEDY, TALE, CLAIMS | {"bits per token": 9.0}), "bits per token is not what these settings give"),
    ],
)
def test_with_another_model_what_is_measured_still_counts(by_hand, answer, message):
    verdict, right = assess("2.8", answer, **GIVEN["2.8"] | {"model": OTHER})
    assert not right and message in verdict


def test_the_master_s_settings_pass_on_the_course_model(course_model):
    template = PlainTemplate("Question", "Answer")
    examples = [record.example for record in load_questions("train")]
    asked = load_questions("validation")[:8]
    prompts = [build_prompt("", record.input_text, examples, template) for record in asked]
    scored = answer_logits(course_model, prompts, [template.completion(record.output_text) for record in asked])
    texts = completions(course_model, STORY, TALE, seeds=range(8))
    claims = {
        "accuracy": expected_accuracy(scored, GREEDY).mean,
        "distinct-2": distinct_n(texts, 2),
        "bits per token": surprise(course_model, STORY, texts),
    }
    given = {"scored": scored, "model": course_model, "story": STORY}
    verdict, right = assess("2.8", (GREEDY, TALE, claims), **given)
    assert right, verdict
    assert SOLUTIONS["2.8"][:2] == (GREEDY, TALE)
