"""The course's figures: matplotlib, one style, from plain data, each with a text alternative."""

import base64
import html
import io
import itertools
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, Patch
from matplotlib.transforms import Bbox

from utils.datasets.foundation_models import FoundationModel
from utils.decoding.candidates import NextToken
from utils.transformer.map import ModelMap, StackMap, Step

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
"""Colours that stay apart for colour-blind readers (Okabe and Ito, 2008)."""

MARKERS = ("o", "s", "^", "D")
FAMILIES = {"decoder": "o", "encoder": "s", "encoder-decoder": "^"}
LINES = tuple(zip(COLOURS, MARKERS, strict=True))
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
_ONE_AT_A_TIME = threading.Lock()


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
    with _style():
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
    with _style():
        figure, axes = _figure(height=0.5 * len(table) + 1.1)
        y = range(len(table))
        axes.hlines(y, table["low"], table["high"], color=COLOURS[0], linewidth=3, alpha=0.4)
        axes.plot(table["mean"], y, "o", color=COLOURS[0])
        axes.set_yticks(y, table.index)
        axes.set_ylim(len(table) - 0.5, -0.5)
        axes.set(xlabel=xlabel, xlim=xlim)
    rows = zip(table.index, table["mean"], table["low"], table["high"], strict=True)
    said = "; ".join(f"{name}: {mean:.2f} ({low:.2f} to {high:.2f})" for name, mean, low, high in rows)
    return _plot(figure, f"Points with 95 % intervals of {xlabel}. {said}.")


def dots(groups: dict[str, Sequence[float]], *, xlabel: str, xlim: tuple[float, float]) -> Plot:
    """Draw every value of every group as a dot on the group's line, and the group's mean as a bar."""
    with _style():
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


def reshaped_bars(panels: Mapping[str, NextToken], *, columns: int = 3) -> Plot:
    """Draw small multiples: for each candidate the model's own probability (outline) and the reshaped one (bar).

    The axis is 0 to 1 in every panel. A cut token's outline is hatched. More than `columns` panels stand in rows.
    """
    rows = -(-len(panels) // columns)
    columns = min(columns, len(panels))
    first = next(iter(panels.values())).candidates
    with _style():
        size = (max(SIZE[0], 2.0 + 1.75 * columns), rows * (0.8 + 0.27 * len(first)))
        figure = Figure(figsize=size, layout="constrained")
        places = figure.subplots(rows, columns, sharey=True, squeeze=False).flatten()
        for axes in places[len(panels) :]:
            axes.remove()
        for axes, (name, found) in zip(places, panels.items(), strict=False):
            for y, candidate in enumerate(found.candidates):
                hatch = "////" if candidate.cut_by else None
                axes.barh(y, candidate.after, height=0.5, color=COLOURS[0])
                axes.barh(y, candidate.before, height=0.8, fill=False, edgecolor="0.25", linewidth=0.9, hatch=hatch)
            axes.set_title(name, fontsize=11)
            axes.set(xlim=(0, 1), ylim=(len(first) - 0.5, -0.5), xticks=(0, 0.5, 1))
            axes.set_yticks(range(len(first)), [candidate.text.strip() or repr(candidate.text) for candidate in first])
        figure.supxlabel("probability (outline: model's own; bar: reshaped; hatched: cut)", fontsize=10)
    said = "; ".join(f"{name}: {_reshaped(found)}" for name, found in panels.items())
    return _plot(figure, f"Bars of next-token probabilities, one panel a setting, axes 0 to 1. {said}.")


def _reshaped(found: NextToken) -> str:
    top = ", ".join(f"{c.text.strip() or repr(c.text)} {c.before:.2f} to {c.after:.2f}" for c in found.candidates[:3])
    return f"{top}, {found.kept:,} tokens kept"


def diversity_curves(table: pd.DataFrame) -> Plot:
    """Draw each column of `diversity.diversity_curve` against temperature: shares from 0 to 1, bits from 0 to 16."""
    with _style():
        figure = Figure(figsize=(SIZE[0], 4.8), layout="constrained")
        for axes, name, line in zip(figure.subplots(2, 2).flat, table, LINES, strict=True):
            _diversity_curve(axes, table[name], name, line)
        figure.supxlabel("temperature (0 is greedy)", fontsize=10)
    said = "; ".join(f"{name}: {_points(table[name])}" for name in table)
    return _plot(figure, f"Four line plots against temperature, axes 0 to 1 and 0 to 16 bits. {said}.")


def small_diversity_curves(table: pd.DataFrame) -> list[Plot]:
    """Draw the panels of `diversity_curves` as a small figure each, for a page that lays them out; NaN is left out."""
    plots = []
    for name, line in zip(table, LINES, strict=True):
        with _style(**{"font.size": 10}):
            figure = Figure(figsize=(1.85, 1.65), layout="constrained")
            axes = figure.add_subplot()
            _diversity_curve(axes, table[name], name, line)
            axes.set_title(name, fontsize=10)
            axes.set_xlabel("temperature")
        said = f"axis 0 to {_top(name)}. {_points(table[name].dropna())}"
        plots.append(_plot(figure, f"Line plot of {name} against temperature, {said}."))
    return plots


def _top(measure: str) -> int:
    return 16 if measure == "bits per token" else 1


def _diversity_curve(axes: Axes, values: pd.Series, name: str, line: tuple[str, str]) -> None:
    colour, marker = line
    axes.plot(values.index, values, color=colour, marker=marker, clip_on=False)
    axes.set_title(name, fontsize=11)
    axes.set_xlim(-0.1, 2.1)
    axes.set(ylim=(0, _top(name)), yticks=[_top(name) * quarter / 4 for quarter in range(5)])


def shares_and_accuracies(table: pd.DataFrame, *, chance: float = 0.5) -> Plot:
    """Draw a row for each method of `tuning.ledger.load_ledger`: trained share (log axis) and accuracy.

    The axes are 0.001 % to 100 %, and 0 to 1. A method that trains nothing has no dot on the left.
    """
    y = np.arange(len(table))
    with _style():
        figure = Figure(figsize=(SIZE[0], 0.36 * len(table) + 1.3), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        shares = table["trainable (%)"].where(table["trainable (%)"] > 0)
        left.plot(shares, y, COLOURS[1], marker=MARKERS[3], linestyle="", clip_on=False)
        left.set(xscale="log", xlim=(1e-3, 100), xticks=(1e-3, 1e-2, 0.1, 1, 10, 100), xlabel="trained parameters (%)")
        left.set_xticklabels(["0.001", "0.01", "0.1", "1", "10", "100"])
        left.set_yticks(y, table.index)
        left.set_ylim(len(table) - 0.5, -0.5)
        right.hlines(y, table["low"], table["high"], color=COLOURS[0], linewidth=3, alpha=0.4)
        right.plot(table["accuracy"], y, color=COLOURS[0], marker=MARKERS[0], linestyle="")
        right.axvline(chance, color="0.4", linestyle="--", linewidth=1)
        right.set(xlim=(0, 1), xlabel="accuracy (dashed: chance)")
    rows = zip(table.index, table["trainable (%)"], table["accuracy"], table["low"], table["high"], strict=True)
    said = "; ".join(
        f"{name}: {share:g} %, {mean:.2f} ({low:.2f} to {high:.2f})" for name, share, mean, low, high in rows
    )
    return _plot(
        figure, f"Two panels, a row a method: trained share on a log axis and accuracy, chance {chance:.2f}. {said}."
    )


def sizes_over_time(models: Sequence[FoundationModel], *, named: Sequence[str] = ()) -> Plot:
    """Draw each model's parameters (log axis, 50 million to 5 trillion) against the month of its release.

    named: models whose names are written, besides the largest of their time, each on a free side of its point. The
    marker says the family; it is filled where the weights are given out. A line leads from a sparse model's active
    parameters up to all of them. A model without a published count is a cross at the bottom.
    """
    counted = [model for model in models if model.parameters]
    uncounted = [model for model in models if not model.parameters]
    sizes = [model.parameters or 0 for model in models]
    largest = [model for n, model in enumerate(models) if sizes[n] > max(sizes[:n], default=0)]
    written = {*named, *(model.name for model in largest)}
    with _style():
        figure, axes = _figure(height=4.6)
        for (family, shape), colour in zip(FAMILIES.items(), COLOURS, strict=False):
            for open_weights, fill in ((True, colour), (False, "white")):
                some = [m for m in counted if (m.family, m.open_weights) == (family, open_weights)]
                axes.plot(
                    [_year(m.released) for m in some],
                    [m.parameters for m in some],
                    shape,
                    color=colour,
                    markerfacecolor=fill,
                    label=family if open_weights else None,
                )
        for model in counted:
            if model.active:
                axes.vlines(_year(model.released), model.active, model.parameters, color="0.6", linewidth=1, zorder=1)
        crosses = [(_year(model.released), 6.5e7) for model in uncounted]
        axes.plot(*np.reshape(crosses, (-1, 2)).T, "x", color="0.25", label="no count published")
        axes.plot([], [], "o", color="0.25", markerfacecolor="white", label="weights not given out")
        axes.set(yscale="log", ylim=(5e7, 5e12), ylabel="parameters", xlim=(2018, 2027))
        axes.set_xticks(range(2018, 2028))
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=3, fontsize=10)
        figure.draw_without_rendering()
        drawn = [[(_year(m.released), size) for size in (m.active, m.parameters) if size] for m in counted]
        names = {m.name: ends[-1] for m, ends in zip(counted, drawn, strict=True) if m.name in written}
        _write_names(axes, names, beside=[*drawn, *([cross] for cross in crosses)])
    others = [model for model in counted if model.name in written and model not in largest]
    return _plot(
        figure,
        f"Parameters of {len(counted)} models on a log axis against time. "
        f"The largest of their time: {_sizes(largest)}. "
        f"Others that are named: {_sizes(others) or 'none'}. {len(uncounted)} models have no published count.",
    )


Point = tuple[float, float]
SIDES = (
    ((0, 6), "center", "bottom"),
    ((0, -6), "center", "top"),
    ((-6, 0), "right", "center"),
    ((6, 0), "left", "center"),
)
"""Where a name may stand beside its point: the offset in points, and which part of the text lies there."""


def _write_names(axes: Axes, names: Mapping[str, Point], *, beside: Sequence[Sequence[Point]]) -> None:
    """Write each name on the side of its point where it covers least of what stands beside it and of other names.

    beside: points, and lines with two ends each.
    """
    places = [axes.transData.transform(ends) for ends in beside]
    taken = [Bbox([place.min(0), place.max(0)]).padded(4) for place in places]
    for name, point in names.items():
        tried = [
            axes.annotate(name, point, offset, textcoords="offset points", ha=ha, va=va, fontsize=9, in_layout=False)
            for offset, ha, va in SIDES
        ]
        best = min(tried, key=lambda text: text.get_window_extent().count_overlaps(taken))
        taken.append(best.get_window_extent())
        for text in tried:
            text.set_visible(text is best)


def _sizes(models: Sequence[FoundationModel]) -> str:
    return ", ".join(f"{m.name} {(m.parameters or 0) / 1e9:.4g} billion in {m.released}" for m in models)


def _year(released: str) -> float:
    year, month = released.split("-")
    return int(year) + (int(month) - 0.5) / 12


def ability_against_size(ladder: pd.DataFrame) -> Plot:
    """Draw a panel for each measure of `load_ladder`: every model's mean with its 95 % interval against its parameters.

    The axes are 100 million to 1 billion parameters (log), 0 to 1 for shares and 0 to 2 for bits per byte.
    """
    measures = ladder["measure"].unique()
    with _style():
        figure = Figure(figsize=(SIZE[0], 2.1 * -(-len(measures) // 3) + 0.6), layout="constrained")
        panels = figure.subplots(-(-len(measures) // 3), 3, sharex=True, squeeze=False).flat
        for axes, measure in zip(panels, measures, strict=False):
            rows = ladder[ladder["measure"] == measure]
            for row, (colour, marker) in zip(rows.itertuples(), LINES, strict=False):
                axes.vlines(row.parameters, row.low, row.high, color=colour, linewidth=3, alpha=0.4)
                axes.plot(row.parameters, row.mean, color=colour, marker=marker, linestyle="", label=row.model)
            unit = rows["unit"].iloc[0]
            axes.set(xscale="log", xlim=(1e8, 1e9), ylim=(0, 2 if unit == "bits per byte" else 1))
            axes.set_xticks((1e8, 1e9), ("100 million", "1 billion"), fontsize=9)
            axes.set_xticks((), minor=True)
            axes.set_title(measure, fontsize=11)
            axes.set_ylabel(unit, fontsize=10)
            axes.set_xlabel("parameters" if axes.get_subplotspec().is_last_row() else "", fontsize=10)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
    said = "; ".join(
        f"{measure}, {rows['unit'].iloc[0]}: "
        + ", ".join(
            f"{row['model']} {row['mean']:.2f} ({row['low']:.2f} to {row['high']:.2f})"
            for row in rows.to_dict("records")
        )
        for measure, rows in ladder.groupby("measure", sort=False)
    )
    return _plot(figure, f"Points with 95 % intervals against the number of parameters, a panel a measure. {said}.")


def training_curves(metrics: pd.DataFrame) -> tuple[Plot, Plot]:
    """Draw the loss, and the fraction of correct next-step predictions, of `TuningJob.metrics` against the step.

    Training is a thin line, validation are marked points. The axes are 1 to the job's last
    step and, for the fraction, 0 to 1; the loss begins at 0.
    """
    return (
        _training_curve(metrics, "loss", "loss", best="lowest"),
        _training_curve(metrics, "accuracy", "fraction of correct next-step predictions", best="highest"),
    )


def _training_curve(metrics: pd.DataFrame, column: str, title: str, *, best: str) -> Plot:
    steps = max(2, int(metrics["steps"].iloc[-1]))
    train, validation = (metrics[name].astype(float).dropna() for name in (column, f"validation_{column}"))
    with _style():
        figure = Figure(figsize=(SIZE[0] / 2, 2.1))
        figure.subplots_adjust(left=0.11, right=0.95, bottom=0.24, top=0.88)
        axes = figure.add_subplot()
        axes.plot(train, color=COLOURS[0], linewidth=1, label="train", clip_on=False)
        axes.plot(validation, COLOURS[1], marker=MARKERS[0], linestyle="", label="validation", clip_on=False)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel(f"step (1 to {steps})", fontsize=10)
        axes.tick_params(labelsize=10)
        axes.set_xlim(1, steps)
        _only_whole(axes)
        axes.set_ylim(0, 1 if column == "accuracy" else None)
        axes.legend(loc="upper right" if best == "lowest" else "lower right", fontsize=10)
    said = "; ".join(f"{name}: {_course(values, best)}" for name, values in _named(train, validation))
    return _plot(figure, f"Line plot of the {title} against the step, 1 to {steps}. {said}.")


def _named(train: pd.Series, validation: pd.Series) -> list[tuple[str, pd.Series]]:
    return [(name, values) for name, values in (("train", train), ("validation", validation)) if len(values)]


def _course(values: pd.Series, best: str) -> str:
    at = values.idxmin() if best == "lowest" else values.idxmax()
    return (
        f"first {values.iloc[0]:.2f} at {values.index[0]}, last {values.iloc[-1]:.2f} at {values.index[-1]}, "
        f"{best} {values[at]:.2f} at {at}"
    )


def line_curves(
    table: pd.DataFrame, *, xlabel: str, ylabel: str, xscale: str = "linear", yscale: str = "linear", said: int = 8
) -> Plot:
    """Draw a line for each column of a table against its index; the scales are "linear" or "log".

    More than one line has a legend. said: how many points of a line its text alternative names at most.
    """
    with _style():
        figure, axes = _figure()
        for (name, values), (colour, marker) in zip(table.items(), itertools.cycle(LINES), strict=False):
            points = marker if len(table) <= 12 else ""
            axes.plot(values.index, values, color=colour, marker=points, label=str(name), clip_on=False)
        axes.set(xlabel=xlabel, ylabel=ylabel, xscale=xscale, yscale=yscale)
        if xscale == "log":
            axes.set_xticks(table.index, [str(value) for value in table.index])
            axes.minorticks_off()
        elif pd.api.types.is_integer_dtype(table.index):
            _only_whole(axes)
        if yscale == "linear":
            axes.set_ylim(bottom=0)
        if len(table.columns) > 1:
            axes.legend()
    few = table.iloc[:: -(-len(table) // said)]
    named = "; ".join(f"{name}: {_significant(few[name])}" for name in table)
    return _plot(figure, f"Line plot of {ylabel} against {xlabel}. {named}.")


def _only_whole(axes: Axes) -> None:
    """Write whole numbers only below the linear horizontal axis."""
    axes.locator_params(axis="x", integer=True)


def loss_curve(losses: Sequence[float], *, every: int = 10) -> Plot:
    """Draw the loss of a training, in nats a token, against the step: the mean of each so many steps."""
    steps = pd.RangeIndex(1, len(losses) + 1)
    means = pd.Series(losses, index=steps).groupby(-(-steps // every) * every).mean()
    return line_curves(means.to_frame("loss"), xlabel="step", ylabel="loss (nats a token)")


def _significant(values: pd.Series) -> str:
    return ", ".join(f"{value:.3g} at {index}" for index, value in values.items())


def token_bars(
    probabilities: Mapping[str, float] | pd.Series, *, xlabel: str = "probability", xlim: tuple[float, float] = (0, 1)
) -> Plot:
    """Draw a horizontal bar for each token, in the given order, with its value written beside it."""
    values = pd.Series(probabilities, dtype=float)
    figure = _bars(values, written="%.2f", xlabel=xlabel, xlim=xlim)
    said = "; ".join(f"{token}: {value:.2f}" for token, value in values.items())
    return _plot(figure, f"Horizontal bars of {xlabel}, axis {xlim[0]:g} to {xlim[1]:g}. {said}.")


def visibility_grids(families: Mapping[str, pd.DataFrame]) -> Plot:
    """Draw a grid for each table of `attention.visibility`: a square is filled where a position sees a token."""
    sizes = [len(table) for table in families.values()]
    shades = ListedColormap(["0.93", COLOURS[0]])
    with _style(**{"axes.grid": False}):
        size = (0.22 * sum(sizes) + 1.2 * len(sizes), 0.22 * max(sizes) + 1.8)
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(1, len(sizes), squeeze=False, width_ratios=sizes).flat
        for axes, (name, table) in zip(grid, families.items(), strict=True):
            corners = np.arange(len(table) + 1) - 0.5
            axes.pcolormesh(corners, corners, table.to_numpy(), cmap=shades, vmin=0, vmax=1, edgecolors="white")
            parts, words = (table.index.get_level_values(level) for level in ("part", "token"))
            for border in np.flatnonzero(parts[1:] != parts[:-1]) + 0.5:
                axes.axhline(border, color=COLOURS[1], linewidth=2)
                axes.axvline(border, color=COLOURS[1], linewidth=2)
            axes.set_xticks(range(len(table)), words, rotation=90, fontsize=9)
            axes.set_yticks(range(len(table)), words, fontsize=9)
            axes.set_title(name, fontsize=11)
            axes.set(aspect="equal", anchor="N", ylim=(len(table) - 0.5, -0.5))
        figure.supxlabel("token that is changed", fontsize=10)
        figure.supylabel("position whose output is compared", fontsize=10)
    said = "; ".join(f"{name}: {_visible(table)}" for name, table in families.items())
    return _plot(figure, f"Grids, a row for each position and a column for each token, filled where seen. {said}.")


def _visible(table: pd.DataFrame) -> str:
    parts = table.index.get_level_values("part").unique()
    return ", ".join(f"{at} on {of} {_pattern(table.loc[at, of].to_numpy())}" for at in parts for of in parts)


def _pattern(block: np.ndarray) -> str:
    if block.all() or not block.any():
        return "all filled" if block.all() else "empty"
    triangle = block.shape[0] == block.shape[1] and (block == np.tri(len(block), dtype=bool)).all()
    return "lower triangle" if triangle else f"{int(block.sum())} of {block.size} filled"


SHADES = {
    "norm": "#E6E6E6",
    "self-attention": "#BFDDEE",
    "cross-attention": "#F3C9A5",
    "feed-forward": "#B5E0D2",
    "embedding": "#EFD3E3",
}
"""Light colours of the parts of a transformer, behind black letters; each part is named, too."""

POSITIONS = {
    "rotary": "positions turn queries and keys",
    "learned": "learned positions are added",
    "relative": "distances change the scores",
}
STREAM, BRANCH, COLUMN, FRAME = 0.8, 3.1, 5.4, (0.25, 4.65)
"""Where a stack's residual stream and the middle of its branches stand in its column, and the column's width; where
the frame of its blocks begins, and the frame's width."""


def architecture(model: ModelMap) -> Plot:
    """Draw a model from bottom to top: embedding, the residual stream through its blocks, and what ends it."""
    with _style(**{"axes.grid": False}):
        figure = Figure(layout="constrained")
        axes = figure.add_subplot()
        heights = [_stack(axes, model, column) for column in range(len(model.stacks))]
        if len(heights) > 1:
            corner = COLUMN - 0.3
            at = _looks_at_the_encoder(model.stacks[1])
            _line(axes, (STREAM, heights[0]), (corner, heights[0]), (corner, at), (COLUMN + BRANCH - 1.7, at))
        size = (COLUMN * len(heights), max(heights) + 1.2)
        figure.set_size_inches(0.82 * size[0], 0.62 * size[1])
        axes.set(xlim=(0, size[0]), ylim=(-0.5, max(heights) + 0.7))
        axes.set_axis_off()
    return _plot(figure, f"Map of a model, from its tokens up. {' '.join(_said(model))}")


def _rows(stack: StackMap) -> list[tuple[float, Step]]:
    """Return each step of a block with its height in the picture."""
    return [(2.0 + stack.first_norm + row, step) for row, step in enumerate(stack.steps)]


def _looks_at_the_encoder(stack: StackMap) -> float:
    return next(y for y, step in _rows(stack) if step.kind == "cross-attention")


def _stack(axes: Axes, model: ModelMap, column: int) -> float:
    """Draw a stack in its column; return the height at which its stream ends."""
    stack, left = model.stacks[column], COLUMN * column
    stream, branch, (frame, width) = left + STREAM, left + BRANCH, FRAME
    frame += left
    wide, last = frame + width / 2, column == len(model.stacks) - 1
    rows = _rows(stack)
    below, above = rows[0][0] - 0.9, rows[-1][0] + 0.5
    end = above + 0.6 + stack.last_norm
    _line(axes, (stream, 0.3), (stream, end), arrow=last)
    _box(axes, wide, 0, f"embedding: {model.vocabulary:,} tokens x {model.hidden:,} numbers", "embedding", width)
    axes.text(branch, 0.7, "; ".join(POSITIONS[kind] for kind in model.positions), ha="center", va="center", fontsize=9)
    axes.add_patch(_rounded(frame, below, width, above - below, facecolor="none", edgecolor="0.5"))
    axes.text(frame + width - 0.1, above - 0.12, f"{stack.name}: {stack.blocks} x", ha="right", va="top", fontsize=10)
    for n, (y, step) in enumerate(rows):
        if step.kind == "add":
            _line(axes, (branch, y - 0.7), (branch, y), (stream + 0.2, y))
            axes.plot(stream, y, "o", markersize=14, color="white", markeredgecolor="black", zorder=3)
            axes.text(stream, y - 0.03, "+", ha="center", va="center", zorder=4)
        elif not step.in_branch:
            _box(axes, stream, y, "norm", "norm", 0.9)
        else:
            if n == 0 or rows[n - 1][1].kind == "add" or not rows[n - 1][1].in_branch:
                _line(axes, (stream, y - 0.6), (branch, y - 0.6), (branch, y - 0.3))
            else:
                _line(axes, (branch, y - 0.7), (branch, y - 0.3))
            _box(axes, branch, y, _step_text(step), step.kind, 3.4)
    for y in [below - 0.5] * stack.first_norm + [above + 0.5] * stack.last_norm:
        _box(axes, stream, y, "norm", "norm", 0.9)
    if not last or model.tied is None:
        return end
    shared = "the embedding again" if model.tied else "a matrix of its own"
    _box(axes, wide, end + 0.3, f"output: {shared}, {model.vocabulary:,} logits", "embedding", width)
    return end


def _step_text(step: Step) -> str:
    return f"{step.kind}: {step.says}".removesuffix(": ").replace("attention: ", "attention\n")


def _said(model: ModelMap) -> list[str]:
    """Return the map in sentences."""
    positions = "; ".join(POSITIONS[kind] for kind in model.positions)
    tied = {True: "The embedding makes the logits.", False: "A matrix of its own makes the logits.", None: ""}
    first = f"Embedding of {model.vocabulary:,} tokens, {model.hidden:,} numbers each; {positions}."
    return [first, *map(_said_of, model.stacks), tied[model.tied]]


def _said_of(stack: StackMap) -> str:
    parts = ", ".join(f"{step.kind} {step.says}".strip() for step in stack.steps)
    sees = "each token sees what is before it" if stack.causal else "all tokens see all"
    norms = ["a norm before them"] * stack.first_norm + ["a norm behind them"] * stack.last_norm
    around = " and ".join(norms) or "no norm around them"
    return f"{stack.name.capitalize()} of {stack.blocks} blocks ({sees}): {parts}; {around}."


def _box(axes: Axes, x: float, y: float, text: str, kind: str, width: float) -> None:
    axes.add_patch(_rounded(x - width / 2, y - 0.3, width, 0.6, facecolor=SHADES[kind], edgecolor="0.3", zorder=3))
    axes.text(x, y, text, ha="center", va="center", fontsize=9, linespacing=1.1, zorder=4)


def _rounded(x: float, y: float, width: float, height: float, **look: Any) -> FancyBboxPatch:
    return FancyBboxPatch((x, y), width, height, boxstyle="round,pad=0,rounding_size=0.12", **look)


def _line(axes: Axes, *points: tuple[float, float], arrow: bool = True) -> None:
    """Draw a line through points; arrow: whether it ends in one."""
    drawn = points[:-1] if arrow else points
    axes.plot(*zip(*drawn, strict=True), color="0.3", linewidth=1.2, zorder=2)
    if arrow:
        look = {"arrowstyle": "-|>", "color": "0.3", "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", xy=points[-1], xytext=points[-2], arrowprops=look, zorder=2)


def lens(tables: Mapping[str, pd.DataFrame]) -> Plot:
    """Draw each `logit_lens.lens_table` as a row of shades: the probability of its answer at each depth."""
    shares = pd.DataFrame({prompt: table["of the answer"] for prompt, table in tables.items()}).T
    with _style(**{"axes.grid": False}):
        figure, axes = _figure(height=0.3 * len(shares) + 1.2)
        corners = [np.arange(size + 1) - 0.5 for size in shares.shape]
        grid = axes.pcolormesh(
            corners[1], corners[0], shares, cmap="Blues", vmin=0, vmax=1, edgecolors="0.9", linewidth=0.3
        )
        axes.set_yticks(range(len(shares)), shares.index, fontsize=9)
        axes.set(xlabel="after block (0: before the first)", ylim=(len(shares) - 0.5, -0.5))
        _only_whole(axes)
        figure.colorbar(grid, ax=axes, label="probability of the answer")
    said = "; ".join(f"{prompt}: {_rising(row)}" for prompt, row in shares.iterrows())
    return _plot(
        figure,
        f"Grid of an answer's probability, 0 to 1, before block 1 and after each of {shares.shape[1] - 1}. {said}.",
    )


def _rising(row: pd.Series) -> str:
    over = [f"over {least:g} after {(row > least).idxmax()}" for least in (0.1, 0.5) if (row > least).any()]
    return ", ".join([*over, f"{row.iloc[-1]:.2f} at the end"])


def changes(values: pd.Series, *, xlabel: str) -> Plot:
    """Draw a horizontal bar for each change from 0, in the given order, with its value written beside it."""
    values = values.round(2) + 0.0  # no -0.00
    xlim = (min(0, 1.15 * values.min()), max(0.1, 1.15 * values.max()))
    figure = _bars(values, written="%+.2f", xlabel=xlabel, xlim=xlim)
    said = "; ".join(f"{name}: {value:+.2f}" for name, value in values.items())
    return _plot(figure, f"Horizontal bars of {xlabel}, from 0. {said}.")


def _bars(values: pd.Series, *, written: str, xlabel: str, xlim: tuple[float, float]) -> Figure:
    """Draw a horizontal bar for each value; written: the form in which the value stands beside it."""
    with _style():
        figure, axes = _figure(height=0.32 * len(values) + 0.9)
        bars = axes.barh(range(len(values)), values, height=0.7, color=COLOURS[0])
        axes.bar_label(bars, fmt=written, padding=4, fontsize=10)
        axes.set_yticks(range(len(values)), values.index)
        axes.set_ylim(len(values) - 0.5, -0.5)
        axes.set(xlabel=xlabel, xlim=xlim)
        axes.grid(visible=False, axis="y")
    return figure


def batching_xray(turns: pd.DataFrame, steps: pd.DataFrame) -> Plot:
    """Draw a recorded run of the endpoint's scheduler: a line for each request, a column for each step of the model.

    turns, steps: as `Recording.turns` and `Recording.table` of `serving.xray` return them. Below stand the places of
    the KV cache: those that hold a token, and the padding.
    """
    requests = [turn for _, turn in turns.groupby("request")]
    adapters = dict(zip(turns["adapter"].unique(), itertools.cycle(COLOURS), strict=False))
    with _style(**{"axes.grid": False}):
        figure = Figure(figsize=(SIZE[0], 0.32 * len(requests) + 3.4), layout="constrained")
        rows, places = figure.subplots(2, sharex=True, height_ratios=(0.32 * len(requests), 1.4))
        for y, turn in enumerate(requests):
            _request_bars(rows, y, turn, adapters)
        rows.set_yticks(range(len(requests)), range(1, len(requests) + 1))
        rows.set(ylabel="request", ylim=(len(requests) - 0.4, -0.6))
        edges, held = np.arange(len(steps) + 1) + 0.5, steps["places"] * (1 - steps["padding"])
        look = {"facecolor": "none", "edgecolor": "0.45", "hatch": "...."}
        places.stairs(held, edges, fill=True, color="0.45")
        places.stairs(steps["places"], edges, baseline=held, fill=True, **look)
        places.set(xlabel="step of the model", ylabel="KV cache (tokens)", xlim=(0.5, len(steps) + 0.5), ylim=(0, None))
        _only_whole(places)
        _xray_legend(figure, adapters)
    said = "; ".join(_request_said(turn) for turn in requests)
    return _plot(
        figure,
        f"A line for each of {len(requests)} requests, a column for each of {len(steps)} steps, at most "
        f"{steps['rows'].max()} rows at once. {said}. Below, the places of the KV cache: {_padding_said(steps)}.",
    )


def _request_bars(axes: Axes, y: int, turns: pd.DataFrame, adapters: Mapping[str, str]) -> None:
    """Draw what a request did: hatched where its prompt was read, filled where a token was written."""
    first, last, colour = turns["step"].iloc[0], turns["step"].iloc[-1], adapters[turns["adapter"].iloc[0]]
    read, wrote, left = turns["prompt"] > 0, turns["written"] > 0, turns["step"] - 0.5
    half = 0.5 * (read & wrote)
    axes.hlines(y, 0.5, first - 0.5, color="0.7", linewidth=1, linestyle=":")
    axes.barh(y, (1 - half)[read], 0.7, left[read], facecolor="white", edgecolor=colour, hatch="//////", linewidth=0)
    axes.barh(y, (1 - half)[wrote], 0.7, (left + half)[wrote], color=colour, edgecolor="white", linewidth=0.4)
    axes.barh(y, last - first + 1, 0.7, first - 0.5, facecolor="none", edgecolor=colour)
    axes.plot(first - 0.5, y, ">", color="black", markersize=5, zorder=3, clip_on=False)
    axes.plot(last + 0.5, y, "X", color="black", markersize=5, zorder=3, clip_on=False)


def _xray_legend(figure: Figure, adapters: Mapping[str, str]) -> None:
    grey = "0.45"
    shapes: dict[str, Any] = {"color": "black", "linestyle": "", "markersize": 5}
    handles = [
        *(Patch(color=colour, label=name or "base") for name, colour in adapters.items()),
        Patch(facecolor="white", edgecolor=grey, hatch="//////", linewidth=0, label="reads its prompt"),
        Patch(color=grey, label="writes a token; a place that is full"),
        Patch(facecolor="white", edgecolor=grey, hatch="....", linewidth=0, label="padding"),
        Line2D([], [], marker=">", label="joins", **shapes),
        Line2D([], [], marker="X", label="leaves", **shapes),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=9)


def _request_said(turns: pd.DataFrame) -> str:
    first, last = turns.iloc[0], turns.iloc[-1]
    return (
        f"Request {first['request'] + 1} ({first['adapter'] or 'base'}): joins at step {first['step']}, reads "
        f"{turns['prompt'].sum()} tokens of its prompt, writes {turns['written'].sum()}, "
        f"leaves after step {last['step']}"
    )


def _padding_said(steps: pd.DataFrame) -> str:
    few = steps.iloc[:: -(-len(steps) // 4)]
    said = ", ".join(
        f"{100 * line['padding']:.0f} % of {line['places']:.0f} at step {number}" for number, line in few.iterrows()
    )
    return f"padding is {said}"


@contextmanager
def _style(**changes: Any) -> Generator[None]:
    """Draw in the course's style, one figure at a time: a widget may draw while a cell does."""
    settings: dict[Any, Any] = {**STYLE, **changes}
    with _ONE_AT_A_TIME, matplotlib.rc_context(settings):
        yield


def _figure(*, height: float = SIZE[1]):
    figure = Figure(figsize=(SIZE[0], height), layout="constrained")
    return figure, figure.add_subplot()


def _plot(figure: Figure, alt: str) -> Plot:
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return Plot(file.getvalue(), alt)


def _points(values: pd.Series) -> str:
    return ", ".join(f"{value:.2f} at {index}" for index, value in values.items())
