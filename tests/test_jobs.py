"""Tuning jobs: states on disk, processes of their own, and every way in which they can go wrong."""

import errno
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest
import torch

from utils.datasets.records import TextToText
from utils.errors import DataError, TuningError, UnsupportedSetting
from utils.models.loading import load_model
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
        job = TuningJob("orphan", {str(data)!r}, model={model!r}, epochs=60, batch_size=2).start()
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
        ({"epochs": 0}, "epochs"),
        ({"learning_rate": -1.0}, "learning rate"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_in_words(settings, says, data):
    with pytest.raises(UnsupportedSetting, match=says):
        TuningJob("settings", data, **settings)


@pytest.mark.parametrize("name", ["", "../up", "a b", "x" * 65, "-first"])
def test_a_name_that_cannot_be_a_folder_is_refused(name, data):
    with pytest.raises(TuningError, match="cannot be a job's name"):
        TuningJob(name, data)


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


def test_tracking_that_is_down_costs_no_training(model, data, in_this_process, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    job = TuningJob("untracked", data, model=model, epochs=1).start()
    assert job.status is Status.SUCCEEDED and job.folder.adapter.exists()
    assert job.state.version is None and len(job.state.notes) == 2
    assert "not in the registry" in job.state.notes[1]


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


def test_a_job_not_started_says_so(data):
    with pytest.raises(TuningError, match="was not started yet"):
        _ = TuningJob("idle", data).status


def test_half_a_line_of_measurements_is_not_read(model, data, in_this_process):
    job = TuningJob("half", data, model=model, epochs=1).start()
    steps = len(job.metrics)
    with (job.folder.path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "lo')
    assert len(JobFolder(job.folder.path).measured()) == steps


def test_the_shell_command_does_the_same(model, data, in_this_process, capsys):
    assert main(["--name", "shell", "--train-data", str(data), "--model", model, "--epochs", "1"]) == 0
    said = capsys.readouterr().out
    assert "SUCCEEDED, step 2 of 2" in said and "shell/1" in said
    assert main(["--name", "shell", "--status"]) == 0
    assert main(["--name", "shell", "--train-data", "no-such-file.jsonl"]) == 1
    assert "There is no file no-such-file.jsonl" in capsys.readouterr().err
    assert main(["--name", "tiny-data", "--train-data", str(write(data, records(3))), "--model", model]) == 1
