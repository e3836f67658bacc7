"""What learners answer to the exercises of Lab 2: right answers in many styles, and plausible wrong ones.

Each wrong answer stands beside a pattern of the sentence that it must get.
"""

import bisect
import collections
import functools
import heapq
import itertools
import math
import operator
import random
import types
from collections import OrderedDict
from typing import Any

import numpy as np
import pandas as pd
import torch
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from tests import masters
from utils.decoding.candidates import given
from utils.decoding.forecasts import Forecasts
from utils.evaluation.answers import AnswerLogits
from utils.exercises.lab_2 import FORECASTS
from utils.logits.config import DecodingConfig
from utils.logits.reshaping import reshape
from utils.models.loading import DEFAULT_MODEL

INF = float("inf")
STORY = "Once upon a time, in a garden behind the old school,"
TAIL = ["birds", "stones", "bugs", "fruits", "people", "shadows", "sounds", "colors", "weeds", "statues", "vegetables"]
GARDEN = {"flowers": 0.50, "trees": 0.23, "herbs": 0.05} | dict.fromkeys(TAIL, 0.02)
NAMES = [item.name for item in FORECASTS]


def forecasts_committed(*names: str, **guesses: Any) -> Forecasts:
    """Forecasts, some of them committed: those named at 1, or at a guess of their own (_ for a space)."""
    forecasts = Forecasts(given("?", GARDEN | dict.fromkeys(map(str, range(100)), 1e-6)), FORECASTS)
    for name, guess in (dict.fromkeys(names, 1) | guesses).items():
        forecasts.commit(name.replace("_", " "), guess)
    return forecasts


def question(right: float, wrong: float) -> AnswerLogits:
    """A question whose right answer is one token: its logit, and the logit of one wrong token among a long tail."""
    tail = [-1.0] * 30
    answer, end = [right, wrong, -1.0, *tail], [-2.0, -2.0, 9.0, *tail]
    return AnswerLogits(torch.tensor([answer, end]), (0,), (2,), (1,))


SCORED = [
    question(*pair)
    for pair in ((5.0, 1.0), (5.0, 2.0), (4.0, 1.0), (3.0, 2.6), (5.0, 0.5), (2.0, 4.0), (1.0, 3.0), (2.5, 3.0))
]
"""Eight questions, of which greedy decoding answers five."""

MASTER = masters.names(2, forecasts=forecasts_committed(), measure=lambda config: (0.91, 2.8), scored=SCORED)
SOLUTIONS = masters.answers(2, MASTER)
with_temperature, keep_top_k, keep_top_p, KEPT, two_orders, draw = list(SOLUTIONS.values())[1:7]
MASTER["forecasts"] = forecasts_committed()
BLANK = {"forecasts": forecasts_committed()}
"""What a learner's cells need of the widget: its forecasts, none of them committed."""


class Called:
    """An object that is called like a function."""

    def __init__(self, function):
        self.function = function

    def __call__(self, *given):
        return self.function(*given)

    def method(self, *given):
        return self.function(*given)


# 2.2, right


def softmax_by_hand(logits, temperature):
    if temperature == 0:
        return torch.nn.functional.one_hot(logits.argmax(), len(logits))
    weights = ((logits - logits.max()) / temperature).exp()
    return weights / weights.sum()


def softmax_in_a_loop(logits, temperature):
    values = logits.tolist()
    if not temperature:
        return torch.tensor([float(n == values.index(max(values))) for n in range(len(values))])
    weights = [2.718281828459045 ** ((value - max(values)) / temperature) for value in values]
    return torch.tensor(weights, dtype=torch.float64) / sum(weights)


def greedy_is_nearly_zero(logits, temperature):
    return (logits.double() / max(temperature, 1e-6)).softmax(0)


def softmax_in_numpy(scores, t):
    scores = scores.numpy().astype(float)
    if t == 0:
        return np.eye(len(scores))[scores.argmax()]
    weights = np.exp((scores - scores.max()) / t)
    return weights / weights.sum()


def softmax_as_a_list(logits, temperature):
    values = [float(value) for value in logits]
    largest = max(values)
    if temperature == 0:
        result = [0] * len(values)
        result[values.index(largest)] = 1
        return result
    weights = [math.exp((value - largest) / temperature) for value in values]
    return [weight / math.fsum(weights) for weight in weights]


def softmax_by_logsumexp(x, T=1.0):
    if T == 0:
        return torch.zeros_like(x).scatter(0, x.argmax(0, keepdim=True), 1.0)
    scaled = x / T
    return torch.exp(scaled - torch.logsumexp(scaled, 0))


def softmax_in_pandas(logits, temperature):
    column = pd.Series(logits.tolist())
    if temperature == 0:
        return (column.index == column.idxmax()).astype(float)
    weights = np.exp((column - column.max()) / temperature)
    return weights / weights.sum()


def softmax_of_a_copy(logits, temperature):
    logits = logits.clone()
    if temperature == 0:
        best = int(torch.argmax(logits))
        logits[:] = 0
        logits[best] = 1
    else:
        logits /= temperature
        logits = torch.nn.functional.softmax(logits, dim=0)
    return logits


def softmax_yielded(logits, temperature):
    yield from with_temperature(logits, temperature).tolist()


def softmax_of_a_distribution(logits, temperature):
    if temperature < 1e-9:
        return torch.nn.functional.one_hot(torch.argmax(logits), num_classes=logits.numel()).float()
    return torch.distributions.Categorical(logits=logits / temperature).probs


def greedy_by_comparing(logits, temperature):
    if temperature == 0.0:
        is_first = (logits == logits.max()).cumsum(0) == 1
        return ((logits == logits.max()) & is_first).float()
    return torch.log_softmax(logits / temperature, -1).exp()


def rounded_to_three_digits(logits, temperature):
    return torch.round(with_temperature(logits, temperature), decimals=3)


def a_tie_is_shared(logits, temperature):
    if temperature == 0:
        likeliest = (logits == logits.max()).float()
        return likeliest / likeliest.sum()
    return torch.softmax(logits / temperature, dim=-1)


def softmax_by_transformers(logits, temperature):
    if temperature == 0:
        return (torch.arange(len(logits)) == logits.argmax()) * 1.0
    return TemperatureLogitsWarper(float(temperature))(None, logits[None])[0].softmax(-1)


# 2.2, wrong


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


def zero_is_the_first(logits, temperature):
    if temperature == 0:
        probabilities = torch.zeros_like(logits)
        probabilities[0] = 1
        return probabilities
    return torch.softmax(logits / temperature, dim=-1)


def zero_takes_the_least(logits, temperature):
    if temperature == 0:
        probabilities = torch.zeros_like(logits)
        probabilities[logits.argmin()] = 1
        return probabilities
    return torch.softmax(logits / temperature, dim=-1)


def zero_gives_each_of_a_tie_one(logits, temperature):
    return torch.softmax(logits / temperature, dim=-1) if temperature else (logits == logits.max()).float()


def zero_keeps_the_logit(logits, temperature):
    if temperature == 0:
        return torch.where(logits == logits.max(), logits, 0)
    return torch.softmax(logits / temperature, dim=-1)


def zero_is_a_tenth(logits, temperature):
    return torch.softmax(logits / max(temperature, 0.1), dim=-1)


def zero_only_as_a_float(logits, temperature):
    if isinstance(temperature, float) and temperature == 0:
        return with_temperature(logits, 0)
    return torch.softmax(logits / temperature, dim=-1)


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


def overflows_in_python(logits, temperature):
    if temperature == 0:
        return with_temperature(logits, 0)
    weights = [math.exp(value / temperature) for value in logits.tolist()]
    return [weight / sum(weights) for weight in weights]


def clamped(logits, temperature):
    return with_temperature(logits.clamp(-80, 80), temperature)


def nan_to_zero(logits, temperature):
    return overflows(logits, temperature).nan_to_num()


def subtracts_only_what_is_above_zero(logits, temperature):
    if temperature == 0:
        return with_temperature(logits, 0)
    weights = ((logits - logits.abs().max()) / temperature).exp()
    return weights / weights.sum()


def subtracts_in_place(logits, temperature):
    if temperature == 0:
        return with_temperature(logits, 0)
    logits -= logits.max()
    return torch.softmax(logits / temperature, dim=-1)


def divides_in_place(logits, temperature):
    return with_temperature(logits.div_(temperature or 1), 1 if temperature else 0)


def zeros_in_place(logits, temperature):
    if temperature:
        return torch.softmax(logits / temperature, dim=-1)
    likeliest = logits.argmax()
    logits.zero_()
    logits[likeliest] = 1
    return logits


def divides_by_the_largest(logits, temperature):
    return with_temperature(logits / logits.max(), temperature)


def power_of_the_shares(logits, temperature):
    if temperature == 0:
        return with_temperature(logits, 0)
    return torch.softmax(logits, -1) ** (1 / temperature)


def sorted_shares(logits, temperature):
    return with_temperature(logits, temperature).sort(descending=True).values


def shares_of_the_logits(logits, temperature):
    if temperature == 0:
        return with_temperature(logits, 0)
    return logits / temperature / (logits / temperature).sum()


def exp_of_the_quotient(logits, temperature):
    return (logits / temperature).exp() if temperature else with_temperature(logits, 0)


def sigmoid_of_the_quotient(logits, temperature):
    return torch.sigmoid(logits / temperature) if temperature else with_temperature(logits, 0)


def divides_the_exponentials(logits, temperature):
    if temperature == 0:
        return with_temperature(logits, 0)
    weights = (logits - logits.max()).exp() / temperature
    return weights / weights.sum()


def never_below_one(logits, temperature):
    return with_temperature(logits, max(temperature, 1))


def for_three_temperatures(logits, temperature):
    known = {0: 0, 0.5: 0.5, 1.0: 1.0, 2.0: 2.0}
    return with_temperature(logits, known.get(temperature, 1))


# 2.3, right


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


def top_k_by_counting(probs, k):
    """A token is kept if fewer than k tokens are likelier."""
    likelier = (probs[None, :] > probs[:, None]).sum(1)
    kept = probs * (likelier < (k if k else len(probs)))
    return kept / kept.sum()


def top_k_in_numpy(probabilities, k):
    values = np.asarray(probabilities, dtype=np.float64)
    k = len(values) if k == 0 else min(k, len(values))
    kept = np.where(values >= np.partition(values, -k)[-k], values, 0)
    return kept / kept.sum()


def top_k_in_pandas(probabilities, k):
    column = pd.Series(probabilities.numpy())
    if k == 0:
        return torch.tensor(column.to_numpy())
    kept = column.nlargest(k, keep="all").reindex(column.index).fillna(0.0)
    return torch.tensor((kept / kept.sum()).to_numpy())


def top_k_by_a_heap(distribution, number):
    values = distribution.tolist()
    if number == 0:
        return values
    least = heapq.nlargest(number, values)[-1]
    total = math.fsum(value for value in values if value >= least)
    return [value / total if value >= least else 0.0 for value in values]


def top_k_recursive(probabilities, k):
    """Cut all that are least likely, and again, as long as k remain."""
    left = int((probabilities > 0).sum())
    smallest = probabilities[probabilities > 0].min()
    ties = int((probabilities == smallest).sum())
    if k == 0 or left - ties < k:
        return probabilities / probabilities.sum()
    return top_k_recursive(torch.where(probabilities > smallest, probabilities, 0), k)


def top_k_by_rank(probabilities, k):
    ranks = pd.Series(probabilities.tolist()).rank(method="min", ascending=False)
    kept = probabilities if k == 0 else probabilities * torch.tensor((ranks <= k).to_numpy())
    return kept / kept.sum()


def top_k_by_kthvalue(p, k):
    n = p.shape[0]
    smallest = p.kthvalue(n - k + 1).values if 1 <= k <= n else p.min()
    return torch.nn.functional.normalize(p * (p >= smallest), p=1, dim=0)


def top_k_by_transformers(probabilities, k):
    if k == 0:
        return probabilities
    return TopKLogitsWarper(k)(None, probabilities.log()[None])[0].softmax(-1)


def top_k_by_the_course(probabilities, k):
    return reshape(torch.log(probabilities), top_k=k)


# 2.3, wrong


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


def top_k_softmax_of_shares(probabilities, k):
    return torch.where(keep_top_k(probabilities, k) > 0, probabilities, -INF).softmax(-1)


def top_k_zero_keeps_none(probabilities, k):
    kept = torch.zeros_like(probabilities)
    if k:
        kept = torch.where(probabilities >= probabilities.topk(min(k, len(probabilities))).values[-1], probabilities, 0)
    return kept / kept.sum()


def top_k_zero_keeps_one(probabilities, k):
    return keep_top_k(probabilities, max(k, 1))


def top_k_least(probabilities, k):
    if k == 0 or k >= len(probabilities):
        return probabilities
    kept = torch.where(probabilities <= probabilities.sort().values[k - 1], probabilities, 0)
    return kept / kept.sum()


def top_k_in_place(probabilities, k):
    if k == 0 or k >= len(probabilities):
        return probabilities
    probabilities[probabilities < probabilities.topk(k).values[-1]] = 0
    return probabilities / probabilities.sum()


def top_k_sorts_in_place(probabilities, k):
    values = probabilities.numpy()
    kept = keep_top_k(probabilities, k)
    values.sort()
    return kept


def top_k_above_the_kth(probabilities, k):
    if k == 0 or k >= len(probabilities):
        return probabilities
    kept = torch.where(probabilities > probabilities.topk(k).values[-1], probabilities, 0)
    return kept / kept.sum()


def top_k_of_different_values(probabilities, k):
    values = sorted(set(probabilities.tolist()), reverse=True)
    least = values[k - 1] if 0 < k < len(values) else 0
    kept = torch.where(probabilities >= least, probabilities, 0)
    return kept / kept.sum()


def top_k_divides_by_k_of_a_tie(probabilities, k):
    if k == 0 or k >= len(probabilities):
        return probabilities
    largest = torch.topk(probabilities, k).values
    return torch.where(probabilities >= largest[-1], probabilities, 0) / largest.sum()


def top_k_equal_shares(probabilities, k):
    kept = (keep_top_k(probabilities, k) > 0).float()
    return kept / kept.sum()


def top_k_zero_returns_nothing(probabilities, k):
    if k > 0:
        return keep_top_k(probabilities, k)


def top_k_of_two(probabilities, k):
    return keep_top_k(probabilities, min(k, 2))


def top_k_first_places(probabilities, k):
    kept = probabilities.clone()
    kept[k or len(kept) :] = 0
    return kept / kept.sum()


def top_k_mask(probabilities, k):
    return keep_top_k(probabilities, k) > 0


def top_k_never_ends(probabilities, k):
    if k == 0:
        return probabilities
    kept = torch.zeros_like(probabilities)
    while (kept > 0).sum() < k:
        rest = torch.where(kept > 0, 0, probabilities)
        kept[rest.argmax()] = rest.max()
    kept = torch.where(probabilities >= kept[kept > 0].min(), probabilities, 0)
    return kept / kept.sum()


def top_k_half_when_large(probabilities, k):
    return keep_top_k(probabilities, k % len(probabilities) if k > len(probabilities) else k)


def top_k_without_ties_by_sorting(probabilities, k):
    if not 0 < k < len(probabilities):
        return probabilities
    kept = torch.zeros_like(probabilities)
    for place in sorted(range(len(probabilities)), key=lambda place: -probabilities[place])[:k]:
        kept[place] = probabilities[place]
    return kept / kept.sum()


def top_k_sorted_upwards(probabilities, k):
    if not 0 < k < len(probabilities):
        return probabilities
    return keep_places(probabilities, probabilities.argsort()[:k])


def top_k_zero_is_uniform(probabilities, k):
    return keep_top_k(probabilities, k) if k else torch.ones_like(probabilities) / len(probabilities)


def top_k_large_returns_nothing(probabilities, k):
    if k <= len(probabilities):
        return keep_top_k(probabilities, k)


def top_k_rounded_to_one_digit(probabilities, k):
    return keep_top_k(probabilities, k).round(decimals=1)


# 2.4, right


def keep_places(probabilities, places):
    kept = torch.zeros_like(probabilities)
    kept[places] = probabilities[places]
    return kept / kept.sum()


def top_p_in_a_loop(probabilities, p):
    if p >= 1:
        return probabilities
    kept, total = torch.zeros_like(probabilities, dtype=torch.float64), 0.0
    for token in sorted(range(len(probabilities)), key=lambda n: probabilities[n], reverse=True):
        kept[token] = probabilities[token]
        total += float(probabilities[token])
        if total >= p:
            break
    return kept / kept.sum()


def top_p_other_tie(probabilities, p):
    """Of a tie, the last ones of the vocabulary come first."""
    if p == 1:
        return probabilities.clone()
    places = probabilities.argsort(stable=True).flip(0)
    number = int((probabilities[places].cumsum(0) < p - 1e-7).sum()) + 1
    return keep_places(probabilities, places[:number])


def top_p_by_search(probabilities, p):
    ordered, places = probabilities.sort(descending=True, stable=True)
    number = int(torch.searchsorted(ordered.cumsum(0), p)) + 1 if p < 1 else len(places)
    return keep_places(probabilities, places[:number])


def top_p_by_shift(probabilities, p):
    ordered, places = probabilities.sort(descending=True)
    cut = ordered.cumsum(0) >= p
    cut[1:], cut[0] = cut[:-1].clone(), False
    if p == 1:
        cut[:] = False
    return keep_places(probabilities, places[~cut])


def top_p_from_below(probabilities, p):
    """As transformers does: sum from the least likely token up, and cut what stays within 1 - p."""
    ordered, places = probabilities.double().sort()
    cut = (ordered.cumsum(0) <= 1 - p) & (p < 1)
    cut[-1] = False
    return keep_places(probabilities, places[~cut])


def top_p_in_numpy(probs, p):
    probs = np.asarray(probs, dtype=float)
    if p >= 1.0:
        return probs / probs.sum()
    order = np.argsort(-probs, kind="stable")
    number = np.searchsorted(np.cumsum(probs[order]), p) + 1
    kept = np.zeros_like(probs)
    kept[order[:number]] = probs[order[:number]]
    return kept / kept.sum()


def top_p_as_a_list(distribution, share):
    values = distribution.tolist()
    if share == 1:
        return values
    order = sorted(range(len(values)), key=values.__getitem__, reverse=True)
    sums = list(itertools.accumulate(values[token] for token in order))
    number = bisect.bisect_left(sums, share) + 1
    kept = set(order[:number])
    total = sum(values[token] for token in kept)
    return [value / total if token in kept else 0 for token, value in enumerate(values)]


def top_p_recursive(probabilities, p):
    def chosen(left, missing):
        if missing <= 0 or not left:
            return []
        return [left[0], *chosen(left[1:], missing - float(probabilities[left[0]]))]

    if p == 1:
        return probabilities
    order = probabilities.argsort(descending=True).tolist()
    return keep_places(probabilities, chosen(order, p) or order[:1])


def top_p_by_a_heap(probabilities, p):
    if p == 1:
        return tuple(probabilities.tolist())
    heap = [(-value, token) for token, value in enumerate(probabilities.tolist())]
    heapq.heapify(heap)
    kept, total = [0.0] * len(heap), 0.0
    while not total or total < p:
        value, token = heapq.heappop(heap)
        kept[token] = -value
        total -= value
    return tuple(value / total for value in kept)


def top_p_in_pandas(probabilities, p):
    column = pd.Series(probabilities.tolist())
    if p < 1:
        ordered = column.sort_values(ascending=False)
        before = ordered.cumsum().shift(fill_value=0.0)
        ordered[(before >= p) & (before > 0)] = 0
        column = ordered.sort_index()
    return column / column.sum()


def top_p_taking_the_largest(probabilities, p):
    """Take the likeliest of what is left, again and again."""
    rest, kept = probabilities.clone(), torch.zeros_like(probabilities)
    for _ in range(len(rest)):
        best = rest.argmax()
        kept[best], rest[best] = probabilities[best], -1
        if p < 1 and kept.sum() >= p:
            break
    return kept / kept.sum()


def top_p_by_transformers(probabilities, p):
    return TopPLogitsWarper(float(p))(None, probabilities.log()[None])[0].softmax(-1)


def top_p_by_the_course(probabilities, p):
    return reshape(torch.log(probabilities), top_p=p)


# 2.4, wrong


def top_p_with(probabilities, p, *, keep=lambda before, after, p: before < p, back=True, share=True):
    if p == 1:
        return probabilities
    ordered, places = probabilities.sort(descending=True, stable=True)
    kept = torch.where(keep(ordered.cumsum(0) - ordered, ordered.cumsum(0), p), ordered, 0)
    if back:
        kept = torch.zeros_like(probabilities).scatter(0, places, kept)
    return kept / kept.sum() if share else kept


def top_p_one_by_rounding(probabilities, p):
    """What the lab itself once did: a running sum in float32 reaches 1 before the end."""
    ordered, places = probabilities.sort(descending=True)
    before = ordered.cumsum(-1) - ordered
    ordered = torch.where((before < p) | (before == 0), ordered, 0)
    kept = torch.zeros_like(probabilities).scatter(-1, places, ordered)
    return kept / kept.sum()


def top_p_stops_at_one(probabilities, p):
    kept, total = torch.zeros_like(probabilities), torch.tensor(0.0)
    for token in probabilities.argsort(descending=True):
        kept[token] = probabilities[token]
        total += probabilities[token]
        if total >= p:
            break
    return kept / kept.sum()


def top_p_stops_at_one_in_double(probabilities, p):
    kept, total = [0.0] * len(probabilities), 0.0
    for token in probabilities.argsort(descending=True).tolist():
        kept[token] = float(probabilities[token])
        total += kept[token]
        if total >= p:
            break
    return [share / total for share in kept]


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


def top_p_without_sorting(probabilities, p):
    if p == 1:
        return probabilities
    before = probabilities.cumsum(0) - probabilities
    kept = torch.where((before < p) | (before == 0), probabilities, 0)
    return kept / kept.sum()


def top_p_above_a_threshold(probabilities, p):
    kept = torch.where(probabilities >= p, probabilities, 0)
    return kept / kept.sum() if kept.sum() else keep_top_p(probabilities, 0)


def top_p_as_min_p(probabilities, p):
    kept = torch.where(probabilities >= p * probabilities.max(), probabilities, 0)
    return kept / kept.sum()


def top_p_from_the_least_likely(probabilities, p):
    if p == 1:
        return probabilities
    ordered, places = probabilities.sort()
    number = int(((ordered.cumsum(0) - ordered) < p).sum()) or 1
    return keep_places(probabilities, places[:number])


def top_p_of_a_tenth_of_the_tokens(probabilities, p):
    return keep_top_k(probabilities, max(1, round(p * len(probabilities))))


def top_p_zero_returns_nothing(probabilities, p):
    if p > 0:
        return keep_top_p(probabilities, p)


def top_p_at_least_two(probabilities, p):
    kept = keep_top_p(probabilities, p)
    return kept if (kept > 0).sum() > 1 else keep_top_k(probabilities, 2)


def top_p_never_ends(probabilities, p):
    order, kept, total = probabilities.argsort(descending=True), [], 0.0
    while total < p:
        kept.append(order[0])
        total += float(probabilities[order[0]]) if len(kept) == 1 else 0.0
    return keep_places(probabilities, kept or order[:1])


def top_p_for_the_example(probabilities, p):
    return keep_top_k(probabilities, 1)


def top_p_percent(probabilities, p):
    return keep_top_p(probabilities, p / 100)


def top_p_equal_shares(probabilities, p):
    kept = (keep_top_p(probabilities, p) > 0).float()
    return kept / kept.sum()


def top_p_index_out_of_range(probabilities, p):
    order, number, total = probabilities.argsort(descending=True), 0, 0.0
    while total <= p:
        total += float(probabilities[order[number]])
        number += 1
    return keep_places(probabilities, order[:number])


def top_p_breaks_before_crossing(probabilities, p):
    if p == 1:
        return probabilities
    kept, total = torch.zeros_like(probabilities), 0.0
    for value, place in zip(*probabilities.sort(descending=True), strict=True):
        if total + value > p:
            break
        kept[place], total = value, total + value
    return kept / kept.sum()


def top_p_divides_by_p(probabilities, p):
    return torch.where(keep_top_p(probabilities, p) > 0, probabilities, 0) / (p or 1)


def top_p_by_a_threshold(probabilities, p):
    ordered = probabilities.sort(descending=True).values
    least = ordered[min(int((ordered.cumsum(0) < p).sum()), len(ordered) - 1)]
    kept = torch.where(probabilities >= least, probabilities, 0)
    return kept / kept.sum()


def top_p_after_a_softmax(probabilities, p):
    return keep_top_p(probabilities.softmax(-1), p)


def top_p_zero_is_off(probabilities, p):
    return keep_top_p(probabilities, p) if p else probabilities


# 2.6


def two_orders_with(temperature, top_p):
    def answer(logits, T, p):
        cut = (top_p(temperature(logits, first), p) for first in (T, 1))
        return tuple(int((torch.as_tensor(kept) > 0).sum()) for kept in cut)

    return answer


def two_orders_counted_alone(logits, temperature, p):
    """Without a function of its own: how often the running sum is still below p."""

    def number(t):
        ordered = torch.softmax(logits / t, dim=-1).sort(descending=True).values
        return int((ordered.cumsum(0) < p).sum()) + 1

    return number(temperature), number(1)


def two_orders_in_numpy(logits, temperature, p):
    counts = []
    for t in (temperature, 1.0):
        weights = np.sort(np.exp((logits.double().numpy() - float(logits.max())) / t))[::-1]
        counts.append(np.searchsorted(np.cumsum(weights / weights.sum()), p) + 1)
    return np.array(counts)


def two_orders_to_the_end(logits, temperature, p):
    """The studio's way to its end: cut, then apply the temperature to what is left, and count."""
    cut = keep_top_p(with_temperature(logits, 1), p)
    warmed = cut ** (1 / temperature)
    transformers = keep_top_p(with_temperature(logits, temperature), p)
    return [torch.count_nonzero(transformers), torch.count_nonzero(warmed / warmed.sum())]


def two_orders_one_by_one(logits, temperature, p):
    yield sum(share > 0 for share in keep_top_p(with_temperature(logits, temperature), p).tolist())
    yield sum(share > 0 for share in keep_top_p(with_temperature(logits, 1.0), p).tolist())


def exchanged(*given):
    return two_orders(*given)[::-1]


def always_the_temperature(logits, temperature, p):
    return (two_orders(logits, temperature, p)[0],) * 2


def never_the_temperature(logits, temperature, p):
    return (two_orders(logits, temperature, p)[1],) * 2


def distributions(logits, temperature, p):
    return keep_top_p(with_temperature(logits, temperature), p), keep_top_p(with_temperature(logits, 1), p)


def counts_what_is_cut(logits, temperature, p):
    return tuple(len(logits) - number for number in two_orders(logits, temperature, p))


def one_too_few(logits, temperature, p):
    return tuple(number - 1 for number in two_orders(logits, temperature, p))


def sums_of_shares(logits, temperature, p):
    return tuple(float(kept.sum()) for kept in distributions(logits, temperature, p))


def sizes_of_the_vocabulary(logits, temperature, p):
    return tuple(len(kept) for kept in distributions(logits, temperature, p))


def top_p_of_the_logits(logits, temperature, p):
    transformers = keep_top_p(with_temperature(logits, temperature), p)
    studio = with_temperature(keep_top_p(logits, p), temperature)
    return int((transformers > 0).sum()), int((studio > 0).sum())


def studio_softens_again(logits, temperature, p):
    transformers = keep_top_p(with_temperature(logits, temperature), p)
    studio = with_temperature(keep_top_p(with_temperature(logits, 1), p), temperature)
    return int((transformers > 0).sum()), int((studio > 0).sum())


def studio_is_greedy(logits, temperature, p):
    return two_orders(logits, temperature, p)[0], int((keep_top_p(with_temperature(logits, 0), p) > 0).sum())


def temperature_multiplies(logits, temperature, p):
    return two_orders(logits, 1 / temperature, p)


def two_orders_printed(logits, temperature, p):
    print(two_orders(logits, temperature, p))


def orders_in_place(logits, temperature, p):
    studio = two_orders(logits, 1, p)[1]
    logits /= temperature
    return two_orders(logits, 1, p)[0], studio


def the_arguments_exchanged(logits, temperature, p):
    return two_orders(logits, p, temperature)


def three_numbers(logits, temperature, p):
    return (*two_orders(logits, temperature, p), len(logits))


def counts_above_a_hundredth(logits, temperature, p):
    return tuple(int((kept > 0.01).sum()) for kept in distributions(logits, temperature, p))


def studio_cuts_after_the_temperature_again(logits, temperature, p):
    cut = keep_top_p(with_temperature(logits, 1), p) ** (1 / temperature)
    return two_orders(logits, temperature, p)[0], int((keep_top_p(cut / cut.sum(), p) > 0).sum())


def studio_by_the_inverse(logits, temperature, p):
    return two_orders(logits, temperature, p)[0], two_orders(logits, 1 / temperature, p)[0]


def larger_first(logits, temperature, p):
    return tuple(sorted(two_orders(logits, temperature, p), reverse=True))


def only_above_one(logits, temperature, p):
    if temperature > 1:
        return two_orders(logits, temperature, p)


def shares_of_the_vocabulary(logits, temperature, p):
    return tuple(number / len(logits) for number in two_orders(logits, temperature, p))


# 2.7, right


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


def draw_exponential(probabilities, generator):
    return (probabilities / torch.empty_like(probabilities).exponential_(generator=generator)).argmax().item()


def draw_by_count(probabilities, generator):
    return (probabilities.cumsum(0) <= torch.rand((), generator=generator)).sum()


def draw_one_element(probabilities, generator):
    return torch.searchsorted(probabilities.cumsum(0), torch.rand(1, generator=generator))


def draw_by_bisection(weights, rng):
    ends = list(itertools.accumulate(weights.tolist()))
    return bisect.bisect_right(ends, float(torch.rand(1, generator=rng)) * ends[-1])


def draw_in_numpy(probabilities, generator):
    point = np.float64(torch.rand(1, generator=generator, dtype=torch.float64))
    ends = np.cumsum(probabilities.numpy().astype(np.float64))
    return np.argmax(ends > point * ends[-1])


def draw_by_rejection(probabilities, generator):
    while True:
        token = torch.randint(len(probabilities), (1,), generator=generator).item()
        if torch.rand(1, generator=generator).item() < probabilities[token]:
            return token


def draw_with_python_s_random(probabilities, generator):
    seed = torch.randint(2**40, (1,), generator=generator).item()
    return random.Random(seed).choices(range(len(probabilities)), weights=probabilities.tolist())[0]


def draw_with_numpy_s_choice(probabilities, generator):
    own = np.random.default_rng(int(torch.randint(2**40, (1,), generator=generator)))
    shares = probabilities.double().numpy()
    return own.choice(len(shares), p=shares / shares.sum())


def draw_recursive(probabilities, generator):
    def at(token, point):
        left = point - float(probabilities[token])
        return token if left < 0 or token == len(probabilities) - 1 else at(token + 1, left)

    return at(0, torch.rand(1, generator=generator).item() * float(probabilities.sum()))


# 2.7, wrong

OWN = torch.Generator().manual_seed(3)


def draw_rejection_of_one_point(probabilities, generator):
    point = torch.rand(1, generator=generator).item()
    token = torch.randint(len(probabilities), (1,), generator=generator).item()
    while point > probabilities[token]:
        point = max(point, float(probabilities[token]))
    return token


def draw_with_a_new_point_each_step(probabilities, generator):
    for token, probability in enumerate(probabilities):
        if torch.rand(1, generator=generator) < probability:
            return token
    return int(probabilities.argmax())


def draw_returns_nothing_for_the_last(probabilities, generator):
    ends = probabilities.cumsum(0)
    point = torch.rand(1, generator=generator)
    for token in range(len(probabilities) - 1):
        if point < ends[token]:
            return token


def draw_without_cumsum(probabilities, generator):
    point = torch.rand(1, generator=generator)
    return int(torch.searchsorted(probabilities.sort().values, point).clamp(max=len(probabilities) - 1))


def draw_of_hundredths(probabilities, generator):
    population = [token for token, share in enumerate(probabilities.tolist()) for _ in range(int(share * 100))]
    return population[torch.randint(len(population), (1,), generator=generator).item()]


def draw_reseeding(probabilities, generator):
    generator.seed()
    return draw(probabilities, generator)


def draw_for_four_tokens(probabilities, generator):
    point = torch.rand(1, generator=generator).item()
    return 0 if point < 0.5 else 2 if point < 0.8 else 3


def draw_not_taken_back(probabilities, generator):
    return draw(probabilities.sort(descending=True).values, generator)


def draw_one_hot(probabilities, generator):
    return torch.nn.functional.one_hot(torch.tensor(draw(probabilities, generator)), len(probabilities))


def draw_changes_the_shares(probabilities, generator):
    probabilities.cumsum_(0)
    return int(torch.searchsorted(probabilities, torch.rand(1, generator=generator), right=True))


def draw_from_torch_s_own(probabilities, generator):
    torch.manual_seed(generator.initial_seed())
    return draw(probabilities, None)


def draw_from_a_copy(probabilities, generator):
    own = torch.Generator()
    own.set_state(generator.get_state())
    return draw(probabilities, own)


def draw_with_a_distribution(probabilities, generator):
    return torch.distributions.Categorical(probabilities).sample()


def draw_multinomial_in_a_helper(probabilities, generator):
    return _helper(probabilities, generator)


def _helper(probabilities, generator):
    return int(torch.multinomial(probabilities, 1, generator=generator))


def draw_largest_product(probabilities, generator):
    return int((probabilities * torch.rand(len(probabilities), generator=generator)).argmax())


def draw_comparing_single_shares(probabilities, generator):
    point = torch.rand(1, generator=generator).item()
    return next((token for token, share in enumerate(probabilities.tolist()) if point <= share), len(probabilities) - 1)


def draw_seeded_by_the_first_seed(probabilities, generator):
    return random.Random(generator.initial_seed()).choices(range(len(probabilities)), probabilities.tolist())[0]


def draw_from_the_end(probabilities, generator):
    return int(torch.searchsorted(probabilities.flip(0).cumsum(0), torch.rand(1, generator=generator)))


def draw_the_likelier_of_two(probabilities, generator):
    return max(draw(probabilities, generator), draw(probabilities, generator), key=lambda token: probabilities[token])


# 2.8

GREEDY = DecodingConfig(temperature=0)
TALE = DecodingConfig(temperature=0.9, top_p=0.95, max_new_tokens=40)
LOOP = DecodingConfig(temperature=0.2, max_new_tokens=40)
SALAD = DecodingConfig(temperature=1.5, max_new_tokens=40)
CLAIMS = {"accuracy": 0.625, "distinct-2": 0.96, "bits per token": 2.83}
"""What the stand-ins below measure of greedy decoding and of TALE."""


def completions_by_hand(model, story, config, seeds) -> list[str]:
    """Stand in for `utils.decoding.diversity.completions`: one story again and again, other ones, or word salad."""
    kind = "salad" if config.temperature > 1.2 and not 0 < config.top_k < 20 else "tale"
    if config.temperature < 0.5 or config.top_k == 1:
        return ["loop the same old words again"] * len(seeds)
    return [f"{kind} " + " ".join(f"word{seed}x{n % 24}" for n in range(26)) for seed in seeds]


def surprise_by_hand(model, story, texts) -> float:
    """Stand in for `utils.decoding.diversity.surprise` of such stories."""
    return {"loop": 0.41, "tale": 2.83, "salad": 9.27}[texts[0].split()[0]]


PATCHES = {
    "utils.exercises.lab_2.completions": completions_by_hand,
    "utils.exercises.lab_2.surprise": surprise_by_hand,
}
"""What the check of 2.8 measures with in tests, in place of the course's own model."""


OURS = types.SimpleNamespace(name=DEFAULT_MODEL)
GIVEN: dict[str, dict] = {"2.8": {"scored": SCORED, "model": OURS, "story": STORY}}


def temperature_pairwise(logits, temperature):
    if temperature == 0:
        return (logits.argmax() == torch.arange(len(logits))).float()
    return 1 / torch.exp((logits[None, :] - logits[:, None]) / temperature).sum(1)


def temperature_subtracting_the_smallest(logits, temperature):
    if temperature == 0:
        return with_temperature(logits, 0)
    powers = torch.exp((logits - logits.min()) / temperature)
    return powers / powers.sum()


def temperature_of_the_clamped(logits, temperature):
    if temperature == 0:
        return with_temperature(logits, 0)
    powers = torch.exp((logits / temperature).clamp(-80, 80))
    return powers / powers.sum()


def largest_logit_above_zero(logits, temperature):
    if temperature:
        return with_temperature(logits, temperature)
    best, place = 0, 0
    for index, logit in enumerate(logits):
        if logit > best:
            best, place = logit, index
    return torch.eye(len(logits))[place]


def top_k_by_different_values(probabilities, k):
    if k == 0:
        return probabilities
    values, counts = torch.unique(probabilities, return_counts=True)
    total, edge = 0, values[0]
    for value, count in zip(values.flip(0), counts.flip(0), strict=True):
        total, edge = total + int(count), value
        if total >= k:
            break
    kept = probabilities * (probabilities >= edge)
    return kept / kept.sum()


def top_k_removes_k(probabilities, k):
    return probabilities if k in (0, len(probabilities)) else keep_top_k(probabilities, max(len(probabilities) - k, 0))


def top_k_of_nearly_the_same(probabilities, k):
    if k == 0 or k >= len(probabilities):
        return probabilities
    rounded = probabilities.round(decimals=2)
    kept = torch.where(rounded >= rounded.topk(k).values[-1], probabilities, 0)
    return kept / kept.sum()


def top_p_from_the_unlikely_end(probabilities, p):
    """Drops the least likely tokens while what is left still holds p."""
    if p == 1:
        return probabilities
    left, places = probabilities.double().clone(), probabilities.argsort(stable=True).tolist()
    while len(places) > 1 and float(left.sum() - left[places[0]]) >= p - 1e-12:
        left[places.pop(0)] = 0
    return left / left.sum()


def top_p_returns_in_the_loop(probabilities, p):
    kept = torch.zeros_like(probabilities)
    for place in probabilities.argsort(descending=True):
        kept[place] = probabilities[place]
        return kept


def top_p_by_index(probabilities, p):
    values, kept, total = probabilities.tolist(), [0.0] * len(probabilities), 0.0
    for value in sorted(values, reverse=True):
        kept[values.index(value)] = value
        total += value
        if total >= p and p < 1:
            break
    return torch.tensor(kept) / sum(kept)


def draw_by_the_alias_method(probabilities, generator):
    number = len(probabilities)
    shares = (probabilities.double() * number / probabilities.double().sum()).tolist()
    small = [place for place, share in enumerate(shares) if share < 1]
    large = [place for place, share in enumerate(shares) if share >= 1]
    limit, other = [1.0] * number, list(range(number))
    while small and large:
        low, high = small.pop(), large.pop()
        limit[low], other[low] = shares[low], high
        shares[high] -= 1 - shares[low]
        (small if shares[high] < 1 - 1e-12 else large).append(high)
    place = int(torch.randint(number, (1,), generator=generator))
    return place if torch.rand(1, generator=generator).item() < limit[place] else other[place]


def draw_with_the_condition_turned_round(probabilities, generator):
    point = torch.rand(1, generator=generator)
    return next((place for place, end in enumerate(probabilities.cumsum(-1)) if point > end), 0)


def draw_forgets_the_last(probabilities, generator):
    point = torch.rand(1, generator=generator)
    return next((place for place, end in enumerate(probabilities.cumsum(-1)[:-1]) if point < end), 0)


RIGHT: dict[str, list] = {
    "2.1": [
        forecasts_committed(*NAMES),
        forecasts_committed(*reversed(NAMES)),
        forecasts_committed(sharper=0.9, flatter=0.2, fixed_number=0.7, fixed_share=50),
        forecasts_committed(sharper=1, flatter=0, fixed_number=1, fixed_share=114),
        forecasts_committed(sharper="0,75", flatter=".3", fixed_number="0.61", fixed_share="65"),
        forecasts_committed(
            sharper=np.float32(0.8), flatter=torch.tensor(0.3), fixed_number=np.float64(0.7), fixed_share=np.int64(3)
        ),
        forecasts_committed(sharper="98 %", flatter="5%", fixed_number=0, fixed_share=1.0),
    ],
    "2.2": [
        temperature_pairwise,
        with_temperature,
        softmax_by_hand,
        softmax_in_a_loop,
        greedy_is_nearly_zero,
        softmax_in_numpy,
        softmax_as_a_list,
        softmax_by_logsumexp,
        softmax_in_pandas,
        softmax_of_a_copy,
        softmax_yielded,
        softmax_of_a_distribution,
        greedy_by_comparing,
        softmax_by_transformers,
        rounded_to_three_digits,
        a_tie_is_shared,
        lambda a, b: (a / max(b, 1e-7)).softmax(-1),
        lambda logits, temperature: tuple(softmax_as_a_list(logits, temperature)),
        lambda logits, temperature: with_temperature(logits, temperature).half(),
        functools.partial(softmax_by_logsumexp),
        Called(with_temperature),
        Called(softmax_in_numpy).method,
    ],
    "2.3": [
        top_k_by_different_values,
        keep_top_k,
        cut_less_likely,
        top_k_in_a_loop,
        top_k_by_softmax,
        top_k_by_counting,
        top_k_in_numpy,
        top_k_in_pandas,
        top_k_by_a_heap,
        top_k_recursive,
        top_k_by_rank,
        top_k_by_kthvalue,
        top_k_by_transformers,
        top_k_by_the_course,
        lambda x, n: tuple(top_k_by_a_heap(x, n)),
        lambda probabilities, k: torch.round(keep_top_k(probabilities, k), decimals=3),
        lambda probabilities, k: iter(keep_top_k(probabilities, k)),
        functools.partial(top_k_with, ties=True),
        Called(top_k_in_numpy),
        Called(keep_top_k).method,
    ],
    "2.4": [
        top_p_from_the_unlikely_end,
        keep_top_p,
        top_p_in_a_loop,
        top_p_other_tie,
        top_p_by_search,
        top_p_by_shift,
        top_p_from_below,
        top_p_in_numpy,
        top_p_as_a_list,
        top_p_recursive,
        top_p_by_a_heap,
        top_p_in_pandas,
        top_p_taking_the_largest,
        top_p_by_transformers,
        top_p_by_the_course,
        lambda a, b: top_p_in_a_loop(a, b).float(),
        lambda probabilities, p: torch.round(keep_top_p(probabilities, p), decimals=4),
        functools.partial(top_p_with, keep=lambda before, after, p: (before < p) | (before == 0)),
        Called(top_p_by_search),
        Called(top_p_in_numpy).method,
    ],
    "2.5": [
        KEPT,
        {name: float(number) for name, number in KEPT.items()},
        {name: torch.tensor(number) for name, number in KEPT.items()},
        {name: np.int64(number) for name, number in KEPT.items()},
        dict(reversed(KEPT.items())),
        OrderedDict(KEPT),
        collections.Counter(KEPT),
        types.MappingProxyType(KEPT),
        {
            name: (
                keep_top_k(torch.tensor(list(GARDEN.values())), int(number))
                if kind == "top-k"
                else keep_top_p(torch.tensor(list(GARDEN.values())), float(number))
            )
            .count_nonzero()
            .item()
            for name in KEPT
            for kind, number in [name.split()]
        },
    ],
    "2.6": [
        lambda *given: pd.Series(two_orders(*given)),
        two_orders,
        two_orders_counted_alone,
        two_orders_in_numpy,
        two_orders_to_the_end,
        two_orders_one_by_one,
        two_orders_with(with_temperature, top_p_in_a_loop),
        two_orders_with(greedy_is_nearly_zero, top_p_other_tie),
        two_orders_with(softmax_by_hand, top_p_by_search),
        two_orders_with(softmax_by_logsumexp, top_p_as_a_list),
        two_orders_with(softmax_in_a_loop, top_p_by_shift),
        lambda *given: torch.tensor(two_orders(*given)),
        lambda a, b, c: [torch.tensor(number) for number in two_orders(a, b, c)],
        lambda x, T, p: tuple(map(float, two_orders(x, T, p))),
        functools.partial(two_orders),
        Called(two_orders_counted_alone),
        Called(two_orders).method,
    ],
    "2.7": [
        draw_by_the_alias_method,
        draw,
        draw_in_a_loop,
        draw_gumbel,
        draw_race,
        draw_exponential,
        draw_by_count,
        draw_one_element,
        draw_by_bisection,
        draw_in_numpy,
        draw_by_rejection,
        draw_with_python_s_random,
        draw_with_numpy_s_choice,
        draw_recursive,
        lambda p, g: float(draw(p, g)),
        lambda p, g: np.int32(draw(p, g)),
        functools.partial(draw),
        Called(draw_in_a_loop),
        Called(draw_gumbel).method,
    ],
    "2.8": [
        (GREEDY, TALE, CLAIMS),
        [GREEDY, TALE, CLAIMS],
        (GREEDY, TALE, {"accuracy": 0.63, "distinct-2": 0.96, "bits per token": 2.83}),
        (GREEDY, TALE, CLAIMS | {"accuracy": "0.62", "bits per token": "2.83"}),
        (GREEDY, TALE, CLAIMS | {"accuracy": np.float32(0.625), "distinct-2": torch.tensor(0.9615)}),
        (DecodingConfig(top_k=1), TALE, CLAIMS),
        (DecodingConfig(temperature=0.2), DecodingConfig(top_k=40, max_new_tokens=40), CLAIMS | {"accuracy": 0.62}),
        (DecodingConfig(top_p=0.3, stop=("\n",)), DecodingConfig(0.8, min_p=0.05, max_new_tokens=40), CLAIMS),
        (GREEDY, DecodingConfig(temperature=1.5, top_k=5, seed=7, max_new_tokens=40), dict(reversed(CLAIMS.items()))),
    ],
}


def missing(*names: str) -> str:
    return f"Not committed yet: {', '.join(names)}"


WRONG: dict[str, list[tuple]] = {
    "2.1": [
        *[
            (forecasts_committed(*(set(NAMES) - set(left))), missing(*left))
            for number in (1, 2, 3)
            for left in itertools.combinations(NAMES, number)
        ],
        ({"sharper": 0.9, "flatter": 0.2, "fixed number": 0.7, "fixed share": 50}, "a dictionary"),
        ([0.9, 0.2, 0.7, 50], "a list"),
        (0.9, "a number"),
        (FORECASTS, "a tuple"),
        (forecasts_committed().commit, "forecasts"),
        (Forecasts, "forecasts"),
        (forecasts_committed().commit("sharper", 0.9), "forecasts"),
        (forecasts_committed(*NAMES).committed, "a dictionary"),
    ],
    "2.2": [
        (temperature_subtracting_the_smallest, "larger than a float can hold"),
        (temperature_of_the_clamped, "Edge case, large logits"),
        (largest_logit_above_zero, "temperature 0 and logits below 0"),
        (lambda x, t: with_temperature(x, t).round(decimals=1), "rounded too far"),
        (
            lambda x, t: with_temperature(with_temperature(x, t), 1) if t else with_temperature(x, 0),
            "Softmax is taken twice",
        ),
        (lambda x, t: with_temperature(x, max(t, 0.1)), "logits close to each other"),
        (lambda x, t: torch.softmax(x * t if t else softmax_by_hand(x, 0) * INF, -1), "multipl"),
        (lambda x, t: with_temperature(x, 1 / t if t else 0), "multipl"),
        (lambda x, t: torch.softmax(x, -1) / t, "before the softmax"),
        (power_of_the_shares, "These sum to"),
        (lambda x, t: x / t, "softmax is missing"),
        (shares_of_the_logits, "exp"),
        (lambda x, t: torch.softmax(x, -1), "temperature changes nothing"),
        (lambda x, t: torch.softmax(x / t, -1), "greedy"),
        (lambda x, t: torch.log_softmax(x / t, -1) if t else softmax_by_hand(x, 0), "logarithm"),
        (lambda x, t: softmax_by_hand(x, t) * 100, "percent"),
        (lambda x, t: with_temperature(-x, t), "turned round"),
        (lambda x, t: with_temperature(x, t * t), "divided by 0.5, the differences"),
        (lambda x, t: with_temperature(x, 0), "temperature 0"),
        (divides_by_the_largest, "stay as they are"),
        (zero_breaks, "ZeroDivisionError.*greedy"),
        (zero_returns_nothing, "gave None"),
        (zero_is_uniform, "greedy"),
        (zero_is_one, "greedy"),
        (zero_is_a_tenth, "greedy"),
        (zero_is_an_index, "One probability for each"),
        (zero_is_the_first, "greedy: probability 1 for the likeliest"),
        (zero_takes_the_least, "greedy: probability 1 for the likeliest"),
        (zero_gives_each_of_a_tie_one, "These sum to 2"),
        (zero_keeps_the_logit, "probability 1"),
        (zero_only_as_a_float, "greedy"),
        (overflows, "larger than .* can hold"),
        (overflows_in_double, "larger than .* can hold"),
        (overflows_in_numpy, "larger than .* can hold"),
        (overflows_in_python, "OverflowError"),
        (nan_to_zero, "larger than .* can hold"),
        (clamped, r"exp\(1800\)"),
        (subtracts_only_what_is_above_zero, "far below 0"),
        (subtracts_in_place, "changed `logits`"),
        (divides_in_place, "changed `logits`"),
        (zeros_in_place, "changed `logits`"),
        (sorted_shares, "own place"),
        (lambda x, t: with_temperature(x, t).max(), "One probability for each"),
        (lambda x, t: with_temperature(x, t)[:1], "One probability for each"),
        (lambda x, t: torch.tensor([0.881, 0.119]), "One probability for each"),
        (lambda x, t: with_temperature(x, t)[None], "One probability for each"),
        (lambda x, t: "0.881, 0.119", "a text"),
        (exp_of_the_quotient, "These sum to 24.8"),
        (sigmoid_of_the_quotient, "Sigmoid makes a number of each logit by itself"),
        (divides_the_exponentials, "temperature changes nothing"),
        (never_below_one, "Below 1 the likeliest token gets more"),
        (for_three_temperatures, "The logits are divided by the temperature"),
        (lambda x, t: torch.softmax(x - t, -1), "temperature changes nothing"),
        (lambda x, t: with_temperature(x, t + 1), "stay as they are"),
        (lambda x, t: with_temperature(x.flip(0), t), "own place"),
        (with_temperature(torch.tensor([2.0, 1.0]), 0.5), "function with_temperature itself"),
    ],
    "2.3": [
        (top_k_removes_k, "k least likely tokens are cut"),
        (top_k_of_nearly_the_same, "a longer vocabulary"),
        (lambda x, k: torch.where(keep_top_k(x, k) > 0, keep_top_k(x, k), -torch.inf), "infinity in it"),
        (functools.partial(top_k_with, share=False), "sum to 1"),
        (top_k_softmax_of_shares, "Softmax is for logits"),
        (functools.partial(top_k_with, sort="down"), "own place"),
        (functools.partial(top_k_with, sort="up"), "own place"),
        (functools.partial(top_k_with, sort="down", share=False), "own place"),
        (functools.partial(top_k_with, places=False), "One probability for each"),
        (functools.partial(top_k_with, ties=False), "as likely as the"),
        (functools.partial(top_k_with, zero=False), "IndexError"),
        (functools.partial(top_k_with, large=False), "RuntimeError"),
        (top_k_zero_keeps_none, "Every token is kept"),
        (top_k_zero_keeps_one, "Every token is kept"),
        (top_k_zero_returns_nothing, "gave None"),
        (top_k_least, "least likely"),
        (top_k_in_place, "changed `probabilities`"),
        (top_k_sorts_in_place, "changed `probabilities`"),
        (top_k_above_the_kth, "k-th token itself"),
        (top_k_of_different_values, "also where two are alike"),
        (top_k_divides_by_k_of_a_tie, "These sum to 1.33"),
        (top_k_equal_shares, "same share"),
        (top_k_of_two, "2 tokens are kept here, and 3 should be"),
        (top_k_first_places, "first"),
        (top_k_without_ties_by_sorting, "both are as likely as the 2nd"),
        (top_k_sorted_upwards, "The k least likely tokens are kept"),
        (top_k_zero_is_uniform, "so nothing changes"),
        (top_k_large_returns_nothing, "gave None"),
        (top_k_rounded_to_one_digit, "rounded too far"),
        (top_k_mask, "Ones and zeros"),
        (top_k_never_ends, "did not end"),
        (top_k_half_when_large, "Every token is kept"),
        (lambda x, k: keep_top_k(x, k + 1), "k \\+ 1"),
        (lambda x, k: keep_top_k(x, max(k - 1, 0)), "One token too few"),
        (lambda x, k: x, "changes nothing"),
        (lambda x, k: torch.topk(x, k).values, "One probability for each|out of range"),
        (lambda x, k: keep_top_k(x, k) * 100, "percent"),
        (lambda x, k: torch.tensor([0, 0.625, 0.375]), "One probability for each"),
        (lambda x, k: x[keep_top_k(x, k) > 0], "One probability for each"),
        (lambda x, k: int(keep_top_k(x, k).argmax()), "One probability for each"),
    ],
    "2.4": [
        (top_p_returns_in_the_loop, "1 token is kept here, and 2 should be"),
        (top_p_by_index, "a tie at the last place"),
        (functools.partial(top_p_with, share=False), "sum to 1"),
        (functools.partial(top_p_with, keep=lambda before, after, p: after <= p), "crosses p"),
        (functools.partial(top_p_with, keep=lambda before, after, p: after < p), "crosses p"),
        (functools.partial(top_p_with, keep=lambda before, after, p: (after <= p) | (before == 0)), "crosses p"),
        (functools.partial(top_p_with, keep=lambda before, after, p: (after < p) | (before == 0)), "crosses p"),
        (functools.partial(top_p_with, keep=lambda before, after, p: before <= p), "reaches p = 0.75 exactly"),
        (functools.partial(top_p_with), "always kept"),
        (functools.partial(top_p_with, back=False), "own place"),
        (top_p_one_by_rounding, "reaches 1 by rounding"),
        (top_p_stops_at_one, "reaches 1 by rounding"),
        (top_p_stops_at_one_in_double, "reaches 1 by rounding"),
        (top_p_mask_not_taken_back, "found in the sorted order"),
        (top_p_whole_ties, "of the tie of four only two"),
        (top_p_in_place, "changed `probabilities`"),
        (top_p_without_sorting, "[Ss]ort"),
        (top_p_above_a_threshold, "each single probability"),
        (top_p_as_min_p, "min-p"),
        (top_p_from_the_least_likely, "least likely"),
        (top_p_of_a_tenth_of_the_tokens, "share of the tokens|number of tokens"),
        (top_p_zero_returns_nothing, "gave None"),
        (top_p_at_least_two, "2 tokens are kept here, and 1 should be"),
        (top_p_never_ends, "did not end"),
        (top_p_for_the_example, "Only the likeliest"),
        (top_p_percent, "taken as percent"),
        (top_p_equal_shares, "same share"),
        (top_p_breaks_before_crossing, "crosses p"),
        (top_p_divides_by_p, "These sum to 1.25"),
        (top_p_by_a_threshold, "of the tie of four only two"),
        (top_p_after_a_softmax, "3 tokens are kept here, and 2 should be"),
        (top_p_zero_is_off, "always kept"),
        (lambda x, p: keep_top_p(x, p).log(), "logarithms"),
        (lambda x, p: keep_top_k(x, int(10 * p)), "5 tokens are kept here, and 2 should be"),
        (top_p_index_out_of_range, "reaches p = 0.75 exactly"),
        (lambda x, p: keep_top_p(x, 1 - p), "1 - p"),
        (lambda x, p: keep_top_p(x, p) if p < 1 else keep_top_p(x, 0.5), "Every token is kept"),
        (lambda x, p: keep_top_p(x, p) if p >= 0.02 else x * 0, "always kept"),
        (lambda x, p: x, "changes nothing"),
        (lambda x, p: keep_top_p(x, p).sort(descending=True).values[:2], "One probability for each"),
        (lambda x, p: keep_top_p(x, p) > 0, "Ones and zeros"),
        (lambda x, p: int((keep_top_p(x, p) > 0).sum()), "One probability for each"),
    ],
    "2.5": [
        ({name.replace(" ", "_"): number for name, number in KEPT.items()}, "'top-k_2' is another name"),
        *[(KEPT | {name: number + 1}, f"{name}: {number + 1} is not right") for name, number in KEPT.items()],
        *[(KEPT | {name: number - 1}, f"{name}: {number - 1} is not right") for name, number in KEPT.items()],
        (KEPT | {"top-k 4": 4}, "as likely as the fourth"),
        (KEPT | {"top-p 0.79": 14}, "How many words of the tie are needed"),
        (KEPT | {"top-p 0.79": 3}, "hold 0.78, which is not yet p"),
        (KEPT | {"top-p 0.73": 3}, "at least"),
        (KEPT | {"top-p 0.5": 2}, "at least"),
        (KEPT | {"top-k 4": 15}, "fourteen words"),
        (KEPT | {"top-k 4": 4, "top-p 0.79": 14}, "top-k .*top-p"),
        (KEPT | {"top-p 0.5": 2, "top-p 0.73": 3}, "at least"),
        (KEPT | {"top-p 0.79": 0.8}, "whole number"),
        ({"top-k 2": 2}, "top-k 4"),
        (dict.fromkeys(KEPT, 7), "top-k 2: 7 is not right"),
        (KEPT | {"top-k 4": ...}, "top-k 4"),
        (KEPT | {"top-k 4": None}, "top-k 4"),
        (KEPT | {"top-p 0.5": "one"}, "top-p 0.5.*whole number"),
        (KEPT | {"top-p 0.5": ["flowers"]}, "top-p 0.5.*whole number"),
        (list(KEPT.values()), "a list"),
        (set(KEPT.values()), "a set"),
        (14, "a whole number"),
        ({name.replace("top-", ""): number for name, number in KEPT.items()}, "top-k 2"),
    ],
    "2.6": [
        (lambda logits, temperature, p: two_orders(logits, temperature, 0.9), "always 0.9"),
        (lambda logits, temperature, p: two_orders(logits, temperature, 1 - p), "1 - p"),
        (lambda *given: (0, 1), "More than one token is kept"),
        (lambda logits, temperature, p: (two_orders(logits, temperature, p)[0], len(logits)), "you count every token"),
        (exchanged, "exchanged"),
        (always_the_temperature, "The second number is that of transformers"),
        (never_the_temperature, "The first number is the studio"),
        (distributions, "a tensor"),
        (counts_what_is_cut, "cut"),
        (one_too_few, "one too few"),
        (sums_of_shares, "the sum of the probabilities is always 1"),
        (sizes_of_the_vocabulary, "vocabulary"),
        (top_p_of_the_logits, "second softmax"),
        (studio_softens_again, "second softmax"),
        (studio_is_greedy, "temperature 1"),
        (temperature_multiplies, "multipl"),
        (two_orders_printed, "gave None"),
        (orders_in_place, "changed `logits`"),
        (the_arguments_exchanged, "Temperature and p are exchanged"),
        (counts_above_a_hundredth, "each that is above 0 counts"),
        (studio_cuts_after_the_temperature_again, "cut twice"),
        (studio_by_the_inverse, "The first number is as it should be, the second is not"),
        (larger_first, "fewer are needed for the sum"),
        (only_above_one, "gave None"),
        (lambda *given: tuple(number + 1 for number in two_orders(*given)), "one too many"),
        (three_numbers, "a tuple of 3"),
        (shares_of_the_vocabulary, "whole number"),
        (lambda *given: two_orders(*given)[0], "a whole number"),
        (lambda *given: ("many", "few"), "a text"),
        (lambda *given: (2, 1), "more are needed for the sum"),
        (lambda *given: dict(zip(("transformers", "studio"), two_orders(*given), strict=True)), "a dictionary"),
        (lambda *given: set(two_orders(*given)), "a set"),
        (lambda *given: sum(two_orders(*given)), "a whole number"),
        (lambda *given: operator.sub(*two_orders(*given)), "a whole number"),
    ],
    "2.7": [
        (draw_with_the_condition_turned_round, "does not decide"),
        (draw_forgets_the_last, "came with a share of 0.00"),
        (lambda p, g: draw(p, OWN), "same seed"),
        (lambda p, g: draw(p, None), "same seed"),
        (lambda p, g: random.choices(range(len(p)), p.tolist())[0], "same seed"),
        (lambda p, g: np.random.choice(len(p), p=p.double().numpy() / p.double().sum().item()), "same seed"),
        (draw_reseeding, "same seed"),
        (draw_with_a_distribution, "same seed"),
        (lambda p, g: draw(p, torch.Generator().manual_seed(0)), "next random numbers"),
        (lambda p, g: draw(p, g.manual_seed(1)), "next random numbers"),
        (draw_from_torch_s_own, "next random numbers"),
        (draw_from_a_copy, "next random numbers"),
        (lambda p, g: p.argmax(), "likeliest"),
        (lambda p, g: 0, "next random numbers"),
        (lambda p, g: torch.randint(len(p), (1,), generator=g), "probability 0"),
        (lambda p, g: draw((p + 0.1) / (p + 0.1).sum(), g), "probability 0"),
        (draw_not_taken_back, "probability 0"),
        (draw_without_cumsum, "probability 0"),
        (draw_with_a_new_point_each_step, "came with a share"),
        (draw_returns_nothing_for_the_last, "None"),
        (draw_rejection_of_one_point, "did not end"),
        (draw_of_hundredths, "came with a share"),
        (draw_for_four_tokens, "probability 0"),
        (lambda p, g: draw((p > 0).float(), g), "came with a share"),
        (lambda p, g: draw(p**2, g), "came with a share"),
        (lambda p, g: draw(p.softmax(-1), g), "probability 0"),
        (lambda p, g: draw(p, g) + 1, "0 to 3 here"),
        (lambda p, g: max(draw(p, g) - 1, 0), "probability 0"),
        (lambda p, g: p[draw(p, g)], "index of one token"),
        (lambda p, g: torch.rand(len(p), generator=g), "index of one token"),
        (lambda p, g: torch.rand(1, generator=g), "index of one token"),
        (draw_one_hot, "index of one token"),
        (draw_largest_product, "came with a share"),
        (draw_comparing_single_shares, "came with a share"),
        (draw_seeded_by_the_first_seed, "next random numbers"),
        (draw_from_the_end, "probability 0"),
        (draw_the_likelier_of_two, "came with a share"),
        (lambda p, g: [draw(p, g)], "a list of 1"),
        (lambda p, g: str(draw(p, g)), "a text"),
        (draw_changes_the_shares, "changed `probabilities`"),
        (lambda p, g: int(torch.multinomial(p, 1, generator=g)), "multinomial"),
        (lambda p, g: p.multinomial(1, generator=g), "multinomial"),
        (draw_multinomial_in_a_helper, "multinomial"),
        (lambda p: draw(p, None), "another number of values"),
    ],
    "2.8": [
        (
            (GREEDY, TALE, {"accuracy": 0.96, "distinct-2": 0.625, "bits per token": 2.83}),
            "accuracy and distinct-2 are exchanged",
        ),
        ((DecodingConfig(), TALE, CLAIMS | {"accuracy": 0.55}), "lose more than 0.02"),
        ((SALAD, TALE, CLAIMS | {"accuracy": 0.35}), "lose more than 0.02"),
        ((TALE, GREEDY, CLAIMS), "are exchanged"),
        ((GREEDY, DecodingConfig(temperature=0.9, top_p=0.95), CLAIMS), "max_new_tokens=40"),
        ((GREEDY, DecodingConfig(temperature=0.9, max_new_tokens=5), CLAIMS), "max_new_tokens=40"),
        ((GREEDY, LOOP, {"accuracy": 0.62, "distinct-2": 0.12, "bits per token": 0.41}), "same word pairs"),
        (
            (
                GREEDY,
                DecodingConfig(temperature=0, max_new_tokens=40),
                CLAIMS | {"distinct-2": 0.12, "bits per token": 0.41},
            ),
            "same word pairs",
        ),
        ((GREEDY, SALAD, CLAIMS | {"bits per token": 9.27}), "close to noise"),
        ((GREEDY, TALE, CLAIMS | {"accuracy": 0.9}), "accuracy is not what"),
        ((GREEDY, TALE, CLAIMS | {"accuracy": 62.5}), "percent"),
        ((GREEDY, TALE, CLAIMS | {"accuracy": 1}), "accuracy is not what"),
        ((GREEDY, TALE, CLAIMS | {"distinct-2": 0.5}), "distinct-2 is not what"),
        ((GREEDY, TALE, CLAIMS | {"distinct-2": 96}), "percent"),
        ((GREEDY, TALE, CLAIMS | {"bits per token": 2.52}), "bits per token is not what"),
        ((GREEDY, TALE, CLAIMS | {"bits per token": 3.5}), "bits per token is not what"),
        ((GREEDY, TALE, {"accuracy": 0.625, "distinct-2": 2.83, "bits per token": 0.96}), "exchanged"),
        ((GREEDY, TALE, CLAIMS | {"accuracy": float("nan")}), "accuracy is not what"),
        ((GREEDY, TALE, {"accuracy": 0.625}), "distinct-2"),
        ((GREEDY, TALE, CLAIMS | {"accuracy": ...}), "accuracy"),
        ((GREEDY, ..., CLAIMS), "for_stories is still to be filled in"),
        ((..., TALE, CLAIMS), "for_questions is still to be filled in"),
        ((0.2, TALE, CLAIMS), "DecodingConfig"),
        ((GREEDY, {"top_k": 3}, CLAIMS), "DecodingConfig"),
        ((GREEDY, TALE), "for_questions, for_stories, defence"),
        ((GREEDY, TALE, [0.625, 0.96, 2.83]), "a list"),
        ((GREEDY, TALE, CLAIMS | {"accuracy": "high"}), "accuracy: A number"),
        ((GREEDY, DecodingConfig, CLAIMS), "DecodingConfig"),
        (GREEDY, "for_questions, for_stories, defence"),
    ],
}

ONE_DIMENSION = "Minus 0 is 0, and a list of numbers has one dimension: 0 is the same as -1."
EXPLAINED: dict[tuple[str, str], str] = {
    (
        "2.2",
        "return torch.softmax(logits / temperature, dim=-1) -> return torch.softmax(logits / temperature, dim=-0)",
    ): ONE_DIMENSION,
    (
        "2.3",
        "if k == 0 or k >= len(probabilities): -> if k == 0 or k > len(probabilities):",
    ): "For k = len(probabilities) the rest of the function keeps every token, too.",
    (
        "2.7",
        "point = torch.rand(1, generator=generator, dtype=torch.double) * ends[-1] -> "
        "point = torch.rand(1, generator=generator, dtype=torch.double)",
    ): "The last end is 1, but for rounding.",
    (
        "2.4",
        "number = int((ordered.double().cumsum(-1) < p).sum()) + 1 -> "
        "number = int((ordered.double().cumsum(-0) < p).sum()) + 1",
    ): ONE_DIMENSION,
    (
        "2.7",
        "ends = probabilities.double().cumsum(-1) -> ends = probabilities.double().cumsum(-0)",
    ): ONE_DIMENSION,
    (
        "2.7",
        "point = torch.rand(1, generator=generator, dtype=torch.double) * ends[-1] -> "
        "point = torch.rand(1, generator=generator, dtype=torch.double) / ends[-1]",
    ): "The last end is 1, but for rounding.",
    (
        "2.7",
        "point = torch.rand(1, generator=generator, dtype=torch.double) * ends[-1] -> "
        "point = torch.rand(1, generator=generator) * ends[-1]",
    ): "A point with fewer digits: the shares are the same to seven digits.",
    (
        "2.7",
        "return int(torch.searchsorted(ends, point, right=True)) -> return int(torch.searchsorted(ends, point))",
    ): "The two differ only where the point is exactly the end of a piece, once in 2 to the power of 53 draws.",
}
"""Changed solutions that the checks accept, because they compute the same."""
