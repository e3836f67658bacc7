"""The checks of Lab 2: right answers pass however they are written, each typical mistake is named."""

import itertools
import random
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests import masters
from utils.datasets.questions import load_questions
from utils.decoding.candidates import given, next_token
from utils.decoding.forecasts import Forecasts
from utils.evaluation.answers import AnswerLogits, answer_logits
from utils.exercises.checks import NOT_ATTEMPTED, assess
from utils.exercises.lab_2 import ACCURACY_LOSS, CHECKS, FORECASTS
from utils.logits.config import DecodingConfig
from utils.models.loading import DEFAULT_MODEL
from utils.prompts.templates import PlainTemplate, build_prompt

INF = float("inf")
STORY = "Once upon a time, in a garden behind the old school,"
TAIL = ["birds", "stones", "bugs", "fruits", "people", "shadows", "sounds", "colors", "weeds", "statues", "vegetables"]
SCORED = AnswerLogits(torch.tensor([[2.0, 3.0], [3.0, 2.0]]), (1,), (0,), (0,))
GARDEN = {"flowers": 0.50, "trees": 0.23, "herbs": 0.05} | dict.fromkeys(TAIL, 0.02)


def forecasts_committed(*names) -> Forecasts:
    forecasts = Forecasts(given("?", GARDEN), FORECASTS)
    for name in names:
        forecasts.commit(name, 0.5)
    return forecasts


MASTER = masters.names(2, forecasts=forecasts_committed(), measure=lambda config: (0.91, 2.8), scored=[SCORED])
SOLUTIONS = masters.answers(2, MASTER)
with_temperature, keep_top_k, keep_top_p, KEPT, two_orders, draw = list(SOLUTIONS.values())[1:7]
GREEDY, TALE = MASTER["for_questions"], MASTER["for_stories"]


# Other right answers


def by_hand(logits, temperature):
    if temperature == 0:
        return torch.nn.functional.one_hot(logits.argmax(), len(logits))
    weights = ((logits - logits.max()) / temperature).exp()
    return weights / weights.sum()


def in_a_loop(logits, temperature):
    values = logits.tolist()
    if not temperature:
        return torch.tensor([float(n == values.index(max(values))) for n in range(len(values))])
    weights = [2.718281828459045 ** ((value - max(values)) / temperature) for value in values]
    return torch.tensor(weights, dtype=torch.float64) / sum(weights)


def nearly_zero(logits, temperature):
    return (logits.double() / max(temperature, 1e-6)).softmax(0)


def cut_less_likely(probabilities, k):
    if not 0 < k < len(probabilities):
        return probabilities.clone()
    kept = probabilities.clone()
    kept[kept < kept.sort().values[-k]] = 0
    return kept / kept.sum()


def top_k_in_a_loop(probabilities, k):
    values = probabilities.tolist()
    least = sorted(values, reverse=True)[k - 1] if 0 < k <= len(values) else 0
    kept = [value if value >= least else 0 for value in values]
    return torch.tensor([value / sum(kept) for value in kept], dtype=torch.float64)


def top_k_by_softmax(probabilities, k):
    logits = probabilities.double().log()
    if 0 < k < len(logits):
        logits = logits.masked_fill(logits < logits.topk(k).values.min(), -INF)
    return logits.softmax(-1)


def top_p_in_a_loop(probabilities, p):
    kept, total = torch.zeros_like(probabilities, dtype=torch.float64), 0.0
    for token in sorted(range(len(probabilities)), key=lambda n: probabilities[n], reverse=True):
        kept[token] = probabilities[token]
        total += float(probabilities[token])
        if total >= p:
            break
    return kept / kept.sum()


def top_p_other_tie(probabilities, p):
    """Of a tie, the last ones of the vocabulary come first."""
    places = probabilities.argsort(stable=True).flip(0)
    number = int((probabilities[places].cumsum(0) < p - 1e-7).sum()) + 1
    return keep_places(probabilities, places[:number])


def top_p_by_search(probabilities, p):
    ordered, places = probabilities.sort(descending=True, stable=True)
    number = int(torch.searchsorted(ordered.cumsum(0), p)) + 1
    return keep_places(probabilities, places[:number])


def top_p_by_shift(probabilities, p):
    ordered, places = probabilities.sort(descending=True)
    cut = ordered.cumsum(0) >= p
    cut[1:], cut[0] = cut[:-1].clone(), False
    return keep_places(probabilities, places[~cut])


def keep_places(probabilities, places):
    kept = torch.zeros_like(probabilities)
    kept[places] = probabilities[places]
    return kept / kept.sum()


def two_orders_with(top_p):
    def answer(logits, temperature, p):
        cut = (top_p(with_temperature(logits, first), p) for first in (temperature, 1))
        return tuple(int((kept > 0).sum()) for kept in cut)

    return answer


def draw_in_a_loop(probabilities, generator):
    point = torch.rand(1, generator=generator).item()
    for token, probability in enumerate(probabilities.tolist()):
        if point < probability:
            return token
        point -= probability
    return token


def draw_gumbel(probabilities, generator):
    uniform = torch.rand(len(probabilities), generator=generator)
    return (probabilities.log() - (-uniform.log()).log()).argmax()


def draw_race(probabilities, generator):
    return (torch.rand(len(probabilities), generator=generator) ** (1 / probabilities)).argmax()


def draw_by_count(probabilities, generator):
    return (probabilities.cumsum(0) <= torch.rand((), generator=generator)).sum()


def draw_one_element(probabilities, generator):
    return torch.searchsorted(probabilities.cumsum(0), torch.rand(1, generator=generator))


ALL = [item.name for item in FORECASTS]
RIGHT = [
    ("2.1", forecasts_committed(*ALL)),
    *[item for item in SOLUTIONS.items() if item[0] != "2.8"],
    ("2.2", by_hand),
    ("2.2", in_a_loop),
    ("2.2", nearly_zero),
    ("2.3", cut_less_likely),
    ("2.3", top_k_in_a_loop),
    ("2.3", top_k_by_softmax),
    ("2.4", top_p_in_a_loop),
    ("2.4", top_p_other_tie),
    ("2.4", top_p_by_search),
    ("2.4", top_p_by_shift),
    ("2.5", {name: torch.tensor(number) for name, number in KEPT.items()}),
    ("2.6", two_orders_with(top_p_in_a_loop)),
    ("2.6", two_orders_with(top_p_other_tie)),
    ("2.6", two_orders_with(top_p_by_search)),
    ("2.6", two_orders_with(top_p_by_shift)),
    ("2.6", lambda *given: torch.tensor(two_orders(*given))),
    ("2.6", lambda *given: [torch.tensor(number) for number in two_orders(*given)]),
    ("2.7", draw_in_a_loop),
    ("2.7", draw_gumbel),
    ("2.7", draw_race),
    ("2.7", draw_by_count),
    ("2.7", draw_one_element),
]


def numbered(cases):
    return [f"{exercise}-{n}" for n, (exercise, *_) in enumerate(cases)]


@pytest.mark.parametrize(("exercise", "answer"), RIGHT, ids=numbered(RIGHT))
def test_a_right_answer_passes_however_it_is_written(exercise, answer):
    verdict, right = assess(exercise, answer)
    assert right, verdict
    assert verdict == f"correct. {CHECKS[exercise].praise}"


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("2.1", forecasts_committed()),
        ("2.5", dict.fromkeys(KEPT, ...)),
        ("2.5", KEPT | {"top-k 4": ...}),
    ],
)
def test_an_answer_that_is_not_filled_in_is_not_attempted_yet(exercise, answer):
    assert assess(exercise, answer) == (NOT_ATTEMPTED, False)


# Wrong answers


def zero_breaks(logits, temperature):
    return torch.softmax(logits * (1 / temperature), dim=-1)


def zero_returns_nothing(logits, temperature):
    if temperature != 0:
        return torch.softmax(logits / temperature, dim=-1)


def zero_is_uniform(logits, temperature):
    return torch.softmax(logits / temperature if temperature else logits * 0, dim=-1)


def zero_is_an_index(logits, temperature):
    return torch.softmax(logits / temperature, dim=-1) if temperature else logits.argmax()


def zero_is_one(logits, temperature):
    return torch.softmax(logits / (temperature or 1), dim=-1)


def overflows(logits, temperature):
    if temperature == 0:
        return with_temperature(logits, 0)
    weights = (logits / temperature).exp()
    return weights / weights.sum()


def overflows_in_double(logits, temperature):
    return overflows(logits.double(), temperature)


def overflows_in_numpy(logits, temperature):
    if temperature == 0:
        return with_temperature(logits, 0)
    with np.errstate(all="ignore"):
        weights = np.exp(logits.numpy() / temperature)
        return torch.tensor(weights / weights.sum())


def in_place(logits, temperature):
    if temperature == 0:
        return with_temperature(logits, 0)
    logits -= logits.max()
    return torch.softmax(logits / temperature, dim=-1)


def zeros_in_place(logits, temperature):
    if temperature:
        return torch.softmax(logits / temperature, dim=-1)
    likeliest = logits.argmax()
    logits.zero_()
    logits[likeliest] = 1
    return logits


def top_k_with(probabilities, k, *, ties=True, sort=False, share=True, zero=True, large=True, places=True):
    if (k == 0 and zero) or (k > len(probabilities) and large):
        return probabilities
    chosen = torch.topk(probabilities, k)
    if not places:
        return chosen.values / chosen.values.sum()
    kept = torch.zeros_like(probabilities)
    kept[chosen.indices] = chosen.values
    if ties:
        kept = torch.where(probabilities >= chosen.values[-1], probabilities, 0)
    if sort:
        kept = kept.sort(descending=sort == "down").values
    return kept / kept.sum() if share else kept


def wrong_top_k(**how):
    return lambda probabilities, k: top_k_with(probabilities, k, **how)


def top_k_softmax_of_shares(probabilities, k):
    return torch.where(keep_top_k(probabilities, k) > 0, probabilities, -INF).softmax(-1)


def top_k_in_place(probabilities, k):
    if 0 < k < len(probabilities):
        probabilities[probabilities < probabilities.topk(k).values[-1]] = 0
    return probabilities / probabilities.sum()


def top_k_least(probabilities, k):
    kept = torch.where(probabilities <= probabilities.sort().values[k - 1], probabilities, 0)
    return kept / kept.sum()


def top_k_zero_keeps_none(probabilities, k):
    kept = keep_top_k(probabilities, k) * (k > 0)
    return kept / kept.sum()


def top_p_with(probabilities, p, *, keep=lambda before, after, p: before < p, back=True, share=True):
    ordered, places = probabilities.sort(descending=True, stable=True)
    kept = torch.where(keep(ordered.cumsum(0) - ordered, ordered.cumsum(0), p), ordered, 0)
    if back:
        kept = torch.zeros_like(probabilities).scatter(0, places, kept)
    return kept / kept.sum() if share else kept


def wrong_top_p(**how):
    return lambda probabilities, p: top_p_with(probabilities, p, **how)


def top_p_mask_not_taken_back(probabilities, p):
    ordered = probabilities.sort(descending=True).values
    kept = torch.where(ordered.cumsum(0) - ordered < max(p, 0.001), probabilities, 0)
    return kept / kept.sum()


def top_p_whole_ties(probabilities, p):
    kept = torch.where(probabilities >= probabilities[keep_top_p(probabilities, p) > 0].min(), probabilities, 0)
    return kept / kept.sum()


def top_p_in_place(probabilities, p):
    probabilities[keep_top_p(probabilities, p) == 0] = 0
    return probabilities / probabilities.sum()


def exchanged(*given):
    return two_orders(*given)[::-1]


def always_the_temperature(logits, temperature, p):
    return (two_orders(logits, temperature, p)[0],) * 2


def never_the_temperature(logits, temperature, p):
    return (two_orders(logits, temperature, p)[1],) * 2


def distributions(logits, temperature, p):
    return keep_top_p(with_temperature(logits, temperature), p), keep_top_p(with_temperature(logits, 1), p)


OWN = torch.Generator().manual_seed(3)
WRONG = [
    ("2.1", forecasts_committed("sharper"), "Not committed yet: flatter, fixed number, fixed share"),
    ("2.1", {"sharper": 0.9}, "another kind of value"),
    ("2.2", lambda x, t: torch.softmax(x * t if t else by_hand(x, 0) * INF, -1), "do not multiply"),
    ("2.2", lambda x, t: torch.softmax(x, -1) / t, "Divide the logits by the temperature first"),
    ("2.2", lambda x, t: x / t, "then take the softmax"),
    ("2.2", lambda x, t: torch.softmax(x, -1), "Not right at temperature 0.5"),
    ("2.2", lambda x, t: torch.softmax(x / t, -1), "temperature 0: There is a NaN .* It means greedy"),
    ("2.2", zero_breaks, "temperature 0: Your function stopped with ZeroDivisionError.* It means greedy"),
    ("2.2", zero_returns_nothing, "temperature 0: Your function returns nothing. It means greedy"),
    ("2.2", zero_is_uniform, "temperature 0: It means greedy"),
    ("2.2", zero_is_one, "temperature 0: It means greedy"),
    ("2.2", zero_is_an_index, "temperature 0: Return one probability for each token"),
    ("2.2", overflows, r"large logits: There is a NaN .* exp\(1800\) is more than a computer can hold"),
    ("2.2", overflows_in_double, r"large logits: There is a NaN .* exp\(1800\)"),
    ("2.2", overflows_in_numpy, r"large logits: There is a NaN .* exp\(1800\)"),
    ("2.2", in_place, "changes the tensor that it was given"),
    ("2.2", zeros_in_place, "temperature 0: Your function changes the tensor"),
    ("2.2", lambda x, t: with_temperature(x, t).tolist(), "Return a torch tensor"),
    ("2.2", lambda x, t: with_temperature(x, t).max(), "one probability for each token"),
    ("2.3", wrong_top_k(share=False), "do not sum to 1"),
    ("2.3", top_k_softmax_of_shares, "their shares changed"),
    ("2.3", wrong_top_k(sort="down"), "changed places"),
    ("2.3", wrong_top_k(sort="up"), "changed places"),
    ("2.3", wrong_top_k(sort="down", share=False), "changed places"),
    ("2.3", wrong_top_k(places=False), "one probability for each token"),
    ("2.3", wrong_top_k(ties=False), "tie at the last place: With k = 2"),
    ("2.3", wrong_top_k(zero=False), "Edge case, k = 0: Your function stopped with IndexError.* nothing changes"),
    ("2.3", top_k_zero_keeps_none, "Edge case, k = 0: There is a NaN .* Every token is kept"),
    ("2.3", wrong_top_k(large=False), "k above the size of the vocabulary: Your function stopped with RuntimeError"),
    ("2.3", top_k_in_place, "changes the tensor that it was given"),
    ("2.3", top_k_least, "not the 2 likeliest tokens of .0.1, 0.4, 0.05, 0.3, 0.15. are kept"),
    ("2.3", lambda x, k: keep_top_k(x, k + 1), "not the 2 likeliest"),
    ("2.3", lambda x, k: keep_top_k(x, max(k - 1, 0)), "not the 2 likeliest"),
    ("2.3", lambda x, k: x, "not the 2 likeliest"),
    ("2.4", wrong_top_p(share=False), "do not sum to 1"),
    ("2.4", wrong_top_p(keep=lambda before, after, p: after <= p), "token that crosses p is missing"),
    ("2.4", wrong_top_p(keep=lambda before, after, p: after < p), "token that crosses p is missing"),
    (
        "2.4",
        wrong_top_p(keep=lambda before, after, p: (after <= p) | (before == 0)),
        "token that crosses p is missing",
    ),
    ("2.4", wrong_top_p(keep=lambda before, after, p: before <= p), "sum of exactly p: .* You keep 3"),
    ("2.4", wrong_top_p(), "Edge case, p = 0: There is a NaN .* The likeliest token is always kept"),
    ("2.4", wrong_top_p(back=False), "changed places"),
    ("2.4", top_p_mask_not_taken_back, "other tokens than the likeliest are kept"),
    ("2.4", top_p_whole_ties, "a tie at the last place: .* two come in. You keep 5"),
    ("2.4", top_p_in_place, "changes the tensor that it was given"),
    ("2.4", lambda x, p: keep_top_p(x, p) if p < 1 else keep_top_p(x, 0.5), "Edge case, p = 1"),
    ("2.4", lambda x, p: keep_top_p(x, p) if p >= 0.02 else x * 0, "very small p: The likeliest .* You keep 0"),
    ("2.4", lambda x, p: x, "you keep 5 tokens and 2 are right"),
    ("2.4", lambda x, p: keep_top_p(x, p).sort(descending=True).values[:2], "one probability for each token"),
    *[("2.5", KEPT | {name: number + 1}, f"{name}: {number + 1} is not right") for name, number in KEPT.items()],
    ("2.5", KEPT | {"top-k 4": 4}, "eleven words of 0.02"),
    ("2.5", KEPT | {"top-p 0.79": 14}, "How many of the tied words come in"),
    ("2.5", {"top-k 2": 2}, "no number for top-k 4"),
    ("2.5", KEPT | {"top-p 0.5": "one"}, "top-p 0.5: a whole number"),
    ("2.5", KEPT | {"top-p 0.5": 0.5}, "top-p 0.5: a whole number"),
    ("2.5", list(KEPT.values()), "Hand over the dictionary"),
    ("2.6", exchanged, "the two numbers are exchanged"),
    ("2.6", always_the_temperature, "the second number is .* the temperature comes after and cuts nothing"),
    ("2.6", never_the_temperature, "the first number is .* temperature first, then top-p"),
    ("2.6", distributions, "Return two numbers"),
    ("2.6", lambda *given: two_orders(*given)[0], "Return two numbers"),
    ("2.6", lambda *given: (*two_orders(*given), 0), "Return two numbers"),
    ("2.6", lambda *given: ("many", "few"), "Return two numbers"),
    ("2.7", lambda p, g: draw(p, OWN), "same seed gives different tokens"),
    ("2.7", lambda p, g: draw(p, None), "same seed gives different tokens"),
    ("2.7", lambda p, g: random.choices(range(4), p.tolist())[0], "same seed gives different tokens"),
    ("2.7", lambda p, g: draw(p, torch.Generator().manual_seed(0)), "neither is one that sets its own seed"),
    ("2.7", lambda p, g: draw(p, g.manual_seed(1)), "neither is one that sets its own seed"),
    ("2.7", lambda p, g: p.argmax(), "Greedy decoding is not a draw"),
    ("2.7", lambda p, g: torch.randint(4, (1,), generator=g), "probability 0 was drawn"),
    ("2.7", lambda p, g: draw((p + 0.1) / 1.4, g), "probability 0 was drawn"),
    ("2.7", lambda p, g: draw(p.sort(descending=True).values, g), "probability 0 was drawn"),
    ("2.7", lambda p, g: draw((p > 0) / 3, g), r"came with shares .* \[0.5, 0.0, 0.3, 0.2\] was asked for"),
    ("2.7", lambda p, g: draw(p**2, g), "came with shares"),
    ("2.7", lambda p, g: draw(p, g) + 1, "index of a token: 0, 1, 2 or 3"),
    ("2.7", lambda p, g: p[draw(p, g)], "index of a token, a whole number"),
    ("2.7", lambda p, g: torch.rand(4, generator=g), "index of a token, a whole number"),
    ("2.7", lambda p, g: torch.multinomial(p, 1, generator=g), "torch.multinomial did the work"),
]


@pytest.mark.parametrize(("exercise", "answer", "message"), WRONG, ids=numbered(WRONG))
def test_a_typical_mistake_is_named(exercise, answer, message):
    verdict, right = assess(exercise, answer)
    assert not right and verdict.startswith("not yet. ")
    assert re.search(message, verdict), verdict


def test_a_draw_that_ignores_the_generator_never_passes():
    torch.manual_seed(0)
    assert not any(assess("2.7", lambda p, g: draw(p, None))[1] for _ in range(20))


def test_no_message_gives_the_numbers_of_2_5_away():
    for name, number in KEPT.items():
        verdict = assess("2.5", KEPT | {name: 99})[0].split("is not right.")[1]
        assert not re.search(rf"(?<![\d.]){number}(?![\d.])", verdict)


def test_2_5_asks_for_what_the_library_keeps():
    for name, number in KEPT.items():
        setting, value = name.split()
        config = DecodingConfig(top_k=int(value)) if setting == "top-k" else DecodingConfig(top_p=float(value))
        assert next_token(given("?", GARDEN), config).kept == number
        probabilities = torch.tensor(list(GARDEN.values()))
        own = keep_top_k(probabilities, int(value)) if setting == "top-k" else keep_top_p(probabilities, float(value))
        assert (own > 0).sum() == number, "the learner's own function must not mislead"


# Exercise 2.8

LOOP = DecodingConfig(temperature=0.2, max_new_tokens=40)
SALAD = DecodingConfig(temperature=1.5, max_new_tokens=40)
CLAIMS = {"accuracy": 0.5, "distinct-2": 1.0, "bits per token": 2.5}


OURS, OTHER = SimpleNamespace(name=DEFAULT_MODEL), SimpleNamespace(name="people/other")


def quick_2_8(monkeypatch, answer, model=OURS):
    """Two questions, one of which greedy decoding gets right, and stories as their settings deserve."""
    fresh = itertools.count()
    monkeypatch.setattr(
        "utils.exercises.lab_2.completions",
        lambda model, story, config, seeds: [
            "the same words" if config == LOOP else f"{next(fresh)} {next(fresh)} {next(fresh)}" for _ in seeds
        ],
    )
    monkeypatch.setattr("utils.exercises.lab_2.surprise", lambda *_: 9.0 if answer[1] == SALAD else 2.5)
    right, wrong = torch.tensor([[2.0, 3.0], [3.0, 2.0]]), torch.tensor([[3.0, 2.0], [3.0, 2.0]])
    scored = [AnswerLogits(logits, (1,), (0,), (0,)) for logits in (right, wrong)]
    return assess("2.8", answer, scored=scored, model=model, story=STORY)


@pytest.mark.parametrize("claims", [CLAIMS, CLAIMS | {"accuracy": "0.50", "bits per token": 2.504}])
def test_settings_that_are_defended_pass(monkeypatch, claims):
    verdict, right = quick_2_8(monkeypatch, (GREEDY, TALE, claims))
    assert right, verdict


@pytest.mark.parametrize(
    "answer",
    [
        (..., ..., dict.fromkeys(CLAIMS, ...)),
        (..., TALE, CLAIMS),
        (GREEDY, ..., CLAIMS),
        (GREEDY, TALE, CLAIMS | {"accuracy": ...}),
    ],
)
def test_settings_without_a_defence_are_not_attempted_yet(monkeypatch, answer):
    assert quick_2_8(monkeypatch, answer) == (NOT_ATTEMPTED, False)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((DecodingConfig(), TALE, CLAIMS), "right in 0.37 of the cases; greedy decoding in 0.50"),
        ((TALE, GREEDY, CLAIMS), "Keep max_new_tokens=40"),
        ((GREEDY, DecodingConfig(temperature=0.9, max_new_tokens=5), CLAIMS), "Keep max_new_tokens=40"),
        ((GREEDY, LOOP, CLAIMS), "distinct-2 of 0.12: they use the same word pairs"),
        ((GREEDY, SALAD, CLAIMS), "at 9.0 bits per token the model finds them close to noise"),
        ((GREEDY, TALE, CLAIMS | {"accuracy": 0.9}), "You claim 0.9 for 'accuracy', and 0.50 is measured"),
        ((GREEDY, TALE, CLAIMS | {"distinct-2": 0.5}), "You claim 0.5 for 'distinct-2', and 1.00 is measured"),
        ((GREEDY, TALE, CLAIMS | {"bits per token": 2.52}), "You claim 2.52 for 'bits per token', and 2.50"),
        ((GREEDY, TALE, CLAIMS | {"accuracy": float("nan")}), "You claim nan for 'accuracy'"),
        ((GREEDY, TALE, {"accuracy": 0.5}), "does not name 'distinct-2'"),
        ((0.2, TALE, CLAIMS), "Give both settings as a DecodingConfig"),
        ((GREEDY, {"top_k": 3}, CLAIMS), "Give both settings as a DecodingConfig"),
        ((GREEDY, TALE), "another kind of value"),
        ((GREEDY, TALE, [0.5, 1.0, 2.5]), "another kind of value"),
        ((GREEDY, TALE, CLAIMS | {"accuracy": "high"}), "another kind of value"),
    ],
    ids=range(15),
)
def test_a_choice_that_is_not_good_enough_is_told_why(monkeypatch, answer, message):
    verdict, right = quick_2_8(monkeypatch, answer)
    assert not right and re.search(message, verdict), verdict


@pytest.mark.parametrize(("loss", "passes"), [(ACCURACY_LOSS - 0.005, True), (ACCURACY_LOSS + 0.005, False)])
def test_the_accuracy_may_fall_by_the_named_share_and_no_more(monkeypatch, loss, passes):
    measured = {GREEDY: 0.5, LOOP: 0.5 - loss}
    monkeypatch.setattr(
        "utils.exercises.lab_2.expected_accuracy", lambda _, config: SimpleNamespace(mean=measured[config])
    )
    assert quick_2_8(monkeypatch, (LOOP, TALE, CLAIMS | {"accuracy": 0.5 - loss}))[1] == passes


@pytest.mark.parametrize("stories", [TALE, LOOP, SALAD])
def test_with_another_model_stories_have_no_limits_and_the_check_says_so(monkeypatch, stories):
    claims = {TALE: CLAIMS, LOOP: CLAIMS | {"distinct-2": 0.12}, SALAD: CLAIMS | {"bits per token": 9.0}}[stories]
    verdict, right = quick_2_8(monkeypatch, (GREEDY, stories, claims), OTHER)
    assert right and "the course's own model: with people/other they are not asked for" in verdict
    assert "people/other" not in quick_2_8(monkeypatch, (GREEDY, TALE, CLAIMS))[0]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((DecodingConfig(), TALE, CLAIMS), "right in 0.37 of the cases; greedy decoding in 0.50"),
        ((GREEDY, TALE, CLAIMS | {"bits per token": 9.0}), "You claim 9.0 for 'bits per token', and 2.50"),
    ],
)
def test_with_another_model_what_is_measured_still_counts(monkeypatch, answer, message):
    verdict, right = quick_2_8(monkeypatch, answer, OTHER)
    assert not right and message in verdict


@pytest.fixture(scope="module")
def measured(course_model):
    template = PlainTemplate("Question", "Answer")
    examples = [record.example for record in load_questions("train")]
    asked = load_questions("validation")[:8]
    prompts = [build_prompt("", record.input_text, examples, template) for record in asked]
    return answer_logits(course_model, prompts, [template.completion(record.output_text) for record in asked])


def test_the_master_s_settings_pass_on_the_course_model(course_model, measured):
    claims = {"accuracy": 0, "distinct-2": 0.91, "bits per token": 2.8}
    given = {"scored": measured, "model": course_model, "story": STORY}
    claims["accuracy"] = re.search(r"([\d.]+) is measured", assess("2.8", (GREEDY, TALE, claims), **given)[0])[1]
    verdict, right = assess("2.8", (GREEDY, TALE, claims), **given)
    assert right, verdict
