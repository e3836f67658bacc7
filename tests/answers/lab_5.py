"""What learners write for the exercises of Lab 5: right answers, and wrong ones with the sentence that each gets."""

import functools
import itertools
import math
import operator
import re
import statistics
import string
from collections import Counter, defaultdict

import numpy as np
import pandas as pd
import torch

from tests import masters

MASTER = masters.names(5)
SOLUTIONS = masters.answers(5, MASTER)
RIGHT: dict[str, list] = {}
WRONG: dict[str, list[tuple]] = {}
GIVEN: dict[str, dict] = {}
PATCHES: dict[str, object] = {}
EXPLAINED: dict[tuple[str, str], str] = {
    (
        "5.1",
        """instruction = f"Which team answers this ticket: {', '.join(teams)}?" -> """
        """instruction = f"Which team answers this ticket: {', '.join(teams)}\"""",
    ): "Without its question mark it is an instruction all the same.",
    (
        "5.8",
        "old, new = ({v: w / sum(ws.values()) for v, w in ws.items()} for ws in (before, after)) -> "
        "old, new = ({v: w / sum(ws.values()) for v, w in ws.items()} for ws in (after, before))",
    ): "As many users leave a version as come to another.",
    (
        "5.8",
        "return sum((max(0.0, share - old.get(version, 0.0)) for version, share in new.items())) -> "
        "return sum((max(share - old.get(version, 0.0), 0.0) for version, share in new.items()))",
    ): "The larger of two numbers is the same in either order.",
}


# 5.1: routing_prompt(ticket, teams)


def prompt_by_lines(ticket, teams):
    lines = ["Choose the team that answers this message.", "Teams: " + ", ".join(teams), "", ticket, "", "Team:"]
    return "\n".join(lines)


def prompt_by_format(ticket, teams):
    begin = "Read the message of a customer and name one team: {}.\n\nMessage: ".format(" or ".join(teams))
    return begin + ticket + "\nThe right team:"


def prompt_with_a_list(ticket, teams):
    listed = "\n".join(f"- {team.upper()}" for team in teams)
    return f"Which of these teams is responsible?\n{listed}\n\n###\n{ticket}\n###\nAnswer:"


def prompt_by_template(ticket, teams):
    made = string.Template("Sort this ticket into one of: $teams.\n\nTicket: $ticket\n\nResponsible team:")
    return made.substitute(ticket=ticket, teams="; ".join(teams))


RIGHT["5.1"] = [prompt_by_lines, prompt_by_format, prompt_with_a_list, prompt_by_template]


def prompt_with(begin="Which team answers: {teams}?\n\nTicket: ", end="\nTeam:", ticket=lambda text: text):
    """A prompt of which one part is changed."""

    def routing_prompt(text, teams):
        return begin.replace("{teams}", ", ".join(teams)) + ticket(text) + end

    return routing_prompt


WRONG["5.1"] = [
    (prompt_with(ticket=str.lower), "not in this prompt unchanged"),
    (prompt_with(ticket=lambda text: "{ticket}"), "the letter f is missing"),
    (prompt_with(ticket=lambda text: f"{text}\n{text}"), "twice"),
    (prompt_with(begin="Which team answers?\n\nTicket: "), "does not name 'billing'"),
    (
        prompt_with(begin="Which team answers: billing, delivery, returns, account or technical?\n\nTicket: "),
        "does not name 'night shift'",
    ),
    (
        prompt_with(begin="Which team: {teams}? Not billing, delivery, returns, account, technical.\n\nTicket: "),
        "a team that is not among `teams`",
    ),
    (prompt_with(begin="{teams}\nTicket: "), "no instruction"),
    (lambda ticket, teams: f"Which of {teams}?\n\nTicket: {ticket}\nTeam:", "with its brackets"),
    (prompt_with(begin="Which team answers: {teams}? "), "on the instruction's line"),
    (prompt_with(end=""), "Nothing asks for the team"),
    (prompt_with(end="\nTeam: "), "ends with white space"),
    (prompt_with(end="\nTeam"), "does not end with a colon"),
    (prompt_with(end=" Team:"), "Give it a line of its own"),
    (prompt_with(end="\nWhich team is it?\n:"), "A colon alone is no cue"),
    (lambda ticket, teams: f"Which team?\n\nTicket: {ticket}\nTeam ({', '.join(teams)}):", "behind the ticket only"),
    (
        lambda ticket, teams: f"Which team: {', '.join(teams)}?\nTicket: {ticket}\nTeam {teams[0]}:",
        "names a team already",
    ),
    (lambda ticket, teams: [ticket, teams], "One text, the prompt, was expected"),
    (lambda ticket, teams: print(ticket), "gave None"),
]


# 5.2: filled(text, values)


def filled_by_split(text, values):
    done, rest = "", text
    while "{" in rest:
        before, _, rest = rest.partition("{")
        name, closed, after = rest.partition("}")
        if closed and name in values:
            done, rest = done + before + values[name], after
        else:
            done += before + "{"
    return done + rest


def filled_by_alternatives(text, values):
    if not values:
        return text
    names = "|".join(re.escape(name) for name in values)
    return re.sub("{(" + names + ")}", lambda found: values[found.group(1)], text)


def filled_by_index(text, values):
    out, position = [], 0
    while position < len(text):
        for name in values:
            if text.startswith("{" + name + "}", position):
                out.append(values[name])
                position += len(name) + 2
                break
        else:
            out.append(text[position])
            position += 1
    return "".join(out)


def filled_by_parts(text, values):
    parts = re.split(r"(\{\w+\})", text)
    return "".join(values.get(part[1:-1], part) if part[:1] == "{" else part for part in parts)


RIGHT["5.2"] = [filled_by_split, filled_by_alternatives, filled_by_index, filled_by_parts]


def filled_in_a_row(text, values):
    for name in values:
        text = text.replace("{" + name + "}", values[name])
    return text


def filled_by_sub_with_text(text, values):
    for name, value in values.items():
        text = re.sub(r"\{" + name + r"\}", value, text)
    return text


def filled_that_takes_from_the_values(text, values):
    return re.sub(r"\{(\w+)\}", lambda found: values.pop(found[1], found[0]), text)


WRONG["5.2"] = [
    (lambda text, values: text.format(**values), "`format` reads every brace|stopped with"),
    (lambda text, values: text.format_map(defaultdict(str, values)), "stays as it is, with its braces"),
    (filled_in_a_row, "is filled again"),
    (filled_by_sub_with_text, "holds braces, and stays"),
    (filled_that_takes_from_the_values, "changed `values`"),
    (lambda text, values: re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], ""), text), "it is not deleted"),
    (lambda text, values: re.sub(r"\{(\w+)\}", lambda found: values[found[1]], text), "stopped with KeyError"),
    (lambda text, values: re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[1]), text), "braces are lost"),
    (lambda text, values: re.sub(r"\{(.*)\}", lambda found: values.get(found[1], found[0]), text), "Every variable"),
    (lambda text, values: text, "becomes its value"),
    (lambda text, values: values, "A text was expected"),
]


# 5.3: label_shares(log_probabilities)


def shares_in_torch(log_probabilities):
    totals = torch.tensor([sum(each) for each in log_probabilities.values()], dtype=torch.float64)
    return dict(zip(log_probabilities, totals.softmax(-1), strict=True))


def shares_in_numpy(log_probabilities):
    totals = np.array([np.sum(each) for each in log_probabilities.values()])
    raised = np.exp(totals - np.logaddexp.reduce(totals))
    return {label: raised[place] for place, label in enumerate(log_probabilities)}


def shares_in_a_loop(log_probabilities):
    totals = {}
    for label, each in log_probabilities.items():
        totals[label] = 0.0
        for value in each:
            totals[label] += value
    highest = max(totals.values())
    whole = sum(math.exp(total - highest) for total in totals.values())
    return {label: math.exp(total - highest) / whole for label, total in totals.items()}


def shares_in_pandas(log_probabilities):
    totals = pd.Series({label: sum(each) for label, each in log_probabilities.items()})
    raised = np.exp(totals - totals.max())
    return (raised / raised.sum()).to_dict()


RIGHT["5.3"] = [shares_in_torch, shares_in_numpy, shares_in_a_loop, shares_in_pandas]


def shares_of(total=sum, raised=math.exp):
    def label_shares(log_probabilities):
        found = {label: raised(total(each)) for label, each in log_probabilities.items()}
        return {label: share / sum(found.values()) for label, share in found.items()}

    return label_shares


def shares_as_a_list(log_probabilities):
    return list(shares_in_a_loop(log_probabilities).values())


WRONG["5.3"] = [
    (shares_of(), "very unlikely labels"),
    (lambda given: shares_in_a_loop({k: [sum(v) / len(v)] for k, v in given.items()}), "a long label gains"),
    (lambda given: shares_in_a_loop({k: v[:1] for k, v in given.items()}), "first token counts"),
    (lambda given: shares_in_a_loop({k: v[-1:] for k, v in given.items()}), "last token counts"),
    (lambda given: {k: math.exp(sum(v)) for k, v in given.items()}, "all texts that the model could write"),
    (lambda given: {k: sum(v) for k, v in given.items()}, "logarithms still|NaN or an infinity"),
    (lambda given: {k: 100 * v for k, v in shares_in_a_loop(given).items()}, "per cent"),
    (shares_of(raised=lambda total: 2**total), "gave"),
    (lambda given: shares_in_a_loop({k: [math.prod(v)] for k, v in given.items()}), "multiply logarithms"),
    (lambda given: max(given, key=lambda label: sum(given[label])), "A dictionary from label to probability"),
    (shares_as_a_list, "A dictionary from label to probability"),
]


# 5.4: win_rate(ours, theirs)


def rate_by_loop(ours, theirs):
    points = 0
    for one, other in zip(ours, theirs, strict=True):
        if one > other:
            points += 1
        elif one == other:
            points += 0.5
    return points / len(ours)


def rate_by_sign(ours, theirs):
    return (np.sign(np.subtract(ours, theirs)).mean() + 1) / 2


def rate_by_pandas(ours, theirs):
    difference = pd.Series(ours) - pd.Series(theirs)
    return (difference > 0).mean() + (difference == 0).mean() / 2


def rate_by_counter(ours, theirs):
    counted = Counter((a > b) - (a < b) for a, b in zip(ours, theirs, strict=True))
    return (counted[1] + counted[0] / 2) / counted.total()


RIGHT["5.4"] = [rate_by_loop, rate_by_sign, rate_by_pandas, rate_by_counter]
WRONG["5.4"] = [
    (lambda ours, theirs: np.mean(np.array(ours) > np.array(theirs)), "tie counts as a loss"),
    (lambda ours, theirs: np.mean(np.array(ours) >= np.array(theirs)), "tie counts as a win"),
    (lambda ours, theirs: rate_by_loop(theirs, ours), "their rate"),
    (lambda ours, theirs: 100 * rate_by_loop(ours, theirs), "per cent"),
    (lambda ours, theirs: sum(map(operator.gt, ours, theirs)), "gave"),
    (lambda ours, theirs: rate_by_loop(ours, theirs) * len(ours), "the number of wins"),
    (lambda ours, theirs: rate_by_loop(sorted(ours), sorted(theirs)), "no longer stand side by side"),
    (lambda ours, theirs: ours > theirs, "gave"),
    (lambda ours, theirs: statistics.mean(ours) - statistics.mean(theirs), "the mean gain"),
    (lambda ours, theirs: np.sign(np.subtract(ours, theirs)).mean(), "wins minus losses"),
    (lambda ours, theirs: [a > b for a, b in zip(ours, theirs, strict=True)], "One number, a share"),
]


# 5.5: gain_over_seeds(ours, theirs)


def gain_by_statistics(ours, theirs):
    records = [
        statistics.fmean(a - b for a, b in zip(one, other, strict=True))
        for one, other in zip(zip(*ours, strict=True), zip(*theirs, strict=True), strict=True)
    ]
    error = statistics.stdev(records) / math.sqrt(len(records))
    gain = statistics.fmean(records)
    return [gain, gain - 1.96 * error, gain + 1.96 * error]


def gain_by_pandas(ours, theirs):
    records = pd.DataFrame(ours).mean() - pd.DataFrame(theirs).mean()
    half = 1.96 * records.sem()
    return records.mean(), records.mean() - half, records.mean() + half


def gain_by_torch(ours, theirs):
    records = (torch.tensor(ours, dtype=torch.float64) - torch.tensor(theirs, dtype=torch.float64)).mean(dim=0)
    half = 1.96 * records.std() / len(records) ** 0.5
    return torch.stack([records.mean(), records.mean() - half, records.mean() + half])


def gain_by_sums(ours, theirs):
    number, seeds = len(ours[0]), len(ours)
    means = [sum(ours[s][r] - theirs[s][r] for s in range(seeds)) / seeds for r in range(number)]
    gain = sum(means) / number
    variance = sum((mean - gain) ** 2 for mean in means) / (number - 1)
    half = 1.96 * (variance / number) ** 0.5
    return gain, gain - half, gain + half


RIGHT["5.5"] = [gain_by_statistics, gain_by_pandas, gain_by_torch, gain_by_sums]


def gain_of(records, half=lambda records: 1.96 * records.std(ddof=1) / math.sqrt(len(records))):
    def gain_over_seeds(ours, theirs):
        found = records(np.array(ours), np.array(theirs))
        return found.mean(), found.mean() - half(found), found.mean() + half(found)

    return gain_over_seeds


def averaged(ours, theirs):
    return (ours - theirs).mean(axis=0)


WRONG["5.5"] = [
    (gain_of(lambda ours, theirs: (ours - theirs).ravel()), "as if it brought new records"),
    (gain_of(lambda ours, theirs: (ours - theirs).mean(axis=1)), "average over the records|All three must be numbers"),
    (gain_of(averaged, lambda records: 1.96 * records.std() / math.sqrt(len(records))), "divides by n - 1"),
    (gain_of(averaged, lambda records: 1.96 * records.std(ddof=1)), "spread of single records"),
    (gain_of(averaged, lambda records: 1.96 * records.std(ddof=1) / len(records)), "the root of n"),
    (gain_of(averaged, lambda records: records.std(ddof=1) / math.sqrt(len(records))), "68 %"),
    (gain_of(lambda ours, theirs: (theirs - ours).mean(axis=0)), "sign is wrong"),
    (gain_of(lambda ours, theirs: (ours - theirs)[0]), "Only the first seed"),
    (gain_of(lambda ours, theirs: ours.mean(axis=0)), "mean of `ours` alone"),
    (lambda ours, theirs: gain_by_sums(ours, theirs)[0], "A row of three numbers"),
    (
        lambda ours, theirs: [*gain_by_sums(ours, theirs)[1:], gain_by_sums(ours, theirs)[0]],
        "The gain lies between|lower end",
    ),
    (lambda ours, theirs: (np.mean(ours) - np.mean(theirs),) * 3, "gave"),
]


# 5.6: records_needed(deviation, gain)


def needed_by_loop(deviation, gain):
    number = 1
    while 1.96 * deviation / math.sqrt(number) > gain:
        number += 1
    return number


def needed_by_count(deviation, gain):
    return next(n for n in itertools.count(1) if 1.96 * deviation <= gain * n**0.5)


def needed_in_numpy(deviation, gain):
    return np.ceil(np.square(1.96 * deviation / gain))


RIGHT["5.6"] = [
    needed_by_loop,
    needed_by_count,
    needed_in_numpy,
    lambda d, g: max(1, math.ceil(1.96**2 * d**2 / g**2)),
]
WRONG["5.6"] = [
    (lambda d, g: math.ceil(1.96 * d / g), "Square it"),
    (lambda d, g: int((1.96 * d / g) ** 2), "round down"),
    (lambda d, g: round((1.96 * d / g) ** 2), "nearest number"),
    (lambda d, g: (1.96 * d / g) ** 2, "no parts of a record"),
    (lambda d, g: math.ceil((d / g) ** 2), "1.96 is missing"),
    (lambda d, g: math.ceil((2 * 1.96 * d / g) ** 2), "twice as wide"),
    (lambda d, g: math.ceil((1.96 * g / d) ** 2), "upside down"),
    (lambda d, g: math.ceil(1.96 * (d / g) ** 2), "1.96 must be squared"),
    (lambda d, g: math.ceil((1.96 * d) ** 2 / g), "gain must be squared"),
    (lambda d, g: 385, "gave 385"),
    (lambda d, g: "97", "A whole number of records"),
]


# 5.7: decide(low, high, steps)


def decide_step_by_step(low, high, steps):
    for passed in steps.values():
        if not passed:
            return "keep"
    if low > 0:
        return "promote"
    if high >= 0:
        return "measure more"
    return "keep"


def decide_by_match(low, high, steps):
    match (False not in steps.values(), (low > 0) - (high < 0)):
        case (True, 1):
            return "promote"
        case (True, 0):
            return "measure more"
        case _:
            return "keep"


def decide_by_table(low, high, steps):
    side = {(True, True): "promote", (False, False): "keep", (False, True): "measure more"}
    return side[low > 0, high >= 0] if min(steps.values(), default=True) else "keep"


RIGHT["5.7"] = [
    decide_step_by_step,
    decide_by_match,
    decide_by_table,
    lambda low, high, steps: (
        "keep" if sum(steps.values()) < len(steps) or high < 0 else ["measure more", "promote"][low > 0]
    ),
]


def decide_with(good=all, better=lambda low, high: low > 0, worse=lambda low, high: high < 0):
    def decide(low, high, steps):
        if not good(list(steps.values())) or worse(low, high):
            return "keep"
        return "promote" if better(low, high) else "measure more"

    return decide


WRONG["5.7"] = [
    (decide_with(good=any), "One step that passed|Where there are no steps"),
    (decide_with(good=lambda steps: True), "steps are not looked at"),
    (decide_with(good=lambda steps: steps[0]), "first step|no steps"),
    (decide_with(better=lambda low, high: low >= 0), "begins at 0"),
    (decide_with(worse=lambda low, high: high <= 0), "ends at 0"),
    (decide_with(better=lambda low, high: low + high > 0, worse=lambda low, high: low + high < 0), "mean of the gain"),
    (decide_with(worse=lambda low, high: low <= 0), "says nothing yet|for good|lower end"),
    (decide_with(better=lambda low, high: high > 0), "says nothing yet|upper end"),
    (decide_with(worse=lambda low, high: False), "that is known"),
    (lambda low, high, steps: low > 0 and all(steps.values()), "One of three texts|A text"),
    (lambda low, high, steps: "Promote", "spelled like this"),
    (lambda low, high, steps: decide_step_by_step(low, high, {}) if low > 0 else "keep", "gave"),
]


# 5.8: users_moved(before, after)


def moved_by_loop(before, after):
    moved = 0
    for version in set(before) | set(after):
        share_before = before.get(version, 0) / sum(before.values())
        share_after = after.get(version, 0) / sum(after.values())
        if share_after > share_before:
            moved += share_after - share_before
    return moved


def moved_by_halves(before, after):
    old, new = pd.Series(before, dtype=float), pd.Series(after, dtype=float)
    return (new / new.sum()).sub(old / old.sum(), fill_value=0).abs().sum() / 2


def moved_by_what_stays(before, after):
    b, a = sum(before.values()), sum(after.values())
    return 1 - sum(min(before[version] / b, after[version] / a) for version in before.keys() & after.keys())


def moved_by_losses(before, after):
    versions = [*before, *(version for version in after if version not in before)]
    rows = np.array([[weights.get(version, 0) for version in versions] for weights in (before, after)], dtype=float)
    old, new = rows / rows.sum(axis=1, keepdims=True)
    return np.clip(old - new, 0, None).sum()


RIGHT["5.8"] = [moved_by_loop, moved_by_halves, moved_by_what_stays, moved_by_losses]


def in_shares(weights):
    return {version: weight / sum(weights.values()) for version, weight in weights.items()}


def changes(before, after):
    old, new = in_shares(before), in_shares(after)
    return [new.get(version, 0) - old.get(version, 0) for version in {**old, **new}]


WRONG["5.8"] = [
    (lambda before, after: sum(max(0, w - before.get(v, 0)) for v, w in after.items()), "You compare weights"),
    (lambda before, after: sum(max(0, w - before.get(v, 0)) for v, w in after.items()) / 100, "divide by 100"),
    (lambda before, after: sum(map(abs, changes(before, after))), "counted twice"),
    (lambda before, after: max(changes(before, after)), "gave"),
    (lambda before, after: max(map(abs, changes(before, after))), "largest change of one version"),
    (lambda before, after: sum(changes(before, after)), "gave"),
    (lambda before, after: 1 - moved_by_loop(before, after), "users who stay"),
    (lambda before, after: 100 * moved_by_loop(before, after), "per cent"),
    (
        lambda before, after: sum(max(0, in_shares(after)[v] - s) for v, s in in_shares(before).items()),
        "a quarter moves",
    ),
    (
        lambda before, after: sum(max(0, in_shares(after)[v] - s) for v, s in in_shares(before).items() if v in after),
        "version that is new gains users",
    ),
    (lambda before, after: in_shares(after), "One number, a share"),
]


# 5.9: answers_right(endpoint, expected)


def right_by_loops(endpoint, expected):
    for model in expected:
        for prompt in expected[model]:
            if endpoint.complete(prompt, model=model) != expected[model][prompt]:
                return False
    return True


def right_by_count(endpoint, expected):
    wrong = 0
    for model, answers in expected.items():
        for prompt, answer in answers.items():
            wrong += endpoint.complete(prompt, model=model) != answer
    return wrong == 0


def right_by_table(endpoint, expected):
    said = {
        model: {prompt: endpoint.complete(prompt, model=model) for prompt in answers}
        for model, answers in expected.items()
    }
    return said == expected


def right_prompt_by_prompt(endpoint, expected):
    pairs = sorted((prompt, model) for model, answers in expected.items() for prompt in answers)
    return not [1 for prompt, model in pairs if endpoint.complete(prompt, model=model) != expected[model][prompt]]


RIGHT["5.9"] = [right_by_loops, right_by_count, right_by_table, right_prompt_by_prompt]


def said_by(endpoint, expected):
    return {m: {p: endpoint.complete(p, model=m) for p in answers} for m, answers in expected.items()}


def right_at_the_first(endpoint, expected):
    for model, answers in expected.items():
        for prompt, answer in answers.items():
            return endpoint.complete(prompt, model=model) == answer


def right_but_not_the_base(endpoint, expected):
    adapters = dict(list(expected.items())[-1:])
    return said_by(endpoint, adapters) == adapters


def right_first_prompts(endpoint, expected):
    return all(
        endpoint.complete(prompt, model=model) == answers[prompt]
        for model, answers in expected.items()
        for prompt in list(answers)[:1]
    )


def right_if_different(endpoint, expected):
    said = said_by(endpoint, expected)
    return len({tuple(answers.values()) for answers in said.values()}) == len(said)


WRONG["5.9"] = [
    (lambda endpoint, expected: True, "Every endpoint that answers"),
    (
        lambda endpoint, expected: all(all(a.values()) for a in said_by(endpoint, expected).values()),
        "Every endpoint that answers",
    ),
    (right_at_the_first, "first model"),
    (right_but_not_the_base, "last model"),
    (right_first_prompts, "first prompt of each model"),
    (right_if_different, "answer differently"),
    (lambda endpoint, expected: said_by(endpoint, expected) != expected, "are exchanged: True is asked for"),
    (lambda endpoint, expected: said_by(endpoint, expected), "True or False was expected"),
    (
        lambda endpoint, expected: any(said_by(endpoint, expected)[m] == a for m, a in expected.items()),
        "Every endpoint that answers",
    ),
    (lambda endpoint, expected: endpoint.complete("Hello") == "", "stopped with TypeError"),
    (lambda endpoint, expected: endpoint.complete("Hello", model="base") == "", "stopped with DataError"),
    (
        lambda endpoint, expected: (
            Counter(a for answers in said_by(endpoint, expected).values() for a in answers.values())
            == Counter(a for answers in expected.values() for a in answers.values())
        ),
        "but to whom",
    ),
]
