"""Experiments: kept trials, sweeps, the ledger of all methods, models of several sizes."""

from utils.experiments.ladder import load_ladder
from utils.experiments.ledger import load_ledger
from utils.experiments.query_costs import break_even, seconds_a_query
from utils.experiments.sweeps import rerun
from utils.experiments.trials import find, grid, rouge1

__all__ = ["break_even", "find", "grid", "load_ladder", "load_ledger", "rerun", "rouge1", "seconds_a_query"]
