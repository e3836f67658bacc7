"""What every widget of the course shares: how it is shown, with and without a kernel, and its errors."""

import html
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import anywidget
import ipywidgets as widgets
from IPython.display import display

from utils.errors import CourseError

FULL_LABEL = {"description_width": "initial"}
WIDE = widgets.Layout(width="98%")


class KeyboardGuard(anywidget.AnyWidget):
    """An invisible part that lets the keys pressed in its widget reach the widget, not JupyterLab."""

    _esm = Path(__file__).parent / "keyboard_guard.js"


def show(widget: widgets.Widget, *, summary: str, text: str) -> None:
    """Display a widget together with what stands for it where no kernel runs.

    summary: HTML of the widget's first state; text: the same as plain text.
    """
    guarded = widgets.VBox([KeyboardGuard(), widget])
    display({**guarded._repr_mimebundle_(), "text/plain": text, "text/html": summary}, raw=True)


@contextmanager
def told_in(place: widgets.HTML) -> Generator[None]:
    """Show an error in the widget: a learner's to mend there only, any other also as a traceback."""
    try:
        yield
    except CourseError as error:
        place.value = alert(str(error))
    except Exception as error:
        place.value = alert(f"The widget stopped with {type(error).__name__}: {error}. Please report this.")
        raise


def paragraph(text: str) -> str:
    """Return text as an HTML paragraph that keeps its line breaks and its size in any theme."""
    return f'<p style="white-space: pre-wrap; line-height: 1.4; margin: 0">{html.escape(text)}</p>'


def alert(text: str) -> str:
    """Return text as an HTML paragraph that a screen reader reads out at once."""
    return f'<p role="alert" style="line-height: 1.4; margin: 0; font-weight: 600">{html.escape(text)}</p>'
