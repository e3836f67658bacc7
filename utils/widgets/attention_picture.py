"""Draw one head's attention weights as a table with shades: a row for each token that looks, a column for each key."""

import html

from utils.models.tokens import quoted
from utils.transformer.attention import AttentionWeights

DARKEST = (0, 57, 90)
"""The colour of weight 1; weight 0 is white, and what a token cannot see is hatched."""

MIDDLE = 0.68
"""The weight from which white text is read better than black."""

DIGITS = 12
"""Columns up to which the weights are written in the squares."""

LONGEST = 12


def grid_html(found: AttentionWeights, layer: int, head: int) -> str:
    """Return a head's weights as an HTML table on a fixed scale from 0 to 100 %. Raises UnsupportedSetting."""
    weights = found.head(layer, head).tolist()
    written = len(found.keys) <= DIGITS
    heads = "".join(f'<th scope="col"><span>{_name(key)}</span></th>' for key in found.keys)
    rows = "".join(
        f'<tr><th scope="row">{_name(query)}</th>{"".join(_square(weight, written=written) for weight in row)}</tr>'
        for query, row in zip(found.queries, weights, strict=True)
    )
    columns = len(found.keys)
    size = f"min-width: {90 + 14 * columns}px; max-width: {110 + 40 * columns}px"
    return (
        f'<p class="course-said">{html.escape(describe(found, layer, head))}</p>'
        f'<table class="course-grid" aria-label="Attention weights in per cent" style="{size}">'
        f"<thead><tr><th></th>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    )


def describe(found: AttentionWeights, layer: int, head: int) -> str:
    """Return in words where a head looks: its strongest pairs, and its means on the previous and the first token."""
    pairs = found.strongest(layer, head).itertuples(index=False)
    said = ", ".join(f"{_plain(query)} on {_plain(key)} {100 * weight:.0f} %" for query, key, weight in pairs)
    means = "".join(f" Mean on the {name}: {100 * mean:.0f} %." for name, mean in found.means(layer, head).items())
    return f"Layer {layer}, head {head}. Strongest: {said}.{means}"


def _square(weight: float, *, written: bool) -> str:
    if weight == 0:
        return '<td class="course-unseen"></td>'
    red, green, blue = (round(255 + (dark - 255) * weight) for dark in DARKEST)
    ink = "#fff" if weight >= MIDDLE else "#000"
    number = f"{100 * weight:.0f}" if written and weight >= 0.005 else ""
    return f'<td style="background: rgb({red}, {green}, {blue}); color: {ink}">{number}</td>'


def _name(token: str) -> str:
    plain = _plain(token)
    return html.escape(plain if len(plain) <= LONGEST else f"{plain[:LONGEST]}…")


def _plain(token: str) -> str:
    return token.strip() or quoted(token)
