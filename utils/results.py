"""Results kept on disk: what is expensive and identical is computed once.

A learner's lab and its master ask the same questions; so does a lab that is run again.
A result is found by everything it depends on: the model's weights, the prompts, the
settings, the library versions and the code of this package. COURSE_RESULTS names the
folder; COURSE_RESULTS=off computes everything anew.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
import transformers

from utils.assets import cache_dir, write_text

CODE = ("models.py", "packing.py", "forcing.py", "decoding.py", "evaluation.py", "diversity.py", "results.py")


def remembered(question: dict[str, Any], compute: Callable[[], Any]) -> Any:
    """Return `compute()`, or what it returned before for the same question.

    question: all that the result depends on, as JSON values; the result must be JSON
    values too. A result is written under a temporary name and renamed; where it cannot be
    kept, a warning says so and the result is returned all the same.
    """
    folder = _folder()
    if folder is None:
        return compute()
    text = json.dumps([_versions(), question], sort_keys=True)
    path = folder / f"{hashlib.sha256(text.encode()).hexdigest()}.json"
    try:
        return json.loads(path.read_text(encoding="utf8"))
    except (OSError, json.JSONDecodeError):
        answer = compute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(answer))
    except OSError as error:
        warnings.warn(f"A result could not be kept in {folder} ({error.strerror}).", stacklevel=2)
    return answer


def _folder() -> Path | None:
    named = os.environ.get("COURSE_RESULTS")
    if named == "off":
        return None
    return Path(named) if named else cache_dir() / "results"


@cache
def _versions() -> dict[str, str]:
    code = b"".join((Path(__file__).parent / name).read_bytes() for name in CODE)
    return {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "code": hashlib.sha256(code).hexdigest(),
    }
