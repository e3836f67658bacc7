"""Run many prompts that begin alike: the shared prefix once, the rest packed in one row.

A few-shot prompt is long because of its examples, and the examples are the same for every
query. Their keys and values are computed once (the KV cache); the queries then stand
side by side in one row, each seeing the prefix and itself but not its neighbours, which
the attention mask says. Positions continue from the prefix, so the numbers are those of
one full prompt at a time up to rounding.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise, takewhile

import torch
from transformers import DynamicCache, PreTrainedModel

from utils.internals import (
    attention,
    base_model,
    before_logits,
    cache_layers,
    takes_logits_to_keep,
    virtual_tokens,
)

KINDS = ("llama", "gpt2", "opt", "phi", "qwen2", "qwen3", "gpt_neox", "stablelm", "granite", "smollm3")
BATCH_TOKENS = 12_288
"""The most tokens that the rows of a batch hold together in the cache."""

Layers = list[tuple[torch.Tensor, torch.Tensor]]
"""Keys and values, layer by layer."""

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


def can_share(model: PreTrainedModel) -> bool:
    """Whether rows can continue a prefix that was read once: a decoder whose layers attend, in full or in windows.

    With an adapter, too, unless its vectors stand before the prompt (soft prompts, prefixes).
    """
    base = base_model(model)
    kinds = getattr(base.config.get_text_config(), "layer_types", None) or ["full_attention"]
    return (
        not base.config.is_encoder_decoder
        and not virtual_tokens(model)
        and not getattr(base, "_is_stateful", False)
        and {"full_attention", "sliding_attention"} >= set(kinds)
        and attention(base.config) in ("sdpa", "eager")
        and type(base).__module__.startswith("transformers.")
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
def last_logits(
    model: PreTrainedModel, rows: list[list[int]], keep: list[list[int]], *, first: int = 0
) -> Iterator[torch.Tensor]:
    """Yield, row after row, the logits at the positions `keep[row]` of that row, for a model that `can_share`.

    rows: token ids; keep: ascending positions in the row, from 0; first: the row to begin with, whose numbers are those
    of the whole list. Yields float32 tensors of shape (len(keep[row]), vocabulary).
    """
    model = base_model(model)
    shared = min(shared_prefix(rows), *(positions[0] for positions in keep))
    prefix = _prefill(model, rows[0][:shared])
    run = _run_pack if can_pack(model) else _run_batch
    for group in _groups(model, [row[shared:] for row in rows], shared):
        if group[-1] < first:
            continue
        kept = [[k - shared for k in keep[i]] for i in group]
        logits, _ = run(model, [rows[i][shared:] for i in group], prefix, shared, keep=kept)
        yield from logits.float().split([len(keep[i]) for i in group])[max(0, first - group[0]) :]


@torch.inference_mode()
def prefilled_batch(model: PreTrainedModel, rows: list[list[int]], shared: int, *, pad: int) -> dict[str, object]:
    """Return inputs for `model.generate` whose KV cache already holds all but each row's last token.

    Rows are padded on the left. Keys of the result: input_ids and attention_mask of shape
    (rows, longest row), past_key_values.
    """
    model = base_model(model)
    length = max(map(len, rows))
    gaps = [length - len(row) for row in rows]
    prefix = _prefill(model, rows[0][:shared])
    batch = [
        [layer.new_zeros(len(rows), layer.shape[1], length - 1, layer.shape[3]) for layer in (keys, values)]
        for keys, values in prefix
    ]
    for into, layer in zip(batch, prefix, strict=True):
        for copy, shared_part in zip(into, layer, strict=True):
            for row, gap in enumerate(gaps):
                copy[row, :, gap : gap + shared] = shared_part[0]
    run = _run_pack if can_pack(model) else _run_batch
    for group in _groups(model, [row[shared:-1] for row in rows], shared):
        if not any(len(rows[i]) > shared + 1 for i in group):
            continue
        _, own = run(model, [rows[i][shared:-1] for i in group], prefix, shared, keep=[[0]] + [[]] * (len(group) - 1))
        for i, layers in zip(group, own, strict=True):
            for into, layer in zip(batch, layers, strict=True):
                for copy, part in zip(into, layer, strict=True):
                    copy[i, :, gaps[i] + shared :] = part
    device = model.device
    return {
        "input_ids": torch.tensor([[pad] * gap + row for gap, row in zip(gaps, rows, strict=True)], device=device),
        "attention_mask": torch.tensor([[0] * gap + [1] * (length - gap) for gap in gaps], device=device),
        "past_key_values": DynamicCache(map(tuple, batch)),
    }


def _prefill(model: PreTrainedModel, prefix: Sequence[int]) -> Layers:
    """Return each layer's keys and values of a prefix, shape (1, heads, tokens, size), sliding windows' in full."""
    cache = DynamicCache()
    ids = torch.tensor([prefix or [0]], device=model.device)
    model(ids, past_key_values=cache, use_cache=True, **({"logits_to_keep": 1} if takes_logits_to_keep(model) else {}))
    return [(keys[:, :, : len(prefix)], values[:, :, : len(prefix)]) for keys, values in cache_layers(cache)]


def _run_pack(
    model: PreTrainedModel, suffixes: list[list[int]], prefix: Layers, shared: int, *, keep: list[list[int]]
) -> tuple[torch.Tensor, list[Layers]]:
    """Run suffixes side by side in one row behind the prefix.

    keep: positions in each suffix. Returns the logits there, shape (all of them, vocabulary), and each suffix's
    keys and values, layer by layer: shape (heads, tokens, size).
    """
    device = model.device
    starts = [0, *accumulate(map(len, suffixes))]
    owner = torch.tensor([n for n, suffix in enumerate(suffixes) for _ in suffix], device=device)
    offset = torch.tensor([k for suffix in suffixes for k in range(len(suffix))], device=device)
    cache = DynamicCache(prefix) if shared else DynamicCache()
    logits = model(
        torch.tensor([[token for suffix in suffixes for token in suffix]], device=device),
        attention_mask=as_mask(visible(owner, offset, cached=shared), model.dtype),
        position_ids=(offset + shared)[None],
        past_key_values=cache,
        logits_to_keep=torch.tensor(
            [start + k for start, kept in zip(starts, keep, strict=False) for k in kept], device=device
        ),
    ).logits[0]
    return logits, [
        [(keys[0, :, a:b], values[0, :, a:b]) for keys, values in cache_layers(cache)]
        for a, b in pairwise(shared + start for start in starts)
    ]


def _run_batch(
    model: PreTrainedModel, suffixes: list[list[int]], prefix: Layers, shared: int, *, keep: list[list[int]]
) -> tuple[torch.Tensor, list[Layers]]:
    """Run suffixes as rows padded on the right, each behind its own copy of the prefix; arguments as `_run_pack`.

    A token sees nothing that comes after it, so that no mask is needed and every kind of attention counts rightly.
    """
    device, longest = model.device, max(map(len, suffixes))
    copies = [tuple(part.expand(len(suffixes), -1, -1, -1) for part in layer) for layer in prefix]
    cache = DynamicCache(copies) if shared else DynamicCache()
    ids = torch.tensor([[*suffix, *[0] * (longest - len(suffix))] for suffix in suffixes], device=device)
    rows = torch.tensor([row for row, kept in enumerate(keep) for _ in kept], device=device)
    columns = torch.tensor([k for kept in keep for k in kept], device=device)
    with before_logits(model, lambda hidden: hidden[rows, columns]):
        logits = model(ids, past_key_values=cache, use_cache=True).logits
    return logits, [
        [
            (keys[row, :, shared : shared + len(suffix)], values[row, :, shared : shared + len(suffix)])
            for keys, values in cache_layers(cache)
        ]
        for row, suffix in enumerate(suffixes)
    ]


def _groups(model: PreTrainedModel, suffixes: list[list[int]], shared: int) -> list[list[int]]:
    """Group the suffixes' indices, in order: packs of about PACK_TOKENS tokens, or batches of so many with padding.

    Each row of a batch has its own copy of the `shared` tokens, of which memory holds only so many.
    """
    packed, groups = can_pack(model), [[]]
    for index, suffix in enumerate(suffixes):
        lengths = [len(suffixes[i]) for i in groups[-1]] + [len(suffix)]
        size = sum(lengths) if packed else max(lengths) * len(lengths)
        copied = 0 if packed else shared * len(lengths)
        if groups[-1] and (size > PACK_TOKENS or copied > BATCH_TOKENS):
            groups.append([])
        groups[-1].append(index)
    return groups
