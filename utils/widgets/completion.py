"""A completion, token by token: shading for the model's probability, facts and alternatives for each token."""

import html
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import anywidget
import traitlets

from utils.decoding.generation import Step
from utils.decoding.steps import shown

HERE = Path(__file__).parent


class Completion(anywidget.AnyWidget):
    """A row of tokens. label: its accessible name. status: the line below it."""

    _esm = HERE / "completion.js"
    _css = HERE / "completion.css"

    steps = traitlets.List().tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)

    def put(self, steps: list[Step]) -> None:
        """Show these steps; those that stand there already are left as they are."""
        self.steps = [
            {**asdict(step), "text": written(step), "key": f"{n} {step.model_probability} {written(step)}"}
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
        f'<span title="probability {step.model_probability:.3f}" style="white-space: pre-wrap; '
        f'background: rgba(213, 94, 0, {0.45 * (1 - step.model_probability):.2f})">{html.escape(written(step))}</span>'
        for step in steps
    )
    return f'<p style="line-height: 1.75">{"".join(spans)}</p>'
