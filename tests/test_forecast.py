"""Forecasts: the truth is the model's, a forecast is made once, and what is none is refused in words."""

import numpy as np
import pytest
import torch

from utils.decoding.candidates import next_token, read_prompt
from utils.decoding.forecasts import Forecast, Forecasts
from utils.errors import UnsupportedSetting
from utils.exercises.lab_2 import FORECASTS
from utils.logits.config import DecodingConfig
from utils.logits.reshaping import reshape
from utils.widgets.forecasts import Predict
from utils.widgets.sampler_picture import sampler_picture

NAMES = [item.name for item in FORECASTS]


@pytest.fixture(scope="module")
def read(course_model):
    return read_prompt(course_model, "The garden was full of beautiful")


@pytest.fixture
def forecasts(read):
    return Forecasts(read, FORECASTS)


def truths(read) -> dict[str, float]:
    likeliest = int(read.logits.argmax())
    return {
        "sharper": float(reshape(read.logits, temperature=0.5)[likeliest]),
        "flatter": float(reshape(read.logits, temperature=1.5)[likeliest]),
        "fixed number": float(reshape(read.logits, top_k=10)[likeliest]),
        "fixed share": int((reshape(read.logits, top_p=0.9) > 0).sum()),
    }


def test_the_questions_tell_the_truth_about_the_model(read):
    first = read.logits.softmax(-1)
    assert read.text_of(int(first.argmax())) == " flowers" and f"{float(first.max()):.2f}" == "0.59"
    assert "0.59" in FORECASTS[0].question and f"{len(first):,} tokens" in FORECASTS[1].question
    assert len(set(NAMES)) == len(NAMES) == 4


@pytest.mark.parametrize("name", NAMES)
def test_a_truth_is_what_reshape_gives(read, forecasts, name):
    assert forecasts.commit(name, 1).truth == pytest.approx(truths(read)[name])


@pytest.mark.parametrize("item", FORECASTS, ids=NAMES)
def test_a_forecast_scores_up_to_its_distance_and_no_further(read, item):
    truth = truths(read)[item.name]
    counted = item.answer == "tokens"
    most = len(read.logits) if counted else 1
    for side in (-1, 1):
        far = truth + side * (item.near + 1 if counted else item.near * 1.01)
        near = truth + side * item.near * (1 if counted else 0.99)
        for guess, scores in ((near, True), (far, False)):
            if 0 <= guess <= most:
                assert Forecasts(read, FORECASTS).commit(item.name, guess).scores == scores


PROBABILITIES = [
    *[("0,7", 0.7), (" 0.7 ", 0.7), ("0.7", 0.7), (0.7, 0.7), ("7e-1", 0.7), (".7", 0.7)],
    *[("70 %", 0.7), ("70%", 0.7), ("0,5 %", 0.005), (0, 0), ("1", 1), ("100 %", 1), (np.float64(0.7), 0.7)],
    (torch.tensor(0.5), 0.5),
]


@pytest.mark.parametrize(("typed", "guess"), PROBABILITIES)
def test_a_probability_may_be_written_in_any_way(forecasts, typed, guess):
    assert forecasts.commit("sharper", typed).guess == pytest.approx(guess)


@pytest.mark.parametrize(("typed", "guess"), [("50", 50), (50.0, 50), ("49,152", 49_152), (" 1 ", 1), (np.int64(7), 7)])
def test_a_number_of_tokens_is_whole(forecasts, typed, guess):
    assert forecasts.commit("fixed share", typed).guess == guess


NO_PROBABILITY = [
    *(("70", "0.7 or 70 %"), (70, "0.7 or 70 %"), ("33,3", "0.333 or 33.3 %"), ("1.5", "0.015 or 1.5 %")),
    *((typed, "0.25 or 25 %") for typed in ["-1", -1, "150 %", "-1 %", 5000, "many", "", "0.7 or so", "nan", "inf"]),
    *((typed, "0.25 or 25 %") for typed in ["-inf", "% 70", "70 % %", None, ..., True, np.ones(2), torch.ones(2)]),
]


@pytest.mark.parametrize(("typed", "meant"), NO_PROBABILITY, ids=str)
def test_what_is_no_probability_is_refused_and_uses_nothing_up(forecasts, typed, meant):
    with pytest.raises(UnsupportedSetting) as told:
        forecasts.commit("sharper", typed)
    assert str(told.value) == f"This forecast is a probability, 0 to 1: write {meant}; {typed!r} was given."
    assert forecasts.committed == {}
    forecasts.commit("sharper", 0.7)


@pytest.mark.parametrize("typed", [0, -5, "12.5", 0.9, "50 %", "many", "", "nan", "inf", 49_153, "1,00", None, True])
def test_what_is_no_number_of_tokens_is_refused_and_uses_nothing_up(forecasts, typed):
    with pytest.raises(UnsupportedSetting) as told:
        forecasts.commit("fixed share", typed)
    assert str(told.value) == f"This forecast is a whole number of tokens, 1 to 49,152; {typed!r} was given."
    assert forecasts.committed == {}


def test_a_forecast_is_committed_once(forecasts):
    first = forecasts.commit("flatter", 0.5)
    with pytest.raises(UnsupportedSetting, match="flatter is committed already"):
        forecasts.commit("flatter", first.truth)
    assert forecasts.committed == {"flatter": first}


def test_an_unknown_name_is_refused_with_the_known_ones(forecasts):
    with pytest.raises(UnsupportedSetting, match="no forecast 'colder': take one of 'sharper', 'flatter'"):
        forecasts.commit("colder", 0.5)


def test_the_score_counts_the_near_and_the_committed(read, forecasts):
    assert forecasts.score == "0 of 4 near enough, 0 of 4 committed."
    forecasts.commit("sharper", 0.0)
    assert forecasts.score == "0 of 4 near enough, 1 of 4 committed."
    for name in NAMES[1:]:
        forecasts.commit(name, truths(read)[name])
    assert forecasts.score == "3 of 4 near enough, 4 of 4 committed."


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("seed", 3, "one of temperature, top_k"),
        ("top_k", 2.5, "Top-k is a whole"),
        ("temperature", -1, "Temperature is"),
    ],
)
def test_a_forecast_about_what_cannot_be_set_is_refused(setting, value, said):
    with pytest.raises(UnsupportedSetting, match=said):
        Forecast("name", "question", setting, value, lambda found: found.kept, 1)


@pytest.mark.parametrize(("setting", "value"), [("min_p", 0.1), ("repetition_penalty", 5), ("temperature", 3)])
def test_every_setting_of_the_distribution_can_be_forecast(read, setting, value):
    item = Forecast("name", "question", setting, value, lambda found: found.kept, 1, "tokens")
    made = Predict(read, [item])
    made.commit("name", 3)
    made.questions[0].slider.value = value
    assert made.picture.value == sampler_picture(next_token(read, DecodingConfig(**{setting: value}), shown=10))


@pytest.mark.parametrize("item", FORECASTS, ids=NAMES)
def test_only_the_forecast_s_own_setting_moves(read, forecasts, item):
    value = 20.0 if item.setting == "top_k" else 0.5
    config = forecasts.seen(item, value).config
    assert getattr(config, item.setting) == value
    assert config.sampling == type(config)(**{item.setting: getattr(config, item.setting)}).sampling
