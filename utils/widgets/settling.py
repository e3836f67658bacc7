"""Act once when changes have come to rest, not at each of them."""

import asyncio
from collections.abc import Callable

SECONDS = 0.3


class Settling:
    """Calls a function when nothing has changed for a moment; at once where no event loop runs, as in a program."""

    def __init__(self, act: Callable[[], None], *, seconds: float = SECONDS) -> None:
        self.act, self.seconds = act, seconds
        self.waiting: asyncio.TimerHandle | None = None

    def changed(self) -> None:
        """Note a change."""
        if self.waiting:
            self.waiting.cancel()
        try:
            self.waiting = asyncio.get_running_loop().call_later(self.seconds, self.settle)
        except RuntimeError:
            self.settle()

    def finish(self) -> None:
        """Act now where a change waits."""
        if self.waiting:
            self.settle()

    def settle(self) -> None:
        """Act now."""
        if self.waiting:
            self.waiting.cancel()
        self.waiting = None
        self.act()
