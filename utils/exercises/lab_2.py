"""The exercises and the forecasts of Lab 2, generative configuration."""

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from utils.decoding.diversity import completions, distinct_n, surprise
from utils.decoding.forecasts import Forecast
from utils.evaluation.answers import AnswerLogits, expected_accuracy
from utils.exercises import showing
from utils.exercises.claims import is_course_model
from utils.exercises.exercise import TOLERANCE, Case, Exercise, Property, Wrong, generated
from utils.exercises.mistakes import Mistake, NotAttempted, require
from utils.exercises.reading import as_number, as_numbers, as_tensor, as_whole, expected
from utils.exercises.running import Run
from utils.logits.config import DecodingConfig
from utils.logits.reshaping import reshape
from utils.models.language_model import LanguageModel

FORECASTS = (
    Forecast(
        "sharper",
        "The likeliest token, ' flowers', has a probability of 0.59. Which will it have at temperature 0.5?",
        "temperature",
        0.5,
        lambda found: found.candidates[0].after,
        0.1,
    ),
    Forecast(
        "flatter",
        "And which at temperature 1.5? The whole vocabulary has 49,152 tokens.",
        "temperature",
        1.5,
        lambda found: found.candidates[0].after,
        0.1,
    ),
    Forecast(
        "fixed number",
        "Top-k 10 keeps ten tokens and shares all probability among them. Which will ' flowers' have?",
        "top_k",
        10,
        lambda found: found.candidates[0].after,
        0.05,
    ),
    Forecast(
        "fixed share",
        "Top-p 0.9 keeps the likeliest tokens until they hold 0.9. How many tokens are that?",
        "top_p",
        0.9,
        lambda found: found.kept,
        30,
        "tokens",
    ),
)


def _random_logits(draw: random.Random, number: int) -> torch.Tensor:
    return torch.tensor([round(draw.gauss(0, 3), 2) for _ in range(number)])


def _random_shares(draw: random.Random, number: int) -> torch.Tensor:
    """Return probabilities of which no two are nearly alike."""
    weights = [(place + draw.random() / 2) ** 2 + 0.5 for place in range(1, number + 1)]
    draw.shuffle(weights)
    return torch.tensor(weights) / sum(weights)


# 2.2 to 2.4: distributions

Sight = Callable[[torch.Tensor, torch.Tensor, Case], object]


def _close(got: torch.Tensor, right: torch.Tensor | tuple[torch.Tensor, ...], tolerance: float = TOLERANCE) -> bool:
    """Compare probabilities with the right ones, or with any of several that are right."""
    if isinstance(right, tuple):
        return any(_close(got, one, tolerance) for one in right)
    return got.shape == right.shape and torch.allclose(got, right.double(), rtol=0, atol=tolerance, equal_nan=True)


def _distribution(right: Callable, *signs: tuple[Sight, str | Callable]) -> tuple[Property, ...]:
    """Return what must hold of probabilities, and the signs by which a mistake is known where they are not right."""

    def sign(got: torch.Tensor, case: Case) -> str:
        wanted = right(*case.given) if case.right is None else case.right
        if _close(got, wanted):
            return ""
        seen = got, wanted[0] if isinstance(wanted, tuple) else wanted, case
        said = next((said for shows, said in (*SIGNS, *signs) if shows(*seen)), "")
        said = said if isinstance(said, str) else said(*seen)
        return f"{said} {case.why}" if said and (case.edge or said.endswith("should be.")) else said

    shape = Property(
        lambda got, case: got.shape == case.given[0].shape,
        lambda got, case: f"One probability for each token is asked for, cut or not: {len(case.given[0])} here. {case.why if case.edge else ''}",
    )
    finite = Property(
        lambda got, case: torch.isfinite(got).all(),
        lambda got, case: (
            f"{'Numbers below 0 are no probabilities: are these logarithms?' if (got[got.isfinite()] < 0).any() else 'There is a NaN or an infinity in it.'} {case.why}"
        ),
    )
    return shape, finite, Property(lambda got, case: not sign(got, case), sign)


def _moved(got: torch.Tensor, right: torch.Tensor, case: Case) -> bool:
    shares = got / got.sum()
    return _kept(got) > 1 and _close(shares.sort().values, right.sort().values) and not _close(shares, right)


def _rounded_too_far(got: torch.Tensor, right: torch.Tensor, case: Case) -> bool:
    return any(_close(got, right.double().round(decimals=digits), 1e-6) for digits in (1, 2))


SIGNS = (
    (
        lambda got, right, case: (got < 0).any(),
        "A probability is never below 0. Are these logits, or logarithms? Softmax takes exp of each logit first.",
    ),
    (
        lambda got, right, case: _close(got / 100, right, 0.001),
        "These are percent: probabilities are shares of 1, such as 0.5 and not 50.",
    ),
    (
        lambda got, right, case: not case.edge and got.sum() > 1.5 and ((got == 0) | (got == 1)).all(),
        "Ones and zeros are no probabilities: they say which tokens are kept, not how likely each is.",
    ),
    (_rounded_too_far, "These are rounded too far: keep at least three digits, or do not round at all."),
    (_moved, "The numbers are right, but not where they stand: each token keeps its own place in the vocabulary."),
)
"""What gives away the mistake in wrong probabilities, whichever exercise it is."""


def _sum(got: torch.Tensor, right: torch.Tensor, case: Case) -> str:
    said = f"These sum to {float(got.sum()):.3g}, and probabilities sum to 1"
    return f"{said}: divide each by the sum of them all." if got.sum() > 0 else f"{said}."


SUM = (lambda got, right, case: abs(got.sum() - 1) > 0.02, _sum)


def _at_zero(change: Callable[[torch.Tensor, float], torch.Tensor]) -> Callable:
    """Return a wrong temperature function that is greedy at 0."""
    return lambda logits, temperature: change(logits, temperature) if temperature else reshape(logits, temperature=0)


LOGITS = torch.tensor([1.0, 3.0, -1.0, 0.5])
GREEDY = "Temperature 0 means greedy: probability 1 for the likeliest token, 0 for all others."
TOO_LARGE = (
    "exp(1800) is larger than a float can hold. Softmax stays the same when the largest logit is subtracted from all first; torch's own does that."
)
TEMPERATURE = Exercise(
    "Divide first, then softmax; and 0 means greedy.",
    call="with_temperature(logits, temperature)",
    cases=[
        Case((LOGITS, 1.0), "At temperature 1 the logits stay as they are: their softmax is asked for."),
        Case((LOGITS, 0.5), "Below 1 the likeliest token gets more: divided by 0.5, the differences between the logits are twice as large."),
        Case((LOGITS, 2.0), "Above 1 the likeliest token gets less: divided by 2, the differences between the logits are half as large."),
        *generated(
            lambda draw: (_random_logits(draw, draw.randint(2, 9)), round(draw.uniform(0.3, 3), 1)),
            why="The logits are divided by the temperature, and softmax makes probabilities of the result.",
        ),
        *[Case((LOGITS.roll(shift), zero), GREEDY, edge="temperature 0") for shift, zero in ((0, 0), (1, 0.0), (3, 0), (2, 0.0))],
        Case((torch.tensor([1.01, 0.99, 1.0, 1.02]), 0), GREEDY, edge="temperature 0 and logits close to each other"),
        Case((torch.tensor([-3.0, -1.0, -2.0]), 0), GREEDY, edge="temperature 0 and logits below 0"),
        Case(
            (torch.tensor([0.0, 2.0, 2.0]), 0),
            "Two tokens are the likeliest here: give 1 to one of them, or share it between them, but the sum stays 1.",
            edge="temperature 0 and a tie",
            right=tuple(torch.tensor(one) for one in ([0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.5, 0.5])),
        ),
        Case((torch.tensor([899.0, 900.0, -900.0]), 0.5), TOO_LARGE, edge="large logits"),
        Case(
            (torch.tensor([-900.0, -899.0, -901.0]), 0.5),
            "exp of a number far below 0 is 0 to a computer, and 0 divided by 0 is a NaN. Subtract the largest logit, here -899, from all first.",
            edge="logits far below 0",
        ),
        Case((_random_logits(random.Random(5), 500), 0.7), "500 tokens are treated as three are.", edge="a longer vocabulary"),
    ],
    right=lambda logits, temperature: reshape(logits, temperature=temperature),
    mistakes=[
        Wrong(
            _at_zero(lambda x, t: torch.softmax(x * t, -1)), "You multiply by the temperature, or divide by 1/temperature: divide the logits by it."
        ),
        Wrong(
            _at_zero(lambda x, t: torch.softmax(x, -1) / t),
            "You divide the probabilities: divide the logits before the softmax, so that the sum stays 1.",
        ),
        Wrong(_at_zero(lambda x, t: x / t), "The division is there, but the softmax is missing, which makes probabilities of logits."),
        Wrong(
            _at_zero(lambda x, t: torch.softmax(x, -1)),
            "Your temperature changes nothing: at every temperature you get the same probabilities. Divide the logits by it before the softmax.",
        ),
        Wrong(
            _at_zero(lambda x, t: torch.log_softmax(x / t, -1)),
            "These are logarithms of probabilities: take exp, or softmax in place of log_softmax.",
        ),
        *[
            Wrong(
                _at_zero(twice),
                "Softmax is taken twice, and the second one makes the probabilities more alike: once is enough, of the divided logits.",
            )
            for twice in (lambda x, t: (x.softmax(-1) / t).softmax(-1), lambda x, t: (x / t).softmax(-1).softmax(-1))
        ],
        Wrong(
            _at_zero(lambda x, t: torch.sigmoid(x / t)),
            "Sigmoid makes a number of each logit by itself, and these do not share 1 among them: softmax does.",
        ),
        Wrong(_at_zero(lambda x, t: torch.softmax(-x / t, -1)), "The sign is turned round: the token with the largest logit must be the likeliest."),
        Wrong(lambda x, t: reshape(x, temperature=0), "Only the likeliest token is left at every temperature; that is right at temperature 0 alone."),
    ],
    properties=_distribution(lambda logits, temperature: reshape(logits, temperature=temperature), SUM),
    read=lambda value: as_tensor(value, "a tensor of probabilities"),
    alike=_close,
)


def _shared(kept: torch.Tensor) -> torch.Tensor:
    return kept / kept.sum()


def _kept(probabilities: torch.Tensor) -> int:
    return int((probabilities > 0).sum())


def _how_many(got: torch.Tensor, right: torch.Tensor, case: Case) -> str:
    return f"{_kept(got)} {'token is' if _kept(got) == 1 else 'tokens are'} kept here, and {_kept(right)} should be."


CUT = (
    (lambda got, right, case: _kept(got) != _kept(right), _how_many),
    SUM,
    (
        lambda got, right, case: torch.equal(got > 0, right > 0),
        "The right tokens are kept, but their probabilities are not: divide each by the sum of all that are kept, and do nothing else.",
    ),
    (lambda got, right, case: True, "As many tokens are kept as should be, but not the likeliest ones, each in its own place."),
)
"""The signs of mistakes in cutting."""


def _top_k(probabilities: torch.Tensor, k: int) -> torch.Tensor:
    return reshape(probabilities.log(), top_k=k)


def _keep(condition: Callable[[torch.Tensor, int], torch.Tensor]) -> Callable:
    """Return a wrong top-k that keeps what fulfils a condition, and every token for k = 0 and a large k."""
    return lambda probabilities, k: (
        _shared(torch.where(condition(probabilities, k), probabilities, 0)) if 0 < k < len(probabilities) else probabilities
    )


K_SHARES = torch.tensor([0.1, 0.4, 0.05, 0.3, 0.15])
K_TIED = torch.tensor([0.1, 0.2, 0.4, 0.2, 0.1])
ALL = "Every token is kept, so nothing changes."
TOP_K = Exercise(
    "Ties stay together, and what is left sums to 1.",
    call="keep_top_k(probabilities, k)",
    cases=[
        *[Case((K_SHARES, k), f"The {word} stay where they are, all others become 0.") for k, word in ((2, "two likeliest"), (3, "three likeliest"))],
        Case((K_SHARES, 1), "Only the likeliest token stays, with probability 1."),
        *generated(
            lambda draw: (_random_shares(draw, number := draw.randint(3, 9)), draw.randint(1, number - 1)),
            why="The k likeliest tokens stay in their places and are divided by their sum; all others become 0.",
        ),
        *[
            Case((K_SHARES, k), ALL, edge=edge)
            for k, edge in ((0, "k = 0"), (5, "k as large as the vocabulary"), (9, "k above the size of the vocabulary"))
        ],
        Case((K_TIED, 2), "Two tokens of 0.2 share the second place: both are as likely as the 2nd, and both stay.", edge="a tie at the last place"),
        Case((K_TIED, 3), "The third-likeliest token has 0.2: each token counts, also where two are alike.", edge="a tie before the last place"),
        Case((K_TIED, 4), "Two tokens of 0.1 share the fourth place: both are as likely as the 4th, and both stay.", edge="a tie at the last place"),
        Case((torch.full((4,), 0.25), 1), "All four are as likely as the 1st, and all stay.", edge="a tie at the first place"),
        Case((_random_shares(random.Random(7), 300), 40), "The 40 likeliest of 300 tokens stay.", edge="a longer vocabulary"),
    ],
    right=_top_k,
    mistakes=[
        Wrong(lambda x, k: x, "Your function changes nothing: what is not among the k likeliest must become 0."),
        Wrong(
            lambda x, k: _top_k(x, k + 1 if k else 0),
            "One token too many is kept, as for k + 1. Is a place counted from 0, or is a > where >= should stand?",
        ),
        Wrong(lambda x, k: _top_k(x, k - 1) if k > 1 else x, "One token too few is kept, as for k - 1: the k-th token itself stays, too."),
        Wrong(_keep(lambda x, k: x > x.topk(k).values[-1]), "One token too few is kept: the k-th token itself stays, too."),
        Wrong(lambda x, k: _top_k(x, max(k - 1, 1)), "One token too few is kept, as for k - 1."),
        Wrong(
            _keep(lambda x, k: x <= x.sort().values[k - 1]),
            "The k least likely tokens are kept, and the likeliest should be: sort the other way round.",
        ),
        Wrong(_keep(lambda x, k: x < x.topk(k).values[-1]), "You keep what should be cut, and cut what should be kept."),
        Wrong(_keep(lambda x, k: torch.arange(len(x)) < k), "The first k tokens of the vocabulary are kept, and the k likeliest should be."),
        Wrong(
            lambda x, k: torch.where(_top_k(x, k) > 0, x, -torch.inf).softmax(-1),
            "Softmax is for logits. These are probabilities already: divide by their sum, so that 0.4 stays twice as likely as 0.2.",
        ),
        Wrong(
            lambda x, k: _top_k(x, k).softmax(-1),
            "Softmax is for logits. These are probabilities already: divide by their sum, and what was cut stays 0.",
        ),
        Wrong(
            lambda x, k: _shared((_top_k(x, k) > 0).float()),
            "Every token that is kept gets the same share: it should stay as likely as before beside the others.",
        ),
        Wrong(
            _keep(lambda x, k: x >= x.sort().values[k]),
            "The k least likely tokens are cut, and k should be kept. Sorted upwards, the k-th likeliest is counted from the end.",
        ),
    ],
    properties=_distribution(_top_k, *CUT),
    read=lambda value: as_tensor(value, "a tensor of probabilities"),
    alike=_close,
)


def _top_p(probabilities: torch.Tensor, p: float, *, number: Callable[[torch.Tensor, float], Any] | None = None, down: bool = True) -> torch.Tensor:
    """Keep as many of the sorted tokens as are needed, or as a wrong `number` of the running sums says."""
    if p == 1:
        return probabilities
    ordered, places = probabilities.double().sort(descending=down, stable=True)
    sums = ordered.cumsum(-1)
    kept = places[: int((sums < p).sum()) + 1 if number is None else max(0, int(number(sums, p)))]
    return _shared(torch.zeros_like(ordered).index_put((kept,), probabilities.double()[kept]))


def _without_crossing(least: int) -> Callable:
    return lambda probabilities, p: _top_p(probabilities, p, number=lambda sums, p: max(least, (sums < p).sum()))


def _unsorted(probabilities: torch.Tensor, p: float) -> torch.Tensor:
    before = probabilities.double().cumsum(-1) - probabilities
    return probabilities if p == 1 else _shared(torch.where((before < p) | (before == 0), probabilities, 0))


def _mask_left_behind(probabilities: torch.Tensor, p: float) -> torch.Tensor:
    kept = _kept(_top_p(probabilities, p))
    return _shared(torch.where(torch.arange(len(probabilities)) < kept, probabilities, 0))


def _of_four_tied() -> tuple[torch.Tensor, ...]:
    pairs = itertools.combinations((0, 1, 3, 4), 2)
    return tuple(_shared(torch.tensor([float(n in pair) + 4 * (n == 2) for n in range(5)])) for pair in pairs)


STEEP = 0.5 ** torch.tensor([*range(1, 26), *[26] * 4, *range(27, 51)])
"""Probabilities that sum to 1 as well as float32 can say it, and whose running sum is 1 long before the last one, in double, too."""
LONG = torch.randn(3000, generator=torch.Generator().manual_seed(3)).mul(3).softmax(-1)
"""A softmax of logits, whose running sum is 1 by rounding before the last tokens, in double, too; short enough for an answer that is slow."""
P_SHARES = torch.tensor([0.125, 0.5, 0.03125, 0.25, 0.09375])
P_TIED = torch.tensor([0.125, 0.125, 0.5, 0.125, 0.125])
ONE_LEFT = "At least one token is always kept, the likeliest, or nothing can be drawn."
ROUNDED = "Every token is kept at p = 1. Here the running sum reaches 1 by rounding before the last tokens come, and they are cut: deal with p = 1 by itself."
TOP_P = Exercise(
    "The crossing token is in, and what is left sums to 1.",
    call="keep_top_p(probabilities, p)",
    cases=[
        Case((P_SHARES, 0.6), "0.5 alone is less than 0.6; with 0.25 the sum is at least p. These two stay, in their places."),
        Case((P_SHARES, 0.4), "0.5 alone is at least 0.4: the likeliest token stays, with probability 1."),
        Case((P_SHARES, 0.9), "0.5 + 0.25 + 0.125 is less than 0.9; with 0.09375 the sum is at least p. Four tokens stay, in their places."),
        *generated(
            lambda draw: (_random_shares(draw, draw.randint(3, 9)), round(draw.uniform(0.1, 0.95), 2)),
            why="The likeliest tokens stay until their sum is at least p, in their places and divided by their sum; all others become 0.",
        ),
        Case((P_SHARES, 0.75), "0.5 + 0.25 reaches p = 0.75 exactly, and that is at least p: two tokens are enough.", edge="a sum of exactly p"),
        Case(
            (P_TIED, 0.7),
            "0.5 + 0.125 + 0.125 is at least 0.7: of the tie of four only two come in.",
            edge="a tie at the last place",
            right=_of_four_tied(),
        ),
        *[Case((P_SHARES, p), ONE_LEFT, edge=edge) for p, edge in ((0.01, "a very small p"), (0.0, "p = 0"))],
        *[Case((shares, 1.0), ALL, edge="p = 1") for shares in (P_SHARES, P_TIED)],
        Case((torch.tensor([0.25, 0.3, 0.2, 0.2499999]), 1.0), ALL, edge="p = 1 and a sum that stays just below it by rounding"),
        Case((STEEP, 1.0), ROUNDED, edge="p = 1 and many tokens"),
        Case((LONG, 1.0), ROUNDED, edge="p = 1 and a long vocabulary"),
    ],
    right=_top_p,
    mistakes=[
        Wrong(lambda x, p: x, "Your function changes nothing: what is not needed to reach p must become 0."),
        *[
            Wrong(_without_crossing(least), "The token that crosses p is missing: keep tokens until their sum is AT LEAST p, that token included.")
            for least in (0, 1)
        ],
        Wrong(
            lambda x, p: _top_p(x, p, number=lambda sums, p: (sums < p).sum() + 2),
            "One token too many is kept: stop with the token whose sum is at least p.",
        ),
        Wrong(_unsorted, "The running sum is taken in the order of the vocabulary: sort first, the likeliest token to the front."),
        Wrong(lambda x, p: _top_p(x, p, down=False), "The least likely tokens are kept: sort the other way round, the likeliest to the front."),
        Wrong(
            _mask_left_behind,
            "Which tokens are kept was found in the sorted order, and used in the vocabulary's: each must go back to its own place.",
        ),
        Wrong(lambda x, p: _top_p(x, 1 - p), "That is what 1 - p gives. Which sum do you compare with p: that of what is kept, or of what is cut?"),
        Wrong(
            lambda x, p: _top_p(x, 0),
            "Only the likeliest token is kept, whatever p is. Is p left out, or taken as percent? p = 0.9 is a share of 1.",
        ),
        Wrong(
            lambda x, p: _shared(torch.where(x >= p * x.max(), x, 0)),
            "You compare each probability with a share of the largest one, as min-p does. Top-p looks at the running sum.",
        ),
        *[
            Wrong(single, "You compare each single probability with p. Top-p looks at the running sum of the likeliest.")
            for single in (lambda x, p: _shared(torch.where(x >= p, x, 0)), lambda x, p: _shared(torch.where(x >= min(p, float(x.max())), x, 0)))
        ],
        Wrong(
            lambda x, p: _top_k(x, max(1, round(p * len(x)))),
            "You keep a share of the number of tokens, as top-k would. Top-p keeps a share of the probability.",
        ),
        Wrong(
            lambda x, p: _shared((_top_p(x, p) > 0).float()),
            "Every token that is kept gets the same share: it should stay as likely as before beside the others.",
        ),
        Wrong(
            lambda x, p: torch.where(_top_p(x, p) > 0, x.double(), -torch.inf).softmax(-1),
            "Softmax is for logits. These are probabilities already: divide by their sum, so that 0.4 stays twice as likely as 0.2.",
        ),
    ],
    properties=(
        *_distribution(_top_p, *CUT),
        Property(lambda got, case: case.why != ROUNDED or (got > 0).all() or _rounded(got), ROUNDED),
    ),
    read=lambda value: as_tensor(value, "a tensor of probabilities"),
    alike=_close,
)


def _rounded(got: torch.Tensor) -> bool:
    """Tell whether probabilities were rounded to a few digits, by which the smallest become 0."""
    return any(torch.allclose(got, got.round(decimals=digits), rtol=0, atol=1e-8) for digits in (3, 4, 5, 6))


# 2.6


def _kept_in_two_orders(logits: torch.Tensor, temperature: float, p: float) -> tuple[int, ...]:
    return tuple(_kept(reshape(logits, temperature=temperature, top_p=p, order=order)) for order in ("transformers", "studio"))


def _kept_at(logits: torch.Tensor, temperature: float, p: float) -> int:
    return _kept_in_two_orders(logits, max(temperature, 1e-3), min(max(p, 0.0), 1.0))[0]


def _logits_and_settings(draw: random.Random) -> tuple[torch.Tensor, float, float]:
    """Return logits, a temperature and a p at which no rounding changes how many are kept."""
    while True:
        logits = torch.tensor([draw.gauss(0, 1.5) for _ in range(draw.randint(5, 60))])
        temperature, p = draw.choice((0.4, 0.6, 0.8, 1.3, 1.6, 2.0)), round(draw.uniform(0.4, 0.95), 2)
        sums = [torch.softmax(logits.double() / each, -1).sort(descending=True).values.cumsum(0) for each in (temperature, 1)]
        if min(float((each - p).abs().min()) for each in sums) > 1e-3:
            return logits, temperature, p


def _one_is_right(got: tuple[int, ...], case: Case) -> str:
    """Return what to say where only one of the two numbers is wrong, or both are too small to be one."""
    right = _kept_in_two_orders(*case.given)
    if max(got) <= 1 < min(right):
        return "More than one token is kept here, in both orders. Count the tokens that are above 0: the sum of the probabilities is always 1."
    if got[0] == right[0] and got[1] != right[1]:
        return (
            "The first number is as it should be, the second is not. In the studio top-p looks at the model's own probabilities, "
            "those of temperature 1; the temperature comes after and cuts nothing."
        )
    if got[0] != right[0] and got[1] == right[1]:
        return "The second number is as it should be, the first is not. In transformers: temperature, then top-p, then count what is above 0."
    return ""


def _changed(change: Callable[[int, int, int], tuple]) -> Callable:
    """Return a wrong function that makes something else of the two numbers and the size of the vocabulary."""
    return lambda logits, temperature, p: change(*_kept_in_two_orders(logits, temperature, p), len(logits))


def _two_counts(value: Any) -> tuple[int, ...]:
    numbers = as_numbers(value, 2, "a pair of numbers (transformers, studio)")
    return tuple(as_whole(round(number, 4), "a whole number of tokens") for number in numbers)


ORDERED = torch.tensor([3.0, 1.0, 2.0, 0.0, 1.5])
TWO_ORDERS = Exercise(
    "The same numbers, two orders, two different sets of tokens.",
    call="two_orders(logits, temperature, p)",
    cases=[
        Case((ORDERED, 2.0, 0.7), "The temperature makes all tokens more alike, so that more are needed for the sum; the studio cuts before that."),
        Case(
            (ORDERED, 0.5, 0.8),
            "The temperature makes the likeliest token likelier, so that fewer are needed for the sum; the studio cuts before that.",
        ),
        *generated(
            _logits_and_settings,
            why="The first number: temperature, then top-p, then count. The second: top-p on the model's own probabilities, those of temperature 1, "
            "then count; the temperature comes after and cuts nothing.",
        ),
        Case((ORDERED, 1.0, 0.8), "At temperature 1 the order makes no difference.", edge="temperature 1"),
        Case(
            (_random_logits(random.Random(1), 3000), 2.0, 0.75),
            "Of 3000 tokens, very unlikely ones are kept, too: each that is above 0 counts.",
            edge="a long vocabulary",
        ),
    ],
    right=_kept_in_two_orders,
    mistakes=[
        Wrong(
            _changed(lambda transformers, studio, size: (studio, transformers)),
            "The two numbers are exchanged: transformers, with the temperature first, comes first.",
        ),
        Wrong(
            _changed(lambda transformers, studio, size: (transformers, transformers)),
            "The second number is that of transformers again. In the studio top-p looks at the model's own probabilities, those of temperature 1.",
        ),
        Wrong(
            _changed(lambda transformers, studio, size: (studio, studio)),
            "The first number is the studio's. In transformers top-p looks at the probabilities after the temperature.",
        ),
        Wrong(
            _changed(lambda transformers, studio, size: (size - transformers, size - studio)),
            "You count the tokens that are cut; those that are kept are asked for.",
        ),
        Wrong(
            _changed(lambda transformers, studio, size: (transformers - 1, studio - 1)),
            "Both numbers are one too few: the token that crosses p is kept, too.",
        ),
        Wrong(_changed(lambda transformers, studio, size: (transformers + 1, studio + 1)), "Both numbers are one too many."),
        Wrong(
            _changed(lambda transformers, studio, size: (size, size)),
            "You count the whole vocabulary: either nothing is cut, or tokens that were cut, with probability 0, are counted, too.",
        ),
        Wrong(
            lambda logits, temperature, p: _kept_in_two_orders(logits, temperature, 1 - p),
            "That is what 1 - p gives: p is the share that is kept, not the share that is cut.",
        ),
        Wrong(
            lambda logits, temperature, p: (_kept_at(logits, temperature, 0.9), _kept_at(logits, 1, 0.9)),
            "p is always 0.9 for you: use the p that is given.",
        ),
        Wrong(
            lambda logits, temperature, p: (_kept_at(logits, temperature, p), 1),
            "In the studio you keep one token, as at temperature 0. The model's own probabilities are those of temperature 1.",
        ),
        Wrong(
            lambda logits, temperature, p: (_kept_at(logits, temperature, p), len(logits)),
            "In the studio you count every token. Does top-p get the p that is given, and do you count before a second softmax, in which no token is 0 any more?",
        ),
        Wrong(
            lambda logits, temperature, p: _kept_in_two_orders(logits, 1 / temperature, p),
            "You multiply by the temperature, or divide by 1/temperature: is `with_temperature` given the temperature itself?",
        ),
        Wrong(
            lambda logits, temperature, p: (_kept_at(logits, p, temperature), _kept_at(logits, 1, temperature)),
            "Temperature and p are exchanged on their way to your own functions: look at the order of the arguments.",
        ),
        Wrong(
            lambda logits, temperature, p: (
                _kept_at(logits, temperature, p),
                _kept_at(reshape(logits, top_p=p).clamp_min(1e-30).log(), temperature, p),
            ),
            "In the studio you cut twice: once top-p on the model's own probabilities, then count.",
        ),
    ],
    properties=(Property(lambda got, case: not _one_is_right(got, case), _one_is_right),),
    read=_two_counts,
)


# 2.7


class _Multinomial(TorchFunctionMode):
    """Notes whether torch.multinomial is called, under whatever name."""

    used = False

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.used = self.used or getattr(func, "__name__", "") == "multinomial"
        return func(*args, **(kwargs or {}))


FOUR = torch.tensor([0.5, 0.0, 0.3, 0.2])
FEW_AND_MANY = torch.tensor([0.004] * 50 + [0.6] + [0.004] * 50)
DRAWN = (
    (FOUR, 2000),
    (torch.tensor([0.0, 0.0, 1.0, 0.0]), 20),
    (torch.full((6,), 1 / 6), 600),
    (torch.tensor([0.1, 0.7, 0.2]), 600),
    (FEW_AND_MANY, 500),
)


def _draw(run: Run) -> None:
    with _Multinomial() as multinomial:
        drawn = _draws(run, FOUR, 30)
        if len(set(drawn)) == 1:
            raise Mistake(f"Thirty calls with one generator gave token {drawn[0]} each time. {_why_always_the_same(run)}")
        require(
            _draws(run, FOUR, 30) == drawn,
            "Two generators with the same seed gave different tokens: take all random numbers from the generator that you are given, "
            "as in torch.rand(1, generator=generator).",
        )
        for probabilities, number in DRAWN:
            _require_shares(run, probabilities, _draws(run, probabilities, number))
    require(not multinomial.used, "The tokens come as they should, but torch.multinomial drew them. Do it without.")


def _why_always_the_same(run: Run) -> str:
    lists = [_random_shares(random.Random(seed), 5) for seed in range(12)]
    if all(_draws(run, probabilities, 1) == [int(probabilities.argmax())] for probabilities in lists):
        return "Always the likeliest token is greedy decoding, and not a draw: the generator's random numbers must decide."
    generator, states = torch.Generator().manual_seed(0), []
    for _ in range(2):
        run(FOUR, generator)
        states.append(generator.get_state())
    if not torch.equal(*states):
        return (
            "Your random number is drawn, and yet it does not decide: which part of the running sum does it fall into, and when does the search end?"
        )
    return "Each call must take the generator's next random numbers: do not seed it, do not copy it, and make no generator of your own."


def _require_shares(run: Run, probabilities: torch.Tensor, drawn: list[int]) -> None:
    shares = torch.bincount(torch.tensor(drawn), minlength=len(probabilities)) / len(drawn)
    likely = probabilities.double()
    off = (shares - likely).abs() - 6 * (likely * (1 - likely) / len(drawn)).sqrt() - 1.5 / len(drawn)
    worst = int(off.argmax())
    require(
        off[worst] <= 0,
        f"In {len(drawn)} calls of {run.shown((probabilities, torch.Generator()))} token {worst} came with a share of {shares[worst]:.2f}, "
        f"and its probability is {likely[worst]:.3g}. Each token must come as often as its probability says.",
    )


def _draws(run: Run, probabilities: torch.Tensor, number: int, seed: int = 0) -> list[int]:
    """Return that many draws of a learner's function from a new generator. Raises Mistake for what cannot be a draw."""
    generator, drawn = torch.Generator().manual_seed(seed), []
    for _ in range(number):
        returned = run(probabilities, generator)
        came = f"{run.shown((probabilities, generator))} gave {showing.shown(returned)}."
        try:
            token = as_whole(returned, "the index of one token, a whole number,")
        except Mistake as mistake:
            raise Mistake(f"{came} {mistake}") from None
        require(0 <= token < len(probabilities), f"{came} The index of a token is 0 to {len(probabilities) - 1} here.")
        require(
            probabilities[token] > 0,
            f"{came} Token {token} has probability 0 and can never be drawn: after top-k or top-p that would undo the cut. "
            "Is this index the token's place in `probabilities`, counted from 0?",
        )
        drawn.append(token)
    return drawn


# 2.1, 2.5 and 2.8: values


def _predicted(answer: Any) -> None:
    require(hasattr(answer, "committed"), f"Hand over `forecasts`, as the cell stands in the lab; this is {showing.kind(answer)}.")
    if not answer.committed:
        raise NotAttempted
    missing = [item.name for item in FORECASTS if item.name not in answer.committed]
    require(not missing, f"Not committed yet: {', '.join(missing)}. A forecast costs nothing; make all of them.")


BOUNDARIES = {
    "top-k 2": (2, "No other word is as likely as flowers or as trees, so no tie plays a part."),
    "top-k 4": (14, "The fourth place is shared by eleven words of 0.02. What does top-k do with words that are as likely as the fourth?"),
    "top-p 0.5": (1, "flowers alone hold 0.50. Is that at least p?"),
    "top-p 0.73": (2, "flowers and trees together hold 0.50 + 0.23. Is that at least p?"),
    "top-p 0.79": (
        4,
        "flowers, trees and herbs hold 0.78, which is not yet p. How many words of the tie are needed, and what does top-p do with the rest of it?",
    ),
}
"""How many words are kept in 2.5, and what to think of where it is wrong."""


def _boundaries(answer: Any) -> None:
    require(isinstance(answer, Mapping), expected("the dictionary `kept` with your five numbers", answer))
    if answer and all(value is ... for value in answer.values()):
        raise NotAttempted
    said = {}
    for setting in BOUNDARIES:
        other = next((f" {name!r} is another name." for name in answer if name not in BOUNDARIES), "")
        require(answer.get(setting, ...) is not ..., f"There is no number for {setting!r} yet.{other}")
        try:
            said[setting] = as_whole(answer[setting], "a whole number of words")
        except Mistake as mistake:
            raise Mistake(f"{setting}: {mistake}") from None
        require(0 < said[setting] <= 14, f"{setting}: {said[setting]} is not right. There are fourteen words, and at least one is kept.")
    require(
        (said["top-k 4"], said["top-p 0.79"]) != (4, 14),
        "What happens to a tie is exchanged: it is top-k that keeps all of it, and top-p that takes only what it needs.",
    )
    for setting, (right, why) in BOUNDARIES.items():
        require(said[setting] == right, f"{setting}: {said[setting]} is not right. {why}")


STORY_RUNS, STORY_TOKENS = 8, 40
ACCURACY_LOSS, LEAST_DISTINCT, MOST_BITS = 0.02, 0.90, 3.5
"""What exercise 2.8 asks of settings for answers and for stories."""
HALF, NEAR = 0.005, 0.011
"""By how much two digits may round a number, and how far a number of two digits may be off, rounded or cut."""
MEASURED = {
    "accuracy": "expected_accuracy(scored, for_questions).mean",
    "distinct-2": "the first number of measure(for_stories)",
    "bits per token": "the second number of measure(for_stories)",
}


def _choose(answer: Any, *, scored: Sequence[AnswerLogits], model: LanguageModel, story: str) -> str:
    questions, stories, claims = _handed_over(answer)
    require(
        stories.max_new_tokens == STORY_TOKENS,
        "Your settings for questions and for stories are exchanged: in the stories' the lab asks for max_new_tokens=40."
        if questions.max_new_tokens == STORY_TOKENS
        else f"Write max_new_tokens={STORY_TOKENS} in the settings for stories: shorter texts look more varied, longer ones less.",
    )
    accuracy = expected_accuracy(scored, questions).mean
    best = expected_accuracy(scored, DecodingConfig(temperature=0)).mean
    require(
        accuracy > best - ACCURACY_LOSS - HALF,
        f"Your settings for questions lose more than {ACCURACY_LOSS} of the accuracy of greedy decoding. Where only one answer is right, "
        "each other token that can be drawn is a loss.",
    )
    texts = completions(model, story, stories, seeds=range(STORY_RUNS))
    distinct, bits = distinct_n(texts, 2), surprise(model, story, texts)
    note = f"The limits for stories are those of the course's own model: with {model.name} they are not asked for."
    if is_course_model(model):
        note = ""
        require(
            distinct >= LEAST_DISTINCT - HALF,
            f"Your stories use the same word pairs again and again: their distinct-2 is below {LEAST_DISTINCT:.2f}. Let more tokens in.",
        )
        require(
            bits < MOST_BITS + HALF,
            f"Your stories are varied, but at more than {MOST_BITS} bits per token the model finds them close to noise. "
            "Cut the long tail, or lower the temperature.",
        )
    _require_claims(claims, {"accuracy": accuracy, "distinct-2": distinct, "bits per token": bits})
    return note


def _handed_over(answer: Any) -> tuple[DecodingConfig, DecodingConfig, dict[str, float]]:
    """Return both settings and the three numbers of the defence. Raises NotAttempted, Mistake."""
    asked = "(for_questions, for_stories, defence), as the cell stands in the lab,"
    require(isinstance(answer, tuple | list) and len(answer) == 3, expected(asked, answer))
    *settings, defence = answer
    require(isinstance(defence, Mapping), f"defence: {expected('a dictionary with your three numbers', defence)}")
    if all(value is ... for value in (*settings, *defence.values())):
        raise NotAttempted
    for name, config in zip(("for_questions", "for_stories"), settings, strict=True):
        require(config is not ..., f"{name} is still to be filled in.")
        require(isinstance(config, DecodingConfig), f"{name}: {expected('a DecodingConfig, such as DecodingConfig(temperature=0.5),', config)}")
    claims = {}
    for name in MEASURED:
        require(defence.get(name, ...) is not ..., f"Your defence has no number for {name!r} yet.")
        try:
            claims[name] = as_number(float(value) if isinstance(value := defence[name], str) else value)
        except (Mistake, ValueError):
            raise Mistake(f"{name}: {expected('a number', defence[name])}") from None
    return *settings, claims


def _require_claims(claims: Mapping[str, float], measured: Mapping[str, float]) -> None:
    """Compare each number of the defence with what is measured, which is never said."""
    for one, other in itertools.combinations(measured, 2):
        exchanged = abs(claims[one] - measured[other]) <= NEAR and abs(claims[other] - measured[one]) <= NEAR
        require(not exchanged or abs(measured[one] - measured[other]) <= NEAR, f"{one} and {other} are exchanged in your defence.")
    for name, true in measured.items():
        percent = abs(claims[name] / 100 - true) <= NEAR and claims[name] > 1 and name != "bits per token"
        require(not percent, f"{name} is a share between 0 and 1 here, not percent.")
        require(
            abs(claims[name] - true) <= NEAR,
            f"{name} is not what these settings give. Measure it again after your last change: it is {MEASURED[name]}, to two digits.",
        )


CHECKS = {
    "2.1": Exercise("All forecasts are made; the score stands in the widget. Now every slider is yours.", examine=_predicted),
    "2.2": TEMPERATURE,
    "2.3": TOP_K,
    "2.4": TOP_P,
    "2.5": Exercise("A tie at the edge of top-k lets all in, at the edge of top-p only as many as are needed.", examine=_boundaries),
    "2.6": TWO_ORDERS,
    "2.7": Exercise(
        "The right shares, no token that was cut, and a seed that fixes the draw.",
        call="draw(probabilities, generator)",
        examine=_draw,
    ),
    "2.8": Exercise("Sure answers, varied stories, and a number for each claim.", examine=_choose),
}
