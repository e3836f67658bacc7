"""The course's figures: matplotlib, one style, from plain data, each with a text alternative."""

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
"""Colours that stay apart for colour-blind readers (Okabe and Ito, 2008)."""

MARKERS = ("o", "s", "^", "D")
STYLE = {
    "figure.dpi": 110,
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
}
SIZE = (7.2, 3.6)


@dataclass(frozen=True)
class Plot:
    """A drawn figure as a PNG, with the text that says the same to who cannot see it."""

    png: bytes
    alt: str

    def __repr__(self) -> str:
        return self.alt

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.png).decode()
        return f'<img src="data:image/png;base64,{data}" alt="{html.escape(self.alt)}" style="max-width: 100%">'


def accuracy_curves(tables: dict[str, pd.DataFrame], *, chance: float = 0.5) -> Plot:
    """Draw accuracy against shots, a line and a 95 % band for each table of `ShotsCurve.table`."""
    with matplotlib.rc_context(STYLE):
        figure, axes = _figure()
        for (name, table), colour, marker in zip(tables.items(), COLOURS, MARKERS, strict=False):
            x = range(len(table))
            axes.plot(x, table["accuracy"], color=colour, marker=marker, label=name)
            axes.fill_between(x, table["low"], table["high"], color=colour, alpha=0.15)
            axes.set_xticks(x, table.index)
        axes.axhline(chance, color="0.4", linestyle="--", linewidth=1, label="chance")
        axes.set(xlabel="shots (examples in the prompt)", ylabel="accuracy", ylim=(0, 1))
        axes.legend(loc="lower left", ncols=len(tables) + 1)
    said = "; ".join(f"{name}: {_points(table['accuracy'])}" for name, table in tables.items())
    return _plot(figure, f"Line plot of accuracy against shots, with 95 % bands. {said}. Chance is {chance:.2f}.")


def intervals(table: pd.DataFrame, *, xlabel: str, xlim: tuple[float, float]) -> Plot:
    """Draw a point with its 95 % interval for each row of a table with columns mean, low and high."""
    with matplotlib.rc_context(STYLE):
        figure, axes = _figure(height=0.5 * len(table) + 1.1)
        y = range(len(table))
        axes.hlines(y, table["low"], table["high"], color=COLOURS[0], linewidth=3, alpha=0.4)
        axes.plot(table["mean"], y, "o", color=COLOURS[0])
        axes.set_yticks(y, table.index)
        axes.set_ylim(len(table) - 0.5, -0.5)
        axes.set(xlabel=xlabel, xlim=xlim)
    said = "; ".join(f"{row.Index}: {row.mean:.2f} ({row.low:.2f} to {row.high:.2f})" for row in table.itertuples())
    return _plot(figure, f"Points with 95 % intervals of {xlabel}. {said}.")


def dots(groups: dict[str, Sequence[float]], *, xlabel: str, xlim: tuple[float, float]) -> Plot:
    """Draw every value of every group as a dot on the group's line, and the group's mean as a bar."""
    with matplotlib.rc_context(STYLE):
        figure, axes = _figure(height=0.5 * len(groups) + 1.1)
        for y, values in enumerate(groups.values()):
            axes.plot(values, [y] * len(values), "o", color=COLOURS[0], alpha=0.45)
            axes.plot(np.mean(values), y, "|", color=COLOURS[1], markersize=22, markeredgewidth=3)
        axes.set_yticks(range(len(groups)), groups)
        axes.set_ylim(len(groups) - 0.5, -0.5)
        axes.set(xlabel=xlabel, xlim=xlim)
    said = "; ".join(
        f"{name}: {min(values):.2f} to {max(values):.2f}, mean {np.mean(values):.2f}" for name, values in groups.items()
    )
    return _plot(figure, f"Dots of {xlabel}, the mean as a bar. {said}.")


def _figure(*, height: float = SIZE[1]):
    figure = Figure(figsize=(SIZE[0], height), layout="constrained")
    return figure, figure.add_subplot()


def _plot(figure: Figure, alt: str) -> Plot:
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return Plot(file.getvalue(), alt)


def _points(values: pd.Series) -> str:
    return ", ".join(f"{value:.2f} at {index}" for index, value in values.items())
