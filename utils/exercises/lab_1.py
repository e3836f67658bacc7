"""The exercises of Lab 1, in-context learning."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import accumulate, chain, pairwise
from math import sqrt
from random import Random
from typing import Any

import numpy as np
import pandas as pd

from utils.datasets.dialogues import load_dialogues
from utils.datasets.records import TextToText
from utils.datasets.reviews import LABELS, Review
from utils.exercises import showing
from utils.exercises.exercise import Case, Exercise, Property, Wrong, first_problem, generated
from utils.exercises.mistakes import require
from utils.exercises.prompt_rules import WELL_MADE, advice, asks, completions_shown, not_filled, not_whole
from utils.exercises.reading import as_list, as_number, as_numbers, as_text, as_whole, expected
from utils.exercises.running import Run, random_states
from utils.models.language_model import LanguageModel

RECORDS = (
    TextToText("#Person1#: Is the blue coat yours?\n#Person2#: No, mine is grey.", "#Person2# owns a grey coat."),
    TextToText("#Person1#: The lift is stuck.\n#Person2#: Again? I'll take the stairs.", "#Person2# takes the stairs."),
    TextToText("#Person1#: Two tickets, please.\n#Person2#: We are sold out.", "There are no tickets left."),
    TextToText("#Person1#: Did it rain?\n#Person2#: All night.", "#Person2# says it rained all night."),
    TextToText("#Person1#: Who won?\n#Person2#: Nobody, it was a draw.", "#Person2# says that nobody won."),
)
LONG = "\n".join(f"#Person{n % 2 + 1}#: That was call number {n}, and nobody has answered it." for n in range(1, 101))
ODD = "#Person1#: {Is} it 5 %  or \"5\"?\n\n#Person2#: It's $5, {0} and 'no' \\n more."
BESIDE = "A summary stands beside the wrong dialogue. Each example is one dialogue, then its own summary."
A_PROMPT = "one text, the prompt,"


# 1.1 and 1.2: prompts


def _has_no_example(prompt: str, case: Case) -> bool:
    """Whether no other dialogue stands in a prompt, with its turns or with a summary behind the words that end it."""
    lines = [line.strip() for line in prompt.replace(case.given[0], "").splitlines() if line.strip()]
    turns = [line for line in lines if re.match(r"[\w#* ]{1,20}: *\S", line) and not line.startswith(lines[-1])]
    solved = any(line.startswith(lines[-1]) and line != lines[-1] for line in lines)
    return not (solved and len(turns) > 1) and not any(re.match(r"#Person\d#: *\S", line) for line in lines)


def _seen_by_the_model(run: Run, *, model: LanguageModel | None = None) -> str:
    dialogue, *_ = dialogues = [record.input_text for record in load_dialogues("validation")[:2]]
    prompts = [str(run(dialogue)) for dialogue in dialogues]
    return advice(prompts[0], dialogue) + completions_shown(model, prompts)


ZERO_SHOT = Exercise(
    "The instruction, the whole dialogue and a cue for the summary: a zero-shot prompt.",
    call="zero_shot(dialogue)",
    cases=[*[Case((record.input_text,)) for record in RECORDS[:2]], Case((LONG,)), Case((ODD,))],
    read=lambda value: as_text(value, A_PROMPT),
    properties=(
        *WELL_MADE,
        Property(lambda p, c: p.count(c.given[0]) == 1, "The dialogue stands in this prompt twice. Once is enough, and costs half the tokens."),
        Property(_has_no_example, "A solved case stands in this prompt. This one does without examples; they come in the next exercise."),
    ),
    examine=_seen_by_the_model,
)


def _shown(prompt: str, case: Case) -> list[TextToText]:
    """Return the records of `train` whose dialogues stand in a prompt."""
    return [record for record in case.given[1] if record.input_text in prompt]


def _without_dialogue(prompt: str, case: Case) -> str:
    if any(record.input_text.split("\n")[0] in prompt for record in case.given[1]):
        return "The dialogue of an example is not in this prompt unchanged. Line breaks, spaces and marks belong to it."
    return "An example is there without its dialogue. A summary alone does not show what it was made from."


def _wrong_number(prompt: str, case: Case) -> str:
    shots, found = case.given[2], len(_shown(prompt, case))
    if missed := not_filled(prompt, case):
        return missed
    if any(prompt.count(record.input_text) > 1 for record in _shown(prompt, case)):
        return "A dialogue of `train` stands in this prompt more than once. Take the next record for each example."
    if not found:
        return f"There is no example from `train` in this prompt, and {shots} {'is' if shots == 1 else 'are'} asked for: take the argument `train`."
    return f"`shots` is {shots}, and the prompt shows {found} of the dialogues of `train`. One shot is one example."


def _places(prompt: str, case: Case) -> list[int]:
    """Return where the dialogues of the examples stand, and the query last."""
    return [*(prompt.find(record.input_text) for record in case.given[1][: case.given[2]]), prompt.find(case.given[0])]


def _own_summaries(prompt: str, case: Case) -> bool:
    """Whether each example's summary stands between its dialogue and the next one."""
    stretches = zip(_shown(prompt, case), pairwise(_places(prompt, case)), strict=True)
    return all(record.output_text in prompt[start:end] for record, (start, end) in stretches)


def _changed_summary(prompt: str, case: Case) -> str:
    """Return what to say when the summary of an example is not there: another one is, or none."""
    shown = _shown(prompt, case)
    others = [record.output_text for record in case.given[1] if record not in shown]
    if any(other in prompt for other in others):
        return BESIDE
    return "An example is there without its summary, or with a changed one. The output, as it is, shows what to do."


def _whose_summary(prompt: str, case: Case) -> str:
    first = _shown(prompt, case)[0]
    if prompt.find(first.output_text) < prompt.find(first.input_text):
        return "A summary stands before its dialogue. First what goes in, the dialogue, then what shall come out."
    return BESIDE


def _cue(end: str) -> str:
    """Return the last line of what stands behind a dialogue, without numbers, quotation marks and the like."""
    return re.sub(r"[\d\s\"'“”„«»*_#`]+", "", end.strip().rpartition("\n")[2]).lower()


def _ends_as_the_examples(prompt: str, case: Case) -> bool:
    """Whether the prompt ends with what stands between the dialogues of the examples and their summaries."""
    behind = [prompt.partition(r.input_text)[2].partition(r.output_text)[0] for r in _shown(prompt, case)]
    return all(_cue(end) and _cue(end) == _cue(prompt.partition(case.given[0])[2]) for end in behind)


def _runs_on(prompt: str, case: Case) -> bool:
    """Whether a dialogue or a summary has the next word right behind it."""
    texts = [text for record in _shown(prompt, case) for text in (record.input_text, record.output_text)]
    return any(re.match(r"[\w#]", prompt.partition(text)[2]) for text in [*texts, case.given[0]])


def _behind_the_colon(run: Run) -> str:
    prompt = str(run(RECORDS[3].input_text, list(RECORDS[:3]), 2))
    if not prompt.endswith(" "):
        return ""
    return "One thing to think about: the prompt ends with a space, and most tokens begin with theirs. Leave it out before the query's summary."


FEW_SHOT = Exercise(
    "Examples first, the query last, and nothing of the query's answer.",
    call="few_shot(dialogue, train, shots)",
    cases=[
        *[Case((RECORDS[query].input_text, [r for r in RECORDS if r != RECORDS[query]], shots)) for query, shots in ((0, 3), (3, 1), (4, 2))],
        Case((RECORDS[3].input_text, list(RECORDS[:3]), 0), edge="0 shots"),
    ],
    read=lambda value: as_text(value, A_PROMPT),
    properties=(
        Property(lambda p, c: "input_text=" not in p, "A record stands there as Python shows it. Take its .input_text and its .output_text."),
        Property(lambda p, c: c.given[0] in p, lambda p, c: f"The query is missing, or a part of it. {not_whole(p, c)}"),
        Property(lambda p, c: p.count(c.given[0]) == 1, "The query stands in the prompt twice. It is asked once, last, and is no example."),
        Property(
            lambda p, c: _shown(p, c) or not any(record.output_text in p for record in c.given[1]),
            _without_dialogue,
        ),
        Property(lambda p, c: len(_shown(p, c)) == c.given[2], _wrong_number),
        Property(
            lambda p, c: _shown(p, c) == c.given[1][: c.given[2]], "These are not the first records of `train`: take train[0], train[1] and so on."
        ),
        Property(
            lambda p, c: all(record.output_text in p for record in _shown(p, c)),
            _changed_summary,
        ),
        Property(
            lambda p, c: _places(p, c)[-1] == max(_places(p, c)),
            "The query stands before the examples. The model continues the end of the prompt, so the query goes last.",
        ),
        Property(lambda p, c: _places(p, c) == sorted(_places(p, c)), "The examples are the right ones. Take them in their order, train[0] first."),
        Property(_own_summaries, _whose_summary),
        Property(
            lambda p, c: asks(p[: min(_places(p, c))]),
            "There is no instruction before the first dialogue. Say in a sentence what is wanted.",
        ),
        Property(
            lambda p, c: p.partition(c.given[0])[2].strip(),
            "The prompt ends with the query, so the likeliest continuation is one more turn. Ask for its summary as in the examples.",
        ),
        Property(
            lambda p, c: not _runs_on(p, c),
            "A dialogue or a summary runs into the word behind it, as if both were one text. Begin a new line there.",
        ),
        Property(
            _ends_as_the_examples,
            "The prompt does not end where the query's summary begins: behind the query, the same words as behind the dialogues of the examples.",
        ),
    ),
    examine=_behind_the_colon,
)


# 1.3 to 1.5: examples and labels

REVIEWS = [Review(f"text {n}", LABELS[n % 3 == 0], 2.0 if n % 3 == 0 else -2.0) for n in range(30)]
SEEDS = range(100)


def _as_reviews(value: Any) -> list[tuple[str, str]]:
    """Return the texts and labels of reviews, or of whatever has both."""
    asked = "a list of reviews"
    require(
        not isinstance(value, set | frozenset),
        "A set has no order, so the same seed may give another prompt in another session. Return a list.",
    )
    require(not isinstance(value, pd.DataFrame), expected(asked, value))
    drawn = as_list(value, asked)
    for review in drawn:
        known = isinstance(getattr(review, "text", None), str) and isinstance(getattr(review, "label", None), str)
        first_problem(
            (
                (
                    not (isinstance(review, str) or (isinstance(review, tuple) and set(map(type, review)) == {str})),
                    "These are texts. Return the reviews themselves: their labels are needed, too.",
                ),
                (not isinstance(review, int | np.integer), "These are places in the list. Return the reviews that stand there."),
                (known or not isinstance(review, list | tuple), "These are lists in a list. Make one list of reviews of them."),
                (known, f"{expected(asked, value)} It holds {showing.kind(review)}."),
            )
        )
    return [(review.text, review.label) for review in drawn]


def _of(label: str, drawn: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [review for review in drawn if review[1] == label]


def _drawn_by_the_seed(run: Run) -> None:
    before = random_states()
    draws = [_as_reviews(run(REVIEWS, 8, seed)) for seed in (*SEEDS, *SEEDS[:2])]
    for owner, *states in zip(("Python", "numpy", "torch"), before, random_states(), strict=True):
        require(
            states[0] == states[1],
            f"The draw changes {owner}'s global random state, and with it all that is drawn later in the notebook. "
            "Make a generator of your own from the seed, such as random.Random(seed).",
        )
    sets = list(map(frozenset, draws))
    first_problem(
        (
            (
                sets[:2] == sets[-2:],
                "The same seed gave two different draws, so a result could not be repeated. Make the generator from the seed, inside the function.",
            ),
            (
                draws[:2] == draws[-2:],
                "The same seed gave the same reviews in another order, and the order changes what a model says. Shuffle by the seed, too.",
            ),
            (
                any(draw != draws[0] for draw in draws),
                "Every seed gives the same examples. With one draw you cannot tell luck from effect: use the seed.",
            ),
            (len(set(sets)) > 1, "Every seed gives the same reviews, only in another order. Use the seed for the draw itself, too."),
        )
    )
    for label, other in (LABELS, LABELS[::-1]):
        kinds = {frozenset(_of(label, draw)) for draw in draws}
        require(len(kinds) > 1, f"Only the {other} reviews are drawn: the {label} ones are the same for every seed. Draw from each label.")
    for label in LABELS:
        kinds, mine = {frozenset(_of(label, draw)) for draw in draws}, _of(label, _as_reviews(REVIEWS))
        require(
            len(kinds) > len(mine),
            f"With {len(SEEDS)} seeds there are only {len(kinds)} different choices of {label} reviews. "
            "Use the seed as it is, and draw each review on its own: one that is drawn must not decide which others come with it.",
        )
        missing = len(set(mine) - set(chain.from_iterable(draws)))
        require(
            not missing,
            f"With {len(SEEDS)} seeds, {missing} of the {len(mine)} {label} reviews never came. "
            "Draw from all reviews of a label, so that each has a chance.",
        )


DRAW = Exercise(
    "Balanced, without repeats, and the same for the same seed.",
    call="draw(train, shots, seed)",
    cases=[Case((REVIEWS, shots, seed)) for shots, seed in ((2, 1), (4, 2), (8, 3), (8, 4), (8, 5), (16, 6), (6, 0), (4, 12345))],
    read=_as_reviews,
    properties=(
        Property(lambda d, c: set(d) <= set(_as_reviews(c.given[0])), "Some of these are not reviews of `train`. Draw from `train` alone."),
        Property(
            lambda d, c: len(d) == c.given[1],
            lambda d, c: f"`shots` is {c.given[1]}, and the number of reviews here is {len(d)}: take half of `shots` for each label.",
        ),
        Property(
            lambda d, c: len(set(d)) == len(d),
            "One review is there twice. Draw without putting it back, as `sample` does: a repeated example shows nothing new.",
        ),
        Property(
            lambda d, c: len(_of("positive", d)) == len(_of("negative", d)),
            lambda d, c: (
                f"The labels are not equal in number: {len(_of('negative', d))} negative, {len(_of('positive', d))} positive. "
                "A prompt with more of one label pulls the predictions towards it."
            ),
        ),
    ),
    examine=_drawn_by_the_seed,
)


def _hits(said: list[str], true: list[str]) -> int:
    return sum(map(str.__eq__, said, true))


def _accuracy(said: list[str], true: list[str]) -> float:
    return _hits(said, true) / len(true)


def _most(said: list[str], true: list[str]) -> int:
    return max(Counter(said).values())


def _largest(said: list[str], true: list[str]) -> float:
    return _most(said, true) / len(said)


def _both(*parts: Callable) -> Callable:
    """Return a function of two functions' results."""
    return lambda said, true: tuple(part(said, true) for part in parts)


def _floored(function: Callable) -> Callable:
    return lambda said, true: int(function(said, true))


def _in_percent(function: Callable) -> Callable:
    return lambda said, true: 100 * function(said, true)


def _rounded(digits: int) -> Callable:
    return lambda said, true: (round(_accuracy(said, true), digits), round(_largest(said, true), digits))


SHARE = "A share is a count divided by the number of predictions"
FLOORED = f"{SHARE}, with /. What stands behind the point is lost here: // and int() throw it away."
COUNTS = f"This holds a count. {SHARE}: 0.75, not 3 of 4."
PERCENT = "This is in percent. A share lies between 0 and 1: 0.8 and not 80."
PLACES = "The accuracy compares the two lists as a whole. Compare place by place: a prediction is right when the label at the same place is the same."
ONE_LABEL = "The second number is the share of one certain label. Count every label among the predictions and take the largest count, whichever label that is."
TOO_ROUND = "These numbers are rounded too far. Leave them as they are, or keep two digits or more behind the point."


def _said_and_true(rng: Random) -> tuple[list[str], list[str]]:
    labels, number = ["negative", "positive", "neutral"][: rng.choice((2, 3))], rng.randrange(5, 14)
    weights = [1, rng.choice((1, 3)), 1][: len(labels)]
    return rng.choices(labels, weights, k=number), rng.choices(labels, k=number)


ACCURACY_AND_BIAS = Exercise(
    "Accuracy says how often it is right, the share says whether it only repeats one label.",
    call="accuracy_and_bias(predictions, labels)",
    cases=[
        *[
            Case(given)
            for given in (
                (["positive"] * 4, ["positive", "negative", "negative", "negative"]),
                (["negative", "negative", "positive"], ["negative"] * 3),
                (["positive", "negative", "negative", "positive", "negative"], ["negative", "positive", "negative", "positive", "positive"]),
                (["neutral", "positive", "neutral", "negative"], ["neutral", "positive", "negative", "neutral"]),
                (["yes", "no", "no"], ["yes", "no", "no"]),
            )
        ],
        *generated(_said_and_true),
    ],
    right=_both(_accuracy, _largest),
    read=lambda value: as_numbers(value, 2, "a pair (accuracy, share of the most frequent prediction)"),
    tolerance=0.0051,
    properties=(
        Property(lambda got, c: not got[0] > 1.0051, f"{SHARE}, and lies between 0 and 1: 0.25 and not 25."),
        Property(
            lambda got, c: abs(got[0] - _accuracy(*c.given)) <= 0.0051,
            lambda got, c: (
                f"The first number, the accuracy, is not right: the two lists agree at {_hits(*c.given)} of {len(c.given[0])} places. Divide the one by the other."
            ),
        ),
        Property(
            lambda got, c: abs(got[1] - _largest(*c.given)) <= 0.0051,
            lambda got, c: (
                f"The accuracy is right, the second number is not: the most frequent prediction stands there {_most(*c.given)} of {len(c.given[0])} times. Divide the one by the other."
            ),
        ),
    ),
    mistakes=(
        Wrong(_both(_largest, _accuracy), "The two numbers are exchanged: first the accuracy, then the share of the most frequent prediction."),
        *[
            Wrong(_both(*two), PERCENT)
            for two in ((_in_percent(_accuracy), _in_percent(_largest)), (_accuracy, _in_percent(_largest)), (_in_percent(_accuracy), _largest))
        ],
        *[Wrong(_both(*two), COUNTS) for two in ((_hits, _most), (_accuracy, _most), (_hits, _largest))],
        *[Wrong(_both(*two), FLOORED) for two in ((_floored(_accuracy), _floored(_largest)), (_accuracy, _floored(_largest)))],
        Wrong(
            _both(_floored(_accuracy), _largest),
            "The accuracy is 1 where all predictions are right and 0 elsewhere: // and int() throw away what stands behind the point, "
            "and == between two lists compares them as a whole.",
        ),
        *[Wrong(_rounded(digits), TOO_ROUND) for digits in (0, 1)],
        Wrong(
            _both(_accuracy, lambda said, true: _largest(true, true)),
            "The second number counts the true labels. The bias is in what the model says, so count the predictions.",
        ),
        Wrong(
            _both(_accuracy, lambda said, true: _largest(said + true, true)),
            "The second number counts both lists. The bias is in what the model says, so count only the predictions.",
        ),
        *[Wrong(_both(_accuracy, lambda said, true, label=label: said.count(label) / len(said)), ONE_LABEL) for label in ("positive", "negative")],
        Wrong(_both(_accuracy, lambda said, true: said.count(said[0]) / len(said)), ONE_LABEL),
        Wrong(
            _both(_accuracy, lambda said, true: min(Counter(said).values()) / len(said)),
            "The second number is the share of the least frequent prediction. The most frequent one shows the bias.",
        ),
        Wrong(
            _both(lambda said, true: 1 - _accuracy(said, true), _largest),
            "The first number is the share of wrong predictions. Count the places where the two lists agree.",
        ),
        Wrong(_both(lambda said, true: (Counter(said) & Counter(true)).total() / len(true), _largest), PLACES),
        Wrong(_both(lambda said, true: _accuracy(sorted(said), sorted(true)), _largest), PLACES),
        Wrong(_both(lambda said, true: sum(word in true for word in said) / len(said), _largest), PLACES),
        Wrong(_both(lambda said, true: len(set(said) & set(true)) / len(set(true)), _largest), PLACES),
    ),
)


def _table(accuracy: list[float], low: list[float], shots: list[int]) -> pd.DataFrame:
    high = [round(min(1.0, 2 * mean - below), 4) for mean, below in zip(accuracy, low, strict=True)]
    return pd.DataFrame({"accuracy": accuracy, "low": low, "high": high}, index=pd.Index(shots, name="shots"))


def _some_table(rng: Random) -> tuple[pd.DataFrame]:
    number = rng.randrange(3, 8)
    accuracy = [round(right / 120, 4) for right in rng.sample(range(60, 116), number)]
    low = [round(mean - rng.randrange(30, 300) / 1000, 4) for mean in accuracy]
    if rng.random() < 0.5:  # a row that just reaches the bound
        first, best = rng.randrange(number), max(accuracy)
        low[accuracy.index(best)] = accuracy[first] if accuracy[first] < best else low[first]
    return (_table(accuracy, low, sorted(rng.sample(range(33), number))),)


def _best(table: pd.DataFrame) -> int:
    return table["accuracy"].idxmax()


def _bound(table: pd.DataFrame) -> float:
    return table["low"][_best(table)]


def _first(holds: pd.Series) -> int:
    return min(holds.index[holds].tolist())


def _enough(bound: Callable[[pd.DataFrame], Any], column: str = "accuracy") -> Callable[[pd.DataFrame], int]:
    """Return a function that takes the first row whose column is not below a bound."""
    return lambda table: _first(table[column] >= bound(table))


def _as_shots(value: Any) -> int:
    asked = "one number of shots"
    require(
        as_number(value, asked) == as_number(value, asked),  # nan is not equal to itself
        "nan is what min() gives of nothing: no row fulfils your condition here. Which number is compared with which?",
    )
    return as_whole(value, asked)


def _not_enough(got: int, case: Case) -> str:
    (table,) = case.given
    bound = f"{_bound(table)} is the `low` of the row with the best accuracy, {table['accuracy'].max()}"
    if got not in table.index:
        return f"{got} is no number of shots in this table: they stand in its index."
    if table["accuracy"][got] < _bound(table):
        return f"{bound}, and the accuracy of {got} shots, {table['accuracy'][got]}, is below it."
    return f"{bound}. The accuracy of {got} shots is not below it, but that of a smaller number of shots is not, either."


OTHER_LOW = (
    "The bound is not the `low` of the row with the best accuracy. Find that row first and take its `low`, whether it is a large or a small one."
)
ENOUGH_SHOTS = Exercise(
    "These reviews cannot tell it from the best, and it is the cheapest in tokens.",
    call="enough_shots(table)",
    cases=[
        Case((_table([0.6, 0.81, 0.79, 0.84, 0.7], [0.5, 0.6, 0.68, 0.8, 0.6], [0, 1, 2, 4, 8]),)),
        Case((_table([0.5, 0.55, 0.72, 0.8, 0.79], [0.35, 0.4, 0.6, 0.72, 0.7], [0, 2, 4, 8, 16]),)),
        Case((_table([0.9, 0.6, 0.7], [0.8, 0.5, 0.65], [0, 1, 2]),)),
        Case((_table([0.9, 0.6, 0.85], [0.8, 0.5, 0.65], [0, 1, 2]),)),
        Case((_table([0.6, 0.65, 0.7, 0.9], [0.55, 0.6, 0.66, 0.85], [1, 3, 5, 7]),)),
        Case((_table([0.55, 0.9, 0.62, 0.93], [0.5, 0.82, 0.6, 0.6], [0, 3, 6, 12]),)),
        Case((_table([0.6, 0.6417, 0.7, 0.85, 0.9], [0.5, 0.55, 0.6, 0.8, 0.645], [0, 2, 4, 8, 9]),)),
        *generated(_some_table, 30),
    ],
    right=_enough(_bound),
    read=_as_shots,
    properties=(Property(lambda got, c: got == _enough(_bound)(*c.given), _not_enough),),
    mistakes=(
        Wrong(
            _best,
            "This is the row with the best accuracy. A smaller number of shots may be as good, as far as these reviews can tell: compare with its `low`.",
        ),
        Wrong(
            lambda table: table.index.min(),
            "This is the first row of every table: its accuracy is compared with nothing, or with a bound that it always reaches, such as its own `low`. "
            "The bound is the `low` of the row with the best accuracy.",
        ),
        Wrong(
            lambda table: table.index.max(),
            "This is the largest number of shots in every table. Every example costs tokens: the smallest that is good enough is asked for.",
        ),
        Wrong(
            lambda table: table.index[table["accuracy"] >= _bound(table)].max(),
            "This is the largest number of shots that is accurate enough. The smallest is asked for: every example costs tokens.",
        ),
        Wrong(
            lambda table: int(np.argmax(table["accuracy"].to_numpy() >= _bound(table))),
            "This is the row's place in the table. The number of shots stands in the index of that row: table.index.",
        ),
        Wrong(
            lambda table: min(shots for shots in table.index[table["accuracy"] >= _bound(table)] if shots),
            "0 is left out here. No example at all is a number of shots, too, and the cheapest.",
        ),
        Wrong(
            lambda table: _first(table["accuracy"] > _bound(table)),
            "An accuracy that is equal to the bound is not below it, so that row is good enough, too.",
        ),
        *[
            Wrong(wrong, "The comparison goes the other way: the accuracy must not be below the bound.")
            for wrong in (lambda table: _first(table["accuracy"] < _bound(table)), lambda table: _first(table["accuracy"] <= _bound(table)))
        ],
        Wrong(_enough(_bound, "low"), "This compares `low` with `low`. Compare the `accuracy` of each row with the `low` of the best one."),
        Wrong(
            _enough(_bound, "high"),
            "This asks whether the intervals overlap: it compares `high`. Compare the `accuracy` of each row with the `low` of the best one.",
        ),
        *[
            Wrong(_enough(bound), OTHER_LOW)
            for bound in (
                lambda table: table["low"].max(),
                lambda table: table["low"].iloc[-1],
                lambda table: table["low"].mean(),
                lambda table: table["low"].median(),
            )
        ],
        *[
            Wrong(_enough(bound), "The bound here is not the `low` of the row with the best accuracy, but made of accuracies.")
            for bound in (lambda table: table["accuracy"].mean(), lambda table: table["accuracy"].median())
        ],
    ),
)


# 1.6 to 1.8: scores, the window, influence


def _words(text: str) -> list[str]:
    return text.lower().split()


def _f_measure(shared: int, said: int, right: int) -> float:
    return 2 * shared / (said + right) if shared else 0.0


def _rouge(measure: Callable = _f_measure, words: Callable = _words, count: Callable = Counter) -> Callable[[str, str], float]:
    """Return a score made of the numbers of shared words, of the prediction's and of the reference's."""

    def score(prediction: str, reference: str) -> float:
        said, right = count(words(prediction)), count(words(reference))
        return measure((said & right).total(), said.total(), right.total())

    return score


def _of_all(found: Callable) -> Callable[[str, str], float]:
    """Return a score from the number of words that `found(prediction's words, reference's words)` shares."""
    return lambda prediction, reference: _f_measure(found(_words(prediction), _words(reference)), len(_words(prediction)), len(_words(reference)))


def _each_word_asked_alone(prediction: str, reference: str) -> float:
    said, right = _words(prediction), _words(reference)
    precision, recall = sum(word in right for word in said) / len(said), sum(word in said for word in right) / len(right)
    return 2 * precision * recall / (precision + recall) if precision else 0.0


def _ratio(below: Callable[[int, int, int], float]) -> Callable:
    return lambda shared, said, right: shared / below(shared, said, right) if shared else 0.0


def _shared(prediction: str, reference: str) -> int:
    return (Counter(_words(prediction)) & Counter(_words(reference))).total()


def _in_common(prediction: str, reference: str) -> str:
    shared = _shared(prediction, reference)
    return f"{len(_words(prediction))} words of the prediction, {len(_words(reference))} of the reference, {shared} shared"


def _not_the_score(got: float, case: Case) -> str:
    counted = f"Here are {_in_common(*case.given)}"
    if not 0 <= got <= 1.0001:
        return f"The F-measure lies between 0 and 1. {counted}."
    return f"{counted}: a word is shared as often as it stands in both texts, in any order, upper and lower case are the same, and marks belong to their word."


def _sentences(rng: Random) -> tuple[str, str]:
    words = ["the", "The", "cat", "Cat", "cats", "is", "late", "late.", "and", "he", "sat", "on", "mat", "it", "it's"]
    said, right = (rng.choices(words, k=rng.randrange(1, 9)) for _ in range(2))
    right[rng.randrange(len(right))] = rng.choice(said).upper()  # one word at least is shared
    return " ".join(said), " ".join(right)


ONCE = "A word is shared as often as it stands in both texts, the smaller of the two counts."
MARKS = "Marks are taken off, such as a full stop or a comma. Here words are separated by spaces only, so a mark belongs to its word."
EMPTY_TEXT = "A text without words shares none, so the score is 0."
ROUGE_1 = Exercise(
    "The package rouge-score also drops punctuation and word endings, so its numbers differ a little.",
    call="rouge1_f(prediction, reference)",
    cases=[
        *[
            Case(given)
            for given in (
                ("the cat sat", "the cat sat on the mat"),
                ("the the the the", "the cat"),
                ("A Dog barks", "a dog sleeps"),
                ("he is late and he is sorry", "he is late"),
                ("on the mat sat the cat", "the cat sat on a mat"),
                ("yes, a dog", "yes a dog."),
                ("an art lover", "the party loves an idea"),
                ("a b c", "c b a d e"),
                ("the dogs bark", "the dog barks"),
            )
        ],
        Case(("nothing in common", "other words"), "Nothing is shared, so the score is 0.", edge="no word in common"),
        Case(("", "some words"), EMPTY_TEXT, edge="an empty prediction"),
        Case(("some words", ""), EMPTY_TEXT, edge="an empty reference"),
        *generated(_sentences),
    ],
    right=_rouge(),
    read=lambda value: as_number(value, "one number, the F-measure,"),
    tolerance=6e-4,
    properties=(Property(lambda got, c: c.edge or abs(got - _rouge()(*c.given)) <= 6e-4, _not_the_score),),
    mistakes=(
        Wrong(_rouge(_ratio(lambda s, a, b: b)), "This is the recall. Long texts would always win: bring in the precision."),
        Wrong(_rouge(_ratio(lambda s, a, b: a)), "This is the precision. One right word would be enough: bring in the recall."),
        Wrong(
            _rouge(lambda s, a, b: (s / a + s / b) / 2 if s else 0.0),
            "This is the mean of precision and recall, (P + R) / 2. The F-measure is 2 * P * R / (P + R), which is small as soon as one of them is.",
        ),
        Wrong(
            _rouge(lambda s, a, b: sqrt(s / a * s / b) if s else 0.0),
            "This is the root of precision times recall. The F-measure divides 2 * P * R by P + R.",
        ),
        Wrong(
            _rouge(lambda s, a, b: s * s / a / b if s else 0.0),
            "This is the product P * R. The F-measure multiplies it by 2 and divides it by P + R.",
        ),
        Wrong(
            _rouge(lambda s, a, b: 3 * s / b if s else 0.0),  # 2 * P * R / P + R
            "Brackets are missing: without them / comes before +, so that 2 * P * R is divided by P alone. It is divided by (P + R).",
        ),
        Wrong(_rouge(_ratio(lambda s, a, b: a + b)), "This is half of the score: the factor 2 is missing, so two equal texts score 0.5."),
        Wrong(
            _rouge(_ratio(lambda s, a, b: a + b - s)),
            "This divides the shared words by the words of either text. That is another measure; divide 2 * P * R by P + R.",
        ),
        Wrong(_rouge(_ratio(lambda s, a, b: max(a, b))), "This divides by the length of the longer text. Precision and recall have a length each."),
        Wrong(_rouge(_ratio(lambda s, a, b: min(a, b))), "This divides by the length of the shorter text. Precision and recall have a length each."),
        Wrong(_rouge(lambda s, a, b: 100 * _f_measure(s, a, b)), "This is in percent. The score lies between 0 and 1: 0.8 and not 80."),
        Wrong(
            _rouge(lambda s, a, b: s), "This is the number of shared words. Divide: precision by the prediction's words, recall by the reference's."
        ),
        Wrong(
            _rouge(lambda s, a, b: int(_f_measure(s, a, b))),
            "// and int() throw away what stands behind the point, so that only equal texts score. Divide with /.",
        ),
        *[
            Wrong(
                _rouge(lambda s, a, b, digits=digits: round(_f_measure(s, a, b), digits)),
                "This is rounded too far. Keep three digits behind the point, or all.",
            )
            for digits in (0, 1, 2)
        ],
        *[
            Wrong(wrong, f"Each different word is counted once here. {ONCE}")
            for wrong in (_rouge(count=lambda words: Counter(set(words))), _of_all(lambda a, b: len(set(a) & set(b))))
        ],
        Wrong(
            lambda prediction, reference: _f_measure(_shared(prediction, reference), len(set(_words(prediction))), len(set(_words(reference)))),
            "Precision and recall divide by all words of a text. Here each different word counts once: that is what len() of a Counter or of a set gives.",
        ),
        *[
            Wrong(wrong, f"Each word is looked up in the other text, however often it was found before. {ONCE}")
            for wrong in (_each_word_asked_alone, _of_all(lambda a, b: sum(w in b for w in a)), _of_all(lambda a, b: sum(w in a for w in b)))
        ],
        Wrong(_rouge(words=str.split), "Upper and lower case are the same word here: make both texts small first."),
        Wrong(_rouge(words=lambda text: re.findall(r"\w+", text.lower())), MARKS),
        Wrong(_rouge(words=lambda text: [word.strip(".,;:!?'\"") for word in _words(text)]), MARKS),
        Wrong(_rouge(words=lambda text: re.sub(r"[^\w\s]", "", text.lower()).split()), MARKS),
        Wrong(
            _of_all(lambda a, b: sum(map(str.__eq__, a, b))), "Words are compared at the same place only. Their order does not matter: count them."
        ),
        Wrong(_rouge(words=str.lower), "This counts letters and spaces. Split the texts into words first."),
        Wrong(_rouge(words=lambda text: pairwise(_words(text))), "This counts pairs of words. ROUGE-1 counts single ones."),
        Wrong(
            _of_all(lambda a, b: sum(word in " ".join(b) for word in a)),
            "A word is found as a part of another one, such as art in party. Compare whole words.",
        ),
    ),
)


def _fitting(lengths: list[int], room: float) -> int:
    return sum(total <= room for total in accumulate(lengths))


def _fit(room: Callable[[int, int, int], float], order: Callable = list) -> Callable[[list[int], int, int, int], int]:
    return lambda lengths, query, new, window: _fitting(order(lengths), room(query, new, window))


def _room(query: int, new: int, window: int) -> int:
    return window - query - new


RIGHT_FIT = _fit(_room)


def _going_on(lengths: list[int], query: int, new: int, window: int) -> int:
    """Count also short examples behind one that does not fit."""
    used, shots = query + new, 0
    for length in lengths:
        if used + length <= window:
            used, shots = used + length, shots + 1
    return shots


def _until_full(lengths: list[int], query: int, new: int, window: int) -> int:
    """Count also the example that crosses the end of the window."""
    return sum(total < _room(query, new, window) for total in accumulate(lengths[:-1], initial=0)) if lengths else 0


def _not_that_many(got: int, case: Case) -> str:
    lengths, query, new, window = case.given
    if not 0 <= got <= len(lengths):
        return f"There are {len(lengths)} examples, so this cannot be their number."
    right = RIGHT_FIT(*case.given)
    shots = got if got > right else right
    used = f"query, completion and {shots} example{'s' * (shots != 1)} take {query + new + sum(lengths[:shots])} tokens of {window}"
    if got > right:
        return f"That does not fit: {used}."
    return f"More examples fit: {used}."


def _lengths(rng: Random) -> tuple[list[int], int, int, int]:
    lengths = [rng.randrange(10, 200) for _ in range(rng.randrange(1, 8))]
    query, new = rng.randrange(20, 150), rng.randrange(10, 80)
    used = query + new + sum(lengths[: rng.randrange(len(lengths) + 1)])
    return lengths, query, new, max(1, used + rng.choice((-1, 0, 0, 1, 37)))


SHOTS_THAT_FIT = Exercise(
    "Prompt and completion share one window.",
    call="shots_that_fit(example_lengths, query_length, max_new_tokens, window)",
    cases=[
        *map(
            Case,
            (
                ([100, 100, 100, 100], 120, 40, 512),
                ([50, 60], 100, 50, 1000),
                ([100, 100], 100, 50, 350),
                ([10, 200, 300], 100, 50, 400),
                ([300, 10, 10], 100, 50, 400),
            ),
        ),
        Case(([], 100, 50, 400), "There is no example, so none fits.", edge="no examples"),
        Case(([30, 40], 300, 100, 350), "Query and completion alone are more than the window holds: no example fits.", edge="no room at all"),
        *generated(_lengths, 30),
    ],
    right=RIGHT_FIT,
    read=lambda value: as_whole(value, "one whole number, how many examples fit,"),
    properties=(Property(lambda got, c: c.edge or got == RIGHT_FIT(*c.given), _not_that_many),),
    mistakes=(
        Wrong(_fit(lambda query, new, window: window - query), "There is no room for the completion: it shares the window with the prompt."),
        Wrong(_fit(lambda query, new, window: window - new), "There is no room for the query: it stands in the prompt behind the examples."),
        Wrong(_fit(lambda query, new, window: window), "There is no room for the query and the completion: they share the window with the examples."),
        Wrong(_fit(lambda query, new, window: window - query + new), "The completion takes room away. Here its tokens are added to the room."),
        Wrong(_fit(lambda query, new, window: window - query - new - 1), "A prompt that fills the window to the last token fits, too: <= and not <."),
        Wrong(
            _fit(lambda query, new, window: window - query - new + 1),
            "This is one token too many: what is used may be as large as the window, not larger.",
        ),
        *[
            Wrong(_fit(_room, order), "The examples are taken in another order. They come as they are given, long or short.")
            for order in (sorted, lambda lengths: sorted(lengths, reverse=True), lambda lengths: lengths[::-1])
        ],
        Wrong(_going_on, "This went on after an example that did not fit. Stop at the first."),
        *[
            Wrong(wrong, "The one that no longer fits is counted, too. Ask before you count it.")
            for wrong in (lambda *given: min(len(given[0]), RIGHT_FIT(*given) + 1), _until_full)
        ],
        Wrong(lambda *given: RIGHT_FIT(*given) + 1, "This is one too many in every case. Is the example counted that did not fit?"),
        *[
            Wrong(wrong, "This is one fewer than fit, each time. A place in a list begins at 0, a number of examples at 1.")
            for wrong in (lambda *given: RIGHT_FIT(*given) - 1, lambda *given: max(0, RIGHT_FIT(*given) - 1))
        ],
        Wrong(
            lambda lengths, query, new, window: sum(length <= _room(query, new, window) for length in lengths),
            "Each example is compared with the whole room, as if it stood there alone. Add up what the ones before it have used.",
        ),
        Wrong(
            lambda lengths, query, new, window: _fitting([length + query + new for length in lengths], window),
            "Query and completion are counted again for each example. They stand there once.",
        ),
        *[
            Wrong(
                lambda lengths, q, new, w, part=part: _fitting([n + (q, new)[part] for n in lengths], w - (new, q)[part]),
                f"{what} is counted again for each example. It stands there once.",
            )
            for part, what in enumerate(("The query", "The completion"))
        ],
        *[
            Wrong(
                lambda lengths, query, new, window, least=least: min(len(lengths), max(least, _room(query, new, window) // lengths[0])),
                "All examples are taken to be as long as the first one. Each has its own length.",
            )
            for least in (0, -1_000_000)
        ],
        Wrong(
            lambda lengths, query, new, window: int(_room(query, new, window) // (sum(lengths) / len(lengths))),
            "This divides by a mean length. Each example has its own length.",
        ),
        Wrong(lambda lengths, query, new, window: len(lengths), "These are all examples, whether they fit or not."),
        Wrong(lambda *given: sum(given[0][: RIGHT_FIT(*given)]), "This is a number of tokens. How many examples fit is asked for."),
        Wrong(
            lambda *given: _room(*given[1:]) - sum(given[0][: RIGHT_FIT(*given)]),
            "These are the tokens that are left over. How many examples fit is asked for.",
        ),
        Wrong(lambda *given: len(given[0]) - RIGHT_FIT(*given), "This is how many examples do not fit."),
    ),
)


def _helped(full: float, without: list[float]) -> int:
    return int(np.argmin(without))


def _at(choose: Callable[[np.ndarray], Any]) -> Callable[[float, list[float]], int]:
    """Return the index that is chosen by the effects, what each example added."""
    return lambda full, without: int(choose(full - np.array(without)))


def _not_that_one(got: int, case: Case) -> str:
    full, without = case.given
    if not 0 <= got < len(without):
        return f"The examples have the indices 0 to {len(without) - 1}, counted from 0."
    return (
        f"Without that example the log-probability is {without[got]}, with all of them {full}. "
        "What does it become when a helpful example is gone, and which one moves it furthest that way?"
    )


def _influence(rng: Random) -> tuple[float, list[float]]:
    number = rng.randrange(2, 7)
    full, *without = (-value / 100 for value in rng.sample(range(1, 200), number + 1))
    lowest = min(range(number), key=without.__getitem__)
    if without[lowest] > full:  # one of them helped
        full, without[lowest] = without[lowest], full
    return full, without


FIRST = "This is the first example that helped. Another one may have helped more."
MOST_HELPFUL = Exercise(
    "Taking away the most helpful example costs most.",
    call="most_helpful(full, without)",
    cases=[
        *map(
            Case,
            (
                (-0.5, [-0.4, -0.9, -0.6]),
                (-1.0, [-3.0, -1.1, -0.1]),
                (-0.7, [-0.75, -0.2, -0.9, -0.8]),
                (-0.6, [-0.1, -0.65, -0.7, -0.9]),
                (-1.5, [-0.2, -1.4, -1.6, -0.9, -1.55]),
            ),
        ),
        *generated(_influence),
        Case((-0.6, [-0.1, -0.3, -0.2]), "None of the examples helped. Then the one that did least harm is asked for.", edge="no example helped"),
    ],
    right=_helped,
    read=lambda value: as_whole(value, "the index of one example, a whole number from 0,"),
    properties=(Property(lambda got, c: c.edge or got == _helped(*c.given), _not_that_one),),
    mistakes=(
        Wrong(
            _at(np.argmin),
            "This is the example whose removal raised the log-probability most: it did the most harm. Think of what happens when a helpful example is taken away.",
        ),
        Wrong(_at(lambda effects: np.argmax(np.abs(effects))), "This is the largest change in either direction. Its sign matters here."),
        Wrong(_at(lambda effects: np.argmin(np.abs(effects))), "This is the example that changed least."),
        *[
            Wrong(wrong, "This is one too many: the first example has the index 0, and `full` is not one of the examples.")
            for wrong in (_at(lambda effects: np.argmax(effects) + 1), lambda full, without: int(np.argmin([full, *without])))
        ],
        Wrong(_at(lambda effects: np.argmax(effects) - len(effects)), "This is counted from the end. Count from 0, at the beginning."),
        Wrong(_at(lambda effects: np.argmax(effects[::-1])), "This is counted from the end. Count from 0, at the beginning."),
        Wrong(_at(lambda effects: (effects > 0).sum()), "This is how many examples helped. Which one helped most is asked for."),
        Wrong(_at(lambda effects: np.argsort(effects)[-2]), "This is the second best. Which one helped most is asked for."),
        *[Wrong(_at(lambda effects, start=start: start if not (effects > 0).any() else np.argmax(effects > 0)), FIRST) for start in (0, -1)],
        Wrong(
            _at(lambda effects: np.flatnonzero(effects > 0)[-1] if (effects > 0).any() else 0),
            "This is the last example that helped. Another one may have helped more.",
        ),
        Wrong(
            lambda full, without: sorted(without).index(min(without)),
            "This is 0 for every list. In a sorted list the lowest number always stands first: look for it in the list as it was given.",
        ),
        Wrong(lambda full, without: len(without) - 1, "This is the last example in every list. Compare their log-probabilities."),
    ),
)

CHECKS = {
    "1.1": ZERO_SHOT,
    "1.2": FEW_SHOT,
    "1.3": DRAW,
    "1.4": ACCURACY_AND_BIAS,
    "1.5": ENOUGH_SHOTS,
    "1.6": ROUGE_1,
    "1.7": SHOTS_THAT_FIT,
    "1.8": MOST_HELPFUL,
}
