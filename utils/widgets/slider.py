"""A slider with a name, a full label and a box to type into; a wrong value is refused in words."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

HERE = Path(__file__).parent
REACH = 3


class Slider(anywidget.AnyWidget):
    """A number chosen from `stops` by hand or typed within their range.

    stops: ascending values that the slider moves over. whole: whether only whole numbers
    are right. error: why the last value typed was refused, empty if it was not. ahead:
    drawings for values nearby, by value; the page shows one at once when the slider moves
    there, and the kernel's own answer follows.
    """

    _esm = HERE / "slider.js"
    _css = HERE / "slider.css"

    value = traitlets.Float().tag(sync=True, echo_update=False)
    stops = traitlets.List(traitlets.Float()).tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    hint = traitlets.Unicode().tag(sync=True)
    error = traitlets.Unicode().tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)
    ahead = traitlets.Dict().tag(sync=True)

    def __init__(self, label: str, value: float, stops: Sequence[float], *, hint: str = "", whole: bool = False):
        self.whole = whole
        super().__init__(label=label, value=value, stops=list(stops), hint=hint)
        self.on_msg(lambda _widget, content, _buffers: self.type(content["typed"]) if "typed" in content else None)
        self.observe(lambda _change: setattr(self, "error", ""), names="value")

    def type(self, typed: str) -> None:
        """Take a value as typed; if it is wrong, say why and keep the last good one."""
        value, self.error = self._read(typed)
        if value is not None:
            self.value = value
        self.send({"shown": self.value})

    def when_moved(self, call: Callable[[], None]) -> None:
        """Call a function after every change of the value."""
        self.observe(lambda _change: call(), names="value")

    def when_reached(self, call: Callable[[], None]) -> None:
        """Call a function when the slider gets the focus."""
        self.on_msg(lambda _widget, content, _buffers: call() if "reached" in content else None)

    def draw_ahead(self, draw: Callable[[float], str]) -> None:
        """Let the page have the drawings for the stops that a hand can reach next."""
        here = bisect_left(self.stops, self.value)
        self.ahead = {f"{value:g}": draw(value) for value in self.stops[max(0, here - REACH) : here + REACH + 1]}

    @traitlets.validate("value")
    def _in_range(self, proposal: dict[str, Any]) -> float:
        value = proposal["value"]
        if not self._right(value):
            raise traitlets.TraitError(self._rule(value))
        return value

    def _read(self, typed: str) -> tuple[float | None, str]:
        try:
            value = float(typed if self.whole else typed.replace(",", "."))
        except ValueError:
            return None, self._rule(typed)
        return (value, "") if self._right(value) else (None, self._rule(typed))

    def _right(self, value: float) -> bool:
        return self.stops[0] <= value <= self.stops[-1] and (not self.whole or value == round(value))

    def _rule(self, value: object) -> str:
        kind = "a whole number" if self.whole else "a number"
        return f"{self.label} is {kind} from {self.stops[0]:g} to {self.stops[-1]:g}; {value} was refused."


def steps(low: float, high: float, step: float) -> list[float]:
    """Return low, low + step, ..., high without the noise of binary fractions."""
    return [round(low + n * step, 6) for n in range(round((high - low) / step) + 1)]


def temperature_slider(value: float = 1.0, *, name: str = "") -> Slider:
    """Return a slider from 0 (greedy) to 2. name: of the configuration, where there are several."""
    return Slider(_label("Temperature", name), value, steps(0, 2, 0.05), hint="0: greedy; 1: the model's own")


def top_k_slider(value: int = 0, *, name: str = "") -> Slider:
    """Return a slider over numbers of tokens to keep; 0 keeps all."""
    stops = [*range(21), 25, 30, 40, 50, 75, 100, 200, 500, 1000, 2000, 5000, 10_000]
    return Slider(_label("Top-k", name), value, stops, hint="0: off, keep all", whole=True)


def top_p_slider(value: float = 1.0, *, name: str = "") -> Slider:
    """Return a slider over the probability to keep; 1 keeps all."""
    return Slider(_label("Top-p", name), value, steps(0, 1, 0.01), hint="1: off, keep all")


def min_p_slider(value: float = 0.0) -> Slider:
    """Return a slider over the share of the likeliest token's probability that a token needs."""
    return Slider("Min-p", value, steps(0, 1, 0.01), hint="0: off, keep all")


def repetition_penalty_slider(value: float = 1.0) -> Slider:
    """Return a slider over the factor that makes tokens of the text so far less likely."""
    return Slider("Repetition penalty", value, steps(0.5, 2, 0.05), hint="1: off")


def _label(setting: str, name: str) -> str:
    return f"{setting} {name}".strip()
