"""Label scores, draws, curves, ROUGE: against slow reference computations."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.tokenizers import DefaultTokenizer

from utils.adapters.dial import dial_curve, label_probabilities
from utils.datasets.dialogues import load_dialogues
from utils.datasets.records import TextToText, as_records
from utils.datasets.reviews import LABELS, Review, load_reviews
from utils.datasets.splits import SPLITS
from utils.errors import DataError, TooManyShots, UnknownLabel, UnsupportedSetting
from utils.evaluation.answers import answer_logits
from utils.evaluation.classification import (
    ClassificationTask,
    Run,
    draw_examples,
    gain,
    predict_labels,
    run_task,
    score_labels,
    shots_curve,
)
from utils.evaluation.completions import complete, first_line
from utils.evaluation.influence import by_last_label, label_log_probability, leave_one_out
from utils.evaluation.intervals import bootstrap
from utils.evaluation.summaries import Words, rouge, summarize
from utils.evaluation.workbench import Asked, make_bench
from utils.experiments.query_costs import seconds_a_query
from utils.prompts.templates import PLAIN, REVIEWS, build_prompt
from utils.registry.versions import compare
from utils.training.linter import lint
from utils.training.tasks import text_to_label

PREFIX = "A beginning that all prompts share. "
PROMPTS = [PREFIX + text for text in ("abc: ", "a longer one: ", "x: ", "The end of it all: ")]
TRAIN = tuple(Review(f"text {n} of many", LABELS[n % 2], 2.0) for n in range(12))
TEST = tuple(Review(f"another text, {n}", LABELS[n % 2], 2.0) for n in range(5))
TASK = ClassificationTask("Good or bad?", LABELS, TRAIN, TEST)


def reference_score(model, prompt: str, label: str) -> float:
    """The label's log-probability by one full forward pass a token, nothing shared."""
    ids, target = model.encode(prompt), model.tokenizer(label, add_special_tokens=False)["input_ids"]
    total = 0.0
    for k, token in enumerate(target):
        with torch.inference_mode():
            if model.is_encoder_decoder:
                decoder = torch.tensor([[model.decoder_start, *target[:k]]])
                logits = model.model(torch.tensor([ids]), decoder_input_ids=decoder).logits[0, -1]
            else:
                logits = model.model(torch.tensor([ids + target[:k]])).logits[0, -1]
        total += float(logits.log_softmax(-1)[token])
    return total


@pytest.mark.parametrize("labels", [("a", "b"), ("good", "bad", "go")])
def test_scores_equal_one_full_prompt_at_a_time(tiny, labels):
    expected = [[reference_score(tiny, prompt, label) for label in labels] for prompt in PROMPTS]
    np.testing.assert_allclose(score_labels(tiny, PROMPTS, labels), expected, atol=1e-3)


def test_scores_of_one_prompt_and_of_prompts_without_a_common_beginning(tiny):
    for prompts in (["one: "], ["abc: ", "xyz: "]):
        expected = [[reference_score(tiny, prompt, label) for label in LABELS] for prompt in prompts]
        np.testing.assert_allclose(score_labels(tiny, prompts, LABELS), expected, atol=1e-3)


def test_scores_on_the_course_model_equal_one_full_prompt_at_a_time(course_model):
    reviews, train = load_reviews("test")[:5], load_reviews("train")
    examples = draw_examples(train, 4, LABELS, seed=1)
    prompts = [build_prompt("", review.text, examples, REVIEWS) for review in reviews]
    expected = [[reference_score(course_model, prompt, f" {label}") for label in LABELS] for prompt in prompts]
    np.testing.assert_allclose(score_labels(course_model, prompts, [" negative", " positive"]), expected, atol=1e-3)


def test_a_warm_cache_gives_what_an_empty_one_gave(tiny, monkeypatch):
    cold = score_labels(tiny, PROMPTS, LABELS)
    monkeypatch.setattr("utils.evaluation.classification._score", lambda *_: pytest.fail("computed again"))
    np.testing.assert_array_equal(score_labels(tiny, PROMPTS, LABELS), cold)


def test_other_prompts_and_other_weights_are_computed_anew(tiny):
    cold = score_labels(tiny, PROMPTS, LABELS)
    assert not np.array_equal(score_labels(tiny, PROMPTS[::-1], LABELS), cold)
    weight = tiny.model.get_output_embeddings().weight
    kept = weight.detach().clone()
    with torch.no_grad():
        weight[-3:] += 0.3
        changed = score_labels(tiny, PROMPTS, LABELS)
        weight.copy_(kept)
    assert not np.array_equal(changed, cold)
    np.testing.assert_array_equal(score_labels(tiny, PROMPTS, LABELS), cold)


def test_a_result_that_cannot_be_kept_is_returned_all_the_same(tiny, monkeypatch, tmp_path):
    cold = score_labels(tiny, PROMPTS, LABELS)
    (tmp_path / "file").write_text("a file where the folder should be")
    monkeypatch.setenv("COURSE_RESULTS", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="could not be kept"):
        np.testing.assert_array_equal(score_labels(tiny, PROMPTS, LABELS), cold)


def test_no_prompts_have_no_scores(tiny):
    assert score_labels(tiny, [], LABELS).shape == (0, 2)


def test_the_gain_is_paired_text_by_text():
    runs = [Run(0, seed, ("positive",) * 4, correct) for seed, correct in enumerate([(True, True, True, False)] * 3)]
    base = [Run(0, 0, ("positive",) * 4, (True, False, True, False))]
    found = gain(runs, base)
    assert found.mean == 0.25 and 0 <= found.low <= found.high <= 1


def test_an_empty_label_is_refused(tiny):
    with pytest.raises(UnknownLabel, match="label is empty"):
        score_labels(tiny, PROMPTS, ["a", ""])


def test_a_label_outside_the_task_is_refused():
    with pytest.raises(UnknownLabel, match="'neutral' is not a label.*'negative', 'positive'"):
        ClassificationTask("", LABELS, TRAIN, (Review("so so", "neutral", 0.0),))


@pytest.mark.parametrize("shots", [0, 1, 2, 5, 8])
@pytest.mark.parametrize("alternate", [True, False])
def test_draws_are_balanced_repeatable_and_from_train(shots, alternate):
    drawn = draw_examples(TRAIN, shots, LABELS, seed=3, alternate=alternate)
    assert drawn == draw_examples(TRAIN, shots, LABELS, seed=3, alternate=alternate)
    assert len(set(drawn)) == len(drawn) == shots
    assert set(drawn) <= {review.example for review in TRAIN}
    labels = [example.output_text for example in drawn]
    assert abs(labels.count("positive") - labels.count("negative")) <= 1
    if alternate:
        assert all(a != b for a, b in pairwise(labels))


def test_seeds_draw_different_examples():
    assert len({tuple(draw_examples(TRAIN, 4, LABELS, seed=seed)) for seed in range(5)}) > 1


def test_more_shots_than_training_examples_is_refused(tiny):
    with pytest.raises(TooManyShots, match=r"13 shots need 7 .* there are 6"):
        draw_examples(TRAIN, 13, LABELS, seed=0)
    with pytest.raises(TooManyShots):
        shots_curve(tiny, TASK, shots=(0, 13))


def test_the_curve_has_a_run_for_each_number_and_seed_and_one_at_zero(tiny):
    curve = shots_curve(tiny, TASK, shots=(0, 2), seeds=(0, 1, 2))
    assert [(run.shots, run.seed) for run in curve.runs] == [(0, 0), (2, 0), (2, 1), (2, 2)]
    run = run_task(tiny, TASK, 2, seed=1)
    assert run == curve.runs[2]
    table = curve.table("positive")
    runs = curve.at(2)
    assert table.loc[2, "accuracy"] == round(np.mean([run.accuracy for run in runs]), 2)
    assert table.loc[2, "low"] <= table.loc[2, "worst seed"] <= table.loc[2, "best seed"] <= table.loc[2, "high"]
    assert table.loc[2, "says positive"] == round(np.mean([run.share("positive") for run in runs]), 2)


def test_a_run_counts_what_is_right(tiny):
    run = run_task(tiny, TASK, 2, seed=0)
    right = [said == review.label for said, review in zip(run.predictions, TEST, strict=True)]
    assert run.correct == tuple(right) and run.accuracy == np.mean(right)


def test_rouge_is_the_package_s_f_measure():
    scores = rouge(["the cat sat", "a dog"], ["the cat sat on the mat", "a dog"])
    assert scores["ROUGE-1"].mean == pytest.approx((2 * 1 * 0.5 / 1.5 + 1) / 2)
    assert set(scores) == {"ROUGE-1", "ROUGE-2", "ROUGE-L"}
    assert scores["ROUGE-1"].low <= scores["ROUGE-1"].mean <= scores["ROUGE-1"].high


LANGUAGES = {
    "Thai": "น้ำดีปีใหม่",
    "Nepali": "मेरो नेपाली भाषा।",
    "Chinese": "我爱北京。",
    "Japanese": "コーヒーを飲む",
    "Russian": "Привет, мир!",
    "German": "Größe und Grüße",
}


@pytest.mark.parametrize("text", LANGUAGES.values(), ids=LANGUAGES)
def test_a_text_in_any_language_is_like_itself_and_unlike_others(text):
    for kind, found in rouge([text], [text]).items():
        assert found.mean == 1, kind
    others = [other for other in LANGUAGES.values() if other != text]
    assert rouge([text] * len(others), others)["ROUGE-1"].mean == 0


def test_letters_with_marks_are_letters_of_their_own():
    assert rouge(["Größe"], ["Grüße"])["ROUGE-1"].mean == 0
    assert rouge(["cafe\u0301"], ["caf\u00e9"])["ROUGE-1"].mean == 1
    assert rouge(["我爱北京"], ["他爱上海"])["ROUGE-1"].mean == 1 / 4


def test_on_ascii_text_the_tokens_are_the_package_s_own():
    dialogues = [dialogue for split in SPLITS for dialogue in load_dialogues(split)]
    texts = [text for dialogue in dialogues for text in (dialogue.input_text, dialogue.output_text)]
    texts += [review.text for split in SPLITS for review in load_reviews(split)]
    texts += ["Don't stop_here: 3.14 O'Neil's 'x' a1b2 -- ...", "sing ings dying flies U.S.A. e-mails", "", " \t\n "]
    own, ours = DefaultTokenizer(use_stemmer=True), Words()
    assert len(texts) > 1000 and all(text.isascii() for text in texts)
    assert [ours.tokenize(text) for text in texts] == [own.tokenize(text) for text in texts]


@given(st.text(st.characters(codec="ascii")))
@settings(derandomize=True, deadline=None)
def test_on_any_ascii_text_the_tokens_are_the_package_s_own(text):
    assert Words().tokenize(text) == DefaultTokenizer(use_stemmer=True).tokenize(text)


NO_LISTS = [
    ("the cat", "are given in a list, .*'the cat' \\(str\\) was given"),
    (None, "are given in a list"),
    ({"a": 1}, "are given in a list"),
    (["a", None], "are texts; number 2 is None"),
    (["a", 3], "are texts; number 2 is 3"),
    (["a", float("nan")], "are texts; number 2 is nan"),
]


@pytest.mark.parametrize("given, said", NO_LISTS)
def test_a_bare_text_is_no_list_of_texts(tiny, given, said):
    calls = (
        lambda: rouge(given, ["a", "b"]),
        lambda: rouge(["a", "b"], given),
        lambda: complete(tiny, given, max_new_tokens=2),
        lambda: score_labels(tiny, given, LABELS),
        lambda: score_labels(tiny, PROMPTS, given),
        lambda: predict_labels(tiny, PROMPTS, given),
        lambda: draw_examples(TRAIN, 2, given, seed=0),
        lambda: answer_logits(tiny, given, ["a", "b"]),
        lambda: answer_logits(tiny, ["a", "b"], given),
        lambda: ClassificationTask("", given, TRAIN, TEST),
        lambda: text_to_label("a", given),
        lambda: label_probabilities(tiny, "a", given, 1),
        lambda: dial_curve(tiny, {"a": "a"}, given, [0, 1]),
        lambda: seconds_a_query(tiny, given),
        lambda: compare(given),
    )
    for call in calls:
        with pytest.raises(DataError, match=said):
            call()


@pytest.mark.parametrize(
    "given, said",
    [
        ("the cat", "are given in a list"),
        (None, "are given in a list"),
        (["the cat"], "[Nn]umber 1 of .* is 'the cat'"),
        ([None], "[Nn]umber 1 of .* is None"),
    ],
)
def test_a_bare_text_is_no_list_of_records(tiny, given, said):
    calls = (
        lambda: summarize(tiny, given, instruction=""),
        lambda: summarize(tiny, [("a", "b")], instruction="", examples=given),
        lambda: draw_examples(given, 2, LABELS, seed=0),
        lambda: ClassificationTask("", LABELS, given, TEST),
        lambda: ClassificationTask("", LABELS, TRAIN, given),
        lambda: by_last_label(tiny, TASK, given, TEST),
        lambda: label_log_probability(tiny, TASK, given, TEST),
        lambda: label_log_probability(tiny, TASK, [], given),
        lambda: leave_one_out(given),
        lambda: make_bench(tiny, given, [("a", "b")], {}),
        lambda: make_bench(tiny, [("a", "b")], given, {}),
        lambda: lint(given, model=tiny),
        lambda: lint([("a", "b")], given, model=tiny),
    )
    for call in calls:
        with pytest.raises(DataError, match=said):
            call()


def test_summaries_are_asked_of_records_pairs_and_dictionaries(tiny):
    records = [TextToText("a b", "c"), ("d e", "f"), {"input": "g h", "output": "i"}]
    asked = {"instruction": "Sum up.", "max_new_tokens": 3}
    assert summarize(tiny, records, examples=records[1:], **asked) == summarize(
        tiny, as_records(records), examples=[("d e", "f"), ("g h", "i")], **asked
    )


def test_a_task_takes_lists_and_keeps_them():
    task = ClassificationTask("", list(LABELS), iter(TRAIN), list(TEST))
    assert (task.labels, task.train, task.test) == (LABELS, TRAIN, TEST)


@pytest.mark.parametrize("labels", [[], ["a", "a"]])
def test_labels_are_one_or_more_and_no_two_the_same(tiny, labels):
    for call in (
        lambda: ClassificationTask("", labels, (), ()),
        lambda: draw_examples((), 0, labels, seed=0),
        lambda: score_labels(tiny, PROMPTS, labels),
    ):
        with pytest.raises(UnknownLabel, match="no two the same"):
            call()


@pytest.mark.parametrize("shots", [-1, 1.5, "2", None])
def test_shots_are_a_whole_number(tiny, shots):
    with pytest.raises(UnsupportedSetting, match="Shots are a whole number, 0 or more"):
        draw_examples(TRAIN, shots, LABELS, seed=0)
    with pytest.raises(UnsupportedSetting, match="Shots are a whole number, 0 or more"):
        shots_curve(tiny, TASK, shots=[0, shots])


def test_a_learner_s_own_records_make_a_workbench(tiny):
    bench = make_bench(tiny, [("a b\nc", "d")], [{"input": "e", "output": "f"}], {"plain": PLAIN})
    assert bench.names == ["1: a b"]
    assert bench.prompt(Asked(bench.queries[0], "Do.", 1, "plain")) == build_prompt("Do.", "a b\nc", [("e", "f")])


def test_what_there_is_none_of_is_said(tiny):
    with pytest.raises(DataError, match="no example to put in order"):
        by_last_label(tiny, TASK, [], TEST)
    with pytest.raises(DataError, match="no prompt to measure"):
        seconds_a_query(tiny, [])
    with pytest.raises(DataError, match="no query to ask about"):
        make_bench(tiny, [], [], {})


def test_rouge_of_lists_that_do_not_match_is_refused():
    for predictions, references in ((["a"], ["a", "b"]), ([], [])):
        with pytest.raises(DataError, match="two lists of the same length"):
            rouge(predictions, references)


def test_the_bootstrap_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(1)
    hits = 0
    for trial in range(200):
        interval = bootstrap(rng.normal(0.5, 0.2, size=40), seed=trial)
        hits += interval.low <= 0.5 <= interval.high
    assert 0.88 <= hits / 200 <= 0.99


def test_a_constant_has_an_interval_of_no_width():
    interval = bootstrap(np.full((3, 5), 0.25))
    assert (interval.mean, interval.low, interval.high) == (0.25, 0.25, 0.25)


def test_label_log_probabilities_are_normalised_over_the_labels(tiny):
    queries = TEST[:3]
    examples = draw_examples(TRAIN, 2, LABELS, seed=0)
    right = label_log_probability(tiny, TASK, examples, queries)
    wrong = label_log_probability(
        tiny, TASK, examples, [Review(q.text, LABELS[q.label == "negative"], 0.0) for q in queries]
    )
    np.testing.assert_allclose(np.exp(right) + np.exp(wrong), 1, atol=1e-6)


def test_orders_are_all_there_and_grouped_by_the_last_label(tiny):
    examples = draw_examples(TRAIN, 3, LABELS, seed=0)
    groups = by_last_label(tiny, TASK, examples, TEST[:2])
    labels = [example.output_text for example in examples]
    assert {name: len(found) for name, found in groups.items()} == {
        f"last is {label}": 2 * labels.count(label) for label in LABELS
    }


def test_leave_one_out_leaves_each_out_once():
    examples = draw_examples(TRAIN, 4, LABELS, seed=0)
    rest = leave_one_out(examples)
    assert [set(examples) - set(some) for some in rest] == [{example} for example in examples]


def test_first_line_skips_empty_lines():
    assert first_line("\n\n  A summary. \nMore.") == "A summary."
    assert first_line("\n ") == ""
