"""Run cards: what was asked of which model and what it answered, kept so that it can be run again and compared.

In the workspace's folder `runs`, a JSON file each.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

from utils.arguments import a_list, number, text, texts, whole_number
from utils.errors import CourseError, DataError, short_reason
from utils.experiments.provenance import versions
from utils.models.language_model import LanguageModel
from utils.models.tokens import quoted, token_text
from utils.storage.files import disk_errors_explained, write_text
from utils.studio.models import identity
from utils.studio.prompt import Prompt
from utils.studio.responses import Response, classify, respond
from utils.studio.values import filled
from utils.studio.workspace import Workspace

COURSE = "generative-ai-course"
PACKAGES = (COURSE, "torch", "transformers")
FORMAT = 1
"""The version of a run card's file."""

LARGEST_ID = 2**31 - 1
"""Of a token: more than any vocabulary has."""

TOLERANCE = 0.005
"""How far a label's share may be from the one on the card and still be called the same."""

FOLDER, KEPT = "runs", 200
"""Where run cards are kept, and how many of them; what is older is dropped, and that is said."""


@dataclass(frozen=True)
class Output:
    """One response as a run card keeps it, or the choice of a label.

    tokens: their ids, none where an endpoint wrote. stop_reason: as in Step. shares: each label's, the likeliest, which
    is the text, first.
    """

    seed: int
    text: str
    tokens: tuple[int, ...] = ()
    stop_reason: str = ""
    shares: Mapping[str, float] = field(default_factory=dict)


Answer = Sequence[Response] | Mapping[str, float]
"""What a prompt got: responses, or where it has labels, their shares."""


@dataclass(frozen=True)
class RunCard:
    """One run of a prompt.

    prompt: with its parameters, the model's reference, and the one row of values that filled it. model, model_hash: the
    name and `identity` of what answered. made: in UTC. packages: (name, version) pairs. Raises DataError for outputs of
    other seeds or labels than the prompt's.
    """

    prompt: Prompt
    outputs: tuple[Output, ...]
    model: str
    model_hash: str
    made: datetime
    packages: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        labels = self.prompt.labels
        seeds = self.prompt.seeds[:1] if labels else self.prompt.seeds
        if [output.seed for output in self.outputs] != seeds:
            raise DataError(f"The run card's outputs are not those of its prompt's seeds, {seeds}.")
        if any(set(output.shares) != set(labels) for output in self.outputs):
            raise DataError(f"The run card's shares are not those of its prompt's labels, {list(labels)}.")

    @property
    def asked(self) -> Prompt:
        """The prompt as the model got it."""
        return filled(self.prompt, 0)

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "run_card": FORMAT,
            "made": self.made.isoformat(),
            "model": {"name": self.model, "hash": self.model_hash},
            "packages": dict(self.packages),
            "prompt": self.prompt.as_dict(),
            "outputs": [asdict(output) for output in self.outputs],
        }

    @classmethod
    def from_dict(cls, given: Any) -> "RunCard":
        """Return the card that `as_dict` wrote. Raises DataError, UnsupportedSetting."""
        if not isinstance(given, Mapping) or "run_card" not in given:
            raise DataError("This is no run card: its file holds no `run_card`.")
        if given["run_card"] != FORMAT:
            raise DataError(f"The run card is of version {given['run_card']!r:.80}, and this course reads {FORMAT}.")
        try:
            return cls(
                prompt=Prompt.from_dict(given["prompt"]),
                outputs=tuple(map(_output, a_list(given["outputs"], "the outputs"))),
                model=text(given["model"]["name"], "the model's name"),
                model_hash=text(given["model"]["hash"], "the model's hash"),
                packages=tuple((name, text(each, "a version")) for name, each in given["packages"].items()),
                made=datetime.fromisoformat(given["made"]).astimezone(UTC),
            )
        except CourseError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"The run card is damaged ({type(error).__name__}: {short_reason(error)}).") from None


def make_card(prompt: Prompt, model: LanguageModel, answer: Answer, *, row: int = 0) -> RunCard:
    """Return the card of a run. row: of the prompt's values, from 0. A model's first hash takes about a second."""
    return RunCard(
        prompt=replace(prompt, values=prompt.values[row : row + 1]),
        outputs=_outputs(prompt, answer),
        model=model.name,
        model_hash=identity(model),
        packages=tuple(versions(*PACKAGES).items()),
        made=datetime.now(UTC),
    )


@dataclass(frozen=True)
class RunCards:
    """The run cards of a workspace."""

    workspace: Workspace

    @property
    def folder(self) -> Path:
        """Where the cards are."""
        return self.workspace.folder / FOLDER

    def keep(self, card: RunCard) -> str:
        """Keep a card. Returns "", or the sentence that the oldest were dropped. Raises DiskFull, CacheUnusable."""
        path = self.folder / f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{secrets.token_hex(2)}.json"
        with disk_errors_explained(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_text(path, written(card))
            dropped = self._files()[KEPT:]
            for file in dropped:
                file.unlink(missing_ok=True)
        if not dropped:
            return ""
        cards = "card was" if len(dropped) == 1 else f"{len(dropped)} cards were"
        return f"The newest {KEPT} run cards are kept, and the oldest {cards} dropped: export what shall stay."

    def all(self) -> tuple[dict[str, RunCard], list[str]]:
        """Return the cards by file name, the last kept first, and a sentence for each file that cannot be read."""
        cards, problems = {}, []
        for file in self._files():
            try:
                cards[file.name] = read(file.read_bytes())
            except FileNotFoundError:  # dropped by another studio just now
                continue
            except (CourseError, OSError) as error:
                problems.append(f"{file.name}: {short_reason(error)}")
        return cards, problems

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.json"), key=lambda file: file.name, reverse=True)


def written(card: RunCard) -> str:
    """Return a card as the text of a JSON file."""
    return json.dumps(card.as_dict(), ensure_ascii=False, indent=1)


def read(content: bytes) -> RunCard:
    """Return the card in a JSON file. Raises DataError, UnsupportedSetting."""
    try:
        return RunCard.from_dict(json.loads(content))
    except (ValueError, RecursionError) as error:
        raise DataError(f"This is no run card: its file is no JSON ({short_reason(error)}).") from None


def export(card: RunCard, path: str | Path) -> Path:
    """Write a card to a file that is not there yet and return its path. Raises DataError, DiskFull, CacheUnusable."""
    path = Path(text(path, "the path of the file")).expanduser()
    if path.exists():
        raise DataError(f"{path} is there already: give another name.")
    with disk_errors_explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, written(card))
    return path


@dataclass(frozen=True)
class Compared:
    """One output beside the one on the card.

    position: of the first token that differs, or label whose share does, from 1; None if none does. said: what is the
    same or differs, in a sentence.
    """

    before: Output
    now: Output
    position: int | None
    said: str


@dataclass(frozen=True)
class Replay:
    """A card run again. expected: why the outputs may differ, sentences. compared: one for each output."""

    expected: tuple[str, ...]
    compared: tuple[Compared, ...]

    @property
    def same(self) -> bool:
        """Whether all outputs are the same."""
        return all(each.position is None for each in self.compared)


def replay(card: RunCard, model: LanguageModel) -> Replay:
    """Run a card's prompt again and compare token by token. Raises what `respond` and `classify` raise."""
    return compare(card, model, (classify if card.asked.labels else respond)(model, card.asked))


def compare(card: RunCard, model: LanguageModel, answer: Answer) -> Replay:
    """Compare the answer to a card's prompt with the one on the card."""
    pairs = zip(card.outputs, _outputs(card.prompt, answer), strict=True)
    return Replay(tuple(changes(card, model)), tuple(_compared(before, now, model) for before, now in pairs))


def changes(card: RunCard, model: LanguageModel) -> list[str]:
    """Return why a model may answer otherwise than the card has it: another model, other packages."""
    said = []
    if (found := identity(model)) != card.model_hash:
        said.append(f"The card is of {card.model} ({card.model_hash}); this is {model.name} ({found}).")
    here = versions(*PACKAGES)
    said += [
        f"{name} was {before} and is {here.get(name, 'unknown')} now."
        for name, before in card.packages
        if here.get(name) != before
    ]
    return said


def _outputs(prompt: Prompt, answer: Answer) -> tuple[Output, ...]:
    if isinstance(answer, Mapping):
        return (Output(prompt.seeds[0], next(iter(answer)), shares=answer),)
    return tuple(Output(each.seed, each.text, each.tokens, each.stop_reason) for each in answer)


def _compared(before: Output, now: Output, model: LanguageModel) -> Compared:
    """Compare two responses; of one that was stopped by hand, what had been written by then."""
    if before.shares:
        return _choices_compared(before, now)
    by_token = bool(before.tokens and now.tokens)
    old, new = (before.tokens, now.tokens) if by_token else (before.text, now.text)
    new = new if before.stop_reason else new[: len(old)]
    unit = "token" if by_token else "character"
    position = next((n for n, (a, b) in enumerate(zip_longest(old, new), 1) if a != b), None)
    if position is None:
        return Compared(before, now, None, f"the same, {len(old):,} {unit}{'s' * (len(old) != 1)}")
    was, is_now = (_at(each, position, model) for each in (old, new))
    return Compared(before, now, position, f"{unit} {position:,} was {was} and is {is_now}")


def _choices_compared(before: Output, now: Output) -> Compared:
    differ = [label for label, share in before.shares.items() if abs(now.shares[label] - share) > TOLERANCE]
    chosen = f"{before.text}, as before" if now.text == before.text else f"{now.text}, and {before.text} before"
    if not differ:
        return Compared(before, now, None, f"{chosen}; each share is the same within {100 * TOLERANCE} %")
    position = list(before.shares).index(differ[0]) + 1
    was, is_now = (output.shares[differ[0]] for output in (before, now))
    return Compared(before, now, position, f"{chosen}; {differ[0]} had {100 * was:.1f} % and has {100 * is_now:.1f} %")


def _at(written: Sequence[int] | str, position: int, model: LanguageModel) -> str:
    """Return what stands at a position, in words: a token's text and id, or a character."""
    if position > len(written):
        return "not there, for the response had ended"
    found = written[position - 1]
    return repr(found) if isinstance(found, str) else f"{quoted(token_text(model.tokenizer, found))} ({found})"


def _output(given: Any) -> Output:
    rule = f"a token's id is a whole number from 0 to {LARGEST_ID}"
    ids = [whole_number(token, rule, least=0, most=LARGEST_ID) for token in given["tokens"]]
    seed = whole_number(given["seed"], "a seed is a whole number")
    of = "a share is a number from 0 to 1"
    shares = {label: number(share, of, least=0, most=1) for label, share in given.get("shares", {}).items()}
    reason = text(given["stop_reason"], "a stop reason")
    return Output(seed, *texts([given["text"]], "the outputs"), tuple(ids), reason, shares)
