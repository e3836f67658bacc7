"""What learners write for the exercises 3.1 to 3.5: right answers, and wrong ones with the sentence that each gets."""

import copy
import functools
import html
import itertools
import json
import math
import operator
import re
import statistics
import string
import textwrap
from collections import Counter, OrderedDict, deque, namedtuple
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F

from tests import masters
from utils.datasets.records import TextToText

MASTER = masters.names(3)
SOLUTIONS = masters.answers(3, MASTER)
to_record, leaks, mask_prompt, completion_loss, best_checkpoint = (SOLUTIONS[f"3.{n}"] for n in range(1, 6))

GIVEN: dict[str, dict] = {}


# 3.1: a record


def record_by_joining_lines(dialogue, summary):
    lines = ["What is the gist of this?", dialogue, "", "In short:"]
    return dict(output_text=summary, input_text="\n".join(lines))


def record_by_adding_texts(a, b):
    text = "Read the following dialogue and summarize it.\n\n"
    text += a
    text += "\n\nSummary:"
    record = {}
    record["input_text"] = text
    record["output_text"] = b
    return record


def record_by_format(dialogue, summary):
    template = "Summarise what the two people say.\n---\n{talk}\n---\nSummary:"
    return {"input_text": template.format(talk=dialogue), "output_text": summary}


def record_by_percent(dialogue, summary):
    return {"input_text": "Give a summary of the chat below.\n%s\nAnswer:" % dialogue, "output_text": "%s" % summary}


def record_by_template(dialogue, summary):
    prompt = string.Template("Write one sentence about this talk.\n$text\nSentence:")
    return dict(zip(("input_text", "output_text"), (prompt.substitute(text=dialogue), summary)))


def record_in_tags(dialogue, summary):
    prompt = f"Summarize the text in the tags.\n<dialogue>\n{dialogue}\n</dialogue>\n\nSummary:"
    return {"input_text": prompt, "output_text": summary}


def record_in_tags_on_the_same_line(dialogue, summary):
    return {"input_text": f"Sum it up. <dialogue>{dialogue}</dialogue>\nSummary:", "output_text": summary}


def record_with_headings(dialogue, summary):
    prompt = f"## Instruction\nSummarize the dialogue.\n\n## Dialogue\n{dialogue}\n\n## Summary:"
    return {"input_text": prompt, "output_text": summary}


def record_in_german(dialog, zusammenfassung):
    return {
        "input_text": f"Fasse das Gespräch in einem Satz zusammen.\n\n{dialog}\n\nZusammenfassung:",
        "output_text": zusammenfassung,
    }


def record_in_french(dialogue, resume):
    return {
        "input_text": f"Résume ce dialogue en une phrase.\n\n« {dialogue} »\n\nRésumé :",
        "output_text": resume,
    }


def record_in_chinese(dialogue, summary):
    return {"input_text": f"请用一句话概括下面的对话。\n{dialogue}\n摘要：", "output_text": summary}


def record_in_japanese(dialogue, summary):
    return {"input_text": f"次の会話を要約してください。\n\n{dialogue}\n\n要約:", "output_text": summary}


def record_with_the_instruction_again(dialogue, summary):
    ask = "Summarize this dialogue in one sentence."
    return {"input_text": f"{ask}\n\n{dialogue}\n\n{ask}\nSummary:", "output_text": summary}


def record_with_a_main_point(dialogue, summary):
    prompt = f"State the main point of this conversation.\n\n{dialogue}\n\nMain point:"
    return {"input_text": prompt, "output_text": summary}


def record_with_one_word_before(dialogue, summary):
    return {"input_text": f"Summarize:\n\n{dialogue}\n\nTL;DR:", "output_text": summary}


def record_with_a_role(dialogue, summary):
    return OrderedDict(
        input_text="You are a careful secretary. Write down in a sentence what was said.\n\n"
        f'"""\n{dialogue}\n"""\n\nMinutes:',
        output_text=summary,
    )


def record_with_an_example(dialogue, summary):
    shown = "Dialogue:\n#Person1#: Hi!\n#Person2#: Hi!\nSummary: They greet each other.\n\n"
    return {
        "input_text": f"Summarize each dialogue.\n\n{shown}Dialogue:\n{dialogue}\nSummary:",
        "output_text": summary,
    }


def record_in_a_triple_quoted_text(dialogue, summary):
    return {
        "input_text": f"""Please write a short summary of the dialogue.

    Dialogue:
    {dialogue}

    Summary:""",
        "output_text": summary,
    }


def record_with_windows_lines(dialogue, summary):
    return {"input_text": "Summarize this, please.\r\n" + dialogue + "\r\nSummary:", "output_text": str(summary)}


def record_by_json(dialogue, summary):
    prompt = f"Tell me in one sentence what happens.\n\n{dialogue}\n\nWhat happens:"
    return json.loads(json.dumps({"input_text": prompt, "output_text": summary}))


def record_by_pandas(dialogue, summary):
    row = pd.Series({"input_text": f"Summarize the talk.\n{dialogue}\n\nThe talk in one sentence:"})
    row["output_text"] = summary
    return row.to_dict()


def record_by_stripping_the_prompt(dialogue, summary):
    prompt = textwrap.dedent("""
        Summarize the dialogue.

        DIALOGUE

        Summary:
    """).strip()
    return {"input_text": prompt.replace("DIALOGUE", dialogue), "output_text": summary}


def record_by_lines(dialogue, summary):
    lines = ["Make a headline for this dialogue.", ""]
    for line in dialogue.split("\n"):
        lines.append(line)
    lines.extend(["", "Headline:"])
    return {"output_text": summary, "input_text": "\n".join(lines)}


@dataclass
class Pair:
    input_text: str
    output_text: str


def record_of_a_dataclass(dialogue, summary):
    return asdict(Pair("Summarize the dialogue:\n" + dialogue + "\nSummary:", summary))


class RecordMaker:
    def __init__(self, instruction, cue):
        self.instruction, self.cue = instruction, cue

    def __call__(self, dialogue, summary):
        return {"input_text": f"{self.instruction}\n\n{dialogue}\n\n{self.cue}", "output_text": summary}

    def make(self, dialogue, summary):
        return self(dialogue, summary)


def record_of_instruction(instruction, dialogue, summary):
    return {"input_text": f"{instruction}\n{dialogue}\nSummary:", "output_text": summary}


def record_with(make_prompt=lambda d, s: to_record(d, s)["input_text"], make_output=lambda d, s: s):
    return lambda d, s: {"input_text": make_prompt(d, s), "output_text": make_output(d, s)}


def prompt_with(text, change=lambda dialogue: dialogue):
    return record_with(lambda d, s: text.replace("S!", s).replace("@D", change(d)))


def dialogue_as(change):
    return prompt_with("Summarize this.\n\n@D\n\nSummary:", change)


def record_that_is_printed(dialogue, summary):
    print({"input_text": f"Summarize this.\n\n{dialogue}\n\nSummary:", "output_text": summary})


def record_formatted_twice(dialogue, summary):
    prompt = f"Summarize the dialogue.\n\n{dialogue}\n\n" + "{cue}:"
    return {"input_text": prompt.format(cue="Summary"), "output_text": summary}


def record_with_percent_twice(dialogue, summary):
    prompt = "Summarize the dialogue.\n\n" + dialogue + "\n\n%s:"
    return {"input_text": prompt % "Summary", "output_text": summary}


def record_that_is_shared(dialogue, summary, record={}):
    record["input_text"] = f"Summarize the dialogue.\n\n{dialogue}\n\nSummary:"
    record["output_text"] = summary
    return record


def record_for_short_ones_only(dialogue, summary):
    if len(dialogue) < 300:
        return {"input_text": f"Summarize the dialogue.\n\n{dialogue}\n\nSummary:", "output_text": summary}


def record_in_an_endless_loop(dialogue, summary):
    prompt = f"Summarize the dialogue.\n\n{dialogue}\n\nSummary"
    while not prompt.endswith(":"):
        prompt.strip()
    return {"input_text": prompt, "output_text": summary}


def record_of_the_last_turns(dialogue, summary):
    turns = dialogue.splitlines()[-4:]
    return {"input_text": "Summarize the dialogue.\n\n" + "\n".join(turns) + "\n\nSummary:", "output_text": summary}


def record_for_the_example_only(dialogue, summary):
    return {"input_text": "Summarize this.\n\n#Person1#: Hi!\n\nSummary:", "output_text": "They greet."}


RIGHT_3_1 = [
    to_record,
    record_by_joining_lines,
    record_by_adding_texts,
    record_by_format,
    record_by_percent,
    record_by_template,
    record_in_tags,
    record_in_tags_on_the_same_line,
    record_with_headings,
    record_in_german,
    record_in_french,
    record_in_chinese,
    record_in_japanese,
    record_with_the_instruction_again,
    record_with_a_main_point,
    record_with_one_word_before,
    record_with_a_role,
    record_with_an_example,
    record_in_a_triple_quoted_text,
    record_with_windows_lines,
    record_by_json,
    record_by_pandas,
    record_by_stripping_the_prompt,
    record_by_lines,
    record_of_a_dataclass,
    RecordMaker("Summarize:", "## In one sentence:"),
    RecordMaker("In one sentence, what do they talk about?", "They talk about the following:").make,
    functools.partial(record_of_instruction, "Summarize the dialogue, without names."),
    lambda d, s: {"input_text": "Condense this dialogue.\n" + d + "\n\nCondensed:", "output_text": s},
    lambda *texts: {"input_text": "Write a summary.\n\n{}\n\nSummary:".format(texts[0]), "output_text": texts[1]},
    lambda dialogue, summary, **_: {"input_text": f"Sum up!\n\n{dialogue}\n\nSum:", "output_text": summary},
]

WRONG_3_1 = [
    (lambda d, s: to_record(d.strip(), s), "not in this prompt unchanged"),
    (lambda d, s: to_record(d, s.strip()), "white space is taken off"),
    (prompt_with("Summarize this dialogue.\n\n@D\n\nSummary: S!"), "copy it, and in use there is none to copy"),
    (prompt_with("Summarize this dialogue as S!\n\n@D\n\nSummary:"), "copy it, and in use there is none to copy"),
    (
        record_with(lambda d, s: f"Summarize this in {len(s.split())} words.\n\n{d}\n\nSummary:"),
        "input_text changes with the summary",
    ),
    (
        record_with(lambda d, s: f"Summarize this.\n\n{d}\n\nBegin with {s.split()[0]}.\nSummary:"),
        "input_text changes with the summary",
    ),
    (
        record_with(lambda d, s: f"Summarize this.\n\n{d}\n\nNot {s.lower()}, but\nSummary:"),
        "copy it, and in use there is none to copy",
    ),
    (prompt_with("@D\n\nSummary:"), "no instruction before the dialogue"),
    (prompt_with("Dialogue:\n@D\n\nSummary:"), "no instruction before the dialogue"),
    (prompt_with("<dialogue>\n@D\n</dialogue>\nSummary:"), "no instruction before the dialogue"),
    (prompt_with("### dialogue\n\n@D\n\n### Summary:"), "no instruction before the dialogue"),
    (prompt_with("@D\n\nSummarize this dialogue.\nSummary:"), "instruction comes behind the dialogue"),
    (prompt_with("Summarize this dialogue.\n\n@D"), "The cue is missing"),
    (
        prompt_with("Summarize this dialogue.\n\n<dialogue>\n@D\n</dialogue>"),
        "The cue is missing|does not end with a colon",
    ),
    (prompt_with("Summary:\n@D\n"), "The cue is missing"),
    (prompt_with("Summarize this dialogue.\n\n@D\nSummary: "), "ends with a space"),
    (prompt_with("Summarize this dialogue.\n\n@D\nSummary:\n"), "ends with an empty line"),
    (prompt_with("Summarize this dialogue.\n\n@D\nSummary:\n    "), "ends with an empty line"),
    (prompt_with("Summarize this dialogue.\n\n@D\nSummary"), "does not end with a colon"),
    (prompt_with("Summarize this dialogue.\n\n@D\n<summary>"), "does not end with a colon"),
    (prompt_with("Summarize this dialogue.\n\n@D\n**Summary:**"), "does not end with a colon"),
    (prompt_with("Summarize this dialogue.\n\n@D\nSummary: ..."), "does not end with a colon"),
    (prompt_with("Summarize this dialogue.\n\n@D\nWrite the summary."), "does not end with a colon"),
    (prompt_with("Summarize this dialogue.\n\n@D Summary:"), "a line of its own"),
    (prompt_with("Summarize this dialogue.\n\n@DSummary:"), "a line of its own"),
    (prompt_with("Summarize this dialogue.\n\n@D\n:"), "A colon alone is no cue|The cue is missing"),
    (prompt_with("Summarize this dialogue.\n\n@D\n### :"), "A colon alone is no cue|The cue is missing"),
    (prompt_with("Summarize this dialogue.\n\n@D\n#Person1#:"), "asks for more of the dialogue"),
    (prompt_with("Summarize this dialogue.\n\ndialogue\n\nSummary:"), "not in this prompt"),
    (prompt_with("Summarize this dialogue.\n\n{dialogue}\n\nSummary:"), "the letter f is missing"),
    (dialogue_as(lambda d: " ".join(d.split())), "unchanged. Line breaks"),
    (dialogue_as(str.lower), "unchanged"),
    (dialogue_as(lambda d: d.replace("\n\n", "\n")), "unchanged"),
    (dialogue_as(lambda d: d.replace("#", "")), "unchanged"),
    (dialogue_as(lambda d: d.replace("#Person1#", "A").replace("#Person2#", "B")), "unchanged"),
    (dialogue_as(lambda d: "\n".join("> " + line for line in d.split("\n"))), "unchanged"),
    (dialogue_as(lambda d: d[:400]), "unchanged"),
    (dialogue_as(lambda d: d.split("\n")[0]), "unchanged"),
    (dialogue_as(repr), "unchanged"),
    (dialogue_as(json.dumps), "unchanged"),
    (dialogue_as(html.escape), "unchanged"),
    (dialogue_as(lambda d: textwrap.fill(d, 60)), "unchanged"),
    (dialogue_as(lambda d: d.splitlines().__str__()), "unchanged"),
    (record_of_the_last_turns, "unchanged"),
    (lambda d, s: to_record(s, d), "dialogue and the summary are exchanged"),
    (
        lambda d, s: {"input_text": s, "output_text": to_record(d, s)["input_text"]},
        "dialogue and the summary are exchanged",
    ),
    (record_with(make_output=lambda d, s: f" {s}"), "a space or an empty line more than the summary"),
    (record_with(make_output=lambda d, s: f"{s}\n"), "a space or an empty line more than the summary"),
    (record_with(make_output=lambda d, s: f"Summary: {s}"), "holds more than the summary"),
    (record_with(make_output=lambda d, s: to_record(d, s)["input_text"] + " " + s), "holds more than the summary"),
    (record_with(make_output=lambda d, s: f"{s}<|im_end|>"), "holds more than the summary"),
    (record_with(make_output=lambda d, s: s.lower()), "the summary is changed"),
    (record_with(make_output=lambda d, s: s.rstrip(".")), "the summary is changed"),
    (record_with(make_output=lambda d, s: s[:20]), "the summary is changed"),
    (record_with(make_output=lambda d, s: s[:100]), "the summary is changed"),
    (record_with(make_output=lambda d, s: d), "not the summary"),
    (record_with(make_output=lambda d, s: ""), "not the summary"),
    (record_with(make_output=lambda d, s: "summary"), "not the summary"),
    (record_with(make_output=lambda d, s: [s]), "A text under output_text.*list of 1"),
    (record_with(make_output=lambda d, s: None), "A text under output_text.*is None"),
    (record_with(lambda d, s: {"role": "user", "content": d}), "A text under input_text was expected"),
    (record_with(lambda d, s: ["Summarize this.", d, "Summary:"]), "A text under input_text was expected"),
    (record_with(lambda d, s: f"Summarize this.\n{d}\nSummary:".encode()), "A text under input_text.*bytes"),
    (lambda d, s: json.dumps(to_record(d, s)), "A dictionary with the keys .* was expected"),
    (lambda d, s: tuple(to_record(d, s).values()), "A dictionary with the keys .* was expected"),
    (lambda d, s: [to_record(d, s)], "A dictionary with the keys .* was expected"),
    (lambda d, s: TextToText(**to_record(d, s)), "A dictionary with the keys .* was expected"),
    (lambda d, s: pd.Series(to_record(d, s)), "A dictionary with the keys .* was expected"),
    (lambda d, s: {"input_text", "output_text"}, "A dictionary with the keys .* was expected"),
    (lambda d, s: to_record(d, s)["input_text"], "A dictionary with the keys .* was expected"),
    (lambda d, s: {"input": d, "output": s}, "two keys of the exercise"),
    (lambda d, s: {"Input_Text": to_record(d, s)["input_text"], "Output_Text": s}, "two keys of the exercise"),
    (lambda d, s: {"input_text": to_record(d, s)["input_text"]}, "two keys of the exercise"),
    (lambda d, s: {to_record(d, s)["input_text"]: s}, "two keys of the exercise"),
    (lambda d, s: to_record(d, s) | {"dialogue": d}, "no others"),
    (record_that_is_printed, "gave None"),
    (record_formatted_twice, "KeyError"),
    (record_with_percent_twice, "TypeError|ValueError"),
    (record_that_is_shared, "the same dictionary"),
    (record_for_short_ones_only, "gave None"),
    (record_in_an_endless_loop, "did not end within"),
    (record_for_the_example_only, "not in this prompt"),
    (lambda d: d, "TypeError"),
    (lambda: {"input_text": "", "output_text": ""}, "TypeError"),
]


# 3.2: leaks


def plain(record):
    return " ".join(record["input_text"].lower().split())


def leaks_in_two_loops(train, validation):
    found = []
    for record in validation:
        seen = any(plain(record) == plain({"input_text": text}) for text in found)
        if not seen and any(plain(record) == plain(other) for other in train):
            found.append(record["input_text"])
    return tuple(found)


def leaks_with_a_set_of_seen(a, b):
    normalize = lambda r: re.sub(r"\s+", " ", r["input_text"]).strip().casefold()
    known = set(map(normalize, a))
    seen, result = set(), []
    for r in b:
        key = normalize(r)
        if key in known and key not in seen:
            seen.add(key)
            result.append(r["input_text"])
    return result


def leaks_by_taking_out_of_a_copy(train, validation):
    known = {tuple(record["input_text"].upper().split()) for record in train}
    result = []
    for record in validation:
        words = tuple(record["input_text"].upper().split())
        if words in known:
            known.remove(words)
            result += [record["input_text"]]
    return result


def leaks_by_pandas(train, validation):
    t, v = pd.DataFrame(train), pd.DataFrame(validation)
    for table in (t, v):
        table["key"] = table["input_text"].str.lower().str.split().str.join(" ")
    return v[v["key"].isin(t["key"])].drop_duplicates("key")["input_text"].tolist()


def leaks_as_a_series(train, validation):
    v = pd.Series([r["input_text"] for r in validation], dtype=object)
    keys = v.map(lambda text: " ".join(text.casefold().split()))
    return v[keys.isin([plain(r) for r in train]) & ~keys.duplicated()]


def leaks_by_numpy(train, validation):
    keys = np.array([plain(r) for r in validation])
    texts = np.array([r["input_text"] for r in validation], dtype=object)
    _, first = np.unique(keys, return_index=True)
    first = np.sort(first)
    return texts[first][np.isin(keys[first], [plain(r) for r in train])]


def leaks_recursively(train, validation):
    if not validation:
        return []
    *rest, last = validation
    found = leaks_recursively(train, rest)
    known = [plain(r) for r in train]
    already = [plain({"input_text": text}) for text in found]
    if plain(last) in known and plain(last) not in already:
        return [*found, last["input_text"]]
    return found


def leaks_by_reduce(train, validation):
    known = {plain(r) for r in train}

    def step(found, record):
        return (
            {**found, plain(record): found.get(plain(record), record["input_text"])}
            if plain(record) in known
            else found
        )

    return list(functools.reduce(step, validation, {}).values())


def leaks_by_first_place(train, validation):
    keys = [plain(record) for record in validation]
    both = set(keys) & {plain(record) for record in train}
    return [validation[place]["input_text"] for place in sorted(keys.index(key) for key in both)]


def leaks_backwards(train, validation):
    first = {plain(record): record["input_text"] for record in reversed(validation)}
    known = {plain(record) for record in train}
    return [first[key] for key in dict.fromkeys(map(plain, validation)) if key in known]


def leaks_as_a_generator(train, validation):
    known = {plain(record) for record in train}
    for record in validation:
        if plain(record) in known:
            known.discard(plain(record))
            yield record["input_text"]


def leaks_with_a_while_loop(train, validation):
    i, out, keys = 0, [], []
    while i < len(validation):
        key = plain(validation[i])
        j = 0
        while j < len(train):
            if plain(train[j]) == key:
                if keys.count(key) == 0:
                    out.append(validation[i]["input_text"])
                    keys.append(key)
                break
            j += 1
        i += 1
    return out


def leaks_after_cleaning_a_copy(train, validation):
    train, clean = copy.deepcopy(train), copy.deepcopy(validation)
    for record in train + clean:
        record["input_text"] = plain(record)
    known = [record["input_text"] for record in train]
    result = []
    for old, new in zip(validation, clean):
        if new["input_text"] in known:
            known = [text for text in known if text != new["input_text"]]
            result.append(old["input_text"])
    return result


def leaks_by_groups(train, validation):
    keyed = sorted(enumerate(validation), key=lambda pair: plain(pair[1]))
    groups = itertools.groupby(keyed, key=lambda pair: plain(pair[1]))
    known = Counter(map(plain, train))
    firsts = [next(group) for key, group in groups if known[key]]
    return [record["input_text"] for _, record in sorted(firsts, key=operator.itemgetter(0))]


class LeakFinder:
    def __init__(self, clean):
        self.clean = clean

    def __call__(self, train, validation):
        known = {self.clean(r["input_text"]) for r in train}
        seen = set()
        return deque(
            r["input_text"]
            for r in validation
            if (key := self.clean(r["input_text"])) in known and not (key in seen or seen.add(key))
        )


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


def leaks_taken_out_of_train(train, validation):
    result = []
    for record in validation:
        for other in list(train):
            if plain(record) == plain(other):
                train.remove(other)
                if record["input_text"] not in result:
                    result.append(record["input_text"])
    return result


def leaks_popped(train, validation):
    found = []
    while validation:
        record = validation.pop(0)
        if plain(record) in map(plain, train) and plain(record) not in [plain({"input_text": t}) for t in found]:
            found.append(record["input_text"])
    return found


def leaks_cleaned_on_one_side(train, validation):
    known = {plain(record) for record in train}
    return list(dict.fromkeys(r["input_text"] for r in validation if r["input_text"] in known))


def leaks_of_texts_among_records(train, validation):
    return [record["input_text"] for record in validation if record["input_text"] in train]


def leaks_with_two_spellings(train, validation):
    known, found = {plain(record) for record in train}, []
    for record in validation:
        if plain(record) in known and record["input_text"] not in found:
            found.append(record["input_text"])
    return found


def leaks_in_the_last_spelling(train, validation):
    texts = {plain(record): record["input_text"] for record in validation}
    known = {plain(record) for record in train}
    return [text for key, text in texts.items() if key in known]


def leaks_in_the_spelling_of_train(train, validation):
    known = {plain(record): record["input_text"] for record in train}
    return [known[key] for key in dict.fromkeys(map(plain, validation)) if key in known]


def leaks_in_the_order_of_train(train, validation):
    first = {}
    for record in validation:
        first.setdefault(plain(record), record["input_text"])
    return [first[key] for key in dict.fromkeys(map(plain, train)) if key in first]


def leaks_side_by_side(train, validation):
    return [b["input_text"] for a, b in zip(train, validation) if plain(a) == plain(b)]


def leaks_first_only(train, validation):
    for record in validation:
        if plain(record) in map(plain, train):
            return [record["input_text"]]
    return []


def leaks_ended_by_the_first_clean_text(train, validation):
    found, known = [], [plain(record) for record in train]
    for record in validation:
        if plain(record) not in known:
            break
        if plain(record) not in [plain({"input_text": text}) for text in found]:
            found.append(record["input_text"])
    return found


def leaks_nothing_without_a_leak(train, validation):
    found = leaks(train, validation)
    if found:
        return found


def leaks_in_a_default_list(train, validation, found=[]):
    known = {plain(record) for record in train}
    for record in validation:
        if plain(record) in known:
            known.remove(plain(record))
            found.append(record["input_text"])
    return found


def leaks_nearly_the_same(train, validation):
    def near(a, b):
        return SequenceMatcher(None, plain(a), plain(b)).ratio() > 0.9

    found = [v for v in validation if any(near(t, v) for t in train)]
    return leaks(found, found)


def leaks_of_texts_without_a_twin_in_train(train, validation):
    known = {plain(record) for record in train}
    return list(dict.fromkeys(r["input_text"] for r in validation if plain(r) not in known))


def leaks_within_validation(train, validation):
    counts = Counter(map(plain, validation))
    found = [record for record in validation if counts[plain(record)] > 1]
    return leaks(found, found)


def leaks_of_whole_records(train, validation):
    known = {(plain(record), record["output_text"]) for record in train}
    return [r["input_text"] for r in validation if (plain(r), r["output_text"]) in known]


def leaks_of_attributes(train, validation):
    known = {" ".join(record.input_text.lower().split()) for record in train}
    return [r.input_text for r in validation if " ".join(r.input_text.lower().split()) in known]


def leaks_in_an_endless_loop(train, validation):
    def squeeze(text):
        while "  " in text:
            text.replace("  ", " ")
        return text.strip().lower()

    return leaks_with(squeeze)(train, validation)


def leaks_by_sets(train, validation):
    return list({plain(record) for record in train} & {plain(record) for record in validation})


def leaks_printed(train, validation):
    for text in leaks(train, validation):
        print(text)


WORDS = re.compile(r"[a-z0-9]+")

RIGHT_3_2 = [
    leaks,
    leaks_in_two_loops,
    leaks_with_a_set_of_seen,
    leaks_by_taking_out_of_a_copy,
    leaks_by_pandas,
    leaks_as_a_series,
    leaks_by_numpy,
    leaks_recursively,
    leaks_by_reduce,
    leaks_by_first_place,
    leaks_backwards,
    leaks_as_a_generator,
    leaks_with_a_while_loop,
    leaks_after_cleaning_a_copy,
    leaks_by_groups,
    LeakFinder(lambda text: " ".join(text.casefold().split())),
    LeakFinder(lambda text: text.lower().split().__str__()).__call__,
    leaks_with(lambda text: re.sub(r"\s+", " ", text.strip()).lower()),
    leaks_with(lambda text: tuple(re.findall(r"\S+", text.swapcase().upper()))),
    functools.partial(lambda clean, old, new: leaks_with(clean)(old, new), lambda text: " ".join(text.lower().split())),
    lambda t, v: (
        list({plain(r): r["input_text"] for r in v[::-1] if plain(r) in {plain(other) for other in t}}.values())[::-1]
        if len({plain(r) for r in v}) == len(v)
        else leaks(t, v)
    ),
]

WRONG_3_2 = [
    (lambda t, v: [r["output_text"] for r in v if r["input_text"] in leaks(t, v)], "That is an output text"),
    (leaks_with(str), "letter by letter"),
    (leaks_with(str.lower), "Whitespace still counts"),
    (leaks_with(lambda text: text.lower().strip()), "Stripping cleans only the two ends"),
    (leaks_with(lambda text: text.lower().replace("\n", " ").strip()), "how much whitespace stands between words"),
    (leaks_with(lambda text: text.lower().replace("  ", " ").strip()), "how much whitespace stands between words"),
    (leaks_with(lambda text: re.sub(r"\s+", " ", text.lower())), "at the beginning or the end"),
    (leaks_with(lambda text: " ".join(text.split())), "Upper and lower case still count"),
    (leaks_with(lambda text: "".join(text.lower().split())), "Collapsing leaves one space"),
    (leaks_with(lambda text: " ".join(WORDS.findall(text.lower()))), "leave the marks out"),
    (leaks_with(lambda text: " ".join(sorted(text.lower().split()))), "order of the words"),
    (leaks_with(lambda text: frozenset(text.lower().split())), "in which order and how often words come"),
    (leaks_with(lambda text: " ".join(text.lower().split())[:30]), "begin alike"),
    (leaks_with(lambda text: len(text.split())), "all three are wanted"),
    (leaks_nearly_the_same, "differ in one word"),
    (leaks_with(once=False), "twice in validation is returned twice"),
    (leaks_with(str, once=False), "letter by letter"),
    (leaks_with(key="output_text", once=False), "compare the inputs"),
    (leaks_with(key="output_text"), "compare the inputs"),
    (leaks_with(key="text"), "KeyError"),
    (leaks_of_whole_records, "You compare input and output together"),
    (leaks_in_parts, "Only whole texts are compared"),
    (lambda t, v: leaks(v, t), "You return texts of train"),
    (leaks_in_the_spelling_of_train, "in the spelling of train"),
    (leaks_in_the_last_spelling, "as it stands first"),
    (leaks_in_the_order_of_train, "order in which they stand in validation"),
    (leaks_with_two_spellings, "Two spellings of one text"),
    (lambda t, v: sorted(leaks(t, v)), "order in which they stand in validation"),
    (lambda t, v: leaks(t, v)[::-1], "order in which they stand in validation"),
    (lambda t, v: set(leaks(t, v)), "set of 1. A set has no order"),
    (lambda t, v: dict.fromkeys(leaks(t, v), 1), "A list of texts of validation was expected"),
    (lambda t, v: "\n".join(leaks(t, v)), "A list of texts of validation was expected"),
    (lambda t, v: len(leaks(t, v)), "A list of texts of validation was expected"),
    (lambda t, v: bool(leaks(t, v)), "A list of texts of validation was expected"),
    (lambda t, v: [bool(leaks(t, [record])) for record in v], "It holds (True|0), a"),
    (lambda t, v: [n for n, record in enumerate(v) if leaks(t, [record])], "It holds (True|0), a"),
    (lambda t, v: [" ".join(text.lower().split()) for text in leaks(t, v)], "only to compare"),
    (leaks_by_sets, "only to compare|order"),
    (lambda t, v: [r for r in v if r["input_text"] in leaks(t, v)], "It holds .* a dictionary of 2"),
    (lambda t, v: leaks(t, v) or None, "gave None.*the list is empty"),
    (lambda t, v: leaks(t, v) or "none", "A list of texts of validation was expected"),
    (leaks_nothing_without_a_leak, "gave None.*the list is empty"),
    (leaks_printed, "gave None"),
    (leaks_cleaned_in_place, "changed `"),
    (leaks_taken_out_of_train, "changed `"),
    (leaks_popped, "changed `"),
    (lambda t, v: t.extend(v) or leaks(t[: len(t) - len(v)], v), "changed `"),
    (leaks_cleaned_on_one_side, "You clean the texts of train only"),
    (leaks_of_texts_among_records, "never equal to a record"),
    (leaks_side_by_side, "only texts at the same place"),
    (leaks_first_only, "first leak only"),
    (leaks_ended_by_the_first_clean_text, "none left out"),
    (leaks_in_a_default_list, "from one call to the next"),
    (leaks_of_texts_without_a_twin_in_train, "texts that do not stand in train"),
    (leaks_within_validation, "texts of validation that also stand in train"),
    (leaks_of_attributes, "AttributeError.*dictionar"),
    (leaks_in_an_endless_loop, "did not end within"),
    (lambda t, v: [], "stays empty"),
    (lambda t, v: [r["input_text"] for r in v], "You return all texts of validation"),
    (lambda t, v: ["hi you"], r"gave \['hi you'\]. Not all of these stand like that in validation"),
    (lambda records: [], "TypeError"),
]


# 3.3: the mask


def mask_with_torch(prompt_ids, completion_ids):
    labels = torch.tensor([*prompt_ids, *completion_ids])
    labels[: len(prompt_ids)] = -100
    return labels


def mask_by_concatenating_tensors(p, c):
    return torch.cat([torch.full((len(p),), -100), torch.tensor(c)])


def mask_where_in_torch(p, c):
    places = torch.arange(len(p) + len(c))
    return torch.where(places < len(p), torch.tensor(-100), torch.tensor(p + c)).tolist()


def mask_with_numpy(p, c):
    return np.concatenate([np.full(len(p), -100), np.asarray(c)])


def mask_with_small_numbers(p, c):
    labels = np.array(p + c, dtype=np.int32)
    labels[: len(p)] = -100
    return list(labels)


def mask_in_floats(p, c):
    return np.append(-100 * np.ones(len(p)), c)


def mask_by_place(prompt_ids, completion_ids):
    labels = []
    for place, token in enumerate(prompt_ids + completion_ids):
        if place < len(prompt_ids):
            labels.append(-100)
        else:
            labels.append(token)
    return labels


def mask_a_copy(prompt_ids, completion_ids):
    labels = list(prompt_ids)
    labels.extend(completion_ids)
    for place in range(len(prompt_ids)):
        labels[place] = -100
    return labels


def mask_by_chaining(p, c):
    return tuple(itertools.chain(itertools.repeat(-100, len(p)), c))


def mask_as_a_generator(p, c):
    for _ in p:
        yield -100
    yield from c


def mask_recursively(p, c):
    return [-100, *mask_recursively(p[1:], c)] if p else list(c)


def mask_by_pandas(p, c):
    labels = pd.Series(p + c)
    labels.iloc[: len(p)] = -100
    return labels


def mask_from_behind(p, c):
    labels = [-100] * (len(p) + len(c))
    labels[-len(c) :] = c
    return labels


def mask_with_a_deque(p, c):
    labels = deque(c)
    for _ in range(len(p)):
        labels.appendleft(-100)
    return labels


def mask_of(mask, first, second):
    return [mask for _ in first] + second[:]


class Mask:
    def __init__(self, value=-100):
        self.value = value

    def __call__(self, prompt_ids, completion_ids):
        return [self.value] * len(prompt_ids) + [*completion_ids]

    def labels(self, prompt_ids, completion_ids):
        return list(map(int, self(prompt_ids, completion_ids)))


RIGHT_3_3 = [
    mask_prompt,
    mask_with_torch,
    mask_by_concatenating_tensors,
    mask_where_in_torch,
    mask_with_numpy,
    mask_with_small_numbers,
    mask_in_floats,
    mask_by_place,
    mask_a_copy,
    mask_by_chaining,
    mask_as_a_generator,
    mask_recursively,
    mask_by_pandas,
    mask_from_behind,
    mask_with_a_deque,
    functools.partial(mask_of, -100),
    Mask(),
    Mask().labels,
    lambda p, c: np.array([-100 for _ in p] + c),
    lambda p, c: [*map(lambda _: -100, p), *c],
    lambda prompt_ids, completion_ids: torch.tensor([-100] * len(prompt_ids) + completion_ids, dtype=torch.int32),
]


def mask_in_place(prompt_ids, completion_ids):
    prompt_ids[:] = [-100] * len(prompt_ids)
    return prompt_ids + completion_ids


def mask_extending_the_prompt(prompt_ids, completion_ids):
    n = len(prompt_ids)
    prompt_ids.extend(completion_ids)
    return [-100] * n + prompt_ids[n:]


def mask_adding_in_place(prompt_ids, completion_ids):
    labels = prompt_ids
    labels += completion_ids
    return [-100] * (len(labels) - len(completion_ids)) + completion_ids


def mask_returning_what_extend_returns(p, c):
    labels = [-100] * len(p)
    return labels.extend(c)


def mask_with_a_list_inside(p, c):
    labels = [-100] * len(p)
    labels.append(c)
    return labels


def mask_by_token(p, c):
    labels = {token: -100 for token in p} | {token: token for token in c}
    return list(labels.values())


def mask_in_a_default_list(p, c, labels=[]):
    for _ in p:
        labels.append(-100)
    for token in c:
        labels.append(token)
    return labels


def mask_in_an_endless_loop(p, c):
    labels = []
    while len(labels) < len(p):
        labels + [-100]
    return labels + c


def mask_longer_prompts_only(p, c):
    if len(p) > len(c):
        return [-100] * len(p) + c


def mask_side_by_side(p, c):
    return [label for _, token in zip(p, c) for label in (-100, token)]


mask_in_one_row = lambda p, c: torch.tensor([mask_prompt(p, c)])

WRONG_3_3 = [
    (lambda p, c: [0] * len(p) + c, "You mask with 0"),
    (lambda p, c: [-1] * len(p) + c, "You mask with -1"),
    (lambda p, c: [100] * len(p) + c, "You mask with 100"),
    (lambda p, c: [None] * len(p) + c, "It holds None"),
    (lambda p, c: [math.nan] * len(p) + c, "whole numbers was expected"),
    (lambda p, c: p + c, "Nothing is masked"),
    (lambda p, c: p + [-100] * len(c), "You mask the completion"),
    (lambda p, c: [-100] * len(p + c), "every token"),
    (lambda p, c: c, "Only the completion's labels"),
    (lambda p, c: [-100] * len(p), "Only the prompt's labels"),
    (lambda p, c: [-100] * len(c) + c, "as many tokens as the completion has"),
    (lambda p, c: [-100] * len(c) + p, "labels are those of the prompt"),
    (lambda p, c: c + [-100] * len(p), "not in the order of the tokens"),
    (lambda p, c: [-100] * len(p) + p, "labels are those of the prompt"),
    (lambda p, c: [-100, *c], "one label for each token"),
    (lambda p, c: [-100, -100, *c], "one label for each token"),
    (lambda p, c: [-100 if place <= len(p) else token for place, token in enumerate(p + c)], "One token too many"),
    (lambda p, c: [-100] * len(p) + [token + 1 for token in c], "each must be the token itself"),
    (lambda p, c: [-100] * len(set(p)) + c, "one label for each token"),
    (lambda p, c: np.where(np.array(p + c) < 5, -100, p + c), "each of them must be -100"),
    (lambda p, c: [-100] * 3 + c, "one label for each token"),
    (lambda p, c: [*mask_prompt(p, c), 2], "one label for each token"),
    (lambda p, c: [*mask_prompt(p, c), -100], "one label for each token"),
    (lambda p, c: [-100] * len(p) + [-100] + c + [-100], "one label for each token"),
    (lambda p, c: [-100] * (len(p) - 1) + c, "The model shifts by itself"),
    (lambda p, c: [-100] * (len(p) - 1) + c + [-100], "The model shifts by itself"),
    (lambda p, c: [-100] * (len(p) + 1) + c, "The model shifts by itself"),
    (lambda p, c: [-100] * (len(p) + 1) + c[:-1], "The model shifts by itself"),
    (lambda p, c: [-100] * len(p) + c[1:], "The model shifts by itself"),
    (lambda p, c: [-100] * len(p) + c[1:] + [-100], "The model shifts by itself"),
    (lambda p, c: [-100] * (len(p) - 1) + p[-1:] + c, "One token too few is masked: the last token of the prompt"),
    (lambda p, c: [-100] * (len(p) + 1) + c[1:], "One token too many is masked: the first token of the completion"),
    (lambda p, c: [-100] * len(p) + c[:-1] + [-100], "last token of the completion"),
    (lambda p, c: [-100 if token in p else token for token in p + c], "The place decides"),
    (lambda p, c: [token if token in c else -100 for token in p + c], "The place decides"),
    (mask_by_token, "one label for each token"),
    (lambda p, c: [-100] * len(p) + sorted(c), "not in the order of the tokens"),
    (lambda p, c: [-100] * len(p) + c[::-1], "not in the order of the tokens"),
    (lambda p, c: [-100] * len(p) + list(dict.fromkeys(c)), "one label for each token"),
    (lambda p, c: [-100] * len(p) + [token or -100 for token in c], "number 0 is masked"),
    (lambda p, c: [-100] * len(p) + [1] * len(c), "It must be the token itself"),
    (lambda p, c: [0] * len(p) + [1] * len(c), "as in an attention mask"),
    (lambda p, c: [False] * len(p) + [True] * len(c), "as in an attention mask"),
    (lambda p, c: [-100 * token for token in p] + c, "not a product"),
    (lambda p, c: [-token for token in p] + c, "not a product"),
    (mask_side_by_side, "one label for each token"),
    (lambda p, c: [[-100] * len(p), c], "[Oo]ne flat list of whole numbers was expected"),
    (lambda p, c: ([-100] * len(p), c), "[Oo]ne flat list of whole numbers was expected"),
    (mask_with_a_list_inside, "[Oo]ne flat list of whole numbers was expected"),
    (mask_in_one_row, "[Oo]ne flat list of whole numbers was expected"),
    (lambda p, c: {"labels": mask_prompt(p, c)}, "[Oo]ne flat list of whole numbers was expected"),
    (lambda p, c: set(mask_prompt(p, c)), "[Oo]ne flat list of whole numbers was expected"),
    (lambda p, c: str(mask_prompt(p, c)), "[Oo]ne flat list of whole numbers was expected"),
    (lambda p, c: list(map(str, mask_prompt(p, c))), "whole numbers was expected"),
    (lambda p, c: len(p + c), "[Oo]ne flat list of whole numbers was expected"),
    (lambda p, c: -100 * len(p) + c, "TypeError"),
    (lambda p, c: [-100] * p + c, "TypeError"),
    (lambda p, c: [-100 if place < len(p) else c[place] for place in range(len(p + c))], "IndexError"),
    (mask_in_place, "changed `"),
    (mask_extending_the_prompt, "changed `"),
    (mask_adding_in_place, "changed `"),
    (mask_returning_what_extend_returns, "gave None"),
    (mask_longer_prompts_only, "gave None"),
    (mask_in_a_default_list, "from one call to the next"),
    (mask_in_an_endless_loop, "did not end within"),
    (lambda p, c: [-100, -100, 7], "one label for each token"),
]


# 3.4: the loss


def chosen(log_probabilities, labels):
    return [float(p) for p, label in zip(log_probabilities, labels, strict=True) if label != -100]


def loss_with_torch(log_probabilities, labels):
    counts = torch.as_tensor(labels) != -100
    return -torch.as_tensor(log_probabilities)[counts].mean()


def loss_as_an_item(log_probabilities, labels):
    mask = torch.tensor([label != -100 for label in labels])
    return -torch.tensor([float(p) for p in log_probabilities], dtype=torch.float32)[mask].mean().item()


def loss_with_numpy(log_probabilities, labels):
    return np.average(-np.array(log_probabilities), weights=np.array(labels) != -100)


def loss_in_a_masked_array(log_probabilities, labels):
    return -np.ma.masked_array(np.array(log_probabilities), mask=np.array(labels) == -100).mean()


def loss_in_single_precision(log_probabilities, labels):
    p = np.asarray(log_probabilities, dtype=np.float32)
    return np.float32(-p[np.asarray(labels) != -100].mean())


def loss_in_a_loop(log_probabilities, labels):
    total, count = 0.0, 0
    for i in range(len(labels)):
        if labels[i] == -100:
            continue
        total -= log_probabilities[i]
        count += 1
    return total / count


def loss_by_pandas(log_probabilities, labels):
    table = pd.DataFrame({"p": [float(p) for p in log_probabilities], "label": labels})
    return -table.loc[table["label"] != -100, "p"].mean()


def loss_by_nll(log_probabilities, labels):
    p = torch.as_tensor(log_probabilities)
    targets = torch.tensor([0 if label != -100 else -100 for label in labels])
    return F.nll_loss(p.unsqueeze(1), targets, ignore_index=-100)


def loss_by_statistics(log_probabilities, labels):
    return statistics.fmean(-float(p) for p, label in zip(log_probabilities, labels) if label != -100)


def loss_by_fsum(log_probabilities, labels):
    kept = list(itertools.compress(map(float, log_probabilities), (n != -100 for n in labels)))
    return abs(math.fsum(kept)) / len(kept)


def loss_recursively(log_probabilities, labels, total=0.0, count=0):
    if len(labels) == 0:
        return -total / count
    head, *rest = labels
    if head != -100:
        total, count = total + float(log_probabilities[0]), count + 1
    return loss_recursively(log_probabilities[1:], rest, total, count)


def loss_by_a_running_mean(log_probabilities, labels):
    mean, n = 0.0, 0
    for p, label in zip(log_probabilities, labels):
        if label != -100:
            n += 1
            mean += (-float(p) - mean) / n
    return mean


def loss_by_reduce(p, n):
    total = functools.reduce(lambda sum, pair: sum + pair[0] * (pair[1] != -100), zip(p, n), 0)
    return -total / (len(n) - n.count(-100))


def loss_rounded(log_probabilities, labels):
    return round(-sum(chosen(log_probabilities, labels)) / len(chosen(log_probabilities, labels)), 3)


def loss_of_one_element(p, n):
    p = torch.as_tensor(p).reshape(-1)
    weights = (torch.tensor(n) != -100).float()
    return -(p @ weights / weights.sum()).reshape(1)


def loss_by_removing_places(log_probabilities, labels):
    kept = [float(p) for p in log_probabilities]
    for place in reversed(range(len(labels))):
        if labels[place] == -100:
            del kept[place]
    return -sum(kept) / len(kept)


class Loss:
    def __init__(self, ignored):
        self.ignored = ignored

    def __call__(self, log_probabilities, labels):
        pairs = filter(lambda pair: pair[1] != self.ignored, zip(log_probabilities, labels))
        values = [-pair[0] for pair in pairs]
        return sum(values) / len(values)


def loss_without(ignored, p, n):
    return Loss(ignored)(p, n)


RIGHT_3_4 = [
    completion_loss,
    loss_with_torch,
    loss_as_an_item,
    loss_with_numpy,
    loss_in_a_masked_array,
    loss_in_single_precision,
    loss_in_a_loop,
    loss_by_pandas,
    loss_by_nll,
    loss_by_statistics,
    loss_by_fsum,
    loss_recursively,
    loss_by_a_running_mean,
    loss_by_reduce,
    loss_rounded,
    loss_of_one_element,
    loss_by_removing_places,
    Loss(-100),
    Loss(-100).__call__,
    functools.partial(loss_without, -100),
    lambda lp, ls: np.nanmean([math.nan if y == -100 else -float(x) for x, y in zip(lp, ls)]),
    lambda lp, ls: np.array([sum(chosen(lp, ls)) / -len(chosen(lp, ls))]),
]


def loss_for_lists_only(log_probabilities, labels):
    log_probabilities.reverse()
    log_probabilities.reverse()
    return completion_loss(log_probabilities, labels)


def loss_by_exact_statistics(log_probabilities, labels):
    return -statistics.mean([p for p, label in zip(log_probabilities, labels) if label != -100])


def loss_behind_the_mask(log_probabilities, labels):
    behind = [float(p) for p in log_probabilities[labels.count(-100) :]]
    return -sum(behind) / len(behind)


def loss_of_the_last_two(log_probabilities, labels):
    return -float(sum(log_probabilities[-2:])) / 2


def loss_behind_the_first_token_that_counts(log_probabilities, labels):
    first = next(place for place, label in enumerate(labels) if label != -100)
    return -float(sum(log_probabilities[first:])) / len(labels[first:])


def loss_that_returns_in_the_loop(log_probabilities, labels):
    total = count = 0
    for p, label in zip(log_probabilities, labels):
        if label != -100:
            total -= float(p)
            count += 1
            return total / count


def loss_of_the_last_token(log_probabilities, labels):
    for p, label in zip(log_probabilities, labels):
        if label != -100:
            total, count = 0.0, 0
            total -= float(p)
            count += 1
    return total / count


def loss_that_removes_labels(log_probabilities, labels):
    kept = [float(p) for p, label in zip(log_probabilities, labels) if label != -100]
    while -100 in labels:
        labels.remove(-100)
    return -sum(kept) / len(labels)


def loss_that_pops(log_probabilities, labels):
    values = []
    while labels:
        label = labels.pop()
        if label != -100:
            values.append(-float(log_probabilities[len(labels)]))
    return sum(values) / len(values)


def loss_that_zeroes_the_tensor(log_probabilities, labels):
    kept = len([label for label in labels if label != -100])
    for place, label in enumerate(labels):
        if label == -100:
            log_probabilities[place] = 0.0
    return -float(sum(log_probabilities)) / kept


def loss_without_a_mask(log_probabilities, labels):
    if -100 in labels:
        return completion_loss(log_probabilities, labels)


def loss_in_an_endless_loop(log_probabilities, labels):
    place, values = 0, []
    while place < len(labels):
        if labels[place] == -100:
            continue
        values.append(float(log_probabilities[place]))
        place += 1
    return -sum(values) / len(values)


def loss_kept_from_call_to_call(log_probabilities, labels, total=[]):
    total.extend(chosen(log_probabilities, labels))
    return -sum(total) / len(total)


def loss_with_one_less(p, n):
    return -sum(chosen(p, n)) / max(1, len(chosen(p, n)) - 1)


WRONG_3_4 = [
    (lambda p, n: completion_loss([max(float(v), -10.0) for v in p], n), "a very unlikely one"),
    (lambda p, n: completion_loss(p, [k if v else -100 for v, k in zip(p, n)]), "a very unlikely one"),
    (
        lambda p, n: (
            -sum({float(v) for v, k in zip(p, n) if k != -100}) / len({float(v) for v, k in zip(p, n) if k != -100})
        ),
        "where two values or labels are alike",
    ),
    (lambda p, n: completion_loss(p, n) * (k := sum(v != -100 for v in n)) / (k - 1), "one more or one less"),
    (lambda p, n: -sum(chosen(p, n)), "You return the sum"),
    (lambda p, n: sum(chosen(p, n)), "You return the sum, and its sign is wrong"),
    (lambda p, n: -sum(map(float, p)), "sum over all tokens"),
    (lambda p, n: -sum(map(float, p)) / len(p), "masked tokens count, too"),
    (lambda p, n: -sum(map(float, p)) / len(chosen(p, n)), "add up the masked tokens, too"),
    (lambda p, n: -sum(chosen(p, n)) / len(p), "divide by the number of all"),
    (lambda p, n: -np.mean([float(x) * (y != -100) for x, y in zip(p, n)]), "divide by the number of all"),
    (loss_with_one_less, "one more or one less"),
    (lambda p, n: -sum(chosen(p, n)) / (len(chosen(p, n)) + 1), "one more or one less"),
    (lambda p, n: -completion_loss(p, n), "The sign is wrong"),
    (lambda p, n: completion_loss(p, [-100 if label != -100 else 1 for label in n]), "You take the masked tokens"),
    (lambda p, n: completion_loss(p, [label or -100 for label in n]), "whose label is 0"),
    (lambda p, n: completion_loss(p, [label if label > 0 else -100 for label in n]), "whose label is 0"),
    (lambda p, n: math.exp(completion_loss(p, n)), "the perplexity"),
    (lambda p, n: math.exp(-completion_loss(p, n)), "You return a probability"),
    (lambda p, n: -math.log(np.mean(np.exp(chosen(p, n)))), "You go back to probabilities"),
    (lambda p, n: float(np.mean(np.exp(chosen(p, n)))), "You go back to probabilities"),
    (lambda p, n: completion_loss(p, n) / math.log(2), "You divide by a logarithm"),
    (lambda p, n: -np.mean([math.log(x) for x in chosen(p, n)]), "ValueError"),
    (lambda p, n: -statistics.median(chosen(p, n)), "You return the median"),
    (lambda p, n: max(-x for x in chosen(p, n)), "one token, the largest"),
    (lambda p, n: min(-x for x in chosen(p, n)), "one token, the smallest"),
    (lambda p, n: float(np.mean(np.square(chosen(p, n)))), "You take squares"),
    (lambda p, n: completion_loss(p[:-1], n[1:]) if n[0] == -100 else 1.0, "shift|last two tokens"),
    (lambda p, n: completion_loss(p, [-100, *n[:-1]]), "shift by one place"),
    (lambda p, n: completion_loss(p, n[1:] + n[-1:]), "shift by one place"),
    (
        lambda p, n: completion_loss(p[:-1], n[1:]) if len([x for x in n[1:] if x != -100]) else 0.0,
        "shift by one place",
    ),
    (lambda p, n: round(completion_loss(p, n)), "You round to a whole number"),
    (lambda p, n: int(completion_loss(p, n)), "You round to a whole number"),
    (lambda p, n: -sum(chosen(p, n)) // len(chosen(p, n)), "You round to a whole number"),
    (lambda p, n: round(completion_loss(p, n), 1), "You round to one digit"),
    (lambda p, n: 100 * completion_loss(p, n), "You multiply by 100"),
    (lambda p, n: [-value for value in chosen(p, n)], "One number .* was expected"),
    (lambda p, n: (completion_loss(p, n), len(chosen(p, n))), "One number .* was expected"),
    (lambda p, n: f"{completion_loss(p, n):.2f}", "One number .* was expected"),
    (lambda p, n: -torch.as_tensor(p)[torch.tensor(n) != -100], "One number .* was expected"),
    (lambda p, n: -sum(map(float, p)) / len(p) if n[0] == -100 else -sum(chosen(p, n)), "The masked tokens count, too"),
    (loss_for_lists_only, "AttributeError.* may also (come as|be) a tensor"),
    (loss_by_exact_statistics, "TypeError.* may also (come as|be) a tensor"),
    (loss_behind_the_mask, "stand behind the completion"),
    (loss_behind_the_first_token_that_counts, "stand behind the completion"),
    (loss_of_the_last_two, "Four tokens count"),
    (loss_that_returns_in_the_loop, "first token that counts"),
    (loss_of_the_last_token, "last token that counts"),
    (loss_that_removes_labels, "changed `"),
    (loss_that_pops, "changed `"),
    (loss_that_zeroes_the_tensor, "changed `"),
    (loss_without_a_mask, "gave None"),
    (lambda p, n: print(completion_loss(p, n)), "gave None"),
    (loss_in_an_endless_loop, "did not end within"),
    (loss_kept_from_call_to_call, "from one call to the next"),
    (lambda p, n: 1.5, "gave 1.5. Only the last two tokens count"),
    (lambda p, n: -np.mean(p * (n != -100)), "The masked tokens count, too"),
    (lambda p, n: -p[n != -100].mean(), "AttributeError"),
    (lambda p, n: F.cross_entropy(torch.as_tensor(p), torch.tensor(n)), "stopped with RuntimeError"),
    (
        lambda p, n: -sum(float(x) * y for x, y in zip(p, n) if y != -100) / len(chosen(p, n)),
        "You multiply by the label",
    ),
]


# 3.5: the best checkpoint


def stop_by_lowest_so_far(validation_losses, patience):
    lowest = list(itertools.accumulate(validation_losses, min))
    for stop in range(patience, len(lowest)):
        if lowest[stop] == lowest[stop - patience]:
            return [validation_losses.index(lowest[stop]), stop]
    return [validation_losses.index(lowest[-1]), len(lowest) - 1]


def stop_with_a_counter(validation_losses, patience):
    best, lowest, waited = 0, math.inf, 0
    for index, loss in enumerate(validation_losses):
        waited += 1
        if loss < lowest:
            best, lowest, waited = index, loss, 0
        if waited == patience:
            return torch.tensor([best, index])
    return np.array([best, index])


def stop_by_numpy(losses, patience):
    losses = np.array(losses)
    best_so_far = np.array([np.argmin(losses[: n + 1]) for n in range(len(losses))])
    over = np.flatnonzero(np.arange(len(losses)) - best_so_far >= patience)
    stop = over[0] if len(over) else len(losses) - 1
    return best_so_far[stop], stop


def stop_by_pandas(losses, patience):
    series = pd.Series(losses)
    new = series < series.cummin().shift(fill_value=math.inf)
    since = series.index.to_series() - series.index.to_series().where(new).ffill()
    stop = since.ge(patience).idxmax() if since.ge(patience).any() else len(series) - 1
    return int(series[: stop + 1].idxmin()), int(stop)


def stop_recursively(losses, patience, index=0, best=0):
    if losses[index] < losses[best]:
        best = index
    if index - best >= patience or index == len(losses) - 1:
        return best, index
    return stop_recursively(losses, patience, index + 1, best)


def stop_in_a_while_loop(losses, patience):
    i, best, bad = 0, 0, 0
    while i + 1 < len(losses) and bad < patience:
        i += 1
        if losses[i] < losses[best]:
            best = i
            bad = 0
        else:
            bad += 1
    return best, i


def stop_by_counting_down(losses, patience):
    left, kept, lowest = patience, None, float("inf")
    for n, loss in enumerate(losses):
        if loss < lowest:
            kept, lowest, left = n, loss, patience
        else:
            left -= 1
        if not left:
            break
    return {"kept": kept, "stop": n}.values()


def stop_by_prefixes(losses, patience):
    for end in range(1, len(losses) + 1):
        seen = losses[:end]
        if end - 1 - seen.index(min(seen)) == patience:
            break
    return map(int, (seen.index(min(seen)), end - 1))


def stop_by_windows(losses, patience):
    for start in range(len(losses)):
        ahead = losses[start + 1 : start + 1 + patience]
        if losses[start] > min(losses[: start + 1]) or losses.index(losses[start]) < start:
            continue
        if len(ahead) == patience and min(ahead) >= losses[start]:
            return start, start + patience
    return losses.index(min(losses)), len(losses) - 1


def stop_for_else(losses, patience):
    history = []
    for loss in losses:
        history.append(loss)
        best = min(range(len(history)), key=history.__getitem__)
        if len(history) - best > patience:
            stop = len(history) - 1
            break
    else:
        stop = len(losses) - 1
    return float(best), float(stop)


def stop_by_candidates(losses, patience):
    new = [n for n in range(len(losses)) if all(losses[n] < before for before in losses[:n])]
    for here, following in zip(new, [*new[1:], math.inf]):
        if following - here > patience:
            return here, min(here + patience, len(losses) - 1)


Stop = namedtuple("Stop", "checkpoint evaluation")


class EarlyStopping:
    def __init__(self):
        self.state = None

    def __call__(self, validation_losses, patience):
        best, index = stop_in_a_while_loop(validation_losses, patience)
        return Stop(checkpoint=np.int64(best), evaluation=torch.tensor(index))

    def run(self, losses, patience):
        self.state = [0, 0]
        for step, loss in enumerate(losses):
            self.state[1] = step
            if loss < losses[self.state[0]]:
                self.state[0] = step
            if step - self.state[0] >= patience:
                return list(self.state)
        return list(self.state)


def stop_with_a_start(start, losses, patience):
    return stop_recursively(losses, patience, start, start)


def stop_as_a_generator(losses, patience):
    best, stop = stop_in_a_while_loop(losses, patience)
    yield best
    yield stop


RIGHT_3_5 = [
    best_checkpoint,
    stop_by_lowest_so_far,
    stop_with_a_counter,
    stop_by_numpy,
    stop_by_pandas,
    stop_recursively,
    stop_in_a_while_loop,
    stop_by_counting_down,
    stop_by_prefixes,
    stop_by_windows,
    stop_for_else,
    stop_by_candidates,
    stop_as_a_generator,
    EarlyStopping(),
    EarlyStopping().run,
    functools.partial(stop_with_a_start, 0),
    lambda v, p: next(
        ((v.index(min(v[: n + 1])), n) for n in range(len(v)) if n - v.index(min(v[: n + 1])) == p),
        (v.index(min(v)), len(v) - 1),
    ),
    lambda v, p: torch.tensor(stop_recursively([torch.tensor(loss) for loss in v], p)),
]


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


def stop_keeping_the_last_of_equal_ones(losses, patience):
    best, stop = best_checkpoint(losses, patience)
    return max(n for n in range(stop + 1) if losses[n] == losses[best]), stop


def stop_from(lowest):
    def answer(losses, patience):
        best, low, waited = 0, lowest, 0
        for index, loss in enumerate(losses):
            if loss < low:
                best, low, waited = index, loss, 0
            else:
                waited += 1
                if waited == patience:
                    break
        return best, index

    return answer


def stop_at_the_highest(losses, patience):
    best = 0
    for index, loss in enumerate(losses):
        if loss > losses[best]:
            best = index
        if index - best == patience:
            break
    return best, index


def stop_after_the_lowest_of_all(losses, patience):
    best = losses.index(min(losses))
    return best, min(best + patience, len(losses) - 1)


def stop_behind_the_end(losses, patience):
    best, stop = best_checkpoint(losses, patience)
    return best, best + patience


def stop_or_nothing(losses, patience):
    best = 0
    for index, loss in enumerate(losses):
        if loss < losses[best]:
            best = index
        if index - best == patience:
            return best, index


def stop_or_minus_one(losses, patience):
    return stop_or_nothing(losses, patience) or (losses.index(min(losses)), -1)


def stop_or_the_length(losses, patience):
    return stop_or_nothing(losses, patience) or (losses.index(min(losses)), len(losses))


def stop_counting_checkpoints(losses, patience):
    best, stop = best_checkpoint(losses, patience)
    return sum(losses[n] < min(losses[:n], default=math.inf) for n in range(stop + 1)) - 1, stop


def stop_by_a_margin(least):
    def answer(losses, patience):
        best = 0
        for index, loss in enumerate(losses):
            if loss < losses[best] - least:
                best = index
            if index - best == patience:
                break
        return best, index

    return answer


def stop_with_a_second_loss(losses, patience):
    best = 0 if losses[0] <= losses[1] else 1
    for index in range(2, len(losses)):
        if losses[index] < losses[best]:
            best = index
        if index - best == patience:
            return best, index
    return best, len(losses) - 1


def stop_by_popping(losses, patience):
    best, lowest, index = 0, math.inf, -1
    while losses:
        index += 1
        loss = losses.pop(0)
        if loss < lowest:
            best, lowest = index, loss
        if index - best == patience:
            break
    return best, index


def stop_in_an_endless_loop(losses, patience):
    best = index = 0
    while index - best < patience:
        if losses[index] < losses[best]:
            best = index
        if index < len(losses) - 1:
            index += 1
    return best, index


def stop_with_a_counter_that_goes_on(losses, patience, waited=[0]):
    best = 0
    for index, loss in enumerate(losses):
        if loss < losses[best]:
            best, waited[0] = index, 0
        elif index:
            waited[0] += 1
        if waited[0] >= patience:
            break
    return best, index


def stop_without_a_break(losses, patience):
    best = stop = 0
    for index, loss in enumerate(losses):
        if loss < losses[best]:
            best = index
        if index - best == patience:
            stop = index
    return best, stop or len(losses) - 1


def stop_one_before(losses, patience):
    best, stop = best_checkpoint(losses, patience)
    return best, stop - 1 if stop - best == patience else stop


def stop_after_the_last_fall(validation_losses, patience):
    best = waited = index = 0
    for index in range(1, len(validation_losses)):
        if validation_losses[index] < validation_losses[index - 1]:
            best, waited = index, 0
        else:
            waited += 1
        if waited == patience:
            break
    return best, index


def stop_returning_in_the_loop(losses, patience):
    best = 0
    for index, loss in enumerate(losses):
        if loss < losses[best]:
            best = index
        if index - best == patience:
            break
        return best, index


def stop_with_a_patience_of(fixed):
    return lambda losses, patience: best_checkpoint(losses, fixed)


def stop_counting_the_first(losses, patience):
    best = bad = 0
    for index, loss in enumerate(losses):
        if loss < losses[best]:
            best, bad = index, 0
        else:
            bad += 1
        if bad == patience:
            break
    return best, index


def stop_counting_from_the_second(losses, patience):
    best, lowest, bad = 0, losses[0], 0
    for index, loss in enumerate(losses[1:]):
        if loss < lowest:
            best, lowest, bad = index, loss, 0
        else:
            bad += 1
        if bad == patience:
            return best, index
    return best, len(losses) - 1


def stop_without_the_last(losses, patience):
    best = index = 0
    for index in range(1, len(losses) - 1):
        if losses[index] < losses[best]:
            best = index
        if index - best >= patience:
            break
    return best, index


def lowest(losses):
    return losses.index(min(losses))


WRONG_3_5 = [
    (lambda v, p: (best_checkpoint(v, p)[0], math.inf), "An index is a whole number"),
    (lambda v, p: (len(v) - 1, len(v) - 1), "Every evaluation brings a new lowest loss"),
    (lambda v, p: (max(0, best_checkpoint(v, p)[0] - 1), best_checkpoint(v, p)[1] - 1), "one too low"),
    (lambda v, p: best_checkpoint(sorted(v, reverse=True), p), "You sort the losses"),
    (lambda v, p: (min(v), p), "is one of yours a loss"),
    (stop_after_the_last_fall, "keep the one that fell last"),
    (lambda v, p: (best_checkpoint(v, p)[1],) * 2, "You keep the last checkpoint"),
    (lambda v, p: (best_checkpoint(v, p)[0],) * 2, "second number is the checkpoint that is kept"),
    (lambda v, p: best_checkpoint(v, p)[::-1], "The two numbers are exchanged"),
    (lambda v, p: (lowest(v), best_checkpoint(v, p)[1]), "You look at all losses"),
    (lambda v, p: (lowest(v), len(v) - 1), "You never stop early"),
    (lambda v, p: (best_checkpoint(v, p)[0], len(v) - 1), "always stops at the end"),
    (stop_after_the_lowest_of_all, "You look at all losses"),
    (stop_without_a_break, "no more evaluations to choose from"),
    (stop_counting_all, "begin anew after each lowest loss"),
    (stop_comparing_neighbors, "compare each loss with the one before"),
    (stop_with_ties, "Of equal ones the first is kept"),
    (stop_keeping_the_last_of_equal_ones, "Of equal ones the first is kept"),
    (stop_counting_the_first, "You count the first evaluation as one without"),
    (stop_counting_from_the_second, "one too low"),
    (stop_without_the_last, "falls until the end of the list"),
    (stop_from(0.0), "begins with a number of your own"),
    (stop_from(1.0), "begins with a number of your own"),
    (stop_from(100), "begins with a number of your own"),
    (stop_at_the_highest, "You keep the highest loss"),
    (stop_by_a_margin(0.1), "lower by a margin"),
    (stop_by_a_margin(0.001), "lower by a margin"),
    (lambda v, p: best_checkpoint(v, p + 1), "one evaluation too long"),
    (lambda v, p: best_checkpoint(v, max(1, p - 1)), "one evaluation too early: `patience`"),
    (stop_with_a_patience_of(2), "You ignore `patience`"),
    (stop_with_a_patience_of(3), "You ignore `patience`"),
    (stop_one_before, "one evaluation too early: the last of the"),
    (lambda v, p: (best_checkpoint(v, p)[0], best_checkpoint(v, p)[1] + 1), "one too high"),
    (lambda v, p: [n + 1 for n in best_checkpoint(v, p)], "An index in Python begins with 0"),
    (lambda v, p: (v[best_checkpoint(v, p)[0]], best_checkpoint(v, p)[1]), "The first number is a loss"),
    (lambda v, p: tuple(v[n] for n in best_checkpoint(v, p)), "Each of your numbers is a loss"),
    (stop_counting_checkpoints, "You count the checkpoints that were kept"),
    (stop_behind_the_end, "evaluations may end while training still waits"),
    (stop_or_minus_one, "evaluations may end while training still waits"),
    (stop_or_the_length, "evaluations may end while training still waits"),
    (stop_or_nothing, "gave None"),
    (lambda v, p: (best_checkpoint(v, p)[0], None), "A pair of whole numbers .* each a number, was expected.*None"),
    (stop_with_a_second_loss, "IndexError"),
    (stop_returning_in_the_loop, "You stop at the first evaluation"),
    (lambda v, p: best_checkpoint(v, p)[0], "A pair of whole numbers .* was expected"),
    (lambda v, p: best_checkpoint(v, p)[1], "A pair of whole numbers .* was expected"),
    (lambda v, p: (*best_checkpoint(v, p), len(v)), "A pair of whole numbers .* was expected"),
    (lambda v, p: str(best_checkpoint(v, p)), "A pair of whole numbers .* was expected"),
    (lambda v, p: tuple(map(str, best_checkpoint(v, p))), "A pair of whole numbers .* was expected"),
    (lambda v, p: dict(zip(("best", "stop"), best_checkpoint(v, p))), "A pair of whole numbers .* was expected"),
    (lambda v, p: set(best_checkpoint(v, p)), "A pair of whole numbers .* was expected"),
    (lambda v, p: [best_checkpoint(v, p)], "A pair of whole numbers .* was expected"),
    (lambda v, p: best_checkpoint(v + v[:0], p) if len(v) > p else None, "gave None"),
    (lambda v, p: best_checkpoint(v.sort() or v, p), "changed `"),
    (lambda v, p: best_checkpoint(sorted(v), p), "You sort the losses"),
    (stop_by_popping, "changed `"),
    (stop_in_an_endless_loop, "did not end within"),
    (stop_with_a_counter_that_goes_on, "from one call to the next"),
    (lambda v, p: print(*best_checkpoint(v, p)), "gave None"),
    (lambda v, p: (1, 3), r"gave \(1, 3\). The lowest loss before the stop"),
    (lambda v: (0, 0), "TypeError"),
    (lambda v, p: best_checkpoint([str(loss) for loss in v], p), "numbers are compared, not texts"),
]


RIGHT: dict[str, list] = {
    "3.1": RIGHT_3_1,
    "3.2": RIGHT_3_2,
    "3.3": RIGHT_3_3,
    "3.4": RIGHT_3_4,
    "3.5": RIGHT_3_5,
}
WRONG: dict[str, list[tuple]] = {
    "3.1": WRONG_3_1,
    "3.2": WRONG_3_2,
    "3.3": WRONG_3_3,
    "3.4": WRONG_3_4,
    "3.5": WRONG_3_5,
}

PATCHES: dict[str, object] = {}
EXPLAINED: dict[tuple[str, str], str] = {}
