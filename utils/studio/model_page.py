"""The model picker: those of this machine and of the registry, and any other by its name or address."""

import time
from collections.abc import Callable, Generator
from typing import Any

import ipywidgets as widgets

from utils.errors import CourseError
from utils.models.language_model import LanguageModel
from utils.studio.models import Models
from utils.widgets.turns import Turns, in_thread
from utils.widgets.view import FULL_LABEL, alert, paragraph

SAYS_AFTER = 0.5
"""Seconds of loading after which it is said."""


class ModelPicker:
    """A choice of models, and a box for what is not among them; what is picked is loaded behind the page.

    reference: of the model picked. loaded: that model, once it is there; one that cannot be loaded leaves the one
    before. message: what is said of it.
    """

    def __init__(self, models: Models, reference: str = "") -> None:
        self.models, self.reference = models, reference
        self.loaded: LanguageModel | None = None
        self.message = widgets.HTML()
        self.turns = Turns(self.message)
        self.acts: list[Callable[[], None]] = []
        wide = widgets.Layout(width="auto", flex="1 1 260px", max_width="460px")
        self.choice = widgets.Dropdown(description="Model", style=FULL_LABEL, layout=wide)
        self.other = widgets.Text(
            description="Another",
            placeholder="http://host:port/v1#model, a hub name or a folder",
            continuous_update=False,
            style=FULL_LABEL,
            layout=wide,
        )
        self.choice.observe(self._chosen, names="value")
        self._offer([])
        self.other.observe(self._chosen, names="value")

    def when_loaded(self, call: Callable[[], None]) -> None:
        """Call a function when another model was picked and is loaded."""
        self.acts.append(call)

    def pick(self, reference: str) -> None:
        """Load a model behind the page and take it for the one picked; else say why not."""
        self.turns.start(lambda: self._picking(reference))

    def refresh(self) -> None:
        """Bring the choices up to date, and load the model picked where it is not there yet."""
        self.turns.start(self._refreshing)

    def loading(self, reference: str) -> Generator[None, None, LanguageModel]:
        """Return a model, and say how long it has been loading. Raises what `Models.load` raises."""
        begun = time.monotonic()
        asked = in_thread(lambda: self.models.load(reference))
        while True:
            try:
                yield next(asked)
            except StopIteration as done:
                self.message.value = ""
                return done.value
            seconds = time.monotonic() - begun
            if seconds > SAYS_AFTER:
                self.message.value = paragraph(f"Loading {self._label(reference)} ... {seconds:.0f} s")

    def _refreshing(self) -> Generator[None]:
        self._offer((yield from in_thread(self.models.choices)))
        if self.loaded is None:
            yield from self._picking(self.reference)

    def _picking(self, reference: str) -> Generator[None]:
        try:
            self.loaded = yield from self.loading(reference)
        except CourseError as error:
            self._show()
            kept = f" {self._label(self.reference)} stays." if self.loaded else ""
            self.message.value = alert(f"{error}{kept}")
            return
        self.reference = reference
        self.other.value = ""
        self._show()
        for act in self.acts:
            act()

    def _chosen(self, change: Any) -> None:
        reference = change["new"].strip()
        if reference != self.reference and (reference or change["owner"] is self.choice):
            self.pick(reference)

    def _offer(self, choices: list[tuple[str, str]]) -> None:
        self.choices = choices
        self._show()

    def _show(self) -> None:
        """Show the model picked, also one that is not among the choices."""
        known = [reference for _, reference in self.choices]
        more = [] if self.reference in known else [(self.reference or "The course's model", self.reference)]
        self.choice.unobserve(self._chosen, names="value")  # new options choose the first one
        self.choice.options = [*self.choices, *more]
        self.choice.value = self.reference
        self.choice.observe(self._chosen, names="value")

    def _label(self, reference: str) -> str:
        return next((label for label, known in self.choices if known == reference), reference) or "the course's model"
