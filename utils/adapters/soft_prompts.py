"""Soft prompts: vectors that stand where the embeddings of words would stand.

Source: B. Lester et al., "The Power of Scale for Parameter-Efficient Prompt Tuning", EMNLP 2021.
"""

import torch
from torch.nn.functional import normalize

from utils.errors import UnsupportedSetting
from utils.models.language_model import LanguageModel
from utils.models.sharing import embeddings
from utils.models.tokens import token_text


def embed(model: LanguageModel, text: str) -> torch.Tensor:
    """Return the embeddings of a text's tokens, shape (tokens, hidden size)."""
    return embeddings(model.model)[model.encode(text)].detach()


@torch.inference_mode()
def logits_after(model: LanguageModel, vectors: torch.Tensor) -> torch.Tensor:
    """Return the next token's logits, shape (vocabulary,), after vectors of shape (n, hidden size).

    Raises UnsupportedSetting for an encoder-decoder model, whose completion does not follow its prompt.
    """
    if model.is_encoder_decoder:
        raise UnsupportedSetting(f"{model.name} writes with a decoder of its own: take a decoder-only model.")
    return model.model(inputs_embeds=vectors[None]).logits[0, -1].float()


@torch.inference_mode()
def nearest_tokens(model: LanguageModel, vectors: torch.Tensor) -> list[tuple[str, float]]:
    """Return the token with the highest cosine similarity to each vector, and the similarity, -1 to 1."""
    table = normalize(embeddings(model.model), dim=-1)
    nearest = (normalize(vectors, dim=-1) @ table.T).max(dim=-1)
    return [
        (token_text(model.tokenizer, token), cosine)
        for token, cosine in zip(nearest.indices.tolist(), nearest.values.tolist(), strict=True)
    ]
