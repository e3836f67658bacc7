"""The inside of a transformer: activations, the logit lens, ablations, costs by part, and the map."""

import pandas as pd
import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, BertModel

from tests.tiny_models import KINDS, tiny_model
from utils.adapters.costs import parameters, read_architecture
from utils.errors import ContextWindowExceeded, DataError, EmptyPrompt, UnsupportedSetting
from utils.plots import architecture, changes, lens
from utils.transformer.ablation import Ablation, ablation_table, switched_off
from utils.transformer.activations import llama_kind, record_activations
from utils.transformer.costs import cost_by_part, time_by_part
from utils.transformer.logit_lens import answers_forming, lens_table, logit_lens
from utils.transformer.map import model_map
from utils.transformer.parts import decoder_blocks
from utils.transformer.sizes import read_sizes

PROMPT = "a dog saw"


def logits(model) -> torch.Tensor:
    return model.next_token_logits(PROMPT)


# Activations


def test_the_activations_are_those_of_the_library(tiny):
    found = record_activations(tiny, PROMPT)
    name = "lm_head"
    assert torch.allclose(found[name].output[-1], logits(tiny), rtol=1e-4, atol=1e-4)
    with pytest.raises(EmptyPrompt):
        record_activations(tiny, " ")


def test_a_llama_is_opened_itself_and_another_kind_beside_a_small_one(tiny, capsys):
    llama = llama_kind(tiny)
    if tiny.model.config.model_type == "llama":
        assert llama is tiny and capsys.readouterr().out == ""
    else:
        assert llama.model.config.model_type == "llama" and "random weights" in capsys.readouterr().out
        assert len(llama.next_token_logits(PROMPT)) == tiny.embedded


# The logit lens


def test_the_last_row_of_the_lens_is_what_the_model_says(tiny):
    found = logit_lens(tiny, PROMPT)
    assert found.shape == (len(decoder_blocks(tiny)) + 1, len(logits(tiny)))
    if not tiny.is_encoder_decoder:  # a decoder looks at an encoder's text, here at its first token alone
        assert torch.allclose(found[-1], logits(tiny), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(found[0], found[-1], atol=0.1) and not torch.allclose(found[1], found[-1], atol=0.1)


def test_the_lens_is_taken_away_again(tiny):
    before = logits(tiny)
    logit_lens(tiny, PROMPT)
    assert torch.equal(before, logits(tiny))


def test_an_answer_that_comes_early_one_that_comes_late_and_one_that_never_does():
    def table(ranks):
        return pd.DataFrame(
            {"rank of the answer": ranks, "likeliest": "' x'", "probability": 0.5, "of the answer": 0.2}
        )

    found = answers_forming({"early": table([3, 1, 1]), "late": table([9, 4, 1]), "never": table([7, 2, 3])})
    assert found["first likeliest after"].tolist() == [1, 2, pd.NA] and found["best rank"].tolist() == [1, 1, 2]


def test_a_lens_needs_an_answer(tiny):
    with pytest.raises(DataError, match="answer is empty"):
        lens_table(tiny, PROMPT, " ")


def test_the_course_s_model_says_paris_in_its_last_block(course_model):
    table = lens_table(course_model, "The capital of France is", " Paris")
    assert table["likeliest"].iloc[-1] == "' Paris'" and (table["rank of the answer"].iloc[:-1] > 1).all()
    shares = course_model.next_token_logits("The capital of France is").softmax(-1)
    assert table["of the answer"].iloc[-1] == pytest.approx(shares.max().item(), abs=1e-4)


# Ablations

ABLATIONS = [
    Ablation("positions"),
    Ablation("layer", 0),
    Ablation("attention", 1),
    Ablation("feed-forward", 1),
    Ablation("head", 0, 3),
]


@pytest.mark.parametrize("ablation", ABLATIONS, ids=str)
def test_a_part_that_is_off_changes_the_logits_and_is_on_again_afterwards(tiny, ablation):
    before = logits(tiny)
    with switched_off(tiny, ablation):
        without = logits(tiny)
    assert torch.equal(before, logits(tiny))
    if not (ablation.part == "positions" and tiny.is_encoder_decoder):  # its decoder reads one token: no place to tell
        assert not torch.allclose(before, without, atol=1e-3)


def test_a_part_is_on_again_after_an_error(tiny):
    before = logits(tiny)
    with pytest.raises(KeyError), switched_off(tiny, Ablation("layer", 0)):
        raise KeyError
    assert torch.equal(before, logits(tiny))


def test_without_all_its_heads_an_attention_adds_nothing(tiny):
    heads = read_sizes(tiny.model.config).heads
    if getattr(tiny.model.config, "attention_bias", True) and tiny.model.config.model_type in ("gpt2", "opt", "bart"):
        pytest.skip("the output matrix has a bias, which belongs to no head")
    with switched_off(tiny, Ablation("attention", 0)):
        without = logits(tiny)
    nested = [switched_off(tiny, Ablation("head", 0, head)) for head in range(heads)]
    for one in nested:
        one.__enter__()
    try:
        assert torch.allclose(logits(tiny), without, atol=1e-5)
    finally:
        for one in reversed(nested):
            one.__exit__(None, None, None)


def test_without_positions_the_order_of_earlier_words_does_not_count(course_model):
    def said(text: str) -> torch.Tensor:
        return course_model.next_token_logits(text)

    one, other = "red green blue The", "green red blue The"
    assert not torch.allclose(said(one), said(other), atol=0.1)
    with switched_off(course_model, Ablation("positions")):
        near = (said(one) - said(other)).abs().mean()
    assert near < (said(one) - said(other)).abs().mean()


@pytest.mark.parametrize(
    ("ablation", "sentence"),
    [
        (Ablation("layer", 2), "The layer is a whole number from 0 to 1; 2 was given"),
        (Ablation("layer", -1), "from 0 to 1; -1 was given"),
        (Ablation("feed-forward"), "from 0 to 1; None was given"),
        (Ablation("head", 0, 4), "The head is a whole number from 0 to 3; 4 was given"),
        (Ablation("head", 0, 1.5), "from 0 to 3; 1.5 was given"),
        (Ablation("tail", 0), "one of head, attention, feed-forward, layer, positions; 'tail' was given"),
    ],
    ids=str,
)
def test_a_part_that_does_not_exist_is_refused(tiny, ablation, sentence):
    with pytest.raises(UnsupportedSetting, match=sentence), switched_off(tiny, ablation):
        pass


def test_the_table_measures_the_whole_and_then_each_part(tiny):
    table = ablation_table(tiny, ABLATIONS[1:3], lambda model: float(logits(model).max()))
    assert list(table.index) == ["nothing", "layer 0", "attention of layer 1"] and table["change"].iloc[0] == 0
    assert table["bits per byte"].iloc[0] == float(logits(tiny).max()) and (table["change"].iloc[1:] != 0).all()


# Costs


def test_the_parts_have_all_the_parameters(tiny):
    table = cost_by_part(tiny, 16)
    assert table["parameters"].sum() == tiny.model.num_parameters() and (table >= 0).all(axis=None)
    assert table["parameters (%)"].sum() == pytest.approx(100)


def test_only_scores_and_mix_grow_with_the_square(tiny):
    one, four = (cost_by_part(tiny, tokens)["operations"] for tokens in (16, 64))
    grown = (four / one).dropna()
    assert grown.pop("scores and mix") == 16 and set(grown) == {4}


def test_the_course_s_model_costs_what_the_formula_says(course_model):
    table = cost_by_part(course_model, 512)
    assert table["parameters"].sum() == parameters(read_architecture(course_model))
    assert table.loc["feed-forward", "operations"] == 2 * 512 * 30 * 3 * 576 * 1536
    assert table.loc["output", "parameters"] == 0 and table.loc["output", "operations"] == 2 * 512 * 49152 * 576


def test_every_part_takes_time(tiny):
    before = logits(tiny)
    table = time_by_part(tiny, (8, 16))
    assert list(table) == [8, 16] and (table.drop(index="norms and others") >= 0).all(axis=None)
    assert torch.equal(before, logits(tiny))
    with pytest.raises(ContextWindowExceeded, match="100,000 tokens is longer"):
        time_by_part(tiny, (100_000,))


# The map

PRE = ["norm", "self-attention", "add", "norm", "feed-forward", "add"]
POST = ["self-attention", "add", "norm", "feed-forward", "add", "norm"]
STEPS = {
    "gemma3": [["norm", "self-attention", "norm", "add", "norm", "feed-forward", "norm", "add"]],
    "t5": [PRE, [*PRE[:3], "norm", "cross-attention", "add", *PRE[3:]]],
    "bart": [POST, [*POST[:3], "cross-attention", "add", "norm", *POST[3:]]],
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_map_of_each_kind(kind):
    found = model_map(tiny_model(kind).eval())
    assert [[step.kind for step in stack.steps] for stack in found.stacks] == STEPS.get(kind, [PRE])
    assert [stack.name for stack in found.stacks] == (["encoder", "decoder"] if kind in ("t5", "bart") else ["decoder"])
    assert {stack.blocks for stack in found.stacks} == {2} and found.stacks[-1].causal
    assert {stack.last_norm for stack in found.stacks} == {kind != "bart"}
    assert {stack.first_norm for stack in found.stacks} == {kind == "bart"}
    assert found.tied is not None


def small_bert(kind):
    sizes = {"num_hidden_layers": 3, "hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64}
    return kind(BertConfig(vocab_size=100, **sizes)).eval()


def test_the_map_of_an_encoder_alone():
    found = model_map(small_bert(BertModel))
    [stack] = found.stacks
    assert (stack.name, stack.blocks, stack.causal, stack.first_norm, stack.last_norm) == (
        "encoder",
        3,
        False,
        True,
        False,
    )
    assert [step.kind for step in stack.steps] == POST and not [
        s for s in stack.steps if s.kind == "norm" and s.in_branch
    ]
    assert found.tied is None and model_map(small_bert(BertForMaskedLM)).tied
    assert "all tokens see all" in architecture(found).alt and "logits" not in architecture(found).alt


def test_the_map_of_the_course_s_model_says_its_sizes(course_model):
    plot = architecture(model_map(course_model.model))
    assert "Decoder of 30 blocks (each token sees what is before it)" in plot.alt
    assert "9 heads of 64, 3 of keys and values" in plot.alt and "1,536 wide, gated" in plot.alt
    assert "49,152 tokens, 576 numbers each" in plot.alt and "The embedding makes the logits." in plot.alt


def test_an_encoder_of_more_blocks_than_the_decoder():
    config = tiny_model("bart").config
    config.encoder_layers, config.encoder_attention_heads = 5, 2
    found = model_map(type(tiny_model("bart"))(config).eval())
    assert [stack.blocks for stack in found.stacks] == [5, 2]
    assert [stack.steps[0].says for stack in found.stacks] == ["2 heads of 16", "4 heads of 8"]


# The figures


def test_the_figures_say_what_they_show():
    table = pd.DataFrame({"of the answer": [0.0, 0.2, 0.7]})
    assert "x: over 0.1 after 1, over 0.5 after 2, 0.70 at the end" in lens({"x": table}).alt
    assert changes(pd.Series({"a": -0.001, "b": 0.5}), xlabel="bits").alt.endswith("a: +0.00; b: +0.50.")
