"""The checks and the quiz of Lab 1, in-context learning."""

import random
from collections import Counter
from numbers import Real

import numpy as np
import pandas as pd
from rouge_score.rouge_scorer import RougeScorer

from utils.datasets.records import TextToText
from utils.datasets.reviews import Review
from utils.exercises.checks import Mistake, call, require
from utils.exercises.quiz import Question, Quiz

CASES = (
    TextToText("#Person1#: Is the blue coat yours?\n#Person2#: No, mine is grey.", "#Person2# owns a grey coat."),
    TextToText("#Person1#: The lift is stuck.\n#Person2#: Again? I'll take the stairs.", "#Person2# takes the stairs."),
    TextToText("#Person1#: Two tickets, please.\n#Person2#: We are sold out.", "There are no tickets left."),
    TextToText("#Person1#: Did it rain?\n#Person2#: All night.", "#Person2# says it rained all night."),
)


def _zero_shot(answer) -> None:
    for case in CASES[:2]:
        prompt = call(answer, case.input_text)
        require(isinstance(prompt, str), "A prompt is one string; yours is not a string.")
        require(
            case.input_text in prompt,
            "The dialogue is not in your prompt, or not unchanged. The model can only summarize what it sees.",
        )
        before, after = prompt.split(case.input_text, maxsplit=1)
        require(
            len(before.split()) >= 3,
            "There is no instruction before the dialogue. Say first, in a sentence, what shall be done with it.",
        )
        require(
            after.strip(),
            "Your prompt ends with the dialogue, so the likeliest continuation is one more turn of it. "
            "End with a line that asks for the summary.",
        )
        require(
            prompt == prompt.rstrip(),
            "Your prompt ends with a space or an empty line. A token usually begins with its space, "
            "so a space at the end keeps the model from choosing the common tokens. Strip it.",
        )
        require(
            prompt.endswith(":"),
            "The last line does not end with a colon. Beginning the answer, as above, works too, but here the "
            "prompt shall end with a label for the summary.",
        )
        require(
            any(word in (before + after).lower() for word in ("summar", "sentence", "brief", "short", "what", "gist")),
            "The instruction does not say that a summary is wanted. Name what shall come out.",
        )
        require(
            case.output_text not in prompt, "The summary is already in the prompt: then there is nothing left to do."
        )


def _few_shot(answer) -> None:
    train, query = list(CASES[:3]), CASES[3].input_text
    for shots in (0, 2, 3):
        prompt = call(answer, query, train, shots)
        require(isinstance(prompt, str), "A prompt is one string; yours is not a string.")
        shown = [case for case in train if case.input_text in prompt]
        require(
            query in prompt,
            "The query is not in the prompt. The dialogue to summarize comes last, after the examples.",
        )
        require(
            CASES[3].output_text not in prompt,
            "The answer to the query is in the prompt: an example must never be the case you ask about.",
        )
        require(
            len(shown) == shots,
            f"Asked for {shots} shots, your prompt shows {len(shown)} of the training dialogues. "
            "One shot is one example.",
        )
        require(
            all(case.output_text in prompt for case in shown),
            "An example is there without its summary. Without the output, an example does not show what to do.",
        )
        require(
            shown == train[:shots],
            "These are not the first records of `train`. Take the first ones, in their order.",
        )
        places = [prompt.index(text) for case in shown for text in (case.input_text, case.output_text)]
        require(
            places == sorted(places),
            "A summary stands beside the wrong dialogue. Each example is one dialogue, then its own summary.",
        )
        require(
            all(prompt.index(case.input_text) < prompt.index(query) for case in shown),
            "The query stands before the examples. The model continues the end of the prompt, so the query goes last.",
        )
        require(
            not prompt[prompt.index(query) + len(query) :].strip().count("\n"),
            "Too much follows the query. After it there is only the line that asks for the summary.",
        )
        require(prompt.rstrip().endswith(":"), "The prompt does not end where the summary begins, after the colon.")
        require(
            prompt.index(train[0].input_text if shots else query) > len("Dialogue:\n"),
            "There is no instruction before the first dialogue. Say in a sentence what is wanted.",
        )


def _draw_balanced(answer) -> None:
    train = [Review(f"text {n}", ("negative", "positive")[n % 3 == 0], 2.0) for n in range(30)]
    by_text = {review.text: review for review in train}
    state = random.getstate()
    for shots, seed in ((2, 1), (4, 2), (8, 3), (8, 4), (8, 5)):
        drawn = call(answer, train, shots, seed=seed)
        texts = [getattr(review, "text", review) for review in drawn]
        require(len(drawn) == shots, f"Asked for {shots} examples, you returned {len(drawn)}.")
        require(
            all(text in by_text for text in texts),
            "Some of your examples are not reviews of the training split that was handed over.",
        )
        require(
            len(set(texts)) == shots,
            "One review is drawn twice. Draw without replacement: a repeated example shows nothing new.",
        )
        labels = [by_text[text].label for text in texts]
        require(
            labels.count("positive") * 2 == shots,
            "The labels are not equal in number. A prompt with more of one label pulls the predictions towards it.",
        )
    require(random.getstate() == state, "You changed Python's global random state. Use random.Random(seed) instead.")
    draws = [tuple(review.text for review in call(answer, train, 8, seed=seed)) for seed in (1, 1, 2, 3)]
    require(
        draws[0] == draws[1],
        "The same seed gave two different draws, so a result could not be repeated. "
        "Make the generator from the seed, inside the function.",
    )
    require(
        len(set(draws)) > 1,
        "Every seed gives the same examples. With one draw you cannot tell luck from effect: use the seed.",
    )


def _accuracy_and_bias(answer) -> None:
    cases = [
        (["positive"] * 4, ["positive", "negative", "negative", "negative"], 0.25, 1.0),
        (["negative", "negative", "positive"], ["negative", "negative", "negative"], 2 / 3, 2 / 3),
        (["positive", "negative"], ["negative", "positive"], 0.0, 0.5),
        (["negative"] * 5 + ["positive"] * 3, ["negative"] * 5 + ["positive"] * 3, 1.0, 0.625),
    ]
    for predictions, labels, accuracy, share in cases:
        result = call(answer, predictions, labels)
        require(
            isinstance(result, tuple | list) and len(result) == 2,
            "Return two numbers, the accuracy and the share of the most frequent prediction: return a, b.",
        )
        require(
            abs(result[0] - accuracy) < 1e-9,
            f"The accuracy is wrong for predictions {predictions} and labels {labels}. "
            "It is the number of places where both lists agree, divided by the number of places.",
        )
        true_share = max(Counter(labels).values()) / len(labels)
        if abs(result[1] - true_share) < 1e-9 and abs(share - true_share) > 1e-9:
            raise Mistake("You counted the true labels. The bias is in what the model says, so count the predictions.")
        require(
            abs(result[1] - share) < 1e-9,
            f"The share is wrong for predictions {predictions}. Count each label among the predictions, whichever "
            "label that is, and divide the largest count by the number of predictions.",
        )


def _choose_shots(answer, *, table: pd.DataFrame) -> None:
    require(
        answer in list(table.index),
        f"{answer!r} was not measured. Choose one of the numbers of shots in the table's first column.",
    )
    enough = table.index[table["accuracy"] >= table["low"][table["accuracy"].idxmax()]]
    require(
        answer in enough,
        "The accuracy of that number of shots is below the column 'low' of the row with the best accuracy. "
        "Compare the two numbers again.",
    )
    require(
        answer == min(enough),
        "That is accurate enough, but a smaller number of shots is, too. Every example costs tokens at every "
        "request, so take the smallest number that these reviews cannot tell from the best.",
    )


def _rouge1(answer) -> None:
    pairs = [
        ("the cat sat", "the cat sat on the mat"),
        ("the the the the", "the cat"),
        ("A Dog barks", "a dog barks"),
        ("nothing in common", "other words"),
        ("he is late and he is sorry", "he is late"),
    ]
    scorer = RougeScorer(["rouge1"])
    for prediction, reference in pairs:
        score = scorer.score(reference, prediction)["rouge1"]
        value = call(answer, prediction, reference)
        require(isinstance(value, Real), "Return one number, the F-measure.")
        if abs(value - score.fmeasure) < 1e-6:
            continue
        where = f"prediction {prediction!r} and reference {reference!r}"
        if score.recall != score.precision and abs(value - score.recall) < 1e-6:
            raise Mistake(f"For {where} you return the recall. Long texts would always win: bring in the precision.")
        if score.recall != score.precision and abs(value - score.precision) < 1e-6:
            raise Mistake(f"For {where} you return the precision. One right word would be enough: bring in the recall.")
        raise Mistake(
            f"Not right for {where}. A word counts as often as it stands in both texts (the smaller of the two "
            "counts), upper and lower case are the same, and two texts without a common word score 0."
        )
    try:
        nothing_said = answer("", "some words")
    except ZeroDivisionError:
        raise Mistake(
            "Your function divides by zero for an empty prediction. A model may say nothing: score it 0."
        ) from None
    require(nothing_said == 0, "An empty prediction shares no word with any reference, so it scores 0.")


def _shots_that_fit(answer) -> None:
    cases = [
        ([100, 100, 100, 100], 120, 40, 512, 3),
        ([10, 200, 300], 100, 50, 400, 2),
        ([300, 10, 10], 100, 50, 400, 0),
        ([50, 50], 100, 50, 1000, 2),
        ([100, 100], 100, 50, 350, 2),
        ([], 100, 50, 400, 0),
    ]
    for lengths, query, new, window, right in cases:
        value = call(answer, lengths, query, new, window)
        if value == right:
            continue
        where = f"examples of {lengths} tokens, a query of {query}, {new} new tokens and a window of {window}"
        without_new = _fitting(lengths, window - query)
        if value == without_new:
            raise Mistake(f"For {where} you left no room for the completion: it shares the window with the prompt.")
        if value == _fitting(sorted(lengths), window - query - new) != right:
            raise Mistake(
                f"For {where} you went on after an example that did not fit, or chose short ones. Stop there."
            )
        require(value <= right, f"For {where} your number of examples does not fit into the window.")
        raise Mistake(f"For {where} more examples would fit. A prompt that fills the window to the last token fits.")


def _fitting(lengths: list[int], room: int) -> int:
    total = np.cumsum(lengths)
    return int((total <= room).sum())


def _most_helpful(answer) -> None:
    cases = [
        (-0.5, [-0.4, -0.9, -0.6], 1),
        (-0.2, [-0.1, -0.05, -0.15], 2),
        (-1.0, [-3.0, -1.1, 0.0], 0),
        (-0.7, [-0.7, -0.2, -0.9, -0.8], 2),
    ]
    for full, without, right in cases:
        value = call(answer, full, without)
        if value == right:
            continue
        where = f"log-probability {full} with all examples and {without} without each in turn"
        if value == int(np.argmax(without)):
            raise Mistake(
                f"For {where} you chose the example whose removal raised the log-probability most: that one did "
                "the most harm. Think of what happens when a helpful example is taken away."
            )
        if value == int(np.argmax(np.abs(np.array(without) - full))):
            raise Mistake(f"For {where} you took the largest change in either direction. Its sign matters here.")
        raise Mistake(f"Not right for {where}. Return the index, counted from 0, of one example.")


CHECKS = {
    "1.1": ("The instruction, the whole dialogue and a cue for the summary: a zero-shot prompt.", _zero_shot),
    "1.2": ("Examples first, the query last, and nothing of the query's answer.", _few_shot),
    "1.3": ("Balanced, without repeats, and the same for the same seed.", _draw_balanced),
    "1.4": (
        "Accuracy says how often it is right, the share says whether it only repeats one label.",
        _accuracy_and_bias,
    ),
    "1.5": ("These reviews cannot tell it from the best, and it is the cheapest in tokens.", _choose_shots),
    "1.6": (
        "The package rouge-score also drops punctuation and word endings, so its numbers differ a little.",
        _rouge1,
    ),
    "1.7": ("Prompt and completion share one window.", _shots_that_fit),
    "1.8": ("Taking away the most helpful example costs most.", _most_helpful),
}

QUIZ = Quiz(
    (
        Question(
            "What does a language model change in its weights when you add examples to the prompt?",
            ("Nothing", "The last layer", "The embeddings of the new words"),
            0,
            (
                "In-context learning is inference only: the same weights read a longer prompt.",
                "No layer changes. If one did, the next prompt would start from another model.",
                "No embedding changes. Every token of the prompt was in the vocabulary before.",
            ),
        ),
        Question(
            "Why are the examples of a few-shot prompt never taken from the test split?",
            (
                "The test split is too small",
                "The model would have seen an answer that it is tested on",
                "Test texts are longer than training texts",
            ),
            1,
            (
                "Even a large test split must not be used: the reason is what the model gets to see.",
                "A score is only worth something on cases whose answers the prompt did not hold.",
                "Length is not the reason. The splits here are alike in length.",
            ),
        ),
        Question(
            "A classifier by prompt is right on half of a balanced test set and says 'positive' every time. "
            "What does that tell you?",
            (
                "It finds sentiment half of the time",
                "Half of the reviews are unclear",
                "Its answers do not depend on the review",
            ),
            2,
            (
                "It would then say 'negative' now and then. Accuracy alone hides this: look at the predictions.",
                "The reviews were chosen to be clear by their human ratings. The model is at fault.",
                "One constant answer scores 0.50 on balanced labels. The probabilities behind it may still differ.",
            ),
        ),
        Question(
            "ROUGE-1 rises from one prompt to another. What is certain?",
            (
                "Outputs and references share more words, relative to their lengths",
                "The summaries are now true",
                "People will like the new summaries better",
            ),
            0,
            (
                "ROUGE counts shared words. Summaries of the wrong dialogue still scored most of the points.",
                "ROUGE does not check facts: you saw false summaries that scored.",
                "Nobody was asked. ROUGE is a cheap stand-in for a reader and must be read beside the texts.",
            ),
        ),
        Question(
            "When is it time to stop adding examples?",
            (
                "When the context window is full",
                "When more examples bring no gain that the validation data can show",
                "After five examples, always",
            ),
            1,
            (
                "A full window is slow and expensive, and the accuracy may have been better with fewer.",
                "Every example costs tokens at every request. Pay only for what can be measured.",
                "There is no fixed number. It depends on model, task and format, so it is measured.",
            ),
        ),
    )
)
