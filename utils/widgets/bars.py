"""Bars from 0 to 100 % as SVG, in the page's own colours: what the pictures of two widgets are made of.

The axis takes the width that the place leaves, text keeps its size; picture.css says what a narrow place leaves out.
"""

import html
from collections.abc import Iterable
from dataclasses import dataclass

from utils.plots import COLOURS

TEXT = "var(--jp-ui-font-color1, #222)"
MUTED = "var(--jp-ui-font-color2, #555)"
BLUE, ORANGE = COLOURS[:2]
HATCH = "url(#course-cut)"
"""What fills the outline of something that was cut."""

_DEFINED = (
    '<defs><pattern id="course-cut" width="6" height="6" patternUnits="userSpaceOnUse" '
    f'patternTransform="rotate(45)"><line y2="6" stroke="{MUTED}" stroke-width="2"/></pattern></defs>'
    f"<style>.course-muted {{ fill: {MUTED}; }}</style>"
)


@dataclass(frozen=True)
class Axis:
    """A horizontal axis from 0 to 100 %: what it leaves free on both sides, and between which heights it is drawn.

    left, right: pixels, as many in `narrow` (left, right) where the place is narrow.
    """

    left: int
    right: int
    top: float
    bottom: float
    narrow: tuple[int, int] | None = None

    @property
    def sides(self) -> str:
        """What is left free, as CSS."""
        left, right = self.narrow or (self.left, self.right)
        return f"--left: {self.left}px; --right: {self.right}px; --narrow-left: {left}px; --narrow-right: {right}px"

    def holding(self, parts: Iterable[str]) -> str:
        """Return the axis with its percentages and the parts on it, whose places across are percentages."""
        return _svg([self._lines, *parts])

    @property
    def _lines(self) -> str:
        marks = []
        for part, rank in ((0, "end"), (25, "quarter"), (50, "half"), (75, "quarter"), (100, "end")):
            ends = f'y1="{self.top}" y2="{self.bottom}"'
            marks.append(f'<line x1="{part}%" x2="{part}%" {ends} stroke="{MUTED}" stroke-opacity="0.3"/>')
            marks.append(
                label(f"{part}%", self.bottom + 15, f"{part} %", anchor="middle", fill=MUTED, kind=f"course-{rank}")
            )
        return "".join(marks)

    def line(self, points: Iterable[tuple[float, float]]) -> str:
        """Return a line through points: a share of the axis, and a height."""
        height = self.bottom - self.top
        through = " ".join(f"{100 * share:.2f},{y - self.top:.1f}" for share, y in points)
        return (
            f'<svg y="{self.top}" height="{height}" viewBox="0 0 100 {height}" preserveAspectRatio="none" '
            f'overflow="visible"><polyline points="{through}" fill="none" stroke="{ORANGE}" stroke-width="1.6" '
            'vector-effect="non-scaling-stroke"/></svg>'
        )


def bar(filled: float, outlined: float, *, y: float, height: float, inset: float, cut: bool = False) -> str:
    """Return a bar inside an outline, both shares of an axis; a cut one has a muted, hatched outline."""
    inner, outer = (f"{max(0.0, 100 * share):.2f}%" for share in (filled, outlined))
    inside, ink = (HATCH, MUTED) if cut else ("none", TEXT)
    return (
        f'<rect y="{y + inset}" width="{inner}" height="{height - 2 * inset}" fill="{BLUE}"/>'
        f'<rect y="{y}" width="{outer}" height="{height}" fill="{inside}" stroke="{ink}" stroke-width="1.2"/>'
    )


def label(
    x: float | str,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    fill: str = TEXT,
    weight: str = "normal",
    kind: str = "",
) -> str:
    """Return text at a place. kind: a class that picture.css knows."""
    ends = "" if anchor == "start" else f' text-anchor="{anchor}"'
    bold = "" if weight == "normal" else f' font-weight="{weight}"'
    classes = " ".join(filter(None, ("course-muted" if fill == MUTED else "", kind)))
    named = f' class="{classes}"' if classes else ""
    ink = "" if fill in (TEXT, MUTED) else f' fill="{fill}"'
    return f'<text x="{x}" y="{y}"{ends}{bold}{named}{ink}>{html.escape(text)}</text>'


def beside(parts: Iterable[str]) -> str:
    """Return what stands left or right of an axis; its places are counted from its right edge."""
    return _svg([f'<svg x="100%" overflow="visible">{"".join(parts)}</svg>'])


def bars(head: str, left: str, axis: str, right: str, *, of: Axis, said: str, width: int, height: float) -> str:
    """Return a picture with a text alternative: a line over it, an axis, and what stands beside the axis.

    width: the most that it takes, in pixels.
    """
    return (
        f'<div role="img" aria-label="{html.escape(said)}" class="course-bars" '
        f'style="max-width: {width}px; height: {height}px; {of.sides}">'
        f"{_svg([_DEFINED, label(0, 12, head, fill=MUTED)])}{left}{axis}{right}</div>"
    )


def _svg(parts: Iterable[str]) -> str:
    return f'<svg aria-hidden="true" overflow="visible" fill="{TEXT}">{"".join(parts)}</svg>'


def percent(probability: float) -> str:
    """Return a probability as a percentage that never reads 0 where something is left."""
    return "< 0.1 %" if 0 < probability < 0.0005 else f"{100 * probability:.1f} %"
