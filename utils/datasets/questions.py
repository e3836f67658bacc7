"""Short factual questions, each with one short answer."""

from dataclasses import dataclass

from utils.datasets.records import TextToText, read_records
from utils.datasets.splits import DATA, SPLITS, check_name

QUESTIONS_FOLDER = DATA / "questions"


@dataclass(frozen=True)
class Question(TextToText):
    """A short factual question and its one short answer."""

    id: str
    topic: str


def load_questions(split: str) -> list[Question]:
    """Return a split of the course's questions: "train" (8), "validation" (40) or "test" (40).

    Eight topics, as many questions of each in every split. Raises DataError.
    """
    check_name(split, SPLITS, "split")
    return [Question(**record) for record in read_records(str(QUESTIONS_FOLDER / f"{split}.jsonl"))]
