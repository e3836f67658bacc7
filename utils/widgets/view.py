"""What every widget of the course shares: how it is shown, with and without a kernel."""

import html

import ipywidgets as widgets
from IPython.display import display

FULL_LABEL = {"description_width": "initial"}
WIDE = widgets.Layout(width="98%")


def show(widget: widgets.Widget, *, summary: str, text: str) -> None:
    """Display a widget together with what stands for it where no kernel runs.

    summary: HTML of the widget's first state; text: the same as plain text.
    """
    display({**widget._repr_mimebundle_(), "text/plain": text, "text/html": summary}, raw=True)


def paragraph(text: str) -> str:
    """Return text as an HTML paragraph that keeps its line breaks and its size in any theme."""
    return f'<p style="white-space: pre-wrap; line-height: 1.4; margin: 0">{html.escape(text)}</p>'
