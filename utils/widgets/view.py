"""What every widget of the course shares: how it is shown, with and without a kernel, and its errors."""

import html
from collections.abc import Container, Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as widgets
import traitlets
from IPython.display import display

from utils.errors import CourseError, UnsupportedSetting
from utils.logits.config import DecodingConfig

HERE = Path(__file__).parent
FULL_LABEL = {"description_width": "initial"}
WIDE = widgets.Layout(width="98%")


class Frame(anywidget.AnyWidget):
    """What each widget has in the page: its keys, a word when its kernel is gone, its place in view after a run.

    fresh: whether no page has shown it yet.
    """

    _esm = HERE / "frame.js"
    _css = HERE / "frame.css"

    fresh = traitlets.Bool(True).tag(sync=True)


def show(widget: widgets.Widget, *, summary: str, text: str) -> None:
    """Display a widget together with what stands for it where no kernel runs.

    summary: HTML of the widget's first state; text: the same as plain text.
    """
    framed = widgets.VBox([Frame(), widget]).add_class("course-widget")
    display({**framed._repr_mimebundle_(), "text/plain": text, "text/html": summary}, raw=True)


@contextmanager
def told_in(place: widgets.HTML) -> Generator[None]:
    """Show an error in the widget: a learner's to mend there only, any other also as a traceback."""
    try:
        yield
    except CourseError as error:
        place.value = alert(str(error))
    except KeyboardInterrupt:
        place.value = alert("Stopped. Change something here to begin anew.")
        raise
    except Exception as error:
        place.value = alert(f"The widget stopped with {type(error).__name__}: {error}. Please report this.")
        raise


class Option(traitlets.TraitType):
    """One of a choice's options; another value is refused in words. None stands only until the first choice."""

    def validate(self, obj: Any, value: Any) -> Any:
        """Return an option. Raises UnsupportedSetting."""
        options = [option if isinstance(option, tuple) else (str(option), option) for option in obj.options]
        if any(value == known for _, known in options) or (value is None and (not options or obj.index is None)):
            return value
        raise UnsupportedSetting(
            f"{obj.description} is one of {', '.join(label for label, _ in options)}; {value!r} was given."
        )


class Dropdown(widgets.Dropdown):
    """ipywidgets' own, which refuses what is no option in words."""

    value = Option(None)


class RadioButtons(widgets.RadioButtons):
    """ipywidgets' own, which refuses what is no option in words."""

    value = Option(None)


def row(*parts: widgets.Widget) -> widgets.HBox:
    """Return parts in a row, which goes on in the next line where they do not fit."""
    layout = widgets.Layout(flex_flow="row wrap", align_items="center", grid_gap="4px 12px")
    return widgets.HBox(parts, layout=layout)


def beside(*parts: widgets.Widget, least: int) -> widgets.GridBox:
    """Return parts in columns of one width where each has `least` pixels, and below each other where not."""
    columns = f"repeat(auto-fit, minmax(min({least}px, 100%), 1fr))"
    return widgets.GridBox(parts, layout=widgets.Layout(grid_template_columns=columns, grid_gap="4px 16px"))


def button(label: str, **traits: Any) -> widgets.Button:
    """Return a button as wide as its label, which nothing cuts. traits: of ipywidgets' own."""
    return widgets.Button(description=label, layout=fitted(), **traits)


def fitted() -> widgets.Layout:
    """Return the layout of a control that is as wide as what stands in it."""
    return widgets.Layout(width="auto", max_width="100%", flex="0 0 auto")


def prompt_box(prompt: str, *, description: str) -> widgets.Text | widgets.Textarea:
    """Return a box for a prompt: of one line, or of several where the prompt has several, which one line would lose."""
    kind = widgets.Textarea if "\n" in prompt else widgets.Text
    return kind(prompt, description=description, continuous_update=False, style=FULL_LABEL, layout=WIDE)


def plain(value: float) -> str:
    """Return a number with all its digits, a whole one without a decimal point."""
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return str(int(value) if whole else value)


def also_set(config: DecodingConfig, *, controls: Container[str]) -> str:
    """Return as an HTML paragraph what a configuration sets that no control of a widget shows; empty for nothing."""
    said = in_words(config, without=controls)
    return paragraph(f"Also set: {said}.") if said else ""


def in_words(config: DecodingConfig, *, without: Container[str] = ()) -> str:
    """Return the settings that differ from what holds unless something is set, by name, but for some of them."""
    return ", ".join(
        f"{_NAMES.get(name, name)} {_value(value)}"
        for name, value in asdict(config).items()
        if name not in without and value != getattr(DecodingConfig, name)
    )


_NAMES = {
    "top_k": "top-k",
    "top_p": "top-p",
    "min_p": "min-p",
    "repetition_penalty": "repetition penalty",
    "max_new_tokens": "max new tokens",
    "stop": "stops at",
}


def _value(value: Any) -> str:
    """Return a setting's value; of stop sequences each, a line break by name."""
    if not isinstance(value, tuple):
        return repr(value)
    return " or ".join("a line break" if text == "\n" else repr(text) for text in value)


def paragraph(text: str) -> str:
    """Return text as an HTML paragraph that keeps its line breaks, its size in any theme, and its words whole."""
    return f'<p style="white-space: pre-wrap; {_LINES}">{html.escape(text)}</p>'


_LINES = "overflow-wrap: break-word; word-break: normal; line-height: 1.4; margin: 0"


def heading(text: str) -> widgets.HTML:
    """Return the heading of a page's part."""
    return widgets.HTML(f'<h2 style="font-size: 16px; line-height: 1.3; margin: 4px 0 0">{html.escape(text)}</h2>')


def scrolling(markup: str, label: str, *, height: int = 260) -> str:
    """Return HTML in a box of at most so many pixels, which scrolls by itself, also by keyboard, and has a name.

    It is as wide as its place, whatever stands in it.
    """
    size = f"max-height: {height}px; width: 0; min-width: 100%; box-sizing: border-box; overflow: auto"
    return (
        f'<div tabindex="0" role="region" aria-label="{html.escape(label)}" style="{size}; '
        f'border: 1px solid var(--jp-border-color1, #767676); padding: 0 6px">{markup}</div>'
    )


def alert(text: str) -> str:
    """Return text as an HTML paragraph that a screen reader reads out at once."""
    return f'<p role="alert" style="font-weight: 600; {_LINES}">{html.escape(text)}</p>'
