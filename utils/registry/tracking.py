"""Training runs recorded in MLflow, without training ever having to wait for it.

    python -m utils.registry.tracking

serves MLflow's page on the course's store. MLFLOW_TRACKING_URI names another store.
"""

import logging
import math
import os
import re
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from filelock import FileLock, Timeout

from utils.storage.places import store_dir

if TYPE_CHECKING:
    from mlflow import MlflowClient

Status = Literal["FINISHED", "FAILED", "KILLED"]
"""How a run ends, in MLflow's words."""

ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_DISABLE_AGENT_HINT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""MLflow's settings where the user has made none: short waits, and nothing printed."""

METRICS_AT_ONCE = 1000
PARAMETERS_AT_ONCE = 100
LONGEST_VALUE = 6000
LONGEST_NAME = 250
"""Limits of MLflow's `log_batch`: entries, and characters."""

NO_CONNECTION, NO_ANSWER = "no connection", "no answer in time"
RUN_TAG = "course.run"
CREATION_SECONDS = 120
START_SECONDS = 10
RETRY_SECONDS = 5
LAST_RETRY_SECONDS = 0.5
FINISH_SECONDS_SERVER = 10
FINISH_SECONDS_FILE = 45
"""A file is locked by another process for 20 s at most before SQLite gives up; a server may never come back."""

PORT = 5000


def tracking_uri() -> str:
    """Return where runs and models are kept: MLFLOW_TRACKING_URI, or a SQLite file of the course."""
    named = os.environ.get("MLFLOW_TRACKING_URI")
    if named:
        return named
    path = (store_dir() / "mlflow.db").as_posix()
    return "sqlite:///" + path.replace("%", "%25").replace("?", "%3F")


def address() -> str:
    """Return the store's address as it may be shown: without a user's name and password."""
    return re.sub(r"//[^@/]*@", "//", tracking_uri())


def artifact_root() -> Path | None:
    """Return the folder for files beside the store; None for a server, which has a place of its own."""
    uri = tracking_uri()
    if uri.split(":")[0] in ("http", "https", "databricks"):
        return None
    return (_sqlite_file(uri) or store_dir() / "mlflow.db").with_name("mlartifacts")


def connect() -> "MlflowClient":
    """Return a client of the store, whose tables are made the first time (seconds).

    Raises what MLflow raises when there is no store to be reached.
    """
    _quiet()
    from mlflow import MlflowClient

    uri = tracking_uri()
    with _one_at_a_time(uri):
        return MlflowClient(uri, registry_uri=uri)


def store_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions by which a store says that it did not do what was asked."""
    _quiet()
    from mlflow.exceptions import MlflowException
    from requests import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, RequestException, SQLAlchemyError, Timeout


def experiment_id(client: "MlflowClient", name: str) -> str:
    """Return the id of the experiment of that name: made, or taken out of the trash, if need be."""
    from mlflow.exceptions import MlflowException

    name = name[:LONGEST_NAME]
    known = client.get_experiment_by_name(name)
    if known is None:
        root = artifact_root()
        try:
            return client.create_experiment(name, artifact_location=root and (root / "runs").as_uri())
        except MlflowException:  # another process was quicker
            known = client.get_experiment_by_name(name)
            if known is None:
                raise
    if known.lifecycle_stage == "deleted":
        client.restore_experiment(known.experiment_id)
    return known.experiment_id


def reason(error: Exception) -> str:
    """Return MLflow's error in a few words."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if "timed out" in text:
        return NO_ANSWER
    if "Max retries exceeded" in text and "error responses" not in text:
        return NO_CONNECTION
    if "database is locked" in text:
        return "the database is locked by another process"
    return text[:200]


class Tracker:
    """One run in MLflow, in an experiment called after the job: its parameters, curves and summary.

    Nothing here raises, and nothing waits long: a thread of its own does the sending. What
    could not be sent is kept and sent as soon as MLflow answers again; nothing is sent twice.
    run_id: None until MLflow has given one. problem: a sentence while something is unsent,
    else None.
    """

    def __init__(self, name: str, parameters: Mapping[str, object]) -> None:
        self.run_id: str | None = None
        self.problem: str | None = None
        self._name = name
        self._client: MlflowClient | None = None
        self._parameters = list({_key(name): str(value)[:LONGEST_VALUE] for name, value in parameters.items()}.items())
        self._waiting: list[tuple[str, float, int, int]] = []
        self._begun, self._mark, self._asked = _now(), uuid.uuid4().hex, False
        self._last_step = 0
        self._end: tuple[str, int] | None = None
        self._deadline = math.inf
        self._tried, self._news, self._ending, self._done = (threading.Event() for _ in range(4))
        threading.Thread(target=self._work, name="mlflow", daemon=True).start()
        self._tried.wait(START_SECONDS)

    def log(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Record metrics; "step" in a row says after which step, what is no number is left out."""
        for row in rows:
            step = _numbers(row).get("step", math.nan)
            self._last_step = int(step) if math.isfinite(step) else self._last_step
            self._keep({name: value for name, value in row.items() if name != "step"})
        self._news.set()

    def finish(self, status: Status, metrics: Mapping[str, float]) -> None:
        """Record the summary, end the run and wait, for seconds, until all of it has arrived."""
        if self._ending.is_set():
            return
        self._keep(metrics)
        self._end = (status, _now())
        limit = FINISH_SECONDS_SERVER if artifact_root() is None else FINISH_SECONDS_FILE
        self._deadline = time.monotonic() + limit
        self._ending.set()
        self._news.set()
        if not self._done.wait(limit):
            self.problem = (
                f"MLflow at {address()} did not take all of this run ({len(self._waiting)} values are missing "
                "there): the run itself is whole, only MLflow's page of it is not."
            )

    def _keep(self, metrics: Mapping[str, float]) -> None:
        now = _now()
        self._waiting += [(_key(name), value, now, self._last_step) for name, value in _numbers(metrics).items()]

    def _work(self) -> None:
        while time.monotonic() < self._deadline:
            self._news.clear()
            try:
                self._send()
                self.problem = None
            except Exception as error:
                if time.monotonic() < self._deadline:
                    self.problem = (
                        f"MLflow at {address()} does not take what is sent ({reason(error)}): training goes on, "
                        "and what MLflow misses is sent again later."
                    )
            self._tried.set()
            if self._done.is_set():
                return
            if self.problem is None:
                self._news.wait()
            elif self._ending.wait(RETRY_SECONDS):
                time.sleep(LAST_RETRY_SECONDS)

    def _send(self) -> None:
        end = self._end
        client = self._client = self._client or connect()
        if self.run_id is None:
            self.run_id = self._begin(client)
        self._send_parameters(client, self.run_id)
        self._send_metrics(client, self.run_id)
        if end:
            status, ended = end
            client.set_terminated(self.run_id, status=status, end_time=ended)
            self._done.set()

    def _begin(self, client: "MlflowClient") -> str:
        """Begin a run, or find the one begun by a request whose answer was lost."""
        experiment = experiment_id(client, self._name)
        if self._asked:
            begun = client.search_runs([experiment], f"tags.`{RUN_TAG}` = '{self._mark}'")
            if begun:
                return begun[0].info.run_id
        self._asked = True
        tags = {RUN_TAG: self._mark}
        return client.create_run(experiment, start_time=self._begun, tags=tags, run_name=self._name).info.run_id

    def _send_parameters(self, client: "MlflowClient", run_id: str) -> None:
        from mlflow.entities import Param

        while some := self._parameters[:PARAMETERS_AT_ONCE]:
            client.log_batch(run_id, params=[Param(*entry) for entry in some])
            del self._parameters[: len(some)]

    def _send_metrics(self, client: "MlflowClient", run_id: str) -> None:
        from mlflow.entities import Metric

        while some := self._waiting[:METRICS_AT_ONCE]:
            client.log_batch(run_id, metrics=[Metric(*entry) for entry in some])
            del self._waiting[: len(some)]


def serve() -> None:
    """Serve MLflow's page on the course's store, on this machine only, until interrupted."""
    root = artifact_root()
    if root is None:
        print(f"MLflow's page is at {address()}")
        return
    connect()
    port = _free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", tracking_uri(), "--registry-store-uri", tracking_uri()]
    command += ["--default-artifact-root", root.as_uri()]
    command += ["--uvicorn-opts", "--log-level critical"]
    print(f"MLflow's page is at http://127.0.0.1:{port} until you press Ctrl+C.", flush=True)
    subprocess.run(command, check=False, env={**os.environ, "PYTHONWARNINGS": "ignore"})


def _free_port() -> int:
    for port in (PORT, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise OSError("this machine has no free port")


def _sqlite_file(uri: str) -> Path | None:
    from sqlalchemy import make_url

    if not uri.startswith("sqlite"):
        return None
    return Path(make_url(uri).database or "mlflow.db").absolute()


@contextmanager
def _one_at_a_time(uri: str) -> Iterator[None]:
    """Let one process after the other make the tables of a file."""
    file = _sqlite_file(uri)
    if file is None:
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_name(file.name + ".lock"), timeout=CREATION_SECONDS):
        yield


def _quiet() -> None:
    """Make MLflow's settings before it is imported."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    logging.getLogger("alembic").setLevel(logging.ERROR)


def _key(name: str) -> str:
    """Return a name that MLflow takes."""
    return re.sub(r"[^\w\-. ]", "_", str(name)).strip(". ")[:LONGEST_NAME] or "_"


def _numbers(metrics: Mapping[str, object]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items() if isinstance(value, Real)}


def _now() -> int:
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    try:
        serve()
    except KeyboardInterrupt:
        sys.exit()
