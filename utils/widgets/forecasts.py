"""Predict, then reveal: each slider is locked until its forecast is committed."""

import html
from collections.abc import Sequence

import ipywidgets as widgets

from utils.decoding.candidates import ReadPrompt, next_token
from utils.decoding.forecasts import Forecast, Forecasts
from utils.logits.config import DecodingConfig
from utils.plots import reshaped_bars
from utils.widgets.picture import Picture
from utils.widgets.sampler_picture import picture_height, sampler_picture
from utils.widgets.slider import SLIDERS, Slider
from utils.widgets.view import FULL_LABEL, paragraph, plain, show, told_in


class Question:
    """One forecast: the question, a box for the guess, a button, the verdict and the locked slider."""

    def __init__(self, number: int, item: Forecast) -> None:
        self.item = item
        self.guess = widgets.Text(
            description=f"Forecast {number}", style=FULL_LABEL, layout=widgets.Layout(width="200px")
        )
        self.commit = widgets.Button(description=f"Commit forecast {number}", button_style="primary")
        self.verdict = widgets.HTML(paragraph("Not committed: the slider is locked."))
        self.slider: Slider = SLIDERS[item.setting]()
        self.slider.disabled = True

    @property
    def view(self) -> widgets.VBox:
        """The question above its controls."""
        asked = widgets.HTML(paragraph(self.item.question))
        line = widgets.HBox([self.guess, self.commit, self.verdict])
        return widgets.VBox([asked, line, self.slider], layout=widgets.Layout(margin="0 0 10px 0"))


class Predict:
    """The forecasts of a lab, one picture for all of them."""

    def __init__(self, read: ReadPrompt, items: Sequence[Forecast]) -> None:
        self.forecasts = Forecasts(read, items)
        self.questions = [Question(number, item) for number, item in enumerate(items, start=1)]
        self.score = widgets.HTML(paragraph(self.forecasts.score))
        self.first = next_token(read, DecodingConfig(), shown=10)
        self.reached: Question | None = None
        rows = len(self.first.candidates)
        self.picture = Picture(sampler_picture(self.first), height=picture_height(rows) + 8)
        for question in self.questions:
            question.commit.on_click(lambda _button, question=question: self._commit_typed(question))
            question.slider.when_moved(lambda question=question: self._redraw(question))
            question.slider.when_reached(lambda question=question: self._reach(question))

    @property
    def committed(self) -> dict:
        """The committed forecasts by name, each with its truth."""
        return self.forecasts.committed

    @property
    def view(self) -> widgets.VBox:
        """All questions above score and picture."""
        return widgets.VBox([*[question.view for question in self.questions], self.score, self.picture])

    def commit(self, name: str, guess: float | str) -> None:
        """Commit a forecast by name, as the button does. Raises UnsupportedSetting."""
        revealed = self.forecasts.commit(name, guess)
        question = next(question for question in self.questions if question.item.name == name)
        said = "near enough" if revealed.scores else "not near enough"
        question.verdict.value = paragraph(
            f"You said {plain(revealed.guess)}, the model says {revealed.truth:.3g}: {said}. Now move the slider."
        )
        question.commit.disabled = question.guess.disabled = True
        question.slider.disabled = False
        self.score.value = paragraph(self.forecasts.score)

    def _commit_typed(self, question: Question) -> None:
        with told_in(question.verdict):
            self.commit(question.item.name, question.guess.value)

    def _redraw(self, question: Question) -> None:
        with told_in(self.score):
            self.picture.value = self._drawn(question, question.slider.value)
            self.score.value = paragraph(
                f"{self.forecasts.score} The picture shows {question.slider.label} {question.slider.shown}."
            )
            if question is self.reached:
                self._look_ahead()

    def _reach(self, question: Question) -> None:
        self.reached = question
        with told_in(self.score):
            self._look_ahead()

    def _look_ahead(self) -> None:
        question = self.reached
        assert question is not None, "a question is reached before its slider moves"
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
