"""LoRA on one layer, by hand: a change of a matrix that is the product of two thin ones.

Source: E.J. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022.
Shapes: weight (outputs, inputs); a (rank, inputs); b (outputs, rank).
"""

import torch


def delta(a: torch.Tensor, b: torch.Tensor, *, alpha: float) -> torch.Tensor:
    """Return the change of the weight: alpha / rank times b a, shape (outputs, inputs)."""
    return alpha / len(a) * b @ a


def forward(x: torch.Tensor, weight: torch.Tensor, a: torch.Tensor, b: torch.Tensor, *, alpha: float) -> torch.Tensor:
    """Return the layer's output with the adapter beside it, x of shape (..., inputs); the change is never built."""
    return x @ weight.T + alpha / len(a) * (x @ a.T) @ b.T


def low_rank(matrix: torch.Tensor, rank: int) -> torch.Tensor:
    """Return the best low-rank approximation, by singular value decomposition (C. Eckart and G. Young, 1936)."""
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    return u[:, :rank] * s[:rank] @ v[:rank]


def relative_error(matrix: torch.Tensor, other: torch.Tensor) -> float:
    """Return the relative error in the Frobenius norm: 0 the same matrix, 1 as far away as zeros."""
    return ((matrix - other).norm() / matrix.norm()).item()
