"""What reading a text costs, part by part: parameters, floating-point operations, seconds."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
import torch
from torch import nn

from utils.errors import ContextWindowExceeded
from utils.models.language_model import LanguageModel
from utils.transformer.parts import attention_layers, inputs_of, parts_of, stacks_of
from utils.transformer.sizes import read_sizes

EMBEDDING, SCORES, OUTPUT, OTHERS = "embedding", "scores and mix", "output", "norms and others"
ATTENTION, FEED_FORWARD = "attention's matrices", "feed-forward"


def parts_by_cost(model: LanguageModel) -> dict[str, list[nn.Module]]:
    """Return the modules of a model by the part whose cost is counted, each module once."""
    found: dict[str, list[nn.Module]] = {
        EMBEDDING: [model.model.get_input_embeddings()],
        ATTENTION: [],
        FEED_FORWARD: [],
        OUTPUT: [model.model.get_output_embeddings()],
    }
    for _, blocks in stacks_of(model.model):
        for part in (part for block in blocks for part in parts_of(block)):
            if part.kind != "norm":
                found[FEED_FORWARD if part.kind == FEED_FORWARD else ATTENTION].append(part.module)
    return found


def cost_by_part(model: LanguageModel, tokens: int) -> pd.DataFrame:
    """Return parameters, and operations to read a text of so many tokens, by part; every position gets its logits.

    A matrix takes two operations for each of its numbers and tokens. The scores of a head compare
    all tokens with all, and the mix adds up all values: two operations each for each pair and number of a
    head, as the plain formula has it (a fast kernel may leave out what the mask hides). Looking a
    token up, norms, softmax and the like count as none. A matrix that two parts share counts where
    it is used first. Source: J. Kaplan et al., arXiv 2001.08361, section 2.1.
    """
    parts, sizes = parts_by_cost(model), read_sizes(model.model.config)
    parameters = dict(_counted(parts))
    whole = sum(weight.numel() for weight in model.model.parameters())
    attentions = sum(len(attention_layers(block)) for _, blocks in stacks_of(model.model) for block in blocks)
    operations = {name: 2 * tokens * _numbers(parts[name]) for name in (ATTENTION, FEED_FORWARD, OUTPUT)}
    operations[SCORES] = 4 * tokens**2 * sizes.heads * sizes.head_size * attentions
    parameters[OTHERS] = whole - sum(parameters.values())
    names = [EMBEDDING, ATTENTION, SCORES, FEED_FORWARD, OTHERS, OUTPUT]
    table = pd.DataFrame(
        {
            "parameters": [parameters.get(name, 0) for name in names],
            "operations": [operations.get(name, 0) for name in names],
        },
        index=pd.Index(names, name="part"),
    )
    return table.assign(
        **{f"{column} (%)": 100 * table[column] / table[column].sum() for column in ("parameters", "operations")}
    )


@torch.inference_mode()
def time_by_part(model: LanguageModel, lengths: Sequence[int]) -> pd.DataFrame:
    """Return the milliseconds that each part takes to read texts of these lengths: a row a part, a column a length.

    Scores, softmax and mix are what attention takes beyond its matrices. Measured, the faster of two runs: what
    else the machine does changes it. Raises ContextWindowExceeded.
    """
    return pd.DataFrame({length: _times(model, length) for length in lengths}).rename_axis("milliseconds")


def _times(model: LanguageModel, length: int) -> dict[str, float]:
    if length > model.context_window:
        raise ContextWindowExceeded(
            f"A text of {length:,} tokens is longer than the context window, {model.context_window:,}: "
            "give a shorter one."
        )
    inputs = {name: ids[:, :1].expand(-1, length) for name, ids in inputs_of(model, "a").items()}
    return min((_timed(model, inputs) for _ in range(2)), key=lambda run: sum(run.values()))


def _timed(model: LanguageModel, inputs: dict[str, torch.Tensor]) -> dict[str, float]:
    attention = [layer for _, blocks in stacks_of(model.model) for block in blocks for layer in attention_layers(block)]
    clocks = {name: Clock(modules) for name, modules in {**parts_by_cost(model), SCORES: attention}.items()}
    whole = Clock([model.model])
    try:
        model.model(**inputs, use_cache=False)
    finally:
        for clock in (whole, *clocks.values()):
            clock.stop()
    spent = {name: clock.milliseconds for name, clock in clocks.items()}
    spent[SCORES] -= spent[ATTENTION]
    return {**spent, OTHERS: whole.milliseconds - sum(spent.values())}


class Clock:
    """Adds up the time that some modules take, none of them inside another, until it is stopped."""

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self.milliseconds = 0.0
        self._handles = [
            handle
            for module in modules
            for handle in (module.register_forward_pre_hook(self._begin), module.register_forward_hook(self._end))
        ]
        self._begun = 0.0

    def stop(self) -> None:
        """Leave the modules as they were."""
        for handle in self._handles:
            handle.remove()

    def _begin(self, *_: Any) -> None:
        self._begun = time.perf_counter()

    def _end(self, *_: Any) -> None:
        self.milliseconds += 1000 * (time.perf_counter() - self._begun)


def _numbers(modules: Sequence[nn.Module]) -> int:
    return sum(weight.numel() for module in modules for name, weight in module.named_parameters() if "bias" not in name)


def _counted(parts: dict[str, list[nn.Module]]) -> Iterator[tuple[str, int]]:
    """Yield how many parameters each part has, each counted where it comes first."""
    seen: set[int] = set()
    for name, modules in parts.items():
        weights = {id(weight): weight for module in modules for weight in module.parameters()}
        yield name, sum(weight.numel() for key, weight in weights.items() if key not in seen)
        seen |= weights.keys()
