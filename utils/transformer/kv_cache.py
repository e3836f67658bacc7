"""What the KV cache saves and what it takes: tokens read and seconds at every forward pass, and bytes."""

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any, NamedTuple

import pandas as pd
import torch
from transformers import DynamicCache, EncoderDecoderCache

from utils.internals import cache_layers, ids_read
from utils.models.language_model import LanguageModel


class Pass(NamedTuple):
    """One forward pass. tokens: how many tokens a row it read. seconds: how long it took."""

    tokens: int
    seconds: float


@contextmanager
def watch_passes(model: LanguageModel) -> Generator[list[Pass]]:
    """Collect the forward passes made inside the `with` block, in order.

    Only work inside the passes is timed, not the choice of tokens. For an encoder-decoder
    model these are the passes of the decoder. The first one of a completion is the prefill.
    """
    passes: list[Pass] = []
    started: list[float] = []

    def before(*_: object) -> None:
        _wait_for(model.device)
        started.append(time.perf_counter())

    def after(_: object, args: tuple, given: dict[str, Any], __: object) -> None:
        _wait_for(model.device)
        passes.append(Pass(ids_read(args, given).shape[1], time.perf_counter() - started.pop()))

    hooks = [
        model.model.register_forward_pre_hook(before),
        model.model.register_forward_hook(after, with_kwargs=True),
    ]
    try:
        yield passes
    finally:
        for hook in hooks:
            hook.remove()


def timing_table(runs: Mapping[str, Sequence[Pass]]) -> pd.DataFrame:
    """Return a row for each completion of two tokens or more: whole milliseconds of its passes.

    Columns: the prefill, the prefill divided by its tokens, the median of the later passes.
    """
    rows = []
    for prefill, *later in runs.values():
        times = (prefill.seconds, prefill.seconds / prefill.tokens, median(one.seconds for one in later))
        rows.append([round(1000 * seconds) for seconds in times])
    names = ["prefill", "prefill, per token", "each token written after it"]
    return pd.DataFrame(rows, index=pd.Index(list(runs), name="milliseconds"), columns=names)


def cache_bytes(cache: DynamicCache | EncoderDecoderCache) -> int:
    """Return how many bytes the keys and values of all layers take."""
    return sum(tensor.nbytes for layer in cache_layers(cache) for tensor in layer)


def _wait_for(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
