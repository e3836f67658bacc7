"""The ladder: how well models of several sizes do the course's own four tasks, from a record each.

`utils.experiments.climb` makes the records (`make ladder`).
"""

import itertools
import json
import math
from operator import itemgetter
from pathlib import Path
from typing import Any

import pandas as pd

from utils.datasets.splits import DATA
from utils.errors import DataError
from utils.evaluation.intervals import Interval

RECORDS = DATA / "models"


def records(folder: Path = RECORDS) -> list[dict[str, Any]]:
    """Return the records that are kept, smallest model first. Raises DataError."""
    try:
        found = [json.loads(path.read_text(encoding="utf8")) for path in folder.glob("*.json")]
        return sorted(found, key=lambda record: (record["parameters"], record["name"]))
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"A record in {folder} is damaged ({error}): delete it and run make ladder.") from None


def load_ladder(folder: Path = RECORDS) -> pd.DataFrame:
    """Return a row for each model and measure: its value with a 95 % interval, and the seconds it took.

    Columns: model, parameters, measure, unit, mean, low, high, seconds; no number where a model could not be
    measured. Smallest model first, measures in their own order. Raises DataError.
    """
    rows = [
        {"model": record["name"], "parameters": record["parameters"], "measure": one["name"], "unit": one["unit"]}
        | {column: one.get(column, math.nan) for column in ("mean", "low", "high", "seconds")}
        for record in records(folder)
        for one in record["measures"]
    ]
    if not rows:
        raise DataError(f"There is no record of a model in {folder}: they are files of the course, get them again.")
    return pd.DataFrame(rows)


def ladder_table(ladder: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each measure of `load_ladder`, a column for each model: its mean with the interval, as text."""
    said = [str(Interval(*ends)) for ends in ladder[["mean", "low", "high"]].to_numpy()]
    table = ladder.assign(said=said).set_index(["measure", "unit", "model"])["said"].unstack()
    order = list(dict.fromkeys(zip(ladder["measure"], ladder["unit"], strict=True)))
    return table.loc[order, list(dict.fromkeys(ladder["model"]))].rename_axis(columns=None)


def apart(ladder: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each measure and pair of models whose 95 % intervals have no value in common.

    Columns: measure, better, worse (models), and whether the better one is the larger. Fewer bits per byte are better.
    """
    rows = []
    for measure, some in ladder.groupby("measure", sort=False):
        for pair in itertools.combinations(some.to_dict("records"), 2):
            better, worse = sorted(pair, key=itemgetter("mean"), reverse=pair[0]["unit"] != "bits per byte")
            if better["low"] > worse["high"] or worse["low"] > better["high"]:
                larger = better["parameters"] > worse["parameters"]
                rows.append((measure, better["model"], worse["model"], larger))
    return pd.DataFrame(rows, columns=["measure", "better", "worse", "the larger is better"])
