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
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from utils.progress import done_so_far, working
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
    path = _path(compute.__module__, question)
    kept = _kept(path)
    if kept is not None:
        return kept
    answer = compute()
    _keep(path, partial(write_text, text=json.dumps(answer)))
    return answer


def remembered_each(
    question: dict[str, Any],
    count: int,
    compute: Callable[[list[int]], Iterable[tuple[int, Any]]],
    what: str,
    *,
    forget: bool = False,
) -> list[Any]:
    """Return the answers to the `count` parts of a question; each is kept as it comes, and shown as progress.

    compute: given the numbers, from 0, of the parts that are missing, yields (number, answer) for these, in any order,
    and for others if it likes. Interrupted, the next call goes on from there. question, answers: as for `remembered`;
    what: as for `progress`. forget: whether the parts are kept only until all are there.
    """
    path = _path(compute.__module__, question)
    kept = _kept(path)
    if kept is not None:
        return kept
    parts = path and path.with_suffix(".parts")
    found = _kept_parts(parts)
    missing = [number for number in range(count) if number not in found]
    with working(what, total=count) as advance:
        advance(count - len(missing))
        try:
            for number, answer in compute(missing) if missing else ():
                _keep(parts, partial(_append, line=json.dumps([number, answer])))
                advance(number not in found)
                found[number] = answer
        except KeyboardInterrupt as stopped:
            if found.keys() <= _kept_parts(parts).keys():
                _say_kept(stopped)
            raise
    answers = [found[number] for number in range(count)]
    if not forget:
        _keep(path, partial(write_text, text=json.dumps(answers)))
    _keep(parts, partial(Path.unlink, missing_ok=True))
    return answers


@contextmanager
def keeping() -> Generator[None]:
    """Let an interrupt of the block say that what is done is kept: for one turn of a loop over what is remembered."""
    try:
        yield
    except KeyboardInterrupt as stopped:
        folder = results_dir()
        if folder and folder.exists() and not hasattr(stopped, "__notes__"):
            _say_kept(stopped)
        raise


def _say_kept(stopped: KeyboardInterrupt) -> None:
    stopped.add_note(f"{done_so_far()}. What is done is kept: run the cell again to go on from there.")


def _path(module: str, question: dict[str, Any]) -> Path | None:
    """Return where the answer to a question is kept, None where nothing is."""
    folder = results_dir()
    text = json.dumps([_versions(module), question], sort_keys=True)
    return folder and folder / f"{hashlib.sha256(text.encode()).hexdigest()}.json"


def _kept(path: Path | None) -> Any:
    try:
        return path and json.loads(path.read_text(encoding="utf8"))
    except (OSError, ValueError):
        return None


def _kept_parts(path: Path | None) -> dict[int, Any]:
    """Return the parts in a file of them; a line that a stopped process left half written is no part."""
    found = {}
    try:
        lines = path.read_text(encoding="utf8").splitlines() if path else []
    except (OSError, ValueError):
        return {}
    for line in lines:
        with suppress(ValueError):
            number, found_there = json.loads(line)
            found[number] = found_there
    return found


def _append(path: Path, line: str) -> None:
    """Write a line behind what may be half a line."""
    with path.open("a", encoding="utf8") as file:
        file.write(f"\n{line}")


def _keep(path: Path | None, write: Callable[[Path], None]) -> None:
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path)
    except OSError as error:
        warnings.warn(
            f"A result could not be kept in {path.parent} ({error.strerror}): set COURSE_RESULTS to a folder of your "
            "own.",
            stacklevel=3,
        )


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
