"""What language models are used for, measured: the same tasks and scores for any model, and a table of two models.

`make ladder USES=1` makes the records, in `labs/data/uses`.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pandas as pd

from utils.datasets.dialogues import load_dialogues
from utils.datasets.splits import DATA
from utils.datasets.uses import load_code_tasks, load_entities, load_passages, load_translations
from utils.decoding.diversity import repeated_ngrams
from utils.errors import DataError
from utils.evaluation.code import passes, write_code
from utils.evaluation.completions import complete
from utils.evaluation.entities import entity_counts, extract_entities, read_entities
from utils.evaluation.intervals import Interval, bootstrap_ratio
from utils.evaluation.passages import answer_passages, exact_matches, token_f1
from utils.evaluation.summaries import rouge_scores, summarize
from utils.evaluation.translations import chrf_scores, translate
from utils.experiments.four_tasks import SHOTS, Answers, Measure
from utils.experiments.ladder import load_ladder
from utils.models.language_model import LanguageModel
from utils.prompts.conversations import conversation
from utils.training.tasks import SUMMARIZE

USES_RECORDS = DATA / "uses"
LANGUAGES = ("French", "German", "Spanish", "Korean")
DIALOGUES, SENTENCES = 4, 8
"""How many test dialogues are summarized (the ladder's record has more), and sentences translated to each language."""
ESSAYS = ("Write a short essay about the sea.", "Write a short essay about learning to cook.")
LONGEST = 64
"""Tokens of an essay, and of a list of ideas: where the time ends, not the text."""
IDEAS = "Suggest 20 things to do on a rainy Sunday. Write a short list."
ITEM = re.compile(r"^\s*(?:\d+[.)]|[-*•])\s+(.*\S)", re.MULTILINE)


def ask(model: LanguageModel, request: str) -> str:
    """Return a request as a conversation, in the model's chat template if it has one."""
    return conversation(model.tokenizer, [{"role": "user", "content": request}])


def list_items(text: str) -> list[str]:
    """Return the items of a list, numbered or with dashes, as it stands in a text."""
    return ITEM.findall(text)


def first_mentions(items: list[str]) -> np.ndarray:
    """Return 1 for each item that did not stand in the list before, else 0; case does not count. No item is one 0."""
    seen = [item.lower() for item in items]
    return np.array([item not in seen[:n] for n, item in enumerate(seen)] or [0], float)


def _essays(model: LanguageModel, seed: int, items: int | None) -> Answers:
    return complete(model, [ask(model, request) for request in ESSAYS[:items]], max_new_tokens=LONGEST)


def _repeated(said: Answers) -> np.ndarray:
    return np.array([repeated_ngrams(text, 3) for text in said])


def _summaries(model: LanguageModel, seed: int, items: int | None) -> Answers:
    examples = [dialogue.example for dialogue in load_dialogues("train")[:SHOTS]]
    return summarize(model, load_dialogues("test")[:DIALOGUES][:items], instruction=SUMMARIZE, examples=examples)


def _rouge(said: Answers) -> np.ndarray:
    return rouge_scores(said, [item.output_text for item in load_dialogues("test")[: len(said)]])["ROUGE-1"]


def _ideas(model: LanguageModel, seed: int, items: int | None) -> Answers:
    return list_items(complete(model, [ask(model, IDEAS)], max_new_tokens=LONGEST)[0])


def _translations(model: LanguageModel, seed: int, items: int | None, *, language: str) -> Answers:
    return translate(model, load_translations("test", language)[:SENTENCES][:items])


def _chrf(said: Answers, *, language: str) -> np.ndarray:
    return chrf_scores(said, [item.output_text for item in load_translations("test", language)[: len(said)]])


def _programs(model: LanguageModel, seed: int, items: int | None) -> Answers:
    return write_code(model, load_code_tasks("test")[:items])


def _passed(said: Answers) -> np.ndarray:
    return passes(said, load_code_tasks("test")[: len(said)])


def _entities(model: LanguageModel, seed: int, items: int | None) -> Answers:
    return extract_entities(model, load_entities("test")[:items])


def _entity_counts(said: Answers, *, of: int) -> np.ndarray:
    right = [read_entities(item.output_text) for item in load_entities("test")[: len(said)]]
    return entity_counts([read_entities(text) for text in said], right)[:, [0, of]]


def _answers(model: LanguageModel, seed: int, items: int | None) -> Answers:
    return answer_passages(model, load_passages("test")[:items])


def _against_passages(score: Callable[..., np.ndarray], said: Answers) -> np.ndarray:
    return score(said, [item.output_text for item in load_passages("test")[: len(said)]])


USES = (
    Measure("essay", "repeated 3-grams", _essays, _repeated),
    Measure("summary of a dialogue", "ROUGE-1", _summaries, _rouge),
    Measure("ideas", "different ones", _ideas, first_mentions),
    *(
        Measure(
            f"translation, {language}",
            "chrF",
            partial(_translations, language=language),
            partial(_chrf, language=language),
        )
        for language in LANGUAGES
    ),
    Measure("words to code", "tests passed", _programs, _passed),
    Measure("entities found", "precision", _entities, partial(_entity_counts, of=1), interval=bootstrap_ratio),
    Measure("entities to find", "recall", _entities, partial(_entity_counts, of=2), interval=bootstrap_ratio),
    Measure("question on a text", "exact match", _answers, partial(_against_passages, exact_matches)),
    Measure("words of the answer", "F1", _answers, partial(_against_passages, token_f1)),
)


def uses_table(scores: Mapping[str, Interval], *, beside: str) -> pd.DataFrame:
    """Return a row for each use: its metric, the score measured here, and that of a kept record.

    scores: by the names of `USES`; beside: a model that has a record in `labs/data/uses`. Raises DataError.
    """
    known = {measure.name: measure.unit for measure in USES}
    unknown = [name for name in scores if name not in known]
    if unknown:
        raise DataError(f"There is no use {unknown[0]!r}: take one of {', '.join(known)}.")
    kept = load_ladder(USES_RECORDS)
    kept = kept[kept["model"] == beside].set_index("measure")
    if kept.empty:
        raise DataError(f"No record of {beside!r} is kept in {USES_RECORDS}: run make ladder USES=1 MODELS={beside}.")
    rows = [
        (name, known[name], str(score), str(Interval(*kept.loc[name, ["mean", "low", "high"]])))
        for name, score in scores.items()
    ]
    return pd.DataFrame(rows, columns=["use", "metric", "this model", beside]).set_index("use")
