"""A model and a tokenizer as they come, made fit for the course: mended where that can be, else refused in words."""

import string
from typing import Any

import torch

from utils.errors import ModelNotFound, short_reason
from utils.models.language_model import LanguageModel

TRIAL_TOKENS = 8
SAME = 1e-4
"""How far, of the largest logit, two passes may differ that compute the same."""


def fit(model: LanguageModel) -> LanguageModel:
    """Return a model that generates, encodes, pads, ends and chats as the course expects; weights stay as they are.

    Raises ModelNotFound for a tokenizer of another model, or one that knows no text, for a model that does not run,
    gives no numbers, or sees the words behind the one that it predicts.
    """
    _require_tokenizer(model)
    _settle_ends(model)
    _settle_padding(model)
    _settle_chat_template(model.tokenizer)
    _settle_decoder_start(model)
    _try_out(model)
    return model


def _require_tokenizer(model: LanguageModel) -> None:
    tokenizer, rows = model.tokenizer, model.embedded
    if len(tokenizer) > rows:
        added = tokenizer.added_tokens_decoder
        outside = [token for token, n in tokenizer.get_vocab().items() if n >= rows and n not in added]
        if outside or any(n >= rows for n in tokenizer("a")["input_ids"]):
            raise ModelNotFound(
                f"The tokenizer of {model.name} has {len(tokenizer)} tokens and the model {rows}, so they do not "
                "belong together: put the model's own tokenizer into its folder."
            )
    if not model.decode(tokenizer(string.printable)["input_ids"], skip_special_tokens=True).strip():
        special = {*tokenizer.all_special_tokens, *map(str, tokenizer.added_tokens_decoder.values())}
        if not any(token.strip(" \u2581\u0120") for token in tokenizer.get_vocab() if token not in special):
            raise ModelNotFound(
                f"{model.name} has no tokenizer that knows any text: put the model's tokenizer files into its folder."
            )


def _settle_ends(model: LanguageModel) -> None:
    """Let tokenizer and generation agree on the end of a text: what either of them says ends one."""
    tokenizer, rows, settings = model.tokenizer, model.embedded, model.model.generation_config
    if tokenizer.eos_token_id is not None and tokenizer.eos_token_id >= rows:
        tokenizer.eos_token = None
    of_model = _ids(settings.eos_token_id) or _ids(getattr(model.model.config.get_text_config(), "eos_token_id", None))
    ends = [n for n in of_model if n < rows]
    if tokenizer.eos_token_id is None and ends:
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(ends[0])
    if tokenizer.eos_token_id is not None and tokenizer.eos_token_id not in ends:
        ends.append(tokenizer.eos_token_id)
    if ends != _ids(settings.eos_token_id):
        settings.eos_token_id = ends or None


def _settle_padding(model: LanguageModel) -> None:
    """Pad with a token that has an embedding; which one does not matter, as the attention mask leaves it out."""
    tokenizer, rows = model.tokenizer, model.embedded
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id >= rows:
        known = (tokenizer.eos_token_id, tokenizer.unk_token_id, tokenizer.bos_token_id, 0)
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(next(n for n in known if n is not None and n < rows))


def _settle_chat_template(tokenizer: Any) -> None:
    """Of several templates by name take the default, or the only one."""
    templates = tokenizer.chat_template
    if isinstance(templates, dict):
        only = next(iter(templates.values())) if len(templates) == 1 else None
        tokenizer.chat_template = templates.get("default", only)


def _settle_decoder_start(model: LanguageModel) -> None:
    settings = model.model.generation_config
    if model.is_encoder_decoder and settings.decoder_start_token_id is None:
        known = (getattr(model.model.config, name, None) for name in ("decoder_start_token_id", "bos_token_id"))
        settings.decoder_start_token_id = next((n for n in known if n is not None), None)
        if settings.decoder_start_token_id is None:
            raise ModelNotFound(
                f"{model.name} does not say which token its decoder begins with: add decoder_start_token_id to its "
                "config.json."
            )


@torch.inference_mode()
def _try_out(model: LanguageModel) -> None:
    """Read two rows that begin with the same token: what comes behind must not change what is predicted there."""
    rows = torch.zeros(2, TRIAL_TOKENS, dtype=torch.long)
    rows[1, 1:] = model.embedded - 1
    inputs = {"input_ids": rows, "attention_mask": torch.ones_like(rows)}
    if model.is_encoder_decoder:
        inputs |= {"input_ids": rows[:1].expand(2, -1), "decoder_input_ids": rows}
    try:
        first, second = model.model(**inputs).logits[:, 0].float()
    except Exception as error:
        raise ModelNotFound(
            f"{model.name} cannot be run on text alone ({short_reason(error)}): take a model that writes text."
        ) from None
    if not (first.isfinite().all() and second.isfinite().all()):
        raise ModelNotFound(f"{model.name} predicts what are no numbers, so its weights are damaged: get it anew.")
    if (first - second).abs().max() > SAME * first.abs().max():
        raise ModelNotFound(
            f"{model.name} sees the words behind the one that it predicts, as BERT does: it reads texts but does not "
            "write any; take a model that generates text."
        )


def _ids(value: int | list[int] | None) -> list[int]:
    return [] if value is None else list(value) if isinstance(value, list | tuple) else [value]
