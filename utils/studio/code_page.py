"""The page Get code: the prompt as code that answers elsewhere as the studio does here."""

from collections.abc import Generator

import ipywidgets as widgets

from utils.models.endpoints import is_address, load_endpoint
from utils.serving.deployments import deployments
from utils.serving.settings import HOST, PORT
from utils.studio.kept_page import Kept
from utils.studio.models import own_model
from utils.studio.prompt import Prompt
from utils.studio.snippet import Asked, Endpoint, Snippet
from utils.studio.snippets import NEED_AN_ENDPOINT, SNIPPETS, snippet
from utils.studio.studio import DESIGN, Studio
from utils.studio.values import filled
from utils.widgets.code_box import CodeBox
from utils.widgets.turns import Turns
from utils.widgets.view import FULL_LABEL, WIDE, Dropdown, fitted, paragraph
from utils.widgets.waiting import waiting


class CodePage:
    """A choice of code, the address of an endpoint where the code asks one, and the code itself."""

    name = "Get code"

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.kind = Dropdown(options=list(SNIPPETS), description="Code", style=FULL_LABEL, layout=fitted())
        self.endpoint = widgets.Combobox(
            value=f"http://{HOST}:{PORT}/v1#{own_model()}",
            description="Endpoint",
            continuous_update=False,
            style=FULL_LABEL,
            layout=WIDE,
        )
        self.message = widgets.HTML(layout=widgets.Layout(min_height="20px"))
        self.code = CodeBox(label="The code")
        self.command = CodeBox(label="The command that runs it")
        self.said = widgets.HTML()
        self.turns = Turns(self.message)
        self.view = widgets.VBox([self.kind, self.endpoint, self.message, self.code, self.command, self.said])
        self.kept = Kept(studio.workspace, self.name, {"code": self.kind, "endpoint": self.endpoint}, self.message)
        for field in (self.kind, self.endpoint):
            field.observe(lambda _change: self.write(), names="value")

    @property
    def prompt(self) -> Prompt:
        """The prompt of Prompt design, with the values of the row that is chosen there."""
        return filled(self.studio.prompt, self.studio.workspace.read(DESIGN).get("row", 0))

    def shown(self) -> None:
        """Offer the endpoints that run, and write the code anew."""
        self.endpoint.options = tuple(
            f"{running.url}#{model}"
            for running in deployments()
            if running.status == "ready"
            for model in (running.model or own_model(), *running.adapters)
        )
        self.write()

    def write(self) -> None:
        """Write the code of the prompt as it is now."""
        self.turns.start(self._writing)

    def _writing(self) -> Generator[None]:
        prompt, kind, address = self.prompt, self.kind.value, self.endpoint.value.strip()
        self.endpoint.layout.display = "" if kind in NEED_AN_ENDPOINT else "none"
        self.code.code = self.command.code = self.said.value = ""
        found = yield from waiting(self.message, "Writing the code", lambda: self._snippet(kind, prompt, address))
        self.message.value = paragraph(f"Save it as {found.file}, or copy it.")
        self.code.label, self.code.code = kind, found.code
        self.command.code = found.run
        self.said.value = paragraph(found.said)

    def _snippet(self, kind: str, prompt: Prompt, address: str) -> Snippet:
        """Return the code; it asks the endpoint that the prompt is given to already, or else the one in the field."""
        url, _, model = (prompt.model if is_address(prompt.model) else address).partition("#")
        if kind in NEED_AN_ENDPOINT and not model:
            model = load_endpoint(url).name.partition("#")[2]
        endpoint = Endpoint(url.rstrip("/"), model)
        return snippet(kind, Asked(prompt, lambda: self.studio.models.load(prompt.model), endpoint))
