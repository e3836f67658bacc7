"""The rows' KV cache holds what was put into it, wherever rows move; prefixes are found by what they say."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.serving.kv_cache import RowCache
from utils.serving.prefixes import BLOCK, PrefixCache, block_names

LAYERS, HEADS, SIZE = 2, 3, 4


def numbers(seed: int, tokens: int) -> torch.Tensor:
    return torch.randn(LAYERS, 2, HEADS, tokens, SIZE, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 300)), min_size=1, max_size=30))
def test_a_row_keeps_its_numbers_while_others_come_and_go(steps):
    cache, held = RowCache(), {}
    for name, tokens in steps:
        owner = f"row {name}"
        if owner in held:
            cache.remove(owner)
            del held[owner]
        else:
            cache.add(owner, tokens=tokens)
            held[owner] = numbers(name, tokens)
            cache.write(owner, 0, held[owner])
        assert sorted(map(cache.place, held)) == [*range(len(held))], "the places in use are the first ones"
        for one, own in held.items():
            assert torch.equal(cache.copy(one, 0, own.shape[-2]), own)


def test_what_a_row_leaves_behind_is_zero_even_if_it_was_not_finite():
    cache = RowCache()
    for owner, tokens in (("a", 5), ("b", 200), ("c", 7)):
        cache.add(owner, tokens=tokens)
        cache.write(owner, 0, torch.full((LAYERS, 2, HEADS, tokens, SIZE), torch.nan if owner == "b" else 1.0))
    cache.remove("b")
    assert all(part.isfinite().all() for layer in cache.layers.values() for part in layer)
    cache.add("d", tokens=200)
    assert not cache.copy("d", 0, 200).any()


def test_memory_goes_back_with_the_last_row():
    cache = RowCache()
    for owner in "ab":
        cache.add(owner, tokens=100)
        cache.write(owner, 0, numbers(0, 100))
    assert cache.nbytes == LAYERS * 2 * HEADS * SIZE * 4 * 2 * 128
    cache.remove("a")
    cache.remove("b")
    assert cache.nbytes == 0


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=4 * BLOCK), st.lists(st.integers(0, 3), max_size=3 * BLOCK))
def test_blocks_have_one_name_just_where_prompts_say_the_same(first, second):
    names, others = block_names(first, reader="a"), block_names(first[: len(first) // 2] + second, reader="a")
    for number, (one, other) in enumerate(zip(names, others, strict=False), 1):
        same = first[: number * BLOCK] == (first[: len(first) // 2] + second)[: number * BLOCK]
        assert (one == other) == same
    assert len(names) == (len(first) - 1) // BLOCK, "the last token is read in any case"
    assert not {*names} & {*block_names(first, reader="b")}


def test_prefixes_are_kept_for_a_while_the_least_used_go_first(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("utils.serving.prefixes.time.monotonic", lambda: now[0])
    kept = PrefixCache(tokens=2 * BLOCK, seconds=10)
    block = torch.zeros(1, 2, 1, BLOCK, 1)
    kept.keep(b"one", block)
    kept.keep(b"two", block)
    assert kept.find(b"one") is block and kept.nbytes == 2 * block.nbytes
    kept.keep(b"three", block)
    assert kept.find(b"two") is None and kept.find(b"one") is block and b"three" in kept
    now[0] += 6
    kept.keep(b"four", block)
    now[0] += 6
    assert kept.find(b"one") is None and kept.find(b"four") is block and kept.nbytes == block.nbytes


def test_nothing_is_kept_where_no_tokens_are_allowed():
    kept = PrefixCache(tokens=0, seconds=10)
    kept.keep(b"one", torch.zeros(1, 2, 1, BLOCK, 1))
    assert b"one" not in kept
