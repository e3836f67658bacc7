"""The exercises of Lab 3, parameter-efficient tuning."""

import math
import operator
import pickle
import random
import string
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch

from utils.datasets.records import TextToText
from utils.evaluation.intervals import bootstrap
from utils.exercises.exercise import Case, Exercise, Rule, Wrong, call_with_copies
from utils.exercises.lab_1 import DIALOGUES
from utils.exercises.mistakes import require
from utils.exercises.prompt_rules import WELL_MADE
from utils.exercises.reading import as_labels, as_number, as_numbers, as_tensor, as_text, as_texts
from utils.training.records import IGNORED

ODD = TextToText('#Person1#:  Is {name} "100%" sure?\n\n#Person2#: Yes, said Ms. O\'Hara.', "#Person2# says {name} is SURE.")
SEEDS = range(10)
WIDTH_NOISE, PLACE_NOISE = 0.07, 0.2
"""How far a bootstrap interval averaged over SEEDS may be off: in its width (a share), in its middle (standard errors)."""


def _taken(named: str, case: Case) -> Case:
    """Return a case whose reason begins with the values that it takes."""
    return replace(case, why=f"Take {named.format(*case.given)}. {case.why}")


# 3.1 to 3.3: the data


def _as_record(value: Any) -> dict[str, str]:
    require(isinstance(value, dict), "Return a dictionary, not a text, a pair or another kind of object.")
    require(
        value.keys() == {"input_text", "output_text"},
        "The dictionary needs the two keys of the exercise, in that spelling, and no others: a tuning job looks for these names.",
    )
    require(
        all(isinstance(text, str) for text in value.values()),
        "Both values must be texts (strings). Put in the text itself, not an object or a list that holds it.",
    )
    return value


def _of_input(rule: Rule) -> Rule:
    """Return a rule about prompts as a rule about records."""
    return Rule(lambda r, c: rule.holds(r["input_text"], c), rule.message)


def _last_line(record: dict[str, str], case: Case) -> str:
    return record["input_text"].split(case.given[0], maxsplit=1)[1]


def _as_given(record: dict[str, str], case: Case) -> bool:
    return record["output_text"] == case.given[1]


TO_RECORD = Exercise(
    "A prompt with a cue, a completion, and nothing of the one in the other.",
    cases=[Case((text.input_text, text.output_text)) for text in (*DIALOGUES[:3], ODD)],
    read=_as_record,
    rules=(
        Rule(
            lambda r, c: c.given[1] not in r["input_text"],
            "The summary stands in input_text. The model would learn to copy it, and in use there is none to copy.",
        ),
        *map(_of_input, WELL_MADE),
        Rule(lambda r, c: "\n" in _last_line(r, c), "The cue stands on the dialogue's last line. Give it a line of its own."),
        Rule(lambda r, c: _last_line(r, c).strip() != ":", "A colon alone is no cue: name in a word what begins there."),
        Rule(
            lambda r, c: _as_given(r, c) or r["output_text"].strip() != c.given[1],
            "output_text has a space or an empty line more than the summary. The tuning job itself puts the space between prompt and completion.",
        ),
        Rule(
            lambda r, c: _as_given(r, c) or c.given[1] not in r["output_text"],
            "output_text holds more than the summary. All that stands in it, the model learns to write.",
        ),
        Rule(_as_given, "output_text is not the summary, or the summary is changed."),
    ),
)


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def _found(train: list[dict], validation: list[dict], *, plain: Callable = _plain) -> list[str]:
    known, first = {plain(record["input_text"]) for record in train}, {}
    for record in validation:
        first.setdefault(plain(record["input_text"]), record["input_text"])
    return [text for key, text in first.items() if key in known]


def _each_time(train: list[dict], validation: list[dict]) -> list[str]:
    found = {_plain(text) for text in _found(train, validation)}
    return [record["input_text"] for record in validation if _plain(record["input_text"]) in found]


def _parts(train: list[dict], validation: list[dict]) -> list[str]:
    found = [v for v in validation if any(_plain(v["input_text"]) in _plain(t["input_text"]) for t in train)]
    return _found(found, found)


def _same_outputs(train: list[dict], validation: list[dict]) -> list[str]:
    outputs = {_plain(record["output_text"]) for record in train}
    return [record["input_text"] for record in validation if _plain(record["output_text"]) in outputs]


def _leaks() -> Exercise:
    rng = random.Random(0)

    def records(*texts: str, outputs: Sequence[str] = ()) -> list[dict]:
        outputs = outputs or [f"summary {rng.random()}" for _ in texts]
        pairs = zip(texts, outputs, strict=True)
        return [{"input_text": text, "output_text": output} for text, output in pairs]

    def scribbled(text: str) -> str:
        words = (rng.choice((str.upper, str.lower, str.title))(word) for word in text.split())
        return rng.choice(("", " ")) + rng.choice((" ", "  ", "\n", "\t ")).join(words)

    texts = [f"{a} {b} {c}" for a in ("one", "two") for b in ("red", "blue") for c in ("bus", "car", "bus stop")]
    cases = [
        Case((records("A tea", "a cup"), records("a cup", "a pot")), "Look for validation's texts among those of train."),
        Case((records("z", "m", "a"), records("m", "a", "z")), "The texts must come in the order in which they stand in validation."),
        Case(
            (records("Hello  there.\n", "Good day", "Oh\tno"), records("GOOD DAY", "hello there.", "Oh no")),
            "Texts that differ only in upper and lower case or in whitespace (spaces, tabs, line breaks) are the same.",
        ),
        Case((records("b", "a"), records("a", "b", "a")), "A text that stands twice in validation is named once."),
        Case(
            (records("a b"), records("A  b", "c", "a b")),
            "Texts that differ only in case and whitespace are one text: name it once, as it stands first.",
        ),
        Case(
            (records("now here", "Yes. Come in.", "No.", "So?"), records("nowhere", "Come in.", "No. Go.", "So?")),
            "Whole texts are compared, word by word: no parts of texts, and a space still parts two words.",
        ),
        Case(
            (records("a", "b", outputs=("same", "so")), records("c", "d", outputs=("same", "no"))),
            "When no text of validation stands in train, the list is empty.",
        ),
        *[
            Case(
                (records(*map(scribbled, rng.sample(texts, 6))), records(*map(scribbled, rng.choices(texts, k=9)))),
                "In a longer list of texts, some are missing or too many. Test your function on a small one of your own.",
            )
            for _ in range(5)
        ],
    ]
    mistakes = [
        Wrong(
            lambda t, v: _found(t, v, plain=str),
            "You compare the texts letter by letter. A copy with another capital letter or one space more is a leak, too.",
        ),
        Wrong(
            lambda t, v: _found(t, v, plain=lambda text: text.lower().strip()),
            "Spaces and line breaks inside the texts still count as a difference. Stripping cleans only the two ends.",
        ),
        Wrong(lambda t, v: _found(t, v, plain=str.lower), "Whitespace still counts as a difference."),
        Wrong(lambda t, v: _found(t, v, plain=lambda text: " ".join(text.split())), "Upper and lower case still count as a difference."),
        Wrong(
            lambda t, v: _found(t, v, plain=lambda text: "".join(text.lower().split())),
            "You took all spaces out, so that 'now here' and 'nowhere' are the same. Collapsing leaves one space.",
        ),
        Wrong(
            lambda t, v: [_plain(text) for text in _found(t, v)],
            "You return the texts after cleaning. Clean them only to compare, and return them as validation has them.",
        ),
        Wrong(lambda t, v: _found(v, t), "You return texts of train. Those of validation are wanted, in its spelling and order."),
        Wrong(_each_time, "A text that stands twice in validation is returned twice. Name each leak once."),
        Wrong(_parts, "You look for a text inside longer texts. Only whole texts are compared."),
        Wrong(_same_outputs, "You compare the output_texts. Two different dialogues may have the same summary: compare the inputs."),
    ]
    return Exercise(
        "A text that a model was tuned on measures its memory. Now you can find them.", cases=cases, right=_found, mistakes=mistakes, read=as_texts
    )


def _masked(prompt: list[int], completion: list[int], mask: int = IGNORED) -> list[int]:
    return [mask] * len(prompt) + completion


def _mask_prompt() -> Exercise:
    rng = random.Random(0)
    why = (
        "Take a prompt of {} and a completion of {} tokens. Each token, in their order, needs one label. Compare "
        "len() of your labels with the number of tokens, then look at each label."
    )
    lengths = [(3, 2), (5, 4), (1, 3), (6, 2), (4, 4)]
    cases = [Case((rng.choices(range(9), k=p), rng.choices(range(9), k=c)), why.format(p, c)) for p, c in lengths]
    shifted = "Your labels are shifted by one place. The model shifts by itself: a token's label stands at its own place."
    mistakes = [
        Wrong(lambda p, c: _masked(p, c, 0), "You mask with 0. That is the number of a token, so the model would be tuned to write it."),
        Wrong(lambda p, c: _masked(p, c, -1), "You mask with -1. PyTorch's loss leaves out only one number, another one."),
        Wrong(lambda p, c: p + c, "Nothing is masked: the model would be tuned to write the prompt, too."),
        Wrong(lambda p, c: p + [IGNORED] * len(c), "You mask the completion. That is what the model shall learn; what it reads shall not count."),
        Wrong(lambda p, c: [IGNORED] * len(p + c), "You mask every token, so that there is nothing to learn from."),
        Wrong(lambda p, c: c, "Only the completion's labels are there. The prompt's tokens need a label each, too."),
        Wrong(lambda p, c: _masked(p, []), "Only the prompt's labels are there. The completion's tokens need a label, too."),
        Wrong(lambda p, c: _masked(c, c), "You mask as many tokens as the completion has. How many are to be masked?"),
        Wrong(
            lambda p, c: [IGNORED if token in p else token for token in p + c],
            "A token of the completion is masked because it also occurs in the prompt. The place decides, not the token.",
        ),
        *[
            Wrong(wrong, shifted)
            for wrong in (
                lambda p, c: _masked(p, c)[1:],
                lambda p, c: [*_masked(p, c)[1:], IGNORED],
                lambda p, c: [IGNORED, *_masked(p, c)],
                lambda p, c: [IGNORED, *_masked(p, c)][:-1],
                lambda p, c: _masked(p, c[1:]),
                lambda p, c: [*_masked(p, c[1:]), IGNORED],
            )
        ],
    ]
    return Exercise("The prompt is read, the completion is learned.", cases=cases, right=_masked, mistakes=mistakes, read=as_labels)


# 3.4 and 3.5: the loss, while it is tuned


def _loss(log_probabilities: Sequence[float], labels: list[int], *, counts: Callable = lambda n: n != IGNORED) -> float:
    chosen = [float(p) for p, label in zip(log_probabilities, labels, strict=True) if counts(label)]
    return -sum(chosen) / len(chosen)


def _completion_loss() -> Exercise:
    rng = random.Random(0)

    def drawn(before: int, counted: int, after: int = 0) -> tuple[list[float], list[int]]:
        labels = [IGNORED] * before + [0, *rng.choices(range(9), k=counted - 1)] + [IGNORED] * after
        return [-rng.uniform(0.1, 5) for _ in labels], labels

    cases = [
        Case(([-9.0, -7.0, -1.0, -2.5], [IGNORED, IGNORED, 4, 7]), "Take four tokens, of which the last two count."),
        Case(drawn(3, 4), "A label of 0 is a token like any other."),
        Case(drawn(2, 3, after=3), "Masked tokens may also stand behind the completion, where a batch is filled up."),
        Case(drawn(0, 3), "Here no token is masked."),
        *[Case(drawn(rng.randrange(1, 9), rng.randrange(2, 9)), "Which tokens count, and how many?") for _ in range(5)],
    ]
    cases += [Case((torch.tensor(case.given[0]), case.given[1]), "The log-probabilities may also come as a tensor.") for case in cases]
    mistakes = [
        Wrong(
            lambda p, n: _loss(p, n) * sum(label != IGNORED for label in n),
            "You return the sum, which grows with the length of the completion. The mean is wanted.",
        ),
        Wrong(
            lambda p, n: _loss(p, n, counts=lambda label: True),
            "The masked tokens count, too. The prompt is given: how likely the model finds it is not what is learned.",
        ),
        Wrong(
            lambda p, n: _loss(p, n) * sum(label != IGNORED for label in n) / len(n),
            "You add up the right tokens but divide by the number of all. A longer prompt would lower the loss.",
        ),
        Wrong(lambda p, n: -_loss(p, n), "The sign is wrong. Logarithms of probabilities are negative, and a loss falls towards 0 as they rise."),
        Wrong(
            lambda p, n: _loss(p, n, counts=lambda label: label > 0),
            "You leave out a token whose label is 0. That is a token like any other; only masked ones are left out.",
        ),
        Wrong(lambda p, n: math.exp(_loss(p, n)), "You return the perplexity, which is the exponential of the loss. Stay with the logarithms."),
        Wrong(
            lambda p, n: _loss(p, [IGNORED, *n[:-1]]), "You shift by one place. Each log-probability already belongs to the label at the same place."
        ),
        Wrong(lambda p, n: _loss(p, n[1:] + n[-1:]), "You shift by one place. Each log-probability already belongs to the label at the same place."),
    ]
    asked = "Return one number, the mean over the tokens that count."
    return Exercise("This is the number that tuning lowers.", cases=cases, right=_loss, mistakes=mistakes, read=lambda value: as_number(value, asked))


def _stopped(losses: list[float], patience: int, *, in_a_row: bool = True, to_the_last: bool = False, ties: bool = False) -> tuple[int, int]:
    best = waited = 0
    for index in range(1, len(losses)):
        lowest = losses[index - 1] if to_the_last else losses[best]
        if losses[index] < losses[best] or (ties and losses[index] == losses[best]):
            best = index
        if losses[index] < lowest or (ties and losses[index] == lowest):
            waited = waited if not in_a_row else 0
        else:
            waited += 1
        if waited >= patience:
            return best, index
    return best, len(losses) - 1


def _best_checkpoint() -> Exercise:
    rng = random.Random(0)
    cases = [
        Case(([2.0, 1.5, 1.2, 1.3, 1.25, 1.4, 1.1], 3), "Behind each new lowest loss, count how many evaluations in a row bring no other."),
        Case(([2.0, 1.8, 1.6, 1.5], 2), "The loss falls until the end, so that training is not stopped early."),
        Case(([2.0, 2.1, 1.9, 2.2, 1.8, 1.9, 1.7], 2), "A new lowest loss begins the count anew."),
        Case(([1.5, 1.2, 1.2, 1.2, 1.1], 2), "A loss equal to the lowest one is no new lowest loss."),
        Case(([1.0, 0.8, 0.9], 3), "Here the evaluations end while training still waits."),
        Case(([1.0, 0.9, 0.95, 0.8], 1), "A patience of 1 stops at the first evaluation without a new lowest loss."),
        Case(([1.0, 1.1, 1.2, 0.5], 2), "The first evaluation may already have the lowest loss."),
        Case(([0.7], 2), "There may be one evaluation only."),
        *[
            Case(
                ([round(rng.uniform(1, 2), 1) for _ in range(rng.randrange(4, 13))], rng.randrange(1, 5)),
                "Walk through the losses one by one: is this one the lowest so far, and if not, for how long?",
            )
            for _ in range(12)
        ],
    ]
    cases = [_taken("losses of {} and a patience of {}", case) for case in cases]
    mistakes = [
        Wrong(
            lambda v, p: (_stopped(v, p)[1],) * 2,
            "You keep the last checkpoint. Training goes on for a while after the best one: which one is worth keeping?",
        ),
        Wrong(lambda v, p: _stopped(v, p)[::-1], "The two numbers are exchanged: first the checkpoint that is kept, then where training stops."),
        Wrong(
            lambda v, p: (v.index(min(v)), _stopped(v, p)[1]),
            "You look at all losses. After training has stopped there are no more evaluations to choose from.",
        ),
        Wrong(lambda v, p: (v.index(min(v)), len(v) - 1), "You never stop early. Count the evaluations in a row that bring no new lowest loss."),
        Wrong(lambda v, p: (_stopped(v, p)[0], len(v) - 1), "The checkpoint is right, but you say that training always stops at the end."),
        Wrong(
            lambda v, p: _stopped(v, p, in_a_row=False),
            "You count all evaluations without a new lowest loss. Only those in a row count: begin anew after each lowest loss.",
        ),
        Wrong(
            lambda v, p: _stopped(v, p, to_the_last=True),
            "You compare each loss with the one before it. A loss that falls a little may still be far above the lowest.",
        ),
        Wrong(lambda v, p: _stopped(v, p, ties=True), "You take a loss equal to the lowest one as a new lowest. Of equal ones the first is kept."),
        Wrong(lambda v, p: _stopped(v, p + 1), "You wait for one evaluation too long."),
        Wrong(lambda v, p: tuple(n + 1 for n in _stopped(v, p)), "You count the evaluations from 1. An index in Python begins with 0."),
        Wrong(lambda v, p: (min(v[: _stopped(v, p)[1] + 1]), _stopped(v, p)[1]), "The first number is a loss. Return the place where it stands."),
    ]
    asked = "Return two whole numbers: which checkpoint is kept, and where training stops."
    return Exercise(
        "The best checkpoint is kept, however long training went on after it.",
        cases=cases,
        right=_stopped,
        mistakes=mistakes,
        read=lambda value: as_numbers(value, 2, asked),
    )


# 3.6 and 3.7: after tuning


def _paired_gain(answer) -> None:
    rng = np.random.default_rng(0)
    for texts, gain in ((60, 0.06), (40, -0.03)):
        easy = rng.uniform(0.1, 0.8, texts)
        ours, theirs = (easy + gain + rng.normal(0, 0.06, texts)).tolist(), (easy + rng.normal(0, 0.02, texts)).tolist()
        _require_gain(answer, ours, theirs)


def _require_gain(answer: Callable, ours: list[float], theirs: list[float]) -> None:
    differences = np.subtract(ours, theirs)
    asked = "Return three numbers: the mean difference, and the lower and the upper end of its interval."
    before = pickle.dumps(np.random.get_state())
    results = [as_numbers(call_with_copies(answer, ours, theirs, seed), 3, asked) for seed in (*SEEDS, SEEDS[0])]
    *results, again = np.array(results)
    mean, low, high = np.mean(results, axis=0)
    right_low, right_high = _ends(tuple(differences))
    require(
        not math.isclose(mean, -differences.mean(), abs_tol=1e-6),
        "The sign is wrong. The gain is above 0 where the scores of `ours` are higher than those of `theirs`.",
    )
    require(
        np.allclose(np.array(results)[:, 0], differences.mean(), atol=1e-6),
        "The first number is not the mean difference of the scores that you are given. It has nothing to do with chance.",
    )
    require(low <= high, "The interval's lower end is above its upper end: the two are exchanged.")
    require(
        pickle.dumps(np.random.get_state()) == before,
        "You use numpy's global random numbers. Make a generator of your own from the seed.",
    )
    require(
        high - low > 1e-9,
        "The interval has no width: each resample had the same mean. Draw texts with replacement, so that some come twice and others not at all.",
    )
    _require_width(high - low, right_high - right_low, ours, theirs)
    error = differences.std() / math.sqrt(len(ours))
    require(
        abs((low + high) - (right_low + right_high)) / 2 < PLACE_NOISE * error,
        "The interval is as wide as it should be, but not at the right place. It is about the differences' mean.",
    )
    require(np.array_equal(again, results[0]), "The same seed gives two different intervals: make the generator from it.")
    require(
        len({tuple(result) for result in results}) > 1,
        "Every seed gives the same interval. Draw the resamples with a generator that is made from the seed.",
    )


@cache
def _ends(differences: tuple[float, ...]) -> tuple[float, float]:
    intervals = [bootstrap(np.array(differences), seed=seed) for seed in SEEDS]
    return tuple(np.mean([(interval.low, interval.high) for interval in intervals], axis=0))


def _require_width(width: float, right: float, ours: list[float], theirs: list[float]) -> None:
    unpaired = right * math.sqrt(np.var(ours) + np.var(theirs)) / np.std(np.subtract(ours, theirs))
    require(
        abs(width / unpaired - 1) > WIDTH_NOISE,
        "The interval is far too wide: the two lists were resampled independently. Both have scores of the same texts, "
        "and a text that is hard for one is hard for the other. What is drawn must be texts.",
    )
    require(
        width > right * (1 - WIDTH_NOISE),
        "The interval is too narrow. Does each resample have as many texts as there are? And is the share that lies "
        "outside your interval, both sides together, the right one?",
    )
    require(
        width < right * (1 + WIDTH_NOISE),
        "The interval is too wide. Is it about the means of the resamples, not about single texts? And is the share that "
        "lies outside your interval, both sides together, the right one?",
    )


def _label(completion: str, labels: list[str], *, cut: str = string.punctuation, place: int = 0) -> str:
    words = completion.split()
    word = words[place].strip(cut).lower() if words else ""
    return next((label for label in labels if label.lower() == word), "")


def _text_to_label() -> Exercise:
    rng = random.Random(0)
    labels, topics = ["negative", "positive"], ["World", "Sports", "Business"]
    none = 'There the answer is the empty string, "".'
    cases = [
        Case(("positive", labels), "The whole completion is one label."),
        Case((" Negative", labels), "A space before the word and a capital letter change nothing."),
        Case(("positive. It was fun", labels), "A full stop behind the word changes nothing."),
        Case(("**Positive**!", labels), "Punctuation may stand on both sides of the word."),
        Case(("negative\nReview: a joy", labels), "A tuned model may write on. A line break ends a word, too."),
        Case(("sports, I think", topics), "Here the labels begin with capital letters. Return a label as `labels` spells it."),
        Case(("not positive", labels), f"The first word is 'not', and that is no label. {none}"),
        Case(("The review is negative.", labels), f"Only the first word counts, and 'The' is no label. {none}"),
        Case(("positively wonderful", labels), f"'positively' is another word than 'positive'. {none}"),
        Case(("pos", labels), f"A part of a label is no label. {none}"),
        Case(("maybe", labels), f"'maybe' is no label. {none}"),
        Case(("", labels), f"The model may end at once, without a word. {none}"),
        Case((" \n", labels), f"The model may write nothing but whitespace. {none}"),
        Case(("...", labels), f"The model may write nothing but punctuation. {none}"),
        *[
            Case((f"{rng.choice((str.upper, str.title, str))(rng.choice(topics))}{mark} {rng.choice(topics)}", topics), "Only the first word counts.")
            for mark in ("", ".", "!?", ":", '"')
        ],
    ]
    cases = [_taken("the completion {!r}", case) for case in cases]

    def begins(completion: str, labels: list[str]) -> str:
        return next((n for n in labels if completion.strip(f"{string.punctuation} ").lower().startswith(n.lower())), "")

    mistakes = [
        Wrong(
            lambda text, names: next((n for n in names if n.lower() in text.lower()), ""),
            "You look for a label anywhere in the completion. 'not positive' holds a label, too: take the first word.",
        ),
        Wrong(begins, "You ask how the completion begins. 'positively' begins with a label, too: compare the whole word."),
        Wrong(
            lambda text, names: _label(text, names, place=-1),
            "You take the last word. The model was tuned to write the label first; what follows is chatter.",
        ),
        Wrong(
            lambda text, names: next((n for n in names if n == _label(text, names) and n in text.split()[0]), ""),
            "Upper and lower case still make a difference, in the completion or in the labels.",
        ),
        Wrong(lambda text, names: _label(text, names, cut=""), "Punctuation still sticks to the first word."),
        Wrong(
            lambda text, names: _label(text, names) or names[0],
            'You return a label when there is none. A wrong format would be scored as an answer: return "".',
        ),
        Wrong(lambda text, names: _label(text, names).lower(), "You return the label in lower case. Return it as `labels` spells it."),
    ]
    return Exercise('A text becomes a label, and what is no label is "".', cases=cases, right=_label, mistakes=mistakes, read=as_text)


# 3.8 to 3.10: LoRA, and whether tuning pays


def _lora_parameters() -> Exercise:
    rng = random.Random(0)
    sizes = (48, 64, 96, 192, 576)
    cases = [
        Case(([(64, 64)], 4), "Here one square matrix is adapted. Write down the shapes of A and B."),
        Case(([(192, 576)], 8), "Here the matrix is not square: (192, 576) has 192 outputs and 576 inputs."),
        Case(([(64, 64), (96, 64)], 2), "Here two matrices are adapted, each with its own A and B."),
        *[
            Case(
                ([(rng.choice(sizes), rng.choice(sizes)) for _ in range(rng.randrange(2, 9))], rng.choice((1, 2, 3, 16))),
                "Here several matrices are adapted. Each has its own A and B; the rank is the same for all.",
            )
            for _ in range(5)
        ],
    ]

    def every(count: Callable[[int, int, int], int]) -> Callable:
        return lambda shapes, rank: sum(count(o, i, rank) for o, i in shapes)

    one = "You count only one of the two matrices that LoRA adds."
    square = "You count A and B as if they had the same size. That is true only where W is square."
    mistakes = [
        Wrong(every(lambda o, i, r: o * i), "You count the numbers of W. LoRA leaves them as they are and trains others."),
        Wrong(every(lambda o, i, r: o * i + r * (o + i)), "You count W, too. It is used, but it is frozen: it is not trained."),
        Wrong(every(lambda o, i, r: r * i), one),
        Wrong(every(lambda o, i, r: r * o), one),
        Wrong(every(lambda o, i, r: 2 * r * i), square),
        Wrong(every(lambda o, i, r: 2 * r * o), square),
        Wrong(every(lambda o, i, r: o + i), "The rank is missing. Twice the rank must train twice as many numbers."),
        Wrong(every(lambda o, i, r: r * o * i), "You multiply all three numbers. Count A by itself, then B by itself."),
        Wrong(every(lambda o, i, r: r * o * r * i), "You multiply the sizes of A and B. Both are kept, side by side."),
        Wrong(lambda shapes, rank: rank * sum(shapes[0]), "You count only the first matrix. Each adapted matrix has an A and a B of its own."),
    ]
    asked = "Return one number, for all matrices together."
    right = every(lambda o, i, r: r * (o + i))
    return Exercise(
        "Two thin matrices for each wide one: LoRA trains only those.",
        cases=cases,
        right=right,
        mistakes=mistakes,
        read=lambda value: as_number(value, asked),
    )


def _lora(combine: Callable, change: Callable = lambda x, a, b: x @ a.T @ b.T) -> Callable:
    """Return a LoRA layer by how it combines W's part, the change, alpha, the rank and the scale."""
    return lambda x, w, a, b, alpha, scale=1.0: combine(x @ w.T, change(x, a, b), alpha, len(a), scale)


def _lora_output() -> Exercise:
    generator = torch.Generator().manual_seed(0)

    def drawn(*before: int, sizes: tuple[int, int, int], settings: tuple) -> tuple:
        features, out, rank = sizes
        shapes = ((*before, features), (out, features), (rank, features), (out, rank))
        return *(torch.randn(shape, generator=generator) for shape in shapes), *settings

    def usual(base, change, alpha, rank, scale):
        return base + scale * alpha / rank * change

    right = _lora(usual)
    square = [
        Case(drawn(4, sizes=(3, 3, 3), settings=settings), why)
        for settings, why in (
            ((6, 0.25), "Compare the formula with your function, part by part."),
            ((12,), "Called without a scale, the function takes the change as it is, with a scale of 1."),
            ((6, 0.0), "With a scale of 0 the adapter is switched off, and what W gives is left."),
            ((2, -1.5), "A negative scale is allowed, too: it turns the change around."),
        )
    ]
    order = (
        "A and B are not used in the right order, or one is not transposed. x has `in` numbers in its last place: "
        "which of the two matrices takes `in` numbers, and what does it hand on?"
    )
    size = "alpha is divided by a number that is not the rank. Which dimension of A and which of B is the rank?"
    mistakes = [
        Wrong(_lora(lambda b, c, a, r, s: b + s * c), "alpha / rank is missing: it says how strong the change is."),
        Wrong(_lora(lambda b, c, a, r, s: b + s * a * c), "You multiply by alpha, but the rank is missing."),
        Wrong(_lora(lambda b, c, a, r, s: b + s / r * c), "You divide by the rank, but alpha is missing."),
        Wrong(_lora(lambda b, c, a, r, s: b + s * r / a * c), "alpha / rank stands upside down."),
        Wrong(_lora(lambda b, c, a, r, s: b + a / r * c), "You ignore `scale`. With it an adapter can be turned down, and 0 switches it off."),
        *[
            Wrong(_lora(wrong), "You also scale what W gives. Only the adapter's change is scaled; W's part stays.")
            for wrong in (
                lambda b, c, a, r, s: s * (b + a / r * c),
                lambda b, c, a, r, s: s * a / r * (b + c),
                lambda b, c, a, r, s: a / r * (b + s * c),
                lambda b, c, a, r, s: s * b + a / r * c,
            )
        ],
        Wrong(_lora(lambda b, c, a, r, s: s * a / r * c), "What W gives is missing. LoRA adds to it."),
        Wrong(_lora(lambda b, c, a, r, s: b), "The adapter's change is missing: that is what W gives alone."),
        Wrong(_lora(lambda b, c, a, r, s: b - s * a / r * c), "You subtract the change. LoRA adds it."),
        Wrong(
            lambda x, w, *rest: right(x, w.T, *rest), "W is not transposed. It has shape (out, in), and x brings its `in` numbers in its last place."
        ),
        *[
            Wrong(_lora(usual, wrong), order)
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
        Wrong(lambda x, w, a, b, alpha, scale=1.0: right(x, w, a, b, alpha * len(a) / a.shape[1], scale), size),
        Wrong(lambda x, w, a, b, alpha, scale=1.0: right(x, w, a, b, alpha * len(a) / len(b), scale), size),
    ]
    shapes = "Here `in` is 5, `out` is 4 and the rank is 2. Write the shapes of x, A and B side by side."
    other = [
        Case(drawn(3, sizes=(5, 4, 2), settings=(8, 0.5)), shapes),
        Case(drawn(sizes=(5, 4, 2), settings=(8,)), "x may also have one dimension, (in,): only the last one counts."),
        Case(drawn(2, 3, sizes=(5, 4, 2), settings=(8,)), "x may have more dimensions, (..., in): only the last one counts."),
    ]
    return Exercise(
        "W stays as it is, and a scale of 0 gives the base model back.", cases=[*square, *other], right=right, mistakes=mistakes, read=as_tensor
    )


def _even(tuning: float, prompt: float, tuned: float, *, rounded: Callable = math.ceil, saved: Callable = operator.sub) -> float:
    return rounded(tuning / saved(prompt, tuned)) if prompt > tuned else math.inf


def _break_even() -> Exercise:
    rng = random.Random(0)
    never = "The tuned model is not faster here, so that the time for tuning never comes back: return math.inf."
    cases = [
        Case((100.0, 1.75, 0.5), "Add up both costs for some number of queries, and compare them."),
        Case((7.0, 3.0, 1.0), "Queries are whole: try the numbers near yours and add up both costs."),
        Case((1000.0, 1.0, 0.0625), "Queries are whole: try the numbers near yours and add up both costs."),
        Case((900.0, 2.5, 0.25), "Here both have cost exactly the same at one number, and 'no more' includes that."),
        *[Case((float(rng.randrange(10, 5000)), tuned + rng.randrange(1, 20) / 8, tuned), "Add up both costs.") for tuned in (0.25, 0.5, 1.125, 2.0)],
        Case((600.0, 1.0, 1.0), never),
        Case((600.0, 0.5, 1.5), never),
    ]
    cases = [_taken("{:g} s of tuning, {:g} s a query by prompt and {:g} s tuned", case) for case in cases]

    unsaved = "A query to the tuned model takes time, too. How much does each query save?"
    early = "At your number of queries tuning has still cost more. Which way must a part of a query be rounded?"
    mistakes = [
        Wrong(lambda a, b, c: _even(a, b, c, rounded=math.floor), early),
        Wrong(lambda a, b, c: _even(a, b, c, rounded=round), early),
        Wrong(lambda a, b, c: _even(a, b, c, rounded=float), "You return parts of a query. The smallest whole number is wanted."),
        Wrong(
            lambda a, b, c: _even(a, b, c, rounded=lambda n: math.floor(n) + 1),
            "Where both have cost exactly the same, you ask for one query more. 'No more' includes the same.",
        ),
        Wrong(lambda a, b, c: math.ceil(a / b), unsaved),
        Wrong(lambda a, b, c: _even(a, b, c, saved=lambda prompt, tuned: prompt), unsaved),
        Wrong(lambda a, b, c: _even(a, b, c, saved=operator.add), "You add the two times of a query. How much does one query save?"),
        Wrong(lambda a, b, c: _even(a, c, b), "The two times of a query are exchanged: tuning pays where the long prompt takes more."),
    ]
    asked = "Return one number, or math.inf."
    return Exercise(
        "Tuning costs once, a long prompt at every query.", cases=cases, right=_even, mistakes=mistakes, read=lambda value: as_number(value, asked)
    )


CHECKS = {
    "3.1": TO_RECORD,
    "3.2": _leaks(),
    "3.3": _mask_prompt(),
    "3.4": _completion_loss(),
    "3.5": _best_checkpoint(),
    "3.6": Exercise("Text by text: what is hard for both does not blur the difference.", examine=_paired_gain),
    "3.7": _text_to_label(),
    "3.8": _lora_parameters(),
    "3.9": _lora_output(),
    "3.10": _break_even(),
}
