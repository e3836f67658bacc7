"""What learners answer to the exercises of lesson 01: right answers in different styles, and plausible wrong ones.

Each wrong answer stands beside a pattern of the sentence that it must get.
"""

from typing import Any

import numpy as np
import pandas as pd

from tests import masters

MASTER = masters.names("01")
SOLUTIONS = masters.answers("01", MASTER)

# 01.1, right


def fit_in_a_loop(sizes, memory, bits):
    names = []
    for name in sizes:
        weights = sizes[name] * bits / 8
        if weights <= memory:
            names.append(name)
    return names


def fit_by_a_filter(sizes, memory, bits):
    return tuple(filter(lambda name: memory * 8 >= sizes[name] * bits, sizes))


def fit_in_pandas(models, free, bits):
    weights = pd.Series(models) * bits / 8
    return weights.index[weights <= free]


def fit_in_numpy(sizes, memory, bits):
    names, counts = np.array(list(sizes)), np.array(list(sizes.values()))
    return names[counts * (bits / 8) <= memory].tolist()


def fit_one_by_one(sizes, memory, bits):
    for name, size in sizes.items():
        if not memory < size * bits / 8:
            yield name


# 01.1, wrong


def bits_as_bytes(sizes, memory, bits):
    return [name for name, size in sizes.items() if size * bits <= memory]


def whole_bytes_only(sizes, memory, bits):
    return [name for name, size in sizes.items() if size * (bits // 8) <= memory]


def less_than(sizes, memory, bits):
    return [name for name, size in sizes.items() if size * bits / 8 < memory]


def always_float32(sizes, memory, bits):
    return [name for name, size in sizes.items() if 4 * size <= memory]


def as_to_tune(sizes, memory, bits):
    return [name for name, size in sizes.items() if 16 * size <= memory]


def in_gigabytes(sizes, memory, bits):
    return [name for name, size in sizes.items() if size * bits / 8 / 1e9 <= memory]


def the_largest(sizes, memory, bits):
    fit = fit_in_a_loop(sizes, memory, bits)
    return [max(fit, key=sizes.get)] if fit else fit


def all_at_once(sizes, memory, bits):
    names = []
    for name, size in sizes.items():
        memory -= size * bits / 8
        if memory >= 0:
            names.append(name)
        else:
            memory += size * bits / 8
    return names


def largest_first(sizes, memory, bits):
    return sorted(fit_in_a_loop(sizes, memory, bits), key=sizes.get, reverse=True)


def too_large(sizes, memory, bits):
    return [name for name, size in sizes.items() if size * bits / 8 > memory]


def returns_sizes(sizes, memory, bits):
    return [size for size in sizes.values() if size * bits / 8 <= memory]


def returns_a_dictionary(sizes, memory, bits):
    return {name: size for name, size in sizes.items() if size * bits / 8 <= memory}


def returns_the_first(sizes, memory, bits):
    for name, size in sizes.items():
        if size * bits / 8 <= memory:
            return name


def takes_them_out(sizes, memory, bits):
    for name in list(sizes):
        if sizes[name] * bits / 8 > memory:
            del sizes[name]
    return list(sizes)


# 01.2, right


def ratio_in_a_loop(texts, encode):
    tokens = words = 0
    for text in texts:
        tokens += len(encode(text))
        words += len(text.split())
    return tokens / words


def ratio_by_maps(texts, encode):
    return sum(map(len, map(encode, texts))) / len(" ".join(texts).split())


def ratio_in_numpy(texts, encode):
    counts = np.array([(len(encode(text)), len(text.split())) for text in texts]).sum(axis=0)
    return counts[0] / counts[1]


def ratio_in_pandas(texts, encode):
    column = pd.Series(texts)
    return column.map(encode).map(len).sum() / column.str.split().map(len).sum()


# 01.2, wrong


def mean_of_ratios(texts, encode):
    return float(np.mean([len(encode(text)) / len(text.split()) for text in texts]))


def words_per_token(texts, encode):
    return 1 / ratio_in_a_loop(texts, encode)


def per_character(texts, encode):
    return sum(len(encode(text)) for text in texts) / sum(len(text) for text in texts)


def word_by_word(texts, encode):
    words = [word for text in texts for word in text.split()]
    return sum(len(encode(word)) for word in words) / len(words)


def cut_at_one_space(texts, encode):
    return sum(len(encode(text)) for text in texts) / sum(len(text.split(" ")) for text in texts)


def returns_in_the_loop(texts, encode):
    for text in texts:
        return len(encode(text)) / len(text.split())


def joined_first(texts, encode):
    text = " ".join(texts)
    return len(encode(text)) / len(text.split())


def without_a_rest(texts, encode):
    return sum(len(encode(text)) for text in texts) // sum(len(text.split()) for text in texts)


def counts_characters(texts, encode):
    return sum(map(len, texts)) / sum(len(text.split()) for text in texts)


def forgets_the_words(texts, encode):
    return sum(len(encode(text)) for text in texts)


def a_list_of_ratios(texts, encode):
    return [len(encode(text)) / len(text.split()) for text in texts]


def divides_the_lists(texts, encode):
    return sum(encode(text) / text.split() for text in texts)


# 01.3, right


def shares_in_a_loop(found, right):
    hits = 0
    for entity in found:
        if entity in right:
            hits += 1
    if not found:
        return 0, 0
    return hits / len(found), hits / len(right)


def shares_of_sets(found, right):
    hits = len(set(found).intersection(right))
    return [hits / max(len(found), 1), hits / len(right)]


def shares_in_numpy(found, right):
    return np.array([np.isin(found, right).sum() / (len(found) or 1), np.isin(right, found).mean()])


def shares_in_pandas(found, right):
    hits = pd.Series(right).isin(found)
    return pd.Series([hits.sum() / len(found) if found else 0, hits.mean()], index=["precision", "recall"])


# 01.3, wrong


def the_other_way_round(found, right):
    precision, recall = shares_in_a_loop(found, right)
    return recall, precision


def both_of_those_found(found, right):
    hits = sum(entity in right for entity in found)
    return hits / max(len(found), 1), hits / max(len(found), 1)


def place_by_place(found, right):
    hits = sum(one == other for one, other in zip(found, right, strict=False))
    return hits / max(len(found), 1), hits / len(right)


def counts_only(found, right):
    hits = sum(entity in right for entity in found)
    return hits, hits


def shares_of_what_is_wrong(found, right):
    precision, recall = shares_in_a_loop(found, right)
    return (1 - precision if found else 0), 1 - recall


def per_cent(found, right):
    return tuple(100 * share for share in shares_in_a_loop(found, right))


def nothing_found_is_forgotten(found, right):
    hits = sum(entity in right for entity in found)
    return hits / len(found), hits / len(right)


def parts_of_names(found, right):
    text, said = " ".join(right), " ".join(found)
    return sum(name in text for name in found) / max(len(found), 1), sum(name in said for name in right) / len(right)


def over_all_of_both(found, right):
    share = len(set(found) & set(right)) / len(set(found) | set(right))
    return share, share


def precision_only(found, right):
    return shares_in_a_loop(found, right)[0]


def f1(found, right):
    precision, recall = shares_in_a_loop(found, right)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


RIGHT: dict[str, list] = {
    "01.1": [SOLUTIONS["01.1"], fit_in_a_loop, fit_by_a_filter, fit_in_pandas, fit_in_numpy, fit_one_by_one],
    "01.2": [SOLUTIONS["01.2"], ratio_in_a_loop, ratio_by_maps, ratio_in_numpy, ratio_in_pandas],
    "01.3": [SOLUTIONS["01.3"], shares_in_a_loop, shares_of_sets, shares_in_numpy, shares_in_pandas],
}
WRONG: dict[str, list] = {
    "01.1": [
        (bits_as_bytes, "bits are taken as bytes"),
        (whole_bytes_only, "4 bits become 0 bytes"),
        (less_than, "exactly fits, too"),
        (always_float32, "whatever `bits` says"),
        (as_to_tune, "what tuning takes"),
        (in_gigabytes, "in bytes already, not in GB"),
        (the_largest, "Only the largest"),
        (all_at_once, "need not fit beside each other"),
        (largest_first, "keep that of `sizes`"),
        (too_large, "do not fit"),
        (returns_sizes, "It holds 100, a whole number"),
        (returns_a_dictionary, "A list of names was expected"),
        (returns_the_first, "A list of names was expected"),
        (takes_them_out, "changed `sizes`"),
        (["tiny"], "without brackets"),
    ],
    "01.2": [
        (mean_of_ratios, "mean of the texts' own ratios"),
        (words_per_token, "the other way round"),
        (per_character, "tokens per character"),
        (word_by_word, "encoded alone"),
        (cut_at_one_space, "empty words of two spaces"),
        (returns_in_the_loop, "Only the first text"),
        (joined_first, "joined before they are encoded"),
        (without_a_rest, "what is behind the point"),
        (counts_characters, "Characters are counted"),
        (forgets_the_words, "divide it by the number of words"),
        (a_list_of_ratios, "One number, tokens per word, was expected"),
        (divides_the_lists, "stopped with"),
    ],
    "01.3": [
        (the_other_way_round, "the other way round"),
        (both_of_those_found, "recall is a share of `right`"),
        (place_by_place, "place by place"),
        (counts_only, "divide it, once by each list's length"),
        (shares_of_what_is_wrong, "what is wrong and of what was missed"),
        (per_cent, "per cent"),
        (nothing_found_is_forgotten, "stopped with"),
        (parts_of_names, "A part of a name"),
        (over_all_of_both, "two lists together"),
        (precision_only, "A pair of numbers"),
        (f1, "A pair of numbers"),
    ],
}
GIVEN: dict[str, dict[str, Any]] = {}
PATCHES: dict[str, Any] = {}
EXPLAINED: dict[tuple[str, str], str] = {
    ("01.3", "both = len(set(found) & set(right)) -> both = len(set(right) & set(found))"): (
        "What two sets share is the same from both sides."
    ),
}
