"""The registry of tuned models and of saved prompts, and the tracking of runs, over MLflow."""

from utils.registry.export import export_peft
from utils.registry.prompts import (
    PromptVersion,
    delete_prompt_alias,
    find_prompt,
    prompt_names,
    prompt_versions,
    restore_prompt,
    save_prompt,
    set_prompt_alias,
)
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
    "PromptVersion",
    "Version",
    "compare",
    "delete",
    "delete_prompt_alias",
    "export_peft",
    "find",
    "find_prompt",
    "load",
    "models",
    "prompt_names",
    "prompt_versions",
    "register",
    "restore_prompt",
    "save_prompt",
    "set_alias",
    "set_default",
    "set_prompt_alias",
    "versions",
]
