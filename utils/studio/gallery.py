"""The prompt gallery: cards by task, a YAML file each, with what the course's own model makes of them.

    python -m utils.studio.gallery

asks every card's prompt anew and writes the answers into the files.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from utils.arguments import text
from utils.errors import CourseError, DataError
from utils.logits.config import DecodingConfig
from utils.storage.files import write_text
from utils.studio.prompt import Prompt

if TYPE_CHECKING:
    import pandas as pd

    from utils.models.language_model import LanguageModel

CARDS = Path(__file__).parent / "cards"
TASKS = (
    "summarise",
    "classify",
    "extract",
    "rewrite",
    "translate",
    "question answering",
    "ideas",
    "code",
    "dialogue",
)
VERDICTS = ("good", "weak", "wrong")


@dataclass(frozen=True)
class Card:
    """A prompt of the gallery.

    name: its file's, without the ending. task: one of TASKS. why: why the prompt is written so. answer: what the
    course's own model makes of it, a line for each row of values. verdict: one of VERDICTS; seen: what a person
    found in the answer, and what helps where it is not good.
    """

    name: str
    title: str
    task: str
    prompt: Prompt
    why: str
    answer: str
    verdict: str
    seen: str

    @property
    def asked(self) -> list[Prompt]:
        """The prompt with each row of its values, or as it is where there are none."""
        return [self.prompt.filled(dict(row)) for row in self.prompt.values] or [self.prompt]

    @property
    def words(self) -> str:
        """All that a search looks at, in small letters."""
        prompt = self.prompt
        pairs = [part for pair in (*prompt.examples, *prompt.turns) for part in pair]
        parts = (
            self.title,
            self.task,
            self.why,
            prompt.context,
            prompt.text,
            prompt.test_input,
            *pairs,
            *prompt.labels,
        )
        return " ".join(parts).casefold()


@dataclass(frozen=True)
class Gallery:
    """The cards that could be read, by task and name, and a sentence about each that could not."""

    cards: tuple[Card, ...]
    problems: tuple[str, ...] = ()

    def find(self, search: str = "", *, task: str = "") -> tuple[Card, ...]:
        """Return the cards that hold every word of a search, of one task or ("") of all."""
        wanted = search.casefold().split()
        return tuple(
            card
            for card in self.cards
            if (not task or card.task == task) and all(word in card.words for word in wanted)
        )


def load_cards(folder: Path = CARDS) -> Gallery:
    """Return the gallery of a folder; a broken card is told of, and the others are there."""
    cards, problems = [], []
    for path in sorted(folder.glob("*.yaml")):
        try:
            cards.append(read_card(path))
        except CourseError as error:
            problems.append(str(error))
    return Gallery(tuple(sorted(cards, key=lambda card: (TASKS.index(card.task), card.name))), tuple(problems))


def read_card(path: Path) -> Card:
    """Return the card of a file. Raises DataError that names the file with the line or the field that is wrong."""
    what = f"The card {path.name}"
    given = _read_yaml(path, what)
    names = [field.name for field in fields(Card) if field.name != "name"]
    if missing := [name for name in names if name not in given]:
        raise DataError(f"{what} has no field {missing[0]!r}: a card has {', '.join(names)}.")
    if unknown := [name for name in given if name not in names]:
        raise DataError(f"{what} has a field {unknown[0]!r}, which no card has: its fields are {', '.join(names)}.")
    for name, known in (("task", TASKS), ("verdict", VERDICTS)):
        if given[name] not in known:
            raise DataError(f"{what}: the field {name!r} is one of {', '.join(known)}; {given[name]!r} stands there.")
    try:
        texts = {name: text(given[name], f"the field {name!r}") for name in names if name != "prompt"}
        return Card(name=path.stem, prompt=Prompt.from_dict(given["prompt"]), **texts)
    except CourseError as error:
        raise DataError(f"{what} cannot be read. {error}") from None


def answers(model: "LanguageModel", cards: Sequence[Card]) -> list[str]:
    """Return what a model makes of each card, a line for each row of values, without the white space around it.

    Prompts with the same parameters are answered in batches, and the answers kept on disk. A choice of labels gives
    their shares, likeliest first.
    """
    from utils.models.settings import OWN  # torch: the page shows the cards without it
    from utils.studio.responses import classify

    found: dict[Prompt, str] = {}
    alike: defaultdict[DecodingConfig, list[Prompt]] = defaultdict(list)
    for prompt in (prompt for card in cards for prompt in card.asked):
        if prompt.labels:
            shares = classify(model, prompt).items()
            found[prompt] = ", ".join(f"{label} {share:.2f}" for label, share in shares)
        else:
            alike[prompt.config].append(prompt)
    for config, prompts in alike.items():
        settings = {name: getattr(config, name) for name in (*OWN, "stop")}
        completions = model.kept_completions([prompt.written(model) for prompt in prompts], **settings)
        found |= zip(prompts, map(str.strip, completions), strict=True)
    return ["\n".join(found[prompt] for prompt in card.asked) for card in cards]


def measure(model: "LanguageModel", cards: Sequence[Card]) -> "pd.DataFrame":
    """Return a row a card: whether the model's answer is the one that stands in it, the answer, and its tokens.

    tokens: those of the answer's text; 0 for a choice of labels, where nothing is written.
    """
    import pandas as pd

    found = answers(model, cards)
    return pd.DataFrame(
        {
            "card": [card.title for card in cards],
            "as written": [answer == card.answer for card, answer in zip(cards, found, strict=True)],
            "answer": found,
            "tokens": [
                0 if card.prompt.labels else len(model.tokenizer(answer, add_special_tokens=False)["input_ids"])
                for card, answer in zip(cards, found, strict=True)
            ],
        }
    )


def with_answer(written: str, answer: str) -> str:
    """Return a card's YAML with another answer, and all else as it was written."""
    parts = yaml.compose(written, yaml.SafeLoader).value
    place = next(value for key, value in parts if key.value == "answer")
    block = yaml.safe_dump(answer, default_style="|", allow_unicode=True, width=math.inf)
    return written[: place.start_mark.index] + block + written[place.end_mark.index :].lstrip("\n")


def _read_yaml(path: Path, what: str) -> dict[str, Any]:
    try:
        given = yaml.safe_load(path.read_text(encoding="utf8"))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DataError(f"{what} is not valid YAML in line {line} ({error.problem}): mend that line.") from None
    except (yaml.YAMLError, ValueError, OSError) as error:
        raise DataError(f"{what} cannot be read as text ({error}).") from None
    if not isinstance(given, dict):
        raise DataError(f"{what} has no fields: write `title: ...` and the others, each on a line of its own.")
    return given


def main() -> None:
    """Write what the course's own model answers into every card."""
    from utils.models.loading import DEFAULT_MODEL, load_model

    gallery = load_cards()
    for card, answer in zip(gallery.cards, answers(load_model(DEFAULT_MODEL), gallery.cards), strict=True):
        path = CARDS / f"{card.name}.yaml"
        write_text(path, with_answer(path.read_text(encoding="utf8"), answer))
        print(f"{card.name}: {'as before' if answer == card.answer else answer!r}")
    for problem in gallery.problems:
        print(problem)


if __name__ == "__main__":
    main()
