"""Contracts with the insides of libraries: when an upgrade breaks one, its test names the function to mend.

Each contract is also tried with its inside gone, so that it is known to find that.
"""

import ast
import copy
import json
import sys
import warnings
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import NamedTuple

import h11
import peft
import pytest
import torch
import uvicorn
from ipykernel.comm.comm import BaseComm
from ipykernel.kernelbase import Kernel
from jupyter_core.paths import jupyter_path
from peft.helpers import rescale_adapter_scale
from tqdm.auto import tqdm
from transformers import (
    DynamicCache,
    EncoderDecoderCache,
    LlamaForCausalLM,
    LlamaModel,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    modeling_gguf_pytorch_utils,
    pytorch_utils,
)
from transformers.cache_utils import DynamicLayer
from transformers.masking_utils import AttentionMaskInterface, eager_mask
from transformers.models.llama.modeling_llama import LlamaAttention
from transformers.quantizers.auto import get_hf_quantizer
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from tests.tiny_models import tiny_model
from utils import internals
from utils.models.sharing import blocks

UTILS = Path(__file__).parents[1] / "utils"
WIDGETS = UTILS / "widgets"
PROTOCOLS = {"_repr_html_", "_repr_mimebundle_", "_render_traceback_", "_exit"}
"""Names with an underscore that IPython and Python publish."""

IDS = torch.tensor([[3, 4, 5]])
Change = Callable[[pytest.MonkeyPatch], None]


class Contract(NamedTuple):
    library: str
    inside: str
    holds: Callable[[], None]
    gone: tuple[Change, ...]


CONTRACTS: dict[str, Contract] = {}


def contract(library: str, inside: str, *gone: Change):
    """Register a contract under its function's name, with the changes of the library that must break it."""

    def register(holds: Callable[[], None]) -> None:
        CONTRACTS[holds.__name__] = Contract(library, inside, holds, gone)

    return register


def uphold(name: str) -> None:
    library, inside, holds, _ = CONTRACTS[name]
    try:
        holds()
    except Exception as error:
        pytest.fail(f"{library} {version(library)} has no {inside} any more: mend utils.internals.{name} ({error!r})")


@pytest.mark.parametrize("name", CONTRACTS)
def test_contract(name):
    uphold(name)


def broken() -> list:
    return [
        pytest.param(name, gone, id=f"{name}-{n}") for name in CONTRACTS for n, gone in enumerate(CONTRACTS[name].gone)
    ]


def test_every_inside_has_a_contract_that_can_break():
    ours = {name for name, item in vars(internals).items() if getattr(item, "__module__", None) == internals.__name__}
    constants = {name for name in vars(internals) if name.isupper() and name != "TYPE_CHECKING"}
    assert set(CONTRACTS) == ours | constants
    assert all(kept.gone for kept in CONTRACTS.values())


def test_no_inside_is_used_anywhere_else():
    found = [
        f"{path.relative_to(UTILS)}:{node.lineno} {node.attr}"
        for path in UTILS.rglob("*.py")
        if path.name != "internals.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8")))
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__")
        if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")) and node.attr not in PROTOCOLS
    ]
    assert found == [], "an attribute that is another's own: reach it by a function of utils.internals"


def hidden(owner: type, name: str) -> Change:
    """Let `utils.internals` find nothing of that name on an object, while the library itself finds it."""

    def change(patch: pytest.MonkeyPatch) -> None:
        for way in ("__getattribute__", "__getattr__", "__delattr__"):
            if hasattr(owner, way):
                patch.setattr(owner, way, without(getattr(owner, way)))

    def without(find):
        def found(self, asked):
            if asked == name and sys._getframe(1).f_globals["__name__"] == internals.__name__:
                raise AttributeError(asked)
            return find(self, asked)

        return found

    return change


def replaced(owner: object, name: str, value: object) -> Change:
    return lambda patch: patch.setattr(owner, name, value)


@cache
def tiny(kind: str = "llama"):
    return tiny_model(kind).eval()


def adapted(config: peft.PeftConfig, kind: str = "llama") -> peft.PeftModel:
    with internals.without_known_warnings():
        return peft.get_peft_model(copy.deepcopy(tiny(kind)), config)


def filled(kind: str = "llama"):
    return tiny(kind)(IDS, use_cache=True).past_key_values


LORA_LINEAR = peft.tuners.lora.Linear
SOFT = {"task_type": "CAUSAL_LM", "num_virtual_tokens": 2}


def in_the_page(text: str, folder: str, bundles: str) -> bool:
    """Whether the JavaScript that a library ships has a text."""
    paths = [path for place in jupyter_path(*folder.split("/")) for path in sorted(Path(place).glob(bundles))]
    return any(text in path.read_text(encoding="utf8") for path in paths)


def _renamed_in_the_page(name: str) -> Change:
    read = Path.read_text
    return replaced(
        Path, "read_text", lambda path, **how: read(path, **how).replace(name, name if path.parent == WIDGETS else "")
    )


@contract("jupyterlab", "attribute that keeps keys (Lumino's)", _renamed_in_the_page(internals.KEEPS_KEYS))
def KEEPS_KEYS():
    assert internals.KEEPS_KEYS in (WIDGETS / "frame.js").read_text(encoding="utf8")
    assert in_the_page(f'hasAttribute("{internals.KEEPS_KEYS}")', "lab/static", "jlab_core.*.js")


@contract("jupyterlab-widgets", "class of a VBox in the page", _renamed_in_the_page(internals.WIDGET_BOX))
def WIDGET_BOX():
    for script in ("frame.js", "picture.js", "slider.js"):
        assert f'".{internals.WIDGET_BOX}"' in (WIDGETS / script).read_text(encoding="utf8")
    assert in_the_page(f'"{internals.WIDGET_BOX}"', "labextensions/@jupyter-widgets/jupyterlab-manager/static", "*.js")


@contract(
    "jupyterlab-widgets",
    "signs that a kernel is gone",
    *map(_renamed_in_the_page, internals.KERNEL_OF_A_WIDGET),
)
def KERNEL_OF_A_WIDGET():
    for name in internals.KERNEL_OF_A_WIDGET:
        assert name in (WIDGETS / "frame.js").read_text(encoding="utf8")
        assert in_the_page(name, "labextensions/@jupyter-widgets/jupyterlab-manager/static", "*.js")


@contract("jupyterlab", "names of a notebook's parts", *map(_renamed_in_the_page, internals.NOTEBOOK_PAGE))
def NOTEBOOK_PAGE():
    for name in internals.NOTEBOOK_PAGE:
        assert name in (WIDGETS / "frame.js").read_text(encoding="utf8")
        assert in_the_page(name, "lab/static", "*.js"), name


@contract("transformers", "config._attn_implementation", hidden(PreTrainedConfig, "_attn_implementation"))
def attention():
    assert internals.attention(tiny().config) == "sdpa"
    assert internals.attention(tiny_model("gpt2").config) in ("sdpa", "eager")


def _hides_its_arguments(patch: pytest.MonkeyPatch) -> None:
    forward = LlamaForCausalLM.forward
    patch.setattr(LlamaForCausalLM, "forward", lambda self, *given, **named: forward(self, *given, **named))


@contract(
    "transformers",
    'set_attn_implementation("eager")',
    lambda patch: patch.delattr(PreTrainedModel, "set_attn_implementation"),
    lambda patch: patch.setattr(PreTrainedModel, "set_attn_implementation", lambda self, name: None),
)
def compute_attention_weights():
    model = copy.deepcopy(tiny())
    internals.compute_attention_weights(model)
    weights = model(IDS, output_attentions=True).attentions
    assert len(weights) == 2 and all(torch.allclose(layer.sum(-1), torch.ones(1)) for layer in weights)
    assert internals.attention(tiny().config) == "sdpa"


def _masked(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(AttentionMaskInterface._global_mapping, "of the test", eager_mask)


@contract(
    "transformers",
    "attention by a function of one's own, with names of its own and without a mask",
    hidden(LlamaForCausalLM, "set_attn_implementation"),
    _masked,
)
def attend_by():
    seen = []

    def attention(module, query, key, value, attention_mask, *, own, **more):
        seen.append((module.layer_idx, own, attention_mask, tuple(key.shape)))
        return query.transpose(1, 2), None

    model = tiny_model("llama")
    internals.attend_by(model, "of the test", attention)
    model(IDS, own="own", use_cache=False)
    assert seen == [(number, "own", None, (1, 2, 3, 8)) for number in (0, 1)]


@contract("transformers", "layer_idx of an attention module", hidden(LlamaAttention, "layer_idx"))
def layer_number():
    assert [internals.layer_number(block.self_attn) for block in tiny().model.layers] == [0, 1]


@contract("transformers", "argument logits_to_keep of forward()", _hides_its_arguments)
def takes_logits_to_keep():
    assert internals.takes_logits_to_keep(tiny())
    assert tiny()(IDS, logits_to_keep=1).logits.shape[1] == 1
    assert not internals.takes_logits_to_keep(tiny("t5"))


@contract(
    "transformers",
    "names and classes of a block's parts",
    replaced(pytorch_utils, "Conv1D", torch.nn.Linear),
    replaced(LlamaForCausalLM, "named_modules", lambda model: []),
)
def part_of_a_block():
    kinds = {"norm", "self-attention", "feed-forward"}
    for kind in ("llama", "gpt2", "opt", "t5", "bart"):
        found = {internals.part_of_a_block(*named) for named in blocks(tiny(kind))[0].named_modules()} - {None}
        assert found == (kinds | {"cross-attention"} if kind in ("t5", "bart") else kinds)
    named = [internals.part_of_a_block(*one) for one in tiny().named_modules() if "layers.0." in one[0]]
    assert named.count("self-attention") == 4 and named.count("feed-forward") == 3


NAMELESS = replaced(torch.nn.Module, "named_modules", lambda module: [])


@contract(
    "transformers",
    "attn in the names of attention's modules",
    NAMELESS,
)
def is_attention():
    names = [name for name, _ in blocks(tiny())[0].named_modules() if internals.is_attention(name)]
    assert names == ["self_attn", *(f"self_attn.{one}_proj" for one in "qkvo"), "post_attention_layernorm"]


@contract("transformers", "names of modules for positions", NAMELESS)
def position_modules():
    kinds = {"llama": "rotary", "gpt2": "learned", "opt": "learned", "bart": "learned", "t5": "relative"}
    for kind, positions in kinds.items():
        assert {found for found, _ in internals.position_modules(tiny(kind))} == {positions}, kind


def _reads_embeddings(patch: pytest.MonkeyPatch) -> None:
    prepare = LlamaForCausalLM.prepare_inputs_for_generation

    def prepared(self, *given, **named):
        inputs = prepare(self, *given, **named)
        return {**inputs, "input_ids": None, "inputs_embeds": self.get_input_embeddings()(inputs["input_ids"])}

    patch.setattr(LlamaForCausalLM, "prepare_inputs_for_generation", prepared)


@contract("transformers", "generate() that calls the model with input_ids by name", _reads_embeddings)
def ids_read():
    assert _passes("llama") == [3, 1]
    assert _passes("bart") == [1, 1]


def _passes(kind: str) -> list[int]:
    read = []

    def note(_model, given, named):
        read.append(internals.ids_read(given, named).shape[1])

    hook = tiny(kind).register_forward_pre_hook(note, with_kwargs=True)
    try:
        tiny(kind).generate(IDS, max_new_tokens=2, min_new_tokens=2, do_sample=False)
    finally:
        hook.remove()
    return read


@contract(
    "transformers",
    "cache.layers with .keys and .values",
    hidden(DynamicCache, "layers"),
    hidden(DynamicLayer, "keys"),
    hidden(DynamicLayer, "values"),
    hidden(EncoderDecoderCache, "self_attention_cache"),
    hidden(EncoderDecoderCache, "cross_attention_cache"),
)
def cache_layers():
    assert [tensor.shape for layer in internals.cache_layers(filled()) for tensor in layer] == [(1, 2, 3, 8)] * 4
    both = tiny("bart")(IDS, decoder_input_ids=IDS[:, :1], use_cache=True).past_key_values
    assert [keys.shape[2] for keys, _ in internals.cache_layers(both)] == [1, 1, 3, 3]


@contract(
    "transformers",
    "cache.crop(-n) that removes n tokens",
    hidden(DynamicCache, "crop"),
    hidden(DynamicCache, "get_seq_length"),
    replaced(DynamicCache, "crop", lambda cache, length: None),
)
def crop_cache():
    for length in (2, 0):
        cropped = filled()
        internals.crop_cache(cropped, length)
        assert cropped.get_seq_length() == length


@contract("transformers", "cache.batch_repeat_interleave", hidden(DynamicCache, "batch_repeat_interleave"))
def repeat_cache():
    repeated = filled()
    internals.repeat_cache(repeated, 4)
    assert {len(keys) for keys, _ in internals.cache_layers(repeated)} == {4}


@contract("transformers", "blocks in decoder.layers", hidden(LlamaModel, "layers"))
def keep_blocks():
    whole = tiny().base_model
    low = copy.deepcopy(whole)
    internals.keep_blocks(low, slice(1))
    after_first = whole(IDS, output_hidden_states=True).hidden_states[1]
    assert torch.allclose(low(IDS, use_cache=False).last_hidden_state, whole.norm(after_first))


@contract("transformers", "decoder.norm behind the blocks", hidden(LlamaModel, "norm"))
def drop_last_norm():
    whole = tiny().base_model
    bare = copy.deepcopy(whole)
    internals.drop_last_norm(bare)
    assert torch.allclose(whole.norm(bare(IDS).last_hidden_state), whole(IDS).last_hidden_state)


@contract(
    "transformers",
    "output embeddings that are given the hidden states",
    hidden(LlamaForCausalLM, "get_output_embeddings"),
    replaced(LlamaForCausalLM, "get_output_embeddings", lambda model: torch.nn.Identity()),
)
def before_logits():
    with internals.before_logits(tiny(), lambda hidden: hidden[:, 1]):
        one = tiny()(IDS).logits
    assert torch.allclose(one, tiny()(IDS).logits[:, 1], atol=1e-5)


@contract("transformers", "tokenizer.backend_tokenizer", hidden(PreTrainedTokenizerFast, "backend_tokenizer"))
def tokenizer_state():
    from tokenizers import Tokenizer, models

    letters = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0, "<unk>": 1}, "<unk>")))
    assert json.loads(internals.tokenizer_state(letters))["model"]["vocab"] == {"a": 0, "<unk>": 1}


@contract(
    "transformers",
    "convert_slow_tokenizer.bytes_to_unicode",
    lambda patch: patch.delattr(import_module("transformers.convert_slow_tokenizer"), "bytes_to_unicode"),
)
def byte_alphabet():
    from tokenizers.pre_tokenizers import ByteLevel

    found = internals.byte_alphabet.__wrapped__()
    assert sorted(found.values()) == list(range(256)) and set(found) == set(ByteLevel.alphabet())
    assert (found["Ġ"], found["a"], found["â"]) == (ord(" "), ord("a"), 0xE2)


@contract(
    "transformers",
    "set_tqdm_hook and modeling_gguf_pytorch_utils.tqdm",
    lambda patch: patch.delattr("transformers.utils.logging.set_tqdm_hook"),
    lambda patch: patch.setattr("transformers.utils.logging.set_tqdm_hook", lambda hook: None),
    lambda patch: patch.delattr("transformers.modeling_gguf_pytorch_utils.tqdm"),
)
def weights_read_through():
    heard = []
    with TemporaryDirectory() as folder:
        tiny().save_pretrained(folder)
        with internals.weights_read_through(lambda weights: (heard.append(weight) or weight for weight in weights)):
            LlamaForCausalLM.from_pretrained(folder)
            assert len(heard) >= len(tiny().state_dict()) - 1
            assert list(modeling_gguf_pytorch_utils.tqdm(["a tensor"], desc="")) == [heard[-1]] == ["a tensor"]
    assert modeling_gguf_pytorch_utils.tqdm is tqdm


@contract(
    "transformers",
    "model.hf_quantizer and config.quantization_config",
    hidden(PreTrainedConfig, "quantization_config"),
    hidden(LlamaForCausalLM, "hf_quantizer"),
)
def drop_quantization():
    model = copy.deepcopy(tiny())
    model.hf_quantizer, *_ = get_hf_quantizer(model.config, None, "cpu", True, {}, gguf_file="weights.gguf")
    assert "quantization_config" in model.config.to_dict() and vars(model)["hf_quantizer"]
    internals.drop_quantization(model)
    assert "quantization_config" not in model.config.to_dict() and "hf_quantizer" not in vars(model)
    internals.drop_quantization(model)


@contract("torch", "tensor._version", hidden(torch.Tensor, "_version"))
def times_changed():
    weight = torch.nn.Parameter(torch.zeros(2))
    before = internals.times_changed(weight)
    weight.detach().add_(1)
    assert internals.times_changed(weight) > before


def _renames_a_moment(name: str) -> Change:
    def change(patch: pytest.MonkeyPatch) -> None:
        step = torch.optim.AdamW.step

        def stepped(optimizer):
            step(optimizer)
            for kept in optimizer.state.values():
                kept["renamed"] = kept.pop(name)

        patch.setattr(torch.optim.AdamW, "step", stepped)

    return change


@contract("torch", "exp_avg and exp_avg_sq of AdamW", _renames_a_moment("exp_avg"), _renames_a_moment("exp_avg_sq"))
def adam_moments():
    weight = torch.nn.Parameter(torch.zeros(2))
    weight.grad = torch.ones(2)
    optimizer = torch.optim.AdamW([weight])
    optimizer.step()
    first, second = internals.adam_moments(optimizer)
    assert torch.allclose(first, torch.full((2,), 0.1)) and torch.allclose(second, torch.full((2,), 0.001))


@contract("peft", "model.active_peft_config", hidden(peft.PeftModel, "active_peft_config"))
def peft_config():
    assert internals.peft_config(tiny()) is None
    assert not internals.peft_config(adapted(peft.LoraConfig())).is_prompt_learning
    prefix = internals.peft_config(adapted(peft.PrefixTuningConfig(**SOFT)))
    assert prefix.is_prompt_learning and prefix.peft_type == "PREFIX_TUNING"


@contract("peft", "config.num_virtual_tokens", hidden(peft.PromptTuningConfig, "num_virtual_tokens"))
def virtual_tokens():
    assert internals.virtual_tokens(tiny()) == internals.virtual_tokens(adapted(peft.LoraConfig())) == 0
    assert internals.virtual_tokens(adapted(peft.PromptTuningConfig(**SOFT))) == SOFT["num_virtual_tokens"]


@contract("peft", "model.get_base_model", hidden(peft.PeftModel, "get_base_model"))
def base_model():
    assert internals.base_model(tiny()) is tiny()
    for config in (peft.LoraConfig(), peft.PromptTuningConfig(**SOFT)):
        assert type(internals.base_model(adapted(config))) is LlamaForCausalLM


@contract(
    "peft",
    "active_adapters and scaling of a layer",
    hidden(LORA_LINEAR, "active_adapters"),
    hidden(LORA_LINEAR, "scaling"),
)
def adapters_in_use():
    model = adapted(peft.LoraConfig(r=8, lora_alpha=16))
    used = (["default"], {"default": 2.0})
    assert internals.adapters_in_use(model).count(used) == 4
    with rescale_adapter_scale(model, 0.5):
        assert internals.adapters_in_use(model).count((["default"], {"default": 1.0})) == 4


@contract("peft", "class peft.tuners.lora.LoraLayer", lambda patch: patch.delattr("peft.tuners.lora.LoraLayer"))
def lora_layers():
    assert len(internals.lora_layers(adapted(peft.LoraConfig()))) == 4
    assert internals.lora_layers(tiny()) == []


@contract(
    "peft",
    "lora_A, lora_B and scaling of a layer",
    *(hidden(LORA_LINEAR, name) for name in ("lora_A", "lora_B", "scaling", "lora_embedding_A")),
)
def lora_matrices():
    for layer in internals.lora_layers(adapted(peft.LoraConfig(r=4, lora_alpha=8))):
        a, b, scale = internals.lora_matrices(layer)
        assert a.shape[0] == b.shape[1] == 4 and scale == 2.0
    for kind, more in (("llama", {"use_dora": True}), ("gpt2", {"lora_bias": True})):
        layers = internals.lora_layers(adapted(peft.LoraConfig(**more), kind))
        assert layers and {internals.lora_matrices(layer) for layer in layers} == {None}
    embedding = internals.lora_layers(adapted(peft.LoraConfig(target_modules=["embed_tokens"])))
    assert [internals.lora_matrices(layer) for layer in embedding] == [None]


@contract("peft", "layer.lora_variant", hidden(LORA_LINEAR, "lora_variant"))
def is_variant():
    plain, dora = (internals.lora_layers(adapted(peft.LoraConfig(use_dora=dora))) for dora in (False, True))
    assert not any(map(internals.is_variant, plain)) and all(map(internals.is_variant, dora))


@contract("peft", "layer.get_base_layer()", hidden(LORA_LINEAR, "get_base_layer"))
def adapted_weight():
    model = adapted(peft.LoraConfig())
    weights = {id(weight) for weight in model.parameters()}
    layers = internals.lora_layers(model)
    assert {tuple(internals.adapted_weight(layer).shape) for layer in layers} == {(32, 32), (16, 32)}
    assert all(id(internals.adapted_weight(layer)) in weights for layer in layers)


def _without_warning(text: str) -> Change:
    warn = warnings.warn
    return replaced(warnings, "warn", lambda message, *more, **how: None if text in str(message) else warn(message))


@contract(
    "peft",
    "warnings that must be kept silent (so the filter can go)",
    _without_warning("is_gradient_checkpointing"),
    _without_warning("fan_in_fan_out"),
)
def without_known_warnings():
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        peft.get_peft_model(tiny_model("gpt2"), peft.LoraConfig())
        said = " ".join(str(one.message) for one in heard)
        assert "is_gradient_checkpointing" in said and "fan_in_fan_out" in said
        heard.clear()
        adapted(peft.LoraConfig(), "gpt2")
        assert heard == []


def _notes_elsewhere(patch: pytest.MonkeyPatch) -> None:
    elsewhere = property(lambda comm: comm.renamed, lambda comm, value: setattr(comm, "renamed", value))
    patch.setattr(BaseComm, "_reply_subshell_id", elsewhere, raising=False)


@contract("ipykernel", "comm._reply_subshell_id", _notes_elsewhere)
def hear_while_a_cell_runs():
    busy = SimpleNamespace(
        session=SimpleNamespace(send=lambda *_, **__: None),
        iopub_socket=None,
        get_parent=lambda: {"header": {"subshell_id": "busy"}},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Kernel, "initialized", lambda: True)
        patch.setattr(BaseComm, "kernel", busy)
        comm = BaseComm(target_name="widget")
        assert comm._reply_subshell_for({}, "the page's") == "busy"
        internals.hear_while_a_cell_runs(comm)
        assert comm._reply_subshell_for({}, "the page's") == "the page's"
        internals.hear_while_a_cell_runs(comm)


class Wire:
    """A transport that keeps what is written, and an event loop that runs nothing."""

    def __init__(self):
        self.written, self.closed = b"", False

    def get_extra_info(self, name):
        return None

    def write(self, data):
        self.written += data

    def close(self):
        self.closed = True

    def pause_reading(self): ...

    def create_task(self, work):
        work.close()
        return self

    def add_done_callback(self, done): ...


def connection() -> H11Protocol:
    async def app(scope, receive, send): ...

    wire = Wire()
    made = H11Protocol(uvicorn.Config(app, log_config=None), ServerState(), {}, wire)
    made.connection_made(wire)
    return made


@contract("uvicorn", "protocol.conn.their_state", hidden(h11.Connection, "their_state"))
def awaits_request():
    made = connection()
    assert internals.awaits_request(made)
    made.data_received(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{")
    assert internals.awaits_request(made)
    made.data_received(b"}")
    assert not internals.awaits_request(made)


@contract("uvicorn", "protocol.cycle.scope", hidden(H11Protocol, "cycle"))
def scope_under_way():
    made = connection()
    assert internals.scope_under_way(made) is None
    made.data_received(b"POST /here HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{")
    assert internals.scope_under_way(made)["path"] == "/here"
    made.cycle.response_complete = True
    assert internals.scope_under_way(made) is None


@contract(
    "uvicorn",
    "protocol.conn.our_state and protocol.transport",
    hidden(h11.Connection, "our_state"),
    hidden(H11Protocol, "transport"),
)
def answer_and_close():
    for sent in (b"GET", b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{"):
        made = connection()
        made.data_received(sent)
        assert internals.answer_and_close(made, 408, [(b"content-length", b"4")], b"late")
        assert made.transport.written.startswith(b"HTTP/1.1 408 ") and made.transport.written.endswith(b"\r\n\r\nlate")
        assert made.transport.closed
        assert not internals.answer_and_close(made, 408, [], b"again")
        assert made.transport.written.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(("name", "gone"), broken())
def test_contract_names_what_to_mend_when_its_inside_is_gone(name, gone):
    library = CONTRACTS[name].library
    with pytest.MonkeyPatch.context() as patch:
        gone(patch)
        with pytest.raises(pytest.fail.Exception) as told:
            uphold(name)
    assert str(told.value).startswith(f"{library} {version(library)} has no ")
    assert f": mend utils.internals.{name} (" in str(told.value)
