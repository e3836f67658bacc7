"""The batching X-ray: what is recorded of a run is what happened in it."""

import pytest
import torch

from tests.tiny_models import letters, tiny_model
from utils.adapters.methods import add_adapter, find_method
from utils.errors import EmptyPrompt
from utils.logits.config import DecodingConfig
from utils.models.language_model import LanguageModel
from utils.plots import batching_xray
from utils.serving.lora_stack import lora_weights
from utils.serving.prefixes import BLOCK
from utils.serving.refusals import Refusal
from utils.serving.requests import Adapter, Request
from utils.serving.settings import Limits
from utils.serving.xray import Recording, record, record_requests

PROMPTS = ["The cat sat on the mat. ", "a", "x" * (BLOCK + 8), "x" * BLOCK + "yes", "It was late and cold.", "The fox"]
LENGTHS = [12, 2, 9, 5, 12, 4]
LIMITS = Limits(rows=3, chunk=16)


@pytest.fixture(scope="module")
def llama() -> LanguageModel:
    return LanguageModel("llama", tiny_model("llama").eval(), letters(), 256)


def adapter(model: LanguageModel, method: str) -> tuple[LanguageModel, Adapter]:
    """An adapter that changes what the model writes; only a LoRA's rows share a batch with the base's."""
    adapted = add_adapter(model, find_method(method))
    noise = torch.Generator().manual_seed(0)
    for weight in adapted.model.parameters():
        if weight.requires_grad:
            weight.data += 0.6 * torch.randn(weight.shape, generator=noise)
    adapted.model.requires_grad_(False).eval()
    weights = lora_weights(adapted)
    return adapted, Adapter(f"{method}/1", method, weights, None if weights else adapted)


@pytest.fixture(scope="module")
def answering(llama) -> list[tuple[LanguageModel, Adapter | None]]:
    """Who answers each prompt."""
    return [(llama, None), adapter(llama, "lora"), (llama, None), (llama, None), adapter(llama, "ia3"), (llama, None)]


def run(model: LanguageModel, answering, *numbers: int) -> Recording:
    settings = [DecodingConfig(temperature=0, max_new_tokens=length) for length in LENGTHS]
    requests = [Request(tuple(model.encode(PROMPTS[n])), settings[n], answering[n][1]) for n in numbers]
    return record_requests(model, requests, limits=LIMITS)


@pytest.fixture(scope="module")
def alone(answering) -> list[str]:
    """What each writes alone, before the scheduler has had the models."""
    asked = zip(answering, PROMPTS, LENGTHS, strict=True)
    return [adapted.generate(prompt, max_new_tokens=length) for (adapted, _), prompt, length in asked]


@pytest.fixture(scope="module")
def recording(llama, answering, alone) -> Recording:
    return run(llama, answering, *range(len(PROMPTS)))


def test_each_request_joins_once_and_leaves_once_and_writes_what_it_writes_alone(recording, alone):
    turns = recording.turns()
    assert turns.loc[turns["joined"], "request"].tolist() == [*range(len(PROMPTS))]
    assert sorted(turns.loc[turns["left"], "request"]) == [*range(len(PROMPTS))]
    assert list(recording.texts) == alone and len({*alone}) == len(alone)
    assert turns.groupby("request")["written"].sum().tolist() == [*map(len, recording.tokens)]


def test_prompts_are_read_once_and_a_beginning_that_is_known_not_at_all(recording):
    read = recording.turns().groupby("request")[["known", "prompt"]].sum()
    assert read.sum(axis=1).tolist() == [*map(len, PROMPTS)]
    assert read["known"].tolist() == [0, 0, 0, BLOCK, 0, 0]


def test_beside_rows_that_write_a_prompt_is_read_in_chunks(recording):
    assert [turn.prompt for step in recording.steps for turn in step.turns if turn.request == 2][:2] == [39, 1]
    for step in recording.steps:
        batch = [turn for turn in step.turns if turn.adapter != "ia3/1"]  # which has a batch of its own
        if any(turn.written and not turn.prompt for turn in batch):
            assert sum(turn.prompt for turn in batch) <= LIMITS.chunk


def test_rows_keep_to_the_limit_and_hold_what_they_have_read(recording):
    turns, table = recording.turns(), recording.table()
    assert table["rows"].max() == LIMITS.rows == table["written"].max()
    held = turns[turns["left"]].set_index("request")["held"].to_dict()
    assert held == {n: len(PROMPTS[n]) + len(tokens) - 1 for n, tokens in enumerate(recording.tokens)}


def test_padding_is_what_the_longest_row_leaves_free_in_the_others(recording):
    longest = [len(prompt) + length for prompt, length in zip(PROMPTS, LENGTHS, strict=True)]
    first = recording.steps[0]
    assert (first.places, first.padding) == (3 * longest[2], 3 * longest[2] - 64)
    apart = next(step for step in recording.steps if {turn.adapter for turn in step.turns} == {"", "ia3/1"})
    base = [longest[turn.request] for turn in apart.turns if not turn.adapter]
    assert apart.places == len(base) * max(base) + longest[4], "an adapter of another kind has a batch of its own"
    assert recording.table()["padding"].tolist() == [step.padding / step.places for step in recording.steps]


def test_a_batch_takes_fewer_steps_than_one_request_after_the_other(recording, llama, answering):
    alone = [run(llama, answering, number) for number in range(len(PROMPTS))]
    assert [one.tokens[0] for one in alone] == list(recording.tokens)
    assert max(len(one.steps) for one in alone) < len(recording.steps) < sum(len(one.steps) for one in alone)


def test_a_client_s_names_and_prompts_are_asked_as_the_endpoint_takes_them(llama):
    config = DecodingConfig(temperature=0, max_new_tokens=3)
    assert record(llama, [("llama", "The cat", config)]).texts == (llama.generate("The cat", max_new_tokens=3),)
    with pytest.raises(EmptyPrompt):
        record(llama, [("llama", "", config)])
    with pytest.raises(Refusal, match="context window"):
        record(llama, [("llama", "x" * 300, config)])


def test_the_figure_says_what_was_recorded(recording):
    plot = batching_xray(recording.turns(), recording.table())
    assert f"each of {len(recording.steps)} steps, at most 3 rows" in plot.alt
    for number, tokens in enumerate(recording.tokens, 1):
        assert f"Request {number} " in plot.alt and f"writes {len(tokens)}, leaves" in plot.alt
    assert "(lora/1)" in plot.alt and "(ia3/1)" in plot.alt and "(base)" in plot.alt
