"""Text-to-text records as a model is tuned on them: prompt, completion, and which tokens count."""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from utils.datasets.records import TextToText, completion_text
from utils.errors import UnsupportedSetting
from utils.models.forcing import continuation_ids
from utils.models.language_model import LanguageModel
from utils.models.packing import as_mask, packed_row

IGNORED = -100
"""The label of a token that the loss leaves out (PyTorch's `cross_entropy`)."""


@dataclass(frozen=True)
class Encoded:
    """One record in tokens: the prompt that is read and the completion, end-of-text token included, that is learned."""

    prompt: tuple[int, ...]
    completion: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.completion)


@dataclass(frozen=True)
class Batch:
    """Records side by side, padded on the right.

    inputs: what the model takes, tensors of shape (rows, tokens); targets: the token ids
    that the completions have, shape (n,); rows and positions: where in `inputs` each
    target is predicted, shape (n,) each. segments: of a packed row, which part of which
    record stands next, as (record, start, stop); empty when every record has its own row.
    """

    inputs: dict[str, torch.Tensor]
    targets: torch.Tensor
    rows: torch.Tensor
    positions: torch.Tensor
    segments: tuple[tuple[int, int, int], ...] = ()


def encode(model: LanguageModel, record: TextToText) -> Encoded:
    """Return a record's tokens; the completion ends with the end-of-text token.

    Raises EmptyPrompt, and UnsupportedSetting for a model without such a token.
    """
    completion = continuation_ids(model, record.input_text, completion_text(record))
    end = model.tokenizer.eos_token_id
    if end is None:
        raise UnsupportedSetting(
            f"{model.name} has no end-of-text token, with which a completion is tuned to end: take another model."
        )
    if completion[-1:] != [end]:
        completion = [*completion, end]
    return Encoded(tuple(model.encode(record.input_text)), tuple(completion))


def labels(record: Encoded) -> list[int]:
    """Return the labels of a record in one row: the prompt's are IGNORED, the completion's its tokens."""
    return [IGNORED] * len(record.prompt) + list(record.completion)


def batches_by_length(records: Sequence[Encoded], size: int, *, seed: int) -> list[list[int]]:
    """Return the records' indices in batches of similar length, the batches in a random order.

    Ties in length are broken at random, so that another seed also mixes other batches.
    """
    rng = random.Random(seed)
    order = sorted(rng.sample(range(len(records)), len(records)), key=lambda index: len(records[index]))
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    return rng.sample(batches, len(batches))


def collate(model: LanguageModel, records: Sequence[Encoded]) -> Batch:
    """Return records as one padded batch on the model's device."""
    if model.is_encoder_decoder:
        return _collate_pairs(model, records)
    rows = [[*record.prompt, *record.completion[:-1]] for record in records]
    starts = [len(record.prompt) - 1 for record in records]
    return _batch(model, _padded(model, rows, "input_ids", "attention_mask"), records, starts)


def pack(model: LanguageModel, records: Sequence[Encoded], shared: int) -> Batch:
    """Return records packed in one row: the shared prefix once, then the rest of each, apart by the attention mask.

    shared: how many tokens all records have in common at their beginning. The numbers are
    those of `collate`, for model kinds that `packing.can_pack` knows.
    """
    rows = [[*record.prompt, *record.completion[:-1]] for record in records]
    ids, positions, visible = packed_row(rows, shared)
    segments = ((0, 0, shared), *((index, shared, len(row)) for index, row in enumerate(rows)))
    begins = list(itertools.accumulate((len(row) - shared for row in rows), initial=shared))
    starts = [begin - shared + len(record.prompt) - 1 for begin, record in zip(begins, records, strict=False)]
    inputs = {
        "input_ids": torch.tensor([ids], device=model.device),
        "position_ids": torch.tensor([positions], device=model.device),
        "attention_mask": as_mask(visible.to(model.device), model.model.dtype),
    }
    batch = _batch(model, inputs, records, starts)
    return replace(batch, rows=torch.zeros_like(batch.rows), segments=segments)


def _collate_pairs(model: LanguageModel, records: Sequence[Encoded]) -> Batch:
    prompts = _padded(model, [list(record.prompt) for record in records], "input_ids", "attention_mask")
    begun = [[model.decoder_start, *record.completion[:-1]] for record in records]
    completions = _padded(model, begun, "decoder_input_ids", "decoder_attention_mask")
    return _batch(model, prompts | completions, records, [0] * len(records))


def _padded(model: LanguageModel, rows: list[list[int]], ids: str, mask: str) -> dict[str, torch.Tensor]:
    """Return ids and mask; rows of one length need no mask."""
    longest = max(map(len, rows))
    pad = model.tokenizer.pad_token_id
    padded = {ids: torch.tensor([row + [pad] * (longest - len(row)) for row in rows], device=model.device)}
    if min(map(len, rows)) < longest:
        padded[mask] = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=model.device)
    return padded


def _batch(model: LanguageModel, inputs: dict, records: Sequence[Encoded], starts: list[int]) -> Batch:
    spots = list(_spots(records, starts))
    rows, positions, targets = (torch.tensor(column, device=model.device) for column in zip(*spots, strict=True))
    return Batch(inputs, targets, rows, positions)


def _spots(records: Sequence[Encoded], starts: list[int]) -> Iterator[tuple[int, int, int]]:
    for row, (record, start) in enumerate(zip(records, starts, strict=True)):
        for offset, token in enumerate(record.completion):
            yield row, start + offset, token
