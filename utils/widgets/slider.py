"""A slider and a box for numbers, each with a name and a place where a wrong value is refused in words."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as widgets
import traitlets

from utils.errors import CourseError, UnsupportedSetting
from utils.logits.config import DecodingConfig
from utils.widgets.view import FULL_LABEL, RadioButtons, plain

HERE = Path(__file__).parent
REACH = 3
EXACT = 2**53 - 1
"""The largest whole number that a page keeps as a number without rounding it."""

NARROW = widgets.Layout(width="220px", max_width="100%", flex="0 0 auto")

Check = Callable[[Any], Any]
"""Takes a value and returns it as it is kept, or raises a CourseError that says what is right."""


class Checked(traitlets.TraitType):
    """A value as its widget's `taken` returns it; what that refuses leaves the value as it was."""

    default_value = 0

    def validate(self, obj: Any, value: Any) -> Any:
        """Return the value to keep. Raises CourseError."""
        return obj.taken(value)


class NumberBox(anywidget.AnyWidget):
    """A whole number of any size, typed or stepped with the arrow keys.

    check: says which values are right. error: why the last value was refused, empty if it was
    not. shown: the value as text, which a page does not round.
    """

    _esm = HERE / "slider.js"
    _css = HERE / "slider.css"

    value = Checked()
    shown = traitlets.Unicode().tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    hint = traitlets.Unicode().tag(sync=True)
    error = traitlets.Unicode().tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)

    def __init__(self, label: str, value: Any, check: Check, **traits: Any):
        self.check = check
        super().__init__(label=label, value=value, **traits)
        self.on_msg(lambda _widget, content, _buffers: self.type(content["typed"]) if "typed" in content else None)

    def type(self, typed: str) -> None:
        """Take a value as typed; if it is wrong, say why and keep the last good one."""
        try:
            self.value, self.error = self.taken(self.read(typed)), ""
        except CourseError as error:
            self.error = str(error)
        self.send({"shown": self.value})

    def taken(self, value: Any) -> Any:
        """Return a value as it is kept. Raises CourseError."""
        return self.check(value)

    def when_moved(self, call: Callable[[], None]) -> None:
        """Call a function after every change of the value."""
        self.observe(lambda _change: call(), names="value")

    def read(self, typed: str) -> Any:
        """Return the number that was typed, or what was typed as it is."""
        with suppress(ValueError):
            return int(typed)
        return typed

    @traitlets.observe("value")
    def _show(self, change: Any) -> None:
        self.shown, self.error = plain(change["new"]), ""


class Slider(NumberBox):
    """A number chosen from `stops` by hand, or typed: any that `check` takes.

    stops: ascending values that the slider moves over; a value beyond them becomes their new
    end. whole: whether only whole numbers are right. ahead: drawings for values nearby, by
    value; the page shows one at once when the slider moves there, and the kernel's own answer
    follows.
    """

    value = Checked().tag(sync=True, echo_update=False)
    shown = traitlets.Unicode()
    stops = traitlets.List().tag(sync=True)
    ahead = traitlets.Dict().tag(sync=True)

    def __init__(
        self, label: str, value: Any, stops: Sequence[float], check: Check, *, hint: str = "", whole: bool = False
    ):
        self.whole = whole
        super().__init__(label, value, check, stops=list(stops), hint=hint)

    def taken(self, value: Any) -> Any:
        """Return a value as it is kept. Raises CourseError, also for what the page would round."""
        taken = super().taken(value)
        if isinstance(taken, int) and abs(taken) > EXACT:
            raise UnsupportedSetting(f"{self.label} goes up to {EXACT} on a slider; {value} was given.")
        return taken

    def when_reached(self, call: Callable[[], None]) -> None:
        """Call a function when the slider gets the focus."""
        self.on_msg(lambda _widget, content, _buffers: call() if "reached" in content else None)

    def draw_ahead(self, draw: Callable[[float], str]) -> None:
        """Let the page have the drawings for the stops that a hand can reach next."""
        here = bisect_left(self.stops, self.value)
        self.ahead = {plain(value): draw(value) for value in self.stops[max(0, here - REACH) : here + REACH + 1]}

    def read(self, typed: str) -> Any:
        """Return the number that was typed, with a comma or a point, or what was typed as it is."""
        if self.whole:
            return super().read(typed)
        with suppress(ValueError):
            return float(typed.replace(",", "."))
        return typed

    @traitlets.observe("value")
    def _reach_beyond(self, change: Any) -> None:
        if not self.stops[0] <= change["new"] <= self.stops[-1]:
            self.stops = sorted([*self.stops, change["new"]])


def steps(low: float, high: float, step: float) -> list[float]:
    """Return low, low + step, ..., high without the noise of binary fractions."""
    return [round(low + n * step, 6) for n in range(round((high - low) / step) + 1)]


def checked(setting: str) -> Check:
    """Return what checks one setting of decoding: `DecodingConfig`."""
    return lambda value: getattr(DecodingConfig(**{setting: value}), setting)


def temperature_slider(value: float = 1.0, *, name: str = "") -> Slider:
    """Return a slider from 0 (greedy) to 2. name: of the configuration, where there are several."""
    stops, hint = steps(0, 2, 0.05), "0: greedy; 1: the model's own"
    return Slider(_label("Temperature", name), value, stops, checked("temperature"), hint=hint)


def top_k_slider(value: int = 0, *, name: str = "") -> Slider:
    """Return a slider over numbers of tokens to keep; 0 keeps all."""
    stops = [*range(21), 25, 30, 40, 50, 75, 100, 200, 500, 1000, 2000, 5000, 10_000]
    return Slider(_label("Top-k", name), value, stops, checked("top_k"), hint="0: off, keep all", whole=True)


def top_p_slider(value: float = 1.0, *, name: str = "") -> Slider:
    """Return a slider over the probability to keep; 1 keeps all."""
    return Slider(_label("Top-p", name), value, steps(0, 1, 0.01), checked("top_p"), hint="1: off, keep all")


def min_p_slider(value: float = 0.0) -> Slider:
    """Return a slider over the share of the likeliest token's probability that a token needs."""
    return Slider("Min-p", value, steps(0, 1, 0.01), checked("min_p"), hint="0: off, keep all")


def repetition_penalty_slider(value: float = 1.0) -> Slider:
    """Return a slider over the factor that makes tokens of the text so far less likely."""
    return Slider("Repetition penalty", value, steps(0.5, 2, 0.05), checked("repetition_penalty"), hint="1: off")


SLIDERS = {
    "temperature": temperature_slider,
    "top_k": top_k_slider,
    "top_p": top_p_slider,
    "min_p": min_p_slider,
    "repetition_penalty": repetition_penalty_slider,
}
"""By the setting that each moves."""


def seed_box(value: int, *, name: str = "") -> NumberBox:
    """Return a box for a seed: any whole number."""
    return NumberBox(_label("Seed", name), value, checked("seed"), layout=NARROW)


def limit_box(value: int, *, name: str = "") -> NumberBox:
    """Return a box for the most tokens that a completion may have: 1 or more."""
    return NumberBox(_label("Max new tokens", name), value, checked("max_new_tokens"), layout=NARROW)


def switch(name: str, options: Sequence[str], value: str) -> RadioButtons:
    """Return a choice between a few words that stand in one line."""
    made = RadioButtons(options=options, value=value, description=name, style=FULL_LABEL)
    made.add_class("course-switch")
    return made


def _label(setting: str, name: str) -> str:
    return f"{setting} {name}".strip()
