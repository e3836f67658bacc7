"""The repetition widget: how varied the completions of one prompt are, at each temperature."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import ipywidgets as widgets
import pandas as pd

from utils.arguments import a_list, whole_number
from utils.decoding.diversity import COLUMNS, completions, diversity_curve
from utils.logits.config import DecodingConfig
from utils.models.language_model import LanguageModel
from utils.plots import small_diversity_curves
from utils.tables import TextTable, texts
from utils.widgets.picture import Picture, old_prompt, short
from utils.widgets.slider import NARROW, NumberBox, limit_box, top_k_slider, top_p_slider
from utils.widgets.turns import Turns
from utils.widgets.view import also_set, beside, button, fitted, paragraph, plain, prompt_box, row, show, told_in

TEMPERATURES = (0, 0.2, 0.7, 1, 1.5)
RUNS = 8
RUN = ("temperature", "first run")
CONTROLS = ("temperature", "top_k", "top_p", "max_new_tokens")


@dataclass(frozen=True)
class Asked:
    """What a curve is measured for, at every temperature."""

    prompt: str
    config: DecodingConfig
    seeds: range

    @property
    def caption(self) -> str:
        """The prompt and the settings in words."""
        return (
            f"Measured for '{short(self.prompt)}': {len(self.seeds)} runs at each temperature T, "
            f"seeds {self.seeds[0]} to {self.seeds[-1]}, at most {self.config.max_new_tokens} tokens, "
            f"top-k {self.config.top_k}, top-p {plain(self.config.top_p)}."
        )


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
        self.measure_button = button("Measure", button_style="primary")
        self.stop_button = button("Stop")
        self.also_set = widgets.HTML(also_set(config, controls=CONTROLS))
        self.message = widgets.HTML(layout=widgets.Layout(min_height="20px"))
        self.caption = widgets.HTML()
        self.picture = Picture()
        self.first_runs = widgets.HTML(layout=widgets.Layout(display="none"))
        self.more = widgets.ToggleButton(description="First completions", layout=fitted())
        self.measured: Asked | None = None
        self.times = 0
        self.curve = pd.DataFrame()
        self.turns = Turns(self.message)
        self._observe()

    def _observe(self) -> None:
        self.measure_button.on_click(lambda _button: self.turns.start(self._begun))
        self.stop_button.on_click(lambda _button: self.stop())
        self.prompt.observe(lambda _change: self.compare(), names="value")
        for control in (self.runs, self.max_new_tokens, self.top_k, self.top_p):
            control.when_moved(self.compare)
        self.more.observe(
            lambda change: setattr(self.first_runs.layout, "display", None if change["new"] else "none"), "value"
        )

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
    def asked(self) -> Asked:
        """What the controls ask for."""
        config = self.config
        return Asked(self.prompt.value, config, range(config.seed, config.seed + self.runs.value))

    @property
    def view(self) -> widgets.VBox:
        """Controls above the curve, and below it what can be unfolded."""
        numbers = row(self.runs, self.max_new_tokens, self.measure_button, self.stop_button)
        sliders = beside(self.top_k, self.top_p, least=300)
        others = [self.also_set] if self.also_set.value else []
        shown = [self.message, self.caption, self.picture, row(self.more), self.first_runs]
        return widgets.VBox([self.prompt, numbers, sliders, *others, *shown])

    def measure(self) -> None:
        """Measure all temperatures and wait for them."""
        self.turns.run(self._begun)

    def stop(self) -> None:
        """Stop after the temperature that is being measured."""
        self.turns.stop()

    def compare(self) -> None:
        """Say whether the curve belongs to what the controls ask for, or why that cannot be measured."""
        self._mark()
        with told_in(self.message):
            self.model.check_window(self.prompt.value, max_new_tokens=self.max_new_tokens.value)
            known = self.measured == self.asked
            self.message.value = paragraph(self._progress if known else "Not measured yet: press Measure.")

    def _mark(self) -> None:
        measured, asked = self.measured, self.asked
        if measured is None or measured == asked:
            self.picture.old = ""
        elif measured.prompt != asked.prompt:
            self.picture.old = old_prompt(measured.prompt)
        else:
            self.picture.old = "Old: the controls have moved since."

    @property
    def _progress(self) -> str:
        return f"{len(self.curve)} of {len(self.temperatures)} temperatures measured."

    def _begun(self) -> Generator[None]:
        """Return the work of measuring. Raises EmptyPrompt, ContextWindowExceeded."""
        self.model.check_window(self.prompt.value, max_new_tokens=self.max_new_tokens.value)
        return self._measuring(self.asked)

    def _measuring(self, asked: Asked) -> Generator[None]:
        again = asked == self.measured and len(self.curve) == len(self.temperatures)
        rows: list[pd.DataFrame] = []
        try:
            for temperature in self.temperatures:
                self.message.value = paragraph(f"Temperature {plain(temperature)}: {len(asked.seeds)} runs ...")
                yield
                rows.append(
                    diversity_curve(
                        self.model, asked.prompt, asked.config, temperatures=(temperature,), seeds=asked.seeds
                    )
                )
                self.measured, self.curve = asked, pd.concat(rows)
                self._draw(asked)
        except GeneratorExit:
            done = f"{len(rows)} of {len(self.temperatures)} temperatures measured."
            self.message.value = paragraph(f"Stopped: {done}")
            raise
        self.times = self.times + 1 if again else 1
        said = f" Measured {self.times} times with these settings: the same seeds give the same numbers."
        self.message.value = paragraph(self._progress + said * again)

    def _draw(self, asked: Asked) -> None:
        firsts = {
            f"T = {plain(temperature)}": completions(
                self.model, asked.prompt, replace(asked.config, temperature=temperature), seeds=asked.seeds
            )[0]
            for temperature in self.curve.index
        }
        curve = self.curve.reindex(map(float, self.temperatures))
        self.picture.value = _panels(curve) + _numbers(curve)._repr_html_()
        self.first_runs.value = f'<div style="line-height: 1.4">{texts(firsts, columns=RUN)._repr_html_()}</div>'
        self.caption.value = paragraph(asked.caption)
        self._mark()

    @property
    def summary(self) -> str:
        """What stands for the widget where no kernel runs, as HTML."""
        return "".join(part.value for part in (self.also_set, self.caption, self.picture, self.first_runs))


def _panels(curve: pd.DataFrame) -> str:
    """Return the curves side by side, in two rows where the place is narrow."""
    panels = "".join(
        f'<div style="flex: 1 1 160px; max-width: 204px">{plot._repr_html_()}</div>'
        for plot in small_diversity_curves(curve)
    )
    return f'<div style="display: flex; flex-wrap: wrap; gap: 4px">{panels}</div>'


def _numbers(curve: pd.DataFrame) -> TextTable:
    """Return a row for each temperature T; what is not measured yet is three dots."""
    rows = tuple(
        (plain(float(temperature)), *("..." if pd.isna(value) else f"{value:.2f}" for value in values))
        for temperature, *values in curve.itertuples()
    )
    return TextTable(("T", *COLUMNS), rows)


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
    show(made.view, summary=made.summary, text=f"Repetition against temperature.\n{made.curve}")
    return made
