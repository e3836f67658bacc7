"""The exercises of Lab 1, in-context learning."""

import random
from collections import Counter
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from rouge_score.rouge_scorer import RougeScorer

from utils.datasets.records import TextToText
from utils.datasets.reviews import Review
from utils.exercises.exercise import Case, Exercise, Rule, Sign, Wrong, call_with_copies
from utils.exercises.mistakes import require
from utils.exercises.prompt_rules import WELL_MADE

DIALOGUES = (
    TextToText("#Person1#: Is the blue coat yours?\n#Person2#: No, mine is grey.", "#Person2# owns a grey coat."),
    TextToText("#Person1#: The lift is stuck.\n#Person2#: Again? I'll take the stairs.", "#Person2# takes the stairs."),
    TextToText("#Person1#: Two tickets, please.\n#Person2#: We are sold out.", "There are no tickets left."),
    TextToText("#Person1#: Did it rain?\n#Person2#: All night.", "#Person2# says it rained all night."),
)


# 1.1 and 1.2: prompts


def _as_prompt(value: Any) -> str:
    require(isinstance(value, str), "A prompt is one string; yours is not a string.")
    return value


SUMMARY_WORDS = ("summar", "sentence", "brief", "short", "what", "gist")
ZERO_SHOT = Exercise(
    "The instruction, the whole dialogue and a cue for the summary: a zero-shot prompt.",
    cases=[Case((dialogue.input_text,)) for dialogue in DIALOGUES[:2]],
    read=_as_prompt,
    rules=(
        *WELL_MADE,
        Rule(
            lambda p, c: any(word in p.replace(c.given[0], "").lower() for word in SUMMARY_WORDS),
            "The instruction does not say that a summary is wanted. Name what shall come out.",
        ),
        Rule(
            lambda p, c: not any(dialogue.output_text in p for dialogue in DIALOGUES),
            "The summary is already in the prompt: then there is nothing left to do.",
        ),
    ),
)


def _shown(prompt: str, case: Case) -> list[TextToText]:
    """Return the records of `train` whose dialogues stand in a prompt."""
    return [record for record in case.given[1] if record.input_text in prompt]


def _in_order(prompt: str, case: Case) -> bool:
    texts = (text for record in _shown(prompt, case) for text in (record.input_text, record.output_text))
    places = [prompt.index(text) for text in texts]
    return places == sorted(places)


def _first_dialogue(case: Case) -> str:
    query, train, shots = case.given
    return train[0].input_text if shots else query


FEW_SHOT = Exercise(
    "Examples first, the query last, and nothing of the query's answer.",
    cases=[Case((DIALOGUES[3].input_text, list(DIALOGUES[:3]), shots)) for shots in (0, 2, 3)],
    read=_as_prompt,
    rules=(
        Rule(lambda p, c: c.given[0] in p, "The query is not in the prompt. The dialogue to summarize comes last, after the examples."),
        Rule(
            lambda p, c: DIALOGUES[3].output_text not in p,
            "The answer to the query is in the prompt: an example must never be the case you ask about.",
        ),
        Rule(
            lambda p, c: len(_shown(p, c)) == c.given[2],
            lambda p, c: f"Asked for {c.given[2]} shots, your prompt shows {len(_shown(p, c))} of the training dialogues. One shot is one example.",
        ),
        Rule(
            lambda p, c: all(record.output_text in p for record in _shown(p, c)),
            "An example is there without its summary. Without the output, an example does not show what to do.",
        ),
        Rule(
            lambda p, c: _shown(p, c) == c.given[1][: c.given[2]], "These are not the first records of `train`. Take the first ones, in their order."
        ),
        Rule(_in_order, "A summary stands beside the wrong dialogue. Each example is one dialogue, then its own summary."),
        Rule(
            lambda p, c: all(p.index(record.input_text) < p.index(c.given[0]) for record in _shown(p, c)),
            "The query stands before the examples. The model continues the end of the prompt, so the query goes last.",
        ),
        Rule(
            lambda p, c: "\n" not in p.split(c.given[0], maxsplit=1)[1].strip(),
            "Too much follows the query. After it there is only the line that asks for the summary.",
        ),
        Rule(lambda p, c: p.rstrip().endswith(":"), "The prompt does not end where the summary begins, after the colon."),
        Rule(
            lambda p, c: p.index(_first_dialogue(c)) > len("Dialogue:\n"),
            "There is no instruction before the first dialogue. Say in a sentence what is wanted.",
        ),
    ),
)


# 1.3 to 1.5: examples and labels

REVIEWS = [Review(f"text {n}", ("negative", "positive")[n % 3 == 0], 2.0) for n in range(30)]
LABELS = {review.text: review.label for review in REVIEWS}


def _texts(drawn: Sequence) -> list:
    return [getattr(review, "text", review) for review in drawn]


def _repeatable(answer) -> None:
    state = random.getstate()
    draws = [tuple(_texts(call_with_copies(answer, REVIEWS, 8, seed))) for seed in (1, 1, 2, 3)]
    require(random.getstate() == state, "You changed Python's global random state. Use random.Random(seed) instead.")
    require(
        draws[0] == draws[1],
        "The same seed gave two different draws, so a result could not be repeated. Make the generator from the seed, inside the function.",
    )
    require(len(set(draws)) > 1, "Every seed gives the same examples. With one draw you cannot tell luck from effect: use the seed.")


DRAW = Exercise(
    "Balanced, without repeats, and the same for the same seed.",
    cases=[Case((REVIEWS, shots, seed)) for shots, seed in ((2, 1), (4, 2), (8, 3), (8, 4), (8, 5))],
    read=_texts,
    rules=(
        Rule(lambda t, c: len(t) == c.given[1], lambda t, c: f"Asked for {c.given[1]} examples, you returned {len(t)}."),
        Rule(lambda t, c: all(text in LABELS for text in t), "Some of your examples are not reviews of the training split that was handed over."),
        Rule(lambda t, c: len(set(t)) == len(t), "One review is drawn twice. Draw without replacement: a repeated example shows nothing new."),
        Rule(
            lambda t, c: [LABELS[text] for text in t].count("positive") * 2 == len(t),
            "The labels are not equal in number. A prompt with more of one label pulls the predictions towards it.",
        ),
    ),
    examine=_repeatable,
)


def _accuracy(predictions: list[str], labels: list[str]) -> float:
    return sum(map(str.__eq__, predictions, labels)) / len(labels)


def _largest_share(labels: list[str]) -> float:
    return max(Counter(labels).values()) / len(labels)


def _two_shares(value: Any) -> tuple:
    asked = "Return two numbers, the accuracy and the share of the most frequent prediction: return a, b."
    require(isinstance(value, tuple | list) and len(value) == 2, asked)
    return tuple(value)


ACCURACY_AND_BIAS = Exercise(
    "Accuracy says how often it is right, the share says whether it only repeats one label.",
    cases=[
        Case(
            (predictions, labels),
            "Count each label among the predictions, whichever label that is, and divide the largest count by the number of predictions.",
            where=f"for predictions {predictions} and labels {labels}",
        )
        for predictions, labels in (
            (["positive"] * 4, ["positive", "negative", "negative", "negative"]),
            (["negative", "negative", "positive"], ["negative", "negative", "negative"]),
            (["positive", "negative"], ["negative", "positive"]),
            (["negative"] * 5 + ["positive"] * 3, ["negative"] * 5 + ["positive"] * 3),
        )
    ],
    right=lambda said, true: (_accuracy(said, true), _largest_share(said)),
    read=_two_shares,
    mistakes=(
        Wrong(
            lambda said, true: (_accuracy(said, true), _largest_share(true)),
            "You counted the true labels. The bias is in what the model says, so count the predictions.",
        ),
    ),
    signs=(
        Sign(
            lambda got, right, c: abs(got[0] - right[0]) > 1e-9,
            "the accuracy is wrong. It is the number of places where both lists agree, divided by the number of places.",
        ),
    ),
)


def _choose_shots(answer, *, table: pd.DataFrame) -> None:
    require(answer in list(table.index), f"{answer!r} was not measured. Choose one of the numbers of shots in the table's first column.")
    enough = table.index[table["accuracy"] >= table["low"][table["accuracy"].idxmax()]]
    require(
        answer in enough,
        "The accuracy of that number of shots is below the column 'low' of the row with the best accuracy. Compare the two numbers again.",
    )
    require(
        answer == min(enough),
        "That is accurate enough, but a smaller number of shots is, too. Every example costs tokens at every "
        "request, so take the smallest number that these reviews cannot tell from the best.",
    )


# 1.6 to 1.8: scores, the window, influence


def _rouge(measure: str):
    scorer = RougeScorer(["rouge1"])
    return lambda prediction, reference: float(getattr(scorer.score(reference, prediction)["rouge1"], measure))


def _as_measure(value: Any) -> float:
    require(isinstance(value, Real), "Return one number, the F-measure.")
    return float(value)


ROUGE_1 = Exercise(
    "The package rouge-score also drops punctuation and word endings, so its numbers differ a little.",
    cases=[
        *[
            Case(
                (prediction, reference),
                "A word counts as often as it stands in both texts (the smaller of the two counts), upper and lower "
                "case are the same, and two texts without a common word score 0.",
                where=f"for prediction {prediction!r} and reference {reference!r}",
            )
            for prediction, reference in (
                ("the cat sat", "the cat sat on the mat"),
                ("the the the the", "the cat"),
                ("A Dog barks", "a dog barks"),
                ("nothing in common", "other words"),
                ("he is late and he is sorry", "he is late"),
            )
        ],
        Case(("", "some words"), "A model may say nothing. That shares no word with any reference, so it scores 0.", edge="an empty prediction"),
    ],
    right=_rouge("fmeasure"),
    read=_as_measure,
    mistakes=(
        Wrong(_rouge("recall"), "You return the recall. Long texts would always win: bring in the precision."),
        Wrong(_rouge("precision"), "You return the precision. One right word would be enough: bring in the recall."),
    ),
)


def _fitting(lengths: list[int], room: int) -> int:
    return int((np.cumsum(lengths) <= room).sum())


SHOTS_THAT_FIT = Exercise(
    "Prompt and completion share one window.",
    cases=[
        Case(given, where="for examples of {} tokens, a query of {}, {} new tokens and a window of {}".format(*given))
        for given in (
            ([100, 100, 100, 100], 120, 40, 512),
            ([10, 200, 300], 100, 50, 400),
            ([300, 10, 10], 100, 50, 400),
            ([50, 50], 100, 50, 1000),
            ([100, 100], 100, 50, 350),
            ([], 100, 50, 400),
        )
    ],
    right=lambda lengths, query, new, window: _fitting(lengths, window - query - new),
    mistakes=(
        Wrong(
            lambda lengths, query, new, window: _fitting(lengths, window - query),
            "You left no room for the completion: it shares the window with the prompt.",
        ),
        Wrong(
            lambda lengths, query, new, window: _fitting(sorted(lengths), window - query - new),
            "You went on after an example that did not fit, or chose short ones. Stop there.",
        ),
    ),
    signs=(
        Sign(lambda got, right, c: got > right, "your number of examples does not fit into the window."),
        Sign(lambda got, right, c: got < right, "more examples would fit. A prompt that fills the window to the last token fits."),
    ),
)

MOST_HELPFUL = Exercise(
    "Taking away the most helpful example costs most.",
    cases=[
        Case(
            (full, without),
            "Return the index, counted from 0, of one example.",
            where=f"for log-probability {full} with all examples and {without} without each in turn",
        )
        for full, without in ((-0.5, [-0.4, -0.9, -0.6]), (-0.2, [-0.1, -0.05, -0.15]), (-1.0, [-3.0, -1.1, 0.0]), (-0.7, [-0.7, -0.2, -0.9, -0.8]))
    ],
    right=lambda full, without: int(np.argmin(without)),
    mistakes=(
        Wrong(
            lambda full, without: int(np.argmax(without)),
            "You chose the example whose removal raised the log-probability most: that one did the most harm. Think of "
            "what happens when a helpful example is taken away.",
        ),
        Wrong(
            lambda full, without: int(np.argmax(np.abs(np.array(without) - full))),
            "You took the largest change in either direction. Its sign matters here.",
        ),
    ),
)

CHECKS = {
    "1.1": ZERO_SHOT,
    "1.2": FEW_SHOT,
    "1.3": DRAW,
    "1.4": ACCURACY_AND_BIAS,
    "1.5": Exercise("These reviews cannot tell it from the best, and it is the cheapest in tokens.", examine=_choose_shots),
    "1.6": ROUGE_1,
    "1.7": SHOTS_THAT_FIT,
    "1.8": MOST_HELPFUL,
}
