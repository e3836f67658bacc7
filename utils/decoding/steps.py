"""Steps of completions as tables: how likely each token was, and why each completion ended."""

from collections.abc import Iterable, Mapping

import pandas as pd

from utils.characters import HALF
from utils.decoding.generation import Step
from utils.models.tokens import is_bytes, quoted


def steps_table(steps: Iterable[Step]) -> pd.DataFrame:
    """Return a row for each step: token, probability, rank, entropy in bits, likeliest other token."""
    rows = [
        (quoted(shown(step)), step.probability, step.rank, step.entropy, quoted(step.alternatives[0].text))
        for step in steps
    ]
    names = ["token", "probability", "rank", "entropy (bits)", "best other token"]
    return pd.DataFrame(rows, columns=names).round({"probability": 3, "entropy (bits)": 2})


def shown(step: Step) -> str:
    """Return what a step adds to the completion, or its token's bytes where they end no character.

    What earlier tokens left of a character is shown at those tokens as bytes, and not here.
    """
    if is_bytes(step.token_text) and (not step.text or HALF in step.text):
        return step.token_text
    return step.text.replace(HALF, "") or step.text


def endings_table(runs: Mapping[str, Iterable[Step]]) -> pd.DataFrame:
    """Return a row for each completion: its text, how many tokens were written, and why it ended."""
    rows = []
    for steps in map(list, runs.values()):
        rows.append((repr("".join(step.text for step in steps)), len(steps), steps[-1].stop_reason))
    return pd.DataFrame(rows, index=list(runs), columns=["completion", "tokens", "stop reason"])
