"""Diversity of completions: distinct n-grams, repetition, self-BLEU, and the cross-entropy of the model's own text."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

from utils import arguments
from utils.decoding.generation import complete_many
from utils.errors import DataError
from utils.logits.config import DecodingConfig, check_seeds
from utils.models.forcing import continuation_ids, forced_logits
from utils.models.language_model import BATCH_SIZE, LanguageModel
from utils.progress import progress
from utils.storage.results import keeping, remembered_each
from utils.words import words

COLUMNS = ("distinct-2", "repeated 3-grams", "self-BLEU", "bits per token")


def distinct_n(texts: Sequence[str], n: int) -> float:
    """Return distinct-n: the share, 0 to 1, of different n-grams of words among all n-grams of the texts together.

    1: no n-gram comes twice. No n-gram spans two texts; a text shorter than n has none,
    and where no text has any the share is 0. It falls as texts are added, so compare it
    only for as many texts of one length. Source: Li et al., NAACL 2016. Raises DataError,
    UnsupportedSetting.
    """
    found = [gram for text in arguments.texts(texts, "the texts") for gram in _ngrams(words(text), n)]
    return len(set(found)) / len(found) if found else 0.0


def repeated_ngrams(text: str, n: int) -> float:
    """Return the repetition rate (seq-rep-n): the share, 0 to 1, of a text's n-grams of words that stood in it before.

    Near 1 the text is a loop; 0 for a text shorter than n. Source: "seq-rep-n" of Welleck
    et al., ICLR 2020; loops: Holtzman et al., ICLR 2020. Raises DataError, UnsupportedSetting.
    """
    found = _ngrams(words(arguments.text(text, "the text")), n)
    return 1 - len(set(found)) / len(found) if found else 0.0


def self_bleu(texts: Sequence[str]) -> float:
    """Return the mean BLEU, 0 to 1, of each text against all the others: 1 when all are the same.

    BLEU-4 of nltk, of lower order for a text of fewer than four words; a count of 0 becomes
    0.1 (smoothing method 1). A text without words scores 0. Source: Zhu et al., "Texygen",
    SIGIR 2018. Raises DataError for fewer than two texts.
    """
    split = [words(text) for text in arguments.texts(texts, "the texts")]
    _check_several(split)
    smoothing = SmoothingFunction().method1
    scores = []
    for i, hypothesis in enumerate(progress(split, "Comparing completions")):
        others = [*split[:i], *split[i + 1 :]]
        scores.append(sentence_bleu(others, hypothesis, smoothing_function=smoothing, auto_reweigh=True))
    return math.fsum(scores) / len(scores)


def surprise(model: LanguageModel, prompt: str, completions: Sequence[str]) -> float:
    """Return the cross-entropy of the completions of a prompt, in bits per token; the perplexity is 2 to this power.

    Minus log2 of the model's own probabilities (temperature 1, nothing cut), over all
    tokens of all completions; an end-of-text token is not among them. Near 0 the model
    repeats itself; guessing among all V tokens would give log2(V), 15.6 for the course's
    model. 0 where no completion has a token. Kept on disk. Raises EmptyPrompt,
    ContextWindowExceeded, DataError.
    """
    completions = arguments.texts(completions, "the completions")
    rows = [(model.encode(prompt), continuation_ids(model, prompt, text)) for text in completions if text]
    for _, ids in rows:
        model.check_window(prompt, max_new_tokens=len(ids))
    question = {"surprise": completions, "prompt": prompt, "model": model.fingerprint}
    read = lambda missing: _bits(model, rows, first=missing[0])  # noqa: E731
    bits = list(chain.from_iterable(remembered_each(question, len(rows), read, "Reading completions")))
    return math.fsum(bits) / len(bits) if bits else 0.0


def completions(model: LanguageModel, prompt: str, config: DecodingConfig, *, seeds: Sequence[int]) -> list[str]:
    """Return `complete_many`, kept on disk; a greedy completion is computed once and repeated for each seed."""
    seeds = check_seeds(seeds)
    drawn = seeds if config.temperature else seeds[:1]
    question = {"completions": prompt, "config": asdict(config), "seeds": drawn, "model": model.fingerprint}

    def missing(numbers: list[int]) -> Iterator[tuple[int, str]]:
        for start in range(0, len(numbers), BATCH_SIZE):
            some = numbers[start : start + BATCH_SIZE]
            yield from zip(some, complete_many(model, prompt, config, seeds=[drawn[n] for n in some]), strict=True)

    found = remembered_each(question, len(drawn), missing, "Completing a prompt")
    return found if config.temperature else found * len(seeds)


def completions_by_temperature(
    model: LanguageModel, prompt: str, config: DecodingConfig, *, temperatures: Sequence[float], seeds: Sequence[int]
) -> dict[float, list[str]]:
    """Return `completions` at each temperature, all other settings as in `config`; 0.0 is greedy."""
    seeds = check_seeds(seeds)
    settings = [replace(config, temperature=each) for each in arguments.a_list(temperatures, "temperatures")]
    found = {}
    for setting in progress(settings, "Writing at each temperature"):
        with keeping():
            found[float(setting.temperature)] = completions(model, prompt, setting, seeds=seeds)
    return found


def diversity_curve(
    model: LanguageModel, prompt: str, config: DecodingConfig, *, temperatures: Sequence[float], seeds: Sequence[int]
) -> pd.DataFrame:
    """Return diversity, repetition and cross-entropy of a prompt's completions at each temperature.

    Two seeds or more, one completion a seed. Index: temperature, 0.0 is greedy. Columns:
    distinct-2, repeated 3-grams, self-BLEU (shares, 0 to 1) and bits per token, to two
    digits. Raises what `self_bleu`, `surprise` and `complete_many` raise.
    """
    seeds = check_seeds(seeds)
    _check_several(seeds)
    found = completions_by_temperature(model, prompt, config, temperatures=temperatures, seeds=seeds)
    rows = []
    for texts in progress(list(found.values()), "Measuring diversity"):
        with keeping():
            repeated = np.mean([repeated_ngrams(text, 3) for text in texts])
            rows.append((distinct_n(texts, 2), repeated, self_bleu(texts), surprise(model, prompt, texts)))
    return pd.DataFrame(rows, index=pd.Index(found, name="temperature"), columns=list(COLUMNS)).round(2)


def _check_several(completions: Sequence[Any]) -> None:
    if len(completions) < 2:
        raise DataError("Self-BLEU compares completions with each other: give two or more, one for each seed.")


def _ngrams(items: Sequence[str], n: int) -> list[tuple[str, ...]]:
    n = arguments.whole_number(n, "n, the words of an n-gram, is a whole number from 1", least=1)
    return [tuple(items[i : i + n]) for i in range(len(items) - n + 1)]


def _bits(
    model: LanguageModel, rows: Sequence[tuple[list[int], list[int]]], *, first: int
) -> Iterator[tuple[int, list[float]]]:
    """Yield each row's number, from `first` on, and the surprise of each of its tokens."""
    logits = forced_logits(model, [(prompt, ids[:-1]) for prompt, ids in rows], first=first)
    for number, (row, (_, ids)) in enumerate(zip(logits, rows[first:], strict=True), first):
        yield (
            number,
            [-float(each[token]) / math.log(2) for each, token in zip(row.log_softmax(-1), ids, strict=True)],
        )
