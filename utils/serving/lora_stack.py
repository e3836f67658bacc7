"""LoRA adapters stacked, so that rows with different ones share a batch.

The thin matrices of all adapters stand one below the other. Each token is multiplied with all of them, which costs
little, and of the inner numbers only those of its own adapter are gathered: the others count as 0. Source: the idea of
S-LoRA (Y. Sheng et al., MLSys 2024) and Punica (L. Chen et al., MLSys 2024), whose kernels gather without the zeros.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from utils.adapters.methods import not_finite
from utils.errors import TuningError
from utils.internals import base_model, lora_layers, lora_matrices
from utils.models.language_model import LanguageModel
from utils.models.packing import can_pack
from utils.serving.requests import Adapter, LoraWeights


def lora_weights(adapted: LanguageModel) -> LoraWeights | None:
    """Return a LoRA's matrices by module, None for an adapter that is more than thin matrices beside layers.

    None also for a kind of model whose rows cannot be packed. Raises TuningError for numbers that are not finite once
    they are multiplied with alpha / rank: in a stack they would reach the rows of others, as 0 times infinity is NaN.
    """
    layers = {id(layer): layer for layer in lora_layers(adapted.model)}
    inside = base_model(adapted.model)
    if not can_pack(inside):
        return None
    found: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    for name, module in inside.named_modules():
        if id(module) not in layers:
            continue
        matrices = lora_matrices(module)
        if matrices is None:
            return None
        a, b, scale = matrices
        found[name] = a.detach().clone(), b.detach() * scale
    if broken := not_finite((name, matrix) for name, pair in found.items() for matrix in pair):
        raise TuningError(f"Its lora_alpha makes {broken} infinite: tune it anew with a smaller lora_alpha.")
    return found or None


@dataclass(frozen=True)
class _Stacked:
    """The adapters of one module: a of shape (ranks, inputs), b of (outputs, ranks), owners of (ranks,)."""

    a: torch.Tensor
    b: torch.Tensor
    owners: torch.Tensor


class LoraStack:
    """The adapters of the rows in a batch, beside the layers of a model that stays as it is."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.adapters: list[Adapter] = []
        self._stacked: dict[str, _Stacked] = {}
        self._hooks: list[Any] = []
        self._chosen: torch.Tensor | None = None

    def choose(self, adapters: Sequence[Adapter | None]) -> None:
        """Say which adapter each token of the next pass has, None for the base."""
        wanted = [*dict.fromkeys(adapter for adapter in adapters if adapter is not None)]
        if not set(wanted) <= set(self.adapters):
            self._stack(wanted)
        numbers: dict[Adapter | None, int] = {adapter: number for number, adapter in enumerate(self.adapters)}
        chosen = [numbers.get(adapter, -1) for adapter in adapters]
        self._chosen = torch.tensor(chosen)[:, None] if wanted else None

    def _stack(self, adapters: list[Adapter]) -> None:
        for hook in self._hooks:
            hook.remove()
        self.adapters, self._stacked, self._hooks = adapters, {}, []
        weights = [adapter.weights or {} for adapter in adapters]
        for name in dict.fromkeys(name for each in weights for name in each):
            parts = [(number, *each[name]) for number, each in enumerate(weights) if name in each]
            module = self.model.get_submodule(name)
            self._stacked[name] = _Stacked(
                a=torch.cat([a for _, a, _ in parts]),
                b=torch.cat([b for _, _, b in parts], dim=1),
                owners=torch.tensor([number for number, a, _ in parts for _ in a], device=parts[0][1].device),
            )
            self._hooks.append(module.register_forward_hook(self._hook(name)))

    def _hook(self, name: str) -> Any:
        def add(_module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor | None:
            """Add the change that each token's own adapter makes: inputs of shape (1, tokens, size)."""
            if self._chosen is None:
                return None
            stacked = self._stacked[name]
            inner = (inputs[0] @ stacked.a.T).where(self._chosen.to(output.device) == stacked.owners, 0.0)
            return output + inner @ stacked.b.T

        return add
