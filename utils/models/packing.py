"""Run many prompts that begin alike: the shared prefix once, the rest packed in one row.

A few-shot prompt is long because of its examples, and the examples are the same for every
query. Their keys and values are computed once (the KV cache); the queries then stand
side by side in one row, each seeing the prefix and itself but not its neighbours, which
the attention mask says. Positions continue from the prefix, so the numbers are those of
one full prompt at a time up to rounding.
"""

from collections.abc import Iterator, Sequence
from itertools import takewhile

import torch
from transformers import DynamicCache, PreTrainedModel

from utils.internals import attention, cache_layers, crop_cache

KINDS = ("llama", "gpt2", "opt", "phi", "qwen2", "qwen3", "gpt_neox", "stablelm", "granite", "smollm3")
PACK_TOKENS = 384
"""The most tokens that are packed into one row; a longer row spends more on attention than packing saves."""


def can_pack(model: PreTrainedModel) -> bool:
    """Whether a model is of a kind that sees a packed row as it sees single prompts.

    Full attention in every layer, positions and mask as we give them: the kinds listed
    were compared with one prompt at a time. Every other kind runs without packing.
    """
    config = model.config
    return (
        config.model_type in KINDS
        and not getattr(config, "sliding_window", None)
        and attention(config) in ("sdpa", "eager")
        and type(model).__module__.startswith("transformers.")
    )


def shared_prefix(rows: Sequence[Sequence[int]]) -> int:
    """Return how many tokens all rows begin with, leaving at least one token to each."""
    same = takewhile(lambda column: len(set(column)) == 1, zip(*rows, strict=False))
    return min(sum(1 for _ in same), min(map(len, rows)) - 1)


def packed_row(rows: Sequence[Sequence[int]], shared: int) -> tuple[list[int], list[int], torch.Tensor]:
    """Return rows as one: the `shared` tokens that all begin with once, then the rest of each.

    Returns token ids and positions, each of the packed length n, and what each token may
    see: booleans of shape (n, n), the shared prefix and its own row up to itself.
    """
    owners = [-1] * shared + [index for index, row in enumerate(rows) for _ in row[shared:]]
    positions = [*range(shared), *(position for row in rows for position in range(shared, len(row)))]
    ids = [*rows[0][:shared], *(token for row in rows for token in row[shared:])]
    return ids, positions, visible(torch.tensor(owners), torch.tensor(positions))


def visible(owner: torch.Tensor, position: torch.Tensor, *, cached: int = 0) -> torch.Tensor:
    """Return the attention mask of a packed row of n tokens: booleans of shape (n, cached + n).

    owner, position: shape (n,), whose row a token is of, -1 for all rows', and where it stands
    there. A token sees the cached tokens, and of its own row and of all rows' what is not behind it.
    """
    own = (owner[None, :] == owner[:, None]) | (owner[None, :] == -1)
    seen = own & (position[None, :] <= position[:, None])
    return torch.cat([seen.new_ones(len(owner), cached), seen], dim=1)


def as_mask(seen: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return what may be seen, booleans of shape (n, m), as a mask to add to attention scores: (1, 1, n, m)."""
    mask = torch.zeros(seen.shape, dtype=dtype, device=seen.device)
    return mask.masked_fill(~seen, torch.finfo(dtype).min)[None, None]


@torch.inference_mode()
def last_logits(model: PreTrainedModel, rows: list[list[int]], keep: list[list[int]]) -> Iterator[torch.Tensor]:
    """Yield, row after row, the logits at the positions `keep[row]` of that row.

    rows: token ids; keep: ascending positions in the row, from 0. Yields float32 tensors
    of shape (len(keep[row]), vocabulary).
    """
    shared = min(shared_prefix(rows), *(positions[0] for positions in keep))
    cache = _prefill(model, rows[0][:shared])
    for pack in _packs([row[shared:] for row in rows]):
        starts = _starts([len(rows[i]) - shared for i in pack])
        wanted = [start + k - shared for start, i in zip(starts, pack, strict=True) for k in keep[i]]
        logits = _run_pack(model, [rows[i][shared:] for i in pack], cache, shared, keep=wanted)
        yield from logits.float().split([len(keep[i]) for i in pack])
        crop_cache(cache, shared)


@torch.inference_mode()
def prefilled_batch(model: PreTrainedModel, rows: list[list[int]], shared: int, *, pad: int) -> dict[str, object]:
    """Return inputs for `model.generate` whose KV cache already holds all but each row's last token.

    Rows are padded between the shared prefix and their own tokens. Keys of the result:
    input_ids and attention_mask of shape (rows, longest row), past_key_values.
    """
    length = max(map(len, rows))
    gaps = [length - len(row) for row in rows]
    input_ids = [row[:shared] + [pad] * gap + row[shared:] for row, gap in zip(rows, gaps, strict=True)]
    mask = [[1] * shared + [0] * gap + [1] * (length - shared - gap) for gap in gaps]
    prefix = _prefill(model, rows[0][:shared])
    batch = [
        [layer.new_zeros(len(rows), layer.shape[1], length - 1, layer.shape[3]) for layer in (keys, values)]
        for keys, values in cache_layers(prefix)
    ]
    for pack in _packs([row[shared:-1] for row in rows]):
        if any(len(rows[i]) > shared + 1 for i in pack):
            _run_pack(model, [rows[i][shared:-1] for i in pack], prefix, shared, keep=[0])
        starts = _starts([len(rows[i]) - 1 - shared for i in pack])
        for into, layer in zip(batch, cache_layers(prefix), strict=True):
            for copy, packed in zip(into, layer, strict=True):
                copy[pack, :, :shared] = packed[:, :, :shared]
                for i, start in zip(pack, starts, strict=True):
                    own = packed[0, :, shared + start : shared + start + len(rows[i]) - 1 - shared]
                    copy[i, :, length - 1 - own.shape[1] :] = own
        crop_cache(prefix, shared)
    cache = DynamicCache(config=model.config)
    for index, (keys, values) in enumerate(batch):
        cache.update(keys, values, index)
    device = model.device
    return {
        "input_ids": torch.tensor(input_ids, device=device),
        "attention_mask": torch.tensor(mask, device=device),
        "past_key_values": cache,
    }


def _prefill(model: PreTrainedModel, prefix: Sequence[int]) -> DynamicCache:
    cache = DynamicCache(config=model.config)
    if prefix:
        model(torch.tensor([prefix], device=model.device), past_key_values=cache, logits_to_keep=1)
    return cache


def _run_pack(model, suffixes: list[list[int]], cache: DynamicCache, shared: int, *, keep: list[int]) -> torch.Tensor:
    """Run suffixes side by side behind the cached prefix; return logits at `keep` of the pack."""
    device = model.device
    owner = torch.tensor([n for n, suffix in enumerate(suffixes) for _ in suffix], device=device)
    offset = torch.tensor([k for suffix in suffixes for k in range(len(suffix))], device=device)
    return model(
        torch.tensor([[token for suffix in suffixes for token in suffix]], device=device),
        attention_mask=as_mask(visible(owner, offset, cached=shared), model.dtype),
        position_ids=(offset + shared)[None],
        past_key_values=cache,
        logits_to_keep=torch.tensor(keep, device=device),
    ).logits[0]


def _packs(suffixes: list[list[int]]) -> list[list[int]]:
    """Group the suffixes' indices, in order, into packs of about PACK_TOKENS tokens."""
    packs: list[list[int]] = [[]]
    tokens = 0
    for index, suffix in enumerate(suffixes):
        if packs[-1] and tokens + len(suffix) > PACK_TOKENS:
            packs.append([])
            tokens = 0
        packs[-1].append(index)
        tokens += len(suffix)
    return packs


def _starts(lengths: list[int]) -> list[int]:
    return [sum(lengths[:i]) for i in range(len(lengths))]
