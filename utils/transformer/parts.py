"""The parts of a transformer, in every kind: stacks of blocks, and in a block norms and the matrices of its layers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from utils.arguments import whole_number
from utils.internals import is_attention, part_of_a_block
from utils.models.language_model import LanguageModel
from utils.models.sharing import blocks


@dataclass(frozen=True)
class Part:
    """A norm or a matrix of a block. kind: "norm", "self-attention", "cross-attention" or "feed-forward"."""

    kind: str
    name: str
    module: nn.Module


def parts_of(block: nn.Module) -> list[Part]:
    """Return the norms and matrices of a block, in the order in which it has them."""
    kinds = [(part_of_a_block(name, module), name, module) for name, module in block.named_modules()]
    return [Part(kind, name, module) for kind, name, module in kinds if kind]


def last_of(block: nn.Module, kind: str) -> nn.Module:
    """Return the matrix with which a block's layer ends: what it makes is added to the residual stream."""
    return [part.module for part in parts_of(block) if part.kind == kind][-1]


def attention_layers(block: nn.Module) -> list[nn.Module]:
    """Return the attention layers of a block, each with all its matrices."""
    whole: dict[str, nn.Module] = {}
    for part in parts_of(block):
        if part.kind.endswith("attention"):
            steps = part.name.split(".")
            path = next(".".join(steps[: n + 1]) for n, step in enumerate(steps) if is_attention(step))
            whole[path] = block.get_submodule(path)
    return list(whole.values())


def decoder_blocks(model: LanguageModel) -> nn.ModuleList:
    """Return the blocks that write, the decoder's where there is an encoder, too."""
    return blocks(model.model.get_decoder() if model.is_encoder_decoder else model.model)


def block_at(model: LanguageModel, layer: Any) -> nn.Module:
    """Return a block by its number, from 0. Raises UnsupportedSetting for a layer that does not exist."""
    found = decoder_blocks(model)
    last = len(found) - 1
    return found[whole_number(layer, f"the layer is a whole number from 0 to {last}", least=0, most=last)]


def inputs_of(model: LanguageModel, prompt: str) -> dict[str, torch.Tensor]:
    """Return what a forward pass reads: a prompt, and behind an encoder the token that a completion begins with."""
    model.check_window(prompt, max_new_tokens=1)
    ids = torch.tensor([model.encode(prompt)], device=model.device)
    if not model.is_encoder_decoder:
        return {"input_ids": ids}
    return {"input_ids": ids, "decoder_input_ids": torch.full_like(ids[:, :1], model.decoder_start)}


def hidden_states(output: Any) -> Any:
    """Return the hidden states among what a module takes or gives: the first of several things."""
    return output[0] if isinstance(output, tuple) and output else output


def with_states(output: Any, states: torch.Tensor) -> Any:
    """Return what a module gives with other hidden states in it."""
    return (states, *output[1:]) if isinstance(output, tuple) else states


def stacks_of(model: PreTrainedModel) -> Iterator[tuple[str, nn.ModuleList]]:
    """Yield each stack of blocks with its name, "encoder" or "decoder", in the order in which a text passes them."""
    if model.config.is_encoder_decoder:
        yield "encoder", blocks(model.get_encoder())
        yield "decoder", blocks(model.get_decoder())
    else:
        only = blocks(model)
        causal = any(getattr(module, "is_causal", False) for module in only.modules())
        yield "decoder" if causal else "encoder", only
