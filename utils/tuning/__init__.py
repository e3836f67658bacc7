"""Tuning jobs: a name, a data file, and a process of its own that trains."""

from utils.tuning.estimation import estimate
from utils.tuning.job import TuningJob
from utils.tuning.states import Status

__all__ = ["Status", "TuningJob", "estimate"]
