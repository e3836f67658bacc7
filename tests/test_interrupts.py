"""Interrupt: the call ends at once, what was finished is kept, and the call goes on from there to the same result."""

from itertools import islice

import numpy as np
import pandas as pd
import pytest

from utils import progress
from utils.datasets import Review
from utils.decoding import DecodingConfig
from utils.decoding.diversity import completions, diversity_curve, surprise
from utils.evaluation import ClassificationTask, complete, score_labels, shots_curve
from utils.evaluation.influence import by_last_label
from utils.models import packing
from utils.models.language_model import LanguageModel

LABELS = ("good", "bad")
REVIEWS = [Review(f"film {letter}", LABELS[n % 2], (-1.0) ** n * 2) for n, letter in enumerate("abcdefghijklmnop")]
TASK = ClassificationTask("Say it.", LABELS, tuple(REVIEWS[:8]), tuple(REVIEWS[8:12]))
PROMPTS = [f"Number {n}: " for n in range(8)] + ["Number 3: "] * 2
DRAWN = DecodingConfig(max_new_tokens=6, temperature=1.5, seed=4)
CALLS = {
    "score_labels": lambda model: score_labels(model, PROMPTS, [" a", " bc"]),
    "shots_curve": lambda model: shots_curve(model, TASK, shots=(0, 2, 4), seeds=(0, 1)),
    "complete": lambda model: complete(model, PROMPTS, max_new_tokens=6, temperature=1.0, seed=5),
    "generate": lambda model: model.generate(PROMPTS, max_new_tokens=6, temperature=1.0, seed=5),
    "by_last_label": lambda model: by_last_label(model, TASK, [r.example for r in REVIEWS[:3]], REVIEWS[8:10]),
    "completions": lambda model: completions(model, "abc", DRAWN, seeds=range(9)),
    "surprise": lambda model: surprise(model, "abc", [f"some {letter} text" for letter in "abcdef"]),
    "diversity_curve": lambda model: diversity_curve(model, "abc", DRAWN, temperatures=(0.5, 1), seeds=range(5)),
}


@pytest.fixture
def small_parts(monkeypatch):
    """Few prompts a batch and a pack, so that a short call has several of both."""
    monkeypatch.setattr(packing, "PACK_TOKENS", 12)
    monkeypatch.setattr("utils.models.language_model.BATCH_SIZE", 3)
    monkeypatch.setattr("utils.decoding.diversity.BATCH_SIZE", 3)


class Passes:
    """Counts a model's passes, and interrupts one of them as a learner would."""

    def __init__(self, model, interrupt=None):
        self.count, self.interrupt, self.hook = 0, interrupt, model.model.register_forward_pre_hook(self.hear)

    def hear(self, *_):
        self.count += 1
        if self.count == self.interrupt:
            raise KeyboardInterrupt

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.hook.remove()


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_an_interrupted_call_goes_on_from_there_to_the_same_result(tiny, small_parts, monkeypatch, tmp_path, call):
    monkeypatch.setenv("COURSE_RESULTS", str(tmp_path / "whole"))
    with Passes(tiny) as whole:
        expected = call(tiny)
    monkeypatch.setenv("COURSE_RESULTS", str(tmp_path / "parts"))
    settings = tiny.model.generation_config
    with Passes(tiny, interrupt=whole.count * 3 // 4), pytest.raises(KeyboardInterrupt) as stopped:
        call(tiny)
    assert stopped.traceback and not progress._OPEN, "the bar stays as long as the traceback is kept"
    assert tiny.model.generation_config is settings
    with Passes(tiny) as rest:
        found = call(tiny)
    assert rest.count < whole.count
    same(found, expected)
    assert not list((tmp_path / "parts").glob("*.parts"))


@pytest.mark.parametrize("folder", ["kept", "off"])
@pytest.mark.parametrize("call", ["shots_curve", "by_last_label", "diversity_curve"])
def test_an_interrupt_between_two_parts_says_whether_they_are_kept(tiny, monkeypatch, tmp_path, call, folder):
    monkeypatch.setenv("COURSE_RESULTS", "off" if folder == "off" else str(tmp_path))
    check, calls = LanguageModel.check_window, iter(range(1000))

    def interrupted(*args, **settings):
        if any(tmp_path.glob("*.json")) if folder == "kept" else next(calls) > 5:
            raise KeyboardInterrupt
        check(*args, **settings)

    monkeypatch.setattr(LanguageModel, "check_window", interrupted)
    with pytest.raises(KeyboardInterrupt) as stopped:
        CALLS[call](tiny)
    kept = [note for note in getattr(stopped.value, "__notes__", ()) if "What is done is kept" in note]
    assert len(kept) == (folder == "kept")


def same(found, expected):
    """The same to the last digit."""
    if isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(found, expected)
    elif isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected)
    else:
        assert found == expected


def test_a_list_in_generate_is_kept_no_longer_than_it_takes(tiny, small_parts, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_RESULTS", str(tmp_path / "kept"))
    CALLS["generate"](tiny)
    with Passes(tiny) as again:
        CALLS["generate"](tiny)
    assert again.count and not list(islice((tmp_path / "kept").glob("*.json"), 1))
