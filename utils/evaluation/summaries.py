"""Summaries by prompt, and ROUGE."""

from collections.abc import Sequence

import numpy as np
from rouge_score.rouge_scorer import RougeScorer

from utils.datasets.records import TextToText
from utils.errors import DataError
from utils.evaluation.completions import complete, first_line
from utils.evaluation.intervals import Interval, bootstrap
from utils.models.language_model import LanguageModel
from utils.prompts.templates import DIALOGUES, Example, Template, build_prompt

ROUGE_KINDS = ("rouge1", "rouge2", "rougeL")


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
