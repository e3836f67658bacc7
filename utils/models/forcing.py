"""Teacher forcing: what a model says at each token of a continuation that is already written."""

import math
from collections.abc import Iterator, Sequence

import torch

from utils.errors import DataError
from utils.models import packing
from utils.models.language_model import LanguageModel
from utils.progress import progress


def continuation_ids(model: LanguageModel, prompt: str, continuation: str) -> list[int]:
    """Return the tokens of a continuation as they are behind a prompt.

    Some tokenizers write a first word otherwise; an encoder-decoder model's continuation
    stands alone. Raises EmptyPrompt, DataError.
    """
    alone = model.known(model.tokenizer(continuation, add_special_tokens=False)["input_ids"])
    if model.is_encoder_decoder:
        return alone
    before, whole = model.encode(prompt), model.encode(prompt + continuation)
    return whole[len(before) :] if whole[: len(before)] == before and len(whole) > len(before) else alone


def forced_logits(
    model: LanguageModel, rows: Sequence[tuple[list[int], list[int]]], *, first: int = 0
) -> Iterator[torch.Tensor]:
    """Yield the logits of teacher forcing: for each (prompt ids, continuation ids), at each token and after the last.

    Yields float32 tensors of shape (continuation tokens + 1, vocabulary). What the prompts
    have in common is read once where the model's kind allows it (`utils.models.packing`).
    first: the row to begin with; its numbers are those of the whole list, to the last digit.
    """
    if first >= len(rows):
        return
    if packing.can_share(model.model):
        keep = [list(range(len(prompt) - 1, len(prompt) + len(ids))) for prompt, ids in rows]
        yield from packing.last_logits(model.model, [prompt + ids for prompt, ids in rows], keep, first=first)
        return
    for prompt, ids in rows[first:]:
        yield _read(model, prompt, ids)[-len(ids) - 1 :]


def continuation_bits(model: LanguageModel, pairs: Sequence[tuple[str, str]]) -> list[float]:
    """Return for each (prompt, continuation) the bits of the continuation: its cross-entropy on the model's own tokens.

    Divided by the continuation's bytes, models with different tokenizers are comparable. Raises EmptyPrompt,
    ContextWindowExceeded, and DataError for a tokenizer that does not give the continuation back.
    """
    rows = [(model.encode(prompt), continuation_ids(model, prompt, text)) for prompt, text in pairs]
    for (prompt, text), (_, ids) in zip(pairs, rows, strict=True):
        model.check_window(prompt, max_new_tokens=len(ids))
        if model.decode(ids).strip() != text.strip():
            raise DataError(f"The tokenizer of {model.name} does not give a text back: its bits are not of that text.")
    found = []
    for logits, (_, ids) in zip(
        progress(forced_logits(model, rows), "Reading texts", total=len(rows)), rows, strict=True
    ):
        targets = torch.tensor(ids, device=logits.device)
        nats = torch.nn.functional.cross_entropy(logits[:-1], targets, reduction="sum")
        found.append(float(nats) / math.log(2))
    return found


@torch.inference_mode()
def _read(model: LanguageModel, prompt: list[int], ids: list[int]) -> torch.Tensor:
    if model.is_encoder_decoder:
        inputs = {"input_ids": [prompt], "decoder_input_ids": [[model.decoder_start, *ids]]}
    else:
        inputs = {"input_ids": [prompt + ids]}
    tensors = {name: torch.tensor(row, device=model.device) for name, row in inputs.items()}
    return model.model(**tensors).logits[0].float()
