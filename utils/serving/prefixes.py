"""Shared prefixes: what many prompts begin with is read once, and its keys and values are kept for a while.

A prompt is cut into blocks. A block's name is the hash of all tokens up to its end and of the adapter that read them,
so that two prompts find the same block just where they say the same to the same model.
"""

import hashlib
import time
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch

BLOCK = 32
"""Tokens of a block."""


@dataclass
class _Kept:
    block: torch.Tensor
    used: float


class PrefixCache:
    """Keys and values of blocks by name, the least recently used first.

    tokens: how many are kept at most; seconds: how long a block is kept that nobody asks for.
    """

    def __init__(self, *, tokens: int, seconds: float) -> None:
        self.tokens, self.seconds = tokens, seconds
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()

    def __contains__(self, name: bytes) -> bool:
        return name in self._kept

    @property
    def nbytes(self) -> int:
        """The memory that it takes."""
        return sum(kept.block.nbytes for kept in self._kept.values())

    def find(self, name: bytes) -> torch.Tensor | None:
        """Return a block's keys and values, as `RowCache.copy` returns them, None where it is not kept."""
        self.let_go()
        kept = self._kept.get(name)
        if kept is None:
            return None
        kept.used = time.monotonic()
        self._kept.move_to_end(name)
        return kept.block

    def keep(self, name: bytes, block: torch.Tensor) -> None:
        """Keep a block, and let go of what was not used for longest."""
        self._kept[name] = _Kept(block, time.monotonic())
        self._kept.move_to_end(name)
        self.let_go()

    def let_go(self) -> None:
        """Let go of blocks that nobody asked for in time, and of the least recently used where there are too many."""
        over = time.monotonic() - self.seconds
        while self._kept and (len(self._kept) * BLOCK > self.tokens or next(iter(self._kept.values())).used < over):
            self._kept.popitem(last=False)


def block_names(ids: Sequence[int], *, reader: str) -> list[bytes]:
    """Return the names of a prompt's whole blocks; reader: the fingerprint of the adapter that reads it.

    The last token is in no block: it must be read to know what follows.
    """
    names, name = [], hashlib.sha256(reader.encode()).digest()
    for end in range(BLOCK, len(ids), BLOCK):
        name = hashlib.sha256(name + array("q", ids[end - BLOCK : end]).tobytes()).digest()
        names.append(name)
    return names
