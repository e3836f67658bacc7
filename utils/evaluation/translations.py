"""Translations by prompt, and chrF."""

from collections.abc import Sequence

import numpy as np
from nltk.translate.chrf_score import sentence_chrf

from utils.arguments import texts
from utils.datasets.uses import Translation, load_translations
from utils.errors import DataError
from utils.evaluation.completions import complete, first_line
from utils.evaluation.intervals import Interval, bootstrap
from utils.models.language_model import LanguageModel
from utils.prompts.templates import PlainTemplate, build_prompt


def translate(model: LanguageModel, sentences: Sequence[Translation], *, max_new_tokens: int = 24) -> list[str]:
    """Return the greedy translation of each English sentence, behind the three training sentences of its language."""
    prompts = [
        build_prompt(
            "",
            sentence.input_text,
            [item.example for item in load_translations("train", sentence.language)],
            PlainTemplate("English", sentence.language),
        )
        for sentence in sentences
    ]
    return [first_line(text) for text in complete(model, prompts, max_new_tokens=max_new_tokens, stop="\n")]


def chrf(predictions: Sequence[str], references: Sequence[str]) -> Interval:
    """Return the mean chrF3, 0 to 1, of translations with its 95 % interval over the sentences.

    The mean F-measure of the n-grams of 1, 2, ... 6 letters that a translation and its reference share, recall counting
    three times, spaces left out; computed by nltk, with which a text of fewer than six letters cannot reach 1. Source:
    M. Popović, "chrF", WMT 2015. Raises DataError.
    """
    return bootstrap(chrf_scores(predictions, references))


def chrf_scores(predictions: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """Return the chrF3 of each translation, shape (sentences,); an empty one scores 0."""
    predictions, references = texts(predictions, "the translations"), texts(references, "the references")
    if len(predictions) != len(references) or not predictions:
        raise DataError(
            f"chrF compares each translation with one reference, and got {len(predictions)} translations for "
            f"{len(references)} references: give two lists of the same length."
        )
    pairs = zip(predictions, references, strict=True)
    return np.array([sentence_chrf(reference, text) if text.strip() else 0.0 for text, reference in pairs])
