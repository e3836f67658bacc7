"""A choice whose options come and go: what is chosen is what was read, and stays while it is offered."""

import pytest

from utils.errors import UnsupportedSetting
from utils.widgets.choice import Choice


def choose(made: Choice, label: str, number: int) -> None:
    """Choose as a page does that may have other options yet."""
    made._handle_custom_msg({"chosen": label, "number": number}, [])


def test_what_a_hand_read_is_chosen_wherever_it_stands_now():
    made = Choice("Version", ["nothing", "1"])
    made.offer(["nothing", "2", "1"])
    choose(made, "1", 1)
    assert (made.value, made.label, made.index) == ("1", "1", 2)
    choose(made, "3", 1)
    assert made.value == "1", "what is no more offered is not chosen"


def test_of_two_options_with_one_label_the_number_tells():
    made = Choice("Run cards", [("the same", "a"), ("the same", "b"), ("another", "c")])
    choose(made, "the same", 1)
    assert made.value == "b"
    choose(made, "the same", 2)
    assert made.value == "a"


def test_what_is_chosen_stays_while_it_is_offered_and_is_told_once():
    made, seen, by_hand = Choice("Model", ["a", "b"]), [], []
    made.observe(lambda change: seen.append(change["new"]), names="value")
    made.when_chosen(lambda: by_hand.append(made.value))
    choose(made, "b", 1)
    made.offer(["c", "b"])
    made.offer(["c", "d"], begin="d")
    made.offer(["c"])
    made.offer([])
    assert (seen, by_hand) == (["b", "d", "c", None], ["b"])
    assert (made.value, made.label, made.index) == (None, None, None)
    assert made.shown == {"labels": [], "at": None}


def test_what_is_no_option_is_refused_in_words():
    made = Choice("Model", [("The course's model", ""), ("mine", "models:/mine")])
    with pytest.raises(UnsupportedSetting, match="Model is one of The course's model, mine; 'x' was given"):
        made.value = "x"
    with pytest.raises(UnsupportedSetting, match="None was given"):
        made.value = None
    made.value = "models:/mine"
    assert made.shown == {"labels": ["The course's model", "mine"], "at": 1}
