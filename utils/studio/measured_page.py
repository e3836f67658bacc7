"""The result of a comparison: a table, intervals, what they say, and the worst cases to read."""

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as widgets

from utils.plots import intervals
from utils.studio.comparison import WORST, Comparison, SideBySide
from utils.tables import TextTable
from utils.widgets.choice import Choice
from utils.widgets.view import alert, paragraph, scrolling

Result = Comparison | SideBySide
HEIGHT = 420
"""Pixels of a table, above which it scrolls."""
MARGIN = 0.1
"""What a figure of gains shows at least to the left and to the right of zero."""
OLD = "Old: the contestants, their settings or the records are others now."


class Measured:
    """What is shown of a result; of answers without a measure only the answers."""

    def __init__(self) -> None:
        self.summary, self.figures, self.cases = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.age = widgets.HTML(layout=widgets.Layout(min_height="20px"))
        self.of = Choice("Worst cases of")
        self.worst = widgets.VBox([self.of, self.cases], layout=widgets.Layout(display="none"))
        self.view = widgets.VBox([self.age, self.summary, self.figures, self.worst])
        self.result: Result | None = None
        self.asked: Mapping[str, Any] = {}
        self.of.observe(lambda _change: self._show_cases(), names="value")

    def compare(self, fields: Mapping[str, Any]) -> None:
        """Mark the result as old if the page's fields are no longer those that it was asked for with."""
        self.age.value = alert(OLD) if self.result and self.asked != fields else ""

    def put(self, result: Result, drawn: str, *, asked: Mapping[str, Any]) -> None:
        """Show a result and its figures. asked: what stood in the page's fields."""
        self.result, self.asked = result, asked
        self.figures.value = drawn
        if isinstance(result, SideBySide):
            self.worst.layout.display = "none"
            answers = zip(*result.answers, strict=True)
            rows = [(str(seed), *map(str.strip, row)) for seed, row in zip(result.seeds, answers, strict=True)]
            table = _table(("seed", *result.names), rows, "The answers side by side")
            self.summary.value = f"{paragraph(result.said)}{table}"
            return
        scores = result.table
        table = _table(("", *scores.columns), scores.reset_index().values.tolist(), "The contestants' scores")
        verdicts = "".join(map(paragraph, result.verdicts()))
        self.summary.value = f"{paragraph(result.said)}{table}{verdicts}"
        self.of.offer(list(result.scores))
        self.worst.layout.display = ""
        self._show_cases()

    def _show_cases(self) -> None:
        """Show the records in which the contestant chosen is worst, with everyone's answer at the first seed."""
        if not isinstance(self.result, Comparison) or self.of.value not in self.result.scores:
            return
        scores = self.result.scores
        rows = [
            (
                str(number + 1),
                self.result.records[number].input_text,
                self.result.records[number].output_text,
                *(
                    f"{each.answers[0][number].strip()}\n({each.values[:, number].mean():.2f})"
                    for each in scores.values()
                ),
            )
            for number in self.result.worst(self.of.value, WORST)
        ]
        told = f"The {len(rows)} records with the lowest mean; answers are those of seed {self.result.seeds[0]}."
        columns = ("record", "input", "reference", *scores)
        self.cases.value = f"{paragraph(told)}{_table(columns, rows, f'The worst cases of {self.of.value}')}"


def figures(result: Result) -> str:
    """Return a comparison's figures as HTML: every contestant's interval, and the gains on the first."""
    if isinstance(result, SideBySide):
        return ""
    gains = result.gains
    low, high = min(-MARGIN, gains["low"].min()), max(MARGIN, gains["high"].max())
    first = next(iter(result.scores))
    plots = (
        intervals(result.means, xlabel=result.metric, xlim=(0, 1)),
        intervals(gains, xlabel=f"gain on {first} ({result.metric})", xlim=(low, high)),
    )
    drawn = "".join(f'<div style="flex: 1 1 360px; max-width: 620px">{plot._repr_html_()}</div>' for plot in plots)
    return f'<div style="display: flex; flex-wrap: wrap; gap: 0 16px">{drawn}</div>'


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], label: str) -> str:
    table = TextTable(tuple(columns), tuple(map(tuple, rows)))
    return scrolling(table._repr_html_(), label, height=HEIGHT)
