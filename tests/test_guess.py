"""A guess, committed before the answer and revealed beside it."""

import pytest

from utils.errors import UnsupportedSetting
from utils.widgets import guess
from utils.widgets.guess import Guess


@pytest.fixture
def asked() -> Guess:
    return Guess("How many?", range(3))


def choose(made: Guess, option: str) -> None:
    """Commit as the page does."""
    made._handle_custom_msg({"chosen": option}, [])


def told(made: Guess, truth, capsys) -> str:
    made.reveal(truth)
    return capsys.readouterr().out


def test_without_a_guess_the_answer_is_told_all_the_same(asked, capsys):
    assert told(asked, 2, capsys) == "No guess was committed. The answer: 2.\n"
    assert asked.revealed and asked.said == "No guess was committed. The answer: 2."


@pytest.mark.parametrize(("truth", "verdict"), [(2, " You were right."), (1, "")])
def test_a_guess_stands_beside_the_answer(asked, capsys, truth, verdict):
    choose(asked, "0")
    choose(asked, "2")
    assert asked.said == "Your guess: 2. You can change it until the answer is shown." and not asked.revealed
    assert told(asked, truth, capsys) == f"Your guess: 2. The answer: {truth}.{verdict}\n"


def test_a_guess_after_the_answer_is_none(asked, capsys):
    choose(asked, "1")
    asked.reveal(2)
    choose(asked, "2")
    with pytest.raises(UnsupportedSetting, match="run the cell of the question again"):
        asked.commit(2)
    assert asked.committed == "1" and asked.said == "Your guess: 1. The answer: 2."


def test_what_is_no_choice_is_refused_in_words(asked):
    with pytest.raises(UnsupportedSetting, match="A guess is one of 0, 1, 2; 3 was given"):
        asked.commit(3)
    assert asked.committed == ""


def test_without_a_kernel_question_and_choices_are_there(monkeypatch):
    shown = []
    monkeypatch.setattr("utils.widgets.view.display", lambda bundle, raw: shown.append(bundle))
    guess("Is 1 < 2?", ("yes", "no & never"))
    data = shown[0]
    assert data["text/plain"] == "Is 1 < 2? yes, no & never. Run this cell to guess."
    assert "<p>Is 1 &lt; 2?</p><ul><li>yes</li><li>no &amp; never</li></ul>" in data["text/html"]
