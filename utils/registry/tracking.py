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
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar
from urllib.parse import urlsplit

from filelock import FileLock

from utils.errors import CourseError, RegistryError, short_reason
from utils.storage.files import NOT_WRITABLE, disk_errors_explained
from utils.storage.places import store_dir
from utils.training.loop import Measured

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric
    from mlflow.store.entities import PagedList

T = TypeVar("T")

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

SERVERS = ("http", "https", "databricks")
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
"""What an address begins with: a store elsewhere, or one that SQLAlchemy reaches through a driver."""

NO_CONNECTION, NO_ANSWER = "no connection", "no answer in time"
RUN_TAG = "course.run"
LOCK_SECONDS = 120
START_SECONDS = 10
RETRY_SECONDS = 5
FINISH_SECONDS_SERVER = 10
FINISH_SECONDS_FILE = 45
"""A file is locked by another process for 20 s at most before SQLite gives up; a server may never come back."""

PORT = 5000


def tracking_uri() -> str:
    """Return where runs and models are kept: MLFLOW_TRACKING_URI, or a SQLite file of the course."""
    named = os.environ.get("MLFLOW_TRACKING_URI", "").strip()
    if named:
        return named
    path = (store_dir() / "mlflow.db").as_posix()
    return "sqlite:///" + path.replace("%", "%25").replace("?", "%3F")


def address() -> str:
    """Return the store's address as it may be shown: without a user's name and password."""
    return re.sub(r"//.*@", "//", tracking_uri())


def check_address() -> None:
    """Raise RegistryError for an address that can never work: a driver is missing, or no store is reached so.

    Whether a server or a database answers is not asked.
    """
    if not os.environ.get("MLFLOW_TRACKING_URI", "").strip():
        return
    try:
        _check(tracking_uri())
    except Exception as error:
        why = reason(error).split(". ")[0]
        raise RegistryError(
            f"MLFLOW_TRACKING_URI, {address()}, is no store that can be used here ({why}): install the driver that is "
            "missing, correct the address, or unset it."
        ) from None


def is_server() -> bool:
    """Whether the store is a server, which keeps files in a place of its own."""
    return _scheme(tracking_uri()) in SERVERS


def is_there() -> bool:
    """Whether there is a store to ask: the file has been made, or it is a server's or a database's affair."""
    file = _sqlite_file(tracking_uri())
    return file is None or file.exists()


def artifact_root() -> Path | None:
    """Return the folder for files beside the store; None for a server, which has a place of its own."""
    return None if is_server() else (_sqlite_file(tracking_uri()) or store_dir() / "mlflow.db").with_name("mlartifacts")


def connect() -> "MlflowClient":
    """Return a client of the store, whose tables are made the first time (seconds).

    Raises what MLflow raises when there is no store to be reached.
    """
    _quiet()
    from mlflow import MlflowClient

    with one_at_a_time(reading=True):
        return MlflowClient(tracking_uri(), registry_uri=tracking_uri())


@contextmanager
def asking() -> Generator["MlflowClient"]:
    """Give a client, and turn whatever a store raises into a sentence, a RegistryError."""
    try:
        check_address()
        with disk_errors_explained(artifact_root() or store_dir()):
            yield connect()
    except CourseError:
        raise
    except Exception as error:  # each store raises its own kinds
        why = reason(error)
        gone = is_server() and why in (NO_CONNECTION, NO_ANSWER)
        remedy = "start the server, or unset MLFLOW_TRACKING_URI" if gone else "mend that and run this again"
        raise RegistryError(f"The registry at {address()} did not do what was asked ({why}): {remedy}.") from None


@contextmanager
def changing() -> Generator["MlflowClient"]:
    """Give a client to one process after the other; with a server, the server sees to that. Raises RegistryError."""
    with asking() as client, one_at_a_time():
        yield client


def every_page(search: "Callable[[str | None], PagedList[T]]") -> Iterator[T]:
    """Yield all that a search of MLflow finds. search: takes the token of a page, None for the first."""
    token: str | None = None
    while True:
        page = search(token)
        yield from page
        token = page.token or None
        if token is None:
            return


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
    text = short_reason(error, longest=2000).replace(tracking_uri(), address())[:200]
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

    earlier: the id of a run that MLflow has a part of, which goes on; seconds: trained before.
    """

    def __init__(
        self, name: str, parameters: Mapping[str, object], *, earlier: str | None = None, seconds: float = 0.0
    ) -> None:
        self.run_id: str | None = None
        self.problem: str | None = None
        self._name, self._parameters, self._earlier = name, parameters, earlier
        self._begun, self._mark, self._asked = _now() - int(1000 * seconds), uuid.uuid4().hex, False
        self._described = False
        self._client: MlflowClient | None = None
        self._sent, self._not_before, self._why = 0, 0.0, NO_ANSWER
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

        self._start(end).join(FINISH_SECONDS_SERVER if is_server() else FINISH_SECONDS_FILE)
        if not ended.is_set():
            missing = sum(len(_values(one)) for one in measured[self._sent :]) + len(summary)
            self.problem = (
                f"MLflow at {address()} did not take all of this run ({self._why}, {missing} values are missing there)."
            )

    def _start(self, send: "Callable[[MlflowClient], object]") -> threading.Thread:
        """Begin an attempt, which waits until the one before it has ended."""
        thread = threading.Thread(target=self._try, args=[send], name="mlflow", daemon=True)
        thread.start()
        return thread

    def _try(self, send: "Callable[[MlflowClient], object]") -> None:
        with self._attempt:
            try:
                self._client = self._client or connect()
                send(self._client)
                self.problem = None
            except Exception as error:
                self._not_before, self._why = time.monotonic() + RETRY_SECONDS, reason(error)
                self.problem = (
                    f"MLflow at {address()} does not take what is sent ({self._why}): training goes on, "
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
            self.run_id = self._taken_up(client) or self._create(client)
        if not self._described:
            parameters = {_key(name): str(value)[:LONGEST_VALUE] for name, value in self._parameters.items()}
            client.log_batch(self.run_id, params=[Param(*entry) for entry in parameters.items()])
            self._described = True
        return self.run_id

    def _taken_up(self, client: "MlflowClient") -> str | None:
        """Return the id of the earlier run if this store has it, and count what was sent then."""
        if self._earlier is not None:
            with allowing("RESOURCE_DOES_NOT_EXIST"):
                self._sent = len(client.get_metric_history(client.get_run(self._earlier).info.run_id, "loss"))
                return self._earlier
        return None

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
    check_address()
    root = artifact_root()
    if root is None:
        print(f"MLflow's page is at {address()}")
        return
    with asking():
        port = _free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", tracking_uri(), "--registry-store-uri", tracking_uri()]
    command += ["--default-artifact-root", root.as_uri()]
    command += ["--uvicorn-opts", "--log-level critical"]
    print(f"MLflow's page is at http://127.0.0.1:{port} until you press Ctrl+C.", flush=True)
    subprocess.run(command, check=False, env={**os.environ, "PYTHONWARNINGS": "ignore"})


def _free_port() -> int:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _scheme(uri: str) -> str:
    """Return what an address begins with, without the driver: "postgresql" of "postgresql+psycopg2://host/name"."""
    return uri.partition(":")[0].partition("+")[0].lower()


def _check(uri: str) -> None:
    """Raise what says why an address cannot be a store's."""
    from sqlalchemy import create_engine

    if _scheme(uri) in DATABASES:
        url = create_engine(uri).url  # imports the driver, and connects to nothing
        if _scheme(uri) == "sqlite" and url.database in (None, "", ":memory:"):
            raise ValueError("a database in memory forgets all when its process ends")
    elif _scheme(uri) in ("http", "https"):
        parts = urlsplit(uri)
        if not parts.hostname or parts.port == 0:  # asking for the port raises ValueError where it is no number
            raise ValueError("it names no server")
    elif _scheme(uri) not in SERVERS:
        connect()


def _sqlite_file(uri: str) -> Path | None:
    from sqlalchemy import make_url

    if not uri.startswith("sqlite"):
        return None
    return Path(make_url(uri).database or "mlflow.db").absolute()


@contextmanager
def one_at_a_time(*, reading: bool = False) -> Generator[None]:
    """Let one process after the other make or change a file's tables; with a server, the server sees to that.

    reading: a folder that cannot be written, where nothing can change, needs no lock.
    """
    file = _sqlite_file(tracking_uri())
    with ExitStack() as held:
        try:
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
                held.enter_context(FileLock(file.with_name(file.name + ".lock"), timeout=LOCK_SECONDS))
        except OSError as error:
            if not (reading and file and file.exists() and error.errno in NOT_WRITABLE):
                raise
        yield


@contextmanager
def allowing(code: str) -> Generator[None]:
    """Pass over MLflow's error of a code."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code != code:
            raise


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
    except CourseError as error:
        sys.exit(str(error))
