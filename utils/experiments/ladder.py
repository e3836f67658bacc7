"""The ladder: how well models of several sizes do the course's own four tasks, from a record each.

`utils.experiments.climb` makes the records (`make ladder`).
"""

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd

from utils.datasets.splits import DATA
from utils.errors import DataError

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
