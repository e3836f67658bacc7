"""A name that is given once and needed later: what the mention is worth to a model, in bits."""

import random
from collections.abc import Sequence

import numpy as np

from utils.arguments import whole_number
from utils.before_transformers.reading import Bits

NAMES = ("Anna", "Peter", "Maria", "David", "Laura", "Simon", "Julia", "Frank")
OPENING = "I went to the cinema with {name}."
QUESTION = "Afterwards I said goodbye to"


def name_gains(bits: Bits, filler: Sequence[str], *, words: int, texts: int, seed: int = 0) -> np.ndarray:
    """Return what a name's mention is worth when the name is needed again, for each of some texts.

    log2 p(name | the name was given) - log2 p(name | another name was given), shape (texts,): 0 for a model that has
    forgotten it. filler: sentences between mention and need, cut so that `words` words stand between the two
    names, at least the 5 of the question. Raises UnsupportedSetting.
    """
    least = len(QUESTION.split())
    whole_number(words, f"the number of words between two names is a whole number, {least} or more", least=least)
    draw = random.Random(seed)
    pairs = []
    for _ in range(texts):
        name, other = draw.sample(NAMES, 2)
        between = " ".join(draw.sample(list(filler), len(filler))).split()
        between = " ".join([*between[: words - least], QUESTION])
        pairs += [(f"{OPENING.format(name=given)} {between}", f" {name}") for given in (name, other)]
    found = np.array(bits(pairs)).reshape(texts, 2)
    return found[:, 1] - found[:, 0]
