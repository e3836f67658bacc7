"""Checks that teach, and quizzes."""

from utils.exercises.checks import check
from utils.exercises.quiz import Question, Quiz, load_quiz

__all__ = ["Question", "Quiz", "check", "load_quiz"]
