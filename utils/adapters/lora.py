"""LoRA on one layer, by hand: a change of a matrix that is the product of two thin ones.

Source: E.J. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022.
Shapes: weight (outputs, inputs); a (rank, inputs); b (outputs, rank).
"""

from typing import Any

import torch
from torch import nn

from utils.internals import base_model, lora_layers
from utils.models.language_model import LanguageModel


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


def first_layer(adapted: LanguageModel) -> tuple[str, Any]:
    """Return the first layer that a LoRA adapter stands beside, and its name in the base model."""
    inside, layer = base_model(adapted.model), lora_layers(adapted.model)[0]
    return next(name for name, module in inside.named_modules() if module is layer), layer


def layer_input(model: LanguageModel, name: str, prompt: str) -> torch.Tensor:
    """Return what a layer without an adapter is given when the model reads a prompt: shape (tokens, inputs)."""
    given: list[torch.Tensor] = []
    hook = model.model.get_submodule(name).register_forward_pre_hook(lambda _layer, inputs: given.append(inputs[0]))
    try:
        model.next_token_logits(prompt)
    finally:
        hook.remove()
    return given[0][0].clone()


def matrix(model: LanguageModel, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the weight, shape (outputs, inputs), and the bias, shape (outputs,), of a layer without an adapter.

    The bias is 0 where there is none. GPT-2 keeps its weights as (inputs, outputs).
    """
    layer: Any = model.model.get_submodule(name)
    weight = (layer.weight if isinstance(layer, nn.Linear) else layer.weight.T).detach()
    bias = getattr(layer, "bias", None)
    return weight, torch.zeros_like(weight[:, 0]) if bias is None else bias.detach()
