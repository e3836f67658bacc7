"""What each example of a prompt, and their order, adds to the right answer."""

from collections.abc import Sequence
from itertools import permutations
from math import factorial

import numpy as np

from utils.datasets.reviews import Review
from utils.errors import DataError
from utils.evaluation.classification import ClassificationTask, check_label, check_reviews, score_labels
from utils.models.language_model import LanguageModel
from utils.progress import progress
from utils.prompts.templates import Example, as_examples, build_prompt
from utils.storage.results import keeping


def label_log_probability(
    model: LanguageModel, task: ClassificationTask, examples: Sequence[Example], queries: Sequence[Review]
) -> np.ndarray:
    """Return the log-probability of each query's right label behind these examples: shape (queries,).

    The labels' probabilities are normalised to sum to one, so that the number says how
    sure the model is between the labels and not how likely any label is.
    """
    examples, queries = as_examples(examples), check_reviews(queries, "the queries")
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
    examples = as_examples(examples)
    if not examples:
        raise DataError("There is no example to put in order: give at least one.")
    for example in examples:
        check_label(example.output_text, task.labels)
    found: dict[str, list[float]] = {f"last is {label}": [] for label in task.labels}
    number = factorial(len(examples))
    for order in progress(permutations(examples), "Trying orders of the examples", total=number):
        with keeping():
            mean = label_log_probability(model, task, order, queries).mean()
        found[f"last is {order[-1].output_text}"].append(float(mean))
    return found


def leave_one_out(examples: Sequence[Example]) -> list[list[Example]]:
    """Return the lists that remain when each example in turn is left out."""
    examples = as_examples(examples)
    return [[*examples[:i], *examples[i + 1 :]] for i in range(len(examples))]
