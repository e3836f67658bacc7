"""What learners answer to the exercises of lesson 03: right answers in several styles, and plausible wrong ones."""

import math

import numpy as np
import torch
from torch import nn

from tests import masters

RIGHT: dict[str, list] = {}
WRONG: dict[str, list[tuple]] = {}
GIVEN: dict[str, dict] = {}
MASTER = masters.names("03")
PATCHES: dict[str, object] = {}
TWO = "A tensor of two dimensions has its last one at 1, too."
EXPLAINED: dict[tuple[str, str], str] = {
    ("03.1", "centred = x - x.mean(-1, keepdim=True) -> centred = x - x.mean(+1, keepdim=True)"): TWO,
    (
        "03.1",
        "variance = centred.pow(2).mean(-1, keepdim=True) -> variance = centred.pow(2).mean(+1, keepdim=True)",
    ): TWO,
    (
        "03.2",
        "return scores.masked_fill(~seen, -torch.inf).softmax(-1) -> "
        "return scores.masked_fill(~seen, -torch.inf).softmax(+1)",
    ): TWO,
}


def norm_in_a_loop(x, weight, bias):
    rows = []
    for row in x.tolist():
        mean = sum(row) / len(row)
        variance = sum((number - mean) ** 2 for number in row) / len(row)
        scale = math.sqrt(variance + 1e-5)
        rows.append([(n - mean) / scale * w + b for n, w, b in zip(row, weight.tolist(), bias.tolist(), strict=True)])
    return torch.tensor(rows)


def norm_in_numpy(x, weight, bias):
    rows = x.numpy()
    normed = (rows - rows.mean(-1, keepdims=True)) / np.sqrt(rows.var(-1, keepdims=True) + 1e-5)
    return normed * weight.numpy() + bias.numpy()


def norm_as_a_module(x, weight, bias):
    module = nn.LayerNorm(x.shape[-1])
    module.weight.data, module.bias.data = weight, bias
    return module(x)


def norm_changes_x(x, weight, bias):
    x -= x.mean(-1, keepdim=True)
    return x / (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * weight + bias


RIGHT["03.1"] = [
    lambda x, weight, bias: nn.functional.layer_norm(x, x.shape[-1:], weight, bias),
    norm_in_a_loop,
    norm_in_numpy,
    norm_as_a_module,
]
WRONG["03.1"] = [
    (
        lambda x, weight, bias: x / (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * weight + bias,
        "RMS norm with a bias",
    ),
    (
        lambda x, weight, bias: (
            (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True) + 1e-5).sqrt() * weight + bias
        ),
        "one number fewer",
    ),
    (
        lambda x, weight, bias: (x - x.mean(0)) / (x.var(0, correction=0) + 1e-5).sqrt() * weight + bias,
        "over the tokens",
    ),
    (lambda x, weight, bias: (x - x.mean()) / (x.var(correction=0) + 1e-5).sqrt() * weight + bias, "of all numbers"),
    (
        lambda x, weight, bias: (
            (x - x.mean(-1, keepdim=True)) / x.var(-1, keepdim=True, correction=0).sqrt() * weight + bias
        ),
        "row of equal numbers: .*NaN",
    ),
    (
        lambda x, weight, bias: (
            (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True, correction=0) + 1e-5) * weight + bias
        ),
        "before the root",
    ),
    (lambda x, weight, bias: nn.functional.layer_norm(x, x.shape[-1:], weight), "bias is missing"),
    (norm_changes_x, "changed `x`, which belongs to the caller"),
]


def window_in_loops(scores, window):
    rows = []
    for i, row in enumerate(scores.tolist()):
        seen = {j: score for j, score in enumerate(row) if i - window < j <= i}
        highest = max(seen.values())
        total = sum(math.exp(score - highest) for score in seen.values())
        rows.append([math.exp(row[j] - highest) / total if j in seen else 0.0 for j in range(len(row))])
    return rows


def window_by_distance(scores, window):
    position = torch.arange(len(scores))
    back = position[:, None] - position[None, :]
    hidden = (back < 0) | (back >= window)
    return torch.softmax(scores.masked_fill(hidden, float("-inf")), dim=1)


def window_in_numpy(scores, window):
    seen = np.tril(np.ones(scores.shape)) - np.tril(np.ones(scores.shape), -window)
    raised = np.where(seen > 0, np.exp(scores.numpy() - np.where(seen > 0, scores, -1e9).max(1, keepdims=True)), 0)
    return raised / raised.sum(1, keepdims=True)


def window_added(scores, window):
    mask = torch.full_like(scores, -1e9).triu(1) + torch.full_like(scores, -1e9).tril(-window)
    return (scores + mask).softmax(-1)


RIGHT["03.2"] = [window_in_loops, window_by_distance, window_in_numpy, window_added]
WRONG["03.2"] = [
    (
        lambda s, w: s.masked_fill(~torch.ones_like(s).tril().triu(-w).bool(), -torch.inf).softmax(-1),
        "one token too long",
    ),
    (lambda s, w: s.masked_fill(~torch.ones_like(s).tril().bool(), -torch.inf).softmax(-1), "further back"),
    (lambda s, w: s.masked_fill(torch.ones_like(s).tril(-w).bool(), -torch.inf).softmax(-1), "come later"),
    (lambda s, w: s.softmax(-1) * torch.ones_like(s).tril().triu(1 - w), "no longer sums to 1"),
    (lambda s, w: (s * torch.ones_like(s).tril().triu(1 - w)).softmax(-1), "exp\\(0\\) is 1"),
    (
        lambda s, w: s.masked_fill(~torch.ones_like(s).tril().triu(1 - w).bool(), -torch.inf).softmax(0),
        "down the columns",
    ),
    (lambda s, w: s.masked_fill(~torch.ones_like(s).tril(-1).triu(-w).bool(), -torch.inf).softmax(-1), "NaN"),
    (
        lambda s, w: (
            s.exp()
            * torch.ones_like(s).tril().triu(1 - w)
            / (s.exp() * torch.ones_like(s).tril().triu(1 - w)).sum(-1, keepdim=True)
        ),
        "large scores",
    ),
]


def parameters_by_shapes(hidden, heads, key_value_heads, head_size, wide):
    queries, shared = heads * head_size, key_value_heads * head_size
    shapes = [(queries, hidden), (shared, hidden), (shared, hidden), (hidden, queries)]
    shapes += [(wide, hidden), (wide, hidden), (hidden, wide), (hidden, 1), (hidden, 1)]
    return sum(rows * columns for rows, columns in shapes)


def parameters_by_modules(hidden, heads, key_value_heads, head_size, wide):
    sizes = [heads * head_size] * 2 + [key_value_heads * head_size] * 2 + [wide] * 3
    modules = [nn.Linear(hidden, size, bias=False) for size in sizes]
    return sum(module.weight.numel() for module in modules) + 2 * hidden


RIGHT["03.3"] = [
    lambda h, q, kv, s, w: h * (2 * s * (q + kv) + 3 * w + 2),
    parameters_by_shapes,
    parameters_by_modules,
    lambda h, q, kv, s, w: torch.tensor(2 * h * s * q + 2 * h * s * kv + 3 * h * w + 2 * h),
]
WRONG["03.3"] = [
    (lambda h, q, kv, s, w: h * (4 * s * q + 3 * w + 2), "as many heads as the queries"),
    (lambda h, q, kv, s, w: h * (2 * s * (q + kv) + 2 * w + 2), "three matrices"),
    (lambda h, q, kv, s, w: h * (2 * s * (q + kv) + 3 * w), "two norms are missing"),
    (lambda h, q, kv, s, w: h * (s * (q + 2 * kv) + 3 * w + 2), "output matrix is missing"),
    (lambda h, q, kv, s, w: 4 * h * h + 3 * h * w + 2 * h, "not all hidden x hidden"),
    (lambda h, q, kv, s, w: h * (2 * s * (q + kv) + 3 * w + 1), "One norm is missing"),
    (lambda h, q, kv, s, w: f"{h * (2 * s * (q + kv) + 3 * w + 2):,}", "number of parameters"),
]
