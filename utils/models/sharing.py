"""Several models on one set of weights: modules of their own, tensors in common."""

import copy

import torch
from torch import nn
from transformers import PreTrainedModel


def share(model: PreTrainedModel) -> PreTrainedModel:
    """Return a frozen copy of a model that has its own modules and the same weights in memory.

    Whatever is added to the copy's modules leaves the original as it was. A weight that
    shall change must first be made the copy's own (`own`).
    """
    tensors = {id(weight): nn.Parameter(weight.detach(), requires_grad=False) for weight in model.parameters()}
    buffers = {id(buffer): buffer for buffer in model.buffers()}
    return copy.deepcopy(model, tensors | buffers)


def own(weight: nn.Parameter) -> None:
    """Give a shared weight memory of its own and let it be trained."""
    weight.data = weight.data.clone()
    weight.requires_grad_(True)


def embeddings(model: PreTrainedModel) -> torch.Tensor:
    """Return the vectors of all tokens, shape (vocabulary, hidden size)."""
    weight = model.get_input_embeddings().weight
    assert isinstance(weight, torch.Tensor)
    return weight


def blocks(model: nn.Module) -> nn.ModuleList:
    """Return the transformer blocks that a prompt passes through: the longest list of modules in no other list.

    For an encoder-decoder model these are the decoder's.
    """
    lists = {name: module for name, module in model.named_modules() if isinstance(module, nn.ModuleList)}
    outer = [module for name, module in lists.items() if not any(name.startswith(f"{other}.") for other in lists)]
    return max(reversed(outer), key=len)
