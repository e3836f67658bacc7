"""What no honest client sends: each is refused in the interface's JSON, and the next ordinary request is answered."""

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPConnection
from types import SimpleNamespace

import pytest

from tests.serving.conftest import SECONDS, Answer, ask, everything, new_endpoint, raw, serving, tiny_language_model
from utils.serving.settings import Limits

WINDOW, VOCABULARY = 256, 10**6
"""The tiny model's context window, and a token id beyond any vocabulary."""

COMPLETIONS, CHATS, PREDICT = "/v1/completions", "/v1/chat/completions", "/v1/endpoints/tiny:predict"
ORDINARY = {
    COMPLETIONS: {"model": "tiny", "prompt": "one two", "max_tokens": 2},
    CHATS: {"model": "tiny", "messages": [{"role": "user", "content": "one two"}], "max_tokens": 2},
    PREDICT: {"instances": [{"prompt": "one two"}], "parameters": {"maxOutputTokens": 2}},
}
INSIDE = ("Traceback", 'File "', ".py", "site-packages", "utils.serving", "pydantic")
LONGEST = 2_000
"""An answer does not throw back what was thrown at it."""


@pytest.fixture(autouse=True)
def lives_on(tiny_endpoint) -> Iterator[None]:
    """After each test the endpoint answers an ordinary request on every interface."""
    yield
    assert [ask(tiny_endpoint.root + path, body).status for path, body in ORDINARY.items()] == [200, 200, 200]


def post(served: SimpleNamespace, path: str, body: bytes, **headers: str) -> Answer:
    """Ask as a client that reads the answer even where the endpoint stops to read its body."""
    client = HTTPConnection(served.root.removeprefix("http://"), timeout=SECONDS)
    try:
        with suppress(ConnectionError):
            client.request("POST", path, body, {"content-type": "application/json"} | headers)
        answer = client.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        client.close()


def assert_refused(answer: Answer, path: str, *, status: int = 400, field: str | None = None) -> None:
    """The answer has its interface's shape, names the field, and tells nothing of the inside."""
    assert answer.status == status, answer.body
    error, said = answer.json["error"], answer.body.decode()
    assert len(said) < LONGEST and not [inside for inside in INSIDE if inside in said]
    if path.startswith("/v1/endpoints/"):
        assert error["code"] == status and error["status"].isupper()
        named = [violation["field"] for one in error.get("details", []) for violation in one["fieldViolations"]]
    else:
        assert set(error) == {"message", "type", "param", "code"}
        named = [error["param"]] if error["param"] else []
    assert error["message"]
    assert field is None or [re.sub(r"[.\[].*", "", name.removeprefix("parameters.")) for name in named] == [field]


DEEP = b'{"model": "tiny", "prompt": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@pytest.mark.parametrize("path", ORDINARY)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'model': 'tiny'}",
        b'{"model": "tiny",}',
        b'{"model": "tiny"} {}',
        b"null",
        b"[]",
        b"5",
        b'"model"',
        b"\xff\xfe\x00",
        b"\x00" * 1000,
        "{}".encode("utf-16"),
        b'{"model": "ti\x00ny"}',
        b'{"model": "\\ud800"}',
        b"model=tiny&prompt=a",
        DEEP,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_broken_json(tiny_endpoint, path, body):
    assert_refused(ask(tiny_endpoint.root + path, body), path)


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"1" * 5_000])
def test_numbers_that_are_none(tiny_endpoint, number):
    for path, body in ORDINARY.items():
        broken = json.dumps(body).encode().replace(b": 2", b": " + number)
        assert_refused(ask(tiny_endpoint.root + path, broken), path)


WRONG = [
    ("model", 5),
    ("model", None),
    ("model", ["tiny"]),
    ("n", "2"),
    ("n", 1.5),
    ("n", True),
    ("n", 0),
    ("n", -1),
    ("n", 10**6),
    ("n", 10**100),
    ("max_tokens", "5"),
    ("max_tokens", -1),
    ("max_tokens", 10**9),
    ("max_tokens", 10**100),
    ("temperature", "hot"),
    ("temperature", -0.1),
    ("temperature", [1]),
    ("top_p", 1.1),
    ("top_p", -1e300),
    ("top_k", -1),
    ("top_k", 0.5),
    ("min_p", 2),
    ("repetition_penalty", 0),
    ("repetition_penalty", 1e300),
    ("order", "alphabetical"),
    ("seed", "lucky"),
    ("seed", 10**150),
    ("stop", ""),
    ("stop", ["a"] * 17),
    ("stop", [["a"]]),
    ("logit_bias", {"5": 101}),
    ("logit_bias", {"five": 1}),
    ("logit_bias", {str(VOCABULARY): 1}),
    ("logit_bias", [5]),
    ("stream", "yes"),
    ("stream_options", {"include_usage": True}),
    ("presence_penalty", 1),
    ("user", 7),
    ("no_such_field", None),
    ("__class__", "x"),
]
OF_COMPLETIONS = [
    ("prompt", None),
    ("prompt", ""),
    ("prompt", " \n"),
    ("prompt", []),
    ("prompt", [""]),
    ("prompt", [-1]),
    ("prompt", [VOCABULARY]),
    ("prompt", [2**70]),
    ("prompt", [True]),
    ("prompt", ["a", 5]),
    ("prompt", [[[5]]]),
    ("prompt", {"text": "a"}),
    ("prompt", ["a"] * 1_000),
    ("prompt", [5] * WINDOW),
    ("prompt", "a" * 900_000),
    ("prompt", "가" * 150_000),
    ("suffix", "."),
    ("echo", 1),
    ("logprobs", 6),
    ("logprobs", -1),
    ("best_of", 2),
]
OF_CHATS = [
    ("messages", []),
    ("messages", "hello"),
    ("messages", [{"role": "user", "content": "a" * 900_000}]),
    ("top_logprobs", 21),
    ("top_logprobs", 2),
    ("max_completion_tokens", -5),
    ("tools", [{"type": "function"}]),
    ("response_format", {"type": "json_schema", "json_schema": {"name": "a", "schema": {"not": {}}}}),
]


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        *((COMPLETIONS, *wrong) for wrong in [*WRONG, *OF_COMPLETIONS]),
        *((CHATS, *wrong) for wrong in [*WRONG, *OF_CHATS]),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_wrong_value_is_refused_by_its_name(tiny_endpoint, path, field, value):
    assert_refused(ask(tiny_endpoint.root + path, {**ORDINARY[path], field: value}), path, field=field)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", -1),
        ("temperature", 10**50),
        ("maxOutputTokens", 0),
        ("maxOutputTokens", 10**50),
        ("maxOutputTokens", "5"),
        ("topK", -1),
        ("topK", 2**40),
        ("topP", 2),
        ("stopSequences", "a"),
        ("stopSequences", [""]),
        ("candidateCount", 0),
        ("candidateCount", 10**6),
        ("seed", 2**80),
        ("max_output_tokens", 5),
        ("noSuchField", 1),
    ],
)
def test_a_wrong_parameter_of_a_prediction_is_refused_by_its_name(tiny_endpoint, field, value):
    body = {**ORDINARY[PREDICT], "parameters": {field: value}}
    assert_refused(ask(tiny_endpoint.root + PREDICT, body), PREDICT, field=field)


@pytest.mark.parametrize(
    ("instances", "field"),
    [
        ([], "instances"),
        ("one", "instances"),
        ([{"prompt": " "}], "instances"),
        ([{"prompt": "a"}] * 1_000, "instances"),
        ([{"prompt": "a" * 900_000}], "instances"),
        ([{"prompt": 5}], "instances"),
        ([{"content": "a"}], "instances"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_wrong_instances_are_refused(tiny_endpoint, instances, field):
    body = {**ORDINARY[PREDICT], "instances": instances}
    assert_refused(ask(tiny_endpoint.root + PREDICT, body), PREDICT, field=field)


def test_one_token_too_long(tiny_endpoint):
    """The whole window is answered, and one token more is refused, in prompt and in completion."""
    asked = {**ORDINARY[COMPLETIONS], "prompt": [5] * (WINDOW - 2)}
    assert ask(tiny_endpoint.root + COMPLETIONS, asked).status == 200
    longer = ask(tiny_endpoint.root + COMPLETIONS, asked | {"max_tokens": 3})
    assert_refused(longer, COMPLETIONS, field="max_tokens")
    assert "2 tokens at most" in longer.json["error"]["message"]
    assert_refused(ask(tiny_endpoint.root + COMPLETIONS, asked | {"prompt": [5] * WINDOW}), COMPLETIONS, field="prompt")


@pytest.mark.parametrize("path", ORDINARY)
@pytest.mark.parametrize("chunked", [False, True])
def test_ten_megabytes(tiny_endpoint, path, chunked):
    body = json.dumps(ORDINARY[path]).encode().replace(b"one two", b"a" * 10_000_000)
    sent = (body[n : n + 65_536] for n in range(0, len(body), 65_536)) if chunked else body
    assert_refused(post(tiny_endpoint, path, sent), path, status=413)


NAMES = [
    "../../../etc/passwd",
    "/etc/passwd",
    "file:///etc/passwd",
    "models:/tiny/1",
    "s3://bucket/adapter",
    "C:\\Windows\\System32",
    "\\\\host\\share",
    "~root",
    "$(id)",
    "name@../alias",
    "name@a@b",
    "name/../3",
    "name/-1",
    "name/99999999999999999999999",
    "tiny/../tiny",
    "tiny ",
    "a\x00b",
    "' OR 1=1 --",
    "{{7*7}}",
    "%2e%2e%2fetc",
    "한국어🙂",
    "a" * 100_000,
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name)[:30])
def test_an_adapter_is_no_path(tiny_endpoint, name):
    for path in (COMPLETIONS, CHATS):
        answer = ask(tiny_endpoint.root + path, {**ORDINARY[path], "model": name})
        assert_refused(answer, path, status=404, field="model")
    answer = ask(f"{tiny_endpoint.url}/adapters", {"reference": name})
    assert answer.status in (400, 404, 409)
    assert_refused(answer, "/v1/adapters", status=answer.status, field="reference")


def test_an_adapter_is_no_address(tiny_endpoint):
    """Nobody is called, under whichever name."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/adapter"
        for reference in (address, f"{address}@alias", f"git+{address}", f"//{address[7:]}"):
            answer = ask(f"{tiny_endpoint.url}/adapters", {"reference": reference})
            assert_refused(answer, "/v1/adapters", status=answer.status, field="reference")
            model = ask(tiny_endpoint.root + COMPLETIONS, {**ORDINARY[COMPLETIONS], "model": reference})
            assert_refused(model, COMPLETIONS, status=404, field="model")
        listener.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.parametrize(
    "path",
    [
        "/v1/endpoints/:predict",
        "/v1/endpoints/%20:predict",
        "/v1/endpoints/..%2f..%2fetc%2fpasswd:predict",
        "/v1/endpoints/tiny%00:predict",
        "/v1/endpoints/tiny:predict:predict",
        "/v1/endpoints/" + "a" * 10_000 + ":predict",
    ],
    ids=lambda path: path[:40],
)
def test_a_path_of_predict_that_names_nothing(tiny_endpoint, path):
    answer = ask(tiny_endpoint.root + path, ORDINARY[PREDICT])
    assert_refused(answer, path, status=400 if path == "/v1/endpoints/:predict" else 404)


@pytest.mark.parametrize("name", ["x\r\nSet-Cookie: a=1", "x\nx-injected: 1", "x\r\n\r\n<script>"])
def test_no_header_is_injected(tiny_endpoint, name):
    asked = [
        ask(tiny_endpoint.root + COMPLETIONS, {**ORDINARY[COMPLETIONS], "model": name}),
        ask(f"{tiny_endpoint.url}/models/{name.replace(' ', '%20').replace(chr(13), '%0d').replace(chr(10), '%0a')}"),
        ask(f"{tiny_endpoint.url}/adapters", {"reference": name}),
    ]
    for answer in asked:
        assert answer.status in (400, 404)
        assert not {"set-cookie", "x-injected"} & set(answer.headers)
        assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "head",
    [
        "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}   ",
        "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0x10\r\n\r\n",
        "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: localhost\r\nX-Bad: a\x00b\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: localhost\r\nX Bad: a\r\n\r\n",
        "GET /hea lth HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=lambda head: repr(head[:60]),
)
def test_heads_that_are_no_http(tiny_endpoint, head):
    with raw(tiny_endpoint.root) as line:
        line.sendall(head.encode("latin1"))
        answer = line.recv(10_000)
    status = int(answer.split()[1])
    assert 400 <= status < 500 or status == 501, answer
    assert not [inside for inside in INSIDE if inside.encode() in answer]


def whole_request(body: dict) -> bytes:
    sent = json.dumps(body).encode()
    head = f"POST {COMPLETIONS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Connection: close\r\nContent-Length: {len(sent)}\r\n\r\n".encode() + sent


@pytest.fixture(scope="module")
def narrow() -> Iterator[SimpleNamespace]:
    """An endpoint with few connections, rows and seconds, in which they are soon used up."""
    limits = Limits(header_seconds=2.0, connections=32, rows=4, waiting=8)
    with serving(new_endpoint(tiny_language_model(), limits=limits)) as served:
        yield served


def test_slow_loris(narrow):
    """More connections than are allowed, each sending a letter now and then, keep no one out and are let go."""
    request = whole_request(ORDINARY[COMPLETIONS])
    with ExitStack() as stack:
        lines = [stack.enter_context(raw(narrow.root)) for _ in range(48)]
        begun = time.monotonic()
        for sent in range(12):
            for line in lines:
                with suppress(OSError):
                    line.sendall(request[sent : sent + 1])
            assert ask(narrow.root + COMPLETIONS, ORDINARY[COMPLETIONS]).status == 200
            time.sleep(0.05)
        answers = [everything(line) for line in lines]
    assert time.monotonic() - begun < SECONDS
    assert {answer.split()[1] for answer in answers if answer} <= {b"408", b"503"}
    assert b"408" in {answer.split()[1] for answer in answers if answer}


@pytest.fixture
def many_files() -> Iterator[None]:
    """Let this process open 2,048 files, where the system has a limit at all: macOS begins with 256."""
    try:
        import resource
    except ImportError:  # Windows
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2_048), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.slow
def test_five_hundred_connections(narrow, many_files):
    """Each is answered, by a completion or by a refusal that says when to ask again, or was let go of unread."""
    request = whole_request({**ORDINARY[COMPLETIONS], "max_tokens": 20})
    with ExitStack() as stack:
        lines = [stack.enter_context(raw(narrow.root)) for _ in range(500)]
        assert ask(narrow.root + COMPLETIONS, ORDINARY[COMPLETIONS]).status == 200
        lines += [stack.enter_context(raw(narrow.root)) for _ in range(500)]
        for line in lines[500:]:
            with suppress(OSError):
                line.sendall(request)
        answers = [everything(line) for line in lines]
    statuses = [int(answer.split()[1]) if answer else None for answer in answers]
    assert set(statuses) <= {200, 408, 429, 503, None}
    assert statuses.count(200) >= narrow.endpoint.limits.rows
    for answer, status in zip(answers, statuses, strict=True):
        if status in (429, 503):
            assert b"\r\nretry-after: " in answer and b'"error"' in answer
    assert ask(narrow.root + COMPLETIONS, ORDINARY[COMPLETIONS]).status == 200
