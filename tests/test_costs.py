"""What tuning costs: the formulas against real models, real tensors and real files."""

from dataclasses import replace

import peft
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, T5Config, T5ForConditionalGeneration

from utils.adapters import costs
from utils.adapters.methods import METHODS, add_adapter, count_trainable, save_adapter
from utils.adapters.taxonomy import methods_table
from utils.datasets.records import TextToText
from utils.models.language_model import LanguageModel
from utils.models.memory import training_memory
from utils.training.forward import whole_model
from utils.training.loop import Training, TrainingConfig
from utils.training.records import encode

RECORD = TextToText("a cat sat", "on a mat")


def flan_t5(d_model: int, d_ff: int, layers: int, heads: int):
    config = T5Config(
        vocab_size=32_128,
        d_model=d_model,
        d_ff=d_ff,
        num_layers=layers,
        num_heads=heads,
        feed_forward_proj="gated-gelu",
    )
    return T5ForConditionalGeneration(config)


def test_llama_7b_has_the_parameters_that_the_library_builds():
    with torch.device("meta"):
        built = LlamaForCausalLM(LlamaConfig())
    assert costs.parameters(costs.LLAMA_7B) == built.num_parameters() == 6_738_415_616


@pytest.mark.parametrize(
    ("architecture", "sizes", "published"),
    [
        (costs.FLAN_T5_BASE, (768, 2_048, 12, 12), 247_577_856),
        (costs.FLAN_T5_XXL, (4_096, 10_240, 24, 64), 11_135_332_352),
    ],
    ids=["base", "xxl"],
)
def test_flan_t5_has_the_parameters_that_the_library_builds(architecture, sizes, published):
    """The library builds T5 with one matrix for reading and writing; a FLAN-T5 checkpoint has two."""
    with torch.device("meta"):
        built = flan_t5(*sizes)
    assert costs.parameters(replace(architecture, tied=True)) == built.num_parameters()
    assert costs.parameters(architecture) == published
    assert costs.lora_parameters(architecture, 8) == count_trainable(peft.get_peft_model(built, peft.LoraConfig(r=8)))


def test_the_course_s_model_has_the_architecture_that_is_written_down(course_model):
    model = course_model.model
    assert costs.read_architecture(course_model) == costs.SMOLLM2_135M
    assert costs.parameters(costs.SMOLLM2_135M) == model.num_parameters()
    lora = add_adapter(course_model, METHODS["lora"])
    assert costs.lora_parameters(costs.SMOLLM2_135M, METHODS["lora"].size) == count_trainable(lora.model)


def test_parameters_are_computed_where_the_formula_knows_all_parts_and_else_counted(tiny, capsys):
    architecture, kind = costs.read_architecture(tiny), tiny.model.config.model_type
    computed = kind in ("llama", "mistral")
    assert (architecture.counted is None) == computed
    said = capsys.readouterr().out
    assert said == "" if computed else f"type {kind!r}" in said and "counted here, not computed" in said
    assert costs.parameters(architecture) == tiny.model.num_parameters()
    assert costs.lora_parameters(architecture, 8) == count_trainable(add_adapter(tiny, METHODS["lora"]).model)


def test_a_llama_with_biases_is_counted(tiny_tokenizer):
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tiny_tokenizer), attention_bias=True, **sizes))
    biased = LanguageModel("people/Biased-Instruct", model, tiny_tokenizer, 256)
    architecture = costs.read_architecture(biased)
    assert architecture.name == "Biased" and costs.parameters(architecture) == model.num_parameters()


@pytest.mark.parametrize("name", ["full", "lora"])
def test_the_memory_computed_is_the_memory_measured_after_a_step(tiny, name):
    adapted = add_adapter(tiny, METHODS[name])
    training = Training(adapted, whole_model(adapted), [encode(tiny, RECORD)], [], TrainingConfig(1, 1e-3, 1))
    next(training.run())
    added = count_trainable(adapted.model) if name == "lora" else None
    computed = training_memory(tiny.model.num_parameters(), added=added)
    assert computed == costs.measured_memory(adapted.model, training.optimizer)
    assert computed.total == computed.weights + computed.gradients + computed.moments


def test_sixteen_bytes_a_trained_parameter_and_four_a_frozen_one():
    assert training_memory(1_000).total == 16_000
    assert training_memory(1_000, added=10).total == 4_000 + 160


def test_a_step_with_a_frozen_model_saves_the_gradients_of_the_weights():
    assert costs.step_flops(100, 7) == 6 * 700
    assert costs.step_flops(100, 7, frozen=True) == 4 * 700


def test_checkpoints_are_a_model_each_or_one_model_and_adapters():
    assert costs.checkpoint_bytes(100, 3) == 1_200
    assert costs.checkpoint_bytes(100, 3, added=2) == 400 + 24


def test_an_adapter_s_file_is_as_large_as_computed_but_for_its_header(tiny, tmp_path):
    adapted = add_adapter(tiny, METHODS["lora"])
    save_adapter(adapted, METHODS["lora"], tmp_path, base=tiny)
    weights = 4 * count_trainable(adapted.model)
    assert weights < (tmp_path / "adapter_model.safetensors").stat().st_size < weights + 4_000


def test_the_table_counts_what_is_added_and_leaves_the_base_as_it_was(course_model):
    before = course_model.weights_hash
    table = methods_table(course_model)
    assert list(table.index) == [method.title for method in METHODS.values()]
    assert list(table["trains"]) == [method.trains for method in METHODS.values()] and all(table["trains"])
    assert table.loc["full", "share (%)"] == 100
    assert table.loc["bitfit", "trainable"] == table.loc["bitfit", "file (MB)"] == 0
    assert table.loc["prompt 20", "trainable"] == table.loc["prompt 20", "changed"] == 20 * 576
    assert table.loc["lora 8", "changed"] == 30 * 576 * (576 + 192)
    files = table["file (MB)"].drop("bitfit") * 1e6
    assert (files > 3.9 * table["trainable"].drop("bitfit")).all()
    assert course_model.weights_hash == before and not hasattr(course_model.model, "peft_config")
