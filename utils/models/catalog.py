"""The models that the course knows: how large they are, what they may be used for, where they come from.

The facts stand in `catalog.json`. A test builds each model from its sizes and counts its parameters.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from utils.errors import ModelNotFound
from utils.models.memory import running_memory, training_memory

FILE = Path(__file__).with_name("catalog.json")
TERMS = {
    "Apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
    "MIT": "https://opensource.org/license/mit",
    "Gemma Terms of Use": "https://ai.google.dev/gemma/terms",
    "Llama 3.2 Community License": "https://www.llama.com/llama3_2/license/",
    "OPT licence (research only)": "https://github.com/facebookresearch/metaseq/blob/main/projects/OPT/MODEL_LICENSE.md",
}
"""Where each licence is to be read."""


@dataclass(frozen=True)
class CatalogModel:
    """A model and what is published of it.

    kind: transformers' model type. task: what it was trained for last: "text" (to go on with
    text, or to mend it), "instructions", "code" (instructions about code). window: the most
    tokens it takes, by its configuration. hub: its name there. packages: those of the package
    index whose files, joined in this order, are the GGUF file named `file` with this SHA-256;
    none where no such are known. sizes: what transformers' configuration needs to build it.
    """

    name: str
    kind: str
    task: str
    parameters: int
    window: int
    licence: str
    hub: str
    source: str
    sizes: dict[str, Any]
    packages: tuple[str, ...] = ()
    file: str | None = None
    sha256: str | None = None

    @property
    def terms(self) -> str:
        """Where its licence is to be read."""
        return TERMS[self.licence]

    @property
    def run_bytes(self) -> int:
        """The bytes of its weights in float32, as `load_model` has them."""
        return running_memory(self.parameters)

    @property
    def tune_bytes(self) -> int:
        """The bytes that tuning all of it keeps, in float32 with Adam; an adapter needs little over `run_bytes`."""
        return training_memory(self.parameters).total


@cache
def models() -> tuple[CatalogModel, ...]:
    """Return the models that the course knows, smallest first."""
    entries = json.loads(FILE.read_text(encoding="utf8"))
    models = [CatalogModel(**entry | {"packages": tuple(entry.get("packages", ()))}) for entry in entries]
    return tuple(sorted(models, key=lambda model: (model.parameters, model.name)))


def find(name: str) -> CatalogModel:
    """Return the model of that name, hub name or GGUF file's name, in capitals or not. Raises ModelNotFound."""
    known = {called.lower(): model for model in models() for called in (model.file, model.hub, model.name) if called}
    if name.lower() in known:
        return known[name.lower()]
    near = get_close_matches(name.lower(), known, n=3, cutoff=0.5) or [model.name for model in models()]
    names = ", ".join(dict.fromkeys(known[called.lower()].name for called in near))
    raise ModelNotFound(f"The catalog has no model {name!r}: take one of {names}.")


def select(
    chosen: Sequence[CatalogModel] | None = None,
    *,
    task: str | None = None,
    licence: str | None = None,
    parameters: int | None = None,
    window: int | None = None,
    memory: int | None = None,
    tune: bool = False,
) -> tuple[CatalogModel, ...]:
    """Return the models, of the whole catalog when None, that fit all that is given, smallest first.

    parameters: the most; window: the least, in tokens; memory: the bytes that must hold the weights, or with `tune`
    all that tuning keeps.
    """
    return tuple(
        model
        for model in (models() if chosen is None else chosen)
        if task in (None, model.task)
        and licence in (None, model.licence)
        and (parameters is None or model.parameters <= parameters)
        and (window is None or model.window >= window)
        and (memory is None or (model.tune_bytes if tune else model.run_bytes) <= memory)
    )


def table(chosen: Sequence[CatalogModel] | None = None) -> pd.DataFrame:
    """Return a row for each model, all of the catalog when None; GB are billions of bytes, in float32."""
    rows = {
        model.name: {
            "kind": model.kind,
            "task": model.task,
            "parameters": model.parameters,
            "window": model.window,
            "licence": model.licence,
            "to run (GB)": round(model.run_bytes / 1e9, 1),
            "to tune (GB)": round(model.tune_bytes / 1e9, 1),
            "hub": model.hub,
        }
        for model in (models() if chosen is None else chosen)
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")
