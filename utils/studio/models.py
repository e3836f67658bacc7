"""The models that a prompt can be given to, by reference: of the catalog, of the registry, behind an address."""

import os
import threading
from collections.abc import Callable

from utils.adapters.methods import load_adapter
from utils.models.catalog import models as catalog_models
from utils.models.endpoints import is_address
from utils.models.language_model import LanguageModel
from utils.models.loading import DEFAULT_MODEL, found_here, lasting_name, load_model
from utils.registry.tracking import is_there
from utils.registry.versions import fetch, find, versions
from utils.registry.versions import models as registered

REGISTERED = "models:/"
"""What the reference of a registered version begins with, as in MLflow: models:/name@alias, models:/name/3."""
OWN = "The course's model"


class Models:
    """The models that were asked for, each loaded once; tuned versions share the weights of their base."""

    def __init__(self) -> None:
        self._loaded: dict[str, LanguageModel] = {}
        self._loading = threading.RLock()

    def choices(self) -> list[tuple[str, str]]:
        """Return labels and references of what is on this machine and what is registered. Raises RegistryError."""
        own = own_model()
        names = {model.name: name for model in catalog_models() if (name := found_here(model)) and name != own}
        return [(f"{OWN} ({own})", ""), *names.items(), *((name, name) for name in _registered())]

    def load(self, reference: str) -> LanguageModel:
        """Return the model of a reference; an alias that has moved gives the version that it stands for now.

        Takes seconds the first time. Raises what `load_model` and `registry.load` raise.
        """
        reference = reference.strip()
        if is_address(reference):
            return load_model(reference)
        with self._loading:
            if reference.startswith(REGISTERED):
                version = find(reference.removeprefix(REGISTERED))
                return self._once(f"{version.reference} {version.created}", lambda: self._tuned(version.reference))
            name = lasting_name(reference or own_model())
            return self._once(name, lambda: load_model(name))

    def _tuned(self, reference: str) -> LanguageModel:
        version, manifest = fetch(reference)
        return load_adapter(self.load(manifest["base"]), version.folder)

    def _once(self, key: str, load: Callable[[], LanguageModel]) -> LanguageModel:
        if key not in self._loaded:
            self._loaded[key] = load()
        return self._loaded[key]


def own_model() -> str:
    """Return the name of the model that "" stands for."""
    return os.environ.get("COURSE_MODEL") or DEFAULT_MODEL


def identity(model: LanguageModel) -> str:
    """Return a short hash of all that a completion depends on but the prompt and its settings."""
    return model.fingerprint


def _registered() -> list[str]:
    """Return the references of all registered versions, each model's default first."""
    if not is_there():
        return []
    names = registered()["model"]
    return [
        reference
        for name in names
        for reference in (f"{REGISTERED}{name}", *(f"{REGISTERED}{name}/{n}" for n in versions(name)["number"]))
    ]
