"""Data: reviews, dialogues, questions, and a learner's own text-to-text file."""

from utils.datasets.dialogues import Dialogue, load_dialogues
from utils.datasets.questions import Question, load_questions
from utils.datasets.records import TextToText, load_text_to_text, save_text_to_text
from utils.datasets.reviews import LABELS, Review, load_reviews, load_sentences
from utils.datasets.splits import SPLITS

__all__ = [
    "LABELS",
    "SPLITS",
    "Dialogue",
    "Question",
    "Review",
    "TextToText",
    "load_dialogues",
    "load_questions",
    "load_reviews",
    "load_sentences",
    "load_text_to_text",
    "save_text_to_text",
]
