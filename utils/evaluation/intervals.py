"""Means with bootstrap intervals, and the tables that show them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

RESAMPLES = 1000


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} ({self.low:.2f} to {self.high:.2f})"


def interval_table(intervals: Mapping[str, Interval]) -> pd.DataFrame:
    """Return one row a name with the columns mean, low and high, to two digits."""
    return pd.DataFrame({name: vars(interval) for name, interval in intervals.items()}).T.round(2)


def spread_table(groups: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """Return one row a group with how many values it has, the least, the mean and the greatest."""
    rows = [(len(values), min(values), np.mean(values), max(values)) for values in groups.values()]
    return pd.DataFrame(rows, index=list(groups), columns=["count", "lowest", "mean", "highest"]).round(2)


def bootstrap(values: np.ndarray, *, seed: int = 0) -> Interval:
    """Return the mean of `values` with its 95 % percentile bootstrap interval.

    values: shape (items,), or (seeds, items), of which both axes are then resampled.
    """
    table = np.atleast_2d(values)
    return _interval(float(table.mean()), [sample.mean() for sample in _samples(table, seed)])


def bootstrap_ratio(counts: np.ndarray, *, seed: int = 0) -> Interval:
    """Return a ratio of two sums over items, such as precision, with its 95 % percentile bootstrap interval.

    counts: a numerator and a denominator for each item, shape (items, 2), or (seeds, items, 2). 0 where the
    denominators sum to 0.
    """
    table = counts if counts.ndim == 3 else counts[None]
    return _interval(_ratio(table), [_ratio(sample) for sample in _samples(table, seed)])


def _ratio(table: np.ndarray) -> float:
    part, whole = table.sum((0, 1))
    return float(part / whole) if whole else 0.0


def _samples(table: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """Yield tables with rows and columns drawn anew."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, table.shape[0], (RESAMPLES, table.shape[0]))
    columns = rng.integers(0, table.shape[1], (RESAMPLES, table.shape[1]))
    for row, column in zip(rows, columns, strict=True):
        yield table[np.ix_(row, column)]


def _interval(mean: float, samples: Sequence[float]) -> Interval:
    low, high = np.quantile(samples, [0.025, 0.975])
    return Interval(mean, float(low), float(high))
