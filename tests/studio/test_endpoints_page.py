"""The page Registry and endpoints on a real endpoint, and the commands that do the same as its buttons."""

import asyncio
import html
import json
import re
import subprocess
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.serving.conftest import SECONDS, tiny_language_model, wait_for
from tests.test_registry import add, tuned
from tests.tiny_models import save
from utils import registry
from utils.errors import EndpointError
from utils.serving import Deployment, deploy, find_deployment, undeploy
from utils.serving.deployments import deployments
from utils.studio.commands import Ask, Call, answered_by, complete, split
from utils.studio.endpoint_page import TOKENS
from utils.studio.endpoints_page import EndpointsPage
from utils.studio.traffic import look

pytestmark = pytest.mark.process

PROMPT = 'the "quick" fox\'s {braces} <b>한국어</b> 🙂\nline two'


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("tuning")


@pytest.fixture(autouse=True)
def one_place(place, monkeypatch) -> None:
    """One registry and one endpoint for all tests here: to start them takes seconds."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("COURSE_TUNING", str(place))


@pytest.fixture(scope="module")
def base(place) -> Path:
    model = tiny_language_model()
    folder = save(place / "tiny", model.model, model.tokenizer)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_TUNING", str(place))
        for seed in (1, 2):
            version = tuned(replace(model, name=str(folder)), "lora", place / f"adapter {seed}", scale=0.5, seed=seed)
            add("task", version, loss=float(seed))
    return folder


@pytest.fixture(scope="module")
def served(base, place) -> Generator[Deployment]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_TUNING", str(place))
        yield deploy("shared", model=base, adapters=["task"])
        undeploy("shared")


@pytest.fixture
def page(studio, served, monkeypatch) -> EndpointsPage:
    monkeypatch.setenv("COURSE_MODEL", str(served.model))
    split(served.url, "task", {"task": 1}).run()
    made = EndpointsPage(studio)
    made.shown()
    return made


def words(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", " ", markup))


def again(text: str) -> str:
    """Do what a command box says, as a person would, and return what is printed."""
    if text.startswith("curl"):
        return subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=True).stdout
    exec(compile(text, "command", "exec"), {})  # the box's own Python
    return ""


def held(served: Deployment) -> dict[str, dict[str, float]]:
    return {one["name"]: {part["version"]: part["weight"] for part in one["split"]} for one in look(served).held or ()}


def test_the_page_shows_the_registry_and_the_endpoint(page, served):
    assert page.registry.model.value == "task" and page.registry.version.value == "2"
    assert "lora" in words(page.registry.table.value) and "default" in words(page.registry.table.value)
    assert page.endpoint.value == "shared" and served.described in words(page.status.value)
    assert page.served.name.options == (str(served.model), "task")
    assert "task" in words(page.served.held.value) and "100 %" in words(page.served.held.value)
    assert {"task", "task/1", "task/2"} <= set(page.served.reference.options)
    assert "Requests: " in words(page.served.counts.value) and "Ready." in words(page.served.log.value)


def test_versions_are_compared_and_one_alone_is_told_whole(page):
    assert "best_validation_loss" in words(page.registry.measured.value)
    page.registry.other.value = "1"
    said = words(page.registry.measured.value)
    assert "task/1" in said and "task/2" in said and "best_validation_loss" in said and "epochs" not in said


def test_an_alias_and_the_default_move_and_the_commands_do_the_same(page):
    page.registry.alias.value = "production"
    page.registry.version.value = "1"
    page.registry.alias_button.click()
    assert registry.find("task@production").number == 1
    command = page.actions.command.code
    assert command == "from utils.registry import set_alias\n\nset_alias('task', 1, 'production')"
    registry.set_alias("task", 2, "production")
    again(command)
    assert registry.find("task@production").number == 1 and "production" in words(page.registry.table.value)
    page.registry.default_button.click()
    assert registry.find("task").number == 1
    registry.set_default("task", 2)
    again(page.actions.command.code)
    assert registry.find("task").number == 1
    registry.set_default("task", 2)
    page.registry.alias.value = "v1"
    page.registry.alias_button.click()
    assert "cannot be an alias" in words(page.actions.message.value) and 'role="alert"' in page.actions.message.value


def test_a_version_is_loaded_and_dropped_and_curl_does_the_same(page, served):
    page.served.reference.value = "task/1"
    page.served.load_button.click()
    assert held(served)["task/1"] == {"task/1": 1.0} and "task/1" in page.served.name.options
    load = page.actions.command.code
    page.served.name.value = "task/1"
    page.served.drop_button.click()
    assert "task/1" not in held(served)
    drop = page.actions.command.code
    again(load)
    assert "task/1" in held(served)
    again(drop)
    assert "task/1" not in held(served)


def test_traffic_is_split_and_the_answer_says_which_version_wrote_it(page, served):
    page.served.name.value = "task"
    assert list(page.served.weights) == ["task/1", "task/2"]
    assert sum(box.value for box in page.served.weights.values()) == 100
    page.served.weights["task/1"].value, page.served.weights["task/2"].value = 30, 60
    page.served.split_button.click()
    assert "come to 100" in words(page.actions.message.value) and len(held(served)["task"]) == 1
    page.served.weights["task/2"].value = 70
    page.served.split_button.click()
    assert held(served)["task"] == {"task/1": 30.0, "task/2": 70.0}
    command = page.actions.command.code
    split(served.url, "task", {"task/2": 1}).run()
    again(command)
    assert held(served)["task"] == {"task/1": 30.0, "task/2": 70.0}
    answers = {
        user: complete(served.url, "task", PROMPT, max_tokens=TOKENS, user=user).run() for user in map(str, range(12))
    }
    assert {answered_by(answer) for answer in answers.values()} == {"task/1", "task/2"}
    page.served.prompt.value, page.served.user.value = PROMPT, "7"
    page.served.call_button.click()
    version, text = answered_by(answers["7"]), answers["7"]["choices"][0]["text"]
    assert f"Version {version} answered" in words(page.served.answer.value)
    assert html.escape(text) in page.served.answer.value
    assert json.loads(again(page.actions.command.code))["choices"][0]["text"] == text
    page.look()
    assert "Answered lately by: " in words(page.served.counts.value) and version in words(page.served.counts.value)


def weights(page: EndpointsPage) -> dict[str, int]:
    return {reference: box.value for reference, box in page.served.weights.items()}


def test_the_form_begins_with_the_present_split_and_keeps_what_is_typed(page, studio, served):
    page.served.name.value = "task"
    split(served.url, "task", {"task/1": 3, "task/2": 7}).run()
    page.look()
    assert weights(page) == {"task/1": 30, "task/2": 70}, "a form that nobody has changed follows the endpoint"
    second = EndpointsPage(studio)
    second.shown()
    second.served.name.value = "task"
    assert weights(second) == {"task/1": 30, "task/2": 70} and "Sum: 100 %" in words(second.served.sum.value)
    second.served.weights["task/1"].value, second.served.weights["task/2"].value = 31, 69
    second.shown()
    assert weights(second) == {"task/1": 31, "task/2": 69}
    second.served.split_button.click()
    assert held(served)["task"] == {"task/1": 31.0, "task/2": 69.0}
    split(served.url, "task", {"task/2": 1}).run()
    second.look()
    assert weights(second) == {"task/1": 0, "task/2": 100}


def test_the_form_shows_a_version_that_answers_and_that_the_registry_has_not_said_yet(page):
    page.served.name.value = "task"
    page.served.offer(["task", "task/1"])
    assert weights(page) == {"task/1": 0, "task/2": 100}


def test_what_the_endpoint_counts_is_seen_while_someone_looks_and_no_longer(page, studio, served, monkeypatch):
    monkeypatch.setattr("utils.studio.endpoints_page.SECONDS", 0.01)
    before = look(served).reading.requests
    studio.navigation.value = page.name

    async def until(condition: Callable[[], object]) -> None:
        while not condition():
            await asyncio.sleep(0.01)

    async def watched() -> None:
        page.shown()
        await until(lambda: len(page.served.readings) > 2)
        call = complete(served.url, "task", PROMPT, max_tokens=TOKENS)
        await asyncio.to_thread(call.run)
        await until(lambda: re.search(r'<rect [^>]*height="(?!0\.0")', page.served.figure.value))
        assert f"Requests: {before + 1}." in words(page.served.counts.value)
        await until(lambda: "POST /v1/completions" in words(page.served.log.value).strip().splitlines()[0])
        studio.navigation.value = "Gallery"
        await until(lambda: not page.watching.busy)

    asyncio.run(asyncio.wait_for(watched(), SECONDS))


def test_the_newest_line_of_the_log_comes_first(page, served):
    complete(served.url, "task", PROMPT, max_tokens=1).run()
    lines = wait_for(lambda: look(served).log, lambda log: "completions" in log[-1])
    page.look()
    assert words(page.served.log.value).strip().splitlines() == [line.strip() for line in reversed(lines)]


def test_the_base_answers_without_a_version(page, served):
    page.served.name.value = str(served.model)
    assert page.served.splitting.layout.display == "none"
    page.served.prompt.value = "the quick fox"
    page.served.call_button.click()
    assert "The base model answered:" in words(page.served.answer.value)


def test_the_endpoint_is_opened_in_prompt_design(page, served, monkeypatch):
    opened = []
    monkeypatch.setattr(page.served, "open", opened.append)
    page.served.name.value, page.served.prompt.value = "task", PROMPT
    page.served.design_button.click()
    assert (opened[0].model, opened[0].text) == (f"{served.url}#task", PROMPT)


def test_the_base_or_a_version_is_deployed(page, served, monkeypatch):
    page.new.value = " another "
    page.serves.value = "models:/task/1"
    assert page._deploy() == Call(deploy, ("another",), {"adapters": ["task/1"]})
    monkeypatch.setenv("COURSE_MODEL", "other")
    assert page._deploy() == Call(deploy, ("another",), {"adapters": ["task/1"], "model": str(served.model)})
    page.serves.value = ""
    assert page._deploy() == Call(deploy, ("another",))


@pytest.fixture
def mortal() -> Generator[str]:
    """The name of an endpoint that does not outlive its test."""
    yield "mortal"
    if "mortal" in [one.name for one in deployments()]:
        undeploy("mortal")


def test_one_that_dies_is_said_and_the_commands_deploy_it_again_and_undeploy_it(page, mortal):
    page.new.value, page.serves.value = mortal, "models:/task/1"
    page.deploy_button.click()
    made, command = find_deployment(mortal), page.actions.command.code
    page.endpoint.value = mortal
    assert made.described in words(page.status.value) and list(held(made)) == ["task/1"]
    page.deploy_button.click()
    assert "An endpoint named 'mortal' answers at" in words(page.actions.message.value)
    made.process.kill()
    wait_for(lambda: made.status, lambda status: status == "ended")
    page.look()
    assert "The endpoint mortal has ended." in words(page.status.value) and 'role="alert"' in page.status.value
    assert page.served.call_button.disabled and not page.again_button.disabled and not page.undeploy_button.disabled
    assert "serves" in words(page.served.log.value) and page.registry.model.value == "task"
    again(command)
    redeployed = find_deployment(mortal)
    assert redeployed.status == "ready" and held(redeployed) == {"task/1": {"task/1": 1.0}}
    page.undeploy_button.click()
    assert page.actions.command.code == "from utils.serving import undeploy\n\nundeploy('mortal')"
    assert [one.name for one in deployments()] == ["shared"] and page.endpoint.value == "shared"


def test_an_endpoint_that_does_not_answer_is_a_sentence(page):
    with pytest.raises(EndpointError, match="No endpoint answers at http://127.0.0.1:9/v1/x"):
        Ask("http://127.0.0.1:9/v1/x").run()
    page.served.url = "http://127.0.0.1:9/v1"
    page.served.name.value, page.served.prompt.value = "task", "x"
    page.served.call_button.click()
    assert "No endpoint answers at http://127.0.0.1:9/v1" in words(page.actions.message.value)


def test_an_endpoints_own_words_are_said(served):
    with pytest.raises(EndpointError, match="The endpoint has no model 'none'"):
        complete(served.url, "none", "x", max_tokens=1).run()


def test_what_stands_in_the_fields_and_is_chosen_is_there_for_another_studio(page, studio, workspace, served):
    registry_part, endpoint_part = page.registry, page.served
    chosen = {
        page.new: "mine",
        page.serves: "models:/task/1",
        endpoint_part.prompt: PROMPT,
        endpoint_part.name: str(served.model),
        endpoint_part.reference: "task/2",
        registry_part.version: "1",
        registry_part.other: "2",
        registry_part.alias: "production",
    }
    for field, value in chosen.items():
        field.value = value
    other = EndpointsPage(type(studio)(workspace))
    other.shown()
    assert [field.value for field in other._fields.values()] == [field.value for field in page._fields.values()]
    assert all(field.value == value for field, value in chosen.items())
    assert "task/1" in words(other.registry.measured.value) and "task/2" in words(other.registry.measured.value)


def test_the_endpoint_chosen_is_there_for_another_studio(page, studio, workspace, served, monkeypatch):
    ended = replace(served, name="second", began=0.0)
    monkeypatch.setattr("utils.studio.endpoints_page.deployments", lambda: [served, ended])
    page.look()
    page.endpoint.value = "second"
    other = EndpointsPage(type(studio)(workspace))
    other.shown()
    assert other.endpoint.value == "second" and "The endpoint second has ended." in words(other.status.value)


def test_a_call_is_written_as_python_that_names_what_it_was_given():
    call = Call(deploy, ("it's",), {"adapters": ["a@b"]})
    assert call.text == "from utils.serving import deploy\n\ndeploy(\"it's\", adapters=['a@b'])"
