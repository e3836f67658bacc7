"""What learners write for exercises 3.6 to 3.10: right answers in many styles, and wrong ones with what they must hear.

A seed that is used, random numbers that are fair: no right interval of 3.6 is like another one.
"""

import functools
import itertools
import math
import random
import re
import statistics
import string
from collections import Counter, namedtuple
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import linear

from tests import masters

INF = math.inf
MASTER = masters.names(3)
SOLUTIONS = masters.answers(3, MASTER)
paired_gain, text_to_label = SOLUTIONS["3.6"], SOLUTIONS["3.7"]
lora_parameters, lora_output, break_even = (SOLUTIONS[exercise] for exercise in ("3.8", "3.9", "3.10"))


# 3.6, right: is the gain real?


def gain_in_a_loop(ours, theirs, seed):
    rng, count, means = np.random.default_rng(seed), len(ours), []
    for _ in range(1000):
        texts = rng.integers(0, count, count)
        means.append(sum(ours[n] - theirs[n] for n in texts) / count)
    means.sort()
    return [sum(ours) / count - sum(theirs) / count, means[25], means[974]]


def gain_in_plain_python(ours, theirs, seed):
    rng = np.random.default_rng(seed)
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    means = []
    for _ in range(1000):
        total = 0.0
        for _ in range(len(differences)):
            total += rng.choice(differences)
        means.append(total / len(differences))
    means = sorted(means)
    return sum(differences) / len(differences), means[24], means[974]


def gain_of_drawn_pairs(ours, theirs, seed):
    """Draws texts, and both scores of each come along."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    texts = np.random.default_rng(seed).integers(len(ours), size=(len(ours), 1000))
    means = ours[texts].mean(axis=0) - theirs[texts].mean(axis=0)
    return np.array([np.mean(ours - theirs), np.quantile(means, 0.025), np.quantile(means, 0.975)])


def gain_in_pandas(ours, theirs, seed):
    table = pd.DataFrame({"ours": ours, "theirs": theirs})
    gain = table.ours - table.theirs
    rng = np.random.default_rng(seed)
    means = pd.Series([gain.sample(frac=1, replace=True, random_state=rng).mean() for _ in range(1000)])
    return pd.Series([gain.mean(), *means.quantile([0.025, 0.975])])


def gain_in_torch(ours, theirs, seed):
    differences = torch.tensor(ours) - torch.tensor(theirs)
    texts = torch.from_numpy(np.random.default_rng(seed).integers(0, len(ours), (1000, len(ours))))
    ends = torch.quantile(differences[texts].mean(dim=1), torch.tensor([0.025, 0.975]))
    return torch.stack([differences.mean(), *ends])


def gain_by_counts(ours, theirs, seed):
    """How often each text is drawn comes from a multinomial distribution."""
    differences = np.subtract(ours, theirs)
    n = len(differences)
    means = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=1000) @ differences / n
    return float(differences.mean()), *np.percentile(means, (2.5, 97.5)).tolist()


def gain_by_statistics(ours, theirs, seed):
    differences = list(map(float.__sub__, ours, theirs))
    rng = np.random.default_rng(seed)
    means = [statistics.fmean(rng.choice(differences, len(differences))) for _ in range(1000)]
    ends = statistics.quantiles(means, n=40)
    return statistics.fmean(differences), ends[0], ends[-1]


def gain_with_two_equal_generators(ours, theirs, seed):
    """Twice the same seed draws the same texts of both lists."""
    table = (1000, len(ours))
    a = np.random.default_rng(seed).choice(ours, table).mean(axis=1)
    b = np.random.default_rng(seed).choice(theirs, table).mean(axis=1)
    return np.mean(ours) - np.mean(theirs), *np.percentile(a - b, [2.5, 97.5])


def gain_rounded(ours, theirs, seed):
    return [round(float(number), 2) for number in paired_gain(ours, theirs, seed)]


def gain_one_after_the_other(ours, theirs, seed):
    yield from paired_gain(ours, theirs, seed)


def gain_by_scipy(ours, theirs, seed):
    from scipy import stats

    differences = np.subtract(ours, theirs)
    found = stats.bootstrap(
        (differences,), np.mean, n_resamples=1000, method="percentile", rng=np.random.default_rng(seed)
    )
    return differences.mean(), found.confidence_interval.low, found.confidence_interval.high


Gain = namedtuple("Gain", "mean low high")


class PairedGain:
    """An instance that can be called, a method that can be handed over."""

    def __init__(self, resamples=1000, share=95):
        self.resamples, self.outside = resamples, (100 - share) / 2

    def of(self, ours, theirs, seed):
        differences = np.array([ours, theirs]).T @ [1, -1]
        rng = np.random.default_rng(seed)
        means = np.fromiter((rng.choice(differences, differences.size).mean() for _ in range(self.resamples)), float)
        return Gain(differences.mean(), np.percentile(means, self.outside), np.percentile(means, 100 - self.outside))

    __call__ = of


def gain_with_options(resamples, ours, theirs, seed, low=2.5):
    differences = np.array(ours) - np.array(theirs)
    rng = np.random.default_rng(seed)
    means = sorted(differences[rng.integers(0, len(ours), len(ours))].mean() for _ in range(resamples))
    return differences.mean(), np.percentile(means, low), np.percentile(means, 100 - low)


def gain_with_pythons_generator(ours, theirs, seed):
    rng = random.Random(seed)
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    means = sorted(sum(rng.choices(differences, k=len(differences))) / len(differences) for _ in range(1000))
    return sum(differences) / len(differences), means[25], means[974]


def gain_with_torchs_generator(ours, theirs, seed):
    differences = torch.tensor(ours) - torch.tensor(theirs)
    places = torch.randint(len(ours), (1000, len(ours)), generator=torch.Generator().manual_seed(seed))
    ends = differences[places].mean(1).quantile(torch.tensor([0.025, 0.975]))
    return [differences.mean().item(), *ends.tolist()]


def gain_of_rows(ours, theirs, seed):
    pairs, rng, means = np.column_stack([ours, theirs]), np.random.default_rng(seed), []
    while len(means) < 1000:
        drawn = rng.choice(pairs, len(pairs), axis=0)
        means.append(drawn[:, 0].mean() - drawn[:, 1].mean())
    return (pairs[:, 0] - pairs[:, 1]).mean(), np.percentile(means, 2.5), np.percentile(means, 97.5)


# 3.6, wrong


def gain_with(
    size=None,
    ends=(2.5, 97.5),
    *,
    rows=1000,
    generator=np.random.default_rng,
    replace=True,
    unit=np.mean,
    difference=np.subtract,
    more=0,
):
    """Return an answer that differs from a right one in what is named."""

    def answer(ours, theirs, seed):
        differences = difference(np.array(ours), np.array(theirs))
        rng = generator(seed)
        count = size or len(ours) + more
        if replace:
            drawn = rng.choice(differences, (rows, count))
        else:
            drawn = np.array([rng.choice(differences, count, replace=False) for _ in range(rows)])
        return differences.mean(), *np.percentile(unit(drawn, axis=1), ends)

    return answer


def gain_unpaired(ours, theirs, seed):
    rng = np.random.default_rng(seed)
    first, second = (rng.choice(scores, (1000, len(scores))).mean(axis=1) for scores in (ours, theirs))
    return np.mean(ours) - np.mean(theirs), *np.percentile(first - second, [2.5, 97.5])


def gain_of_single_texts(ours, theirs, seed):
    differences = np.array(ours) - np.array(theirs)
    return differences.mean(), *np.percentile(np.random.default_rng(seed).choice(differences, 1000), [2.5, 97.5])


def gain_of_the_differences_themselves(ours, theirs, seed):
    differences = np.array(ours) - np.array(theirs)
    return differences.mean(), *np.percentile(differences, [2.5, 97.5])


def gain_along_the_wrong_axis(ours, theirs, seed):
    drawn = np.random.default_rng(seed).choice(np.subtract(ours, theirs), (1000, len(ours)))
    return np.subtract(ours, theirs).mean(), *np.percentile(drawn.mean(axis=0), [2.5, 97.5])


def gain_with_the_global_seed(ours, theirs, seed):
    np.random.seed(seed)
    return paired_gain(ours, theirs, np.random.randint(10**6))


def gain_with_pythons_global_seed(ours, theirs, seed):
    random.seed(seed)
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    means = [statistics.fmean(random.choices(differences, k=len(ours))) for _ in range(1000)]
    return statistics.fmean(differences), *np.percentile(means, [2.5, 97.5])


def gain_by_formula(ours, theirs, seed):
    differences = np.array(ours) - np.array(theirs)
    error = 1.96 * differences.std() / len(ours) ** 0.5
    return differences.mean(), differences.mean() - error, differences.mean() + error


def gain_by_the_deviation_of_the_means(ours, theirs, seed):
    differences = np.subtract(ours, theirs)
    means = np.random.default_rng(seed).choice(differences, (1000, len(ours))).mean(axis=1)
    return differences.mean(), differences.mean() - 1.96 * means.std(), differences.mean() + 1.96 * means.std()


def gain_turned_around(ours, theirs, seed):
    """The so-called basic interval: the ends are mirrored at the mean."""
    mean, low, high = paired_gain(ours, theirs, seed)
    return mean, 2 * mean - high, 2 * mean - low


def gain_of_the_resamples(ours, theirs, seed):
    drawn = np.random.default_rng(seed).choice(np.array(ours) - np.array(theirs), (1000, len(ours))).mean(axis=1)
    return drawn.mean(), *np.percentile(drawn, [2.5, 97.5])


def gain_shifted(ours, theirs, seed):
    mean, low, high = paired_gain(ours, theirs, seed)
    return mean, low + (high - low) / 4, high + (high - low) / 4


def gain_from_places(first, less):
    def answer(ours, theirs, seed):
        differences = np.subtract(ours, theirs)
        rng, n = np.random.default_rng(seed), len(differences)
        means = [differences[rng.integers(first, n - less, n)].mean() for _ in range(1000)]
        return differences.mean(), *np.percentile(means, [2.5, 97.5])

    return answer


def gain_of_unsorted_means(ours, theirs, seed):
    differences = np.subtract(ours, theirs)
    means = np.random.default_rng(seed).choice(differences, (1000, len(ours))).mean(axis=1)
    return differences.mean(), means[25], means[975]


def gain_by_student(ours, theirs, seed):
    differences = np.subtract(ours, theirs)
    half = 2.36 * differences.std(ddof=1) / len(ours) ** 0.5
    return differences.mean(), differences.mean() - half, differences.mean() + half


def gain_by_signs(ours, theirs, seed):
    """A test by turning signs around, not an interval of the gain."""
    differences = np.subtract(ours, theirs)
    means = (differences * np.random.default_rng(seed).choice([-1, 1], (1000, len(ours)))).mean(axis=1)
    return differences.mean(), *np.percentile(means, [2.5, 97.5])


def gain_of_ours_alone(ours, theirs, seed):
    means = np.random.default_rng(seed).choice(ours, (1000, len(ours))).mean(axis=1)
    return np.subtract(ours, theirs).mean(), *np.percentile(means, [2.5, 97.5])


def gain_without_the_last_text(ours, theirs, seed):
    return paired_gain(ours[:-1], theirs[:-1], seed)


def gain_with_a_fixed_global_seed(ours, theirs, seed):
    np.random.seed(0)
    differences = np.subtract(ours, theirs)
    means = np.random.choice(differences, (1000, len(ours))).mean(axis=1)
    return differences.mean(), *np.percentile(means, [2.5, 97.5])


def gain_with_torchs_global_seed(ours, theirs, seed):
    torch.manual_seed(seed)
    differences = torch.tensor(ours) - torch.tensor(theirs)
    means = differences[torch.randint(len(ours), (1000, len(ours)))].mean(1)
    return differences.mean(), *means.quantile(torch.tensor([0.025, 0.975]))


def gain_with_a_new_generator_each_time(ours, theirs, seed):
    differences = np.subtract(ours, theirs)
    means = [np.random.default_rng(seed).choice(differences, len(ours)).mean() for _ in range(1000)]
    return differences.mean(), *np.percentile(means, [2.5, 97.5])


def gain_with_sorted_lists(ours, theirs, seed):
    return paired_gain(sorted(ours), sorted(theirs), seed)


def gain_sorted_in_place(ours, theirs, seed):
    ours.sort()
    theirs.sort()
    return paired_gain(ours, theirs, seed)


def gain_of_the_medians(ours, theirs, seed):
    _, low, high = paired_gain(ours, theirs, seed)
    return np.median(np.subtract(ours, theirs)), low, high


def gain_around_zero(ours, theirs, seed):
    mean, low, high = paired_gain(ours, theirs, seed)
    return mean, low - mean, high - mean


def gain_relative(ours, theirs, seed):
    return tuple(np.array(paired_gain(ours, theirs, seed)) / np.mean(theirs))


def gain_for_the_example(ours, theirs, seed):
    return 0.15, 0.1, 0.2


def gain_for_eight_texts(ours, theirs, seed):
    differences = np.subtract(ours, theirs)
    drawn = np.random.default_rng(seed).choice(differences, (1000, 8)).mean(axis=1)
    return differences.mean(), *np.percentile(drawn, [2.5, 97.5])


def gain_without_a_return(ours, theirs, seed):
    mean, low, high = paired_gain(ours, theirs, seed)
    if mean > 0:
        return mean, low, high


def gain_until_it_is_above_zero(ours, theirs, seed):
    while True:
        result = paired_gain(ours, theirs, seed)
        if result[1] > 10**6:
            return result


def gain_of_lists(ours, theirs, seed):
    differences = ours - theirs
    return differences.mean(), 0, 1


ONCE = np.random.default_rng(5)


# 3.7, right: from text to label


def label_by_regex(completion, labels):
    words = re.findall(r"\w+", completion.casefold())
    return {label.casefold(): label for label in labels}.get(words[0], "") if words else ""


def label_by_one_pattern(completion, labels):
    pattern = r"\W*(" + "|".join(map(re.escape, labels)) + r")\b"
    found = re.match(pattern, completion, re.IGNORECASE)
    if found is None:
        return ""
    return next(label for label in labels if label.lower() == found[1].lower())


def label_in_a_loop(completion, labels):
    cleaned = "".join(letter for letter in completion.lower() if letter.isalpha() or letter.isspace())
    for label in labels:
        if cleaned.split()[:1] == [label.lower()]:
            return label
    return ""


def label_by_translation(text, names):
    words = text.translate(str.maketrans("", "", string.punctuation)).upper().split()
    if not words:
        return ""
    upper = [name.upper() for name in names]
    return names[upper.index(words[0])] if words[0] in upper else ""


def label_letter_by_letter(completion, labels):
    word = ""
    for letter in completion.strip():
        if letter.isspace():
            break
        if letter not in string.punctuation:
            word += letter
    for label in labels:
        if label.lower() == word.lower():
            return label
    return ""


def label_by_exception(completion, labels):
    try:
        first = completion.split(maxsplit=1)[0]
        position = [label.lower() for label in labels].index(first.strip(string.punctuation).lower())
    except (IndexError, ValueError):
        return ""
    return labels[position]


def label_in_pandas(completion, labels):
    words = pd.Series(completion.split(), dtype=object).head(1).str.strip(string.punctuation).str.lower()
    found = pd.Series(labels)[pd.Series(labels).str.lower().isin(words)]
    return found.iloc[0] if len(found) else ""


def label_by_recursion(completion, labels):
    if not labels:
        return ""
    first, *others = labels
    if text_to_label(completion, [first]):
        return first
    return label_by_recursion(completion, others)


def label_in_numpy(completion, labels):
    """The result is a np.str_, which is a str."""
    names = np.array(labels)
    first = next(iter(completion.split()), "").strip(string.punctuation)
    found = names[np.char.lower(names) == first.lower()]
    return found[0] if found.size else ""


def label_with_marks(marks, completion, labels):
    words = [word.strip(marks).lower() for word in completion.split()[:1]]
    return "".join(label for label in labels if label.lower() in words)


def label_peeled(completion, labels):
    """Takes marks off one by one; a loop with an else."""
    parts = re.split(r"\s+", completion.strip())
    word = parts[0]
    while word and not word[0].isalnum():
        word = word[1:]
    while word and not word[-1].isalnum():
        word = word[:-1]
    for label in labels:
        if word.casefold() == label.casefold():
            return label
    else:
        return ""


def label_by_match(completion, labels):
    match [word.strip(string.punctuation).lower() for word in completion.split()]:
        case [word, *_]:
            return next(filter(lambda label: label.lower() == word, labels), "")
        case _:
            return ""


class Labeler:
    """An instance that can be called, a method that can be handed over."""

    def read(self, completion, labels):
        known = dict(zip(map(str.lower, labels), labels, strict=True))
        first = (completion.split() or [""])[0]
        return known.get(re.sub(r"^[^\w]+|[^\w]+$", "", first).lower(), "")

    __call__ = read


# 3.7, wrong


def label_none(completion, labels):
    return text_to_label(completion, labels) or None


def label_without_a_return(completion, labels):
    for label in labels:
        if label == text_to_label(completion, labels):
            return label


def label_without_a_guard(completion, labels):
    first = completion.split()[0].strip(string.punctuation).lower()
    return next((label for label in labels if label.lower() == first), "")


def label_without_a_default(completion, labels):
    words = completion.split() or [""]
    return next(label for label in labels if label.lower() == words[0].strip(string.punctuation).lower())


def label_case_matters(completion, labels):
    first = completion.split()[0].strip(string.punctuation) if completion.split() else ""
    return first if first in labels else ""


def label_only_the_completion_lowered(completion, labels):
    first = completion.split()[0].strip(string.punctuation).lower() if completion.split() else ""
    return first if first in labels else ""


def label_punctuation_matters(completion, labels):
    first = completion.split()[0].lower() if completion.split() else ""
    return next((label for label in labels if label.lower() == first), "")


def label_with_few_marks(completion, labels):
    return label_with_marks(".,!?", completion, labels)


def label_stripped_at_the_end_only(completion, labels):
    first = completion.split()[0].rstrip(string.punctuation).lower() if completion.split() else ""
    return next((label for label in labels if label.lower() == first), "")


def label_split_at_spaces(completion, labels):
    first = completion.strip().split(" ")[0].strip(string.punctuation).lower()
    return next((label for label in labels if label.lower() == first), "")


def label_anywhere(completion, labels):
    return next((label for label in labels if label.lower() in completion.lower()), "")


def label_any_word(completion, labels):
    words = [word.strip(string.punctuation).lower() for word in completion.split()]
    return next((label for label in labels if label.lower() in words), "")


def label_first_word_that_is_one(completion, labels):
    known = {label.lower(): label for label in labels}
    words = (word.strip(string.punctuation).lower() for word in completion.split())
    return next((known[word] for word in words if word in known), "")


def label_at_the_start(completion, labels):
    begun = completion.lower().lstrip(string.punctuation + string.whitespace)
    return next((label for label in labels if begun.startswith(label.lower())), "")


def label_that_begins_with_the_word(completion, labels):
    words = completion.split() or ["?"]
    first = words[0].strip(string.punctuation).lower() or "?"
    return next((label for label in labels if label.lower().startswith(first)), "")


def label_that_holds_the_word(completion, labels):
    words = completion.split()
    first = words[0].strip(string.punctuation).lower() if words else ""
    return next((label for label in labels if first in label.lower()), "")


def label_of_the_whole_completion(completion, labels):
    said = completion.strip().strip(string.punctuation).lower()
    return next((label for label in labels if label.lower() == said), "")


def label_as_the_completion_spells_it(completion, labels):
    return (completion.split() or [""])[0].strip(string.punctuation) if text_to_label(completion, labels) else ""


def label_of_reviews_only(completion, labels):
    return text_to_label(completion, ["negative", "positive"])


def label_lowered_in_place(completion, labels):
    for n, label in enumerate(labels):
        labels[n] = label.lower()
    return text_to_label(completion, labels)


def label_popped(completion, labels):
    while labels:
        label = labels.pop()
        if text_to_label(completion, [label]):
            return label
    return ""


def label_waited_for(completion, labels):
    found = text_to_label(completion, labels)
    while not found:
        found = text_to_label(completion, labels)
    return found


# 3.8, right: how many numbers LoRA trains


def count_in_a_loop(shapes, rank):
    total = 0
    for shape in shapes:
        a = rank * shape[1]
        b = shape[0] * rank
        total += a + b
    return total


def count_in_real_matrices(shapes, rank):
    numbers = torch.tensor(0)
    for out, features in shapes:
        numbers += torch.empty(rank, features).numel() + torch.empty(out, rank).numel()
    return numbers


def count_in_pandas(shapes, rank):
    table = pd.DataFrame(shapes, columns=["out", "in"])
    return (table["out"] * rank + table["in"] * rank).sum()


def count_by_recursion(shapes, rank):
    if not shapes:
        return 0
    (out, features), *others = shapes
    return rank * features + out * rank + count_by_recursion(others, rank)


def count_in_layers(shapes, rank):
    from torch import nn

    layers = nn.ModuleList()
    for out, features in shapes:
        layers += [nn.Linear(features, rank, bias=False), nn.Linear(rank, out, bias=False)]
    return sum(parameter.numel() for parameter in layers.parameters())


def count_by_reduce(pairs, r):
    return functools.reduce(lambda total, pair: total + r * (pair[0] + pair[1]), pairs, 0)


class LoraCount:
    """An instance that can be called, a method that can be handed over."""

    def count(self, shapes, rank):
        sizes = Counter()
        for out, features in shapes:
            sizes["A"] += rank * features
            sizes["B"] += out * rank
        return sizes.total()

    __call__ = count


def count_with_factors(factors, shapes, rank):
    return float(sum(f * size for shape in shapes for f, size in zip(factors, shape, strict=True))) * rank


# 3.8, wrong


def each(count):
    return lambda shapes, rank: sum(count(out, features, rank) for out, features in shapes)


def count_of_the_first(shapes, rank):
    for out, features in shapes:
        return rank * (out + features)


def count_of_the_last(shapes, rank):
    for out, features in shapes:
        total = rank * (out + features)
    return total


def count_of_different_shapes(shapes, rank):
    return sum(rank * (out + features) for out, features in set(shapes))


def count_without_a_return(shapes, rank):
    if len(shapes) == 1:
        return lora_parameters(shapes, rank)


def count_popped(shapes, rank):
    total = 0
    while shapes:
        out, features = shapes.pop()
        total += rank * (out + features)
    return total


def count_without_an_end(shapes, rank):
    total = 0
    while shapes:
        total += rank * sum(shapes[0])
    return total


def count_unpacked_too_early(shapes, rank):
    out, features = shapes
    return rank * (out + features)


def count_shown(shapes, rank):
    print(lora_parameters(shapes, rank))


# 3.9, right: LoRA itself


def lora_in_layers(x, W, A, B, alpha, scale=1.0):
    return linear(x, W) + linear(linear(x, A), B) * (alpha / A.size(0)) * scale


def lora_merged(x, W, A, B, alpha, scale=1.0):
    return linear(x, W + scale * alpha / B.shape[1] * B @ A)


def lora_in_double(x, W, A, B, alpha, scale=1.0):
    x, W, A, B = (tensor.double() for tensor in (x, W, A, B))
    return linear(x, W) + linear(linear(x, A), B).mul(scale * (alpha / len(A)))


def lora_by_einsum(x, W, A, B, alpha, s=1.0):
    rank, _ = A.shape
    change = torch.einsum("...i,ri,or->...o", x, A, B)
    return torch.einsum("...i,oi->...o", x, W) + change * s * alpha / rank


def lora_with_columns(x, W, A, B, alpha, scale=1.0):
    column = x.unsqueeze(-1)
    return (W @ column + (scale * alpha / A.shape[0]) * (B @ (A @ column))).squeeze(-1)


def lora_in_numpy(x, W, A, B, alpha, scale=1.0):
    x, W, A, B = (tensor.numpy() for tensor in (x, W, A, B))
    return torch.from_numpy(x @ W.T + alpha / A.shape[0] * scale * (x @ A.T @ B.T))


def lora_as_an_array(x, W, A, B, alpha, scale=1.0):
    return lora_output(x, W, A, B, alpha, scale).numpy()


def lora_row_by_row(x, W, A, B, alpha, scale=1.0):
    """Flattens all dimensions but the last, and takes the rows one by one."""
    rows = []
    for row in x.reshape(-1, x.shape[-1]):
        change = torch.mv(B, torch.mv(A, row))
        rows.append(torch.mv(W, row) + change * (scale * alpha / len(A)))
    return torch.stack(rows).reshape(*x.shape[:-1], W.shape[0])


def lora_number_by_number(x, W, A, B, alpha, scale=1.0):
    out = torch.zeros(*x.shape[:-1], len(W))
    for o in range(len(W)):
        for i in range(W.shape[1]):
            weight = W[o, i] + scale * alpha / len(A) * sum(B[o, r] * A[r, i] for r in range(len(A)))
            out[..., o] += weight * x[..., i]
    return out


def lora_by_recursion(x, W, A, B, alpha, scale=1.0):
    if x.dim() > 1:
        return torch.stack([lora_by_recursion(part, W, A, B, alpha, scale) for part in x])
    return W @ x + B @ (A @ x) * alpha * scale / len(A)


def lora_switched_off(x, W, A, B, alpha, scale=1.0):
    base = x.matmul(W.t())
    if scale == 0:
        return base
    change = x.clone()
    for matrix in (A, B):
        change = change.matmul(matrix.t())
    change *= alpha / A.shape[0]
    change *= scale
    base += change
    return base


class Lora(torch.nn.Module):
    """A module that can be called, a method that can be handed over."""

    def forward(self, x, W, A, B, alpha, scale=1.0):
        layer = torch.nn.Linear(W.shape[1], W.shape[0], bias=False)
        layer.weight = torch.nn.Parameter(W)
        return layer(x) + scale * (alpha / A.shape[0]) * torch.nn.functional.linear(x, B @ A)


# 3.9, wrong


def lora_with(combine=lambda base, change, alpha, rank, scale: base + scale * alpha / rank * change, **parts):
    """Return an answer that differs from a right one in what is named."""
    base = parts.get("base", lambda x, W: x @ W.T)
    change = parts.get("change", lambda x, A, B: x @ A.T @ B.T)
    rank = parts.get("rank", lambda A, B: len(A))
    return lambda x, W, A, B, alpha, scale=1.0: combine(base(x, W), change(x, A, B), alpha, rank(A, B), scale)


def lora_in_place(x, W, A, B, alpha, scale=1.0):
    B *= scale * alpha / len(A)
    return x @ W.T + x @ A.T @ B.T


def lora_merged_in_place(x, W, A, B, alpha, scale=1.0):
    W += scale * alpha / len(A) * B @ A
    return x @ W.T


def lora_of_rows(x, W, A, B, alpha, scale=1.0):
    return torch.stack([lora_output(row, W, A, B, alpha, scale) for row in x])


def lora_of_two_dimensions(x, W, A, B, alpha, scale=1.0):
    return (W @ x.T + scale * alpha / len(A) * B @ A @ x.T).T


def lora_without_zero(x, W, A, B, alpha, scale=1.0):
    return lora_output(x, W, A, B, alpha, scale or 1.0)


def lora_without_a_return(x, W, A, B, alpha, scale=1.0):
    if scale:
        return lora_output(x, W, A, B, alpha, scale)


def lora_that_needs_a_scale(x, W, A, B, alpha, scale):
    return lora_output(x, W, A, B, alpha, scale)


def lora_off_by_default(x, W, A, B, alpha, scale=0.0):
    return lora_output(x, W, A, B, alpha, scale)


def lora_base_where_it_never_is(x, W, A, B, *rest):
    return (x @ W.T).where(x != x, lora_output(x, W, A, B, *rest))


def lora_on_what_w_makes(x, W, A, B, alpha, scale=1.0):
    base = x @ W.T
    return base + scale * alpha / len(A) * (base @ A.T @ B.T)


def lora_with_x_added(x, W, A, B, alpha, scale=1.0):
    return x + lora_output(x, W, A, B, alpha, scale)


def lora_without_an_end(x, W, A, B, alpha, scale=1.0):
    while scale != 1.0:
        x = x * 1.0
    return lora_output(x, W, A, B, alpha)


# 3.10, right: when tuning pays


def even_by_floor(tuning_seconds, prompt_seconds, tuned_seconds):
    if prompt_seconds <= tuned_seconds:
        return np.inf
    return -(-tuning_seconds // (prompt_seconds - tuned_seconds))


def even_by_counting(tuning_seconds, prompt_seconds, tuned_seconds):
    queries = 0
    while tuning_seconds + queries * tuned_seconds > queries * prompt_seconds:
        if prompt_seconds <= tuned_seconds:
            return float("inf")
        queries += 1
    return queries


def even_by_paying_back(tuning, prompt, tuned):
    if not tuned < prompt:
        return torch.inf
    owed, queries = tuning, 0
    while owed > 0:
        owed -= prompt - tuned
        queries += 1
    return queries


def even_by_adding_up(tuning_seconds, prompt_seconds, tuned_seconds):
    if tuned_seconds >= prompt_seconds:
        return math.inf
    by_prompt, by_tuning = 0.0, tuning_seconds
    for queries in itertools.count():
        if by_tuning <= by_prompt:
            return queries
        by_prompt += prompt_seconds
        by_tuning += tuned_seconds


def even_in_numpy(a, b, c):
    with np.errstate(divide="ignore"):
        return np.where(b > c, np.ceil(np.float64(a) / np.float64(b - c)), np.inf)


def even_in_torch(a, b, c):
    saved = torch.tensor(b - c, dtype=torch.float64)
    return torch.ceil(a / saved) if saved > 0 else torch.tensor(math.inf)


def even_with_fractions(a, b, c):
    a, b, c = Fraction(a), Fraction(b), Fraction(c)
    return math.inf if b <= c else math.ceil(a / (b - c))


def even_with_decimals(a, b, c):
    a, b, c = map(Decimal, (a, b, c))
    if b - c <= 0:
        return Decimal("Infinity")
    return (a / (b - c)).to_integral_value(rounding="ROUND_CEILING")


def even_by_remainder(a, b, c):
    if b - c <= 0:
        return INF
    whole, rest = divmod(a, b - c)
    return int(whole) + (1 if rest else 0)


def even_by_halving(tuning_seconds, prompt_seconds, tuned_seconds):
    def paid(queries):
        return tuning_seconds + queries * tuned_seconds <= queries * prompt_seconds

    if prompt_seconds <= tuned_seconds:
        return INF
    high = 1
    while not paid(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if paid(middle) else (middle, high)
    return high


class BreakEven:
    """An instance that can be called, a method that can be handed over."""

    def queries(self, tuning_seconds, prompt_seconds, tuned_seconds):
        try:
            queries = math.ceil(tuning_seconds / (prompt_seconds - tuned_seconds))
        except ZeroDivisionError:
            return math.inf
        return queries if queries > 0 else math.inf

    __call__ = queries


# 3.10, wrong


def even_with(rounded=math.ceil, never=INF):
    return lambda a, b, c: rounded(a / (b - c)) if b > c else never


def even_or_nothing(tuning, prompt, tuned):
    if prompt > tuned:
        return math.ceil(tuning / (prompt - tuned))


def even_capped(most):
    def answer(tuning_seconds, prompt_seconds, tuned_seconds):
        for queries in range(most):
            if tuning_seconds + queries * tuned_seconds <= queries * prompt_seconds:
                return queries
        return math.inf

    return answer


def even_without_an_end(tuning_seconds, prompt_seconds, tuned_seconds):
    queries = 0
    while tuning_seconds + queries * tuned_seconds > queries * prompt_seconds:
        queries += 1
    return queries


def even_counted_from_one_too_many(tuning_seconds, prompt_seconds, tuned_seconds):
    if prompt_seconds <= tuned_seconds:
        return math.inf
    queries = 0
    while tuning_seconds + queries * tuned_seconds >= queries * prompt_seconds:
        queries += 1
    return queries


def even_one_query_short(tuning_seconds, prompt_seconds, tuned_seconds):
    return break_even(tuning_seconds, prompt_seconds, tuned_seconds) - 1


def even_only_where_it_is_slower(tuning_seconds, prompt_seconds, tuned_seconds):
    if tuned_seconds > prompt_seconds:
        return math.inf
    return math.ceil(tuning_seconds / (prompt_seconds - tuned_seconds))


def even_with_a_guard_for_equal_only(tuning_seconds, prompt_seconds, tuned_seconds):
    if tuned_seconds == prompt_seconds:
        return math.inf
    return math.ceil(tuning_seconds / (prompt_seconds - tuned_seconds))


RIGHT: dict[str, list] = {
    "3.6": [
        paired_gain,
        gain_in_a_loop,
        gain_in_plain_python,
        gain_of_drawn_pairs,
        gain_in_pandas,
        gain_in_torch,
        gain_by_counts,
        gain_by_statistics,
        gain_with_two_equal_generators,
        gain_rounded,
        gain_with_pythons_generator,
        gain_with_torchs_generator,
        gain_of_rows,
        gain_one_after_the_other,
        gain_by_scipy,
        PairedGain(),
        PairedGain().of,
        functools.partial(gain_with_options, 1000),
        gain_with(),
        lambda a, b, s: tuple(np.float32(paired_gain(a, b, s))),
        *[
            lambda ours, theirs, seed, offset=offset: paired_gain(ours, theirs, seed + offset)
            for offset in (17, 1234, 10**9)
        ],
    ],
    "3.7": [
        text_to_label,
        label_by_regex,
        label_by_one_pattern,
        label_in_a_loop,
        label_by_translation,
        label_letter_by_letter,
        label_by_exception,
        label_in_pandas,
        label_by_recursion,
        label_in_numpy,
        label_peeled,
        label_by_match,
        functools.partial(label_with_marks, string.punctuation),
        Labeler(),
        Labeler().read,
        lambda c, ls: ([x for x in ls if [x.lower()] == re.findall(r"[a-z]+", c.lower())[:1]] + [""])[0],
    ],
    "3.8": [
        lora_parameters,
        count_in_a_loop,
        count_in_real_matrices,
        count_in_pandas,
        count_by_recursion,
        count_in_layers,
        count_by_reduce,
        LoraCount(),
        LoraCount().count,
        functools.partial(count_with_factors, (1, 1)),
        lambda shapes, rank: rank * np.array(shapes).sum(),
        lambda shapes, rank: torch.tensor(shapes).float().sum() * rank,
        lambda shapes, rank: sum(map(sum, shapes)) * rank,
        lambda shapes, rank: [rank * sum(itertools.chain.from_iterable(shapes))][0],
    ],
    "3.9": [
        lora_output,
        lora_in_layers,
        lora_merged,
        lora_in_double,
        lora_by_einsum,
        lora_with_columns,
        lora_in_numpy,
        lora_as_an_array,
        lora_row_by_row,
        lora_number_by_number,
        lora_by_recursion,
        lora_switched_off,
        Lora(),
        Lora().forward,
        lora_with(),
        functools.partial(lora_output),
        lambda *given: lora_output(*given).tolist(),
        lambda x, W, A, B, a, s=1: x @ (W.T + (B * a * s / len(A) @ A).T),
    ],
    "3.10": [
        break_even,
        even_by_floor,
        even_by_counting,
        even_by_paying_back,
        even_by_adding_up,
        even_in_numpy,
        even_in_torch,
        even_with_fractions,
        even_with_decimals,
        even_by_remainder,
        even_by_halving,
        BreakEven(),
        BreakEven().queries,
        even_with(),
        functools.partial(even_by_floor),
        lambda a, b, c: -math.floor(a / (c - b)) if b > c else INF,
    ],
}

WRONG: dict[str, list[tuple]] = {
    "3.6": [
        (lambda a, b, seed: tuple(round(end, 1) for end in paired_gain(a, b, seed)), "rounded to one digit"),
        (lambda a, b, seed: (*paired_gain(a, b, seed)[1:], paired_gain(a, b, seed)[0]), "the mean stands third"),
        (lambda a, b, seed: tuple(100 * end for end in paired_gain(a, b, seed)), "You multiply by 100"),
        (lambda o, t, s: paired_gain(t, o, s), "The sign is wrong"),
        (gain_unpaired, "resampled independently"),
        (gain_with(1000), "as many texts as there are"),
        (gain_with(20), "as many texts as there are"),
        (gain_with(4), "as many texts as there are"),
        (gain_with(more=-1), "one text less"),
        (gain_with(more=1), "one text more"),
        (gain_for_eight_texts, "as many texts as there are"),
        (gain_with(ends=(5, 95)), "90 %"),
        (gain_with(ends=(2, 98)), "96 %"),
        (gain_with(ends=(3, 97)), "94 %"),
        (gain_with(ends=(1, 99)), "98 %"),
        (gain_with(ends=(0.5, 99.5)), "99 %"),
        (gain_with(ends=(0, 95)), "below the lower end"),
        (gain_with(ends=(5, 100)), "below the lower end|above the upper end"),
        (gain_with(ends=(0, 100)), "lowest and the highest"),
        (gain_with(ends=(25, 75)), "50 %"),
        (gain_with(ends=(0.025, 0.975)), "np.percentile. counts from 0 to 100"),
        (gain_with(rows=100), "1000 resamples"),
        (gain_with(rows=500), "1000 resamples"),
        (gain_with(rows=2000), "1000 resamples"),
        (gain_with(rows=10_000), "1000 resamples"),
        (gain_with(rows=10), "1000 resamples|too narrow"),
        (gain_of_single_texts, "not about single texts|of single texts"),
        (gain_of_the_differences_themselves, "single texts"),
        (gain_along_the_wrong_axis, "only as many means as texts"),
        (gain_with(unit=np.median), "median"),
        (gain_of_the_medians, "median"),
        (gain_with(unit=np.sum), "sum"),
        (gain_with(replace=False), "the same mean. Draw texts with replacement"),
        (gain_with_a_new_generator_each_time, "no width"),
        (gain_with(ends=(97.5, 2.5)), "the two are exchanged"),
        (lambda o, t, s: sorted(paired_gain(o, t, s)), "the mean stands second"),
        (gain_with(generator=lambda seed: np.random.default_rng(0)), "Every seed gives the same interval"),
        (gain_by_formula, "Every seed gives the same interval"),
        (gain_with(generator=lambda seed: np.random.default_rng()), "The same seed gives two different"),
        (gain_with(generator=lambda seed: ONCE), "The same seed gives two different"),
        (gain_with_the_global_seed, "global random numbers"),
        (gain_with(generator=lambda seed: np.random), "global random numbers"),
        (gain_with_pythons_global_seed, "global random numbers"),
        (gain_of_the_resamples, "has nothing to do with chance"),
        (gain_by_the_deviation_of_the_means, "standard deviation"),
        (gain_turned_around, "not at the right place|mirrored"),
        (gain_shifted, "not at the right place"),
        (gain_around_zero, "around 0"),
        (gain_relative, "a share of `theirs`"),
        (gain_with(difference=lambda a, b: abs(a - b)), "without their sign"),
        (gain_for_the_example, "first number is not the mean difference|Every seed"),
        (gain_with_sorted_lists, "sorted|pairs"),
        (gain_sorted_in_place, "changed `ours`"),
        (gain_without_a_return, "gave None"),
        (gain_until_it_is_above_zero, "did not end within"),
        (lambda o, t, s: paired_gain(o, t, s)[0], "three numbers"),
        (lambda o, t, s: paired_gain(o, t, s)[1:], "three numbers"),
        (lambda o, t, s: (paired_gain(o, t, s)[0], paired_gain(o, t, s)[1:]), "three numbers"),
        (lambda o, t, s: "{:.2f} ({:.2f} to {:.2f})".format(*paired_gain(o, t, s)), "three numbers"),
        (gain_of_lists, "TypeError"),
        (gain_from_places(0, 1), "last text is never drawn"),
        (gain_from_places(1, 0), "first text is never drawn"),
        (gain_of_unsorted_means, "are they sorted before"),
        (gain_by_student, "Every seed gives the same interval"),
        (gain_by_signs, "percentiles of these means|around 0"),
        (gain_of_ours_alone, "that of `ours` alone"),
        (gain_without_the_last_text, "first number is not the mean difference"),
        (gain_with_a_fixed_global_seed, "Every seed gives the same interval"),
        (gain_with_torchs_global_seed, "global random numbers"),
        (gain_with(rows=1), "both ends are the same number"),
        (gain_with(rows=300), "no more and no fewer"),
        (gain_with(rows=3000), "no more and no fewer"),
        (gain_with(size=1), "single texts"),
        (gain_with(ends=(2.5, 95)), "on one side than on the other"),
        (gain_with(ends=(5, 97.5)), "on one side than on the other"),
        (gain_with(ends=(2.5, 97)), "on one side than on the other"),
        (lambda o, t, s: (paired_gain(o, t, s)[0], *paired_gain(t, o, s)[1:]), "theirs minus ours"),
        (lambda o, t, s: (math.nan,) * 3, "not nan"),
        (lambda o, t, s: dict(zip("abc", paired_gain(o, t, s), strict=True)), "this is a dictionary"),
    ],
    "3.7": [
        (lambda text, labels: text_to_label(text, labels[:1]), "with the first label only"),
        (lambda text, labels: text_to_label(text, labels[-1:]), "Only the last label is found"),
        (lambda text, labels: text_to_label(text, labels).upper(), "in the spelling of `labels`"),
        (lambda text, labels: text_to_label(text, ["positive"]) or "negative", "knows two labels only"),
        (label_none, "gave None"),
        (label_without_a_return, "gave None"),
        (label_without_a_guard, "IndexError"),
        (label_without_a_default, "StopIteration"),
        (label_case_matters, "Upper and lower case still make a difference"),
        (label_only_the_completion_lowered, "Upper and lower case still make a difference"),
        (
            lambda c, ls: text_to_label(c, ls) if c.split() and c.split()[0].islower() else "",
            "Upper and lower case still make a difference",
        ),
        (label_punctuation_matters, "Punctuation still sticks"),
        (label_with_few_marks, "[Pp]unctuation"),
        (label_stripped_at_the_end_only, "both sides"),
        (label_split_at_spaces, "line break ends a word"),
        (label_anywhere, "anywhere in the completion"),
        (label_any_word, "[Oo]nly the first word counts|anywhere"),
        (label_first_word_that_is_one, "[Oo]nly the first word counts|anywhere"),
        (label_at_the_start, "compare the whole word"),
        (label_that_begins_with_the_word, "part of a label is no label"),
        (label_that_holds_the_word, "part of a label is no label|[Aa]n empty text is part"),
        (label_of_the_whole_completion, "first word"),
        (lambda text, names: text_to_label((text.split() or [""])[-1], names), "You take the last word"),
        (lambda text, names: text_to_label(text, names) or names[0], "You return a label when there is none"),
        (lambda text, names: text_to_label(text, names).lower(), "You return the label in lower case"),
        (label_as_the_completion_spells_it, "as `labels` spells it"),
        (lambda text, names: text_to_label(text, names) or "none", "empty string"),
        (lambda text, names: text_to_label(text, names) or text.split()[0], "empty string|IndexError"),
        (lambda text, names: text_to_label(text, names) or -1, "A text, which is a label .* this is a"),
        (
            lambda text, names: [n.lower() for n in names].index(text_to_label(text, names).lower()),
            "A text, which is a label .* this is a",
        ),
        (
            lambda text, names: [n for n in names if n == text_to_label(text, names)],
            "A text, which is a label .* this is a",
        ),
        (lambda text, names: bool(text_to_label(text, names)), "A text, which is a label .* this is a"),
        (label_of_reviews_only, "in `labels`|labels"),
        (label_lowered_in_place, "changed `labels`"),
        (label_popped, "changed `labels`"),
        (label_waited_for, "did not end within"),
        (lambda text, names: "positive", "as `labels` spells it|this is a label"),
        (lambda text, names: text_to_label(text, names) or " ", "gave ' '.*the empty string"),
        (lambda text, names: text_to_label(text, names).upper(), "gave 'POSITIVE'"),
        (lambda text, names: text_to_label(" ".join(text.split()[1:2]), names), "gave ''. The whole completion"),
        (lambda text, names: text_to_label(text.replace("\n", ""), names), "line break ends a word"),
        (lambda text, names: text_to_label(text.replace(".", ""), [n.lower() for n in names]), "in lower case"),
        (lambda text, names: max(names, key=lambda n: text.lower().count(n.lower())), "'not', and that is no label"),
        (lambda text, names: "" if len(text.split()) > 1 else text_to_label(text, names), "whole completion"),
        (lambda text, names: text.strip(), "a label|'Negative'"),
    ],
    "3.8": [
        (
            lambda shapes, rank: lora_parameters([shape for shape in shapes if min(shape) >= rank], rank),
            "larger than a side of W",
        ),
        (each(lambda o, i, r: o * i), "You count the numbers of W"),
        (each(lambda o, i, r: o * i + r * (o + i)), "it is frozen"),
        (each(lambda o, i, r: r * i), "only one of the two matrices"),
        (each(lambda o, i, r: r * o), "only one of the two matrices"),
        (each(lambda o, i, r: 2 * r * i), "only where W is square"),
        (each(lambda o, i, r: 2 * r * o), "only where W is square"),
        (each(lambda o, i, r: o + i), "The rank is missing"),
        (each(lambda o, i, r: r + o + i), "add the rank"),
        (each(lambda o, i, r: r * o + i), "brackets|only one of"),
        (each(lambda o, i, r: o + r * i), "brackets|only one of"),
        (each(lambda o, i, r: r * o * i), "multiply all three"),
        (each(lambda o, i, r: r * o * r * i), "multiply the sizes of A and B"),
        (each(lambda o, i, r: r * r * (o + i)), "rank counts twice"),
        (each(lambda o, i, r: r * (o + i) + r * r), "a matrix of shape .rank, rank."),
        (each(lambda o, i, r: r * (o + i) + o), "bias"),
        (each(lambda o, i, r: r * (o + i) // 2), "half"),
        (each(lambda o, i, r: 2 * r * (o + i)), "twice as many"),
        (each(lambda o, i, r: r**2), "rank"),
        (each(lambda o, i, r: 2 * (o + i)), "rank"),
        (each(lambda o, i, r: r * abs(o - i)), "gave 0. Here A has the shape"),
        (each(lambda o, i, r: r * (o + i) / (o * i)), "share"),
        (lambda shapes, rank: lora_parameters(shapes[:1], rank), "only the first matrix"),
        (count_of_the_first, "only the first matrix"),
        (count_of_the_last, "only the last matrix"),
        (lambda shapes, rank: lora_parameters(shapes[:-1], rank), "last"),
        (count_of_different_shapes, "same shape"),
        (lambda shapes, rank: lora_parameters(shapes, rank) / len(shapes), "mean"),
        (lambda shapes, rank: lora_parameters(shapes, rank) * len(shapes), "number of matrices"),
        (lambda shapes, rank: lora_parameters(shapes, 2), "rank"),
        (lambda shapes, rank: [lora_parameters([shape], rank) for shape in shapes], "for all matrices together"),
        (lambda shapes, rank: lora_parameters(shapes, rank) + 1, "gave 513. Here A has the shape"),
        (lambda shapes, rank: f"{lora_parameters(shapes, rank):,}", "One number.* is a text"),
        (lambda shapes, rank: 20, "gave 20. Here A has the shape"),
        (count_without_a_return, "gave None"),
        (count_shown, "gave None.*\n.*printed"),
        (count_popped, "changed `shapes`"),
        (count_without_an_end, "did not end within"),
        (count_unpacked_too_early, "ValueError"),
        (lambda shapes, rank: sum(o for o, _ in shapes) * rank + sum(i for _, i in shapes), "brackets"),
        (lambda shapes, rank: max(rank * (o + i) for o, i in shapes), "Two matrices are adapted"),
        (lambda shapes, rank: len(shapes) * rank * sum(shapes[0]), "Two matrices are adapted"),
        (each(lambda o, i, r: 2 * r * max(o, i)), "the matrix is not square"),
        (each(lambda o, i, r: 2 * r * min(o, i)), "the matrix is not square"),
        (each(lambda o, i, r: (o + i) // r), "How many numbers do both hold"),
        (each(lambda o, i, r: o * i - r * (o + i)), "How many numbers do both hold"),
        (each(lambda o, i, r: 4 * (o + i)), "does not depend on `rank`"),
        (lambda shapes, rank: (rank * sum(i for _, i in shapes), rank * sum(o for o, _ in shapes)), "tuple of 2"),
    ],
    "3.9": [
        (lambda x, W, A, B, alpha, scale=1.0: lora_output(x, W, A, B, alpha, min(scale, 2)), "five times as large"),
        (lora_with(lambda b, c, a, r, s: b + s * c), "alpha / rank is missing"),
        (lora_with(lambda b, c, a, r, s: b + s * a * c), "the rank is missing"),
        (lora_with(lambda b, c, a, r, s: b + s / r * c), "alpha is missing"),
        (lora_with(lambda b, c, a, r, s: b + s * r / a * c), "upside down"),
        (lora_with(lambda b, c, a, r, s: b + s * (a // r) * c), "//"),
        (lora_with(lambda b, c, a, r, s: b + s * a / r**2 * c), "rank"),
        (lora_with(lambda b, c, a, r, s: b + s * a / r**0.5 * c), "root"),
        (lora_with(lambda b, c, a, r, s: b + a / r * c), "You ignore `scale`"),
        (lora_with(lambda b, c, a, r, s: b + abs(s) * a / r * c), "negative scale"),
        (lora_with(lambda b, c, a, r, s: b + max(s, 0) * a / r * c), "negative scale"),
        (lora_with(lambda b, c, a, r, s: b + s**2 * a / r * c), "scale"),
        (lora_with(lambda b, c, a, r, s: b + a / r * c / s if s else b), "divide by the scale|scale"),
        (lora_with(lambda b, c, a, r, s: b + a / r * c + s), "add .*scale|scale"),
        (lora_with(lambda b, c, a, r, s: s * (b + a / r * c)), "You also scale what W makes"),
        (lora_with(lambda b, c, a, r, s: s * a / r * (b + c)), "You also scale what W makes"),
        (lora_with(lambda b, c, a, r, s: s * b + a / r * c), "You also scale what W makes"),
        (lora_with(lambda b, c, a, r, s: (1 - s) * b + s * a / r * c), "You also scale what W makes"),
        (lora_with(lambda b, c, a, r, s: s * a / r * c), "What W makes of x is missing"),
        (lora_with(lambda b, c, a, r, s: b), "The adapter's change is missing"),
        (lora_with(lambda b, c, a, r, s: b - s * a / r * c), "You subtract the change"),
        (lora_with(lambda b, c, a, r, s: b * s * a / r * c), "multiply"),
        (lora_with(base=lambda x, W: x @ W), "W is not transposed"),
        (lora_with(change=lambda x, A, B: x @ B.T @ A.T), "not used in the right order"),
        (lora_with(change=lambda x, A, B: x @ A @ B), "not used in the right order"),
        (lora_with(change=lambda x, A, B: x @ (B @ A)), "not used in the right order"),
        (lora_with(change=lambda x, A, B: x @ (A @ B).T), "not used in the right order"),
        (lora_with(change=lambda x, A, B: x @ A.T), "Only A|B is missing"),
        (lora_with(change=lambda x, A, B: B @ A), "should have the shape"),
        (lora_with(rank=lambda A, B: A.shape[1]), "a number that is not the rank"),
        (lora_with(rank=lambda A, B: len(B)), "a number that is not the rank"),
        (lora_with(rank=lambda A, B: 3), "rank"),
        (lora_that_needs_a_scale, "TypeError.*scale|without a scale"),
        (lora_off_by_default, "[Ww]ithout a scale"),
        (lora_without_zero, "scale of 0"),
        (lora_without_a_return, "gave None"),
        (lambda *given: lora_output(*given).sum(), "shape"),
        (lambda *given: lora_output(*given).unsqueeze(0), "shape"),
        (lambda *given: lora_output(*given).transpose(0, -1), "shape"),
        (lambda *given: lora_output(*given).round(), "You round the result"),
        (
            lambda x, W, A, B, alpha, scale=1.0: x @ W.T + scale * alpha / len(x) * (x @ A.T @ B.T),
            "a number that is not the rank",
        ),
        (
            lambda x, W, A, B, alpha, scale=1.0: x @ W.T + scale * alpha / len(A) * torch.relu(x @ A.T) @ B.T,
            "Both are matrices only",
        ),
        (
            lambda x, W, A, B, alpha, scale=1.0: lora_output(x, W, A, B, alpha) if scale else x @ W.T,
            "only switches the adapter on or off",
        ),
        (lambda x, *given: (x @ given[0].T, lora_output(x, *given)), "One tensor was expected.* tuple of 2"),
        (lora_of_rows, "one dimension"),
        (lora_of_two_dimensions, "dimension"),
        (lora_base_where_it_never_is, "RuntimeError"),
        (lora_on_what_w_makes, "what W (makes|gives)"),
        (lora_with_x_added, "x itself|add x"),
        (lora_in_place, "changed `B`"),
        (lora_merged_in_place, "changed `W`"),
        (lora_without_an_end, "did not end within"),
        (lora_with(lambda b, c, a, r, s: b + c), "alpha / rank and `scale` are missing"),
        (lora_with(lambda b, c, a, r, s: b + a * c), "multiply by alpha alone"),
        (lora_with(lambda b, c, a, r, s: b + int(a / r) * s * c), "//|round"),
        (lora_with(lambda b, c, a, r, s: b + s * a / 2 * c), "always the same number"),
        (lora_with(lambda b, c, a, r, s: b + s * (a / r + c)), "Compare the rest"),
        (lora_with(lambda b, c, a, r, s: torch.cat([b, s * a / r * c], -1)), "should have the shape"),
        (lora_with(lambda b, c, a, r, s: (b + s * a / r * c).mean(0)), "should have the shape"),
        (lora_with(base=lambda x, W: x), "x itself stands where"),
        (lora_with(base=lambda x, W: W @ x), "RuntimeError.*shapes of two tensors"),
        (lora_with(rank=lambda A, B: A.numel()), "Compare the rest"),
        (lambda x, W, A, B, alpha, scale=1.0: lora_output(x, W, A, B, alpha), "You ignore `scale`"),
        (lambda x, W, A, B, alpha, scale=1.0: lora_output(x, W, B.T, A.T, alpha, scale), "not used in the right order"),
        (lambda x, W, A, B, alpha, scale=1.0: torch.tensor([[7.0, 7.0]]), "Compare the rest"),
    ],
    "3.10": [
        (lambda a, b, c: break_even(math.ceil(a), b, c), "Even a very small part|Add up both costs"),
        (even_with(math.floor), "Which way must a part of a query be rounded"),
        (even_with(int), "Which way must a part of a query be rounded"),
        (even_with(round), "Which way must a part of a query be rounded"),
        (lambda a, b, c: a // (b - c) if b > c else INF, "Which way must a part of a query be rounded"),
        (even_with(float), "parts of a query"),
        (even_with(lambda n: round(n, 1)), "parts of a query"),
        (even_with(lambda n: int(n) + 1), "'No more' includes the same"),
        (even_counted_from_one_too_many, "'No more' includes the same"),
        (even_one_query_short, "one query|still cost more"),
        (lambda a, b, c: break_even(a, b, c) + 1, "one query|smallest"),
        (even_with(lambda n: int(n + 0.9)), "small part of a query is lost"),
        (even_with(lambda n: math.ceil(round(n, 2))), "small part of a query is lost"),
        (
            lambda a, b, c: break_even(a, b, c) if b - c >= 0.01 else INF,
            "A tuned query takes less time here, however little",
        ),
        (lambda a, b, c: break_even(a, b, c) if a > b else INF, "A tuned query takes less time here"),
        (lambda a, b, c: a > b - c, "One number, or math.inf, .* truth value"),
        (even_with(never=-1), "math.inf"),
        (even_with(never=0), "math.inf"),
        (even_with(never=10**9), "math.inf"),
        (even_with(never=math.nan), "math.inf"),
        (even_with(never=-math.inf), "math.inf"),
        (even_with(never="never"), "One number, or math.inf, .* text"),
        (even_with(never="inf"), "One number, or math.inf, .* text"),
        (even_or_nothing, "gave None.* math.inf"),
        (lambda a, b, c: math.ceil(a / (b - c)), "ZeroDivisionError"),
        (even_only_where_it_is_slower, "ZeroDivisionError"),
        (even_with_a_guard_for_equal_only, "math.inf"),
        (lambda a, b, c: math.ceil(a / abs(b - c)) if b != c else INF, "math.inf"),
        (lambda a, b, c: math.ceil(a / b), "How much does (each|one) query save"),
        (lambda a, b, c: math.ceil(a / b) if b > c else INF, "How much does (each|one) query save"),
        (lambda a, b, c: math.ceil(a / c) if b > c else INF, "How much does (each|one) query save"),
        (lambda a, b, c: even_with()(a, c, b), "exchanged"),
        (lambda a, b, c: math.ceil(a / (b + c)) if b > c else INF, "You add the two times"),
        (lambda a, b, c: math.ceil(a * (b - c)) if b > c else INF, "multiply"),
        (lambda a, b, c: math.ceil((b - c) / a) if b > c else INF, "upside down"),
        (lambda a, b, c: math.ceil(a / b - c) if b > c else INF, "brackets"),
        (lambda a, b, c: math.ceil(a / (b / c)) if b > c else INF, "save"),
        (lambda a, b, c: math.ceil((a + b) / (b - c)) if b > c else INF, "save|Add up|add up|given|back"),
        (even_capped(1000), "gives up after some number"),
        (even_capped(10_000), "gives up after some number"),
        (even_capped(1_000_000), "gives up after some number"),
        (even_without_an_end, "did not end within"),
        (lambda a, b, c: even_with()(a, b, c) + 5, "smallest|cost"),
        (lambda a, b, c: 40, "given|back|cost"),
        (lambda a, b, c: (break_even(a, b, c), a), "One number, or math.inf, .* tuple"),
        (lambda a, b, c: int(a / (b - c) + 0.5) if b > c else INF, "Which way must a part of a query be rounded"),
        (lambda a, b, c: math.ceil(a / max(b - c, 1e-9)), "math.inf is right"),
        (lambda a, b, c: max(0, break_even(a, b, c)) if b > c else 0, "math.inf is right"),
        (lambda a, b, c: math.ceil(a / 60 / (b - c)) if b > c else INF, "Add up both costs"),
        (lambda a, b, c: math.ceil((a - b) / (b - c)) if b > c else INF, "Add up both costs"),
        (lambda a, b, c: math.ceil(a / round(b - c)) if round(b - c) > 0 else INF, "Add up|add up"),
        (lambda a, b, c: f"{break_even(a, b, c)} queries", "One number, or math.inf, .* text"),
    ],
}

GIVEN: dict[str, dict] = {}

_UNSEEN = "A mistake that no result tells: one resample more or less among a thousand moves the ends by far less than another seed does."
_DRAWN = "drawn = rng.choice(differences, size=({}, len(differences)))"
PATCHES: dict[str, object] = {}
EXPLAINED: dict[tuple[str, str], str] = {
    **{("3.6", f"{_DRAWN.format(1000)} -> {_DRAWN.format(number)}"): _UNSEEN for number in (999, 1001)},
    (
        "3.7",
        "first = words[0].strip(string.punctuation).lower() if words else '' -> "
        "first = words[0].strip(string.punctuation).lower() if words else 'x'",
    ): "'x' is no label either.",
}
