"""One KV cache for the rows that are written side by side, and attention over it.

A step reads a few tokens of each row: the one that was chosen last, or a chunk of a prompt. They are packed into one
input of the model, since matrices do not care whose tokens they multiply. Attention does: here each token sees the
keys and values of its own row and of no other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import PreTrainedModel

from utils.internals import attend_by, layer_number

GROWS_BY = 128
"""The tokens by which rows become longer in memory."""

ATTENTION = "rows"
"""The name under which transformers knows `attend`."""


class RowCache:
    """Keys and values of rows, layer by layer: two tensors of shape (places, heads, capacity, size of a head).

    Each row has a place. The places in use are the first ones, so that attention reads them without a copy.
    """

    def __init__(self) -> None:
        self.layers: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self.owners: list[object] = []
        self.capacity = 0
        self._tokens: list[int] = []

    @property
    def nbytes(self) -> int:
        """The memory that it takes."""
        return sum(part.nbytes for layer in self.layers.values() for part in layer)

    def place(self, owner: object) -> int:
        """Return where a row stands."""
        return self.owners.index(owner)

    def add(self, owner: object, *, tokens: int) -> None:
        """Give a row an empty place for so many tokens."""
        self.owners.append(owner)
        self._tokens.append(tokens)
        self.capacity = max(self.capacity, -(-tokens // GROWS_BY) * GROWS_BY)
        for number, layer in self.layers.items():
            self._grow(number, *layer)

    def remove(self, owner: object) -> None:
        """Free a row's place, into which the last row moves; memory goes back with the last one.

        A place that nobody has holds zeros: what a row leaves behind may not be finite.
        """
        place, last = self.place(owner), len(self.owners) - 1
        for part in (part for layer in self.layers.values() for part in layer):
            part[place, :, : self._tokens[place]] = 0
            if place != last:
                part[place, :, : self._tokens[last]] = part[last, :, : self._tokens[last]]
                part[last, :, : self._tokens[last]] = 0
        self.owners[place], self._tokens[place] = self.owners[last], self._tokens[last]
        del self.owners[last], self._tokens[last]
        if not self.owners:
            self.layers.clear()
            self.capacity = 0

    def layer(self, number: int, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a layer's keys and values for all rows; like: keys of that layer, shape (..., heads, tokens, size)."""
        if number not in self.layers:
            empty = like.new_zeros(0, like.shape[-3], 0, like.shape[-1])
            self._grow(number, empty, empty)
        return self.layers[number]

    def copy(self, owner: object, begin: int, end: int) -> torch.Tensor:
        """Return a copy of a row's keys and values of the tokens from `begin` to `end`.

        Shape (layers, 2, heads, tokens, size of a head).
        """
        place = self.place(owner)
        layers = [layer for _, layer in sorted(self.layers.items())]
        return torch.stack([torch.stack([part[place, :, begin:end] for part in layer]) for layer in layers])

    def write(self, owner: object, begin: int, copied: torch.Tensor) -> None:
        """Put keys and values of tokens, as `copy` returns them, into a row from its token `begin` on."""
        place, end = self.place(owner), begin + copied.shape[-2]
        for number, (keys, values) in enumerate(copied):
            into = self.layer(number, keys)
            into[0][place, :, begin:end], into[1][place, :, begin:end] = keys, values

    def _grow(self, number: int, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Make room for all rows in a layer; places double, so that few rows that join cause a copy."""
        places, heads, capacity, size = keys.shape
        if len(self.owners) <= places and self.capacity <= capacity:
            return
        places = places if len(self.owners) <= places else max(2 * places, len(self.owners))
        grown = [part.new_zeros(places, heads, self.capacity, size) for part in (keys, values)]
        for new, old in zip(grown, (keys, values), strict=True):
            new[: old.shape[0], :, :capacity] = old
        self.layers[number] = (grown[0], grown[1])


@dataclass(frozen=True)
class Chunk:
    """A part of a prompt in a step: where it stands in the packed input, its place, and what its tokens see."""

    columns: slice
    place: int
    seen: torch.Tensor


@dataclass(frozen=True)
class Step:
    """Which rows' tokens a packed input holds.

    places, positions: shape (tokens,), a token's place in the cache and its position in its row. single: for each
    place the column of the one token that its row reads, any where it reads none or several; writers: the places that
    read one; seen: what each place may see then, booleans of shape (places, 1, 1, longest).
    """

    cache: RowCache
    places: torch.Tensor
    positions: torch.Tensor
    single: torch.Tensor
    writers: torch.Tensor
    seen: torch.Tensor
    chunks: Sequence[Chunk]


def plan_step(cache: RowCache, reads: Sequence[tuple[object, int, int]], device: torch.device) -> Step:
    """Return the step that reads, of each row (owner, begin, tokens), so many tokens behind the first `begin`."""
    places: list[int] = []
    positions: list[int] = []
    chunks: list[Chunk] = []
    single, lengths = [0] * len(cache.owners), [1] * len(cache.owners)
    writers: list[int] = []
    for owner, begin, tokens in reads:
        place, column, end = cache.place(owner), len(places), begin + tokens
        if tokens == 1:
            single[place], lengths[place] = column, end
            writers.append(place)
        else:
            seen = torch.ones(tokens, end, dtype=torch.bool, device=device).tril(begin)
            chunks.append(Chunk(slice(column, column + tokens), place, seen))
        places += [place] * tokens
        positions += range(begin, end)
    columns = torch.arange(max(lengths, default=1), device=device)
    return Step(
        cache=cache,
        places=torch.tensor(places, device=device),
        positions=torch.tensor(positions, device=device),
        single=torch.tensor(single, device=device),
        writers=torch.tensor(writers, dtype=torch.long, device=device),
        seen=(columns < torch.tensor(lengths, device=device)[:, None])[:, None, None],
        chunks=chunks,
    )


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    step: Step,
    scaling: float | None = None,
    **_unused: object,
) -> tuple[torch.Tensor, None]:
    """Return a layer's attention over the cache, shape (1, tokens, heads, size), after the new tokens went into it.

    query, key, value: of the packed tokens, shape (1, heads, tokens, size). The form is that of transformers'
    `AttentionInterface`.
    """
    keys, values = step.cache.layer(layer_number(module), key)
    keys[step.places, :, step.positions] = key[0].transpose(0, 1)
    values[step.places, :, step.positions] = value[0].transpose(0, 1)
    output = torch.empty_like(query[0].transpose(0, 1))
    if len(step.writers):
        rows, longest = len(step.seen), step.seen.shape[-1]
        asked = query[0].transpose(0, 1)[step.single, :, None]
        found = _attention(asked, keys[:rows, :, :longest], values[:rows, :, :longest], step.seen, scaling)
        output[step.single[step.writers]] = found[step.writers, :, 0]
    for chunk in step.chunks:
        own = slice(chunk.place, chunk.place + 1), slice(None), slice(chunk.seen.shape[-1])
        found = _attention(query[:, :, chunk.columns], keys[own], values[own], chunk.seen, scaling)
        output[chunk.columns] = found[0].transpose(0, 1)
    return output[None], None


def _attention(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, seen: torch.Tensor, scaling: float | None
) -> torch.Tensor:
    """Return attention with several query heads for one head of keys and values (grouped-query attention)."""
    return scaled_dot_product_attention(query, keys, values, attn_mask=seen, scale=scaling, enable_gqa=True)


def use_rows(model: PreTrainedModel) -> None:
    """Let a model's attention be `attend`."""
    attend_by(model, ATTENTION, attend)
