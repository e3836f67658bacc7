"""The registry of tuned models, and the tracking of runs, over MLflow."""

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

__all__ = ["Version", "compare", "delete", "find", "load", "models", "register", "set_alias", "set_default", "versions"]
