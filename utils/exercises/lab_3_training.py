"""The exercises 3.1 to 3.5 of Lab 3: the data, the mask, the loss and the checkpoint."""

import itertools
import math
import random
import re
import statistics
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import torch

from utils.datasets.dialogues import load_dialogues
from utils.exercises.exercise import Case, Exercise, Property, Wrong, generated
from utils.exercises.mistakes import require
from utils.exercises.prompt_rules import WELL_MADE, advice, completions_shown
from utils.exercises.reading import as_labels, as_number, as_numbers, as_text, as_texts, expected
from utils.exercises.running import Run
from utils.models.language_model import LanguageModel
from utils.training.records import IGNORED

# 3.1: a record

KEYS = ("input_text", "output_text")
DIALOGUES = (
    ("#Person1#: Is the blue coat yours?\n#Person2#: No, mine is grey.", "#Person2# owns a grey coat."),
    ("#Person1#: The lift is stuck.\n#Person2#: Again? I'll take the stairs.", "#Person2# takes the stairs."),
    ('#Person1#:  Is {name} "100%" sure?\n\n#Person2#: Yes, said Ms. O\'Hara.', "#Person2# says {name} is SURE."),
    (" #Person1#: Two spaces.\n#Person2#: Where?\n#Person1#: At both ends. \n", " #Person1# talks about spaces. "),
)
"""Two as the lab has them, one with all that a template may trip over, and one with white space at its ends."""
TURNS = ("I lost my key.", "Which bus goes to the station?", "At 9:30, I think.", "Thank you.", "It's $5.", "No <tag> here.")


def _talk(rng: random.Random) -> tuple[str, str]:
    """Return a dialogue and its summary; the dialogue may be long."""
    lines = [f"#Person{number % 2 + 1}#: {rng.choice(TURNS)}" for number in range(rng.choice((2, 5, 90)))]
    said = (f"#Person1# asks for {rng.choice(('a key', 'a bus', 'the time'))} {rng.randrange(100)} times." for _ in lines[:6])
    return "\n".join(lines), " ".join(said)


def _as_record(value: Any) -> Mapping[str, str]:
    asked = "a dictionary with the keys input_text and output_text"
    require(isinstance(value, Mapping), expected(asked, value))
    require(
        set(value) == set(KEYS),
        "The dictionary needs the two keys of the exercise, in that spelling, and no others: a tuning job looks for these names.",
    )
    return {key: as_text(value[key], f"a text under {key}") for key in KEYS}


def _of_input(one: Property) -> Property:
    """Return a property of prompts as one of records."""
    return Property(lambda r, c: one.holds(r["input_text"], c), lambda r, c: one.problem(r["input_text"], c))


def _as_given(record: Mapping[str, str], case: Case) -> bool:
    return record["output_text"] == case.given[1]


def _examine_record(run: Run, *, model: LanguageModel | None = None) -> str:
    dialogue, summary = DIALOGUES[0]
    first, again, without = run(dialogue, summary), run(dialogue, summary), run(dialogue, "No.")
    prompt = first["input_text"]
    require(
        prompt != again["input_text"] or prompt == without["input_text"],
        "input_text changes with the summary: for the same dialogue and another summary, it is not the same. In use "
        "there is no summary yet, so nothing of it, not even its length, may be in the prompt.",
    )
    run(*DIALOGUES[1])
    require(
        first["input_text"] == prompt,
        "All calls return the same dictionary: a second call changed the record of the first one. Make a new dictionary inside the function.",
    )
    shown = load_dialogues("validation")[:2] if model else []
    return advice(prompt, dialogue) + completions_shown(model, [run(one.input_text, one.output_text)["input_text"] for one in shown])


TO_RECORD = Exercise(
    "A prompt with a cue, a completion, and nothing of the one in the other.",
    call="to_record(dialogue, summary)",
    cases=[*map(Case, DIALOGUES), *generated(_talk)],
    read=_as_record,
    properties=(
        Property(
            lambda r, c: c.given[1] not in r["input_text"] or c.given[0] not in r["output_text"],
            "The dialogue and the summary are exchanged: the model reads the dialogue and shall write the summary.",
        ),
        Property(
            lambda r, c: c.given[1].lower() not in r["input_text"].lower(),
            "The summary stands in input_text. The model would learn to copy it, and in use there is none to copy.",
        ),
        *map(_of_input, WELL_MADE),
        Property(
            lambda r, c: _as_given(r, c) or r["output_text"].strip() != c.given[1],
            "output_text has a space or an empty line more than the summary. The tuning job itself puts the space between prompt and completion.",
        ),
        Property(
            lambda r, c: _as_given(r, c) or c.given[1] not in r["output_text"],
            "output_text holds more than the summary. All that stands in it, the model learns to write.",
        ),
        Property(
            lambda r, c: _as_given(r, c) or r["output_text"] != c.given[1].strip(),
            "The summary's white space is taken off. It belongs to the summary, which goes into output_text as it is.",
        ),
        Property(_as_given, "output_text is not the summary, or the summary is changed."),
    ),
    examine=_examine_record,
)


# 3.2: leaks


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def _found(
    train: list[dict], validation: list[dict], *, plain: Callable = _plain, once: Callable | None = _plain, key: str = "input_text"
) -> list[str]:
    """Return leaks; plain: what of two texts is compared; once: what must differ in what is returned, None for nothing."""
    known, seen, found = {plain(record[key]) for record in train}, set(), []
    for record in validation:
        text = record["input_text"]
        if plain(record[key]) in known and not (once and once(text) in seen):
            found.append(text)
            seen.add(once(text) if once else "")
    return found


def _cleaned_by(plain: Callable, message: str) -> list[Wrong]:
    """Return the mistakes of cleaning texts in this way, whatever is done with those that come again."""
    return [Wrong(lambda t, v, once=once: _found(t, v, plain=plain, once=once), message) for once in (plain, _plain, str, None)]


def _of_train(train: list[dict], validation: list[dict]) -> list[str]:
    """Return leaks in the order of validation and the spelling of train."""
    spelled = {_plain(record["input_text"]): record["input_text"] for record in train}
    return [spelled[_plain(text)] for text in _found(train, validation)]


def _in_order_of_train(train: list[dict], validation: list[dict]) -> list[str]:
    first = {_plain(text): text for text in _found(train, validation)}
    return [first[key] for key in dict.fromkeys(_plain(record["input_text"]) for record in train) if key in first]


def _in_last_spelling(train: list[dict], validation: list[dict]) -> list[str]:
    last = {_plain(record["input_text"]): record["input_text"] for record in validation}
    return [last[_plain(text)] for text in _found(train, validation)]


def _cleaned_on_one_side(train: list[dict], validation: list[dict]) -> list[str]:
    known = {_plain(record["input_text"]) for record in train}
    return list(dict.fromkeys(record["input_text"] for record in validation if record["input_text"] in known))


def _side_by_side(train: list[dict], validation: list[dict]) -> list[str]:
    pairs = zip(train, validation, strict=False)
    return [v["input_text"] for t, v in pairs if _plain(t["input_text"]) == _plain(v["input_text"])]


def _parts(train: list[dict], validation: list[dict]) -> list[str]:
    found = [v for v in validation if any(_plain(v["input_text"]) in _plain(t["input_text"]) for t in train)]
    return _found(found, found)


def _whole_records(train: list[dict], validation: list[dict]) -> list[str]:
    known = {(_plain(record["input_text"]), record["output_text"]) for record in train}
    return list(dict.fromkeys(r["input_text"] for r in validation if (_plain(r["input_text"]), r["output_text"]) in known))


def _as_leaks(value: Any) -> list[str]:
    asked = "a list of texts of validation"
    require(not isinstance(value, Set), f"{expected(asked, value)} A set has no order.")
    return as_texts(value, asked)


def _leaks() -> Exercise:
    number = itertools.count(1)

    def records(*texts: str, outputs: Sequence[str] = ()) -> list[dict]:
        outputs = outputs or [f"s{next(number)}" for _ in texts]
        return [{"input_text": text, "output_text": output} for text, output in zip(texts, outputs, strict=True)]

    def scribbled(text: str, rng: random.Random) -> str:
        words = (rng.choice((str.upper, str.lower, str.title))(word) for word in text.split())
        return rng.choice(("", " ")) + rng.choice((" ", "  ", "\n", "\t ")).join(words)

    texts = [f"{a} {b} {c}" for a in ("one", "two") for b in ("red", "blue") for c in ("bus", "car", "bus stop")]

    def drawn(rng: random.Random) -> tuple[list[dict], list[dict]]:
        train = [scribbled(text, rng) for text in rng.sample(texts, 6)]
        return records(*train), records(*(scribbled(text, rng) for text in rng.choices(texts, k=9)))

    long = "Summarize the dialogue in one sentence. Dialogue: I would like to book a table for two at eight. Summary of {}:"
    cases = [
        Case(
            (records("A tea", "a cup", outputs=("tea", "cup")), records("a cup", "a pot", outputs=("cup", "pot"))),
            "The texts of validation that also stand in train are wanted: here one of the two.",
        ),
        Case(
            (records("z", "m", "a"), records("m", "q", "a", "z")),
            "Three texts stand in both, at other places: all three are wanted, in validation's order, none left out.",
        ),
        Case((records("a", "b"), records("c", "d")), edge="no text of validation stands in train", why="Then the list is empty."),
        Case(
            (records("Oh No"), records("so", "oh no")), "Texts that differ only in upper and lower case are the same; the spelling is validation's."
        ),
        Case(
            (records("hello  there", "good\tday", "on\n\n and on"), records("good day", "hello there", "on and on")),
            "Texts that differ only in how much whitespace stands between words are the same: spaces, tabs, line breaks.",
        ),
        Case(
            (records("Hello there.\n", "  good day"), records("good day", " hello there.")),
            "Whitespace at the beginning or the end of a text makes no difference.",
        ),
        Case((records("b", "a"), records("a", "b", "a")), "A text that stands twice in validation is named once."),
        Case(
            (records("a b"), records("A  b", "c", "a b")),
            "Texts that differ only in case and whitespace are one text: it is named once, as it stands first.",
        ),
        Case(
            (records(long.format("part 1")), records(long.format("part 2"))),
            "The two texts begin alike and differ in one word: they are no leak. Compare all of the text.",
        ),
        Case(
            (records("now here", "so?"), records("nowhere", "so?")), "A space still parts two words: these are two texts, 'now here' and 'nowhere'."
        ),
        Case(
            (records("Yes. Come in.", "No."), records("Come in.", "No. Go.")),
            "Only whole texts are compared: a text that is a part of another is no leak.",
        ),
        Case((records("Really?", "it's on"), records("Really.", "its on")), "The marks belong to the text: other marks make another text."),
        Case(
            (records("I saw you", "very good"), records("you saw I", "very very good")),
            "The same words in another order, or more often, are another text.",
        ),
        Case(
            (records("a", "b", outputs=("same", "so")), records("b", "c", "d", outputs=("no", "same", "so"))),
            "Only the inputs are compared: a leak may have another output_text, and the same output_text makes no leak.",
        ),
        *generated(drawn, why="In a longer list of texts, some are missing or too many. Test your function on a small one of your own."),
    ]
    mistakes = [
        Wrong(
            lambda t, v: [],
            'The list stays empty in all cases. Is a text compared with a text? It is never equal to a record: take ["input_text"] of both.',
        ),
        Wrong(
            lambda t, v: [record["input_text"] for record in v], "You return all texts of validation. Only those that also stand in train are wanted."
        ),
        Wrong(
            lambda t, v: [record["input_text"] for record in v if record["input_text"] not in _found(t, v, once=None)],
            "You return the texts that do not stand in train. Those that stand in both are the leaks.",
        ),
        Wrong(lambda t, v: _found(t, v)[:1], "You return the first leak only. A `return` inside the loop ends it."),
        *_cleaned_by(str, "You compare the texts letter by letter. A copy with another capital letter or one space more is a leak, too."),
        *_cleaned_by(
            lambda text: text.lower().strip(),
            "Whitespace inside the texts still counts as a difference. Stripping cleans only the two ends.",
        ),
        *_cleaned_by(str.lower, "Whitespace still counts as a difference."),
        *_cleaned_by(
            lambda text: re.sub(r"\s+", " ", text.lower()), "Whitespace at the beginning or the end of a text still counts as a difference."
        ),
        *_cleaned_by(lambda text: " ".join(text.split()), "Upper and lower case still count as a difference."),
        *_cleaned_by(
            lambda text: "".join(text.lower().split()),
            "You took all spaces out, so that 'now here' and 'nowhere' are the same. Collapsing leaves one space.",
        ),
        *_cleaned_by(lambda text: re.findall(r"\w+", text.lower()).__str__(), "You leave the marks out: 'Really?' and 'Really.' are two texts."),
        *_cleaned_by(lambda text: tuple(sorted(text.lower().split())), "The order of the words makes no difference in your comparison. It should."),
        *_cleaned_by(
            lambda text: frozenset(text.lower().split()), "In your comparison it makes no difference in which order and how often words come."
        ),
        Wrong(_cleaned_on_one_side, "You clean the texts of train only. To be compared, the texts of both must be cleaned."),
        Wrong(
            lambda t, v: [_plain(text) for text in _found(t, v)],
            "You return the texts after cleaning. Clean them only to compare, and return them as validation has them.",
        ),
        Wrong(lambda t, v: _found(v, t), "You return texts of train. Those of validation are wanted, in its spelling and order."),
        Wrong(_of_train, "The texts are in the spelling of train. Return them as validation has them."),
        Wrong(_in_order_of_train, "The texts are in the order of train. They must come in the order in which they stand in validation."),
        Wrong(lambda t, v: sorted(_found(t, v)), "The texts are sorted. They must come in the order in which they stand in validation."),
        Wrong(
            lambda t, v: _found(t, v)[::-1],
            "The texts come from the last to the first. They must come in the order in which they stand in validation.",
        ),
        Wrong(lambda t, v: _found(t, v, once=None), "A text that stands twice in validation is returned twice. Name each leak once."),
        Wrong(
            lambda t, v: _found(t, v, once=str),
            "Two spellings of one text are both returned. Texts that differ only in case and whitespace are one text.",
        ),
        Wrong(_in_last_spelling, "A text that comes again is named as it stands last. Name it as it stands first."),
        Wrong(_parts, "You look for a text inside longer texts. Only whole texts are compared."),
        Wrong(_side_by_side, "You compare only texts at the same place of the two lists. A leak may stand anywhere in train."),
        *[
            Wrong(
                lambda t, v, once=once: _found(t, v, key="output_text", once=once),
                "You compare the output_texts. Two different dialogues may have the same summary: compare the inputs.",
            )
            for once in (_plain, None)
        ],
        Wrong(_whole_records, "You compare input and output together. An input that stands in both is a leak, also with another output_text."),
    ]
    return Exercise(
        "A text that a model was tuned on measures its memory. Now you can find them.",
        call="leaks(train, validation)",
        cases=cases,
        right=_found,
        mistakes=mistakes,
        read=_as_leaks,
        properties=(
            Property(
                lambda found, c: not set(found) & {record["output_text"] for record in c.given[1]} - {record["input_text"] for record in c.given[1]},
                "That is an output text. What stands under input_text is asked for.",
            ),
            Property(
                lambda found, c: set(found) <= {record["input_text"] for record in c.given[1]},
                "Not all of these stand like that in validation. Clean texts only to compare them, and return them as validation has them.",
            ),
            Property(
                lambda found, c: found == _found(*c.given) or sorted(found) != sorted(_found(*c.given)),
                "These are the right texts in another order. They must come in the order in which they stand in validation.",
            ),
        ),
    )


# 3.3: the mask


def _masked(prompt: list[int], completion: list[int], mask: int = IGNORED) -> list[int]:
    return [mask] * len(prompt) + completion


def _one_label_each(labels: list[int], case: Case) -> bool:
    return len(labels) == len(case.given[0]) + len(case.given[1])


def _count_told(labels: list[int], case: Case) -> str:
    prompt, completion = map(len, case.given)
    return f"There must be one label for each token of prompt and completion: {prompt} and {completion}, not {len(labels)} in all."


def _part(labels: list[int], case: Case, *, of_prompt: bool) -> list[int]:
    start = len(case.given[0])
    return labels[:start] if of_prompt else labels[start:]


def _mask_prompt() -> Exercise:
    def drawn(rng: random.Random) -> tuple[list[int], list[int]]:
        return rng.choices(range(9), k=rng.randrange(1, 9)), rng.choices(range(9), k=rng.randrange(1, 9))

    cases = [Case(([5, 6, 2], [7, 4])), Case(([3, 1], [1, 0, 8])), Case(([4], [4, 4, 9])), *generated(drawn)]
    shifted = "The labels are shifted by one place. The model shifts by itself: a token's label stands at its own place."
    place_decides = (
        "Whether a token counts hangs on which token it is in your function. The place decides: a token may stand in prompt and completion."
    )
    order = "The labels are not in the order of the tokens: the prompt stands first, then the completion as it is."
    mistakes = [
        Wrong(lambda p, c: _masked(p, c, 0), "You mask with 0. That is the number of a token, so the model would be tuned to write it."),
        Wrong(lambda p, c: _masked(p, c, -1), "You mask with -1. PyTorch's loss leaves out only one number, another one."),
        Wrong(lambda p, c: _masked(p, c, 100), "You mask with 100. That is the number of a token: the sign is missing."),
        Wrong(
            lambda p, c: [0] * len(p) + [1] * len(c),
            "You return 0 and 1, as in an attention mask. A label says which token shall be written: the token itself, or -100.",
        ),
        Wrong(lambda p, c: [IGNORED] * len(p) + [1] * len(c), "Where a token counts, its label is 1 in your function. It must be the token itself."),
        Wrong(lambda p, c: p + c, "Nothing is masked: the model would be tuned to write the prompt, too."),
        Wrong(lambda p, c: p + [IGNORED] * len(c), "You mask the completion. That is what the model shall learn; what it reads shall not count."),
        Wrong(lambda p, c: [IGNORED] * len(c) + p, "The labels are those of the prompt. It is read only: the completion shall be learned."),
        Wrong(lambda p, c: [IGNORED] * len(p) + p, "The labels are those of the prompt. It is read only: the completion shall be learned."),
        Wrong(lambda p, c: [IGNORED] * len(p + c), "You mask every token, so that there is nothing to learn from."),
        Wrong(lambda p, c: c, "Only the completion's labels are there. The prompt's tokens need a label each, too."),
        Wrong(lambda p, c: _masked(p, []), "Only the prompt's labels are there. The completion's tokens need a label, too."),
        Wrong(lambda p, c: _masked(c, c), "You mask as many tokens as the completion has. How many are to be masked?"),
        Wrong(lambda p, c: c + [IGNORED] * len(p), order),
        Wrong(lambda p, c: _masked(p, c[::-1]), order),
        Wrong(lambda p, c: _masked(p, sorted(c)), order),
        Wrong(lambda p, c: [IGNORED if token in p else token for token in p + c], place_decides),
        Wrong(lambda p, c: [token if token in c else IGNORED for token in p + c], place_decides),
        Wrong(
            lambda p, c: _masked(p, [token or IGNORED for token in c]),
            "A token of the completion with the number 0 is masked. It is a token like any other: the place decides.",
        ),
        *[Wrong(lambda p, c, by=by: [by * token for token in p] + c, "The prompt's labels must be -100 itself, not a product.") for by in (-100, -1)],
        *[
            Wrong(wrong, shifted)
            for wrong in (
                lambda p, c: _masked(p, c)[1:],
                lambda p, c: [*_masked(p, c)[1:], IGNORED],
                lambda p, c: [IGNORED, *_masked(p, c)],
                lambda p, c: [IGNORED, *_masked(p, c)][:-1],
                lambda p, c: _masked(p, c[1:]),
                lambda p, c: [*_masked(p, c[1:]), IGNORED],
            )
        ],
        Wrong(
            lambda p, c: [*_masked(p[1:], p[-1:]), *c],
            "One token too few is masked: the last token of the prompt counts, too. Only what the model shall write is learned.",
        ),
        Wrong(
            lambda p, c: [IGNORED, *_masked(p, c[1:])],
            "One token too many is masked: the first token of the completion does not count, and the model must learn to begin.",
        ),
        Wrong(
            lambda p, c: [*_masked(p, c[:-1]), IGNORED],
            "One token too many is masked: the last token of the completion does not count, and the model must learn to end.",
        ),
    ]
    return Exercise(
        "The prompt is read, the completion is learned.",
        call="mask_prompt(prompt_ids, completion_ids)",
        cases=cases,
        right=_masked,
        mistakes=mistakes,
        read=lambda value: as_labels(value, "one flat list of whole numbers"),
        properties=(
            Property(_one_label_each, _count_told),
            Property(
                lambda labels, c: set(_part(labels, c, of_prompt=True)) == {IGNORED},
                lambda labels, c: (
                    f"The labels of the prompt's tokens are {_part(labels, c, of_prompt=True)}: each of them must be -100, as it is only read."
                ),
            ),
            Property(
                lambda labels, c: _part(labels, c, of_prompt=False) == c.given[1],
                lambda labels, c: (
                    f"The labels of the completion's tokens are {_part(labels, c, of_prompt=False)}: each must be the token itself, in its order."
                ),
            ),
        ),
    )


# 3.4: the loss


def _counted(log_probabilities: Sequence[float], labels: list[int]) -> list[float]:
    return [float(p) for p, label in zip(log_probabilities, labels, strict=True) if label != IGNORED]


def _loss(log_probabilities: Sequence[float], labels: list[int], *, of: Callable = statistics.fmean) -> float:
    return float(-of(_counted(log_probabilities, labels)))


def _loss_where(counts: Callable, p: Sequence[float], labels: list[int]) -> float:
    return _loss(p, [1 if counts(label) else IGNORED for label in labels])


def _completion_loss() -> Exercise:
    def case(labels: list[int], rng: random.Random) -> tuple[list[float], list[int]]:
        return [round(-rng.uniform(0.1, 5), 3) for _ in labels], labels

    def drawn(rng: random.Random) -> tuple[list[float], list[int]]:
        before, after = [IGNORED] * rng.randrange(1, 5), [IGNORED] * rng.randrange(3)
        return case([*before, *rng.choices(range(9), k=rng.randrange(2, 6)), *after], rng)

    rng = random.Random(4)
    cases = [
        Case(([-9.0, -7.0, -1.0, -2.5], [IGNORED, IGNORED, 4, 7]), "Only the last two tokens count: the loss is the mean of 1.0 and 2.5."),
        Case(case([IGNORED, IGNORED, 3, 8, 2, 6], rng), "Four tokens count, and the mean goes over these."),
        Case(case([IGNORED, 0, 3, 5], rng), "Three tokens count: a label of 0 is a token like any other."),
        Case(case([IGNORED, 4, 6, 2, IGNORED, IGNORED], rng), "Masked tokens may also stand behind the completion, where a batch is filled up."),
        Case(case([IGNORED, 7, IGNORED, 9, 5], rng), "Masked tokens may also stand between others: each label says whether its own token counts."),
        Case(([-4.0, -0.6], [IGNORED, 2]), "Only one token counts."),
        Case(([-1.0, -14.5, 0.0, -0.5], [IGNORED, 5, 2, 9]), "Three tokens count: a very unlikely one, and one of which the model was sure, too."),
        Case(
            ([-4.0, -2.0, -2.0, -0.5], [IGNORED, 3, 8, 3]), "Three tokens count, each with its own value, also where two values or labels are alike."
        ),
        Case(case([3, 1, 5], rng), edge="no token is masked", why="Then all of them count."),
        *generated(drawn, why="Only the tokens whose label is not -100 count, each with the log-probability at its own place."),
    ]
    tensors = [
        Case((torch.tensor(p), labels), "The log-probabilities may also be a tensor.", edge="a tensor of log-probabilities")
        for p, labels in (one.given for one in cases[:5])
    ]
    shifted = "You shift by one place. Each log-probability already belongs to the label at the same place."
    whole = "You round to a whole number. A loss of 1.4 and one of 0.6 are far apart: return the mean as it is."
    mistakes = [
        Wrong(lambda p, n: _loss(p, n, of=sum), "You return the sum, which grows with the length of the completion. The mean is wanted."),
        Wrong(lambda p, n: -_loss(p, n, of=sum), "You return the sum, and its sign is wrong. The mean negative log-probability is wanted."),
        Wrong(
            lambda p, n: _loss_where(lambda label: True, p, n),
            "The masked tokens count, too. The prompt is given: how likely the model finds it is not what is learned.",
        ),
        Wrong(
            lambda p, n: float(-sum(map(float, p))),
            "You return the sum over all tokens, the masked tokens too. The mean over those that count is wanted.",
        ),
        Wrong(
            lambda p, n: -sum(map(float, p)) / len(_counted(p, n)),
            "You divide by the right number, but add up the masked tokens, too. Only the others are to be added up.",
        ),
        Wrong(
            lambda p, n: _loss(p, n, of=sum) / len(n),
            "You add up the right tokens but divide by the number of all. A longer prompt would lower the loss.",
        ),
        *[
            Wrong(
                lambda p, n, by=by, least=least: _loss(p, n, of=sum) / max(least, len(_counted(p, n)) + by),
                "You divide by one more or one less than the number of tokens that count. How many did you add up?",
            )
            for by, least in ((1, 1), (-1, 1), (-1, 0))
        ],
        Wrong(lambda p, n: -_loss(p, n), "The sign is wrong. Logarithms of probabilities are negative, and a loss falls towards 0 as they rise."),
        Wrong(
            lambda p, n: _loss_where(lambda label: label == IGNORED, p, n),
            "You take the masked tokens, those with the label -100. They are the ones that do not count.",
        ),
        Wrong(
            lambda p, n: _loss_where(lambda label: label > 0, p, n),
            "You leave out a token whose label is 0. That is a token like any other; only masked ones are left out.",
        ),
        Wrong(lambda p, n: math.exp(_loss(p, n)), "You return the perplexity, which is the exponential of the loss. Stay with the logarithms."),
        Wrong(
            lambda p, n: math.exp(-_loss(p, n)),
            "You return a probability, the exponential of the mean. Stay with the logarithms: their negative mean is the loss.",
        ),
        *[
            Wrong(
                wrong,
                "You go back to probabilities and take their mean. The mean of the logarithms is wanted, and that is another number.",
            )
            for wrong in (
                lambda p, n: -math.log(statistics.fmean(map(math.exp, _counted(p, n)))),
                lambda p, n: statistics.fmean(map(math.exp, _counted(p, n))),
                lambda p, n: -statistics.fmean(map(math.exp, _counted(p, n))),
            )
        ],
        Wrong(lambda p, n: _loss(p, n) / math.log(2), "You divide by a logarithm: the natural logarithm is given, and its base stays as it is."),
        Wrong(lambda p, n: _loss(p, n, of=statistics.median), "You return the median, the value in the middle. The mean is wanted."),
        Wrong(lambda p, n: _loss(p, n, of=min), "You return the value of one token, the largest loss. The mean over all that count is wanted."),
        Wrong(lambda p, n: _loss(p, n, of=max), "You return the value of one token, the smallest loss. The mean over all that count is wanted."),
        Wrong(
            lambda p, n: _loss(p, n, of=lambda counted: counted[0]),
            "You return the value of the first token that counts. A `return` inside the loop ends it.",
        ),
        Wrong(
            lambda p, n: _loss(p, n, of=lambda counted: counted[-1]),
            "You return the value of the last token that counts. Is the sum set back to 0 inside the loop?",
        ),
        Wrong(lambda p, n: statistics.fmean(value**2 for value in _counted(p, n)), "You take squares. The logarithms themselves are averaged."),
        Wrong(
            lambda p, n: -sum(p * label for p, label in zip(map(float, p), n, strict=True) if label != IGNORED) / len(_counted(p, n)),
            "You multiply by the label, which is only the number of the token. It says whether the token counts, no more.",
        ),
        *[
            Wrong(wrong, whole)
            for wrong in (lambda p, n: round(_loss(p, n)), lambda p, n: math.floor(_loss(p, n)), lambda p, n: math.ceil(_loss(p, n)))
        ],
        Wrong(
            lambda p, n: round(_loss(p, n), 1),
            "You round to one digit, and much of the difference between two losses is lost. Return the mean as it is.",
        ),
        Wrong(lambda p, n: 100 * _loss(p, n), "You multiply by 100. A loss is no percentage."),
        *[
            Wrong(wrong, shifted)
            for wrong in (
                lambda p, n: _loss(p, [IGNORED, *n[:-1]]),
                lambda p, n: _loss(p, n[1:] + n[-1:]),
                lambda p, n: _loss(p, [*n[1:], IGNORED]),
            )
        ],
    ]
    return Exercise(
        "This is the number that tuning lowers.",
        call="completion_loss(log_probabilities, labels)",
        cases=[*cases, *tensors],
        right=_loss,
        mistakes=mistakes,
        read=lambda value: as_number(value, "one number (the mean over the tokens that count)"),
        tolerance=6e-3,
    )


# 3.5: the best checkpoint


def _stopped(
    losses: list[float],
    patience: int,
    *,
    in_a_row: bool = True,
    to_the_last: bool = False,
    better: Callable[[float, float], bool] = lambda loss, lowest: loss < lowest,
    begun: float = math.inf,
) -> tuple[int, int]:
    """Return the best checkpoint and the stop; better: what is a new lowest loss; begun: the lowest loss before the first."""
    best, waited, lowest = 0, 0, begun
    for index, loss in enumerate(losses):
        before = losses[index - 1] if to_the_last and index else lowest
        waited = (0 if in_a_row else waited) if better(loss, before) else waited + 1
        if better(loss, lowest):
            best, lowest = index, loss
        if waited >= patience:
            return best, index
    return best, len(losses) - 1


def _lower_than_before(losses: list[float], patience: int) -> tuple[int, int]:
    best, waited = 0, 0
    for index in range(1, len(losses)):
        best, waited = (index, 0) if losses[index] < losses[index - 1] else (best, waited + 1)
        if waited == patience:
            return best, index
    return best, len(losses) - 1


def _place(losses: list[float]) -> int:
    return losses.index(min(losses))


def _at_the_end(losses: list[float], patience: int, end: int) -> tuple[int, int]:
    """Return what is right where training is stopped early, and another last evaluation where it is not."""
    best, stop = _stopped(losses, patience)
    return best, stop if stop - best == patience else end


def _as_pair(value: Any) -> tuple[float, ...]:
    asked = "a pair of whole numbers (the checkpoint that is kept, the evaluation after which training stops)"
    require(not isinstance(value, Set | Mapping), expected(asked, value))
    return as_numbers(value, 2, asked)


def _best_checkpoint() -> Exercise:
    def drawn(rng: random.Random) -> tuple[list[float], int]:
        return [round(rng.uniform(1, 2), 1) for _ in range(rng.randrange(4, 13))], rng.randrange(1, 5)

    cases = [
        Case(
            ([2.0, 1.5, 1.2, 1.3, 1.25, 1.4, 1.1], 3),
            "The lowest loss before the stop is kept; training stops when 3 evaluations in a row brought no lower one.",
        ),
        Case(([2.0, 1.8, 1.6, 1.5], 2), "The loss falls until the end of the list, so that training is not stopped early."),
        Case(([2.0, 2.1, 1.9, 2.2, 1.8, 1.9, 1.7], 2), "A new lowest loss begins the count anew."),
        Case(([1.5, 1.2, 1.2, 1.2, 1.1], 2), "A loss equal to the lowest one is no new lowest loss."),
        Case(([1.0, 0.8, 0.9], 3), "Here the evaluations end while training still waits: it stops at the end of the list."),
        Case(([1.0, 0.9, 0.95, 0.8], 1), "A patience of 1 stops at the first evaluation without a new lowest loss."),
        Case(([1.0, 1.1, 1.2, 0.5], 2), "The first evaluation may already have the lowest loss of those before the stop."),
        Case(([2.0, 1.0, 1.6, 1.5, 1.4, 1.3], 3), "A loss that is lower than the one before it is not yet lower than all before."),
        Case(([1.5, 1.49999, 1.49998, 1.49997, 1.6], 2), "A loss is a new lowest one however little it is below the others."),
        Case(([5000.0, 3000.0, 2000.0, 2500.0], 3), "Losses may be large: the first one is always the lowest so far."),
        Case(([10.5, 9.75, 9.5, 11.0, 10.0], 2), "9.75 is a lower loss than 10.5: numbers are compared, not texts."),
        Case(([0.7], 2), edge="one evaluation only", why="It is the best one, and training stops there."),
        *generated(drawn, 40, why="Walk through the losses one by one: is this one the lowest so far, and if not, for how long?"),
    ]
    looks_ahead = "After training has stopped there are no more evaluations to choose from: leave the loop there."
    ends = "The evaluations may end while training still waits. Then it stops after the last one: what is its index?"
    equal = "You take a loss equal to the lowest one as a new lowest. Of equal ones the first is kept."
    begins = (
        "Your lowest loss begins with a number of your own. Losses may be above it, so that none is ever a new lowest one: "
        "begin with the first loss, or with math.inf."
    )
    mistakes = [
        Wrong(
            lambda v, p: (_stopped(v, p)[1],) * 2,
            "You keep the last checkpoint. Training goes on for a while after the best one: which one is worth keeping?",
        ),
        Wrong(
            lambda v, p: (_stopped(v, p)[0],) * 2,
            "The second number is the checkpoint that is kept, too. It must say where training stops, which is later unless the list ends there.",
        ),
        Wrong(lambda v, p: _stopped(v, p)[::-1], "The two numbers are exchanged: first the checkpoint that is kept, then where training stops."),
        Wrong(lambda v, p: (_place(v), _stopped(v, p)[1]), f"You look at all losses. {looks_ahead}"),
        Wrong(lambda v, p: (_place(v), min(_place(v) + p, len(v) - 1)), f"You look at all losses. {looks_ahead}"),
        Wrong(lambda v, p: (_place(v), len(v) - 1), "You never stop early. Count the evaluations in a row that bring no new lowest loss."),
        Wrong(lambda v, p: (_stopped(v, p)[0], len(v) - 1), "The checkpoint is right, but you say that training always stops at the end."),
        Wrong(
            lambda v, p: _stopped(v, p, in_a_row=False),
            "You count all evaluations without a new lowest loss. Only those in a row count: begin anew after each lowest loss.",
        ),
        Wrong(
            lambda v, p: _stopped(v, p, to_the_last=True),
            "You compare each loss with the one before it. A loss that falls a little may still be far above the lowest.",
        ),
        Wrong(
            _lower_than_before,
            "You compare each loss with the one before it, and keep the one that fell last. It may still be far above the lowest.",
        ),
        Wrong(lambda v, p: _stopped(v, p, better=lambda loss, lowest: loss <= lowest), equal),
        Wrong(lambda v, p: (max(n for n in range(_stopped(v, p)[1] + 1) if v[n] == v[_stopped(v, p)[0]]), _stopped(v, p)[1]), equal),
        Wrong(
            lambda v, p: _stopped(v, p, better=lambda loss, highest: loss > highest, begun=-math.inf),
            "You keep the highest loss. A loss is the better the lower it is.",
        ),
        *[
            Wrong(
                lambda v, p, by=by: _stopped(v, p, better=lambda loss, lowest: loss < lowest - by),
                "You ask for a loss that is lower by a margin. A loss is a new lowest one however little it is below the others.",
            )
            for by in (0.1, 0.01, 0.001, 1e-4)
        ],
        *[Wrong(lambda v, p, begun=begun: _stopped(v, p, begun=begun), begins) for begun in (0.0, 1.0, 2.0, 5.0, 10.0, 100.0, 1000.0)],
        Wrong(
            lambda v, p: _stopped(v, p, begun=v[0]),
            "You count the first evaluation as one without a new lowest loss. Its loss is the lowest so far.",
        ),
        Wrong(lambda v, p: _stopped(v, p + 1), "You wait for one evaluation too long."),
        Wrong(lambda v, p: _stopped(v, max(1, p - 1)), "You stop one evaluation too early: `patience` evaluations in a row may pass."),
        Wrong(lambda v, p: _stopped(v, p - 1), "You stop one evaluation too early: `patience` evaluations in a row may pass."),
        Wrong(
            lambda v, p: (_stopped(v, p)[0], _at_the_end(v, p, len(v))[1] - 1),
            "You stop one evaluation too early: the last of the `patience` evaluations has been made, too, when training stops.",
        ),
        *[
            Wrong(lambda v, p, fixed=fixed: _stopped(v, fixed), "You ignore `patience`: training stops after another number of evaluations.")
            for fixed in range(1, 6)
        ],
        Wrong(
            lambda v, p: (_stopped(v, p)[0], _stopped(v, p)[1] + 1),
            "The second number is one too high. It is counted from 0, too: the index of the last evaluation.",
        ),
        Wrong(lambda v, p: tuple(n + 1 for n in _stopped(v, p)), "You count the evaluations from 1. An index in Python begins with 0."),
        *[
            Wrong(
                lambda v, p, end=end: (max(0, _stopped(v, p)[0] - 1), (_at_the_end(v, p, len(v)) if end else _stopped(v, p))[1] - 1),
                "Your numbers are one too low. A loop over a part of the list counts from the beginning of that part.",
            )
            for end in (True, False)
        ],
        Wrong(
            lambda v, p: (len(v) - 1,) * 2,
            "Every evaluation brings a new lowest loss in your function. Is the lowest loss kept when a lower one comes?",
        ),
        Wrong(lambda v, p: (min(v[: _stopped(v, p)[1] + 1]), _stopped(v, p)[1]), "The first number is a loss. Return the place where it stands."),
        Wrong(lambda v, p: tuple(v[n] for n in _stopped(v, p)), "Each of your numbers is a loss. Return the places where they stand."),
        Wrong(
            lambda v, p: (sum(v[n] < min(v[:n], default=math.inf) for n in range(_stopped(v, p)[1] + 1)) - 1, _stopped(v, p)[1]),
            "You count the checkpoints that were kept on the way. The index of the evaluation is wanted whose checkpoint is kept in the end.",
        ),
        Wrong(lambda v, p: (_stopped(v, p)[0], _stopped(v, p)[0] + p), ends),
        Wrong(lambda v, p: _at_the_end(v, p, -1), ends),
        Wrong(lambda v, p: _at_the_end(v, p, len(v)), ends),
        Wrong(lambda v, p: _at_the_end(v, p, 0), ends),
        *[
            Wrong(
                lambda v, p, down=down: _stopped(sorted(v, reverse=down), p),
                "You sort the losses. They come one after the other while training goes on: walk through them in their order.",
            )
            for down in (False, True)
        ],
        Wrong(lambda v, p: (0, 0), "You stop at the first evaluation. Does a `return` or `break` stand inside the loop without its condition?"),
    ]
    return Exercise(
        "The best checkpoint is kept, however long training went on after it.",
        call="best_checkpoint(validation_losses, patience)",
        cases=cases,
        right=_stopped,
        mistakes=mistakes,
        read=_as_pair,
        properties=(
            Property(lambda pair, c: all(number % 1 == 0 for number in pair), "An index is a whole number: is one of yours a loss?"),
            Property(lambda pair, c: pair[0] <= pair[1], f"The checkpoint stands behind the stop. {looks_ahead}"),
        ),
        tolerance=1e-6,
    )


CHECKS = {
    "3.1": TO_RECORD,
    "3.2": _leaks(),
    "3.3": _mask_prompt(),
    "3.4": _completion_loss(),
    "3.5": _best_checkpoint(),
}
