"""Contestants beside each other: the same seeds, records or none, gains, worst cases, and what is said of chance."""

import json
from dataclasses import replace

import pytest

from tests.serving.conftest import tiny_language_model
from utils.datasets.records import TextToText
from utils.decoding.generation import complete_many
from utils.errors import CourseError, DataError
from utils.logits.config import DecodingConfig
from utils.models.language_model import LanguageModel
from utils.studio.comparison import (
    Comparison,
    Contestant,
    Progress,
    SideBySide,
    about_chance,
    check,
    comparing,
    half_width,
    looking,
)
from utils.studio.prompt import Prompt
from utils.studio.scoring import score

DRAWN = DecodingConfig(temperature=1.0, max_new_tokens=6)
A = Contestant("A", Prompt(text="the {input} dog", config=DRAWN))
B = Contestant("B", Prompt(text="a quick {input}", config=replace(DRAWN, temperature=0.0)))
RECORDS = [TextToText(f"fox {letter}", f"the lazy {letter}") for letter in "abcdefghijklmnopqrst"]


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return tiny_language_model()


@pytest.fixture
def compared(model) -> tuple[list[Progress], Comparison]:
    *steps, last = comparing([A, B], lambda _: model, RECORDS, metric="chrF", seeds=[0, 1])
    return steps, last


def test_each_contestant_answers_the_same_records_at_the_same_seeds(model, compared):
    _, found = compared
    for one in (A, B):
        alone = score(model, one.prompt, RECORDS, metric="chrF", seeds=[0, 1])
        assert found.scores[one.name].answers == alone.answers
    assert found.baseline is found.scores["A"]
    assert found.gains.loc["B", "mean"] == round(found.scores["B"].gain(found.scores["A"]).mean, 2)
    assert list(found.table["win rate (ties half)"]) == ["", str(found.scores["B"].win_rate(found.scores["A"]))]


def test_progress_counts_answers_up_to_all_of_them(compared):
    steps, _ = compared
    done = [step.done for step in steps]
    assert done == sorted(done)
    assert done[-1] == steps[0].total == 3 * len(RECORDS), "greedy answers are written once"
    assert str(steps[1]) == "A answers with seed 0: 16 of 60 answers"


def test_the_worst_cases_come_lowest_first(compared):
    _, found = compared
    means = found.scores["B"].values.mean(axis=0)
    worst = found.worst("B", 5)
    assert [means[n] for n in worst] == sorted(means)[:5]


def test_it_is_kept_as_plain_json(compared):
    _, found = compared
    again = Comparison.from_dict(json.loads(json.dumps(found.as_dict())))
    assert again.as_dict() == Comparison.from_dict(again.as_dict()).as_dict()
    assert again.table.equals(found.table)
    assert (again.records, again.seeds) == (found.records, found.seeds)


def test_a_verdict_says_whether_the_interval_holds_zero(model):
    same = [A, Contestant("again", A.prompt)]
    *_, found = comparing(same, lambda _: model, RECORDS, metric="chrF", seeds=[0])
    assert "holds zero" in found.verdicts()[0]
    right = [
        TextToText(record.input_text, answer) for record, answer in zip(RECORDS, found.baseline.answers[0], strict=True)
    ]
    *_, found = comparing([B, A], lambda _: model, right, metric="chrF", seeds=[0])
    assert "excludes zero: A is better" in found.verdicts()[0]
    *_, found = comparing([A, B], lambda _: model, right, metric="chrF", seeds=[0])
    assert "excludes zero: A is better" in found.verdicts()[0]
    *_, found = comparing([A, B], lambda _: model, right[:3], metric="chrF", seeds=[0])
    assert "fewer than 10 records" in found.verdicts()[0]


def test_without_records_the_answers_stand_side_by_side(model):
    plain = [replace(one, prompt=replace(one.prompt, text="the fox")) for one in (A, B)]
    *steps, found = looking(plain, lambda _: model, seed=4, responses=3)
    assert found.seeds == (4, 5, 6)
    assert list(found.answers[0]) == complete_many(model, "the fox", DRAWN, seeds=[4, 5, 6])
    assert "3 seeds: A 3, B 1." in found.said
    assert [step.done for step in steps] == [0, 3]
    assert SideBySide.from_dict(json.loads(json.dumps(found.as_dict()))) == found


def test_an_error_names_its_contestant(model):
    empty = Contestant("empty", Prompt())
    with pytest.raises(CourseError, match="^empty: The prompt is empty"):
        list(looking([A, empty], lambda _: model, seed=0, responses=1))
    with pytest.raises(CourseError, match="^empty: .*{input}"):
        list(comparing([A, empty], lambda _: model, RECORDS, metric="chrF", seeds=[0]))


@pytest.mark.parametrize(
    ("contestants", "said"), [([A], "there are 1"), ([A, B, A], "called 'A'"), ([A] * 5, "there are 5")]
)
def test_two_to_four_contestants_with_different_names(contestants, said):
    with pytest.raises(DataError, match=said):
        check(contestants)


def test_without_records_there_is_no_measure(model):
    with pytest.raises(DataError, match="no record"):
        next(comparing([A, B], lambda _: model, [], metric="chrF", seeds=[0]))


def test_the_width_of_an_interval_by_records():
    assert [round(half_width(n), 2) for n in (25, 100, 400)] == [0.20, 0.10, 0.05]
    assert "proves nothing" in about_chance(None)
    assert "100 records tell a share near one half to ± 0.10" in about_chance(100)
