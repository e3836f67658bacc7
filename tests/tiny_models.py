"""Tiny random models of every kind that the course is tried on, and tokenizers for them."""

from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

SPECIAL = ["<pad>", "</s>", "<unk>"]
LETTERS = [*SPECIAL, *"abcdefghijklmnopqrstuvwxyz", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ", *".,:\n?'#1234567890 "]
WINDOWED = {"sliding_window": 8}
ROTARY = {
    "llama": (LlamaConfig, LlamaForCausalLM, {}),
    "mistral": (MistralConfig, MistralForCausalLM, WINDOWED),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM, {}),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM, {"head_dim": 16}),
    "gemma3": (
        Gemma3TextConfig,
        Gemma3ForCausalLM,
        {
            "head_dim": 16,
            "layer_types": ["sliding_attention", "full_attention"],
            "tie_word_embeddings": False,  # else it repeats each token, whose scaled vector is then its own best answer
            **WINDOWED,
        },
    ),
}
"""Kinds with rotary positions: configuration, model, and what they have of their own."""

KINDS = (*ROTARY, "gpt2", "opt", "t5", "bart")
IDS = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 1}


def tiny_model(kind: str, *, vocabulary: int = len(LETTERS), window: int = 256) -> PreTrainedModel:
    """Return a model of two blocks with random weights, large enough that no two tokens are alike to it."""
    torch.manual_seed(7)
    size = {"vocab_size": vocabulary, **IDS}
    if kind in ROTARY:
        configuration, model, own = ROTARY[kind]
        rotary = {
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": window,
            "initializer_range": 0.5,
        }
        return model(configuration(**size, **rotary, **own))
    if kind == "gpt2":
        config = GPT2Config(**size, n_embd=32, n_layer=2, n_head=4, n_positions=window, initializer_range=0.5)
        return GPT2LMHeadModel(config)
    if kind == "opt":
        config = OPTConfig(
            **size,
            hidden_size=32,
            word_embed_proj_dim=16,  # as in OPT-350M, whose tokens have smaller vectors than its blocks
            ffn_dim=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=window,
            init_std=0.5,
        )
        return OPTForCausalLM(config)
    if kind == "bart":
        config = BartConfig(
            **size,
            d_model=32,
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=64,
            decoder_ffn_dim=64,
            max_position_embeddings=window,
            init_std=0.5,
            decoder_start_token_id=1,
            forced_eos_token_id=None,
        )
        return BartForConditionalGeneration(config)
    config = T5Config(
        vocab_size=vocabulary,
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=2,
        num_heads=4,
        decoder_start_token_id=0,
        tie_word_embeddings=False,
        initializer_factor=4.0,
    )
    model = T5ForConditionalGeneration(config)
    torch.nn.init.normal_(model.lm_head.weight)
    return model


def letters(window: int = 256) -> PreTrainedTokenizerFast:
    """Return a tokenizer with a token for each letter; what it does not know is <unk>."""
    each = Tokenizer(models.WordLevel({word: n for n, word in enumerate(LETTERS)}, unk_token="<unk>"))
    each.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    each.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=each, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=window
    )


def byte_pairs(texts: Iterable[str], *, vocabulary: int, special: list[str]) -> Tokenizer:
    """Return a tokenizer that can write any text, and the given ones in few tokens (byte-level BPE)."""
    pairs = Tokenizer(models.BPE())
    pairs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pairs.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    pairs.train_from_iterator(texts, trainer)
    return pairs


def save(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> Path:
    """Save both as a learner would have them on disk."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
