"""The exercises of lesson 10, the Generative AI Studio."""

import heapq
import math
import re
from collections.abc import Mapping, Sequence
from random import Random

from utils.exercises.exercise import Case, Exercise, Property, Wrong, generated
from utils.exercises.reading import as_number, as_text, as_whole

# 10.1: variables

VARIABLE = re.compile(r"\{(\w+)\}")


def _fill(text: str, values: Mapping[str, str]) -> str:
    return VARIABLE.sub(lambda found: values.get(found[1], found[0]), text)


def _one_after_the_other(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _random_letter(draw: Random) -> tuple[str, dict[str, str]]:
    names = draw.sample(["name", "day", "place", "order"], 3)
    values = dict(zip(names, draw.sample(["Kim", "Oslo", "Friday", "A 7"], 3), strict=True))
    holds, held = draw.sample(names, 2)
    values[holds] = f"{{{held}}}"
    written = ["Dear", "{missing}", "thanks", *(f"{{{name}}}" for name in (*names, names[0]))]
    return " ".join(draw.sample(written, len(written))), values


ONE_PASS = "A variable with a value is replaced wherever it stands; everything else, a value's own braces too, stays as it is."
FILL = Exercise(
    "All variables are replaced in one pass, so that what a user writes is never read as a variable.",
    call="fill(text, values)",
    cases=[
        Case(("Dear {name}, see you on {day}, {name}!", {"name": "Kim", "day": "Friday"}), "Both variables have a value, and {name} stands twice."),
        *generated(_random_letter, why=ONE_PASS),
        Case(('{"team": "{team}", "tags": {}}', {"team": "sales"}), "The braces of JSON are no variables.", edge="other braces"),
        Case(("Dear {name}", {}), "Nothing has a value: the text stays as it is.", edge="no values"),
        Case(("name: {name}", {"name": ""}), "The value is an empty text.", edge="an empty value"),
        Case(("Look at {path}", {"path": r"a\1\n"}), "A value is put in as it is, backslashes too.", edge="a value with backslashes"),
    ],
    right=_fill,
    read=as_text,
    mistakes=[
        Wrong(
            _one_after_the_other,
            "The variables are replaced one after the other, so a value that holds {name} is replaced, too. Go through the text once.",
        ),
        Wrong(
            lambda t, v: _one_after_the_other(t, dict(reversed(v.items()))),
            "The variables are replaced one after the other, so a value that holds {name} is replaced, too. Go through the text once.",
        ),
        Wrong(lambda t, v: VARIABLE.sub(lambda found: v.get(found[1], ""), t), "A variable without a value is lost: it stays as it stands."),
        Wrong(
            lambda t, v: VARIABLE.sub(lambda found: v.get(found[1], found[1]), t),
            "A variable without a value has lost its braces: it stays as it stands.",
        ),
        Wrong(
            lambda t, v: VARIABLE.sub(lambda found: f"{{{v.get(found[1], found[1])}}}", t), "The braces are still there: they belong to the variable."
        ),
        Wrong(
            lambda t, v: VARIABLE.sub(lambda found: v.get(found[1], found[0]), t, count=1),
            "Only the first variable is replaced: all of them are asked for.",
        ),
        Wrong(lambda t, v: t, "The text has not changed. `replace` and `sub` return a new text."),
    ],
)

# 10.2: continuous batching


def _steps(lengths: Sequence[int], rows: int) -> int:
    ends = [0] * rows
    for length in lengths:
        heapq.heapreplace(ends, ends[0] + length)
    return max(ends)


def _static(lengths: Sequence[int], rows: int) -> int:
    return sum(max(lengths[first : first + rows]) for first in range(0, len(lengths), rows))


def _random_queue(draw: Random) -> tuple[list[int], int]:
    rows = draw.randint(2, 4)
    return [draw.randint(1, 30) for _ in range(draw.randint(rows + 2, 12))], rows


JOINS = "In the step after a completion's last token, the next in the queue takes its row and writes its first token."
STEPS = Exercise(
    "A row that is free is taken at once: nobody waits for the longest completion of a batch.",
    call="steps(lengths, rows)",
    cases=[
        Case(([5, 1, 3, 1], 2), "One row writes 5 tokens in 5 steps; beside it the other writes 1, then 3, then 1."),
        *generated(_random_queue, why=JOINS),
        Case(([4, 9, 2], 8), "All have a row from the first step on: the longest decides.", edge="more rows than completions"),
        Case(([3, 2, 4], 1), "One row writes them one after the other.", edge="a single row"),
        Case(([], 4), "Nothing is to be written.", edge="an empty queue"),
    ],
    right=_steps,
    read=lambda value: as_whole(value, "a whole number of steps"),
    mistakes=[
        Wrong(_static, "Each batch waits for its longest completion here. A completion that ends leaves its row, and the next joins."),
        Wrong(lambda q, r: sum(q), "These are the steps of one completion after the other: so many rows write at once."),
        Wrong(lambda q, r: max(q, default=0), "This is the longest completion alone: those in the queue come behind others."),
        Wrong(lambda q, r: math.ceil(sum(q) / r), "The tokens are shared out evenly, but a completion is written in one row, token by token."),
        Wrong(lambda q, r: sum(q) // r, "The tokens are shared out evenly, but a completion is written in one row, token by token."),
        Wrong(
            lambda q, r: max((sum(q[row::r]) for row in range(r)), default=0),
            "Completions are dealt out in turn here. The next in the queue takes the row that is free first.",
        ),
        Wrong(lambda q, r: _steps(sorted(q, reverse=True), r), "The longest are written first here. The queue keeps its order."),
        Wrong(lambda q, r: _steps(sorted(q), r), "The shortest are written first here. The queue keeps its order."),
        Wrong(lambda q, r: _steps([length + 1 for length in q], r), "A row stands empty for a step between two completions: the next joins at once."),
        Wrong(lambda q, r: _steps(q[:-1], r), "The last completion is missing."),
    ],
)

# 10.3: padding


def _padding(held: Sequence[int], room: Sequence[int]) -> float:
    return 1 - sum(held) / (len(room) * max(room))


def _random_rows(draw: Random) -> tuple[list[int], list[int]]:
    room = [draw.randint(20, 200) for _ in range(draw.randint(2, 6))]
    return [draw.randint(5, most) for most in room], room


PLACES = "A batch takes its number of rows times the room of its longest row; padding is the share of these places that holds no token."
PADDING = Exercise(
    "One long row makes the places of all others longer.",
    call="padding(held, room)",
    cases=[
        Case(([10, 20], [20, 80]), "2 rows of 80 places are 160, and 30 hold a token: 130 of 160 are padding."),
        *generated(_random_rows, why=PLACES),
        Case(([30], [40]), PLACES, edge="a single row"),
        Case(([8, 8], [8, 8]), "Every place holds a token.", edge="rows that are full"),
    ],
    right=_padding,
    read=lambda value: as_number(value, "one number, a share,"),
    properties=[
        Property(lambda got, case: 0 <= got <= 1, "A share lies between 0 and 1."),
    ],
    mistakes=[
        Wrong(lambda h, r: sum(h) / (len(r) * max(r)), "This is the share of places that hold a token: padding is the rest."),
        Wrong(lambda h, r: 1 - sum(h) / sum(r), "Each row has its own room here. In a batch, all rows are as long as the longest."),
        Wrong(
            lambda h, r: 1 - sum(h) / (len(h) * max(h)), "The places are counted up to what is held now. A row keeps room for its whole completion."
        ),
        Wrong(
            lambda h, r: sum(1 - held / most for held, most in zip(h, r, strict=True)) / len(r),
            "This is the mean of the rows' own shares: count the places of the whole batch.",
        ),
        Wrong(lambda h, r: 1 - sum(h) / max(r), "The batch has its number of rows times the longest row, not one row."),
    ],
)

CHECKS = {"10.1": FILL, "10.2": STEPS, "10.3": PADDING}
