"""Data: reviews, dialogues, questions, foundation models, the lab's sets, and a learner's own text-to-text file."""

from utils.datasets.dialogues import Dialogue, load_dialogues
from utils.datasets.foundation_models import FoundationModel, load_foundation_models
from utils.datasets.questions import Question, load_questions
from utils.datasets.records import TextToText, load_text_to_text, save_text_to_text
from utils.datasets.reviews import LABELS, Review, load_reviews, load_sentences
from utils.datasets.sets import SETS, load_set, set_folder
from utils.datasets.splits import SPLITS
from utils.datasets.uses import load_code_tasks, load_entities, load_passages, load_translations

__all__ = [
    "LABELS",
    "SETS",
    "SPLITS",
    "Dialogue",
    "FoundationModel",
    "Question",
    "Review",
    "TextToText",
    "load_code_tasks",
    "load_dialogues",
    "load_entities",
    "load_foundation_models",
    "load_passages",
    "load_questions",
    "load_reviews",
    "load_sentences",
    "load_set",
    "load_text_to_text",
    "load_translations",
    "save_text_to_text",
    "set_folder",
]
