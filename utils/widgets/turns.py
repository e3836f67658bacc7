"""Long work in a widget, in small turns: between two turns the kernel hears the learner's buttons."""

import asyncio
import inspect
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import Event
from typing import TypeVar

import ipywidgets as widgets
from IPython import get_ipython

from utils.widgets.view import told_in

Work = Generator[None]
Result = TypeVar("Result")
Item = TypeVar("Item")

LOOK_AGAIN = 0.01
"""The seconds of a turn that waits for a thread."""


class Turns:
    """Runs one generator at a time; a new one, or `stop`, closes the one before, which can say so.

    Work is begun by a call that returns it; one that raises instead leaves alone what runs.
    """

    def __init__(self, message: widgets.HTML) -> None:
        self.message = message
        self.current: Work | None = None

    def run(self, begin: Callable[[], Work]) -> None:
        """Do all the work now; for code, which waits for its result."""
        with told_in(self.message):
            for _ in self._begun(begin):
                pass

    def start(self, begin: Callable[[], Work]) -> None:
        """Do the work turn by turn behind the page, where an event loop runs; else now."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        if loop is None:
            self.run(begin)
        else:
            with told_in(self.message):
                self.task = loop.create_task(self._take_turns(self._begun(begin)))

    @property
    def busy(self) -> bool:
        """Whether work is begun and not at its end."""
        return self.current is not None and inspect.getgeneratorstate(self.current) != inspect.GEN_CLOSED

    def stop(self) -> None:
        """End the work after the turn that is running."""
        work, self.current = self.current, None
        if work is not None and inspect.getgeneratorstate(work) != inspect.GEN_RUNNING:
            work.close()

    def _begun(self, begin: Callable[[], Work]) -> Work:
        work = begin()
        self.stop()
        self.current = work
        return work

    async def _take_turns(self, work: Work) -> None:
        try:
            with told_in(self.message):
                while self.current is work and next(work, self) is not self:
                    await asyncio.sleep(0.001)
        except Exception:
            get_ipython().showtraceback()


def in_thread(call: Callable[[], Result]) -> Generator[None, None, Result]:
    """Do in a thread what would hold up the kernel, and return its result.

    In work that is a generator: `found = yield from in_thread(call)`. Work that is closed meanwhile leaves the
    thread to its end. Raises what the call raises.
    """
    result = _begun(call)
    while wait([result], LOOK_AGAIN).not_done:
        yield
    return result.result()


def each_in_thread(items: Generator[Item], take: Callable[[Item], None]) -> Work:
    """Go through a generator in a thread, and give `take` each item here as soon as it has come.

    Work that is closed meanwhile closes the generator after the item that it waits for. Raises what the generator
    raises.
    """
    came: SimpleQueue[Item | None] = SimpleQueue()
    closed = Event()

    def go_through() -> None:
        try:
            with closing(items):
                for item in items:
                    if closed.is_set():
                        return
                    came.put(item)
        finally:
            came.put(None)

    result = _begun(go_through)
    try:
        while (item := (yield from _next(came))) is not None:
            take(item)
            yield
        result.result()
    finally:
        closed.set()


def _begun(call: Callable[[], Result]) -> Future[Result]:
    """Begin a call in a thread of its own."""
    pool, context = ThreadPoolExecutor(1), copy_context()
    result = pool.submit(lambda: context.run(call))
    pool.shutdown(wait=False)
    return result


def _next(came: "SimpleQueue[Item]") -> Generator[None, None, Item]:
    """Wait in turns for what a thread puts in a queue."""
    while True:
        with suppress(Empty):
            return came.get(timeout=LOOK_AGAIN)
        yield
