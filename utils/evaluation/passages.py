"""Answers to questions about a given text, by prompt; exact match and token F1."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from utils.arguments import texts
from utils.datasets.uses import PassageQuestion, load_passages
from utils.errors import DataError
from utils.evaluation.completions import complete, first_line
from utils.models.language_model import LanguageModel
from utils.prompts.templates import Example, PlainTemplate, build_prompt
from utils.words import words

PASSAGES = PlainTemplate("Text", "Answer")
ARTICLES = ("a", "an", "the")


def answer_passages(model: LanguageModel, questions: Sequence[PassageQuestion]) -> list[str]:
    """Return the first line of the greedy answer to each question, behind the two training questions."""
    examples = [Example(_asked(item), item.output_text) for item in load_passages("train")]
    prompts = [build_prompt("", _asked(item), examples, PASSAGES) for item in questions]
    return [first_line(text) for text in complete(model, prompts, max_new_tokens=12, stop="\n")]


def _asked(item: PassageQuestion) -> str:
    return f"{item.passage}\nQuestion: {item.input_text}"


def exact_matches(answers: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """Return 1 for each answer that has the reference's words, else 0; case, punctuation and articles do not count.

    Source of both measures: P. Rajpurkar et al., "SQuAD", EMNLP 2016, section 6. Raises DataError.
    """
    return np.array([one == other for one, other in _word_lists(answers, references)], float)


def token_f1(answers: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """Return the F1, 0 to 1, of the words that each answer shares with its reference: shape (answers,).

    Raises DataError.
    """
    return np.array([_f1(one, other) for one, other in _word_lists(answers, references)])


def _f1(one: list[str], other: list[str]) -> float:
    shared = (Counter(one) & Counter(other)).total()
    return 2 * shared / (len(one) + len(other)) if shared else 0.0


def _word_lists(answers: Sequence[str], references: Sequence[str]) -> list[tuple[list[str], list[str]]]:
    answers, references = texts(answers, "the answers"), texts(references, "the references")
    if len(answers) != len(references) or not answers:
        raise DataError(
            f"Each answer is compared with one reference, and got {len(answers)} answers for {len(references)} "
            "references: give two lists of the same length."
        )
    return [(_plain(answer), _plain(reference)) for answer, reference in zip(answers, references, strict=True)]


def _plain(text: str) -> list[str]:
    return [word for word in words(text) if word not in ARTICLES]
