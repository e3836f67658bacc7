"""A limit of time for code that may never end, in the main thread and in others, on every system."""

import ctypes
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress

AGAIN = 0.05
"""Seconds until code that has caught the end is told again."""


class TimeIsUp(BaseException):
    """The limit has passed: no Exception, so that `except Exception` does not catch it."""


@contextmanager
def time_limit(seconds: float) -> Generator[None]:
    """Raise TimeIsUp in the code below after so many seconds, again and again until it ends.

    In the main thread of a system that has one, by the alarm clock, which wakes what sleeps; elsewhere at the next
    step of Python. A single step inside a library is not interrupted.
    """
    by_alarm = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    with _alarm(seconds) if by_alarm else _watch(seconds):
        yield


def _ring(*_: object) -> None:
    raise TimeIsUp


@contextmanager
def _alarm(seconds: float) -> Generator[None]:
    before = signal.signal(signal.SIGALRM, _ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
        yield
    finally:
        while signal.getsignal(signal.SIGALRM) is _ring:
            with suppress(TimeIsUp):  # the clock may ring on the way out
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, before)


@contextmanager
def _watch(seconds: float) -> Generator[None]:
    here, ended, turn = threading.get_ident(), threading.Event(), threading.Lock()

    def watch() -> None:
        wait = seconds
        while not ended.wait(wait):
            with turn:
                if not ended.is_set():
                    _raise_in(here, TimeIsUp)
            wait = AGAIN

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        with turn:
            ended.set()
            _raise_in(here, None)


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Raise an exception in a thread at its next step; None takes back one that was not raised yet."""
    given = ctypes.py_object(error) if error else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), given)
