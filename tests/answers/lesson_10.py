"""What learners answer to the exercises of lesson 10: right answers in different styles, and plausible wrong ones.

Each wrong answer stands beside a pattern of the sentence that it must get.
"""

import heapq
import math
import re
from typing import Any

import numpy as np

from tests import masters

MASTER = masters.names("10")
SOLUTIONS = masters.answers("10", MASTER)

# 10.1, right


def fill_by_parts(text, values):
    parts = re.split(r"(\{\w+\})", text)
    return "".join(
        values.get(part[1:-1], part) if part.startswith("{") and part.endswith("}") else part for part in parts
    )


def fill_with_one_pattern(text, values):
    if not values:
        return text
    pattern = "|".join(re.escape(f"{{{name}}}") for name in values)
    return re.sub(pattern, lambda found: values[found.group(0)[1:-1]], text)


# 10.1, wrong


def one_after_the_other(text, values):
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text


def with_format(text, values):
    return text.format(**values)


def what_is_missing_is_lost(text, values):
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], ""), text)


def without_its_braces(text, values):
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[1]), text)


def the_first_only(text, values):
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), text, count=1)


def inside_the_braces(text, values):
    return re.sub(r"\{(\w+)\}", lambda found: "{" + values.get(found[1], found[1]) + "}", text)


def forgets_to_keep_it(text, values):
    for name, value in values.items():
        text.replace("{" + name + "}", value)
    return text


def a_value_as_a_pattern(text, values):
    for name, value in values.items():
        text = re.sub(rf"\{{{name}\}}", value, text)
    return text


# 10.2, right


def steps_with_a_heap(lengths, rows):
    free = [0] * rows
    for length in lengths:
        heapq.heappush(free, heapq.heappop(free) + length)
    return max(free)


def steps_token_by_token(lengths, rows):
    waiting, running, count = list(lengths), [], 0
    while waiting or running:
        while waiting and len(running) < rows:
            running.append(waiting.pop(0))
        running = [left - 1 for left in running if left > 1]
        count += 1
    return count


def steps_in_numpy(lengths, rows):
    ends = np.zeros(rows)
    for length in lengths:
        ends[ends.argmin()] += length
    return ends.max()


# 10.2, wrong


def one_batch_after_the_other(lengths, rows):
    return sum(max(lengths[first : first + rows]) for first in range(0, len(lengths), rows))


def one_by_one(lengths, rows):
    return sum(lengths)


def the_longest(lengths, rows):
    return max(lengths, default=0)


def shared_out(lengths, rows):
    return math.ceil(sum(lengths) / rows)


def dealt_out(lengths, rows):
    return max(sum(lengths[row::rows]) for row in range(rows))


def the_longest_first(lengths, rows):
    return steps_with_a_heap(sorted(lengths, reverse=True), rows)


def the_shortest_first(lengths, rows):
    return steps_with_a_heap(sorted(lengths), rows)


def a_step_between(lengths, rows):
    return steps_with_a_heap([length + 1 for length in lengths], rows)


def a_list_of_ends(lengths, rows):
    ends = [0] * rows
    for length in lengths:
        ends[ends.index(min(ends))] += length
    return ends


# 10.3, right


def padding_by_row(held, room):
    longest = max(room)
    return sum(longest - tokens for tokens in held) / (longest * len(held))


def padding_in_numpy(held, room):
    return 1 - np.mean(held) / np.max(room)


# 10.3, wrong


def what_is_full(held, room):
    return sum(held) / (len(room) * max(room))


def each_its_own_room(held, room):
    return 1 - sum(held) / sum(room)


def up_to_what_is_held(held, room):
    return 1 - sum(held) / (len(held) * max(held))


def a_mean_of_shares(held, room):
    return sum(1 - tokens / most for tokens, most in zip(held, room, strict=True)) / len(room)


def one_row_only(held, room):
    return 1 - sum(held) / max(room)


def a_count(held, room):
    return len(room) * max(room) - sum(held)


RIGHT: dict[str, list] = {
    "10.1": [SOLUTIONS["10.1"], fill_by_parts, fill_with_one_pattern],
    "10.2": [SOLUTIONS["10.2"], steps_with_a_heap, steps_token_by_token, steps_in_numpy],
    "10.3": [SOLUTIONS["10.3"], padding_by_row, padding_in_numpy],
}
WRONG: dict[str, list] = {
    "10.1": [
        (one_after_the_other, "Go through the text once"),
        (with_format, "stopped with"),
        (what_is_missing_is_lost, "is lost"),
        (without_its_braces, "has lost its braces"),
        (the_first_only, "Only the first variable"),
        (inside_the_braces, "The braces are still there"),
        (forgets_to_keep_it, "has not changed"),
        (a_value_as_a_pattern, "Go through the text once"),
    ],
    "10.2": [
        (one_batch_after_the_other, "waits for its longest"),
        (one_by_one, "one completion after the other"),
        (the_longest, "the longest completion alone"),
        (shared_out, "shared out evenly"),
        (dealt_out, "dealt out in turn"),
        (the_longest_first, "longest are written first"),
        (the_shortest_first, "shortest are written first"),
        (a_step_between, "stands empty for a step"),
        (a_list_of_ends, "A whole number of steps was expected"),
    ],
    "10.3": [
        (what_is_full, "padding is the rest"),
        (each_its_own_room, "its own room"),
        (up_to_what_is_held, "what is held now"),
        (a_mean_of_shares, "mean of the rows' own shares"),
        (one_row_only, "not one row|between 0 and 1"),
        (a_count, "between 0 and 1"),
    ],
}
GIVEN: dict[str, dict[str, Any]] = {}
PATCHES: dict[str, Any] = {}
EXPLAINED: dict[tuple[str, str], str] = {}
