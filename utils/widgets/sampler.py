"""The sampler: move a slider and see what becomes of the next-token distribution, and why."""

from dataclasses import replace
from typing import Any

import ipywidgets as widgets

from utils.decoding.candidates import NextToken, next_token, read_prompt
from utils.logits.config import ORDERS, DecodingConfig
from utils.models.language_model import LanguageModel
from utils.plots import reshaped_bars
from utils.widgets.picture import Picture, old_prompt
from utils.widgets.sampler_picture import describe, picture_height, sampler_picture
from utils.widgets.slider import (
    SLIDERS,
    Slider,
    min_p_slider,
    repetition_penalty_slider,
    seed_box,
    switch,
    temperature_slider,
    top_k_slider,
    top_p_slider,
)
from utils.widgets.view import beside, fitted, in_words, paragraph, prompt_box, show, told_in


class Sampler:
    """The sampler's controls, each with a `.value`, and its picture.

    The model runs when the prompt changes, never when a slider moves.
    """

    def __init__(self, model: LanguageModel, prompt: str, config: DecodingConfig) -> None:
        self.model, self.config_before = model, config
        self.read = read_prompt(model, prompt)
        self.prompt = prompt_box(prompt, description="Prompt (press Enter)")
        self.temperature = temperature_slider(config.temperature or 1.0)
        self.top_k = top_k_slider(config.top_k)
        self.top_p = top_p_slider(config.top_p)
        self.min_p = min_p_slider(config.min_p)
        self.repetition_penalty = repetition_penalty_slider(config.repetition_penalty)
        self.sliders: dict[str, Slider] = {name: getattr(self, name) for name in SLIDERS}
        self.reached: str | None = None
        self.choice = switch("Choice of the token", ("sample", "greedy"), "sample" if config.temperature else "greedy")
        self.order = switch("Order of the steps", tuple(ORDERS), config.order)
        self.seed = seed_box(config.seed)
        self.more = widgets.ToggleButton(description="More settings", layout=fitted())
        self.message = widgets.HTML(layout=widgets.Layout(min_height="40px"))
        self.found = next_token(self.read, config)
        rows = len(self.found.candidates)
        self.picture = Picture(height=picture_height(rows) + 4)
        self._observe()
        self._fold()
        self._lock()
        self.redraw()

    @property
    def config(self) -> DecodingConfig:
        """The settings as the controls have them."""
        return self._config_with({})

    @property
    def greedy(self) -> bool:
        """Whether the likeliest token is taken, whatever all settings but the repetition penalty say."""
        return self.choice.value == "greedy"

    def _config_with(self, moved: dict[str, float]) -> DecodingConfig:
        values: dict[str, Any] = {name: slider.value for name, slider in self.sliders.items()} | moved
        if self.greedy:
            values["temperature"] = 0
        return replace(self.config_before, **values, order=self.order.value, seed=self.seed.value)

    @property
    def view(self) -> widgets.VBox:
        """The prompt above controls and picture, which stand side by side where there is room."""
        switches = (self.choice, self.order, self.seed, self.more)
        moved = (self.temperature, self.top_k, self.top_p, *switches, *self.folded)
        controls, drawn = beside(*moved, least=200), widgets.VBox([self.message, self.picture])
        controls.layout.flex, drawn.layout.flex = "1 1 240px", "5 1 480px"
        layout = widgets.Layout(flex_flow="row wrap", align_items="flex-start", grid_gap="4px 14px")
        return widgets.VBox([self.prompt, widgets.HBox([controls, drawn], layout=layout)])

    @property
    def folded(self) -> tuple[Slider, ...]:
        """The sliders that only `more` shows."""
        return self.min_p, self.repetition_penalty

    def redraw(self) -> None:
        """Compute the distribution under the settings and draw it; a new prompt is read first."""
        with told_in(self.message), self.picture.or_old(old_prompt(self.read.prompt)):
            if self.prompt.value != self.read.prompt:
                self.read = read_prompt(self.model, self.prompt.value)
            self.found = next_token(self.read, self.config)
            self.picture.value = sampler_picture(self.found)
            self.message.value = paragraph(self.found.summary + _ONLY_PENALTY * self.greedy)
            self._look_ahead()

    def _look_ahead(self) -> None:
        """Draw where the slider under the hand can go next; what the others knew is out of date."""
        for name, slider in self.sliders.items():
            if name == self.reached:
                slider.draw_ahead(lambda value, name=name: self._drawn({name: value}))
            else:
                slider.ahead = {}

    def _drawn(self, moved: dict[str, float]) -> str:
        return sampler_picture(next_token(self.read, self._config_with(moved)))

    def _reach(self, name: str) -> None:
        self.reached = name
        with told_in(self.message):
            self._look_ahead()

    def _observe(self) -> None:
        for name, slider in self.sliders.items():
            slider.when_reached(lambda name=name: self._reach(name))
            slider.when_moved(self.redraw)
        self.seed.when_moved(self.redraw)
        self.more.observe(lambda _change: self._fold(), names="value")
        self.choice.observe(lambda _change: self._lock(), names="value")
        for control in (self.prompt, self.choice, self.order):
            control.observe(lambda _change: self.redraw(), names="value")

    def _fold(self) -> None:
        for slider in self.folded:
            slider.layout.display = None if self.more.value else "none"

    def _lock(self) -> None:
        for control in (self.temperature, self.top_k, self.top_p, self.min_p, self.order, self.seed):
            control.disabled = self.greedy


_ONLY_PENALTY = " Only the repetition penalty still counts."


def sampler(model: LanguageModel, prompt: str, config: DecodingConfig | None = None) -> Sampler:
    """Show a sampler for the token after a prompt and return it. Raises EmptyPrompt, ContextWindowExceeded."""
    made = Sampler(model, prompt, config or DecodingConfig())
    show(made.view, summary=_static(prompt, made.found), text=f"A sampler. {made.found.summary}")
    return made


def _static(prompt: str, found: NextToken) -> str:
    shown = f"Prompt: {prompt!r}. Settings: {in_words(found.config) or 'none'}."
    picture = reshaped_bars({"these settings": found})._repr_html_()
    return (
        paragraph(shown) + picture + paragraph(f"{found.summary} {describe(found)}. Run this cell to move the sliders.")
    )
