"""Soft prompts: vectors that stand where the embeddings of words would stand.

Source: B. Lester et al., "The Power of Scale for Parameter-Efficient Prompt Tuning", EMNLP 2021.
"""

import torch
from torch.nn.functional import normalize

from utils.models.language_model import LanguageModel
from utils.models.sharing import embeddings
from utils.models.tokens import token_text


def embed(model: LanguageModel, text: str) -> torch.Tensor:
    """Return the embeddings of a text's tokens, shape (tokens, size of a vector)."""
    ids = torch.tensor(model.encode(text), device=model.device)
    return model.model.get_input_embeddings()(ids).detach()


@torch.inference_mode()
def logits_after(model: LanguageModel, prompt: torch.Tensor) -> torch.Tensor:
    """Return the next token's logits, shape (vocabulary,), after a prompt as the model reads it.

    prompt: vectors, shape (n, size of one), or token ids, shape (n,). An encoder-decoder
    model's encoder reads them, and the logits are those of the completion's first token.
    """
    inputs = {"inputs_embeds" if prompt.is_floating_point() else "input_ids": prompt[None].to(model.device)}
    if model.is_encoder_decoder:
        inputs["decoder_input_ids"] = torch.tensor([[model.decoder_start]], device=model.device)
    return model.model(**inputs).logits[0, -1].float()


@torch.inference_mode()
def nearest_tokens(model: LanguageModel, vectors: torch.Tensor) -> list[tuple[str, float]]:
    """Return the token with the highest cosine similarity to each vector, and the similarity, -1 to 1."""
    table = normalize(embeddings(model.model), dim=-1)
    nearest = (normalize(vectors, dim=-1) @ table.T).max(dim=-1)
    return [
        (token_text(model.tokenizer, token), cosine)
        for token, cosine in zip(nearest.indices.tolist(), nearest.values.tolist(), strict=True)
    ]
