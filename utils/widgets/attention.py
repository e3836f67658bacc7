"""The attention view: one head at a time, by layer and head, on a sentence of one's own."""

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from utils.arguments import whole_number
from utils.errors import DataError
from utils.models.language_model import LanguageModel
from utils.transformer.attention import AttentionWeights, attention_parts, attention_weights
from utils.widgets.attention_picture import describe, grid_html
from utils.widgets.picture import Picture, short
from utils.widgets.slider import Slider
from utils.widgets.view import FULL_LABEL, Dropdown, beside, fitted, paragraph, prompt_box, show, told_in

MOST = 32
"""Tokens for which a grid has room."""

HELP = "Rows look, columns are looked at; each row is 100 %. Dark: much; hatched: cannot be seen."


class AttentionView:
    """The sentence, the part, the layer and the head, each with a `.value`, and the grid of weights.

    The model runs when the sentence or the part changes, never when a slider moves. found: the weights of all heads.
    """

    def __init__(self, model: LanguageModel, text: str, layer: int = 0, head: int = 0) -> None:
        self.model = model
        parts = attention_parts(model)
        self.text = prompt_box(text, description="Sentence (press Enter)")
        self.part = Dropdown(options=parts, value="decoder", description="Part", style=FULL_LABEL, layout=fitted())
        self.read = ("", "")
        self.found = self._read()
        layers, heads = self.found.weights.shape[:2]
        self.layer = Slider("Layer", layer, range(layers), self._checks("Layer", 0), hint=_last(layers), whole=True)
        self.head = Slider("Head", head, range(heads), self._checks("Head", 1), hint=_last(heads), whole=True)
        self.part.layout.display = None if len(parts) > 1 else "none"
        self.message, self.picture = widgets.HTML(paragraph(HELP)), Picture()
        self.reached: Slider | None = None
        self._observe()
        self.redraw()

    @property
    def view(self) -> widgets.VBox:
        """Controls above the grid."""
        sliders = beside(self.layer, self.head, least=300)
        return widgets.VBox([self.text, self.part, sliders, self.message, self.picture])

    def redraw(self) -> None:
        """Draw the head; another sentence or part is read first."""
        with told_in(self.message), self.picture.or_old(f"Old: this picture belongs to '{short(self.read[0])}'."):
            if (self.text.value, self.part.value) != self.read:
                self.found = self._read()
                self._fit_sliders()
            self.picture.value = self._drawn()
            self.message.value = paragraph(HELP)
            self._look_ahead()

    def _read(self) -> AttentionWeights:
        text, part = self.text.value, self.part.value
        tokens = self.model.count_tokens(text)
        if tokens > MOST:
            raise DataError(f"The sentence has {tokens:,} tokens and the grid has room for {MOST}: shorten it.")
        found = attention_weights(self.model, text, part)
        self.read = (text, part)
        return found

    def _drawn(self, **moved: int) -> str:
        place = {"layer": self.layer.value, "head": self.head.value} | moved
        return grid_html(self.found, **place)

    def _checks(self, name: str, axis: int) -> Callable[[Any], int]:
        def check(value: Any) -> int:
            last = self.found.weights.shape[axis] - 1
            return whole_number(value, f"{name} is a whole number from 0 to {last}", least=0, most=last)

        return check

    def _fit_sliders(self) -> None:
        """Let the sliders go over the layers and heads of the part that was read."""
        for slider, count in zip((self.layer, self.head), self.found.weights.shape[:2], strict=True):
            slider.value = min(slider.value, count - 1)
            slider.stops, slider.hint = list(range(count)), _last(count)

    def _look_ahead(self) -> None:
        for name, slider in (("layer", self.layer), ("head", self.head)):
            if slider is self.reached:
                slider.draw_ahead(lambda value, name=name: self._drawn(**{name: int(value)}))
            else:
                slider.ahead = {}

    def _reach(self, slider: Slider) -> None:
        self.reached = slider
        with told_in(self.message):
            self._look_ahead()

    def _observe(self) -> None:
        for control in (self.text, self.part):
            control.observe(lambda _change: self.redraw(), names="value")
        for slider in (self.layer, self.head):
            slider.when_reached(lambda slider=slider: self._reach(slider))
            slider.when_moved(self.redraw)


def attention_view(model: LanguageModel, text: str, *, layer: int = 0, head: int = 0) -> AttentionView:
    """Show where a head looks while a model reads a sentence, and return the view; it starts at that layer and head.

    Raises EmptyPrompt, DataError, UnsupportedSetting.
    """
    made = AttentionView(model, text, layer, head)
    said = describe(made.found, made.layer.value, made.head.value)
    summary = paragraph(text) + paragraph(HELP) + made.picture.value + paragraph("Run this cell to move the sliders.")
    show(made.view, summary=summary, text=f"An attention view of {text!r}. {said}")
    return made


def _last(count: int) -> str:
    return f"0 to {count - 1}"
