"""The data of Lab 5: what the READMEs of the tickets and of the product questions promise."""

import json
from collections import Counter
from itertools import combinations

import pytest

from utils.datasets.records import TextToText
from utils.datasets.sets import SETS, load_set, set_folder
from utils.datasets.splits import DATA, SPLITS
from utils.errors import DataError
from utils.studio.pipeline_file import read
from utils.studio.pipeline_steps import identity
from utils.words import words

TEAMS = ("billing", "delivery", "returns", "account", "technical")
TICKETS = {"train": 24, "validation": 8, "test": 12}
PRODUCTS = {"train": 20, "validation": 6, "test": 8}
QUESTIONS = 5


def records(name: str) -> dict[str, list[TextToText]]:
    return {split: load_set(name, split) for split in SPLITS}


@pytest.fixture(scope="module")
def tickets() -> dict[str, list[TextToText]]:
    return records("tickets")


@pytest.fixture(scope="module")
def products() -> dict[str, list[TextToText]]:
    return records("products")


@pytest.mark.parametrize("name", ["tickets", "products"])
def test_ids_are_unique_and_every_record_has_three_fields(name):
    lines = [
        json.loads(line) for split in SPLITS for line in (DATA / name / f"{split}.jsonl").read_text("utf8").splitlines()
    ]
    assert len({line["id"] for line in lines}) == len(lines)
    assert {tuple(line) for line in lines} == {("id", "input_text", "output_text")}


@pytest.mark.parametrize("split", SPLITS)
def test_every_team_has_as_many_tickets(tickets, split):
    assert Counter(ticket.output_text for ticket in tickets[split]) == dict.fromkeys(TEAMS, TICKETS[split])


def test_no_two_tickets_are_alike(tickets):
    grams = [
        {tuple(found[n : n + 3]) for n in range(len(found) - 2)}
        for split in SPLITS
        for ticket in tickets[split]
        for found in [words(ticket.input_text)]
    ]
    shared = max(len(one & other) / max(1, min(len(one), len(other))) for one, other in combinations(grams, 2))
    assert shared <= 0.5
    texts = [" ".join(words(ticket.input_text)) for split in SPLITS for ticket in tickets[split]]
    assert len(set(texts)) == len(texts) == 220


def test_a_ticket_does_not_name_its_team(tickets):
    named = [one for split in SPLITS for one in tickets[split] if one.output_text in words(one.input_text)]
    assert not named


def test_no_product_is_in_two_splits(products):
    texts = {split: Counter(one.input_text.partition("\nQuestion: ")[0] for one in products[split]) for split in SPLITS}
    assert {split: len(found) for split, found in texts.items()} == PRODUCTS
    assert {number for found in texts.values() for number in found.values()} == {QUESTIONS}
    assert sum(map(len, texts.values())) == len(set().union(*texts.values()))


def test_the_first_examples_are_about_different_products(products):
    first = {one.input_text.partition("\n")[0] for one in products["train"][: PRODUCTS["train"]]}
    assert len(first) == PRODUCTS["train"]


def test_an_answer_is_short_and_stands_in_its_text(products):
    for split in SPLITS:
        assert len({one.input_text for one in products[split]}) == len(products[split])
        for one in products[split]:
            text, asked = one.input_text.split("\nQuestion: ")
            assert asked.endswith("?") and 1 <= len(words(one.output_text)) <= 6
            assert set(words(one.output_text)) <= set(words(text)), one


@pytest.mark.parametrize("name", SETS)
def test_a_set_s_pipeline_can_be_run_and_asks_as_its_records_are_written(name):
    task = read(set_folder(name) / "pipeline.yaml")
    assert [task.train.records, task.validation.records, task.test.records] == [
        tuple(load_set(name, split)) for split in SPLITS
    ]
    first = task.train.records[0]
    assert first.input_text in task.prompt.about(first.input_text).plain
    assert not task.prompt.labels or {record.output_text for record in task.test.records} == set(task.prompt.labels)


def test_a_set_that_is_not_there_is_named():
    with pytest.raises(DataError, match="no set 'emails': take one of tickets, products, dialogues, or a folder"):
        load_set("emails", "train")
    with pytest.raises(DataError, match="no split 'dev'"):
        load_set("tickets", "dev")


def test_a_pipeline_of_another_base_model_is_another_one(monkeypatch):
    task = read(set_folder("tickets") / "pipeline.yaml")
    before = identity(task)
    assert identity(read(set_folder("tickets") / "pipeline.yaml")) == before
    monkeypatch.setenv("COURSE_MODEL", "people/other")
    assert identity(task) != before
