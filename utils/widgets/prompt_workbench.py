"""The prompt workbench: change a prompt's parts, see the prompt and its cost, ask the model, compare its answers."""

import html

import ipywidgets as widgets

from utils.evaluation.workbench import Answer, Asked, Bench
from utils.tables import TextTable
from utils.widgets.picture import short
from utils.widgets.view import FULL_LABEL, WIDE, Dropdown, beside, button, paragraph, row, show, told_in

INSTRUCTION = "Summarize the dialogue in one sentence."
KEPT = 5
"""Answers that stay to be compared."""

NARROWEST = 320
"""Pixels of the prompt, and of the answers, below which they stand below each other."""


class Workbench:
    """Controls, each with a `.value`, the prompt that they make, and the last answers, newest first."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.query = Dropdown(
            options=list(zip(bench.names, bench.queries, strict=True)),
            description="Dialogue",
            style=FULL_LABEL,
            layout=WIDE,
        )
        self.instruction = widgets.Text(INSTRUCTION, description="Instruction", style=FULL_LABEL, layout=WIDE)
        self.shots = _short("Shots (examples)", range(len(bench.examples) + 1))
        self.template = _short("Template", list(bench.templates))
        self.ask_button = button("Ask the model", button_style="primary")
        self.message = widgets.HTML(layout=widgets.Layout(min_height="20px"))
        self.prompt_view, self.answers_view = widgets.HTML(), widgets.HTML()
        self.answers: list[Answer] = []
        for control in (self.query, self.instruction, self.shots, self.template):
            control.observe(lambda _change: self.redraw(), names="value")
        self.ask_button.on_click(lambda _button: self.ask())
        self.redraw()

    @property
    def asked(self) -> Asked:
        """What the controls ask for."""
        return Asked(self.query.value, self.instruction.value, self.shots.value, self.template.value)

    @property
    def view(self) -> widgets.VBox:
        """Controls above the prompt, with the answers beside it."""
        choices = row(self.shots, self.template, self.ask_button)
        shown = beside(self.prompt_view, self.answers_view, least=NARROWEST)
        return widgets.VBox([self.query, self.instruction, choices, self.message, shown])

    @property
    def summary(self) -> str:
        """What stands for the widget where no kernel runs, as HTML."""
        return self.prompt_view.value + self.message.value + paragraph("Run this cell to change it.")

    def redraw(self) -> None:
        """Show the prompt and what it takes of the context window, and which answer belongs to it."""
        self.prompt_view.value = ""
        self.answers_view.value = self._compared()
        with told_in(self.message):
            prompt = self.bench.prompt(self.asked)
            self.prompt_view.value = _preformatted(prompt)
            self.bench.check(prompt)
            self.message.value = paragraph(str(self.bench.budget(prompt)))

    def ask(self) -> None:
        """Let the model answer the prompt, and show the answer above the earlier ones."""
        asked = self.asked
        again = asked in [answer.asked for answer in self.answers]
        self.message.value = paragraph("The model is answering ...")
        with told_in(self.message):
            answer = self.bench.answer(asked)
            self.answers = [answer, *(other for other in self.answers if other.asked != asked)][:KEPT]
            self.answers_view.value = self._compared()
            said = " Asked again: the same prompt gives the same completion." if again else ""
            self.message.value = paragraph(f"{self.bench.budget(self.bench.prompt(asked))}{said}")

    def _compared(self) -> str:
        asked = self.asked
        known = asked in [answer.asked for answer in self.answers]
        now = "" if known else paragraph("This prompt has no answer yet: press Ask the model.")
        rows = tuple(
            (
                self._setting(answer.asked, now=answer.asked == asked),
                f"{answer.completion}\nROUGE-1: {answer.rouge1:.2f}",
            )
            for answer in self.answers
        )
        table = TextTable(("asked", "completion"), rows)._repr_html_() if rows else ""
        return f'<div style="line-height: 1.4">{paragraph(f"Reference: {asked.query.output_text}")}{now}{table}</div>'

    def _setting(self, asked: Asked, *, now: bool) -> str:
        shots = f"{asked.shots} shot{'s' * (asked.shots != 1)}"
        name = self.bench.name(asked.query).split(":")[0]
        return f"{'Now: ' * now}{name}, {shots}, {asked.template}, “{short(asked.instruction)}”"


def prompt_workbench(bench: Bench) -> Workbench:
    """Show a workbench and return it."""
    made = Workbench(bench)
    show(made.view, summary=made.summary, text=f"A prompt workbench. {bench.budget(bench.prompt(made.asked))}")
    return made


def _short(description: str, options: object) -> Dropdown:
    layout = widgets.Layout(width="220px", max_width="100%")
    return Dropdown(options=options, description=description, style=FULL_LABEL, layout=layout)


def _preformatted(prompt: str) -> str:
    """Return a prompt as it stands, in a place of its own that keys and wheel scroll, with its words whole."""
    style = (
        "white-space: pre-wrap; overflow-wrap: break-word; word-break: normal; line-height: 1.35; margin: 0; "
        "padding: 6px; height: 330px; overflow: auto; border: 1px solid #888888"
    )
    return f'<pre tabindex="0" role="region" aria-label="Prompt" style="{style}">{html.escape(prompt)}</pre>'
