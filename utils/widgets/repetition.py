"""The repetition widget: how varied the completions of one prompt are, at each temperature."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import ipywidgets as widgets
import pandas as pd

from utils.arguments import a_list, whole_number
from utils.decoding.diversity import completions, diversity_curve
from utils.logits.config import DecodingConfig
from utils.models.language_model import LanguageModel
from utils.plots import diversity_curves
from utils.tables import texts
from utils.widgets.slider import NARROW, NumberBox, limit_box, top_k_slider, top_p_slider
from utils.widgets.turns import Turns
from utils.widgets.view import also_set, paragraph, plain, prompt_box, show

TEMPERATURES = (0, 0.2, 0.7, 1, 1.5)
RUNS = 8
CONTROLS = ("temperature", "top_k", "top_p", "max_new_tokens")


class Repetition:
    """Prompt, runs, limit, top-k and top-p; `measure` draws the curve against temperature."""

    def __init__(
        self, model: LanguageModel, prompt: str, config: DecodingConfig, temperatures: Sequence[float]
    ) -> None:
        self.model, self.config_before = model, config
        self.temperatures = [replace(config, temperature=t).temperature for t in a_list(temperatures, "temperatures")]
        self.prompt = prompt_box(prompt, description="Prompt")
        self.runs = NumberBox("Runs", RUNS, _runs, layout=NARROW)
        self.max_new_tokens = limit_box(config.max_new_tokens)
        self.top_k, self.top_p = top_k_slider(config.top_k), top_p_slider(config.top_p)
        self.measure_button = widgets.Button(description="Measure", button_style="primary")
        self.stop_button = widgets.Button(description="Stop")
        self.also_set = widgets.HTML(also_set(config, controls=CONTROLS))
        self.message = widgets.HTML(layout=widgets.Layout(height="24px"))
        self.picture = widgets.HTML(layout=widgets.Layout(height="820px", overflow="auto"))
        self.curve = pd.DataFrame()
        self.turns = Turns(self.message)
        self.measure_button.on_click(lambda _button: self.turns.start(self._measured))
        self.stop_button.on_click(lambda _button: self.stop())

    @property
    def config(self) -> DecodingConfig:
        """All settings but the temperature."""
        return replace(
            self.config_before,
            top_k=self.top_k.value,
            top_p=self.top_p.value,
            max_new_tokens=self.max_new_tokens.value,
        )

    @property
    def view(self) -> widgets.VBox:
        """Controls above the curve."""
        numbers = widgets.HBox([self.runs, self.max_new_tokens, self.measure_button, self.stop_button])
        others = [self.also_set] if self.also_set.value else []
        return widgets.VBox([self.prompt, numbers, self.top_k, self.top_p, *others, self.message, self.picture])

    def measure(self) -> None:
        """Measure all temperatures and wait for them."""
        self.turns.run(self._measured)

    def stop(self) -> None:
        """Stop after the temperature that is being measured."""
        self.turns.stop()
        if len(self.curve) < len(self.temperatures):
            self.message.value = paragraph(f"Stopped: {self._progress}")

    @property
    def _progress(self) -> str:
        return f"{len(self.curve)} of {len(self.temperatures)} temperatures measured."

    def _measured(self) -> Iterator[None]:
        config, prompt = self.config, self.prompt.value
        seeds = range(config.seed, config.seed + self.runs.value)
        rows: list[pd.DataFrame] = []
        self.curve = pd.DataFrame()
        for temperature in self.temperatures:
            self.message.value = paragraph(f"Temperature {plain(temperature)}: {len(seeds)} runs ...")
            yield
            rows.append(diversity_curve(self.model, prompt, config, temperatures=(temperature,), seeds=seeds))
            self.curve = pd.concat(rows)
            self.message.value = paragraph(self._progress)
            self.picture.value = self._drawn(config, prompt, seeds)

    def _drawn(self, config: DecodingConfig, prompt: str, seeds: Sequence[int]) -> str:
        firsts = {
            f"T = {plain(temperature)}": completions(
                self.model, prompt, replace(config, temperature=temperature), seeds=seeds
            )[0]
            for temperature in self.curve.index
        }
        examples = texts(firsts, columns=("temperature", "first run"))
        return diversity_curves(self.curve)._repr_html_() + self.curve.to_html() + examples._repr_html_()


def _runs(value: Any) -> int:
    return whole_number(value, "runs lie between 2, which can be compared, and 16, side by side", least=2, most=16)


def repetition(
    model: LanguageModel,
    prompt: str,
    config: DecodingConfig | None = None,
    *,
    temperatures: Sequence[float] = TEMPERATURES,
) -> Repetition:
    """Show the repetition widget with its first curve measured and return it.

    config: all but the temperature, which runs over `temperatures`; its seed is the first
    run's. Raises UnsupportedSetting, DataError.
    """
    made = Repetition(model, prompt, config or DecodingConfig(), temperatures)
    made.measure()
    summary = made.also_set.value + made.picture.value
    show(made.view, summary=summary, text=f"Repetition against temperature.\n{made.curve}")
    return made
