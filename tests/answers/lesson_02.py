"""What learners answer to the exercises of lesson 02: right answers in different styles, and plausible wrong ones.

Each wrong answer stands beside a pattern of the sentence that it must get.
"""

import math
from typing import Any

import numpy as np
import torch

from tests import masters

MASTER = masters.names("02")
SOLUTIONS = masters.answers("02", MASTER)

# 02.1, right


def smooth_in_a_loop(counts, shorter):
    total, kinds, found = 0, 0, []
    for count in counts:
        total += count
        if count > 0:
            kinds += 1
    for place in range(len(shorter)):
        if total:
            found.append((counts[place] + kinds * shorter[place]) / (total + kinds))
        else:
            found.append(shorter[place])
    return found


def smooth_in_numpy(counts, shorter):
    counts, shorter = np.array(counts), np.array(shorter)
    if not counts.any():
        return shorter
    kinds = np.count_nonzero(counts)
    return (counts + kinds * shorter) / (counts.sum() + kinds)


def smooth_as_a_mixture(counts, shorter):
    counts, shorter = torch.tensor(counts).double(), torch.tensor(shorter).double()
    if counts.sum() == 0:
        return shorter
    weight = counts.sum() / (counts.sum() + counts.count_nonzero())
    return weight * counts / counts.sum() + (1 - weight) * shorter


# 02.1, wrong


def plain_shares(counts, shorter):
    return [count / sum(counts) if sum(counts) else p for count, p in zip(counts, shorter, strict=True)]


def length_for_kinds(counts, shorter):
    kinds = len(counts)
    return [(count + kinds * p) / (sum(counts) + kinds) for count, p in zip(counts, shorter, strict=True)]


def always_one(counts, shorter):
    return [(count + p) / (sum(counts) + 1) for count, p in zip(counts, shorter, strict=True)]


def divides_by_the_counts_alone(counts, shorter):
    kinds = sum(count > 0 for count in counts)
    return [(count + kinds * p) / sum(counts) for count, p in zip(counts, shorter, strict=True)]


def adds_one(counts, shorter):
    return [(count + 1) / (sum(counts) + len(counts)) for count in counts]


def breaks_where_nothing_was_seen(counts, shorter):
    kinds = sum(count > 0 for count in counts)
    return [(count + kinds * p) / (sum(counts) + kinds) for count, p in zip(counts, shorter, strict=True)]


def one_number(counts, shorter):
    return smooth_in_a_loop(counts, shorter)[0]


# 02.2, right


def bits_in_a_loop(log_probabilities, text):
    bits = 0
    for one in log_probabilities:
        bits -= one / math.log(2)
    return bits / len(text.encode("utf8"))


def bits_in_numpy(logs, text):
    return -np.log2(np.exp(logs)).sum() / len(bytes(text, "utf8"))


def bits_in_torch(logs, text):
    return -torch.tensor(logs).double().sum() / torch.log(torch.tensor(2.0)).double() / len(text.encode())


# 02.2, wrong


def without_the_sign(logs, text):
    return sum(logs) / math.log(2) / len(text.encode())


def in_nats(logs, text):
    return -sum(logs) / len(text.encode())


def per_character(logs, text):
    return -sum(logs) / math.log(2) / len(text)


def per_token(logs, text):
    return -sum(logs) / math.log(2) / len(logs)


def all_bits(logs, text):
    return -sum(logs) / math.log(2)


def times_log_2(logs, text):
    return -sum(logs) * math.log(2) / len(text.encode())


def as_perplexity(logs, text):
    return 2 ** bits_in_a_loop(logs, text)


# 02.3, right


def step_with_matmul(x, state, W, U, b):
    return torch.matmul(W, x).add(torch.matmul(U, state)).add(b).tanh()


def step_in_numpy(x, state, W, U, b):
    return np.tanh(W.numpy() @ x.numpy() + U.numpy() @ state.numpy() + b.numpy())


def step_in_loops(x, state, W, U, b):
    new = []
    for row, past, constant in zip(W.tolist(), U.tolist(), b.tolist(), strict=True):
        total = sum(w * value for w, value in zip(row, x.tolist(), strict=True))
        total += sum(u * value for u, value in zip(past, state.tolist(), strict=True))
        new.append(math.tanh(total + constant))
    return new


# 02.3, wrong


def without_tanh(x, state, W, U, b):
    return W @ x + U @ state + b


def without_b(x, state, W, U, b):
    return torch.tanh(W @ x + U @ state)


def without_the_state(x, state, W, U, b):
    return torch.tanh(W @ x + b)


def turned_round(x, state, W, U, b):
    return torch.tanh(W @ x + state @ U + b)


def with_sigmoid(x, state, W, U, b):
    return torch.sigmoid(W @ x + U @ state + b)


def b_outside(x, state, W, U, b):
    return torch.tanh(W @ x + U @ state) + b


def changes_the_state(x, state, W, U, b):
    state.copy_(torch.tanh(W @ x + U @ state + b))
    return state


RIGHT: dict[str, list] = {
    "02.1": [SOLUTIONS["02.1"], smooth_in_a_loop, smooth_in_numpy, smooth_as_a_mixture],
    "02.2": [SOLUTIONS["02.2"], bits_in_a_loop, bits_in_numpy, bits_in_torch],
    "02.3": [SOLUTIONS["02.3"], step_with_matmul, step_in_numpy, step_in_loops],
}
WRONG: dict[str, list] = {
    "02.1": [
        (plain_shares, "plain shares of the counts"),
        (length_for_kinds, "not the length of the list"),
        (always_one, "has the weight 1 here"),
        (divides_by_the_counts_alone, "sum to more than 1"),
        (adds_one, "does not look at the shorter context"),
        (breaks_where_nothing_was_seen, "never seen"),
        (one_number, "list of probabilities"),
    ],
    "02.2": [
        (without_the_sign, "sign is missing"),
        (in_nats, "These are nats"),
        (per_character, "Characters are counted"),
        (per_token, "bits per token"),
        (all_bits, "divide by its bytes"),
        (times_log_2, "multiply by log 2"),
        (as_perplexity, "perplexity"),
    ],
    "02.3": [
        (without_tanh, "tanh is missing"),
        (without_b, "b is left out"),
        (without_the_state, "remembers nothing"),
        (turned_round, "wrong way round"),
        (with_sigmoid, "sigmoid"),
        (b_outside, "inside of tanh"),
        (changes_the_state, "changed `state`"),
    ],
}
GIVEN: dict[str, dict[str, Any]] = {}
PATCHES: dict[str, Any] = {}
EXPLAINED: dict[tuple[str, str], str] = {}
