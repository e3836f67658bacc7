"""The training loop on tiny models: it learns, repeats itself, can be resumed, and says when it diverges."""

import math
from dataclasses import astuple, replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from utils.adapters.methods import METHODS, add_adapter, trained
from utils.datasets.records import TextToText
from utils.errors import TuningError, UnsupportedSetting
from utils.models.language_model import LanguageModel
from utils.training.forward import above_frozen_trunk, forward_for, whole_model
from utils.training.loop import PATIENCE, Measured, Training, TrainingConfig, evaluate
from utils.training.records import encode

TRAIN = [TextToText(f"say {letter} {'x' * (n % 7)}", letter * 3) for n, letter in enumerate("abcdefghijkl")]
VALIDATION = [TextToText(f"say {letter}", letter * 3) for letter in "mnop"]
CONFIG = TrainingConfig(epochs=4, learning_rate=1e-2, batch_size=4)
SLOW = replace(CONFIG, learning_rate=1e-4)
"""Slow enough that training does not end early."""

both_kinds = pytest.mark.parametrize("saved_model", ["llama", "t5"], indirect=True)


def training(
    base: LanguageModel, *, config: TrainingConfig = CONFIG, validation=VALIDATION, name: str = "lora"
) -> Training:
    adapted = add_adapter(base, METHODS[name])
    train, held_out = ([encode(base, record) for record in split] for split in (TRAIN, validation))
    return Training(adapted, whole_model(adapted), train, held_out, config)


def numbers(run) -> list[tuple]:
    """What was measured, but for the time it took."""
    return [astuple(replace(measured, seconds=0.0)) for measured in run]


def weights(run: Training) -> list[torch.Tensor]:
    return [weight.detach().clone() for weight in run.weights.values()]


@both_kinds
@pytest.mark.parametrize("name", ["lora", "full"])
def test_the_loss_falls(tiny, name):
    run = training(tiny, name=name, config=replace(CONFIG, epochs=10), validation=[])
    measured = list(run.run())
    losses = [one.loss for one in measured]
    assert sum(losses[-3:]) < 0.9 * sum(losses[:3])


@both_kinds
def test_steps_epochs_and_learning_rates_are_as_configured(tiny):
    measured = list(training(tiny, validation=[]).run())
    assert [one.step for one in measured] == list(range(1, 13)) and measured[-1].epoch == 4.0
    rates = [one.learning_rate for one in measured]
    assert max(rates) == rates[0] == CONFIG.learning_rate and rates == sorted(rates, reverse=True) and rates[-1] > 0


@both_kinds
def test_the_learning_rate_rises_over_the_first_tenth(tiny):
    rates = [one.learning_rate for one in training(tiny, config=replace(CONFIG, epochs=10), validation=[]).run()]
    assert rates[:3] == pytest.approx([CONFIG.learning_rate * n / 3 for n in (1, 2, 3)]) and rates[3] <= rates[2]


@both_kinds
def test_validation_is_measured_twice_an_epoch_and_at_the_end(tiny):
    config = TrainingConfig(epochs=1, learning_rate=1e-3, batch_size=2)
    measured = list(training(tiny, config=config).run())
    assert [one.step for one in measured if one.validation_loss is not None] == [3, 6]


@both_kinds
def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(tiny):
    torch.manual_seed(1)
    one = numbers(training(tiny, config=SLOW).run())
    torch.manual_seed(2)
    assert numbers(training(tiny, config=SLOW).run()) == one
    assert numbers(training(tiny, config=replace(SLOW, seed=1)).run()) != one


@both_kinds
@pytest.mark.parametrize("stop", [1, 5])
def test_a_resumed_run_is_the_run_without_interruption(tiny, stop, tmp_path):
    whole = training(tiny, config=SLOW)
    expected = numbers(whole.run())
    assert len(expected) == whole.steps
    begun = training(tiny, config=SLOW)
    steps = begun.run()
    first = [next(steps) for _ in range(stop)]
    torch.save(begun.state(), tmp_path / "state.pt")
    torch.manual_seed(99)
    taken_up = training(tiny, config=SLOW)
    taken_up.resume(torch.load(tmp_path / "state.pt"))
    assert numbers(first) + numbers(taken_up.run()) == expected
    assert all(map(torch.equal, weights(taken_up), weights(whole)))


@both_kinds
def test_a_loss_that_is_no_number_ends_with_what_to_do(tiny):
    run = training(tiny)
    real = run.forward

    def broken(records):
        logits, targets = real(records)
        return logits * math.nan, targets

    steps = run.run()
    next(steps)
    run.forward = broken
    with pytest.raises(TuningError, match=r"became nan at step 2: the training diverged.*below 0.01"):
        next(steps)


@both_kinds
@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("validation", [[], VALIDATION])
def test_a_weight_that_is_not_finite_after_the_last_step_ends_with_what_to_do(tiny, number, validation):
    run = training(tiny, config=replace(CONFIG, epochs=1), validation=validation)
    steps = run.run()
    for _ in range(run.steps):
        next(steps)
    with torch.no_grad():
        list(run.weights.values())[-1].view(-1)[-1] = number
    with pytest.raises(TuningError, match=r"not finite after the last step: the training diverged.*below 0.01"):
        next(steps)


WRONG = {
    "epochs": (0, -1, 1.5, 2.0, True, "2", None, math.inf, math.nan),
    "learning_rate": (0, -1e-3, math.inf, math.nan, "2e-4", True, None, 1e39, torch.ones(2)),
    "batch_size": (0, -4, 4.0, False, "4", None, torch.ones(2)),
    "seed": (0.0, "0", True, None, 2**33),
}


@pytest.mark.parametrize("name, value", [(name, value) for name, values in WRONG.items() for value in values])
def test_a_setting_that_cannot_be_is_refused_in_words(name, value):
    with pytest.raises(UnsupportedSetting, match=f"(?i){name.replace('_', '.')}.* was given"):
        replace(CONFIG, **{name: value})


def test_numbers_of_numpy_and_torch_become_python_s():
    config = TrainingConfig(np.int64(4), torch.tensor(0.5), np.int8(4), np.uint32(9))
    assert config == TrainingConfig(4, 0.5, 4, 9)
    assert [type(value) for value in astuple(config)] == [int, float, int, int]


@both_kinds
def test_training_ends_early_with_the_best_weights(tiny):
    run = training(tiny, config=replace(CONFIG, epochs=20, learning_rate=0.5))
    measured = list(run.run())
    losses = [one.validation_loss for one in measured if one.validation_loss is not None]
    assert run.stopped_early and len(measured) < run.steps
    assert min(losses) == losses[-PATIENCE - 1] < min(losses[-PATIENCE:])
    assert evaluate(run.model, run.forward, run.validation)[0] == pytest.approx(min(losses), rel=1e-6)


@both_kinds
def test_without_validation_the_last_weights_are_kept(tiny):
    run = training(tiny, validation=[])
    for _ in run.run():
        last = weights(run)
    assert all(map(torch.equal, weights(run), last)) and not run.stopped_early


@both_kinds
def test_the_model_is_left_ready_for_use(tiny):
    run = training(tiny)
    list(run.run())
    assert not run.model.training


@both_kinds
def test_evaluate_is_the_mean_over_all_tokens(tiny):
    records = [encode(tiny, record) for record in TRAIN]
    tiny.model.eval()
    with torch.no_grad():
        logits, targets = whole_model(tiny)(records)
    loss, accuracy = evaluate(tiny.model, whole_model(tiny), records)
    assert loss == pytest.approx(cross_entropy(logits, targets).item(), rel=1e-4)
    assert accuracy == pytest.approx((logits.argmax(-1) == targets).float().mean().item())


@pytest.mark.parametrize("saved_model", ["llama", "qwen2"], indirect=True)
@pytest.mark.parametrize("records", [TRAIN[:5], VALIDATION, TRAIN[:1]], ids=["padded", "alike", "one"])
def test_above_a_frozen_trunk_logits_and_gradients_are_the_whole_model_s(tiny, records):
    method = replace(METHODS["lora-top"], top_blocks=1)
    adapted = add_adapter(tiny, method)
    for _, weight in trained(adapted.model):
        torch.nn.init.normal_(weight, std=0.1)
    encoded = [encode(tiny, record) for record in records]
    found = []
    above = above_frozen_trunk(adapted, 1)
    for forward in (whole_model(adapted), above, above):
        adapted.model.zero_grad()
        logits, targets = forward(encoded)
        cross_entropy(logits, targets).backward()
        found.append((logits.detach(), [weight.grad.clone() for _, weight in trained(adapted.model)]))
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=1e-3, atol=1e-4)
    assert all(gradient.abs().max() > 0 for gradient in found[0][1])


@pytest.mark.parametrize("saved_model", ["llama", "qwen2"], indirect=True)
def test_training_above_a_frozen_trunk_is_the_training_of_the_whole_model(tiny):
    method = replace(METHODS["lora-top"], top_blocks=1)
    losses = []
    for through in (lambda model: whole_model(model), lambda model: forward_for(model, method)):
        adapted = add_adapter(tiny, method)
        run = Training(adapted, through(adapted), [encode(tiny, record) for record in TRAIN], [], CONFIG)
        losses.append([one.loss for one in run.run()])
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


@pytest.mark.parametrize("saved_model", ["gpt2", "t5", "bart"], indirect=True)
def test_a_frozen_trunk_is_refused_where_blocks_cannot_run_in_two_halves(tiny):
    with pytest.raises(UnsupportedSetting, match="A frozen trunk is known for models of type llama"):
        above_frozen_trunk(tiny, 1)


@pytest.mark.parametrize("saved_model", ["gemma3", "gpt2", "opt", "t5", "bart"], indirect=True)
def test_where_blocks_cannot_run_in_two_halves_the_whole_model_is_trained(tiny):
    method = replace(METHODS["lora-top"], top_blocks=1)
    adapted = add_adapter(tiny, method)
    encoded = [encode(tiny, record) for record in TRAIN[:3]]
    assert torch.equal(forward_for(adapted, method)(encoded)[0], whole_model(adapted)(encoded)[0])
    assert all(".1." in name for name, _ in trained(adapted.model)), "the top block of two, and nothing else"


def test_measured_values_are_plain_numbers(tiny):
    for one in training(tiny, config=replace(CONFIG, epochs=1)).run():
        assert isinstance(one, Measured) and all(isinstance(v, int | float | None) for v in astuple(one))
        assert 0 <= one.accuracy <= 1 and one.loss > 0
