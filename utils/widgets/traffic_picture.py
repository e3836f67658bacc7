"""The tokens that an endpoint writes in a second, as a small figure of bars, in the page's own colours."""

import html
from collections.abc import Sequence

from utils.widgets.bars import BLUE, MUTED, TEXT

WIDTH, HEIGHT, BARS = 360, 64, 60
TOP, FOOT = 14, 4


def tokens_figure(rates: Sequence[float], *, seconds: float) -> str:
    """Return the last tokens a second as SVG, the newest on the right. seconds: between two of them."""
    shown = list(rates)[-BARS:]
    most, now = max([1.0, *shown]), shown[-1] if shown else 0.0
    label = f"Tokens a second in the last {len(shown) * seconds:.0f} s: now {now:.0f}, at most {max([0, *shown]):.0f}"
    step, room = WIDTH / BARS, HEIGHT - TOP - FOOT
    bars = "".join(
        f'<rect x="{WIDTH - (len(shown) - n) * step:.1f}" y="{HEIGHT - FOOT - rate / most * room:.1f}" '
        f'width="{step - 1:.1f}" height="{rate / most * room:.1f}" fill="{BLUE}"/>'
        for n, rate in enumerate(shown)
    )
    return (
        f'<svg role="img" aria-label="{html.escape(label)}" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" style="max-width: 100%; display: block">'
        f'<text x="0" y="11" font-size="11" fill="{TEXT}">{now:.0f} tokens a second (bars: up to {most:.0f})</text>'
        f'<line x1="0" x2="{WIDTH}" y1="{HEIGHT - FOOT}" y2="{HEIGHT - FOOT}" stroke="{MUTED}"/>{bars}</svg>'
    )
