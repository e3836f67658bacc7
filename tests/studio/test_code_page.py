"""The page Get code, without a browser: the code of the present prompt, and sentences where there is none."""

import json

import pytest

from tests.serving.conftest import tiny_language_model
from utils.logits.config import DecodingConfig
from utils.models.loading import DEFAULT_MODEL
from utils.studio.code_page import CodePage
from utils.studio.prompt import Prompt
from utils.studio.studio import Studio

PROMPT = Prompt(
    text="Say {word}.", values=((("word", "fox"),), (("word", "개 <b>"),)), config=DecodingConfig(temperature=0)
)


@pytest.fixture
def studio(workspace, monkeypatch) -> Studio:
    made = Studio(workspace)
    monkeypatch.setattr(made.models, "load", lambda reference: tiny_language_model())
    made.keep(PROMPT)
    return made


@pytest.fixture
def page(studio) -> CodePage:
    return CodePage(studio)


def body(page: CodePage) -> dict:
    return json.loads(page.code.code.split("<<'JSON'\n")[1].removesuffix("JSON\n"))


def test_the_code_asks_with_the_row_that_is_chosen_in_prompt_design(page, studio):
    page.kind.value = "curl"
    assert (body(page)["prompt"], body(page)["model"]) == ("Say fox.", DEFAULT_MODEL)
    assert page.command.code == "sh ask.sh"
    studio.workspace.write("Prompt design", {"row": 1})
    page.shown()
    assert body(page)["prompt"] == "Say 개 <b>."


def test_the_choice_and_the_address_stand_there_again(page, studio):
    page.kind.value, page.endpoint.value = "curl", "http://127.0.0.1:9/v1/#tiny"
    again = CodePage(Studio(studio.workspace))
    assert (again.kind.value, again.endpoint.value) == ("curl", "http://127.0.0.1:9/v1/#tiny")
    again.shown()
    assert again.code.code.startswith("curl --silent --show-error http://127.0.0.1:9/v1/completions ")
    assert body(again)["model"] == "tiny"


def test_what_cannot_be_written_is_a_sentence_and_no_code_stays(page, studio):
    page.kind.value = "curl"
    page.endpoint.value = "http://127.0.0.1:1/v1"
    assert "No endpoint answers at http://127.0.0.1:1/v1" in page.message.value
    assert page.code.code == ""
    studio.keep(Prompt())
    page.endpoint.value = "http://127.0.0.1:1/v1#tiny"
    assert "The prompt is empty" in page.message.value


def test_a_prompt_of_an_endpoint_is_asked_there(page, studio):
    studio.keep(Prompt(text="fox", model="http://127.0.0.1:7/v1#there"))
    page.kind.value = "Vertex AI, Python"
    assert "no top-k but 1 to 40" in page.message.value
    page.kind.value = "Python with the openai client"
    assert "http://127.0.0.1:7/v1" in page.code.code
    assert "model='there'" in page.code.code
    page.kind.value = "Python with transformers"
    assert "are not on this machine" in page.message.value


def test_only_code_that_asks_an_endpoint_shows_its_address(page, studio):
    studio.keep(Prompt(text="fox", labels=("a", "b")))  # nothing that a Modelfile can hold
    page.kind.value = "Ollama Modelfile"
    assert page.endpoint.layout.display == "none"
    page.kind.value = "curl"
    assert page.endpoint.layout.display == ""
