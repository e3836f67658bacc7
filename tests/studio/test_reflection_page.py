"""The page of the reflection cards: question, answer, rating, and what it says of the next one."""

import html
from datetime import timedelta
from pathlib import Path

import pytest

from utils.studio.reflection_page import wait_in_words

HERE = Path(__file__).parents[2]


@pytest.fixture
def page(studio):
    return studio.go("Reflection cards")


def test_the_answer_is_hidden_until_it_is_asked_for(page):
    card = page.card
    assert html.escape(card.question) in page.question.value and not page.answer.value and not page.where.outputs
    assert all(each.disabled for each in page.ratings.values())
    page.show_button.click()
    assert html.escape(card.answer) in page.answer.value
    assert [each.description for each in page.ratings.values()] == [
        "Again: in 1 minute",
        "Hard: in 6 minutes",
        "Good: in 10 minutes",
        "Easy: in 8 days",
    ]


def test_a_rated_card_gives_way_to_the_next_and_another_kernel_knows(page, studio):
    first, cards = page.card, len(page.reflection.cards)
    assert f"0 to repeat, {cards} new" in page.status.value
    page.show_answer()
    page.ratings["Good"].click()
    assert page.card != first and not page.answer.value
    assert page.message.value.count("in 10 minutes") == 1
    assert f"0 to repeat, {cards - 1} new" in page.status.value and "due in 10 minutes" in page.status.value
    assert type(studio)(studio.workspace).go("Reflection cards").card == page.card


def test_where_nothing_is_due_the_page_says_so(page):
    while page.card:
        page.rate("Easy")
    assert "Nothing is due" in page.question.value and page.show_button.disabled
    assert "0 to repeat, 0 new" in page.status.value and "due in 8 days" in page.status.value
    page.show_answer()
    assert not page.answer.value


def test_a_card_rated_elsewhere_is_not_asked_again(page, studio):
    other = type(studio)(studio.workspace).go("Reflection cards")
    other.rate("Easy")
    page.shown()
    assert page.card == other.card


def test_a_card_whose_answer_is_shown_stays_when_the_page_comes_back(page):
    page.show_answer()
    shown = page.answer.value
    page.shown()
    assert page.answer.value == shown


@pytest.mark.parametrize("folder", [".", "notebooks", "labs/solutions"])
def test_the_link_leads_from_the_kernels_folder_to_the_cell(page, monkeypatch, folder):
    monkeypatch.chdir(HERE / folder)
    page.show_answer()
    shown = page.where.outputs[0]["data"]["text/markdown"]
    link = shown.partition("](")[2].removesuffix(").")
    path, _, cell = link.partition("#cell-id=")
    assert Path(path).resolve() == HERE / page.card.notebook and cell == page.card.cell
    assert not Path(path).is_absolute()


def test_where_no_notebook_can_be_opened_it_is_named(page, monkeypatch):
    monkeypatch.setenv("VOILA_REQUEST_URL", "http://127.0.0.1/")
    page.show_answer()
    assert set(page.where.outputs[0]["data"]) == {"text/html"}
    assert f": {page.card.notebook} in JupyterLab (make lab)." in page.where.outputs[0]["data"]["text/html"]


def test_where_progress_is_off_the_page_says_that_nothing_is_kept(studio, monkeypatch):
    monkeypatch.setenv("COURSE_PROGRESS", "off")
    page = studio.go("Reflection cards")
    assert "COURSE_PROGRESS is off" in page.status.value
    page.rate("Good")
    assert "new" in page.status.value


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "1 minute"),
        (89, "1 minute"),
        (600, "10 minutes"),
        (3600, "1 hour"),
        (86_400 * 8, "8 days"),
        (-5, "1 minute"),
    ],
)
def test_a_wait_in_words(seconds, words):
    assert wait_in_words(timedelta(seconds=seconds)) == words
