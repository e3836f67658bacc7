"""Expected accuracy of a decoding setting on questions with one right answer, without sampling.

A setting answers right with the probability that it draws every token of the right
answer and then ends. One forward pass gives the logits at all of these tokens, for every
setting; what a thousand samples would estimate is computed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from utils.arguments import texts
from utils.errors import DataError
from utils.evaluation.intervals import Interval, bootstrap
from utils.logits.config import DecodingConfig
from utils.logits.reshaping import reshape
from utils.models.forcing import continuation_ids, forced_logits
from utils.models.language_model import LanguageModel
from utils.progress import progress


@dataclass(frozen=True)
class AnswerLogits:
    """What a model says at each token of a right answer, and where the answer ends.

    logits: shape (tokens + 1, vocabulary), the last row at the end. answer: the answer's
    tokens. ends: all tokens that end it. before: what a repetition penalty sees before it.
    """

    logits: torch.Tensor
    answer: tuple[int, ...]
    ends: tuple[int, ...]
    before: tuple[int, ...]


def answer_logits(model: LanguageModel, prompts: Sequence[str], answers: Sequence[str]) -> list[AnswerLogits]:
    """Return the logits along the right answer of each prompt, by teacher forcing.

    answers: as they stand behind the prompt (`template.completion(answer)`). An answer ends
    where its line ends or the model ends its text, so every token that begins a new line,
    and every end-of-text token, counts as its end. Raises EmptyPrompt,
    ContextWindowExceeded, DataError.
    """
    prompts, answers = texts(prompts, "the prompts"), texts(answers, "the answers")
    if len(prompts) != len(answers):
        raise DataError(f"{len(prompts)} prompts came with {len(answers)} answers: give one right answer a prompt.")
    if not all(answer.strip() for answer in answers):
        raise DataError("A right answer is empty: give every answer at least one character.")
    rows = [
        (model.encode(prompt), continuation_ids(model, prompt, answer))
        for prompt, answer in zip(prompts, answers, strict=True)
    ]
    for prompt, (_, ids) in zip(prompts, rows, strict=True):
        model.check_window(prompt, max_new_tokens=len(ids) + 1)
    ends = answer_ends(model)
    found = []
    for (prompt, ids), logits in zip(progress(rows, "Reading answers"), forced_logits(model, rows), strict=True):
        before = (model.decoder_start,) if model.is_encoder_decoder else tuple(prompt)
        found.append(AnswerLogits(logits, tuple(ids), ends, before))
    return found


def answer_ends(model: LanguageModel) -> tuple[int, ...]:
    """Return the tokens that end a one-line answer: those that begin a new line, and the end-of-text tokens."""
    texts = model.tokenizer.batch_decode([[token] for token in range(len(model.tokenizer))])
    new_line = [token for token, text in enumerate(texts) if text.lstrip(" \t\r").startswith("\n")]
    return tuple(sorted({*new_line, *model.end_of_text}))


def answer_probability(scored: AnswerLogits, config: DecodingConfig) -> float:
    """Return the probability, 0 to 1, that a setting writes exactly the right answer and then ends.

    The product over the answer's tokens and its end, each after reshaping; the answer's
    likeliest spelling in tokens is the only one counted. At temperature 0 it is 0 or 1.
    `seed`, `stop` and `max_new_tokens` play no part.
    """
    probability = 1.0
    for position, logits in enumerate(scored.logits):
        seen = torch.tensor([*scored.before, *scored.answer[:position]], device=logits.device)
        right = scored.ends if position == len(scored.answer) else scored.answer[position : position + 1]
        probability *= float(reshape(logits, **config.sampling, input_ids=seen)[list(right)].sum())
    return probability


def expected_accuracy(scored: Sequence[AnswerLogits], config: DecodingConfig) -> Interval:
    """Return the mean probability of a right answer with its 95 % bootstrap interval over the questions.

    At temperature 0 it is greedy decoding's accuracy. Raises DataError without questions.
    """
    if not scored:
        raise DataError("There is no question to measure: give at least one.")
    found = []
    for answer in progress(scored, "Reshaping at every token of the answers"):
        found.append(answer_probability(answer, config))
    return bootstrap(np.array(found))
