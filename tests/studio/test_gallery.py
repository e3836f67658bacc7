"""The gallery: its cards can be read, found and opened; a broken one is named; the model answers as is written."""

import re
from collections import Counter
from dataclasses import replace

import pytest
import yaml

from utils.errors import DataError
from utils.studio.gallery import CARDS, TASKS, answers, load_cards, measure, read_card, with_answer
from utils.studio.gallery_page import card_html
from utils.studio.prompt import Prompt
from utils.studio.responses import respond

GALLERY = load_cards()
BY_NAME = {card.name: card for card in GALLERY.cards}


def card_file(folder, name="one", **fields):
    """Write a card's file; a field that is None is left out."""
    given = {
        "title": "One",
        "task": "code",
        "prompt": {"text": "def f():"},
        "why": "Why.",
        "answer": "",
        "verdict": "good",
        "seen": "Seen.",
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in (given | fields).items() if value is not None}))
    return path


def test_every_task_has_two_cards_or_more_and_all_are_read():
    assert not GALLERY.problems
    assert len(GALLERY.cards) == len(list(CARDS.glob("*.yaml"))) >= 24
    counted = Counter(card.task for card in GALLERY.cards)
    assert list(counted) == list(TASKS) and min(counted.values()) >= 2
    assert max(Counter(card.title for card in GALLERY.cards).values()) == 1


def test_cards_are_of_every_kind_and_some_fail_with_what_helps():
    prompts = [card.prompt for card in GALLERY.cards]
    assert {prompt.kind for prompt in prompts} == {"freeform", "structured", "chat"}
    assert sum(bool(prompt.labels) for prompt in prompts) >= 3
    assert any(prompt.values and prompt.variables for prompt in prompts)
    assert any(len(prompt.turns) > 1 for prompt in prompts)
    assert {card.verdict for card in GALLERY.cards} == {"good", "weak", "wrong"}
    for card in GALLERY.cards:
        assert card.why.strip() and card.answer.strip() and len(card.seen.split()) >= 3
        assert len(card.answer.splitlines()) >= len(card.asked)


def test_a_card_that_speaks_of_another_names_its_title():
    titles = {card.title for card in GALLERY.cards}
    named = [name for card in GALLERY.cards for name in re.findall(r'card "([^"]+)"', f"{card.why} {card.seen}")]
    assert len(named) >= 5 and set(named) <= titles


def test_a_prompt_comes_back_from_what_is_kept_of_it():
    for card in GALLERY.cards:
        assert Prompt.from_dict(card.prompt.as_dict()) == card.prompt


def test_a_search_needs_every_word_wherever_it_stands():
    assert [card.name for card in GALLERY.find("JSON priya")] == ["extract_appointment"]
    assert [card.name for card in GALLERY.find("안녕하세요")] == ["translate_korean"]
    assert GALLERY.find("json") == GALLERY.find("json", task="extract")
    assert not GALLERY.find("json", task="ideas") and not GALLERY.find("{nowhere}")
    assert GALLERY.find("  ") == GALLERY.cards
    assert {card.task for card in GALLERY.find(task="dialogue")} == {"dialogue"}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("title: [1, 2\nwhy: x\n", "one.yaml is not valid YAML in line 2"),
        ("- a\n- b\n", "one.yaml has no fields"),
        ("", "one.yaml has no fields"),
        (b"title: \xff\n", "one.yaml cannot be read as text"),
        ("title: \x00\n", "one.yaml cannot be read as text"),
    ],
)
def test_a_file_that_is_no_card_is_named_with_its_line(tmp_path, written, said):
    path = tmp_path / "one.yaml"
    path.write_bytes(written if isinstance(written, bytes) else written.encode())
    with pytest.raises(DataError, match=said):
        read_card(path)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"why": None}, "no field 'why'"),
        ({"mood": "gay"}, "a field 'mood', which no card has"),
        ({"task": "poems"}, "the field 'task' is one of summarise, classify"),
        ({"verdict": ["good"]}, "the field 'verdict' is one of good, weak, wrong"),
        ({"title": 3}, "one.yaml cannot be read. The field 'title'"),
        ({"prompt": {"text": "a", "temprature": 0}}, "'temprature'"),
        ({"prompt": {"text": "a", "config": {"top_p": 2}}}, "Top-p lies between 0 and 1|top-p lies between 0 and 1"),
        ({"prompt": "text"}, "one.yaml cannot be read"),
    ],
)
def test_a_wrong_field_is_named(tmp_path, fields, said):
    with pytest.raises(DataError, match=said):
        read_card(card_file(tmp_path, **fields))


def test_a_broken_card_is_told_of_and_the_others_are_there(tmp_path):
    card_file(tmp_path, "a"), card_file(tmp_path, "b", why=None), card_file(tmp_path, "c", task="summarise")
    gallery = load_cards(tmp_path)
    assert [card.name for card in gallery.cards] == ["c", "a"]
    assert len(gallery.problems) == 1 and "b.yaml" in gallery.problems[0]


@pytest.mark.parametrize(
    "answer", ["", "one", "two\nlines\n\nand more", "  # no comment: <b>{x}</b>", "안녕 😀", "a\tb'\""]
)
@pytest.mark.parametrize("before", ["", "one", "two\nlines"])
def test_another_answer_leaves_the_rest_of_a_file_as_it_was(before, answer):
    written = (CARDS / "classify_ticket.yaml").read_text(encoding="utf8")
    changed = with_answer(with_answer(written, before), answer)
    assert yaml.safe_load(changed) == yaml.safe_load(written) | {"answer": answer}
    assert changed.split("answer:")[0] == written.split("answer:")[0]
    assert changed.split("verdict:")[1] == written.split("verdict:")[1]
    assert with_answer(changed, BY_NAME["classify_ticket"].answer) == written


def test_a_model_answers_every_kind_of_card_a_line_for_each_row(tiny, tmp_path):
    short = {"temperature": 0, "max_new_tokens": 2}
    rows = [{"x": "a"}, {"x": "b"}, {"x": "c"}]
    prompts = {
        "choice": {"text": "ab {x}", "labels": ["a", "b"], "values": rows},
        "rows": {"text": "b {x}", "values": rows, "config": short},
        "chat": {"kind": "chat", "turns": [{"user": "a"}], "config": short},
        "drawn": {"kind": "structured", "test_input": "a", "config": {"max_new_tokens": 3, "seed": 5, "stop": ["b"]}},
    }
    cards = [read_card(card_file(tmp_path, name, prompt=prompt, answer="no")) for name, prompt in prompts.items()]
    found = answers(tiny, cards)
    assert [len(line.split(",")) for line in found[0].splitlines()] == [2, 2, 2]
    alone = tiny.generate(["b a", "b b", "b c"], temperature=0, max_new_tokens=2)
    assert found[1] == "\n".join(text.strip() for text in alone)
    table = measure(tiny, cards)
    assert table.columns.tolist() == ["card", "as written", "answer", "tokens"]
    assert table["answer"].tolist() == found and table["tokens"][0] == 0
    assert not table["as written"].any()
    assert measure(tiny, [replace(cards[2], answer=found[2])])["as written"].all()


@pytest.mark.slow
def test_the_courses_model_answers_as_is_written_also_alone(course_model):
    """Each kind of card, one by one; lesson 10 asks all of them, in batches."""
    names = ("classify_emoji", "extract_appointment", "rewrite_plain", "ideas_questions_penalty", "dialogue_hotel")
    table = measure(course_model, [BY_NAME[name] for name in names])
    assert table["as written"].all(), table
    story = BY_NAME["ideas_story"]
    assert respond(course_model, story.prompt)[0].text.strip() == story.answer


def test_the_page_finds_reads_and_opens_a_card(studio, monkeypatch):
    opened = []
    monkeypatch.setattr(studio, "design", opened.append)
    page = studio.go("Gallery")
    page.search.value = "json"
    assert [card.name for card in page.selected] == ["extract_appointment"] and page.card.name == "extract_appointment"
    assert "Priya" in page.shown_card.value
    page.open_button.click()
    assert opened == [BY_NAME["extract_appointment"].prompt]


def test_the_page_comes_back_as_it_was_left(studio):
    page = studio.go("Gallery")
    page.task.value, page.chosen.value, page.search.value = "dialogue", "dialogue_hotel", "hotel"
    again = type(studio)(studio.workspace).go("Gallery")
    assert (again.task.value, again.search.value, again.card.name) == ("dialogue", "hotel", "dialogue_hotel")


def test_where_no_card_passes_there_is_none_to_open(studio):
    page = studio.go("Gallery")
    page.search.value = "nothing has this word"
    assert page.card is None and page.open_button.disabled and "No card" in page.count.value
    page.search.value = ""
    assert page.card is not None and not page.open_button.disabled


def test_a_broken_card_is_named_in_the_page(studio, monkeypatch, tmp_path):
    card_file(tmp_path, "a"), card_file(tmp_path, "b", why=None)
    monkeypatch.setattr("utils.studio.gallery_page.load_cards", lambda: load_cards(tmp_path))
    page = studio.go("Gallery")
    assert "b.yaml" in page.message.value and page.card.name == "a"


def test_a_cards_text_stays_text(tmp_path):
    card = read_card(
        card_file(tmp_path, title="<i>x</i>", prompt={"text": "<script>"}, answer="<b>", seen="<u>", why="<s>")
    )
    shown = card_html(card)
    assert not any(tag in shown for tag in ("<script>", "<b>", "<u>", "<s>", "<i>"))
