"""A completion, token by token: shading for the model's probability, facts and alternatives for each token."""

import html
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import anywidget
import traitlets

from utils.characters import about_parts
from utils.decoding.generation import Step
from utils.decoding.steps import shown

HERE = Path(__file__).parent


class Completion(anywidget.AnyWidget):
    """A row of tokens.

    label: its accessible name. caption: what it was written with. status: the line below it. old: what it belongs to,
    once that is no longer what the controls say; it stands over the greyed row. Empty: the row is current.
    """

    _esm = HERE / "completion.js"
    _css = HERE / "completion.css"

    steps = traitlets.List().tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    caption = traitlets.Unicode().tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)
    parts = traitlets.Unicode().tag(sync=True)
    old = traitlets.Unicode().tag(sync=True)

    def put(self, steps: list[Step]) -> None:
        """Show these steps; those that stand there already are left as they are."""
        self.parts = about_parts(map(written, steps))
        self.steps = [
            {
                **asdict(step),
                "text": written(step),
                "key": f"{n} {step.model_probability} {written(step)}",
                "parts": about_parts([written(step), *(other.text for other in step.alternatives)]),
            }
            for n, step in enumerate(steps)
        ]

    def when_chosen(self, call: Callable[[int, int], None]) -> None:
        """Call a function with a position and a token when an alternative is clicked."""
        self.on_msg(lambda _widget, content, _buffers: call(content["position"], content["token"]))


def written(step: Step) -> str:
    """Return a step as the row shows it, with a word for what has no text."""
    return shown(step) or (f"[{step.stop_reason}]" if step.stop_reason else "")


def completion_html(steps: list[Step]) -> str:
    """Return the same row as HTML for pages without a kernel; the title of a token says its probability."""
    spans = (
        f'<span title="probability {step.model_probability:.3f}" style="{_shaded(step.model_probability)}">'
        f"{html.escape(written(step))}</span>"
        for step in steps
    )
    parts = about_parts(map(written, steps))
    note = f"<p>{html.escape(parts)}</p>" if parts else ""
    return f'<p style="line-height: 1.75; overflow-wrap: break-word">{"".join(spans)}</p>{note}'


def legend() -> str:
    """Return as an HTML paragraph what the shades of the tokens mean."""
    shades = " ".join(
        f'<span style="padding: 2px 6px; {_shaded(share / 100)}">{share} %</span>' for share in (100, 75, 50, 25, 0)
    )
    return (
        '<p style="line-height: 1.75; margin: 0">Shade: how likely the model found the token, '
        f"from sure to surprising: {shades}</p>"
    )


def _shaded(probability: float) -> str:
    """Return the style of a token's text, darker where the token was less likely; completion.css has the same shade."""
    return f"white-space: pre-wrap; background: rgba(213, 94, 0, {0.45 * (1 - probability):.2f})"
