"""What leans on a library's inside: each function says on what, and of which version.

An upgrade may change any of it without a word. `tests/test_internals.py` has a contract test
for each name here, which then says what is gone and which function to mend. Nothing heavy is
imported here until it is needed.
"""

import hashlib
import inspect
import json
import tempfile
import warnings
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import get_ident
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn

KEEPS_KEYS = "data-lm-suppress-shortcuts"
"""Lumino 2 (JupyterLab 4.6): the attribute with which an element keeps its keys from JupyterLab's shortcuts."""

WIDGET_BOX = "widget-vbox"
"""jupyterlab-widgets 3.0: the class of a `VBox` in the page, by which a part finds the widget that it stands in."""

KERNEL_OF_A_WIDGET = ("comm_live_update", "sessionContext")
"""jupyterlab-widgets 3.0: what a model says after a restart, and what in its manager's `context` says of others."""

NOTEBOOK_PAGE = ("jp-WindowedPanel-outer", "jp-Cell", "jp-mod-active", "windowedListIndex")
"""JupyterLab 4.6: what scrolls in a notebook, its cells, the active one, and their numbers."""


def attention(config: Any) -> str:
    """Return how attention is computed, such as "sdpa"; transformers 5.23 keeps it in `config._attn_implementation`."""
    return config._attn_implementation


def compute_attention_weights(model: Any) -> None:
    """Let a model compute its attention weights; transformers 5.23 keeps them only if its attention is "eager".

    `set_attn_implementation` changes it, and a kind that has only one, or no attention, says so aloud.
    """
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        model.set_attn_implementation("eager")
    finally:
        logging.set_verbosity(level)


def attend_by(model: Any, name: str, attention: "Callable[..., Any]") -> None:
    """Let a function compute a model's attention, from what the model is called with by names of the function's own.

    transformers 5.23 takes it by `AttentionInterface.register`, hands such names on from layer to layer, and makes no
    mask for a name that is none of its own.
    """
    from transformers import AttentionInterface

    AttentionInterface.register(name, attention)
    model.set_attn_implementation(name)


def layer_number(module: Any) -> int:
    """Return which layer an attention module belongs to, from 0; transformers 5.23 notes it as `layer_idx`."""
    return module.layer_idx


def takes_logits_to_keep(model: Any) -> bool:
    """Whether a model computes only some logits when told; transformers 5.23 names the argument `logits_to_keep`."""
    return "logits_to_keep" in inspect.signature(model.forward).parameters


def ids_read(arguments: tuple, named: Mapping[str, Any]) -> "torch.Tensor":
    """Return what one pass reads; transformers 5.23 calls the model itself, with (`decoder_`)`input_ids` by name."""
    return named.get("decoder_input_ids", named.get("input_ids", arguments[0] if arguments else None))


def cache_layers(cache: Any) -> "list[tuple[torch.Tensor, torch.Tensor]]":
    """Return each layer's keys and values; transformers 5.23 keeps them in `cache.layers`, `.keys` and `.values`.

    An encoder-decoder model's cache has two parts, `self_attention_cache` and `cross_attention_cache`.
    """
    from transformers import EncoderDecoderCache

    both = isinstance(cache, EncoderDecoderCache)
    parts = [cache.self_attention_cache, cache.cross_attention_cache] if both else [cache]
    return [(layer.keys, layer.values) for part in parts for layer in part.layers]


def crop_cache(cache: Any, length: int) -> None:
    """Keep the first `length` tokens; transformers 5.23 takes in `cache.crop` how many to remove, as a negative."""
    cache.crop(length - cache.get_seq_length())


def repeat_cache(cache: Any, rows: int) -> None:
    """Give a cache of one row that many rows; transformers 5.23 calls it `cache.batch_repeat_interleave`."""
    cache.batch_repeat_interleave(rows)


def keep_blocks(decoder: Any, kept: slice) -> None:
    """Leave a decoder only some of its blocks; transformers 5.23 has them in `layers`."""
    decoder.layers = decoder.layers[kept]


def drop_last_norm(decoder: Any) -> None:
    """Let a decoder end in what its last block gives; transformers 5.23 calls what follows the blocks `norm`."""
    from torch import nn

    del decoder.norm
    decoder.norm = nn.Identity()


@contextmanager
def before_logits(model: Any, select: "Callable[[torch.Tensor], torch.Tensor]") -> "Generator[None]":
    """Choose which hidden states become logits; transformers 5.23 gives them to the output embeddings by position.

    Those that another thread computes meanwhile are left alone.
    """
    here = get_ident()

    def choose(_module: Any, inputs: Any) -> Any:
        return (select(inputs[0]),) if get_ident() == here else None

    hook = model.get_output_embeddings().register_forward_pre_hook(choose)
    try:
        yield
    finally:
        hook.remove()


def part_of_a_block(name: str, module: Any) -> str | None:
    """Return what a module is by its name in its block: "norm", "self-attention", "cross-attention", "feed-forward".

    The last three are matrices; None for all else. transformers 5.23 has `attn` or `attention` in the names of all
    that belongs to attention, `enc` or `cross` where it looks at an encoder, and `Norm` in the classes of norms;
    GPT-2's matrices are of the class `Conv1D`.
    """
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    if "Norm" in type(module).__name__:
        return "norm"
    if not isinstance(module, nn.Linear | Conv1D):
        return None
    if not is_attention(name):
        return "feed-forward"
    return "cross-attention" if "enc" in name.lower() or "cross" in name.lower() else "self-attention"


def is_attention(name: str) -> bool:
    """Whether a module of a block belongs to attention, or is a norm beside it; transformers 5.23 names them so."""
    return "attn" in name.lower() or "attention" in name.lower()


def position_modules(model: "nn.Module") -> "list[tuple[str, nn.Module]]":
    """Return what tells a model where a token stands, with its kind: "rotary", "learned" or "relative".

    transformers 5.23 has a few names for them.
    """
    kinds = {
        "rotary_emb": "rotary",
        "wpe": "learned",
        "embed_positions": "learned",
        "position_embeddings": "learned",
        "relative_attention_bias": "relative",
    }
    named = [(name.split(".")[-1], module) for name, module in model.named_modules()]
    return [(kinds[name], module) for name, module in named if name in kinds]


def tokenizer_state(tokenizer: Any) -> str:
    """Return all of a tokenizer as JSON; transformers 5.23 wraps one of `tokenizers` as `backend_tokenizer`.

    One that is written in Python has none: its class, its tokens, and the files that its vocabulary is saved in.
    """
    if hasattr(tokenizer, "backend_tokenizer"):
        return tokenizer.backend_tokenizer.to_str()
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_vocabulary(folder)
        files = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in Path(folder).iterdir()}
    added = {number: repr(token) for number, token in tokenizer.added_tokens_decoder.items()}
    return json.dumps([type(tokenizer).__name__, tokenizer.get_vocab(), added, files], sort_keys=True)


@cache
def byte_alphabet() -> dict[str, int]:
    """Return the byte that each letter of a byte-level vocabulary stands for; transformers 5.23 has the table of both.

    It is `bytes_to_unicode` of `transformers.convert_slow_tokenizer`; GPT-2's tokenizer began it.
    """
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    return {letter: byte for byte, letter in bytes_to_unicode().items()}


def drop_quantization(model: Any) -> None:
    """Forget that the weights came from a GGUF file; transformers 5.23 notes it in two places, and then saves none."""
    for owner, note in ((model, "hf_quantizer"), (model.config, "quantization_config")):
        if hasattr(owner, note):
            delattr(owner, note)


@contextmanager
def weights_read_through(shown: "Callable[[Iterable], Iterable]") -> "Generator[None]":
    """Let weights pass through `shown` as they are read; transformers 5.23 gives them to what `set_tqdm_hook` got.

    Those of a GGUF file it gives to the `tqdm` of `modeling_gguf_pytorch_utils`.
    """
    from transformers import modeling_gguf_pytorch_utils
    from transformers.utils import logging

    gguf: Any = modeling_gguf_pytorch_utils
    own = gguf.tqdm
    before = logging.set_tqdm_hook(lambda _make, arguments, _named: shown(arguments[0]))
    gguf.tqdm = lambda items, **_named: shown(items)
    try:
        yield
    finally:
        gguf.tqdm = own
        logging.set_tqdm_hook(before)


def times_changed(tensor: "torch.Tensor") -> int:
    """Return a number that grows when a tensor is changed in place; torch 2.13 counts in `tensor._version`."""
    return tensor._version


def adam_moments(optimizer: "torch.optim.Optimizer") -> "list[torch.Tensor]":
    """Return both moments of every weight; torch 2.13 keeps them in `state` as `exp_avg` and `exp_avg_sq`."""
    return [kept[name] for kept in optimizer.state.values() for name in ("exp_avg", "exp_avg_sq")]


def peft_config(model: Any) -> Any:
    """Return an adapter's settings, None without one; peft 0.21 gives them as `active_peft_config`."""
    return getattr(model, "active_peft_config", None)


def virtual_tokens(model: Any) -> int:
    """Return how many vectors an adapter puts before a prompt; peft 0.21 has them as `num_virtual_tokens`."""
    adapter = peft_config(model)
    return adapter.num_virtual_tokens if adapter and adapter.is_prompt_learning else 0


def base_model(model: Any) -> Any:
    """Return the model inside a `PeftModel`, or the model itself; peft 0.21 gives it by `get_base_model()`."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def adapters_in_use(model: "nn.Module") -> list[tuple[Any, Any]]:
    """Return each module's adapters and scales; peft 0.21 keeps them in its `active_adapters` and `scaling`."""
    return [(getattr(module, "active_adapters", None), getattr(module, "scaling", None)) for module in model.modules()]


def lora_layers(model: "nn.Module") -> list[Any]:
    """Return the layers that a LoRA adapter changes; peft 0.21 has them of the class `peft.tuners.lora.LoraLayer`."""
    from peft.tuners.lora import LoraLayer

    return [module for module in model.modules() if isinstance(module, LoraLayer)]


def lora_matrices(layer: Any) -> "tuple[torch.Tensor, torch.Tensor, float] | None":
    """Return a LoRA layer's matrices, a and b, and what b a is multiplied with, None where it has more than these.

    peft 0.21 keeps them by the adapter's name in `lora_A`, `lora_B` and `scaling`; a layer may be a variant, hold its
    matrices as an embedding, or have a bias.
    """
    names = list(layer.lora_A)
    if len(names) != 1 or is_variant(layer) or layer.lora_embedding_A or layer.lora_B[names[0]].bias is not None:
        return None
    return layer.lora_A[names[0]].weight, layer.lora_B[names[0]].weight, layer.scaling[names[0]]


def is_variant(layer: Any) -> bool:
    """Whether a LoRA layer is a DoRA or other variant; peft 0.21 lists an adapter's in `layer.lora_variant`."""
    return bool(layer.lora_variant)


def adapted_weight(layer: Any) -> "torch.Tensor":
    """Return the weight behind a LoRA layer; peft 0.21 gives its layer by `get_base_layer()`."""
    return layer.get_base_layer().weight


@contextmanager
def without_known_warnings() -> "Generator[None]":
    """Use adapters in silence; peft 0.21 asks transformers 5.23 by an old name, and mends `fan_in_fan_out` aloud.

    It also says that soft prompts take no `position_ids`, which transformers' `generate` gives.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
        warnings.filterwarnings("ignore", "fan_in_fan_out", UserWarning)
        warnings.filterwarnings("ignore", "Position ids are not supported", UserWarning)
        yield


def hear_while_a_cell_runs(comm: Any) -> None:
    """Let the page choose where the kernel hears a widget: beside a cell that runs, not after it.

    ipykernel from 7.4 hears a widget in the shell that wrote to it last, noted in `_reply_subshell_id`: the one that
    the cell keeps busy. Without that note, JupyterLab's own subshell hears.
    """
    vars(comm).pop("_reply_subshell_id", None)


def awaits_request(connection: Any) -> bool:
    """Whether a request has not arrived whole; uvicorn 0.54's H11Protocol keeps h11's connection in `conn`."""
    import h11

    return connection.conn.their_state in (h11.IDLE, h11.SEND_BODY)


def scope_under_way(connection: Any) -> dict[str, Any] | None:
    """Return the ASGI scope of a request whose answer is not complete; uvicorn 0.54's H11Protocol has it in `cycle`."""
    cycle = connection.cycle
    return None if cycle is None or cycle.response_complete else cycle.scope


def answer_and_close(connection: Any, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bool:
    """End a connection of uvicorn 0.54's H11Protocol by `conn` and `transport`; whether no answer had begun yet.

    Where none had, it is this one.
    """
    import h11

    first = connection.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE)
    if first:
        events = (h11.Response(status_code=status, headers=list(headers)), h11.Data(data=body), h11.EndOfMessage())
        connection.transport.write(b"".join(connection.conn.send(event) for event in events))
    connection.transport.close()
    return first
