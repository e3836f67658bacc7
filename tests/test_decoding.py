"""Decoding: transformers' own numbers, fair draws, the text of `generate`."""

import math

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from transformers import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from utils.decoding.generation import END_OF_TEXT, STOP_SEQUENCE, TOKEN_LIMIT, complete_many, generate_stream
from utils.errors import ContextWindowExceeded, DataError, EmptyPrompt, UnsupportedSetting
from utils.logits.config import ORDERS, DecodingConfig
from utils.logits.reshaping import entropy, reshape, stages
from utils.logits.sampling import noise_generator, sample

INF = math.inf
OFF = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "repetition_penalty": 1.0}
ODD = [0.0, -0.0, 1.0, 1.0000001, 2.0, -3.0, 1e4, -1e4, 1e30, -1e30, 1e-30, -INF]
PROMPT = "The cat: "
QUESTION = "My favourite thing to do on a day off is"
ELEMENTS = st.one_of(
    st.floats(-30, 30, width=32), st.sampled_from(ODD), st.integers(-3, 3).map(float), st.just(0.0), st.just(-1e4)
)


def examples(number):
    return settings(derandomize=True, deadline=None, max_examples=number)


@st.composite
def some_logits(draw, widest=40):
    """Logits of shape (vocabulary,) or (rows, vocabulary): random, tied, extreme, -inf."""
    width = draw(st.one_of(st.just(1), st.integers(1, 6), st.integers(1, widest)))
    shape = draw(st.sampled_from([(width,), (1, width), (3, width)]))
    kind = draw(st.sampled_from(["normal", "tied", "odd", "equal"]))
    noise = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    if kind == "normal":
        return torch.randn(shape, generator=noise) * draw(st.sampled_from([0.01, 1, 5, 100, 1e4]))
    if kind == "tied":
        return torch.randint(-2, 3, shape, generator=noise).float()
    if kind == "equal":
        return torch.full(shape, draw(st.floats(-1e4, 1e4, width=32)))
    values = draw(hnp.arrays(np.float32, shape, elements=ELEMENTS))
    assume(np.isfinite(values.max(-1)).all())
    return torch.from_numpy(values)


@st.composite
def cases(draw, widest=40):
    """Logits, the text so far, settings."""
    logits = draw(some_logits(widest))
    width = logits.shape[-1]
    count = draw(st.integers(1, 8))
    noise = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    ids = torch.randint(width, (*logits.shape[:-1], count), generator=noise)
    return logits, ids, draw(any_settings(width))


def any_settings(width):
    unit = st.floats(0, 1)
    return st.fixed_dictionaries(
        {
            "temperature": st.floats(0.05, 5) | st.just(1.0),
            "top_k": st.just(0) | st.integers(1, width + 3),
            "top_p": unit | st.sampled_from([0.0, 0.25, 0.5, 0.75, 0.9, 1.0]),
            "min_p": st.just(0.0) | unit | st.sampled_from([0.05, 0.5, 1.0]),
            "repetition_penalty": st.just(1.0) | st.floats(0.5, 3),
        }
    )


def warped(logits, ids, order, **given_settings):
    """Return transformers' scores after each step, and which rows have a tie at the edge of top-p."""
    chosen = OFF | given_settings
    warpers = {
        "repetition penalty": RepetitionPenaltyLogitsProcessor(float(chosen["repetition_penalty"])),
        "temperature": TemperatureLogitsWarper(float(chosen["temperature"])),
        "top-k": TopKLogitsWarper(chosen["top_k"]) if chosen["top_k"] else None,
        "top-p": TopPLogitsWarper(chosen["top_p"]) if chosen["top_p"] < 1 else None,
        "min-p": MinPLogitsWarper(chosen["min_p"]),
    }
    rows = [logits.reshape(-1, logits.shape[-1])]
    ids = torch.zeros((len(rows[0]), 0), dtype=torch.long) if ids is None else ids.reshape(len(rows[0]), -1)
    tied = torch.zeros(len(rows[0]), dtype=torch.bool)
    for name in ORDERS[order]:
        before = rows[-1]
        rows.append(warpers[name](ids, before) if warpers[name] else before)
        if name == "top-p":
            cut = rows[-1].isneginf()
            tied = (cut & (before == rows[-1].masked_fill(cut, INF).amin(-1, keepdim=True))).any(-1)
    return rows, tied


def assert_like_transformers(logits, ids=None, order="transformers", **given_settings):
    rows, tied = warped(logits, ids, order, **given_settings)
    theirs = rows[-1].softmax(-1)
    mine = reshape(logits, **given_settings, input_ids=ids, order=order)
    assert mine.shape == logits.shape and mine.dtype == torch.float32
    mine = mine.reshape(theirs.shape)
    torch.testing.assert_close(mine.sort(-1).values, theirs.sort(-1).values, rtol=0, atol=1e-6)
    torch.testing.assert_close(mine[~tied], theirs[~tied], rtol=0, atol=1e-6)


def kept(logits, **given_settings):
    return (stages(logits, **given_settings).cut_by == 0) & ~logits.isneginf()


# The same numbers as transformers


@pytest.mark.parametrize("order", ORDERS)
@given(case=cases())
@examples(200)
def test_the_probabilities_are_those_of_transformers_warpers_in_this_order(order, case):
    logits, ids, chosen = case
    assert_like_transformers(logits, ids, order, **chosen)


@given(logits=some_logits(), temperature=st.sampled_from([0.5, 1.0, 2.0]), data=st.data())
@examples(80)
def test_top_p_is_that_of_transformers_where_a_sum_meets_p_exactly(logits, temperature, data):
    row = data.draw(st.integers(0, logits.reshape(-1, logits.shape[-1]).shape[0] - 1))
    likely = (logits.reshape(-1, logits.shape[-1])[row] / temperature).softmax(-1).sort().values
    at = data.draw(st.integers(0, len(likely) - 1))
    for p in (likely.flip(0).cumsum(-1)[at], 1 - likely.cumsum(-1)[at], 1 - likely.double().cumsum(-1)[at]):
        p = min(max(float(p), 0.0), 1.0)
        for top_p in (p, max(math.nextafter(p, 0), 0.0), min(math.nextafter(p, 1), 1.0)):
            assert_like_transformers(logits, temperature=temperature, top_p=top_p)


@pytest.mark.parametrize("width", [1000, 49152])
@pytest.mark.parametrize("order", ORDERS)
def test_a_vocabulary_of_a_real_model_gives_the_same_numbers(order, width):
    noise = torch.Generator().manual_seed(0)
    for scale in (0.1, 3.0, 10.0):
        logits = torch.randn((2, width), generator=noise) * scale
        ids = torch.randint(width, (2, 50), generator=noise)
        for chosen in (
            {"top_p": 0.9},
            {"top_k": 50, "top_p": 0.95, "temperature": 0.7},
            {"top_p": 0.99, "min_p": 0.05, "temperature": 1.5, "repetition_penalty": 1.2},
        ):
            assert_like_transformers(logits, ids, order, **chosen)
            assert_like_transformers(logits.round(), ids, order, **chosen)


@pytest.mark.parametrize("order", ORDERS)
def test_the_course_model_s_numbers_are_those_of_transformers(course_model, order):
    logits = course_model.next_token_logits(QUESTION)
    ids = torch.tensor(course_model.encode(QUESTION))
    for chosen in ({"temperature": 0.7}, {"top_k": 40}, {"top_p": 0.9}, {"min_p": 0.1}, {"repetition_penalty": 1.3}):
        assert_like_transformers(logits, ids, order, **chosen)
        assert_like_transformers(logits, ids, order, **{"temperature": 1.7, "top_p": 0.8} | chosen)


@given(logits=some_logits())
@examples(100)
def test_without_settings_it_is_softmax_exactly(logits):
    ids = torch.zeros((*logits.shape[:-1], 1), dtype=torch.long)
    assert torch.equal(reshape(logits), logits.softmax(-1))
    assert torch.equal(reshape(logits, **OFF, input_ids=ids), logits.softmax(-1))


def test_temperature_first_keeps_more_tokens_under_top_p_than_temperature_last():
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    chosen = {"temperature": 2.0, "top_p": 0.75}
    assert kept(logits, **chosen, order="transformers").tolist() == [True, True, True, False]
    assert kept(logits, **chosen, order="studio").tolist() == [True, True, False, False]
    assert not torch.allclose(
        reshape(logits, **chosen, order="transformers"), reshape(logits, **chosen, order="studio")
    )


@pytest.mark.parametrize("chosen", [{"temperature": 2.0, "top_k": 2}, {"top_k": 3, "top_p": 0.75, "min_p": 0.2}])
def test_the_orders_agree_under_top_k_alone_and_at_temperature_one(chosen):
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    assert torch.allclose(reshape(logits, **chosen, order="transformers"), reshape(logits, **chosen, order="studio"))


# What holds for any logits and settings


@pytest.mark.parametrize("order", ORDERS)
@given(case=cases())
@examples(80)
def test_probabilities_sum_to_one_and_nothing_given_is_changed(order, case):
    logits, ids, chosen = case
    before = logits.clone(), ids.clone()
    after = reshape(logits, **chosen, input_ids=ids, order=order)
    assert torch.equal(logits, before[0]) and torch.equal(ids, before[1])
    assert (after >= 0).all() and (after > 0).any(-1).all()
    torch.testing.assert_close(after.sum(-1), torch.ones(logits.shape[:-1]))


@pytest.mark.parametrize("order", ORDERS)
@given(logits=some_logits(), data=st.data())
@examples(100)
def test_a_temperature_near_zero_is_greedy(order, logits, data):
    chosen = {**data.draw(any_settings(logits.shape[-1])), "repetition_penalty": 1.0}
    two = logits.topk(min(2, logits.shape[-1])).values
    assume((two[..., 0] > two[..., -1] + 0.05).all() or logits.shape[-1] == 1)
    greedy = reshape(logits, **chosen | {"temperature": 0}, order=order)
    assert torch.equal(greedy.argmax(-1), logits.argmax(-1)) and greedy.amax(-1).eq(1).all()
    for temperature in (1e-4, 1e-30, 1e-42):
        assert torch.equal(reshape(logits, **chosen | {"temperature": temperature}, order=order), greedy)


def test_temperature_zero_takes_the_first_of_equals():
    assert reshape(torch.tensor([1.0, 2, 2]), temperature=0).tolist() == [0, 1, 0]


def number_or_refusal(logits, **chosen):
    try:
        return reshape(logits, **chosen)
    except UnsupportedSetting:
        return None


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("temperature", [1e-30, 1e-300, 1e30, 1e39, 1e300])
def test_no_temperature_gives_nan(order, temperature):
    after = number_or_refusal(torch.tensor([2.0, 1.0, 2.0, -INF]), temperature=temperature, top_k=2, order=order)
    assert after is None or (not after.isnan().any() and after[0] == after[2] > 0 == after[3])


@pytest.mark.parametrize("penalty", [1e-300, 1e-40, 1e39, 1e300])
def test_no_repetition_penalty_gives_nan(penalty):
    for logits in (torch.tensor([2.0, 1.0, -1.0]), torch.tensor([-2.0, -1.0, -3.0])):
        after = number_or_refusal(logits, repetition_penalty=penalty, input_ids=torch.tensor([0, 1, 2]))
        assert after is None or not after.isnan().any()


@pytest.mark.parametrize("order", ORDERS)
@given(case=cases(), temperatures=st.tuples(*[st.just(0) | st.floats(1e-30, 50)] * 2))
@examples(100)
def test_entropy_never_falls_as_temperature_rises(order, case, temperatures):
    logits, ids, chosen = case
    if order == "transformers":
        chosen |= {"top_p": 1.0, "min_p": 0.0}
    low, high = sorted(temperatures)
    cool, warm = (
        entropy(reshape(logits, **chosen | {"temperature": t}, input_ids=ids, order=order)) for t in (low, high)
    )
    assert (cool <= warm + 1e-4).all()


@pytest.mark.parametrize("order", ORDERS)
@given(case=cases(), data=st.data())
@examples(80)
def test_a_greater_k_or_p_never_keeps_fewer_tokens(order, case, data):
    logits, ids, chosen = case
    chosen |= {"input_ids": ids, "order": order}
    less, more = sorted(data.draw(st.tuples(*[st.integers(1, logits.shape[-1] + 2)] * 2)))
    alone = chosen | {"top_p": 1.0, "min_p": 0.0}
    assert (kept(logits, **alone | {"top_k": less}) <= kept(logits, **alone | {"top_k": more})).all()
    less, more = sorted(data.draw(st.tuples(st.floats(0, 1), st.floats(0, 1))))
    alone = chosen | {"min_p": 0.0}
    assert (kept(logits, **alone | {"top_p": less}) <= kept(logits, **alone | {"top_p": more})).all()
    few, many = (kept(logits, **chosen | {"min_p": p}) for p in (more, less))
    assert (few <= many).all() and few.any(-1).all()


# Stages


@pytest.mark.parametrize("order", ORDERS)
@given(case=cases())
@examples(100)
def test_the_stages_are_transformers_scores_and_name_the_first_step_that_cut(order, case):
    logits, ids, chosen = case
    found = stages(logits, **chosen, input_ids=ids, order=order)
    assert found.names == ("model", *ORDERS[order])
    assert found.probabilities.shape == (len(found.names), *logits.shape)
    assert found.cut_by.shape == logits.shape
    assert torch.equal(found.probabilities[0], logits.softmax(-1))
    assert torch.equal(found.probabilities[-1], reshape(logits, **chosen, input_ids=ids, order=order))
    scores, tied = warped(logits, ids, order, **chosen)
    gone = torch.stack(scores).isneginf()
    first = gone.int().argmax(0).reshape(logits.shape)
    rows = ~tied if logits.dim() == 2 else ... if not tied.any() else slice(0)
    assert torch.equal(found.cut_by[rows].long(), first[rows])
    assert torch.equal((found.cut_by == 0).sum(-1), (first == 0).sum(-1))
    for index, probabilities in enumerate(found.probabilities):
        assert not probabilities[(found.cut_by > 0) & (found.cut_by <= index)].any()


def test_the_names_of_the_stages_are_as_documented():
    logits = torch.tensor([1.0, 2.0])
    after = ("temperature", "top-k", "top-p", "min-p")
    assert stages(logits).names == ("model", "repetition penalty", *after)
    assert stages(logits, order="studio").names == ("model", "repetition penalty", *after[1:], after[0])


def test_each_cut_is_charged_to_its_own_step():
    logits = torch.tensor([-INF, *torch.tensor([0.4, 0.3, 0.16, 0.1, 0.04]).log()])
    found = stages(logits, top_k=4, top_p=0.8, min_p=0.6)
    by = [found.names[index] for index in found.cut_by.tolist()]
    assert by == ["model", "model", "model", "min-p", "top-p", "top-k"]


@pytest.mark.parametrize("order, by", [("transformers", [0, 2, 2]), ("studio", [0, 2, 5])])
def test_temperature_zero_is_charged_with_what_is_left_for_it(order, by):
    assert stages(torch.tensor([3.0, 1.0, 2.0]), temperature=0, top_k=2, order=order).cut_by.tolist() == by


# What is refused


REFUSED = [
    *[("temperature", value) for value in (-1, math.nan, INF, "hot", None)],
    *[("top_k", value) for value in (-1, 1.5, "many")],
    *[("top_p", value) for value in (1.5, -0.1, math.nan)],
    *[("min_p", value) for value in (2, -0.1, math.nan)],
    *[("repetition_penalty", value) for value in (0, -1, INF)],
    ("order", "other"),
]


@pytest.mark.parametrize("name, value", REFUSED, ids=lambda value: str(value)[:20])
def test_a_setting_out_of_range_is_refused_by_name(name, value):
    said = "(?i)" + name.replace("_", "[-_ ]")
    with pytest.raises(UnsupportedSetting, match=said):
        DecodingConfig(**OFF | {"order": "transformers", name: value})
    with pytest.raises(UnsupportedSetting, match=said):
        DecodingConfig(**{name: value})
    for use in (reshape, stages):
        with pytest.raises(UnsupportedSetting, match=said):
            use(torch.tensor([1.0, 2.0]), **{name: value})


@pytest.mark.parametrize("value", [0, -1, 1.5, math.nan, "3"])
def test_a_number_of_new_tokens_that_is_none_is_refused(value):
    with pytest.raises(UnsupportedSetting, match="(?i)max[ _]new[ _]tokens"):
        DecodingConfig(max_new_tokens=value)


def test_the_ends_of_the_ranges_are_allowed():
    DecodingConfig(temperature=0, top_k=0, top_p=0, min_p=1, repetition_penalty=0.01, max_new_tokens=1)
    assert reshape(torch.tensor([2.0, 1.0]), top_p=0, min_p=1, top_k=10**9).tolist() == [1, 0]


def test_true_is_refused_or_means_one():
    for name in ("temperature", "top_k", "top_p", "min_p", "repetition_penalty"):
        logits = torch.tensor([2.0, 1.0, 0.0])
        try:
            after = reshape(logits, **{name: True})
        except UnsupportedSetting:
            continue
        assert torch.equal(after, reshape(logits, **{name: 1}))


@pytest.mark.parametrize(
    "logits",
    [[math.nan, 1.0], [-INF, -INF], [INF, 1.0], [], [[]], [[1.0, 2.0], [-INF, -INF]], [[1.0, 2.0], [1.0, math.nan]]],
)
def test_logits_without_a_distribution_are_refused(logits):
    for use in (reshape, stages):
        with pytest.raises(DataError, match="logits"):
            use(torch.tensor(logits))


def test_logits_too_large_for_float32_are_refused():
    with pytest.raises(DataError, match="logits"):
        reshape(torch.tensor([1e300, 1.0], dtype=torch.float64))


def test_logits_that_carry_gradients_or_half_precision_are_taken():
    logits = torch.tensor([2.0, 1.0, 0.0])
    expected = reshape(logits, top_p=0.8)
    assert torch.equal(reshape(logits.bfloat16(), top_p=0.8), expected)
    assert torch.equal(reshape(logits.clone().requires_grad_(), top_p=0.8), expected)


# Drawing


def p_value(draws, probabilities):
    """Return the chi-square test's p of draws; tokens expected less than 5 times are pooled."""
    expected = probabilities.double() / probabilities.double().sum() * len(draws)
    observed = torch.bincount(torch.tensor(draws), minlength=len(expected)).double()
    assert not observed[expected == 0].any()
    often = expected >= 5
    pairs = [*zip(observed[often].tolist(), expected[often].tolist(), strict=True)]
    rest = observed[~often].sum().item(), expected[~often].sum().item()
    if rest[1] > 0:
        assert rest[1] >= 5, "take another distribution: the pool is too small to test"
        pairs.append(rest)
    assert len(pairs) > 3
    return chisquare(*zip(*pairs, strict=True)).pvalue


def test_draws_of_many_seeds_have_the_reshaped_frequencies(course_model):
    probabilities = reshape(course_model.next_token_logits(QUESTION), temperature=1.3, top_p=0.9)
    draws = [int(sample(probabilities, noise_generator(seed, 0))) for seed in range(1500)]
    assert p_value(draws, probabilities) > 0.001


def test_draws_of_many_positions_have_the_reshaped_frequencies():
    probabilities = reshape(torch.tensor([3.0, 2.0, 1.0, 0.0, -1.0, -1.0, -9.0]), temperature=1.2, top_k=6)
    for seed in (0, 1):
        draws = [int(sample(probabilities, noise_generator(seed, position))) for position in range(4000)]
        assert p_value(draws, probabilities) > 0.001
        pairs = [7 * one + other for one, other in zip(draws[::2], draws[1::2], strict=True)]
        assert p_value(pairs, torch.outer(probabilities, probabilities).flatten()) > 0.001


def test_a_batch_draws_each_row_from_its_own_distribution():
    rows = torch.tensor([[0.5, 0.3, 0.1, 0.1], [0.1, 0.2, 0.3, 0.4]])
    draws = torch.stack([sample(rows, noise_generator(seed, 0)) for seed in range(4000)])
    assert draws.shape == (4000, 2)
    assert all(p_value(draws[:, n].tolist(), rows[n]) > 0.001 for n in (0, 1))
    assert p_value((4 * draws[:, 0] + draws[:, 1]).tolist(), torch.outer(*rows).flatten()) > 0.001


@given(case=cases(), seed=st.integers(0, 10**9), position=st.integers(0, 10**4))
@examples(80)
def test_a_token_of_probability_zero_is_never_drawn_and_a_state_gives_one_token(case, seed, position):
    logits, ids, chosen = case
    probabilities = reshape(logits, **chosen, input_ids=ids)
    drawn = sample(probabilities, noise_generator(seed, position))
    assert drawn.shape == logits.shape[:-1]
    assert (probabilities.gather(-1, drawn[..., None]) > 0).all()
    assert torch.equal(drawn, sample(probabilities, noise_generator(seed, position)))


def test_the_same_noise_changes_few_tokens_when_a_setting_changes_little(course_model):
    logits = course_model.next_token_logits(QUESTION)
    one, other = reshape(logits, temperature=1.0), reshape(logits, temperature=1.01)
    places = [(seed, position) for seed in range(10) for position in range(20)]
    before = [int(sample(one, noise_generator(*place))) for place in places]
    after = [int(sample(other, noise_generator(*place))) for place in places]
    elsewhere = [int(sample(other, noise_generator(seed + 1000, position))) for seed, position in places]
    changed, independent = (sum(a != b for a, b in zip(before, now, strict=True)) for now in (after, elsewhere))
    assert changed <= 10 and independent >= 100


def test_every_seed_and_position_has_its_own_noise():
    places = [(seed, position) for seed in range(30) for position in range(30)]
    noise = {float(torch.rand(1, dtype=torch.float64, generator=noise_generator(*place))) for place in places}
    assert len(noise) == len(places)


def test_a_token_that_survives_a_cut_is_drawn_again(course_model):
    logits = course_model.next_token_logits(QUESTION)
    whole, few = reshape(logits), reshape(logits, top_k=30)
    survived = 0
    for seed in range(100):
        before, after = (int(sample(p, noise_generator(seed, 3))) for p in (whole, few))
        assert before == after or few[before] == 0
        survived += before == after
    assert 20 < survived < 100


# Generating


def run(model, prompt=PROMPT, *, begun=(), **chosen):
    return list(generate_stream(model, prompt, DecodingConfig(**chosen), begun=begun))


def text(steps):
    return "".join(step.text for step in steps)


def tokens(steps):
    return [step.token for step in steps]


def assert_ends(steps, reason):
    assert [step.stop_reason for step in steps] == [None] * (len(steps) - 1) + [reason]


def assert_greedy_is_generate(model, prompt, new):
    whole = model.generate(prompt, max_new_tokens=new)
    steps = run(model, prompt, temperature=0, max_new_tokens=new)
    ended = steps[-1].token == model.tokenizer.eos_token_id
    reason = END_OF_TEXT if ended else TOKEN_LIMIT
    assert text(steps) == whole and (ended or len(steps) == new)
    assert_ends(steps, reason)
    for stop in (whole[2], whole[2:5]):
        stopped = run(model, prompt, temperature=0, max_new_tokens=new, stop=(stop,))
        assert text(stopped) == model.generate(prompt, max_new_tokens=new, stop=stop) == whole[: whole.index(stop)]
        assert_ends(stopped, STOP_SEQUENCE)
    two = whole[5:7], whole[4:5]
    stopped = run(model, prompt, temperature=0, max_new_tokens=new, stop=("~", *two))
    assert text(stopped) == model.generate(prompt, max_new_tokens=new, stop=list(two))
    for begins in (whole[2:5], whole[-3:], whole[-1]):
        steps = run(model, prompt, temperature=0, max_new_tokens=new, stop=(begins + "~",))
        assert text(steps) == whole
        assert_ends(steps, reason)


def test_greedy_is_what_generate_gives(tiny):
    assert_greedy_is_generate(tiny, PROMPT, 12)
    assert_greedy_is_generate(tiny, "xyz, a longer prompt. ", 20)


def test_greedy_is_what_generate_gives_on_the_course_model(course_model):
    assert_greedy_is_generate(course_model, "The capital of France is", 6)


def test_a_stop_sequence_that_only_begins_is_held_back_until_it_is_refuted(tiny):
    begun = tiny.tokenizer.convert_tokens_to_ids([*"abcdefgbcbcd"])
    steps = run(tiny, begun=begun, temperature=0, max_new_tokens=12, stop=("bcd~", "fg?"))
    assert [step.text for step in steps] == ["a", "", "", "", "bcde", "", "", "fg", "", "bc", "", "bcd"]
    assert_ends(steps, TOKEN_LIMIT)
    steps = run(tiny, begun=begun, temperature=0, max_new_tokens=12, stop=("cbcd",))
    assert [step.text for step in steps] == ["a", "b", "", "cd", "e", "f", "g", "b", "", "", "", ""]
    assert_ends(steps, STOP_SEQUENCE)


def test_a_bare_stop_string_is_refused_or_stops_at_the_whole_of_it(tiny):
    begun = tiny.tokenizer.convert_tokens_to_ids([*"abcXdabcd"])
    try:
        steps = run(tiny, begun=begun, max_new_tokens=9, stop="cd")
    except UnsupportedSetting:
        return
    assert text(steps) == "abcXdab"


@pytest.mark.parametrize("as_list", [False, True])
def test_a_completion_ends_with_the_model_s_own_end(tiny, monkeypatch, as_list):
    ids = tokens(run(tiny, temperature=0, max_new_tokens=20))
    end = next(token for n, token in enumerate(ids) if n > 0 and token not in ids[:n])
    monkeypatch.setattr(tiny.model.generation_config, "eos_token_id", [1, end] if as_list else end)
    steps = run(tiny, temperature=0, max_new_tokens=20)
    assert text(steps) == tiny.generate(PROMPT, max_new_tokens=20)
    assert tokens(steps) == ids[: ids.index(end) + 1]
    assert_ends(steps, END_OF_TEXT)


def test_the_end_token_adds_no_text(tiny):
    begun = [*tokens(run(tiny, temperature=0, max_new_tokens=3)), 1]
    steps = run(tiny, begun=begun, temperature=0, max_new_tokens=9)
    assert len(steps) == 4 and steps[-1].text == ""
    assert_ends(steps, END_OF_TEXT)


def test_a_model_that_states_no_end_runs_to_the_limit(tiny, monkeypatch):
    monkeypatch.setattr(tiny.model.generation_config, "eos_token_id", None)
    assert_ends(run(tiny, max_new_tokens=3, temperature=0), TOKEN_LIMIT)


def assert_numbers_agree(model, prompt, steps, config):
    """The numbers of the last step are those of the whole text before it, read at once without a cache."""
    written, step = tokens(steps)[:-1], steps[-1]
    start = [model.decoder_start] if model.is_encoder_decoder else model.encode(prompt)
    so_far = torch.tensor([start + written])
    if not written:
        logits = model.next_token_logits(prompt)
    elif model.is_encoder_decoder:
        logits = model.model(torch.tensor([model.encode(prompt)]), decoder_input_ids=so_far).logits[0, -1].detach()
    else:
        logits = model.model(so_far).logits[0, -1].detach()
    before, after = logits.softmax(-1), reshape(logits, **config.sampling, input_ids=so_far[0])
    ranking = before.argsort(descending=True, stable=True).tolist()
    assert step.rank == ranking.index(step.token) + 1
    assert step.model_probability == pytest.approx(float(before[step.token]), abs=1e-4)
    assert step.probability == pytest.approx(float(after[step.token]), abs=1e-4)
    assert step.entropy == pytest.approx(-sum(p * math.log2(p) for p in before.tolist() if p > 0), abs=1e-3)
    assert [other.token for other in step.alternatives] == [n for n in ranking if n != step.token][:5]
    for other in step.alternatives:
        assert other.probability == pytest.approx(float(after[other.token]), abs=1e-4)
        assert other.model_probability == pytest.approx(float(before[other.token]), abs=1e-4)
        assert other.text == model.tokenizer.decode([other.token])


CHOSEN = {"temperature": 0.8, "top_k": 8, "top_p": 0.95, "repetition_penalty": 1.2}


def test_each_step_tells_how_likely_its_token_was(tiny):
    for chosen in (CHOSEN, {"temperature": 2.0}, {"temperature": 0}):
        config = DecodingConfig(**chosen, seed=3, max_new_tokens=6)
        steps = run(tiny, **config.__dict__)
        for n in range(1, len(steps) + 1):
            assert_numbers_agree(tiny, PROMPT, steps[:n], config)


def test_each_step_of_the_course_model_tells_how_likely_its_token_was(course_model):
    config = DecodingConfig(**CHOSEN, seed=3, max_new_tokens=3)
    steps = run(course_model, QUESTION, **config.__dict__)
    for n in (1, 3):
        assert_numbers_agree(course_model, QUESTION, steps[:n], config)


def test_a_token_that_the_settings_cut_has_a_rank_but_no_probability(tiny):
    ranking = tiny.next_token_logits(PROMPT).argsort(descending=True).tolist()
    (step,) = run(tiny, begun=[ranking[7]], top_k=3, max_new_tokens=1)
    assert step.rank == 8 and step.probability == 0 and step.model_probability > 0
    assert [other.token for other in step.alternatives] == ranking[:5]


@pytest.mark.parametrize("chosen", [{"temperature": 0}, {"temperature": 1.5, "seed": 4}])
def test_a_run_goes_on_from_its_own_beginning(tiny, chosen):
    whole = run(tiny, max_new_tokens=10, **chosen)
    for length in (1, 4, 10):
        again = run(tiny, begun=tokens(whole)[:length], max_new_tokens=10, **chosen)
        assert tokens(again) == tokens(whole)
        assert [step.text for step in again] == [step.text for step in whole]
        assert [step.model_probability for step in again] == pytest.approx(
            [step.model_probability for step in whole], abs=1e-3
        )


def test_begun_tokens_come_first_whatever_the_settings_say(tiny):
    begun = [10, 20, 30]
    steps = run(tiny, begun=begun, temperature=0, max_new_tokens=6)
    assert tokens(steps)[:3] == begun and len(steps) == 6


def test_begun_tokens_over_the_limit_are_not_read(tiny):
    steps = run(tiny, begun=[10] * 300, temperature=0, max_new_tokens=5)
    assert tokens(steps) == [10] * 5
    assert_ends(steps, TOKEN_LIMIT)


def test_the_first_token_is_the_draw_of_its_seed_and_nothing_else(tiny):
    for chosen in ({"temperature": 1.5}, {"temperature": 1.5, "top_k": 5}, {"temperature": 0.7, "order": "studio"}):
        probabilities = reshape(tiny.next_token_logits(PROMPT), **chosen)
        for seed in range(5):
            (step,) = run(tiny, max_new_tokens=1, seed=seed, **chosen)
            assert step.token == int(sample(probabilities, noise_generator(seed, 0)))


def test_half_a_character_is_held_back(course_model):
    written = "A ẞ𓀀 ok"
    steps = run(course_model, begun=course_model.encode(written), temperature=0, max_new_tokens=12)
    assert all("\ufffd" not in step.text for step in steps)
    assert text(steps).startswith(written) and "" in [step.text for step in steps]


def test_a_completion_over_the_window_is_refused(tiny):
    for ask in (run, lambda *_, **given: complete_many(tiny, "a" * 300, DecodingConfig(**given), seeds=[0])):
        with pytest.raises(ContextWindowExceeded, match=r"300 tokens.*window is 256"):
            ask(tiny, "a" * 300, max_new_tokens=5)


def test_an_empty_prompt_is_refused(tiny):
    with pytest.raises(EmptyPrompt):
        run(tiny, " \n")
    with pytest.raises(EmptyPrompt):
        complete_many(tiny, "", DecodingConfig(), seeds=[0])


def test_the_window_may_be_filled_to_the_last_token(tiny):
    room = tiny.context_window - (0 if tiny.is_encoder_decoder else 5)
    assert len(run(tiny, "a" * room, max_new_tokens=5, temperature=0)) == 5


@pytest.mark.parametrize("penalty", [0.7, 1.3, 2.0])
def test_the_repetition_penalty_gives_the_text_of_transformers(tiny, penalty):
    given_ids = torch.tensor([tiny.encode(PROMPT)])
    output = tiny.model.generate(given_ids, do_sample=False, max_new_tokens=15, repetition_penalty=penalty)[0]
    expected = output[1:] if tiny.is_encoder_decoder else output[given_ids.shape[1] :]
    steps = run(tiny, temperature=0, repetition_penalty=penalty, max_new_tokens=15)
    assert tokens(steps) == expected.tolist()


def test_each_token_is_read_once(tiny):
    read, encoded = [], []

    def count(_, args, given):
        ids = given.get("decoder_input_ids", given.get("input_ids"))
        read.append(tuple((args[0] if ids is None else ids).shape))

    hooks = [tiny.model.register_forward_pre_hook(count, with_kwargs=True)]
    if tiny.is_encoder_decoder:
        encoder = tiny.model.get_encoder()
        note = lambda _, args, given: encoded.append(tuple(given.get("input_ids", *args).shape))  # noqa: E731
        hooks.append(encoder.register_forward_pre_hook(note, with_kwargs=True))
    prompt = tiny.count_tokens(PROMPT)
    start = 1 if tiny.is_encoder_decoder else prompt
    try:
        for begun in ([], [10, 20]):
            read.clear()
            run(tiny, begun=begun, temperature=0, max_new_tokens=6)
            assert read == [(1, start + len(begun)), *[(1, 1)] * (5 - len(begun))]
        read.clear()
        complete_many(tiny, PROMPT, DecodingConfig(max_new_tokens=4, temperature=0), seeds=[1, 2, 3])
        assert read[0][1] == start and read[1:] == [(3, 1)] * 3
        assert not tiny.is_encoder_decoder or {width for _, width in encoded} == {prompt}
    finally:
        for hook in hooks:
            hook.remove()


def assert_side_by_side(model, prompt, seeds, **chosen):
    config = DecodingConfig(**chosen)
    alone = [text(run(model, prompt, **chosen | {"seed": seed})) for seed in seeds]
    assert complete_many(model, prompt, config, seeds=seeds) == alone
    return alone


def test_many_seeds_side_by_side_give_the_text_of_each_alone(tiny):
    drawn = assert_side_by_side(tiny, PROMPT, [0, 1, 7, 7], temperature=2.5, max_new_tokens=15)
    assert len(set(drawn)) == 3
    short = {"temperature": 2.5, "max_new_tokens": 15, "stop": (drawn[1][5:7],)}
    assert len({len(one) for one in assert_side_by_side(tiny, PROMPT, [0, 1, 7], **short)}) > 1
    assert_side_by_side(tiny, PROMPT, [0, 1, 7], **CHOSEN, max_new_tokens=10)
    greedy = assert_side_by_side(tiny, PROMPT, [3, 4], temperature=0, max_new_tokens=10)
    assert greedy == [tiny.generate(PROMPT, max_new_tokens=10)] * 2


def test_many_seeds_side_by_side_on_the_course_model(course_model):
    drawn = assert_side_by_side(course_model, QUESTION, [0, 1, 2], top_p=0.9, max_new_tokens=4)
    assert len(set(drawn)) == 3
    assert_side_by_side(course_model, QUESTION, [0, 1], temperature=0, max_new_tokens=3)


def test_no_seeds_give_no_completions(tiny):
    assert complete_many(tiny, PROMPT, DecodingConfig(max_new_tokens=3), seeds=[]) == []


# Entropy


def test_entropy_is_in_bits():
    assert entropy(torch.tensor([0.0, 1.0, 0.0])) == 0
    for width in (1, 2, 8, 1000):
        assert float(entropy(torch.full((width,), 1 / width))) == pytest.approx(math.log2(width), abs=1e-5)
    rows = torch.tensor([[0.5, 0.5, 0.0, 0.0], [0.5, 0.25, 0.125, 0.125]])
    torch.testing.assert_close(entropy(rows), torch.tensor([1.0, 1.75]))
