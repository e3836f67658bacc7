"""LoRA by hand against peft's, and soft prompts against written ones."""

import peft
import pytest
import torch
from peft.tuners.lora import Linear

from utils.adapters import lora
from utils.adapters.methods import METHODS, add_adapter, merge
from utils.adapters.soft_prompts import embed, logits_after, nearest_tokens

ALPHA = 16


@pytest.fixture
def matrices():
    draw = torch.Generator().manual_seed(3)
    shapes = {"weight": (6, 10), "a": (4, 10), "b": (6, 4), "x": (2, 5, 10)}
    return {name: torch.randn(shape, generator=draw) for name, shape in shapes.items()}


def test_the_change_is_the_product_scaled_by_alpha_over_rank():
    a, b = torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [3.0, 1.0], [0.0, 2.0]])
    assert lora.delta(a, b, alpha=4).tolist() == [[2, 4], [6, 14], [0, 4]]


def test_adding_the_adapter_s_output_is_the_same_as_changing_the_weight(matrices):
    x, weight, a, b = (matrices[name] for name in ("x", "weight", "a", "b"))
    merged = x @ (weight + lora.delta(a, b, alpha=ALPHA)).T
    assert torch.allclose(lora.forward(x, weight, a, b, alpha=ALPHA), merged, atol=1e-4)
    assert torch.equal(lora.forward(x, weight, a, torch.zeros_like(b), alpha=ALPHA), x @ weight.T)


def test_one_layer_by_hand_is_peft_s_layer(matrices):
    base = torch.nn.Linear(10, 6, bias=False)
    layer = Linear(base, "default", peft.LoraConfig(r=4, lora_alpha=ALPHA), r=4, lora_alpha=ALPHA)
    with torch.no_grad():
        layer.lora_A["default"].weight.copy_(matrices["a"])
        layer.lora_B["default"].weight.copy_(matrices["b"])
        ours = lora.forward(matrices["x"], base.weight, matrices["a"], matrices["b"], alpha=ALPHA)
        assert torch.allclose(layer(matrices["x"]), ours, atol=1e-4)
        assert torch.allclose(layer.get_delta_weight("default"), lora.delta(matrices["a"], matrices["b"], alpha=ALPHA))


def test_in_the_course_s_model_the_alpha_of_the_methods_is_used(course_model):
    method = METHODS["lora"]
    adapted = add_adapter(course_model, method)
    layer = adapted.model.base_model.model.model.layers[0].self_attn.q_proj
    b = torch.nn.init.normal_(layer.lora_B["default"].weight, std=0.02)
    delta = lora.delta(layer.lora_A["default"].weight, b, alpha=2 * method.size)
    merged = merge(adapted).model.model.layers[0].self_attn.q_proj.weight
    assert torch.allclose(merged, layer.get_base_layer().weight + delta, atol=1e-6)
    assert torch.linalg.matrix_rank(delta) == method.size


def test_the_first_layer_by_hand_is_peft_s_in_every_kind(tiny):
    adapted = add_adapter(tiny, METHODS["lora"])
    place, layer = lora.first_layer(adapted)
    weight, bias = lora.matrix(tiny, place)
    a, b = (getattr(layer, name)["default"].weight.detach() for name in ("lora_A", "lora_B"))
    assert weight.shape == (len(b), a.shape[1]) and bias.shape == (len(b),)
    torch.nn.init.normal_(b, std=0.02)
    x = lora.layer_input(tiny, place, "a cat sat")
    assert (
        x.shape == (tiny.count_tokens("a cat sat"), a.shape[1])
        and not tiny.model.get_submodule(place)._forward_pre_hooks
    )
    by_hand = x @ weight.T + bias + layer.scaling["default"] * (x @ a.T) @ b.T
    assert torch.allclose(layer(x), by_hand, atol=1e-4)
    merged, _ = lora.matrix(merge(adapted), place)
    assert torch.allclose(merged, weight + lora.delta(a, b, alpha=16), atol=1e-5)


def test_a_soft_prompt_reads_as_the_written_prompt_whose_vectors_it_has(tiny):
    adapted = add_adapter(tiny, METHODS["prompt"])
    soft = adapted.model.prompt_encoder["default"].embedding.weight.detach()
    text = "a cat sat on the mat and was happy"
    soft[:20] = embed(tiny, text)[:20]
    by_soft_prompt = logits_after(adapted, torch.tensor(tiny.encode(text)[20:]))
    assert torch.allclose(by_soft_prompt, tiny.next_token_logits(text), atol=1e-4)


def test_the_nearest_matrix_of_a_rank_has_that_rank_and_loses_the_smallest_singular_values():
    matrix = torch.diag(torch.tensor([5.0, 4.0, 3.0]))
    near = lora.low_rank(matrix, 2)
    assert torch.linalg.matrix_rank(near) == 2
    assert torch.allclose(near, torch.diag(torch.tensor([5.0, 4.0, 0.0])), atol=1e-6)
    assert lora.relative_error(matrix, near) == pytest.approx(3 / 50**0.5)
    assert lora.relative_error(matrix, torch.zeros(3, 3)) == pytest.approx(1)


def test_a_text_s_embeddings_as_a_soft_prompt_say_what_the_text_says(tiny):
    vectors = embed(tiny, "a cat sat")
    assert vectors.shape == (tiny.count_tokens("a cat sat"), tiny.model.get_input_embeddings().weight.shape[1])
    assert torch.allclose(
        logits_after(tiny, torch.tensor(tiny.encode("a cat sat"))), tiny.next_token_logits("a cat sat"), atol=1e-4
    )
    assert torch.allclose(logits_after(tiny, vectors), tiny.next_token_logits("a cat sat"), atol=1e-4)
    assert not torch.allclose(logits_after(tiny, vectors.flip(0)), tiny.next_token_logits("a cat sat"), atol=1e-2)


def test_the_nearest_token_of_a_token_s_own_embedding_is_that_token(tiny):
    found = nearest_tokens(tiny, 3 * embed(tiny, "cat"))
    assert [token for token, _ in found] == ["c", "a", "t"]
    assert [cosine for _, cosine in found] == pytest.approx([1, 1, 1], abs=1e-4)
