"""What the cache saves and takes: tokens read at every pass, bytes by count and by formula."""

import pytest
import torch
from transformers import BartConfig, Gemma3Config, T5Config

from utils.internals import cache_layers
from utils.transformer.decoder import decoder_of, family
from utils.transformer.kv_cache import Pass, cache_bytes, timing_table, watch_passes
from utils.transformer.sizes import Sizes, read_sizes

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
    ids = torch.tensor([tiny.encode(PROMPT)[:6]] * 2)  # inside the sliding windows of those that have one
    given = {"decoder_input_ids": ids[:, :4]} if tiny.is_encoder_decoder else {}
    cache = tiny.model(ids, **given, use_cache=True).past_key_values
    sizes = read_sizes(tiny.model.config)
    tokens = ids.shape[1] + 4 if tiny.is_encoder_decoder else ids.shape[1]
    assert cache_bytes(cache) == 2 * 2 * tokens * sizes.layers * sizes.key_value_heads * sizes.head_size * 4


@torch.inference_mode()
def test_the_sizes_are_those_of_the_cache(tiny):
    decoder, first = decoder_of(tiny, PROMPT)
    cache = decoder(first, use_cache=True).past_key_values
    layers = cache_layers(getattr(cache, "self_attention_cache", cache))
    sizes = read_sizes(tiny.model.config)
    assert len(layers) == sizes.layers == 2
    assert {(keys.shape[1], keys.shape[3]) for keys, _ in layers} == {(sizes.key_value_heads, sizes.head_size)}
    assert sizes.cache_numbers(first.shape[1]) == sum(part.numel() for layer in layers for part in layer)
    assert sizes.vocabulary == len(tiny.tokenizer) and sizes.hidden == 32 and sizes.heads == 4


@torch.inference_mode()
@pytest.mark.parametrize(
    ("saved_model", "windowed"), [("mistral", 2), ("gemma3", 1), ("qwen2", 0)], indirect=["saved_model"]
)
def test_layers_with_a_window_keep_what_they_still_see(tiny, windowed):
    sizes = read_sizes(tiny.model.config)
    assert (sizes.windowed, sizes.window) == (windowed, 8 if windowed else 0)
    for tokens in (1, 7, 8, 30):
        cache = tiny.model(torch.ones(1, tokens, dtype=torch.long), use_cache=True).past_key_values
        assert cache_bytes(cache) == 4 * sizes.cache_numbers(tokens)


def test_a_decoder_may_have_other_sizes_than_its_encoder():
    bart = BartConfig(vocab_size=50, d_model=64, encoder_layers=1, decoder_layers=3, decoder_attention_heads=8)
    assert read_sizes(bart) == Sizes(50, 64, 3, 8, 8, 8)
    t5 = T5Config(vocab_size=50, d_model=64, num_layers=1, num_decoder_layers=3, num_heads=2, d_kv=16)
    assert read_sizes(t5) == Sizes(50, 64, 3, 2, 2, 16)


def test_the_text_part_of_a_model_that_also_sees_is_read():
    gemma = Gemma3Config(text_config={"vocab_size": 50, "num_hidden_layers": 3, "head_dim": 6})
    assert read_sizes(gemma).layers == 3 and read_sizes(gemma).head_size == 6


@torch.inference_mode()
def test_the_loop_over_the_decoder_writes_what_generate_writes(tiny, capsys):
    decoder, new = decoder_of(tiny, PROMPT)
    assert new.tolist() == [[tiny.decoder_start] if tiny.is_encoder_decoder else tiny.encode(PROMPT)]
    assert family(tiny) == ("encoder-decoder" if tiny.is_encoder_decoder else "decoder-only")
    assert ("has an encoder" in capsys.readouterr().out) == tiny.is_encoder_decoder
    cache, tokens = None, []
    for _ in range(6):
        output = decoder(new, past_key_values=cache, use_cache=True)
        cache, new = output.past_key_values, output.logits[:, -1:].argmax(-1)
        tokens += new[0].tolist()
    written = tiny.generate(PROMPT, max_new_tokens=6)
    assert tiny.decode(tokens, skip_special_tokens=True).startswith(written)


@torch.inference_mode()
def test_two_rows_of_the_decoder_differ_where_their_tokens_do(tiny):
    decoder, first = decoder_of(tiny, PROMPT)
    start = first[0].tolist()
    one, other = decoder(torch.tensor([[*start, 5], [*start, 6]])).logits
    changed = (one - other).abs().amax(-1) > 1e-3
    assert changed.tolist() == [False] * len(start) + [True]


@torch.inference_mode()
def test_the_course_s_model_takes_46080_bytes_a_token(course_model):
    ids = torch.tensor([course_model.encode("The garden was full")])
    cache = course_model.model(ids, use_cache=True).past_key_values
    assert cache_bytes(cache) == 46_080 * ids.shape[1]


def test_times_are_whole_milliseconds():
    table = timing_table({"one": [Pass(10, 0.2004), Pass(1, 0.03), Pass(1, 0.05), Pass(1, 9.0)]})
    assert table.to_numpy().tolist() == [[200, 20, 50]]
    assert list(table.index) == ["one"]
