"""Entities by prompt: persons, places and dates in a sentence; precision and recall."""

import re
from collections.abc import Collection, Sequence

import numpy as np

from utils.arguments import a_list
from utils.datasets.uses import EntitySentence, load_entities
from utils.errors import DataError
from utils.evaluation.completions import complete, first_line
from utils.evaluation.intervals import Interval, bootstrap_ratio
from utils.models.language_model import LanguageModel
from utils.prompts.templates import PlainTemplate, build_prompt

ENTITIES = PlainTemplate("Sentence", "Entities")
KINDS = ("person", "place", "date")
WRITTEN = re.compile(rf"\s*([^,()]*[^,()\s]) \(({'|'.join(KINDS)})\)")
CAPITALISED = re.compile(r"\b[^\W\d_a-z]\w*(?: [^\W\d_a-z]\w*)*")
NUMBERS = re.compile(r"\d+(?: [^\W\d_a-z]\w+)?(?: \d+)?")

Entity = tuple[str, str]
"""An entity's words and its kind, one of `KINDS`."""


def extract_entities(model: LanguageModel, sentences: Sequence[EntitySentence]) -> list[str]:
    """Return what the model lists as the entities of each sentence, greedily, behind the four training sentences."""
    examples = [item.example for item in load_entities("train")]
    prompts = [build_prompt("", sentence.input_text, examples, ENTITIES) for sentence in sentences]
    return [first_line(text) for text in complete(model, prompts, max_new_tokens=24, stop="\n")]


def read_entities(text: str) -> set[Entity]:
    """Return the entities in a list such as "Anna Berg (person), Lima (place)"; what has another form is none."""
    return {(name, kind) for name, kind in WRITTEN.findall(text)}


def capitalised(sentence: str) -> set[str]:
    """Return the runs of capitalised words and the dates with digits in a sentence: entities without a model."""
    dates = set(NUMBERS.findall(sentence))
    rest = NUMBERS.sub(" ", sentence)
    return dates | set(CAPITALISED.findall(rest))


def precision(found: Sequence[Collection], right: Sequence[Collection]) -> Interval:
    """Return the share, 0 to 1, of the entities found that are right, with its 95 % interval over the sentences.

    found, right: a set for each sentence. 0 where nothing was found. Raises DataError.
    """
    return bootstrap_ratio(entity_counts(found, right)[:, :2])


def recall(found: Sequence[Collection], right: Sequence[Collection]) -> Interval:
    """Return the share, 0 to 1, of the right entities that were found, with its 95 % interval over the sentences.

    found, right: a set for each sentence. Raises DataError.
    """
    return bootstrap_ratio(entity_counts(found, right)[:, ::2])


def entity_counts(found: Sequence[Collection], right: Sequence[Collection]) -> np.ndarray:
    """Return how many entities of each sentence are both, were found and are right: shape (sentences, 3)."""
    found, right = a_list(found, "the entities found"), a_list(right, "the right entities")
    if len(found) != len(right) or not right:
        raise DataError(
            f"Entities are compared sentence by sentence, and {len(found)} sets were found for {len(right)} right "
            "ones: give one set a sentence in both lists."
        )
    pairs = [(set(one), set(other)) for one, other in zip(found, right, strict=True)]
    return np.array([(len(one & other), len(one), len(other)) for one, other in pairs], float)
