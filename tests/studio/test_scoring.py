"""Scores of a prompt's answers: metrics, common seeds, labels, gains, and that nothing is computed twice."""

from dataclasses import replace

import numpy as np
import pytest

from tests.serving.conftest import new_endpoint, serving, tiny_language_model
from utils.datasets.records import TextToText
from utils.errors import DataError, UnsupportedSetting
from utils.evaluation.classification import score_labels
from utils.logits.config import DecodingConfig
from utils.models.language_model import BATCH_SIZE, LanguageModel
from utils.models.loading import load_model
from utils.studio.prompt import Prompt
from utils.studio.scoring import METRICS, Scores, answers, first_label, own_answers, score

DRAWN = DecodingConfig(temperature=1.0, max_new_tokens=6, seed=40)
PROMPT = Prompt(text="the {input} dog", config=DRAWN)


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return tiny_language_model()


def records(count: int) -> list[TextToText]:
    return [TextToText(f"{'abcdefghij'[n % 10]} {'klmnopqrst'[n // 10]}", "the fox") for n in range(count)]


@pytest.mark.parametrize(
    ("metric", "answer", "reference", "expected"),
    [
        ("exact match", " The Fox. \nAnd more of it", "fox", 1),
        ("exact match", "A fox\nand", "fox\nand", 1),
        ("exact match", "fox and", "fox", 0),
        ("exact match", "", "fox", 0),
        ("label", "I say: negative, not positive", "negative", 1),
        ("label", "POSITIVE", "negative", 0),
        ("label", "none of them", "negative", 0),
        ("ROUGE-1", "foxes run\nand much more", "fox runs", 1),
        ("ROUGE-1", "fox", "the fox", 2 / 3),
        ("chrF", "a long sentence", "a long sentence", 1),
        ("chrF", "", "a long sentence", 0),
        ("token F1", "a quick dog\nnothing of this", "the quick fox", 0.5),
        ("token F1", "한국어 답", "한국어", 2 / 3),
    ],
)
def test_a_metric_reads_an_answer_as_far_as_its_reference_goes(metric, answer, reference, expected):
    others = ["positive"]
    found = METRICS[metric]([answer, *others], [reference, *others])
    assert found[0] == pytest.approx(expected)
    assert found.shape == (2,)


@pytest.mark.parametrize(
    ("answer", "labels", "named"),
    [
        ("It is not urgent.", ["urgent", "not urgent"], "not urgent"),
        ("positively negative", ["positive", "negative"], "negative"),
        ("이것은 긍정적입니다", ["부정", "긍정"], "긍정"),
        ("C++ or C", ["C", "C++"], "C++"),
        ("Größer", ["größer"], "größer"),
        ("(a|b)", ["a|b"], "a|b"),
        ("nothing", ["no"], None),
    ],
)
def test_the_first_label_that_an_answer_names(answer, labels, named):
    assert first_label(answer, labels) == named


def test_every_seed_answers_every_record_as_the_prompt_alone_does(model):
    asked = records(BATCH_SIZE + 2)
    found = score(model, PROMPT, asked, metric="chrF", seeds=[3, 5])
    assert found.values.shape == (2, len(asked))
    for row, seed in enumerate([3, 5]):
        config = replace(DRAWN, seed=seed)
        for column in (0, BATCH_SIZE + 1):
            text = f"the {asked[column].input_text} dog"
            assert found.answers[row][column] == model.generate(text, temperature=1.0, seed=seed, max_new_tokens=6)
        assert answers(model, replace(PROMPT, config=config), asked, seed=seed) == list(found.answers[row])


def test_the_same_input_gets_the_same_answer(model):
    first, *_, last = answers(model, PROMPT, [*records(3), *records(1)], seed=0)
    assert first == last


def test_greedy_answers_are_computed_once_for_all_seeds(model, monkeypatch):
    asked, seeds = [], [0, 1, 2]
    whole = LanguageModel.completions
    monkeypatch.setattr(
        LanguageModel,
        "completions",
        lambda self, prompts, **given: asked.extend(prompts) or whole(self, prompts, **given),
    )
    greedy = replace(PROMPT, config=replace(DRAWN, temperature=0.0))
    found = score(model, greedy, records(3), metric="token F1", seeds=seeds)
    assert found.values.shape == (3, 3)
    assert len(asked) == 3
    assert score(model, greedy, records(3), metric="ROUGE-1", seeds=seeds).answers == found.answers
    assert len(asked) == 3, "what is known is not computed again"


def test_a_prompt_that_chooses_a_label_gives_the_likeliest(model):
    prompt = Prompt(kind="structured", context="Choose.", labels=("fox", "dog", "the"), config=DRAWN)
    asked = records(3)
    texts = [prompt.about(record.input_text).written(model) for record in asked]
    likeliest = score_labels(model, texts, [" fox", " dog", " the"]).argmax(axis=1)
    assert answers(model, prompt, asked, seed=0) == [prompt.labels[n] for n in likeliest]


def test_an_endpoint_answers_as_the_model_itself_also_to_a_conversation(model):
    chat = Prompt(kind="structured", as_chat=True, config=DRAWN, responses=2, test_input="fox")
    with serving(new_endpoint(model)) as served:
        there = load_model(f"{served.url}#tiny")
        for prompt in (PROMPT, chat):
            assert answers(there, prompt, records(3), seed=2) == answers(model, prompt, records(3), seed=2)
        assert own_answers(there, chat) == own_answers(model, chat)


def made(values: list[list[float]]) -> Scores:
    return Scores("chrF", (), np.array(values))


def test_gain_and_win_rate_are_paired():
    baseline, ours = made([[0.0, 0.5, 1.0, 0.2]]), made([[0.1, 0.6, 1.0, 0.1]])
    assert ours.gain(baseline).mean == pytest.approx(0.025)
    assert ours.gain(baseline).low < 0 < ours.gain(baseline).high
    assert ours.win_rate(baseline).mean == pytest.approx((1 + 1 + 0.5 + 0) / 4)
    assert ours.ties(baseline) == 0.25
    better = made([[0.2, 0.7, 1.2, 0.4]])
    assert better.gain(baseline).low == pytest.approx(0.2), "a hard record counts on both sides"
    assert baseline.win_rate(baseline).mean == 0.5


def test_what_is_missing_is_said(model):
    with pytest.raises(DataError, match="no record"):
        score(model, PROMPT, [], metric="chrF", seeds=[0])
    with pytest.raises(DataError, match="no seed"):
        score(model, PROMPT, records(1), metric="chrF", seeds=[])
    with pytest.raises(UnsupportedSetting, match="BLEU"):
        score(model, PROMPT, records(1), metric="BLEU", seeds=[0])
    with pytest.raises(DataError, match="{input}"):
        score(model, Prompt(text="no place"), records(1), metric="chrF", seeds=[0])
