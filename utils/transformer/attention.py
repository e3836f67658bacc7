"""Who sees whom in a model: change one token and look at which positions' outputs change."""

from collections.abc import Mapping

import pandas as pd
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from utils.errors import EmptyPrompt
from utils.models.tokens import token_text
from utils.transformer.sizes import read_sizes

CHANGE = 1e-4
"""The least change that counts, as a share of the position's largest number; rounding stays far below."""

Visibility = pd.DataFrame
"""True where the output at a row's position depends on a column's token. Both axes: (part, token)."""


@torch.inference_mode()
def visibility(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, text: str, decoder_text: str = ""
) -> Visibility:
    """Return the attention mask as measured: which positions see which tokens.

    Each token of `text` is changed in turn and the last hidden states are compared.
    decoder_text: what the decoder of an encoder-decoder model is given; its tokens follow
    those of `text` on both axes. The part is "encoder" or "decoder" there, "model" for other
    models. Shape: (positions, tokens), bool. Raises EmptyPrompt.
    """
    both = bool(model.config.is_encoder_decoder)
    first, second = (_ids(tokenizer, text), _ids(tokenizer, decoder_text) if both else [])
    ids = torch.tensor([*first, *second])
    rows = ids.repeat(len(ids) + 1, 1)
    each = torch.arange(len(ids))
    vocabulary = read_sizes(model.config).vocabulary
    rows[each + 1, each] = (ids + vocabulary // 2) % vocabulary
    hidden = _last_hidden_states(model, rows.to(model.device), len(first) if both else None)
    changes = (hidden[1:] - hidden[0]).abs().amax(-1).T
    seen = changes > CHANGE * hidden[0].abs().amax(-1)[:, None]
    parts = ["encoder"] * len(first) + ["decoder"] * len(second) if both else ["model"] * len(ids)
    words = [token_text(tokenizer, token).strip() for token in ids.tolist()]
    axis = pd.MultiIndex.from_arrays([parts, words], names=["part", "token"])
    return pd.DataFrame(seen.cpu().numpy(), index=axis, columns=axis)


def visible_pairs(families: Mapping[str, Visibility]) -> pd.DataFrame:
    """Return for each pair of parts of each family how many of its pairs of position and token are visible."""
    rows = []
    for family, seen in families.items():
        parts = seen.index.get_level_values("part").unique()
        for at in parts:
            for of in parts:
                block = seen.loc[at, of]
                rows.append((family, at, of, block.size, int(block.to_numpy().sum())))
    return pd.DataFrame(rows, columns=["family", "positions of", "see tokens of", "pairs", "seen"])


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    if not text.strip():
        raise EmptyPrompt("A text is empty: give each part of the model a text of a few words.")
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def _last_hidden_states(model: PreTrainedModel, rows: torch.Tensor, split: int | None) -> torch.Tensor:
    """Return hidden states of shape (rows, positions, size); the first `split` tokens go to an encoder."""
    ids = rows[:, :split]
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "output_hidden_states": True}
    if split is None:
        return model(**inputs).hidden_states[-1].float()
    output = model(**inputs, decoder_input_ids=rows[:, split:])
    return torch.cat([output.encoder_last_hidden_state, output.decoder_hidden_states[-1]], dim=1).float()
