"""Where the course keeps its files: the cache, tuning jobs, the store of runs and models."""

import os
from pathlib import Path

import platformdirs


def tuning_dir() -> Path:
    """Return the folder of all jobs and tuned models: COURSE_TUNING, or a folder in the course's cache."""
    return Path(os.environ.get("COURSE_TUNING") or cache_dir() / "tuning").absolute()


def jobs_dir() -> Path:
    """Return the folder of all jobs."""
    return tuning_dir() / "jobs"


def store_dir() -> Path:
    """Return the folder of the local store: MLflow's database, and its files beside it."""
    return tuning_dir() / "mlflow"


def cache_dir() -> Path:
    """Return the course's cache folder: COURSE_CACHE, or a folder in the user's cache."""
    return Path(os.environ.get("COURSE_CACHE") or platformdirs.user_cache_dir("generative-ai-course"))
