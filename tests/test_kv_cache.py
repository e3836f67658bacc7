"""What the cache saves and takes: tokens read at every pass, bytes by count and by formula."""

import pytest
import torch

from utils.transformer.kv_cache import Pass, cache_bytes, timing_table, watch_passes

PROMPT = "Once upon"


@pytest.mark.parametrize("use_cache", [True, False])
def test_with_a_cache_no_token_is_read_twice(tiny, use_cache):
    with watch_passes(tiny) as passes:
        tiny.generate(PROMPT, max_new_tokens=4, min_new_tokens=4, use_cache=use_cache)
    first = 1 if tiny.is_encoder_decoder else tiny.count_tokens(PROMPT)
    assert [one.tokens for one in passes] == [first] + [1 if use_cache else first + n for n in (1, 2, 3)]
    assert all(one.seconds > 0 for one in passes)


def test_the_watch_ends_with_the_block_and_after_an_error(tiny):
    with pytest.raises(ZeroDivisionError), watch_passes(tiny) as passes:
        tiny.next_token_logits(PROMPT)
        raise ZeroDivisionError
    assert len(passes) == 1
    tiny.next_token_logits(PROMPT)
    assert len(passes) == 1
    assert not tiny.model._forward_hooks and not tiny.model._forward_pre_hooks


def test_a_failed_pass_is_not_counted(tiny):
    with watch_passes(tiny) as passes:
        with pytest.raises(IndexError):
            tiny.model(input_ids=torch.tensor([[10**6]]), decoder_input_ids=torch.tensor([[10**6]]))
        tiny.next_token_logits(PROMPT)
    assert len(passes) == 1


@torch.inference_mode()
def test_bytes_are_those_of_the_formula(tiny):
    ids = torch.tensor([tiny.encode(PROMPT)] * 2)
    given = {"decoder_input_ids": ids[:, :4]} if tiny.is_encoder_decoder else {}
    cache = tiny.model(ids, **given, use_cache=True).past_key_values
    config = tiny.model.config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    tokens = ids.shape[1] + 4 if tiny.is_encoder_decoder else ids.shape[1]
    assert cache_bytes(cache) == 2 * 2 * tokens * config.num_hidden_layers * heads * 8 * 4


@torch.inference_mode()
def test_the_course_s_model_takes_46080_bytes_a_token(course_model):
    ids = torch.tensor([course_model.encode("The garden was full")])
    cache = course_model.model(ids, use_cache=True).past_key_values
    assert cache_bytes(cache) == 46_080 * ids.shape[1]


def test_times_are_whole_milliseconds():
    table = timing_table({"one": [Pass(10, 0.2004), Pass(1, 0.03), Pass(1, 0.05), Pass(1, 9.0)]})
    assert table.to_numpy().tolist() == [[200, 20, 50]]
    assert list(table.index) == ["one"]
