"""The registry of tuned models, and the tracking of runs, over MLflow."""

from utils.registry.export import export_peft
from utils.registry.versions import (
    Version,
    compare,
    delete,
    find,
    load,
    models,
    register,
    set_alias,
    set_default,
    versions,
)

__all__ = [
    "Version",
    "compare",
    "delete",
    "export_peft",
    "find",
    "load",
    "models",
    "register",
    "set_alias",
    "set_default",
    "versions",
]
