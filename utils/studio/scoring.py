"""How good a prompt's answers are: a metric from 0 to 1 for each record of a ground-truth file, at common seeds."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from utils.datasets.records import TextToText, completion_text
from utils.errors import DataError, UnsupportedSetting
from utils.evaluation.classification import score_labels
from utils.evaluation.intervals import Interval, bootstrap
from utils.evaluation.passages import exact_matches, token_f1
from utils.evaluation.summaries import rouge_scores
from utils.evaluation.translations import chrf_scores
from utils.logits.config import check_seeds
from utils.models.endpoints import EndpointModel
from utils.models.language_model import BATCH_SIZE, LanguageModel
from utils.studio.prompt import Prompt
from utils.studio.responses import respond

Metric = Callable[[Sequence[str], Sequence[str]], np.ndarray]
"""Takes answers and as many references; returns a number from 0 to 1 for each: shape (answers,)."""


def exact_match(answers: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """Return 1 where the answer has the reference's words, else 0; case, punctuation and articles do not count."""
    return exact_matches(_as_far_as(answers, references), references)


def label(answers: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """Return 1 where the first label that the answer names is the reference, else 0; the labels are the references."""
    labels = dict.fromkeys(references)
    named = [first_label(answer, list(labels)) for answer in answers]
    return np.array([one == other for one, other in zip(named, references, strict=True)], float)


def rouge_1(answers: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """Return the F1 of the stemmed words that the answer shares with the reference (ROUGE-1)."""
    return rouge_scores(_as_far_as(answers, references), references)["ROUGE-1"]


def chrf(answers: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """Return the F-score of the runs of 1 to 6 letters that the answer shares with the reference (chrF3)."""
    return chrf_scores(_as_far_as(answers, references), references)


def word_f1(answers: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """Return the F1 of the words that the answer shares with the reference; case and punctuation do not count."""
    return token_f1(_as_far_as(answers, references), references)


METRICS: Mapping[str, Metric] = {
    "exact match": exact_match,
    "label": label,
    "ROUGE-1": rouge_1,
    "chrF": chrf,
    "token F1": word_f1,
}
"""By name. But for labels, an answer is read as far as its reference goes: as many lines with text in them."""


@dataclass(frozen=True, eq=False)
class Scores:
    """A prompt's answers and what they are worth: values has shape (seeds, records), 0 to 1, as answers has."""

    metric: str
    answers: tuple[tuple[str, ...], ...]
    values: np.ndarray

    @property
    def interval(self) -> Interval:
        """The mean with its 95 % bootstrap interval over seeds and records."""
        return bootstrap(self.values)

    def gain(self, baseline: "Scores") -> Interval:
        """Return by how much the mean is above a baseline's, record by record and seed by seed, with its interval."""
        return bootstrap(self.values - baseline.values)

    def win_rate(self, baseline: "Scores") -> Interval:
        """Return the share of answers that score above a baseline's, ties counted half, with its interval."""
        return bootstrap((1 + np.sign(self.values - baseline.values)) / 2)

    def ties(self, baseline: "Scores") -> float:
        """Return the share of answers that score as a baseline's."""
        return float(np.mean(self.values == baseline.values))


def score(
    model: LanguageModel, prompt: Prompt, records: Sequence[TextToText], *, metric: str, seeds: Sequence[int]
) -> Scores:
    """Return a prompt's answers to every record's input at every seed, scored against the record's output.

    Without chance (temperature 0, or labels) they are computed once and hold for every seed. Raises DataError without
    records or seeds, UnsupportedSetting, EmptyPrompt, ContextWindowExceeded.
    """
    check_metric(metric)
    if not check_seeds(seeds):
        raise DataError("There is no seed to answer with: give at least one.")
    found = [answers(model, prompt, records, seed=seed) for seed in (seeds if is_drawn(prompt) else seeds[:1])]
    return scored(found, records, metric=metric, seeds=len(seeds))


def scored(found: Sequence[Sequence[str]], records: Sequence[TextToText], *, metric: str, seeds: int) -> Scores:
    """Return the scores of answers, one list a seed, or one list that holds for all seeds."""
    references = [record.output_text for record in records]
    rows = [(tuple(row), METRICS[metric](row, references)) for row in found]
    rows *= seeds // len(rows)
    return Scores(metric, tuple(row for row, _ in rows), np.array([values for _, values in rows]))


def check_metric(name: str) -> None:
    """Raise UnsupportedSetting unless there is a metric of that name."""
    if name not in METRICS:
        raise UnsupportedSetting(f"A metric is one of {', '.join(METRICS)}; {name!r} was given.")


def answers(model: LanguageModel, prompt: Prompt, records: Sequence[TextToText], *, seed: int) -> list[str]:
    """Return the prompt's answer to every record's input. Raises what `score` does."""
    return [answer for block in answer_blocks(model, prompt, records, seed=seed) for answer in block]


def answer_blocks(
    model: LanguageModel, prompt: Prompt, records: Sequence[TextToText], *, seed: int
) -> Iterator[list[str]]:
    """Yield the answers in blocks of `BATCH_SIZE` records, each kept on disk: what is known is not computed again.

    The same input gets the same answer. Raises what `score` does.
    """
    if not records:
        raise DataError("There is no record to answer: give at least one.")
    asked = [prompt.about(record.input_text) for record in records]
    if _is_chat_at_endpoint(model, prompt):
        config = replace(prompt.config, seed=seed)
        yield from (own_answers(model, replace(one, config=config, responses=1)) for one in asked)
        return
    texts = [one.written(model) for one in asked]
    for begun in range(0, len(texts), BATCH_SIZE):
        block = texts[begun : begun + BATCH_SIZE]
        different = list(dict.fromkeys(block))
        found = dict(zip(different, _answered(model, prompt, different, seed=seed), strict=True))
        yield [found[text] for text in block]


def _answered(model: LanguageModel, prompt: Prompt, texts: Sequence[str], *, seed: int) -> list[str]:
    if not prompt.labels:
        settings: dict[str, Any] = asdict(replace(prompt.config, seed=seed))
        return model.kept_completions(texts, **settings)
    as_they_stand = [completion_text(TextToText(texts[0], name)) for name in prompt.labels]
    return [prompt.labels[n] for n in score_labels(model, texts, as_they_stand).argmax(axis=1)]


def own_answers(model: LanguageModel, prompt: Prompt) -> list[str]:
    """Return the prompt's answers to its own input, one a seed. Raises what `score` does."""
    if _is_chat_at_endpoint(model, prompt):
        return [response.text for response in respond(model, prompt)]
    text = prompt.written(model)
    if is_drawn(prompt):
        return _answered(model, prompt, [text] * prompt.responses, seed=prompt.config.seed)
    return _answered(model, prompt, [text], seed=prompt.config.seed) * prompt.responses


def _is_chat_at_endpoint(model: LanguageModel, prompt: Prompt) -> bool:
    """Whether only the endpoint can write the prompt down: it has the chat template."""
    return isinstance(model, EndpointModel) and prompt.messages is not None and not prompt.labels


def is_drawn(prompt: Prompt) -> bool:
    """Whether another seed can give another answer."""
    return prompt.config.temperature > 0 and not prompt.labels


def first_label(answer: str, labels: Sequence[str]) -> str | None:
    """Return the label that an answer names first, the longer of two that begin there, None for none of them.

    Case does not count; a label of ASCII letters is a word of its own, others may have endings, as Korean words do.
    """
    longest_first = sorted(labels, key=len, reverse=True)
    found = re.search("|".join(map(_named, longest_first)), answer, re.IGNORECASE)
    return found and next(name for name in longest_first if re.fullmatch(re.escape(name), found[0], re.IGNORECASE))


def _named(name: str) -> str:
    return rf"(?<!\w){re.escape(name)}(?!\w)" if name.isascii() else re.escape(name)


def _as_far_as(answers: Sequence[str], references: Sequence[str]) -> list[str]:
    """Return of each answer as many lines with text as its reference has: without a stop a model goes on."""
    pairs = zip(answers, references, strict=True)
    return ["\n".join(_lines(answer)[: len(_lines(reference))]) for answer, reference in pairs]


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
