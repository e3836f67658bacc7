"""Draw the next-token distribution as SVG: quick enough to follow a slider, readable in any theme."""

from utils.decoding.candidates import REST, Candidate, NextToken
from utils.models.tokens import quoted
from utils.widgets.bars import MUTED, ORANGE, TEXT, Axis, label, percent, svg
from utils.widgets.view import plain

ROW, TOP = 21, 46
BAR_X, BAR_WIDTH = 184, 366
NAME_X, MARKER_X = BAR_X - 20, BAR_X - 15
NUMBER_X, AFTER_X, FATE_X = 632, 708, 722
WIDTH = 900


def picture_height(rows: int) -> int:
    """Return the height in pixels of a picture with this many rows."""
    return TOP + rows * ROW + 26


def sampler_picture(found: NextToken) -> str:
    """Return an SVG of a row for each candidate: outline before, bar after, percentages, kept or cut.

    The horizontal axis is always 0 to 100 %. The orange line is the cumulative probability
    that top-p looks at; the dashed line is top-p.
    """
    rows = found.candidates
    axis = Axis(BAR_X, BAR_WIDTH, top=TOP - 4, bottom=TOP + len(rows) * ROW)
    parts = [axis.drawn, _heads(), *(_row(axis, candidate, TOP + n * ROW) for n, candidate in enumerate(rows))]
    said = f"{found.summary} {describe(found)}"
    return svg(
        [*parts, _cumulative(axis, found)], said=said, width=WIDTH, height=picture_height(len(rows)), font_size=12.5
    )


def describe(found: NextToken) -> str:
    """Return every row of the picture in words."""
    return "; ".join(
        f"{c.text.strip() or quoted(c.text)} {percent(c.before)} to {percent(c.after)}, {c.fate}"
        for c in found.candidates
    )


def _heads() -> str:
    heads = (
        (NAME_X, "token", "end"),
        (BAR_X, "outline: model's own; bar: reshaped; line: running sum", "start"),
        (NUMBER_X, "before", "end"),
        (AFTER_X, "after", "end"),
        (FATE_X, "kept or cut by", "start"),
    )
    return "".join(label(x, 16, text, anchor=anchor, fill=MUTED) for x, text, anchor in heads)


def _row(axis: Axis, candidate: Candidate, y: float) -> str:
    kept = candidate.cut_by is None
    weight = "bold" if candidate.drawn else "normal"
    ink = TEXT if kept else MUTED
    middle = y + ROW - 6
    name = candidate.text if candidate.text == REST else quoted(candidate.text)
    return "".join(
        (
            label(MARKER_X, middle, "\u25b6" if candidate.drawn else "", fill=ORANGE),
            label(NAME_X, middle, name[:24], anchor="end", fill=ink, weight=weight),
            axis.bar(candidate.after, candidate.before, y=y + 2.5, height=ROW - 4, inset=2.5, cut=not kept),
            label(NUMBER_X, middle, percent(candidate.before), anchor="end", fill=ink),
            label(AFTER_X, middle, percent(candidate.after), anchor="end", fill=ink, weight=weight),
            label(FATE_X, middle, candidate.fate, fill=ink, weight=weight),
        )
    )


def _cumulative(axis: Axis, found: NextToken) -> str:
    points = " ".join(
        f"{axis.at(candidate.cumulative):.1f},{TOP + n * ROW + ROW / 2:.1f}"
        for n, candidate in enumerate(found.candidates)
        if candidate.text != REST
    )
    line = f'<polyline points="{points}" fill="none" stroke="{ORANGE}" stroke-width="1.6"/>'
    p = found.config.top_p
    x, on = axis.at(p), p < 1
    limit = (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{axis.top}" y2="{axis.bottom}" stroke="{ORANGE}" '
        f'stroke-width="{1.5 * on}" stroke-dasharray="5 4"/>'
    )
    return line + limit + label(x, TOP - 8, f"top-p {plain(p)}" if on else "", anchor="middle", fill=ORANGE)
