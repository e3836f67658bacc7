"""An endpoint that a notebook starts: a process of its own, which ends with the kernel unless it is to be kept."""

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil

from utils.errors import ServingError
from utils.processes import start_apart
from utils.progress import working
from utils.serving.settings import HOST, PORT, READY

LOOK_AGAIN = 0.1
START_SECONDS = 600.0
"""How long the model may take to be loaded; the first time it is fetched."""
STOP_SECONDS = 45.0
"""How long an endpoint may take to finish what runs before it is killed."""
ANSWER_SECONDS = 2.0
LINE_BYTES = 2000
"""More than a line of the log has, unless prompts and completions are logged, too."""


@dataclass(frozen=True)
class Served:
    """An endpoint in a process of its own. url: its OpenAI interface, such as "http://127.0.0.1:8000/v1".

    described: its address, models and limits, as it said when it started.
    """

    url: str
    described: str
    process: subprocess.Popen = field(repr=False)
    log_file: Path = field(repr=False)

    def log(self) -> str:
        """Return what the endpoint has said so far: how it started, and one JSON line a request."""
        return self.log_file.read_text(encoding="utf8", errors="replace")

    def stop(self) -> None:
        """Let what runs be finished, for seconds, and end the process. Stopping twice is no error."""
        if self.process.stdin:
            with suppress(OSError):
                self.process.stdin.close()
        elif self.process.poll() is None:
            ask_to_end(self.process)
        wait_for_end(self.process)

    def __repr__(self) -> str:
        return self.described if self.process.poll() is None else f"The endpoint at {self.url} has ended."


def serve(
    model: str | os.PathLike[str] | None = None,
    adapters: Sequence[str] = (),
    *,
    port: int = PORT,
    keep: bool = False,
    **options: Any,
) -> Served:
    """Start an endpoint in a process of its own, wait until it is ready, and return how it is reached.

    model: what `load_model` takes. adapters: references in the registry. port: 0 takes a free one. keep: whether it
    goes on when this kernel ends. options: any other of `Settings` and `Limits`, by name. Raises ServingError, with
    the sentence of what failed.
    """
    require_free(port)
    flags = options_of(model=model, adapters=adapters, port=port, **options)
    number, name = tempfile.mkstemp(prefix="endpoint-", suffix=".log")
    with os.fdopen(number, "wb") as log:
        ends = {} if keep else {"stdin": subprocess.PIPE}
        flags += [] if keep else ["--stop-with-input"]
        process = start_apart("utils.serving", *flags, stdout=log, stderr=subprocess.STDOUT, **ends)
    with working("Starting the endpoint"):
        try:
            described = when_ready(process, Path(name))
        except BaseException:
            process.kill()
            process.wait()
            raise
    served = Served(described.split()[0], described, process, Path(name))
    if not keep:
        atexit.register(served.stop)
    return served


def options_of(
    *, model: str | os.PathLike[str] | None = None, adapters: Sequence[str] = (), **others: Any
) -> list[str]:
    """Return the options of `python -m utils.serving` that say the same; None leaves one out."""
    given = {"model": model, **others}
    flags = [_option(name, value) for name, value in given.items() if value is not None]
    return [*flags, *(_option("adapter", reference) for reference in adapters)]


def _option(name: str, value: Any) -> str:
    option = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{option}" if value else f"--no-{option}"
    return f"--{option}={value}"


def require_free(port: int) -> None:
    """Raise ServingError where an endpoint answers at a port of this machine already."""
    if port and (known := _answering(port)):
        raise ServingError(
            f"An endpoint already answers at http://{HOST}:{port}/v1, for {', '.join(known)}: use it, stop it where it "
            "was started, or take a free port with port=0."
        )


def when_ready(process: subprocess.Popen, log: Path) -> str:
    """Wait until the endpoint is ready and return its start-up line. Raises ServingError."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        ended = process.poll() is not None
        if line := startup_line(log):
            return line
        if ended:
            raise ServingError(last_words(log))
        time.sleep(LOOK_AGAIN)
    raise ServingError(f"The endpoint was not ready within {START_SECONDS:g} seconds: its log is {log}.")


def startup_line(log: Path) -> str:
    """Return the line in which an endpoint says its address, models and limits, empty while it is not ready."""
    before = ""
    with suppress(FileNotFoundError), log.open(encoding="utf8", errors="replace") as lines:
        for line in map(str.rstrip, lines):
            if line == READY:
                return before
            before = line
    return ""


def last_words(log: Path) -> str:
    """Return the last line of an endpoint's log."""
    return (tail(log, 1) or ["The endpoint ended before it was ready, without a word."])[-1]


def tail(log: Path, lines: int | None = None) -> list[str]:
    """Return the lines of a log, or the last ones without reading all of it; none where there is no log."""
    try:
        with log.open("rb") as file:
            if lines is not None:
                file.seek(max(0, file.seek(0, os.SEEK_END) - lines * LINE_BYTES))
            found = file.read().decode("utf8", errors="replace").splitlines()
            return found if lines is None else found[-lines:]
    except FileNotFoundError:
        return []


def ask_to_end(process: subprocess.Popen | psutil.Process) -> None:
    """Ask an endpoint to finish what runs and to end; one that cannot hear it (another console of Windows) is ended."""
    try:
        process.send_signal(signal.CTRL_BREAK_EVENT if sys.platform == "win32" else signal.SIGTERM)
    except OSError:
        process.terminate()


def wait_for_end(process: subprocess.Popen | psutil.Process) -> None:
    """Return once an endpoint has ended; it is killed where it takes too long."""
    try:
        process.wait(STOP_SECONDS)
    except (subprocess.TimeoutExpired, psutil.TimeoutExpired):
        process.kill()
        process.wait()


def _answering(port: int) -> list[str] | None:
    """Return the models of the endpoint that answers at a port of this machine, None where none does."""
    try:
        with urlopen(f"http://{HOST}:{port}/v1/models", timeout=ANSWER_SECONDS) as answer:
            return [entry["id"] for entry in json.load(answer)["data"]]
    except (OSError, ValueError, LookupError, TypeError):
        return None
