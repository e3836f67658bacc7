"""What a part of a model is worth: it is switched off, and the same text is read again."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import nn

from utils.arguments import whole_number
from utils.errors import UnsupportedSetting
from utils.internals import position_modules
from utils.models.language_model import LanguageModel
from utils.progress import progress
from utils.transformer.activations import Hook, given_states, hooked
from utils.transformer.parts import block_at, last_of, with_states
from utils.transformer.sizes import read_sizes

PARTS = ("head", "attention", "feed-forward", "layer", "positions")


@dataclass(frozen=True)
class Ablation:
    """A part that is switched off. part: one of `PARTS`; layer: its block, from 0; head: of the block, from 0.

    A head, an attention or a feed-forward layer then adds nothing to the residual stream; a whole
    layer hands on what it was given; without positions, no token knows where it stands.
    """

    part: str
    layer: int | None = None
    head: int | None = None

    def __str__(self) -> str:
        if self.part in ("layer", "positions"):
            return self.part if self.layer is None else f"{self.part} {self.layer}"
        named = self.part if self.head is None else f"{self.part} {self.head}"
        return f"{named} of layer {self.layer}"


@contextmanager
def switched_off(model: LanguageModel, ablation: Ablation) -> Generator[None]:
    """Read without a part inside the `with` block; afterwards the model is as it was, however the block ends.

    Raises UnsupportedSetting for a part, layer or head that the model does not have.
    """
    if ablation.part not in PARTS:
        raise UnsupportedSetting(f"A part is one of {', '.join(PARTS)}; {ablation.part!r} was given.")
    if ablation.part == "positions":
        found = position_modules(model.model)
        if not found:
            raise UnsupportedSetting(f"{model.name} has no part for positions alone: switch off another part.")
        with hooked({module: _no_rotation if kind == "rotary" else _zeros for kind, module in found}):
            yield
        return
    block = block_at(model, ablation.layer)
    if ablation.part == "head":
        handle = last_of(block, "self-attention").register_forward_pre_hook(_without_head(model, ablation.head))
        try:
            yield
        finally:
            handle.remove()
        return
    hooks: dict[str, tuple[Callable[[], nn.Module], Hook]] = {
        "attention": (lambda: last_of(block, "self-attention"), _zeros),
        "feed-forward": (lambda: last_of(block, "feed-forward"), _zeros),
        "layer": (lambda: block, _nothing_added),
    }
    module, hook = hooks[ablation.part]
    with hooked({module(): hook}):
        yield


def ablation_table(
    model: LanguageModel, ablations: list[Ablation], measure: Callable[[LanguageModel], float]
) -> pd.DataFrame:
    """Return a row for the whole model and one for each part switched off: the measure, and how far it moved.

    measure: such as the bits per byte of a text. Raises UnsupportedSetting.
    """
    whole, measured = measure(model), {}
    for ablation in progress(ablations, "Switching parts off", total=len(ablations)):
        with switched_off(model, ablation):
            measured[str(ablation)] = measure(model)
    table = pd.DataFrame({"bits per byte": {"nothing": whole, **measured}}).rename_axis("switched off")
    return table.assign(change=table["bits per byte"] - whole)


def _without_head(model: LanguageModel, head: Any) -> Callable[[nn.Module, tuple], tuple]:
    sizes = read_sizes(model.model.config)
    last = sizes.heads - 1
    number = whole_number(head, f"the head is a whole number from 0 to {last}", least=0, most=last)
    places = slice(number * sizes.head_size, (number + 1) * sizes.head_size)

    def hook(_: nn.Module, given: tuple) -> tuple:
        mix = given[0].clone()
        mix[..., places] = 0
        return (mix, *given[1:])

    return hook


def _zeros(_: nn.Module, __: tuple, ___: Mapping[str, Any], output: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(output)


def _no_rotation(_: nn.Module, __: tuple, ___: Mapping[str, Any], output: tuple) -> tuple:
    cosine, sine = output
    return torch.ones_like(cosine), torch.zeros_like(sine)


def _nothing_added(_: nn.Module, given: tuple, named: Mapping[str, Any], output: Any) -> Any:
    return with_states(output, given_states(given, named))
