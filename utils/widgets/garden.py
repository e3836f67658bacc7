"""The model garden: the catalog of models, to filter, to read about and to load from."""

import html
from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets

from utils.errors import ModelNotFound
from utils.experiments.ladder import load_ladder
from utils.models.catalog import CatalogModel, find, models, select, table
from utils.models.language_model import LanguageModel
from utils.models.loading import DEFAULT_MODEL, found_here, load_from_catalog
from utils.models.memory import machine_memory
from utils.widgets.choice import Choice
from utils.widgets.view import FULL_LABEL, Dropdown, beside, button, fitted, paragraph, row, show, told_in

ANY = "any"
TASKS = {"text": "go on with text", "instructions": "follow instructions", "code": "write code"}
SIZES = (150, 300, 600, 1_000, 2_000)
"""Millions of parameters."""

WINDOWS = (1_024, 2_048, 8_192, 32_768)
SHORT = 20
"""Characters of a key that a card keeps in one line."""
MEMORY = {"runs here": "run", "can be tuned here": "tune"}


class ModelGarden:
    """Filters, the models that pass them, and the card of the chosen one; each control has a `.value`.

    model: the model that was loaded, None before.
    """

    def __init__(self) -> None:
        self.model: LanguageModel | None = None
        self.here = {model.name for model in models() if found_here(model)}
        self.records = load_ladder()
        self.task = _filter("Task", {words: task for task, words in TASKS.items()})
        self.size = _filter("Size", {f"up to {size:,} million": size * 10**6 for size in SIZES})
        self.licence = _filter("Licence", {name: name for name in sorted({model.licence for model in models()})})
        self.window = _filter("Window", {f"{window:,} tokens or more": window for window in WINDOWS})
        self.memory = _filter("Memory", MEMORY)
        self.filters = (self.task, self.size, self.licence, self.window, self.memory)
        self.chosen = Choice("Models", rows=len(models()))
        self.card, self.count, self.message = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.load_button = button("Load this model", button_style="primary")
        for control in self.filters:
            control.observe(lambda _change: self.filter(), names="value")
        self.chosen.observe(lambda _change: self.redraw(), names="value")
        self.load_button.on_click(lambda _button: self._load_told())
        self.filter()
        self.chosen.value = find(DEFAULT_MODEL)

    @property
    def selected(self) -> tuple[CatalogModel, ...]:
        """The models that pass the filters."""
        limits = {"task": self.task, "parameters": self.size, "licence": self.licence, "window": self.window}
        given: dict[str, Any] = {name: control.value for name, control in limits.items() if control.value != ANY}
        if self.memory.value != ANY:
            given |= {"memory": machine_memory(), "tune": self.memory.value == "tune"}
        return select(**given)

    @property
    def view(self) -> widgets.VBox:
        """Filters above the list, with the card beside it."""
        listed = widgets.VBox([self.count, self.chosen, row(self.load_button), self.message])
        return widgets.VBox([row(*self.filters), beside(listed, self.card, least=320)])

    def filter(self) -> None:
        """List the models that pass the filters; the chosen one stays chosen where it is among them."""
        found = self.selected
        self.chosen.offer([(self._line(model), model) for model in found])
        said = f"{len(found)} of {len(models())} models" if found else "No model passes: set a filter to 'any'"
        memory = _gigabytes(machine_memory())
        self.count.value = paragraph(f"{said}. This machine has {memory} of memory; it holds what is marked 'here'.")
        self.redraw()

    def redraw(self) -> None:
        """Show the card of the chosen model."""
        model = self.chosen.value
        self.load_button.disabled = model is None
        self.message.value = ""
        self.card.value = self._card(model) if model else ""

    def load(self) -> LanguageModel:
        """Load the chosen model and return it; it is `garden.model` from then on. Raises ModelNotFound."""
        if self.chosen.value is None:
            raise ModelNotFound("No model is chosen, as none passes the filters: set a filter to 'any'.")
        self.model = load_from_catalog(self.chosen.value)
        return self.model

    def _load_told(self) -> None:
        model = self.chosen.value
        self.message.value = paragraph(f"Loading {model.name}, {_gigabytes(model.run_bytes)} ...")
        with told_in(self.message):
            self.load()
            self.message.value = paragraph(f"{model.name} is loaded: it is the .model of this garden.")

    def _line(self, model: CatalogModel) -> str:
        here = ", here" if model.name in self.here else ""
        return f"{model.name}: {_millions(model)}{here}"

    def _card(self, model: CatalogModel) -> str:
        place = "yes" if model.name in self.here else "no: it is fetched from the hub, with a network"
        facts = {
            "trained to": TASKS[model.task],
            "kind": model.kind,
            "parameters": f"{model.parameters:,}",
            "to run": f"{_gigabytes(model.run_bytes)} in float32",
            "to tune all of it": f"{_gigabytes(model.tune_bytes)} with Adam",
            "context window": f"{model.window:,} tokens",
            "on this machine": place,
            "source": model.source,
        }
        rows = {name: html.escape(value) for name, value in facts.items()}
        rows["licence"] = _link(model.terms, model.licence)
        rows["hub"] = _link(f"https://huggingface.co/{model.hub}", model.hub)
        if measured := self._measured(model):
            rows["measured, with 95 % intervals"] = measured
        return card_html(model.name, rows)

    def _measured(self, model: CatalogModel) -> str:
        """Return what the ladder of models has of it, as HTML; empty where it has not been measured."""
        found = self.records[self.records["model"] == model.name].dropna(subset=["mean"])
        return "<br>".join(
            html.escape(f"{one.measure}: {one.unit} {one.mean:.2f} ({one.low:.2f} to {one.high:.2f})")
            for one in found.itertuples(index=False)
        )


def model_garden() -> ModelGarden:
    """Show the catalog of models and return the garden, whose `model` is the one that was loaded there."""
    made = ModelGarden()
    sizes = [model.parameters for model in models()]
    said = f"{len(sizes)} models from {min(sizes) / 1e6:,.0f} to {max(sizes) / 1e6:,.0f} million parameters."
    listed = table()[["task", "window", "licence", "to run (GB)", "to tune (GB)"]]
    listed.insert(0, "size (million)", [f"{model.parameters / 1e6:,.0f}" for model in models()])
    summary = (
        paragraph(said) + listed.to_html(index_names=False) + paragraph("Run this cell to filter, read cards and load.")
    )
    show(made.view, summary=summary, text=f"A model garden. {said}")
    return made


def card_html(title: str, rows: dict[str, str]) -> str:
    """Return a card: a table of facts, whose values are HTML."""
    cell = "padding: 0 10px 0 0; text-align: left; vertical-align: top; font-weight: 400; line-height: 1.35"
    whole = "; white-space: nowrap"
    lines = "".join(
        f'<tr><th scope="row" style="{cell}{whole * (len(name) <= SHORT)}">{html.escape(name)}</th>'
        f'<td style="{cell}">{value}</td></tr>'
        for name, value in rows.items()
    )
    return f'<table><caption style="text-align: left"><b>{html.escape(title)}</b></caption>{lines}</table>'


def _filter(description: str, options: Mapping[str, Any]) -> Dropdown:
    return Dropdown(options=[(ANY, ANY), *options.items()], description=description, style=FULL_LABEL, layout=fitted())


def _link(address: str, text: str) -> str:
    style = "color: var(--jp-content-link-color, #0060a8); text-decoration: underline"
    return f'<a href="{html.escape(address)}" target="_blank" rel="noopener" style="{style}">{html.escape(text)}</a>'


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"


def _millions(model: CatalogModel) -> str:
    return f"{model.parameters / 1e6:,.0f} million"
