"""Steps as tables, and the bars of next-token probabilities."""

import pandas as pd
import pytest

from utils.decoding.generation import Alternative, Step, generate_stream
from utils.decoding.steps import endings_table, steps_table
from utils.logits.config import DecodingConfig
from utils.plots import token_bars

OTHER = (Alternative(token=1, text=" b", probability=0.25, model_probability=0.25),)
STEPS = [
    Step(0, " a", 0.12349, 0.1, 3, 1.23456, OTHER),
    Step(5, "\n", 1.0, 0.2, 1, 0.0, OTHER, "stop sequence"),
]


def test_a_row_for_each_step():
    table = steps_table(iter(STEPS))
    assert list(table.columns) == ["token", "probability", "rank", "entropy (bits)", "best other token"]
    assert table.to_numpy().tolist() == [["' a'", 0.123, 3, 1.23, "' b'"], ["'\\n'", 1.0, 1, 0.0, "' b'"]]


def test_a_row_for_each_ending():
    table = endings_table({"first": STEPS, "second": iter(STEPS[1:])})
    assert list(table.index) == ["first", "second"]
    assert table.to_numpy().tolist() == [["' a\\n'", 2, "stop sequence"], ["'\\n'", 1, "stop sequence"]]


def test_a_greedy_completion_stands_on_rank_one(tiny):
    found = list(generate_stream(tiny, "Once upon", DecodingConfig(temperature=0, max_new_tokens=4)))
    assert (steps_table(found)["rank"] == 1).all()


@pytest.mark.parametrize("kind", [dict, pd.Series])
def test_token_bars_say_every_value_in_the_given_order(kind):
    plot = token_bars(kind({"' a'": 0.25, "','": 0.5}))
    assert plot.png.startswith(b"\x89PNG")
    assert plot.alt == "Horizontal bars of probability, axis 0 to 1. ' a': 0.25; ',': 0.50."


def test_token_bars_take_another_axis():
    plot = token_bars({"a": -3.0}, xlabel="logit", xlim=(-20, 20))
    assert plot.alt == "Horizontal bars of logit, axis -20 to 20. a: -3.00."
