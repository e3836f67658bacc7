"""The part of a model that writes: the whole of a decoder-only model, the decoder behind an encoder."""

from collections.abc import Callable
from typing import Any

import torch
from transformers.modeling_outputs import BaseModelOutput

from utils.models.language_model import LanguageModel

Decoder = Callable[..., Any]
"""Token ids of shape (rows, tokens), and settings of the model's forward pass, to its output."""


def family(model: LanguageModel) -> str:
    """Return "decoder-only" or "encoder-decoder"."""
    return "encoder-decoder" if model.is_encoder_decoder else "decoder-only"


@torch.inference_mode()
def decoder_of(model: LanguageModel, prompt: str) -> tuple[Decoder, torch.Tensor]:
    """Return what writes a prompt's completion, and the tokens that it reads first, shape (1, tokens).

    A decoder-only model reads the prompt. Of an encoder-decoder model the encoder has read
    it, as a sentence says, and the decoder reads the token that every completion begins with.
    Raises EmptyPrompt.
    """
    ids = torch.tensor([model.encode(prompt)], device=model.device)
    if not model.is_encoder_decoder:
        return model.model, ids
    print("This model has an encoder, which has read the prompt: the decoder sees what it made of each token.")
    read = model.model.get_encoder()(ids).last_hidden_state

    def decoder(new: torch.Tensor, **settings: Any) -> Any:
        encoded = BaseModelOutput(last_hidden_state=read.expand(len(new), -1, -1))
        return model.model(encoder_outputs=encoded, decoder_input_ids=new, **settings)

    return decoder, torch.full_like(ids[:, :1], model.decoder_start)
