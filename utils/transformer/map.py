"""A map of a model: its stacks of blocks, and the parts of a block in the order in which a text passes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from utils.internals import position_modules
from utils.transformer.activations import Hook, given_states, hooked
from utils.transformer.parts import Part, hidden_states, parts_of, stacks_of
from utils.transformer.sizes import Sizes, read_sizes


@dataclass(frozen=True)
class Step:
    """What a text passes in a block: a "norm", a layer of a kind that a `Part` has, or "add".

    "add" adds what the steps of a branch made to the residual stream that the branch began with. A norm
    is in a branch, or, where it comes after the addition, on the stream itself.
    """

    kind: str
    says: str = ""
    in_branch: bool = True


@dataclass(frozen=True)
class StackMap:
    """A stack of equal blocks, "encoder" or "decoder". causal: whether a token sees only itself and what is before it.

    first_norm, last_norm: whether there is one before the first block and behind the last.
    """

    name: str
    blocks: int
    causal: bool
    steps: tuple[Step, ...]
    first_norm: bool
    last_norm: bool


@dataclass(frozen=True)
class ModelMap:
    """The map of a model. vocabulary, hidden: its tokens, and numbers for each.

    positions: "rotary", "learned" or "relative". tied: whether the matrix that reads tokens also makes their logits;
    None where a model makes none. What an encoder has between its last block and its logits is not on the map.
    """

    vocabulary: int
    hidden: int
    positions: tuple[str, ...]
    stacks: tuple[StackMap, ...]
    tied: bool | None


@torch.inference_mode()
def model_map(model: PreTrainedModel) -> ModelMap:
    """Return the map of a model: sizes from its configuration and matrices, the order of the parts from one token."""
    sizes, output = read_sizes(model.config), model.get_output_embeddings()
    seen = _read_one_token(model)
    return ModelMap(
        sizes.vocabulary,
        sizes.hidden,
        tuple(sorted({kind for kind, _ in position_modules(model)})),
        tuple(_stack(model, name, blocks, seen, sizes) for name, blocks in stacks_of(model)),
        None if output is None else output.weight is model.get_input_embeddings().weight,
    )


Passed = dict[nn.Module, tuple[int, torch.Tensor, torch.Tensor]]
"""Modules in the order in which a text passed them first, with their place, input and output."""


def _read_one_token(model: PreTrainedModel) -> Passed:
    passed: Passed = {}

    def note(module: nn.Module, given: tuple, named: Mapping[str, Any], output: Any) -> None:
        passed.setdefault(module, (len(passed), given_states(given, named), hidden_states(output)))

    watched: dict[nn.Module, Hook] = {part.module: note for part in parts_of(model)}
    watched |= {block: note for _, blocks in stacks_of(model) for block in blocks}
    token = torch.ones((1, 1), dtype=torch.long, device=model.device)
    decoded = {"decoder_input_ids": token} if model.config.is_encoder_decoder else {}
    with hooked(watched):
        model(input_ids=token, **decoded)
    return passed


def _stack(model: PreTrainedModel, name: str, blocks: nn.ModuleList, seen: Passed, sizes: Sizes) -> StackMap:
    heads = getattr(model.config, f"{name}_attention_heads", None) or sizes.heads
    both = model.config.is_encoder_decoder
    stack = getattr(model, f"get_{name}")() if both else model.base_model
    inside = {module for block in blocks for module in block.modules()}
    norms = [part.module for part in parts_of(stack) if part.kind == "norm" and part.module not in inside]
    begun, ended = (seen[block][0] for block in (next(iter(_parts(blocks[0], seen, sizes.hidden))).module, blocks[-1]))
    places = [seen[norm][0] for norm in norms]
    return StackMap(
        name,
        len(blocks),
        name == "decoder",
        _steps(blocks[0], seen, sizes, heads),
        first_norm=any(place < begun for place in places),
        last_norm=any(place > ended for place in places),
    )


def _parts(block: nn.Module, seen: Passed, hidden: int) -> list[Part]:
    """Return a block's parts as a text passes them, without norms inside attention, which are narrower."""
    whole = [part for part in parts_of(block) if part.kind != "norm" or _size(part.module) == hidden]
    return sorted(whole, key=lambda part: seen[part.module][0])


def _steps(block: nn.Module, seen: Passed, sizes: Sizes, heads: int) -> tuple[Step, ...]:
    """Return the steps of a block: an addition ends each branch, behind a norm that is given what the layer made."""
    parts = _parts(block, seen, sizes.hidden)
    opens = parts[0].kind == "norm"
    steps: list[Step] = []
    for part, after in zip(parts, [*parts[1:], None], strict=True):
        if part.kind != "norm":
            if after and after.kind == part.kind:
                continue
            steps.append(Step(part.kind, _says(block, part.kind, sizes, heads)))
            made = seen[part.module][2]
            if not (after and after.kind == "norm" and torch.equal(seen[after.module][1], made)):
                steps.append(Step("add"))
        else:
            ends = bool(steps) and steps[-1].kind not in ("add", "norm")
            steps += [Step("norm", in_branch=opens or ends)] + [Step("add")] * ends
    return tuple(steps)


def _says(block: nn.Module, kind: str, sizes: Sizes, heads: int) -> str:
    matrices = [part.module for part in parts_of(block) if part.kind == kind]
    if kind == "feed-forward":
        gated = ", gated" if len(matrices) == 3 else ""
        return f"{_size(matrices[-1]) // sizes.hidden:,} wide{gated}"
    size = _size(matrices[-1]) // sizes.hidden // heads
    shared = f", {sizes.key_value_heads} of keys and values" if sizes.key_value_heads < heads else ""
    return f"{heads} heads of {size}{shared}"


def _size(module: nn.Module) -> int:
    return sum(weight.numel() for name, weight in module.named_parameters() if name == "weight")
