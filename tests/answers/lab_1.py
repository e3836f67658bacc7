"""Answers to the exercises of Lab 1 as learners write them: right ones in many styles, plausible wrong ones.

Each wrong one stands beside the sentence that it must get.
"""

import functools
import hashlib
import itertools
import math
import operator
import random
import re
import string
import textwrap
from collections import Counter, defaultdict
from decimal import Decimal
from fractions import Fraction
from statistics import mean, mode

import numpy as np
import pandas as pd
import torch
from rouge_score.rouge_scorer import RougeScorer

from tests import masters
from utils.prompts.templates import DIALOGUES, PLAIN, PlainTemplate, build_prompt

RIGHT: dict[str, list] = {}
WRONG: dict[str, list[tuple]] = {}
GIVEN: dict[str, dict] = {}
MASTER = masters.names(1)
SYMMETRIC = "Both texts count alike in the F-measure, and in what is shared."
RIGHT_BEFORE = "right = sum((said == label for said, label in zip(predictions, labels, strict=True)))"
PATCHES: dict[str, object] = {}
EXPLAINED: dict[tuple[str, str], str] = {
    ("1.4", f"{RIGHT_BEFORE} -> {RIGHT_BEFORE.replace('predictions, labels', 'labels, predictions')}"): (
        "Equality is the same from both sides."
    ),
    ("1.4", f"{RIGHT_BEFORE} -> {RIGHT_BEFORE.replace(', strict=True', '')}"): (
        "Both lists are of one length, as the exercise has them."
    ),
    (
        "1.6",
        "said, right = (Counter(prediction.lower().split()), Counter(reference.lower().split())) -> "
        "said, right = (Counter(reference.lower().split()), Counter(prediction.lower().split()))",
    ): SYMMETRIC,
    (
        "1.6",
        "precision, recall = (shared / sum(said.values()), shared / sum(right.values())) -> "
        "precision, recall = (shared / sum(right.values()), shared / sum(said.values()))",
    ): SYMMETRIC,
    ("1.6", "shared = sum((said & right).values()) -> shared = sum((right & said).values())"): SYMMETRIC,
    (
        "1.8",
        "return min(range(len(without)), key=lambda index: without[index] - full) -> "
        "return min(range(len(without)), key=lambda index: without[index] + full)",
    ): "`full` is the same for all examples, so it does not change which number is the lowest.",
    (
        "1.8",
        "return min(range(len(without)), key=lambda index: without[index] - full) -> "
        "return min(range(len(without)), key=lambda index: without[index])",
    ): "`full` is the same for all examples, so it does not change which number is the lowest.",
    (
        "1.2",
        "examples = [record.example for record in train[:shots]] -> examples = [record for record in train[:shots]]",
    ): "`build_prompt` takes records, too.",
    ("1.3", "rng.shuffle(drawn) -> pass"): "The order of what is drawn is free.",
}
"""Changed solutions that the checks let through, and why they compute the same."""

OTHER_DIALOGUE = "#Person1#: Have you fed the cat?\n#Person2#: Twice, and so has Grandma."
OTHER_SUMMARY = "#Person2# has fed the cat twice."

# 1.1: zero_shot(dialogue)


def zero_shot_by_join(dialogue):
    parts = ["Summarize the dialogue below.", dialogue, "Summary:"]
    return "\n\n".join(parts)


def zero_shot_by_sum(dialogue):
    text = "Here is a conversation between two people. Say in one sentence what it is about.\n"
    text += "\n" + dialogue + "\n"
    return text + "\nIn one sentence:"


def zero_shot_by_template(dialogue):
    """The text of a template with a name in it."""
    template = string.Template("Please give me the gist of this talk.\n\n$talk\n\nGist:")
    return template.substitute(talk=dialogue)


def zero_shot_by_dedent(dialogue):
    frame = textwrap.dedent(
        """\
        # Task
        Write a short summary of the dialogue.

        # Dialogue
        {}

        # Summary
        Summary:"""
    )
    return frame.format(dialogue)


def zero_shot_in_tags(dialogue):
    return f"You are a careful editor. Sum up the dialogue.\n<dialogue>\n{dialogue}\n</dialogue>\nSummary:"


def zero_shot_with_the_task_repeated(dialogue):
    return (
        f"Summarize the dialogue between the lines.\n---\n{dialogue}\n---\n"
        "Summarize the dialogue above in one sentence. Do not add turns.\nSummary:"
    )


def zero_shot_by_lines(conversation):
    lines = ["State the main point of this conversation.", ""]
    lines.extend(conversation.split("\n"))
    lines.append("")
    lines.append("Main point:")
    return "\n".join(lines)


class PromptMaker:
    """A prompt maker with a wording of its own."""

    def __init__(self, wording="Summarize the following dialogue in one sentence."):
        self.wording = wording

    def __call__(self, dialogue):
        return f"{self.wording}\n\n{dialogue}\n\nSummary:"

    def make(self, text):
        return self(text)


def fill(frame, dialogue):
    return frame.replace("DIALOGUE", dialogue)


RIGHT["1.1"] = [
    lambda d: f"次の対話を一文で要約してください。\n\n{d}\n\n要約：",
    lambda d: f"You are a secretary.\n\n```\n{d}\n```\n\nAssistant:",
    lambda dialogue: f"Summarize the following dialogue.\n\n{dialogue}\n\nSummary:",
    zero_shot_by_join,
    zero_shot_by_sum,
    zero_shot_by_template,
    zero_shot_by_dedent,
    zero_shot_in_tags,
    zero_shot_with_the_task_repeated,
    zero_shot_by_lines,
    PromptMaker(),
    PromptMaker("What is going on here?").make,
    functools.partial(fill, "Explain briefly what the two talk about.\n\nDIALOGUE\n\nThey talk about the following:"),
    "Write a TL;DR of the chat.\n\n{}\n\nTL;DR:".format,
    lambda dialogue: build_prompt("Summarize the dialogue.", dialogue, [], DIALOGUES),
    lambda dialogue: build_prompt("Say what happens.", query=dialogue, template=PlainTemplate("Talk", "What happens")),
    lambda d: f"Fasse das Gespräch in einem Satz zusammen.\n\n{d}\n\nZusammenfassung:",
    lambda d: f"Résumez ce dialogue en une phrase.\n\n{d}\n\nRésumé :",
    lambda d: f"请用一句话总结下面的对话。\n\n{d}\n\n总结\uff1a",
    lambda d: f"अगली बातचीत का सार एक वाक्य में लिखिए।\n\n{d}\n\nसार:",
    lambda d: f"Summarize:\n\n{d}\n\nSummary:",
    lambda d: f"# Form\nSummary: <one sentence>\n\n# Dialogue\n{d}\n\nSummary:",
    lambda d: 'Summarize the chat in 20 words.\n\n"""\n%s\n"""\n\nChat summary:' % d,  # noqa: UP031
    lambda d: f"SUMMARIZE THE DIALOGUE!\n\nDIALOGUE:\n{d}\n\nSUMMARY:",
    lambda d: f"Instruction: retell this in at most 15 words.\nInput:\n{d}\nOutput:",
    lambda d: f'Read the dialogue "{d}"\n\nNow tell a friend in one sentence what was said:',
    lambda d: f"Summarize the dialogue of #Person1# and #Person2#.\r\n\r\n{d}\r\n\r\nSummary:",
]


def zero_shot_of_the_first_turn(dialogue):
    return f"Summarize this dialogue.\n\n{dialogue.splitlines()[0]}\n\nSummary:"


def zero_shot_on_one_line(dialogue):
    return f"Summarize this dialogue.\n\n{' '.join(dialogue.split())}\n\nSummary:"


def zero_shot_of_a_dialogue_of_its_own(dialogue):
    return f"Summarize this dialogue.\n\n{OTHER_DIALOGUE}\n\nSummary:"


def zero_shot_that_prints(dialogue):
    print(f"Summarize this dialogue.\n\n{dialogue}\n\nSummary:")


def zero_shot_without_return_for_long_ones(dialogue):
    if len(dialogue) < 200:
        return f"Summarize this dialogue.\n\n{dialogue}\n\nSummary:"


def zero_shot_with_an_example(dialogue):
    return (
        f"Summarize the dialogue.\n\nDialogue:\n{OTHER_DIALOGUE}\nSummary: {OTHER_SUMMARY}\n\n"
        f"Dialogue:\n{dialogue}\nSummary:"
    )


def zero_shot_that_forgot_the_f(dialogue):
    return "Summarize this dialogue.\n\n{dialogue}\n\nSummary:"


def zero_shot_that_never_ends(dialogue):
    prompt = "Summarize this dialogue.\n\n" + dialogue
    while not prompt.endswith(":"):
        prompt = prompt.strip()
    return prompt


WRONG["1.1"] = [
    (lambda d: f"Summarize the dialogue.\n\n{d}\n\n{d}\n\nSummary:", "stands in this prompt twice"),
    (lambda d: ("Summarize.\n\n" + d + "\n\nSummary:").format(d), "places to be filled"),
    (lambda d: ("Sum up in %d words.\n\n" + d + "\n\nSummary:") % 20, "places to be filled"),
    (lambda d: "\n".join(f"Summarize.\n\n{d}\n\nSummary:"), "letter by letter"),
    (lambda d: input("Your prompt: "), "nobody is asked here|Nobody is asked here|closed file|stdin"),
    (lambda d: "Summarize.\n\n" + d.replace('"', "'") + "\n\nSummary:", "not in this prompt unchanged"),
    (lambda d: f"Summarize this dialogue.\n\n{d}\n\nSummary: ", "ends with a space"),
    (lambda d: f"Summarize this dialogue.\n\n{d}\n\nSummary:\n", "ends with an empty line"),
    (lambda d: f"{d}\n\nSummary:", "no instruction before"),
    (lambda d: f"Dialogue:\n{d}\n\nSummary:", "no instruction before"),
    (lambda d: f"{d}\n\nSummarize the dialogue above in one sentence.\nSummary:", "comes behind the dialogue"),
    (lambda d: f"{d}\n\nSummarize the dialogue above:", "comes behind the dialogue"),
    (lambda d: f"Summarize this dialogue.\n\nSummary:\n\n{d}", "ends with the dialogue"),
    (lambda d: f"Summarize this dialogue now.\n\n{d}", "ends with the dialogue"),
    (lambda d: f"Summarize this dialogue.\n\n{d}:", "ends with the dialogue"),
    (lambda d: f"Summarize this dialogue.\n\n{d}\n\n:", "A colon alone is no cue"),
    (lambda d: "\n".join(["Summarize it.", *filter(None, d.split("\n")), "Summary:"]), "not in this prompt unchanged"),
    (lambda d: d, "no instruction before"),
    (lambda d: f"Summarize this dialogue.\n\n{d[:40]}\n\nSummary:", "unchanged"),
    (lambda d: f"Summarize this dialogue.\n\n{d[:200]}\n\nSummary:", "unchanged"),
    (lambda d: f"Summarize this dialogue.\n\n{d.lower()}\n\nSummary:", "unchanged"),
    (lambda d: f"Summarize this dialogue.\n\n{d!r}\n\nSummary:", "unchanged"),
    (lambda d: f"Summarize.\n\n{d.replace('#Person1#', 'Ann').replace('#Person2#', 'Ben')}\n\nSummary:", "unchanged"),
    (lambda d: f"Summarize this dialogue.\n\n{d}\n\nGo", "does not end with a colon"),
    (lambda d: f"Summarize this dialogue.\n\n{d}\n\nSummary", "does not end with a colon"),
    (lambda d: f"Summarize this dialogue.\n\n{d}\n\nSummary: two people talk.", "does not end with a colon"),
    (lambda d: f"Summarize this dialogue.\n\n{d}\n\n**Summary:**", "does not end with a colon"),
    (lambda d: f"Summarize this dialogue.\n\n{d}\n\n#Person1#:", "more of the dialogue"),
    (lambda d: f"Summarize this dialogue.\n\n{d}Summary:", "stands on the dialogue's last line"),
    (lambda d: ["Summarize this dialogue.", d, "Summary:"], "One text, the prompt, was expected"),
    (lambda d: ("Summarize this dialogue.\n\n", d, "\n\nSummary:"), "One text, the prompt, was expected"),
    (lambda d: f"Summarize this dialogue.\n\n{d}\n\nSummary:".encode(), "One text, the prompt, was expected"),
    (lambda d: f"Summarize this dialogue.\n\n{d}\n\nDialogue:", "more of the dialogue"),
    (zero_shot_of_the_first_turn, "unchanged"),
    (zero_shot_on_one_line, "unchanged"),
    (zero_shot_of_a_dialogue_of_its_own, "not in this prompt at all"),
    (zero_shot_that_prints, "gave None"),
    (zero_shot_without_return_for_long_ones, "gave None"),
    (zero_shot_with_an_example, "without examples"),
    (zero_shot_that_forgot_the_f, "letter f is missing"),
    (zero_shot_that_never_ends, "did not end within"),
    (lambda d: f"Summarize this dialogue.\n\n{d.text}\n\nSummary:", "'str' object has no attribute 'text'"),
    (lambda d: f"Summarize this dialogue.\n\n{d.input_text}\n\nSummary:", "has no attribute 'input_text'"),
]

# 1.2: few_shot(dialogue, train, shots)


def few_shot_by_loop(dialogue, train, shots):
    prompt = "Summarize each dialogue in one sentence.\n\n"
    for number in range(shots):
        record = train[number]
        prompt += "Dialogue:\n" + record.input_text + "\nSummary: " + record.output_text + "\n\n"
    return prompt + "Dialogue:\n" + dialogue + "\nSummary:"


def few_shot_by_while(dialogue, train, shots):
    n, parts = 0, ["Write a summary of the last dialogue."]
    while n < shots:
        parts.append(f"{train[n].input_text}\n\nTL;DR: {train[n].output_text}")
        n += 1
    parts.append(f"{dialogue}\n\nTL;DR:")
    return "\n\n".join(parts)


def few_shot_in_tags(dialogue, train, shots):
    solved = "".join(
        f"<dialogue>\n{record.input_text}\n</dialogue>\n<summary>{record.output_text}</summary>\n"
        for record in train[:shots]
    )
    return f"Give the summary of the last dialogue.\n{solved}<dialogue>\n{dialogue}\n</dialogue>\n<summary>"


def few_shot_in_markdown(dialogue, train, shots):
    blocks = ["# Task\nSummarize the dialogue.\n"]
    for n, record in enumerate(train[:shots], start=1):
        blocks.append(f"## Example {n}\n### Dialogue\n{record.input_text}\n### Summary\n{record.output_text}\n")
    blocks.append(f"## Your turn\n### Dialogue\n{dialogue}\n### Summary\n")
    return "\n".join(blocks)


def few_shot_by_recursion(dialogue, train, shots):
    def solved(records):
        if not records:
            return ""
        return f"Q: {records[0].input_text}\nA: {records[0].output_text}\n\n" + solved(records[1:])

    return f"Say in a sentence what happens.\n\n{solved(train[:shots])}Q: {dialogue}\nA:"


def few_shot_by_islice(dialogue, train, shots):
    pairs = [(record.input_text, record.output_text) for record in itertools.islice(train, shots)]
    return build_prompt("Summarize the dialogue.", dialogue, pairs, template=DIALOGUES)


def few_shot_with_the_task_repeated(dialogue, train, shots):
    lines = ["Summarize the dialogue.", ""]
    for record in train[:shots]:
        lines += ["Dialogue:", record.input_text, "", f"Summary: {record.output_text}", ""]
    lines += ["Dialogue:", dialogue, "", "Summarize this last dialogue in the same way.", "Summary:"]
    return "\n".join(lines)


def few_shot_in_german(gespraech, beispiele, anzahl):
    teile = [f"Gespräch:\n{b.input_text}\nInhalt: {b.output_text}" for b in beispiele[:anzahl]]
    return "\n\n".join(["Fasse jedes Gespräch zusammen.", *teile, f"Gespräch:\n{gespraech}\nInhalt:"])


def few_shot_with_quotes(dialogue, train, shots):
    parts = ["Tell me what each talk is about."]
    parts += [f'Talk {n}:\n"{r.input_text}"\nSummary {n}: "{r.output_text}"' for n, r in enumerate(train[:shots], 1)]
    return "\n---\n".join([*parts, f'Talk:\n"{dialogue}"\nSummary:'])


def few_shot_with_numbers(dialogue, train, shots):
    text = "Below are dialogues, each with a summary. Complete the last summary.\n"
    for number, record in enumerate(train[:shots], 1):
        text += f"\nDialogue {number}:\n{record.input_text}\nSummary {number}: {record.output_text}\n"
    return text + f"\nDialogue {shots + 1}:\n{dialogue}\nSummary {shots + 1}:"


class FewShot:
    """A maker of prompts: the layout is the caller's."""

    def __init__(self, template=DIALOGUES):
        self.template = template

    def __call__(self, dialogue, train, shots):
        return build_prompt("Summarize the dialogue.", dialogue, train[:shots], self.template)


def few_shot_in(template, dialogue, train, shots):
    return build_prompt("What is this about?", dialogue, [record.example for record in train[:shots]], template)


def few_shot_by_frame(dialogue, train, shots):
    frame = pd.DataFrame([vars(record) for record in train[:shots]], columns=["input_text", "output_text"])
    rows = frame.apply(lambda row: f"Chat:\n{row.input_text}\nGist: {row.output_text}\n\n", axis=1) if shots else []
    return "Give the gist of the chat.\n\n" + "".join(rows) + f"Chat:\n{dialogue}\nGist:"


def few_shot_in_numbered_headings(dialogue, train, shots):
    rows = ["# Task", "Summarize.", ""]
    for n, record in enumerate(train[:shots], start=1):
        rows += [f"## Dialogue {n}", record.input_text, f"## Summary {n}", record.output_text, ""]
    return "\n".join([*rows, f"## Dialogue {shots + 1}", dialogue, f"## Summary {shots + 1}"])


def few_shot_with_the_question_in_each(dialogue, train, shots):
    question = "Summarize this dialogue in one sentence:\n\n"
    solved = "".join(f"{question}{r.input_text}\n\nSummary: {r.output_text}\n\n" for r in train[:shots])
    return f"{solved}{question}{dialogue}\n\nSummary:"


RIGHT["1.2"] = [
    few_shot_in_numbered_headings,
    few_shot_with_the_question_in_each,
    lambda dialogue, train, shots: build_prompt(
        "Summarize the dialogue.", dialogue, [record.example for record in train[:shots]], DIALOGUES
    ),
    lambda d, t, n: build_prompt("Sum up the talk in one sentence.", d, t[:n], DIALOGUES),
    few_shot_by_loop,
    few_shot_by_while,
    few_shot_in_tags,
    few_shot_in_markdown,
    few_shot_by_recursion,
    few_shot_by_islice,
    few_shot_with_the_task_repeated,
    few_shot_in_german,
    few_shot_with_numbers,
    few_shot_with_quotes,
    few_shot_by_frame,
    FewShot(),
    FewShot(PlainTemplate("Talk", "In short")),
    functools.partial(few_shot_in, PLAIN),
    lambda dialogue, train, shots: "\n".join(
        [
            "Summarize.",
            *(f"\n{example.input_text} => {example.output_text}" for example in train[:shots]),
            f"\n{dialogue} =>",
        ]
    ),
    lambda d, t, n: (
        "总结最后一段对话。\n\n"
        + "".join(f"对话\uff1a\n{r.input_text}\n总结\uff1a{r.output_text}\n\n" for r in t[:n])
        + f"对话\uff1a\n{d}\n总结\uff1a"
    ),
]


def few_shot_with(make):
    return lambda dialogue, train, shots: make(dialogue, [record.example for record in train[:shots]])


def few_shot_by_pop(dialogue, train, shots):
    examples = [train.pop(0).example for _ in range(shots)]
    return build_prompt("Summarize the dialogue.", dialogue, examples, DIALOGUES)


def few_shot_sorted(dialogue, train, shots):
    train.sort(key=lambda record: len(record.input_text))
    return build_prompt("Summarize the dialogue.", dialogue, train[:shots], DIALOGUES)


def few_shot_that_samples(dialogue, train, shots):
    return build_prompt("Summarize the dialogue.", dialogue, random.sample(train, shots), DIALOGUES)


def few_shot_that_returns_in_the_loop(dialogue, train, shots):
    prompt = "Summarize each dialogue.\n\n"
    for record in train[:shots]:
        prompt += f"Dialogue:\n{record.input_text}\nSummary: {record.output_text}\n\n"
        return prompt + f"Dialogue:\n{dialogue}\nSummary:"


def few_shot_without_return_at_zero(dialogue, train, shots):
    if shots > 0:
        return build_prompt("Summarize the dialogue.", dialogue, train[:shots], DIALOGUES)


def few_shot_that_never_ends(dialogue, train, shots):
    prompt, n = "Summarize each dialogue.\n\n", 0
    while n < shots:
        prompt += f"{train[n].input_text}\nSummary: {train[n].output_text}\n\n"[:1]
    return prompt + f"{dialogue}\nSummary:"


def few_shot_with_the_instruction_behind(dialogue, train, shots):
    solved = "\n\n".join(f"Dialogue:\n{r.input_text}\nSummary: {r.output_text}" for r in train[:shots])
    return f"{solved}\n\nDialogue:\n{dialogue}\nSummarize the dialogue.\nSummary:"


def few_shot_of_all_dialogues_then_all_summaries(dialogue, train, shots):
    talks = "\n\n".join(record.input_text for record in train[:shots])
    summaries = "\n".join(record.output_text for record in train[:shots])
    return f"Summarize each dialogue.\n\n{talks}\n\nSummaries: {summaries}\n\n{dialogue}\n\nSummary:"


def few_shot_without_new_lines(dialogue, train, shots):
    solved = "".join(f"Dialogue:\n{record.input_text}\nSummary: {record.output_text}" for record in train[:shots])
    return f"Summarize the dialogue.\n{solved}Dialogue:\n{dialogue}\nSummary:"


def few_shot_without_a_cue_in_the_examples(dialogue, train, shots):
    solved = "\n\n".join(f"{record.input_text}\n{record.output_text}" for record in train[:shots])
    return f"Summarize the dialogue.\n\n{solved}\n\n{dialogue}\nSummary:"


def few_shot_on_one_line(dialogue, train, shots):
    examples = [(record.input_text.replace("\n", " "), record.output_text) for record in train[:shots]]
    return build_prompt("Summarize the dialogue.", dialogue, examples, DIALOGUES)


def few_shot_of_the_first_again(dialogue, train, shots):
    return build_prompt("Summarize the dialogue.", dialogue, train[:1] * shots, DIALOGUES)


def few_shot_that_passes_records_as_text(dialogue, train, shots):
    return f"Summarize the dialogue.\n\n{train[:shots]}\n\nDialogue:\n{dialogue}\nSummary:"


def few_shot_without_an_f(dialogue, train, shots):
    solved = ["Dialogue:\n{record.input_text}\nSummary: {record.output_text}\n\n" for record in train[:shots]]
    return "Sum up.\n\n" + "".join(solved) + f"Dialogue:\n{dialogue}\nSummary:"


def few_shot_of_shifted_summaries(dialogue, train, shots):
    pairs = [(train[number].input_text, train[number - 1].output_text) for number in range(shots)]
    return build_prompt("Sum up.", dialogue, pairs, DIALOGUES)


WRONG["1.2"] = [
    (few_shot_without_an_f, "the letter f is missing"),
    (few_shot_of_shifted_summaries, "beside the wrong dialogue"),
    (few_shot_with(lambda d, e: build_prompt("Sum up.", d, [(a, b[:-1]) for a, b in e], DIALOGUES)), "a changed one"),
    (lambda d, t, n: build_prompt("Sum up.", d, DIALOGUES, t[:n]), "in the right order"),
    (lambda d, t, n: "".join(f"{r.input_text}" for r in n), "range"),
    (
        lambda d, t, n: build_prompt("Sum up.", d, [r.input_text for r in t[:n]], DIALOGUES),
        "give a record, .* `output_text`,",
    ),
    (few_shot_with(lambda d, e: build_prompt("Sum up.", d, e[:1], DIALOGUES)), "One shot is one example"),
    (lambda d, t, n: build_prompt("Sum up.", d, t[: n + 1], DIALOGUES), "One shot is one example"),
    (lambda d, t, n: build_prompt("Sum up.", d, t[: n - 1], DIALOGUES), "One shot is one example"),
    (lambda d, t, n: build_prompt("Sum up.", d, t, DIALOGUES), "`shots`"),
    (lambda d, t, n: build_prompt("Sum up.", d, t[:2], DIALOGUES), "`shots`"),
    (lambda d, t, n: build_prompt("Sum up.", d, [], DIALOGUES), "no example"),
    (lambda d, t, n: build_prompt("Sum up.", d, t[1 : n + 1], DIALOGUES), "first records"),
    (lambda d, t, n: build_prompt("Sum up.", d, t[-n:], DIALOGUES), "One shot is one example|first records"),
    (lambda d, t, n: build_prompt("Sum up.", d, t[::-1][:n], DIALOGUES), "first records"),
    (lambda d, t, n: build_prompt("Sum up.", d, t[:n][::-1], DIALOGUES), "in their order"),
    (few_shot_with(lambda d, e: build_prompt("Sum up.", d, [*e, (d, "x")], DIALOGUES)), "stands in the prompt twice"),
    (
        few_shot_with(
            lambda d, e: (
                "Sum up what is said.\n\n"
                + "\n\n".join(f"Dialogue:\n{a}" for a, _ in e)
                + f"\n\nDialogue:\n{d}\nSummary:"
            )
        ),
        "without its summary",
    ),
    (
        few_shot_with(
            lambda d, e: (
                "Sum up what is said.\n\n"
                + "\n\n".join(f"Summary: {b}" for _, b in e)
                + f"\n\nDialogue:\n{d}\nSummary:"
            )
        ),
        "without its dialogue",
    ),
    (
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
        few_shot_with(lambda d, e: build_prompt("Sum up.", e[0][0] if e else "nothing", e, DIALOGUES)),
        "The query is missing, .*not in this prompt at all",
    ),
    (
        few_shot_with(lambda d, e: build_prompt("Sum up.", d[:30], e, DIALOGUES)),
        "The query is missing, or a part of it.*unchanged",
    ),
    (
        few_shot_with(
            lambda d, e: build_prompt(
                "Sum up.", d, [(a, b) for (a, _), (_, b) in zip(e, e[1:] + e[:1], strict=True)], DIALOGUES
            )
        ),
        "wrong dialogue",
    ),
    (
        few_shot_with(lambda d, e: build_prompt("Sum up.", d, [(b, a) for a, b in e], DIALOGUES)),
        "before its dialogue|exchanged",
    ),
    (few_shot_with(lambda d, e: build_prompt("", d, e, DIALOGUES)), "no instruction"),
    (few_shot_with_the_instruction_behind, "no instruction before the first dialogue"),
    (few_shot_with(lambda d, e: build_prompt("Sum up.", d, e, DIALOGUES)[:-1]), "does not end where"),
    (
        few_shot_with(lambda d, e: build_prompt("Sum up.", d, e, DIALOGUES).removesuffix("\nSummary:")),
        "ends with the query",
    ),
    (few_shot_with(lambda d, e: build_prompt("Sum up.", d, e, DIALOGUES) + " They talk."), "does not end where"),
    (few_shot_by_pop, "changed `train`"),
    (few_shot_sorted, "changed `train`"),
    (few_shot_that_samples, "first records|in their order"),
    (few_shot_that_returns_in_the_loop, "gave None|One shot is one example"),
    (few_shot_without_return_at_zero, "gave None"),
    (few_shot_that_never_ends, "did not end within"),
    (few_shot_of_all_dialogues_then_all_summaries, "wrong dialogue|its own summary"),
    (few_shot_without_new_lines, "runs into the word behind it"),
    (few_shot_without_a_cue_in_the_examples, "the same words as behind the dialogues"),
    (few_shot_on_one_line, "The dialogue of an example is not .* unchanged"),
    (few_shot_of_the_first_again, "more than once"),
    (few_shot_that_passes_records_as_text, "as Python shows them|record"),
    (lambda d, t, n: [r.example for r in t[:n]], "One text, the prompt, was expected"),
    (lambda d, t, n: build_prompt("Sum up.", d, t[0], DIALOGUES), "stopped with"),
    (lambda d, t, n: build_prompt("Sum up.", d, [r["input_text"] for r in t[:n]], DIALOGUES), "stopped with TypeError"),
    (lambda d, t, n: build_prompt("Sum up.", d, [r.text for r in t[:n]], DIALOGUES), "no attribute 'text'"),
    (lambda d, n, t: build_prompt("Sum up.", d, t[:n], DIALOGUES), "stopped with TypeError"),
]

# 1.3: draw(train, shots, seed)


def of(train, label):
    return [review for review in train if review.label == label]


def draw_by_shuffle(train, shots, seed):
    rng, mixed = random.Random(seed), list(train)
    rng.shuffle(mixed)
    wanted = {"positive": shots // 2, "negative": shots // 2}
    drawn = []
    for review in mixed:
        if wanted[review.label] > 0:
            drawn.append(review)
            wanted[review.label] -= 1
    return drawn


def draw_by_numpy(train, shots, seed):
    rng = np.random.default_rng(seed)
    labels = np.array([review.label for review in train])
    chosen = [
        rng.choice(np.flatnonzero(labels == label), shots // 2, replace=False) for label in ("negative", "positive")
    ]
    return [train[i] for i in np.concatenate(chosen)]


def draw_as_an_array(train, shots, seed):
    rng = np.random.RandomState(seed)
    groups = [np.array(of(train, label), dtype=object) for label in ("positive", "negative")]
    return np.concatenate([group[rng.permutation(len(group))[: shots // 2]] for group in groups])


def draw_by_torch(train, shots, seed):
    generator = torch.Generator().manual_seed(seed)
    drawn = []
    for label in sorted({review.label for review in train}):
        some = of(train, label)
        drawn += [some[i] for i in torch.randperm(len(some), generator=generator)[: shots // 2]]
    return tuple(drawn)


def draw_by_pandas(train, shots, seed):
    frame = pd.DataFrame({"review": list(train), "label": [review.label for review in train]})
    return frame.groupby("label").sample(shots // 2, random_state=seed)["review"].tolist()


def draw_by_trying(train, shots, seed):
    """Draw one after the other and keep what is still missing."""
    rng, drawn = random.Random(seed), []
    while len(drawn) < shots:
        review = rng.choice(train)
        same = sum(other.label == review.label for other in drawn)
        if review not in drawn and same < shots // 2:
            drawn.append(review)
    return drawn


def draw_by_pops(train, shots, seed):
    rng, drawn = random.Random(seed), []
    for label in ("negative", "positive"):
        left = of(train, label)
        for _ in range(shots // 2):
            drawn.append(left.pop(rng.randrange(len(left))))
    return drawn


def draw_by_groups(train, shots, seed):
    groups = defaultdict(list)
    for review in train:
        groups[review.label].append(review)
    rng = random.Random(f"draw {seed}")
    return [review for label in sorted(groups) for review in rng.sample(groups[label], k=int(shots / 2))]


def draw_by_a_random_key(train, shots, seed):
    rng = random.Random(seed)
    order = sorted(train, key=lambda review: rng.random())
    return [*of(order, "positive")[: shots // 2], *of(order, "negative")[: shots // 2]]


def draw_in_turns(reviews, number, start):
    rng = random.Random(start)
    pairs = zip(
        rng.sample(of(reviews, "positive"), number // 2), rng.sample(of(reviews, "negative"), number // 2), strict=True
    )
    return list(itertools.chain.from_iterable(pairs))


def draw_and_put_the_state_back(train, shots, seed):
    before = random.getstate()
    random.seed(seed)
    drawn = random.sample(of(train, "positive"), shots // 2) + random.sample(of(train, "negative"), shots // 2)
    random.setstate(before)
    return drawn


def draw_by_rows(train, shots, seed):
    frame = pd.DataFrame(train).groupby("label").sample(n=shots // 2, random_state=seed)
    return list(frame.itertuples(index=False))


def draw_by_digest(train, shots, seed):
    order = sorted(train, key=lambda review: hashlib.sha256(f"{seed} {review.text}".encode()).digest())
    return of(order, "positive")[: shots // 2] + of(order, "negative")[: shots // 2]


def draw_one_by_one(train, shots, seed):
    rng = random.Random(seed)
    yield from rng.sample(of(train, "negative"), shots // 2)
    yield from rng.sample(of(train, "positive"), shots // 2)


class Drawer:
    """A drawer of reviews for any labels."""

    labels = ("negative", "positive")

    def __call__(self, train, shots, seed):
        rng = random.Random(seed)
        half = shots // len(self.labels)
        return functools.reduce(operator.add, (rng.sample(of(train, label), half) for label in self.labels))


def draw_by_filter(choose, train, shots, seed):
    half, rng = divmod(shots, 2)[0], random.Random(seed)
    positive = list(filter(lambda review: review.label == "positive", train))
    negative = list(filter(lambda review: review.label != "positive", train))
    return choose(rng, positive, half) + choose(rng, negative, half)


def draw_with(choose):
    return lambda train, shots, seed: choose(random.Random(seed), train, shots)


def draw_again_until_balanced(rng, train, shots):
    while True:
        drawn = rng.sample(list(train), shots)
        if 2 * sum(review.label == "positive" for review in drawn) == shots:
            return drawn


def draw_by_string_seed(train, shots, seed):
    rng = random.Random(f"draw {seed}")
    pools = {label: of(train, label) for label in ("negative", "positive")}
    return [pool.pop(rng.randrange(len(pool))) for _ in range(shots // 2) for pool in pools.values()]


RIGHT["1.3"] = [
    draw_with(draw_again_until_balanced),
    draw_by_string_seed,
    lambda train, shots, seed: (
        (rng := random.Random(seed)).sample(of(train, "positive"), shots // 2)
        + rng.sample(of(train, "negative"), shots // 2)
    ),
    draw_by_shuffle,
    draw_by_numpy,
    draw_as_an_array,
    draw_by_torch,
    draw_by_pandas,
    draw_by_trying,
    draw_by_pops,
    draw_by_groups,
    draw_by_a_random_key,
    draw_in_turns,
    draw_and_put_the_state_back,
    draw_by_rows,
    draw_by_digest,
    draw_one_by_one,
    Drawer(),
    Drawer().__call__,
    functools.partial(draw_by_filter, random.Random.sample),
]


def draw_that_shuffles_what_it_got(train, shots, seed):
    random.Random(seed).shuffle(train)
    return of(train, "positive")[: shots // 2] + of(train, "negative")[: shots // 2]


def draw_that_sorts_what_it_got(train, shots, seed):
    train.sort(key=lambda review: review.label)
    rng = random.Random(seed)
    return rng.sample(of(train, "positive"), shots // 2) + rng.sample(of(train, "negative"), shots // 2)


def draw_that_takes_out(train, shots, seed):
    rng, drawn = random.Random(seed), []
    for label in ("positive", "negative"):
        for review in rng.sample(of(train, label), shots // 2):
            train.remove(review)
            drawn.append(review)
    return drawn


def draw_with_the_global_numpy(train, shots, seed):
    np.random.seed(seed)
    chosen = [np.random.permutation(len(of(train, label)))[: shots // 2] for label in ("positive", "negative")]
    return [of(train, label)[i] for label, some in zip(("positive", "negative"), chosen, strict=True) for i in some]


def draw_with_the_global_torch(train, shots, seed):
    torch.manual_seed(seed)
    return [
        of(train, label)[i]
        for label in ("positive", "negative")
        for i in torch.randperm(len(of(train, label)))[: shots // 2]
    ]


def draw_with_the_global_shuffle(train, shots, seed):
    rng = random.Random(seed)
    drawn = rng.sample(of(train, "positive"), shots // 2) + rng.sample(of(train, "negative"), shots // 2)
    random.shuffle(drawn)
    return drawn


def draw_with_an_unseeded_order(train, shots, seed):
    rng = random.Random(seed)
    drawn = rng.sample(of(train, "positive"), shots // 2) + rng.sample(of(train, "negative"), shots // 2)
    random.Random().shuffle(drawn)
    return drawn


SHARED = random.Random(0)


def draw_with_a_generator_outside(train, shots, seed):
    return SHARED.sample(of(train, "positive"), shots // 2) + SHARED.sample(of(train, "negative"), shots // 2)


def draw_that_returns_shuffle(train, shots, seed):
    rng = random.Random(seed)
    return rng.shuffle(rng.sample(of(train, "positive"), shots // 2) + rng.sample(of(train, "negative"), shots // 2))


def draw_that_never_ends(train, shots, seed):
    drawn = []
    while len(drawn) < shots:
        review = random.Random(seed).choice(train)
        if review not in drawn:
            drawn.append(review)
    return drawn


def draw_of_one_seed(train, shots, seed=0):
    rng = random.Random(0)
    return rng.sample(of(train, "positive"), shots // 2) + rng.sample(of(train, "negative"), shots // 2)


def draw_that_only_shuffles(train, shots, seed):
    drawn = of(train, "positive")[: shots // 2] + of(train, "negative")[: shots // 2]
    random.Random(seed).shuffle(drawn)
    return drawn


def draw_from_the_first_half(train, shots, seed):
    rng, some = random.Random(seed), train[: len(train) // 2]
    return rng.sample(of(some, "positive"), min(shots // 2, len(of(some, "positive")))) + rng.sample(
        of(some, "negative"), shots // 2
    )


def draw_from_a_balanced_beginning(train, shots, seed):
    """The labels in the first places happen to be equal in number."""
    half = train[:shots]
    random.Random(seed).shuffle(half)
    return half


def draw_neighbours(train, shots, seed):
    """Reviews that stand one behind the other, from a place that is drawn."""
    rng, half = random.Random(seed), shots // 2
    starts = [(of(train, label), rng.randrange(len(of(train, label)) - half + 1)) for label in ("positive", "negative")]
    return [review for some, start in starts for review in some[start : start + half]]


WRONG["1.3"] = [
    (draw_neighbours, "different choices of"),
    (lambda t, n, seed: draw_by_string_seed(t, n, seed % 2), "only 2 different choices of"),
    (lambda t, n, seed: draw_by_string_seed(t, n, seed % 10), "only \\d+ different choices of"),
    (
        lambda t, n, seed: (
            (of(t, "positive") * 9)[seed % 99 :][: n // 2] + (of(t, "negative") * 9)[seed % 99 :][: n // 2]
        ),
        "different choices",
    ),
    (
        lambda t, n, seed: [(review.text, review.label) for review in draw_by_string_seed(t, n, seed)],
        "Return the reviews themselves",
    ),
    (
        lambda t, n, seed: [review.example for review in draw_by_string_seed(t, n, seed)],
        "Return the reviews themselves",
    ),
    (lambda t, n, seed: random.seed(seed).sample(t, n), "`shuffle` and `seed` give"),
    (lambda t, n, seed: random.Random(seed).shuffle(t[:n]), "returns what gives None itself"),
    (draw_with(lambda r, t, n: r.sample(t, n)), "not equal in number"),
    (
        draw_with(lambda r, t, n: r.choices(of(t, "positive"), k=n // 2) + r.choices(of(t, "negative"), k=n // 2)),
        "twice",
    ),
    (draw_with(lambda r, t, n: [r.choice(of(t, x)) for x in ("positive", "negative") for _ in range(n // 2)]), "twice"),
    (draw_with(lambda r, t, n: r.choices(of(t, "positive")[:2], k=n // 2) + of(t, "negative")[: n // 2]), "twice"),
    (draw_with(lambda r, t, n: of(t, "positive")[: n // 2] + of(t, "negative")[: n // 2]), "Every seed"),
    (draw_with(lambda r, t, n: r.sample(of(t, "positive"), n // 2) + of(t, "negative")[: n // 2]), "Only the positive"),
    (draw_with(lambda r, t, n: of(t, "positive")[: n // 2] + r.sample(of(t, "negative"), n // 2)), "Only the negative"),
    (
        draw_with(lambda r, t, n: r.sample(of(t, "positive"), n // 2) + of(t, "negative")[:n]),
        "number of reviews here is 3",
    ),
    (draw_with(lambda r, t, n: r.sample(of(t, "positive"), n // 2)), "number of reviews here is 1"),
    (
        draw_with(lambda r, t, n: r.sample(of(t, "positive"), n) + r.sample(of(t, "negative"), n)),
        "number of reviews here is 4",
    ),
    (
        draw_with(lambda r, t, n: r.sample(of(t, "positive"), n / 2) + r.sample(of(t, "negative"), n / 2)),
        "/ makes a float",
    ),
    (draw_with(lambda r, t, n: of(t, "positive")[: n / 2] + of(t, "negative")[: n / 2]), "/ makes a float"),
    (draw_with(lambda r, t, n: r.sample(of(t, "positive"), n)), "not equal in number"),
    (
        draw_with(lambda r, t, n: r.sample(of(t, "Positive"), n // 2) + r.sample(of(t, "Negative"), n // 2)),
        "stopped with ValueError",
    ),
    (draw_with(lambda r, t, n: [f"text {i + 100}" for i in range(n)]), "Return the reviews themselves"),
    (
        draw_with(
            lambda r, t, n: [x.text for x in r.sample(of(t, "positive"), n // 2) + r.sample(of(t, "negative"), n // 2)]
        ),
        "Return the reviews themselves",
    ),
    (draw_with(lambda r, t, n: r.sample(range(len(t)), n)), "These are places in the list"),
    (
        draw_with(lambda r, t, n: (r.sample(of(t, "positive"), n // 2), r.sample(of(t, "negative"), n // 2))),
        "Make one list",
    ),
    (
        draw_with(lambda r, t, n: set(r.sample(of(t, "positive"), n // 2) + r.sample(of(t, "negative"), n // 2))),
        "set has no order",
    ),
    (
        lambda t, n, seed: random.Random().sample(of(t, "positive"), n // 2) + of(t, "negative")[: n // 2],
        "two different draws",
    ),
    (
        lambda t, n, seed: (
            random.seed(seed) or random.sample(of(t, "positive"), n // 2) + random.sample(of(t, "negative"), n // 2)
        ),
        "Python's global random state",
    ),
    (
        lambda t, n, seed: random.sample(of(t, "positive"), n // 2) + random.sample(of(t, "negative"), n // 2),
        "Python's global random state",
    ),
    (draw_with_the_global_shuffle, "Python's global random state"),
    (draw_with_the_global_numpy, "numpy's global random state"),
    (draw_with_the_global_torch, "torch's global random state"),
    (draw_with_an_unseeded_order, "in another order"),
    (draw_with_a_generator_outside, "two different draws"),
    (draw_that_shuffles_what_it_got, "changed `train`"),
    (draw_that_sorts_what_it_got, "changed `train`"),
    (draw_that_takes_out, "changed `train`"),
    (draw_that_returns_shuffle, "gave None"),
    (draw_that_never_ends, "did not end within"),
    (draw_that_only_shuffles, "only in another order"),
    (draw_of_one_seed, "Every seed"),
    (draw_from_the_first_half, "never drawn|number of reviews"),
    (draw_from_a_balanced_beginning, "not equal in number"),
    (lambda train, shots, seed: 5, "A list of reviews was expected"),
    (lambda train, shots, seed: train[:shots], "not equal in number"),
    (lambda train, shots, seed: random.Random(shots).sample(train, shots), "not equal in number"),
]

# 1.4: accuracy_and_bias(predictions, labels)


def accuracy_and_bias_by_loop(predictions, labels):
    right = 0
    counts = {}
    for i in range(len(predictions)):
        if predictions[i] == labels[i]:
            right += 1
        counts[predictions[i]] = counts.get(predictions[i], 0) + 1
    return right / len(predictions), max(counts.values()) / len(predictions)


def accuracy_and_bias_by_numpy(predictions, labels):
    predictions, labels = np.array(predictions), np.array(labels)
    _, counts = np.unique(predictions, return_counts=True)
    return (predictions == labels).mean(), counts.max() / counts.sum()


def accuracy_and_bias_by_torch(predictions, labels):
    names = sorted(set(predictions) | set(labels))
    said, right = (torch.tensor([names.index(name) for name in some]) for some in (predictions, labels))
    bias = torch.bincount(said).max() / len(said)
    return (said == right).float().mean().item(), bias.item()


def accuracy_and_bias_as_a_tensor(predictions, labels):
    same = torch.tensor([a == b for a, b in zip(predictions, labels, strict=True)], dtype=torch.float32)
    return torch.stack([same.mean(), torch.tensor(max(map(predictions.count, predictions)) / len(predictions))])


def accuracy_and_bias_by_pandas(predictions, labels):
    frame = pd.DataFrame({"said": predictions, "label": labels})
    return frame["said"].eq(frame["label"]).mean(), frame["said"].value_counts(normalize=True).max()


def accuracy_and_bias_by_statistics(predictions, labels):
    return [mean(map(operator.eq, predictions, labels)), predictions.count(mode(predictions)) / len(predictions)]


def accuracy_and_bias_rounded(said, truth):
    accuracy = sum(1 for a, b in zip(said, truth, strict=True) if a == b) / len(truth)
    (_, times), *_ = Counter(said).most_common()
    return round(accuracy, 2), round(times / len(said), 2)


def accuracy_and_bias_by_sorting(predictions, labels):
    ordered = sorted(predictions)
    longest = max(len(list(run)) for _, run in itertools.groupby(ordered))
    return Fraction(sum(map(str.__eq__, predictions, labels)), len(labels)), Fraction(longest, len(ordered))


def accuracy_and_bias_one_by_one(predictions, labels):
    yield np.float32(sum(np.array(predictions) == np.array(labels)) / len(labels))
    yield np.float32(Counter(predictions).most_common(1)[0][1] / len(predictions))


def accuracy_and_bias_by_recursion(predictions, labels):
    def right(i):
        return 0 if i == len(labels) else (predictions[i] == labels[i]) + right(i + 1)

    return right(0) / len(labels), max(predictions.count(x) for x in set(predictions)) / len(predictions)


class Scores:
    """Scores of predictions."""

    def both(self, predictions, labels):
        return self.accuracy(predictions, labels), self.bias(predictions)

    @staticmethod
    def accuracy(predictions, labels):
        return 1 - sum(map(operator.ne, predictions, labels)) / len(labels)

    @staticmethod
    def bias(predictions):
        return pd.Series(predictions).value_counts().iloc[0] / len(predictions)

    def __call__(self, predictions, labels):
        return pd.Series({"accuracy": self.accuracy(predictions, labels), "bias": self.bias(predictions)})


def shares(divide, predictions, labels):
    hits = sum(said == label for said, label in zip(predictions, labels, strict=True))
    return divide(hits, len(labels)), divide(max(Counter(predictions).values()), len(labels))


RIGHT["1.4"] = [
    lambda predictions, labels: (
        sum(a == b for a, b in zip(predictions, labels, strict=True)) / len(labels),
        max(Counter(predictions).values()) / len(predictions),
    ),
    accuracy_and_bias_by_loop,
    accuracy_and_bias_by_numpy,
    accuracy_and_bias_by_torch,
    accuracy_and_bias_as_a_tensor,
    accuracy_and_bias_by_pandas,
    accuracy_and_bias_by_statistics,
    accuracy_and_bias_rounded,
    accuracy_and_bias_by_sorting,
    accuracy_and_bias_one_by_one,
    accuracy_and_bias_by_recursion,
    Scores(),
    Scores().both,
    functools.partial(shares, operator.truediv),
    functools.partial(shares, lambda a, b: Decimal(a) / Decimal(b)),
    lambda p, y: np.array([np.mean(np.array(p) == np.array(y)), max(p.count(x) for x in p) / len(p)], dtype=np.float32),
]


def right_share(predictions, labels):
    return sum(a == b for a, b in zip(predictions, labels, strict=True)) / len(labels)


def largest_share(labels):
    return max(Counter(labels).values()) / len(labels)


def accuracy_and_bias_with(make):
    """A function of accuracy and bias, which are right themselves."""
    return lambda predictions, labels: make(right_share(predictions, labels), largest_share(predictions))


def accuracy_and_bias_by_pop(predictions, labels):
    share, right, number = largest_share(predictions), 0, len(labels)
    while predictions:
        right += predictions.pop() == labels.pop()
    return right / number, share


def accuracy_and_bias_by_sort(predictions, labels):
    right = right_share(predictions, labels)
    predictions.sort()
    return right, max(len(list(run)) for _, run in itertools.groupby(predictions)) / len(predictions)


def accuracy_and_bias_that_returns_in_the_loop(predictions, labels):
    right = 0
    for a, b in zip(predictions, labels, strict=True):
        right += a == b
        return right / len(labels), largest_share(predictions)


def accuracy_and_bias_of_runs(predictions, labels):
    """The longest run, not the most frequent label."""
    return right_share(predictions, labels), max(len(list(r)) for _, r in itertools.groupby(predictions)) / len(labels)


def accuracy_and_bias_that_never_ends(predictions, labels):
    i = right = 0
    while i < len(labels):
        if predictions[i] == labels[i]:
            right += 1
            i += 1
    return right / len(labels), largest_share(predictions)


def accuracy_and_bias_without_return(predictions, labels):
    right = right_share(predictions, labels)
    if right != 1:
        return right, largest_share(predictions)


def accuracy_and_bias_of_the_wrong_ones(predictions, labels):
    return 1 - right_share(predictions, labels), largest_share(predictions)


def accuracy_and_bias_that_compares_the_lists(predictions, labels):
    return float(predictions == labels), largest_share(predictions)


WRONG["1.4"] = [
    (lambda p, y: (round(100 * right_share(p, y)), round(100 * largest_share(p))), "0.25 and not 25"),
    (lambda p, y: (right_share(p, y), Counter(p).most_common(1)[0] / len(p)), "A tuple is no number"),
    (
        lambda p, y: (right_share(p, y), max(len(list(same)) for _, same in itertools.groupby(p)) / len(p)),
        "second number is not",
    ),
    (
        lambda p, y: (sum(p[i] == y[i - 1] for i in range(len(p))) / len(p), largest_share(p)),
        "the accuracy, is not right",
    ),
    (lambda p, y: (sum(a == b for a, b in zip(p, y, strict=True)), 1.0), "Divide the one by the other"),
    (lambda p, y: (sum(map(operator.eq, p, y)), max(Counter(p).values())), "holds a count"),
    (lambda p, y: (right_share(p, y), max(Counter(p).values())), "holds a count"),
    (lambda p, y: (right_share(p, y), largest_share(y)), "counts the true labels"),
    (lambda p, y: (right_share(p, y), p.count("positive") / len(p)), "whichever"),
    (lambda p, y: (right_share(p, y), p.count(p[0]) / len(p)), "whichever"),
    (lambda p, y: (right_share(p, y), Counter(p).most_common(1)[0][0]), "A pair .*, each a number, was expected"),
    (lambda p, y: (right_share(p, y), Counter(p)), "A pair .*, each a number, was expected"),
    (lambda p, y: (right_share(p, y), min(Counter(p).values()) / len(p)), "least frequent"),
    (
        lambda p, y: (right_share(p, y), max(Counter(p).values()) / len(set(p))),
        "second number is not: .* Divide the one by the other",
    ),
    (lambda p, y: (right_share(p, y), 1 / len(set(p))), "most frequent"),
    (lambda p, y: (right_share(p, y), largest_share(p + y)), "counts both lists"),
    (
        lambda p, y: (right_share(p, y), largest_share([a for a, b in zip(p, y, strict=True) if a == b] or ["x"])),
        "second number is not",
    ),
    (lambda p, y: (right_share(p, y), largest_share(p) - 0.5), "most frequent"),
    (
        lambda p, y: (right_share(p, y), Counter(p)["positive"] / len(p) - Counter(p)["negative"] / len(p)),
        "most frequent",
    ),
    (right_share, "A pair .* was expected"),
    (lambda p, y: {"accuracy": right_share(p, y), "bias": largest_share(p)}, "A pair .* was expected"),
    (lambda p, y: f"{right_share(p, y)}, {largest_share(p)}", "A pair .* was expected"),
    (lambda p, y: ("a", "b"), "A pair .*, each a number, was expected"),
    (lambda p, y: (right_share(p, y), largest_share(p), len(p)), "A pair .* was expected"),
    (accuracy_and_bias_with(lambda a, b: (b, a)), "are exchanged"),
    (accuracy_and_bias_with(lambda a, b: (100 * a, 100 * b)), "0.8 and not 80"),
    (accuracy_and_bias_with(lambda a, b: (a, 100 * b)), "0.8 and not 80"),
    (accuracy_and_bias_with(lambda a, b: (int(a), int(b))), "//"),
    (accuracy_and_bias_with(lambda a, b: (round(a), round(b))), "rounded too far"),
    (accuracy_and_bias_with(lambda a, b: (round(a, 1), round(b, 1))), "rounded|digits"),
    (lambda p, y: (sum(map(operator.eq, p, y)) // len(y), max(Counter(p).values()) // len(p)), "//"),
    (lambda p, y: (len(set(p) & set(y)) / len(set(y)), largest_share(p)), "place by place"),
    (lambda p, y: ((Counter(p) & Counter(y)).total() / len(y), largest_share(p)), "place by place"),
    (lambda p, y: (sum(x in y for x in p) / len(p), largest_share(p)), "place by place"),
    (lambda p, y: (right_share(sorted(p), sorted(y)), largest_share(p)), "place by place"),
    (lambda p, y: (sum(map(operator.eq, p[1:], y[1:])) / len(y), largest_share(p)), "first"),
    (
        lambda p, y: (sum(map(operator.eq, p, y)) / (len(y) - 1), largest_share(p)),
        "The first number, the accuracy, is not right",
    ),
    (
        lambda p, y: (sum(map(operator.eq, p, y)) / (len(p) + len(y)), largest_share(p)),
        "The first number, the accuracy, is not right",
    ),
    (lambda p, y: (0.5, 0.75), "The first number, the accuracy, is not right"),
    (accuracy_and_bias_by_pop, "changed `predictions`"),
    (accuracy_and_bias_by_sort, "changed `predictions`"),
    (accuracy_and_bias_that_returns_in_the_loop, "accuracy"),
    (accuracy_and_bias_of_runs, "most frequent"),
    (accuracy_and_bias_that_never_ends, "did not end within"),
    (accuracy_and_bias_without_return, "gave None"),
    (accuracy_and_bias_of_the_wrong_ones, "share of wrong"),
    (accuracy_and_bias_that_compares_the_lists, "compares them as a whole"),
    (lambda p, y: (np.mean(np.array(p) == np.array(y)), np.mean(np.array(p))), "stopped with"),
]

# 1.5: enough_shots(table)


def enough_shots_by_loop(table):
    best_accuracy, best_low = -1, None
    for shots in table.index:
        if table.loc[shots, "accuracy"] > best_accuracy:
            best_accuracy, best_low = table.loc[shots, "accuracy"], table.loc[shots, "low"]
    for shots in table.index:
        if table.loc[shots, "accuracy"] >= best_low:
            return shots


def enough_shots_by_query(table):
    low = table.sort_values("accuracy").iloc[-1]["low"]
    return table.query(f"accuracy >= {low}").index.min()


def enough_shots_by_numpy(table):
    accuracy, low = table["accuracy"].to_numpy(), table["low"].to_numpy()
    return table.index.to_numpy()[np.argmax(accuracy >= low[accuracy.argmax()])]


def enough_shots_by_dictionaries(table):
    rows = table.reset_index().to_dict("records")
    best = max(rows, key=lambda row: row["accuracy"])
    return min(row["shots"] for row in rows if not row["accuracy"] < best["low"])


def enough_shots_by_tuples(table):
    rows = list(zip(table.index, table.accuracy, table.low, strict=True))
    _, _, low = max(rows, key=operator.itemgetter(1))
    return next(shots for shots, accuracy, _ in rows if accuracy >= low)


def enough_shots_by_torch(table):
    accuracy, low = torch.tensor(table["accuracy"].values), torch.tensor(table["low"].values)
    enough = accuracy >= low[accuracy.argmax()]
    return torch.tensor(table.index.to_numpy())[enough].min()


def enough_shots_by_nlargest(measured):
    low = measured.nlargest(1, "accuracy").low.item()
    return sorted(measured.index[measured.accuracy.ge(low)])[0]


def enough_shots_by_iterrows(table):
    best = table.loc[table["accuracy"].idxmax()]
    found = [shots for shots, row in table.iterrows() if row["accuracy"] >= best["low"]]
    return float(min(found))


def enough_shots_by_recursion(table):
    low = table.low[table.accuracy.idxmax()]

    def first(rows):
        return rows.index[0] if rows["accuracy"].iloc[0] >= low else first(rows.iloc[1:])

    return first(table)


class Cheapest:
    """The cheapest number of shots that is good enough in a column."""

    def __init__(self, column="accuracy"):
        self.column = column

    def __call__(self, table):
        return int(table.index[table[self.column] >= table.at[table[self.column].idxmax(), "low"]][0])


def enough_shots_of(column, table):
    best = table[column].max()
    low = table[table[column] == best]["low"].iloc[0]
    return table[table[column] >= low].first_valid_index()


RIGHT["1.5"] = [
    lambda table: table.index[table["accuracy"] >= table["low"][table["accuracy"].idxmax()]].min(),
    enough_shots_by_loop,
    enough_shots_by_query,
    enough_shots_by_numpy,
    enough_shots_by_dictionaries,
    enough_shots_by_tuples,
    enough_shots_by_torch,
    enough_shots_by_nlargest,
    enough_shots_by_iterrows,
    enough_shots_by_recursion,
    Cheapest(),
    Cheapest().__call__,
    functools.partial(enough_shots_of, "accuracy"),
    lambda t: (t.accuracy >= t.low.loc[t.accuracy.idxmax()]).idxmax(),
    lambda t: np.array([n for n in t.index if t.accuracy[n] >= t.low[t.accuracy.idxmax()]])[0],
]


def enough_shots_that_sorts_in_place(table):
    low = table["low"][table["accuracy"].idxmax()]
    table.sort_values("accuracy", ascending=False, inplace=True)
    return table.index[table["accuracy"] >= low].min()


def enough_shots_with_a_new_column(table):
    table["enough"] = table["accuracy"] >= table["low"][table["accuracy"].idxmax()]
    return table.index[table["enough"]].min()


def enough_shots_that_never_ends(table):
    low, n = table["low"][table["accuracy"].idxmax()], 0
    while table["accuracy"].iloc[n] < low:
        n = n
    return table.index[n]


def enough_shots_without_return_for_the_best(table):
    best = table["accuracy"].idxmax()
    for shots in table.index:
        if shots != best and table["accuracy"][shots] >= table["low"][best]:
            return shots


def enough_shots_from_overlap(table):
    """The first interval that overlaps with the best one."""
    low = table["low"][table["accuracy"].idxmax()]
    return table.index[table["high"] >= low].min()


def enough_shots_with_its_own_low(table):
    return table.index[table["accuracy"] >= table["low"]].min()


def the_table_of_the_lab(table):
    known = pd.DataFrame(
        {"accuracy": [0.8, 0.79, 0.82, 0.72, 0.82, 0.87], "low": [0.65, 0.61, 0.7, 0.59, 0.7, 0.75]},
        index=[0, 1, 2, 4, 8, 16],
    )
    return known.index[known["accuracy"] >= known["low"][known["accuracy"].idxmax()]].min()


WRONG["1.5"] = [
    (lambda t: min(n for n in t.index[t["accuracy"] >= t["low"][t["accuracy"].idxmax()]] if n), "0 is left out"),
    (lambda t: t.index[t["accuracy"].round(2) >= t["low"].round(2)[t["accuracy"].idxmax()]].min(), "is below it"),
    (
        lambda t: t.index[(100 * t["accuracy"]).astype(int) >= int(100 * t["low"][t["accuracy"].idxmax()])].min(),
        "is below it",
    ),
    (lambda t: t["accuracy"] >= t["low"].max() or t, "cannot ask many numbers at once"),
    (lambda t: [row["accuracy"] for row in t], "a loop over a table"),
    (lambda t: t["low"][t["accuracy"].argmax()], "There is no 3 in .*iloc"),
    (lambda t: t["accuracy"].idxmax(), "row with the best accuracy. A smaller"),
    (lambda t: t.index.min(), "first row of every table"),
    (lambda t: 0, "is below it"),
    (lambda t: t.index.max(), "largest number of shots in every"),
    (lambda t: t["accuracy"].max(), "One number of shots was expected"),
    (lambda t: t["low"][t["accuracy"].idxmax()], "One number of shots was expected"),
    (
        lambda t: t.index[t["accuracy"] >= t["low"][t["accuracy"].idxmax()]].max(),
        "largest number of shots that is accurate enough",
    ),
    (lambda t: t.index[t["accuracy"] >= t["low"].max()].min(), "is not the `low` of the row with the best"),
    (lambda t: t.index[t["accuracy"] >= t["low"].min()].min(), "first row of every table"),
    (lambda t: t.index[t["accuracy"] >= t["low"].mean()].min(), "`low` of the row"),
    (
        lambda t: t.index[t["low"] >= t["low"][t["accuracy"].idxmax()]].min(),
        "compares `low` with `low`",
    ),
    (lambda t: t.index[t["accuracy"] > t["low"][t["accuracy"].idxmax()]].min(), "equal to the bound"),
    (lambda t: t.index[t["accuracy"] < t["low"][t["accuracy"].idxmax()]].min(), "goes the other way"),
    (lambda t: t.index[t["accuracy"] <= t["low"][t["accuracy"].idxmax()]].min(), "goes the other way"),
    (lambda t: t.index[t["accuracy"] >= t["accuracy"].max() - 0.05].min(), "`low` of the row"),
    (lambda t: t.index[t["accuracy"] >= t["accuracy"].mean()].min(), "made of accuracies"),
    (lambda t: t.index[t["worst seed"] >= t["low"][t["accuracy"].idxmax()]].min(), "`accuracy`"),
    (lambda t: t.index[t["accuracy"] >= t["high"][t["accuracy"].idxmax()]].min(), "nan is what"),
    (lambda t: t.index[t["accuracy"] >= t["low"][t["accuracy"].idxmin()]].min(), "`low` of the row"),
    (lambda t: t.index[t["accuracy"] >= t["low"].iloc[0]].min(), "`low` of the row"),
    (lambda t: t.index[t["accuracy"] >= t["low"].iloc[-1]].min(), "`low` of the row"),
    (
        lambda t: int(np.argmax(t["accuracy"].values >= t["low"][t["accuracy"].idxmax()])),
        "the row's place in the table",
    ),
    (lambda t: t.index[t["accuracy"] >= t["low"][t["accuracy"].idxmax()]], "One number of shots was expected"),
    (
        lambda t: list(t.index[t["accuracy"] >= t["low"][t["accuracy"].idxmax()]])[:1],
        "One number of shots was expected",
    ),
    (lambda t: t[t["accuracy"] >= t["low"][t["accuracy"].idxmax()]].iloc[0], "One number of shots was expected"),
    (
        lambda t: str(t.index[t["accuracy"] >= t["low"][t["accuracy"].idxmax()]].min()),
        "One number of shots was expected",
    ),
    (
        lambda t: t.index[t["accuracy"] >= t["low"][t["accuracy"].argmax()]].min(),
        "stopped with KeyError|place in the table|`low` of the row",
    ),
    (lambda t: t["shots"][t["accuracy"] >= t["low"][t["accuracy"].idxmax()]].min(), "stopped with KeyError"),
    (lambda t: t.index[t["acc"] >= 0.5].min(), "stopped with KeyError"),
    (enough_shots_that_sorts_in_place, "changed `table`"),
    (enough_shots_with_a_new_column, "changed `table`"),
    (enough_shots_that_never_ends, "did not end within"),
    (enough_shots_without_return_for_the_best, "gave None"),
    (enough_shots_from_overlap, "whether the intervals overlap"),
    (enough_shots_with_its_own_low, "such as its own `low`"),
    (the_table_of_the_lab, "is below it"),
    (0, "function enough_shots itself"),
    (4, "function enough_shots itself"),
]

# 1.6: rouge1_f(prediction, reference)


def rouge_by_loop(prediction, reference):
    said, left = prediction.lower().split(), reference.lower().split()
    total, shared = len(left), 0
    for word in said:
        if word in left:
            left.remove(word)
            shared += 1
    if not shared:
        return 0
    precision, recall = shared / len(said), shared / total
    return 2 * precision * recall / (precision + recall)


def rouge_in_short(prediction, reference):
    a, b = Counter(prediction.lower().split()), Counter(reference.lower().split())
    return 2 * sum((a & b).values()) / max(1, a.total() + b.total())


def rouge_by_sets(prediction, reference):
    said, right = prediction.upper().split(), reference.upper().split()
    shared = sum(min(said.count(word), right.count(word)) for word in set(said) & set(right))
    return 2 * shared / (len(said) + len(right)) if shared else 0.0


def rouge_by_numpy(prediction, reference):
    said, right = np.array(prediction.lower().split(), dtype=str), np.array(reference.lower().split(), dtype=str)
    words = np.union1d(said, right)
    counts = [np.array([(some == word).sum() for word in words]) for some in (said, right)]
    shared = np.minimum(*counts).sum()
    if shared == 0:
        return np.float32(0)
    precision, recall = (np.float32(shared / count.sum()) for count in counts)
    return 2 * precision * recall / (precision + recall)


def rouge_by_pandas(prediction, reference):
    said, right = (pd.Series(text.casefold().split(), dtype=object).value_counts() for text in (prediction, reference))
    shared = pd.concat([said, right], axis=1).fillna(0).min(axis=1).sum()
    if shared == 0:
        return 0.0
    return round(2 * shared / (said.sum() + right.sum()), 3)


def rouge_by_torch(prediction, reference):
    a, b = prediction.lower().split(), reference.lower().split()
    words = sorted({*a, *b})
    counts = torch.tensor([[text.count(word) for text in (a, b)] for word in words], dtype=torch.float32).reshape(-1, 2)
    shared = counts.amin(dim=1).sum()
    return torch.where(shared > 0, 2 * shared / counts.sum(), torch.tensor(0.0))


def rouge_by_merging(prediction, reference):
    """Both lists sorted, and two fingers that go through them."""
    a, b = sorted(prediction.lower().split()), sorted(reference.lower().split())
    i = j = shared = 0
    while i < len(a) and j < len(b):
        if a[i] == b[j]:
            shared, i, j = shared + 1, i + 1, j + 1
        elif a[i] < b[j]:
            i += 1
        else:
            j += 1
    return Fraction(2 * shared, len(a) + len(b)) if shared else Fraction(0)


def rouge_by_recursion(prediction, reference):
    def shared(said, right):
        if not said:
            return 0
        first, *rest = said
        if first in right:
            at = right.index(first)
            return 1 + shared(rest, right[:at] + right[at + 1 :])
        return shared(rest, right)

    a, b = prediction.lower().split(), reference.lower().split()
    return 2 * n / (len(a) + len(b)) if (n := shared(a, b)) else 0.0


def rouge_by_trying(prediction, reference):
    a, b = Counter(prediction.lower().split(" ")), Counter(reference.lower().split(" "))
    both = sum((a & b).values())
    precision, recall = both / sum(a.values()), both / sum(b.values())
    try:
        return 2 * precision * recall / (precision + recall)
    except ZeroDivisionError:
        return 0


def rouge_by_harmony(prediction, reference):
    a, b = Counter(prediction.lower().split()), Counter(reference.lower().split())
    shared = sum(min(a[word], b[word]) for word in a)
    if shared == 0:
        return 0.0
    return 1 / ((sum(a.values()) / shared + sum(b.values()) / shared) / 2)


class Rouge:
    """ROUGE-1 between 0 and 1."""

    def __call__(self, prediction, reference):
        return self.score(prediction, reference)

    @staticmethod
    def words(text):
        return Counter(re.findall(r"\S+", text.lower()))

    def score(self, prediction, reference):
        a, b = self.words(prediction), self.words(reference)
        shared = a.total() - (a - b).total()
        return Decimal(2 * shared) / Decimal(a.total() + b.total()) if shared else Decimal(0)


def f_measure(beta, prediction, reference):
    a, b = Counter(prediction.lower().split()), Counter(reference.lower().split())
    shared = (a & b).total()
    if not shared:
        return 0.0
    precision, recall = shared / a.total(), shared / b.total()
    return (1 + beta**2) * precision * recall / (beta**2 * precision + recall)


RIGHT["1.6"] = [
    rouge_in_short,
    rouge_by_loop,
    rouge_by_sets,
    rouge_by_numpy,
    rouge_by_pandas,
    rouge_by_torch,
    rouge_by_merging,
    rouge_by_recursion,
    rouge_by_trying,
    rouge_by_harmony,
    Rouge(),
    Rouge().score,
    functools.partial(f_measure, 1),
    lambda p, r: (
        2 * s / (len(p.split()) + len(r.split()))
        if (s := len(list((Counter(p.lower().split()) & Counter(r.lower().split())).elements())))
        else 0
    ),
]


def rouge_with(measure, read=lambda text: text.lower().split(), count=Counter):
    """A function of the numbers of shared, said and right words."""

    def rouge(prediction, reference):
        a, b = count(read(prediction)), count(read(reference))
        return measure(sum((a & b).values()), sum(a.values()), sum(b.values()))

    return rouge


def of_both(shared, said, right):
    return 2 * shared / (said + right) if shared else 0.0


def once(words):
    return Counter(set(words))


def rouge_without_an_empty_prediction(prediction, reference):
    return rouge_with(lambda s, a, b: s / a and 2 * s / (a + b))(prediction, reference)


def rouge_without_an_empty_reference(prediction, reference):
    return rouge_with(lambda s, a, b: 0.0 if a == 0 else s / b and 2 * s / (a + b))(prediction, reference)


def rouge_without_zero(prediction, reference):
    a, b = Counter(prediction.lower().split()), Counter(reference.lower().split())
    shared = (a & b).total()
    precision, recall = shared / max(a.total(), 1), shared / max(b.total(), 1)
    return 2 * precision * recall / (precision + recall)


def rouge_without_return_at_zero(prediction, reference):
    shared = rouge_in_short(prediction, reference)
    if shared:
        return shared


def rouge_of_all_in(prediction, reference):
    """Precision and recall as the text's first half says them, repeated words and all."""
    a, b = prediction.lower().split(), reference.lower().split()
    precision, recall = sum(w in b for w in a) / max(1, len(a)), sum(w in a for w in b) / max(1, len(b))
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def rouge_of_places(prediction, reference):
    a, b = prediction.lower().split(), reference.lower().split()
    shared = sum(map(operator.eq, a, b))
    return of_both(shared, len(a), len(b))


def rouge_of_letters(prediction, reference):
    return rouge_with(of_both, lambda text: text.lower())(prediction, reference)


def rouge_of_pairs(prediction, reference):
    return rouge_with(of_both, lambda text: itertools.pairwise(text.lower().split()))(prediction, reference)


def rouge_of_substrings(prediction, reference):
    a, b = prediction.lower().split(), reference.lower().split()
    return of_both(sum(word in reference.lower() for word in a), len(a), len(b))


def rouge_that_never_ends(prediction, reference):
    said, right, shared = prediction.lower().split(), reference.lower().split(), 0
    a, b = len(said), len(right)
    while said:
        if said[0] in right:
            right.remove(said[0])
            said, shared = said[1:], shared + 1
    return of_both(shared, a, b)


def rouge_of_the_package(prediction, reference):
    return RougeScorer(["rouge1"], use_stemmer=True).score(reference, prediction)["rouge1"].fmeasure


def rouge_of_different_words(prediction, reference):
    said, right = Counter(prediction.lower().split()), Counter(reference.lower().split())
    shared = (said & right).total()
    return 2 * shared / (len(said) + len(right)) if shared else 0.0


WRONG["1.6"] = [
    (rouge_with(lambda s, a, b: 2 * (s / a) * (s / b) / (s / a) + s / b if s else 0), "Brackets are missing"),
    (rouge_of_different_words, "each different word counts once"),
    (lambda p, r: 1j, "a complex number"),
    (rouge_with(of_both, count=once), "counted once here"),
    (rouge_with(of_both, lambda text: text.split()), "Upper and lower case"),
    (rouge_with(lambda s, a, b: s / b if b else 0), "the recall"),
    (rouge_with(lambda s, a, b: s / a if a else 0), "the precision"),
    (rouge_with(lambda s, a, b: (s / a + s / b) / 2 if s else 0), "mean of precision and recall"),
    (rouge_with(lambda s, a, b: math.sqrt(s * s / a / b) if s else 0), "root"),
    (rouge_with(lambda s, a, b: s / (a + b) if s else 0), "factor 2 is missing"),
    (rouge_with(lambda s, a, b: s / (a + b - s) if s else 0), "words of either text"),
    (rouge_with(lambda s, a, b: s * s / a / b if s else 0), "product"),
    (rouge_with(lambda s, a, b: s / max(a, b) if s else 0), "longer"),
    (rouge_with(lambda s, a, b: s / min(a, b) if s else 0), "shorter"),
    (rouge_with(lambda s, a, b: 100 * of_both(s, a, b)), "0.8 and not 80"),
    (rouge_with(lambda s, a, b: s), "number of shared words"),
    (
        rouge_with(lambda s, a, b: (s / a, s / b, of_both(s, a, b)) if s else (0, 0, 0)),
        "One number, the F-measure, was expected",
    ),
    (rouge_with(lambda s, a, b: str(of_both(s, a, b))), "One number, the F-measure, was expected"),
    (rouge_with(lambda s, a, b: 2 * s // (a + b) if s else 0), "//"),
    (rouge_with(lambda s, a, b: round(of_both(s, a, b), 1)), "rounded too far"),
    (rouge_with(lambda s, a, b: of_both(s, a, b) if s else 1.0), "no word in common.* Nothing is shared"),
    (rouge_with(of_both, lambda text: re.findall(r"\w+", text.lower())), "Marks are taken off"),
    (rouge_with(of_both, lambda text: [w.strip(".,!?") for w in text.lower().split()]), "Marks are taken off"),
    (lambda p, r: rouge_with(lambda s, a, b: s / a if a else 0, count=once)(p, r), "as often as it stands in both"),
    (
        lambda p, r: 2 * (x := rouge_with(lambda s, a, b: s / a)(p, r)) * x / (x + x),
        "the precision",
    ),
    (
        lambda p, r: of_both(len(set(p.lower().split()) & set(r.lower().split())), len(p.split()), len(r.split())),
        "as often as",
    ),
    (lambda p, r: 6 / 7, "3 shared"),
    (rouge_without_an_empty_prediction, "ZeroDivisionError"),
    (rouge_without_an_empty_reference, "ZeroDivisionError"),
    (rouge_without_zero, "ZeroDivisionError"),
    (rouge_without_return_at_zero, "gave None"),
    (rouge_of_all_in, "looked up in the other text"),
    (rouge_of_places, "at the same place only"),
    (rouge_of_letters, "counts letters"),
    (rouge_of_pairs, "pairs of words"),
    (rouge_of_substrings, "whole words"),
    (rouge_with(of_both, lambda text: [w.rstrip("s") for w in text.lower().split()]), "1 shared|2 shared"),
    (rouge_that_never_ends, "did not end within"),
    (rouge_of_the_package, "marks belong to their word"),
]

# 1.7: shots_that_fit(example_lengths, query_length, max_new_tokens, window)


def fit_by_for(example_lengths, query_length, max_new_tokens, window):
    used = query_length + max_new_tokens
    for number, length in enumerate(example_lengths):
        used += length
        if used > window:
            return number
    return len(example_lengths)


def fit_by_while(example_lengths, query_length, max_new_tokens, window):
    n = 0
    while n < len(example_lengths) and sum(example_lengths[: n + 1]) + query_length + max_new_tokens <= window:
        n += 1
    return n


def fit_by_accumulate(example_lengths, query_length, max_new_tokens, window):
    sums = itertools.accumulate(example_lengths, initial=query_length + max_new_tokens)
    return max(0, sum(1 for _ in itertools.takewhile(lambda used: used <= window, sums)) - 1)


def fit_by_numpy(example_lengths, query_length, max_new_tokens, window):
    return np.searchsorted(np.cumsum(example_lengths), window - query_length - max_new_tokens, side="right")


def fit_by_mask(example_lengths, query_length, max_new_tokens, window):
    return (np.cumsum(example_lengths) <= window - query_length - max_new_tokens).sum()


def fit_by_torch(example_lengths, query_length, max_new_tokens, window):
    used = torch.cumsum(torch.tensor(example_lengths, dtype=torch.long), dim=0) + query_length + max_new_tokens
    return (used <= window).sum()


def fit_by_pandas(example_lengths, query_length, max_new_tokens, window):
    used = pd.Series(example_lengths, dtype=float).cumsum().add(query_length + max_new_tokens)
    return used.le(window).sum()


def fit_by_recursion(lengths, query, new, window):
    if not lengths or query + new + lengths[0] > window:
        return 0
    return 1 + fit_by_recursion(lengths[1:], query + lengths[0], new, window)


def fit_by_pop_of_a_copy(example_lengths, query_length, max_new_tokens, window):
    left, room, count = list(example_lengths), window - (query_length + max_new_tokens), 0.0
    while left:
        room -= left.pop(0)
        if room < 0:
            break
        count += 1
    return count


def fit_from_above(lengths, query, new, window):
    for n in range(len(lengths), 0, -1):
        if query + new + sum(lengths[:n]) <= window:
            return n
    return 0


def fit_by_next(lengths, query, new, window):
    used = itertools.accumulate(lengths)
    return next((n for n, tokens in enumerate(used) if tokens > window - query - new), len(lengths))


class Window:
    """A context window of a fixed size."""

    def shots(self, example_lengths, query_length, max_new_tokens, window):
        room, shots = window - query_length - max_new_tokens, []
        for length in example_lengths:
            if length > room:
                break
            room -= length
            shots.append(length)
        return len(shots)

    __call__ = shots


def fit_if(fits, lengths, query, new, window):
    return sum(fits(query + new + sum(lengths[: i + 1]), window) for i in range(len(lengths)))


RIGHT["1.7"] = [
    fit_by_for,
    fit_by_while,
    fit_by_accumulate,
    fit_by_numpy,
    fit_by_mask,
    fit_by_torch,
    fit_by_pandas,
    fit_by_recursion,
    fit_by_pop_of_a_copy,
    fit_from_above,
    fit_by_next,
    Window(),
    Window().shots,
    functools.partial(fit_if, operator.le),
    lambda lengths, query, new, window: sum(total <= window - query - new for total in itertools.accumulate(lengths)),
    lambda lengths, query, new, window: max(
        (n for n in range(len(lengths) + 1) if sum(lengths[:n]) <= window - query - new), default=0
    ),
]


def fit_with(room, fits=operator.le, order=list):
    """A function that counts the sums within a room of `room(query, new, window)`."""

    def fit(lengths, query, new, window):
        return sum(fits(total, room(query, new, window)) for total in itertools.accumulate(order(lengths)))

    return fit


def left_over(query, new, window):
    return window - query - new


def fit_that_goes_on(lengths, query, new, window):
    room, shots = window - query - new, 0
    for length in lengths:
        if length <= room:
            room -= length
            shots += 1
    return shots


def fit_that_takes_the_room_of_the_one_that_fails(lengths, query, new, window):
    room, shots = window - query - new, 0
    for length in lengths:
        room -= length
        if room >= 0:
            shots += 1
        else:
            room += length
    return shots


def fit_that_counts_the_one_that_fails(lengths, query, new, window):
    room, shots = window - query - new, 0
    for length in lengths:
        room -= length
        shots += 1
        if room < 0:
            break
    return shots


def fit_until_empty(lengths, query, new, window):
    room, shots = window - query - new, 0
    while room > 0 and shots < len(lengths):
        room -= lengths[shots]
        shots += 1
    return shots


def fit_by_pop(lengths, query, new, window):
    room, shots = window - query - new, 0
    while lengths and lengths[0] <= room:
        room -= lengths.pop(0)
        shots += 1
    return shots


def fit_without_return_at_the_end(lengths, query, new, window):
    room = window - query - new
    for number, length in enumerate(lengths):
        room -= length
        if room < 0:
            return number


def fit_without_an_end_of_the_list(lengths, query, new, window):
    n = 0
    while sum(lengths[: n + 1]) + query + new <= window and lengths[n] > 0:
        n += 1
    return n


def fit_that_never_ends(lengths, query, new, window):
    n = 0
    while sum(lengths[: n + 1]) + query + new <= window:
        n += 1
    return n


def fit_that_returns_tokens(lengths, query, new, window):
    return sum(lengths[: fit_by_while(lengths, query, new, window)])


def fit_each_alone(lengths, query, new, window):
    return sum(length <= window - query - new for length in lengths)


def fit_with_the_query_for_each(lengths, query, new, window):
    return sum(total <= window for total in itertools.accumulate(length + query + new for length in lengths))


def fit_with_new_tokens_for_each(lengths, query, new, window):
    return sum(total + query <= window for total in itertools.accumulate(length + new for length in lengths))


def fit_of_the_first_length(lengths, query, new, window):
    return min(len(lengths), (window - query - new) // lengths[0]) if lengths else 0


WRONG["1.7"] = [
    (fit_with(lambda query, new, window: window - query), "no room for the completion"),
    (fit_with(lambda query, new, window: window - new), "no room for the query"),
    (fit_with(lambda query, new, window: window), "no room for the query and the completion"),
    (fit_with(lambda query, new, window: window - query + new), "added to the room"),
    (fit_with(left_over, operator.lt), "to the last token"),
    (fit_with(lambda query, new, window: window - query - new - 1), "to the last token"),
    (fit_with(lambda query, new, window: window - query - new + 1), "one token too many"),
    (fit_with(left_over, order=sorted), "in another order"),
    (fit_with(left_over, order=lambda lengths: lengths[::-1]), "in another order"),
    (fit_with(left_over, order=lambda lengths: sorted(lengths, reverse=True)), "in another order"),
    (fit_with(lambda query, new, window: (window - query - new) / 2), "More examples fit"),
    (fit_that_goes_on, "went on after an example"),
    (fit_that_takes_the_room_of_the_one_that_fails, "went on after an example"),
    (fit_that_counts_the_one_that_fails, "no longer fits is counted, too"),
    (fit_until_empty, "no longer fits is counted, too"),
    (fit_by_pop, "changed `example_lengths`"),
    (fit_without_return_at_the_end, "gave None"),
    (fit_without_an_end_of_the_list, "stopped with IndexError"),
    (fit_that_never_ends, "did not end within"),
    (fit_that_returns_tokens, "This is a number of tokens"),
    (fit_each_alone, "as if it stood there alone"),
    (fit_with_the_query_for_each, "once\\."),
    (fit_with_new_tokens_for_each, "once\\."),
    (fit_of_the_first_length, "as long as the first one"),
    (lambda lengths, q, new, w: len(lengths), "These are all examples"),
    (lambda lengths, q, new, w: fit_by_while(lengths, q, new, w) - 1, "one fewer than fit"),
    (lambda lengths, q, new, w: fit_by_while(lengths, q, new, w) + 1, "one too many in every case"),
    (
        lambda lengths, q, new, w: w - q - new - sum(lengths[: fit_by_while(lengths, q, new, w)]),
        "tokens that are left over",
    ),
    (
        lambda lengths, q, new, w: lengths[: fit_by_while(lengths, q, new, w)],
        "One whole number, how many examples fit, was expected",
    ),
    (lambda lengths, q, new, w: [1], "One whole number, how many examples fit, was expected"),
    (
        lambda lengths, q, new, w: str(fit_by_while(lengths, q, new, w)),
        "One whole number, how many examples fit, was expected",
    ),
    (
        lambda lengths, q, new, w: (w - q - new) / max(1, sum(lengths)) * len(lengths),
        "One whole number, .*, was expected",
    ),
    (
        lambda lengths, q, new, w: int((w - q - new) // (sum(lengths) / len(lengths))),
        "mean length",
    ),
    (lambda lengths, q, new, w: fit_by_while(lengths, q, new, w) > 0, "More examples fit"),
    (lambda lengths, q, new, w: 2, "More examples fit"),
    (lambda lengths, q, new, w: fit_by_while(lengths, q, new, 512), "does not fit.* of 400"),
    (lambda lengths, q, new, w: fit_by_while(lengths[1:], q, new, w), "does not fit|More examples"),
]

# 1.8: most_helpful(full, without)


def helpful_by_loop(full, without):
    best, effect = None, None
    for index in range(len(without)):
        if effect is None or full - without[index] > effect:
            best, effect = index, full - without[index]
    return best


def helpful_by_torch(full, without):
    return torch.argmax(full - torch.tensor(without))


def helpful_by_pandas(full, without):
    return pd.Series(without).rsub(full).idxmax()


def helpful_by_heap(full, without):
    return sorted(range(len(without)), key=without.__getitem__)[0]


def helpful_by_pairs(full, without):
    (_, index) = min((value, index) for index, value in enumerate(without))
    return index


def helpful_by_recursion(full, without):
    if len(without) == 1:
        return 0
    rest = helpful_by_recursion(full, without[1:]) + 1
    return rest if without[rest] < without[0] else 0


def helpful_by_dictionary(everything, left_out):
    effects = {index: everything - value for index, value in enumerate(left_out)}
    return max(effects, key=effects.get)


def helpful_by_reduce(full, without):
    return functools.reduce(lambda best, index: index if without[index] < without[best] else best, range(len(without)))


class Helper:
    """Asks which example helps."""

    def __init__(self, sign=-1):
        self.sign = sign

    def __call__(self, full, without):
        return int(np.argmax(self.sign * (np.asarray(without, dtype=np.float32) - np.float32(full))))


def helpful_as_a_float(full, without):
    effects = [full - value for value in without]
    return float(effects.index(max(effects)))


RIGHT["1.8"] = [
    lambda full, without: without.index(min(without)),
    lambda full, without: np.argmin(without),
    lambda full, without: np.array([full - value for value in without]).argmax(),
    lambda full, without: max(range(len(without)), key=lambda index: full - without[index]),
    lambda full, without: np.exp(without).argmin(),
    lambda full, without: max(range(len(without)), key=lambda i: abs(without[i])),  # none is above 0
    helpful_by_loop,
    helpful_by_torch,
    helpful_by_pandas,
    helpful_by_heap,
    helpful_by_pairs,
    helpful_by_recursion,
    helpful_by_dictionary,
    helpful_by_reduce,
    helpful_as_a_float,
    Helper(),
    Helper().__call__,
    functools.partial(lambda choose, full, without: choose(enumerate(without), key=lambda pair: pair[1])[0], min),
]


def helpful_by_sort(full, without):
    unsorted = list(without)
    without.sort()
    return unsorted.index(without[0])


def helpful_by_change(full, without):
    for i in range(len(without)):
        without[i] = full - without[i]
    return without.index(max(without))


def helpful_after_sorting(full, without):
    return sorted(without).index(min(without))


def helpful_with_a_start_of_zero(full, without):
    best, effect = 0, 0
    for index, value in enumerate(without):
        if full - value > effect:
            best, effect = index, full - value
    return best


def helpful_without_return(full, without):
    for index, value in enumerate(without):
        if value == min(without) and value < full:
            return index


def helpful_that_never_ends(full, without):
    index = 0
    while without[index] != min(without):
        index = (index + 2) % 4
    return index


def helpful_of_the_first(full, without):
    for index, value in enumerate(without):
        if value < full:
            return index
    return 0


def helpful_of_the_last(full, without):
    return [index for index, value in enumerate(without) if value < full or index == 0][-1]


WRONG["1.8"] = [
    (lambda full, without: (full - without).index(0), "A list is no number"),
    (
        lambda full, without: [int(full - x) for x in without].index(max(int(full - x) for x in without)),
        "which one moves it",
    ),
    (lambda full, without: without.index(max(without)), "most harm"),
    (lambda full, without: np.argmax(without), "most harm"),
    (lambda full, without: min(range(len(without)), key=lambda i: full - without[i]), "most harm"),
    (lambda full, without: max(range(len(without)), key=lambda i: abs(without[i] - full)), "either direction"),
    (
        lambda full, without: min(range(len(without)), key=lambda i: abs(without[i] - full)),
        "changed least",
    ),
    (lambda full, without: min(without), "The index of one example, .*, was expected"),
    (lambda full, without: full - min(without), "The index of one example, .*, was expected"),
    (lambda full, without: max(full - value for value in without), "The index of one example, .*, was expected"),
    (lambda full, without: without.index(min(without)) + 1, "one too many"),
    (lambda full, without: np.argsort(without), "The index of one example, .*, was expected"),
    (
        lambda full, without: [i for i, value in enumerate(without) if value == min(without)],
        "The index of one example, .*, was expected",
    ),
    (
        lambda full, without: [i for i, value in enumerate(without) if value < full],
        "The index of one example, .*, was expected",
    ),
    (lambda full, without: (without.index(min(without)), min(without)), "The index of one example, .*, was expected"),
    (lambda full, without: str(without.index(min(without))), "The index of one example, .*, was expected"),
    (lambda full, without: without.index(min(without)) - len(without), "counted from the end"),
    (lambda full, without: len(without) - 1 - without.index(min(without)), "counted from the end"),
    (lambda full, without: sum(value < full for value in without), "how many"),
    (lambda full, without: without.index(sorted(without)[1]), "second best"),
    (lambda full, without: np.argmax(np.array(without) < full), "first example that helped"),
    (lambda full, without: np.argmin([full, *without]), "`full` is not one of the examples"),
    (lambda full, without: np.argmax([full - value * 0 for value in without]), "This is 0 for every list"),
    (
        lambda full, without: max(range(len(without)), key=lambda i: without[i] / full if full else 0) and 0,
        "This is 0 for every list",
    ),
    (lambda full, without: 0, "This is 0 for every list"),
    (helpful_by_sort, "changed `without`"),
    (helpful_by_change, "changed `without`"),
    (helpful_after_sorting, "This is 0 for every list"),
    (helpful_with_a_start_of_zero, "None of the examples helped"),
    (helpful_without_return, "gave None"),
    (helpful_that_never_ends, "did not end within"),
    (helpful_of_the_first, "first example that helped"),
    (helpful_of_the_last, "last example that helped"),
    (lambda without, full: without.index(min(without)), "stopped with"),
]
