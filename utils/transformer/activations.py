"""What every module of a model is given and gives while it reads a text."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from utils.models.language_model import LanguageModel
from utils.transformer.parts import hidden_states, inputs_of

Hook = Callable[[nn.Module, tuple, dict[str, Any], Any], Any]
"""A forward hook of torch: (module, arguments, named arguments, output) to a new output, or None to leave it."""


class Activation(NamedTuple):
    """What a module was given and gave: hidden states, shape (tokens, size)."""

    input: torch.Tensor
    output: torch.Tensor


@contextmanager
def hooked(hooks: Mapping[nn.Module, Hook]) -> Generator[None]:
    """Call each hook after its module; all are removed when the `with` block ends, however it ends."""
    handles = [module.register_forward_hook(hook, with_kwargs=True) for module, hook in hooks.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@torch.inference_mode()
def record_activations(model: LanguageModel, prompt: str) -> dict[str, Activation]:
    """Return the activations of every module that a prompt passes, by the module's name in `model.model`.

    A module that is called more than once has its last ones. Raises EmptyPrompt, ContextWindowExceeded.
    """
    found: dict[str, Activation] = {}

    def note(name: str) -> Hook:
        def hook(_: nn.Module, given: tuple, named: dict[str, Any], output: Any) -> None:
            pair = given_states(given, named), hidden_states(output)
            if all(isinstance(tensor, torch.Tensor) and tensor.dim() > 1 for tensor in pair):
                found[name] = Activation(*(tensor[0].clone() for tensor in pair))

        return hook

    with hooked({module: note(name) for name, module in model.model.named_modules() if name}):
        model.model(**inputs_of(model, prompt), use_cache=False)
    return found


def given_states(given: tuple, named: Mapping[str, Any]) -> Any:
    """Return the hidden states that a module was given, by position or by name."""
    return given[0] if given else named.get("hidden_states")


def llama_kind(model: LanguageModel) -> LanguageModel:
    """Return a model itself if its blocks are a Llama's, else a small random one that reads the same tokens.

    The steps that a reader writes are those of one architecture: H. Touvron et al., "LLaMA", arXiv 2302.13971.
    """
    if model.model.config.model_type == "llama":
        return model
    print(
        f"A model of type {model.model.config.model_type!r} has other steps than those recomputed here: "
        "they are shown on a small Llama with random weights."
    )
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=model.embedded,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    return LanguageModel("a small Llama", LlamaForCausalLM(config).eval(), model.tokenizer, model.context_window)
