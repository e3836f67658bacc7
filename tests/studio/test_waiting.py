"""Waits: what is done and for how many seconds is said, also while a thread takes its time."""

import itertools
import threading
from types import SimpleNamespace

import ipywidgets as widgets
import pytest

from tests.serving.conftest import tiny_language_model
from utils.logits.config import DecodingConfig
from utils.studio.compare_page import ComparePage
from utils.studio.design_page import DesignPage
from utils.studio.prompt import Prompt
from utils.widgets.view import paragraph
from utils.widgets.waiting import following

PROMPT = Prompt(text="The sea is", config=DecodingConfig(max_new_tokens=2))


@pytest.fixture
def clock(monkeypatch):
    """The time as waits see it."""
    made = SimpleNamespace(now=0.0)
    monkeypatch.setattr("utils.widgets.waiting.time", SimpleNamespace(monotonic=lambda: made.now))
    return made


def test_the_seconds_of_a_wait_are_said(clock):
    place, done = widgets.HTML("before"), []

    def work():
        for _ in range(4):
            yield
        return "result"

    following_work, said = following(place, lambda: f"{len(done)} done", work()), []
    for clock.now in (0.0, 0.9, 1.0, 61.5):
        next(following_work)
        said.append(place.value)
        done.append(1)
    assert said == [paragraph(text) for text in ("0 done ...", "1 done ...", "2 done ... 1 s", "3 done ... 61 s")]
    with pytest.raises(StopIteration) as ended:
        next(following_work)
    assert ended.value.value == "result" and place.value == ""


def test_a_wait_does_not_speak_over_another_one(clock):
    place, closed = widgets.HTML(), []

    def endless():
        try:
            while True:
                yield
        finally:
            closed.append(1)

    first, second = (following(place, lambda name=name: name, endless()) for name in ("first", "second"))
    next(first)
    next(second)
    clock.now = 5.0
    next(first)
    assert place.value == paragraph("second ...")
    second.close()
    assert place.value == "" and closed == [1]
    next(first)
    assert place.value == paragraph("first ... 5 s")
    place.value = "a result"
    first.close()
    assert place.value == "a result" and closed == [1, 1]


def bring(studio):
    return studio.message, studio._bring("Gallery")


def pick(studio):
    picker = DesignPage(studio).picker
    return picker.message, picker._loading()


def run(studio):
    runs = DesignPage(studio).runs
    return runs.message, runs._responding(PROMPT, 0)


def choose(studio):
    runs = DesignPage(studio).runs
    return runs.message, runs._choosing(Prompt(text="The sea is", labels=("calm", "rough")), 0)


def offer(studio):
    page = ComparePage(studio)
    return page.message, page._offer()


def add(studio):
    page = ComparePage(studio)
    page.source.offer(["saved@best"])
    return page.message, page._adding()


@pytest.mark.parametrize(
    ("begin", "slow", "said"),
    [
        (bring, "studio._find", "Opening Gallery"),
        (pick, "model_page.get_ready", "ready"),
        (run, "responses.pieces", "Reading the prompt"),
        (choose, "running_page.classify", "Reading the prompt with each label"),
        (offer, "compare_page._saved", "Reading the registry"),
        (add, "compare_page.find_prompt", "Reading the registry"),
    ],
)
def test_what_a_page_waits_for_is_said_and_the_kernel_is_free(studio, monkeypatch, begin, slow, said):
    let_go, seconds = threading.Event(), itertools.count()
    monkeypatch.setattr("utils.widgets.waiting.time", SimpleNamespace(monotonic=lambda: next(seconds)))
    monkeypatch.setattr(studio.models, "load", lambda reference: tiny_language_model())
    monkeypatch.setattr(studio.models, "choices", lambda: [])
    monkeypatch.setattr(f"utils.studio.{slow}", lambda *_: let_go.wait(60) and ())
    message, work = begin(studio)
    try:
        while f"{said} ... 1 s" not in message.value:
            next(work)
        assert not let_go.is_set()
    finally:
        let_go.set()
        work.close()
