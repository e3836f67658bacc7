"""A prompt of the studio: its kinds, its variables, what a model is given, and how it is kept."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.errors import DataError, EmptyPrompt, UnsupportedSetting
from utils.logits.config import DecodingConfig
from utils.prompts.templates import PLAIN, ChatTemplate, Example, build_prompt
from utils.studio.prompt import Prompt

EXAMPLES = (Example("2 + 2", "4"), Example("<b>", "{x}"))
WHOLE = Prompt(
    kind="structured",
    text="안녕 👋 {name}",
    context="Add.",
    examples=EXAMPLES,
    test_input="3 + 3",
    input_label="Sum",
    output_label="Total",
    turns=(("user", "Hi"), ("assistant", "Hello")),
    as_chat=True,
    values=((("name", "Mina"), ("town", "Busan")),),
    labels=("yes", "no"),
    config=DecodingConfig(temperature=0.5, stop=("\n",), order="studio"),
    responses=3,
    model="models:/reviews@default",
)


def test_a_prompt_comes_back_from_json_as_it_was_and_says_only_what_is_set():
    assert Prompt.from_dict(json.loads(json.dumps(WHOLE.as_dict()))) == WHOLE
    assert Prompt().as_dict() == {}
    assert WHOLE.as_dict()["config"] == {"temperature": 0.5, "stop": ["\n"], "order": "studio"}


TEXT = st.text(max_size=20)


@settings(deadline=None, derandomize=True, database=None)
@given(
    st.builds(
        Prompt,
        kind=st.sampled_from(["freeform", "structured", "chat"]),
        text=TEXT,
        context=TEXT,
        examples=st.lists(st.builds(Example, TEXT, TEXT), max_size=2).map(tuple),
        turns=st.lists(st.tuples(st.sampled_from(["user", "assistant"]), TEXT), max_size=3).map(tuple),
        as_chat=st.booleans(),
        responses=st.integers(1, 32),
    )
)
def test_any_prompt_comes_back(prompt):
    assert Prompt.from_dict(json.loads(json.dumps(prompt.as_dict()))) == prompt


def test_only_a_name_in_single_braces_is_a_variable():
    prompt = Prompt(text='{name} {} { x } {{y}} {"a": 1} {1a} {도시} {name}')
    assert prompt.variables == ("name", "도시")
    assert prompt.filled({"name": "{도시}", "y": "?"}).text == '{도시} {} { x } {{y}} {"a": 1} {1a} {도시} {도시}'


def test_variables_are_those_of_the_kind():
    prompt = Prompt(
        text="{a}", context="{b}", examples=(Example("{c}", "{d}"),), test_input="{e}", turns=(("user", "{f}"),)
    )
    kinds = {kind: Prompt.from_dict(prompt.as_dict() | {"kind": kind}).variables for kind in ("structured", "chat")}
    assert prompt.variables == ("a",) and kinds == {"structured": ("b", "c", "d", "e"), "chat": ("b", "f")}


def test_a_record_s_input_stands_where_the_prompt_has_a_place_for_it():
    assert Prompt(text="Review: {input}\n").about("{fine}").text == "Review: {fine}\n"
    assert Prompt(kind="structured", test_input="old").about("new").test_input == "new"
    with pytest.raises(DataError, match=r"write \{input\} where it shall stand"):
        Prompt(text="Review:").about("fine")


def test_what_a_model_is_given(tiny):
    assert Prompt(text=" as it is\n").written(tiny) == " as it is\n"
    structured = Prompt(kind="structured", context="Add.", examples=EXAMPLES, test_input="3 + 3")
    assert structured.written(tiny) == build_prompt("Add.", "3 + 3", EXAMPLES, PLAIN)
    chat = build_prompt("Add.", "3 + 3", EXAMPLES, ChatTemplate(tiny.tokenizer))
    assert Prompt.from_dict(structured.as_dict() | {"as_chat": True}).written(tiny) == chat
    told = Prompt(kind="chat", context="Be brief.", turns=(("user", "Hi"), ("assistant", "Yes?"), ("user", "Go on")))
    assert [turn["role"] for turn in told.messages] == ["system", "user", "assistant", "user"]
    assert "Be brief." in told.written(tiny) and told.written(tiny).index("Yes?") < told.written(tiny).index("Go on")


@pytest.mark.parametrize(
    ("prompt", "error", "said"),
    [
        (Prompt(text=" \n"), EmptyPrompt, "write what the model shall go on with"),
        (Prompt(kind="structured", context="Add."), EmptyPrompt, "test input is empty"),
        (Prompt(kind="chat"), EmptyPrompt, "no turn yet"),
        (Prompt(kind="chat", turns=(("user", "Hi"), ("assistant", "Hi"))), DataError, "last turn is the model's"),
    ],
)
def test_what_cannot_be_asked_is_said(tiny, prompt, error, said):
    with pytest.raises(error, match=said):
        prompt.written(tiny)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ([], DataError, "names with values"),
        ({"txt": ""}, DataError, "has no 'txt': its parts are kind, text"),
        ({"kind": "poem"}, DataError, "freeform, structured or chat; 'poem'"),
        ({"text": 3}, DataError, "Text of a prompt is a text"),
        ({"labels": ["a"]}, DataError, "two or more"),
        ({"labels": ["a", "a"]}, DataError, "each another"),
        ({"labels": "ab"}, DataError, "in a list"),
        ({"turns": [{"model": "x"}]}, DataError, "the user or the assistant; 'model'"),
        ({"turns": [{"user": "a", "assistant": "b"}]}, DataError, "A turn is written as"),
        ({"values": [3]}, DataError, "A row of values is written as names with values; 3"),
        ({"examples": [{"in": "a"}]}, DataError, "Number 1 of examples"),
        ({"as_chat": "yes"}, DataError, "true or false"),
        ({"config": {"heat": 1}}, DataError, "no parameter 'heat'"),
        ({"config": {"temperature": -1}}, UnsupportedSetting, "Temperature"),
        ({"config": {"stop": "x"}}, DataError, "in a list"),
        ({"responses": 0}, UnsupportedSetting, "from 1 to 32"),
        ({"text": "\ud800"}, DataError, "half a character"),
    ],
)
def test_a_wrong_prompt_is_a_sentence(given, error, said):
    with pytest.raises(error, match=said):
        Prompt.from_dict(given)
