"""A choice whose options come and go, also while a hand chooses."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from utils.widgets.view import WIDE, Option, fitted

HERE = Path(__file__).parent


class Choice(anywidget.AnyWidget):
    """One of several options: what is chosen stays where it is still offered, and is what the hand has read.

    A page of ipywidgets sends the number of an option, which may be another option's when the kernel hears of it; this
    one sends its label too. options: values, or pairs of label and value. rows: of a list, which scrolls where there
    are more; 1 for a dropdown. offering: whether the value changes at this moment because of the options, and not by a
    hand. offered: is called once it has them, and may choose one.
    """

    _esm = HERE / "choice.js"

    description = traitlets.Unicode().tag(sync=True)
    rows = traitlets.Int(1).tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)
    shown = traitlets.Dict().tag(sync=True)
    """The labels, and which of them is chosen: its number, from 0, or None."""
    value = Option(None)

    def __init__(self, label: str, options: Sequence[Any] = (), *, rows: int = 1) -> None:
        self.options: tuple[Any, ...] = ()
        self.offering = False
        self.offered: Callable[[], None] = lambda: None
        super().__init__(description=label, rows=rows, layout=WIDE if rows > 1 else fitted())
        self.offer(options)
        self.on_msg(lambda _choice, content, _buffers: self._hear(**content))

    @property
    def index(self) -> int | None:
        """The number of the option that is chosen, from 0; None for none."""
        return self.shown.get("at")

    @property
    def label(self) -> str | None:
        """What is read of the option that is chosen; None for none."""
        return None if self.index is None else self.shown["labels"][self.index]

    def offer(self, options: Sequence[Any], *, begin: Any = None) -> None:
        """Take other options; what is chosen stays where it is still offered, else `begin` or the first is."""
        self.options = tuple(options)
        values = [value for _, value in self._pairs]
        self.offering = True
        try:
            self.value = next((value for value in (self.value, begin, *values) if value in values), None)
            self.offered()
        finally:
            self.offering = False
            self._show()

    def when_chosen(self, call: Callable[[], None]) -> None:
        """Call a function after each change of the value that is not for want of the option."""
        self.observe(lambda _change: None if self.offering else call(), names="value")

    @property
    def _pairs(self) -> list[tuple[str, Any]]:
        return [option if isinstance(option, tuple) else (str(option), option) for option in self.options]

    def _hear(self, chosen: str, number: int) -> None:
        """Take what a hand chose, by its label, and by its number where another option has the same label."""
        values = {n: value for n, (label, value) in enumerate(self._pairs) if label == chosen}
        try:
            if values:
                self.value = values.get(number, next(iter(values.values())))
        finally:
            self.send({"heard": chosen})

    @traitlets.observe("value")
    def _show(self, _change: Any = None) -> None:
        if not self.offering:
            labels, values = zip(*self._pairs, strict=True) if self.options else ((), ())
            self.shown = {"labels": list(labels), "at": values.index(self.value) if self.value in values else None}
