"""Checks that teach, and quizzes."""

from utils.exercises.checks import check
from utils.exercises.claims import claim
from utils.exercises.quiz import Question, Quiz, load_quiz

__all__ = ["Question", "Quiz", "check", "claim", "load_quiz"]
