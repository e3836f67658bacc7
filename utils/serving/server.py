"""The server: an endpoint's application on uvicorn, from its first line to a stop that loses no completion."""

import asyncio
import errno
import signal
import socket
import sys
import threading
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from utils.errors import ServingError, short_reason
from utils.serving.app import create_app
from utils.serving.connections import Connection
from utils.serving.endpoint import Endpoint, open_endpoint
from utils.serving.settings import READY, Limits, Settings

STOP_SECONDS = 30.0
"""How long completions that run may take to end once the server is to stop; what runs then is cut off."""
CLOSE_SECONDS = 5
"""How long clients then may take to receive them."""
SWITCH_SECONDS = 0.0005
"""After how long Python's interpreter may go to another thread: the scheduler waits for it many times in a step."""
LOOK_AGAIN = 0.1
FILES = 128
"""Files that are open besides connections."""


class Server(uvicorn.Server):
    """uvicorn's server, which finishes what runs before it ends."""

    def __init__(self, endpoint: Endpoint, app: FastAPI) -> None:
        protocol: Any = partial(Connection, endpoint)
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol,
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                log_level="error",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=CLOSE_SECONDS,
            )
        )
        self.endpoint = endpoint

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop on a signal and end with 0; a second Ctrl+C waits for nothing."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take nothing more, send away what waits, finish what runs, close the connections."""
        stopping = threading.Thread(target=self.endpoint.stop, kwargs={"seconds": STOP_SECONDS}, daemon=True)
        stopping.start()
        while stopping.is_alive() and not self.force_exit:
            await asyncio.sleep(LOOK_AGAIN)
        await super().shutdown(sockets)


def run(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl+C. Raises ServingError, and what `open_endpoint` raises."""
    allow_files(settings.limits.connections + FILES)
    with listen(settings.host, settings.port) as listener:
        endpoint = open_endpoint(settings)
        server = Server(endpoint, create_app(endpoint))
        sys.setswitchinterval(SWITCH_SECONDS)
        print(described(endpoint, address(listener)), READY, sep="\n", flush=True)
        server.run(sockets=[listener])


def allow_files(count: int) -> None:
    """Let this process open so many files where the system allows it; macOS begins with 256, connections included."""
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; clients that connect before the model is loaded wait. Raises ServingError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ServingError(
                f"Port {port} of {host} is taken: choose another with --port, or --port 0 for a free one."
            ) from None
        raise ServingError(
            f"Nothing can listen at {host}, port {port} ({short_reason(error)}): choose another host or port."
        ) from None


def address(listener: socket.socket) -> str:
    """Return the address under which a listening socket is reached, without a path."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def described(endpoint: Endpoint, where: str) -> str:
    """Return the start-up line: address, models, limits."""
    limits: Limits = endpoint.limits
    base, *adapters = endpoint.adapters.names()
    held = f" and its adapters {', '.join(adapters)}" if adapters else ""
    return (
        f"{where}/v1 serves {base}{held}: {limits.rows} completions at once, {limits.waiting} waiting, each of "
        f"{limits.tokens:,} tokens and {limits.seconds:g} seconds at most."
    )
