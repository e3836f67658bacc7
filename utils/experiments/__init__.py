"""Experiments: kept trials, sweeps, the ledger of all methods, models of several sizes, what models are used for."""

from utils.experiments.ladder import load_ladder
from utils.experiments.ledger import load_ledger
from utils.experiments.query_costs import break_even, seconds_a_query
from utils.experiments.sweeps import rerun
from utils.experiments.trials import find, grid, rouge1
from utils.experiments.uses import ESSAYS, IDEAS, first_mentions, list_items, uses_table

__all__ = [
    "ESSAYS",
    "IDEAS",
    "break_even",
    "find",
    "first_mentions",
    "grid",
    "list_items",
    "load_ladder",
    "load_ledger",
    "rerun",
    "rouge1",
    "seconds_a_query",
    "uses_table",
]
