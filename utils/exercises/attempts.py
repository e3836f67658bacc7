"""What a learner has tried, kept in the home folder: one line of JSON for each check and each hint.

It never stands in the way of a check: a folder that cannot be written keeps nothing.
"""

import inspect
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from utils.storage.places import progress_dir

NAME = "attempts.jsonl"


def path() -> Path | None:
    """Return the file, None where nothing is kept."""
    folder = progress_dir()
    return folder / NAME if folder else None


def keep(exercise: str, **what: Any) -> None:
    """Add a line: when, the exercise, and what else is to be kept."""
    file = path()
    if file is None:
        return
    line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="seconds"), "exercise": exercise} | what)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf8") as opened:
            opened.write(f"\n{line}")
    except OSError:
        return


def load_attempts() -> list[dict[str, Any]]:
    """Return all that was kept, the oldest first; a line that was cut short is left out."""
    file = path()
    try:
        lines = file.read_text(encoding="utf8", errors="replace").splitlines() if file else []
    except OSError:
        return []
    return [found for line in lines if (found := _read(line))]


def source_of(answer: Any) -> str:
    """Return the code of an answer, or how it is written where it is a value."""
    try:
        return inspect.getsource(answer)
    except (OSError, TypeError):
        return _written(answer)


def _written(answer: Any) -> str:
    try:
        return repr(answer)[:2000]
    except Exception:  # whatever a learner's own class does when it is printed
        return type(answer).__name__


def _read(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "exercise" in found else None
