"""Summaries by prompt, and ROUGE."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from nltk.stem.porter import PorterStemmer
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import Tokenizer

from utils.arguments import texts
from utils.datasets.records import as_records
from utils.errors import DataError
from utils.evaluation.completions import complete, first_line
from utils.evaluation.intervals import Interval, bootstrap
from utils.models.language_model import LanguageModel
from utils.prompts.templates import DIALOGUES, Template, as_examples, build_prompt
from utils.words import words

ROUGE_KINDS = {"ROUGE-1": "rouge1", "ROUGE-2": "rouge2", "ROUGE-L": "rougeL"}
"""By the names of the course, those of the package rouge-score."""

STEMMED = 4
"""Letters of the shortest word that is stemmed, as in the package rouge-score."""


class Words(Tokenizer):
    """Words of any language, stemmed: on ASCII text the tokens of the package's own tokenizer, which knows no other."""

    def __init__(self) -> None:
        self.stem = PorterStemmer().stem

    def tokenize(self, text: str) -> list[str]:
        """Return the words of a text, those of four letters or more without their English ending."""
        return [self.stem(word) if len(word) >= STEMMED else word for word in words(text, apostrophes=False)]


def rouge(predictions: Sequence[str], references: Sequence[str]) -> dict[str, Interval]:
    """Return ROUGE-1, ROUGE-2 and ROUGE-L (F-measure, stemmed, 0 to 1) with intervals over the texts.

    Computed by the package rouge-score from the words of `utils.words`, in any language; a text without words scores
    0. Source: C.-Y. Lin, "ROUGE", 2004. Raises DataError when the two lists differ in length, are empty or no lists.
    """
    scores = rouge_scores(predictions, references)
    return {kind: bootstrap(scores[kind]) for kind in ROUGE_KINDS}


def rouge_scores(predictions: Sequence[str], references: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the ROUGE F-measures text by text, each of shape (texts,)."""
    predictions, references = texts(predictions, "the predictions"), texts(references, "the references")
    if len(predictions) != len(references) or not predictions:
        raise DataError(
            f"ROUGE compares each prediction with one reference, and got {len(predictions)} predictions "
            f"for {len(references)} references: give two lists of the same length."
        )
    scorer = RougeScorer(list(ROUGE_KINDS.values()), tokenizer=Words())
    scores = [scorer.score(reference, text) for text, reference in zip(predictions, references, strict=True)]
    return {kind: np.array([score[name].fmeasure for score in scores]) for kind, name in ROUGE_KINDS.items()}


def summarize(
    model: LanguageModel,
    records: Sequence[Any],
    *,
    instruction: str,
    examples: Sequence[Any] = (),
    template: Template = DIALOGUES,
    max_new_tokens: int = 40,
) -> list[str]:
    """Return the first line of the greedy completion of the same kind of prompt for every record.

    records: what `as_records` takes; examples: what `as_example` takes. Raises DataError.
    """
    shown, asked = as_examples(examples), as_records(records)
    prompts = [build_prompt(instruction, record.input_text, shown, template) for record in asked]
    return [first_line(text) for text in complete(model, prompts, max_new_tokens=max_new_tokens)]
