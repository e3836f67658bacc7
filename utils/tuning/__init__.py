"""Tune a language model on a data file: methods, training, jobs.

`TuningJob` is where to begin; `methods.METHODS` lists what it can do.
"""

from utils.tuning.job import TuningJob
from utils.tuning.states import Status

__all__ = ["Status", "TuningJob"]
