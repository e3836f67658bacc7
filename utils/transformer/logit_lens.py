"""The logit lens: what a model would answer after each block, if it had no others.

Source: nostalgebraist, "interpreting GPT: the logit lens" (2020).
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import torch
from torch import nn

from utils.errors import DataError
from utils.models.forcing import continuation_ids
from utils.models.language_model import LanguageModel
from utils.models.tokens import quoted, token_text
from utils.transformer.activations import given_states, hooked
from utils.transformer.parts import decoder_blocks, hidden_states, inputs_of, with_states


@torch.inference_mode()
def logit_lens(model: LanguageModel, prompt: str) -> torch.Tensor:
    """Return the logits of the next token that the residual stream gives before the first block and after each.

    The stream of the last position goes through all that follows the blocks, the final norm and the
    output embeddings; the last row are the model's own logits. Shape: (layers + 1, vocabulary), float32.
    Raises EmptyPrompt, ContextWindowExceeded.
    """
    blocks, inputs = decoder_blocks(model), inputs_of(model, prompt)
    stream: list[torch.Tensor] = []

    def note(module: nn.Module, given: tuple, named: dict[str, Any], output: Any) -> None:
        before = [given_states(given, named)] if module is blocks[0] else []
        stream.extend(states[0, -1] for states in [*before, hidden_states(output)])

    with hooked(dict.fromkeys(blocks, note)):
        model.model(**inputs, use_cache=False)

    def replace(_: nn.Module, __: tuple, ___: dict[str, Any], output: Any) -> Any:
        return with_states(output, torch.stack(stream)[:, None])

    with hooked({blocks[-1]: replace}):
        first = {name: ids[:, :1] for name, ids in inputs.items()}
        return model.model(**first, use_cache=False).logits[:, 0].float()


def lens_table(model: LanguageModel, prompt: str, answer: str) -> pd.DataFrame:
    """Return a row for each depth, 0 before the first block: the likeliest token, and the answer's place.

    answer: a text whose first token is looked for. Columns: likeliest, its probability, the answer's
    probability and rank (1: the likeliest). Raises EmptyPrompt, ContextWindowExceeded, DataError.
    """
    token = _first_token(model, prompt, answer)
    logits = logit_lens(model, prompt)
    shares = logits.softmax(-1)
    best = shares.max(-1)
    table = pd.DataFrame(
        {
            "likeliest": [quoted(token_text(model.tokenizer, one)) for one in best.indices.tolist()],
            "probability": best.values.tolist(),
            "of the answer": shares[:, token].tolist(),
            "rank of the answer": ((logits > logits[:, token, None]).sum(-1) + 1).tolist(),
        }
    )
    return table.rename_axis("after block")


def answers_forming(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return a row for each prompt's `lens_table`: after which block its answer is the likeliest, or how close it came.

    Columns: the first such block, missing where there is none; the answer's best rank; what the model says in the
    end, with its probability.
    """
    rows = []
    for prompt, table in tables.items():
        ranks, last = table["rank of the answer"], table.iloc[-1]
        first = (ranks == 1).idxmax() if (ranks == 1).any() else pd.NA
        rows.append((prompt, first, ranks.min(), last["likeliest"], last["probability"]))
    columns = ["prompt", "first likeliest after", "best rank", "model says", "probability"]
    return pd.DataFrame(rows, columns=columns).astype({"first likeliest after": "Int64"}).set_index("prompt")


def _first_token(model: LanguageModel, prompt: str, answer: str) -> int:
    if not answer.strip():
        raise DataError("The answer is empty: give the word that the model shall say next.")
    return continuation_ids(model, prompt, answer)[0]
