"""Training runs recorded in MLflow, without training ever having to wait for it.

    python -m utils.registry.tracking

serves MLflow's page on the course's store. MLFLOW_TRACKING_URI names another store.
"""

import logging
import os
import re
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from filelock import FileLock, Timeout

from utils.errors import short_reason
from utils.storage.places import store_dir
from utils.training.loop import Measured

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

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

STEPS_AT_ONCE = 200
LONGEST_VALUE = 6000
LONGEST_NAME = 250
"""Limits of MLflow's `log_batch`: 1000 metrics, five of them a step, and characters."""

NO_CONNECTION, NO_ANSWER = "no connection", "no answer in time"
RUN_TAG = "course.run"
CREATION_SECONDS = 120
START_SECONDS = 10
RETRY_SECONDS = 5
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
            return client.create_experiment(name, artifact_location=(root / "runs").as_uri() if root else None)
        except MlflowException:  # another process was quicker
            known = client.get_experiment_by_name(name)
            if known is None:
                raise
    if known.lifecycle_stage == "deleted":
        client.restore_experiment(known.experiment_id)
    return known.experiment_id


def reason(error: Exception) -> str:
    """Return MLflow's error in a few words."""
    text = short_reason(error)
    if "timed out" in text:
        return NO_ANSWER
    if "Max retries exceeded" in text and "error responses" not in text:
        return NO_CONNECTION
    if "database is locked" in text:
        return "the database is locked by another process"
    return text


class Tracker:
    """One run in MLflow, in an experiment called after the job: its parameters, curves and summary.

    The job's own measurements are the record; the tracker knows how many of them MLflow has,
    and sends the rest in a thread, one attempt at a time. Nothing here raises, and nothing is
    sent twice. run_id: None until MLflow has given one. problem: a sentence while something is
    unsent, else None.
    """

    def __init__(self, name: str, parameters: Mapping[str, object]) -> None:
        self.run_id: str | None = None
        self.problem: str | None = None
        self._name, self._parameters = name, parameters
        self._begun, self._mark, self._asked = _now(), uuid.uuid4().hex, False
        self._sent, self._not_before = 0, 0.0
        self._attempt = threading.Lock()
        self._start(self._begin).join(START_SECONDS)

    def send(self, measured: Sequence[Measured]) -> None:
        """Send what MLflow misses of all measurements so far, unless it is being sent to or was down just now."""
        if not self._attempt.locked() and time.monotonic() >= self._not_before:
            self._start(lambda client: self._send(client, measured))

    def finish(self, status: Status, measured: Sequence[Measured], summary: Mapping[str, float]) -> None:
        """Send the rest and the summary, end the run and wait, for seconds, until all of it has arrived."""
        now, ended = _now(), threading.Event()

        def end(client: "MlflowClient") -> None:
            run_id = self._send(client, measured)
            last = measured[-1].step if measured else 0
            client.log_batch(run_id, metrics=_metrics(summary, now, last))
            client.set_terminated(run_id, status=status, end_time=now)
            ended.set()

        self._start(end).join(FINISH_SECONDS_SERVER if artifact_root() is None else FINISH_SECONDS_FILE)
        if not ended.is_set():
            missing = sum(len(_values(one)) for one in measured[self._sent :]) + len(summary)
            self.problem = (
                f"MLflow at {address()} did not take all of this run ({missing} values are missing "
                "there): the run itself is whole, only MLflow's page of it is not."
            )

    def _start(self, send: "Callable[[MlflowClient], object]") -> threading.Thread:
        """Begin an attempt, which waits until the one before it has ended."""
        thread = threading.Thread(target=self._try, args=[send], name="mlflow", daemon=True)
        thread.start()
        return thread

    def _try(self, send: "Callable[[MlflowClient], object]") -> None:
        with self._attempt:
            try:
                send(connect())
                self.problem = None
            except Exception as error:
                self._not_before = time.monotonic() + RETRY_SECONDS
                self.problem = (
                    f"MLflow at {address()} does not take what is sent ({reason(error)}): training goes on, "
                    "and what MLflow misses is sent again later."
                )

    def _send(self, client: "MlflowClient", measured: Sequence[Measured]) -> str:
        """Log what is missing, and return the run's id."""
        run_id = self._begin(client)
        while some := measured[self._sent : self._sent + STEPS_AT_ONCE]:
            curves = [_metrics(_values(one), self._begun + int(1000 * one.seconds), one.step) for one in some]
            client.log_batch(run_id, metrics=[*chain.from_iterable(curves)])
            self._sent += len(some)
        return run_id

    def _begin(self, client: "MlflowClient") -> str:
        """Return the run's id, which MLflow gives the first time."""
        from mlflow.entities import Param

        if self.run_id is None:
            run_id = self._create(client)
            parameters = {_key(name): str(value)[:LONGEST_VALUE] for name, value in self._parameters.items()}
            client.log_batch(run_id, params=[Param(*entry) for entry in parameters.items()])
            self.run_id = run_id
        return self.run_id

    def _create(self, client: "MlflowClient") -> str:
        """Create a run, or find the one created by a request whose answer was lost."""
        experiment = experiment_id(client, self._name)
        if self._asked:
            created = client.search_runs([experiment], f"tags.`{RUN_TAG}` = '{self._mark}'")
            if created:
                return created[0].info.run_id
        self._asked = True
        tags = {RUN_TAG: self._mark}
        return client.create_run(experiment, start_time=self._begun, tags=tags, run_name=self._name).info.run_id


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
def _one_at_a_time(uri: str) -> Generator[None]:
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


def _values(measured: Measured) -> dict[str, float]:
    """Return what is shown of a step, by the names that the curves have."""
    found = {
        "loss": measured.loss,
        "fraction_of_correct_next_step_predictions": measured.accuracy,
        "validation_loss": measured.validation_loss,
        "validation_fraction_of_correct_next_step_predictions": measured.validation_accuracy,
        "learning_rate": measured.learning_rate,
    }
    return {name: value for name, value in found.items() if value is not None}


def _metrics(values: Mapping[str, float], time_ms: int, step: int) -> list["Metric"]:
    from mlflow.entities import Metric

    return [Metric(name, float(value), time_ms, step) for name, value in values.items()]


def _now() -> int:
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    try:
        serve()
    except KeyboardInterrupt:
        sys.exit()
