"""Training runs in MLflow: nothing raises, nothing waits long, nothing is lost."""

import math
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from utils.errors import RegistryError
from utils.registry import delete, find, models, tracking, versions
from utils.registry.tracking import Tracker, check_address, connect, tracking_uri
from utils.training.loop import Measured

BEGIN = """
from utils.registry import tracking
tracking.FINISH_SECONDS_FILE = 200
tracker = tracking.Tracker("both", {})
tracker.finish("FINISHED", [], {})
print(tracker.run_id)
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def store(cache, monkeypatch) -> str:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("COURSE_TUNING", str(cache))
    connect()
    return tracking_uri()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(tracking, "RETRY_SECONDS", 0.2)
    monkeypatch.setattr(tracking, "FINISH_SECONDS_SERVER", 1)


def measured(steps: range, *, validation_loss: float | None = None) -> list[Measured]:
    return [Measured(step, 2000, 0.0, 2.0, 0.5, validation_loss, validation_loss, 1e-3, step / 10) for step in steps]


def history(run_id: str, name: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in connect().get_metric_history(run_id, name)]


def until(true, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)


def test_a_run_has_its_parameters_curves_and_summary(store):
    tracker = Tracker("sentiment", {"method": "lora", "size": 8, "packages": "x" * 9000, "odd/name?": None})
    first, last = measured(range(1, 1500)), measured(range(1500, 1501), validation_loss=0.5)
    tracker.send(first)
    tracker.finish("FINISHED", first + last, {"seconds": 12.5, "peak_memory_bytes": 10**9})
    run = connect().get_run(tracker.run_id)
    assert tracker.problem is None
    assert connect().get_experiment(run.info.experiment_id).name == "sentiment"
    assert run.info.status == "FINISHED"
    assert run.data.params == {"method": "lora", "size": "8", "packages": "x" * 6000, "odd_name_": "None"}
    assert (run.data.metrics["seconds"], run.data.metrics["peak_memory_bytes"]) == (12.5, 1e9)
    assert history(tracker.run_id, "learning_rate") == [(step, 1e-3) for step in range(1, 1501)]
    assert history(tracker.run_id, "validation_loss") == [(1500, 0.5)]
    assert history(tracker.run_id, "loss") == [(step, 2.0) for step in range(1, 1501)]
    assert history(tracker.run_id, "seconds") == [(1500, 12.5)]


def test_each_step_is_sent_once_however_often_it_is_given(store, monkeypatch):
    from mlflow import MlflowClient

    sent, log = [], MlflowClient.log_batch

    def note(client, run_id, metrics=(), **options):
        sent.extend(metric.step for metric in metrics if metric.key == "loss")
        log(client, run_id, metrics=metrics, **options)

    monkeypatch.setattr(MlflowClient, "log_batch", note)
    tracker = Tracker("once", {})
    for end in range(1, 10):
        tracker.send(measured(range(1, end)))
    tracker.finish("FINISHED", measured(range(1, 11)), {})
    assert sent == list(range(1, 11))


def test_artifacts_lie_beside_the_store_and_nothing_in_the_working_folder(store, cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tracker = Tracker("places", {})
    tracker.finish("KILLED", [], {})
    place = connect().get_run(tracker.run_id).info.artifact_uri
    assert place.startswith((cache / "mlflow" / "mlartifacts").as_uri())
    assert list(tmp_path.iterdir()) == []


def test_an_experiment_in_the_trash_is_taken_out_again(store):
    Tracker("trash", {}).finish("FAILED", [], {})
    connect().delete_experiment(connect().get_experiment_by_name("trash").experiment_id)
    tracker = Tracker("trash", {})
    tracker.finish("FINISHED", [], {})
    assert tracker.problem is None and tracker.run_id


def test_a_locked_database_neither_stalls_training_nor_loses_a_row(store, cache):
    tracker = Tracker("locked", {})
    lock = sqlite3.connect(cache / "mlflow" / "mlflow.db", isolation_level=None, check_same_thread=False)
    lock.execute("BEGIN EXCLUSIVE")
    begun = time.monotonic()
    tracker.send(measured(range(1, 2)))
    assert time.monotonic() - begun < 5
    threading.Timer(2, lock.rollback).start()
    tracker.finish("FINISHED", measured(range(1, 3)), {})
    assert time.monotonic() - begun > 2
    assert tracker.problem is None
    assert history(tracker.run_id, "loss") == [(1, 2.0), (2, 2.0)]


def test_no_server_from_start_to_end_is_said_and_raises_nothing(monkeypatch, impatient):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:secret@127.0.0.1:{free_port()}")
    begun = time.monotonic()
    tracker = Tracker("nobody", {"method": "lora"})
    assert "no connection" in tracker.problem and "training goes on" in tracker.problem
    tracker.send(measured(range(1, 2)))
    tracker.finish("FINISHED", measured(range(1, 2)), {"seconds": 1.0})
    assert time.monotonic() - begun < 8
    assert tracker.run_id is None
    assert "4 values are missing" in tracker.problem and "secret" not in tracker.problem


def test_a_server_that_never_answers_stalls_nothing(monkeypatch, impatient):
    monkeypatch.setattr(tracking, "START_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent.getsockname()[1]}")
        begun = time.monotonic()
        tracker = Tracker("silence", {})
        tracker.send(measured(range(1, 2)))
        tracker.finish("FINISHED", measured(range(1, 2)), {})
        assert time.monotonic() - begun < 8
        assert "3 values are missing" in tracker.problem


def test_what_mlflow_does_not_take_raises_nothing(store):
    tracker = Tracker("odd", {"": object()})
    tracker.finish("FINISHED", measured(range(1, 2)), {"loss": math.inf, "seconds": "two"})
    assert "did not take all of this run" in tracker.problem
    assert history(tracker.run_id, "loss") == [(1, 2.0)]


def test_a_request_whose_answer_was_lost_begins_no_second_run(store, monkeypatch, impatient):
    from mlflow import MlflowClient

    create, answers = MlflowClient.create_run, []

    def lose_first_answer(client, *args, **options):
        answers.append(create(client, *args, **options))
        if len(answers) == 1:
            raise TimeoutError("timed out")
        return answers[-1]

    monkeypatch.setattr(MlflowClient, "create_run", lose_first_answer)
    tracker = Tracker("twice", {})
    until(lambda: tracker.problem)
    assert "no answer in time" in tracker.problem
    tracker.finish("FINISHED", [], {})
    assert tracker.run_id == answers[0].info.run_id
    assert len(answers) == 1


def test_a_run_that_mlflow_has_a_part_of_goes_on(store):
    first = Tracker("part", {"method": "lora"})
    first.send(measured(range(1, 4)))
    until(lambda: len(history(first.run_id, "loss")) == 3)
    second = Tracker("part", {"method": "lora", "size": 8}, earlier=first.run_id, seconds=0.3)
    second.finish("FINISHED", measured(range(1, 6)), {"seconds": 0.5})
    assert second.run_id == first.run_id and second.problem is None
    assert sorted(history(second.run_id, "loss")) == [(step, 2.0) for step in range(1, 6)]
    run = connect().get_run(second.run_id)
    assert run.info.status == "FINISHED" and run.data.params == {"method": "lora", "size": "8"}


def test_a_run_that_this_store_does_not_have_is_a_new_one_begun_when_the_training_was(store):
    tracker = Tracker("other store", {}, earlier="0" * 32, seconds=100.0)
    tracker.finish("FINISHED", measured(range(1, 3)), {})
    info = connect().get_run(tracker.run_id).info
    assert tracker.problem is None and history(tracker.run_id, "loss") == [(1, 2.0), (2, 2.0)]
    assert 100_000 <= info.end_time - info.start_time < 160_000


@pytest.mark.parametrize(
    "given, why",
    [
        ("postgresql://me:se/cr@et@host/db", "No module named 'psycopg"),
        ("postgresql+nodriver://host/db", "Can't load plugin"),
        ("mysql://host/db", "No module named 'MySQLdb'"),
        ("oracle://me:se/cr@et@host/db", "unsupported URI 'oracle://host/db'"),
        ("nonsense://host", "unsupported URI"),
        ("plain-folder", "maintenance mode"),
        ("file:///tmp/runs", "maintenance mode"),
        ("sqlite:", "Could not parse"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("http://", "names no server"),
        ("https:/host", "names no server"),
        ("http://host:port", "Port could not be cast"),
        ("http://host:99999", "Port out of range"),
        ("uc", "Unity Catalog"),
        ("\\\\share", "maintenance mode"),
    ],
)
def test_an_address_that_can_never_work_is_refused_in_one_sentence(given, why, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", given)
    with pytest.raises(RegistryError, match=f"{re.escape(why)}.*: install the driver .*correct the address, or unset"):
        check_address()
    with pytest.raises(RegistryError, match="MLFLOW_TRACKING_URI") as caught, tracking.asking():
        pass
    assert "cr@et" not in str(caught.value) and "se/" not in str(caught.value)
    with pytest.raises(RegistryError, match="MLFLOW_TRACKING_URI"):
        tracking.serve()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "given", ["", "  ", "sqlite:////nowhere/runs.db", "http://127.0.0.1:9", "databricks", "https://me:pw@h/x"]
)
def test_an_address_that_may_work_is_not_asked_for_an_answer(given, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", given)
    check_address()


@pytest.mark.parametrize(
    "error", [ModuleNotFoundError("no driver"), ValueError(), KeyError("x"), OSError(5, "I/O error")]
)
def test_whatever_a_store_raises_is_a_sentence(error, store, monkeypatch):
    from mlflow import MlflowClient

    def raises(*_, **__):
        raise error

    monkeypatch.setattr(MlflowClient, "search_registered_models", raises)
    for call in (models, lambda: versions("x"), lambda: find("x"), lambda: delete("x")):
        with pytest.raises(
            RegistryError, match=r"The registry at sqlite.* did not do what was asked \(.+\): mend that"
        ):
            call()


@pytest.mark.process
def test_a_server_that_goes_down_and_comes_back_misses_nothing(store, cache, tmp_path, monkeypatch, impatient):
    shutil.copy(cache / "mlflow" / "mlflow.db", tmp_path)
    port = free_port()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    monkeypatch.setattr(tracking, "FINISH_SECONDS_SERVER", 30)
    server = start_server(tmp_path, port)
    try:
        tracker = Tracker("outage", {"method": "lora"})
        tracker.send(measured(range(1, 2)))
        until(lambda: history(tracker.run_id, "loss") and not tracker._attempt.locked())
        stop(server)
        tracker.send(measured(range(1, 50)))
        until(lambda: tracker.problem)
        server = start_server(tmp_path, port)
        tracker.finish("FINISHED", measured(range(1, 51)), {"seconds": 3.0})
        assert tracker.problem is None
        assert [step for step, _ in history(tracker.run_id, "loss")] == list(range(1, 51))
        assert connect().get_run(tracker.run_id).info.status == "FINISHED"
    finally:
        stop(server)


@pytest.mark.process
def test_two_processes_begin_at_once_on_a_new_store_and_print_nothing_else(tmp_path):
    both = [run_python(BEGIN, COURSE_TUNING=str(tmp_path)) for _ in range(2)]
    outputs = [process.communicate(timeout=300) for process in both]
    assert [errors for _, errors in outputs] == ["", ""]
    assert len({output for output, _ in outputs}) == 2
    assert all(len(output.strip()) == 32 for output, _ in outputs)


@pytest.mark.process
def test_mlflow_is_imported_when_it_is_needed_only():
    process = run_python("import sys, utils.registry.tracking; print('mlflow' in sys.modules)")
    assert process.communicate(timeout=60)[0].strip() == "False"


def test_a_users_own_settings_are_kept(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    connect()
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"


def run_python(code: str, **environment: str) -> subprocess.Popen:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW")}
    command = [sys.executable, "-c", code]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env={**clean, **environment}, stdout=pipe, stderr=pipe, text=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_server(folder: Path, port: int) -> subprocess.Popen:
    """Start MLflow's server with its store in a folder, and wait until it answers."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", f"{folder}/files"]
    environment = {**os.environ, **tracking.ENVIRONMENT}
    server = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    until(lambda: answers(port), 180)
    return server


def stop(server: subprocess.Popen) -> None:
    """Kill a server and its workers."""
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def answers(port: int) -> bool:
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).status == 200
    except OSError:
        return False
