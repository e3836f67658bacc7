"""Measure prompts: label scores, accuracy over shots, ROUGE, and what each example adds.

Expensive answers are kept on disk (`utils.results`); every random choice has a seed.
"""

import random
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
from rouge_score.rouge_scorer import RougeScorer

from utils.datasets import Review, TextToText
from utils.errors import DataError, TooManyShots, UnknownLabel
from utils.forcing import continuation_ids, forced_logits
from utils.models import LanguageModel
from utils.prompts import DIALOGUES, REVIEWS, Example, Template, build_prompt
from utils.results import remembered

ROUGE_KINDS = ("rouge1", "rouge2", "rougeL")
RESAMPLES = 1000


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class ClassificationTask:
    """Choosing one of a few labels for a text, by prompt.

    train: where examples are drawn from; test: what is measured; template: how the parts
    become a prompt.
    """

    instruction: str
    labels: tuple[str, ...]
    train: tuple[Review, ...]
    test: tuple[Review, ...]
    template: Template = REVIEWS

    def __post_init__(self) -> None:
        for review in (*self.train, *self.test):
            check_label(review.label, self.labels)


@dataclass(frozen=True)
class Run:
    """One prompt configuration, measured on every test text.

    predictions: one label a test text; correct: whether it is the right one.
    """

    shots: int
    seed: int
    predictions: tuple[str, ...]
    correct: tuple[bool, ...]

    @property
    def accuracy(self) -> float:
        """Share of right predictions, 0 to 1."""
        return float(np.mean(self.correct))

    def share(self, label: str) -> float:
        """Share of the predictions that are `label`: far from the label's true share is a bias."""
        return self.predictions.count(label) / len(self.predictions)


@dataclass(frozen=True)
class ShotsCurve:
    """Accuracy against the number of examples, every number with several draws of examples."""

    runs: tuple[Run, ...]

    @property
    def shots(self) -> list[int]:
        """The numbers of examples measured, ascending."""
        return sorted({run.shots for run in self.runs})

    def at(self, shots: int) -> list[Run]:
        """Return the runs with this number of examples, one a seed."""
        return [run for run in self.runs if run.shots == shots]

    def table(self, label: str) -> pd.DataFrame:
        """Return `runs_table` with one row a number of shots."""
        return runs_table({shots: self.at(shots) for shots in self.shots}, label).rename_axis("shots")


def runs_table(groups: Mapping[Hashable, Sequence[Run]], label: str) -> pd.DataFrame:
    """Return one row a group of runs: accuracy, interval, worst and best seed, and two signs of bias.

    "says ..." is the mean share of `label` among the predictions; "most of one label" is
    the largest share that any one label has in any one run (1.00: always the same answer).
    """
    rows = []
    for runs in groups.values():
        interval, seeds = accuracy(runs), [run.accuracy for run in runs]
        share = np.mean([run.share(label) for run in runs])
        bias = max(run.share(said) for run in runs for said in run.predictions)
        rows.append((interval.mean, interval.low, interval.high, min(seeds), max(seeds), share, bias))
    columns = ["accuracy", "low", "high", "worst seed", "best seed", f"says {label}", "most of one label"]
    return pd.DataFrame(rows, index=list(groups), columns=columns).round(2)


def accuracy(runs: Sequence[Run]) -> Interval:
    """Return the mean accuracy of runs on the same texts, its interval over runs and texts."""
    return bootstrap(np.array([run.correct for run in runs], dtype=float))


def gain(runs: Sequence[Run], baseline: Sequence[Run]) -> Interval:
    """Return by how much the accuracy of runs is above that of a baseline on the same texts.

    Text by text, so that a hard text counts on both sides. baseline: one run, or as many as `runs`.
    """
    ours, theirs = (np.array([run.correct for run in some], dtype=float) for some in (runs, baseline))
    return bootstrap(ours - theirs)


def interval_table(intervals: Mapping[str, Interval]) -> pd.DataFrame:
    """Return one row a name with the columns mean, low and high, to two digits."""
    return pd.DataFrame({name: vars(interval) for name, interval in intervals.items()}).T.round(2)


def spread_table(groups: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """Return one row a group with how many values it has, the least, the mean and the greatest."""
    rows = [(len(values), min(values), np.mean(values), max(values)) for values in groups.values()]
    return pd.DataFrame(rows, index=list(groups), columns=["count", "lowest", "mean", "highest"]).round(2)


def bootstrap(values: np.ndarray, *, seed: int = 0) -> Interval:
    """Return the mean of `values` with its 95 % percentile bootstrap interval.

    values: shape (items,), or (seeds, items), of which both axes are then resampled.
    """
    table = np.atleast_2d(values)
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, table.shape[0], (RESAMPLES, table.shape[0]))
    columns = rng.integers(0, table.shape[1], (RESAMPLES, table.shape[1]))
    means = [table[np.ix_(r, c)].mean() for r, c in zip(rows, columns, strict=True)]
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(table.mean()), float(low), float(high))


def complete(model: LanguageModel, prompts: Sequence[str], **config: Any) -> list[str]:
    """Return `model.generate(prompts, **config)`, kept on disk."""
    question = {"complete": list(prompts), "model": model.fingerprint, "config": config}
    return remembered(question, lambda: model.generate(list(prompts), **config))


def score_labels(model: LanguageModel, prompts: Sequence[str], labels: Sequence[str]) -> np.ndarray:
    """Return the log-probability of each label as the completion of each prompt.

    labels: completions as they stand behind the prompt (`template.completion(label)`),
    of one token or more. Returns shape (prompts, labels), natural logarithm. The prompts'
    common beginning is computed once. Raises EmptyPrompt, ContextWindowExceeded, UnknownLabel.
    """
    if not prompts:
        return np.zeros((0, len(labels)))
    targets = [_label_ids(model, prompts[0], label) for label in labels]
    for prompt in prompts:
        model.check_window(prompt, max_new_tokens=max(map(len, targets)))
    question = {"score": list(prompts), "labels": list(labels), "model": model.fingerprint}
    return np.array(remembered(question, lambda: _score(model, prompts, targets)))


def predict_labels(model: LanguageModel, prompts: Sequence[str], labels: Sequence[str]) -> list[int]:
    """Return the index of the likelier label for each prompt."""
    return score_labels(model, prompts, labels).argmax(axis=1).tolist()


def draw_examples(
    train: Sequence[Review], shots: int, labels: Sequence[str], *, seed: int, alternate: bool = True
) -> list[Example]:
    """Return `shots` examples out of `train`, as equal in number by label as can be.

    alternate: the labels take turns, which keeps a model from repeating the last label it
    saw; False mixes them. The same seed draws the same examples. Raises TooManyShots.
    """
    rng = random.Random(f"{seed} {shots}")
    order = rng.sample(list(labels), len(labels))
    drawn = []
    for turn, label in enumerate(order):
        wanted = len(range(turn, shots, len(order)))
        candidates = [review.example for review in train if review.label == label]
        if wanted > len(candidates):
            raise TooManyShots(
                f"{shots} shots need {wanted} training examples labelled {label!r}, and there are {len(candidates)}: "
                "ask for fewer shots or give more training data."
            )
        drawn.append(rng.sample(candidates, wanted))
    if not alternate:
        return rng.sample([example for examples in drawn for example in examples], shots)
    return [drawn[n % len(order)][n // len(order)] for n in range(shots)]


def shots_curve(
    model: LanguageModel,
    task: ClassificationTask,
    shots: Sequence[int] = (0, 1, 2, 4, 8, 16),
    seeds: Sequence[int] = (0, 1, 2),
) -> ShotsCurve:
    """Return the accuracy of a task's prompts with 0 and more examples, drawn anew for each seed.

    Without examples there is nothing to draw, so 0 shots run once. Raises TooManyShots.
    """
    draws = [(n, seed) for n in shots for seed in (seeds if n else seeds[:1])]
    for n, seed in draws:
        draw_examples(task.train, n, task.labels, seed=seed)
    return ShotsCurve(tuple(run_task(model, task, n, seed=seed) for n, seed in draws))


def run_task(model: LanguageModel, task: ClassificationTask, shots: int, *, seed: int, alternate: bool = True) -> Run:
    """Return one run: every test text behind the same examples, drawn as `draw_examples` does."""
    examples = draw_examples(task.train, shots, task.labels, seed=seed, alternate=alternate)
    prompts = [build_prompt(task.instruction, review.text, examples, task.template) for review in task.test]
    chosen = predict_labels(model, prompts, [task.template.completion(label) for label in task.labels])
    predictions = tuple(task.labels[index] for index in chosen)
    correct = tuple(p == review.label for p, review in zip(predictions, task.test, strict=True))
    return Run(shots, seed, predictions, correct)


def check_label(label: str, labels: Sequence[str]) -> None:
    """Raise UnknownLabel unless `label` is one of `labels`."""
    if label not in labels:
        raise UnknownLabel(f"{label!r} is not a label of this task: take one of {', '.join(map(repr, labels))}.")


def rouge(predictions: Sequence[str], references: Sequence[str]) -> dict[str, Interval]:
    """Return ROUGE-1, ROUGE-2 and ROUGE-L (F-measure, stemmed, 0 to 1) with intervals over the texts.

    Computed by the package rouge-score. Source: C.-Y. Lin, "ROUGE", 2004. Raises DataError
    when the two lists differ in length or are empty.
    """
    scores = rouge_scores(predictions, references)
    return {kind: bootstrap(scores[kind]) for kind in ROUGE_KINDS}


def rouge_scores(predictions: Sequence[str], references: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the ROUGE F-measures text by text, each of shape (texts,)."""
    if len(predictions) != len(references) or not predictions:
        raise DataError(
            f"ROUGE compares each prediction with one reference, and got {len(predictions)} predictions "
            f"for {len(references)} references: give two lists of the same length."
        )
    scorer = RougeScorer(ROUGE_KINDS, use_stemmer=True)
    scores = [scorer.score(reference, text) for text, reference in zip(predictions, references, strict=True)]
    return {kind: np.array([score[kind].fmeasure for score in scores]) for kind in ROUGE_KINDS}


def summarize(
    model: LanguageModel,
    records: Sequence[TextToText],
    *,
    instruction: str,
    examples: Sequence[Example] = (),
    template: Template = DIALOGUES,
    max_new_tokens: int = 40,
) -> list[str]:
    """Return the first line of the greedy completion of the same kind of prompt for every record."""
    prompts = [build_prompt(instruction, record.input_text, examples, template) for record in records]
    return [first_line(text) for text in complete(model, prompts, max_new_tokens=max_new_tokens)]


def first_line(completion: str) -> str:
    """Return the first line with text in it; a model without a stop goes on after its answer."""
    return next(iter(completion.strip().splitlines()), "").strip()


def label_log_probability(
    model: LanguageModel, task: ClassificationTask, examples: Sequence[Example], queries: Sequence[Review]
) -> np.ndarray:
    """Return the log-probability of each query's right label behind these examples: shape (queries,).

    The labels' probabilities are normalised to sum to one, so that the number says how
    sure the model is between the labels and not how likely any label is.
    """
    for query in queries:
        check_label(query.label, task.labels)
    prompts = [build_prompt(task.instruction, query.text, examples, task.template) for query in queries]
    scores = score_labels(model, prompts, [task.template.completion(label) for label in task.labels])
    normalised = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
    return normalised[np.arange(len(queries)), [task.labels.index(query.label) for query in queries]]


def by_last_label(
    model: LanguageModel, task: ClassificationTask, examples: Sequence[Example], queries: Sequence[Review]
) -> dict[str, list[float]]:
    """Return the mean log-probability of the queries' right labels for each order of the examples.

    The orders are grouped by the label of the last example: "last is positive", ...
    """
    for example in examples:
        check_label(example.output_text, task.labels)
    found: dict[str, list[float]] = {f"last is {label}": [] for label in task.labels}
    for order in permutations(examples):
        mean = label_log_probability(model, task, order, queries).mean()
        found[f"last is {order[-1].output_text}"].append(float(mean))
    return found


def leave_one_out(examples: Sequence[Example]) -> list[list[Example]]:
    """Return the lists that remain when each example in turn is left out."""
    return [[*examples[:i], *examples[i + 1 :]] for i in range(len(examples))]


def _label_ids(model: LanguageModel, prompt: str, label: str) -> list[int]:
    """Return a label's tokens as they are behind a prompt."""
    if not label.strip():
        raise UnknownLabel("A label is empty: give every label at least one character.")
    return continuation_ids(model, prompt, label)


def _score(model: LanguageModel, prompts: Sequence[str], targets: list[list[int]]) -> list[list[float]]:
    """Score the targets' tokens; rows that are the same but for the target's last token run once."""
    prompt_ids = [model.encode(prompt) for prompt in prompts]
    rows = {(p, tuple(target[:-1])): None for p in range(len(prompts)) for target in targets}
    logits = forced_logits(model, [(prompt_ids[p], list(begun)) for p, begun in rows])
    log_probabilities = dict(zip(rows, (row.log_softmax(-1) for row in logits), strict=True))
    return [
        [
            sum(float(log_probabilities[p, tuple(target[:-1])][k, token]) for k, token in enumerate(target))
            for target in targets
        ]
        for p in range(len(prompts))
    ]
