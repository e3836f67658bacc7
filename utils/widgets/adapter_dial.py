"""The adapter dial: turn a LoRA adapter from nothing over its tuned strength to twice that, and see the labels move."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import ipywidgets as widgets
import pandas as pd

from utils.adapters.dial import HIGHEST, LOWEST, check_scale, label_probabilities
from utils.arguments import texts
from utils.errors import UnsupportedSetting
from utils.models.language_model import LanguageModel
from utils.models.sharing import share
from utils.plots import token_bars
from utils.widgets.bars import Axis, bar, bars, beside, label, percent
from utils.widgets.picture import Picture, old_prompt
from utils.widgets.slider import Slider, steps
from utils.widgets.view import FULL_LABEL, Dropdown, paragraph, plain, show, told_in

BASE, TUNED = 0.0, 1.0
LEFT, RIGHT, WIDTH, ROW = 120, 90, 770, 30


class AdapterDial:
    """The prompt and the scale, each with a `.value`, and the labels' probabilities under both.

    The widget has modules of its own on the model's weights: the model in the notebook
    keeps its scale, whatever the slider does.
    """

    def __init__(self, model: LanguageModel, prompts: Mapping[str, str], labels: Sequence[str]) -> None:
        if not prompts or not isinstance(prompts, Mapping):
            raise UnsupportedSetting("The dial needs a prompt: give at least one, by its name.")
        self.labels = texts(labels, "the labels")
        self.model, self.prompts = replace(model, model=share(model.model)), dict(prompts)
        self.prompt = Dropdown(options=list(self.prompts), description="Prompt", style=FULL_LABEL)
        self.scale = Slider(
            *("Adapter scale", TUNED, steps(LOWEST, HIGHEST, 0.1), check_scale),
            hint="0: the base model; 1: as it was tuned",
        )
        self.text, self.message = widgets.HTML(paragraph(self.prompts[self.prompt.value])), widgets.HTML()
        self.picture = Picture()
        self._read_prompt()
        self._draw(TUNED)
        self.prompt.observe(lambda _change: self.redraw(), names="value")
        self.scale.when_moved(self.redraw)

    @property
    def table(self) -> pd.DataFrame:
        """The probabilities of the base model, of the tuned one, and at the slider's scale."""
        names = {"scale 0 (base)": BASE, "scale 1 (tuned)": TUNED}
        columns = {name: self.fixed[scale] for name, scale in names.items()}
        return pd.DataFrame({**columns, "slider's scale": self.found})

    @property
    def view(self) -> widgets.VBox:
        """Controls above the picture."""
        return widgets.VBox([self.prompt, self.text, self.scale, self.message, self.picture])

    def redraw(self) -> None:
        """Read the labels at the slider's scale and draw them; another prompt is read first."""
        self.text.value = paragraph(self.prompts[self.prompt.value])
        with told_in(self.message), self.picture.or_old(old_prompt(self.read)):
            if self.prompt.value != self.read:
                self._read_prompt()
            self._draw(self.scale.value)

    def _read_prompt(self) -> None:
        name = self.prompt.value
        self.fixed = {scale: self._probabilities(name, scale) for scale in (BASE, TUNED)}
        self.read = name

    def _probabilities(self, name: str, scale: float) -> dict[str, float]:
        return label_probabilities(self.model, self.prompts[name], self.labels, scale)

    def _draw(self, scale: float) -> None:
        self.found = self.fixed.get(scale) or self._probabilities(self.read, scale)
        self.message.value = ""
        self.picture.value = label_bars(self.found, self.fixed[BASE], scale) + table_html(self.table)


def adapter_dial(model: LanguageModel, prompts: Mapping[str, str], labels: Sequence[str]) -> AdapterDial:
    """Show a dial for a model's LoRA adapter and return it.

    prompts: texts by their names; labels: answers between which the model chooses, as they
    were tuned. Raises what `tuning.dial.label_probabilities` raises.
    """
    made = AdapterDial(model, prompts, labels)
    said = ", ".join(f"{label} {percent(value)}" for label, value in made.found.items())
    drawn = token_bars(made.found, xlabel=f"probability behind the prompt {made.prompt.value!r} at scale 1")
    summary = drawn._repr_html_() + table_html(made.table) + paragraph("Run this cell to move the slider.")
    show(made.view, summary=summary, text=f"An adapter dial, {made.prompt.value}, scale 1: {said}.")
    return made


def table_html(table: pd.DataFrame) -> str:
    """Return a table of probabilities as percentages."""
    return table.map(percent).to_html()


def _height(rows: int) -> int:
    return ROW * rows + 46


def label_bars(found: Mapping[str, float], base: Mapping[str, float], scale: float) -> str:
    """Return bars from 0 to 100 % at a scale, each in the outline of the base model's."""
    height = _height(len(found))
    axis = Axis(LEFT, RIGHT, top=24, bottom=height - 20)
    rows = [(name, value, 26 + ROW * n) for n, (name, value) in enumerate(found.items())]
    said = "; ".join(f"{name} {percent(value)}, base {percent(base[name])}" for name, value in found.items())
    return bars(
        f"outline: base model; bar: scale {plain(scale)}",
        beside(label(-10, y + ROW / 2 + 4, name.strip()[:14], anchor="end") for name, _, y in rows),
        axis.holding(bar(value, base[name], y=y + 3, height=ROW - 6, inset=3) for name, value, y in rows),
        beside(label(0, y + ROW / 2 + 4, percent(value), anchor="end") for _, value, y in rows),
        of=axis,
        said=f"Label probabilities at scale {plain(scale)}. {said}.",
        width=WIDTH,
        height=height,
    )
