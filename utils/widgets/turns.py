"""Long work in a widget, in small turns: between two turns the kernel hears the learner's buttons."""

import asyncio
from collections.abc import Callable, Iterator

import ipywidgets as widgets
from IPython import get_ipython

from utils.widgets.view import told_in


class Turns:
    """Runs one iterator at a time; a new one, or `stop`, ends the one before."""

    def __init__(self, message: widgets.HTML) -> None:
        self.message = message
        self.current: Iterator | None = None

    def run(self, work: Callable[[], Iterator]) -> None:
        """Do all the work now; for code, which waits for its result."""
        with told_in(self.message):
            for _ in self._begin(work):
                pass

    def start(self, work: Callable[[], Iterator]) -> None:
        """Do the work turn by turn behind the page, where an event loop runs; else now."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.run(work)
        else:
            self.task = loop.create_task(self._take_turns(self._begin(work)))

    def stop(self) -> None:
        """End the work after the turn that is running."""
        self.current = None

    def _begin(self, work: Callable[[], Iterator]) -> Iterator:
        self.current = work()
        return self.current

    async def _take_turns(self, work: Iterator) -> None:
        try:
            with told_in(self.message):
                while self.current is work and next(work, self) is not self:
                    await asyncio.sleep(0.001)
        except Exception:
            get_ipython().showtraceback()
