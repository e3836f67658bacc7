"""A model behind an address: asked as one on this machine is, and a sentence for what it cannot do."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.serving.conftest import SECONDS, new_endpoint, serving, tiny_language_model
from utils.adapters.methods import add_adapter, find_method
from utils.decoding.generation import generate_stream
from utils.errors import (
    ContextWindowExceeded,
    EmptyPrompt,
    EndpointError,
    ModelNotFound,
    UnsupportedSetting,
)
from utils.evaluation.classification import score_labels
from utils.evaluation.completions import complete
from utils.logits.config import DecodingConfig
from utils.models.endpoints import AT_ONCE, EndpointModel
from utils.models.environment import describe_environment
from utils.models.forcing import continuation_bits
from utils.models.language_model import LanguageModel
from utils.models.loading import load_model
from utils.models.tokens import token_table
from utils.prompts.budget import token_budget
from utils.serving.keys import Keys
from utils.transformer.attention import attention_weights

Answer = tuple[int, dict[str, str], object]
MODELS = {"object": "list", "data": [{"id": "small", "object": "model", "created": 1, "owned_by": "us"}]}
WINDOW = 100


class Foreign(ThreadingHTTPServer):
    """An endpoint of another house: it counts words, and `said` holds what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.models = 200, MODELS
        self.said: list[dict] = []
        self.keys: set[str | None] = set()
        self.answer: Callable[[dict], Answer] = completion

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Foreign
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.keys.add(self.headers["Authorization"])
        self.send(self.server.status, {}, self.server.models)

    def do_POST(self) -> None:
        self.server.keys.add(self.headers["Authorization"])
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.said.append(asked)
        self.send(*self.server.answer(asked))

    def send(self, status: int, headers: dict[str, str], body: object) -> None:
        data = json.dumps(body).encode() if not isinstance(body, bytes) else body
        self.send_response(status)
        kind = "text/html" if isinstance(body, bytes) else "application/json"
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


def refusal(message: str, *, status: int = 400, **headers: str) -> Answer:
    return (
        status,
        headers,
        {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}},
    )


def completion(asked: dict) -> Answer:
    words = len(asked["prompt"].split())
    if words + asked["max_tokens"] > WINDOW:
        return refusal(f"This model's maximum context length is {WINDOW} tokens.")
    text = f"{asked['prompt']}|{asked.get('seed')}"
    choice = {"index": 0, "text": text, "finish_reason": "stop", "logprobs": None}
    usage = {"prompt_tokens": words, "completion_tokens": 1, "total_tokens": words + 1}
    body = {"id": "1", "object": "text_completion", "created": 1, "model": asked["model"]}
    return 200, {}, {**body, "choices": [choice], "usage": usage}


@pytest.fixture
def foreign() -> Iterator[Foreign]:
    server = Foreign()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[LanguageModel, LanguageModel]]:
    """A tiny model, and the same one behind an address of this course's endpoint."""
    model = tiny_language_model()
    with serving(new_endpoint(model)) as endpoint:
        yield model, load_model(endpoint.url)


PROMPTS = ["Once upon a time", "One", "One", "a b c d e f g", "One", "A longer one, to be padded: " * 5]
SETTINGS = {
    "greedy": {},
    "drawn": {"temperature": 0.9, "seed": 11},
    "a seed of many digits": {"temperature": 1.3, "seed": -(10**30)},
    "reshaped": {"temperature": 0.8, "top_k": 9, "top_p": 0.9, "min_p": 0.02, "repetition_penalty": 1.3, "seed": 2},
    "the studio's order": {"temperature": 2.0, "top_p": 0.5, "order": "studio", "seed": 4},
    "greedy, without repeats": {"repetition_penalty": 1.5},
    "stopped": {"temperature": 1.0, "stop": ["e", "th"], "seed": 1},
}


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_texts_are_those_of_the_model_itself(served, settings):
    here, there = served
    chosen = {"max_new_tokens": 12, **SETTINGS[settings]}
    texts = here.generate(PROMPTS, **chosen)
    assert there.generate(PROMPTS, **chosen) == texts
    assert there.generate(PROMPTS[0], **chosen) == texts[0]
    assert len(set(texts)) > 3


def test_a_long_list_has_the_texts_of_the_model_itself(served):
    here, there = served
    prompts = [f"Number {n % 9}" for n in range(40)]
    drawn = {"temperature": 1.0, "max_new_tokens": 4}
    assert there.generate(prompts, **drawn) == here.generate(prompts, **drawn)


def test_the_texts_of_the_course_model_are_its_own(course_endpoint, course_model):
    there, prompts = load_model(course_endpoint.url), ["The capital of France is", "Once", "Once", "def add(a, b):"]
    for settings in ({}, {"temperature": 0.8, "top_p": 0.95, "seed": 3, "stop": "\n\n"}):
        chosen = {"max_new_tokens": 12, **settings}
        assert there.generate(prompts, **chosen) == course_model.generate(prompts, **chosen)


def test_the_course_endpoint_counts_as_the_model_itself_does(served):
    here, there = served
    assert there.context_window == here.context_window
    assert [there.count_tokens(prompt) for prompt in PROMPTS] == [here.count_tokens(prompt) for prompt in PROMPTS]
    assert there.fingerprint == there.fingerprint


@pytest.mark.parametrize("prompt", ["word", "word " * 50, "word " * 60])
def test_the_course_endpoint_refuses_what_does_not_fit(served, prompt):
    for model in served:
        with pytest.raises(ContextWindowExceeded):
            model.generate(prompt, max_new_tokens=256)


def test_the_key_of_the_course_endpoint(served, monkeypatch):
    here, _ = served
    monkeypatch.setenv("COURSE_ENDPOINT_KEY", "wrong")
    with serving(new_endpoint(here, keys=Keys(("a key of the whole class",)))) as endpoint:
        with pytest.raises(ModelNotFound, match="COURSE_ENDPOINT_KEY"):
            load_model(endpoint.url)
        monkeypatch.setenv("COURSE_ENDPOINT_KEY", "a key of the whole class")
        assert load_model(endpoint.url).generate("One", max_new_tokens=3) == here.generate("One", max_new_tokens=3)


def without_waiting(monkeypatch) -> list[float]:
    """The seconds that the client wants to wait before it asks again; it does not."""
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    return waited


def test_a_list_is_asked_side_by_side_and_keeps_its_order(foreign):
    together = threading.Barrier(AT_ONCE, timeout=20)

    def meet(asked: dict) -> Answer:
        together.wait()
        return completion(asked)

    foreign.answer = meet
    prompts = [f"prompt {n}" for n in range(2 * AT_ONCE)]
    model = load_model(foreign.address)
    assert model.generate(prompts) == [f"{prompt}|None" for prompt in prompts]


def test_settings_go_as_the_interface_names_them_and_only_where_they_do_something(foreign):
    model = load_model(f"{foreign.address}#small")
    model.generate("one two", max_new_tokens=3)
    assert foreign.said.pop() == {"model": "small", "prompt": "one two", "max_tokens": 3, "temperature": 0}
    settings = {"temperature": 0.5, "top_p": 0.9, "top_k": 4, "min_p": 0.1, "repetition_penalty": 1.2, "seed": 7}
    model.generate("one two", max_new_tokens=3, stop="\n", order="studio", **settings)
    others = {"max_tokens": 3, "stop": ["\n"], "order": "studio", "model": "small", "prompt": "one two"}
    assert foreign.said.pop() == {**settings, **others}


def test_a_prompt_that_stands_in_the_list_again_has_the_next_seed(foreign):
    model = load_model(foreign.address)
    drawn = model.generate(["a", "b", "a", "a"], temperature=1, seed=5)
    assert drawn == ["a|5", "b|5", "a|6", "a|7"]


@pytest.mark.parametrize("status", [429, 503])
def test_a_full_endpoint_is_asked_again_when_it_says(foreign, status, monkeypatch):
    full = iter([refusal("full", status=status, **{"Retry-After": "7"})] * 3)
    foreign.answer = lambda asked: next(full, None) or completion(asked)
    model = load_model(foreign.address)
    waited = without_waiting(monkeypatch)
    assert model.generate("a") == "a|None"
    assert waited == [7, 7, 7]


def test_one_that_stays_full_says_so(foreign, monkeypatch):
    foreign.answer = lambda asked: refusal("The queue is full.", status=429)
    model = load_model(foreign.address)
    without_waiting(monkeypatch)
    with pytest.raises(EndpointError, match=r"answers 429: The queue is full\."):
        model.generate("a")


def test_the_key_comes_from_the_environment_and_from_nowhere_else(foreign, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "not-for-everybody")
    load_model(foreign.address)
    monkeypatch.setenv("COURSE_ENDPOINT_KEY", "a key of the class")
    model = load_model(foreign.address)
    model.generate("a")
    assert foreign.keys == {"Bearer none", "Bearer a key of the class"}
    assert "a key" not in repr(model)


@pytest.mark.parametrize("shown", ["http://me:secret@127.0.0.1/v1", "http://127.0.0.1/v1?key=secret#small"])
def test_an_address_with_a_key_in_it_is_refused_and_not_repeated(shown):
    with pytest.raises(UnsupportedSetting, match="COURSE_ENDPOINT_KEY") as refused:
        load_model(shown)
    assert "secret" not in str(refused.value)


def test_an_address_where_nobody_is(foreign):
    foreign.server_close()
    with pytest.raises(ModelNotFound, match=r"No endpoint answers at http://127.*make serve"):
        load_model(foreign.address)


@pytest.mark.parametrize("address", ["http://[::1", "http://", "http://127.0.0.1:99999/v1", "https://a b/v1"])
def test_what_is_no_address(address):
    with pytest.raises(ModelNotFound):
        load_model(address)


@pytest.mark.parametrize("models", [b"<html>a page</html>", {"data": []}, {}, [], "text", {"data": [{}]}, None])
def test_an_address_where_something_else_answers(foreign, models):
    foreign.models = models
    with pytest.raises(ModelNotFound, match="has no model"):
        load_model(foreign.address)


@pytest.mark.parametrize("status", [400, 404, 422, 500])
def test_an_endpoint_that_does_not_say_which_models_it_has(foreign, status):
    foreign.status = status
    with pytest.raises(ModelNotFound, match=foreign.address):
        load_model(foreign.address)


def test_a_model_that_is_not_there_is_told_which_are(foreign):
    with pytest.raises(ModelNotFound, match=r"no model 'large': it has small"):
        load_model(f"{foreign.address}#large")


def test_the_environment_may_name_an_address(foreign, monkeypatch):
    monkeypatch.setenv("COURSE_MODEL", f"{foreign.address}#small")
    assert load_model().name == f"{foreign.address}#small"


def test_a_key_that_is_refused(foreign):
    foreign.answer = lambda asked: refusal("Wrong key.", status=401)
    model = load_model(foreign.address)
    with pytest.raises(EndpointError, match=r"COURSE_ENDPOINT_KEY.*Wrong key"):
        model.generate("a")


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ("Unrecognized request argument supplied: top_k", r"top_k=3: Unrec"),
        ("No.", r"max_new_tokens=4, .*top_k=3.*No\."),
    ],
)
def test_a_setting_that_it_does_not_have_is_named(foreign, message, named):
    foreign.answer = lambda asked: refusal(message) if "top_k" in asked else completion(asked)
    with pytest.raises(UnsupportedSetting, match=named):
        load_model(foreign.address).generate("a", max_new_tokens=4, top_k=3)


def test_a_list_ends_at_the_first_that_is_refused(foreign):
    foreign.answer = lambda asked: refusal("It stands.", status=404) if asked["prompt"] == "b" else completion(asked)
    with pytest.raises(EndpointError, match=r"answers 404: It stands\."):
        load_model(foreign.address).generate(["a", "b", "c"])


def test_what_came_before_a_failure_is_not_asked_again(foreign, monkeypatch):
    """The last prompt fails once all other texts have been taken."""
    prompts = [f"prompt {n}" for n in range(40)]
    model, taken = load_model(foreign.address), threading.Semaphore(0)
    completions = EndpointModel.completions

    def counted(*given, **settings):
        for found in completions(*given, **settings):
            yield found
            taken.release()

    def fails_late(asked: dict) -> Answer:
        if asked["prompt"] != prompts[-1]:
            return completion(asked)
        assert all(taken.acquire(timeout=SECONDS) for _ in prompts[:-1])
        return refusal("Gone.", status=404)

    monkeypatch.setattr(EndpointModel, "completions", counted)
    foreign.answer = fails_late
    with pytest.raises(EndpointError, match="Gone"):
        model.generate(prompts)
    foreign.said.clear()
    foreign.answer = completion
    assert model.generate(prompts) == [f"{prompt}|None" for prompt in prompts]
    assert [asked["prompt"] for asked in foreign.said] == [".", prompts[-1]], "its fingerprint, and what had failed"


def test_tokens_and_the_window_are_as_the_endpoint_tells(foreign):
    foreign.models = {"data": [{**MODELS["data"][0], "max_model_len": WINDOW}]}
    model = load_model(foreign.address)
    budget = token_budget(model, "one two three", max_new_tokens=5)
    assert (budget.prompt, budget.completion, budget.window) == (3, 5, WINDOW)
    model.check_window("one two three", max_new_tokens=97)
    with pytest.raises(ContextWindowExceeded, match="has 3 tokens and the completion may have 98"):
        model.generate("one two three", max_new_tokens=98)
    with pytest.raises(ContextWindowExceeded, match="maximum context length is 100"):
        model.generate("word " * 100)


def test_an_endpoint_that_does_not_say_its_window_has_an_ordinary_one(foreign):
    assert load_model(foreign.address).context_window == 2048


@pytest.mark.parametrize("prompts", ["", ["a", " "]])
def test_an_empty_prompt_is_not_sent(foreign, prompts):
    with pytest.raises(EmptyPrompt):
        load_model(foreign.address).generate(prompts)
    assert foreign.said == []


def test_results_are_kept_until_the_endpoint_says_it_has_changed(foreign):
    def told(asked: dict) -> Answer:
        return 200, {}, {**completion(asked)[2], "system_fingerprint": state}

    state = "weights 1"
    foreign.answer = told
    complete(load_model(foreign.address), ["a", "b"])
    asked = len(foreign.said)
    complete(load_model(foreign.address), ["a", "b"])
    assert len(foreign.said) == asked + 1, "only its state is asked for"
    state = "weights 2"
    complete(load_model(foreign.address), ["a", "b"])
    assert len(foreign.said) == asked + 1 + 3


def test_one_that_says_nothing_of_its_state_is_trusted_for_one_object_only(foreign):
    model = load_model(foreign.address)
    assert model.fingerprint == model.fingerprint != load_model(foreign.address).fingerprint


INSIDE = {
    "logits": lambda model: model.next_token_logits("a"),
    "tokens": lambda model: model.encode("a"),
    "text of tokens": lambda model: model.decode([1]),
    "weights": lambda model: model.weights_hash,
    "device": lambda model: model.device,
    "embeddings": lambda model: model.embedded,
    "end of text": lambda model: model.end_of_text,
    "steps": lambda model: next(generate_stream(model, "a", DecodingConfig())),
    "labels": lambda model: score_labels(model, ["a"], ["yes", "no"]),
    "forcing": lambda model: list(continuation_bits(model, [("a", "b")])),
    "environment": describe_environment,
    "token table": lambda model: token_table(model, "a"),
    "attention": lambda model: attention_weights(model, "a"),
    "adapters": lambda model: add_adapter(model, find_method("lora")),
    "other settings": lambda model: model.generate("a", num_beams=2),
}


@pytest.mark.parametrize("what", INSIDE)
def test_what_needs_the_inside_says_so_in_a_sentence(foreign, what):
    model = load_model(foreign.address)
    with pytest.raises(
        UnsupportedSetting, match=r'^This model answers at http.*a model on this machine, load_model\("name'
    ):
        INSIDE[what](model)
