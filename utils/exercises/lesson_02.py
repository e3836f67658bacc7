"""The exercises of lesson 02, text generation before transformers."""

import math
from collections.abc import Sequence
from random import Random

import torch

from utils.exercises.exercise import Case, Exercise, Property, Wrong, generated
from utils.exercises.reading import as_number, as_numbers, as_tensor

Numbers = Sequence[float]

# 02.1: smoothing


def _smooth(counts: Numbers, shorter: Numbers) -> tuple[float, ...]:
    total, kinds = sum(counts), sum(count > 0 for count in counts)
    if not total:
        return tuple(shorter)
    return tuple((count + kinds * p) / (total + kinds) for count, p in zip(counts, shorter, strict=True))


def _weighed(counts: Numbers, shorter: Numbers, weight: float) -> tuple[float, ...]:
    total = sum(counts)
    return tuple((count + weight * p) / (total + weight) for count, p in zip(counts, shorter, strict=True))


def _random_counts(draw: Random) -> tuple[list[int], list[float]]:
    counts = [draw.choice((0, 0, 1, 2, 3, 9)) for _ in range(draw.randint(3, 8))]
    counts[0] = draw.randint(1, 5)
    weights = [draw.randint(1, 9) for _ in counts]
    return counts, [weight / sum(weights) for weight in weights]


FORMULA = "Each count plus kinds times its shorter probability is divided by the sum of all counts plus kinds."
SMOOTH = Exercise(
    "What was counted and the shorter context share the probability, and nothing is left at zero.",
    call="smooth(counts, shorter)",
    cases=[
        Case(([4, 0, 1], [0.2, 0.5, 0.3]), "Two kinds followed, 5 times in all: the first has (4 + 2 * 0.2) / (5 + 2)."),
        Case(([1, 1, 1, 1], [0.1, 0.2, 0.3, 0.4]), FORMULA),
        *generated(_random_counts, why=FORMULA),
        Case(([0, 0, 0], [0.2, 0.5, 0.3]), "The answer is that of the shorter context.", edge="a context that was never seen"),
        Case(([7], [1.0]), FORMULA, edge="a vocabulary of one token"),
    ],
    right=_smooth,
    read=lambda value: as_numbers(value, asked="a list of probabilities"),
    properties=[
        Property(
            lambda got, case: len(got) == len(case.given[1]),
            lambda got, case: f"One probability for each token is asked for: {len(case.given[1])} here, not {len(got)}.",
        ),
    ],
    mistakes=[
        Wrong(lambda c, s: [x / sum(c) for x in c], "These are the plain shares of the counts: what never followed has 0 still."),
        Wrong(lambda c, s: _weighed(c, s, len(c)), "Kinds is the number of tokens with a count above 0, not the length of the list."),
        Wrong(lambda c, s: _weighed(c, s, 1), "The shorter context has the weight 1 here. Its weight is the number of kinds."),
        Wrong(lambda c, s: _weighed(c, s, sum(c)), "The shorter context has as much weight as all counts. Its weight is the number of kinds."),
        Wrong(
            lambda c, s: _weighed(c, s, len(set(c))), "Different counts are counted here. Kinds are different tokens: how many counts are above 0."
        ),
        Wrong(
            lambda c, s: [(x + sum(y > 0 for y in c) * p) / sum(c) for x, p in zip(c, s, strict=True)],
            "These sum to more than 1: the sum of the counts grows by kinds, too.",
        ),
        Wrong(
            lambda c, s: [(x + 1) / (sum(c) + len(c)) for x in c],
            "That adds one to every count and does not look at the shorter context.",
        ),
        Wrong(lambda c, s: s, "The counts change nothing here: that is the shorter context alone."),
        Wrong(
            lambda c, s: [x + sum(y > 0 for y in c) * p for x, p in zip(c, s, strict=True)],
            "These are not divided yet: divide by the sum of all counts plus kinds.",
        ),
    ],
)

# 02.2: bits per byte


def _bits_per_byte(log_probabilities: Numbers, text: str) -> float:
    return -sum(log_probabilities) / math.log(2) / len(text.encode())


def _random_text(draw: Random) -> tuple[list[float], str]:
    logs = [round(-draw.expovariate(0.5), 3) for _ in range(draw.randint(2, 9))]
    return logs, "".join(draw.choices("abc deé한", k=draw.randint(len(logs), 20)))


BITS = "Natural logarithms become bits when they are divided by log 2 and taken with the other sign."
BITS_PER_BYTE = Exercise(
    "Tokens have gone from it: models with different ones can be compared.",
    call="bits_per_byte_of(log_probabilities, text)",
    cases=[
        Case(([math.log(0.25)], "ab"), "A probability of 1/4 is 2 bits, and the text has two bytes."),
        *generated(_random_text, why=BITS),
        Case(([math.log(0.5)] * 3, "é"), "é is one character and two bytes.", edge="a letter beyond ASCII"),
        Case(([0.0, 0.0], "ab"), "A probability of 1 takes no bits.", edge="a text that was certain"),
    ],
    right=_bits_per_byte,
    read=as_number,
    mistakes=[
        Wrong(lambda p, t: -_bits_per_byte(p, t), "The sign is missing: logarithms of probabilities are below 0, bits above."),
        Wrong(lambda p, t: -sum(p) / len(t.encode()), "These are nats, of natural logarithms: divide by `np.log(2)`."),
        Wrong(lambda p, t: -sum(p) / math.log(2) / len(t), "Characters are counted: `text.encode()` gives the bytes."),
        Wrong(lambda p, t: -sum(p) / math.log(2) / len(p), "That is bits per token: another model has other tokens. Divide by the bytes."),
        Wrong(lambda p, t: -sum(p) / math.log(2), "These are the bits of the whole text: divide by its bytes."),
        Wrong(lambda p, t: -sum(p) * math.log(2) / len(t.encode()), "You multiply by log 2: divide by it."),
        Wrong(lambda p, t: -sum(p) / math.log(10) / len(t.encode()), "That is a logarithm to base 10: bits have base 2."),
        Wrong(lambda p, t: 2 ** _bits_per_byte(p, t), "That is a perplexity, 2 to the power of the bits: the bits are asked for."),
        Wrong(lambda p, t: len(t.encode()) / (-sum(p) / math.log(2)), "That is bytes per bit: the other way round."),
        Wrong(lambda p, t: -sum(p) / math.log(2) / len(t.split()), "That is bits per word: divide by the bytes."),
    ],
)

# 02.3: one step


def _random_step(draw: Random) -> tuple[torch.Tensor, ...]:
    n, m = draw.randint(2, 4), draw.randint(2, 4)
    m += n == m  # a matrix that stands the wrong way round does not fit

    def drawn(*shape: int) -> torch.Tensor:
        return torch.tensor([round(draw.gauss(0, 0.7), 2) for _ in range(math.prod(shape))]).reshape(shape)

    return drawn(n), drawn(m), drawn(m, n), drawn(m, m), drawn(m)


SUM = "tanh is taken of the whole sum: W @ x + U @ state + b."
STEP = Exercise(
    "A vector and a state go in, a state comes out: that is the whole of reading.",
    call="step(x, state, W, U, b)",
    cases=[
        Case(
            (torch.tensor([1.0, 0.0]), torch.tensor([0.5]), torch.tensor([[0.3, 9.0]]), torch.tensor([[0.4]]), torch.tensor([0.1])),
            "Here it is tanh(0.3 * 1 + 0.4 * 0.5 + 0.1), tanh of 0.6.",
        ),
        *generated(_random_step, why=SUM),
        Case((torch.ones(2), torch.zeros(3), torch.ones(3, 2), torch.ones(3, 3), torch.zeros(3)), SUM, edge="the first step, from zeros"),
    ],
    right=lambda x, state, W, U, b: torch.tanh(W @ x + U @ state + b),
    read=as_tensor,
    properties=[
        Property(
            lambda got, case: got.shape == case.given[1].shape,
            lambda got, case: f"The new state has the old one's shape, {tuple(case.given[1].shape)}; this has {tuple(got.shape)}.",
        ),
    ],
    mistakes=[
        Wrong(lambda x, s, W, U, b: W @ x + U @ s + b, "tanh is missing: without it, many steps are no more than one matrix."),
        Wrong(lambda x, s, W, U, b: torch.tanh(W @ x + U @ s), "b is left out."),
        Wrong(lambda x, s, W, U, b: torch.tanh(W @ x + b), "The old state is left out: such a network remembers nothing."),
        Wrong(lambda x, s, W, U, b: torch.tanh(U @ s + b), "The token is left out: such a network reads nothing."),
        Wrong(lambda x, s, W, U, b: torch.tanh(W @ x + s + b), "The old state comes in as it is: U @ state is asked for."),
        Wrong(lambda x, s, W, U, b: torch.tanh(W @ x + U.T @ s + b), "U stands the wrong way round: U @ state, not state @ U or U.T @ state."),
        Wrong(lambda x, s, W, U, b: torch.tanh(W @ x) + torch.tanh(U @ s) + b, SUM),
        Wrong(lambda x, s, W, U, b: torch.tanh(W @ x + U @ s) + b, "b stands inside of tanh, as a part of the sum."),
        Wrong(lambda x, s, W, U, b: torch.sigmoid(W @ x + U @ s + b), "That is the sigmoid, between 0 and 1: tanh is asked for."),
        Wrong(lambda x, s, W, U, b: torch.relu(W @ x + U @ s + b), "That is ReLU: tanh is asked for."),
        Wrong(lambda x, s, W, U, b: s + torch.tanh(W @ x + U @ s + b), "The old state is added to the new one: return the new one alone."),
    ],
)

CHECKS = {"02.1": SMOOTH, "02.2": BITS_PER_BYTE, "02.3": STEP}
