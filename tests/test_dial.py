"""The dial of a LoRA adapter: scales, what they do to a model, and that nothing of it stays."""

import pytest
import torch

from utils.adapters.dial import among, at_scale, dial_curve, label_probabilities
from utils.adapters.methods import add_adapter, find_method, merge
from utils.errors import UnknownLabel, UnsupportedSetting

PROMPT = "Is it a or b? "


def test_scale_0_is_the_base_model_and_1_the_tuned_one(tiny, lora):
    base, tuned = tiny.next_token_logits(PROMPT), lora.next_token_logits(PROMPT)
    assert not torch.allclose(base, tuned, atol=1e-3)
    with at_scale(lora, 0):
        assert torch.equal(lora.next_token_logits(PROMPT), base)
    with at_scale(lora, 1):
        assert torch.equal(lora.next_token_logits(PROMPT), tuned)
    with at_scale(lora, 2):
        assert not torch.allclose(lora.next_token_logits(PROMPT), tuned, atol=1e-3)


def test_the_scale_is_what_it_was_after_an_error_and_after_scales_in_scales(lora):
    tuned = lora.next_token_logits(PROMPT)
    with pytest.raises(KeyError), at_scale(lora, 0.5):
        raise KeyError
    assert torch.equal(lora.next_token_logits(PROMPT), tuned)
    with at_scale(lora, 0.25):
        quarter = lora.next_token_logits(PROMPT)
    with at_scale(lora, 0.5):
        with at_scale(lora, 0.5):
            assert torch.allclose(lora.next_token_logits(PROMPT), quarter, atol=1e-5), "scales multiply"
        with at_scale(lora, 0):
            pass
        assert not torch.allclose(lora.next_token_logits(PROMPT), quarter, atol=1e-3)
    assert torch.equal(lora.next_token_logits(PROMPT), tuned)


@pytest.mark.parametrize("scale", [-0.1, 2.1, float("nan"), float("inf")])
def test_a_scale_outside_0_to_2_is_refused(scale, lora):
    with pytest.raises(UnsupportedSetting, match="from 0 to 2"), at_scale(lora, scale):
        pass


def test_a_model_whose_adapter_cannot_be_scaled_is_refused(tiny, lora):
    others = [tiny, merge(lora), add_adapter(tiny, find_method("bottleneck"))]
    for other in others:
        with pytest.raises(UnsupportedSetting, match="no LoRA adapter"), at_scale(other, 0.5):
            pass
    with pytest.raises(UnsupportedSetting, match="DoRA"), at_scale(add_adapter(tiny, find_method("dora")), 0.5):
        pass


def test_the_labels_and_all_else_share_the_probability(lora):
    found = label_probabilities(lora, PROMPT, ["a", "b"], 1)
    logits = lora.next_token_logits(PROMPT).softmax(-1)
    ids = lora.tokenizer.convert_tokens_to_ids(["a", "b"])
    assert list(found) == ["a", "b", "other"] and sum(found.values()) == pytest.approx(1)
    assert [found["a"], found["b"]] == pytest.approx(logits[ids].tolist())


def test_a_label_stands_behind_the_prompt_as_in_training(course_model):
    """With or without a space in front."""
    adapted = add_adapter(course_model, find_method("lora"))
    found = label_probabilities(adapted, "Review: A joy.\nSentiment:", ["negative", " positive"], 1)
    logits = course_model.next_token_logits("Review: A joy.\nSentiment:").softmax(-1)
    ids = course_model.tokenizer(" negative positive")["input_ids"]
    assert len(ids) == 2 and [found["negative"], found[" positive"]] == pytest.approx(logits[ids].tolist(), rel=1e-3)


@pytest.mark.parametrize(
    ("labels", "says"), [(["ab", "ac"], "begin with the same token"), (["a", " "], "no token"), (["", "a"], "no token")]
)
def test_labels_that_cannot_be_told_apart_are_refused(labels, says, lora):
    with pytest.raises(UnknownLabel, match=says):
        label_probabilities(lora, PROMPT, labels, 1)


def test_the_curve_is_the_first_label_s_share_among_the_labels(tiny, lora):
    curve = dial_curve(lora, {"one": PROMPT, "two": "b or a: "}, ["a", "b"], [0, 0.5, 2])
    assert curve.index.tolist() == [0, 0.5, 2] and curve.columns.tolist() == ["one", "two"]
    logits = tiny.next_token_logits(PROMPT)[tiny.tokenizer.convert_tokens_to_ids(["a", "b"])]
    assert curve.loc[0, "one"] == pytest.approx(logits.softmax(-1)[0].item(), abs=1e-5)
    assert curve.loc[2, "two"] == among(label_probabilities(lora, "b or a: ", ["a", "b"], 2))["a"]


def test_shares_among_labels_leave_other_out():
    assert among({"a": 0.3, "b": 0.1, "other": 0.6}) == pytest.approx({"a": 0.75, "b": 0.25})
    assert among({"a": 0.0, "b": 0.0, "other": 1.0}) == {"a": 0.5, "b": 0.5}
