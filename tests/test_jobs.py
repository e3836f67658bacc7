"""Tuning jobs: states on disk, processes of their own, and every way in which they can go wrong."""

import errno
import json
import math
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import torch

from utils.datasets.records import TextToText
from utils.errors import DataError, ModelNotFound, RegistryError, TuningError, UnsupportedSetting
from utils.models.loading import load_model
from utils.registry import delete, find, load, models, versions
from utils.registry.tracking import connect
from utils.training.loop import Training
from utils.tuning import Status, TuningJob, worker
from utils.tuning.__main__ import main
from utils.tuning.job import _spawn
from utils.tuning.states import JobFolder, folders

LONG = {"epochs": 400, "batch_size": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One folder for all jobs here: making a store for their tracking takes seconds."""
    return tmp_path_factory.mktemp("tuning")


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, folder):
    monkeypatch.setenv("COURSE_TUNING", str(folder))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="module")
def model(tmp_path_factory, tiny_tokenizer):
    from tests.tiny_models import tiny_model

    folder = tmp_path_factory.mktemp("tiny") / "llama"
    tiny_model("llama").save_pretrained(folder)
    tiny_tokenizer.save_pretrained(folder)
    return str(folder)


def records(count, start=0):
    return [TextToText(f"Say {n}:", f"yes {n % 7}") for n in range(start, start + count)]


def write(path, some):
    path.write_text(
        "".join(json.dumps({"input_text": r.input_text, "output_text": r.output_text}) + "\n" for r in some)
    )
    return path


@pytest.fixture
def data(tmp_path):
    return write(tmp_path / "train.jsonl", records(12))


@pytest.fixture
def in_this_process(monkeypatch):
    """The job's work is done here and now, where faults can be put in."""
    monkeypatch.setattr("utils.tuning.job._spawn", lambda folder: worker.work(folder))


def work_as(environment, folder):
    os.environ.clear()
    os.environ.update(environment)
    worker.work(folder)


@pytest.fixture(scope="module")
def parent():
    """A process in which all that a job needs is imported already; jobs are forked from it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.test_jobs", "mlflow"])
    return context


@pytest.fixture
def in_a_fork(monkeypatch, parent):
    """The job has a process of its own, which begins without importing anything."""

    def spawn(folder):
        process = parent.Process(target=work_as, args=(dict(os.environ), folder))
        process.start()
        folder.started_by(process.pid)

    monkeypatch.setattr("utils.tuning.job._spawn", spawn)


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def process_of(job):
    return psutil.Process(json.loads((job.folder.path / "process.json").read_text())[0])


@pytest.mark.process
def test_a_job_runs_in_a_process_of_its_own_and_its_result_answers(model, data):
    job = TuningJob("says-yes", data, write(data.with_name("v.jsonl"), records(10, 50)), model=model, epochs=2)
    begun = time.monotonic()
    job.start()
    assert time.monotonic() - begun < 2 and not job.status.is_end
    seen = set()
    until(lambda: seen.add(job.status) or job.status.is_end)
    assert job.status is Status.SUCCEEDED, job.state
    assert seen <= {Status.PENDING, Status.VALIDATING, Status.RUNNING, Status.SUCCEEDED}
    assert list(job.metrics["step"]) == [1, 2, 3, 4]
    assert job.metrics["validation_loss"].notna().sum() >= 2
    assert job.state.version == 1 and job.state.run_id and job.state.notes == ()
    base = load_model(model, device="cpu")
    assert isinstance(job.result(base=base).generate("Say 3:", max_new_tokens=4), str)


def test_the_same_job_is_taken_up_and_another_of_its_name_is_a_new_version(model, data, in_this_process):
    first = TuningJob("twice", data, model=model, epochs=1).start()
    again = TuningJob("twice", data, model=model, epochs=1).start()
    assert again.folder == first.folder and again.status is Status.SUCCEEDED
    other = TuningJob("twice", data, model=model, epochs=1, seed=1).start()
    assert other.folder != first.folder and (first.state.version, other.state.version) == (1, 2)
    anew = TuningJob("twice", data, model=model, epochs=1, seed=1).start(anew=True)
    assert anew.state.version == 3
    back = TuningJob("twice", data, model=model, epochs=1).start()
    assert back.folder == first.folder, "the same job, behind newer ones of its name"


def test_a_restarted_kernel_finds_the_job(model, data, in_this_process):
    started = TuningJob("found", data, model=model, epochs=1, method="ia3", learning_rate_multiplier=0.5).start()
    found = TuningJob.find("found")
    assert found.folder == started.folder and found.status is Status.SUCCEEDED
    assert found.start().folder == started.folder, "the same job, whoever holds it"
    with pytest.raises(TuningError, match="No job named 'lost'"):
        TuningJob.find("lost")


@pytest.mark.process
def test_a_job_goes_on_when_the_kernel_that_started_it_is_killed(model, data):
    code = f"""
        from utils.tuning import TuningJob
        job = TuningJob("orphan", {str(data)!r}, model={model!r}, epochs=60, batch_size=2).start(quiet=True)
        print("started", flush=True)
        job.wait()
    """
    kernel = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
    assert kernel.stdout.readline() == "started\n"
    os.kill(kernel.pid, signal.SIGKILL)
    kernel.wait()
    assert TuningJob.find("orphan").wait().status is Status.SUCCEEDED


@pytest.mark.process
def test_files_in_the_learner_s_folder_that_are_called_as_modules_are_do_not_break_a_job(
    model, data, tmp_path, monkeypatch
):
    for name in ("utils.py", "token.py", "random.py"):
        (tmp_path / name).write_text("raise RuntimeError('the learner's own file was imported')\n")
    monkeypatch.chdir(tmp_path)
    assert TuningJob("shadowed", data.name, model=model, epochs=1).start().wait().status is Status.SUCCEEDED


@pytest.mark.process
def test_an_import_that_fails_is_quoted(model, data, tmp_path, monkeypatch):
    (tmp_path / "peft.py").write_text("raise ImportError('peft was built for another torch')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    job = TuningJob("broken", data, model=model, epochs=1).start()
    monkeypatch.setattr("utils.tuning.states.SECONDS_TO_START", 0.0)
    until(lambda: job.status.is_end)
    assert "ended at step 0 with 'ImportError: peft was built for another torch'" in job.state.cause
    assert "memory" not in job.state.cause and job.state.can_go_on


@pytest.mark.process
def test_a_killed_job_says_so_and_goes_on_to_the_same_end(model, data, in_a_fork, monkeypatch):
    untouched = TuningJob("untouched", data, model=model, epochs=60, batch_size=2).start().wait()
    monkeypatch.setenv("COURSE_CHECKPOINT_SECONDS", "0")
    job = TuningJob("killed", data, model=model, epochs=60, batch_size=2).start()
    until(lambda: job.state.step >= 20)
    process_of(job).kill()
    until(lambda: job.status.is_end)
    assert job.status is Status.FAILED and job.state.can_go_on
    with pytest.raises(TuningError, match="goes on from its last checkpoint"):
        job.wait()
    assert job.folder.checkpoint.exists()
    assert TuningJob("killed", data, model=model, epochs=60, batch_size=2).start().wait().status is Status.SUCCEEDED
    assert job.state.run_id and job.state.notes == ()
    tracked = connect().get_metric_history(job.state.run_id, "loss")
    assert [point.step for point in tracked] == list(job.metrics["step"]), "the new run has what the old one measured"
    assert [point.value for point in tracked] == job.metrics["loss"].to_list()
    columns = ["loss", "accuracy", "learning_rate"]
    assert job.metrics[columns].to_numpy() == pytest.approx(untouched.metrics[columns].to_numpy(), abs=1e-5)


@pytest.mark.process
def test_a_cancelled_job_ends_soon_and_can_be_started_again(model, data, in_a_fork):
    job = TuningJob("cancelled", data, model=model, **LONG).start()
    until(lambda: job.state.step >= 3)
    job.cancel()
    until(lambda: job.status.is_end, seconds=10)
    assert job.wait().status is Status.CANCELLED and not job.folder.adapter.exists()
    with pytest.raises(TuningError, match="was cancelled"):
        job.result()
    reached = job.state.step
    again = TuningJob("cancelled", data, model=model, **LONG).start()
    until(lambda: again.state.step > reached)
    again.cancel()
    until(lambda: again.status.is_end)


@pytest.mark.process
def test_two_jobs_of_one_name_at_once_are_refused_unless_they_are_the_same(model, data, in_a_fork):
    job = TuningJob("one", data, model=model, **LONG).start()
    with pytest.raises(TuningError, match="is running, with other data or settings"):
        TuningJob("one", data, model=model, seed=5, **LONG).start()
    same = TuningJob("one", data, model=model, **LONG).start()
    assert same.folder == job.folder and len(folders("one")) == 1
    job.cancel()
    until(lambda: job.status.is_end)


def test_cancel_while_the_adapter_is_saved_leaves_a_whole_adapter(model, data, in_this_process, monkeypatch):
    real = worker.save_adapter

    def save_and_cancel(*arguments, **named):
        real(*arguments, **named)
        folders("late")[0].ask_to_cancel()

    monkeypatch.setattr(worker, "save_adapter", save_and_cancel)
    job = TuningJob("late", data, model=model, epochs=1).start()
    assert job.status is Status.SUCCEEDED
    assert not list(job.folder.path.glob(".new-*"))
    assert job.result(base=load_model(model, device="cpu"))


@pytest.mark.parametrize("where", ["torch.save", "utils.tuning.worker.save_adapter"])
def test_a_full_disk_is_named_and_the_job_goes_on_afterwards(where, model, data, in_this_process, monkeypatch):
    monkeypatch.setenv("COURSE_CHECKPOINT_SECONDS", "0")
    name = f"full-disk-{where.rpartition('.')[2]}"

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(where, full)
        job = TuningJob(name, data, model=model, epochs=2).start()
    assert job.status is Status.FAILED and "The disk is full" in job.state.cause
    assert not job.folder.adapter.exists() and job.state.can_go_on
    assert TuningJob(name, data, model=model, epochs=2).start().status is Status.SUCCEEDED


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"input_text": "a", "output_text"', "line 4 is not valid JSON"),
        ('{"prompt": "a", "completion": "b"}', 'line 4 has no text in "input_text"'),
        ("", "line 4 is empty"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_before_anything_starts(line, says, model, data):
    lines = data.read_text().splitlines()
    data.write_text("\n".join([*lines[:3], line, *lines[3:]]) + "\n")
    with pytest.raises(DataError, match=says):
        TuningJob("bad-line", data, model=model).start()
    assert folders("bad-line") == []


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"method": "lorra"}, "There is no tuning method 'lorra'"),
        ({"method": "ia3", "adapter_size": 4}, "has no size"),
        ({"adapter_size": 0}, "An adapter_size of 0"),
        ({"adapter_size": 8.0}, "adapter_size"),
        ({"adapter_size": True}, "adapter_size"),
        *(({"epochs": value}, "number of epochs") for value in (0, -1, 1.5, 2.0, True, "3", None, math.inf, math.nan)),
        *(({"batch_size": value}, "batch_size") for value in (0, 4.0, "8", False, None)),
        *(
            ({setting: value}, name)
            for setting, name in (("learning_rate", "learning rate"), ("learning_rate_multiplier", "multiplier"))
            for value in (0, 0.0, -1.0, math.inf, -math.inf, math.nan, "2e-4", True, np.float64("inf"), [1e-3])
        ),
        ({"learning_rate": 1e300, "learning_rate_multiplier": 1e300}, "learning rate"),
        ({"learning_rate": 1e39}, "learning rate"),
        ({"learning_rate": 1e-300, "learning_rate_multiplier": 1e-300}, "learning rate"),
        *(({"seed": value}, "seed") for value in (1.0, "0", None, True, 2**40)),
    ],
)
def test_a_setting_that_cannot_be_is_refused_in_words(settings, says, data):
    with pytest.raises(UnsupportedSetting, match=says):
        TuningJob("settings", data, **settings)


def test_numbers_of_numpy_and_paths_are_taken(model, data, in_this_process):
    job = TuningJob(
        Path("numpy"),
        data,
        method=np.str_("lora"),
        model=Path(model),
        epochs=np.int64(1),
        learning_rate=np.float32(0.5),
        learning_rate_multiplier=torch.tensor(0.5),
        batch_size=np.int32(4),
        adapter_size=np.int8(4),
        seed=np.uint16(7),
    )
    plain = {"epochs": 1, "learning_rate": 0.25, "batch_size": 4, "adapter_size": 4, "seed": 7}
    assert job.asked == {**plain, "method": "lora", "model": model, "weights": None, "make_default": True}
    assert {type(value) for value in job.asked.values()} == {int, float, str, bool, type(None)}
    assert job.start().status is Status.SUCCEEDED
    assert TuningJob("numpy", data, model=model, **plain).start().folder == job.folder


@pytest.mark.parametrize("name", ["", "../up", "a b", "x" * 65, "-first"])
def test_a_name_that_cannot_be_a_folder_is_refused(name, data):
    for call in (lambda: TuningJob(name, data), lambda: TuningJob.find(name)):
        with pytest.raises(TuningError, match="cannot be a job's name"):
            call()


@pytest.mark.parametrize("given", [{"name": 5}, {"model": 3}, {"model": ["a"]}, {"method": None}, {"name": None}])
def test_what_is_no_text_is_refused_where_one_is_asked_for(given, data):
    with pytest.raises(DataError, match="is a text"):
        TuningJob(**{"name": "texts", "train_data": data, **given})


def test_data_that_the_linter_refuses_fails_the_job_with_its_reason(model, tmp_path, in_this_process):
    job = TuningJob("few", write(tmp_path / "few.jsonl", records(4)), model=model).start()
    assert job.status is Status.FAILED and "10" in job.state.cause
    with pytest.raises(TuningError, match="'few' failed"):
        job.wait()


def test_a_learning_rate_that_diverges_fails_the_job_with_advice(model, data, in_this_process, monkeypatch):
    real = Training._learn

    def diverge(self, some):
        with torch.no_grad():
            next(iter(self.weights.values())).mul_(float("inf"))
        return real(self, some)

    monkeypatch.setattr(Training, "_learn", diverge)
    job = TuningJob("wild", data, model=model, learning_rate=100.0).start()
    assert job.status is Status.FAILED
    assert "diverged" in job.state.cause and "learning rate below 100" in job.state.cause
    assert not job.state.can_go_on


def test_tracking_that_is_down_costs_no_training(model, data, in_this_process, monkeypatch, capsys):
    asked = ["--name", "untracked", "--train-data", str(data), "--model", model, "--epochs", "1"]
    with monkeypatch.context() as patched:
        patched.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        assert main(asked) == 0
        job = TuningJob.find("untracked")
        assert job.status is Status.SUCCEEDED and job.state.version is None and len(job.state.notes) == 1
        assert "no connection" in job.state.notes[0] and "job.register() records what is missing" in job.state.notes[0]
        said = capsys.readouterr().out
        assert job.state.notes[0] in said and "None" not in said
        assert main(["--name", "untracked", "--register"]) == 1
        assert "no connection" in capsys.readouterr().err
    assert main(["--name", "untracked", "--register"]) == 0
    assert_recorded(job)


def assert_recorded(job):
    """All of a job is in the store, once, and answers."""
    assert job.state.status is Status.SUCCEEDED and job.state.notes == ()
    assert versions(job.name)["number"].tolist() == [job.state.version]
    client = connect()
    run = client.get_run(job.state.run_id)
    assert run.info.status == "FINISHED" and run.data.params["method"] == "lora"
    assert len(client.search_runs([run.info.experiment_id])) == 1
    steps = [point.step for point in client.get_metric_history(job.state.run_id, "loss")]
    assert steps == job.metrics["step"].to_list()
    assert run.data.metrics["steps"] == len(steps) and run.data.metrics["peak_memory_bytes"] > 0
    version = find(f"{job.name}/{job.state.version}")
    assert version.metrics["file_bytes"] > 0 and version.parameters["epochs"] == job.asked["epochs"]


ERRORS = [ModuleNotFoundError("No module named 'psycopg2'"), ValueError(), KeyError("id"), OSError(5, "I/O error")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_whatever_a_store_raises_the_adapter_is_kept_and_recorded_later(
    error, model, data, in_this_process, monkeypatch
):
    name = f"raises-{type(error).__name__}"

    def raises(*_, **__):
        raise error

    with monkeypatch.context() as patched:
        patched.setattr("utils.registry.tracking.connect", raises)
        job = TuningJob(name, data, model=model, epochs=1).start()
        assert job.status is Status.SUCCEEDED and job.state.version is None
        assert len(job.state.notes) == 1 and "job.register()" in job.state.notes[0]
        assert job.result(base=load_model(model, device="cpu"))
        with pytest.raises(RegistryError, match="did not take all of this run"):
            job.register()
        assert len(job.state.notes) == 1
    monkeypatch.setattr(Training, "run", lambda self: pytest.fail("it is trained already"))
    assert job.register().start().folder == job.folder
    assert_recorded(job)
    job.register()
    assert_recorded(job)
    delete(name)
    job.register()
    assert versions(name)["number"].tolist() == [job.state.version]


@pytest.mark.parametrize(
    "what", ["create_run", "log_batch", "set_terminated", "log_artifacts", "create_model_version", "get_run"]
)
def test_what_a_store_has_already_is_not_recorded_twice(what, model, data, in_this_process, monkeypatch):
    from mlflow import MlflowClient

    def raises(*_, **__):
        raise RuntimeError("the store broke")

    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, what, raises)
        job = TuningJob(f"breaks-{what}", data, model=model, epochs=1).start()
        assert job.status is Status.SUCCEEDED and len(job.state.notes) == 1 and "the store broke" in job.state.notes[0]
    assert_recorded(job.register())


ADDRESSES = ["postgresql://me:secret@host/db", "mysql://host/db", "foo://host", "sqlite:", "http://", "http://h:port"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_that_cannot_work_is_refused_before_training(address, model, data, in_this_process, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    job = TuningJob("unaddressed", data, model=model)
    for call in (job.start, lambda: versions("unaddressed")):
        with pytest.raises(RegistryError, match="MLFLOW_TRACKING_URI, .*is no store.*unset it") as caught:
            call()
        assert "secret" not in str(caught.value)
    assert folders("unaddressed") == []


def test_only_a_job_that_has_succeeded_can_be_registered(model, tmp_path, in_this_process):
    job = TuningJob("unregistered", write(tmp_path / "few.jsonl", records(4)), model=model)
    for start, says in ((False, "was not started yet"), (True, "failed")):
        if start:
            job.start()
        with pytest.raises(TuningError, match=says):
            job.register()


def test_a_process_killed_before_its_last_word_trains_nothing_again(model, data, in_this_process, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(worker, "record", lambda folder, tracker: replace(folder.written_state, status=Status.RUNNING))
        job = TuningJob("last-word", data, model=model, epochs=1).start()
    assert job.status is Status.FAILED and job.state.can_go_on
    monkeypatch.setattr(Training, "run", lambda self: pytest.fail("it is trained already"))
    assert job.start().status is Status.SUCCEEDED
    assert job.state.version == 1 and job.state.notes == ()


def test_a_model_that_is_not_there_fails_the_job_in_words(data, in_this_process):
    job = TuningJob("nowhere", data, model="no/such/model").start()
    assert job.status is Status.FAILED and "No model named" in job.state.cause


@pytest.mark.process
def test_a_job_whose_process_never_began_is_not_waited_for_forever(model, data, monkeypatch):
    monkeypatch.setattr("utils.tuning.job._spawn", lambda folder: None)
    job = TuningJob("unborn", data, model=model).start()
    assert job.status is Status.PENDING and job.metrics.empty
    monkeypatch.setattr("utils.tuning.states.SECONDS_TO_START", 0.0)
    assert job.status is Status.FAILED and job.state.can_go_on
    monkeypatch.setattr("utils.tuning.job._spawn", _spawn)
    assert TuningJob("unborn", data, model=model).start().wait().status is Status.SUCCEEDED


def test_records_can_be_given_without_a_file_and_from_memory(model, in_this_process):
    import fsspec

    with fsspec.open("memory://tuning/train.jsonl", "w") as file:
        file.writelines(
            json.dumps({"input_text": r.input_text, "output_text": r.output_text}) + "\n" for r in records(12)
        )
    here = TuningJob("given", records(12), model=model, epochs=1).start()
    cloud = TuningJob("given", "memory://tuning/train.jsonl", model=model, epochs=1).start()
    assert cloud.folder == here.folder, "the same records are the same job, wherever they lie"


def as_dictionaries(some):
    return [{"input_text": one.input_text, "output_text": one.output_text, "id": 3} for one in some]


def as_frame(some):
    return pd.DataFrame(as_dictionaries(some))


def as_pairs(some):
    return ((one.input_text, one.output_text) for one in some)


@pytest.mark.parametrize("kind", [as_dictionaries, as_frame, as_pairs, tuple])
def test_records_of_every_kind_are_the_same_job(kind, model, monkeypatch):
    monkeypatch.setattr("utils.tuning.job._spawn", lambda folder: None)
    plain = TuningJob(f"kind-{kind.__name__}", records(12), records(2, 50), model=model).start()
    other = TuningJob(plain.name, kind(records(12)), kind(records(2, 50)), model=model).start()
    assert other.folder == plain.folder and other.folder.records() == (records(12), records(2, 50))


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        3,
        {"input_text": "a", "output_text": "b"},
        ["Say 1: yes"],
        [("a",)],
        [("a", 1)],
        [{"prompt": "a", "completion": "b"}],
        [{"input_text": "a", "output_text": math.nan}],
        [("a", "  ")],
        [("", "b")],
        [("a", "half \ud83d")],
        pd.DataFrame({"text": ["a"], "label": ["b"]}),
        pd.DataFrame({"input_text": ["a"], "output_text": [None]}),
    ],
    ids=str,
)
def test_data_of_another_kind_is_refused_at_the_call(wrong):
    with pytest.raises(DataError):
        TuningJob("kinds", wrong)
    if wrong is not None:
        with pytest.raises(DataError):
            TuningJob("kinds", records(12), wrong)
    assert folders("kinds") == []


def test_data_without_a_record_is_refused_before_anything_starts(model):
    with pytest.raises(DataError, match="no record in train_data"):
        TuningJob("empty", [], model=model).start()
    assert folders("empty") == []


def test_a_model_and_data_in_the_working_folder_are_found_from_another(
    data, model, tmp_path, in_this_process, monkeypatch
):
    shutil.copytree(model, tmp_path / "plain")
    monkeypatch.chdir(tmp_path)
    here = load_model("./plain", device="cpu")
    jobs = [TuningJob("elsewhere", data.name, model=given, epochs=1) for given in ("./plain", Path("plain"), here)]
    monkeypatch.chdir("/")
    assert {job.asked["model"] for job in jobs} == {str(tmp_path / "plain")}
    job = jobs[0].start()
    assert job.status is Status.SUCCEEDED
    assert job.result().generate("Say 3:", max_new_tokens=2) == load("elsewhere").generate("Say 3:", max_new_tokens=2)
    assert find("elsewhere").parameters["base"] == find("elsewhere").parameters["model"] == str(tmp_path / "plain")


def test_a_job_not_started_says_so(data):
    with pytest.raises(TuningError, match="was not started yet"):
        _ = TuningJob("idle", data).status


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def change(path, **fields):
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


DAMAGES = {
    "state empty": lambda job: (job / "state.json").write_text(""),
    "state cut": lambda job: cut(job / "state.json"),
    "state without status": lambda job: (job / "state.json").write_text("{}"),
    "state of another kind": lambda job: (job / "state.json").write_text("[]"),
    "state unknown": lambda job: change(job / "state.json", status="RESTING"),
    "state gone": lambda job: (job / "state.json").unlink(),
    "settings with more": lambda job: change(job / "settings.json", colour="red"),
    "settings with less": lambda job: (job / "settings.json").write_text('{"name": "x"}'),
    "settings cut": lambda job: cut(job / "settings.json"),
    "settings gone": lambda job: (job / "settings.json").unlink(),
    "settings no text": lambda job: (job / "settings.json").write_bytes(b"\xff\xfe\x00"),
    "all gone": lambda job: [file.unlink() for file in job.iterdir() if file.is_file()],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_job_is_a_sentence_and_the_next_has_a_new_number(damage, model, data, monkeypatch):
    monkeypatch.setattr("utils.tuning.job._spawn", lambda folder: None)
    name = damage.replace(" ", "-")
    job = TuningJob(name, data, model=model).start()
    DAMAGES[damage](job.folder.path)
    left = {file: file.read_bytes() for file in job.folder.path.iterdir()}
    with pytest.raises(TuningError, match=r"The job in .*0001 cannot be read \((state|settings).json: .*start the job"):
        print(TuningJob.find(name).state)
    again = TuningJob(name, data, model=model).start()
    assert again.folder.path.name == "0002" and again.status is Status.PENDING
    assert {file: file.read_bytes() for file in job.folder.path.iterdir()} == left, "the damaged one stays as it is"
    assert TuningJob.find(name).folder == again.folder


def test_what_is_no_job_s_folder_is_passed_over_and_never_overwritten(model, data, monkeypatch):
    monkeypatch.setattr("utils.tuning.job._spawn", lambda folder: None)
    first = TuningJob("copied", data, model=model).start()
    shutil.copytree(first.folder.path, first.folder.path.with_name("0001 (1)"))
    (first.folder.path.with_name("0002")).write_text("a file")
    first.folder.path.with_name("0003.tmp").mkdir()
    assert TuningJob("copied", data, model=model, seed=5).folder is None
    assert [folder.path.name for folder in folders("copied")] == ["0001", "0002"]
    other = TuningJob("copied", data, model=model, seed=5).start()
    assert other.folder.path.name == "0003" and first.folder.path.with_name("0002").read_text() == "a file"


@pytest.mark.parametrize(
    "left", ["", "garbage", "5", "[1]", '["a", 1]', "[-1, 2]", "[1e400, 2]", "null", str([10**30, 1])]
)
def test_a_note_of_the_process_that_cannot_be_read_is_no_process(left, model, data, monkeypatch):
    monkeypatch.setattr("utils.tuning.job._spawn", lambda folder: None)
    job = TuningJob("process", data, model=model).start()
    (job.folder.path / "process.json").write_text(left)
    assert not job.folder.is_alive() and job.status is Status.PENDING


def interrupted(name, model, data, monkeypatch, *, at):
    """A job that found the disk full before a step, with a checkpoint of the step before it."""
    monkeypatch.setenv("COURSE_CHECKPOINT_SECONDS", "0")
    real = Training._learn

    def full(self, some):
        if self.step == at:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, some)

    with monkeypatch.context() as patched:
        patched.setattr(Training, "_learn", full)
        job = TuningJob(name, data, model=model, epochs=3, batch_size=4).start()
    assert job.state.can_go_on and job.folder.checkpoint.exists() and job.state.step == at
    return job


@pytest.mark.parametrize("damage", ["half", "empty", "other"])
def test_a_damaged_checkpoint_means_training_from_the_beginning_with_a_note(
    damage, model, data, in_this_process, monkeypatch
):
    job = interrupted(f"checkpoint-{damage}", model, data, monkeypatch, at=5)
    if damage == "half":
        cut(job.folder.checkpoint)
    elif damage == "empty":
        job.folder.checkpoint.write_bytes(b"")
    else:
        state = torch.load(job.folder.checkpoint, weights_only=True)
        torch.save(state | {"optimizer": {"state": {}, "param_groups": []}}, job.folder.checkpoint)
    before = job.metrics["loss"].to_list()
    again = TuningJob(job.name, data, model=model, epochs=3, batch_size=4).start()
    assert again.folder == job.folder and again.status is Status.SUCCEEDED
    assert len(again.state.notes) == 1 and "checkpoint was damaged" in again.state.notes[0]
    assert list(again.metrics["step"]) == list(range(1, 10))
    assert again.metrics["loss"].to_list()[:5] == pytest.approx(before, abs=1e-5)
    again.register()
    assert "checkpoint was damaged" in again.state.notes[0], "what is recorded is not what was trained"


def test_half_a_line_of_measurements_is_mended_when_the_job_goes_on(model, data, in_this_process, monkeypatch):
    job = interrupted("half-line", model, data, monkeypatch, at=5)
    with (job.folder.path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')
    assert list(job.metrics["step"]) == [1, 2, 3, 4, 5]
    assert job.start().status is Status.SUCCEEDED and job.state.notes == ()
    assert list(job.metrics["step"]) == list(range(1, 10))


def test_a_damaged_line_of_measurements_is_left_out_with_a_warning(model, data, in_this_process):
    job = TuningJob("half", data, model=model, epochs=1).start()
    steps = len(job.metrics)
    path = job.folder.path / "metrics.jsonl"
    path.write_text(path.read_text() + '{"step": 3}\n' + '{"step": 3, "lo')
    with pytest.warns(UserWarning, match="Line 3 of .*metrics.jsonl is damaged"):
        assert len(JobFolder(job.folder.path).measured()) == steps


@pytest.mark.parametrize("split", ["train", "validation"])
def test_data_that_was_deleted_from_a_job_is_found_before_it_goes_on(split, model, data, in_this_process, monkeypatch):
    held_out = write(data.with_name("v.jsonl"), records(3, 50))
    monkeypatch.setattr("utils.tuning.job._spawn", lambda folder: None)
    job = TuningJob(f"{split}-gone", data, held_out, model=model).start()
    (job.folder.path / f"{split}.jsonl").unlink()
    monkeypatch.setattr("utils.tuning.states.SECONDS_TO_START", 0.0)
    assert worker.work(job.folder).status is Status.FAILED
    assert "its copy of the data is not what it was" in job.state.cause
    with pytest.raises(DataError, match="no record in train_data"):
        TuningJob.find(job.name).start()
    assert TuningJob(job.name, data, held_out, model=model).start().folder.path.name == "0002"


def test_an_adapter_that_was_deleted_is_said_and_trained_again(model, data, in_this_process):
    job = TuningJob("adapter-gone", data, model=model, epochs=1).start()
    shutil.rmtree(job.folder.adapter)
    for call in (job.result, job.register):
        with pytest.raises(TuningError, match=r"was deleted: load it with registry.load\('adapter-gone/1'\), or start"):
            call()
    assert load("adapter-gone/1", base=load_model(model, device="cpu"))
    again = TuningJob("adapter-gone", data, model=model, epochs=1).start()
    assert again.folder.path.name == "0002" and again.state.version == 2


def test_a_folder_that_was_deleted_is_said(model, data, in_this_process):
    job = TuningJob("folder-gone", data, model=model, epochs=1).start()
    shutil.rmtree(job.folder.path)
    for call in (job.result, job.cancel, job.register, lambda: job.status):
        with pytest.raises(TuningError, match="cannot be read"):
            call()


def test_weights_that_are_not_finite_after_the_last_step_never_become_a_version(
    model, data, in_this_process, monkeypatch
):
    def diverge(optimizer, real=torch.optim.AdamW.step):
        real(optimizer)
        optimizer.param_groups[0]["params"][0].data[0, 0] = math.inf

    monkeypatch.setattr(torch.optim.AdamW, "step", diverge)
    job = TuningJob("infinite", data, model=model, epochs=1, batch_size=12, learning_rate=1e30).start()
    assert job.status is Status.FAILED and not job.folder.adapter.exists() and not job.state.can_go_on
    assert "not finite after the last step: the training diverged" in job.state.cause
    assert "learning rate below 1e+30, a tenth" in job.state.cause
    assert "infinite" not in models()["model"].tolist()


def test_a_model_that_cannot_be_reached_costs_no_checkpoint(model, data, in_this_process, monkeypatch):
    job = interrupted("unreachable", model, data, monkeypatch, at=5)

    def gone(name):
        raise ModelNotFound("There is no network.")

    with monkeypatch.context() as patched:
        patched.setattr(worker, "load_model", gone)
        job.start()
    assert job.state.cause == "There is no network." and job.state.can_go_on
    assert job.start().status is Status.SUCCEEDED and job.folder.path.name == "0001"


def test_the_shell_command_does_the_same(model, data, in_this_process, capsys):
    assert main(["--name", "shell", "--train-data", str(data), "--model", model, "--epochs", "1"]) == 0
    said = capsys.readouterr().out
    assert "SUCCEEDED, step 2 of 2" in said and "shell/1" in said
    assert main(["--name", "shell", "--status"]) == 0
    assert main(["--name", "shell", "--train-data", "no-such-file.jsonl"]) == 1
    assert "There is no file no-such-file.jsonl" in capsys.readouterr().err
    for rate in ("inf", "nan", "0", "-1"):
        assert main(["--name", "shell", "--train-data", str(data), "--learning-rate", rate]) == 1
        assert "The learning rate is a number above 0" in capsys.readouterr().err
    for wrong in (["--epochs", "1.5"], ["--batch-size", "4.0"], ["--seed", "one"]):
        with pytest.raises(SystemExit):
            main(["--name", "shell", "--train-data", str(data), *wrong])
    assert main(["--name", "tiny-data", "--train-data", str(write(data, records(3))), "--model", model]) == 1
