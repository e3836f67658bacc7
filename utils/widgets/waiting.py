"""A wait that a page shows: what is done, and the seconds so far."""

import asyncio
import time
from collections.abc import Callable, Generator
from contextlib import closing
from typing import TypeVar

import ipywidgets as widgets

from utils.widgets.turns import in_thread
from utils.widgets.view import paragraph

Result = TypeVar("Result")


def waiting(place: widgets.HTML, what: str, call: Callable[[], Result]) -> Generator[None, None, Result]:
    """Do in a thread what takes a while, as `in_thread` does, and say in a place what it is and how long it takes."""
    return (yield from following(place, lambda: what, in_thread(call)))


def following(
    place: widgets.HTML, what: Callable[[], str], work: Generator[None, None, Result]
) -> Generator[None, None, Result]:
    """Do work turn by turn, and say in a place what is done now and the seconds so far, unless another speaks there.

    What was said is taken away at the end. Raises what the work raises.
    """
    begun, said = time.monotonic(), None
    try:
        with closing(work):
            while True:
                try:
                    next(work)
                except StopIteration as done:
                    return done.value
                if said is None or place.value in ("", said):
                    seconds = int(time.monotonic() - begun)
                    said = place.value = paragraph(f"{what()} ... {seconds} s" if seconds else f"{what()} ...")
                yield
    finally:
        if place.value == said:
            place.value = ""


def pause(seconds: float) -> Generator[None]:
    """Wait for a moment, in work that looks at something again and again."""
    yield from in_thread(lambda: time.sleep(seconds))


def someone_looks() -> bool:
    """Whether the kernel serves a page at this moment: a program has no event loop, and nobody to keep up to date."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
