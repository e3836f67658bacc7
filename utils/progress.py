"""A wait is never silent: what a long call does, how far it is and the time left, in JupyterLab and in a terminal.

Nothing is shown in the first DELAY seconds of a cell, nothing stays when it ends or is interrupted, and nothing is
shown where no one looks: in a test, a script whose output goes to a file, or a notebook that a program runs.
"""

import html
import shutil
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sized
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from tqdm import tqdm

DELAY = 2.0
"""Seconds before anything is shown."""
PAUSE = 0.25
"""Seconds between two drawings."""
AT_ONCE = 0.1
"""Parts that come within so many seconds of each other count as one for the time left."""

RUNNING = "Running"
"""What is said of a cell in which nothing says what it does."""

Item = TypeVar("Item")
Advance = Callable[..., None]
"""Says that one part, or `advance(parts)` of them, are done."""


def progress(items: Iterable[Item], what: str, *, total: int | None = None) -> Iterator[Item]:
    """Yield the items, and show how far the loop over them is.

    what: what is done, such as "Scoring prompts". total: how many items come, where they have no length. Inside another
    loop or `working`, it is shown as a part of that one. To be looped over in a `for` statement itself: a name or a
    comprehension would hold it, and what it shows, for as long as an interrupted call's traceback is kept.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with working(what, total=total) as advance:
        for item in items:
            yield item
            advance()


@contextmanager
def working(what: str, *, total: int | None = None) -> Generator[Advance]:
    """Show that a block is at work; the function that it gives says that a part, of `total`, is done.

    Only the main thread shows: what a widget computes beside it has a place of its own in the page.
    """
    work = _Work(what, total)
    if threading.current_thread() is not threading.main_thread():
        yield work.advance
        return
    screen = None if _OPEN else _screen()
    try:
        _OPEN.append(work)
        with _drawn_on(screen) if screen else nullcontext():
            yield work.advance
    finally:
        if work in _OPEN:
            _OPEN.remove(work)


def load_ipython_extension(shell: Any) -> None:
    """Show in a kernel that a cell is at work, also where no call in it says so."""
    running = ExitStack()

    def begin(_: Any = None) -> None:
        running.close()
        running.enter_context(working(RUNNING))

    def end(_: Any = None) -> None:
        with suppress(KeyboardInterrupt):
            running.close()

    shell.events.register("pre_run_cell", begin)
    shell.events.register("post_run_cell", end)
    begin()


def done_so_far() -> str:
    """Return what the open blocks have done, without times: "Measuring prompts: 2 of 7 (Scoring prompts: 3 of 8)"."""
    outer, *inner = [": ".join(filter(None, [work.what, work.counted()])) for work in _telling()] or [""]
    return f"{outer} ({inner[-1]})" if inner else outer


@dataclass(eq=False)
class _Work:
    """What one block does, and when its parts were done."""

    what: str
    total: int | None
    done: int = 0
    begun: float = field(default_factory=lambda: time.monotonic())
    marks: list[tuple[float, int]] = field(default_factory=list)

    def advance(self, parts: int = 1) -> None:
        """Count parts; those that come at once, as kept ones do, share a mark."""
        self.done += parts
        now = time.monotonic()
        before = self.marks[-2][0] if len(self.marks) > 1 else self.begun
        if self.marks and now - before < AT_ONCE:
            self.marks.pop()
        self.marks.append((now, self.done))

    def seconds_left(self) -> float | None:
        """Return the time that is left at the speed of the later half of the time so far, None while none is known."""
        marks = [(self.begun, 0), *self.marks]
        last, done = marks[-1]
        middle = (self.begun + last) / 2
        since, before = max((mark for mark in marks if mark[0] <= middle), default=marks[0])
        if self.total is None or done == before:
            return None
        return max(0.0, (self.total - done) * (last - since) / (done - before) - (time.monotonic() - last))

    def counted(self) -> str:
        """Return how many parts are done, "" while none can be counted."""
        if self.total is None:
            return f"{self.done:,}" if self.done else ""
        return f"{self.done:,} of {self.total:,}"

    def __str__(self) -> str:
        left = self.seconds_left()
        clock = f"{_duration(time.monotonic() - self.begun)} so far" if left is None else f"{_duration(left)} left"
        return f"{self.what}: {', '.join(filter(None, [self.counted(), clock]))}"


_OPEN: list[_Work] = []
"""The blocks that the main thread is in, the outermost first: it shows, and the innermost beside it."""


def _telling() -> list[_Work]:
    """Return the open blocks that say what they do; where there is none, the cell that runs."""
    return [work for work in _OPEN if work.what != RUNNING] or list(_OPEN)


class _Screen(Protocol):
    def show(self, work: _Work, text: str) -> None: ...
    def clear(self) -> None: ...


class _Page:
    """An output of the running cell, emptied at the end, and gone in JupyterLab (`labextension/emptied.js`).

    What was printed before and after stays as it is.
    """

    handle: Any = None

    def show(self, work: _Work, text: str) -> None:
        from IPython.display import display

        value = "" if work.total is None else f'max="{work.total}" value="{work.done}"'
        label = html.escape(text)
        bar = f'<progress {value} aria-label="{label}" style="vertical-align: middle; width: 12em"></progress>'
        bundle = {"text/html": f'<div style="font-variant-numeric: tabular-nums">{bar} {label}</div>'}
        if self.handle is None:
            self.handle = display(bundle, raw=True, display_id=True)
        else:
            self.handle.update(bundle, raw=True)

    def clear(self) -> None:
        if self.handle is not None:
            self.handle.update({}, raw=True)


class _Terminal:
    """One line of the terminal, written over and over, and empty at the end."""

    def __init__(self) -> None:
        self.stream = sys.stderr
        self.line: Callable[[str], None] | None = None

    def show(self, work: _Work, text: str) -> None:
        self.line = self.line or tqdm.status_printer(self.stream)
        width = shutil.get_terminal_size().columns - 1
        self.line(tqdm.format_meter(work.done, work.total, 0, width, bar_format=f"|{{bar:20}}| {text}"))

    def clear(self) -> None:
        if self.line is not None:
            self.line("")
            self.line("")


def _screen() -> _Screen | None:
    """Return where someone looks: the cell of a frontend that could also ask for input, or a terminal."""
    ipython = sys.modules.get("IPython")
    kernel = getattr(ipython.get_ipython(), "kernel", None) if ipython else None
    if kernel is not None:
        asked = kernel.get_parent()
        running = asked.get("header", {}).get("msg_type") == "execute_request"
        return _Page() if running and asked["content"].get("allow_stdin") else None
    return _Terminal() if sys.stderr and sys.stderr.isatty() else None


@contextmanager
def _drawn_on(screen: _Screen) -> Generator[None]:
    """Draw from a thread of its own, so that the clock runs while one part takes long."""
    ended = threading.Event()

    def draw() -> None:
        pause = DELAY
        while not ended.wait(pause):
            pause = PAUSE
            outer, *inner = _telling()
            screen.show(outer, f"{outer} ({inner[-1]})" if inner else str(outer))
        screen.clear()

    drawer = threading.Thread(target=copy_context().run, args=(draw,), name="progress", daemon=True)
    drawer.start()
    stopped = False
    try:
        yield
    except (KeyboardInterrupt, GeneratorExit):
        stopped = True
        raise
    finally:
        ended.set()
        with suppress(KeyboardInterrupt) if stopped else nullcontext():  # a second one says nothing new
            drawer.join()


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
