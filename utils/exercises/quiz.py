"""Multiple-choice questions with a word of explanation for every choice; those of Lab N stand in `quiz_N.md`, of lesson NN in `quiz_NN.md`."""

import re
from dataclasses import dataclass
from pathlib import Path

from utils.errors import DataError
from utils.exercises.notebooks import notebook_of

FOLDER = Path(__file__).parent
CHOICE = re.compile(r"- \[([ x])\] (.+) \| (.+)")
"""A line such as `- [x] the choice | why it is right`; x marks the right one."""


@dataclass(frozen=True)
class Question:
    """A question, its choices, the index of the right one, and why each is right or wrong."""

    text: str
    choices: tuple[str, ...]
    right: int
    why: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.why) != len(self.choices) or not 0 <= self.right < len(self.choices):
            raise ValueError(f"every choice of {self.text!r} needs its explanation, and one choice is right")

    def answer(self, choice: int) -> str:
        """Return the feedback on a choice."""
        return f"{'Correct' if choice == self.right else 'Not quite'}. {self.why[choice]}"


@dataclass(frozen=True)
class Quiz:
    """Questions in order."""

    questions: tuple[Question, ...]

    def score(self, choices: dict[int, int]) -> int:
        """Return how many questions (by index) got the right choice."""
        return sum(self.questions[question].right == choice for question, choice in choices.items())


def load_quiz(number: int | str) -> Quiz:
    """Return the quiz at the end of a lab (1) or lesson ("01"). Raises DataError if there is none."""
    path = FOLDER / f"quiz_{number}.md"
    if not path.exists():
        raise DataError(f'There is no quiz for {notebook_of(number)}: use the number in the notebook\'s title, of a lesson as "01".')
    return Quiz(tuple(map(_read_question, path.read_text(encoding="utf8").strip().split("\n\n"))))


def _read_question(text: str) -> Question:
    question, *lines = text.split("\n")
    found = [match for line in lines if (match := CHOICE.fullmatch(line))]
    if len(found) < len(lines):
        raise ValueError(f"a choice is written '- [ ] choice | why', or with [x] if it is right: {text!r}")
    marks, choices, why = zip(*(match.groups() for match in found), strict=True)
    return Question(question, choices, marks.index("x"), why)
