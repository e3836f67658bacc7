"""One line of the benchmark's table."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """One measurement: our side, the baseline's, and how many times better ours is."""

    name: str
    value: float
    unit: str
    baseline: float
    ratio: float
