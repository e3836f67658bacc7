"""The tuning methods on tiny models: what each trains, what it shares with the base, how it is kept."""

import itertools
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event, get_ident
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import T5Config, T5ForConditionalGeneration

from utils.adapters.methods import (
    MANIFEST,
    METHODS,
    PEFT_CONFIG,
    WEIGHTS,
    add_adapter,
    count_changed,
    count_trainable,
    find_method,
    load_adapter,
    merge,
    save_adapter,
    trained,
)
from utils.datasets.records import TextToText
from utils.errors import AdapterMismatch, DataError, TuningError, UnsupportedSetting
from utils.internals import base_model
from utils.models.language_model import LanguageModel
from utils.training.forward import whole_model
from utils.training.loop import Training, TrainingConfig
from utils.training.records import Encoded, encode

RECORDS = [TextToText(f"copy {letter}:", letter * 3) for letter in "abcd"]
NOT_FOR = {("bitfit", kind) for kind in ("llama", "mistral", "qwen3", "gemma3_text", "t5")}
"""Methods that a kind of model has nothing for."""

HIDDEN, INNER, BLOCKS, KEYS = 32, 64, 2, 16
"""The sizes of the tiny LLaMA: its keys and values are narrower, since two heads share one."""

LLAMA_BLOCK = 2 * HIDDEN * HIDDEN + 2 * HIDDEN * KEYS + 3 * HIDDEN * INNER + 2 * HIDDEN
LLAMA_COUNTS = {
    "prompt": 20 * HIDDEN,
    "prefix": 20 * BLOCKS * 2 * KEYS,
    "bottleneck": BLOCKS * (2 * HIDDEN * 16 + 16 + HIDDEN),
    "ia3": BLOCKS * (KEYS + KEYS + INNER),
    "layer-norms": (2 * BLOCKS + 1) * HIDDEN,
    "last-blocks": BLOCKS * LLAMA_BLOCK,
    "lora": BLOCKS * 8 * ((HIDDEN + HIDDEN) + (HIDDEN + KEYS)),
    "lora-top": BLOCKS * 8 * ((HIDDEN + HIDDEN) + (HIDDEN + KEYS)),
    "dora": BLOCKS * (8 * ((HIDDEN + HIDDEN) + (HIDDEN + KEYS)) + HIDDEN + KEYS),
}


@pytest.fixture
def records(tiny) -> list[Encoded]:
    return [encode(tiny, record) for record in RECORDS]


@pytest.fixture(params=METHODS)
def method(request, tiny):
    if (request.param, kind(tiny)) in NOT_FOR:
        pytest.skip("this kind has nothing for this method to train")
    return METHODS[request.param]


def kind(model: LanguageModel) -> str:
    return model.model.config.model_type


def logits(model: LanguageModel, records: list[Encoded]) -> torch.Tensor:
    model.model.eval()
    with torch.no_grad():
        return whole_model(model)(records)[0]


def tuned(base: LanguageModel, method, records: list[Encoded]) -> LanguageModel:
    """The base after three steps of training."""
    adapted = add_adapter(base, method)
    config = TrainingConfig(epochs=3, learning_rate=method.learning_rate, batch_size=4)
    list(Training(adapted, whole_model(adapted), records, [], config).run())
    return adapted


def test_tuning_and_loading_leave_the_base_bit_by_bit_as_it_was(tiny, method, records, tmp_path):
    before, weights = logits(tiny, records), tiny.weights_hash
    requires_grad = [weight.requires_grad for weight in tiny.model.parameters()]
    adapted = tuned(tiny, method, records)
    save_adapter(adapted, method, tmp_path, base=tiny)
    load_adapter(tiny, tmp_path)
    assert not torch.equal(logits(adapted, records), before)
    assert torch.equal(logits(tiny, records), before)
    assert tiny.weights_hash == weights
    assert [weight.requires_grad for weight in tiny.model.parameters()] == requires_grad


def test_only_what_is_trained_has_memory_of_its_own(tiny, method):
    base = {weight.data_ptr() for weight in tiny.model.state_dict().values()}
    adapted = add_adapter(tiny, method)
    own = {weight.data_ptr() for weight in adapted.model.parameters()} - base
    assert own == {weight.data_ptr() for _, weight in trained(adapted.model)}


def test_a_saved_adapter_gives_the_same_logits(tiny, method, records, tmp_path):
    adapted = tuned(tiny, method, records)
    save_adapter(adapted, method, tmp_path, base=tiny)
    loaded = load_adapter(tiny, tmp_path)
    assert torch.equal(logits(loaded, records), logits(adapted, records))
    assert not any(True for _ in trained(loaded.model))


def test_a_new_adapter_is_the_same_for_the_same_seed(tiny, method):
    one, same, other = (dict(trained(add_adapter(tiny, method, seed=seed).model)) for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    if method.name in ("lora", "dora", "bottleneck"):
        assert not all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    "name", ["lora", "lora-top", "dora", "ia3", "bottleneck", "layer-norms", "last-blocks", "full"]
)
def test_a_new_adapter_changes_nothing_yet(tiny, name, records):
    adapted = add_adapter(tiny, METHODS[name])
    torch.testing.assert_close(logits(adapted, records), logits(tiny, records), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("saved_model", ["llama"], indirect=True)
@pytest.mark.parametrize("name", LLAMA_COUNTS)
def test_the_numbers_trained_in_a_llama_are_those_of_the_papers(tiny, name):
    assert count_trainable(add_adapter(tiny, METHODS[name]).model) == LLAMA_COUNTS[name]


def test_full_fine_tuning_trains_everything(tiny):
    adapted = add_adapter(tiny, METHODS["full"])
    assert count_trainable(adapted.model) == sum(weight.numel() for weight in tiny.model.parameters())


@pytest.mark.parametrize("saved_model", ["llama"], indirect=True)
def test_the_size_of_a_method_is_its_dial(tiny):
    counts = [count_trainable(add_adapter(tiny, find_method("lora", size)).model) for size in (1, 2, 4)]
    assert counts == [LLAMA_COUNTS["lora"] // 8 * size for size in (1, 2, 4)]


@pytest.mark.parametrize("saved_model", ["llama"], indirect=True)
def test_merged_a_lora_changes_whole_matrices(tiny):
    assert count_changed(add_adapter(tiny, METHODS["lora"]).model) == BLOCKS * (HIDDEN * HIDDEN + HIDDEN * KEYS)
    assert count_changed(add_adapter(tiny, METHODS["full"]).model) == tiny.model.num_parameters()


def test_last_blocks_trains_the_last_blocks_and_nothing_else(tiny):
    names = [name for name, _ in trained(add_adapter(tiny, find_method("last-blocks", 1)).model)]
    last = {"gpt2": "transformer.h.1.", "t5": "decoder.block.1."}
    last |= dict.fromkeys(("opt", "bart"), "model.decoder.layers.1.")
    begin = last.get(kind(tiny), "model.layers.1.")
    assert names and names == [name for name, _ in tiny.model.named_parameters() if name.startswith(begin)]


def test_lora_top_finds_the_blocks_of_a_deep_encoder_decoder_model(tiny_tokenizer):
    t5 = T5ForConditionalGeneration(T5Config(vocab_size=len(tiny_tokenizer), d_model=8, d_kv=4, num_layers=12))
    adapted = add_adapter(LanguageModel("deep", t5, tiny_tokenizer, 256), METHODS["lora-top"])
    found = {tuple(re.search(r"(encoder|decoder)\.block\.(\d+)", name).groups()) for name, _ in trained(adapted.model)}
    assert found == {(part, str(n)) for part in ("encoder", "decoder") for n in range(2, 12)}


@pytest.mark.parametrize("saved_model", ["llama", "qwen2"], indirect=True)
def test_lora_top_adapts_the_top_blocks_and_nothing_else(tiny):
    names = [name for name, _ in trained(add_adapter(tiny, replace(METHODS["lora-top"], top_blocks=1)).model)]
    assert names and all(".layers.1." in name for name in names)


@pytest.mark.parametrize("saved_model", ["llama", "t5"], indirect=True)
def test_a_model_without_biases_has_nothing_for_bitfit(tiny):
    with pytest.raises(UnsupportedSetting, match="This model has no biases"):
        add_adapter(tiny, METHODS["bitfit"])


@pytest.mark.parametrize("saved_model", ["gpt2", "qwen2", "bart"], indirect=True)
def test_bitfit_trains_the_biases_and_nothing_else(tiny):
    names = [name for name, _ in trained(add_adapter(tiny, METHODS["bitfit"]).model)]
    assert names and names == [name for name, _ in tiny.model.named_parameters() if name.endswith("bias")]


def test_unknown_methods_and_sizes_are_refused():
    with pytest.raises(UnsupportedSetting, match=r"no tuning method 'qlora': take one of prompt, prefix"):
        find_method("qlora")
    with pytest.raises(UnsupportedSetting, match="'full' has no size to set"):
        find_method("full", 4)
    with pytest.raises(UnsupportedSetting, match="adapter_size of 0 is no rank"):
        find_method("lora", 0)


@pytest.mark.parametrize("name", ["lora", "dora", "ia3"])
def test_a_merged_model_says_what_the_adapted_one_says(tiny, name, records):
    adapted = tuned(tiny, METHODS[name], records)
    before, base = logits(adapted, records), logits(tiny, records)
    merged = merge(adapted)
    torch.testing.assert_close(logits(merged, records), before, rtol=1e-3, atol=1e-3)
    assert torch.equal(logits(adapted, records), before) and torch.equal(logits(tiny, records), base)
    assert {name for name, _ in merged.model.named_parameters()} == {name for name, _ in tiny.model.named_parameters()}


def test_an_adapted_model_takes_nothing_of_the_model_s_generation_defaults(tiny, method):
    adapted = add_adapter(tiny, method)
    defaults = base_model(adapted.model).generation_config
    before = adapted.generate("abc", max_new_tokens=8)
    defaults.update(do_sample=True, temperature=9.0)
    assert {adapted.generate("abc", max_new_tokens=8) for _ in range(3)} == {before}
    assert base_model(adapted.model).generation_config is defaults, "what was changed meanwhile is as it was"


@pytest.mark.parametrize("saved_model", ["llama"], indirect=True)
def test_two_threads_get_what_an_adapted_model_writes_for_one(tiny, monkeypatch):
    """PEFT takes its soft prompt off the model when a call ends: the one that began meanwhile would go on without."""
    adapted = add_adapter(tiny, METHODS["prompt"])
    torch.nn.init.normal_(next(adapted.model.prompt_encoder.parameters()), std=3, generator=torch.manual_seed(0))
    prompts = ("abc", "the fox")
    alone = [adapted.generate(prompt, max_new_tokens=8) for prompt in prompts]
    assert alone != [tiny.generate(prompt, max_new_tokens=8) for prompt in prompts]
    here, other_began, ended_here = get_ident(), Event(), Event()
    inside = base_model(adapted.model)
    generate = inside.generate

    def when_the_other_is_there(**inputs: Any) -> Any:
        if get_ident() == here:
            other_began.wait(1)
        else:
            other_began.set()
            ended_here.wait(1)
        return generate(**inputs)

    monkeypatch.setattr(inside, "generate", when_the_other_is_there)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(adapted.generate, prompts[1], max_new_tokens=8)
        assert adapted.generate(prompts[0], max_new_tokens=8) == alone[0]
        ended_here.set()
        assert other.result() == alone[1]


@pytest.mark.parametrize("name", ["prompt", "prefix", "bottleneck", "full"])
def test_what_no_weight_can_hold_is_not_merged(tiny, name):
    with pytest.raises(UnsupportedSetting, match="merged"):
        merge(add_adapter(tiny, METHODS[name]))


@pytest.mark.parametrize("name", ["lora", "bottleneck"])
def test_an_adapter_of_other_weights_is_refused(tiny, name, tmp_path):
    save_adapter(add_adapter(tiny, METHODS[name]), METHODS[name], tmp_path, base=tiny)
    other = add_adapter(tiny, METHODS["full"])
    with torch.no_grad():
        next(other.model.parameters()).add_(0.1)
    with pytest.raises(AdapterMismatch, match="has other weights"):
        load_adapter(other, tmp_path)


def test_a_folder_without_an_adapter_is_refused(tiny, tmp_path):
    with pytest.raises(AdapterMismatch, match="holds no adapter"):
        load_adapter(tiny, tmp_path)
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(AdapterMismatch, match="holds no adapter"):
        load_adapter(tiny, tmp_path)


@pytest.mark.parametrize("saved_model", ["llama"], indirect=True)
@pytest.mark.parametrize("name", ["lora", "bottleneck"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_adapter_is_refused(tiny, name, damage, tmp_path):
    save_adapter(add_adapter(tiny, METHODS[name]), METHODS[name], tmp_path, base=tiny)
    path = tmp_path / (WEIGHTS if (tmp_path / WEIGHTS).exists() else "adapter_model.safetensors")
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(AdapterMismatch):
        load_adapter(tiny, tmp_path)


def lose_one(weights):
    return dict(sorted(weights.items())[1:])


def rename(weights):
    return {f"{name}.old": weight for name, weight in weights.items()}


def add_one(weights):
    return weights | {"one.more": torch.ones(2)}


def other_shape(weights):
    return {name: torch.cat([weight, weight]) for name, weight in weights.items()}


def one_number(weights):
    return {name: weight.flatten()[:1].clone() for name, weight in weights.items()}


def not_a_number(weights):
    return {name: weight * float("nan") for name, weight in weights.items()}


def infinite(weights):
    return {name: weight + float("inf") for name, weight in weights.items()}


@pytest.mark.parametrize("saved_model", ["llama"], indirect=True)
@pytest.mark.parametrize("name", ["lora", "dora", "ia3", "prompt", "prefix", "bottleneck", "layer-norms", "full"])
@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lose_one, r"of its weights are missing, such as \S+"),
        (rename, r"of its weights are missing, such as \S+"),
        (add_one, "1 of its weights have no place in the model, such as one.more"),
        (other_shape, r"has the shape \(.*\) in place of \("),
        (one_number, r"has the shape \(1,\) in place of \("),
        (not_a_number, "not finite"),
        (infinite, "not finite"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_an_adapter_with_other_weights_inside_is_one_sentence(tiny, name, damage, says, tmp_path):
    save_adapter(add_adapter(tiny, METHODS[name]), METHODS[name], tmp_path, base=tiny)
    [path] = tmp_path.glob("*.safetensors")
    save_file(damage(load_file(path)), path)
    with pytest.raises(AdapterMismatch, match=says) as error:
        load_adapter(tiny, tmp_path)
    assert "\n" not in str(error.value) and str(tmp_path) in str(error.value)


@pytest.mark.parametrize("saved_model", ["llama"], indirect=True)
@pytest.mark.parametrize(
    ("name", "change"),
    [("lora", {"r": 4}), ("lora", {"target_modules": ["k_proj"]}), ("lora", {"peft_type": "NONE"}),
     ("prompt", {"num_virtual_tokens": 3}), ("lora", {"target_modules": ["no_such"]})],
)  # fmt: skip
def test_an_adapter_whose_settings_were_changed_is_one_sentence(tiny, name, change, tmp_path):
    save_adapter(add_adapter(tiny, METHODS[name]), METHODS[name], tmp_path, base=tiny)
    path = tmp_path / PEFT_CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(AdapterMismatch, match="does not fit or is damaged") as error:
        load_adapter(tiny, tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("saved_model", ["llama"], indirect=True)
@pytest.mark.parametrize(
    ("manifest", "says"),
    [("[]", "holds no adapter"), ("", "holds no adapter"), ("3", "holds no adapter"), ("{}", "holds no adapter"),
     ({"method": "qlora"}, "no tuning method 'qlora'"), ({"method": ["lora"]}, "does not fit or is damaged"),
     ({"size": 0}, "adapter_size of 0"), ({"size": "eight"}, "does not fit or is damaged"),
     ({"weights": "0" * 64}, "has other weights")],
)  # fmt: skip
def test_a_manifest_that_says_something_else_is_one_sentence(tiny, manifest, says, tmp_path):
    save_adapter(add_adapter(tiny, METHODS["lora"]), METHODS["lora"], tmp_path, base=tiny)
    path = tmp_path / MANIFEST
    text = manifest if isinstance(manifest, str) else json.dumps(json.loads(path.read_text()) | manifest)
    path.write_text(text)
    with pytest.raises(AdapterMismatch, match=says) as error:
        load_adapter(tiny, tmp_path)
    assert "\n" not in str(error.value)


def test_an_adapter_s_folder_is_a_text_or_a_path(lora, tiny, tmp_path, records):
    save_adapter(lora, METHODS["lora"], str(tmp_path), base=tiny)
    assert torch.equal(logits(load_adapter(tiny, str(tmp_path)), records), logits(lora, records))
    with pytest.raises(DataError, match="folder is a text"):
        load_adapter(tiny, None)
    with pytest.raises(AdapterMismatch, match="holds no adapter"):
        load_adapter(tiny, str(tmp_path / "not there"))


def test_loading_an_adapter_leaves_the_learner_s_random_state_alone(lora, tiny, tmp_path):
    save_adapter(lora, METHODS["lora"], tmp_path, base=tiny)
    before = torch.random.get_rng_state()
    load_adapter(tiny, tmp_path)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("saved_model", ["llama"], indirect=True)
@pytest.mark.parametrize("name", ["lora", "prompt", "bottleneck", "full"])
@pytest.mark.parametrize("number", [float("nan"), float("-inf")])
def test_weights_that_are_not_finite_are_not_saved(tiny, name, number, tmp_path):
    adapted = add_adapter(tiny, METHODS[name])
    with torch.no_grad():
        next(weight for _, weight in trained(adapted.model)).view(-1)[0] = number
    with pytest.raises(TuningError, match="not finite"):
        save_adapter(adapted, METHODS[name], tmp_path / "adapter", base=tiny)
    assert not (tmp_path / "adapter").exists()


def test_a_model_that_nothing_was_added_to_is_not_saved_as_an_adapter(tiny, tmp_path):
    with pytest.raises(TuningError, match="no adapter to save"):
        save_adapter(load_frozen(tiny), METHODS["full"], tmp_path / "adapter", base=tiny)
    assert not (tmp_path / "adapter").exists()


def load_frozen(tiny) -> LanguageModel:
    frozen = add_adapter(tiny, METHODS["full"])
    frozen.model.requires_grad_(False)
    return frozen


@pytest.mark.parametrize("saved_model", ["llama"], indirect=True)
def test_several_adapters_live_beside_each_other_on_one_base(tiny, records, tmp_path):
    kept = {}
    for method in METHODS.values():
        if method.name != "bitfit":
            adapted = tuned(tiny, method, records)
            save_adapter(adapted, method, tmp_path / method.name, base=tiny)
            kept[method.name] = logits(adapted, records)
    loaded = {name: load_adapter(tiny, tmp_path / name) for name in kept}
    for name in itertools.chain(kept, reversed(kept)):
        assert torch.equal(logits(loaded[name], records), kept[name])
