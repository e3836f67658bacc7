"""Predict, then reveal: each slider is locked until its forecast is committed."""

import html
from collections.abc import Sequence

import ipywidgets as widgets
import traitlets

from utils.decoding.candidates import ReadPrompt, next_token
from utils.decoding.forecasts import Forecast, Forecasts
from utils.logits.config import DecodingConfig
from utils.plots import reshaped_bars
from utils.widgets.entry import Entry
from utils.widgets.picture import Picture
from utils.widgets.sampler_picture import picture_height, sampler_picture
from utils.widgets.slider import SLIDERS, Slider, switch
from utils.widgets.view import paragraph, plain, row, show, told_in

LOCKED = paragraph("Not committed: the slider is locked.")


class Question:
    """One forecast: the question, a box for the guess, the verdict and the locked slider."""

    def __init__(self, number: int, item: Forecast) -> None:
        self.item = item
        self.guess = Entry(label=f"Forecast {number}", button=f"Commit forecast {number}")
        self.verdict = widgets.HTML(LOCKED)
        self.slider: Slider = SLIDERS[item.setting]()
        self.slider.disabled = True
        self.guess.when_typed(self.forget_refusal)

    @property
    def view(self) -> widgets.VBox:
        """The question above its controls."""
        asked, layout = widgets.HTML(paragraph(self.item.question)), widgets.Layout(width="100%")
        return widgets.VBox([asked, row(self.guess, self.verdict), self.slider], layout=layout)

    def forget_refusal(self) -> None:
        """Say again what holds, once something else is typed or looked at."""
        if self.slider.disabled:
            self.verdict.value = LOCKED


class Predict:
    """The forecasts of a lab, one at a time above the picture of its setting."""

    def __init__(self, read: ReadPrompt, items: Sequence[Forecast]) -> None:
        self.forecasts = Forecasts(read, items)
        self.questions = [Question(number, item) for number, item in enumerate(items, start=1)]
        self.turn = switch("Forecast", [str(number) for number in range(1, len(items) + 1)], "1")
        self.score = widgets.HTML()
        self.first = next_token(read, DecodingConfig(), shown=10)
        self.reached: Question | None = None
        self.picture = Picture(height=picture_height(len(self.first.candidates)) + 4)
        for question in self.questions:
            question.guess.when_committed(lambda typed, question=question: self._commit_typed(question, typed))
            question.slider.when_moved(lambda question=question: self._turn_to(question))
            question.slider.when_reached(lambda question=question: self._reach(question))
        self.turn.observe(lambda _change: self._redraw(), names="value")
        self._redraw()

    @property
    def committed(self) -> dict:
        """The committed forecasts by name, each with its truth."""
        return self.forecasts.committed

    @property
    def shown(self) -> Question:
        """The question that is asked, and whose setting the picture shows."""
        return self.questions[int(self.turn.value) - 1]

    @property
    def view(self) -> widgets.VBox:
        """The choice of a question, the question, and below it score and picture."""
        asked = widgets.Stack([question.view for question in self.questions])
        traitlets.dlink((self.turn, "index"), (asked, "selected_index"))
        return widgets.VBox([self.turn, asked, self.score, self.picture])

    def commit(self, name: str, guess: float | str) -> None:
        """Commit a forecast by name, as the button does. Raises UnsupportedSetting."""
        revealed = self.forecasts.commit(name, guess)
        question = next(question for question in self.questions if question.item.name == name)
        said = "near enough" if revealed.scores else "not near enough"
        question.verdict.value = paragraph(
            f"You said {plain(revealed.guess)}, the model says {revealed.truth:.3g}: {said}. Now move the slider."
        )
        question.guess.disabled, question.slider.disabled = True, False
        self._say_score()

    def _commit_typed(self, question: Question, typed: str) -> None:
        with told_in(question.verdict):
            self.commit(question.item.name, typed)

    def _turn_to(self, question: Question) -> None:
        if question is self.shown:
            self._redraw()
        else:
            self.turn.index = self.questions.index(question)

    def _redraw(self) -> None:
        with told_in(self.score):
            self.picture.value = self._drawn(self.shown, self.shown.slider.value)
            self._say_score()
            self.shown.forget_refusal()
            if self.reached is self.shown:
                self._look_ahead(self.shown)

    def _say_score(self) -> None:
        slider = self.shown.slider
        self.score.value = paragraph(f"{self.forecasts.score} The picture shows {slider.label} {slider.shown}.")

    def _reach(self, question: Question) -> None:
        self.reached = question
        with told_in(self.score):
            self._look_ahead(question)

    def _look_ahead(self, question: Question) -> None:
        question.slider.draw_ahead(lambda value: self._drawn(question, value))

    def _drawn(self, question: Question, value: float) -> str:
        return sampler_picture(self.forecasts.seen(question.item, value))


def predict(read: ReadPrompt, items: Sequence[Forecast]) -> Predict:
    """Show forecasts to commit, each of which unlocks its slider, and return the widget."""
    made = Predict(read, items)
    questions = "".join(f"<li>{html.escape(item.question)}</li>" for item in items)
    summary = f"<ol>{questions}</ol>{reshaped_bars({'no setting': made.first})._repr_html_()}"
    show(made.view, summary=summary, text=f"{len(items)} forecasts to commit. Run this cell.")
    return made
