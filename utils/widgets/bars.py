"""Bars from 0 to 100 % as SVG, in the page's own colours: what the pictures of two widgets are made of."""

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
    """A horizontal axis from 0 to 100 %: where it begins, how long it is, and between which heights it is drawn."""

    x: float
    width: float
    top: float
    bottom: float

    def at(self, share: float) -> float:
        """Return where a share, 0 to 1, stands."""
        return self.x + self.width * share

    @property
    def drawn(self) -> str:
        """Lines and their percentages."""
        marks = []
        for share in (0, 0.25, 0.5, 0.75, 1):
            x = self.at(share)
            ends = f'y1="{self.top}" y2="{self.bottom}"'
            marks.append(f'<line x1="{x}" x2="{x}" {ends} stroke="{MUTED}" stroke-opacity="0.3"/>')
            marks.append(label(x, self.bottom + 16, f"{share:.0%}".replace("%", " %"), anchor="middle", fill=MUTED))
        return "".join(marks)

    def bar(self, filled: float, outlined: float, *, y: float, height: float, inset: float, cut: bool = False) -> str:
        """Return a bar inside an outline, both shares from 0 to 1; a cut one has a muted, hatched outline."""
        bar, outline = (max(0.0, self.width * share) for share in (filled, outlined))
        inside, ink = (HATCH, MUTED) if cut else ("none", TEXT)
        return (
            f'<rect x="{self.x}" y="{y + inset}" width="{bar:.1f}" height="{height - 2 * inset}" fill="{BLUE}"/>'
            f'<rect x="{self.x}" y="{y}" width="{outline:.1f}" height="{height}" fill="{inside}" '
            f'stroke="{ink}" stroke-width="1.2"/>'
        )


def label(x: float, y: float, text: str, *, anchor: str = "start", fill: str = TEXT, weight: str = "normal") -> str:
    """Return text at a place."""
    ends = "" if anchor == "start" else f' text-anchor="{anchor}"'
    bold = "" if weight == "normal" else f' font-weight="{weight}"'
    ink = {TEXT: "", MUTED: ' class="course-muted"'}.get(fill, f' fill="{fill}"')
    return f'<text x="{x}" y="{y}"{ends}{bold}{ink}>{html.escape(text)}</text>'


def svg(parts: Iterable[str], *, said: str, width: int, height: float, font_size: float) -> str:
    """Return a picture of these parts with a text alternative."""
    return (
        f'<svg role="img" aria-label="{html.escape(said)}" fill="{TEXT}" viewBox="0 0 {width} {height}" width="100%" '
        f'style="max-width: {width}px; height: {height}px; font: {font_size}px var(--jp-ui-font-family, sans-serif); '
        'white-space: pre" '
        f'preserveAspectRatio="xMinYMin meet">{_DEFINED}{"".join(parts)}</svg>'
    )


def percent(probability: float) -> str:
    """Return a probability as a percentage that never reads 0 where something is left."""
    return "< 0.1 %" if 0 < probability < 0.0005 else f"{100 * probability:.1f} %"
