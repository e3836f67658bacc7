"""Guess, then measure: a question whose answer a later cell gives, asked before anything shows it."""

import html
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from utils.errors import UnsupportedSetting
from utils.widgets.view import show

HERE = Path(__file__).parent


class Guess(anywidget.AnyWidget):
    """A question with choices. One is committed by button or Enter; another replaces it until the answer is revealed.

    committed: the guess, empty without one. said: what stands under the choices.
    """

    _esm = HERE / "guess.js"
    _css = HERE / "guess.css"

    question = traitlets.Unicode().tag(sync=True)
    options = traitlets.List(traitlets.Unicode()).tag(sync=True)
    committed = traitlets.Unicode().tag(sync=True)
    said = traitlets.Unicode("Choose, then press Enter or the button.").tag(sync=True)
    revealed = traitlets.Bool(False).tag(sync=True)

    def __init__(self, question: str, options: Iterable[Any]):
        super().__init__(question=question, options=[str(option) for option in options])
        self.on_msg(lambda _widget, content, _buffers: None if self.revealed else self.commit(content["chosen"]))

    def commit(self, choice: Any) -> None:
        """Commit a choice, as the button does. Raises UnsupportedSetting for no choice, or after the answer."""
        if str(choice) not in self.options:
            raise UnsupportedSetting(f"A guess is one of {', '.join(self.options)}; {choice!r} was given.")
        if self.revealed:
            raise UnsupportedSetting("The answer is known already: run the cell of the question again to guess anew.")
        self.committed = str(choice)
        self.said = f"Your guess: {choice}. You can change it until the answer is shown."

    def reveal(self, truth: Any) -> None:
        """Print what was guessed beside what came, in one line, and lock the guess."""
        guessed = f"Your guess: {self.committed}." if self.committed else "No guess was committed."
        verdict = " You were right." if self.committed == str(truth) else ""
        self.revealed, self.said = True, f"{guessed} The answer: {truth}.{verdict}"
        print(self.said)


def guess(question: str, options: Iterable[Any]) -> Guess:
    """Show a question to guess at and return it; a later cell calls `reveal` with what was measured."""
    made = Guess(question, options)
    choices = "".join(f"<li>{html.escape(option)}</li>" for option in made.options)
    show(
        made,
        summary=f"<p>{html.escape(question)}</p><ul>{choices}</ul><p>Run this cell to guess.</p>",
        text=f"{question} {', '.join(made.options)}. Run this cell to guess.",
    )
    return made
