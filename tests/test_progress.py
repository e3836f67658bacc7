"""What a long call shows: how far it is and the time left, and nothing where no one looks."""

import ast
import re
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from utils import progress as module
from utils.progress import progress, working


def soon(what: Callable[[], object]) -> bool:
    """Return whether something holds within ten seconds: a busy machine starts a thread late."""
    until = time.monotonic() + 10
    while not what() and time.monotonic() < until:
        time.sleep(0.01)
    return bool(what())


class Screen:
    """Keeps what would be shown."""

    def __init__(self):
        self.texts, self.cleared = [], 0

    def show(self, work, text):
        self.texts.append(text)

    def clear(self):
        self.cleared += 1

    def comes(self, text: str) -> bool:
        """Return whether a text of this form has been shown or is within ten seconds."""
        return soon(lambda: any(re.fullmatch(text, shown) for shown in self.texts))


@pytest.fixture
def screen(monkeypatch):
    """A place where someone looks, and a clock that does not wait."""
    screen = Screen()
    monkeypatch.setattr(module, "_screen", lambda: screen)
    monkeypatch.setattr(module, "DELAY", 0.02)
    monkeypatch.setattr(module, "PAUSE", 0.005)
    return screen


def test_a_loop_shows_how_far_it_is_and_the_time_left_and_then_nothing(screen):
    seen = []
    for done, item in enumerate(progress("abc", "Scoring prompts")):
        seen.append(item)
        assert screen.comes(f"Scoring prompts: {done} of 3, {r'[0-9]+ s left' if done else r'[0-9]+ s so far'}")
    assert seen == list("abc")
    assert screen.cleared == 1 and "progress" not in {thread.name for thread in threading.enumerate()}


def test_a_block_without_parts_shows_its_clock(screen):
    with working("Reading the model"):
        assert screen.comes("Reading the model: [0-9]+ s so far")


def test_a_loop_inside_another_is_shown_as_a_part_of_it(screen):
    for run in progress(range(2), "Runs"):
        for prompt, _ in enumerate(progress(iter("ab"), "Prompts", total=2)):
            assert screen.comes(rf"Runs: {run} of 2, .* \(Prompts: {prompt} of 2, .*")
    assert screen.cleared == 1


def test_a_short_call_shows_nothing(screen, monkeypatch):
    monkeypatch.setattr(module, "DELAY", 2.0)
    assert list(progress([1, 2], "Scoring")) == [1, 2]
    assert screen.texts == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_is_interrupted_shows_nothing_more_and_the_next_call_shows_again(screen, error):
    def interrupted():
        for number in progress(range(3), "First"):
            assert screen.comes(f"First: {number} of 3, .*")
            if number:
                raise error

    with pytest.raises(error) as kept:
        interrupted()
    assert screen.cleared == 1 and kept.traceback
    for number in progress(range(2), "Second"):
        assert screen.comes(f"Second: {number} of 2, .*")
    assert screen.cleared == 2


def test_a_thread_beside_the_cell_shows_nothing(screen):
    found = []
    thread = threading.Thread(
        target=lambda: found.extend(n for n in progress(range(3), "Beside") if not time.sleep(0.03))
    )
    thread.start()
    thread.join()
    assert found == [0, 1, 2] and screen.texts == []


def test_the_time_left_counts_no_part_that_was_kept(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    work = module._Work("Runs", 16)
    assert work.seconds_left() is None
    for _ in range(10):
        now[0] += 0.005
        work.advance()
    now[0] += 3
    work.advance()
    assert work.seconds_left() == pytest.approx(15)
    now[0] += 2
    assert work.seconds_left() == pytest.approx(13)
    now[0] += 20
    assert str(work) == "Runs: 11 of 16, 0 s left"


def test_no_one_looks_where_output_goes_to_a_file(monkeypatch):
    assert module._screen() is None
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(isatty=lambda: True))
    assert isinstance(module._screen(), module._Terminal)
    monkeypatch.setattr(sys, "stderr", None)
    assert module._screen() is None


@pytest.mark.parametrize(
    ("kind", "stdin", "shown"),
    [("execute_request", True, True), ("execute_request", False, False), ("comm_msg", True, False)],
)
def test_in_a_notebook_someone_looks_where_the_cell_may_ask_for_input(monkeypatch, kind, stdin, shown):
    parent = {"header": {"msg_type": kind}, "content": {"allow_stdin": stdin}}
    shell = SimpleNamespace(kernel=SimpleNamespace(get_parent=lambda: parent))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert isinstance(module._screen(), module._Page) == shown


def test_a_terminal_s_line_is_written_over_and_emptied(monkeypatch, capsys):
    terminal = module._Terminal()
    terminal.show(module._Work("Runs", 2, done=1), "Runs: 1 of 2")
    terminal.clear()
    drawn = capsys.readouterr().err
    assert "Runs: 1 of 2" in drawn and drawn.rstrip(" ").endswith("\r") and "\n" not in drawn


def test_in_the_house_it_is_looped_over_where_no_traceback_holds_it():
    """In a `for` statement, or in what such a statement goes through, as enumerate(progress(...))."""
    loose = []
    for path in Path(module.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf8"))
        looped = {id(part) for loop in ast.walk(tree) if isinstance(loop, ast.For) for part in ast.walk(loop.iter)}
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and id(node) not in looped]
        loose += [f"{path.name}:{call.lineno}" for call in calls if getattr(call.func, "id", "") == "progress"]
    assert loose == []


class Events:
    """IPython's events of a cell."""

    def __init__(self):
        self.called = {}
        self.register = self.called.setdefault


def test_a_cell_shows_that_it_runs_and_what_its_calls_say_from_the_first_on(screen):
    events = Events()
    module.load_ipython_extension(SimpleNamespace(events=events))
    assert screen.comes("Running: [0-9]+ s so far")
    for _ in progress("ab", "Short"):
        assert screen.comes("Short: .*")
    events.called["post_run_cell"]("result")
    assert screen.cleared == 1 and not module._OPEN
    events.called["pre_run_cell"]("cell")
    events.called["post_run_cell"]("result")
    assert screen.cleared == 2


def test_what_is_done_so_far_is_said_without_a_time():
    assert module.done_so_far() == ""
    with working(module.RUNNING), working("Reading"):
        assert module.done_so_far() == "Reading"
    with working("Reading", total=2) as advance, working("Hashing"):
        advance()
        assert module.done_so_far() == "Reading: 1 of 2 (Hashing)"
