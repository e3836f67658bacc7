"""Choices whose options come and go while one of them is chosen."""

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets

from utils.widgets.view import FULL_LABEL, WIDE, Dropdown, Select, fitted, offer


class Offered(widgets.DOMWidget):
    """What is offered its options again and again: what is chosen stays, where it is still there.

    offering: whether its value changes at this moment because of its options, and not by a hand. offered: is called
    once it has them, and may choose one.
    """

    def __init__(self, label: str, **traits: Any) -> None:
        self.offering = False
        self.offered: Callable[[], None] = lambda: None
        super().__init__(description=label, style=FULL_LABEL, **traits)

    def offer(self: "Choice | ChoiceList", options: Sequence[Any], *, begin: Any = None) -> None:
        """Take other options, values or pairs of label and value, as `view.offer` does."""
        self.offering = True
        try:
            offer(self, options, begin=begin)
            self.offered()
        finally:
            self.offering = False

    def when_chosen(self, call: Callable[[], None]) -> None:
        """Call a function after each change of the value that is not for want of the option."""
        self.observe(lambda _change: None if self.offering else call(), names="value")


class Choice(Offered, Dropdown):
    """A dropdown of such options."""

    def __init__(self, label: str, options: Sequence[Any] = ()) -> None:
        super().__init__(label, options=options, layout=fitted())


class ChoiceList(Offered, Select):
    """A list of such options, which scrolls where there are more than its rows."""

    def __init__(self, label: str, *, rows: int) -> None:
        super().__init__(label, rows=rows, layout=WIDE)
