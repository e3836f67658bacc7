"""Checks that teach, and quizzes."""

from utils.exercises.checks import check, hint
from utils.exercises.claims import claim
from utils.exercises.quiz import Question, Quiz, load_quiz

__all__ = ["Question", "Quiz", "check", "claim", "hint", "load_quiz"]
