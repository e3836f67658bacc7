"""The endpoint on several processes or machines, behind Ray Serve: `python -m utils.serving.cluster --replicas 2`.

Each replica is the whole endpoint: base model, adapters, scheduler. Ray Serve's proxy draws two replicas for a request
and takes the one with fewer requests under way (the power of two choices). A replica whose process dies, or whose
scheduler does, is replaced. What it was answering fails with status 500, and clients ask again, as OpenAI's does by
itself: Ray Serve cannot know what was sent to them already.
"""

import os
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from utils.arguments import whole_number
from utils.errors import CourseError, ServingError, short_reason
from utils.serving.__main__ import parser, read_settings
from utils.serving.app import create_app
from utils.serving.endpoint import open_endpoint
from utils.serving.error_answers import error_response
from utils.serving.refusals import CONFLICT, Refusal
from utils.serving.server import READY, STOP_SECONDS, address, listen
from utils.serving.settings import Settings

APPLICATION = "endpoint"
HEALTH_SECONDS, STARTS = 2.0, 3
"""How often a replica is asked whether it lives, and how often it is tried to start Ray."""


class Replica:
    """One endpoint of several; Ray Serve makes it in a process of its own and calls its methods by their names."""

    def __init__(self, settings: Settings) -> None:
        self.endpoint = open_endpoint(settings)

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """Return the application that answers this replica's share of the requests."""
        return refuse_changes(create_app(self.endpoint))

    def check_health(self) -> None:
        """Raise where the replica is to be replaced."""
        if not self.endpoint.healthy:
            raise RuntimeError("The scheduler's thread has ended.")

    def __del__(self) -> None:
        self.endpoint.stop(seconds=STOP_SECONDS)


def refuse_changes(app: ASGIApp) -> ASGIApp:
    """Return an application that answers all but a change of adapters: it would reach one replica of several."""
    refusal = Refusal(
        "Adapters cannot be changed here, as only one replica would hear of it: name them at start, and move an "
        "alias in the registry, which all replicas follow.",
        status=CONFLICT,
    )

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        changes = scope["type"] == "http" and scope["method"] != "GET" and scope["path"].startswith("/v1/adapters")
        await (error_response(scope["path"], refusal) if changes else app)(scope, receive, send)

    return answer


@contextmanager
def cluster(settings: Settings, replicas: int) -> Generator[str]:
    """Serve from processes of this machine, or of the cluster that RAY_ADDRESS names; yield the address.

    Raises ServingError.
    """
    with listen(settings.host, settings.port) as listener:  # says whether it can be had, and finds a free one
        where, port = address(listener), listener.getsockname()[1]
    serve = started(replicas)
    try:
        serve.start(http_options={"host": settings.host, "port": port})
        make = serve.deployment(
            name=APPLICATION,
            num_replicas=replicas,
            max_constructor_retry_count=replicas,
            max_ongoing_requests=settings.limits.connections,
            health_check_period_s=HEALTH_SECONDS,
            graceful_shutdown_timeout_s=STOP_SECONDS,
        )
        try:
            serve.run(make(serve.ingress()(Replica)).bind(settings), name=APPLICATION)
        except RuntimeError as error:  # it ends with the last line of a replica's traceback
            raise ServingError(f"The replicas do not start: {str(error).strip().splitlines()[-1]}") from None
        yield where
    finally:
        serve.shutdown()


def started(replicas: int) -> Any:
    """Return Ray Serve, once Ray runs: a cluster of its own on this machine, unless RAY_ADDRESS names one.

    Ray gives its own processes half a minute to start, too little for a busy machine: it is tried again. Raises
    ServingError.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        from ray import serve
    except ImportError:
        raise ServingError("Ray is not installed: run make cluster, or pip install 'ray[serve]'.") from None
    own: dict[str, Any] = {} if "RAY_ADDRESS" in os.environ else {"num_cpus": replicas, "include_dashboard": False}
    for left in reversed(range(STARTS)):
        try:
            ray.init(**own, log_to_driver=False)
            return serve
        except Exception as error:  # Ray has no kind of its own for it
            ray.shutdown()
            if not left:
                raise ServingError(f"Ray does not start: {short_reason(error)}") from None


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM or Ctrl+C and return the exit status: 0, or 1 where it cannot be started."""
    options = parser()
    options.prog = "python -m utils.serving.cluster"
    options.add_argument("--replicas", type=int, default=2, help="endpoints that answer side by side, 2 if left out")
    given = vars(options.parse_args(arguments))
    stopped = threading.Event()
    try:
        replicas = whole_number(given["replicas"], "replicas is a whole number, 1 or more", least=1)
        with cluster(read_settings(given), replicas) as where:
            for stop in (signal.SIGTERM, signal.SIGINT):
                signal.signal(stop, lambda *_: stopped.set())
            print(f"{where}/v1 is answered by {replicas} replicas.", READY, sep="\n", flush=True)
            stopped.wait()
    except CourseError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
