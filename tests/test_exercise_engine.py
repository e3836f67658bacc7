"""The engine of all checks: cases, mistakes, properties, and whatever a learner's code may do."""

import functools
import sys
import threading
import time
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import torch
from jupyter_client.manager import start_new_kernel

from utils.authoring import ROOT
from utils.errors import DataError
from utils.exercises import check, hint, running
from utils.exercises.attempts import load_attempts, path
from utils.exercises.checks import NOT_ATTEMPTED, assess
from utils.exercises.exercise import Case, Exercise, Property, Wrong, generated, same
from utils.exercises.limits import TimeIsUp, time_limit
from utils.exercises.mistakes import Mistake, NotAttempted
from utils.exercises.reading import as_labels, as_list, as_number, as_numbers, as_tensor, as_text, as_texts, as_whole
from utils.exercises.running import Run, equal, is_stub, random_states
from utils.exercises.showing import kind, shown

DOUBLE = Exercise(
    "Twice as much.",
    call="double(number, items=())",
    cases=[
        Case((2, [1]), "Two and two are more."),
        Case((3, [1, 2]), "Add the number to itself."),
        Case((0, [3]), "Nothing stays nothing.", edge="0"),
        *generated(lambda draw: (draw.randrange(1, 90), [draw.random()]), 5, why="Add the number to itself."),
    ],
    right=lambda number, items: 2 * number,
    mistakes=[Wrong(lambda number, items: number * number, "You take the square.")],
    properties=[Property(lambda got, case: got < 500, lambda got, case: f"That is too much for {case.given[0]}.")],
    read=as_number,
)


def _sum(run, *, weight, more=0):
    if run(1, []) + more != weight:
        raise Mistake("The weight is another.")
    return f"The weight is {weight}."


FRAGILE = Exercise(
    "Fine.",
    call="parts(number, items)",
    cases=[Case((3, []))],
    properties=[Property(lambda got, case: got["parts"] == 3, "Three parts.")],
)
CHECKS = {
    "98.1": DOUBLE,
    "98.3": FRAGILE,
    "98.4": Exercise("Fine.", examine=lambda answer: answer["parts"]),
    "98.2": Exercise("Fine.", call="fourfold(number, items)", cases=[Case((3, []))], right=lambda n, items: 4 * n),
    "98.12": Exercise("Weighed.", call="weigh(number, items)", examine=_sum),
    "98.13": Exercise("A value.", examine=lambda answer: ""),
}


@pytest.fixture(autouse=True)
def lesson_98(monkeypatch, tmp_path):
    module = ModuleType("utils.exercises.lesson_98")
    module.CHECKS = CHECKS
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(running, "SECONDS", 0.3)
    (tmp_path / "hints_98.md").write_text("98.1\n- What is twice?\n- Use +.\n  Or *.\n\n98.12\n- Weigh.\n- More.\n")
    monkeypatch.setattr("utils.exercises.hints.FOLDER", tmp_path)


def verdict(answer, exercise="98.1", **given):
    return assess(exercise, answer, **given)[0]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda n, items: n + n, "correct. Twice as much."),
        (lambda n, items: n * n, "not yet. You take the square."),
        (lambda n, items: n * n if n else 1 / n, "not yet. You take the square."),
        (lambda n, items: n * n if n < 9 else 2 * n, "not yet. double(3, [1, 2]) gave 9. Add the number to itself."),
        (lambda n, items: n + 2, "not yet. double(3, [1, 2]) gave 5. Add the number to itself."),
        (lambda n, items: 2 * n or 1, "not yet. Edge case, 0: double(0, [3]) gave 1. Nothing stays nothing."),
        (
            lambda n, items: 2 * n or None,
            "not yet. Edge case, 0: double(0, [3]) gave None: in this case the function ends without `return`, or",
        ),
        (lambda n, items: 2 * n if n < 3 else None, "not yet. double(3, [1, 2]) gave None: in this case"),
        (lambda n, items: 500, "not yet. double(2, [1]) gave 500. That is too much for 2."),
        (
            lambda n, items: str(n),
            "not yet. double(2, [1]) gave '2'. One number was expected here, and this is a text.",
        ),
        (
            lambda n, items: ...,
            "not yet. double(2, [1]) gave Ellipsis. One number was expected here, and this is three",
        ),
        (
            None,
            "not yet. The function double itself is asked for, without brackets behind its name; you handed over None",
        ),
        (4, "not yet. The function double itself is asked for, without brackets behind its name; you handed over 4"),
    ],
)
def test_an_answer_is_judged_by_its_table(answer, said):
    assert verdict(answer).startswith(said), verdict(answer)


def test_a_value_that_no_check_has_foreseen_is_refused_in_a_sentence():
    assert verdict(lambda n, items: 7, "98.3").endswith(
        "gave 7. That is another kind of value than the exercise asks for."
    )
    assert "another kind of value" in verdict(7, "98.4") and assess("98.3", lambda n, items: {"parts": 3})[1]


def test_a_mistake_that_explains_only_some_results_is_not_named():
    """2 times 2 is 2 squared, and the one case that differs speaks for itself."""
    assert "square" not in verdict(lambda n, items: n * n if n in (2, 3) else n)


def wrong_and_slow(number, items):
    if number == 3:
        while True:
            try:
                time.sleep(60)
            except Exception:
                number += 1
    return number * number


def catches_all(number, items):
    while True:
        try:
            number += 1
        except:  # noqa: E722
            number = 0


def endless_generator(number, items):
    while True:
        yield


@pytest.mark.parametrize("answer", [wrong_and_slow, catches_all, lambda n, items: [n for _ in iter(lambda: 1, 0)]])
def test_what_never_ends_is_stopped_and_told_with_its_input(answer):
    begun = time.monotonic()
    said = verdict(answer)
    assert "was stopped: it did not end within 0.3 seconds" in said and "double(" in said
    assert time.monotonic() - begun < 5


def test_an_endless_generator_is_cut():
    said = verdict(endless_generator)
    assert "a list of 100000" in said or "was stopped" in said


def test_the_limit_holds_in_other_threads():
    said = []
    thread = threading.Thread(target=lambda: said.append(verdict(lambda n, items: [n for _ in iter(lambda: 1, 0)])))
    thread.start()
    thread.join(20)
    assert "was stopped" in said[0]


def test_code_that_ends_in_time_is_left_alone():
    with time_limit(0.05):
        pass
    time.sleep(0.1)
    with pytest.raises(TimeIsUp), time_limit(0.05):
        time.sleep(5)


def test_all_calls_of_a_check_share_a_limit(monkeypatch):
    monkeypatch.setattr(running, "ALL_SECONDS", 0.5)
    run = Run("f", ("x",), lambda x: time.sleep(5))
    run.spent = 0.4
    with pytest.raises(Mistake, match=r"f\(3\) was stopped.* all calls of this check"):
        run(3)


def divides(number, items):
    return items[number / 2]


def leaves(number, items):
    sys.exit(3)


def interrupted(number, items):
    raise KeyboardInterrupt


def not_there(number, items):
    import nowhere_to_be_found

    return nowhere_to_be_found


async def later(number, items):
    return 2 * number


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (divides, "double(2, [1]) stopped with TypeError: list indices must be integers or slices, not float, in your "
         "line `return items[number / 2]`. / makes a float: use // for a number of items."),
        (leaves, "stopped with SystemExit, in your line `sys.exit(3)`. `exit()` ends the whole program"),
        (interrupted, "stopped with KeyboardInterrupt, in your line `raise KeyboardInterrupt`. You stopped it."),
        (not_there, "The package nowhere_to_be_found is not installed here"),
        (later, "leave out the word async"),
        (lambda n: n, "takes 1 positional argument but 2 were given. A function is called with another"),
        (lambda n, items: items.sort() + 1, "Something here is None."),
        (lambda n, items: 1 / (n - 2), "ZeroDivisionError: division by zero, in your line"),
        (lambda n, items: items["a"], "TypeError: list indices must be integers"),
        (lambda n, items: {}["key"], "The dictionary has no key 'key'"),
        (lambda n, items: items.texts, "A list has nothing called texts"),
        (lambda n, items: unknown_name, "Nothing is called unknown_name here"),  # noqa: F821
        (lambda n, items: items[9], "the first is 0"),
        (lambda n, items: max([]), "deal with the empty case first"),
        (lambda n, items: "a" + n, "make both sides the same kind"),
        (lambda n, items: torch.ones(2) @ torch.ones(3), "RuntimeError"),
        (lambda n, items: bool(torch.ones(2)), "use .any() or .all()"),
        (lambda n, items: bool(np.ones(2)), "use .any() or .all()"),
        (lambda n, items: next(iter([])), "StopIteration"),
        (lambda n, items: items[0](), "cannot be called"),
    ],
)  # fmt: skip
def test_an_exception_is_told_in_plain_words_with_the_learner_s_line(answer, said):
    assert said in verdict(answer), verdict(answer)


def deep(number, items):
    return deep(number + 1, items)


def test_a_recursion_without_end_is_told():
    assert "calls itself without end" in verdict(deep)


@pytest.mark.parametrize("change", [list.pop, list.clear, list.reverse, lambda items: items.append(4)])
def test_a_changed_argument_is_named(change):
    said = verdict(lambda n, items: (change(items) and 0) or 2 * n)
    assert "changed `items`, which belongs to the caller" in said and "Work on a copy" in said


def talks(number, items):
    print("number is", number)
    return number * number


def test_what_an_answer_prints_stands_behind_the_verdict_and_is_cut(capsys):
    said = verdict(talks)
    assert said.startswith("not yet. You take the square.\nYour code printed:\nnumber is 2\nnumber is 3\n")
    assert said.endswith("\n...") and len(said.splitlines()) == 8
    assert verdict(lambda n, items: print("x" * 9999) or 2 * n).endswith("x\n...")
    assert len(verdict(lambda n, items: print("x" * 9999) or 2 * n)) < 600
    assert capsys.readouterr().out == ""


def stub(number, items):
    """Return twice the number."""
    # your code here


def prints_only(number, items):
    """Return twice the number."""
    print(number)


@pytest.mark.parametrize("answer", [stub, ...])
def test_the_untouched_stub_is_not_attempted(answer):
    assert assess("98.1", answer) == (NOT_ATTEMPTED, False)
    assert load_attempts() == []


@pytest.mark.parametrize("answer", [prints_only, lambda n, items: None, None, lambda *_: ...])
def test_whatever_else_gives_nothing_is_an_attempt(answer):
    assert not is_stub(answer) and verdict(answer) != NOT_ATTEMPTED


class Doubler:
    def __call__(self, n, others=()):
        return 2 * n

    def method(self, first, second):
        return 2 * first


@pytest.mark.parametrize(
    "answer",
    [
        Doubler,
        Doubler(),
        Doubler().method,
        functools.partial(lambda factor, n, items: factor * n, 2),
        lambda *given: 2 * given[0],
        lambda n, items: 2.0 * n,
        lambda n, items: np.float32(2 * n),
        lambda n, items: torch.tensor([2 * n]),
        lambda n, items: np.array(2 * n),
    ],
)
def test_whatever_can_be_called_and_whatever_is_a_number_counts(answer):
    assert assess("98.1", answer)[1], verdict(answer)


def double(number, items):
    """Return twice the number."""
    # your code here


def tripled(number, items):
    return 2 * helper(number, items)


def helper(number, items):
    """A stub of the learner's own."""


def test_an_earlier_function_that_is_empty_or_wrong_is_named(monkeypatch):
    answer = eval("lambda n, items: 2 * double(n, items)", {"double": stub})
    assert verdict(answer, "98.2") == (
        "not yet. Your function calls `double` of Exercise 98.1, which is still empty. Write that one first."
    )
    answer = eval("lambda n, items: 2 * double(n, items)", {"double": lambda n, items: 3 * n})
    assert "`double` of Exercise 98.1, and that one is not right yet: check('98.1', double) says why" in verdict(
        answer, "98.2"
    )
    answer = eval("lambda n, items: 2 * double(n, items)", {"double": lambda n, items: 2 * n})
    assert assess("98.2", answer)[1]
    answer = eval("lambda n, items: 5 * double(n, items)", {"double": lambda n, items: 2 * n})
    assert "fourfold(3, []) gave 30" in verdict(answer, "98.2")
    assert "calls `helper`, which is still empty" in verdict(tripled, "98.2")


@pytest.mark.parametrize(
    ("exercise", "given", "said"),
    [
        ("98.5", {}, "There is no exercise '98.5': lesson 98 has 98.1 to 98.13"),
        ("98.120", {}, "There is no exercise '98.120'"),
        ("100.1", {}, "There is no exercise '100.1': use the number in the exercise's title"),
        ("../x", {}, "There is no exercise"),
        ("", {}, "There is no exercise"),
        (98.1, {}, "is a text, in quotation marks"),
        ("98.1", {"table": 1}, "does not take table"),
        ("98.12", {}, "also needs weight=..."),
        ("98.12", {"weight": 2, "heavy": 1}, "does not take heavy"),
    ],
)
def test_a_call_that_cannot_be_judged_says_why(exercise, given, said):
    with pytest.raises(DataError) as error:
        check(exercise, lambda n, items: 2 * n, **given)
    assert said in str(error.value)


def test_a_space_around_the_number_changes_nothing(capsys):
    check(" 98.1 ", lambda n, items: 2 * n)
    assert capsys.readouterr().out == "Exercise 98.1: correct. Twice as much.\n"
    assert verdict(lambda n, items: 2 * n, "98.12", weight=2) == "correct. Weighed. The weight is 2."
    assert verdict(lambda n, items: 2 * n, "98.12", weight=3, more=2) == "not yet. The weight is another."


def test_a_package_that_a_lesson_needs_and_is_not_there_is_named(monkeypatch, tmp_path):
    (tmp_path / "lesson_99.py").write_text("import nowhere_to_be_found\n")
    monkeypatch.setattr("utils.exercises.__path__", [str(tmp_path)])
    with pytest.raises(DataError, match=r"lesson 99 need the package nowhere_to_be_found, which is not installed"):
        check("99.1", ...)


ENDLESS = """
from utils.exercises import check, lab_1, running

def shots_that_fit(lengths, query, new, window):
    while True:
        query += 1
"""


@pytest.mark.process
def test_in_a_notebook_stop_and_an_endless_loop_both_end_in_a_verdict(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_PROGRESS", "off")
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(ROOT))
    try:
        client.execute_interactive(ENDLESS, timeout=120)
        said = []
        for seconds in ("60", "0.5"):
            heard = []
            stop = threading.Timer(3, manager.interrupt_kernel)
            stop.start()
            reply = client.execute_interactive(
                f"running.SECONDS = {seconds}\ncheck('1.7', shots_that_fit)", timeout=60, output_hook=heard.append
            )
            stop.cancel()
            assert reply["content"]["status"] == "ok"
            said.append("".join(message["content"].get("text", "") for message in heard))
        assert "KeyboardInterrupt, in your line `" in said[0] and "You stopped it." in said[0]
        assert "was stopped: it did not end within 0.5 seconds" in said[1]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


# Hints, and what was tried


def test_hints_come_one_after_the_other_and_begin_again(capsys):
    for _ in range(3):
        hint("98.1")
    assert capsys.readouterr().out.splitlines() == [
        "Exercise 98.1, hint 1 of 2: What is twice?",
        "Exercise 98.1, hint 2 of 2: Use +.",
        "  Or *.",
        "Exercise 98.1, hint 1 of 2: What is twice?",
    ]
    hint("98.12")
    assert "hint 1 of 2: Weigh." in capsys.readouterr().out
    for wrong in ("98.99", 98.1):
        with pytest.raises(DataError):
            hint(wrong)


def test_hints_go_on_without_a_place_to_keep_them(monkeypatch, capsys):
    monkeypatch.setenv("COURSE_PROGRESS", "off")
    hint("98.1")
    hint("98.1")
    assert capsys.readouterr().out.count("hint 1 of 2") == 2 and path() is None


def test_what_was_tried_is_kept_and_a_cut_line_is_left_out(capsys):
    check("98.1", talks)
    check("98.1", lambda n, items: 2 * n)
    hint("98.1")
    with path().open("a") as file:
        file.write('\n{"time": "2026-')
    wrong, right, helped = load_attempts()
    assert wrong["exercise"] == "98.1" and not wrong["right"] and "square" in wrong["said"]
    assert "print(" in wrong["answer"] and right["right"] and helped["hint"] == 1
    check("98.1", talks)
    assert len(load_attempts()) == 4, "a line that was cut must not swallow the next one"


def test_a_home_that_cannot_be_written_stands_in_no_check_s_way(monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "file"))
    check("98.1", talks)
    assert "You take the square" in capsys.readouterr().out


# Values


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a" * 100, "'" + "a" * 31 + " ... " + "a" * 31 + "'"),
        (0.1 + 0.2, "0.3"),
        (2.0, "2.0"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (np.float32(0.25), "0.25"),
        (torch.tensor([1.0, 0.5]), "tensor([1.0, 0.5])"),
        (torch.zeros(50), "a tensor of shape (50,)"),
        (np.zeros((3, 9)), "an array of shape (3, 9)"),
        (list(range(20)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ... 8 more]"),
        ((1,), "(1,)"),
        ({"a": [1]}, "{'a': [1]}"),
        (pd.DataFrame({"low": [0.5]}, index=[2]), "a table with index [2], low [0.5]"),
        (talks, "a function (talks)"),
    ],
)
def test_values_are_shown_in_short(value, text):
    assert shown(value) == text


class Unshown:
    def __repr__(self):
        raise RuntimeError


def test_a_value_that_cannot_be_shown_is_named():
    assert shown(Unshown()) == "an object of the class Unshown"
    assert [kind(value) for value in (None, ..., True, b"", 1, 1.5, {}, set(), int, np, range(3))] == [
        *("None", "three dots", "a truth value", "bytes", "a whole number", "a number"),
        *("a dictionary of 0", "a set of 0", "a class", "a module", "a range"),
    ]


@pytest.mark.parametrize(
    ("read", "value", "result"),
    [
        (as_number, torch.tensor([[2.5]]), 2.5),
        (as_number, np.int64(3), 3.0),
        (as_whole, np.float32(3), 3),
        (as_list, range(3), [0, 1, 2]),
        (as_list, {"a": 1}.keys(), None),
        (as_texts, np.array(["a", "b"]), ["a", "b"]),
        (as_texts, pd.Series(["a"]), ["a"]),
        (as_numbers, torch.tensor([1.0, 2.0]), (1.0, 2.0)),
        (as_labels, (np.int8(1), torch.tensor(2), 3.0), [1, 2, 3]),
        (as_text, np.str_("a"), "a"),
    ],
)
def test_every_kind_of_number_text_and_list_is_read(read, value, result):
    if result is None:
        with pytest.raises(Mistake, match="was expected here, and this is"):
            read(value)
    else:
        assert read(value) == result


@pytest.mark.parametrize(
    ("read", "value"),
    [
        *[(as_number, value) for value in ("1", [1], None, 1j, torch.ones(2), np.ones(2), {})],
        *[(as_whole, value) for value in (1.5, float("nan"), float("inf"))],
        *[(as_texts, value) for value in ("ab", {"a"}, {"a": 1}, 3, ["a", 1])],
        *[(as_numbers, value) for value in ("12", {1, 2}, ["1"])],
        *[(as_tensor, value) for value in ("a", ["a"], None, [[1], [1, 2]])],
        *[(as_text, value) for value in (b"a", 1, ["a"])],
    ],
)
def test_what_is_refused_for_its_kind_hears_which_was_expected(read, value):
    with pytest.raises(Mistake, match=r"was expected here, and this is|It holds"):
        read(value)


def test_lists_arrays_and_tensors_are_read_as_tensors():
    for value in ([0.5, 0.25], (0.5, torch.tensor(0.25)), np.array([0.5, 0.25]), torch.tensor([0.5, 0.25])):
        assert as_tensor(value).tolist() == [0.5, 0.25]


@pytest.mark.parametrize(
    ("result", "right", "alike"),
    [
        (0.857, 6 / 7, True),
        (0.85, 6 / 7, False),
        (float("inf"), float("inf"), True),
        (float("nan"), 0.5, False),
        ((1, 0.5), (1, 0.5), True),
        ((1,), (1, 2), False),
        (torch.tensor([0.5, 0.5]), torch.tensor([0.5, 0.50001]), True),
        (torch.tensor([0.5]), torch.tensor([0.5, 0.5]), False),
        ("a", "a", True),
    ],
)
def test_results_are_compared_but_for_rounding(result, right, alike):
    assert same(result, right) == alike


def test_what_was_given_is_compared_through_and_through():
    table = pd.DataFrame({"a": [1.0]})
    given = ([1, [2.0, float("nan")]], {"k": torch.tensor([float("nan")])}, table, torch.Generator(), "x")
    copies = running.copies(given)
    assert all(map(equal, given, copies)) and copies[3] is given[3] and copies[2] is not table
    assert not equal([1], [2]) and not equal({"a": 1, "b": 2}, {"b": 2, "a": 1}) and not equal([1], (1,))


def test_a_global_random_state_that_moved_is_seen():
    before = random_states()
    assert random_states() == before
    for move in (lambda: np.random.rand(), lambda: torch.rand(1), lambda: __import__("random").random()):
        before = random_states()
        move()
        assert random_states() != before


def test_an_exercise_that_asks_for_a_value_gets_it_as_it_is():
    assert assess("98.13", [1]) == ("correct. A value.", True)
    with pytest.raises(NotAttempted):
        CHECKS["98.13"].judge(...)
