"""Choose a label by prompt: log-probabilities of labels, accuracy and bias over shots.

Expensive answers are kept on disk (`utils.storage.results`); every random choice has a seed.
"""

import random
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from utils.arguments import a_list, texts, whole_number
from utils.datasets.reviews import Review
from utils.errors import DataError, TooManyShots, UnknownLabel
from utils.evaluation.intervals import Interval, bootstrap
from utils.models.forcing import continuation_ids, forced_logits
from utils.models.language_model import LanguageModel
from utils.progress import progress
from utils.prompts.templates import REVIEWS, Example, Template, build_prompt
from utils.storage.results import keeping, remembered_each


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
        object.__setattr__(self, "labels", check_labels(self.labels))
        object.__setattr__(self, "train", check_reviews(self.train, "the training reviews"))
        object.__setattr__(self, "test", check_reviews(self.test, "the test reviews"))
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


def score_labels(model: LanguageModel, prompts: Sequence[str], labels: Sequence[str]) -> np.ndarray:
    """Return the log-probability of each label as the completion of each prompt.

    labels: completions as they stand behind the prompt (`template.completion(label)`),
    of one token or more. Returns shape (prompts, labels), natural logarithm. The prompts'
    common beginning is computed once. Raises EmptyPrompt, ContextWindowExceeded, UnknownLabel.
    """
    prompts, labels = texts(prompts, "the prompts"), check_labels(labels)
    if not prompts:
        return np.zeros((0, len(labels)))
    targets = [_label_ids(model, prompts[0], label) for label in labels]
    for prompt in prompts:
        model.check_window(prompt, max_new_tokens=max(map(len, targets)))
    question = {"score": prompts, "labels": list(labels), "model": model.fingerprint}
    score = lambda missing: _score(model, prompts, targets, first=missing[0])  # noqa: E731
    return np.array(remembered_each(question, len(prompts), score, "Scoring prompts"))


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
    train, labels = check_reviews(train, "the training reviews"), check_labels(labels)
    shots = whole_number(shots, "shots are a whole number, 0 or more", least=0)
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
    shots, seeds = a_list(shots, "shots"), a_list(seeds, "seeds")
    draws = [(n, seed) for n in shots for seed in (seeds if n else seeds[:1])]
    for n, seed in draws:
        draw_examples(task.train, n, task.labels, seed=seed)
    runs = []
    for n, seed in progress(draws, "Measuring prompts with more and more examples"):
        with keeping():
            runs.append(run_task(model, task, n, seed=seed))
    return ShotsCurve(tuple(runs))


def run_task(model: LanguageModel, task: ClassificationTask, shots: int, *, seed: int, alternate: bool = True) -> Run:
    """Return one run: every test text behind the same examples, drawn as `draw_examples` does."""
    examples = draw_examples(task.train, shots, task.labels, seed=seed, alternate=alternate)
    prompts = [build_prompt(task.instruction, review.text, examples, task.template) for review in task.test]
    chosen = predict_labels(model, prompts, [task.template.completion(label) for label in task.labels])
    predictions = tuple(task.labels[index] for index in chosen)
    correct = tuple(p == review.label for p, review in zip(predictions, task.test, strict=True))
    return Run(shots, seed, predictions, correct)


def check_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Return labels, one or more and no two the same. Raises UnknownLabel, and DataError for what is no list."""
    found = tuple(texts(labels, "the labels"))
    if not found or len(set(found)) < len(found):
        raise UnknownLabel(f"Labels are one or more, no two the same; {list(found)!r} were given.")
    return found


def check_reviews(reviews: Sequence[Review], what: str) -> tuple[Review, ...]:
    """Return reviews as a tuple. Raises DataError naming the number of the first that is none."""
    found = a_list(reviews, what)
    wrong = [n for n, review in enumerate(found, 1) if not isinstance(review, Review)]
    if wrong:
        shown = f"{found[wrong[0] - 1]!r:.80}"
        raise DataError(f"Number {wrong[0]} of {what} is {shown}: give Review(text, label, rating).")
    return tuple(found)


def check_label(label: str, labels: Sequence[str]) -> None:
    """Raise UnknownLabel unless `label` is one of `labels`."""
    if label not in labels:
        raise UnknownLabel(f"{label!r} is not a label of this task: take one of {', '.join(map(repr, labels))}.")


def _label_ids(model: LanguageModel, prompt: str, label: str) -> list[int]:
    """Return a label's tokens as they are behind a prompt."""
    if not label.strip():
        raise UnknownLabel("A label is empty: give every label at least one character.")
    return continuation_ids(model, prompt, label)


def _score(
    model: LanguageModel, prompts: Sequence[str], targets: list[list[int]], *, first: int
) -> Iterator[tuple[int, list[float]]]:
    """Yield each prompt's number, from `first` on, and the targets' log-probabilities behind it.

    Rows that are the same but for the target's last token run once.
    """
    begun = list(dict.fromkeys(tuple(target[:-1]) for target in targets))
    rows = [(ids, list(some)) for ids in map(model.encode, prompts) for some in begun]
    logits = forced_logits(model, rows, first=first * len(begun))
    for number in range(first, len(prompts)):
        found = {some: next(logits).log_softmax(-1) for some in begun}
        yield (
            number,
            [sum(float(found[tuple(target[:-1])][k, token]) for k, token in enumerate(target)) for target in targets],
        )
