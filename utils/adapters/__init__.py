"""Adapters: the methods of parameter-efficient tuning, and what they cost."""

from utils.adapters import lora
from utils.adapters.costs import (
    FLAN_T5_BASE,
    FLAN_T5_XXL,
    LLAMA_7B,
    checkpoint_bytes,
    lora_parameters,
    measured_memory,
    parameters,
    read_architecture,
    step_flops,
)
from utils.adapters.dial import dial_curve
from utils.adapters.methods import METHODS, Method, add_adapter, find_method, load_adapter, merge, save_adapter
from utils.adapters.soft_prompts import embed, logits_after, nearest_tokens
from utils.adapters.taxonomy import methods_table
from utils.models.memory import training_memory

__all__ = [
    "FLAN_T5_BASE",
    "FLAN_T5_XXL",
    "LLAMA_7B",
    "METHODS",
    "Method",
    "add_adapter",
    "checkpoint_bytes",
    "dial_curve",
    "embed",
    "find_method",
    "load_adapter",
    "logits_after",
    "lora",
    "lora_parameters",
    "measured_memory",
    "merge",
    "methods_table",
    "nearest_tokens",
    "parameters",
    "read_architecture",
    "save_adapter",
    "step_flops",
    "training_memory",
]
