"""Seconds against the length of a text, to train and to read, on one thread and on more."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager

import pandas as pd
import torch

from utils.before_transformers.networks import Network
from utils.before_transformers.training import next_token_loss

REPEATS = 5


def seconds_table(
    networks: Mapping[str, Network], lengths: Iterable[int], *, threads: Iterable[int] = (1, 2)
) -> pd.DataFrame:
    """Return milliseconds for one text: rows (task, tokens), a column for each network and number of threads.

    Reading is a pass forward; training a pass forward and one back. The least of a few repeats, after one that is
    not counted.
    """
    lengths, columns = list(lengths), {}
    for count in threads:
        with _threads(count):
            for name, network in networks.items():
                runs = [(run, length) for run in TASKS.values() for length in lengths]
                columns[f"{name}, threads: {count}"] = [1000 * _least(run, network, length) for run, length in runs]
    return pd.DataFrame(columns, index=pd.MultiIndex.from_product([TASKS, lengths], names=["task", "tokens"]))


def _least(run: Callable[[Network, torch.Tensor], object], network: Network, length: int) -> float:
    ids = torch.arange(length + 1)[None] % 1000
    seconds = []
    for _ in range(REPEATS + 1):
        begun = time.perf_counter()
        run(network, ids)
        seconds.append(time.perf_counter() - begun)
    return min(seconds[1:])


def _read(network: Network, ids: torch.Tensor) -> None:
    with torch.inference_mode():
        network(ids[:, :-1])


def _train(network: Network, ids: torch.Tensor) -> None:
    torch.autograd.grad(next_token_loss(network, ids), [*network.parameters()])


TASKS = {"read": _read, "train": _train}


@contextmanager
def _threads(count: int):
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
