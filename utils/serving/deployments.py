"""Endpoints by name that outlive the kernel: each is a process of `python -m utils.serving`, found again by its file.

The files stand beside the tuning jobs, so that every notebook and every studio finds the same endpoints.
"""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import psutil
from filelock import FileLock

from utils.arguments import text, texts
from utils.errors import ServingError, short_reason
from utils.processes import find_process, known_by, start_apart
from utils.progress import working
from utils.serving.process import (
    ask_to_end,
    last_words,
    options_of,
    require_free,
    startup_line,
    tail,
    wait_for_end,
    when_ready,
)
from utils.storage.files import disk_errors_explained, write_text
from utils.storage.places import deployments_dir, lasting

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
Status = Literal["starting", "ready", "ended"]


@dataclass(frozen=True)
class Deployment:
    """An endpoint as it was deployed.

    model: what `load_model` takes, None for the course's own. adapters: references in the registry. options: any
    other of `Settings` and `Limits`, by name. pid, began: its process, and when that began (psutil's `create_time`).
    """

    name: str
    model: str | None
    adapters: tuple[str, ...]
    options: dict[str, Any]
    pid: int
    began: float

    @property
    def process(self) -> psutil.Process | None:
        """Its process, None once that has ended."""
        return find_process(self.pid, self.began)

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.process is not None

    @property
    def status(self) -> Status:
        """How it is; what has ended can be deployed again."""
        if not self.alive:
            return "ended"
        return "ready" if self.url else "starting"

    @property
    def described(self) -> str:
        """Its address, models and limits, as it said when it was ready; empty before."""
        return startup_line(self.log_file)

    @property
    def url(self) -> str:
        """Its OpenAI interface, such as "http://127.0.0.1:8000/v1"; empty before it is ready."""
        return self.described.partition(" ")[0]

    @property
    def log_file(self) -> Path:
        """Where it says how it started, and one JSON line a request."""
        return _file(self.name, "log")

    def log(self, *, lines: int | None = None) -> str:
        """Return what it has said: all of it, or its last lines."""
        return "\n".join(tail(self.log_file, lines))

    @property
    def last_words(self) -> str:
        """The last line of its log."""
        return last_words(self.log_file)

    @property
    def command(self) -> str:
        """The shell's command for such an endpoint, which then ends with Ctrl+C."""
        flags = options_of(model=self.model, adapters=self.adapters, **self.options)
        return shlex.join(["python", "-m", "utils.serving", *flags])

    def __repr__(self) -> str:
        said = {"starting": "is starting", "ready": "is ready", "ended": "has ended"}[self.status]
        return f"The endpoint {self.name!r} {said}: {self.described if self.alive else self.last_words}"


def deploy(
    name: str,
    *,
    model: str | os.PathLike[str] | None = None,
    adapters: Sequence[str] = (),
    port: int = 0,
    **options: Any,
) -> Deployment:
    """Start an endpoint that goes on when this kernel ends, wait until it is ready, and return it.

    name: letters, digits, - and _; one that has ended is replaced. model, adapters, options: as for `serve`; port: 0
    takes a free one. Raises ServingError: for a name whose endpoint runs, also where another kernel was quicker, and
    with the sentence of what failed.
    """
    model = None if model is None else lasting(text(model, "the model"))
    adapters, options, log = tuple(texts(adapters, "the adapters")), {"port": port, **options}, _file(name, "log")
    with disk_errors_explained(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(_file(name, "lock")):
            _require_ended(name)
            require_free(port)
            flags = options_of(model=model, adapters=adapters, **options)
            with log.open("wb") as said:
                process = start_apart("utils.serving", *flags, stdout=said, stderr=subprocess.STDOUT)
            made = Deployment(name, model, adapters, options, *known_by(process.pid))
            write_text(_file(name, "json"), json.dumps(asdict(made), default=str))
    try:
        with working(f"Starting the endpoint {name}"):
            when_ready(process, log)
    except KeyboardInterrupt:
        undeploy(name)
        raise
    return made


def redeploy(name: str) -> Deployment:
    """Deploy again, as before, what has ended. Raises ServingError."""
    known = find_deployment(name)
    return deploy(name, model=known.model, adapters=known.adapters, **known.options)


def deployments() -> list[Deployment]:
    """Return what was deployed, from whichever kernel, by name; also what has ended of itself."""
    found = []
    for path in sorted(deployments_dir().glob("*.json")):
        with suppress(ServingError):
            found.append(find_deployment(path.stem))
    return found


def find_deployment(name: str) -> Deployment:
    """Return what was deployed under a name. Raises ServingError."""
    path = _file(name, "json")
    try:
        found = json.loads(path.read_text(encoding="utf8"))
        return Deployment(**found | {"adapters": tuple(found["adapters"])})
    except FileNotFoundError:
        raise ServingError(f"No endpoint named {name!r} is deployed in {path.parent}: check the name.") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ServingError(f"{path} cannot be read ({short_reason(error)}): delete it.") from None


def undeploy(name: str) -> None:
    """Let an endpoint finish what runs, for seconds, end it, and forget it; its log stays. Raises ServingError."""
    process = find_deployment(name).process
    if process is not None:
        with suppress(psutil.NoSuchProcess):
            ask_to_end(process)
            wait_for_end(process)
    _file(name, "json").unlink(missing_ok=True)


def _require_ended(name: str) -> None:
    if not _file(name, "json").exists():
        return
    known = find_deployment(name)
    if known.alive:
        where = f"answers at {known.url}" if known.url else "is starting"
        raise ServingError(f"An endpoint named {name!r} {where}: use it, undeploy it, or take another name.")


def _file(name: str, kind: str) -> Path:
    found = text(name, "the endpoint's name")
    if not NAME.fullmatch(found):
        raise ServingError(f"{found!r} cannot be an endpoint's name: use letters, digits, - and _, 64 at most.")
    return deployments_dir() / f"{found}.{kind}"
