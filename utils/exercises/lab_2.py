"""The exercises and the forecasts of Lab 2, generative configuration."""

from collections.abc import Callable, Sequence

import torch

from utils.decoding.diversity import completions, distinct_n, surprise
from utils.decoding.forecasts import Forecast
from utils.evaluation.answers import AnswerLogits, expected_accuracy
from utils.exercises.claims import is_course_model
from utils.exercises.exercise import Case, Exercise, Rule, Sign
from utils.exercises.mistakes import NotAttempted, call, require
from utils.exercises.reading import as_numbers, as_tensor, as_whole
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
    ),
)

STORY_RUNS, STORY_TOKENS = 8, 40
ACCURACY_LOSS, LEAST_DISTINCT, MOST_BITS = 0.02, 0.90, 3.5
"""What exercise 2.8 asks of settings for answers and for stories."""


# 2.2 to 2.4 and 2.6: distributions

DISTRIBUTION = (
    Rule(lambda got, c: got.shape == c.given[0].shape, "Return one probability for each token of the vocabulary, cut or not."),
    Rule(lambda got, c: torch.isfinite(got).all(), "There is a NaN or an infinity in your result."),
)
SMALL = torch.tensor([2.0, 1.0, 0.0, -1.0])
LARGE = torch.tensor([900.0, 899.0, -900.0])


def _random_logits(number: int, seed: int) -> torch.Tensor:
    return torch.randn(number, generator=torch.Generator().manual_seed(seed)) * 3


def _close(got: torch.Tensor, right: torch.Tensor) -> bool:
    return got.shape == right.shape and torch.allclose(got, right, atol=1e-5)


def _multiplied(got: torch.Tensor, right: torch.Tensor, case: Case) -> bool:
    logits, temperature = case.given
    return temperature not in (0, 1) and _close(got, reshape(logits, temperature=1 / temperature))


TEMPERATURE = Exercise(
    "Divide first, then softmax; and 0 means greedy.",
    cases=[
        *[
            Case((logits, temperature), "Divide the logits by the temperature first, then take the softmax.", where=f"at temperature {temperature}")
            for logits in (SMALL, _random_logits(500, seed=0))
            for temperature in (1.0, 0.5, 2.0)
        ],
        *[
            Case((SMALL, zero), "It means greedy, so the likeliest token gets probability 1 and all others 0.", edge="temperature 0")
            for zero in (0, 0.0)
        ],
        Case(
            (LARGE, 0.5),
            "exp(1800) is more than a computer can hold. Subtract the largest logit first, or use torch's softmax, which does.",
            edge="large logits",
        ),
    ],
    right=lambda logits, temperature: reshape(logits, temperature=temperature),
    read=as_tensor,
    rules=DISTRIBUTION,
    alike=_close,
    signs=(Sign(_multiplied, lambda got, right, c: f"you get what 1/{c.given[1]} should give: divide the logits, do not multiply."),),
)


def _kept(kept: torch.Tensor | int) -> int:
    return kept if isinstance(kept, int) else int((kept > 0).sum())


def _alike(got: torch.Tensor, right: torch.Tensor | int) -> bool:
    """Compare the probabilities, or how many are kept where only that is asked for."""
    return _kept(got) == right if isinstance(right, int) else _close(got, right)


def _moved(got: torch.Tensor, right: torch.Tensor | int, case: Case) -> bool:
    if isinstance(right, int):
        return False
    shares = got / got.sum()
    return _close(shares.sort().values, right.sort().values) and not _close(shares, right)


def _not_shared_out(got: torch.Tensor, right: torch.Tensor | int, case: Case) -> bool:
    return not isinstance(right, int) and torch.equal(got > 0, right > 0)


WRONG_SHARES = (
    Sign(_moved, "the tokens changed places. A token must stay where it is in the vocabulary."),
    Sign(
        _not_shared_out,
        lambda got, right, c: (
            f"the right tokens are left, but "
            f"{'their shares changed' if _close(got.sum(), right.sum()) else 'they do not sum to 1'}: "
            "divide each by the sum of all."
        ),
    ),
)


def _shown(probabilities: torch.Tensor) -> list[float]:
    return [round(p, 5) for p in probabilities.tolist()]


K_SHARES = torch.tensor([0.1, 0.4, 0.05, 0.3, 0.15])
TOP_K = Exercise(
    "Ties stay together, and what is left sums to 1.",
    cases=[
        *[Case((K_SHARES, k), where=f"for k = {k}") for k in (2, 3, 1)],
        *[
            Case((K_SHARES, k), "Every token is kept, so nothing changes.", edge=edge, right=K_SHARES)
            for k, edge in ((0, "k = 0"), (9, "k above the size of the vocabulary"))
        ],
        Case(
            (torch.tensor([0.4, 0.2, 0.2, 0.1, 0.1]), 2),
            "With k = 2, the second and the third token of [0.4, 0.2, 0.2, ...] are equally likely. transformers keeps "
            "both: cut what is less likely than the k-th, not what comes after it.",
            edge="a tie at the last place",
        ),
    ],
    right=lambda probabilities, k: reshape(probabilities.log(), top_k=k),
    read=as_tensor,
    rules=DISTRIBUTION,
    alike=_alike,
    signs=(
        *WRONG_SHARES,
        Sign(lambda got, right, c: not c.edge, lambda got, right, c: f"not the {c.given[1]} likeliest tokens of {_shown(c.given[0])} are kept."),
    ),
)

P_SHARES = torch.tensor([0.125, 0.5, 0.03125, 0.25, 0.09375])
P_TIED = torch.tensor([0.125, 0.125, 0.5, 0.125, 0.125])
TOP_P = Exercise(
    "The crossing token is in, and what is left sums to 1.",
    cases=[
        *[Case((P_SHARES, p), where=f"for p = {p} and {_shown(P_SHARES)}") for p in (0.6, 0.8, 0.9)],
        Case((P_SHARES, 0.75), "0.5 + 0.25 reaches p = 0.75, so 2 tokens are enough.", edge="a sum of exactly p", right=2),
        Case((P_TIED, 0.7), "0.5 + 0.125 + 0.125 reaches p = 0.7: of four tied, two come in.", edge="a tie at the last place", right=3),
        *[
            Case((P_SHARES, p), "The likeliest token is always kept, or nothing can be drawn.", edge=edge, right=1)
            for p, edge in ((0.01, "a very small p"), (0.0, "p = 0"))
        ],
        Case((P_SHARES, 1.0), "Every token is kept, so nothing changes.", edge="p = 1", right=P_SHARES),
    ],
    right=lambda probabilities, p: reshape(probabilities.log(), top_p=p),
    read=as_tensor,
    rules=DISTRIBUTION,
    alike=_alike,
    signs=(
        Sign(
            lambda got, right, c: not c.edge and _kept(got) == _kept(right) - 1,
            "the token that crosses p is missing. Keep tokens until their sum is AT LEAST p, the crossing token included.",
        ),
        *WRONG_SHARES,
        Sign(lambda got, right, c: c.edge, lambda got, right, c: f"you keep {_kept(got)}."),
        Sign(
            lambda got, right, c: _kept(got) == _kept(right),
            "other tokens than the likeliest are kept. After sorting, each must go back to its own place.",
        ),
        Sign(lambda got, right, c: True, lambda got, right, c: f"you keep {_kept(got)} tokens and {_kept(right)} are right."),
    ),
)


def _kept_in_two_orders(logits: torch.Tensor, temperature: float, p: float) -> tuple[int, ...]:
    return tuple(_kept(reshape(logits, temperature=temperature, top_p=p, order=order)) for order in ("hf", "vertex"))


def _two_numbers(value: object) -> tuple[int, ...]:
    asked = "Return two numbers: tokens kept by the library, tokens kept by the studio."
    return tuple(as_whole(number, asked) for number in as_numbers(value, 2, asked))


TWO_ORDERS = Exercise(
    "The same numbers, two orders, two different sets of tokens.",
    cases=[
        Case((_random_logits(2000, seed=1), temperature, p), where=f"for temperature {temperature} and p = {p}")
        for temperature, p in ((2.0, 0.75), (0.5, 0.9), (1.0, 0.8))
    ],
    right=_kept_in_two_orders,
    read=_two_numbers,
    signs=(
        Sign(lambda got, right, c: got == right[::-1], "the two numbers are exchanged: the library divides by the temperature first."),
        Sign(lambda got, right, c: got[0] != right[0], lambda got, right, c: f"the first number is {got[0]}: temperature first, then top-p."),
        Sign(
            lambda got, right, c: True,
            lambda got, right, c: (
                f"the second number is {got[1]}. In the studio top-p looks at the model's own probabilities; the "
                "temperature comes after and cuts nothing."
            ),
        ),
    ),
)


# 2.1, 2.5, 2.7 and 2.8: what no table of cases says


def _predicted(answer) -> None:
    committed = answer.committed
    if not committed:
        raise NotAttempted
    missing = [item.name for item in FORECASTS if item.name not in committed]
    require(not missing, f"Not committed yet: {', '.join(missing)}. A forecast costs nothing; make all of them.")


def _boundaries(answer) -> None:
    right = {"top-k 2": 2, "top-k 4": 14, "top-p 0.5": 1, "top-p 0.73": 2, "top-p 0.79": 4}
    why = {
        "top-k 2": "The two likeliest tokens, flowers and trees, tie with nobody.",
        "top-k 4": "The fourth place is shared by eleven words of 0.02. What does top-k do with a tie?",
        "top-p 0.5": "flowers alone hold 0.50. Is that at least p?",
        "top-p 0.73": "flowers and trees hold 0.50 + 0.23. Is that at least p?",
        "top-p 0.79": "flowers, trees and herbs hold 0.78, which is not enough. How many of the tied words come in?",
    }
    require(isinstance(answer, dict), "Hand over the dictionary with your five numbers.")
    if any(value is ... for value in answer.values()):
        raise NotAttempted
    for setting, number in right.items():
        require(setting in answer, f"There is no number for {setting}.")
        said = as_whole(answer[setting], f"{setting}: a whole number was asked for.")
        require(said == number, f"{setting}: {said} is not right. {why[setting]}")


def _draw(answer) -> None:
    probabilities = torch.tensor([0.5, 0.0, 0.3, 0.2])
    draws = _draws(answer, probabilities, 3000)
    require(all(0 <= token < 4 for token in draws), "Return the index of a token: 0, 1, 2 or 3 here.")
    require(1 not in draws, "A token with probability 0 was drawn. After top-k or top-p that would undo the cut.")
    require(
        len(set(draws)) > 1,
        "The same token comes every time. Greedy decoding is not a draw; neither is one that sets its own seed: "
        "draw with the generator that you are given.",
    )
    shares = [draws.count(token) / len(draws) for token in range(4)]
    require(
        all(abs(share - float(p)) < 0.05 for share, p in zip(shares, probabilities, strict=True)),
        f"In 3000 draws the tokens came with shares {[round(share, 2) for share in shares]}, and {_shown(probabilities)} was asked for.",
    )
    require(_draws(answer, probabilities, 30) == draws[:30], "The same seed gives different tokens: draw with the generator that you are given.")
    names = getattr(getattr(answer, "__code__", None), "co_names", ())
    require("multinomial" not in names, "Right, but torch.multinomial did the work. Do it without.")


def _choose(answer, *, scored: Sequence[AnswerLogits], model: LanguageModel, story: str) -> str:
    questions, stories, claims = answer
    if questions is ... or stories is ... or any(value is ... for value in claims.values()):
        raise NotAttempted
    for config in (questions, stories):
        require(isinstance(config, DecodingConfig), "Give both settings as a DecodingConfig.")
    require(
        stories.max_new_tokens == STORY_TOKENS, f"Keep max_new_tokens={STORY_TOKENS} for stories: shorter texts look more varied, longer ones less."
    )
    best = expected_accuracy(scored, DecodingConfig(temperature=0)).mean
    accuracy = expected_accuracy(scored, questions).mean
    texts = completions(model, story, stories, seeds=range(STORY_RUNS))
    distinct, bits = distinct_n(texts, 2), surprise(model, story, texts)
    require(
        accuracy >= best - ACCURACY_LOSS,
        f"Your settings for questions are right in {accuracy:.2f} of the cases; greedy decoding in {best:.2f}. "
        "Where only one answer is right, each other token that can be drawn is a loss.",
    )
    if not is_course_model(model):
        _claimed(claims, accuracy, distinct, bits)
        return f"The limits for stories are those of the course's own model: with {model.name} they are not asked for."
    require(distinct >= LEAST_DISTINCT, f"Your stories have a distinct-2 of {distinct:.2f}: they use the same word pairs. Let more tokens in.")
    require(
        bits <= MOST_BITS,
        f"Your stories are varied, but at {bits:.1f} bits per token the model finds them close to noise. "
        "Cut the long tail, or lower the temperature.",
    )
    _claimed(claims, accuracy, distinct, bits)
    return ""


def _claimed(claims: dict, accuracy: float, distinct: float, bits: float) -> None:
    for name, true in (("accuracy", accuracy), ("distinct-2", distinct), ("bits per token", bits)):
        require(name in claims, f"Your defence does not name {name!r}.")
        require(abs(float(claims[name]) - true) <= 0.011, f"You claim {claims[name]} for {name!r}, and {true:.2f} is measured with these settings.")


def _draws(answer: Callable, probabilities: torch.Tensor, number: int) -> list[int]:
    """Return that many draws of a learner's function, from a generator of seed 0."""
    generator = torch.Generator().manual_seed(0)
    drawn = [call(answer, probabilities.clone(), generator) for _ in range(number)]
    return [as_whole(token, "Return the index of a token, a whole number.") for token in drawn]


CHECKS = {
    "2.1": Exercise("All forecasts are made; the score stands in the widget. Now every slider is yours.", examine=_predicted),
    "2.2": TEMPERATURE,
    "2.3": TOP_K,
    "2.4": TOP_P,
    "2.5": Exercise("A tie at the edge of top-k lets all in, at the edge of top-p only as many as are needed.", examine=_boundaries),
    "2.6": TWO_ORDERS,
    "2.7": Exercise("The right shares, no token that was cut, and a seed that fixes the draw.", examine=_draw),
    "2.8": Exercise("Sure answers, varied stories, and a number for each claim.", examine=_choose),
}
