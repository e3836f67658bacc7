"""Draw the next-token distribution as SVG: quick enough to follow a slider, readable in any theme."""

import html

from utils.decoding.candidates import REST, Candidate, NextToken
from utils.plots import COLOURS

ROW, TOP = 21, 46
BAR_X, BAR_WIDTH = 170, 380
NUMBER_X, AFTER_X, FATE_X = 632, 708, 722
WIDTH = 900
TEXT = "var(--jp-ui-font-color1, #222)"
MUTED = "var(--jp-ui-font-color2, #555)"
BLUE, ORANGE = COLOURS[:2]


def picture_height(rows: int) -> int:
    """Return the height in pixels of a picture with this many rows."""
    return TOP + rows * ROW + 26


def sampler_picture(found: NextToken) -> str:
    """Return an SVG of a row for each candidate: outline before, bar after, percentages, kept or cut.

    The horizontal axis is always 0 to 100 %. The orange line is the cumulative probability
    that top-p looks at; the dashed line is top-p.
    """
    rows = found.candidates
    height = picture_height(len(rows))
    parts = [_HATCH, _axis(len(rows)), _heads()]
    parts += [_row(candidate, TOP + n * ROW) for n, candidate in enumerate(rows)]
    parts.append(_cumulative(found, len(rows)))
    said = html.escape(f"{found.summary} {describe(found)}")
    return (
        f'<svg role="img" aria-label="{said}" fill="{TEXT}" viewBox="0 0 {WIDTH} {height}" width="100%" '
        f'style="max-width: {WIDTH}px; height: {height}px; font: 12.5px var(--jp-ui-font-family, sans-serif)" '
        f'preserveAspectRatio="xMinYMin meet">{"".join(parts)}</svg>'
    )


def describe(found: NextToken) -> str:
    """Return every row of the picture in words."""
    return "; ".join(
        f"{c.text.strip() or repr(c.text)} {percent(c.before)} to {percent(c.after)}, {c.fate}"
        for c in found.candidates
    )


def percent(probability: float) -> str:
    """Return a probability as a percentage that never reads 0 where something is left."""
    return "< 0.1 %" if 0 < probability < 0.0005 else f"{100 * probability:.1f} %"


_HATCH = (
    '<defs><pattern id="course-cut" width="6" height="6" patternUnits="userSpaceOnUse" '
    f'patternTransform="rotate(45)"><line y2="6" stroke="{MUTED}" stroke-width="2"/></pattern></defs>'
    f"<style>.course-muted {{ fill: {MUTED}; }}</style>"
)


def _ink(fill: str) -> str:
    return {TEXT: "", MUTED: ' class="course-muted"'}.get(fill, f' fill="{fill}"')


def _text(x: float, y: float, text: str, *, anchor: str = "start", fill: str = TEXT, weight: str = "normal") -> str:
    ends = "" if anchor == "start" else f' text-anchor="{anchor}"'
    bold = "" if weight == "normal" else f' font-weight="{weight}"'
    return f'<text x="{x}" y="{y}"{ends}{bold}{_ink(fill)}>{html.escape(text)}</text>'


def _axis(rows: int) -> str:
    bottom = TOP + rows * ROW
    marks = []
    for share in (0, 25, 50, 75, 100):
        x = BAR_X + BAR_WIDTH * share / 100
        marks.append(f'<line x1="{x}" x2="{x}" y1="{TOP - 4}" y2="{bottom}" stroke="{MUTED}" stroke-opacity="0.3"/>')
        marks.append(_text(x, bottom + 16, f"{share} %", anchor="middle", fill=MUTED))
    return "".join(marks)


def _heads() -> str:
    heads = (
        (BAR_X - 10, "token", "end"),
        (BAR_X, "outline: model's own; bar: reshaped; line: running sum", "start"),
        (NUMBER_X, "before", "end"),
        (AFTER_X, "after", "end"),
        (FATE_X, "kept or cut by", "start"),
    )
    return "".join(_text(x, 16, text, anchor=anchor, fill=MUTED) for x, text, anchor in heads)


def _row(candidate: Candidate, y: float) -> str:
    kept = candidate.cut_by is None
    weight = "bold" if candidate.drawn else "normal"
    ink = TEXT if kept else MUTED
    before, after = (max(0.0, BAR_WIDTH * share) for share in (candidate.before, candidate.after))
    middle = y + ROW - 6
    name = candidate.text if candidate.text == REST else repr(candidate.text)
    marker = _text(BAR_X - 168, middle, "\u25b6" if candidate.drawn else "", fill=ORANGE)
    inside = "none" if kept else "url(#course-cut)"
    return (
        marker
        + _text(BAR_X - 10, middle, name[:24], anchor="end", fill=ink, weight=weight)
        + f'<rect x="{BAR_X}" y="{y + 5}" width="{after:.1f}" height="{ROW - 9}" fill="{BLUE}"/>'
        + f'<rect x="{BAR_X}" y="{y + 2.5}" width="{before:.1f}" height="{ROW - 4}" fill="{inside}" '
        f'stroke="{ink}" stroke-width="1.2"/>'
        + _text(NUMBER_X, middle, percent(candidate.before), anchor="end", fill=ink)
        + _text(AFTER_X, middle, percent(candidate.after), anchor="end", fill=ink, weight=weight)
        + _text(FATE_X, middle, candidate.fate, fill=ink, weight=weight)
    )


def _cumulative(found: NextToken, rows: int) -> str:
    points = " ".join(
        f"{BAR_X + BAR_WIDTH * candidate.cumulative:.1f},{TOP + n * ROW + ROW / 2:.1f}"
        for n, candidate in enumerate(found.candidates)
        if candidate.text != REST
    )
    line = f'<polyline points="{points}" fill="none" stroke="{ORANGE}" stroke-width="1.6"/>'
    p = found.config.top_p
    x, on = BAR_X + BAR_WIDTH * p, p < 1
    limit = (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 4}" y2="{TOP + rows * ROW}" stroke="{ORANGE}" '
        f'stroke-width="{1.5 * on}" stroke-dasharray="5 4"/>'
    )
    return line + limit + _text(x, TOP - 8, f"top-p {p:g}" if on else "", anchor="middle", fill=ORANGE)
