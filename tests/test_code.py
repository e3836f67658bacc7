"""Programs in a restricted process: what passes, and what each way to do harm gets to hear."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from utils.datasets.uses import load_code_tasks
from utils.errors import DataError, UnsupportedSetting
from utils.evaluation import code, restricted
from utils.evaluation.code import passes, run_tests

pytestmark = pytest.mark.process

RIGHT = "def f(x):\n    return x + 1\n"
TESTS = "assert f(1) == 2\nassert f(2) == 3\n"
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")

REFUSED = {
    "import os; os.remove({victim!r})": "tried to delete a file",
    "import pathlib; pathlib.Path({victim!r}).unlink()": "tried to delete a file",
    "import shutil; shutil.rmtree({folder!r})": "tried to delete a folder",
    "import os; os.rename({victim!r}, 'other')": "tried to rename a file",
    "open({victim!r}, 'w')": "tried to write a file",
    "open('new.txt', 'x').write('a')": "tried to write a file",
    "import os; os.open({victim!r}, os.O_WRONLY)": "tried to write a file",
    "open({victim!r}).read()": "tried to read a file",
    "import os; os.listdir({folder!r})": "tried to list a folder",
    "import os\nwhile True: os.fork()": "tried to start another process",
    "import subprocess; subprocess.run(['true'])": "tried to start another process",
    "import os; os.system('true')": "tried to start another process",
    "import _posixsubprocess": "tried to start another process",
    "import socket; socket.socket()": "tried to use the network",
    "import urllib.request; urllib.request.urlopen('http://localhost')": "tried to use the network",
    "import ctypes": "tried to call the system's own functions",
    "import os; os.kill(os.getppid(), 9)": "tried to end another process",
    "import os; os.chdir('/')": "tried to use os.chdir",
}
STOPPED = {
    "while True: pass": "ran longer than 1 s and was stopped.",
    "import time; time.sleep(60)": "ran longer than 1 s and was stopped.",
    "while True:\n    try:\n        while True: pass\n    except BaseException:\n        pass": "ran longer than 1 s",
    "import os; os._exit(0)": "ended its process before its tests were done.",
    "import sys; sys.exit(0)": "ended the process before its tests were done.",
    "while True: print('a' * 1000)": "printed more than 10,000 characters.",
    "def f(x): return f(x)": "RecursionError",
    "def f(x): return x": "failed the test: f(1) == 2.",
    "def f(x): raise KeyboardInterrupt": "stopped with KeyboardInterrupt: no message, in the test: f(1) == 2.",
    "def f(x) return x": "is not valid Python (expected ':'",
    "class E(Exception):\n    def __str__(self): raise E\nraise E": "stopped with E: no message.",
    "": "stopped with NameError: name 'f' is not defined, in the test: f(1) == 2.",
    "import numpy": "stopped with ModuleNotFoundError: No module named 'numpy'.",
    "input()": "stopped with EOFError",
    "import os\ndef f(x): return os.environ['HOME']": "stopped with KeyError: 'HOME', in the test: f(1) == 2.",
}


@pytest.mark.parametrize(
    "program",
    [
        RIGHT,
        "f = lambda x: x + 1",
        "import math, re, collections, itertools, random, functools, dataclasses, datetime, json, heapq\n" + RIGHT,
        "print('working')\n" + RIGHT,
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\n" + RIGHT,
    ],
)
def test_a_right_program_passes(program):
    outcome = run_tests(program, TESTS)
    assert outcome.passed and outcome.sentence == "The code passed its tests.", outcome


@pytest.fixture
def victim(tmp_path):
    """A file in a folder, as they were at the end."""
    path = tmp_path / "victim.txt"
    path.write_text("here")
    yield path
    assert path.read_text() == "here" and [found.name for found in tmp_path.iterdir()] == ["victim.txt"]


def harmful(program: str, victim: Path) -> str:
    return program.format(victim=str(victim), folder=str(victim.parent))


@pytest.mark.parametrize(("program", "sentence"), REFUSED.items(), ids=REFUSED.values())
def test_what_does_harm_is_refused(program, sentence, victim):
    outcome = run_tests(f"{harmful(program, victim)}\n{RIGHT}", TESTS)
    assert outcome == code.Outcome(False, f"The code {sentence}, which the restricted run refuses.")


@pytest.mark.parametrize("program", ["import os; os.remove({victim!r})", "import ctypes", "open({victim!r}, 'w')"])
def test_it_is_told_even_where_the_program_catches_it_and_passes_its_tests(program, victim):
    caught = f"try:\n    {harmful(program, victim)}\nexcept BaseException:\n    pass\n{RIGHT}"
    outcome = run_tests(caught, TESTS)
    assert not outcome.passed and outcome.sentence == f"The code {REFUSED[program]}, which the restricted run refuses."


@pytest.mark.parametrize(("program", "sentence"), STOPPED.items(), ids=range(len(STOPPED)))
def test_what_does_not_pass_is_a_sentence(program, sentence):
    begun = time.monotonic()
    outcome = run_tests(program, TESTS, seconds=1)
    assert not outcome.passed and sentence in outcome.sentence
    assert time.monotonic() - begun < 30 and len(outcome.printed) <= restricted.LONGEST_PRINT


@POSIX
@pytest.mark.parametrize("program", ["x = [0] * 10**10", "x = []\nwhile True: x.append('a' * 10**6)"])
@pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not limit it")
def test_memory_is_limited(program):
    assert run_tests(program, TESTS).sentence == "The code needed more memory than the restricted run allows."


def test_nothing_of_the_environment_is_there_and_nothing_of_the_folder_stays(monkeypatch, tmp_path):
    monkeypatch.setenv("SECRET_TOKEN", "do not read")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    outcome = run_tests("import os; print(dict(os.environ))\n" + RIGHT, TESTS)
    assert outcome.passed and outcome.printed == "{}\n"
    assert list(tmp_path.iterdir()) == []


def test_bytes_written_past_python_reach_nobody_and_pass_no_test():
    flood = "import os\nfor k in range(32):\n    try: os.write(k, b'x' * 10**6)\n    except OSError: pass\n"
    assert "x" * 10 not in run_tests(flood, TESTS).printed
    verdict = json.dumps({"reason": "", "printed": ""})
    forged = f"import os\nfor k in range(32):\n    try: os.write(k, {verdict.encode()!r})\n    except OSError: pass\n"
    assert not run_tests(f"{forged}os._exit(0)", TESTS).passed


def test_the_first_thing_that_was_tried_is_the_one_that_is_told():
    program = "import os\ntry: os.remove('a')\nexcept BaseException: pass\nopen('b', 'w')\n"
    assert "delete a file" in run_tests(program, TESTS).sentence


def test_no_process_is_left(monkeypatch):
    started = []
    popen = subprocess.Popen
    monkeypatch.setattr(code.subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1])
    for program in (RIGHT, "while True: pass", "import os; os._exit(3)"):
        run_tests(program, TESTS, seconds=1)
    assert all(process.returncode is not None for process in started) and len(started) == 3


def test_the_restricted_module_imports_python_s_own_library_only():
    source = Path(restricted.__file__).read_text(encoding="utf8")
    done = subprocess.run([sys.executable, "-I", "-S", "-c", source.replace("    main()", "    pass")])
    assert done.returncode == 0


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_task_s_body_passes_its_tests_and_no_body_fails_them(split):
    tasks = load_code_tasks(split)
    assert passes([task.input_text + task.output_text for task in tasks], tasks).tolist() == [1] * len(tasks)
    assert passes([f"{task.input_text}\n    return None" for task in tasks], tasks).tolist() == [0] * len(tasks)


def test_what_is_no_text_and_no_number_of_seconds_is_named():
    nothing: Any = None
    with pytest.raises(DataError, match="The code is a text"):
        run_tests(nothing, TESTS)
    with pytest.raises(UnsupportedSetting, match="limit of a run"):
        run_tests(RIGHT, TESTS, seconds=0)
