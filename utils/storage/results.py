"""Results kept on disk: what is expensive and identical is computed once.

A learner's lab and its master ask the same questions; so does a lab that is run again.
A result is found by everything it depends on: the model's weights, the prompts, the
settings, the library versions and the code that computed it, with all that it imports. COURSE_RESULTS names the
folder; COURSE_RESULTS=off computes everything anew.
"""

import ast
import hashlib
import json
import warnings
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from utils.storage.files import write_text
from utils.storage.places import results_dir

PACKAGE = Path(__file__).parents[1]
PACKAGES = ("torch", "transformers")


def remembered(question: dict[str, Any], compute: Callable[[], Any]) -> Any:
    """Return `compute()`, or what it returned before for the same question.

    question: all that the result depends on, as JSON values; the result must be JSON
    values too. A result is written under a temporary name and renamed; where it cannot be
    kept, a warning says so and the result is returned all the same.
    """
    folder = results_dir()
    if folder is None:
        return compute()
    text = json.dumps([_versions(compute.__module__), question], sort_keys=True)
    path = folder / f"{hashlib.sha256(text.encode()).hexdigest()}.json"
    try:
        return json.loads(path.read_text(encoding="utf8"))
    except (OSError, json.JSONDecodeError):
        answer = compute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(answer))
    except OSError as error:
        warnings.warn(
            f"A result could not be kept in {folder} ({error.strerror}): set COURSE_RESULTS to a folder of your own.",
            stacklevel=2,
        )
    return answer


def _versions(module: str) -> dict[str, str]:
    return {package: version(package) for package in PACKAGES} | {"code": code_hash(module)}


@cache
def code_hash(module: str) -> str:
    """Return the SHA-256 of a module of this package together with all modules of it that it imports."""
    closure = import_closure(module)
    if not closure:
        raise ValueError(f"{module} is no module of {PACKAGE.name}: give a function of one, and no partial of it.")
    digest = hashlib.sha256()
    for name in sorted(closure):
        digest.update(_file(name).read_bytes())
    return digest.hexdigest()


def import_closure(module: str) -> set[str]:
    """Return a module's name, such as "utils.models.packing", and those of all modules of this package behind it."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found and _file(name).exists():
            found.add(name)
            waiting += imports(name)
    return found


def imports(module: str) -> list[str]:
    """Return the names that a module imports from this package, modules among them, wherever in its text it does so."""
    named = [node for node in ast.walk(ast.parse(_file(module).read_bytes())) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in named if (node.module or "").split(".")[0] == PACKAGE.name]
    parts = [f"{node.module}.{alias.name}" for node in ours for alias in node.names]
    return [*parts, *(str(node.module) for node in ours)]


def _file(module: str) -> Path:
    path = PACKAGE.parent.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
