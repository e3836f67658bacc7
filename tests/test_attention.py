"""Who sees whom: the three families' patterns, found by changing one token after the other."""

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import BertConfig, BertModel, MambaConfig, MambaForCausalLM

from tests.tiny_models import tiny_model
from utils.errors import ContextWindowExceeded, DataError, EmptyPrompt, UnsupportedSetting
from utils.internals import attention
from utils.models.language_model import LanguageModel
from utils.plots import visibility_grids
from utils.transformer.attention import (
    SCORES,
    attention_parts,
    attention_weights,
    head_scores,
    heads_over,
    visibility,
    visible_pairs,
)

TEXT, TARGET = "abcde", "xyz"


def pattern(tiny):
    return visibility(tiny.model, tiny.tokenizer, TEXT, TARGET)


@pytest.fixture
def bert(tiny_tokenizer):
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    return BertModel(BertConfig(vocab_size=len(tiny_tokenizer), **sizes)).eval()


def test_a_decoder_sees_the_past_and_an_encoder_everything(tiny):
    seen = pattern(tiny)
    if not tiny.is_encoder_decoder:
        assert (seen.to_numpy() == np.tri(5, dtype=bool)).all()
        return
    assert seen.loc["encoder", "encoder"].to_numpy().all()
    assert not seen.loc["encoder", "decoder"].to_numpy().any()
    assert seen.loc["decoder", "encoder"].to_numpy().all()
    assert (seen.loc["decoder", "decoder"].to_numpy() == np.tri(3, dtype=bool)).all()


def test_the_axes_name_parts_and_tokens(tiny):
    seen = pattern(tiny)
    parts = ["encoder"] * 5 + ["decoder"] * 3 if tiny.is_encoder_decoder else ["model"] * 5
    assert list(seen.index) == list(zip(parts, TEXT + TARGET, strict=False)) == list(seen.columns)


def test_an_encoder_alone_sees_everything(bert, tiny_tokenizer):
    seen = visibility(bert, tiny_tokenizer, TEXT)
    assert seen.shape == (5, 5) and seen.to_numpy().all()


def test_the_course_s_model_is_a_decoder(course_model):
    seen = visibility(course_model.model, course_model.tokenizer, "The garden was full of")
    assert (seen.to_numpy() == np.tri(5, dtype=bool)).all()
    assert list(seen.loc["model"].index) == ["The", "garden", "was", "full", "of"]


def test_a_word_may_stand_twice(bert, tiny_tokenizer):
    assert visibility(bert, tiny_tokenizer, "aab").shape == (3, 3)


def test_an_empty_text_is_refused(tiny):
    with pytest.raises(EmptyPrompt, match="text is empty"):
        visibility(tiny.model, tiny.tokenizer, " ")
    if tiny.is_encoder_decoder:
        with pytest.raises(EmptyPrompt, match="text is empty"):
            visibility(tiny.model, tiny.tokenizer, TEXT)


def by_hand(parts: str, seen: np.ndarray) -> pd.DataFrame:
    names = {"e": "encoder", "d": "decoder", "m": "model"}
    axis = pd.MultiIndex.from_arrays([[names[part] for part in parts], list("abcdefgh")[: len(parts)]])
    axis.names = ["part", "token"]
    return pd.DataFrame(seen, index=axis, columns=axis)


def test_pairs_are_counted_part_by_part():
    both = np.array([[1, 1, 0], [1, 1, 0], [1, 1, 1]], dtype=bool)
    table = visible_pairs({"one": by_hand("mm", np.tri(2, dtype=bool)), "two": by_hand("eed", both)})
    assert table.to_numpy().tolist() == [
        ["one", "model", "model", 4, 3],
        ["two", "encoder", "encoder", 4, 4],
        ["two", "encoder", "decoder", 2, 0],
        ["two", "decoder", "encoder", 2, 2],
        ["two", "decoder", "decoder", 1, 1],
    ]


def test_the_figure_says_its_patterns():
    odd = np.array([[0, 1], [1, 0]], dtype=bool)
    plot = visibility_grids({"one": by_hand("mm", np.tri(2, dtype=bool)), "two": by_hand("mm", odd)})
    assert plot.png.startswith(b"\x89PNG")
    assert "one: model on model lower triangle; two: model on model 2 of 4 filled" in plot.alt


@pytest.fixture
def even(tiny_tokenizer) -> LanguageModel:
    """A model whose queries are all zero: each token looks at all that it sees alike."""
    model = tiny_model("llama").eval()
    for block in model.model.layers:
        torch.nn.init.zeros_(block.self_attn.q_proj.weight)
    return LanguageModel("even", model, tiny_tokenizer, 256)


def test_each_row_of_weights_is_a_share_of_what_the_position_sees(tiny):
    before = attention(tiny.model.config)
    for part in attention_parts(tiny):
        found = attention_weights(tiny, TEXT, part)
        assert found.weights.shape == (2, 4, len(found.queries), len(found.keys))
        assert torch.allclose(found.weights.sum(-1), torch.ones(1))
        if part == "decoder":
            assert (found.weights.triu(1) == 0).all()
    assert attention(tiny.model.config) == before


def test_weights_are_named_by_the_tokens_that_look_and_are_looked_at(tiny):
    read = tuple(TEXT) if not tiny.is_encoder_decoder else attention_weights(tiny, TEXT, "encoder").keys
    assert read == tuple(TEXT)
    last = attention_weights(tiny, TEXT, attention_parts(tiny)[-1])
    assert last.keys == tuple(TEXT)
    if tiny.is_encoder_decoder:
        written = attention_weights(tiny, TEXT).queries
        assert last.queries == written and len(written) >= 1
    table = last.table(1, 3)
    assert (list(table.index), list(table.columns)) == (list(last.queries), list(TEXT))
    assert np.allclose(table.to_numpy(), last.weights[1, 3])


def test_an_adapter_s_weights_are_the_adapted_model_s(tiny, lora):
    part = attention_parts(tiny)[0]
    base, adapted = (attention_weights(model, TEXT, part).weights for model in (tiny, lora))
    assert base.shape == adapted.shape and (base - adapted).abs().max() > 1e-3


def test_weights_recomputed_from_queries_and_keys(course_model):
    """Layer 0 of the course's model by the paper's formula, with rotary positions from the library."""
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb, repeat_kv

    text = "The garden was full of"
    inner, ids = course_model.model.model, torch.tensor([course_model.encode(text)])
    block = inner.layers[0]
    with torch.inference_mode():
        x = block.input_layernorm(inner.embed_tokens(ids))
        queries, keys = (
            project(x).view(1, ids.shape[1], -1, 64).transpose(1, 2)
            for project in (block.self_attn.q_proj, block.self_attn.k_proj)
        )
        rotated = inner.rotary_emb(x, torch.arange(ids.shape[1])[None])
        queries, keys = apply_rotary_pos_emb(queries, keys, *rotated)
        scores = queries @ repeat_kv(keys, 3).transpose(-1, -2) / 64**0.5
        past = torch.ones(ids.shape[1], ids.shape[1]).tril().bool()
        by_hand = scores.masked_fill(~past, -torch.inf).softmax(-1)[0]
    assert torch.allclose(attention_weights(course_model, text).weights[0], by_hand, atol=1e-4)


def test_scores_of_heads_that_look_at_all_tokens_alike(even):
    scores = head_scores(even, ["abcdef"], repeated=5)
    alike = np.mean([1 / tokens for tokens in range(3, 7)])
    assert np.allclose(scores[["previous token", "first token"]], alike)
    assert np.allclose(scores["induction"], np.mean([1 / tokens for tokens in range(6, 10)]))
    assert scores[["layer", "head"]].to_numpy().tolist() == [[layer, head] for layer in range(2) for head in range(4)]


def test_scores_name_the_heads_that_are_built_to_look_there(even, monkeypatch):
    def built(_model, rows, _written):
        size = len(rows[0])
        previous, first, again = torch.eye(size).roll(1, 0), torch.zeros(size, size), torch.zeros(size, size)
        first[:, 0] = 1
        for position in range(size // 2, size):
            again[position, position - size // 2 + 1] = 1
        return {"decoder": torch.stack([previous, first, again])[None, None].expand(1, len(rows), 3, size, size)}

    monkeypatch.setattr("utils.transformer.attention._weights", built)
    scores = head_scores(even, ["abcdefgh", "abc"], repeated=6)
    assert scores[list(SCORES)].idxmax().tolist() == [0, 1, 2]
    assert np.diag(scores[list(SCORES)]).tolist() == [1, 1, 1]
    counts = heads_over(scores, [0.9])
    assert counts.loc[0.9].tolist() == [1, 1, 1, 0, 3]


def test_scores_are_the_same_again_and_of_every_kind_from_0_to_1(tiny):
    scores = head_scores(tiny, ["abcdef", "hello"], repeated=6)
    assert scores.equals(head_scores(tiny, ["abcdef", "hello"], repeated=6))
    assert len(scores) == 8 and scores[list(SCORES)].stack().between(0, 1).all()


def test_the_course_s_model_has_heads_of_each_kind(course_model):
    text = "The garden was full of flowers that nobody had planted, and the gardener wondered where they came from."
    counts = heads_over(head_scores(course_model, [text]), [0.5])
    assert (counts[list(SCORES)] >= 3).all(axis=None) and (counts["of"] == 270).all()


def test_what_has_no_weights_is_refused_in_words(tiny, tiny_tokenizer):
    with pytest.raises(EmptyPrompt, match="empty"):
        attention_weights(tiny, " ")
    with pytest.raises(ContextWindowExceeded, match="300 tokens and the context window is 256"):
        attention_weights(tiny, "a" * 300)
    with pytest.raises(UnsupportedSetting, match="A layer is a whole number from 0 to 1; 2 was given"):
        attention_weights(tiny, TEXT).table(2, 0)
    with pytest.raises(UnsupportedSetting, match="A head is a whole number from 0 to 3; -1 was given"):
        attention_weights(tiny, TEXT).table(0, -1)
    with pytest.raises(UnsupportedSetting, match=r"Part is one of .*; 'middle' was given"):
        attention_weights(tiny, TEXT, "middle")
    with pytest.raises(DataError, match="three tokens"):
        head_scores(tiny, ["ab"])
    with pytest.raises(UnsupportedSetting, match="Repeated is a whole number from 3 to .*; 2 was given"):
        head_scores(tiny, [TEXT], repeated=2)
    mamba = MambaForCausalLM(MambaConfig(vocab_size=100, hidden_size=16, num_hidden_layers=1, state_size=4)).eval()
    with pytest.raises(UnsupportedSetting, match="no attention weights.*mamba"):
        attention_weights(LanguageModel("m", mamba, tiny_tokenizer, 256), TEXT)


def test_a_text_whose_weights_would_fill_the_memory_is_refused(tiny, monkeypatch):
    monkeypatch.setattr("utils.transformer.attention.MOST_BYTES", 4 * 8 * 10**2)
    assert attention_weights(tiny, "a" * 10, attention_parts(tiny)[0]).weights.shape[2] == 10
    with pytest.raises(ContextWindowExceeded, match="at most 10 tokens"):
        attention_weights(tiny, "a" * 11)
