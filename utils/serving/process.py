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
            self.process.send_signal(signal.CTRL_BREAK_EVENT if sys.platform == "win32" else signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

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
    if port and (known := _answering(port)):
        raise ServingError(
            f"An endpoint already answers at http://{HOST}:{port}/v1, for {', '.join(known)}: use it, stop it where it "
            "was started, or take a free port with port=0."
        )
    given = {"port": port, "model": model, **options}
    flags = [_flag(name, value) for name, value in given.items() if value is not None]
    flags += [_flag("adapter", reference) for reference in adapters]
    number, name = tempfile.mkstemp(prefix="endpoint-", suffix=".log")
    with os.fdopen(number, "wb") as log:
        ends = {} if keep else {"stdin": subprocess.PIPE}
        flags += [] if keep else ["--stop-with-input"]
        process = start_apart("utils.serving", *flags, stdout=log, stderr=subprocess.STDOUT, **ends)
    with working("Starting the endpoint"):
        try:
            described = _when_ready(process, Path(name))
        except BaseException:
            process.kill()
            process.wait()
            raise
    served = Served(described.split()[0], described, process, Path(name))
    if not keep:
        atexit.register(served.stop)
    return served


def _flag(name: str, value: Any) -> str:
    option = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{option}" if value else f"--no-{option}"
    return f"--{option}={value}"


def _when_ready(process: subprocess.Popen, log: Path) -> str:
    """Wait until the endpoint is ready and return its start-up line. Raises ServingError."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        ended = process.poll() is not None
        lines = log.read_text(encoding="utf8", errors="replace").splitlines()
        if READY in lines:
            return lines[lines.index(READY) - 1]
        if ended:
            raise ServingError((lines or ["The endpoint ended before it was ready, without a word."])[-1])
        time.sleep(LOOK_AGAIN)
    raise ServingError(f"The endpoint was not ready within {START_SECONDS:g} seconds: its log is {log}.")


def _answering(port: int) -> list[str] | None:
    """Return the models of the endpoint that answers at a port of this machine, None where none does."""
    try:
        with urlopen(f"http://{HOST}:{port}/v1/models", timeout=ANSWER_SECONDS) as answer:
            return [entry["id"] for entry in json.load(answer)["data"]]
    except (OSError, ValueError, LookupError, TypeError):
        return None
