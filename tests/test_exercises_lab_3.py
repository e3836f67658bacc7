"""The checks of Lab 3: right answers pass however they are written, each typical mistake is named."""

import json
import math
import re
import string
from copy import deepcopy
from itertools import accumulate

import numpy as np
import pytest
import torch
from torch.nn.functional import linear

from tests import masters
from utils.exercises import load_quiz
from utils.exercises.checks import assess
from utils.exercises.lab_3 import CHECKS

INF = math.inf


MASTER = masters.names(3)
SOLUTIONS = masters.answers(3, MASTER)
(
    to_record,
    leaks,
    mask_prompt,
    completion_loss,
    best_checkpoint,
    paired_gain,
    text_to_label,
    lora_parameters,
    lora_output,
    break_even,
) = SOLUTIONS.values()


def plain(record):
    return " ".join(record["input_text"].lower().split())


# Other right answers


def leaks_in_two_loops(train, validation):
    found = []
    for record in validation:
        seen = any(plain(record) == plain({"input_text": text}) for text in found)
        if not seen and any(plain(record) == plain(other) for other in train):
            found.append(record["input_text"])
    return tuple(found)


def mask_with_torch(prompt_ids, completion_ids):
    labels = torch.tensor([*prompt_ids, *completion_ids])
    labels[: len(prompt_ids)] = -100
    return labels


def loss_with_torch(log_probabilities, labels):
    counts = torch.as_tensor(labels) != -100
    return -torch.as_tensor(log_probabilities)[counts].mean()


def loss_with_numpy(log_probabilities, labels):
    return np.average(-np.array(log_probabilities), weights=np.array(labels) != -100)


def count_in_real_matrices(shapes, rank):
    numbers = torch.tensor(0)
    for out, features in shapes:
        numbers += torch.empty(rank, features).numel() + torch.empty(out, rank).numel()
    return numbers


def lora_merged(x, W, A, B, alpha, scale=1.0):
    return linear(x, W + scale * alpha / B.shape[1] * B @ A)


def lora_in_double(x, W, A, B, alpha, scale=1.0):
    x, W, A, B = (tensor.double() for tensor in (x, W, A, B))
    return linear(x, W) + linear(linear(x, A), B).mul(scale * (alpha / len(A)))


def stop_by_lowest_so_far(validation_losses, patience):
    lowest = list(accumulate(validation_losses, min))
    for stop in range(patience, len(lowest)):
        if lowest[stop] == lowest[stop - patience]:
            return [validation_losses.index(lowest[stop]), stop]
    return [validation_losses.index(lowest[-1]), len(lowest) - 1]


def stop_with_a_counter(validation_losses, patience):
    best, lowest, waited = 0, INF, 0
    for index, loss in enumerate(validation_losses):
        waited += 1
        if loss < lowest:
            best, lowest, waited = index, loss, 0
        if waited == patience:
            return torch.tensor([best, index])
    return np.array([best, index])


def label_by_regex(completion, labels):
    words = re.findall(r"\w+", completion.casefold())
    return {label.casefold(): label for label in labels}.get(words[0], "") if words else ""


def label_in_a_loop(completion, labels):
    cleaned = "".join(letter for letter in completion.lower() if letter.isalpha() or letter.isspace())
    for label in labels:
        if cleaned.split()[:1] == [label.lower()]:
            return label
    return ""


def gain_in_a_loop(ours, theirs, seed):
    rng, count, means = np.random.default_rng(seed), len(ours), []
    for _ in range(1000):
        texts = rng.integers(0, count, count)
        means.append(sum(ours[n] - theirs[n] for n in texts) / count)
    means.sort()
    return [sum(ours) / count - sum(theirs) / count, means[25], means[974]]


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


RIGHT = [
    *SOLUTIONS.items(),
    ("3.1", lambda d, s: dict(output_text=s, input_text="\n".join(["What is the gist of this?", d, "", "In short:"]))),
    ("3.2", leaks_in_two_loops),
    ("3.3", mask_with_torch),
    ("3.3", lambda p, c: np.array([-100 for _ in p] + c)),
    ("3.4", loss_with_torch),
    ("3.4", loss_with_numpy),
    ("3.8", count_in_real_matrices),
    ("3.9", lora_merged),
    ("3.9", lora_in_double),
    ("3.5", stop_by_lowest_so_far),
    ("3.5", stop_with_a_counter),
    ("3.7", label_by_regex),
    ("3.7", label_in_a_loop),
    ("3.6", gain_in_a_loop),
    ("3.10", even_by_floor),
    ("3.10", even_by_counting),
]


def numbered(cases):
    return [f"{exercise}-{n}" for n, (exercise, *_) in enumerate(cases)]


@pytest.mark.parametrize(("exercise", "answer"), RIGHT, ids=numbered(RIGHT))
def test_a_right_answer_passes_however_it_is_written(exercise, answer):
    verdict, right = assess(exercise, answer)
    assert right, verdict
    assert verdict == f"correct. {CHECKS[exercise].praise}"


ODD_RESULTS = [
    *(0, -1, 1.5, True, math.nan, INF, 10**400, 1j, "", "text", b"text", object(), len, range(3)),
    *([], [[]], [1, 2], [1, 2, 3], [None, None], (1, 2, 3), ["a"], {}, {1: 2}, {"a"}, {"input_text": 1}),
    *(np.array(1), np.zeros(3), np.zeros((2, 2)), torch.tensor(1), torch.zeros(3), torch.zeros(0)),
    {"input_text": None, "output_text": None},
]


@pytest.mark.parametrize("exercise", CHECKS)
@pytest.mark.parametrize("result", ODD_RESULTS, ids=range(len(ODD_RESULTS)))
def test_no_result_passes_by_chance_or_ends_in_a_traceback(exercise, result):
    verdict, right = assess(exercise, lambda *_, **__: result)
    assert not right and verdict.startswith("not yet. ")


# Wrong answers


def record_with(make_prompt=lambda d, s: to_record(d, s)["input_text"], make_output=lambda d, s: s):
    return lambda d, s: {"input_text": make_prompt(d, s), "output_text": make_output(d, s)}


def prompt_with(text):
    return record_with(lambda d, s: text.replace("D", d).replace("S!", s))


def leaks_with(plain=lambda text: " ".join(text.lower().split()), *, once=True, key="input_text"):
    def answer(train, validation):
        known, found = {plain(record[key]) for record in train}, []
        for record in validation:
            if plain(record[key]) in known:
                found.append(record["input_text"])
                known -= {plain(record[key])} if once else set()
        return found

    return answer


def leaks_in_parts(train, validation):
    found = [text for text in validation if any(plain(text) in plain(other) for other in train)]
    return leaks(found, found)


def leaks_cleaned_in_place(train, validation):
    for record in (*train, *validation):
        record["input_text"] = plain(record)
    return leaks(train, validation)


def mask_in_place(prompt_ids, completion_ids):
    prompt_ids[:] = [-100] * len(prompt_ids)
    return prompt_ids + completion_ids


def chosen(log_probabilities, labels):
    return [float(p) for p, label in zip(log_probabilities, labels, strict=True) if label != -100]


def loss_for_lists_only(log_probabilities, labels):
    log_probabilities.reverse()
    log_probabilities.reverse()
    return completion_loss(log_probabilities, labels)


def each(count):
    return lambda shapes, rank: sum(count(out, features, rank) for out, features in shapes)


def lora_with(combine=lambda base, change, alpha, rank, scale: base + scale * alpha / rank * change, **parts):
    base = parts.get("base", lambda x, W: x @ W.T)
    change = parts.get("change", lambda x, A, B: x @ A.T @ B.T)
    rank = parts.get("rank", lambda A, B: len(A))
    return lambda x, W, A, B, alpha, scale=1.0: combine(base(x, W), change(x, A, B), alpha, rank(A, B), scale)


def lora_in_place(x, W, A, B, alpha, scale=1.0):
    B *= scale * alpha / len(A)
    return x @ W.T + x @ A.T @ B.T


def lora_of_rows(x, W, A, B, alpha, scale=1.0):
    return torch.stack([lora_output(row, W, A, B, alpha, scale) for row in x])


def stop_counting_all(losses, patience):
    best = waited = 0
    for index in range(1, len(losses)):
        if losses[index] < losses[best]:
            best = index
        else:
            waited += 1
        if waited == patience:
            return best, index
    return best, len(losses) - 1


def stop_comparing_neighbors(losses, patience):
    waited = 0
    for index in range(1, len(losses)):
        waited = 0 if losses[index] < losses[index - 1] else waited + 1
        if waited == patience:
            break
    else:
        index = len(losses) - 1
    return losses.index(min(losses[: index + 1])), index


def stop_with_ties(losses, patience):
    best = 0
    for index, loss in enumerate(losses):
        if loss <= losses[best]:
            best = index
        if index - best == patience:
            break
    return best, index


def lowest(losses):
    return losses.index(min(losses))


def label_none(completion, labels):
    return text_to_label(completion, labels) or None


def label_without_a_guard(completion, labels):
    return text_to_label(completion, labels) if completion.split()[0] else ""


def label_case_matters(completion, labels):
    first = completion.split()[0].strip(string.punctuation) if completion.split() else ""
    return first if first in labels else ""


def label_punctuation_matters(completion, labels):
    first = completion.split()[0].lower() if completion.split() else ""
    return next((label for label in labels if label.lower() == first), "")


def label_split_at_spaces(completion, labels):
    first = completion.strip().split(" ")[0].strip(string.punctuation).lower()
    return next((label for label in labels if label.lower() == first), "")


def label_anywhere(completion, labels):
    return next((label for label in labels if label.lower() in completion.lower()), "")


def label_at_the_start(completion, labels):
    begun = completion.lower().lstrip(" *")
    return next((label for label in labels if begun.startswith(label.lower())), "")


def gain_with(size=None, ends=(2.5, 97.5), *, generator=np.random.default_rng, replace=True, unit=np.mean):
    def answer(ours, theirs, seed):
        differences = np.array(ours) - np.array(theirs)
        rng = generator(seed)
        drawn = [unit(rng.choice(differences, size or len(ours), replace=replace)) for _ in range(1000)]
        return differences.mean(), *np.percentile(drawn, ends)

    return answer


def gain_unpaired(ours, theirs, seed):
    rng = np.random.default_rng(seed)
    first, second = (rng.choice(scores, (1000, len(scores))).mean(axis=1) for scores in (ours, theirs))
    return np.mean(ours) - np.mean(theirs), *np.percentile(first - second, [2.5, 97.5])


def gain_of_single_texts(ours, theirs, seed):
    differences = np.array(ours) - np.array(theirs)
    return differences.mean(), *np.percentile(np.random.default_rng(seed).choice(differences, 1000), [2.5, 97.5])


def gain_with_the_global_seed(ours, theirs, seed):
    np.random.seed(seed)
    return paired_gain(ours, theirs, np.random.randint(1000))


def gain_by_formula(ours, theirs, seed):
    differences = np.array(ours) - np.array(theirs)
    error = 1.96 * differences.std() / len(ours) ** 0.5
    return differences.mean(), differences.mean() - error, differences.mean() + error


def gain_of_the_resamples(ours, theirs, seed):
    drawn = np.random.default_rng(seed).choice(np.array(ours) - np.array(theirs), (1000, len(ours))).mean(axis=1)
    return drawn.mean(), *np.percentile(drawn, [2.5, 97.5])


def shifted_gain(ours, theirs, seed):
    mean, low, high = paired_gain(ours, theirs, seed)
    return mean, low + (high - low) / 4, high + (high - low) / 4


def even_with(rounded=math.ceil, never=INF):
    return lambda a, b, c: rounded(a / (b - c)) if b > c else never


def even_or_nothing(tuning, prompt, tuned):
    if prompt > tuned:
        return math.ceil(tuning / (prompt - tuned))


FREE = np.random.default_rng(5)
WRONG = [
    ("3.1", prompt_with("Summarize this dialogue.\n\nD\n\nSummary: S!"), "copy it, and in use there is none to copy"),
    ("3.1", prompt_with("D\n\nSummary:"), "no instruction before the dialogue"),
    ("3.1", prompt_with("Summarize this dialogue.\n\nD"), "The cue is missing"),
    ("3.1", prompt_with("Summarize this dialogue.\n\nD\nSummary: "), "ends with a space or an empty line"),
    ("3.1", prompt_with("Summarize this dialogue.\n\nD\nSummary:\n"), "ends with a space or an empty line"),
    ("3.1", prompt_with("Summarize this dialogue.\n\nD\nSummary"), "does not end with a colon"),
    ("3.1", prompt_with("Summarize this dialogue.\n\nD Summary:"), "a line of its own"),
    ("3.1", prompt_with("Summarize this dialogue.\n\nD\n:"), "A colon alone is no cue"),
    ("3.1", record_with(lambda d, s: f"Sum up this: {' '.join(d.split())}\nSummary:"), "unchanged. Line breaks"),
    ("3.1", record_with(lambda d, s: to_record(d.lower(), s)["input_text"]), "unchanged"),
    ("3.1", lambda d, s: to_record(s, d), "The summary stands in input_text"),
    ("3.1", record_with(make_output=lambda d, s: f" {s}"), "a space or an empty line more than the summary"),
    ("3.1", record_with(make_output=lambda d, s: f"Summary: {s}"), "holds more than the summary"),
    ("3.1", record_with(make_output=lambda d, s: s.lower()), "the summary is changed"),
    ("3.1", record_with(make_output=lambda d, s: d), "not the summary"),
    ("3.1", record_with(make_output=lambda d, s: [s]), "Both values must be texts"),
    ("3.1", record_with(lambda d, s: {"role": "user", "content": d}), "not an object or a list"),
    ("3.1", lambda d, s: json.dumps(to_record(d, s)), "Return a dictionary"),
    ("3.1", lambda d, s: tuple(to_record(d, s).values()), "Return a dictionary"),
    ("3.1", lambda d, s: {"input": d, "output": s}, "two keys of the exercise"),
    ("3.1", lambda d, s: to_record(d, s) | {"dialogue": d}, "no others"),
    ("3.1", lambda d: d, "stopped with TypeError"),
    ("3.2", leaks_with(str), "letter by letter"),
    ("3.2", leaks_with(str.lower), "Whitespace still counts"),
    ("3.2", leaks_with(lambda text: text.lower().strip()), "Stripping cleans only the two ends"),
    ("3.2", leaks_with(lambda text: " ".join(text.split())), "Upper and lower case still count"),
    ("3.2", leaks_with(lambda text: "".join(text.lower().split())), "Collapsing leaves one space"),
    ("3.2", leaks_with(once=False), "twice in validation is returned twice"),
    ("3.2", leaks_with(str, once=False), "One case is not right"),
    ("3.2", leaks_with(key="output_text", once=False), "compare the inputs"),
    ("3.2", leaks_in_parts, "Only whole texts are compared"),
    ("3.2", lambda t, v: leaks(v, t), "You return texts of train"),
    ("3.2", lambda t, v: sorted(leaks(t, v)), "the order in which they stand in validation"),
    ("3.2", lambda t, v: set(leaks(t, v)), "A set has no order"),
    ("3.2", lambda t, v: len(leaks(t, v)), "Return a list"),
    ("3.2", lambda t, v: [" ".join(text.lower().split()) for text in leaks(t, v)], "only to compare"),
    ("3.2", lambda t, v: [r for r in v if r["input_text"] in leaks(t, v)], "not the records"),
    ("3.2", lambda t, v: leaks(t, v) or None, "nothing in one case. When no text .* the list is empty"),
    ("3.2", leaks_cleaned_in_place, "changes what it was given"),
    ("3.3", lambda p, c: [0] * len(p) + c, "You mask with 0"),
    ("3.3", lambda p, c: [-1] * len(p) + c, "You mask with -1"),
    ("3.3", lambda p, c: p + c, "Nothing is masked"),
    ("3.3", lambda p, c: p + [-100] * len(c), "You mask the completion"),
    ("3.3", lambda p, c: [-100] * len(p + c), "every token"),
    ("3.3", lambda p, c: c, "Only the completion's labels"),
    ("3.3", lambda p, c: [-100] * len(p), "Only the prompt's labels"),
    ("3.3", lambda p, c: [-100] * len(c) + c, "as many tokens as the completion has"),
    ("3.3", lambda p, c: [-100, *c], "One case is not right. Take a prompt of 3 .* Compare len"),
    ("3.3", lambda p, c: [*mask_prompt(p, c), 2], "Compare len"),
    ("3.3", lambda p, c: [-100] * (len(p) - 1) + c, "The model shifts by itself"),
    ("3.3", lambda p, c: [-100] * (len(p) - 1) + c + [-100], "The model shifts by itself"),
    ("3.3", lambda p, c: [-100] * (len(p) + 1) + c, "The model shifts by itself"),
    ("3.3", lambda p, c: [-100] * (len(p) + 1) + c[:-1], "The model shifts by itself"),
    ("3.3", lambda p, c: [-100] * len(p) + c[1:], "The model shifts by itself"),
    ("3.3", lambda p, c: [-100] * len(p) + c[1:] + [-100], "The model shifts by itself"),
    ("3.3", lambda p, c: [-100 if token in p else token for token in p + c], "The place decides"),
    ("3.3", lambda p, c: [[-100] * len(p), c], "one flat list"),
    ("3.3", lambda p, c: ([-100] * len(p), c), "one flat list"),
    ("3.3", lambda p, c: str(mask_prompt(p, c)), "one flat list"),
    ("3.3", mask_in_place, "changes what it was given"),
    ("3.4", lambda p, n: -sum(chosen(p, n)), "You return the sum"),
    ("3.4", lambda p, n: -sum(map(float, p)) / len(p), "masked tokens count, too"),
    ("3.4", lambda p, n: -sum(chosen(p, n)) / len(p), "divide by the number of all"),
    ("3.4", lambda p, n: -completion_loss(p, n), "The sign is wrong"),
    ("3.4", lambda p, n: completion_loss(p, [label or -100 for label in n]), "whose label is 0"),
    ("3.4", lambda p, n: math.exp(completion_loss(p, n)), "the perplexity"),
    ("3.4", lambda p, n: completion_loss(p[:-1], n[1:]) if n[0] == -100 else 1.0, "One case is not right"),
    ("3.4", lambda p, n: completion_loss(p, [-100, *n[:-1]]), "shift by one place"),
    ("3.4", lambda p, n: completion_loss(p, n[1:] + n[-1:]), "shift by one place"),
    ("3.4", lambda p, n: [-value for value in chosen(p, n)], "Return one number"),
    ("3.4", lambda p, n: -sum(map(float, p)) / len(p) if n[0] == -100 else -sum(chosen(p, n)), "the last two count"),
    ("3.4", loss_for_lists_only, "stopped with AttributeError.* may also come as a tensor"),
    ("3.8", each(lambda o, i, r: o * i), "You count the numbers of W"),
    ("3.8", each(lambda o, i, r: o * i + r * (o + i)), "it is frozen"),
    ("3.8", each(lambda o, i, r: r * i), "only one of the two matrices"),
    ("3.8", each(lambda o, i, r: r * o), "only one of the two matrices"),
    ("3.8", each(lambda o, i, r: 2 * r * i), "only where W is square"),
    ("3.8", each(lambda o, i, r: 2 * r * o), "only where W is square"),
    ("3.8", each(lambda o, i, r: o + i), "The rank is missing"),
    ("3.8", each(lambda o, i, r: r * o * i), "multiply all three"),
    ("3.8", each(lambda o, i, r: r * o * r * i), "multiply the sizes of A and B"),
    ("3.8", lambda shapes, rank: lora_parameters(shapes[:1], rank), "only the first matrix"),
    ("3.8", lambda shapes, rank: [lora_parameters([shape], rank) for shape in shapes], "for all matrices together"),
    ("3.8", lambda shapes, rank: lora_parameters(shapes, rank) + 1, "One case is not right. Here one square"),
    ("3.9", lora_with(lambda b, c, a, r, s: b + s * c), "alpha / rank is missing"),
    ("3.9", lora_with(lambda b, c, a, r, s: b + s * a * c), "the rank is missing"),
    ("3.9", lora_with(lambda b, c, a, r, s: b + s / r * c), "alpha is missing"),
    ("3.9", lora_with(lambda b, c, a, r, s: b + s * r / a * c), "upside down"),
    ("3.9", lora_with(lambda b, c, a, r, s: b + a / r * c), "You ignore `scale`"),
    ("3.9", lora_with(lambda b, c, a, r, s: s * (b + a / r * c)), "You also scale what W gives"),
    ("3.9", lora_with(lambda b, c, a, r, s: s * a / r * (b + c)), "You also scale what W gives"),
    ("3.9", lora_with(lambda b, c, a, r, s: s * b + a / r * c), "You also scale what W gives"),
    ("3.9", lora_with(lambda b, c, a, r, s: s * a / r * c), "What W gives is missing"),
    ("3.9", lora_with(lambda b, c, a, r, s: b), "The adapter's change is missing"),
    ("3.9", lora_with(lambda b, c, a, r, s: b - s * a / r * c), "You subtract the change"),
    ("3.9", lora_with(base=lambda x, W: x @ W), "W is not transposed"),
    ("3.9", lora_with(change=lambda x, A, B: x @ B.T @ A.T), "not used in the right order"),
    ("3.9", lora_with(change=lambda x, A, B: x @ A @ B), "not used in the right order"),
    ("3.9", lora_with(change=lambda x, A, B: x @ (B @ A)), "not used in the right order"),
    ("3.9", lora_with(change=lambda x, A, B: x @ (A @ B).T), "not used in the right order"),
    ("3.9", lora_with(rank=lambda A, B: A.shape[1]), "a number that is not the rank"),
    ("3.9", lora_with(rank=lambda A, B: len(B)), "a number that is not the rank"),
    ("3.9", lambda x, W, A, B, alpha, scale: lora_output(x, W, A, B, alpha, scale), "TypeError.* without a scale"),
    ("3.9", lambda *given: lora_output(*given).tolist(), "Return a torch tensor"),
    ("3.9", lambda *given: lora_output(*given).sum(), "Compare the formula"),
    ("3.9", lora_of_rows, "x may also have one dimension"),
    (
        "3.9",
        lambda x, W, A, B, *rest: (x @ W.T).where(x != x, lora_output(x, W, A, B, *rest)),
        "RuntimeError.* rank is 2",
    ),
    ("3.9", lora_in_place, "changes what it was given"),
    ("3.5", lambda v, p: (best_checkpoint(v, p)[1],) * 2, "You keep the last checkpoint"),
    ("3.5", lambda v, p: best_checkpoint(v, p)[::-1], "The two numbers are exchanged"),
    ("3.5", lambda v, p: (lowest(v), best_checkpoint(v, p)[1]), "You look at all losses"),
    ("3.5", lambda v, p: (lowest(v), len(v) - 1), "You never stop early"),
    ("3.5", lambda v, p: (best_checkpoint(v, p)[0], len(v) - 1), "always stops at the end"),
    ("3.5", stop_counting_all, "begin anew after each lowest loss"),
    ("3.5", stop_comparing_neighbors, "compare each loss with the one before"),
    ("3.5", stop_with_ties, "Of equal ones the first is kept"),
    ("3.5", lambda v, p: best_checkpoint(v, p + 1), "one evaluation too long"),
    ("3.5", lambda v, p: [n + 1 for n in best_checkpoint(v, p)], "An index in Python begins with 0"),
    ("3.5", lambda v, p: (v[best_checkpoint(v, p)[0]], best_checkpoint(v, p)[1]), "The first number is a loss"),
    ("3.5", lambda v, p: best_checkpoint(v, max(1, p - 1)), "Take losses of .* and a patience of"),
    ("3.5", lambda v, p: best_checkpoint(v, p)[0], "Return two whole numbers"),
    ("3.5", lambda v, p: best_checkpoint(v + v[:0], p) if len(v) > p else None, "nothing in one case. Take losses"),
    ("3.5", lambda v, p: best_checkpoint(v.sort() or v, p), "changes what it was given"),
    ("3.7", label_none, "Your function returns nothing in one case.*the empty string"),
    ("3.7", label_without_a_guard, "stopped with IndexError.* without a word"),
    ("3.7", label_case_matters, "Upper and lower case still make a difference"),
    ("3.7", label_punctuation_matters, "Punctuation still sticks"),
    ("3.7", label_split_at_spaces, "A line break ends a word"),
    ("3.7", label_anywhere, "You look for a label anywhere"),
    ("3.7", label_at_the_start, "compare the whole word"),
    ("3.7", lambda text, names: text_to_label((text.split() or [""])[-1], names), "You take the last word"),
    ("3.7", lambda text, names: text_to_label(text, names) or names[0], "You return a label when there is none"),
    ("3.7", lambda text, names: text_to_label(text, names).lower(), "You return the label in lower case"),
    ("3.7", lambda text, names: text_to_label(text, names) or "none", "'not', and that is no label"),
    ("3.7", lambda text, names: text_to_label(text, names) or -1, "Return a text"),
    ("3.7", lambda text, names: names.index(text_to_label(text, names)), "Return a text"),
    ("3.6", lambda o, t, s: paired_gain(t, o, s), "The sign is wrong"),
    ("3.6", gain_unpaired, "resampled independently"),
    ("3.6", gain_with(1000), "too narrow"),
    ("3.6", gain_with(ends=(5, 95)), "too narrow"),
    ("3.6", gain_with(ends=(0.5, 99.5)), "too wide"),
    ("3.6", gain_with(20), "too wide"),
    ("3.6", gain_of_single_texts, "too wide. .* not about single texts"),
    ("3.6", gain_with(replace=False), "the same mean. Draw texts with replacement"),
    ("3.6", gain_with(ends=(97.5, 2.5)), "the two are exchanged"),
    ("3.6", gain_with(generator=lambda seed: np.random.default_rng(0)), "Every seed gives the same interval"),
    ("3.6", gain_by_formula, "Every seed gives the same interval"),
    ("3.6", gain_with(generator=lambda seed: np.random.default_rng()), "The same seed gives two different"),
    ("3.6", gain_with(generator=lambda seed: FREE), "The same seed gives two different"),
    ("3.6", gain_with_the_global_seed, "numpy's global random numbers"),
    ("3.6", gain_with(generator=lambda seed: np.random), "numpy's global random numbers"),
    ("3.6", gain_of_the_resamples, "has nothing to do with chance"),
    ("3.6", shifted_gain, "not at the right place"),
    ("3.6", lambda o, t, s: paired_gain(o, t, s)[0], "Return three numbers"),
    ("3.6", lambda o, t, s: paired_gain(o, t, s)[1:], "Return three numbers"),
    ("3.6", lambda o, t, s: paired_gain(sorted(o), sorted(t), s), "too narrow"),
    ("3.6", lambda o, t, s: o - t, "stopped with TypeError"),
    ("3.10", even_with(math.floor), "Which way must a part of a query be rounded"),
    ("3.10", even_with(round), "Which way must a part of a query be rounded"),
    ("3.10", even_with(float), "parts of a query"),
    ("3.10", even_with(lambda n: int(n) + 1), "'No more' includes the same"),
    ("3.10", even_with(never=-1), "never comes back: return math.inf"),
    ("3.10", even_with(never="never"), "Return one number, or math.inf"),
    ("3.10", even_or_nothing, "nothing in one case.* never comes back"),
    ("3.10", lambda a, b, c: math.ceil(a / (b - c)), "stopped with ZeroDivisionError.* never comes back"),
    ("3.10", lambda a, b, c: math.ceil(a / b), "How much does each query save"),
    ("3.10", lambda a, b, c: math.ceil(a / b) if b > c else INF, "How much does each query save"),
    ("3.10", lambda a, b, c: even_with()(a, c, b), "The two times of a query are exchanged"),
    ("3.10", lambda a, b, c: math.ceil(a / (b + c)) if b > c else INF, "You add the two times"),
    ("3.10", lambda a, b, c: even_with()(a, b, c) + 5, "Take 100 s of tuning, 1.75 s a query by prompt"),
]


@pytest.mark.parametrize(("exercise", "answer", "message"), WRONG, ids=numbered(WRONG))
def test_a_typical_mistake_is_named(exercise, answer, message):
    verdict, right = assess(exercise, answer)
    assert not right and verdict.startswith("not yet. ")
    assert re.search(message, verdict), verdict


@pytest.mark.parametrize("exercise", ["3.4", "3.5", "3.8", "3.10"])
def test_no_message_gives_the_result_away(exercise):
    for _, answer, _ in (case for case in WRONG if case[0] == exercise):
        asked = []
        verdict, _ = assess(exercise, lambda *given, a=answer, seen=asked: seen.append(deepcopy(given)) or a(*given))
        for result in (SOLUTIONS[exercise](*given) for given in asked):
            shown = str(result) if isinstance(result, tuple) else f"{result:.3g}"
            assert result == INF or not re.search(rf"(?<![\d.]){re.escape(shown)}(?![\d.])", verdict), verdict


@pytest.mark.parametrize("offset", [17, 1234, 10**9])
def test_a_right_interval_passes_whatever_its_random_numbers(offset):
    verdict, right = assess("3.6", lambda ours, theirs, seed: paired_gain(ours, theirs, seed + offset))
    assert right, verdict


# The quiz


def test_the_longest_choice_is_not_always_the_right_one():
    questions = load_quiz(3).questions
    longest = [max(range(3), key=lambda choice, q=question: len(q.choices[choice])) for question in questions]
    assert sum(guess == question.right for guess, question in zip(longest, questions, strict=True)) <= 3
