"""Forward passes for training: from a batch to the logits that the cross-entropy needs, and no others."""

import copy
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import torch
from torch import nn
from transformers import PreTrainedModel

from utils.adapters.methods import Method
from utils.errors import UnsupportedSetting
from utils.internals import base_model, before_logits, drop_last_norm, keep_blocks, peft_config, virtual_tokens
from utils.models.language_model import LanguageModel
from utils.models.packing import PACK_TOKENS, can_pack, shared_prefix
from utils.models.sharing import blocks, share
from utils.training.records import Batch, Encoded, collate, pack

EMBEDDINGS_GO_STRAIGHT_IN = ("llama", "qwen2", "qwen3", "smollm3", "mistral")
"""Kinds whose blocks take what `inputs_embeds` gives, so that a stack of blocks can be run in two halves."""

LEAST_SAVED = 0.15
"""A batch is packed when its shared prefix saves this share of its tokens, and the row is not too long:
attention in one row costs the square of its length."""

Forward = Callable[[Sequence[Encoded]], tuple[torch.Tensor, torch.Tensor]]
"""Records in, (logits, targets) out: shapes (n, vocabulary) and (n,), a row for every token of a completion."""


def forward_for(model: LanguageModel, method: Method) -> Forward:
    """Return the forward pass that suits a method: behind a frozen trunk where only top blocks are adapted.

    The whole model runs where its kind's blocks cannot be run in two halves: slower, with the same numbers.
    """
    if method.top_blocks and has_two_halves(model):
        return above_frozen_trunk(model, method.top_blocks)
    return whole_model(model)


def has_two_halves(model: LanguageModel) -> bool:
    """Whether a model is of a kind whose blocks can be run in two halves."""
    return model.model.config.model_type in EMBEDDINGS_GO_STRAIGHT_IN


def whole_model(model: LanguageModel) -> Forward:
    """Return the forward pass through a whole model."""

    def forward(records: Sequence[Encoded]) -> tuple[torch.Tensor, torch.Tensor]:
        batch = _lay_out(model, records)
        with _logits_only_at(model.model, batch):
            return model.model(**batch.inputs, **_without_cache(model)).logits, batch.targets

    return forward


def above_frozen_trunk(model: LanguageModel, top_blocks: int) -> Forward:
    """Return the forward pass through the top blocks, behind a trunk that each record passes only once.

    Nothing below the adapters changes while they are trained, so what the trunk makes of
    a record (shape (tokens, hidden size), float32) is kept in memory. Raises
    UnsupportedSetting for a model whose blocks cannot be run in two halves.
    """
    if not has_two_halves(model):
        raise UnsupportedSetting(
            f"A frozen trunk is known for models of type {', '.join(EMBEDDINGS_GO_STRAIGHT_IN)} only: "
            "use method='lora'."
        )
    trunk, top = _halves(model.model, max(0, len(blocks(model.model)) - top_blocks))
    known: dict[Encoded, torch.Tensor] = {}

    @torch.no_grad()
    def read(records: Sequence[Encoded]) -> None:
        if records:
            batch = _lay_out(model, records)
            hidden = trunk(**batch.inputs, use_cache=False).last_hidden_state
            known.update(zip(records, _apart(hidden, batch, records), strict=True))

    def forward(records: Sequence[Encoded]) -> tuple[torch.Tensor, torch.Tensor]:
        read([record for record in records if record not in known])
        batch = _lay_out(model, records)
        inputs = {name: tensor for name, tensor in batch.inputs.items() if name != "input_ids"}
        rows = [known[record] for record in records]
        if batch.segments:
            rows = [torch.cat([rows[index][start:stop] for index, start, stop in batch.segments])]
        hidden = nn.utils.rnn.pad_sequence(rows, batch_first=True)
        with _logits_only_at(top, batch):
            return top(inputs_embeds=hidden, **inputs, use_cache=False).logits, batch.targets

    return forward


def _lay_out(model: LanguageModel, records: Sequence[Encoded]) -> Batch:
    """Return records packed where that is worth it, else one a row."""
    lengths = [len(record) - 1 for record in records]
    shared = shared_prefix([record.prompt for record in records])
    saved = shared * (len(records) - 1)
    worth = saved >= LEAST_SAVED * sum(lengths) and sum(lengths) - saved <= PACK_TOKENS
    if worth and not model.is_encoder_decoder and _sees_packed_rows(model.model):
        return pack(model, records, shared)
    return collate(model, records)


def _apart(hidden: torch.Tensor, batch: Batch, records: Sequence[Encoded]) -> list[torch.Tensor]:
    """Return each record's own hidden states, shape (tokens - 1, hidden size), out of a batch's."""
    if not batch.segments:
        return [row[: len(record) - 1].clone() for row, record in zip(hidden, records, strict=True)]
    sizes = [stop - start for _, start, stop in batch.segments]
    shared, *rest = hidden[0].split(sizes)
    return [torch.cat([shared, own]) for own in rest]


def _sees_packed_rows(model: PreTrainedModel) -> bool:
    """Whether nothing stands before a model's own tokens and its kind is one that can be packed."""
    return not virtual_tokens(model) and can_pack(base_model(model))


def _halves(model: PreTrainedModel, first: int) -> tuple[nn.Module, PreTrainedModel]:
    """Return the blocks below `first`, ending in hidden states, and the rest, ending in logits, on the same weights."""
    whole = base_model(model)
    trunk, top = share(whole).base_model, _same_parameters(whole)
    keep_blocks(trunk, slice(first))
    drop_last_norm(trunk)
    keep_blocks(top.base_model, slice(first, None))
    return trunk, top


def _same_parameters(model: PreTrainedModel) -> PreTrainedModel:
    """Return a copy with modules of its own and the very same parameters, gradients included."""
    return copy.deepcopy(model, {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())})


def _without_cache(model: LanguageModel) -> dict[str, bool]:
    adapter = peft_config(model.model)
    return {} if adapter and adapter.peft_type == "PREFIX_TUNING" else {"use_cache": False}


def _logits_only_at(model: PreTrainedModel, batch: Batch) -> AbstractContextManager[None]:
    """Let a model compute logits only where a target is predicted; soft prompts stand before the batch's own tokens."""
    tokens = batch.inputs.get("decoder_input_ids", batch.inputs["input_ids"])

    def select(hidden: torch.Tensor) -> torch.Tensor:
        return hidden[batch.rows, batch.positions + hidden.shape[1] - tokens.shape[1]]

    return before_logits(model, select)
