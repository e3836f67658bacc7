"""A prompt's numbers are its own: in a batch, behind a shared prefix and alone, on every kind of model."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModelForCausalLM

from tests.tiny_models import LETTERS
from utils.adapters.methods import add_adapter, find_method
from utils.decoding.generation import complete_many, generate_stream
from utils.errors import ContextWindowExceeded, DataError, UnsupportedSetting
from utils.logits.config import DecodingConfig
from utils.models import packing
from utils.models.forcing import forced_logits
from utils.models.language_model import LanguageModel

PREFIX = "A long beginning that all of the prompts have in common, much longer than 64 tokens. "
ENDS = ["a", "The cat: ", "xyz, a longer prompt of many letters than the others. "]
ROTARY = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
GROUPED = {**ROTARY, "num_key_value_heads": 2, "head_dim": 8}
KINDS = {
    "llama": GROUPED,
    "qwen3": GROUPED,
    "mistral": {**GROUPED, "sliding_window": 16},
    "gemma2": {**GROUPED, "sliding_window": 16, "query_pre_attn_scalar": 8},
    "gemma3_text": {**GROUPED, "sliding_window": 16, "query_pre_attn_scalar": 8, "num_hidden_layers": 6},
    "phi3": {**GROUPED, "sliding_window": 16},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4},
    "opt": {
        "hidden_size": 32,
        "ffn_dim": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "word_embed_proj_dim": 32,
    },
    "gpt_neox": ROTARY,
    "gpt_neo": {
        "hidden_size": 32,
        "num_layers": 2,
        "num_heads": 4,
        "attention_types": [[["global", "local"], 1]],
        "window_size": 16,
    },
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
    "falcon": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "alibi": True},
}


@pytest.fixture(scope="module", params=KINDS)
def model(request, tiny_tokenizer) -> LanguageModel:
    torch.manual_seed(7)
    config = AutoConfig.for_model(
        request.param,
        vocab_size=len(LETTERS),
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=1,
        **KINDS[request.param],
        **({} if request.param in ("bloom", "falcon") else {"max_position_embeddings": 256}),
        initializer_range=0.5,
    )
    made = AutoModelForCausalLM.from_config(config).eval()
    return LanguageModel(request.param, made, tiny_tokenizer, 256)


def alone(model: LanguageModel, row: list[int]) -> torch.Tensor:
    with torch.inference_mode():
        return model.model(torch.tensor([row])).logits[0].float()


def test_logits_behind_a_shared_prefix_are_those_of_one_prompt_at_a_time(model):
    assert packing.can_share(model.model)
    prompts = [model.encode(PREFIX + end) for end in ENDS]
    found = list(forced_logits(model, [(prompt, [5, 6, 7][:n]) for n, prompt in enumerate(prompts)]))
    for n, (prompt, logits) in enumerate(zip(prompts, found, strict=True)):
        torch.testing.assert_close(
            logits, alone(model, prompt + [5, 6, 7][:n])[len(prompt) - 1 :], rtol=1e-3, atol=1e-3
        )


def test_completions_behind_a_shared_prefix_are_those_of_one_prompt_at_a_time(model):
    prompts = [PREFIX + end for end in ENDS]
    for chosen in ({}, {"temperature": 1.3, "seed": 4}, {"repetition_penalty": 1.4}):
        texts = model.generate(prompts, max_new_tokens=24, **chosen)
        assert texts == [model.generate(prompt, max_new_tokens=24, **chosen) for prompt in prompts]
        config = DecodingConfig(max_new_tokens=24, **{"temperature": 0.0} | chosen)
        assert texts == ["".join(step.text for step in generate_stream(model, p, config)) for p in prompts]


def test_a_lora_adapter_shares_prefixes_and_soft_prompts_do_not(tiny):
    for name, shares in (("lora", True), ("bottleneck", True), ("prompt", False)):
        adapted = add_adapter(tiny, find_method(name))
        with torch.no_grad():
            for parameter in adapted.model.parameters():
                if parameter.requires_grad:
                    parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 0.3)
        adapted.model.eval()
        assert packing.can_share(adapted.model) == (shares and not tiny.is_encoder_decoder)
        prompts = [PREFIX + end for end in ENDS]
        texts = adapted.generate(prompts, max_new_tokens=12)
        assert texts == [adapted.generate(prompt, max_new_tokens=12) for prompt in prompts]


@pytest.mark.parametrize("method", ["prompt", "prefix", "ia3", "lora", "dora", "bottleneck"])
def test_a_tuned_model_streams_what_it_generates(tiny, method):
    adapted = add_adapter(tiny, find_method(method))
    noise = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in adapted.model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=noise) * 0.5)
    adapted.model.eval()
    config = DecodingConfig(temperature=0, max_new_tokens=12)
    completion = adapted.generate("abc def", max_new_tokens=12)
    assert completion == "".join(step.text for step in generate_stream(adapted, "abc def", config))
    assert [completion] * 2 == complete_many(adapted, "abc def", config, seeds=[0, 1])


def test_a_soft_prompt_takes_its_part_of_the_window(tiny):
    adapted = add_adapter(tiny, find_method("prompt", 20))
    room = tiny.context_window - 20 - (0 if tiny.is_encoder_decoder else 4)
    adapted.generate("a" * room, max_new_tokens=4)
    with pytest.raises(ContextWindowExceeded, match="its soft prompt 20"):
        adapted.generate("a" * (room + 1), max_new_tokens=4)


CHOSEN = st.fixed_dictionaries(
    {"max_new_tokens": st.integers(1, 12), "temperature": st.sampled_from([0, 0.7, 1.5])},
    optional={
        "top_k": st.integers(0, 9),
        "top_p": st.floats(0.05, 1),
        "min_p": st.floats(0, 0.5),
        "repetition_penalty": st.sampled_from([0.5, 1.1, 3]),
        "seed": st.integers(-(2**40), 2**40),
        "stop": st.lists(st.text("abcdefgh .", min_size=1, max_size=2), max_size=2),
        "order": st.sampled_from(["transformers", "studio"]),
    },
)


@settings(max_examples=12, deadline=None)
@given(
    chosen=CHOSEN,
    ends=st.lists(st.text("abcXYZ .\n", min_size=1, max_size=9), min_size=2, max_size=4, unique=True),
    prefix=st.sampled_from(["A: ", PREFIX]),
)
def test_any_setting_gives_the_same_text_in_a_batch_alone_and_streamed(tiny, chosen, ends, prefix):
    prompts = [prefix + end for end in ends]
    texts = tiny.generate(prompts, **chosen)
    assert texts == [tiny.generate(prompt, **chosen) for prompt in prompts]
    config = DecodingConfig(**chosen | {"stop": tuple(chosen.get("stop", ()))})
    assert texts == ["".join(step.text for step in generate_stream(tiny, prompt, config)) for prompt in prompts]


@pytest.mark.parametrize(
    "default",
    [
        {"repetition_penalty": 1.8},
        {"no_repeat_ngram_size": 1},
        {"min_new_tokens": 9},
        {"do_sample": True, "temperature": 3.0, "top_k": 0},
        {"num_beams": 3},
    ],
)
def test_what_the_model_s_own_generation_config_says_counts_for_nothing(tiny, monkeypatch, default):
    prompts = [PREFIX + end for end in ENDS]
    plain = tiny.generate(prompts, max_new_tokens=12)
    for name, value in default.items():
        monkeypatch.setattr(tiny.model.generation_config, name, value)
    before = tiny.model.generation_config.to_dict()
    assert tiny.generate(prompts, max_new_tokens=12) == plain == [tiny.generate(p, max_new_tokens=12) for p in prompts]
    assert tiny.model.generation_config.to_dict() == before


def test_a_prompt_that_stands_in_the_list_again_is_drawn_with_the_next_seed(tiny):
    asked = {"max_new_tokens": 30, "temperature": 2.5}
    alone = {("abc", 3), ("xyz", 3), ("abc", 4), ("abc", 5)}
    drawn = tiny.generate(["abc", "xyz", "abc", "abc"], **asked, seed=3)
    assert set(drawn) == {tiny.generate(prompt, **asked, seed=seed) for prompt, seed in alone}
    assert drawn[0] == tiny.generate("abc", **asked, seed=3) and len(set(drawn)) > 1


def test_do_sample_alone_samples(tiny):
    drawn = {tiny.generate("abc", max_new_tokens=20, do_sample=True, top_k=50, seed=seed) for seed in range(8)}
    assert len(drawn) > 1
    assert tiny.generate("abc", max_new_tokens=9, do_sample=False) == tiny.generate("abc", max_new_tokens=9)


@pytest.mark.parametrize(
    "wrong, said",
    [
        ({"top_p": 1.5}, "Top-p lies between"),
        ({"temperature": -1}, "Temperature is 0"),
        ({"temperature": "hot"}, "Temperature is 0"),
        ({"max_new_tokens": 0}, "Max new tokens"),
        ({"max_new_tokens": 2.5}, "Max new tokens"),
        ({"stop": ""}, "Stop is"),
        ({"stop": ["a", ""]}, "Stop is"),
        ({"stop": 3}, "Stop is"),
        ({"seed": None}, "seed is a whole number"),
        ({"seed": 1.5}, "seed is a whole number"),
        ({"seed": 10**5000}, "has 100 digits at most; a number of thousands of digits"),
        ({"top_k": "5"}, "Top-k"),
        ({"min_p": -0.1}, "Min-p"),
        ({"repetition_penalty": 0}, "Repetition penalty"),
        ({"do_sample": True, "temperature": 0}, "contradict"),
        ({"do_sample": False, "temperature": 0.7}, "contradict"),
        ({"do_sample": "yes"}, "True or False"),
        ({"num_beams": 2, "temperature": 0.7}, "num_beams"),
        ({"num_beams": 0}, "num_beams=0"),
        ({"no_repeat_ngram_size": "two"}, "no_repeat_ngram_size"),
        ({"max_tokens": 5}, "no setting 'max_tokens'"),
        ({"stop_strings": "a"}, "given as stop"),
        ({"max_length": 5}, "max_new_tokens"),
        ({"output_scores": True}, "no setting"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_in_words(tiny, wrong, said):
    with pytest.raises(UnsupportedSetting, match=said):
        tiny.generate("abc", **wrong)


def test_numbers_of_numpy_and_torch_are_taken(tiny):
    import numpy as np

    plain = tiny.generate("abc", max_new_tokens=9, temperature=1.5, top_k=5, seed=3)
    given = {
        "max_new_tokens": np.int64(9),
        "temperature": np.float32(1.5),
        "top_k": torch.tensor(5),
        "seed": np.int32(3),
    }
    assert tiny.generate("abc", **given) == plain


@pytest.mark.parametrize("prompts", [[], ("abc",), ["abc", None], {"abc": 1}, 3])
def test_prompts_are_a_text_or_a_list_of_texts(tiny, prompts):
    if prompts in ([], ("abc",)):
        assert len(tiny.generate(prompts, max_new_tokens=2)) == len(prompts)
        return
    with pytest.raises(DataError, match="Prompts are"):
        tiny.generate(prompts)
