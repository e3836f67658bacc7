"""The log of an endpoint: one JSON line a request, without prompt or completion unless asked, never with a key."""

import json
import os
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from utils.errors import ServingError, short_reason
from utils.serving.refusals import Refusal
from utils.serving.requests import Event, Request, Token

LONGEST = 200
"""Characters of a name or a path, which a client may have made up, that stand in the log."""


@dataclass
class Record:
    """What is told of one HTTP request: the app begins and ends it, an interface says which model and which tokens.

    id: made here, never taken from a client. begun: seconds of the monotonic clock, which nobody sets back.
    version: the adapter's. first_token: seconds from the request to the first token.
    """

    interface: str
    method: str
    path: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    begun: float = field(default_factory=time.monotonic)
    model: str = ""
    version: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    first_token: float | None = None
    error: str = ""
    requests: Sequence[Request] = ()
    completions: dict[int, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Seconds since the request came."""
        return time.monotonic() - self.begun

    def asked(self, requests: Sequence[Request]) -> None:
        """Note what the scheduler is asked for."""
        self.requests = requests
        self.prompt_tokens = sum(len(request.prompt) for request in requests)
        self.version = next((one.adapter.reference for one in requests if one.adapter), "")

    def saw(self, number: int, event: Event) -> None:
        """Note what the scheduler answers to request `number`."""
        if isinstance(event, Refusal):
            self.error = str(event)
        if isinstance(event, Token) and event.id >= 0:
            self.first_token = self.seconds if self.first_token is None else self.first_token
            self.completion_tokens += 1
            self.completions[number] = self.completions.get(number, "") + event.text


class RequestLog:
    """Where the lines go: a file, or standard error.

    A line that cannot be written stops no answer: it is counted, said once, and the next one is tried again.
    decode: turns a prompt's tokens into text, where the log is to hold prompts and completions.
    """

    def __init__(
        self, path: Path | None, *, lost: Callable[[], None], decode: Callable[[Sequence[int]], str] | None = None
    ) -> None:
        self._path, self._lost, self._decode = path, lost, decode
        self._failing, self._torn = False, False

    def write(self, record: Record, *, status: int) -> None:
        """Write a request's line once it is answered."""
        try:
            self._append(json.dumps(self._line(record, status)).encode() + b"\n")
            self._failing = False
        except (OSError, ValueError) as error:  # ValueError: standard error is closed
            self._lost()
            if not self._failing:
                self._failing = True
                say(f"The log {self._path or ''} cannot be written ({short_reason(error)}): lines are lost.")

    def _line(self, record: Record, status: int) -> dict[str, Any]:
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "id": record.id,
            "interface": record.interface,
            "method": record.method,
            "path": record.path[:LONGEST],
            "status": status,
            "model": record.model[:LONGEST],
            "version": record.version,
            "prompt_tokens": record.prompt_tokens,
            "completion_tokens": record.completion_tokens,
            "seconds": round(record.seconds, 4),
            "first_token_seconds": None if record.first_token is None else round(record.first_token, 4),
            "error": record.error,
        }
        if self._decode is not None:
            line["prompts"] = [self._decode(request.prompt) for request in record.requests]
            line["completions"] = [record.completions.get(n, "") for n in range(len(record.requests))]
        return line

    def _append(self, line: bytes) -> None:
        """Write a line in one go, so that no other process's line stands in the middle of it."""
        if self._path is None:
            sys.stderr.buffer.write(line)
            sys.stderr.flush()
            return
        file = _opened(self._path)
        try:
            line = b"\n" + line if self._torn else line
            written = os.write(file, line)
            self._torn = 0 < written < len(line)
            if written < len(line):
                raise OSError("the disk is full")
        finally:
            os.close(file)


def check_log(path: Path) -> None:
    """Raise ServingError for a log that cannot be opened; a full disk is no reason not to begin."""
    try:
        os.close(_opened(path))
    except OSError as error:
        raise ServingError(f"The log {path} cannot be written ({short_reason(error)}): name another file.") from None


def _opened(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def say(sentence: str) -> None:
    """Tell the one who runs the endpoint; where standard error is gone, nobody listens."""
    try:
        print(sentence, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        return
