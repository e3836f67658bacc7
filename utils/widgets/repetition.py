"""The repetition widget: how varied the completions of one prompt are, at each temperature."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import ipywidgets as widgets
import pandas as pd

from utils.decoding.diversity import completions, diversity_curve
from utils.logits.config import DecodingConfig
from utils.models.language_model import LanguageModel
from utils.plots import diversity_curves
from utils.tables import texts
from utils.widgets.slider import top_k_slider, top_p_slider
from utils.widgets.turns import Turns
from utils.widgets.view import FULL_LABEL, WIDE, paragraph, show

TEMPERATURES = (0, 0.2, 0.7, 1, 1.5)
RUNS = 8
NARROW = widgets.Layout(width="200px")


class Repetition:
    """Prompt, runs, limit, top-k and top-p; `measure` draws the curve against temperature."""

    def __init__(
        self, model: LanguageModel, prompt: str, config: DecodingConfig, temperatures: Sequence[float]
    ) -> None:
        self.model, self.temperatures = model, temperatures
        self.prompt = widgets.Text(prompt, description="Prompt", continuous_update=False, style=FULL_LABEL, layout=WIDE)
        self.runs = widgets.BoundedIntText(RUNS, min=2, max=16, description="Runs", style=FULL_LABEL, layout=NARROW)
        self.max_new_tokens = widgets.BoundedIntText(
            config.max_new_tokens, min=5, max=100, description="Max new tokens", style=FULL_LABEL, layout=NARROW
        )
        self.top_k, self.top_p = top_k_slider(config.top_k), top_p_slider(config.top_p)
        self.measure_button = widgets.Button(description="Measure", button_style="primary")
        self.stop_button = widgets.Button(description="Stop")
        self.message = widgets.HTML(layout=widgets.Layout(height="24px"))
        self.picture = widgets.HTML(layout=widgets.Layout(height="820px", overflow="auto"))
        self.curve = pd.DataFrame()
        self.turns = Turns(self.message)
        self.measure_button.on_click(lambda _button: self.turns.start(self._measured))
        self.stop_button.on_click(lambda _button: self.stop())

    @property
    def config(self) -> DecodingConfig:
        """All settings but the temperature."""
        return DecodingConfig(
            top_k=int(self.top_k.value), top_p=self.top_p.value, max_new_tokens=self.max_new_tokens.value
        )

    @property
    def view(self) -> widgets.VBox:
        """Controls above the curve."""
        numbers = widgets.HBox([self.runs, self.max_new_tokens, self.measure_button, self.stop_button])
        return widgets.VBox([self.prompt, numbers, self.top_k, self.top_p, self.message, self.picture])

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
        config, prompt, seeds = self.config, self.prompt.value, range(self.runs.value)
        rows: list[pd.DataFrame] = []
        self.curve = pd.DataFrame()
        for temperature in self.temperatures:
            self.message.value = paragraph(f"Temperature {temperature:g}: {len(seeds)} runs ...")
            yield
            rows.append(diversity_curve(self.model, prompt, config, temperatures=(temperature,), seeds=seeds))
            self.curve = pd.concat(rows)
            self.message.value = paragraph(self._progress)
            self.picture.value = self._drawn(config, prompt)

    def _drawn(self, config: DecodingConfig, prompt: str) -> str:
        firsts = {
            f"T = {temperature:g}": completions(
                self.model, prompt, replace(config, temperature=temperature), seeds=range(self.runs.value)
            )[0]
            for temperature in self.curve.index
        }
        examples = texts(firsts, columns=("temperature", "first run"))
        return diversity_curves(self.curve)._repr_html_() + self.curve.to_html() + examples._repr_html_()


def repetition(
    model: LanguageModel,
    prompt: str,
    config: DecodingConfig | None = None,
    *,
    temperatures: Sequence[float] = TEMPERATURES,
) -> Repetition:
    """Show the repetition widget with its first curve measured and return it.

    config: all but the temperature, which runs over `temperatures`.
    """
    made = Repetition(model, prompt, config or DecodingConfig(), temperatures)
    made.measure()
    show(made.view, summary=made.picture.value, text=f"Repetition against temperature.\n{made.curve}")
    return made
