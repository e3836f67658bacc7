"""The two tasks that the course tunes on, as text-to-text records: summaries of dialogues, labels of reviews."""

from collections.abc import Sequence
from dataclasses import dataclass

from utils.arguments import texts
from utils.datasets.dialogues import Dialogue, load_dialogues
from utils.datasets.records import TextToText, as_records
from utils.datasets.reviews import LABELS, Review, load_reviews
from utils.evaluation.completions import complete, first_line
from utils.models.language_model import LanguageModel
from utils.prompts.templates import DIALOGUES, REVIEWS, build_prompt

SUMMARIZE = "Summarize the dialogue in one sentence."
CLASSIFY = "Is this movie review positive or negative?"


@dataclass(frozen=True)
class Task:
    """One task: how many tokens an answer may have, and which records a split has.

    epochs, batch_size: enough for the course's model, without waste; validated: how many
    validation records are enough to see when to stop.
    """

    name: str
    max_new_tokens: int
    epochs: int
    batch_size: int
    validated: int

    def records(self, split: str) -> list[TextToText]:
        """Return the records of "train", "validation" or "test"."""
        if self.name == "dialogues":
            return [dialogue_record(dialogue) for dialogue in load_dialogues(split)]
        return [review_record(review) for review in load_reviews(split)]

    def answers(self, model: LanguageModel, records: Sequence[TextToText]) -> list[str]:
        """Return the first line of the model's greedy completion of each record's input."""
        prompts = [record.input_text for record in as_records(records)]
        return [first_line(text) for text in complete(model, prompts, max_new_tokens=self.max_new_tokens)]


TASKS = {task.name: task for task in (Task("dialogues", 40, 2, 4, 20), Task("reviews", 4, 2, 8, 40))}


def dialogue_record(dialogue: Dialogue) -> TextToText:
    """Return a dialogue as a record: a zero-shot prompt, and its summary."""
    return TextToText(build_prompt(SUMMARIZE, dialogue.input_text, (), DIALOGUES), dialogue.output_text)


def review_record(review: Review) -> TextToText:
    """Return a review as a record: a zero-shot prompt, and its label as text."""
    return TextToText(build_prompt(CLASSIFY, review.text, (), REVIEWS), review.label)


def text_to_label(text: str, labels: Sequence[str] = LABELS) -> str:
    """Return the label that an answer's first word is, or "" when it is none."""
    labels = texts(labels, "the labels")
    word = (text.split() or [""])[0].strip(".,!?\"'").lower()
    return word if word in labels else ""


def is_right(answer: str, record: TextToText) -> bool:
    """Whether an answer begins with the record's label."""
    return text_to_label(answer) == record.output_text
