"""The course's own four tasks, for any model: reviews, questions, dialogues, and bits per byte of held-out text."""

import os
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import numpy as np

from utils.datasets.dialogues import load_dialogues
from utils.datasets.questions import load_questions
from utils.datasets.reviews import LABELS, load_reviews
from utils.datasets.splits import check_name
from utils.evaluation.classification import ClassificationTask, run_task
from utils.evaluation.completions import complete, first_line
from utils.evaluation.intervals import Interval, bootstrap
from utils.evaluation.summaries import rouge_scores, summarize
from utils.models.forcing import continuation_bits
from utils.models.language_model import LanguageModel
from utils.prompts.templates import PlainTemplate, build_prompt
from utils.storage.results import code_hash, remembered
from utils.training.tasks import CLASSIFY, SUMMARIZE

DIALOGUES, SHOTS = 16, 3
"""How many test dialogues are summarized, and how many training dialogues stand before them, as in Lab 1."""

QUESTION = PlainTemplate("Question", "Answer")
ANSWER_TOKENS = 12
OPENING = "#Person1#:"
"""What every dialogue begins with: given to the model and not scored."""

Answers = list[Any]


@dataclass(frozen=True)
class Measure:
    """One number of the ladder.

    answers: (model, seed, items) to one answer an item, of the first `items`, all of them when None.
    scores: what answers are worth, one number each, or what `interval` takes. seeds: with each, examples are drawn
    anew. interval: from scores of shape (seeds, items, ...) to their mean and its 95 % interval.
    """

    name: str
    unit: str
    answers: Callable[[LanguageModel, int, int | None], Answers]
    scores: Callable[[Answers], np.ndarray]
    seeds: tuple[int, ...] = (0,)
    interval: Callable[[np.ndarray], Interval] = bootstrap

    def value(self, answers: Sequence[Answers]) -> Interval:
        """Return the mean score with its 95 % interval over seeds and items; answers: one list a seed."""
        return self.interval(np.array([self.scores(some) for some in answers]))


def label_reviews(model: LanguageModel, seed: int, items: int | None, *, shots: int) -> Answers:
    """Return the likelier label of each test review, behind `shots` training reviews."""
    train, test = tuple(load_reviews("train")), tuple(load_reviews("test")[:items])
    return list(run_task(model, ClassificationTask(CLASSIFY, LABELS, train, test), shots, seed=seed).predictions)


def answer_questions(model: LanguageModel, seed: int, items: int | None) -> Answers:
    """Return the first line of the greedy answer to each test question, behind the eight training questions."""
    examples = [question.example for question in load_questions("train")]
    asked = load_questions("test")[:items]
    prompts = [build_prompt("", question.input_text, examples, QUESTION) for question in asked]
    return [first_line(text) for text in complete(model, prompts, max_new_tokens=ANSWER_TOKENS, stop="\n")]


def summarize_dialogues(model: LanguageModel, seed: int, items: int | None, *, shots: int) -> Answers:
    """Return the first line of the greedy summary of each of the first test dialogues."""
    examples = [dialogue.example for dialogue in load_dialogues("train")[:shots]]
    return summarize(model, load_dialogues("test")[:DIALOGUES][:items], instruction=SUMMARIZE, examples=examples)


def read_held_out(model: LanguageModel, seed: int, items: int | None) -> Answers:
    """Return the bits per byte of each test dialogue with its summary, texts that no model was trained on.

    The model's cross-entropy on its own tokens in bits, summed, divided by the text's bytes in UTF-8: models with
    different tokenizers are comparable. Every text begins with "#Person1#:"; that much is the prompt and is not
    counted, so that a model needs no token that begins a text, and an encoder has something to read. Raises
    DataError for a tokenizer that does not give the text back.
    """
    texts = [f"{item.input_text}\n{item.output_text}".removeprefix(OPENING) for item in load_dialogues("test")[:items]]
    bits = continuation_bits(model, [(OPENING, text) for text in texts])
    return [round(some / len(text.encode()), 4) for some, text in zip(bits, texts, strict=True)]


def right_labels(said: Answers) -> np.ndarray:
    """Return 1 for each test review's right label, else 0."""
    return np.array([label == item.label for label, item in zip(said, load_reviews("test"), strict=False)], float)


def right_answers(said: Answers) -> np.ndarray:
    """Return 1 for each test question's answer that is right to the letter, else 0."""
    items = load_questions("test")
    return np.array([text == item.output_text for text, item in zip(said, items, strict=False)], float)


def summary_scores(said: Answers) -> np.ndarray:
    """Return the ROUGE-1 F-measure of each summary."""
    return rouge_scores(said, [item.output_text for item in load_dialogues("test")[: len(said)]])["ROUGE-1"]


MEASURES = (
    Measure("reviews, 0 shots", "accuracy", partial(label_reviews, shots=0), right_labels),
    Measure("reviews, 8 shots", "accuracy", partial(label_reviews, shots=8), right_labels, seeds=(0, 1, 2)),
    Measure("questions", "exact answers", answer_questions, right_answers),
    Measure("dialogues, 0 shots", "ROUGE-1", partial(summarize_dialogues, shots=0), summary_scores),
    Measure("dialogues, 3 shots", "ROUGE-1", partial(summarize_dialogues, shots=SHOTS), summary_scores),
    Measure("held-out text", "bits per byte", read_held_out, np.array),
)


def evaluate(model: LanguageModel, name: str) -> Interval:
    """Return one of MEASURES, by its name, with its 95 % interval: computed now, whatever is kept. Raises DataError."""
    known = {measure.name: measure for measure in MEASURES}
    check_name(name, tuple(known), "measure")
    with _nothing_remembered():
        return known[name].value([known[name].answers(model, seed, None) for seed in known[name].seeds])


def take(model: LanguageModel, measure: Measure, seed: int, items: int | None) -> dict[str, Any]:
    """Return the answers to one measure with one seed, with the seconds they took when they were computed."""

    def compute() -> dict[str, Any]:
        with _nothing_remembered():
            begun = time.perf_counter()
            answers = measure.answers(model, seed, items)
            return {"answers": answers, "seconds": time.perf_counter() - begun, "date": str(date.today())}

    code = code_hash(getattr(measure.answers, "func", measure.answers).__module__)
    question = {"ladder": measure.name, "code": code, "seed": seed, "items": items, "model": model.fingerprint}
    return remembered(question, compute)


@contextmanager
def _nothing_remembered() -> Generator[None]:
    """Let everything be computed: seconds are those of computing, not of reading what a lab has kept."""
    before = os.environ.get("COURSE_RESULTS")
    os.environ["COURSE_RESULTS"] = "off"
    try:
        yield
    finally:
        del os.environ["COURSE_RESULTS"]
        if before is not None:
            os.environ["COURSE_RESULTS"] = before
