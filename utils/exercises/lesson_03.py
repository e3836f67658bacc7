"""The exercises of lesson 03, the transformer, opened."""

import random
from collections.abc import Callable

import torch

from utils.exercises.exercise import Case, Exercise, Property, Wrong, generated
from utils.exercises.reading import as_tensor, as_whole


def _numbers(draw: random.Random, *shape: int) -> torch.Tensor:
    count = torch.Size(shape).numel()
    return torch.tensor([round(draw.gauss(0, 2), 2) for _ in range(count)]).reshape(shape)


def _rows(draw: random.Random) -> tuple[torch.Tensor, ...]:
    tokens, size = draw.randint(2, 4), draw.randint(3, 6)
    return tuple(_numbers(draw, *shape) for shape in ((tokens, size), (size,), (size,)))


def _norm(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, *, dim: int | tuple[int, ...] = -1, unbiased: bool = False) -> torch.Tensor:
    centred = x - x.mean(dim, keepdim=True)
    variance = x.var(dim, keepdim=True, correction=int(unbiased))
    return centred / (variance + 1e-5).sqrt() * weight + bias


ROW = torch.tensor([[1.0, 2.0, 6.0]])
ONES, ZEROS = torch.ones(3), torch.zeros(3)
LAYER_NORM = Exercise(
    "Each row has mean 0 and variance 1 before weight and bias; RMS norm leaves out the mean and the bias.",
    call="layer_norm(x, weight, bias)",
    cases=[
        Case((ROW, ONES, ZEROS), "Subtract the row's mean, then divide by the root of the variance plus 1e-5."),
        Case((ROW, ONES, torch.tensor([1.0, 2.0, 3.0])), "The bias is added last, to every row."),
        Case((ROW, torch.tensor([1.0, 2.0, 3.0]), ZEROS), "Each number of a row is multiplied by its own weight."),
        *generated(_rows, why="Each row is normed by itself, with its own mean and variance."),
        Case(
            (torch.full((1, 3), 4.0), ONES, torch.tensor([1.0, 2.0, 3.0])),
            "A row of equal numbers has the variance 0: the 1e-5 keeps it from being divided by 0, and the bias is left.",
            edge="a row of equal numbers",
        ),
        Case(
            (torch.tensor([[0.001, 0.002, 0.006]]), ONES, ZEROS),
            "The 1e-5 is added to the variance, before the root: with small numbers that makes a difference.",
            edge="small numbers",
        ),
    ],
    right=lambda x, weight, bias: torch.nn.functional.layer_norm(x, (x.shape[-1],), weight, bias),
    mistakes=[
        Wrong(
            lambda x, weight, bias: x / (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * weight + bias,
            "This is RMS norm with a bias: layer norm subtracts each row's mean first.",
        ),
        Wrong(
            lambda x, weight, bias: (x - x.mean(-1, keepdim=True)) / (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * weight + bias,
            "The mean is subtracted, but you divide by the mean square of x itself: the variance is that of the distances from the mean.",
        ),
        Wrong(
            lambda x, weight, bias: (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, correction=0) + 1e-5) * weight + bias,
            "You divide by the variance: its root is asked for.",
        ),
        Wrong(
            lambda x, weight, bias: _norm(x, weight, bias, unbiased=True),
            "Your variance divides by one number fewer than there are, as torch's var and std do by default: take the plain mean of the squared distances.",
        ),
        Wrong(
            lambda x, weight, bias: _norm(x, weight, bias, dim=0), "You take mean and variance over the tokens: each token's row is normed by itself."
        ),
        Wrong(
            lambda x, weight, bias: _norm(x, weight, bias, dim=(0, 1)),
            "You take one mean and variance of all numbers: each token's row is normed by itself.",
        ),
        Wrong(lambda x, weight, bias: _norm(x, torch.ones_like(weight), bias), "The weight is missing: multiply by it before the bias is added."),
        Wrong(lambda x, weight, bias: _norm(x, weight, torch.zeros_like(bias)), "The bias is missing: it is added last."),
        Wrong(
            lambda x, weight, bias: (_norm(x, torch.ones_like(weight), torch.zeros_like(bias)) + bias) * weight,
            "The bias is multiplied, too: first comes the weight, then the bias.",
        ),
        Wrong(lambda x, weight, bias: (x - x.mean(-1, keepdim=True)) * weight + bias, "The mean is subtracted, but the division is missing."),
    ],
    properties=[
        Property(lambda got, case: got.shape == case.given[0].shape, "As many rows and numbers as x has are asked for."),
        Property(lambda got, case: got.isfinite().all(), lambda got, case: f"There is a NaN or an infinity in it. {case.why if case.edge else ''}"),
    ],
    read=lambda value: as_tensor(value, "a tensor of the shape of x"),
)


def _shares(scores: torch.Tensor, window: int, *, seen: Callable[[torch.Tensor, int], torch.Tensor] | None = None, dim: int = -1) -> torch.Tensor:
    """Return the shares of what is seen, the last `window` tokens, or what a wrong mask says; without a NaN."""
    back = torch.arange(len(scores))[:, None] - torch.arange(len(scores))
    mask = (back >= 0) & (back < window) if seen is None else seen(back, window)
    return scores.masked_fill(~mask, -torch.inf).softmax(dim).nan_to_num()


def _scores(draw: random.Random) -> tuple[torch.Tensor, int]:
    tokens = draw.randint(4, 7)
    return _numbers(draw, tokens, tokens), draw.randint(2, tokens - 1)


FOUR = _numbers(random.Random(1), 4, 4)
WINDOW = Exercise(
    "Every row sums to 1, and no token looks ahead or too far back.",
    call="windowed_shares(scores, window)",
    cases=[
        Case((torch.zeros(3, 3), 2), "With equal scores and a window of 2, the third token sees the second and itself, half and half."),
        Case((FOUR, 3), "The fourth token sees the second, the third and itself, and the first no more."),
        *generated(_scores, why="Position i sees position j if j is at most i and more than i - window; softmax shares 1 among what is seen."),
        Case((FOUR, 1), "With a window of 1 a token sees only itself, with a share of 1.", edge="a window of 1"),
        Case((FOUR, 9), "With a window longer than the text, only what comes later is hidden.", edge="a window longer than the text"),
        Case((FOUR + 200, 2), "Scores far above 0 overflow where exp is taken by hand: softmax subtracts the largest first.", edge="large scores"),
        Case((torch.zeros(1, 1), 2), "One token sees itself.", edge="a text of one token"),
    ],
    right=_shares,
    mistakes=[
        Wrong(
            lambda x, n: _shares(x, n + 1),
            "The window is one token too long: a token itself counts as one of its last tokens.",
        ),
        Wrong(
            lambda x, n: _shares(x, max(n - 1, 1)),
            "The window is one token too short: a window of 2 is a token itself and the one before it.",
        ),
        Wrong(lambda x, n: _shares(x, len(x)), "What comes later is hidden, but what is further back than the window is still seen."),
        Wrong(
            lambda x, n: _shares(x, n, seen=lambda back, n: back < n),
            "What is too far back is hidden, but a token still sees those that come later.",
        ),
        Wrong(
            lambda x, n: _shares(x, n, seen=lambda back, n: (back <= 0) & (back > -n)), "Your tokens look ahead: rows are queries, columns are keys."
        ),
        Wrong(lambda x, n: _shares(x, n, seen=lambda back, n: back.abs() < n), "Your window reaches to both sides: what comes later is hidden, too."),
        Wrong(lambda x, n: x.softmax(-1), "Nothing is hidden: every token sees every other one."),
        Wrong(
            lambda x, n: x.softmax(-1) * (_shares(x, n) > 0),
            "The hidden shares are set to 0 after the softmax, and the rest no longer sums to 1: hide the scores before it.",
        ),
        Wrong(
            lambda x, n: (x * (_shares(x, n) > 0)).softmax(-1),
            "A hidden score of 0 still gets a share, since exp(0) is 1: minus infinity gets none.",
        ),
        Wrong(lambda x, n: _shares(x, n, dim=0), "The softmax goes down the columns: each row, a query, shares 1 among its keys."),
        Wrong(
            lambda x, n: torch.where(_shares(x, n) > 0, x, -torch.inf),
            "The scores are hidden, but the softmax is missing, which makes shares of them.",
        ),
    ],
    properties=[
        Property(lambda got, case: got.shape == case.given[0].shape, "One share for each pair of a query and a key is asked for."),
        Property(
            lambda got, case: not got.isnan().any(),
            lambda got, case: f"There is a NaN in it: does a row see nothing at all? {case.why if case.edge else ''}",
        ),
    ],
    read=lambda value: as_tensor(value, "a tensor of shares"),
)


def _parameters(
    hidden: int, heads: int, key_value_heads: int, head_size: int, wide: int, *, matrices: int = 3, norms: int = 2, output: int = 1
) -> int:
    attention = hidden * head_size * ((1 + output) * heads + 2 * key_value_heads)
    return attention + matrices * hidden * wide + norms * hidden


def _sizes(draw: random.Random) -> tuple[int, ...]:
    groups, shared = draw.randint(2, 4), draw.randint(1, 4)
    return 2 * draw.randint(5, 50), groups * shared, shared, 4 * draw.randint(1, 16), draw.randint(10, 200)


PARAMETERS = Exercise(
    "The feed-forward net holds most of a block.",
    call="block_parameters(hidden, heads, key_value_heads, head_size, wide)",
    cases=[
        Case(
            (8, 2, 1, 4, 16),
            "Queries and output have a matrix of hidden x heads * head_size each; keys and values one of hidden x key_value_heads * head_size each.",
        ),
        Case((576, 9, 3, 64, 1536), "This is the block of the course's own model: add up the shapes that the first section prints."),
        *generated(_sizes, why="Four matrices of attention, three of the feed-forward net, two norms of `hidden` numbers each."),
    ],
    right=_parameters,
    mistakes=[
        Wrong(
            lambda h, q, kv, s, w: _parameters(h, q, q, s, w),
            "Keys and values are counted with as many heads as the queries: they have `key_value_heads`.",
        ),
        Wrong(lambda h, q, kv, s, w: _parameters(h, q, kv, s, w, matrices=2), "A gated feed-forward net has three matrices: gate, up and down."),
        Wrong(lambda h, q, kv, s, w: _parameters(h, q, kv, s, w, norms=0), "The two norms are missing: each has `hidden` parameters."),
        Wrong(lambda h, q, kv, s, w: _parameters(h, q, kv, s, w, norms=1), "One norm is missing: there is one before each of the two branches."),
        Wrong(lambda h, q, kv, s, w: _parameters(h, q, kv, s, w, output=0), "The output matrix is missing, which follows the mix of the values."),
        Wrong(
            lambda h, q, kv, s, w: 4 * h * h + 3 * h * w + 2 * h,
            "The matrices of attention are not all hidden x hidden: count heads and head_size, and the shared keys and values.",
        ),
        Wrong(
            lambda h, q, kv, s, w: _parameters(h, q, kv, 1, w),
            "Each head has `head_size` numbers: a matrix of queries has hidden x heads * head_size.",
        ),
        Wrong(
            lambda h, q, kv, s, w: _parameters(h, q, kv, s, w) + 2 * h + h + (q + 2 * kv) * s + 2 * w,
            "These matrices have no biases: leave them out.",
        ),
    ],
    read=lambda value: as_whole(value, "the number of parameters"),
)

CHECKS = {"03.1": LAYER_NORM, "03.2": WINDOW, "03.3": PARAMETERS}
