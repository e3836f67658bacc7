"""The OpenAI interface on a tiny model: its answers are the model's, its fields are checked, its streams end well."""

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from inspect import get_annotations

import openai
import pytest
import torch
from openai.types import completion_create_params
from openai.types.chat import completion_create_params as chat_create_params
from transformers import PreTrainedTokenizerFast

from tests.serving.conftest import SECONDS, ask, new_endpoint, raw, serving, tiny_language_model, wait_for
from tests.test_registry import add, tuned
from tests.tiny_models import byte_pairs
from utils import registry
from utils.decoding.generation import complete_many
from utils.logits.config import DecodingConfig
from utils.models.tokens import is_bytes, token_text
from utils.prompts.conversations import conversation
from utils.serving.answering import answer
from utils.serving.logs import Record
from utils.serving.openai_answers import prompt_rows
from utils.serving.openai_requests import Prompt
from utils.serving.openai_schema import ChatRequest, CompletionRequest
from utils.serving.refusals import LATE, TOO_MANY, Refusal
from utils.serving.requests import PromptScores, Score, Token

HALF = "\N{REPLACEMENT CHARACTER}"
TURNS = [{"role": "user", "content": "Hi"}]
ASKED = {"completions": {"prompt": "The cat"}, "chat/completions": {"messages": TURNS}}


class Scripted:
    """A scheduler that says what it is given, and then nothing more."""

    alive, retry_after = True, 1

    def __init__(self, *events, refusal=None):
        self.events, self.refusal = events, refusal
        self.requests, self.asked, self.cancelled = [], threading.Event(), threading.Event()

    def submit(self, requests, emit):
        self.requests = requests
        if self.refusal:
            raise self.refusal
        for event in self.events:
            emit(*event)
        self.asked.set()
        return self

    def cancel(self):
        self.cancelled.set()

    def stop(self, *, seconds=30.0):
        self.alive = False


@pytest.fixture
def scripted():
    """Serve the tiny model with a script in place of the scheduler; each test writes its own."""
    script = Scripted()
    with serving(new_endpoint(tiny_language_model(), scheduler=script)) as served:
        served.script = script
        yield served


@pytest.fixture
def model(tiny_endpoint):
    return tiny_endpoint.endpoint.model


@pytest.fixture
def client(tiny_endpoint):
    return official(tiny_endpoint.url)


def official(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=url, api_key="unused", max_retries=0, timeout=SECONDS)


def chunks_of(answer) -> list[dict]:
    """Return a stream's chunks; its last event is [DONE] and there is only one such."""
    events = [line.removeprefix("data: ") for line in answer.body.decode().split("\n\n") if line]
    assert events.index("[DONE]") == len(events) - 1
    return [json.loads(event) for event in events[:-1]]


def joined(chunks: list[dict]) -> dict[int, dict]:
    """Put a stream's choices together, as a client would."""
    found: dict[int, dict] = {}
    for choice in [choice for chunk in chunks for choice in chunk["choices"]]:
        text = choice["text"] if "text" in choice else choice["delta"].get("content", "")
        whole = found.setdefault(choice["index"], {"text": "", "logprobs": {}, "finish_reason": []})
        whole["text"] += text
        whole["finish_reason"] += [choice["finish_reason"]] if choice["finish_reason"] else []
        for name, rows in (choice["logprobs"] or {}).items():
            whole["logprobs"].setdefault(name, []).extend(rows)
    return found


def test_models_are_listed_with_their_window(client, model):
    [listed] = client.models.list().data
    assert (listed.id, listed.max_model_len) == (model.name, model.context_window)
    assert client.models.retrieve(model.name) == listed
    with pytest.raises(openai.NotFoundError, match="another"):
        client.models.retrieve("another/3")


def test_a_text_is_what_the_model_writes_alone(client, model):
    prompts = ["The cat", "a dog", "The cat"]
    for settings in ({"temperature": 0.0}, {"temperature": 1.3, "seed": 5, "top_p": 0.9}):
        answer = client.completions.create(model=model.name, prompt=prompts, max_tokens=12, **settings)
        assert [choice.text for choice in answer.choices] == model.generate(prompts, max_new_tokens=12, **settings)


def test_the_courses_own_settings_reach_the_sampler(client, model):
    own = {"top_k": 5, "min_p": 0.05, "repetition_penalty": 1.3, "order": "studio"}
    answer = client.completions.create(model=model.name, prompt="The cat", max_tokens=12, seed=3, extra_body=own)
    config = DecodingConfig(max_new_tokens=12, **own)
    assert [answer.choices[0].text] == complete_many(model, "The cat", config, seeds=[3])


def test_logit_bias_forces_a_token_and_a_stop_string_ends_before_it(client, model):
    [letter] = model.encode("a")
    asked = {
        "model": model.name,
        "prompt": "The cat",
        "max_tokens": 6,
        "temperature": 0.0,
        "logit_bias": {str(letter): 100},
    }
    [choice] = client.completions.create(**asked).choices
    assert (choice.text, choice.finish_reason) == ("aaaaaa", "length")
    stopped = client.completions.create(**asked, stop=["b", "aaa"])
    [choice] = stopped.choices
    assert (choice.text, choice.finish_reason, stopped.usage.completion_tokens) == ("", "stop", 3)


def test_choices_take_the_next_seeds_also_where_a_prompt_stands_again(client, model):
    answer = client.completions.create(model=model.name, prompt=["a", "b", "a"], n=2, seed=7, max_tokens=8)
    config = DecodingConfig(max_new_tokens=8)
    first, second = (
        complete_many(model, prompt, config, seeds=seeds) for prompt, seeds in [("a", range(7, 11)), ("b", [7, 8])]
    )
    assert [choice.text for choice in answer.choices] == [*first[:2], *second, *first[2:]]
    assert [choice.index for choice in answer.choices] == list(range(6))


def test_adapters_and_the_base_interleaved_answer_as_each_does_alone(tiny_endpoint, model, tmp_path):
    held, prompts = tiny_endpoint.endpoint.adapters, ["The cat", "a dog", "The cat sat"]
    alone = {model.name: model}
    for seed, name in enumerate(["one", "two"]):
        add(name, tuned(model, "lora", tmp_path / name, scale=0.3, seed=seed))
        held.add(name)
        alone[name] = registry.load(name, base=model)
    asked = [(name, prompt) for prompt in prompts for name in alone] * 2

    def complete(name, prompt):
        body = {"model": name, "prompt": prompt, "max_tokens": 20, "temperature": 0}
        return ask(f"{tiny_endpoint.url}/completions", body).json

    with ThreadPoolExecutor(len(asked)) as clients:
        answers = list(clients.map(lambda one: complete(*one), asked))
    for name in ("one", "two"):
        held.drop(name)
    expected = [alone[name].generate(prompt, max_new_tokens=20) for name, prompt in asked]
    assert [answer["choices"][0]["text"] for answer in answers] == expected and len(set(expected)) == 9
    assert len({answer["system_fingerprint"] for answer in answers}) == 3


def test_without_a_seed_every_choice_draws_its_own(scripted):
    official(scripted.url)
    scripted.script.events = [(n, Token(3, "a", None, "stop")) for n in range(4)]
    ask(f"{scripted.url}/completions", {"model": "tiny", "prompt": ["a", "b"], "n": 2})
    assert len({request.config.seed for request in scripted.script.requests}) == 4


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("completions", {}),
        ("completions", {"n": 3}),
        ("completions", {"logprobs": 2}),
        ("completions", {"echo": True}),
        ("completions", {"echo": True, "logprobs": 1, "n": 2}),
        ("chat/completions", {"n": 3}),
        ("chat/completions", {"logprobs": True, "top_logprobs": 2}),
    ],
)
def test_a_stream_is_the_whole_in_pieces(tiny_endpoint, path, more):
    body = {"model": "tiny", "seed": 11, "max_tokens": 9, **ASKED[path], **more}
    whole = ask(f"{tiny_endpoint.url}/{path}", body).json
    asked = {**body, "stream": True, "stream_options": {"include_usage": True}}
    *chunks, last = chunks_of(ask(f"{tiny_endpoint.url}/{path}", asked))
    found = joined(chunks)
    assert sorted(found) == list(range(more.get("n", 1)))
    for choice in whole["choices"]:
        streamed = found[choice["index"]]
        assert streamed["text"] == (choice["text"] if "text" in choice else choice["message"]["content"])
        assert streamed["finish_reason"] == [choice["finish_reason"]]
        assert streamed["logprobs"] == (choice["logprobs"] or {})
    assert last["usage"] == whole["usage"] and last["choices"] == []
    assert all(chunk["usage"] is None for chunk in chunks)
    assert {(chunk["id"], chunk["model"], chunk["system_fingerprint"]) for chunk in [*chunks, last]} == {
        (last["id"], "tiny", whole["system_fingerprint"])
    }


def test_a_chat_begins_with_its_role_and_says_usage_only_when_asked(tiny_endpoint):
    body = {"model": "tiny", "messages": TURNS, "max_tokens": 2, "n": 2, "stream": True}
    chunks = chunks_of(ask(f"{tiny_endpoint.url}/chat/completions", body))
    roles = [choice for chunk in chunks for choice in chunk["choices"] if "role" in choice["delta"]]
    assert sorted(choice["index"] for choice in roles) == [0, 1]
    assert all(choice["delta"] == {"role": "assistant", "content": ""} for choice in roles)
    assert not any("usage" in chunk for chunk in chunks)


def test_logprobs_are_the_models_own_also_of_an_echoed_prompt(client, model):
    answer = client.completions.create(
        model=model.name, prompt="The cat", max_tokens=4, logprobs=3, echo=True, seed=2, temperature=2.0
    )
    [choice], rows = answer.choices, answer.choices[0].logprobs
    names = [token_text(model.tokenizer, token) for token in range(model.embedded)]
    ids = [names.index(token) for token in rows.tokens]
    with torch.inference_mode():
        expected = model.model(torch.tensor([ids])).logits[0].log_softmax(-1)
    assert choice.text.startswith("The cat") and len(ids) == answer.usage.total_tokens
    assert rows.token_logprobs[0] is None and rows.top_logprobs[0] is None
    for n, token in enumerate(ids[1:]):
        assert rows.token_logprobs[n + 1] == pytest.approx(expected[n, token].item(), abs=1e-4)
        likeliest = {*expected[n].topk(3).indices.tolist(), token}
        assert set(rows.top_logprobs[n + 1]) == {names[token] for token in likeliest}
    for begins, token in zip(rows.text_offset, rows.tokens, strict=True):
        assert is_bytes(token) or choice.text[begins:].lstrip(HALF).startswith(token)


def test_a_prompt_is_scored_without_an_answer(client, model):
    answer = client.completions.create(model=model.name, prompt="The cat", max_tokens=0, logprobs=0, echo=True)
    [choice] = answer.choices
    assert (choice.text, choice.finish_reason) == ("The cat", "length")
    assert len(choice.logprobs.tokens) == answer.usage.prompt_tokens == model.count_tokens("The cat")
    assert answer.usage.completion_tokens == 0


def test_parts_of_a_character_have_the_place_of_the_whole():
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=byte_pairs([], vocabulary=260, special=["<end>"]), eos_token="<end>"
    )
    text = "é🙂<end>a"
    ids = tuple(tokenizer(text)["input_ids"])
    scores = PromptScores(tuple(Score(token, -1.0) for token in ids[1:]))
    assert [begins for begins, *_ in prompt_rows(tokenizer, Prompt(text, ids), scores)] == [0, 0, 1, 1, 1, 1, 2, 7]


def test_a_prompt_may_be_ids(client, model):
    ids = model.encode("The cat")
    asked = {"model": model.name, "max_tokens": 8, "temperature": 0.0}
    expected = client.completions.create(prompt="The cat", **asked)
    one, two = (client.completions.create(prompt=prompt, **asked) for prompt in (ids, [ids, ids]))
    assert [choice.text for choice in (*one.choices, *two.choices)] == [expected.choices[0].text] * 3
    assert (one.usage, two.usage.prompt_tokens) == (expected.usage, 2 * len(ids))


def test_an_unasked_length_is_16_tokens_or_what_the_window_leaves(scripted):
    scripted.script.events = [(0, Token(3, "a", None, "stop"))]
    lengths = {}
    for path, asked in ASKED.items():
        assert ask(f"{scripted.url}/{path}", {"model": "tiny", **asked}).status == 200
        [request] = scripted.script.requests
        lengths[path] = (request.config.max_new_tokens, len(request.prompt))
    assert lengths["completions"][0] == 16
    assert sum(lengths["chat/completions"]) == scripted.endpoint.model.context_window


def test_a_conversation_is_written_as_the_model_knows_it(scripted):
    scripted.script.events = [(0, Token(3, "Hi", None, "stop"))]
    client, model = official(scripted.url), scripted.endpoint.model
    turns = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]},
    ]
    message = client.chat.completions.create(model="tiny", messages=turns).choices[0].message
    client.chat.completions.create(model="tiny", messages=[*turns, message, {"role": "user", "content": "Go on."}])
    said = [("system", "Be kind."), ("user", "One.\nTwo."), ("assistant", "Hi"), ("user", "Go on.")]
    expected = conversation(model.tokenizer, [{"role": role, "content": content} for role, content in said])
    assert scripted.script.requests[0].prompt == tuple(model.encode(expected))


@pytest.mark.parametrize(
    ("wanted", "schema"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, {"type": "object"}),
        ({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "integer"}}}, {"type": "integer"}),
    ],
)
def test_a_response_format_becomes_a_schema(scripted, wanted, schema):
    scripted.script.events = [(0, Token(3, "1", None, "stop"))]
    body = {"model": "tiny", "messages": TURNS, "response_format": wanted}
    assert ask(f"{scripted.url}/chat/completions", body).status == 200
    [request] = scripted.script.requests
    assert (request.schema and json.loads(request.schema)) == schema


def test_an_answer_obeys_its_schema(client, model):
    schema = {"enum": ["yes", "no", 7]}
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}
    asked = {"model": model.name, "messages": TURNS, "max_tokens": 20, "n": 4}
    for choice in client.chat.completions.create(**asked, response_format=wanted).choices:
        assert json.loads(choice.message.content) in schema["enum"] and choice.finish_reason == "stop"
    wanted["json_schema"]["schema"] = {"type": "colour"}
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**asked, response_format=wanted)
    assert caught.value.param == "response_format"


BAD = [
    ("completions", {"temperature": -1}, "temperature"),
    ("completions", {"temperature": "1"}, "temperature"),
    ("completions", {"top_p": 1.5}, "top_p"),
    ("completions", {"top_k": -1}, "top_k"),
    ("completions", {"min_p": 2}, "min_p"),
    ("completions", {"repetition_penalty": 0}, "repetition_penalty"),
    ("completions", {"order": "random"}, "order"),
    ("completions", {"seed": 1.5}, "seed"),
    ("completions", {"seed": 10**120}, "seed"),
    ("completions", {"stop": ""}, "stop"),
    ("completions", {"stop": ["."] * 17}, "stop"),
    ("completions", {"n": 0}, "n"),
    ("completions", {"n": 33}, "n"),
    ("completions", {"prompt": ["a"] * 33}, "prompt"),
    ("completions", {"prompt": " "}, "prompt"),
    ("completions", {"prompt": []}, "prompt"),
    ("completions", {"prompt": ["a", 1]}, "prompt"),
    ("completions", {"prompt": [10**30]}, "prompt"),
    ("completions", {"prompt": [-1]}, "prompt"),
    ("completions", {"prompt": "a" * 300}, "prompt"),
    ("completions", {"prompt": None}, "prompt"),
    ("completions", {"max_tokens": 256}, "max_tokens"),
    ("completions", {"max_tokens": 10**6}, "max_tokens"),
    ("completions", {"max_tokens": 0}, "max_tokens"),
    ("completions", {"logprobs": 6}, "logprobs"),
    ("completions", {"logprobs": True}, "logprobs"),
    ("completions", {"logit_bias": {"9999": 1}}, "logit_bias"),
    ("completions", {"logit_bias": {"a": 1}}, "logit_bias.a"),
    ("completions", {"logit_bias": {"1": 101}}, "logit_bias"),
    ("completions", {"stream": 1}, "stream"),
    ("completions", {"stream_options": {"include_usage": True}}, "stream_options"),
    ("completions", {"suffix": "end"}, "suffix"),
    ("completions", {"best_of": 3}, "best_of"),
    ("completions", {"presence_penalty": 0.5}, "presence_penalty"),
    ("completions", {"model": ""}, "model"),
    ("chat/completions", {"messages": []}, "messages"),
    ("chat/completions", {"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
    ("chat/completions", {"messages": [{"role": "user", "content": "a" * 300}]}, "messages"),
    ("chat/completions", {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content"),
    ("chat/completions", {"max_tokens": 256}, "max_tokens"),
    ("chat/completions", {"max_completion_tokens": 256}, "max_completion_tokens"),
    ("chat/completions", {"max_completion_tokens": 2, "max_tokens": 3}, "max_tokens"),
    ("chat/completions", {"top_logprobs": 2}, "top_logprobs"),
    ("chat/completions", {"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
    ("chat/completions", {"tools": [{}]}, "tools"),
    ("chat/completions", {"response_format": {"type": "xml"}}, "response_format"),
]


@pytest.mark.parametrize(("path", "more", "field"), BAD, ids=str)
def test_what_cannot_be_answered_is_a_400_that_names_the_field(tiny_endpoint, path, more, field):
    answer = ask(f"{tiny_endpoint.url}/{path}", {"model": "tiny", **ASKED[path], **more})
    assert (answer.status, answer.json["error"]["param"]) == (400, field)
    assert answer.json["error"]["type"] == "invalid_request_error" and answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("path", "official_fields", "ours"),
    [
        ("completions", completion_create_params.CompletionCreateParamsBase, CompletionRequest),
        ("chat/completions", chat_create_params.CompletionCreateParamsBase, ChatRequest),
    ],
)
def test_no_field_of_the_official_client_is_ignored(tiny_endpoint, path, official_fields, ours):
    foreign = get_annotations(official_fields).keys() - ours.model_fields.keys()
    for field in foreign:
        answer = ask(f"{tiny_endpoint.url}/{path}", {"model": "tiny", **ASKED[path], field: None})
        assert (answer.status, answer.json["error"]["param"]) == (400, field)
    assert len(foreign) < 25


def test_fields_that_ask_for_nothing_are_taken(tiny_endpoint):
    nothing = {"presence_penalty": 0, "frequency_penalty": 0.0, "stop": None, "logit_bias": {}, "user": "me", "n": 1}
    more = {
        "completions": {"suffix": None, "best_of": 1, "echo": False},
        "chat/completions": {"tools": [], "tool_choice": "none", "response_format": {"type": "text"}},
    }
    for path, asked in ASKED.items():
        body = {"model": "tiny", "max_tokens": 1, **asked, **nothing, **more[path]}
        assert ask(f"{tiny_endpoint.url}/{path}", body).status == 200


def test_an_error_in_the_middle_of_a_stream_is_an_event_and_then_the_end(scripted):
    scripted.script.events = [(0, Token(3, "a")), (0, Refusal("The time is over.", status=LATE))]
    for path, asked in ASKED.items():
        answer = ask(f"{scripted.url}/{path}", {"model": "tiny", "stream": True, **asked})
        *chunks, error = chunks_of(answer)
        assert (answer.status, joined(chunks)[0]["text"]) == (200, "a")
        assert (error["error"]["message"], error["error"]["type"]) == ("The time is over.", "server_error")
    client = official(scripted.url)
    with pytest.raises(openai.APIError, match="The time is over"):
        list(client.completions.create(model="tiny", prompt="The cat", stream=True))


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_before_the_first_token_is_an_http_status(scripted, stream):
    body = {"model": "tiny", "prompt": "The cat", "stream": stream}
    scripted.script.events = [(0, Refusal("The time is over.", status=LATE))]
    answer = ask(f"{scripted.url}/completions", body)
    assert (answer.status, answer.json["error"]["message"]) == (LATE, "The time is over.")
    assert scripted.script.cancelled.wait(SECONDS)
    scripted.script.refusal = Refusal("The queue is full.", status=TOO_MANY, retry_after=7)
    answer = ask(f"{scripted.url}/completions", body)
    assert (answer.status, answer.headers["retry-after"]) == (TOO_MANY, "7")


LEFT_BEHIND = [
    *[
        (path, {"model": "tiny", "stream": stream, **asked}, begun)
        for path, asked in ASKED.items()
        for stream, begun in [(False, True), (True, False), (True, True)]
    ],
    ("endpoints/tiny:predict", {"instances": [{"prompt": "The cat"}]}, True),
]


@pytest.mark.parametrize(("path", "asked", "begun"), LEFT_BEHIND)
@pytest.mark.parametrize("sent_later", [b"", b"\r\n"], ids=["", "sent later"])
def test_a_client_that_leaves_frees_its_rows(scripted, path, asked, begun, sent_later):
    scripted.script.events = [(0, Token(3, "a"))] if begun else []
    body = json.dumps(asked).encode()
    head = f"POST /v1/{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with closing(raw(scripted.root)) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert scripted.script.asked.wait(SECONDS)
        if asked.get("stream") and begun:
            assert connection.recv(10_000).startswith(b"HTTP/1.1 200")
        assert not scripted.script.cancelled.is_set()
        connection.sendall(sent_later)
    assert scripted.script.cancelled.wait(SECONDS)
    wait_for(lambda: scripted.endpoint.metrics.page().decode(), lambda page: 'status="499"} 1.0' in page)


def test_a_client_that_leaves_while_its_request_is_checked_frees_its_rows(scripted):
    script, entered, checked = scripted.script, threading.Event(), threading.Event()

    def submit(requests, emit):
        entered.set()
        assert checked.wait(SECONDS)
        return script

    async def leave():
        asking = asyncio.ensure_future(anext(answer(scripted.endpoint, [], Record("openai", "POST", "/"))))
        await asyncio.to_thread(entered.wait, SECONDS)
        asking.cancel()
        await asyncio.wait([asking])
        checked.set()
        assert await asyncio.to_thread(script.cancelled.wait, SECONDS)

    script.submit = submit
    asyncio.run(leave())


def test_the_page_documents_answers_and_errors(tiny_endpoint):
    page = ask(f"{tiny_endpoint.root}/openapi.json").json
    for path, schema in [("completions", "CompletionAnswer"), ("chat/completions", "ChatAnswer")]:
        responses = page["paths"][f"/v1/{path}"]["post"]["responses"]
        assert set(responses) == {"200", "4XX", "5XX"}
        assert responses["200"]["content"]["application/json"]["schema"]["$ref"].endswith(schema)
        assert "text/event-stream" in responses["200"]["content"]
        assert responses["4XX"]["content"]["application/json"]["schema"]["$ref"].endswith("ErrorAnswer")
