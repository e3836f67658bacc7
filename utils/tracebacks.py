"""What a kernel shows of a cell that ended early: one sentence where that says all, else Python's own traceback.

An extension of IPython; `utils` loads it into the kernel that imports it.
"""

import builtins
import signal
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from itertools import pairwise
from types import FrameType, TracebackType
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

ALIKE = 0.8
"""From which similarity, 0 to 1, a name may be meant by another one."""

AT_TOP_LEVEL = ("<module>", "<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>")


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Let a shell show errors as the course does."""
    shell.set_custom_exc((Exception, KeyboardInterrupt), _show)


def _show(
    shell: InteractiveShell,
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType,
    tb_offset: int | None = None,
) -> None:
    frames = list(_frames(trace))
    if sentence := _stopped(error, frames, shell.user_ns):
        _show_only(error, sentence)
    elif sentence := _without_value(error, frames[-1], shell.user_ns):
        if frames[-1].f_code.co_name in AT_TOP_LEVEL:
            _show_only(error, f"NameError: {sentence}")
        else:
            error.add_note(sentence)
    _hide_the_inside(error, shell.user_ns)
    with _uninterrupted():
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset, running_compiled_code=True)


@contextmanager
def _uninterrupted() -> Generator[None]:
    """Let no second interrupt end the showing of the first; interrupts reach the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _show_only(error: BaseException, sentence: str) -> None:
    error._render_traceback_ = lambda: [sentence]  # ty: ignore[missing-attribute]


def _stopped(error: BaseException, frames: Iterable[FrameType], names: dict[str, Any]) -> str:
    """Say that the cell was stopped and what is kept, as whoever keeps something has noted; "" for other errors."""
    if not isinstance(error, KeyboardInterrupt):
        return ""
    if any(frame.f_code.co_name == "<module>" and frame.f_globals is not names for frame in frames):
        return "Stopped while packages were loaded: restart the kernel (Kernel, Restart Kernel), then run from the top."
    notes = [note for each in _chain(error) for note in getattr(each, "__notes__", ())]
    return f"Stopped. {(notes or ['What this cell was doing is not kept: run it again to begin anew.'])[0]}"


def _without_value(error: BaseException, frame: FrameType, names: dict[str, Any]) -> str:
    """Say what to do about a name of the notebook that has no value; "" for all else."""
    name = getattr(error, "name", None)
    if type(error) is not NameError or not name or frame.f_globals is not names:
        return ""
    known = [each for each in (*names, *vars(builtins)) if not each.startswith("_")]
    meant = get_close_matches(name, known, n=1, cutoff=ALIKE)
    return (
        f"`{name}` has no value in this kernel yet: run the cells above (Run, Run All Above Selected Cell), then this "
        f"one again, or correct the name{f' to `{meant[0]}`' if meant else ''}."
    )


def _hide_the_inside(error: BaseException, names: dict[str, Any]) -> None:
    """Show an earlier error of the chain only where the learner's own code has caught it."""
    for later, earlier in pairwise(_chain(error)):
        if earlier.__traceback__ and earlier.__traceback__.tb_frame.f_globals is not names:
            later.__cause__ = None  # which also suppresses the context


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _frames(trace: TracebackType | None) -> Iterator[FrameType]:
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next
