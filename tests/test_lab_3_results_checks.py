"""What the tables of right and wrong answers do not say of the exercises 3.6 to 3.10."""

from functools import partial

import numpy as np
import pytest

from utils.exercises import lab_3_results, running
from utils.exercises.checks import assess


@pytest.mark.parametrize("mistake", lab_3_results.GAINS, ids=range(len(lab_3_results.GAINS)))
def test_each_known_mistake_of_a_bootstrap_is_told_its_own_sentence(mistake):
    def answer(ours, theirs, seed):
        return np.subtract(ours, theirs).mean(), *mistake.function(ours, theirs, seed + 12)[1:]

    verdict, right = assess("3.6", answer)
    assert not right and mistake.message in verdict, verdict


@pytest.mark.parametrize("mistake", lab_3_results.FIRST_NUMBERS, ids=range(len(lab_3_results.FIRST_NUMBERS)))
def test_each_known_mistake_of_a_mean_difference_is_told_its_own_sentence(mistake):
    def answer(ours, theirs, seed):
        return mistake.function(ours, theirs), *lab_3_results._gain(ours, theirs, seed)[1:]

    verdict, right = assess("3.6", answer)
    assert not right and mistake.message in verdict


def ends_of(function, seed, count):
    return np.array([[function(*pair, seed + n)[1:] for n in range(count)] for pair in lab_3_results.SCORES])


@pytest.mark.parametrize(
    ("function", "count", "taken"),
    [
        (lab_3_results._gain, 50, True),
        (lab_3_results._gain, lab_3_results.FEWEST, True),
        (partial(lab_3_results._gain, resamples=100), 50, False),
        (partial(lab_3_results._gain, resamples=500), 50, False),
        (partial(lab_3_results._gain, resamples=2000), 50, False),
        (partial(lab_3_results._gain, ends=(2, 98)), 50, False),
        (partial(lab_3_results._gain, texts=lambda n: n - 1), 50, False),
    ],
)
def test_chance_decides_in_one_case_of_a_hundred_at_most(function, count, taken):
    right = lab_3_results._ends(lab_3_results._gain, 400)
    drawn = [ends_of(function, 1000 * trial + 1000, count) for trial in range(40)]
    found = [lab_3_results._is_placed(ends, right) and lab_3_results._is_spread(ends, right) for ends in drawn]
    assert found.count(taken) >= 39


def test_few_resamples_and_means_that_are_not_sorted_are_named():
    few, _ = assess("3.6", partial(lab_3_results._gain, resamples=10))
    assert "no more and no fewer" in few

    def unsorted(ours, theirs, seed):
        differences = np.subtract(ours, theirs)
        means = np.random.default_rng(seed).choice(differences, (1000, len(differences))).mean(axis=1)
        return differences.mean(), means[25], means[975]

    assert "are they sorted before?" in assess("3.6", unsorted)[0]


def test_a_slow_answer_is_called_less_often(monkeypatch):
    monkeypatch.setattr(lab_3_results, "SECONDS", 0.001)
    calls = []
    assert assess("3.6", lambda *given: calls.append(given) or lab_3_results._gain(*given))[1]
    assert len(calls) <= 3 + 2 * lab_3_results.FEWEST


def test_a_loop_that_counts_to_millions_is_waited_for():
    def answer(tuning_seconds, prompt_seconds, tuned_seconds):
        queries = 0
        while prompt_seconds > tuned_seconds and tuning_seconds + queries * tuned_seconds > queries * prompt_seconds:
            queries += 1
        return queries if prompt_seconds > tuned_seconds else float("inf")

    assert running.SECONDS == 10 and assess("3.10", answer)[1]
