"""Where the course keeps its files: the cache, results, tuning jobs and models, attempts, the studio's pages.

A variable of the environment may name each of the five folders: `~` is the home folder, and a relative path
counts from the working folder.
"""

import os
from pathlib import Path

import platformdirs

from utils.errors import CacheUnusable

CACHE, RESULTS, TUNING, PROGRESS = "COURSE_CACHE", "COURSE_RESULTS", "COURSE_TUNING", "COURSE_PROGRESS"
STUDIO = "COURSE_STUDIO"
NAME = "generative-ai-course"


def cache_dir() -> Path:
    """Return the course's cache folder: COURSE_CACHE, or a folder in the user's cache. Raises CacheUnusable."""
    return _named(CACHE) or Path(platformdirs.user_cache_dir(NAME))


def results_dir() -> Path | None:
    """Return the folder of kept results: COURSE_RESULTS, or one in the cache; None for COURSE_RESULTS=off."""
    return None if os.environ.get(RESULTS) == "off" else _named(RESULTS) or cache_dir() / "results"


def progress_dir() -> Path | None:
    """Return the folder of what a learner has tried: COURSE_PROGRESS, or one in the user's data; None for "off"."""
    if os.environ.get(PROGRESS) == "off":
        return None
    return _named(PROGRESS) or Path(platformdirs.user_data_dir(NAME)) / "progress"


def studio_dir() -> Path:
    """Return the folder of what stands in the studio's pages: COURSE_STUDIO, or one in the user's data."""
    return _named(STUDIO) or Path(platformdirs.user_data_dir(NAME)) / "studio"


def tuning_dir() -> Path:
    """Return the folder of all jobs and tuned models: COURSE_TUNING, or a folder in the course's cache."""
    return _named(TUNING) or cache_dir() / "tuning"


def jobs_dir() -> Path:
    """Return the folder of all jobs."""
    return tuning_dir() / "jobs"


def deployments_dir() -> Path:
    """Return the folder of what is known of endpoints that outlive their kernels."""
    return tuning_dir() / "endpoints"


def store_dir() -> Path:
    """Return the folder of the local store: MLflow's database, and its files beside it."""
    return tuning_dir() / "mlflow"


def owner(path: Path) -> str | None:
    """Return the variable that moves a path, and no more than has to move; None for a path outside of all folders."""
    places = (
        (RESULTS, results_dir()),
        (TUNING, tuning_dir()),
        (PROGRESS, progress_dir()),
        (STUDIO, studio_dir()),
        (CACHE, cache_dir()),
    )
    return next((variable for variable, place in places if place and path.is_relative_to(place)), None)


def lasting(name: str) -> str:
    """Return the name of a local file or folder as an absolute path, which holds in any working folder; else itself."""
    try:
        path = Path(name).expanduser()
        return str(path.absolute()) if path.exists() else name
    except (OSError, RuntimeError, ValueError):  # no path at all
        return name


def _named(variable: str) -> Path | None:
    """Return the folder that a variable names, None where it names none."""
    given = os.environ.get(variable, "").strip()
    try:
        return Path(given).expanduser().absolute() if given else None
    except RuntimeError:
        raise CacheUnusable(
            f"{variable} is {given}, and there is no such home folder: set it to the folder's whole path."
        ) from None
