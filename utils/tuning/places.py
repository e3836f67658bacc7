"""Where tuning keeps its files: jobs, and the store of runs and models."""

import os
from pathlib import Path

from utils.assets import cache_dir


def tuning_dir() -> Path:
    """Return the folder of all jobs and tuned models: COURSE_TUNING, or a folder in the course's cache."""
    return Path(os.environ.get("COURSE_TUNING") or cache_dir() / "tuning").absolute()


def jobs_dir() -> Path:
    """Return the folder of all jobs."""
    return tuning_dir() / "jobs"


def store_dir() -> Path:
    """Return the folder of the local store: MLflow's database, and its files beside it."""
    return tuning_dir() / "mlflow"
