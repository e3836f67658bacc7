"""Prompt or tune: what each costs before the first query, and with every query."""

import math
import time
from collections.abc import Sequence

from utils.arguments import texts
from utils.errors import DataError
from utils.models.language_model import LanguageModel


def seconds_a_query(model: LanguageModel, prompts: Sequence[str], *, max_new_tokens: int = 40) -> float:
    """Return the mean seconds that a completion takes, one prompt at a time, after one that is not counted.

    Every completion is cut at the same number of tokens, and none ends before it, so that
    only the prompt's length and the adapter make a difference.
    """
    prompts = texts(prompts, "the prompts")
    if not prompts:
        raise DataError("There is no prompt to measure: give at least one.")
    fixed = {"max_new_tokens": max_new_tokens, "min_new_tokens": max_new_tokens}
    model.generate(prompts[0], **fixed)
    begun = time.perf_counter()
    for prompt in prompts:
        model.generate(prompt, **fixed)
    return (time.perf_counter() - begun) / len(prompts)


def break_even(tuning_seconds: float, prompt_seconds: float, tuned_seconds: float) -> float:
    """Return the least whole number of queries at which tuning has cost no more time than prompting.

    prompt_seconds, tuned_seconds: of one query. Infinity when a tuned query is no faster.
    """
    if tuned_seconds >= prompt_seconds:
        return 0 if tuning_seconds == 0 and tuned_seconds == prompt_seconds else math.inf
    return math.ceil(tuning_seconds / (prompt_seconds - tuned_seconds))
