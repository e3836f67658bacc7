"""The methods of parameter-efficient tuning, by the classes of a survey, and full fine-tuning.

Source of the classes: V. Lialin et al., "Scaling Down to Scale Up: A Guide to
Parameter-Efficient Fine-Tuning", arXiv 2303.15647. What peft has is peft's.
"""

import copy
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import peft
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import PreTrainedModel

from utils.adapters.bottleneck import add_bottlenecks
from utils.arguments import text, whole_number
from utils.errors import AdapterMismatch, TuningError, UnsupportedSetting, short_reason
from utils.internals import adapted_weight, lora_layers, without_known_warnings
from utils.logits.config import check_seed
from utils.models.language_model import LanguageModel
from utils.models.sharing import blocks, embeddings, own, share

ADDITIVE_PROMPT = "additive: soft prompt"
ADDITIVE_ADAPTER = "additive: adapter"
ADDITIVE_SCALING = "additive: scaling"
SELECTIVE = "selective"
REPARAMETRIZATION = "reparametrization"
FULL = "full fine-tuning"
MANIFEST = "adapter.json"
WEIGHTS = "adapter.safetensors"
PEFT_CONFIG = "adapter_config.json"
PEFT_WEIGHTS = "adapter_model.safetensors"


@dataclass(frozen=True)
class Method:
    """One way to tune.

    family: its class in the survey. trains: what, in words. add: returns the model, transformers' or
    peft's around it, with what is to be trained. size, size_means: the method's one dial, None where it
    has none. learning_rate: a good one for the course's model. top_blocks: how many
    blocks, from the top, are touched, when not all.
    """

    name: str
    family: str
    trains: str
    add: Callable[["Method", PreTrainedModel], Any]
    learning_rate: float
    size: int | None = None
    size_means: str = ""
    top_blocks: int | None = None

    @property
    def title(self) -> str:
        """The name with its size, such as "lora 8"."""
        return self.name if self.size is None else f"{self.name} {self.size}"


def _size(method: Method) -> int:
    assert method.size is not None, f"{method.name} has no size"
    return method.size


def _lora(method: Method, model: PreTrainedModel, **options: Any) -> peft.PeftModel:
    if method.top_blocks:
        found = blocks(model)
        named = next(name for name, module in model.named_modules() if module is found)
        options["layers_pattern"] = named.rpartition(".")[2]
        options["layers_to_transform"] = list(range(max(0, len(found) - method.top_blocks), len(found)))
    return peft.get_peft_model(model, peft.LoraConfig(r=_size(method), lora_alpha=2 * _size(method), **options))


def _dora(method: Method, model: PreTrainedModel) -> peft.PeftModel:
    return _lora(method, model, use_dora=True)


def _prompt(method: Method, model: PreTrainedModel) -> peft.PeftModel:
    vector = embeddings(model).shape[1]
    config = peft.PromptTuningConfig(task_type=_task(model), num_virtual_tokens=_size(method), token_dim=vector)
    return peft.get_peft_model(model, config)


def _prefix(method: Method, model: PreTrainedModel) -> peft.PeftModel:
    task = _task(model)
    return peft.get_peft_model(model, peft.PrefixTuningConfig(task_type=task, num_virtual_tokens=_size(method)))


def _ia3(method: Method, model: PreTrainedModel) -> peft.PeftModel:
    return peft.get_peft_model(model, peft.IA3Config())


def _layer_norms(method: Method, model: PreTrainedModel) -> PreTrainedModel:
    return _unfreeze(model, lambda name: "norm" in name or ".ln_" in name, "layer norms")


def _bias(method: Method, model: PreTrainedModel) -> PreTrainedModel:
    return _unfreeze(model, lambda name: name.endswith("bias"), "biases")


def _last_blocks(method: Method, model: PreTrainedModel) -> PreTrainedModel:
    chosen = {id(weight) for block in list(blocks(model))[-_size(method) :] for weight in block.parameters()}
    ours = {name for name, weight in model.named_parameters() if id(weight) in chosen}
    return _unfreeze(model, ours.__contains__, "blocks")


def _full(method: Method, model: PreTrainedModel) -> PreTrainedModel:
    return _unfreeze(model, lambda name: True, "weights")


def _bottleneck(method: Method, model: PreTrainedModel) -> PreTrainedModel:
    return add_bottlenecks(model, _size(method))


_ALL = (
    Method("prompt", ADDITIVE_PROMPT, "vectors before the prompt", _prompt, 3e-2, 20, "virtual tokens"),
    Method(
        "prefix",
        ADDITIVE_PROMPT,
        "keys and values before the prompt, a set a block",
        _prefix,
        1e-2,
        20,
        "virtual tokens",
    ),
    Method("bottleneck", ADDITIVE_ADAPTER, "a narrow network behind every block", _bottleneck, 2e-3, 16, "width"),
    Method("ia3", ADDITIVE_SCALING, "a factor for each key, value and inner number", _ia3, 1e-2),
    Method("bitfit", SELECTIVE, "the biases", _bias, 2e-3),
    Method("layer-norms", SELECTIVE, "the scales of the layer norms", _layer_norms, 3e-3),
    Method("last-blocks", SELECTIVE, "the top blocks", _last_blocks, 2e-4, 2, "blocks"),
    Method("lora", REPARAMETRIZATION, "thin matrices beside query and value", _lora, 2e-3, 8, "rank"),
    Method("lora-top", REPARAMETRIZATION, "the same, in the top blocks only", _lora, 5e-3, 8, "rank", top_blocks=10),
    Method("dora", REPARAMETRIZATION, "the same, and the length of each row", _dora, 2e-3, 8, "rank"),
    Method("full", FULL, "everything", _full, 5e-5),
)
METHODS: Mapping[str, Method] = MappingProxyType({method.name: method for method in _ALL})
"""All methods by name; a new one is a line above, and a function that adds it."""


def find_method(name: str, size: int | None = None) -> Method:
    """Return a method by name, with another size if one is given. Raises UnsupportedSetting."""
    name = text(name, "the method")
    if name not in METHODS:
        raise UnsupportedSetting(f"There is no tuning method {name!r}: take one of {', '.join(METHODS)}.")
    method = METHODS[name]
    if size is None:
        return method
    if method.size is None:
        raise UnsupportedSetting(f"The method {name!r} has no size to set: leave adapter_size out.")
    size = whole_number(size, "the adapter_size is a whole number")
    if size < 1:
        raise UnsupportedSetting(f"An adapter_size of {size} is no {method.size_means}: take 1 or more.")
    return replace(method, size=size)


def add_adapter(base: LanguageModel, method: Method, *, seed: int = 0) -> LanguageModel:
    """Return the base model with a new, trainable adapter; the base itself stays as it is.

    The weights of the base are shared, those that the method trains itself are copied.
    The same seed begins with the same adapter. Raises UnsupportedSetting where the model
    has nothing that the method could train.
    """
    with torch.random.fork_rng():
        torch.manual_seed(check_seed(seed) % 2**64)
        try:
            with without_known_warnings():
                model = method.add(method, share(base.model))
        except ValueError as error:  # peft does not know the model's modules by name
            raise UnsupportedSetting(f"{base.name} cannot be tuned with {method.name!r}: {error}") from None
    return replace(base, model=model)


def save_adapter(adapted: LanguageModel, method: Method, folder: str | Path, *, base: LanguageModel) -> None:
    """Write an adapter, without its base, into a folder: megabytes, or a checkpoint for full fine-tuning.

    Raises TuningError for weights that are not finite numbers; then nothing is written.
    """
    weights = {name: weight.detach().contiguous() for name, weight in _weights(adapted.model).items()}
    if not weights:
        raise TuningError("This model has nothing that is being trained, so there is no adapter to save.")
    if name := not_finite(weights.items()):
        raise TuningError(
            f"The adapter was not saved, as {name} holds numbers that are not finite: take a smaller learning rate."
        )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(adapted.model, peft.PeftModel):
        adapted.model.save_pretrained(folder, save_embedding_layers=False)
        (folder / "README.md").unlink(missing_ok=True)
    else:
        save_file(weights, folder / WEIGHTS)
    manifest = {"method": method.name, "size": method.size, "base": base.name, "weights": base.weights_hash}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf8")


def load_adapter(base: LanguageModel, folder: str | Path) -> LanguageModel:
    """Return the base model with an adapter from a folder, on the base's own weights.

    Raises AdapterMismatch when the adapter was made for other weights, does not fit, or is damaged.
    """
    folder = Path(text(folder, "an adapter's folder")).expanduser()
    manifest = _manifest(folder)
    if manifest["weights"] != base.weights_hash:
        raise AdapterMismatch(
            f"The adapter was tuned on {manifest['base']} and the model here, {base.name}, has other weights: "
            f"load {manifest['base']} as it was."
        )
    try:
        method = find_method(manifest["method"], manifest["size"])
        model = _read(base, method, folder)
    except MemoryError:
        raise
    except Exception as error:  # of every kind, as what stands in the folder is
        raise AdapterMismatch(
            f"The adapter in {folder} does not fit or is damaged ({short_reason(error)}): run its tuning job again."
        ) from None
    model.requires_grad_(False)
    return replace(base, model=model.eval())


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf8"))
        return {name: manifest[name] for name in ("weights", "base", "method", "size")}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise AdapterMismatch(f"{folder} holds no adapter of this course: give the folder of a job's result.") from None


def _read(base: LanguageModel, method: Method, folder: Path) -> Any:
    """Return a model with the weights of an adapter's folder in it; every one of them, and no other, must be there."""
    if (folder / PEFT_CONFIG).exists():
        found = load_file(folder / PEFT_WEIGHTS, device=str(base.device))
        with torch.random.fork_rng(), without_known_warnings():
            model = peft.get_peft_model(share(base.model), peft.PeftConfig.from_pretrained(str(folder)))
            _require_same(_weights(model), found)
            peft.set_peft_model_state_dict(model, found)
        return model
    found = load_file(folder / WEIGHTS, device=str(base.device))
    model = add_adapter(base, method).model
    own = _weights(model)
    _require_same(own, found)
    with torch.no_grad():
        for name, weight in own.items():
            weight.copy_(found[name])
    return model


def _weights(model: Any) -> dict[str, torch.Tensor]:
    """Return an adapter's weights by the names under which they are saved."""
    if isinstance(model, peft.PeftModel):
        return peft.get_peft_model_state_dict(model, save_embedding_layers=False)
    return dict(trained(model))


def _require_same(expected: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor]) -> None:
    """Raise ValueError unless an adapter's weights have these names and shapes and are finite."""
    missing, extra = [sorted(one.keys() - other.keys()) for one, other in ((expected, found), (found, expected))]
    if missing:
        raise ValueError(f"{len(missing)} of its weights are missing, such as {missing[0]}")
    if extra:
        raise ValueError(f"{len(extra)} of its weights have no place in the model, such as {extra[0]}")
    for name, weight in expected.items():
        if weight.shape != found[name].shape:
            raise ValueError(f"{name} has the shape {tuple(found[name].shape)} in place of {tuple(weight.shape)}")
    if name := not_finite(found.items()):
        raise ValueError(f"{name} holds numbers that are not finite")


def not_finite(weights: Iterable[tuple[str, torch.Tensor]]) -> str | None:
    """Return the name of the first weight with a number that is not finite, None where there is none."""
    return next((name for name, weight in weights if not weight.isfinite().all()), None)


def merge(adapted: LanguageModel) -> LanguageModel:
    """Return a model with its adapter multiplied into weights of its own: no adapter is left to run.

    Raises UnsupportedSetting for a method that adds something which no weight can hold.
    """
    merging = getattr(copy.deepcopy(adapted.model), "merge_and_unload", None)
    if merging is None:
        raise UnsupportedSetting(
            "Only LoRA, DoRA and (IA)3 adapters can be merged into weights: use the model with its adapter."
        )
    return replace(adapted, model=merging())


def trained(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield the names and tensors of the parameters that training changes."""
    return ((name, weight) for name, weight in model.named_parameters() if weight.requires_grad)


def count_trainable(model: nn.Module) -> int:
    """Return how many parameters are trainable."""
    return sum(weight.numel() for _, weight in trained(model))


def count_changed(model: nn.Module) -> int:
    """Return how many parameters of the model in use come from training.

    A LoRA's change is one of whole matrices, into which it can be merged, so these are
    counted, as the survey does; of every other method what it trains.
    """
    adapted = lora_layers(model)
    return sum(adapted_weight(layer).numel() for layer in adapted) if adapted else count_trainable(model)


def _task(model: PreTrainedModel) -> str:
    return "SEQ_2_SEQ_LM" if model.config.is_encoder_decoder else "CAUSAL_LM"


def _unfreeze(model: PreTrainedModel, chosen: Callable[[str], bool], what: str) -> PreTrainedModel:
    found = [weight for name, weight in model.named_parameters() if chosen(name)]
    if not found:
        raise UnsupportedSetting(f"This model has no {what}, so there is nothing to train: take another method.")
    for weight in found:
        own(weight)
    return model
