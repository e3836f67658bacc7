"""The exercises of Lab 5, the whole way: prompt, measure, tune, decide, deploy."""

import math
import random
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from utils.datasets.sets import load_set
from utils.errors import CourseError
from utils.evaluation.classification import predict_labels
from utils.exercises.endpoints import (
    FAULTS,
    NO_FAULT,
    answers_at_all,
    every_answer_right,
    first_answers_right,
    models_differ,
    pairs,
    stand_in,
)
from utils.exercises.exercise import Case, Exercise, Property, Wrong, generated
from utils.exercises.mistakes import require
from utils.exercises.prompt_rules import around, asks, last_line, not_filled
from utils.exercises.reading import as_number, as_numbers, as_text, expected
from utils.exercises.running import Run
from utils.models.language_model import LanguageModel

TEAMS = ("billing", "delivery", "returns", "account", "technical")
SEEN_BY_THE_MODEL = 20

# 5.1: a prompt for a choice of labels


def _named(text: str, teams: Sequence[str]) -> list[str]:
    return [team for team in teams if re.search(rf"\b{re.escape(team)}\b", text, re.IGNORECASE)]


def _missing_team(prompt: str, case: Case) -> str:
    before, after = around(prompt, case)
    missing = [team for team in case.given[1] if team not in _named(before, case.given[1])]
    if set(missing) <= set(_named(after, case.given[1])):
        return "The teams are named behind the ticket only. Name them before it, in the instruction."
    return f"The instruction does not name {missing[0]!r}. The model can only choose what it reads: name every team of `teams`, which changes."


def _own_words(prompt: str, case: Case) -> str:
    """Return what stands before the ticket without the names of the teams and without the line that the ticket stands on."""
    before = around(prompt, case)[0].rpartition("\n")[0] or around(prompt, case)[0]
    return re.sub("|".join(re.escape(team) for team in case.given[1]), "", before, flags=re.IGNORECASE)


def _routes(run: Run, *, model: LanguageModel | None = None) -> str:
    """Return how many tickets of the validation split a model gives to the right team behind the learner's prompt."""
    if model is None:
        return ""
    tickets = load_set("tickets", "validation")[:SEEN_BY_THE_MODEL]
    prompts = [str(run(ticket.input_text, list(TEAMS))) for ticket in tickets]
    try:
        chosen = predict_labels(model, prompts, [f" {team}" for team in TEAMS])
    except CourseError as error:
        return f"\nThe model could not read your prompt: {error}"
    right = sum(TEAMS[index] == ticket.output_text for index, ticket in zip(chosen, tickets, strict=True))
    return f"\nBehind your prompt the model finds the right team of {right} of {len(tickets)} validation tickets."


ROUTING = Exercise(
    "The choice stands in the instruction, and the prompt ends where the answer begins.",
    call="routing_prompt(ticket, teams)",
    cases=[
        Case(("Where is my parcel?", list(TEAMS))),
        Case(('I pay twice.\n\nPlease {help}, 5 % is "too much"!', list(TEAMS))),
        Case(("The lift is stuck.", ["night shift", "day shift"])),
        Case(("안녕하세요, no sound.", ["audio", "video", "power"])),
    ],
    read=lambda value: as_text(value, "one text, the prompt,"),
    properties=[
        Property(
            lambda p, c: c.given[0] in p,
            lambda p, c: (
                not_filled(p, c) or "The ticket is not in this prompt unchanged: the model can only route what it reads. Use the argument `ticket`."
            ),
        ),
        Property(lambda p, c: p.count(c.given[0]) == 1, "The ticket stands in this prompt twice. Once is enough."),
        Property(lambda p, c: len(_named(around(p, c)[0], c.given[1])) == len(c.given[1]), _missing_team),
        Property(
            lambda p, c: str(c.given[1]) not in p,
            "The list itself stands in this prompt, with its brackets and quotation marks. Make a text of the names with `join`.",
        ),
        Property(lambda p, c: "\n" in around(p, c)[0], "The ticket stands on the instruction's line, as if it went on. Begin a new line before it."),
        Property(
            lambda p, c: c.given[1] == list(TEAMS) or not _named(p.replace(c.given[0], ""), TEAMS),
            "This prompt names a team that is not among `teams`: take the names from the argument.",
        ),
        Property(
            lambda p, c: asks(_own_words(p, c)),
            "There are the names of the teams, but no instruction: say in a sentence what shall be chosen.",
        ),
        Property(
            lambda p, c: re.search(r"\w", around(p, c)[1]),
            "Nothing asks for the team behind the ticket: end with a line such as one word and a colon.",
        ),
        Property(
            lambda p, c: p == p.rstrip(),
            "The prompt ends with white space. A token usually begins with its space: let nothing stand behind the colon.",
        ),
        Property(lambda p, c: p.endswith((":", "\uff1a")), "The last line does not end with a colon. End with a word for what comes, and a colon."),
        Property(
            lambda p, c: "\n" in around(p, c)[1], "The cue stands on the ticket's last line, as if the customer wrote it. Give it a line of its own."
        ),
        Property(lambda p, c: re.search(r"\w", last_line(p)), "A colon alone is no cue: name in a word what begins there."),
        Property(
            lambda p, c: not _named(last_line(p), c.given[1]),
            "The last line names a team already, and the model would only go on behind it. Name what shall come, not which one.",
        ),
    ],
    examine=_routes,
)

# 5.2: variables

VARIABLE = re.compile(r"\{(\w+)\}")


def _filled(text: str, values: Mapping[str, str]) -> str:
    return VARIABLE.sub(lambda found: values.get(found[1], found[0]), text)


def _one_after_the_other(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _until_nothing_changes(text: str, values: Mapping[str, str]) -> str:
    for _ in range(3):
        text = _filled(text, values)
    return text


ONE_PASS = "A value that holds braces is filled again: what a customer writes must stay as it is. Go through the text once."
FILLED = Exercise(
    "One pass: what stands in braces in a value stays text, and so does JSON.",
    call="filled(text, values)",
    cases=[
        Case(("Dear {name}!", {"name": "Ana"}), "{name} becomes its value."),
        Case(("{a} and {b}, then {a}", {"a": "1", "b": "2"}), "Every variable is replaced, each time that it comes."),
        Case(("{team}: {ticket}", {"ticket": "Where?"}), "A name without a value stays as it is, with its braces."),
        Case(("{first} {second}", {"first": "{second}", "second": "x"}), "The value of `first` holds braces, and stays as it is."),
        Case(("{first} {second}", {"second": "x", "first": "{second}"}), "The value of `first` holds braces, and stays as it is."),
        Case(('{"team": "{team}", "sure": {}}', {"team": "returns"}), "Only {team} is a variable here: the other braces are JSON."),
        Case(("{path} of {Path}", {"path": "C:\\1\\g<0>"}), "A value is taken letter by letter, and {Path} is another name than {path}."),
        Case(("{ name } and name", {"name": "Bo"}), "Only a name right between two braces is a variable."),
        Case(("", {"name": "Bo"}), "An empty text stays empty.", edge="an empty text"),
        Case(("{name}, hi", {"name": ""}), "A value may be empty: then nothing stands there.", edge="an empty value"),
        Case(("{name} {}", {}), "Without values the text stays as it is.", edge="no values"),
    ],
    right=_filled,
    mistakes=[
        Wrong(_one_after_the_other, ONE_PASS),
        Wrong(lambda text, values: _one_after_the_other(text, dict(reversed(values.items()))), ONE_PASS),
        Wrong(_until_nothing_changes, ONE_PASS),
        Wrong(
            lambda text, values: VARIABLE.sub(lambda found: values.get(found[1], ""), text),
            "A name without a value stays, with its braces: it is not deleted.",
        ),
        Wrong(
            lambda text, values: VARIABLE.sub(lambda found: values.get(found[1], found[1]), text),
            "A name without a value stays as it is: its braces are lost here.",
        ),
        Wrong(
            lambda text, values: VARIABLE.sub(lambda found: values.get(found[1], found[0]), text, count=1),
            "Only the first variable is replaced. All of them are asked for.",
        ),
        Wrong(
            lambda text, values: re.sub(r"\{ *(\w+) *\}", lambda found: values.get(found[1], found[0]), text),
            "A name with spaces beside it is text, not a variable.",
        ),
        Wrong(
            lambda text, values: re.sub(r"\w+", lambda found: values.get(found[0], found[0]), text),
            "Words outside of braces are replaced, too, or the braces are left standing.",
        ),
        Wrong(
            lambda text, values: VARIABLE.sub(
                lambda found: {key.lower(): value for key, value in values.items()}.get(found[1].lower(), found[0]), text
            ),
            "Upper and lower case are two names: {Path} is not {path}.",
        ),
    ],
    read=as_text,
)

# 5.3: to classify instead of to generate

LogProbabilities = Mapping[str, Sequence[float]]


def _shares(given: LogProbabilities, total: Callable = sum) -> dict[str, float]:
    totals = {label: total(each) for label, each in given.items()}
    raised = {label: math.exp(value - max(totals.values())) for label, value in totals.items()}
    return {label: value / sum(raised.values()) for label, value in raised.items()}


def _draw_labels(draw: random.Random) -> tuple[dict[str, list[float]]]:
    labels = draw.sample([*TEAMS, "gift card", "out of hours"], draw.randint(2, 5))
    return ({label: [round(-draw.uniform(0.1, 4), 2) for _ in range(draw.randint(1, 3))] for label in labels},)


def _as_shares(value: Any) -> dict[str, float]:
    require(isinstance(value, Mapping), expected("a dictionary from label to probability", value))
    return {label: as_number(share, "a number for each label") for label, share in value.items()}


def _same_shares(result: Mapping[str, float], right: Mapping[str, float], tolerance: float) -> bool:
    return result.keys() == right.keys() and all(math.isclose(result[label], right[label], abs_tol=tolerance) for label in right)


LABEL_SHARES = Exercise(
    "The tokens of a label multiply, and what all labels have together is shared among them.",
    call="label_shares(log_probabilities)",
    cases=[
        Case(({"yes": [math.log(0.3)], "no": [math.log(0.1)]},), "0.3 and 0.1 of the whole vocabulary are 0.75 and 0.25 of what the labels have."),
        Case(
            ({"gift card": [-1.0, -0.5], "other": [-1.5]},),
            "Both labels have the same probability: that of a label's tokens is multiplied, so logarithms add.",
        ),
        *generated(_draw_labels, why="Add each label's logarithms, take exp, and divide by the sum over the labels."),
        Case(({"only": [-3.0]},), "A label alone has all of it.", edge="one label"),
        Case(
            ({"a": [-800.0], "b": [-801.0]},),
            "exp of such numbers is 0, and 0 divided by 0 is nothing: subtract the largest total from all totals first.",
            edge="very unlikely labels",
        ),
        Case(({"sure": [0.0], "never": [-math.inf]},), "A probability of 0 has the logarithm minus infinity.", edge="an impossible label"),
    ],
    right=_shares,
    mistakes=[
        Wrong(
            lambda given: _shares(given, lambda each: sum(each) / len(each)),
            "You take the mean over a label's tokens: a long label gains by that. The probability of the label is that of all its tokens together.",
        ),
        Wrong(
            lambda given: _shares(given, lambda each: each[0]), "Only a label's first token counts here. Two labels may begin alike: take all tokens."
        ),
        Wrong(lambda given: _shares(given, lambda each: each[-1]), "Only a label's last token counts here. All of them are needed."),
        Wrong(lambda given: _shares(given, math.prod), "You multiply logarithms. Probabilities multiply, so their logarithms add."),
        Wrong(lambda given: _shares(given, max), "Only a label's likeliest token counts here. All of them are needed."),
        Wrong(
            lambda given: {label: math.exp(sum(each)) for label, each in given.items()},
            "These are shares of all texts that the model could write. Divide by what the labels have together.",
        ),
        Wrong(
            lambda given: {label: sum(each) / sum(map(sum, given.values())) for label, each in given.items()},
            "You share out the logarithms, and the least likely label gets most. Take exp first.",
        ),
        Wrong(
            lambda given: _shares(given, lambda each: math.log(sum(map(math.exp, each)) + 1e-300)),
            "You add the probabilities of a label's tokens. They must all come, so they multiply.",
        ),
        Wrong(lambda given: {label: 100 * share for label, share in _shares(given).items()}, "These are per cent: shares from 0 to 1 are asked for."),
        Wrong(lambda given: {label: sum(each) for label, each in given.items()}, "These are the logarithms still. Take exp, then share."),
    ],
    properties=[
        Property(lambda got, case: got.keys() == case.given[0].keys(), "One share for each label is asked for, under the label's own name."),
        Property(
            lambda got, case: all(math.isfinite(share) for share in got.values()),
            lambda got, case: f"There is a NaN or an infinity in it. {case.why}",
        ),
    ],
    read=_as_shares,
    alike=_same_shares,
)

# 5.4: wins and ties


def _rate(ours: Sequence[float], theirs: Sequence[float], tie: float = 0.5) -> float:
    return sum((one > other) + tie * (one == other) for one, other in zip(ours, theirs, strict=True)) / len(ours)


def _without_ties(ours: Sequence[float], theirs: Sequence[float]) -> float:
    decided = [one > other for one, other in zip(ours, theirs, strict=True) if one != other]
    return sum(decided) / len(decided)


def _draw_scores(draw: random.Random) -> tuple[list[float], list[float]]:
    number = draw.randint(4, 12)
    ours, theirs = ([draw.choice((0.0, 0.25, 0.5, 1.0)) for _ in range(number)] for _ in range(2))
    return [1.0, 1.0, *ours], [1.0, 0.0, *theirs]


WIN_RATE = Exercise(
    "A tie is half a win: then the two rates of a pair sum to 1.",
    call="win_rate(ours, theirs)",
    cases=[
        Case(([1.0, 0.0], [0.0, 1.0]), "One record is won and one lost: 0.5."),
        Case(([1.0, 1.0, 0.5, 0.2], [0.0, 1.0, 0.4, 0.9]), "Two wins, one loss, and one tie that counts half."),
        *generated(_draw_scores, why="Count record by record: 1 for a win, a half for a tie, 0 for a loss; divide by all records."),
        Case(([0.3, 0.3], [0.3, 0.3]), "Ties alone are a rate of 0.5.", edge="nothing but ties"),
        Case(([1.0], [0.0]), "One record, won.", edge="one record"),
    ],
    right=_rate,
    mistakes=[
        Wrong(lambda ours, theirs: _rate(ours, theirs, 0), "A tie counts as a loss here. It is half a win."),
        Wrong(lambda ours, theirs: _rate(ours, theirs, 1), "A tie counts as a win here. It is half a win."),
        Wrong(_without_ties, "Records with a tie are left out. They count, as half a win, and in the number of records."),
        Wrong(lambda ours, theirs: _rate(theirs, ours), "This is their rate: how often does `ours` win?"),
        Wrong(lambda ours, theirs: 100 * _rate(ours, theirs), "These are per cent: a share from 0 to 1 is asked for."),
        Wrong(lambda ours, theirs: len(ours) * _rate(ours, theirs), "This is the number of wins. Divide by the number of records."),
        Wrong(
            lambda ours, theirs: _rate(sorted(ours), sorted(theirs)), "The lists are sorted, and a record's two scores no longer stand side by side."
        ),
        Wrong(
            lambda ours, theirs: np.mean([(one > other) + 0.5 * (one == other) for one in ours for other in theirs]),
            "Every score is compared with every other one. Compare the two scores of the same record.",
        ),
        Wrong(lambda ours, theirs: np.mean(ours) - np.mean(theirs), "This is the mean gain. Here it is counted how often, not by how much."),
        Wrong(
            lambda ours, theirs: _rate(ours, theirs, 0) - _rate(theirs, ours, 0),
            "This is wins minus losses. Count a tie as a half instead.",
        ),
    ],
    properties=[Property(lambda got, case: math.isfinite(got), lambda got, case: f"This is no number. {case.why}")],
    read=lambda value: as_number(value, "one number, a share from 0 to 1,"),
)

# 5.5: the gain over several seeds

GAIN = "a row of three numbers, the gain and the two ends of its interval,"
Table = Sequence[Sequence[float]]


def _gain(ours: Table, theirs: Table, *, by: Callable = lambda table: table.mean(axis=0), z: float = 1.96, ddof: int = 1, root: float = 0.5) -> tuple:
    """Return the right gain and ends, but for what is named: what is a record's difference, and how wide the interval is."""
    differences = by(np.subtract(ours, theirs))
    half = z * differences.std(ddof=ddof) / len(differences) ** root
    return differences.mean(), differences.mean() - half, differences.mean() + half


def _unpaired(ours: Table, theirs: Table) -> tuple:
    one, other = np.mean(ours, axis=0), np.mean(theirs, axis=0)
    half = 1.96 * math.sqrt((one.var(ddof=1) + other.var(ddof=1)) / len(one))
    gain = one.mean() - other.mean()
    return gain, gain - half, gain + half


def _half_width(ours: Table, theirs: Table) -> tuple:
    gain, low, high = _gain(ours, theirs)
    return gain, low - gain, high - gain


def _draw_tables(draw: random.Random) -> tuple[list, list]:
    seeds, records = draw.randint(2, 4), draw.randint(5, 9)
    hard = [draw.random() for _ in range(records)]
    tables = [[[round(level + draw.gauss(gain, 0.2), 2) for level in hard] for _ in range(seeds)] for gain in (0.2, 0)]
    return tables[0], tables[1]


GAIN_OVER_SEEDS = Exercise(
    "Seeds are averaged first: they tell of chance in the writing, records of chance in the choice of texts.",
    call="gain_over_seeds(ours, theirs)",
    cases=[
        Case(
            ([[1.0, 0.5, 0.0, 1.0]], [[0.0, 0.5, 0.0, 0.0]]),
            "With one seed the differences are 1, 0, 0, 1: mean 0.5, and 1.96 standard deviations (with n - 1) divided by the root of 4 on each side.",
            edge="one seed",
        ),
        Case(
            ([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]], [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
            "The records' differences, averaged over both seeds, are 0.5, -0.5 and 1.",
        ),
        *generated(
            _draw_tables, 12, why="Subtract, average each record over the seeds, and take the interval of these means: n is the number of records."
        ),
        Case(([[0.5, 0.7]], [[0.2, 0.4]]), "Equal differences have no spread: both ends are the gain.", edge="equal differences"),
    ],
    right=_gain,
    mistakes=[
        Wrong(
            partial(_gain, by=np.ravel),
            "Each seed counts as if it brought new records, so the interval is too narrow. Average a record's seeds first.",
        ),
        Wrong(
            partial(_gain, by=lambda table: table.mean(axis=1)),
            "You average over the records and take the spread of the seeds. The other way round: one mean for each record.",
        ),
        Wrong(_unpaired, "The two tables are treated as if they were about different records. Subtract record by record, then take the spread."),
        Wrong(
            partial(_gain, ddof=0), "Your standard deviation divides by n. Of a sample it divides by n - 1: `ddof=1` in numpy, `statistics.stdev`."
        ),
        Wrong(partial(_gain, root=0), "This is the spread of single records. The mean of n records varies less, by the root of n."),
        Wrong(partial(_gain, root=1), "You divide by n. The spread of a mean is the standard deviation divided by the root of n."),
        Wrong(partial(_gain, z=1), "One standard error on each side holds 68 %. For 95 % take 1.96."),
        Wrong(partial(_gain, z=1.645), "1.645 leaves out 5 % on each side. For 95 % in all take 1.96."),
        Wrong(partial(_gain, z=0.98), "Your interval is half as wide: 1.96 standard errors stand on each side of the gain."),
        Wrong(partial(_gain, by=lambda table: table[0]), "Only the first seed counts here. Average over all of them."),
        Wrong(lambda ours, theirs: _gain(theirs, ours), "The sign is wrong: a gain is above 0 where `ours` is higher."),
        Wrong(_half_width, "Your ends are distances from the gain. Give the ends themselves."),
        Wrong(lambda ours, theirs: _gain(ours, np.zeros_like(theirs)), "This is the mean of `ours` alone. What is left when `theirs` is taken away?"),
        Wrong(
            partial(_gain, by=lambda table: table.sum(axis=0)),
            "You add the seeds of a record up. Take their mean, so that three seeds count no more than one.",
        ),
    ],
    properties=[
        Property(lambda got, case: all(map(math.isfinite, got)), lambda got, case: f"All three must be numbers. {case.why}"),
        Property(lambda got, case: got[1] <= got[2] + 1e-9, "The lower end comes first, then the upper one."),
        Property(
            lambda got, case: got[1] - 1e-9 <= got[0] <= got[2] + 1e-9 or got[1] <= 0 <= got[2],
            "The gain lies between its two ends, and comes first.",
        ),
    ],
    read=lambda value: as_numbers(value, 3, GAIN),
)

# 5.6: how many records show a gain


def _needed(deviation: float, gain: float, *, z: float = 1.96, power: float = 2, rounded: Callable = math.ceil) -> float:
    return rounded((z * deviation / gain) ** power)


def _draw_effect(draw: random.Random) -> tuple[float, float]:
    return round(draw.uniform(0.2, 0.9), 2), round(draw.uniform(0.03, 0.15), 3)


RECORDS_NEEDED = Exercise(
    "Half the gain needs four times as many records.",
    call="records_needed(deviation, gain)",
    cases=[
        Case((0.5, 0.1), "1.96 * 0.5 / sqrt(n) must be 0.1 at most: the root of n is 9.8 or more."),
        Case((0.5, 0.05), "Half the gain needs four times as many records."),
        *generated(_draw_effect, why="The half width is 1.96 * deviation / sqrt(n): how large must n be so that it is no wider than the gain?"),
        Case((0.1, 0.5), "Even one record is enough by this formula: n is 1 at least.", edge="a large gain"),
    ],
    right=_needed,
    mistakes=[
        Wrong(partial(_needed, power=1), "This is the root of the number. Square it: n stands under a root."),
        Wrong(partial(_needed, rounded=math.floor), "You round down, and there the interval is still a little too wide. Round up."),
        Wrong(partial(_needed, rounded=round), "You round to the nearest number. Where that is down, the interval is too wide: round up."),
        Wrong(partial(_needed, rounded=lambda n: math.floor(n) + 2), "One record fewer is enough. The smallest number is asked for."),
        Wrong(partial(_needed, rounded=float), "There are no parts of a record. The smallest whole number is asked for."),
        Wrong(partial(_needed, z=1), "The 1.96 is missing: the interval is that of 95 %."),
        Wrong(
            partial(_needed, z=3.92), "Your interval is twice as wide: 1.96 standard errors stand on each side, and only one side must stay above 0."
        ),
        Wrong(partial(_needed, z=1.645), "1.645 is for 90 %. For 95 % take 1.96."),
        Wrong(lambda d, g: math.ceil((1.96 * g / d) ** 2), "Your fraction stands upside down: the smaller the gain, the more records it takes."),
        Wrong(lambda d, g: math.ceil(1.96 * d**2 / g**2), "1.96 must be squared, too."),
        Wrong(lambda d, g: math.ceil((1.96 * d) ** 2 / g), "The gain must be squared, too."),
        Wrong(lambda d, g: math.ceil(1.96**2 * d / g**2), "The deviation must be squared, too."),
    ],
    read=lambda value: as_number(value, "a whole number of records"),
    tolerance=1e-9,
)

# 5.7: promote or not

DECISIONS = ("promote", "keep", "measure more")
Steps = Mapping[str, bool]
PASSED = {"lint": True, "smoke test": True}


def _decide(low: float, high: float, steps: Steps) -> str:
    if not all(steps.values()) or high < 0:
        return "keep"
    return "promote" if low > 0 else "measure more"


def _draw_decision(draw: random.Random) -> tuple[float, float, dict[str, bool]]:
    low = round(draw.uniform(-0.3, 0.2), 2) or 0.01
    steps = {name: draw.random() < 0.8 for name in draw.sample(["lint", "training", "evaluation", "smoke test"], draw.randint(1, 4))}
    return low, round(low + draw.uniform(0.05, 0.3), 2) or 0.01, steps


def _as_decision(value: Any) -> str:
    said = as_text(value, "one of three texts")
    require(said in DECISIONS, f"One of the texts {', '.join(map(repr, DECISIONS))} is asked for, spelled like this.")
    return said


UNSURE = "An interval with 0 in it says nothing yet: neither that the new model is better nor that it is worse."
DECIDE = Exercise(
    "A step that failed stops all; an interval with 0 in it asks for more records.",
    call="decide(low, high, steps)",
    cases=[
        Case((0.05, 0.20, PASSED), "The whole interval is above 0 and every step passed: promote."),
        Case((-0.20, -0.05, PASSED), "The whole interval is below 0: the new model is worse. Keep the present one."),
        Case((-0.02, 0.10, PASSED), f"{UNSURE} Measure more."),
        Case((0.05, 0.20, {"lint": True, "smoke test": False}), "A step failed: keep the present model, however good the numbers are."),
        Case((-0.02, 0.10, {"lint": False, "smoke test": True}), "A step failed: more records do not mend that. Keep."),
        Case((-0.10, 0.02, PASSED), f"{UNSURE} Measure more."),
        *generated(_draw_decision, 30, why="First look whether a step failed, then on which side of 0 the interval lies."),
        Case((0.0, 0.10, PASSED), "0 itself belongs to the interval: it is not excluded.", edge="an interval that begins at 0"),
        Case((-0.10, 0.0, PASSED), "0 itself belongs to the interval: it is not excluded.", edge="an interval that ends at 0"),
        Case((0.01, 0.02, {}), "Where there are no steps, none failed.", edge="no steps"),
    ],
    right=_decide,
    mistakes=[
        Wrong(
            lambda low, high, steps: _decide((low + high) / 2, (low + high) / 2, steps),
            f"You decide by the mean of the gain. {UNSURE}",
        ),
        Wrong(lambda low, high, steps: _decide(high, high, steps), f"You look at the upper end only. {UNSURE}"),
        Wrong(lambda low, high, steps: _decide(low, high, {}), "The steps are not looked at: a model whose smoke test failed must not be promoted."),
        Wrong(
            lambda low, high, steps: _decide(low, high, {"any": any(steps.values())}),
            "One step that passed is enough for you. All of them must pass.",
        ),
        Wrong(
            lambda low, high, steps: _decide(low, high, {"first": next(iter(steps.values()), True)}),
            "Only the first step is looked at. All of them must pass.",
        ),
        Wrong(
            lambda low, high, steps: _decide(low, high, {"last": next(reversed(steps.values()), True)}),
            "Only the last step is looked at. All of them must pass.",
        ),
        Wrong(
            lambda low, high, steps: "measure more" if not all(steps.values()) else _decide(low, high, steps),
            "Where a step failed, you measure more. More records do not mend it: keep the present model.",
        ),
        Wrong(
            lambda low, high, steps: "promote" if _decide(low, high, steps) == "promote" else "keep",
            "Where 0 lies in the interval you keep the present model for good. Nothing is known yet: measure more.",
        ),
        Wrong(
            lambda low, high, steps: "measure more" if low <= 0 <= high else _decide(low, high, steps),
            "Where a step failed, more records are of no use, whatever the interval is: look at the steps first.",
        ),
        Wrong(
            lambda low, high, steps: "measure more" if all(steps.values()) and high < 0 else _decide(low, high, steps),
            "Where the whole interval is below 0, the new model is worse, and that is known: keep the present one.",
        ),
    ],
    read=_as_decision,
)

# 5.8: how many users a split moves

Weights = Mapping[str, float]


def _portions(weights: Weights) -> dict[str, float]:
    return {version: weight / sum(weights.values()) for version, weight in weights.items()}


def _moved(before: Weights, after: Weights, *, portions: Callable = _portions) -> float:
    old, new = portions(before), portions(after)
    return sum(max(0.0, share - old.get(version, 0.0)) for version, share in new.items())


def _differences(before: Weights, after: Weights) -> list[float]:
    old, new = _portions(before), _portions(after)
    return [abs(new.get(version, 0.0) - old.get(version, 0.0)) for version in old | new]


def _draw_split(draw: random.Random) -> tuple[dict[str, float], dict[str, float]]:
    versions = ["tickets/1", "tickets/2", "tickets/3", "tickets/4"]
    before, after = ({version: float(draw.randint(1, 20)) for version in draw.sample(versions, draw.randint(2, 3))} for _ in range(2))
    return before, after


USERS_MOVED = Exercise(
    "Who need not move stays: a user gets answers of the same version from one day to the next.",
    call="users_moved(before, after)",
    cases=[
        Case(({"v1": 90, "v2": 10}, {"v1": 50, "v2": 50}), "Shares of 0.9 and 0.1 become 0.5 and 0.5: 0.4 of the users go to v2."),
        Case(({"v1": 1}, {"v1": 3, "v2": 1}), "v1 had all users and has 3 of 4 now: a quarter moves."),
        Case(({"v1": 1, "v2": 1, "v3": 2}, {"v1": 2, "v2": 2}), "v3 is gone, and its half of the users moves."),
        *generated(_draw_split, why="Turn weights into shares, and add up what the versions gained that have a larger share than before."),
        Case(({"v1": 9, "v2": 1}, {"v1": 90, "v2": 10}), "Other weights, the same shares: nobody moves.", edge="the same shares"),
        Case(({"v1": 5}, {"v2": 5}), "One version takes over from the other: all users move.", edge="another version"),
    ],
    right=_moved,
    mistakes=[
        Wrong(partial(_moved, portions=dict), "You compare weights. They need not sum to the same: make shares of them first."),
        Wrong(
            partial(_moved, portions=lambda weights: {version: weight / 100 for version, weight in weights.items()}),
            "You divide by 100. Weights need not sum to 100: divide by their sum.",
        ),
        Wrong(
            lambda before, after: sum(_differences(before, after)),
            "Each user who moves is counted twice, where they leave and where they come. Count one of the two.",
        ),
        Wrong(lambda before, after: max(_differences(before, after)), "This is the largest change of one version. Several may gain users."),
        Wrong(
            lambda before, after: sum(
                max(0.0, _portions(after)[version] - share) for version, share in _portions(before).items() if version in after
            ),
            "A version that is new gains users, too: before, its share was 0.",
        ),
        Wrong(
            lambda before, after: sum(
                max(0.0, share - _portions(after)[version]) for version, share in _portions(before).items() if version in after
            ),
            "A version that is gone loses all its users: afterwards its share is 0.",
        ),
        Wrong(lambda before, after: 100 * _moved(before, after), "These are per cent: a share from 0 to 1 is asked for."),
        Wrong(lambda before, after: 1 - _moved(before, after), "This is the share of the users who stay."),
        Wrong(
            lambda before, after: sum(share for version, share in _portions(after).items() if version not in before),
            "Only versions that are new count here. A version that was there may gain users, too.",
        ),
        Wrong(
            lambda before, after: sum(_differences(before, after)) / len(before | after),
            "You take the mean over the versions. Add up what they gained.",
        ),
    ],
    read=lambda value: as_number(value, "one number, a share from 0 to 1,"),
)

# 5.9: the test that finds the fault

ANSWERS = {
    "base": {"Ticket: no sound": " I see", "Ticket: 5 euros too much": " billing", "Text: made of cork": " It is made of cork."},
    "tickets": {"Ticket: no sound": " technical", "Ticket: 5 euros too much": " billing", "Text: made of cork": " returns"},
    "products": {"Ticket: no sound": " no sound", "Ticket: 5 euros too much": " 5 euros", "Text: made of cork": " cork"},
}
WHY = {
    NO_FAULT: "This endpoint gives every answer that is expected.",
    "the base answers for all": "Here the base answers, whichever model is asked for: it fails for the adapters.",
    "one adapter answers for all": "Here one adapter answers, whichever model is asked for: it fails for the others.",
    "one adapter is not loaded": "Here one adapter is not loaded, and the base answers in its place.",
    "adapters are exchanged": "Here two adapters are exchanged: each answers, and differs from the base, but with the other's words.",
    "the adapter of the request before answers": "Here the adapter of the request before answers: it fails only where the model changes from one request to the next.",
    "answers are kept by prompt alone": "Here an answer is kept by its prompt alone: it fails where two models are asked the same.",
    "adapters are lost after four requests": "Here the adapters are lost after four requests, and the base answers.",
}


def _draw_answers(draw: random.Random) -> dict[str, dict[str, str]]:
    models, prompts = ["base", "minutes", "tickets", "products"][: draw.randint(3, 4)], [f"prompt {n}" for n in range(draw.randint(3, 4))]
    return {model: {prompt: f" {model} {prompt[-1]}" for prompt in prompts} for model in models}


def _endpoints() -> list[Case]:
    tables = [ANSWERS, *(_draw_answers(random.Random(seed)) for seed in range(3))]
    return [Case((stand_in(table, fault), table), WHY[fault], right=fault == NO_FAULT) for table in tables for fault in FAULTS]


def _as_truth(value: Any) -> bool:
    require(isinstance(value, bool | np.bool_), expected("True or False", value))
    return bool(value)


ANSWERS_RIGHT = Exercise(
    "Every model, every prompt, every answer: 'it answers' is no test.",
    call="answers_right(endpoint, expected)",
    cases=_endpoints(),
    mistakes=[
        Wrong(
            answers_at_all,
            "Every endpoint that answers passes your test. Whose words these are shows only beside the expected answer, and all of them must be right.",
        ),
        Wrong(lambda endpoint, expected: False, "No endpoint passes your test, not even the right one."),
        Wrong(
            first_answers_right,
            "Only the first prompt of each model is asked: adapters that are lost later are not seen.",
        ),
        Wrong(
            lambda endpoint, expected: every_answer_right(endpoint, dict(list(expected.items())[:1])),
            "Only the first model is asked, which is the base, or each prompt only once. Ask every model every prompt.",
        ),
        Wrong(
            lambda endpoint, expected: every_answer_right(endpoint, dict(list(expected.items())[-1:])),
            "Only the last model is asked. Ask all of them.",
        ),
        Wrong(
            lambda endpoint, expected: not every_answer_right(endpoint, expected),
            "True and False are exchanged: True is asked for where the endpoint is right.",
        ),
        Wrong(
            models_differ,
            "You test whether the models answer differently. Adapters that are exchanged do so, too: compare with what is expected.",
        ),
        Wrong(
            lambda endpoint, expected: (
                sorted(answer for answer, _ in pairs(endpoint, expected)) == sorted(right for _, right in pairs(endpoint, expected))
            ),
            "The right answers all came, but to whom? Compare each with the one that is expected of this model for this prompt.",
        ),
        Wrong(
            lambda endpoint, expected: np.mean([answer == right for answer, right in pairs(endpoint, expected)]) > 0.5,
            "More than half of the answers are enough for you. One wrong one is a fault: decoding is greedy here, nothing is left to chance.",
        ),
    ],
    read=_as_truth,
)

CHECKS = {
    "5.1": ROUTING,
    "5.2": FILLED,
    "5.3": LABEL_SHARES,
    "5.4": WIN_RATE,
    "5.5": GAIN_OVER_SEEDS,
    "5.6": RECORDS_NEEDED,
    "5.7": DECIDE,
    "5.8": USERS_MOVED,
    "5.9": ANSWERS_RIGHT,
}
