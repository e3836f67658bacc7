"""The catalog of models: its sizes build models with its parameters; each is found by its names."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

from utils.adapters import costs
from utils.errors import ModelNotFound
from utils.models.catalog import find, models, select, table
from utils.models.loading import DEFAULT_MODEL

WANTED = {"SmolLM2-135M-Instruct", "SmolLM2-360M-Instruct", "SmolLM2-1.7B-Instruct", "gemma-3-270m", "gemma-3-1b-it"}
WANTED |= {"Qwen2.5-0.5B-Instruct", "Qwen2.5-1.5B-Instruct", "Qwen2.5-Coder-0.5B-Instruct", "Qwen3-0.6B", "gpt2"}
WANTED |= {"Llama-3.2-1B-Instruct", "opt-125m", "flan-t5-small", "flan-t5-base", "bart-base"}


@pytest.mark.parametrize("model", models(), ids=lambda model: model.name)
def test_the_sizes_build_a_model_with_the_stated_parameters(model):
    config = AutoConfig.for_model(model.kind, **model.sizes)
    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    with torch.device("meta"):
        built = kind.from_config(config)
    parameters = built.num_parameters()
    reads, writes = built.get_input_embeddings().weight, built.get_output_embeddings().weight
    if not model.sizes.get("tie_word_embeddings", True) and reads is writes:
        parameters += writes.numel()  # the library builds T5 with one matrix; a FLAN-T5 checkpoint has two
    assert parameters == model.parameters


@pytest.mark.parametrize("model", models(), ids=lambda model: model.name)
def test_every_model_says_what_it_is(model):
    assert model.task in ("text", "instructions", "code")
    assert model.source and model.terms.startswith("https://") and model.hub.endswith(f"/{model.name}")
    stated = model.sizes.get("max_position_embeddings") or model.sizes.get("n_positions")
    assert model.window >= 512 and stated in (None, model.window)
    assert bool(model.packages) == bool(model.file) == bool(model.sha256)
    assert all("==" in package for package in model.packages)


def test_the_catalog_is_sorted_and_has_every_model_once():
    assert [model.parameters for model in models()] == sorted(model.parameters for model in models())
    assert len({model.name.lower() for model in models()}) == len(models())
    assert {model.name for model in models()} >= WANTED


def test_the_catalog_and_the_lesson_on_costs_agree():
    known = {"SmolLM2-135M-Instruct": costs.SMOLLM2_135M, "flan-t5-base": costs.FLAN_T5_BASE}
    known["flan-t5-xxl"] = costs.FLAN_T5_XXL
    assert {name: find(name).parameters for name in known} == {n: costs.parameters(a) for n, a in known.items()}


@pytest.mark.parametrize("name", ["gemma-3-270m", "GEMMA-3-270M", "google/gemma-3-270m", "gemma-3-270m-q4_k_m.gguf"])
def test_a_model_is_found_by_any_of_its_names(name):
    assert find(name).name == "gemma-3-270m"


def test_the_default_model_is_in_the_models():
    assert find(DEFAULT_MODEL).parameters == 134_515_008


def test_a_model_that_is_not_there_is_named_with_those_near_it():
    with pytest.raises(ModelNotFound, match=r"'SmolLM2-35M'.*SmolLM2-135M-Instruct"):
        find("SmolLM2-35M")
    with pytest.raises(ModelNotFound, match=r"gpt2.*bart-base"):
        find("")


def test_memory_is_four_bytes_a_parameter_to_run_and_sixteen_to_tune():
    model = find("gpt2")
    assert (model.run_bytes, model.tune_bytes) == (4 * model.parameters, 16 * model.parameters)
    assert table([model]).loc["gpt2", ["to run (GB)", "to tune (GB)"]].tolist() == [0.5, 2.0]


def test_the_table_has_a_row_for_each_model():
    assert table().index.tolist() == [model.name for model in models()]


def test_models_are_selected_by_all_that_is_given():
    assert select() == models()
    assert {model.task for model in select(task="code")} == {"code"}
    assert [model.name for model in select(licence="MIT")] == ["gpt2"]
    gpt2 = find("gpt2")
    below, at = (select([gpt2], parameters=gpt2.parameters + by, window=1024) for by in (-1, 0))
    assert (below, at) == ((), (gpt2,)) and select([gpt2], window=1025) == ()
    assert select([gpt2], memory=gpt2.run_bytes) == (gpt2,) and select([gpt2], memory=gpt2.run_bytes - 1) == ()
    assert select([gpt2], memory=gpt2.tune_bytes - 1, tune=True) == ()
    assert select([gpt2], memory=gpt2.tune_bytes, tune=True) == (gpt2,)


def test_a_selection_is_sorted_as_the_catalog_is():
    found = select(task="instructions", memory=4 * 10**9)
    assert list(found) == [model for model in models() if model in found] and 3 < len(found) < len(models())
