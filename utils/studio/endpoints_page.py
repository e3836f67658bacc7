"""The page Registry and endpoints: versions and aliases; what is deployed, how it is, and what each button did."""

import time
from collections.abc import Callable, Generator
from typing import Any

import ipywidgets as widgets

from utils.models.endpoints import is_address
from utils.registry.versions import find
from utils.serving.deployments import Deployment, deploy, deployments, redeploy, undeploy
from utils.studio.actions_page import Actions
from utils.studio.commands import Call
from utils.studio.endpoint_page import Served
from utils.studio.kept_page import Kept
from utils.studio.models import REGISTERED, own_model
from utils.studio.registry_page import Registry
from utils.studio.studio import Studio
from utils.studio.traffic import Snapshot, look
from utils.widgets.choice import Choice
from utils.widgets.turns import Turns, in_thread
from utils.widgets.view import FULL_LABEL, alert, beside, button, fitted, heading, paragraph, row
from utils.widgets.waiting import pause, someone_looks

SECONDS = 2.0
"""Between two looks at the endpoints."""
HELD_EVERY = 5
"""Looks, of which one also asks what the endpoint serves; a button asks at once."""
NARROWEST = 430
NONE = "No endpoint is deployed."
OWN_MODEL = ("The course's model", "")


class EndpointsPage:
    """The registry on the left, the endpoints on the right; `look` brings the right side up to date."""

    name = "Registry and endpoints"

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.actions = Actions()
        self.registry = Registry(self.actions)
        self.served = Served(self.actions, look=self.look, open=studio.design, seconds=SECONDS)
        self.new = widgets.Text(
            description="Name",
            placeholder="of the endpoint",
            continuous_update=False,
            style=FULL_LABEL,
            layout=fitted(),
        )
        self.serves = Choice("Serves", [OWN_MODEL])
        self.deploy_button = button("Deploy", button_style="primary")
        self.endpoint = Choice("Endpoint")
        self.undeploy_button = button("Undeploy", disabled=True)
        self.again_button = button("Deploy again", disabled=True)
        self.status = widgets.HTML(layout=widgets.Layout(min_height="40px"))
        self.watching, self.asking, self.offering = (Turns(self.status) for _ in range(3))
        self.looks = 0
        self.view = self._view()
        self.kept = Kept(studio.workspace, self.name, self._fields, self.actions.message)
        self._observe()

    def shown(self) -> None:
        """Read the registry, and look at the endpoints as long as the page is in front."""
        self.registry.refresh()
        self.offering.start(self._offer)
        self.watching.start(self._watch)

    def look(self) -> None:
        """Look at the endpoints once, also at what the chosen one serves."""
        self.asking.start(lambda: self._look(held=True))

    @property
    def _fields(self) -> dict[str, Any]:
        return {
            "name": self.new,
            "serves": self.serves,
            "prompt": self.served.prompt,
            "user": self.served.user,
            "endpoint": self.endpoint,
            "client's name": self.served.name,
            "to load": self.served.reference,
            "model": self.registry.model,
            "version": self.registry.version,
            "compared with": self.registry.other,
            "alias": self.registry.alias,
        }

    def _view(self) -> widgets.Widget:
        endpoints = widgets.VBox(
            [
                heading("Endpoints"),
                row(self.new, self.serves, self.deploy_button),
                row(self.endpoint, self.undeploy_button, self.again_button),
                self.status,
                self.served.view,
            ]
        )
        done = widgets.VBox([self.actions.message, self.actions.command])
        return beside(widgets.VBox([self.registry.view, done, self.registry.comparison]), endpoints, least=NARROWEST)

    def _observe(self) -> None:
        self.endpoint.when_chosen(self.look)
        self.deploy_button.on_click(lambda _button: self._act("Deploying the endpoint", self._deploy))
        self.undeploy_button.on_click(lambda _button: self._act("Undeploying the endpoint", self._undeploy))
        self.again_button.on_click(lambda _button: self._act("Deploying the endpoint again", self._redeploy))

    def _act(self, what: str, made: Callable[[], Call]) -> None:
        self.actions.do(what, made, lambda _found: self._look(held=True))

    def _deploy(self) -> Call:
        name, reference = self.new.value.strip(), self.serves.value
        named: dict[str, Any] = {}
        if reference.startswith(REGISTERED):
            version = find(reference.removeprefix(REGISTERED))
            named = {"adapters": [reference.removeprefix(REGISTERED)]}
            reference = str(version.parameters.get("base") or "")
        if reference not in ("", own_model()):
            named["model"] = reference
        return Call(deploy, (name,), named)

    def _undeploy(self) -> Call:
        return Call(undeploy, (self.endpoint.value,))

    def _redeploy(self) -> Call:
        return Call(redeploy, (self.endpoint.value,))

    def _offer(self) -> Generator[None]:
        """Offer what can be deployed and loaded."""
        choices = yield from in_thread(self.studio.models.choices)
        self.serves.offer([(label, name) for label, name in choices if not is_address(name)])
        self.served.offer([name.removeprefix(REGISTERED) for _, name in choices if name.startswith(REGISTERED)])

    def _watch(self) -> Generator[None]:
        """Look again and again, as long as the page is in front of someone."""
        while True:
            yield from self._look(held=self.looks % HELD_EVERY == 0)
            self.looks += 1
            if not someone_looks() or self.studio.navigation.value != self.name:
                return
            yield from pause(SECONDS)

    def _look(self, *, held: bool) -> Generator[None]:
        known = yield from in_thread(lambda: [(deployment, deployment.status) for deployment in deployments()])
        self.endpoint.offer([(f"{deployment.name} ({status})", deployment.name) for deployment, status in known])
        chosen = next((deployment for deployment, _ in known if deployment.name == self.endpoint.value), None)
        for part in (self.undeploy_button, self.again_button):
            part.disabled = chosen is None
        self.served.view.layout.display = "none" if chosen is None else ""
        if chosen is None:
            self.status.value = paragraph(NONE)
            return
        seen = yield from in_thread(lambda: look(chosen, held=held))
        self.again_button.disabled = seen.status != "ended"
        self.status.value = _said(chosen, seen)
        self.served.choose(chosen.url)
        self.served.show(seen)


def _said(deployment: Deployment, seen: Snapshot) -> str:
    if seen.status == "starting":
        return paragraph(f"{deployment.name} is starting ... {time.time() - deployment.began:.0f} s")
    if seen.status == "ended":
        return alert(
            f"The endpoint {deployment.name} has ended. The last line of its log: {deployment.last_words} Deploy it "
            "again, or undeploy it to forget it."
        )
    return alert(seen.problem) if seen.problem else paragraph(deployment.described)
