"""What a learner sees of a cell that ended early: in real kernels, as JupyterLab would show it."""

import ast
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import ipywidgets as widgets
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

from utils.tuning import TuningJob
from utils.tuning.states import State, Status
from utils.widgets.view import told_in

UTILS = Path(__file__).parents[1] / "utils"
SECONDS = 120
KEEPING = """
import time
from utils.progress import progress
from utils.storage.results import remembered_each
def compute(missing):
    for number in missing:
        if number == 2 and not finish:
            print("begun", flush=True)
            time.sleep(60)
        yield number, number
compute.__module__ = "utils.storage.results"
def ask(finish):
    globals()["finish"] = finish
    return [remembered_each({"ask": n}, 3, compute, "Asking") for n in progress([1, 2], "Runs")]
"""
UNFINISHED = """
try:
    print("begun", flush=True)
    time.sleep(60)
finally:
    print("again", flush=True)
    time.sleep(60)
"""


@dataclass
class Kernel:
    """A kernel that cells are run in, and interrupted, as from JupyterLab."""

    manager: KernelManager
    client: BlockingKernelClient

    def run(self, code: str, *, stop_at: tuple[str, ...] = ()) -> tuple[str, str]:
        """Return a cell's status and what it shows, without colours; Interrupt comes when it prints these words."""
        request = self.client.execute(code)
        shown, waiting = "", list(stop_at)
        while (content := self._next(self.client.get_iopub_msg, request)).get("execution_state") != "idle":
            shown += content.get("text", "") + "\n".join(content.get("traceback", ()))
            if waiting and waiting[0] in shown:
                del waiting[0]
                time.sleep(0.2)
                self.manager.interrupt_kernel()
        status = self._next(self.client.get_shell_msg, request)["status"]
        return status, re.sub(r"\x1b\[[0-9;]*m", "", shown)

    @staticmethod
    def _next(receive: Callable[..., dict], request: str) -> dict:
        while (message := receive(timeout=SECONDS))["parent_header"].get("msg_id") != request:
            pass
        return message["content"]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("results")
    environment = os.environ | {"COURSE_RESULTS": str(folder), "PYTHONPATH": str(UTILS.parent)}
    manager, client = start_new_kernel(kernel_name="python3", env=environment)
    yield Kernel(manager, client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def course(kernel) -> Kernel:
    """A kernel that has imported something of the course."""
    assert kernel.run(KEEPING) == ("ok", "")
    return kernel


@pytest.mark.process
def test_a_stopped_cell_says_in_one_line_what_is_kept_and_goes_on_from_there(course):
    status, shown = course.run("ask(finish=False)", stop_at=("begun",))
    begun, line = shown.splitlines()
    assert (status, begun) == ("error", "begun"), "Run All stops here"
    assert line == (
        "Stopped. Runs: 0 of 2 (Asking: 2 of 3). What is done is kept: run the cell again to go on from there."
    )
    assert course.run("print(ask(finish=True))") == ("ok", "[[0, 1, 2], [0, 1, 2]]\n")


@pytest.mark.process
def test_where_nothing_can_be_kept_nothing_is_promised(course, tmp_path):
    course.run("import os; folder = os.environ.pop('COURSE_RESULTS'); os.environ['COURSE_RESULTS'] = 'off'")
    _, shown = course.run("ask(finish=False)", stop_at=("begun",))
    course.run("os.environ['COURSE_RESULTS'] = folder")
    assert shown.splitlines()[1:] == ["Stopped. What this cell was doing is not kept: run it again to begin anew."]


@pytest.mark.process
def test_a_second_interrupt_says_the_same(course):
    status, shown = course.run(UNFINISHED, stop_at=("begun", "again"))
    assert status == "error"
    assert shown.splitlines()[-1] == "Stopped. What this cell was doing is not kept: run it again to begin anew."
    assert len(shown.splitlines()) == 3


@pytest.mark.process
def test_after_an_interrupted_import_the_kernel_is_to_be_restarted(course, tmp_path):
    (tmp_path / "large.py").write_text("import time\nprint('begun', flush=True)\ntime.sleep(60)\n")
    course.run(f"import sys; sys.path.insert(0, {str(tmp_path)!r})")
    _, shown = course.run("import large", stop_at=("begun",))
    assert shown.splitlines()[1:] == [
        "Stopped while packages were loaded: restart the kernel (Kernel, Restart Kernel), then run from the top."
    ]


@pytest.mark.process
@pytest.mark.parametrize("code", ["modle.generate('a')", "[modle for _ in range(2)]", "print(\n  modle)"])
def test_a_name_without_a_value_says_to_run_the_cells_above(course, code):
    course.run("model = None; del model")
    sentence = (
        "NameError: `modle` has no value in this kernel yet: run the cells above (Run, Run All Above Selected Cell), "
        "then this one again, or correct the name{}."
    )
    assert course.run(code) == ("error", sentence.format(""))
    course.run("model = 1")
    assert course.run(code) == ("error", sentence.format(" to `model`"))


@pytest.mark.process
def test_in_a_function_of_one_s_own_the_sentence_stands_below_the_traceback(course):
    status, shown = course.run("def mine():\n    return absent + 1\nmine()")
    *trace, error, sentence = shown.splitlines()
    assert status == "error" and "----> 2     return absent + 1" in trace
    assert error == "NameError: name 'absent' is not defined" and sentence.startswith("`absent` has no value")


@pytest.mark.process
def test_a_course_error_is_one_line(course):
    status, shown = course.run("from utils.datasets import load_text_to_text\nload_text_to_text('absent.jsonl')")
    assert (status, shown) == ("error", "DataError: There is no file absent.jsonl: check the path.")


@pytest.mark.process
def test_an_earlier_error_is_shown_only_where_the_learner_caught_it(course, tmp_path):
    (tmp_path / "inside.py").write_text("def look():\n    try:\n        {}['a']\n    except KeyError:\n        1 / 0\n")
    course.run(f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import inside")
    _, shown = course.run("inside.look()")
    assert "ZeroDivisionError" in shown and "KeyError: 'a'" not in shown and "During handling" not in shown
    _, shown = course.run("try:\n    {}['a']\nexcept KeyError:\n    1 / 0")
    assert "ZeroDivisionError" in shown and "KeyError: 'a'" in shown


def test_a_stopped_widget_says_so():
    place = widgets.HTML()
    with pytest.raises(KeyboardInterrupt), told_in(place):
        raise KeyboardInterrupt
    assert "Stopped. Change something here to begin anew." in place.value


def test_a_stopped_wait_says_that_the_job_goes_on(monkeypatch):
    job = TuningJob("mine", [{"input_text": "a", "output_text": "b"}])
    monkeypatch.setattr(TuningJob, "state", State(Status.RUNNING, step=3, steps=9))
    monkeypatch.setattr("utils.tuning.job.time.sleep", interrupting)
    with pytest.raises(KeyboardInterrupt) as stopped:
        job.wait()
    assert stopped.value.__notes__ == [
        "The job 'mine' goes on: run the cell again to wait for it, or end it with cancel()."
    ]


def interrupting(seconds: float) -> None:
    raise KeyboardInterrupt


def test_no_error_of_the_course_chains_through_its_own_inside():
    for path in UTILS.rglob("*.py"):
        for handler in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            raised = [node for node in ast.walk(handler) if isinstance(node, ast.Raise) and node.exc]
            if isinstance(handler, ast.ExceptHandler):
                chained = [node.lineno for node in raised if ast.unparse(node.cause or node) != "None"]
                assert not chained, f"{path}: line {chained} raises without `from None`"
