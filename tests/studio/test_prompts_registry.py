"""Saved prompts in MLflow: versions that never change, and models and prompts that are told apart."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.test_tracking import free_port, start_server, stop
from utils import registry
from utils.errors import DataError, EmptyPrompt, RegistryError
from utils.logits.config import DecodingConfig
from utils.prompts.templates import Example
from utils.registry import prompts
from utils.registry.prompts import find_prompt, prompt_names, prompt_versions, restore_prompt, save_prompt
from utils.registry.tracking import connect
from utils.studio.prompt import Prompt
from utils.studio.saved_prompts import opened, save, template

TEXTS = {
    "HTML": "<script>alert(1)</script> &amp; <b>bold</b>",
    "braces": '{one} {{two}} {{{three}}} {} {"four": 4} {% if five %} \\{six\\}',
    "Korean and emoji": "안녕하세요 👩‍👩‍👧 e\u0301",
    "line ends": "a\r\nb\n\n\tc\u2028d\x00e ",
    "long": "ab" * 50_000,
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def store(cache, monkeypatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("COURSE_TUNING", str(cache))


@pytest.mark.parametrize("name", TEXTS)
def test_a_prompt_comes_back_as_it_was(name):
    text = TEXTS[name]
    whole = {"kind": "freeform", "text": text, "values": [{"one": text[:100]}], "config": {"temperature": 0.5}}
    made = save_prompt("exact", text, prompt=whole, parameters={"temperature": 0.5, "order": "studio"}, message=name)
    found = find_prompt(made.reference)
    assert found == made
    assert (found.prompt, found.template, found.message) == (whole, text, name)
    assert found.parameters == {"temperature": 0.5, "order": "studio"}


def test_mlflow_s_own_client_reads_template_parameters_and_message():
    messages = [{"role": "system", "content": "Be {{tone}}."}, {"role": "user", "content": "{{question}}"}]
    save_prompt("readable", messages, parameters={"max_tokens": 20, "seed": 7}, message="Begins", tags={"task": "chat"})
    entry = connect().get_prompt_version("readable", "1")
    assert entry.template == messages
    assert entry.variables == {"tone", "question"}
    assert entry.model_config == {"max_tokens": 20, "seed": 7}
    assert (entry.commit_message, entry.tags) == ("Begins", {"task": "chat"})
    assert find_prompt("readable").tags == {"task": "chat"}


CONFIG = DecodingConfig(temperature=0.0, top_p=0.9, order="studio", seed=-3, max_new_tokens=20, stop=("\n", "{x}"))
PROMPTS = {
    "freeform": Prompt(text=f"{TEXTS['braces']} {TEXTS['HTML']}", values=((("one", "1"),), (("one", "{two}"),))),
    "structured": Prompt(
        kind="structured",
        context="Translate to {language}.",
        examples=(Example("a {b}", "{{c}}"),),
        input_label="Text",
        labels=("yes", "no"),
        config=CONFIG,
    ),
    "chat": Prompt(
        kind="chat",
        context="Be {tone}.",
        turns=(("user", "Hello"), ("assistant", "<b>안녕</b>"), ("user", "{question}")),
        responses=5,
        model="models:/mine@default",
        config=CONFIG,
    ),
    "table": Prompt(text="{word}", values=tuple((("word", f"{n} " + "한" * 500),) for n in range(1000))),
    "as chat": Prompt(text="Hello {name}", as_chat=True),
}


@pytest.mark.parametrize("kind", PROMPTS)
def test_the_studio_s_prompt_comes_back_with_its_parameters(kind):
    made = save(PROMPTS[kind], "studio", message=kind)
    assert opened(made) == opened(find_prompt(made.reference)) == PROMPTS[kind]


def test_mlflow_shows_variables_as_its_own_and_the_rest_as_it_is():
    assert template(PROMPTS["freeform"]) == PROMPTS["freeform"].text.replace("{one}", "{{one}}")
    assert template(PROMPTS["structured"]) == (
        "Translate to {{language}}.\n\nText: a {{b}}\nOutput: {{c}}\n\nText: {{input}}\nOutput:"
    )
    assert template(PROMPTS["as chat"]) == [{"role": "user", "content": "Hello {{name}}"}]
    assert template(PROMPTS["chat"])[0] == {"role": "system", "content": "Be {{tone}}."}
    config = save(PROMPTS["chat"], "shown").parameters
    assert config.pop("stop_sequences") == ["\n", "{x}"]
    assert config == {
        "model_name": "models:/mine@default",
        "temperature": 0.0,
        "top_p": 0.9,
        "max_tokens": 20,
        "extra_params": {"min_p": 0.0, "repetition_penalty": 1.0, "order": "studio", "seed": -3, "responses": 5},
    }


@pytest.mark.parametrize("empty", [Prompt(), Prompt(text=" \n"), Prompt(kind="chat"), Prompt(text="", as_chat=True)])
def test_an_empty_prompt_is_not_saved(empty):
    with pytest.raises(EmptyPrompt):
        save(empty, "empty")
    assert "empty" not in prompt_names()


def test_a_version_from_mlflow_s_own_page_is_opened_too():
    config = {"temperature": 0.5, "max_tokens": 9, "stop_sequences": ["."], "provider": "x", "sampling": 1}
    config |= {"extra_params": {"seed": 4}}
    text = save_prompt("theirs", "Say {{ word }} {x}", parameters=config)
    assert opened(text) == Prompt(
        text="Say {word} {x}", config=DecodingConfig(temperature=0.5, max_new_tokens=9, stop=(".",), seed=4)
    )
    messages = [{"role": "system", "content": "Be {{tone}}."}, {"role": "user", "content": "Hi"}]
    chat = save_prompt("theirs", messages, parameters={"order": "none of ours"})
    assert opened(chat) == Prompt(kind="chat", context="Be {tone}.", turns=(("user", "Hi"),))


def test_an_alias_is_found_where_it_was_put_last_also_by_another():
    for text in ("one", "two", "three"):
        save_prompt("aliases", text)
    registry.set_prompt_alias("aliases", 1, "best")
    registry.set_prompt_alias("aliases", 1, "short")
    assert find_prompt("aliases@best").template == "one"
    connect().set_prompt_alias("aliases", "best", 3)
    assert find_prompt("aliases@best").template == "three"
    assert [version.aliases for version in prompt_versions("aliases")] == [("short",), (), ("best",)]
    registry.delete_prompt_alias("aliases", "best")
    assert find_prompt("aliases/3").aliases == ()
    assert find_prompt("aliases").number == 3


def test_a_restored_version_is_a_new_one_that_holds_the_old():
    save_prompt("restored", "old {{a}}", prompt={"text": "old {a}"}, parameters={"seed": 1}, tags={"task": "x"})
    save_prompt("restored", "new", prompt={"text": "new"})
    made = restore_prompt("restored/1")
    assert (made.number, made.message) == (3, "Version 1, restored")
    first = find_prompt("restored/1")
    for part in ("template", "prompt", "parameters", "tags"):
        assert getattr(made, part) == getattr(first, part)


def test_a_version_from_mlflow_s_own_page_is_one_without_the_studio_s_prompt():
    connect().register_prompt("foreign", "Say {{word}}", tags={"by": "hand"})
    found = find_prompt("foreign")
    assert (found.template, found.prompt, found.parameters, found.tags) == ("Say {{word}}", None, {}, {"by": "hand"})


def test_a_prompt_that_another_hand_damaged_still_has_its_template():
    save_prompt("damaged", "whole", prompt={"text": "x" * 2 * prompts.PIECE})
    connect().delete_prompt_version_tag("damaged", "1", "course.prompt.2")
    assert (find_prompt("damaged").prompt, find_prompt("damaged").template) == (None, "whole")


def test_all_versions_are_found_where_mlflow_gives_them_in_pages(monkeypatch):
    for n in range(5):
        save_prompt("pages", str(n))
    search = type(connect()).search_prompt_versions
    monkeypatch.setattr(
        "mlflow.MlflowClient.search_prompt_versions", lambda self, name, page_token: search(self, name, 2, page_token)
    )
    assert [version.template for version in prompt_versions("pages")] == list("01234")


def test_what_two_studios_save_at_once_is_there_twice():
    texts = [f"text {n}" for n in range(6)]
    with ThreadPoolExecutor(len(texts)) as pool:
        numbers = [made.number for made in pool.map(lambda text: save_prompt("at-once", text), texts)]
    assert sorted(numbers) == [1, 2, 3, 4, 5, 6]
    assert {version.template for version in prompt_versions("at-once")} == set(texts)


def test_models_and_prompts_do_not_meet(tmp_path, adapter):
    save_prompt("a-prompt", "text")
    registry.register("a-model", adapter, parameters={}, metrics={})
    assert "a-prompt" not in registry.models()["model"].tolist()
    assert "a-model" not in prompt_names() and "a-prompt" in prompt_names()
    for asked, said in [
        (lambda: registry.find("a-prompt"), "no model 'a-prompt'"),
        (lambda: registry.versions("a-prompt"), "no model 'a-prompt'"),
        (lambda: find_prompt("a-model"), "no prompt 'a-model'"),
        (lambda: registry.register("a-prompt", adapter, parameters={}, metrics={}), "name of a saved prompt"),
        (lambda: save_prompt("a-model", "text"), "name of a model"),
    ]:
        with pytest.raises(RegistryError, match=said):
            asked()
    assert registry.find("a-model").number == 1
    assert find_prompt("a-prompt").number == 1


@pytest.fixture
def adapter(tmp_path) -> Path:
    """A folder that looks like an adapter's."""
    import torch
    from safetensors.torch import save_file

    (tmp_path / "adapter.json").write_text('{"method": "lora", "size": 8, "base": "tiny", "weights": "abc"}')
    save_file({"weight": torch.zeros(10)}, tmp_path / "adapter.safetensors")
    return tmp_path


@pytest.mark.parametrize("reference", ["nothing", "known/7", "known@gone", "known/", "known@", "", "a'b", "known/1/2"])
def test_what_is_not_there_is_said(reference):
    if "known" not in prompt_names():
        save_prompt("known", "text")
    with pytest.raises(RegistryError, match="has no"):
        find_prompt(reference)


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        ({"name": "two words"}, RegistryError, "cannot be a prompt's name"),
        ({"name": "a\n"}, None, ""),
        ({"name": "../up"}, RegistryError, "cannot be a prompt's name"),
        ({"name": "제목"}, RegistryError, "cannot be a prompt's name"),
        ({"name": 3}, DataError, "name is a text"),
        ({"template": "x" * 100_001}, RegistryError, "100,001 characters, and MLflow keeps 100,000"),
        ({"template": [{"role": "user", "content": "안" * 20_000}]}, RegistryError, "MLflow keeps 100,000"),
        ({"message": "x" * 5001}, RegistryError, "message has 5,001 characters"),
        ({"tags": {"task": "x" * 5001}}, RegistryError, "tag task has 5,001"),
        ({"tags": {"mlflow.prompt.text": "x"}}, RegistryError, "cannot be a tag's name"),
        ({"tags": {"course.prompt.1": "x"}}, RegistryError, "cannot be a tag's name"),
        ({"tags": {"a b": "x"}}, RegistryError, "cannot be a tag's name"),
        ({"prompt": {"text": "x" * 1_000_000}}, RegistryError, "1,000,000 can be saved"),
    ],
)
def test_what_mlflow_cannot_keep_is_said_and_nothing_is_saved(wrong, error, said):
    given = {"name": "refused", "template": "text", **wrong}
    if error is None:
        assert save_prompt(**given).name == "a"
        return
    with pytest.raises(error, match=said):
        save_prompt(**given)
    assert "refused" not in prompt_names()


@pytest.mark.parametrize("alias", ["latest", "v2", "two words", "", "1st"])
def test_an_alias_that_mlflow_would_misread_is_refused(alias):
    with pytest.raises(RegistryError, match="cannot be an alias"):
        registry.set_prompt_alias("known", 1, alias)


def test_no_store_is_made_by_asking_for_names(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_TUNING", str(tmp_path / "new"))
    assert prompt_names() == []
    assert not (tmp_path / "new").exists()


@pytest.mark.process
def test_a_server_keeps_prompts_too_and_one_that_is_gone_is_said(cache, tmp_path, monkeypatch):
    connect()
    shutil.copy(cache / "mlflow" / "mlflow.db", tmp_path)
    port = free_port()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    server = start_server(tmp_path, port)
    try:
        for text in TEXTS.values():
            assert find_prompt(save_prompt("remote", text, prompt={"text": text}).reference).prompt == {"text": text}
        registry.set_prompt_alias("remote", 2, "best")
        assert find_prompt("remote@best").template == TEXTS["braces"]
        assert [version.aliases for version in prompt_versions("remote")][:3] == [(), ("best",), ()]
        assert "remote" in prompt_names()
        with ThreadPoolExecutor(4) as pool:
            made = [*pool.map(lambda text: save_prompt("remote-at-once", text), "abcd")]
        assert sorted(version.number for version in made) == [1, 2, 3, 4]
    finally:
        stop(server)
    with pytest.raises(RegistryError, match="no connection.*start the server"):
        save_prompt("remote", "one more")
