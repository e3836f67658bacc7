"""Programs by prompt, and whether they pass their tests in a restricted process."""

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from utils.arguments import number, text
from utils.datasets.uses import CodeTask, load_code_tasks
from utils.evaluation import restricted
from utils.evaluation.completions import complete
from utils.models.language_model import LanguageModel

STOP = ("\n\n", "\ndef", "\nclass", "\nprint", "\nassert", "\nif", "\n#", "\n```")
"""Where a function's body has ended, for a model that goes on."""

SECONDS, MEMORY = 2, 512_000_000
"""What a run may take: seconds of the processor, bytes of memory."""
WAITING = 3.0
"""Seconds by the clock beyond them: what sleeps takes none of the processor's, and a busy machine starts slowly."""
LONGEST_ANSWER = 100_000
STOPPED = () if sys.platform == "win32" else (-signal.SIGXCPU, -signal.SIGKILL)
"""How a process ends that has used up the processor's seconds."""
NEEDED = ("SYSTEMROOT",)
"""What Python needs of the environment, on Windows."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended: whether the tests passed, one sentence, and what was printed."""

    passed: bool
    sentence: str
    printed: str = ""


def write_code(model: LanguageModel, tasks: Sequence[CodeTask]) -> list[str]:
    """Return a whole function for each task: its head and the model's greedy body, behind the two training tasks."""
    shown = "\n\n".join(task.input_text + task.output_text for task in load_code_tasks("train"))
    prompts = [f"{shown}\n\n{task.input_text}" for task in tasks]
    bodies = complete(model, prompts, max_new_tokens=64, stop=list(STOP))
    return [task.input_text + body for task, body in zip(tasks, bodies, strict=True)]


def passes(programs: Sequence[str], tasks: Sequence[CodeTask]) -> np.ndarray:
    """Return 1 for each program that passes its task's tests, else 0; the mean is pass@1 of greedy decoding.

    Source: M. Chen et al., "Evaluating large language models trained on code", 2021 (arXiv 2107.03374), section 2.
    """
    return np.array([run_tests(one, task.tests).passed for one, task in zip(programs, tasks, strict=False)], float)


def run_tests(code: str, tests: str, *, seconds: int = SECONDS) -> Outcome:
    """Run code and then its tests (one `assert` a line) in a restricted process, and say in a sentence what came of it.

    A fresh Python with an empty environment, in an empty folder, with its own library alone. It may compute, print
    a little and import that library; whatever Python's audit events tell of besides (files, folders, network, other
    processes, the system's own functions) is refused. Limited are the processor's seconds, the time by the clock, the
    memory and what is printed: on Linux by the system, on macOS all but the memory, on Windows the time by the clock
    and what Python itself tells of.

    This keeps a model's mistakes from doing harm. It is no sandbox: code written by someone who means to break out
    can do so. Raises DataError, UnsupportedSetting.
    """
    code, tests = text(code, "the code"), text(tests, "the tests")
    seconds = int(number(seconds, "seconds, the limit of a run, is a number of 1 or more", least=1))
    word = secrets.token_hex(16)
    asked = json.dumps({"code": code, "tests": tests, "seconds": seconds, "memory": MEMORY, "word": word})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        answer, too_long = _run(asked, folder, seconds + WAITING)
    _, told, said = answer.partition(word)
    if told:
        found = json.loads(said)
        sentence = f"The code {found['reason'] or 'passed its tests'}."
        return Outcome(not found["reason"], sentence, found["printed"])
    if too_long:
        return Outcome(False, f"The code ran longer than {seconds} s and was stopped.")
    return Outcome(False, "The code ended its process before its tests were done.")


def _run(asked: str, folder: str, seconds: float) -> tuple[str, bool]:
    """Return what the process said, and whether it was stopped for its time."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-B", "-X", "utf8", restricted.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env={name: os.environ[name] for name in NEEDED if name in os.environ},
        start_new_session=True,
    )
    assert process.stdin and process.stdout
    late = threading.Event()

    def stop() -> None:
        late.set()
        process.kill()

    clock = threading.Timer(seconds, stop)
    clock.start()
    try:
        with suppress(BrokenPipeError), process.stdin as given:  # it may end before it has read
            given.write(f"{asked}\n".encode())
        answer = process.stdout.read(LONGEST_ANSWER)
        if len(answer) == LONGEST_ANSWER:
            process.kill()
        ended = process.wait()
    finally:
        process.kill()
        clock.cancel()
        process.stdout.close()
    return answer.decode("utf8", "replace"), late.is_set() or (ended in STOPPED and len(answer) < LONGEST_ANSWER)
