"""The next-token distribution as the sampler shows it: rows, sums, who cut what, and who was drawn."""

from dataclasses import replace

import pytest
import torch

from utils.decoding.candidates import (
    REST,
    SHOWN,
    Candidate,
    NextToken,
    ReadPrompt,
    compare,
    given,
    next_token,
    read_prompt,
)
from utils.decoding.generation import generate_stream
from utils.errors import ContextWindowExceeded, EmptyPrompt
from utils.logits.config import ORDERS, DecodingConfig
from utils.logits.reshaping import entropy, reshape, stages
from utils.models.language_model import LanguageModel

PROMPT = "The garden was full of beautiful"
TAIL = ["birds", "stones", "bugs", "fruits", "people", "shadows", "sounds", "colors", "weeds", "statues", "vegetables"]
GARDEN = {"flowers": 0.50, "trees": 0.23, "herbs": 0.05} | dict.fromkeys(TAIL, 0.02)
STUDIO = given("The garden was full of beautiful ...", GARDEN)
CONFIGS = [
    DecodingConfig(),
    DecodingConfig(temperature=0),
    DecodingConfig(temperature=0.6, top_k=40),
    DecodingConfig(temperature=1.5, top_p=0.9),
    DecodingConfig(temperature=1.5, top_p=0.9, order="studio"),
    DecodingConfig(top_k=12, top_p=0.8, min_p=0.05, repetition_penalty=1.3),
    DecodingConfig(temperature=2, min_p=0.02, repetition_penalty=0.6, order="studio"),
]


def each_config(test):
    return pytest.mark.parametrize("config", CONFIGS, ids=range(len(CONFIGS)))(test)


def by_text(found: NextToken) -> dict[str, Candidate]:
    return {candidate.text: candidate for candidate in found.candidates}


def kept(**settings) -> list[str]:
    return [c.text for c in next_token(STUDIO, DecodingConfig(**settings)).candidates if c.cut_by is None]


@pytest.fixture(scope="module")
def read(course_model) -> ReadPrompt:
    return read_prompt(course_model, PROMPT)


# The rows


@each_config
def test_rows_stay_in_the_model_s_own_order(read, config):
    found = next_token(read, config)
    before = [candidate.before for candidate in found.candidates[:-1]]
    assert len(before) == SHOWN and before == sorted(before, reverse=True)
    assert [c.text for c in found.candidates] == [c.text for c in next_token(read, CONFIGS[0]).candidates]
    assert found.candidates[0].text == " flowers" and found.candidates[-1].text == REST


@each_config
def test_the_rest_of_the_vocabulary_closes_the_sums(read, config):
    found = next_token(read, config)
    assert sum(candidate.before for candidate in found.candidates) == pytest.approx(1)
    assert sum(candidate.after for candidate in found.candidates) == pytest.approx(1, abs=1e-6)


@each_config
def test_the_numbers_are_those_of_reshape(read, config):
    found = next_token(read, config)
    after = reshape(read.logits, **config.sampling, input_ids=read.ids)
    assert found.kept == (after > 0).sum() and found.vocabulary == len(after) == 49_152
    best = read.logits.topk(SHOWN).indices
    torch.testing.assert_close(torch.tensor([c.after for c in found.candidates[:-1]]), after[best])
    assert found.entropy_after == pytest.approx(float(entropy(after)))
    assert found.entropy_before == pytest.approx(float(entropy(read.logits.softmax(-1))))


@each_config
def test_a_row_is_cut_exactly_if_nothing_is_left_of_it(read, config):
    for candidate in next_token(read, config).candidates:
        assert (candidate.cut_by is None) == (candidate.after > 0)


def test_a_short_list_and_a_small_vocabulary():
    assert [c.text for c in next_token(STUDIO, DecodingConfig()).candidates] == list(GARDEN), "ties keep their order"
    short = next_token(STUDIO, DecodingConfig(), shown=3)
    assert [c.text for c in short.candidates] == ["flowers", "trees", "herbs", REST]
    assert short.candidates[-1].before == pytest.approx(0.22) and short.candidates[-1].cumulative == 1


# Who cut what


@pytest.mark.parametrize(
    ("settings", "fates"),
    [
        ({"temperature": 0}, [None, "temperature", "temperature", "temperature"]),
        ({"top_k": 2}, [None, None, "top-k", "top-k"]),
        ({"top_p": 0.7}, [None, None, "top-p", "top-p"]),
        ({"min_p": 0.3}, [None, None, "min-p", "min-p"]),
        ({"top_k": 3, "top_p": 0.7, "min_p": 0.5}, [None, "min-p", "top-p", "top-k"]),
    ],
)
@pytest.mark.parametrize("order", ["transformers", "studio"])
def test_the_step_that_cut_a_token_is_named(settings, fates, order):
    four = given("?", {"a": 0.6, "b": 0.2, "c": 0.15, "d": 0.05})
    found = next_token(four, DecodingConfig(order=order, **settings))
    assert [candidate.cut_by for candidate in found.candidates] == fates


def test_at_temperature_0_the_first_step_in_order_gets_the_blame():
    settings = {"temperature": 0, "top_k": 2}
    assert by_text(next_token(STUDIO, DecodingConfig(**settings)))["herbs"].cut_by == "temperature"
    studio = by_text(next_token(STUDIO, DecodingConfig(**settings, order="studio")))
    assert studio["trees"].cut_by == "temperature" and studio["herbs"].cut_by == "top-k"


def test_the_rest_is_named_by_the_step_that_cut_most_of_it():
    assert next_token(STUDIO, DecodingConfig(top_k=2), shown=5).candidates[-1].cut_by == "top-k"
    assert next_token(STUDIO, DecodingConfig(top_p=0.8), shown=3).candidates[-1].cut_by is None
    five = given("?", {"a": 0.4, "b": 0.3, "c": 0.15, "d": 0.1, "e": 0.05})
    both = next_token(five, DecodingConfig(top_k=4, top_p=0.4), shown=4)
    assert [c.cut_by for c in both.candidates] == [None, "top-p", "top-p", "top-p", "top-k"]


def test_a_fate_in_words():
    found = by_text(next_token(STUDIO, DecodingConfig(top_k=3, top_p=0.6)))
    assert [found[word].fate for word in ("flowers", "trees", "birds")] == [
        "kept, drawn",
        "cut by top-p",
        "cut by top-k",
    ]


@pytest.mark.parametrize("order", ORDERS)
def test_greedy_decoding_takes_a_token_and_blames_no_step(order):
    found = next_token(STUDIO, DecodingConfig(temperature=0, order=order, top_k=2), shown=3)
    assert [candidate.fate for candidate in found.candidates] == ["taken", *["not taken"] * 3]
    assert list(found.table()["fate"]) == ["taken", *["not taken"] * 3]
    seen = replace(STUDIO, ids=torch.tensor([0]))
    other = next_token(seen, DecodingConfig(temperature=0, repetition_penalty=100.0))
    assert [c.text for c in other.candidates if c.fate == "taken"] == [other.drawn] != [found.drawn]


# The studio's example


def test_the_studio_s_example():
    assert kept(top_k=2) == ["flowers", "trees"]
    assert kept(top_p=0.75) == ["flowers", "trees", "herbs"]
    assert kept(top_k=4) == list(GARDEN), "eleven words tie for the fourth place"
    assert kept(top_p=0.79) == ["flowers", "trees", "herbs", "birds"], "of a tie, top-p takes what it needs"
    for word, share in GARDEN.items():
        assert by_text(next_token(STUDIO, DecodingConfig()))[word].before == pytest.approx(share)


# The running sum that top-p looks at


@pytest.mark.parametrize("order", ["transformers", "studio"])
def test_the_running_sum_is_taken_where_top_p_stands_in_the_order(read, order):
    config = DecodingConfig(temperature=2, top_k=30, top_p=0.6, min_p=0.1, order=order)
    top_p_sees = reshape(read.logits, temperature=2 if order == "transformers" else 1, top_k=30)
    expected = top_p_sees.sort(descending=True).values.cumsum(-1)[:SHOWN]
    found = next_token(read, config)
    torch.testing.assert_close(torch.tensor([c.cumulative for c in found.candidates[:-1]]), expected)
    assert found.candidates[-1].cumulative == 1


@pytest.mark.parametrize("p", [0.3, 0.5, 0.6, 0.75, 0.79, 0.9])
def test_top_p_cuts_where_the_sum_before_a_token_has_reached_p(p):
    candidates = next_token(STUDIO, DecodingConfig(top_p=p)).candidates
    before = [0, *[c.cumulative for c in candidates]]
    assert [c.cut_by is None for c in candidates] == [total < p - 1e-6 for total in before[:-1]]


def test_a_penalty_changes_the_running_sum_and_not_the_rows(read):
    sentence = read_prompt_of(read, " flowers")
    found = next_token(sentence, DecodingConfig(repetition_penalty=2))
    assert found.candidates[0].text == " flowers"
    assert found.candidates[0].cumulative > found.candidates[1].cumulative, "the penalized token comes later"


def read_prompt_of(read: ReadPrompt, token: str) -> ReadPrompt:
    """The same logits behind a text that holds the token."""
    likeliest = read.logits.topk(1).indices
    assert read.text_of(int(likeliest)) == token
    return replace(read, ids=torch.cat([read.ids, likeliest]))


# The draw


@each_config
def test_exactly_one_candidate_is_drawn_and_it_was_kept(read, config):
    for seed in range(12):
        found = next_token(read, replace(config, seed=seed))
        drawn = [candidate for candidate in found.candidates if candidate.drawn]
        assert len(drawn) == 1 and drawn[0].cut_by is None
        assert drawn[0].text in (found.drawn, REST) and found.drawn_probability > 0


@pytest.mark.parametrize("order", ["transformers", "studio"])
def test_greedy_decoding_draws_the_likeliest_token_whatever_the_seed(read, order):
    for seed in (0, 1, 2):
        found = next_token(read, DecodingConfig(temperature=0, seed=seed, order=order))
        assert found.drawn == " flowers" and found.drawn_probability == 1 and found.candidates[0].drawn


@each_config
def test_the_drawn_token_is_the_first_of_the_completion(course_model, read, config):
    config = replace(config, seed=5, max_new_tokens=1)
    step = next(generate_stream(course_model, PROMPT, config))
    found = next_token(read, config)
    assert (found.drawn, found.drawn_probability) == (step.text, pytest.approx(step.probability, rel=1e-3))


def test_models_of_every_kind_draw_the_first_token_of_their_completion(tiny):
    prompt = "aaaabbbb The cat: "
    read = read_prompt(tiny, prompt)
    for seed in range(5):
        config = DecodingConfig(repetition_penalty=3, temperature=1.5, seed=seed)
        step = next(generate_stream(tiny, prompt, config))
        after = reshape(read.logits, **config.sampling, input_ids=read.ids)
        assert next_token(read, config).drawn == tiny.tokenizer.decode([step.token])
        assert float(after[step.token]) == pytest.approx(step.probability, rel=1e-3)


# Reading


def test_a_prompt_is_read_once_and_every_setting_reuses_it(course_model, monkeypatch):
    runs = []
    logits = LanguageModel.next_token_logits
    monkeypatch.setattr(LanguageModel, "next_token_logits", lambda *given: runs.append(given) or logits(*given))
    read = read_prompt(course_model, PROMPT)
    for config in CONFIGS:
        next_token(read, config)
    assert len(runs) == 1 and read.prompt == PROMPT
    assert torch.equal(read.logits, logits(course_model, PROMPT)) and read.text_of(int(read.ids[0])) == "The"


def test_a_prompt_that_cannot_be_read_is_refused(course_model):
    with pytest.raises(EmptyPrompt):
        read_prompt(course_model, " ")
    with pytest.raises(ContextWindowExceeded):
        read_prompt(course_model, "word " * 9000)


def test_next_token_leaves_the_logits_as_they_are(read):
    before = read.logits.clone()
    for config in CONFIGS:
        next_token(read, config)
    assert torch.equal(read.logits, before)


# In words and tables


def test_the_summary_says_how_many_were_kept_and_what_was_drawn():
    greedy = next_token(STUDIO, DecodingConfig(temperature=0)).summary
    assert greedy == (
        "1 of 14 tokens kept. Greedy decoding takes 'flowers' with probability 1.000. "
        "Entropy: 2.45 bits before, 0.00 bits after."
    )
    found = next_token(STUDIO, DecodingConfig(top_k=2, seed=3))
    assert found.summary.startswith("2 of 14 tokens kept. Seed 3 draws ") and repr(found.drawn) in found.summary


def test_the_table_has_a_row_for_each_candidate():
    table = next_token(STUDIO, DecodingConfig(top_p=0.75), shown=4).table()
    assert list(table.columns) == ["token", "before", "after", "fate"]
    assert table.values.tolist() == [
        ["'flowers'", 0.5, 0.641, "kept"],
        ["'trees'", 0.23, 0.295, "kept"],
        ["'herbs'", 0.05, 0.064, "kept"],
        ["'birds'", 0.02, 0, "cut by top-p"],
        [repr(REST), 0.2, 0, "cut by top-p"],
    ]


def test_compare_has_a_row_for_each_configuration_that_sums_to_1(read):
    panels = {str(n): next_token(read, config, shown=5) for n, config in enumerate(CONFIGS)}
    table = compare(panels)
    assert list(table.index) == list(panels)
    assert list(table.columns)[:4] == ["' flowers'", "','", "' blooms'", "all others"]
    assert table.iloc[:, :4].sum(axis=1).tolist() == pytest.approx([1] * len(table), abs=0.021)
    assert table["tokens kept"].tolist() == [found.kept for found in panels.values()]
    assert table["entropy (bits)"].tolist() == [round(found.entropy_after, 2) for found in panels.values()]


def test_names_of_steps_are_those_of_stages(read):
    names = stages(read.logits, top_p=0.5).names
    assert next_token(read, DecodingConfig(top_p=0.5)).candidates[-1].cut_by in names
