"""Multiple-choice questions with a word of explanation for every choice."""

from dataclasses import dataclass
from importlib import import_module


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


def load_quiz(lab: int) -> Quiz:
    """Return the quiz at the end of a lab."""
    return import_module(f"utils.exercises.lab_{lab}").QUIZ
