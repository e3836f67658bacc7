"""The studio: its pages, the one in front, and the prompt that they share."""

from collections.abc import Callable, Generator
from importlib import import_module
from typing import Any, Protocol

import ipywidgets as widgets

from utils.errors import CourseError, UnsupportedSetting
from utils.studio.models import Models
from utils.studio.navigation import Navigation
from utils.studio.prompt import Prompt
from utils.studio.workspace import Workspace
from utils.widgets.turns import Turns
from utils.widgets.view import alert, paragraph, show
from utils.widgets.waiting import waiting

PAGES = {
    "Gallery": "gallery_page:GalleryPage",
    "Prompt design": "design_page:DesignPage",
    "Save": "save_page:SavePage",
    "Compare": "compare_page:ComparePage",
    "Get code": "code_page:CodePage",
    "Tune": "tune_page:TunePage",
    "Registry and endpoints": "endpoints_page:EndpointsPage",
    "Pipeline": "pipeline_page:PipelinePage",
    "Reflection cards": "reflection_page:ReflectionPage",
}
"""Where each page's class stands; a page is made when it is first brought to front."""
DESIGN = "Prompt design"
STATE, PROMPT = "studio", "prompt"


class Page(Protocol):
    """A page of the studio. name: as in PAGES. view: what it shows."""

    name: str
    view: widgets.Widget

    def shown(self) -> None:
        """Bring it up to date: called each time that it comes to front."""
        ...


class Studio:
    """The pages, made one by one, over what is kept in a workspace.

    models: those that were loaded here. page: the one in front.
    """

    def __init__(self, workspace: Workspace | None = None) -> None:
        self.workspace = workspace or Workspace()
        self.models = Models()
        self.made: dict[str, Page] = {}
        self._leaving: list[Callable[[], None]] = []
        self.message = widgets.HTML()
        self.turns = Turns(self.message)
        self.navigation = Navigation(names=list(PAGES))
        self.front = widgets.VBox()
        self.view = widgets.VBox([self.navigation, self.message, self.front])
        self.navigation.when_chosen(lambda name: self.turns.start(lambda: self._bring(name)))

    @property
    def page(self) -> Page:
        """The page in front."""
        return self.made[self.navigation.value]

    @property
    def prompt(self) -> Prompt:
        """The prompt that all pages speak of, as it is kept; one that cannot be read is said and put aside."""
        kept = self.workspace.read(PROMPT)
        try:
            return Prompt.from_dict(kept)
        except CourseError as error:
            self.message.value = alert(
                f"The kept prompt cannot be read ({error}) and an empty one stands in its place."
            )
            return Prompt()

    def keep(self, prompt: Prompt) -> None:
        """Keep the prompt that all pages speak of."""
        if said := self.workspace.write(PROMPT, prompt.as_dict()):
            self.message.value = alert(said)

    def when_left(self, call: Callable[[], None]) -> None:
        """Call a function before a page comes to front: what keeps a change that was made a moment before."""
        self._leaving.append(call)

    def design(self, prompt: Prompt) -> None:
        """Open a prompt in Prompt design."""
        self._leave()
        self.keep(prompt)
        self.turns.start(lambda: self._bring(DESIGN))

    def go(self, name: str) -> Page:
        """Bring a page to front and return it. Raises UnsupportedSetting."""
        if name not in PAGES:
            raise UnsupportedSetting(f"The studio has no page {name!r}: its pages are {', '.join(PAGES)}.")
        self._front(name, _find(name))
        return self.page

    def _ipython_display_(self) -> None:
        """Show nothing more where a cell ends with it: `open` has shown it."""

    def restore(self) -> None:
        """Bring to front the page that was there last, or the first."""
        name = self.workspace.read(STATE).get("page")
        name = name if name in PAGES else next(iter(PAGES))
        self.navigation.value = name
        self.turns.start(lambda: self._bring(name))

    def _bring(self, name: str) -> Generator[None]:
        """Bring a page to front; what a page imports the first time is read beside the kernel's own work."""
        make = yield from waiting(self.message, f"Opening {name}", lambda: _find(name))
        if name not in self.made:
            self.message.value = paragraph(f"Opening {name} ...")
            yield
        self._front(name, make)

    def _leave(self) -> None:
        for call in self._leaving:
            call()

    def _front(self, name: str, make: Callable[["Studio"], Page]) -> None:
        self._leave()
        if name not in self.made:
            self.made[name] = make(self)
        self.message.value = paragraph(self.workspace.problem) if self.workspace.problem else ""
        self.navigation.value = name
        self.front.children = [self.made[name].view]
        self.workspace.write(STATE, self.workspace.read(STATE) | {"page": name})
        self.made[name].shown()


def _find(name: str) -> Any:
    """Return the class of a page."""
    module, _, found = PAGES[name].partition(":")
    return getattr(import_module(f"utils.studio.{module}"), found)


def show_studio() -> Studio:
    """Show the studio as it was left, and return it."""
    made = Studio()
    pages = f"The Generative AI Studio, with the pages {', '.join(PAGES)}."
    show(made.view, summary=paragraph(f"{pages} Run this cell to open it."), text=pages)
    made.restore()
    return made
