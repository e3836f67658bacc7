"""Draw the next-token distribution as SVG: quick enough to follow a slider, readable in any theme and any width."""

from utils.decoding.candidates import REST, Candidate, NextToken
from utils.models.tokens import quoted
from utils.widgets.bars import MUTED, ORANGE, TEXT, Axis, bar, bars, beside, label, percent
from utils.widgets.view import plain

ROW, TOP = 19, 38
LEFT, RIGHT = 178, 226
NARROW = (126, 160)
BEFORE, AFTER, FATE = -156, -90, -80
"""Where the columns on the right end or begin."""
LONGEST, LONGEST_NARROW = 21, 14
"""Characters of a token that are written."""
WIDTH = 1000


def picture_height(rows: int) -> int:
    """Return the height in pixels of a picture with this many rows."""
    return TOP + rows * ROW + 20


def sampler_picture(found: NextToken) -> str:
    """Return an SVG of a row for each candidate: outline before, bar after, percentages, kept or cut.

    The horizontal axis is always 0 to 100 %. The orange line is the cumulative probability
    that top-p looks at; the dashed line is top-p.
    """
    rows = [(candidate, TOP + n * ROW) for n, candidate in enumerate(found.candidates)]
    axis = Axis(LEFT, RIGHT, top=TOP - 4, bottom=TOP + len(rows) * ROW, narrow=NARROW)
    return bars(
        "outline: before; bar: after; line: running sum",
        beside([label(-20, 30, "token", anchor="end", fill=MUTED), *(_name(*row) for row in rows)]),
        axis.holding([*(_bar(*row) for row in rows), _cumulative(axis, found)]),
        beside([_heads(), *(_numbers(*row) for row in rows)]),
        of=axis,
        said=f"{found.summary} {describe(found)}",
        width=WIDTH,
        height=picture_height(len(rows)),
    )


def describe(found: NextToken) -> str:
    """Return every row of the picture in words."""
    return "; ".join(
        f"{c.text.strip() or quoted(c.text)} {percent(c.before)} to {percent(c.after)}, {c.fate}"
        for c in found.candidates
    )


def _heads() -> str:
    heads = (
        (BEFORE, "before", "end", "course-spare"),
        (AFTER, "after", "end", ""),
        (0, "kept, cut by", "end", ""),
    )
    return "".join(label(x, 30, text, anchor=anchor, fill=MUTED, kind=kind) for x, text, anchor, kind in heads)


def _ink(candidate: Candidate) -> dict[str, str]:
    kept = candidate.cut_by is None
    return {"fill": TEXT if kept else MUTED, "weight": "bold" if candidate.drawn else "normal"}


def _name(candidate: Candidate, y: float) -> str:
    middle = y + ROW - 5
    rest = candidate.text == REST
    wide, narrow = (REST, "the rest") if rest else (_cut(quoted(candidate.text), n) for n in (LONGEST, LONGEST_NARROW))
    written = [(wide, "")] if wide == narrow else [(wide, "course-spare"), (narrow, "course-narrow")]
    names = (label(-20, middle, name, anchor="end", kind=kind, **_ink(candidate)) for name, kind in written)
    return "".join(names) + label(-15, middle, "\u25b6" if candidate.drawn else "", fill=ORANGE)


def _cut(name: str, longest: int) -> str:
    return name if len(name) <= longest else f"{name[:longest]}…"


def _bar(candidate: Candidate, y: float) -> str:
    return bar(candidate.after, candidate.before, y=y + 2, height=ROW - 4, inset=2.5, cut=candidate.cut_by is not None)


def _numbers(candidate: Candidate, y: float) -> str:
    middle, ink = y + ROW - 5, _ink(candidate)
    before = label(BEFORE, middle, percent(candidate.before), anchor="end", fill=ink["fill"], kind="course-spare")
    fate = candidate.fate.removeprefix("cut by ").removeprefix("kept, ")
    return (
        before + label(AFTER, middle, percent(candidate.after), anchor="end", **ink) + label(FATE, middle, fate, **ink)
    )


def _cumulative(axis: Axis, found: NextToken) -> str:
    line = axis.line(
        (candidate.cumulative, TOP + n * ROW + ROW / 2)
        for n, candidate in enumerate(found.candidates)
        if candidate.text != REST
    )
    p = found.config.top_p
    x, on = f"{100 * p:.2f}%", p < 1 and found.config.temperature > 0
    limit = (
        f'<line x1="{x}" x2="{x}" y1="{axis.top}" y2="{axis.bottom}" stroke="{ORANGE}" '
        f'stroke-width="{1.5 * on}" stroke-dasharray="5 4"/>'
    )
    return line + limit + label(x, TOP - 8, f"top-p {plain(p)}" if on else "", anchor="middle")
