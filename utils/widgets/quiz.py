"""The quiz at the end of a lab or lesson: choose, and read at once why the choice is right or wrong."""

import html

import ipywidgets as widgets

from utils.exercises.quiz import Question, Quiz
from utils.widgets.view import FULL_LABEL, WIDE, RadioButtons, paragraph, show


def quiz(questions: Quiz) -> widgets.VBox:
    """Show a quiz and return its view: one group of choices a question, and the score so far."""
    chosen: dict[int, int] = {}
    score = widgets.HTML(_score_line(questions, chosen))

    def answered(index: int, choice: int) -> None:
        chosen[index] = choice
        score.value = _score_line(questions, chosen)

    parts = [_question_view(number, question, answered) for number, question in enumerate(questions.questions)]
    view = widgets.VBox([*parts, score])
    show(view, summary=_summary(questions), text=f"A quiz of {len(questions.questions)} questions. Run this cell.")
    return view


def _question_view(number: int, question: Question, answered) -> widgets.VBox:
    title = widgets.HTML(f"<b>{number + 1}. {html.escape(question.text)}</b>")
    choices = RadioButtons(
        options=[(choice, index) for index, choice in enumerate(question.choices)],
        value=None,
        description=f"Answer to question {number + 1}",
        style=FULL_LABEL,
        layout=WIDE,
    )
    feedback = widgets.HTML(paragraph("Choose an answer."))

    def on_choice(change: dict) -> None:
        feedback.value = paragraph(question.answer(change["new"]))
        answered(number, change["new"])

    choices.observe(on_choice, names="value")
    return widgets.VBox([title, choices, feedback], layout=widgets.Layout(margin="0 0 14px 0"))


def _score_line(questions: Quiz, chosen: dict[int, int]) -> str:
    total = len(questions.questions)
    return paragraph(f"{questions.score(chosen)} of {total} right, {len(chosen)} of {total} answered.")


def _summary(questions: Quiz) -> str:
    items = "".join(
        f"<li>{html.escape(question.text)}<ul>"
        + "".join(f"<li>{html.escape(choice)}</li>" for choice in question.choices)
        + "</ul></li>"
        for question in questions.questions
    )
    return f"<ol>{items}</ol><p>Run this cell to answer the questions.</p>"
