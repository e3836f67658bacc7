"""The exercises 3.6 to 3.10 of Lab 3, parameter-efficient tuning: what was gained, LoRA itself, whether tuning pays."""

import math
import operator
import random
import string
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import torch

from utils.exercises import showing
from utils.exercises.exercise import Case, Exercise, Property, Wrong, generated
from utils.exercises.mistakes import Mistake, require
from utils.exercises.reading import as_number, as_numbers, as_tensor, as_text, expected
from utils.exercises.running import Run, random_states

# 3.6: is the gain real? No right interval is like another one, so that many are compared with many.

SCORES = (
    ([53.7, 37.6, 39.5, 27.9, 46.7, 37.1, 54.3, 28.5], [53.2, 32.7, 36.6, 21.6, 46.4, 28.1, 54.2, 27.4]),
    ([13.1, 29.5, 20.4, 15.0, 25.7, 52.1, 22.9, 27.7, 32.9], [17.4, 31.6, 18.8, 23.7, 24.6, 53.6, 20.7, 28.4, 37.2]),
)
"""Few texts, so that one text more or less in a resample shows; skewed, so that each end has its own place."""
SEEDS = random.Random(0).sample(range(10**6), 50)
FEWEST, SECONDS = 10, 12
"""A slow answer is called with fewer seeds: not below FEWEST, and all in about so many SECONDS."""
SURE, ONE_PLACE = 3.4, 0.2
"""How many standard errors are no chance; what one place more or less among 1000 sorted means shifts an end, in spreads."""
GAIN_ASKED = "a row of three numbers, the mean difference and the two ends of its interval,"


def _gain(ours: Sequence[float], theirs: Sequence[float], seed: int, *, resamples: int = 1000, texts: Callable = int, **how: Any) -> tuple:
    """Return the right result, but for what is named: how many `texts` a resample has, `ends`, `of` what and along which `axis`."""
    differences = np.subtract(ours, theirs)
    drawn = np.random.default_rng(seed).choice(differences, (resamples, texts(len(differences))))
    return differences.mean(), *np.percentile(how.get("of", np.mean)(drawn, axis=how.get("axis", 1)), how.get("ends", (2.5, 97.5)))


def _unpaired(ours: Sequence[float], theirs: Sequence[float], seed: int) -> tuple:
    rng = np.random.default_rng(seed)
    means = [rng.choice(scores, (1000, len(scores))).mean(axis=1) for scores in (ours, theirs)]
    return np.mean(ours) - np.mean(theirs), *np.percentile(means[0] - means[1], (2.5, 97.5))


def _single_texts(ours: Sequence[float], theirs: Sequence[float], seed: int) -> tuple:
    differences = np.subtract(ours, theirs)
    return differences.mean(), *np.percentile(np.random.default_rng(seed).choice(differences, 1000), (2.5, 97.5))


def _by_deviation(ours: Sequence[float], theirs: Sequence[float], seed: int) -> tuple:
    differences = np.subtract(ours, theirs)
    half = 1.96 * np.random.default_rng(seed).choice(differences, (1000, len(differences))).mean(axis=1).std()
    return differences.mean(), differences.mean() - half, differences.mean() + half


def _mirrored(ours: Sequence[float], theirs: Sequence[float], seed: int) -> tuple:
    mean, low, high = _gain(ours, theirs, seed)
    return mean, 2 * mean - high, 2 * mean - low


def _distances(ours: Sequence[float], theirs: Sequence[float], seed: int) -> tuple:
    mean, low, high = _gain(ours, theirs, seed)
    return mean, low - mean, high - mean


def _from_to(first: int, less: int) -> Callable:
    """Return a function that draws places from `first` on, and `less` than there are, so that one text never comes."""

    def gain(ours: Sequence[float], theirs: Sequence[float], seed: int) -> tuple:
        differences = np.subtract(ours, theirs)
        places = np.random.default_rng(seed).integers(first, len(differences) - less, (1000, len(differences)))
        return differences.mean(), *np.percentile(differences[places].mean(axis=1), (2.5, 97.5))

    return gain


def _texts_themselves(ours: Sequence[float], theirs: Sequence[float], seed: int) -> tuple:
    return np.subtract(ours, theirs).mean(), *np.percentile(np.subtract(ours, theirs), (2.5, 97.5))


AS_MANY = "Each resample must have as many texts as there are, "
RESAMPLES = (
    "The ends move {} from seed to seed than those of 1000 resamples do. Draw 1000 resamples, no more and no fewer, and give each its own mean."
)
MORE, LESS = RESAMPLES.format("more"), RESAMPLES.format("less")
FIRST_NUMBERS = (
    Wrong(lambda ours, theirs: -np.subtract(ours, theirs).mean(), "The sign is wrong: a gain is above 0 where `ours` is higher than `theirs`."),
    Wrong(lambda ours, theirs: np.median(np.subtract(ours, theirs)), "The first number is the median of the differences; their mean is asked for."),
    Wrong(lambda ours, theirs: np.subtract(ours, theirs).sum(), "The first number is the sum of the differences; their mean is asked for."),
    Wrong(lambda ours, theirs: abs(np.subtract(ours, theirs)).mean(), "You take the differences without their sign: a loss counts as a gain then."),
    Wrong(
        lambda ours, theirs: np.subtract(ours, theirs).mean().round(1),
        "The first number is rounded to one digit. Return it as it is: two gains may differ in the next digit.",
    ),
    Wrong(lambda ours, theirs: np.subtract(ours, theirs).mean().round(), "The first number is rounded to a whole one. Return it as it is."),
    Wrong(lambda ours, theirs: 100 * np.subtract(ours, theirs).mean(), "You multiply by 100. The difference is asked for in the scores' own unit."),
    Wrong(lambda ours, theirs: np.mean(ours), "The first number is the mean of `ours` alone. What is left when `theirs` is taken away?"),
    Wrong(lambda ours, theirs: np.mean(theirs), "The first number is the mean of `theirs` alone. How much higher is `ours`?"),
    Wrong(
        lambda ours, theirs: np.subtract(ours, theirs).mean() / np.mean(theirs),
        "The first number is a share of `theirs`. The difference itself is asked for.",
    ),
)
GAINS = (
    Wrong(
        _unpaired,
        "The interval is far too wide, because the two lists are resampled independently. Both have scores of the same texts, "
        "and a text that is hard for one is hard for the other. What is drawn must be texts.",
    ),
    Wrong(
        lambda ours, theirs, seed: _gain(sorted(ours), sorted(theirs), seed),
        "The two lists were sorted, each for itself, so that the pairs are lost: the scores of one text must stay together.",
    ),
    Wrong(partial(_gain, texts=lambda n: n - 1), f"{AS_MANY}and yours have one text less."),
    Wrong(partial(_gain, texts=lambda n: n + 1), f"{AS_MANY}and yours have one text more."),
    Wrong(_from_to(0, 1), "The last text is never drawn. `rng.integers(0, n)` leaves out n itself, so that n is the number of texts."),
    Wrong(_from_to(1, 0), "The first text is never drawn: places are counted from 0."),
    Wrong(lambda ours, theirs, seed: _gain(theirs, ours, seed), "The interval is that of theirs minus ours; ours minus theirs is asked for."),
    Wrong(
        lambda ours, theirs, seed: _gain(ours, [0.0] * len(ours), seed), "The interval is that of `ours` alone; that of the differences is asked for."
    ),
    Wrong(
        lambda ours, theirs, seed: _gain(theirs, [0.0] * len(ours), seed),
        "The interval is that of `theirs` alone; that of the differences is asked for.",
    ),
    Wrong(partial(_gain, texts=lambda n: n // 2), f"{AS_MANY}and yours have half of them."),
    Wrong(partial(_gain, texts=lambda n: 2 * n), f"{AS_MANY}and yours have twice as many."),
    *(Wrong(partial(_gain, texts=lambda n, size=size: size), f"{AS_MANY}and yours always have {size}.") for size in (5, 6, 8, 10, 20, 30, 50, 100)),
    *(
        Wrong(single, "Your ends are percentiles of single texts, not of the means of resamples: the mean of many texts varies far less.")
        for single in (_single_texts, _texts_themselves)
    ),
    Wrong(
        partial(_gain, axis=0), "There are only as many means as texts, each of 1000 draws. There must be 1000 means: average along the other axis."
    ),
    Wrong(partial(_gain, of=np.median), "Your ends are percentiles of the resamples' medians; their means are asked for."),
    Wrong(partial(_gain, of=np.sum), "Your ends are percentiles of the resamples' sums; their means are asked for."),
    Wrong(partial(_gain, ends=(0.025, 0.975)), "`np.percentile` counts from 0 to 100, `np.quantile` from 0 to 1: your two ends lie side by side."),
    Wrong(partial(_gain, ends=(0, 100)), "Your ends are the lowest and the highest mean, so that all means lie between them, and not 95 %."),
    *(
        Wrong(
            partial(_gain, ends=(low, 100 - low)),
            f"Between your two ends lie {100 - 2 * low:g} % of the means. How many lie outside 95 %, on each side?",
        )
        for low in (0.5, 1, 2, 3, 5, 10, 25)
    ),
    *(
        Wrong(partial(_gain, ends=ends), "What lies outside the 95 % is all on one side of your interval. Half of it belongs below the lower end.")
        for ends in ((0, 95), (5, 100))
    ),
    *(
        Wrong(
            partial(_gain, ends=ends),
            "More means lie outside your interval on one side than on the other. 5 % lie outside in all, half of them on each side.",
        )
        for ends in ((2.5, 95), (5, 97.5), (2.5, 97), (3, 97.5), (2, 97.5), (2.5, 98), (2, 97), (3, 98))
    ),
    Wrong(
        _by_deviation, "Your ends are made from the standard deviation of the means. They are to be percentiles of the means, which may lie unevenly."
    ),
    Wrong(_mirrored, "Your interval is mirrored: the ends are the percentiles themselves, not twice the mean minus a percentile."),
    Wrong(_distances, "Your ends lie around 0: they are distances from the mean. Give the ends themselves."),
    *(Wrong(partial(_gain, resamples=number), MORE) for number in (50, 100, 200, 500)),
    *(Wrong(partial(_gain, resamples=number), LESS) for number in (2000, 5000, 10_000)),
)


@cache
def _ends(function: Callable, seeds: int) -> np.ndarray:
    """Return the ends that a function gives: an axis for the data sets, one for the seeds, one for the two ends."""
    return np.array([[function(*pair, seed)[1:] for seed in range(seeds)] for pair in SCORES])


def _shifts(ends: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return how far the mean ends lie from those of others, in spreads of the others."""
    return (ends.mean(axis=1) - others.mean(axis=1)) / np.maximum(others.std(axis=1), 0.01 * _widths(others))


def _stretch(ends: np.ndarray, others: np.ndarray) -> float:
    """Return the logarithm of how many times the ends move as far from seed to seed as those of others."""
    least = (0.003 * _widths(others)) ** 2
    return float(np.log((ends.var(axis=1) + least) / (others.var(axis=1) + least)).mean() / 2)


def _widths(ends: np.ndarray) -> np.ndarray:
    """Return the mean width of the intervals of each data set, as a column."""
    return np.diff(ends.mean(axis=1))


def _is_placed(ends: np.ndarray, others: np.ndarray) -> bool:
    seeds = 1 / ends.shape[1] + 1 / others.shape[1]
    return bool(np.abs(_shifts(ends, others)).max() < ONE_PLACE + SURE * math.sqrt(seeds))


def _is_spread(ends: np.ndarray, others: np.ndarray) -> bool:
    spreads = 2 * ends.shape[0] * ends.shape[2]
    error = math.sqrt(1 / (spreads * (ends.shape[1] - 2)) + 1 / (spreads * (others.shape[1] - 2)))
    return abs(_stretch(ends, others)) < SURE * error


def _paired_gain(run: Run) -> str:
    first, came = _three_numbers(run, 0, SEEDS[0])
    before = random_states()
    _three_numbers(run, 0, SEEDS[1])
    require(
        random_states() == before,
        f"{came} It uses the global random numbers of numpy, Python or torch, and whoever draws next gets others. "
        "Make a generator of your own from the seed.",
    )
    again, _ = _three_numbers(run, 0, SEEDS[0])
    require(
        first == again, f"The same seed gives two different intervals: {came} Then it gave {showing.shown(again)}. Make the generator from `seed`."
    )
    calls = int(SECONDS / (run.spent / 3 + 1e-6))
    seeds = SEEDS[: max(FEWEST, min(len(SEEDS), calls // len(SCORES)))]
    results = np.array([[_three_numbers(run, number, seed)[0] for seed in seeds] for number in range(len(SCORES))])
    _require_first_number(run, results, seeds)
    _require_ends(run, results)
    return ""


def _three_numbers(run: Run, number: int, seed: int) -> tuple[tuple[float, ...], str]:
    """Return what an answer gives for a data set and a seed, and that as a sentence."""
    given = (*SCORES[number], seed)
    returned = run(*given)
    came = f"{run.shown(given)} gave {showing.shown(returned)}."
    try:
        numbers = as_numbers(returned, 3, GAIN_ASKED)
    except Mistake as mistake:
        raise Mistake(f"{came} {mistake}") from None
    require(all(map(math.isfinite, numbers)), f"{came} All three must be numbers, not nan and not infinite.")
    return numbers, came


def _require_first_number(run: Run, results: np.ndarray, seeds: Sequence[int]) -> None:
    right = np.array([[np.subtract(*pair).mean()] for pair in SCORES])
    wrong = np.argwhere(np.abs(results[:, :, 0] - right) > 0.006)
    if not len(wrong):
        return
    came = _three_numbers(run, int(wrong[0][0]), seeds[wrong[0][1]])[1]
    for place, where in ((1, "second"), (2, "third")):
        require(
            not np.allclose(results[:, :, place], right, atol=0.006),
            f"{came} Your first number is an end of the interval, and the mean stands {where}. Give the mean difference first, then the two ends.",
        )
    require(
        np.ptp(results[:, :, 0], axis=1).max() < 1e-6,
        f"{came} The first number changes with the seed. It is the mean difference of the scores that are given, which has nothing to do with chance.",
    )
    for mistake in FIRST_NUMBERS:
        theirs = [[mistake.function(*pair)] for pair in SCORES]
        require(not np.allclose(results[:, :, 0], theirs, atol=0.006), f"{came} {mistake.message}")
    raise Mistake(f"{came} The first number is not the mean difference: subtract text by text, ours minus theirs, and take the mean.")


def _require_ends(run: Run, results: np.ndarray) -> None:
    ends, right = results[:, :, 1:], _ends(_gain, 400)
    placed, spread = _is_placed(ends, right), _is_spread(ends, right)
    if not (placed and spread):
        wider = np.log(np.maximum(np.abs(_widths(ends)), 1e-9) / _widths(right))
        worst = int(np.abs(wider).argmax())
        came = _three_numbers(run, worst, SEEDS[0])[1]
        raise Mistake(f"{came} {_degenerate(results) or _named(ends) or _unnamed(ends, right, wider[worst, 0], placed=placed)}")


def _degenerate(results: np.ndarray) -> str:
    """Return what to say of intervals that have no width, or a negative one; "" for others."""
    mean, low, high = np.moveaxis(results, -1, 0)
    if (low > high + 1e-9).all():
        return "The lower end is above the upper end: the two are exchanged."
    if (low > high + 1e-9).any():
        return (
            "Sometimes the lower end is above the upper end. The ends are percentiles of the 1000 means: if you take two means by their places, "
            "are they sorted before?"
        )
    if (high - low).max() > 1e-9:
        return ""
    if np.allclose(low, mean, atol=1e-9):
        return (
            "The interval has no width, because all resamples have the same mean. Draw texts with replacement, so that some come "
            "twice and others not at all."
        )
    return (
        "The interval has no width: both ends are the same number. Is there one resample only, since a `return` stands inside the loop? Or are "
        "all resamples the same one? Make the generator once, before the loop that draws."
    )


def _named(ends: np.ndarray) -> str:
    """Return what to say of the typical mistake that comes nearest, "" where none is near enough."""
    found = [(_ends(mistake.function, 150), mistake.message) for mistake in GAINS]
    near = [(theirs, said) for theirs, said in found if _is_placed(ends, theirs) and _is_spread(ends, theirs)]
    return min(near, key=lambda one: float(np.square(_shifts(ends, one[0])).sum()) + 8 * _stretch(ends, one[0]) ** 2, default=(None, ""))[1]


def _unnamed(ends: np.ndarray, right: np.ndarray, wider: float, *, placed: bool) -> str:
    if np.ptp(ends, axis=1).max() < 1e-9:
        return "Every seed gives the same interval. Draw the resamples with a generator that is made from `seed`."
    if placed:
        return MORE if _stretch(ends, right) > 0 else LESS
    if _stretch(ends * (_widths(right) / _widths(ends))[:, :, None], right) > 0.6:
        return MORE
    if abs(wider) < 0.02:
        return "The interval is as wide as it should be, but not at the right place: its ends are percentiles of the means."
    return (
        f"The interval is too {'wide' if wider > 0 else 'narrow'}. Are there 1000 means of resamples, has each resample as many texts as there are, "
        "and are the two ends percentiles of these means, with 95 % of them between?"
    )


# 3.7: from text to label


def _label(completion: str, labels: list[str], *, cut: str = string.punctuation, place: int = 0, fold: Callable = str.lower) -> str:
    words = completion.split()
    word = fold(words[place].strip(cut)) if words else ""
    return next((label for label in labels if fold(label) == word), "")


def _word(completion: str, strip: Callable = str.strip) -> str:
    return strip((completion.split() or [""])[0], string.punctuation).lower()


def _first_that(is_one: Callable[[str, str], object]) -> Callable[[str, list[str]], str]:
    """Return a function that gives the first label of which something holds, `is_one(completion, label in lower case)`."""
    return lambda completion, labels: next((label for label in labels if is_one(completion, label.lower())), "")


LABELS = (["negative", "positive"], ["World", "Sports", "Business"], ["spam", "HAM"], ["Yes", "No", "Maybe"])
NONE = "There the answer is the empty string."


def _completion(rng: random.Random) -> tuple[str, list[str]]:
    labels = rng.choice(LABELS)
    label = rng.choice(labels)
    word = rng.choice((label, label, label, label[:-1], f"{label}ly", f"un{label}", "the"))
    word = rng.choice((str.lower, str.upper, str.title, str))(word)
    before, after = rng.choice(("", "", "(", "**", '"', "[", "'")), rng.choice(("", ".", "!?", ":", "**", ",", ")", "]", ";"))
    then = rng.choice(("", " ", "\n", "\n\n", "\t")) + rng.choice(("", rng.choice(labels), "I think", f"not {labels[0]}"))
    return f"{rng.choice(('', ' ', chr(10)))}{before}{word}{after}{then if then.strip() and then[0].isspace() else ''}", labels


def _text_to_label() -> Exercise:
    labels, topics = LABELS[:2]
    cases = [
        Case(("positive", labels), "The whole completion is one label: return it."),
        Case((" Negative", labels), "A space before the word and a capital letter change nothing: this is a label."),
        Case(("positive. It was fun", labels), "A full stop behind the word changes nothing: this is a label."),
        Case(("**Positive**!", labels), "Punctuation of any kind may stand on both sides of the word, more than one mark, too."),
        Case(("positive) or so", labels), "Punctuation of any kind may stand behind the word: this is a label."),
        Case(("...positive", labels), "Punctuation may stand before the word: this is a label."),
        Case(("negative\nReview: a joy", labels), "A tuned model may write on. A line break ends a word as a space does."),
        Case(("sports, I think", topics), "Here the labels begin with capital letters. Return a label as `labels` spells it."),
        Case(("not positive", labels), f"The first word is 'not', and that is no label. {NONE}"),
        Case(("The review is negative.", labels), f"Only the first word counts, and 'The' is no label. {NONE}"),
        Case(("positively wonderful", labels), f"'positively' is another word than 'positive'. {NONE}"),
        Case(("pos", labels), f"A part of a label is no label. {NONE}"),
        Case(("maybe", labels), f"'maybe' is no label. {NONE}"),
        Case(("Maybe!", LABELS[3]), "Here 'Maybe' is one of the labels: which words are labels, `labels` says."),
        Case(("", labels), f"The model may end at once, without a word. {NONE}", edge="an empty completion"),
        Case((" \n", labels), f"The model may write nothing but whitespace. {NONE}", edge="only whitespace"),
        Case(("...", labels), f"The model may write nothing but punctuation. {NONE}", edge="only punctuation"),
        *generated(_completion, 40, why="Take the first word without the marks around it. Is it one of the labels, whatever its case?"),
    ]
    anywhere = "You look for a label anywhere in the completion. 'not positive' holds a label, too: only the first word counts."
    case = "Upper and lower case still make a difference, in the completion or in the labels."
    mistakes = [
        Wrong(_first_that(lambda text, label: label in text.lower()), anywhere),
        Wrong(_first_that(lambda text, label: label in [_word(word) for word in text.split()]), anywhere),
        Wrong(
            lambda text, names: next(filter(None, (_label(word, names) for word in text.split())), ""),
            anywhere,
        ),
        *[
            Wrong(
                _first_that(lambda text, label, cut=cut: text.strip(cut).lower().startswith(label)),
                "You ask how the completion begins. 'positively' begins with a label, too: compare the whole word.",
            )
            for cut in (f"{string.punctuation}{string.whitespace}", string.whitespace, None)
        ],
        *[
            Wrong(_first_that(part), "A part of a label is no label: 'pos' is another word than 'positive'. Compare whole words.")
            for part in (
                lambda text, label: _word(text) in label,
                lambda text, label: _word(text) and _word(text) in label,
                lambda text, label: label.startswith(_word(text)),
                lambda text, label: _word(text) and label.startswith(_word(text)),
            )
        ],
        Wrong(
            _first_that(lambda text, label: text.strip().strip(string.punctuation).lower() == label),
            "You compare the whole completion. A model may write on behind the label: take the first word.",
        ),
        Wrong(
            lambda text, names: _label(text, names, place=-1),
            "You take the last word. The model was tuned to write the label first; what follows is chatter.",
        ),
        Wrong(partial(_label, fold=str), case),
        Wrong(lambda text, names: next((name for name in names if name == _word(text)), ""), case),
        Wrong(lambda text, names: next((name for name in names if name.lower() == (text.split() or [""])[0].strip(string.punctuation)), ""), case),
        Wrong(
            lambda text, names: _label(text, names[:1]),
            'You compare with the first label only. A `return` in the first round of a loop ends it: return "" behind the loop.',
        ),
        Wrong(
            lambda text, names: _label(text, names[-1:]),
            "Only the last label is found. Does a later round of your loop replace what an earlier one has found?",
        ),
        *[
            Wrong(
                lambda text, names, is_one=is_one, yes=yes, no=no: yes if is_one(text.lower(), yes) else no,
                "Your function knows two labels only and always returns one of them. Which words are labels, the argument `labels` says, "
                "and what is no label gives the empty string.",
            )
            for is_one in (lambda text, yes: _word(text) == yes, lambda text, yes: yes in text, lambda text, yes: text.strip().startswith(yes))
            for yes, no in (("positive", "negative"), ("negative", "positive"))
        ],
        Wrong(partial(_label, cut=""), "Punctuation still sticks to the first word."),
        *[
            Wrong(partial(_label, cut=marks), "Some punctuation still sticks to the first word: there are more marks than those that you take off.")
            for marks in (".", ".,", ".!", ".,!", ".,!?", ".,!?;:", ".,;:!?\"'", ".,!?:;\"'()")
        ],
        *[
            Wrong(
                _first_that(lambda text, label, strip=strip: _word(text, strip) == label),
                "Punctuation is taken off one side of the word only. It may stand on both sides.",
            )
            for strip in (str.lstrip, str.rstrip)
        ],
        *[
            Wrong(
                _first_that(lambda text, label, cut=cut: text.strip(cut).split(" ")[0].strip(string.punctuation).lower() == label),
                "You part the completion at spaces only. A line break ends a word, too.",
            )
            for cut in (string.whitespace, " ")
        ],
        Wrong(
            lambda text, names: _label(text, names) or names[0],
            "You return a label when there is none. A wrong format would be scored as an answer: return the empty string.",
        ),
        Wrong(
            lambda text, names: _label(text, names) or names[-1],
            "You return a label when there is none. A wrong format would be scored as an answer: return the empty string.",
        ),
        Wrong(
            lambda text, names: _label(text, names) or _word(text),
            "You return the first word when it is no label. What is no label gives the empty string.",
        ),
        Wrong(lambda text, names: _label(text, names).lower(), "You return the label in lower case. Return it as `labels` spells it."),
        Wrong(
            lambda text, names: (text.split() or [""])[0].strip(string.punctuation) if _label(text, names) else "",
            "You return the label as the completion spells it. Return it as `labels` spells it.",
        ),
        *[
            Wrong(
                lambda text, names, known=known: _label(text, known),
                "Which words are labels, the argument `labels` says: they are not always the same.",
            )
            for known in LABELS[:2]
        ],
    ]
    return Exercise(
        'A text becomes a label, and what is no label is "".',
        call="text_to_label(completion, labels)",
        cases=cases,
        right=_label,
        mistakes=mistakes,
        properties=[
            Property(
                lambda label, case: label in case.given[1] or label.lower() not in map(str.lower, case.given[1]),
                lambda label, case: f"Return the label in the spelling of `labels`: {showing.shown(label)} is not among them.",
            )
        ],
        read=lambda value: as_text(value, 'a text, which is a label or "",'),
    )


# 3.8 and 3.9: LoRA


def _each(count: Callable[[int, int, int], float]) -> Callable[[list[tuple[int, int]], int], float]:
    return lambda shapes, rank: sum(count(out, features, rank) for out, features in shapes)


def _shapes(rng: random.Random) -> tuple[list[tuple[int, int]], int]:
    sizes = (48, 64, 96, 192, 576)
    return [(rng.choice(sizes), rng.choice(sizes)) for _ in range(rng.randrange(2, 9))], rng.choice((1, 2, 3, 16))


def _lora_parameters() -> Exercise:
    right = _each(lambda o, i, r: r * (o + i))
    cases = [
        Case(([(64, 64)], 4), "Here A has the shape (4, 64) and B has (64, 4). How many numbers do both hold together?"),
        Case(([(192, 576)], 8), "Here the matrix is not square: A has the shape (8, 576) and B has (192, 8)."),
        Case(([(64, 64), (96, 64)], 2), "Two matrices are adapted, each with its own A and B: all four count."),
        Case(([(48, 96)] * 3, 2), "Three matrices have the same shape, and each has its own A and B."),
        Case(([(10, 6), (4, 8)], 1), "With a rank of 1, A is one row and B is one column."),
        Case(([(3, 48), (64, 64), (48, 5)], 8), "The rank may be larger than a side of W. A and B have the same shapes as ever."),
        *generated(_shapes, why="Count A and B for each matrix and add up. The rank is the same for all."),
    ]
    one = "You count only one of the two matrices that LoRA adds."
    square = "You count A and B as if they had the same size. That is true only where W is square."
    brackets = "The rank must count for both matrices, not for one of them alone: where do brackets belong?"
    mistakes = [
        Wrong(_each(lambda o, i, r: o * i), "You count the numbers of W. LoRA leaves them as they are and trains others."),
        Wrong(_each(lambda o, i, r: o * i + r * (o + i)), "You count W, too. It is used, but it is frozen: it is not trained."),
        Wrong(_each(lambda o, i, r: r * i), one),
        Wrong(_each(lambda o, i, r: r * o), one),
        Wrong(_each(lambda o, i, r: 2 * r * i), square),
        Wrong(_each(lambda o, i, r: 2 * r * o), square),
        Wrong(_each(lambda o, i, r: o + i), "The rank is missing. Twice the rank must train twice as many numbers."),
        Wrong(_each(lambda o, i, r: r + o + i), "You add the rank to the sizes of W. How many numbers does a matrix of shape (rank, in) hold?"),
        Wrong(_each(lambda o, i, r: r * o + i), brackets),
        Wrong(_each(lambda o, i, r: o + r * i), brackets),
        Wrong(_each(lambda o, i, r: r * o * i), "You multiply all three numbers. Count A by itself, then B by itself."),
        Wrong(_each(lambda o, i, r: r * o * r * i), "You multiply the sizes of A and B. Both are kept, side by side."),
        Wrong(_each(lambda o, i, r: r * r * (o + i)), "The rank counts twice. It is one side of A and one side of B: once in each."),
        Wrong(
            _each(lambda o, i, r: r * r),
            "You multiply the rank with itself. A has the shape (rank, in), B has (out, rank): W's two sizes count, too.",
        ),
        Wrong(_each(lambda o, i, r: r * (o + i) + r * r), "You count a matrix of shape (rank, rank) besides. LoRA puts only A and B beside W."),
        *[
            Wrong(_each(bias), "You count a bias, too. A and B are matrices, and no other numbers are trained.")
            for bias in (lambda o, i, r: r * (o + i) + o, lambda o, i, r: r * (o + i) + r, lambda o, i, r: r * (o + i) + o + r)
        ],
        Wrong(_each(lambda o, i, r: r * (o + i) / 2), "You count half of what A and B hold together."),
        Wrong(_each(lambda o, i, r: 2 * r * (o + i)), "You count twice as many numbers as A and B hold."),
        Wrong(_each(lambda o, i, r: r * (o + i) / (o * i)), "You return a share of W's numbers. How many are trained is asked for."),
        Wrong(
            lambda shapes, rank: right(shapes, rank) / sum(o * i for o, i in shapes),
            "You return a share of W's numbers. How many are trained is asked for.",
        ),
        Wrong(lambda shapes, rank: right(shapes[:1], rank), "You count only the first matrix. Each adapted matrix has an A and a B of its own."),
        Wrong(
            lambda shapes, rank: right(shapes[-1:], rank),
            "You count only the last matrix: a value is replaced in each round of the loop, where it should grow.",
        ),
        Wrong(lambda shapes, rank: right(shapes[:-1], rank), "The last matrix is left out."),
        Wrong(lambda shapes, rank: right(shapes[1:], rank), "The first matrix is left out."),
        Wrong(
            lambda shapes, rank: right(list(set(shapes)), rank),
            "Matrices of the same shape count once in your sum. Each of them has an A and a B of its own.",
        ),
        Wrong(lambda shapes, rank: right(shapes, rank) / len(shapes), "You return the mean over the matrices. How many numbers are trained in all?"),
        Wrong(lambda shapes, rank: right(shapes, rank) * len(shapes), "You multiply by the number of matrices after you have added them up."),
        *[
            Wrong(lambda shapes, rank, fixed=fixed: right(shapes, fixed), "Your result does not depend on `rank`, which is not always the same.")
            for fixed in (2, 4, 8)
        ],
    ]
    return Exercise(
        "Two thin matrices for each wide one: LoRA trains only those.",
        call="lora_parameters(shapes, rank)",
        cases=cases,
        right=right,
        mistakes=mistakes,
        read=lambda value: as_number(value, "one number, for all matrices together,"),
        tolerance=1e-9,
    )


def _lora(combine: Callable, change: Callable = lambda x, a, b: x @ a.T @ b.T) -> Callable:
    """Return a LoRA layer by how it combines W's part, the change, alpha, the rank and the scale."""
    return lambda x, w, a, b, alpha, scale=1.0: combine(x @ w.T, change(x, a, b), alpha, len(a), scale)


def _usual(base: Any, change: Any, alpha: float, rank: int, scale: float) -> Any:
    return base + scale * alpha / rank * change


def _drawn(seed: int, *before: int, sizes: tuple[int, int, int] = (2, 2, 2), settings: tuple) -> tuple:
    """Return what a layer is called with, in whole numbers; before: x's dimensions before the last; sizes: in, out, rank."""
    features, out, rank = sizes
    generator = torch.Generator().manual_seed(seed)
    shapes = ((*before, features), (out, features), (rank, features), (out, rank))
    values = torch.tensor([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0])
    return *(values[torch.randint(6, shape, generator=generator)] for shape in shapes), *settings


def _lora_case(rng: random.Random) -> tuple:
    features, out, rank = rng.sample(range(2, 7), 3)
    return _drawn(
        rng.randrange(100),
        *rng.choices((1, 2, 3), k=rng.randrange(1, 3)),
        sizes=(features, out, rank),
        settings=(rng.randrange(1, 20), rng.uniform(-2, 2)),
    )


def _one_tensor(value: Any) -> torch.Tensor:
    require(not isinstance(value, tuple), expected("one tensor", value))
    return as_tensor(value, "one tensor")


def _lora_output() -> Exercise:
    right = _lora(_usual)
    parts = "W's part is x @ W.T, and the change is added to it. Compare the rest with the text, part by part."
    other = "Here in, out and rank are three different numbers, so that each matrix fits in one way only."
    cases = [
        Case(_drawn(0, 1, settings=(6, 0.25)), parts),
        Case(_drawn(1, 1, settings=(12,)), f"Called without a scale, the function takes a scale of 1. {parts}"),
        Case(_drawn(2, 1, settings=(5,)), "alpha / rank need not be a whole number, and here it is not."),
        Case(_drawn(3, 1, settings=(6, 0.0)), "With a scale of 0 the adapter is switched off, and what W makes of x is left."),
        Case(_drawn(4, 1, settings=(3, -1.5)), "A scale may be below 0, too: it turns the change around."),
        Case(_drawn(5, 1, settings=(2, 5.0)), "At a scale of 5 the change is five times as large as at 1."),
        Case(_drawn(6, 3, sizes=(5, 4, 2), settings=(8, 0.5)), other),
        Case(_drawn(7, sizes=(5, 4, 2), settings=(8,)), "x may have one dimension, (in,): only the last one counts.", edge="x of one dimension"),
        Case(_drawn(8, 2, 3, sizes=(5, 4, 2), settings=(8,)), "x may have three dimensions: only the last one counts.", edge="x of three dimensions"),
        *generated(_lora_case, why=other),
    ]
    order = (
        "A and B are not used in the right order, or one is not transposed. x has `in` numbers in its last place: "
        "which of the two matrices takes `in` numbers, and what does it hand on?"
    )
    size = "alpha is divided by a number that is not the rank. Which dimension of A and which of B is the rank?"
    scaled = "You also scale what W makes of x. Only the adapter's change is scaled; W's part stays."
    below = "A negative scale is treated as another one. It is allowed, and turns the change around."
    mistakes = [
        Wrong(_lora(lambda b, c, a, r, s: b + s * c), "alpha / rank is missing: it says how strong the change is."),
        Wrong(_lora(lambda b, c, a, r, s: b + s * a * c), "You multiply by alpha, but the rank is missing: divide by it."),
        Wrong(_lora(lambda b, c, a, r, s: b + s / r * c), "You divide by the rank, but alpha is missing."),
        Wrong(_lora(lambda b, c, a, r, s: b + s * r / a * c), "alpha / rank stands upside down."),
        Wrong(_lora(lambda b, c, a, r, s: b + s * a * r * c), "You multiply by the rank. alpha is divided by it."),
        Wrong(_lora(lambda b, c, a, r, s: b + c), "The change is not multiplied: alpha / rank and `scale` are missing."),
        Wrong(_lora(lambda b, c, a, r, s: b + a * c), "You multiply by alpha alone. The rank divides it, and `scale` is missing."),
        Wrong(_lora(lambda b, c, a, r, s: b + s * (a // r) * c), "You divide with //, which leaves out what is behind the point. / divides fully."),
        Wrong(_lora(lambda b, c, a, r, s: b + s * round(a / r) * c), "You round alpha / rank. It need not be a whole number."),
        Wrong(_lora(lambda b, c, a, r, s: b + s * a / r**2 * c), "You divide by the rank twice. Once is enough."),
        Wrong(_lora(lambda b, c, a, r, s: b + s * a / r**0.5 * c), "You divide by the square root of the rank. Here it is the rank itself."),
        Wrong(_lora(lambda b, c, a, r, s: b + a / r * c), "You ignore `scale`. With it an adapter can be turned down, and 0 switches it off."),
        Wrong(_lora(lambda b, c, a, r, s: b + abs(s) * a / r * c), below),
        Wrong(_lora(lambda b, c, a, r, s: b + max(s, 0) * a / r * c), below),
        Wrong(
            _lora(lambda b, c, a, r, s: b + min(max(s, 0), 1) * a / r * c),
            "You keep the scale between 0 and 1. It may be any number, below 0 and above 1.",
        ),
        Wrong(_lora(lambda b, c, a, r, s: b + s**2 * a / r * c), "The scale counts twice. The change is multiplied by it once."),
        Wrong(
            _lora(lambda b, c, a, r, s: b + (s or 1) * a / r * c),
            "A scale of 0 counts as 1: `scale or 1` takes 0 for nothing given. 0 switches the adapter off.",
        ),
        Wrong(_lora(lambda b, c, a, r, s: b + a / r * c / s if s else b), "You divide by the scale. A larger scale must make the change larger."),
        Wrong(_lora(lambda b, c, a, r, s: b + a / r * c + s), "You add the scale. The change is multiplied by it."),
        Wrong(_lora(lambda b, c, a, r, s: b + (s + a / r) * c), "You add the scale to alpha / rank. The change is multiplied by both."),
        *[
            Wrong(_lora(wrong), scaled)
            for wrong in (
                lambda b, c, a, r, s: s * (b + a / r * c),
                lambda b, c, a, r, s: s * a / r * (b + c),
                lambda b, c, a, r, s: a / r * (b + s * c),
                lambda b, c, a, r, s: s * b + a / r * c,
                lambda b, c, a, r, s: s * b + s * a / r * c,
                lambda b, c, a, r, s: (1 - s) * b + s * a / r * c,
            )
        ],
        Wrong(_lora(lambda b, c, a, r, s: s * a / r * c), "What W makes of x is missing. LoRA adds to it."),
        Wrong(_lora(lambda b, c, a, r, s: b), "The adapter's change is missing: that is what W gives alone."),
        Wrong(_lora(lambda b, c, a, r, s: b - s * a / r * c), "You subtract the change. LoRA adds it."),
        Wrong(_lora(lambda b, c, a, r, s: b * s * a / r * c), "You multiply what W makes of x by the change. LoRA adds the two."),
        Wrong(
            lambda x, w, *rest: right(x, w.T, *rest), "W is not transposed. It has shape (out, in), and x brings its `in` numbers in its last place."
        ),
        *[
            Wrong(_lora(_usual, wrong), order)
            for wrong in (
                lambda x, a, b: x @ a @ b,
                lambda x, a, b: x @ a.T @ b,
                lambda x, a, b: x @ a @ b.T,
                lambda x, a, b: x @ b @ a,
                lambda x, a, b: x @ b.T @ a,
                lambda x, a, b: x @ b @ a.T,
                lambda x, a, b: x @ b.T @ a.T,
            )
        ],
        Wrong(_lora(_usual, lambda x, a, b: x @ a.T), "Only A is used. B makes the change from what A hands on."),
        Wrong(_lora(_usual, lambda x, a, b: x @ b.T), "Only B is used. x goes through A first, and B makes the change from what A hands on."),
        Wrong(
            _lora(_usual, lambda x, a, b: x @ a.T + x @ b.T), "You add what A and B make of x. One stands behind the other: B takes what A hands on."
        ),
        Wrong(
            lambda x, w, a, b, alpha, scale=1.0: _usual(x @ w.T, x @ w.T @ a.T @ b.T, alpha, len(a), scale),
            "The adapter gets what W makes of x. It stands beside W: x itself goes through A.",
        ),
        Wrong(
            lambda x, w, a, b, alpha, scale=1.0: _usual(x, x @ a.T @ b.T, alpha, len(a), scale),
            "x itself stands where what W makes of x belongs.",
        ),
        Wrong(lambda x, *rest: x + right(x, *rest), "You add x itself. The result is W's part plus the adapter's change, no more."),
        Wrong(lambda x, w, a, b, alpha, scale=1.0: right(x, w, a, b, alpha * len(a) / a.shape[1], scale), size),
        Wrong(lambda x, w, a, b, alpha, scale=1.0: right(x, w, a, b, alpha * len(a) / len(b), scale), size),
        Wrong(lambda x, w, a, b, alpha, scale=1.0: right(x, w, a, b, alpha * len(a) / len(x), scale), size),
        *[
            Wrong(
                _lora(_usual, wrong),
                "Something bends or moves the numbers between A and B or behind them, such as relu, softmax or a bias. Both are matrices only.",
            )
            for wrong in (
                lambda x, a, b: torch.relu(x @ a.T) @ b.T,
                lambda x, a, b: torch.relu(x @ a.T @ b.T),
                lambda x, a, b: torch.tanh(x @ a.T) @ b.T,
                lambda x, a, b: torch.nn.functional.gelu(x @ a.T) @ b.T,
                lambda x, a, b: torch.sigmoid(x @ a.T) @ b.T,
                lambda x, a, b: torch.softmax(x @ a.T, -1) @ b.T,
            )
        ],
        *[
            Wrong(lambda *given, rounded=rounded: rounded(right(*given)), "You round the result to whole numbers. Return it as it is.")
            for rounded in (torch.round, torch.floor, torch.trunc)
        ],
        Wrong(
            lambda x, w, a, b, alpha, scale=1.0: right(x, w, a, b, alpha, float(bool(scale))),
            "For you a scale only switches the adapter on or off. It is a number by which the change is multiplied.",
        ),
        *[
            Wrong(
                lambda x, w, a, b, alpha, scale=1.0, fixed=fixed: right(x, w, a, b, alpha * len(a) / fixed, scale),
                "Your rank is always the same number. Read it from the shape of A or of B.",
            )
            for fixed in (2, 3, 4, 8)
        ],
        *[
            Wrong(
                lambda x, w, a, b, alpha, scale=default: right(x, w, a, b, alpha, scale),
                "Called without a scale, your function takes another one than 1. Keep the head of the function as it stands.",
            )
            for default in (0.0, 0.5, 2.0)
        ],
    ]
    return Exercise(
        "W stays as it is, and a scale of 0 gives the base model back.",
        call="lora_output(x, W, A, B, alpha, scale)",
        cases=cases,
        right=right,
        mistakes=mistakes,
        properties=[
            Property(
                lambda y, case: y.shape == (*case.given[0].shape[:-1], len(case.given[1])),
                lambda y, case: (
                    f"The result should have the shape {(*case.given[0].shape[:-1], len(case.given[1]))}, as x but with `out` numbers in "
                    f"the last place, and this has {tuple(y.shape)}."
                ),
            )
        ],
        read=_one_tensor,
    )


# 3.10: when tuning pays


def _even(tuning: float, prompt: float, tuned: float, *, rounded: Callable = math.ceil, saved: Callable = operator.sub) -> float:
    return rounded(tuning / saved(prompt, tuned)) if prompt > tuned else math.inf


def _seconds(rng: random.Random) -> tuple[float, float, float]:
    """Return seconds that floats hold exactly, so that a sum in a loop is exact, too."""
    tuned = rng.randrange(1, 24) / 8
    return rng.randrange(80, 40_000) / 8, tuned + rng.randrange(1, 20) / 8, tuned


def _as_queries(value: Any) -> float:
    asked = "one number, or math.inf,"
    require(not isinstance(value, bool | np.bool_), expected(asked, value))
    return as_number(value, asked)


def _break_even() -> Exercise:
    never = "A tuned query saves no time here, so that the time for tuning never comes back: math.inf is right."
    whole = "Queries are whole: add up both costs at this number of queries and at the ones beside it."
    cases = [
        Case((100.0, 1.75, 0.5), "Add up both costs at this number of queries, and compare them."),
        Case((7.0, 3.0, 1.0), whole),
        Case((1000.0, 1.0, 0.0625), whole),
        Case((12_800.0625, 128.5, 0.5), f"{whole} Even a very small part of a query more is one query more."),
        Case((900.0, 2.5, 0.25), "Here both have cost exactly the same at one number of queries, and 'no more' includes that."),
        *generated(_seconds, why="Add up both costs at this number of queries, and at one less. What does one query save?"),
        Case((0.5, 2.0, 1.0), "Tuning took less time than one query saves: one query is enough."),
        Case((86_400.0, 1.5, 1.0), "A query saves half a second here, and tuning took a day: it pays late, but it pays."),
        Case((312_500.0, 1.625, 1.5), "A query saves an eighth of a second here, and tuning took days: it pays late, but it pays."),
        Case((1100.0, 1.0009765625, 1.0), "A query saves a thousandth of a second here. It is little, but it is no loss: tuning pays late."),
        Case((600.0, 1.0, 1.0), never, edge="a tuned query takes as long"),
        Case((600.0, 0.5, 1.5), never, edge="a tuned query takes longer"),
    ]
    unsaved = "A query to the tuned model takes time, too. How much does one query save?"
    early = "At your number of queries tuning has still cost more. Which way must a part of a query be rounded?"
    stops = "Your function gives up after some number of queries. Many are not the same as never: compute the number, or let a loop go on."
    mistakes = [
        Wrong(partial(_even, rounded=math.floor), early),
        Wrong(partial(_even, rounded=round), early),
        Wrong(partial(_even, rounded=lambda n: math.floor(n + 0.5)), early),
        Wrong(partial(_even, rounded=float), "You return parts of a query. The smallest whole number is asked for."),
        Wrong(partial(_even, rounded=lambda n: round(n, 1)), "You return parts of a query. The smallest whole number is asked for."),
        Wrong(partial(_even, rounded=lambda n: round(n, 2)), "You return parts of a query. The smallest whole number is asked for."),
        Wrong(
            partial(_even, rounded=lambda n: math.floor(n) + 1),
            "Where both have cost exactly the same, you ask for one query more. 'No more' includes the same.",
        ),
        *[
            Wrong(
                partial(_even, rounded=lambda n, digits=digits: math.ceil(round(n, digits))),
                "A very small part of a query is lost in your rounding. It is one query more, too: is the number rounded before it is rounded up?",
            )
            for digits in (1, 2, 3)
        ],
        Wrong(partial(_even, rounded=lambda n: math.ceil(n) - 1), "Your number is one query too small: there tuning has still cost more."),
        Wrong(partial(_even, rounded=lambda n: math.ceil(n) + 1), "One query less is enough. The smallest number is asked for."),
        Wrong(lambda a, b, c: math.ceil(a / b), unsaved),
        Wrong(partial(_even, saved=lambda prompt, tuned: prompt), unsaved),
        Wrong(partial(_even, saved=lambda prompt, tuned: tuned), unsaved),
        Wrong(partial(_even, saved=operator.truediv), "You divide the two times of a query. How many seconds does one query save?"),
        Wrong(partial(_even, saved=operator.add), "You add the two times of a query. How much does one query save?"),
        Wrong(lambda a, b, c: _even(a, c, b), "The two times of a query are exchanged: tuning pays where the long prompt takes more."),
        Wrong(
            lambda a, b, c: math.ceil(a * (b - c)) if b > c else math.inf,
            "You multiply by what a query saves. The more a query saves, the fewer queries are needed.",
        ),
        Wrong(
            lambda a, b, c: math.ceil((b - c) / a) if b > c else math.inf,
            "Your fraction stands upside down. How often does what one query saves fit into the time for tuning?",
        ),
        Wrong(
            lambda a, b, c: math.ceil(a / b - c) if b > c else math.inf,
            "The fraction is computed before the difference. Where do brackets belong?",
        ),
        *[
            Wrong(lambda a, b, c, most=most: found if (found := _even(a, b, c)) < most else math.inf, stops)
            for most in (100, 500, 1000, 5000, 10_000, 100_000, 1_000_000)
        ],
    ]
    return Exercise(
        "Tuning costs once, a long prompt at every query.",
        call="break_even(tuning_seconds, prompt_seconds, tuned_seconds)",
        cases=cases,
        right=_even,
        mistakes=mistakes,
        properties=[
            Property(
                lambda number, case: number < math.inf or case.given[1] <= case.given[2],
                "A tuned query takes less time here, however little: after some number of queries tuning has paid, and math.inf is not right.",
            )
        ],
        read=_as_queries,
        tolerance=1e-9,
    )


CHECKS = {
    "3.6": Exercise(
        "Text by text: what is hard for both does not blur the difference.", call="paired_gain(ours, theirs, seed)", examine=_paired_gain
    ),
    "3.7": _text_to_label(),
    "3.8": _lora_parameters(),
    "3.9": _lora_output(),
    "3.10": _break_even(),
}
