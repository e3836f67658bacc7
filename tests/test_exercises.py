"""Checks: the master's answers pass, plausible wrong ones are told why, nothing gives the answer away."""

import random
import re
from collections import Counter
from types import SimpleNamespace

import pandas as pd
import pytest

from tests import masters
from utils.errors import DataError
from utils.exercises import Question, check, claim
from utils.exercises.checks import NOT_ATTEMPTED, assess
from utils.models.loading import DEFAULT_MODEL
from utils.prompts.templates import DIALOGUES, build_prompt

TABLE = pd.DataFrame(
    {"accuracy": [0.6, 0.81, 0.79, 0.82, 0.7], "low": [0.5, 0.6, 0.78, 0.8, 0.6]}, index=[0, 1, 2, 4, 8]
)
GIVEN = {"1.5": {"table": TABLE}}


MASTER = masters.names(1, plain_table=TABLE)
SOLUTIONS = masters.answers(1, MASTER)


def draw_with(choose):
    def draw(train, shots, seed):
        return choose(random.Random(seed), train, shots)

    return draw


def of(train, label):
    return [review for review in train if review.label == label]


def few_shot_with(make):
    return lambda dialogue, train, shots: make(dialogue, [record.example for record in train[:shots]])


def count_all(predictions, labels):
    return sum(a == b for a, b in zip(predictions, labels, strict=True)), 1.0


def right_share(predictions, labels):
    return sum(a == b for a, b in zip(predictions, labels, strict=True)) / len(labels)


def f_measure(shared, said, right):
    return 2 * shared / (said + right) if shared else 0.0


def rouge_sets(prediction, reference):
    a, b = set(prediction.lower().split()), set(reference.lower().split())
    return f_measure(len(a & b), len(a), len(b))


def rouge_counts(
    prediction, reference, *, lower=True, measure=lambda shared, said, right: f_measure(shared, said, right)
):
    if lower:
        prediction, reference = prediction.lower(), reference.lower()
    a, b = Counter(prediction.split()), Counter(reference.split())
    return measure(sum((a & b).values()), a.total(), b.total())


def rouge_without_an_empty_case(prediction, reference):
    return rouge_counts(prediction, reference, measure=lambda s, a, b: s / a and 2 * s / (a + b))


WRONG = [
    ("1.1", lambda d: f"Summarize this dialogue.\n\n{d}\n\nSummary: ", "ends with a space"),
    ("1.1", lambda d: f"Summarize this dialogue.\n\n{d}\n\nSummary:\n", "ends with a space or an empty line"),
    ("1.1", lambda d: f"{d}\n\nSummary:", "no instruction before"),
    ("1.1", lambda d: f"Summarize this dialogue now.\n\n{d}", "one more turn"),
    ("1.1", lambda d: f"Summarize this dialogue.\n\n{d[:40]}\n\nSummary:", "unchanged"),
    ("1.1", lambda d: f"Summarize this dialogue.\n\n{d}\n\nGo", "does not end with a colon"),
    ("1.1", lambda d: ["Summarize this dialogue", d], "one string"),
    (
        "1.1",
        lambda d: f"Summarize: #Person2# owns a grey coat. #Person2# takes the stairs.\n\n{d}\n\nSummary:",
        "then there is nothing left",
    ),
    ("1.2", few_shot_with(lambda d, e: build_prompt("Sum up.", d, e[:1], DIALOGUES)), "One shot is one example"),
    (
        "1.2",
        few_shot_with(lambda d, e: build_prompt("Sum up.", d, [*e, (d, "x")], DIALOGUES)),
        "query stands before|too much follows|Too much",
    ),
    (
        "1.2",
        few_shot_with(lambda d, e: "\n\n".join(f"Dialogue:\n{a}" for a, _ in e) + f"\n\nDialogue:\n{d}\nSummary:"),
        "without its summary",
    ),
    (
        "1.2",
        few_shot_with(
            lambda d, e: (
                f"Sum up what is said.\n\nDialogue:\n{d}\n"
                + "\n\n".join(f"{a}\nSummary: {b}" for a, b in e)
                + "\nSummary:"
            )
        ),
        "query goes last",
    ),
    (
        "1.2",
        few_shot_with(lambda d, e: build_prompt("Sum up.", e[0][0] if e else "nothing", e, DIALOGUES)),
        "query is not in the prompt",
    ),
    (
        "1.2",
        lambda d, train, shots: build_prompt("Sum up.", d, [r.example for r in train[::-1][:shots]], DIALOGUES),
        "first records|wrong dialogue",
    ),
    (
        "1.2",
        few_shot_with(
            lambda d, e: build_prompt(
                "Sum up.", d, [(a, b) for (a, _), (_, b) in zip(e, e[1:] + e[:1], strict=True)], DIALOGUES
            )
        ),
        "wrong dialogue",
    ),
    ("1.2", few_shot_with(lambda d, e: build_prompt("", d, e, DIALOGUES)), "no instruction"),
    ("1.1", lambda d: f"Translate it into French.\n\n{d}\n\nFrench:", "does not say that a summary"),
    ("1.2", few_shot_with(lambda d, e: build_prompt("Sum up.", d, e, DIALOGUES)[:-1]), "does not end where"),
    (
        "1.2",
        few_shot_with(lambda d, e: "#Person2# says it rained all night.\n" + build_prompt("Sum up.", d, e, DIALOGUES)),
        "answer to the query",
    ),
    ("1.3", draw_with(lambda r, t, n: r.sample(t, n)), "not equal in number|The labels"),
    (
        "1.3",
        draw_with(lambda r, t, n: r.choices(of(t, "positive")[:2], k=n // 2) + of(t, "negative")[: n // 2]),
        "twice",
    ),
    ("1.3", draw_with(lambda r, t, n: of(t, "positive")[: n // 2] + of(t, "negative")[: n // 2]), "Every seed"),
    ("1.3", draw_with(lambda r, t, n: r.sample(of(t, "positive"), n // 2)), "you returned"),
    (
        "1.3",
        lambda t, n, seed: random.Random().sample(of(t, "positive"), n // 2) + of(t, "negative")[: n // 2],
        "two different draws",
    ),
    (
        "1.3",
        lambda t, n, seed: (
            random.seed(seed) or random.sample(of(t, "positive"), n // 2) + random.sample(of(t, "negative"), n // 2)
        ),
        "global random state",
    ),
    ("1.3", draw_with(lambda r, t, n: [f"text {i + 100}" for i in range(n)]), "not reviews of the training split"),
    ("1.4", count_all, "divided by the number of places"),
    ("1.4", lambda p, y: (right_share(p, y), max(Counter(y).values()) / len(y)), "counted the true labels"),
    ("1.4", lambda p, y: (right_share(p, y), p.count("positive") / len(p)), "whichever"),
    ("1.4", right_share, "two numbers"),
    ("1.5", 3, "was not measured"),
    ("1.5", 0, "below the column 'low'"),
    ("1.5", 4, "smaller number"),
    ("1.6", rouge_sets, "as often as it stands in both"),
    ("1.6", lambda p, r: rouge_counts(p, r, lower=False), "upper and lower case"),
    ("1.6", lambda p, r: rouge_counts(p, r, measure=lambda s, a, b: s / b), "the recall"),
    ("1.6", lambda p, r: rouge_counts(p, r, measure=lambda s, a, b: s / a if a else 0), "the precision"),
    (
        "1.6",
        rouge_without_an_empty_case,
        "empty prediction",
    ),
    ("1.6", lambda p, r: str(rouge_counts(p, r)), "one number"),
    (
        "1.7",
        lambda lengths, q, new, w: sum(sum(lengths[: i + 1]) <= w - q for i in range(len(lengths))),
        "no room for the completion",
    ),
    (
        "1.7",
        lambda lengths, q, new, w: sum(sum(lengths[: i + 1]) < w - q - new for i in range(len(lengths))),
        "more examples would fit",
    ),
    (
        "1.7",
        lambda lengths, q, new, w: sum(sum(sorted(lengths)[: i + 1]) <= w - q - new for i in range(len(lengths))),
        "went on after an example",
    ),
    ("1.7", lambda lengths, q, new, w: len(lengths), "does not fit"),
    ("1.7", lambda lengths, q, new, w: [1], "another kind of value|does not fit|more examples"),
    ("1.3", lambda train, shots, seed: 5, "another kind of value"),
    ("1.4", lambda p, y: ("a", "b"), "another kind of value"),
    ("1.8", lambda full, without: without.index(max(without)), "most harm"),
    (
        "1.8",
        lambda full, without: max(range(len(without)), key=lambda i: abs(without[i] - full)),
        "either direction|most harm",
    ),
    ("1.8", lambda full, without: min(without), "Return the index"),
]


@pytest.mark.parametrize(("exercise", "answer", "message"), WRONG, ids=[f"{e}-{n}" for n, (e, *_) in enumerate(WRONG)])
def test_a_plausible_wrong_answer_is_told_why(exercise, answer, message):
    verdict, right = assess(exercise, answer, **GIVEN.get(exercise, {}))
    assert not right and verdict.startswith("not yet. ")
    assert re.search(message, verdict), verdict


def test_no_message_gives_the_answer_away():
    for wrong in (0, 3, 4, 8):
        verdict, _ = assess("1.5", wrong, table=TABLE)
        assert "1" not in re.findall(r"(?<![\d.])\d+(?![\d.])", verdict.removeprefix(f"not yet. {wrong}"))
    for exercise, answer, _ in WRONG:
        if exercise == "1.8":
            verdict = assess(exercise, answer)[0]
            assert not re.search(r"(index|example) (number )?[1-3]\b", verdict)


def test_check_prints_the_verdict(capsys):
    check("1.1", ...)
    assert capsys.readouterr().out == f"Exercise 1.1: {NOT_ATTEMPTED}\n"


def test_under_nbgrader_a_missing_or_wrong_answer_costs_its_points(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    with pytest.raises(AssertionError, match="not attempted"):
        check("1.1", ...)
    check("1.1", SOLUTIONS["1.1"])


def test_an_exercise_that_does_not_exist():
    for name in ("9.1", "1.99"):
        with pytest.raises(DataError, match=f"no exercise '{name}'"):
            check(name, 1)


def test_a_question_without_explanations_cannot_be_made():
    with pytest.raises(ValueError, match="needs its explanation"):
        Question("?", ("a", "b"), 0, ("why",))


OURS, OTHER = SimpleNamespace(name=DEFAULT_MODEL), SimpleNamespace(name="people/other")


def test_a_claim_is_asserted_for_the_course_s_own_model(capsys):
    claim(True, OURS, "it fell")
    claim(True, OURS)
    assert capsys.readouterr().out == "it fell: True\n"
    with pytest.raises(AssertionError, match="it fell"):
        claim(False, OURS, "it fell")
    with pytest.raises(AssertionError, match="does not hold here"):
        claim(False, OURS)


@pytest.mark.parametrize(("holds", "found"), [(True, "it holds, too"), (False, "it does not hold")])
def test_another_model_is_told_whether_a_claim_holds(capsys, holds, found):
    said = f"This is asserted of the course's own model only; with people/other {found}.\n"
    claim(holds, OTHER, "it fell")
    claim(holds, OTHER)
    assert capsys.readouterr().out == f"it fell: {holds}\n{said}{said}"
