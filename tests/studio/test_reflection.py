"""Reflection cards: each one's answer stands where it says, and comes again when fsrs says."""

import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from utils.errors import UnsupportedSetting
from utils.studio.reflection import ROOT, Reflection, kept_reflection, load_reflection_cards

CARDS = load_reflection_cards()
NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
WORD = re.compile(r"[a-z]{4,}")
COMMON = {"from", "have", "more", "other", "same", "than", "that", "their", "them", "this", "what", "with"}


def section(card) -> str:
    """Return all that a notebook shows under the heading that a card's cell stands under."""
    cells = json.loads((ROOT / card.notebook).read_text(encoding="utf8"))["cells"]
    at = next((n for n, cell in enumerate(cells) if cell["id"] == card.cell), None)
    assert at is not None, f"{card.notebook} has no cell {card.cell}"
    begins = [n for n, cell in enumerate(cells) if heading(cell)]
    first = max((n for n in begins if n <= at), default=0)
    last = min((n for n in begins if n > at), default=len(cells))
    return "\n".join(json.dumps(cell, ensure_ascii=False) for cell in cells[first:last])


def heading(cell) -> bool:
    return cell["cell_type"] == "markdown" and bool(re.search(r"^##? ", "".join(cell["source"]), re.MULTILINE))


def test_there_are_enough_and_no_name_comes_twice():
    assert len(CARDS) >= 40
    assert max(Counter(card.name for card in CARDS).values()) == 1
    assert max(Counter(card.question for card in CARDS).values()) == 1


def stems(text) -> set[str]:
    return {word[:5] for word in WORD.findall(text.lower()) if word not in COMMON}


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_an_answer_stands_where_it_says(card):
    """Each number of it, and half of its words at least, as seven of eight wrong places have not."""
    shown, asked = section(card), stems(card.answer)
    assert set(NUMBER.findall(f"{card.question} {card.answer}")) <= set(NUMBER.findall(shown))
    assert len(asked & stems(shown)) >= len(asked) / 2, asked - stems(shown)
    title, under = card.section
    assert title and under and not title.startswith("#")


@pytest.fixture
def reflection(tmp_path) -> Reflection:
    return Reflection(path=tmp_path / "home" / "reflection.json")


def test_a_rated_card_comes_again_at_the_time_that_was_foretold(reflection):
    first = reflection.due(NOON)[0]
    foretold = reflection.outlook(first, NOON)
    assert list(foretold) == ["Again", "Hard", "Good", "Easy"]
    assert sorted(foretold.values()) == list(foretold.values()) and foretold["Again"] < foretold["Easy"]
    due = reflection.review(first, "Good", NOON)
    assert due == foretold["Good"] == reflection.next_due()
    assert first not in reflection.due(due - timedelta(seconds=1))
    assert reflection.due(due)[0] == first


def test_what_is_known_well_comes_ever_later(reflection):
    card, now, waits = reflection.cards[0], NOON, []
    for _ in range(5):
        due = reflection.review(card, "Good", now)
        waits.append(due - now)
        now = due
    assert waits == sorted(set(waits)) and waits[-1] > timedelta(days=20)
    forgotten = reflection.review(card, "Again", now)
    assert forgotten - now < timedelta(hours=1)


def test_the_same_ratings_at_the_same_times_give_the_same_dates(tmp_path):
    def dates(path):
        reflection = Reflection(path=path)
        return [
            reflection.review(card, rating, NOON + timedelta(days=day))
            for day in (0, 1, 4)
            for card, rating in zip(reflection.cards, ("Again", "Hard", "Good", "Easy"), strict=False)
        ]

    assert dates(tmp_path / "one.json") == dates(tmp_path / "two.json")


def test_another_kernel_finds_what_was_rated_and_two_at_once_lose_nothing(reflection):
    other = Reflection(path=reflection.path)
    first, second = reflection.due(NOON)[:2]
    reflection.review(first, "Good", NOON)
    other.review(second, "Easy", NOON)
    third = Reflection(path=reflection.path)
    assert first not in third.new and second not in third.new
    assert len(third.new) == len(CARDS) - 2


def test_those_that_wait_longest_come_first_and_new_ones_last(reflection):
    one, two, three = reflection.due(NOON)[:3]
    reflection.review(two, "Again", NOON)
    reflection.review(one, "Again", NOON + timedelta(seconds=5))
    assert reflection.due(NOON + timedelta(hours=1))[:3] == [two, one, three]


def test_where_progress_is_off_nothing_is_written(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_PROGRESS", "off")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    reflection = kept_reflection()
    card = reflection.due(NOON)[0]
    reflection.review(card, "Good", NOON)
    assert card not in reflection.new
    assert not list(tmp_path.iterdir())


def test_the_learners_home_is_the_folder_of_progress(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "mine"))
    reflection = kept_reflection()
    reflection.review(reflection.cards[0], "Easy", NOON)
    assert [file.name for file in (tmp_path / "mine").glob("*.json")] == ["reflection.json"]


@pytest.mark.parametrize("damage", ["", "[1]", "{", '{"kv-cache": {"due": "soon"}}', '{"kv-cache": 3}'])
def test_a_damaged_file_is_put_aside_and_said(reflection, damage):
    reflection.review(reflection.cards[0], "Easy", NOON)
    reflection.path.write_text(damage)
    found = Reflection(path=reflection.path)
    assert len(found.new) == len(CARDS)
    assert "damaged" in found.problem and str(reflection.path.with_suffix(".damaged.json")) in found.problem
    assert reflection.path.with_suffix(".damaged.json").read_text() == damage


def test_what_is_no_rating_is_refused(reflection):
    with pytest.raises(UnsupportedSetting, match="Again, Hard, Good, Easy"):
        reflection.review(reflection.cards[0], "Perfect", NOON)
