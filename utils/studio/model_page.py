"""The model picker: those of this machine and of the registry, and any other by its name or address."""

from collections.abc import Callable, Generator

import ipywidgets as widgets

from utils.errors import CourseError
from utils.models.language_model import LanguageModel
from utils.studio.models import OWN, Models
from utils.studio.responses import get_ready
from utils.widgets.choice import Choice
from utils.widgets.turns import Turns
from utils.widgets.view import FULL_LABEL, alert
from utils.widgets.waiting import waiting


class ModelPicker:
    """A choice of models, and a box for what is not among them; what is picked is loaded behind the page.

    reference: of the model picked; one that cannot be loaded leaves the one before. loaded: the last one that could be,
    None before. message: where it is said.
    """

    def __init__(self, models: Models, message: widgets.HTML) -> None:
        self.models, self.message = models, message
        self.reference = self.loaded_reference = ""
        self.loaded: LanguageModel | None = None
        self.turns = Turns(self.message)
        self.acts: list[Callable[[], None]] = []
        self.choices: list[tuple[str, str]] = []
        self.choice = Choice("Model")
        self.other = widgets.Text(
            description="or another",
            placeholder="http://host:port/v1#model",
            continuous_update=False,
            style=FULL_LABEL,
            tooltip="An endpoint's address, a hub name or a folder",
            layout=widgets.Layout(width="auto", flex="1 1 200px", min_width="0", max_width="460px"),
        )
        self.choice.when_chosen(lambda: self._asked(self.choice.value))
        self.other.observe(lambda change: self._asked(change["new"].strip() or None), names="value")
        self._show()

    def when_loaded(self, call: Callable[[], None]) -> None:
        """Call a function when another model was picked and is loaded, or could not be."""
        self.acts.append(call)

    def pick(self, reference: str) -> None:
        """Load a model behind the page, or say why that cannot be."""
        self.reference = reference
        self._show()
        self.turns.start(self._loading)

    def refresh(self) -> None:
        """Bring the choices up to date, and load the model picked where it is not there yet."""
        self.turns.start(self._refreshing)

    def loading(self, reference: str) -> Generator[None, None, LanguageModel]:
        """Return a model, and say how long it has been loading. Raises what `Models.load` raises."""
        what = f"Loading {self._label(reference)}"
        return (yield from waiting(self.message, what, lambda: self.models.load(reference)))

    def _refreshing(self) -> Generator[None]:
        self.choices = yield from waiting(self.message, "Reading the registry", self.models.choices)
        self._show()
        if self.loaded is None or self.loaded_reference != self.reference:
            yield from self._loading()

    def _loading(self) -> Generator[None]:
        try:
            found = yield from self.loading(self.reference)
            yield from waiting(self.message, f"Getting {self._label(self.reference)} ready", lambda: get_ready(found))
        except CourseError as error:
            said = str(error)
            if self.loaded:
                self.reference = self.loaded_reference
                said += f" {self._label(self.reference)} stays."
            self.message.value = alert(said)
        else:
            self.loaded, self.loaded_reference = found, self.reference
            self.other.value = ""
        self._show()
        for act in self.acts:
            act()

    def _asked(self, reference: str | None) -> None:
        if reference not in (None, self.reference):
            self.pick(reference)

    def _show(self) -> None:
        """Show the model picked, also one that is not among the choices."""
        known = [reference for _, reference in self.choices]
        more = [] if self.reference in known else [(self.reference or OWN, self.reference)]
        self.choice.offer([*self.choices, *more])
        self.choice.value = self.reference

    def _label(self, reference: str) -> str:
        return next((label for label, known in self.choices if known == reference), reference) or OWN
