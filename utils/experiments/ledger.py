"""The ledger: what every tuning method cost and how well it did, from a file of measurements."""

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from utils.adapters import costs
from utils.adapters.methods import METHODS, find_method
from utils.datasets.splits import DATA
from utils.errors import DataError
from utils.evaluation.intervals import bootstrap

LEDGER = DATA / "tuning" / "ledger.json"
MEANS = {
    "trainable": "trainable (%)",
    "changed": "changed (%)",
    "file_bytes": "file (MB)",
    "step_seconds": "step (s)",
    "peak_bytes": "peak memory (GB)",
    "inference_ratio": "inference (ratio)",
    "validation_loss": "validation loss",
}
"""The fields of a record that are averaged over seeds, and their columns in the table."""


def load_ledger(path: Path = LEDGER, *, parameters: int = costs.parameters(costs.SMOLLM2_135M)) -> pd.DataFrame:
    """Return a row for each method and size, fewest trained parameters first, averaged over its seeds.

    The file is a JSON list with a record for each run: method, size (null for
    the method's own), seed, the fields of MEANS (null where there is nothing to measure), and correct, one truth value
    a test text. parameters: those of the
    tuned model, of which the columns trainable and changed are shares in %. MB and GB
    are millions and billions of bytes. inference: time against the untuned model's.
    low, high: the 95 % interval of the accuracy over seeds and texts. Raises DataError.
    """
    records = sorted(_read(path), key=_title)
    rows = {title: _row(title, list(runs)) for title, runs in groupby(records, key=_title)}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")
    table[["trainable (%)", "changed (%)"]] *= 100 / parameters
    table["file (MB)"] /= 1e6
    table["peak memory (GB)"] /= 1e9
    digits = dict.fromkeys(table, 2) | {"trainable (%)": 3, "changed (%)": 3, "validation loss": 3}
    return table.sort_values("trainable (%)", kind="stable").round(digits)


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        records = json.loads(path.read_text(encoding="utf8"))
    except OSError:
        raise DataError(f"There is no ledger {path}: it is one of the course's files, get it again.") from None
    except ValueError as error:
        raise DataError(f"The ledger {path} is not valid JSON ({error}): get the file again.") from None
    if not isinstance(records, list) or not records:
        raise DataError(f"The ledger {path} holds no list of records: get the file again.")
    for number, record in enumerate(records, start=1):
        missing = [field for field in ("method", "size", "seed", *MEANS, "correct") if field not in record]
        if missing:
            raise DataError(f"Record {number} of the ledger {path} has no {', '.join(missing)}: measure it again.")
    return records


def _title(record: dict[str, Any]) -> str:
    name = record["method"]
    return find_method(name, record["size"]).title if name in METHODS else name


def _row(title: str, runs: Sequence[dict[str, Any]]) -> dict[str, float]:
    texts = {len(run["correct"]) for run in runs}
    if len(texts) > 1 or texts == {0}:
        raise DataError(f"The runs of {title} in the ledger are not of the same texts: measure them again.")
    means = {column: np.mean([run[field] for run in runs], dtype=float) for field, column in MEANS.items()}
    accuracy = bootstrap(np.array([run["correct"] for run in runs], dtype=float))
    return means | {"accuracy": accuracy.mean, "low": accuracy.low, "high": accuracy.high}
