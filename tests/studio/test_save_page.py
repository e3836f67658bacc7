"""The page Save: what is saved is there in another kernel, and nothing is lost where the registry is away."""

import asyncio
import html
from dataclasses import replace
from pathlib import Path

import pytest

from utils.logits.config import DecodingConfig
from utils.registry.prompts import find_prompt, prompt_versions, save_prompt
from utils.registry.tracking import connect
from utils.studio.prompt import Prompt
from utils.studio.responses import classify, respond
from utils.studio.run_cards import RunCards, make_card, read
from utils.studio.save_page import SavePage
from utils.studio.studio import Studio
from utils.studio.values import filled
from utils.studio.versions_page import NOTHING

LLAMA = pytest.mark.parametrize("saved_model", ["llama"], indirect=True)


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def store(cache, monkeypatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("COURSE_TUNING", str(cache))


@pytest.fixture
def opened(monkeypatch) -> list[Prompt]:
    """The prompts that were opened in Prompt design."""
    found = []
    monkeypatch.setattr(Studio, "design", lambda _self, prompt: found.append(prompt))
    return found


@pytest.fixture
def page(studio, opened) -> SavePage:
    made = SavePage(studio)
    made.shown()
    return made


def saved(page: SavePage, name: str, *, note: str = "", tags: str = "") -> None:
    page.versions.name.value, page.versions.note.value, page.versions.tags.value = name, note, tags
    page.versions.save_button.click()


def test_the_prompt_of_the_studio_is_saved_with_message_and_tags(page, studio):
    studio.keep(Prompt(text="Say <b>{word}</b>", config=DecodingConfig(temperature=0)))
    saved(page, "page", note="first <i>", tags="task = greeting, by=me")
    assert "Saved as page/1" in page.versions.message.value
    assert find_prompt("page").prompt == studio.prompt.as_dict()
    assert find_prompt("page").tags == {"task": "greeting", "by": "me"}
    assert page.versions.note.value == ""
    assert (page.versions.saved.value, page.versions.version.value) == ("page", "page/1")
    assert "first &lt;i&gt;" in page.versions.table.value
    assert "Say &lt;b&gt;{word}&lt;/b&gt;" in page.versions.details.value


def test_a_button_that_is_pressed_twice_saves_once(page, studio):
    async def press_twice() -> None:
        saved(page, "once")
        page.versions.save_button.click()
        await page.versions.acting.task

    studio.keep(Prompt(text="text"))
    asyncio.run(press_twice())
    assert [version.number for version in prompt_versions("once")] == [1]


def test_versions_are_compared_restored_and_opened(page, studio, opened):
    old = Prompt(text="Say hello to {name}.", config=DecodingConfig(seed=1))
    new = Prompt(text="Say goodbye to {name}.", config=DecodingConfig(seed=2))
    for prompt in (old, new):
        studio.keep(prompt)
        saved(page, "compared")
    versions = page.versions
    versions.other.value = "compared/1"
    assert ">hello</del>" in versions.details.value and ">goodbye</ins>" in versions.details.value
    assert "1 passage removed, 1 passage added" in versions.details.value
    assert ">seed<" in versions.details.value and ">top p<" not in versions.details.value
    versions.version.value = "compared/1"
    versions.open_button.click()
    assert opened == [old]
    versions.restore_button.click()
    assert "compared/3 holds what compared/1 holds" in versions.message.value
    assert versions.version.value == "compared/3"
    assert find_prompt("compared").message == "Version 1, restored"


def test_aliases_are_given_and_taken(page):
    for text in "ab":
        save_prompt("aliased", text)
    page.shown()
    versions = page.versions
    versions.saved.value, versions.alias.value = "aliased", "production"
    versions.version.value = "aliased/1"
    versions.give_button.click()
    assert find_prompt("aliased@production").number == 1
    assert ("1 (production)", "aliased/1") in versions.version.options
    assert versions.version.value == "aliased/1"
    versions.take_button.click()
    assert "No version of aliased has the alias production now" in versions.message.value
    versions.take_button.click()
    assert "no version with the alias" in versions.message.value


def test_what_another_studio_saved_is_there_when_the_page_comes_to_front(page):
    save_prompt("theirs", "text")
    page.shown()
    assert "theirs" in page.versions.saved.options


def test_the_fields_are_there_in_another_kernel(page, studio):
    for name in ("kept-a", "kept-b", "kept-b", "kept-b"):
        save_prompt(name, "text")
    page.shown()
    page.versions.name.value, page.versions.note.value, page.versions.tags.value = "draft", "words {x}", "a=b"
    page.versions.saved.value = "kept-b"
    page.versions.version.value, page.versions.other.value = "kept-b/2", "kept-b/1"
    other = SavePage(Studio(studio.workspace))
    other.shown()
    fields = other.versions
    assert (fields.name.value, fields.note.value, fields.tags.value) == ("draft", "words {x}", "a=b")
    assert (fields.saved.value, fields.version.value, fields.other.value) == ("kept-b", "kept-b/2", "kept-b/1")
    assert "What leads from kept-b/1 to kept-b/2" in fields.details.value
    fields.saved.value = "kept-a"
    assert (fields.version.value, fields.other.value) == ("kept-a/1", NOTHING)


@pytest.mark.parametrize(
    ("name", "tags", "said"),
    [
        ("", "", "cannot be a prompt&#x27;s name"),
        ("two words", "", "cannot be a prompt&#x27;s name"),
        ("right", "task", "written as name=value"),
    ],
)
def test_what_is_wrong_with_the_fields_is_said(page, studio, name, tags, said):
    studio.keep(Prompt(text="text"))
    saved(page, name, tags=tags)
    assert said in page.versions.message.value


def test_an_empty_prompt_is_said(page):
    saved(page, "empty")
    assert "The prompt is empty" in page.versions.message.value


def test_the_draft_stays_where_the_registry_is_away(page, studio, monkeypatch):
    studio.keep(Prompt(text="a draft"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    saved(page, "away", note="my words")
    assert "no connection" in page.versions.message.value and 'role="alert"' in page.versions.message.value
    assert page.versions.note.value == "my words"
    assert studio.prompt.text == "a draft"
    page.shown()
    assert "no connection" in page.versions.said.value
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    page.versions.save_button.click()
    assert find_prompt("away").message == "my words"


def test_a_name_that_a_model_has_is_said(page, studio):
    connect().create_registered_model("tuned")
    studio.keep(Prompt(text="text"))
    saved(page, "tuned")
    assert "tuned is the name of a model" in page.versions.message.value


RUN = Prompt(text="ab {word}", values=((("word", "<b>cd</b>"),),), config=DecodingConfig(max_new_tokens=6), responses=2)


@pytest.fixture
def run(tiny, saved_model, studio):
    """A card of a run, kept in the workspace."""
    prompt = replace(RUN, model=str(saved_model))
    card = make_card(prompt, tiny, respond(tiny, filled(prompt, 0)))
    RunCards(studio.workspace).keep(card)
    return card


@LLAMA
def test_a_run_is_shown_and_run_again(run, page, opened):
    runs = page.runs
    assert "ab &lt;b&gt;cd&lt;/b&gt;" in runs.shown.value and "max new tokens 6" in runs.shown.value
    runs.again_button.click()
    assert "2 of 2 responses are the same" in runs.message.value
    assert "Seed 1, 6 tokens: the same, 6 tokens" in runs.shown.value
    page.shown()
    assert "the same, 6 tokens" in runs.shown.value
    runs.open_button.click()
    assert opened == [run.prompt]


@LLAMA
def test_a_choice_of_labels_is_shown_and_made_again(tiny, saved_model, page, studio):
    prompt = replace(RUN, labels=("<b>yes</b>", "no"), model=str(saved_model))
    card = make_card(prompt, tiny, classify(tiny, filled(prompt, 0)))
    RunCards(studio.workspace).keep(card)
    page.shown()
    runs, chosen = page.runs, card.outputs[0].text
    assert f"chosen: {chosen}, " in runs.list.label
    assert "&lt;b&gt;yes&lt;/b&gt;: " in runs.shown.value and "no: " in runs.shown.value
    runs.again_button.click()
    assert f"Chosen: {html.escape(chosen)}, as before; each share is the same within 0.5 %." in runs.message.value
    assert "as before; each share" in runs.shown.value


@LLAMA
def test_a_run_is_exported_and_imported(run, page, tmp_path):
    runs = page.runs
    runs.export_button.click()
    assert "Give the name of a file" in runs.message.value
    runs.path.value = str(tmp_path / "run.json")
    runs.export_button.click()
    content = (tmp_path / "run.json").read_bytes()
    assert read(content) == run
    runs._take(({"name": "run.json", "content": memoryview(content)},))
    assert "run.json is among the run cards now" in runs.message.value
    assert len(runs.found) == 2
    runs._take(({"name": "half.json", "content": memoryview(content[:100])},))
    assert "This is no run card" in runs.message.value


@LLAMA
def test_a_model_that_is_gone_is_said(run, page):
    gone = replace(run, prompt=replace(run.prompt, model="/nowhere/model"))
    page.runs.cards.keep(gone)
    page.shown()
    page.runs.list.value = next(name for name, card in page.runs.found.items() if card == gone)
    page.runs.again_button.click()
    assert 'role="alert"' in page.runs.message.value and "/nowhere/model" in page.runs.message.value


def test_without_runs_the_page_says_where_they_come_from(page):
    assert "Run in Prompt design leaves a card here" in page.runs.said.value
    page.runs.again_button.click()
    assert "Choose a run card first" in page.runs.message.value
