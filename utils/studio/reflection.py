"""Reflection cards: the course's terms and findings, asked again when they are about to be forgotten.

When a card is due, the library fsrs says (Free Spaced Repetition Scheduler; Ye, Su and Cao, 2022, KDD).
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

import yaml
from filelock import FileLock
from fsrs import Card, Rating, Scheduler

from utils.errors import UnsupportedSetting
from utils.storage.files import disk_errors_explained, replace, write_text
from utils.storage.places import progress_dir

ROOT = Path(__file__).parents[2]
CARDS = Path(__file__).with_name("reflection.yaml")
NAME = "reflection.json"
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
"""Code in a text cell, whose comments are no headings."""

RatingName = Literal["Again", "Hard", "Good", "Easy"]
RATINGS: tuple[RatingName, ...] = get_args(RatingName)
SCHEDULER = Scheduler(enable_fuzzing=False)
"""Without chance: the same ratings at the same times give the same dates."""


@dataclass(frozen=True)
class ReflectionCard:
    """A question and its answer. notebook: the file, from the course's folder, whose `cell` (an id) shows it."""

    name: str
    question: str
    answer: str
    notebook: str
    cell: str

    @property
    def section(self) -> tuple[str, str]:
        """The notebook's title and the heading that the cell stands under."""
        cells = json.loads((ROOT / self.notebook).read_text(encoding="utf8"))["cells"]
        end = next(n for n, cell in enumerate(cells) if cell["id"] == self.cell)
        texts = ["".join(cell["source"]) for cell in cells[: end + 1] if cell["cell_type"] == "markdown"]
        headings = HEADING.findall(CODE.sub("", "\n\n".join(texts)))
        return headings[0], headings[-1]


def load_reflection_cards() -> tuple[ReflectionCard, ...]:
    """Return the cards in the course's order."""
    return tuple(ReflectionCard(**fields) for fields in yaml.safe_load(CARDS.read_text(encoding="utf8")))


class Reflection:
    """The cards, and what is known of each one's learner.

    path: the file in which that is kept; None keeps it as long as this object lives. problem: a sentence about a file
    that could not be read, "" where there is none.
    """

    def __init__(self, cards: Sequence[ReflectionCard] | None = None, path: Path | None = None) -> None:
        self.cards = load_reflection_cards() if cards is None else tuple(cards)
        self.path = path
        self.problem = ""
        self._states: dict[str, Card] = {}
        self.read()

    def read(self) -> None:
        """Take over what another studio has kept. A damaged file is put aside, and `problem` says so."""
        if self.path is None:
            return
        try:
            kept = json.loads(self.path.read_text(encoding="utf8"))
            self._states = {name: Card.from_dict(state) for name, state in kept.items()}
        except FileNotFoundError:
            self._states = {}
        except (OSError, ValueError, TypeError, LookupError, AttributeError):
            aside = self.path.with_suffix(".damaged.json")
            with disk_errors_explained(aside):
                replace(self.path, aside)
            self._states = {}
            self.problem = f"What was kept of the reflection cards is damaged and was put aside: {aside}."

    def due(self, now: datetime | None = None) -> list[ReflectionCard]:
        """Return the cards to ask now: those rated before whose time has come, oldest first, then the new ones."""
        now = now or datetime.now(UTC)
        waiting = [card for card in self.cards if card.name in self._states and self._states[card.name].due <= now]
        return [*sorted(waiting, key=lambda card: self._states[card.name].due), *self.new]

    @property
    def new(self) -> list[ReflectionCard]:
        """The cards that were never rated."""
        return [card for card in self.cards if card.name not in self._states]

    def next_due(self) -> datetime | None:
        """Return when the first of the rated cards is due, None where none was rated."""
        return min((self._states[card.name].due for card in self.cards if card.name in self._states), default=None)

    def outlook(self, card: ReflectionCard, now: datetime | None = None) -> dict[RatingName, datetime]:
        """Return when a card would be due again after each rating."""
        now = now or datetime.now(UTC)
        return {rating: self._rated(card, rating, now).due for rating in RATINGS}

    def review(self, card: ReflectionCard, rating: RatingName, now: datetime | None = None) -> datetime:
        """Keep how well a card was known and return when it is due again.

        now: in UTC, the present unless given. Raises UnsupportedSetting, DiskFull, CacheUnusable.
        """
        if rating not in RATINGS:
            raise UnsupportedSetting(f"A rating is one of {', '.join(RATINGS)}; {rating!r} was given.")
        now = now or datetime.now(UTC)
        if self.path is None:
            self._states[card.name] = self._rated(card, rating, now)
        else:
            with disk_errors_explained(self.path):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with FileLock(self.path.with_suffix(".lock")):
                    self.read()
                    self._states[card.name] = self._rated(card, rating, now)
                    kept = {name: state.to_dict() for name, state in self._states.items()}
                    write_text(self.path, json.dumps(kept, indent=1))
        return self._states[card.name].due

    def _rated(self, card: ReflectionCard, rating: RatingName, now: datetime) -> Card:
        before = self._states.get(card.name) or Card(card_id=self.cards.index(card), due=now)
        return SCHEDULER.review_card(before, Rating[rating], now)[0]


def kept_reflection() -> Reflection:
    """Return the course's cards with what is kept of them in the learner's home; COURSE_PROGRESS=off keeps nothing."""
    folder = progress_dir()
    return Reflection(path=folder / NAME if folder else None)
