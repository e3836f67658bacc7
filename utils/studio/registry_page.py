"""The registry's part of the page: the versions of a model, their measurements and aliases."""

from collections.abc import Generator, Sequence
from datetime import datetime
from typing import Any

import ipywidgets as widgets
import pandas as pd

from utils.registry.versions import compare, find, models, set_alias, set_default, versions
from utils.studio.actions_page import Actions
from utils.studio.commands import Call
from utils.tables import TextTable
from utils.widgets.choice import Choice
from utils.widgets.turns import Turns, in_thread
from utils.widgets.view import FULL_LABEL, button, fitted, heading, paragraph, row, scrolling
from utils.widgets.waiting import waiting

NOTHING = "none"
EMPTY = "No model is registered yet: tune one on the page Tune."


class Registry:
    """The versions of a model with their aliases, in `view`, and what is known of them, in `comparison`."""

    def __init__(self, actions: Actions) -> None:
        self.actions = actions
        self.model = Choice("Model")
        self.version, self.other = Choice("Version"), Choice("Compare with")
        self.alias = widgets.Text(
            description="Alias", placeholder="production", continuous_update=False, style=FULL_LABEL, layout=fitted()
        )
        self.default_button = button("Make it the default", disabled=True)
        self.alias_button = button(
            "Give the alias", disabled=True, tooltip="Give the alias to the version; another one that has it loses it"
        )
        self.table, self.measured = widgets.HTML(), widgets.HTML()
        self.message = widgets.HTML(layout=widgets.Layout(min_height="20px"))
        self.turns, self.comparing = Turns(self.message), Turns(self.message)
        aliases = row(self.default_button, self.alias, self.alias_button)
        self.view = widgets.VBox(
            [heading("Registry"), row(self.model, self.version), self.message, self.table, aliases]
        )
        self.comparison = widgets.VBox([row(self.other), self.measured])
        self.model.when_chosen(lambda: self.turns.start(self._versions))
        for choice in (self.version, self.other):
            choice.when_chosen(lambda: self.comparing.start(self._compare))
        self.default_button.on_click(lambda _button: self._act("Moving the default", self._default))
        self.alias_button.on_click(lambda _button: self._act("Giving the alias", self._given))

    def refresh(self) -> None:
        """Read which models there are."""
        self.turns.start(self._models)

    def _models(self) -> Generator[None]:
        found = yield from waiting(self.message, "Reading the registry", models)
        names = list(found["model"])
        self.message.value = "" if names else paragraph(EMPTY)
        for part in (self.default_button, self.alias_button):
            part.disabled = not names
        self.model.offer(names)
        yield from self._versions()

    def _versions(self) -> Generator[None]:
        name = self.model.value
        if name is None:
            return
        found = yield from in_thread(lambda: versions(name))
        self.table.value = scrolling(as_text(found)._repr_html_(), f"The versions of {name}", height=180)
        numbers = [str(number) for number in found["number"]]
        self.version.offer(numbers, begin=numbers[-1])
        self.other.offer([NOTHING, *numbers])
        yield from self._compare()

    def _compare(self) -> Generator[None]:
        name, version, other = self.model.value, self.version.value, self.other.value
        if name is None or version is None:
            return
        references = [f"{name}/{number}" for number in (version, other) if number not in (None, NOTHING)]
        table = yield from in_thread(lambda: measured(references))
        self.measured.value = scrolling(table._repr_html_(), f"What is known of {' and '.join(references)}", height=180)

    def _act(self, what: str, made: Any) -> None:
        self.actions.do(what, made, lambda _found: self._models())

    def _default(self) -> Call:
        return Call(set_default, (self.model.value, int(self.version.value)))

    def _given(self) -> Call:
        return Call(set_alias, (self.model.value, int(self.version.value), self.alias.value.strip()))


def measured(references: Sequence[str]) -> TextTable:
    """Return what is known of a version, or in what several differ. Raises RegistryError."""
    if len(set(references)) > 1:
        return as_text(compare(references), index="what differs")
    version = find(references[0])
    facts = {**version.metrics, **version.parameters}
    return TextTable(("what", version.reference), tuple((name, shown(value)) for name, value in facts.items()))


def as_text(table: pd.DataFrame, *, index: str = "") -> TextTable:
    """Return a table in words. index: the heading of the rows' names, which are left out without one."""
    rows = [[shown(value) for value in values] for values in table.itertuples(index=bool(index))]
    return TextTable((*([index] if index else []), *map(str, table.columns)), tuple(map(tuple, rows)))


def shown(value: Any) -> str:
    """Return a value of the registry for people: numbers to four digits, times to the minute, nothing for none."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:,.4g}"
    return "" if value is None else str(value)
