"""A choice whose options come and go while one of them is chosen."""

from collections.abc import Callable, Sequence
from typing import Any

from utils.widgets.view import FULL_LABEL, Dropdown, fitted, offer


class Choice(Dropdown):
    """A dropdown that is offered its options again and again: what is chosen stays, where it is still there.

    offering: whether its value changes at this moment because of its options, and not by a hand. offered: is called
    once it has them, and may choose one.
    """

    def __init__(self, label: str, options: Sequence[Any] = ()) -> None:
        self.offering = False
        self.offered: Callable[[], None] = lambda: None
        super().__init__(options=options, description=label, style=FULL_LABEL, layout=fitted())

    def offer(self, options: Sequence[Any], *, begin: Any = None) -> None:
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
