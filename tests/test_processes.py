"""Processes of the course's own: what they find, how they wait, and how they stand apart."""

import os
import subprocess
import sys

import pytest

from utils import processes


@pytest.fixture
def learner_s_folder(tmp_path, monkeypatch):
    """A folder with files that are called as modules are."""
    for name in ("utils.py", "token.py", "random.py", "torch.py"):
        (tmp_path / name).write_text("raise RuntimeError('the learner's own file was imported')\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments, **environment):
    given = {**processes.module_environment(), **environment}
    return subprocess.run([*arguments], env=given, capture_output=True, text=True)


@pytest.mark.process
def test_a_learner_s_own_files_are_not_imported(learner_s_folder):
    done = run(*processes.module_command("utils.storage.places"))
    assert done.returncode == 0, done.stderr
    assert "the learner's own file" in run(sys.executable, "-m", "utils.storage.places").stderr, "they are in the way"


@pytest.mark.parametrize("given", ["", os.pathsep, "/somewhere"])
def test_the_package_is_found_where_it_is_not_installed(given, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", given)
    path = processes.module_environment()["PYTHONPATH"].split(os.pathsep)
    assert path[0] == str(processes.ROOT) and "" not in path
    assert path[1:] == [given] * (given == "/somewhere")


@pytest.mark.parametrize(
    ("system", "apart"),
    [
        ("win32", {"creationflags": 0x200}),
        ("linux", {"start_new_session": True}),
        ("darwin", {"start_new_session": True}),
    ],
)
def test_a_process_has_a_group_of_its_own_on_every_system(system, apart, monkeypatch):
    started = []
    monkeypatch.setattr(processes.sys, "platform", system)
    monkeypatch.setattr(processes.subprocess, "Popen", lambda command, **options: started.append((command, options)))
    processes.start_apart("utils.tuning.worker", "folder", stdout=3)
    [(command, options)] = started
    assert command[1:] == ["-P", "-m", "utils.tuning.worker", "folder"]
    assert {name: options[name] for name in apart} == apart and options["stdout"] == 3
    assert ("creationflags" in options) != ("start_new_session" in options)


@pytest.mark.process
def test_waiting_threads_sleep_unless_the_user_says_otherwise(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY")
    code = "import utils, torch"
    environment = {"OMP_DISPLAY_ENV": "true"}
    asleep = run(sys.executable, "-c", code, **environment)
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in asleep.stderr, asleep.stderr[-2000:]
    awake = run(sys.executable, "-c", code, **environment, OMP_WAIT_POLICY="active")
    assert "OMP_WAIT_POLICY = 'ACTIVE'" in awake.stderr
