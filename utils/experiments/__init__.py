"""Experiments: kept trials, sweeps, the ledger of all methods, models of several sizes, what models are used for."""

from utils.experiments.four_tasks import evaluate
from utils.experiments.ladder import apart, ladder_table, load_ladder
from utils.experiments.ledger import load_ledger
from utils.experiments.query_costs import break_even, seconds_a_query
from utils.experiments.sweeps import rerun
from utils.experiments.trials import find, grid, rouge1
from utils.experiments.uses import ESSAYS, IDEAS, first_mentions, list_items, uses_table

__all__ = [
    "ESSAYS",
    "IDEAS",
    "apart",
    "break_even",
    "evaluate",
    "find",
    "first_mentions",
    "grid",
    "ladder_table",
    "list_items",
    "load_ladder",
    "load_ledger",
    "rerun",
    "rouge1",
    "seconds_a_query",
    "uses_table",
]
