"""A picture that is drawn anew while a cell computes."""

from collections.abc import Callable
from typing import TypeVar

from IPython.display import DisplayHandle

from utils.plots import Plot

State = TypeVar("State")


def live(draw: Callable[[State], Plot], *, every: int) -> Callable[[State], None]:
    """Return what takes a state and shows every so many calls its drawing, in the place of the one before."""
    handle, calls = DisplayHandle(), 0

    def show(state: State) -> None:
        nonlocal calls
        calls += 1
        if calls == every:
            handle.display(draw(state))
        elif calls % every == 0:
            handle.update(draw(state))

    return show
