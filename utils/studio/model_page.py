"""The model picker: those of this machine and of the registry, and any other by its name or address."""

from collections.abc import Callable, Generator
from typing import Any

import ipywidgets as widgets

from utils.errors import CourseError
from utils.models.language_model import LanguageModel
from utils.studio.models import Models
from utils.studio.responses import get_ready
from utils.widgets.turns import Turns, in_thread
from utils.widgets.view import FULL_LABEL, alert
from utils.widgets.waiting import waiting


class ModelPicker:
    """A choice of models, and a box for what is not among them; what is picked is loaded behind the page.

    reference: of the model picked. loaded: that model, once it is there; one that cannot be loaded leaves the one
    before. message: where it is said.
    """

    def __init__(self, models: Models, message: widgets.HTML) -> None:
        self.models, self.message, self.reference = models, message, ""
        self.loaded: LanguageModel | None = None
        self.turns = Turns(self.message)
        self.acts: list[Callable[[], None]] = []
        wide = widgets.Layout(width="auto", flex="1 1 220px", max_width="460px")
        self.choice = widgets.Dropdown(description="Model", style=FULL_LABEL, layout=wide)
        self.other = widgets.Text(
            description="or another",
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
        what = f"Loading {self._label(reference)}"
        found = yield from waiting(self.message, what, lambda: self.models.load(reference))
        self.message.value = ""
        return found

    def _refreshing(self) -> Generator[None]:
        self._offer((yield from in_thread(self.models.choices)))
        if self.loaded is None:
            yield from self._picking(self.reference)

    def _picking(self, reference: str) -> Generator[None]:
        try:
            found = yield from self.loading(reference)
            yield from in_thread(lambda: get_ready(found))
        except CourseError as error:
            self._show()
            kept = f" {self._label(self.reference)} stays." if self.loaded else ""
            self.message.value = alert(f"{error}{kept}")
            return
        self.reference, self.loaded = reference, found
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
