"""What tuning costs, computed: parameters, memory, arithmetic and files. And measured, to compare."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from utils.internals import adam_moments
from utils.models.language_model import LanguageModel
from utils.models.memory import FLOAT32, TrainingMemory
from utils.transformer.sizes import Sizes, read_sizes

RELATIVE_POSITIONS = 32
"""How many distances between tokens a T5 model tells apart, in each half of the model, a number a head."""


COMPUTED, BIASES = ("llama", "mistral"), ("attention_bias", "mlp_bias")
FUSED = ("gpt2",)
"""Kinds whose parameters the formula computes, unless they have biases; kinds with one matrix for all three."""


@dataclass(frozen=True)
class Architecture:
    """The sizes that say how many parameters a transformer has: no biases, gated feed-forward layers.

    sizes: of the decoder, and of the encoder if there is one. tied: whether the matrix that
    reads tokens also writes them. fused: whether one matrix makes query, key and value.
    counted: the parameters of a model that has other parts, too.
    """

    name: str
    sizes: Sizes
    feed_forward: int
    tied: bool
    encoder_decoder: bool = False
    fused: bool = False
    counted: int | None = None

    @property
    def attentions(self) -> int:
        """How many attention layers there are; a decoder behind an encoder has two in each block."""
        return self.sizes.layers * (3 if self.encoder_decoder else 1)


SMOLLM2_135M = Architecture("SmolLM2-135M", Sizes(49_152, 576, 30, 9, 3, 64), 1_536, tied=True)
"""L. Ben Allal et al., "SmolLM2", arXiv 2502.02737, and the model's public configuration."""

FLAN_T5_BASE = Architecture("FLAN-T5-base", Sizes(32_128, 768, 12, 12, 12, 64), 2_048, tied=False, encoder_decoder=True)
FLAN_T5_XXL = Architecture(
    "FLAN-T5-XXL", Sizes(32_128, 4_096, 24, 64, 64, 64), 10_240, tied=False, encoder_decoder=True
)
"""H.W. Chung et al., arXiv 2210.11416; the sizes of T5 version 1.1, from the models' public configurations."""

LLAMA_7B = Architecture("LLaMA-7B", Sizes(32_000, 4_096, 32, 32, 32, 128), 11_008, tied=False)
"""H. Touvron et al., "LLaMA", arXiv 2302.13971."""


def read_architecture(model: LanguageModel) -> Architecture:
    """Return a model's architecture, as its configuration states it.

    The parameters of a kind with biases, plain feed-forward layers or further norms are
    counted, and a sentence says so.
    """
    config = model.model.config
    computed = config.model_type in COMPUTED and not any(getattr(config, name, False) for name in BIASES)
    if not computed:
        print(
            f"A model of type {config.model_type!r} has parts that the formula does not know: "
            "its parameters are counted here, not computed."
        )
    return Architecture(
        Path(model.name).name.removesuffix("-Instruct"),
        read_sizes(config),
        feed_forward=getattr(config, "intermediate_size", 0),
        tied=config.tie_word_embeddings,
        encoder_decoder=model.is_encoder_decoder,
        fused=config.model_type in FUSED,
        counted=None if computed else model.model.num_parameters(),
    )


def parameters(model: Architecture) -> int:
    """Return how many parameters a model has."""
    if model.counted is not None:
        return model.counted
    sizes = model.sizes
    embeddings = sizes.vocabulary * sizes.hidden * (1 if model.tied else 2)
    attention = 2 * sizes.hidden * sizes.head_size * (sizes.heads + sizes.key_value_heads)
    feed_forward = 3 * sizes.hidden * model.feed_forward
    halves = 2 if model.encoder_decoder else 1
    feed_forwards = halves * sizes.layers
    norms = sizes.hidden * (model.attentions + feed_forwards + halves)
    distances = halves * RELATIVE_POSITIONS * sizes.heads if model.encoder_decoder else 0
    return embeddings + model.attentions * attention + feed_forwards * feed_forward + norms + distances


def lora_parameters(model: Architecture, rank: int) -> int:
    """Return how many parameters LoRA trains with A and B beside each query and value matrix, peft's choice.

    Where one matrix makes query, key and value, it stands beside this one.
    """
    sizes = model.sizes
    query, value = sizes.heads * sizes.head_size, sizes.key_value_heads * sizes.head_size
    widths = [query + 2 * value] if model.fused else [query, value]
    return model.attentions * rank * sum(sizes.hidden + width for width in widths)


def measured_memory(model: nn.Module, optimizer: torch.optim.Optimizer) -> TrainingMemory:
    """Return the bytes of the weights, gradients and moments that are there after a step."""
    weights = list(model.parameters())
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    parts = (weights, gradients, adam_moments(optimizer))
    return TrainingMemory(*(sum(tensor.nbytes for tensor in part) for part in parts))


def step_flops(parameters: int, tokens: int, *, frozen: bool = False) -> int:
    """Return about how many floating-point operations one training step takes.

    Two a parameter and token for the forward pass, two to hand the error down and, unless
    the model is frozen, two for the weights' gradients; attention's comparison of tokens
    and a small adapter are left out. Source: J. Kaplan et al., arXiv 2001.08361.
    """
    return (4 if frozen else 6) * parameters * tokens


def checkpoint_bytes(parameters: int, tasks: int, *, added: int | None = None) -> int:
    """Return the size of the files for some tasks: a whole model each, or one model and an adapter each."""
    return FLOAT32 * (tasks * parameters if added is None else parameters + tasks * added)
