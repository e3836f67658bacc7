"""The scheduler writes what the model writes alone, whoever else is in the batch, and holds to its limits."""

import queue
import threading
import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from tests.serving.conftest import hold
from tests.test_batches import KINDS as MORE_KINDS
from tests.test_tracking import until
from tests.tiny_models import LETTERS, letters, tiny_model
from utils.adapters.methods import METHODS, add_adapter, find_method
from utils.logits.config import DecodingConfig
from utils.models.language_model import LanguageModel
from utils.serving.lora_stack import lora_weights
from utils.serving.metrics import Metrics
from utils.serving.prefixes import BLOCK
from utils.serving.refusals import FAILED, LATE, TOO_MANY, UNAVAILABLE, Refusal
from utils.serving.requests import Adapter, Event, PromptScores, Request, Token
from utils.serving.scheduler import Scheduler
from utils.serving.settings import Limits

PROMPTS = [
    "a",
    "The cat sat on the mat. ",
    "x" * (3 * BLOCK + 5),
    "The cat sat on the mat and said that it was late and cold, and nobody came. ",
    "The cat sat on the mat and said that it was late and cold, and it rained. ",
]
GREEDY = DecodingConfig(temperature=0, max_new_tokens=12)
DRAWN = DecodingConfig(
    temperature=1.2, top_k=20, top_p=0.9, min_p=0.01, repetition_penalty=1.3, seed=5, max_new_tokens=12
)


class Answers:
    """What comes of requests, as it comes."""

    def __init__(self, scheduler: Scheduler, requests: Sequence[Request]) -> None:
        self.events: list[list[Event]] = [[] for _ in requests]
        self._told: queue.Queue[tuple[int, Event]] = queue.Queue()
        self._open = len(requests)
        self.ticket = scheduler.submit(requests, lambda number, event: self._told.put((number, event)))

    def next(self) -> tuple[int, Event]:
        number, event = self._told.get(timeout=120)
        self.events[number].append(event)
        self._open -= isinstance(event, Refusal) or (isinstance(event, Token) and event.finish is not None)
        return number, event

    def all(self) -> list[list[Event]]:
        while self._open:
            self.next()
        assert self._told.empty()
        return self.events


def text(events: Sequence[Event]) -> str:
    """The text of a completion that ended well: one end, and it comes last."""
    tokens = [event for event in events if isinstance(event, Token)]
    assert [*map(type, events)] == [Token] * len(events) and [token.finish is None for token in tokens].count(
        False
    ) == 1
    return "".join(token.text for token in tokens)


def request(model: LanguageModel, prompt: str, config: DecodingConfig = GREEDY, **more) -> Request:
    return Request(tuple(model.encode(prompt)), config, **more)


@contextmanager
def scheduling(model: LanguageModel, **limits):
    scheduler = Scheduler(model, Limits(**limits), Metrics())
    try:
        yield scheduler
    finally:
        scheduler.stop()


def settings(config: DecodingConfig) -> dict:
    return config.sampling | {"seed": config.seed, "max_new_tokens": config.max_new_tokens, "stop": list(config.stop)}


def other_model(kind: str) -> LanguageModel:
    torch.manual_seed(7)
    own = MORE_KINDS[kind] | ({} if kind in ("bloom", "falcon") else {"max_position_embeddings": 256})
    ids = {"vocab_size": len(LETTERS), "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 1}
    config = AutoConfig.for_model(kind, **ids, **own, initializer_range=0.5)
    return LanguageModel(kind, AutoModelForCausalLM.from_config(config).eval(), letters(), 256)


@pytest.fixture(scope="module")
def llama() -> LanguageModel:
    return LanguageModel("llama", tiny_model("llama").eval(), letters(), 256)


@pytest.mark.parametrize(
    "config", [GREEDY, DRAWN, DecodingConfig(temperature=1, seed=3, stop=("e",), max_new_tokens=12)]
)
def test_every_kind_of_model_writes_what_it_writes_alone(tiny, config):
    check_alone(tiny, config)


@pytest.mark.parametrize("kind", ["gemma2", "phi3", "gpt_neox", "gpt_neo", "bloom", "falcon"])
def test_more_kinds_write_what_they_write_alone(kind):
    check_alone(other_model(kind), DRAWN)


def check_alone(model: LanguageModel, config: DecodingConfig) -> None:
    """All in one batch, the same again behind prefixes that are known, and one after the other."""
    alone = [model.generate(prompt, **settings(config)) for prompt in PROMPTS]
    asked = [request(model, prompt, config) for prompt in PROMPTS]
    with scheduling(model, chunk=24, rows=4) as scheduler:
        assert [text(events) for events in Answers(scheduler, asked).all()] == alone
        assert [text(events) for events in Answers(scheduler, asked[::-1]).all()] == alone[::-1]
        assert [text(Answers(scheduler, [one]).all()[0]) for one in asked] == alone


@pytest.fixture(scope="module")
def adapters(llama) -> dict[str, tuple[LanguageModel, Adapter]]:
    """Adapters of every method, changed so that each writes something else."""
    found = {}
    for number, name in enumerate([*METHODS, "lora", "lora"]):
        method = find_method(name, 3 if name == "lora" and number > len(METHODS) else None)
        try:
            adapted = add_adapter(llama, method, seed=number)
        except Exception:
            assert name == "bitfit"  # this kind has no biases
            continue
        noise = torch.Generator().manual_seed(number)
        for weight in adapted.model.parameters():
            if weight.requires_grad:
                weight.data += 0.6 * torch.randn(weight.shape, generator=noise)
        adapted.model.requires_grad_(False).eval()
        weights = lora_weights(adapted)
        held = Adapter(f"{name}/{number}", f"{name} {number}", weights, None if weights else adapted)
        found[held.reference] = adapted, held
    return found


def test_adapters_of_every_method_and_the_base_interleaved_give_what_each_gives_alone(llama, adapters):
    everyone = [(llama, None), *adapters.values()]
    assert {adapter.weights is not None for _, adapter in everyone if adapter} == {True, False}
    pairs = [(adapted, adapter, prompt) for prompt in PROMPTS for adapted, adapter in everyone]
    alone = [adapted.generate(prompt, **settings(DRAWN)) for adapted, _, prompt in pairs]
    assert len({*alone}) > len(pairs) * 0.9, "the adapters differ"
    asked = [request(llama, prompt, DRAWN, adapter=adapter) for _, adapter, prompt in pairs]
    with scheduling(llama, chunk=16, rows=16) as scheduler:
        assert [text(events) for events in Answers(scheduler, asked).all()] == alone
        assert [text(events) for events in Answers(scheduler, asked).all()] == alone, "behind known prefixes"


def test_which_adapters_share_the_batch_of_the_base(llama, adapters):
    with scheduling(llama) as scheduler:
        shares = {
            name: scheduler._runners.of(held) is scheduler._runners.of(None) for name, (_, held) in adapters.items()
        }
    assert {name.split("/")[0] for name, shared in shares.items() if shared} == {"lora", "lora-top", "prompt", "prefix"}


class Reads:
    """What the base's runner read, step by step: tokens of prompts, and rows that wrote. seconds: of a step, added."""

    def __init__(self, scheduler: Scheduler, *, seconds: float = 0.0) -> None:
        self.steps: list[list[tuple[int, bool]]] = []
        runner = scheduler._runners.of(None)
        read = runner.read

        def watched(reads):
            self.steps.append([(tokens, bool(row.ids)) for row, tokens in reads])
            time.sleep(seconds)
            return read(reads)

        runner.read = watched

    @property
    def prompt_tokens(self) -> int:
        return sum(tokens for step in self.steps for tokens, writing in step if not writing)


def test_a_shared_prefix_is_read_once(llama):
    prefix, ends = "y" * (4 * BLOCK), ["one", "two", "three"]
    with scheduling(llama, chunk=BLOCK) as scheduler:
        reads = Reads(scheduler)
        Answers(scheduler, [request(llama, prefix + end) for end in ends]).all()
        assert reads.prompt_tokens == len(prefix) + sum(map(len, ends))
        Answers(scheduler, [request(llama, prefix + "one")]).all()
        assert reads.prompt_tokens == len(prefix) + sum(map(len, ends)) + len("one")


def test_prefixes_leave_an_idle_endpoint_when_their_time_is_over(llama, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("utils.serving.prefixes.time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr("utils.serving.scheduler.IDLE_SECONDS", 0.05)
    with scheduling(llama, prefix_seconds=10) as scheduler:
        Answers(scheduler, [request(llama, "y" * (2 * BLOCK))]).all()
        assert scheduler._runners.prefixes.nbytes
        now[0] += 11
        until(lambda: not scheduler._runners.prefixes.nbytes, seconds=120)


def test_a_long_prompt_is_read_in_chunks_while_others_write(llama):
    with scheduling(llama, chunk=8) as scheduler:
        reads, go_on = Reads(scheduler), hold(scheduler, after=1)
        first = Answers(scheduler, [endless(llama)])
        first.next()
        second = Answers(scheduler, [request(llama, "z" * 40)])
        go_on.set()
        second.all()
        first.ticket.cancel()
    both = [step for step in reads.steps if len({writing for _, writing in step}) == 2]
    assert [max(tokens for tokens, writing in step if not writing) for step in both] == [8] * 5
    assert all(sum(writing for _, writing in step) == 1 for step in both)


def test_completions_join_a_batch_that_is_at_work_and_leave_it(llama):
    long = DecodingConfig(temperature=1, max_new_tokens=150)
    with scheduling(llama) as scheduler:
        reads, go_on = Reads(scheduler), hold(scheduler, after=3)
        first = Answers(scheduler, [request(llama, "The cat ", long)])
        for _ in range(3):
            first.next()
        second = Answers(scheduler, [request(llama, "The dog ")])
        go_on.set()
        assert text(second.all()[0]) == llama.generate("The dog ", max_new_tokens=12)
        assert text(first.all()[0]) == llama.generate("The cat ", temperature=1, max_new_tokens=150)
    rows = [len(step) for step in reads.steps]
    assert rows[:3] == [1] * 3 and rows.count(2) == 12, "the second is in the batch while it is written"


def test_scores_are_the_models_own_and_change_nothing(llama):
    prompt = "The cat sat on the mat. It was late."
    plain = llama.generate(prompt, **settings(DRAWN))
    with scheduling(llama, chunk=10) as scheduler:
        scores, *tokens = Answers(scheduler, [request(llama, prompt, DRAWN, logprobs=3, read_prompt=True)]).all()[0]
    assert isinstance(scores, PromptScores) and text(tokens) == plain
    ids = [*llama.encode(prompt), *(token.id for token in tokens)]
    with torch.inference_mode():
        logprobs = llama.model(torch.tensor([ids])).logits[0].log_softmax(-1)
    told = [*scores.scores, *(token.score for token in tokens)]
    assert [score.token for score in told] == ids[1:]
    for score, row in zip(told, logprobs, strict=False):
        assert score.logprob == pytest.approx(float(row[score.token]), abs=1e-4)
        assert [token for token, _ in score.likeliest] == row.topk(3).indices.tolist()


def test_a_prompt_alone_is_scored_and_nothing_written(llama):
    with scheduling(llama) as scheduler:
        scores, end = Answers(
            scheduler, [request(llama, "The cat", logprobs=0, read_prompt=True, only_prompt=True)]
        ).all()[0]
    assert len(scores.scores) == len("The cat") - 1
    assert (end.text, end.finish) == ("", "length")


def test_logit_bias_forbids_and_forces(llama):
    letter = llama.encode("q")[0]
    with scheduling(llama) as scheduler:
        [[*events]] = Answers(scheduler, [request(llama, "The cat", bias={letter: 100.0})]).all()
        assert text(events) == "q" * 12
        [[*events]] = Answers(scheduler, [request(llama, "The cat", DRAWN)]).all()
        first = events[0].id
        [[*events]] = Answers(scheduler, [request(llama, "The cat", DRAWN, bias={first: -100.0})]).all()
        assert first not in [event.id for event in events]


@pytest.mark.parametrize(
    ("change", "parameter"),
    [
        ({"prompt": ()}, "prompt"),
        ({"prompt": (5,) * 257}, "prompt"),
        ({"prompt": (5,) * 256}, "prompt"),
        ({"prompt": (5,) * 250}, "max_tokens"),
        ({"prompt": (len(LETTERS),)}, "prompt"),
        ({"prompt": (-1,)}, "prompt"),
        ({"config": DecodingConfig(max_new_tokens=101)}, "max_tokens"),
        ({"prompt": (5,) * 150, "config": DecodingConfig(max_new_tokens=51)}, "prompt"),
    ],
)
def test_what_could_never_be_written_is_refused_at_once(llama, change, parameter):
    asked = {"prompt": (5,), "config": GREEDY} | change
    with scheduling(llama, tokens=100, cache_tokens=200) as scheduler:
        with pytest.raises(Refusal) as refused:
            scheduler.submit([Request(**asked)], lambda *_: None)
        assert (refused.value.status, refused.value.parameter) == (400, parameter)


def endless(llama: LanguageModel, seed: int = 0) -> Request:
    return request(llama, "The cat ", DecodingConfig(temperature=1, seed=seed, max_new_tokens=200), bias={1: -100.0})


def test_a_full_queue_refuses_all_or_nothing_and_says_when_to_come_back(llama):
    with scheduling(llama, rows=1, waiting=2) as scheduler:
        go_on = hold(scheduler, after=1)
        running = Answers(scheduler, [endless(llama)])
        running.next()
        waiting = Answers(scheduler, [request(llama, "a")])
        with pytest.raises(Refusal) as refused:
            scheduler.submit([request(llama, "b")] * 2, lambda *_: pytest.fail("it was refused"))
        assert refused.value.status == TOO_MANY and 1 <= refused.value.retry_after <= 60
        more = Answers(scheduler, [request(llama, "c")])
        running.ticket.cancel()
        go_on.set()
        assert [text(each.all()[0]) for each in (waiting, more)] == [llama.generate(p, max_new_tokens=12) for p in "ac"]
        with pytest.raises(Refusal) as refused:
            scheduler.submit([request(llama, "b")] * 3, lambda *_: None)
        assert refused.value.status == 400, "three never fit"


def test_a_row_is_free_within_a_step_of_being_given_up(llama):
    with scheduling(llama, rows=1) as scheduler:
        first = Answers(scheduler, [endless(llama)])
        first.next()
        reads = Reads(scheduler, seconds=0.02)
        first.ticket.cancel()
        given_up = len(reads.steps)
        first.ticket.cancel()
        Answers(scheduler, [request(llama, "bcd")]).all()
    assert [(3, False)] in reads.steps[given_up : given_up + 2]


def test_time_is_over_for_what_is_written_and_for_what_waits(llama, monkeypatch):
    now = [0.0]
    for module in ("rows", "scheduler"):
        monkeypatch.setattr(f"utils.serving.{module}.time", SimpleNamespace(monotonic=lambda: now[0]))
    with scheduling(llama, rows=1) as scheduler:
        go_on = hold(scheduler, after=1)
        both = Answers(scheduler, [replace(endless(llama), seconds=10)] * 2)
        both.next()
        now[0] += 11
        go_on.set()
        written, waited = both.all()
    assert [event.status for event in (written[-1], waited[-1])] == [LATE, LATE]
    assert len(waited) == 1 and len(written) > 1, "one had begun"


def test_what_is_written_is_finished_when_the_endpoint_stops_and_what_waits_is_refused(llama):
    with scheduling(llama, rows=1) as scheduler:
        Reads(scheduler, seconds=0.02)
        config = DecodingConfig(temperature=1, max_new_tokens=60)
        both = Answers(scheduler, [request(llama, "The cat ", config)] * 2)
        both.next()
        scheduler.stop()
        written, waited = both.all()
        assert text(written) == llama.generate("The cat ", temperature=1, max_new_tokens=60)
        assert [event.status for event in waited] == [UNAVAILABLE] and not scheduler.alive
        with pytest.raises(Refusal) as refused:
            scheduler.submit([request(llama, "a")], lambda *_: None)
        assert refused.value.status == UNAVAILABLE


def test_what_takes_too_long_to_finish_is_told_so_when_the_endpoint_stops(llama):
    with scheduling(llama) as scheduler:
        go_on = hold(scheduler, after=1)
        answers = Answers(scheduler, [endless(llama)])
        answers.next()
        scheduler.stop(seconds=0.01)
        go_on.set()
        scheduler.stop()
        assert answers.all()[0][-1].status == UNAVAILABLE


def test_rows_wait_while_the_cache_is_full(llama):
    config = DecodingConfig(temperature=0, max_new_tokens=30)
    prompts = ["The cat ", "a", "The dog ", "x" * 60, "b"]
    with scheduling(llama, cache_tokens=128) as scheduler:
        reads = Reads(scheduler)
        found = Answers(scheduler, [request(llama, prompt, config) for prompt in prompts]).all()
    assert [text(events) for events in found] == [llama.generate(prompt, max_new_tokens=30) for prompt in prompts]
    assert max(map(len, reads.steps)) == 3, "three times 38 tokens are in, and four are not"


@pytest.mark.parametrize(("of_a", "of_b"), [(torch.inf, 1), (1, 1e37)])
def test_a_failure_in_one_row_is_its_own(llama, adapters, of_a, of_b):
    """Matrices b are never infinite, as `lora_weights` refuses them; what they compute may be."""
    adapted, held = adapters["lora/7"]
    broken = {name: (a * of_a, b * of_b) for name, (a, b) in held.weights.items()}
    bad = Adapter("bad/1", "bad", broken)
    prompts = ["The cat ", "The dog ", "A bird "]
    asked = [
        request(llama, prompt, adapter=adapter) for prompt, adapter in zip(prompts, (None, bad, held), strict=True)
    ]
    with scheduling(llama) as scheduler:
        for _ in range(2):
            base, refused, good = Answers(scheduler, asked).all()
            assert [text(base), text(good)] == [
                llama.generate("The cat ", max_new_tokens=12),
                adapted.generate("A bird ", max_new_tokens=12),
            ]
            assert [event.status for event in refused] == [FAILED]


def test_a_failure_of_a_whole_pass_is_told_and_the_endpoint_goes_on(llama, monkeypatch, caplog):
    with scheduling(llama) as scheduler:
        runner = scheduler._runners.of(None)
        with monkeypatch.context() as patch:
            patch.setattr(runner, "read", lambda reads: 1 / 0)
            [events] = Answers(scheduler, [request(llama, "a")]).all()
        assert [event.status for event in events] == [FAILED] and "division" not in str(events[0])
        assert "ZeroDivisionError" in caplog.text
        assert text(Answers(scheduler, [request(llama, "a")]).all()[0]) == llama.generate("a", max_new_tokens=12)
        assert scheduler.alive and runner.cache.owners == []


def test_a_listener_that_fails_harms_nobody_who_comes_after(llama):
    told = []

    def fails(number, event):
        told.append(event)
        raise RuntimeError("the client's loop is closed")

    with scheduling(llama) as scheduler:
        scheduler.submit([request(llama, "a")], fails)
        assert text(Answers(scheduler, [request(llama, "b")]).all()[0]) == llama.generate("b", max_new_tokens=12)
        assert told and scheduler.alive


def test_many_threads_ask_at_once(llama):
    prompts = [f"The {chr(97 + n % 26)} " * (1 + n % 3) for n in range(60)]
    found: dict[int, str] = {}
    with scheduling(llama, rows=8) as scheduler:

        def ask(number: int) -> None:
            [events] = Answers(scheduler, [request(llama, prompts[number])]).all()
            found[number] = text(events)

        threads = [threading.Thread(target=ask, args=[number]) for number in range(len(prompts))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [found[number] for number in range(len(prompts))] == llama.generate(prompts, max_new_tokens=12)
