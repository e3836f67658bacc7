"""Loading, generating, and the window: on tiny models of each kind and on the course's own."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from utils.errors import ContextWindowExceeded, EmptyPrompt, ModelNotFound, UnsupportedSetting
from utils.internals import before_logits
from utils.models.loading import DEFAULT_MODEL, load_model

PROMPTS = ["abc def. ", "The cat: ", "xyz, a longer prompt of many letters than the others. "]


def test_a_local_path_loads_either_kind(tiny, saved_model):
    assert tiny.is_encoder_decoder == (saved_model.name in ("t5", "bart"))
    assert tiny.name == str(saved_model)
    assert tiny.context_window == 256


def test_lists_run_batched_and_give_the_same_text_as_one_by_one(tiny):
    single = [tiny.generate(prompt, max_new_tokens=12) for prompt in PROMPTS]
    assert tiny.generate(PROMPTS, max_new_tokens=12) == single
    assert len(set(single)) > 1, "the tiny model should not say one thing for all prompts"


def test_a_shared_prefix_does_not_change_the_text(tiny):
    prefix = "A long beginning that all of the prompts have in common, much longer than 64 tokens. "
    prompts = [prefix + text for text in PROMPTS]
    assert tiny.generate(prompts, max_new_tokens=12) == [tiny.generate(p, max_new_tokens=12) for p in prompts]


def test_only_the_completion_is_returned(tiny):
    assert "The cat" not in tiny.generate("The cat: ", max_new_tokens=3)
    assert len(tiny.generate("The cat: ", max_new_tokens=3)) <= 3


def test_sampling_depends_on_the_seed_alone(tiny):
    draws = [tiny.generate("abc", max_new_tokens=20, temperature=2.5, seed=seed) for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


def test_top_k_one_is_greedy(tiny):
    greedy = tiny.generate("abc", max_new_tokens=10)
    assert tiny.generate("abc", max_new_tokens=10, temperature=2.0, top_k=1, seed=5) == greedy


def test_stop_ends_a_completion_before_the_string(tiny):
    whole = tiny.generate("abc", max_new_tokens=20)
    assert tiny.generate("abc", max_new_tokens=20, stop=whole[2]) == whole[: whole.index(whole[2])]


def test_next_token_logits_are_those_of_the_first_token(tiny):
    logits = tiny.next_token_logits("abc def")
    assert logits.shape == (tiny.model.config.vocab_size,) and logits.dtype == torch.float32
    first = tiny.generate("abc def", max_new_tokens=1)
    assert tiny.tokenizer.decode([int(logits.argmax())], skip_special_tokens=True) == first


@pytest.mark.parametrize("prompt", ["", "   ", "\n"])
def test_an_empty_prompt_is_refused(tiny, prompt):
    for ask in (tiny.generate, tiny.next_token_logits, tiny.count_tokens):
        with pytest.raises(EmptyPrompt, match="prompt is empty"):
            ask(prompt)


def test_a_prompt_over_the_window_names_both_numbers_and_cuts_nothing(tiny):
    with pytest.raises(ContextWindowExceeded, match=r"300 tokens.*window is 256"):
        tiny.generate("a" * 300, max_new_tokens=10)


def test_a_prompt_that_fills_the_window_to_the_last_token_is_taken(tiny):
    new = 6
    room = tiny.context_window - (0 if tiny.is_encoder_decoder else new)
    tiny.generate("a" * room, max_new_tokens=new)
    with pytest.raises(ContextWindowExceeded):
        tiny.generate("a" * (room + 1), max_new_tokens=new)


def test_the_environment_variable_overrides_the_default(saved_model, monkeypatch):
    monkeypatch.setenv("COURSE_MODEL", str(saved_model))
    assert load_model(device="cpu").name == str(saved_model)


def test_the_fingerprint_follows_of_the_generation_defaults_what_counts(tiny, monkeypatch):
    before = tiny.fingerprint
    monkeypatch.setattr(tiny.model.generation_config, "repetition_penalty", 1.7)
    assert tiny.fingerprint == before
    monkeypatch.setattr(tiny.model.generation_config, "eos_token_id", 2)
    assert tiny.fingerprint != before


def test_the_fingerprint_is_the_same_while_the_model_generates(tiny):
    seen = {tiny.fingerprint}
    hook = tiny.model.register_forward_hook(lambda *_: seen.add(tiny.fingerprint))
    tiny.generate("abc", max_new_tokens=3)
    hook.remove()
    assert len(seen) == 1


def test_logits_that_another_thread_computes_are_not_chosen_from(tiny):
    alone = tiny.next_token_logits("abc")
    with before_logits(tiny.model, lambda hidden: hidden[:, :0]), ThreadPoolExecutor(1) as pool:
        assert torch.equal(pool.submit(tiny.next_token_logits, "abc").result(), alone)


def test_a_list_longer_than_a_batch_has_no_repeated_draws(tiny):
    drawn = tiny.generate(["abc"] * 20, max_new_tokens=30, temperature=3, seed=3)
    assert drawn == tiny.generate(["abc"] * 20, max_new_tokens=30, temperature=3, seed=3)
    assert tiny.is_encoder_decoder or len(set(drawn)) == 20


def test_generating_leaves_the_learner_s_random_state_alone(tiny):
    before = torch.random.get_rng_state()
    tiny.generate("abc", max_new_tokens=3, temperature=1.0)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("setting", [{"repetition_penalty": 1.3}, {"num_beams": 3}, {"no_repeat_ngram_size": 2}])
def test_settings_that_look_back_give_a_list_the_same_text_as_one_by_one(tiny, setting):
    prefix = "A long beginning that all of the prompts have in common, much longer than 64 tokens. "
    prompts = [prefix + text for text in PROMPTS]
    assert tiny.generate(prompts, max_new_tokens=8, **setting) == [
        tiny.generate(prompt, max_new_tokens=8, **setting) for prompt in prompts
    ]


def test_more_completions_a_prompt_are_refused(tiny):
    with pytest.raises(UnsupportedSetting, match="repeat the prompt in a list"):
        tiny.generate("abc", num_return_sequences=2)


def test_a_device_that_is_not_there_is_named(saved_model):
    with pytest.raises(UnsupportedSetting, match="no device 'gpu'"):
        load_model(str(saved_model), device="gpu")


def test_a_damaged_checkpoint_says_so(saved_model, tmp_path):
    copy = tmp_path / "model"
    shutil.copytree(saved_model, copy)
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelNotFound, match="does not hold a model"):
        load_model(str(copy), device="cpu")


def test_a_kind_of_model_that_was_not_compared_is_not_packed():
    from transformers import GPTNeoConfig, GPTNeoForCausalLM

    from utils.models.packing import can_pack

    config = GPTNeoConfig(
        vocab_size=50, hidden_size=16, num_layers=2, num_heads=2, attention_types=[[["global", "local"], 1]]
    )
    assert not can_pack(GPTNeoForCausalLM(config))


def test_an_unknown_name_says_what_to_do(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelNotFound, match="'no-such/model'.*check the spelling and the network"):
        load_model("no-such/model")


def test_a_folder_without_a_model_says_so(tmp_path):
    with pytest.raises(ModelNotFound, match="does not hold a model"):
        load_model(str(tmp_path))


def test_the_fingerprint_follows_the_weights(tiny):
    before = tiny.fingerprint
    weight = next(tiny.model.parameters())
    kept = weight.detach().clone()
    with torch.no_grad():
        weight.view(-1)[-1] += 1
        changed = tiny.fingerprint
        weight.copy_(kept)
    assert changed != before == tiny.fingerprint


def test_the_course_model_is_the_one_the_course_describes(course_model):
    assert course_model.name == DEFAULT_MODEL
    assert course_model.context_window == 8192
    assert course_model.model.dtype == torch.float32
    assert course_model.generate("The capital of France is", max_new_tokens=1) == " Paris"
