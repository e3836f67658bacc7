"""Who sees whom: the three families' patterns, found by changing one token after the other."""

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import BertConfig, BertModel

from utils.errors import EmptyPrompt
from utils.plots import visibility_grids
from utils.transformer.attention import visibility, visible_pairs

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
