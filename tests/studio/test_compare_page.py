"""The page Compare, without a browser: what is added, compared, kept and shown again."""

import json
import time
from dataclasses import replace

import pytest

from tests.serving.conftest import tiny_language_model
from utils.logits.config import DecodingConfig
from utils.studio.compare_page import RESULTS, ComparePage
from utils.studio.prompt import Prompt
from utils.studio.studio import Studio

CONFIG = DecodingConfig(temperature=1.0, max_new_tokens=5, seed=9)
PROMPT = Prompt(text="the {input} <b>dog</b> {not a place}", config=CONFIG)
RECORDS = [{"input_text": f"fox <i>{n}</i>", "output_text": "the lazy 개 👩‍👩‍👧"} for n in range(20)]


@pytest.fixture(scope="module")
def model():
    return tiny_language_model()


@pytest.fixture
def studio(workspace, model, monkeypatch) -> Studio:
    made = Studio(workspace)
    monkeypatch.setattr(made.models, "load", lambda reference: model)
    monkeypatch.setattr(made.models, "choices", lambda: [("The course's model", ""), ("other", "other")])
    monkeypatch.setattr("utils.studio.compare_page._saved", lambda: [])
    made.keep(PROMPT)
    return made


@pytest.fixture
def page(studio) -> ComparePage:
    made = ComparePage(studio)
    made.shown()
    made.add()
    return made


@pytest.fixture
def records(tmp_path) -> str:
    file = tmp_path / "records.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in RECORDS), encoding="utf8")
    return str(file)


def test_the_present_prompt_is_the_first_contestant_and_is_added_again_under_another_name(page):
    assert [(one.name, one.prompt) for one in page.contestants.contestants] == [("A", PROMPT), ("B", PROMPT)]
    page.add()
    page.add()
    page.add()
    assert "4 contestants already" in page.message.value
    page.contestants.remove(page.contestants.cards[1])
    page.add()
    assert [one.name for one in page.contestants.contestants] == ["A", "C", "D", "B"]


def test_records_are_measured_and_the_result_stands_there_again(page, studio, records):
    card = page.contestants.cards[1]
    card.temperature.value, card.title.value = 0.0, "<cold>"
    page.seeds.value, page.data.address.value, page.most.value, page.metric.value = 2, records, 15, "chrF"
    page.compare()
    assert "Done in" in page.message.value
    summary = page.measured.summary.value
    assert "chrF on 15 records at 2 seeds." in summary
    assert "&lt;cold&gt; against A: a gain of" in summary
    assert page.measured.figures.value.count("<img") == 2
    page.measured.of.value = "<cold>"
    cases = page.measured.cases.value
    assert cases.count("<tr>") == 11
    assert "fox &lt;i&gt;" in cases
    assert "<i>" not in cases
    again = ComparePage(Studio(studio.workspace))
    assert again.measured.summary.value == summary
    assert [one.name for one in again.contestants.contestants] == ["A", "<cold>"]
    assert again.contestants.contestants[1].prompt == replace(PROMPT, config=replace(CONFIG, temperature=0.0))
    assert (again.seeds.value, again.data.address.value, again.metric.value) == (2, records, "chrF")


def test_without_records_the_answers_stand_side_by_side_and_prove_nothing(page):
    assert "One answer each proves nothing" in page.about.value
    page.seed.value, page.seeds.value = 3, 4
    page.compare()
    assert "Different answers at 4 seeds: A" in page.measured.summary.value
    assert page.measured.summary.value.count("<tr>") == 5
    assert page.measured.worst.layout.display == "none"
    assert page.studio.workspace.read(RESULTS)["result"]["seeds"] == [3, 4, 5, 6]


def test_a_result_whose_fields_have_changed_is_said_to_be_old(page, studio):
    page.compare()
    assert page.measured.age.value == ""
    page.contestants.cards[0].top_k.value = 7
    assert "Old:" in page.measured.age.value
    again = ComparePage(Studio(studio.workspace))
    assert "Old:" in again.measured.age.value
    again.contestants.cards[0].top_k.value = 0
    assert again.measured.age.value == ""
    studio.workspace.write(RESULTS, {"kind": "another"})
    assert ComparePage(Studio(studio.workspace)).measured.result is None


def test_what_is_wrong_is_a_sentence_and_the_last_result_stays(page, studio, records, tmp_path):
    page.compare()
    before = page.measured.summary.value
    page.data.address.value = str(tmp_path / "none.jsonl")
    page.compare()
    assert "There is no file" in page.message.value
    page.data.address.value = records
    page.contestants.remove(page.contestants.cards[1])
    page.compare()
    assert "2 to 4 contestants" in page.message.value
    studio.keep(Prompt(text="without a place", config=CONFIG))
    page.add()
    page.compare()
    assert "B: The prompt has no place" in page.message.value
    assert page.measured.summary.value == before


def test_a_stop_is_said_and_what_was_answered_is_kept(page, records, monkeypatch):
    page.data.address.value, page.seeds.value = records, 1
    work = page._comparing()
    while page.step is None or not getattr(page.step, "done", 0):
        next(work)
    work.close()
    assert "Stopped. What was answered is kept" in page.message.value
    asked = []
    monkeypatch.setattr(
        type(page.studio.models.load("")),
        "completions",
        lambda self, prompts, **_: asked.extend(prompts) or enumerate(prompts),
    )
    page.compare()
    assert "Done in" in page.message.value
    assert not [text for text in asked if "fox <i>0</i>" in text], "the first block is known"


def test_what_is_said_while_a_saved_prompt_is_fetched_stays(page, monkeypatch):
    page.contestants.remove(page.contestants.cards[1])
    monkeypatch.setattr("utils.studio.compare_page.find_prompt", lambda _reference: time.sleep(0.1))
    monkeypatch.setattr("utils.studio.compare_page.opened", lambda _version: PROMPT)
    page.source.offer([("mine/1", "mine/1")])
    adding = page._adding()
    next(adding)
    page.compare()
    assert "2 to 4 contestants, and there are 1" in page.message.value
    for _ in adding:
        pass
    assert len(page.contestants.cards) == 2
    assert "2 to 4 contestants, and there are 1" in page.message.value
    page.add()
    assert page.message.value == "", "what was said before is no more true"


def test_the_saved_prompt_that_was_chosen_is_chosen_in_another_kernel(page, studio, monkeypatch):
    monkeypatch.setattr("utils.studio.compare_page._saved", lambda: ["mine@best", "mine/1"])
    page.shown()
    page.source.value = "mine/1"
    again = ComparePage(Studio(studio.workspace))
    again.shown()
    assert again.source.value == "mine/1" and again.measured.age.value == ""


def test_a_contestant_s_model_that_is_no_more_among_the_choices_stays_its_own(page):
    page.contestants.cards[0].model.value = "other"
    page.contestants.offer([("The course's model", "")])
    assert page.contestants.contestants[0].prompt.model == "other"
