"""The exercises of lesson 01, generative AI and language models."""

import re
from collections.abc import Callable, Mapping, Sequence
from random import Random

from utils.exercises.exercise import Case, Exercise, Wrong, generated
from utils.exercises.reading import as_number, as_numbers, as_texts

# 01.1: memory


def _fit(sizes: Mapping[str, int], memory: float, bits: float) -> list[str]:
    return [name for name, size in sizes.items() if size * bits <= 8 * memory]


def _together(sizes: Mapping[str, int], memory: float, bits: float) -> list[str]:
    names, used = [], 0.0
    for name, size in sizes.items():
        if used + size * bits / 8 <= memory:
            names.append(name)
            used += size * bits / 8
    return names


def _random_models(draw: Random) -> tuple[dict[str, int], int, int]:
    sizes = {f"model {letter}": draw.randrange(100, 2000) for letter in "ABCDE"}
    bits = draw.choice((4, 8, 16, 32))
    return sizes, draw.choice(list(sizes.values())) * bits // 8 + draw.randrange(100), bits


SIZES = {"large": 1000, "small": 100, "middle": 400}
WEIGHTS = "A model fits when its parameters times the bits of one, divided by 8, are at most the memory."
FIT = Exercise(
    "Bits times parameters, in bytes, is what the weights of a model take.",
    call="models_that_fit(sizes, memory, bits)",
    cases=[
        Case((SIZES, 2000, 32), "With 32 bits, 4 bytes, they take 4000, 400 and 1600 bytes: all but the large one fit."),
        Case((SIZES, 500, 8), "With 8 bits, 1 byte, they take 1000, 100 and 400 bytes: all but the large one fit."),
        *generated(_random_models, why=WEIGHTS),
        Case((SIZES, 260, 4), "4 bits are half a byte: they take 500, 50 and 200 bytes.", edge="fewer bits than a byte has"),
        Case(({"odd": 101, "even": 100}, 50, 4), "101 parameters of half a byte take 50.5 bytes, and 50 are there.", edge="half a byte too much"),
        Case((SIZES, 400, 32), "100 parameters of 4 bytes take 400 bytes, and 400 are there.", edge="a model that fills the memory"),
        Case((SIZES, 10, 16), "No model fits: the list is empty.", edge="a very small memory"),
    ],
    right=_fit,
    read=lambda value: as_texts(value, "a list of names"),
    mistakes=[
        Wrong(lambda s, m, b: [n for n in s if s[n] * b <= m], "The bits are taken as bytes: eight bits make one byte."),
        Wrong(lambda s, m, b: [n for n in s if s[n] * 4 <= m], "Every number has 4 bytes here, whatever `bits` says."),
        Wrong(lambda s, m, b: [n for n in s if s[n] <= m], "Every number has one byte here: `bits` is left out."),
        Wrong(lambda s, m, b: [n for n in s if s[n] * (b // 8) <= m], "`//` drops what is left over: 4 bits become 0 bytes. Divide with `/`."),
        Wrong(lambda s, m, b: [n for n in s if s[n] * b / 8 < m], "A model that fills the memory exactly fits, too: at most, not less."),
        Wrong(lambda s, m, b: [n for n in s if s[n] * b / 8 > m], "These are the models that do not fit."),
        Wrong(lambda s, m, b: [n for n in s if s[n] * 2 * b / 8 <= m], "Twice the weights are asked for: to run a model, once is enough."),
        Wrong(lambda s, m, b: [n for n in s if s[n] * 16 <= m], "That is what tuning takes, 16 bytes a parameter. To run takes the weights alone."),
        Wrong(lambda s, m, b: [n for n in s if s[n] * b / 8 / 1e9 <= m], "`memory` is in bytes already, not in GB: leave the billion out."),
        Wrong(_together, "Each model is looked at alone: they need not fit beside each other."),
        *[
            Wrong(
                lambda s, m, b, down=down: sorted(_fit(s, m, b), key=s.get, reverse=down), "The right models, in another order: keep that of `sizes`."
            )
            for down in (False, True)
        ],
        Wrong(lambda s, m, b: sorted(_fit(s, m, b)), "The right models, in another order: keep that of `sizes`."),
        Wrong(
            lambda s, m, b: [max(_fit(s, m, b), key=s.get)] if _fit(s, m, b) else [],
            "Only the largest of those that fit is there: all of them are asked for.",
        ),
    ],
)

# 01.2: tokens


def pieces(text: str) -> list[int]:
    """Return a stand-in for a tokenizer's ids: a mark for the beginning, then up to three letters with their space."""
    found = re.findall(r" ?[^\s]{1,3}|\s", text)
    return [0, *(sum(piece.encode()) for piece in found)]


Encode = Callable[[str], Sequence[int]]


def _words(texts: Sequence[str]) -> int:
    return sum(len(text.split()) for text in texts)


def _ratio(texts: Sequence[str], encode: Encode) -> float:
    return sum(len(encode(text)) for text in texts) / _words(texts)


def _random_texts(draw: Random) -> tuple[list[str], Encode]:
    letters = "etaoinshrdlu"
    texts = [" ".join("".join(draw.choices(letters, k=draw.randint(1, 10))) for _ in range(draw.randint(1, 9))) for _ in range(draw.randint(2, 5))]
    return texts, pieces


ALL = "All tokens of all texts are divided by all their words, which `split()` gives."
SPACES = "`split()` without an argument cuts at any run of white space; `split(' ')` makes empty words of two spaces."
TOKENS_PER_WORD = Exercise(
    "All tokens over all words: a long text counts for more than a short one.",
    call="tokens_per_word(texts, encode)",
    cases=[
        Case((["one two", "three"], list), "With `list` every character is a token: 7 and 5 tokens, 2 and 1 words.", right=4.0),
        *generated(_random_texts, why=ALL),
        Case((["a single text"], pieces), ALL, edge="one text"),
        Case((["two  spaces and\na new   line\n", " x "], pieces), SPACES, edge="more than one space between words"),
    ],
    right=_ratio,
    read=lambda value: as_number(value, "one number, tokens per word,"),
    mistakes=[
        Wrong(
            lambda t, e: sum(len(e(x)) / len(x.split()) for x in t) / len(t),
            "That is the mean of the texts' own ratios, in which a text of one word counts as much as one of a hundred.",
        ),
        Wrong(lambda t, e: _words(t) / sum(len(e(x)) for x in t), "That is words per token: the other way round."),
        Wrong(lambda t, e: sum(map(len, t)) / _words(t), "Characters are counted: `encode` gives the tokens of a text."),
        Wrong(lambda t, e: sum(map(len, t)) / sum(len(e(x)) for x in t), "That is characters per token."),
        Wrong(lambda t, e: sum(len(e(x)) for x in t) / sum(map(len, t)), "That is tokens per character: count words with `split()`."),
        Wrong(
            lambda t, e: sum(len(e(word)) for x in t for word in x.split()) / _words(t),
            "Each word is encoded alone. A tokenizer cuts a whole text in another way: its spaces are parts of tokens.",
        ),
        Wrong(
            lambda t, e: len(e(" ".join(t))) / _words(t),
            "The texts are joined before they are encoded: encode each as it is, and add up.",
        ),
        Wrong(lambda t, e: len(e("".join(t))) / _words(t), "The texts are joined before they are encoded: encode each as it is, and add up."),
        Wrong(lambda t, e: sum(len(e(x)) for x in t) / sum(len(x.split(" ")) for x in t), SPACES),
        Wrong(lambda t, e: sum(len(e(x)) for x in t) / sum(x.count(" ") + 1 for x in t), SPACES),
        Wrong(lambda t, e: sum(len(e(x)) for x in t) / sum(x.count(" ") for x in t), "Spaces are counted: two words have one space between them."),
        Wrong(lambda t, e: _ratio(t[:1], e), "Only the first text is counted. Does `return` stand inside of the loop?"),
        Wrong(lambda t, e: _ratio(t[-1:], e), "Only the last text is counted: add up over all of them."),
        Wrong(lambda t, e: sum(len(e(x)) for x in t) // _words(t), "`//` drops what is behind the point. Divide with `/`."),
        Wrong(lambda t, e: round(_ratio(t, e)), "This is rounded to a whole number: keep what is behind the point."),
        Wrong(lambda t, e: sum(len(e(x)) for x in t) / len(t), "That is tokens per text: divide by the number of words."),
        Wrong(lambda t, e: sum(len(e(x)) for x in t), "That is the number of tokens: divide it by the number of words."),
        Wrong(lambda t, e: sum(sum(e(x)) for x in t) / _words(t), "The ids are added up. How many there are is asked for: `len`."),
    ],
)

# 01.3: entities


def _shared(found: Sequence[str], right: Sequence[str]) -> int:
    return len(set(found) & set(right))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _precision_and_recall(found: Sequence[str], right: Sequence[str]) -> tuple[float, float]:
    return _share(_shared(found, right), len(found)), _share(_shared(found, right), len(right))


def _random_entities(draw: Random) -> tuple[list[str], list[str]]:
    names = ["Oslo", "Lima", "Ghent", "Pune", "Anna Berg", "Omar", "3 May", "1998", "New Lima", "Accra"]
    return draw.sample(names, draw.randint(1, 6)), draw.sample(names, draw.randint(1, 6))


SHARES = "Precision is the share of `found` that is right, recall the share of `right` that was found."
ENTITIES = Exercise(
    "Precision falls with each wrong entity, recall with each that was missed.",
    call="precision_and_recall(found, right)",
    cases=[
        Case((["Lima", "Oslo", "Rain"], ["Oslo", "Lima", "Ghent", "Omar"]), "Two of three found are right, and two of four right ones were found."),
        *generated(_random_entities, why=SHARES),
        Case((["Rain"], ["Oslo", "Lima"]), "Nothing that was found is right: both are 0.", edge="nothing in common"),
        Case(([], ["Oslo", "Lima"]), "Nothing was found: both are 0.", edge="an empty list of what was found"),
    ],
    right=_precision_and_recall,
    read=lambda value: as_numbers(value, 2, "a pair of numbers, precision and recall,"),
    mistakes=[
        Wrong(lambda f, r: _precision_and_recall(r, f), "These are recall and precision: the other way round."),
        Wrong(lambda f, r: (_share(_shared(f, r), len(f)),) * 2, "Both are divided by the number of those found: recall is a share of `right`."),
        Wrong(lambda f, r: (_share(_shared(f, r), len(r)),) * 2, "Both are divided by the number of right ones: precision is a share of `found`."),
        Wrong(
            lambda f, r: (_share(sum(map(str.__eq__, f, r)), len(f)), _share(sum(map(str.__eq__, f, r)), len(r))),
            "Entities are compared place by place, but the two lists need not be in the same order.",
        ),
        Wrong(lambda f, r: (_shared(f, r),) * 2, "That is how many are in both lists: divide it, once by each list's length."),
        Wrong(
            lambda f, r: (_share(len(f) - _shared(f, r), len(f)), _share(len(r) - _shared(f, r), len(r))),
            "These are the shares of what is wrong and of what was missed.",
        ),
        Wrong(lambda f, r: (_share(_shared(f, r), len(set(f) | set(r))),) * 2, "Both are divided by all entities of the two lists together."),
        Wrong(lambda f, r: tuple(100 * share for share in _precision_and_recall(f, r)), "These are per cent: shares go from 0 to 1."),
        Wrong(lambda f, r: tuple(round(share) for share in _precision_and_recall(f, r)), "These are whole numbers: keep what is behind the point."),
        Wrong(
            lambda f, r: (_share(sum(x in " ".join(r) for x in f), len(f)), _share(sum(x in " ".join(f) for x in r), len(r))),
            "A part of a name counts here as the name: look for it in the list, not in a text.",
        ),
    ],
)

CHECKS = {"01.1": FIT, "01.2": TOKENS_PER_WORD, "01.3": ENTITIES}
