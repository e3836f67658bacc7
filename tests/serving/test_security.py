"""What stands against those who mean no good: the table of threats in utils/serving/README.md names these tests."""

import http.client
import json
import pickle
import re
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.serving.conftest import SECONDS, ask, everything, new_endpoint, raw, serving, tiny_language_model, wait_for
from utils.adapters.methods import MANIFEST, PEFT_CONFIG, PEFT_WEIGHTS, load_adapter
from utils.errors import AdapterMismatch, RegistryError, ServingError, UnsupportedSetting
from utils.registry.versions import register
from utils.serving.bodies import NESTING, read_json
from utils.serving.keys import Keys, read_keys
from utils.serving.logs import RequestLog
from utils.serving.refusals import LATE, Refusal
from utils.serving.settings import Limits, Settings

JSON = "Host: localhost\r\nContent-Type: application/json\r\n"
KEY = "correct-horse-battery"
HURRIED = Limits(header_seconds=0.5)


@pytest.fixture(scope="module")
def tiny_model():
    return tiny_language_model()


@pytest.fixture(scope="module")
def locked(tiny_model):
    """An endpoint that asks for a key."""
    with serving(new_endpoint(tiny_model, keys=Keys([KEY, "another-key-of-someone"]))) as served:
        yield served


@pytest.fixture(scope="module")
def tight(tiny_model):
    """An endpoint of few and small requests."""
    with serving(new_endpoint(tiny_model, limits=Limits(connections=4, body=10_000))) as served:
        yield served


@pytest.fixture(scope="module")
def hurried(tiny_model):
    """An endpoint that waits half a second for a request; whatever it is to answer may come too late."""
    with serving(new_endpoint(tiny_model, limits=HURRIED)) as served:
        yield served


def serves(served) -> bool:
    return ask(f"{served.root}/ready").status == 200


def test_another_host_needs_keys():
    for host in ("0.0.0.0", "::", "192.168.1.7", "example.org"):
        with pytest.raises(UnsupportedSetting, match="--keys"):
            Settings(host=host)
        assert Settings(host=host, keys="some file").hosts == ()
    for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost"):
        assert "localhost" in Settings(host=host).hosts


def test_a_key_is_asked_for(locked):
    for header in (
        {},
        {"authorization": f"Bearer {KEY[:-1]}"},
        {"authorization": KEY},
        {"authorization": f"Basic {KEY}"},
    ):
        for path in ("/metrics", "/v1/models", "/openapi.json", "/nothing"):
            answer = ask(locked.root + path, headers=header)
            assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
            assert answer.json["error"]["type"] == "authentication_error"
    assert ask(f"{locked.root}/metrics", headers={"authorization": f"Bearer {KEY}"}).status == 200
    assert ask(f"{locked.root}/metrics", headers={"authorization": "bearer another-key-of-someone"}).status == 200
    assert serves(locked) and ask(f"{locked.root}/health").status == 200


def test_two_authorizations_are_none(locked):
    with raw(locked.root) as line:
        line.sendall(
            b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer wrong\r\n"
            + f"Authorization: Bearer {KEY}\r\n\r\n".encode()
        )
        assert line.recv(1000).startswith(b"HTTP/1.1 401 ")


def test_every_key_is_compared_in_constant_time(monkeypatch):
    compared = []
    monkeypatch.setattr("hmac.compare_digest", lambda a, b: bool(compared.append((a, b))) or a == b)
    assert Keys([KEY, "second-key-of-all"]).allow(f"Bearer {KEY}")
    assert len(compared) == 2, "a match must not end the comparison"


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "holds no key"), ("pa55word\n", "fewer than 16"), ("pa55word\xff", "cannot be read")],
    ids=["none", "short", "no text"],
)
def test_keys_that_are_none(tmp_path, text, said):
    (tmp_path / "keys").write_bytes(text.encode("latin1"))
    with pytest.raises(ServingError, match=said) as refused:
        read_keys(tmp_path / "keys")
    assert "pa55" not in str(refused.value)
    with pytest.raises(ServingError, match="cannot be read"):
        read_keys(tmp_path / "no such file")


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8000", "localhost@evil", "", "a_b"]
)
def test_a_page_elsewhere_cannot_reach_the_endpoint_by_a_name_of_its_own(tiny_endpoint, host):
    with raw(tiny_endpoint.root) as line:
        line.sendall(f"GET /ready HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert line.recv(1000).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:99", "127.0.0.1:8000", "[::1]:8000"])
def test_this_machines_own_names_are_known(tiny_endpoint, host):
    assert ask(f"{tiny_endpoint.root}/ready", headers={"host": host}).status == 200


def test_no_other_origin_is_let_in(tiny_endpoint):
    asked = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    answers = [
        ask(f"{tiny_endpoint.root}/ready", headers=asked),
        ask(f"{tiny_endpoint.url}/models", method="OPTIONS", headers=asked),
    ]
    assert not [name for answer in answers for name in answer.headers if name.startswith("access-control")]


def test_no_page_loads_scripts_from_elsewhere(tiny_endpoint):
    assert [ask(tiny_endpoint.root + path).status for path in ("/docs", "/redoc", "/openapi.json")] == [404, 404, 200]


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/endpoints/tiny:predict"])
def test_a_large_body_is_never_held(tight, path):
    told = ask(tight.root + path, b"x" * 20_000)
    assert told.status == 413 and "10,000" in told.json["error"]["message"]
    with raw(tight.root) as line:
        line.sendall(f"POST {path} HTTP/1.1\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n".encode())
        line.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        line.sendall((b"1000\r\n" + b"x" * 4096 + b"\r\n") * 2)
        assert line.recv(1000).startswith(b"HTTP/1.1 413 ")
    assert serves(tight)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /ready HTTP/1.1\r\nHost: local",
        f"POST /v1/completions HTTP/1.1\r\n{JSON}Content-Length: 9\r\n\r\n{{".encode(),
    ],
)
def test_a_request_must_arrive_whole_in_time(hurried, sent):
    with raw(hurried.root) as line:
        line.sendall(sent)
        answer = line.recv(1000)
        assert answer.startswith(b"HTTP/1.1 408 ") and b"0.5 s" in answer
        assert line.recv(1000) == b""


def test_what_a_connection_refuses_is_counted_and_logged(tiny_model, tmp_path):
    log = RequestLog(tmp_path / "log", lost=lambda: None)
    predict = "/v1/endpoints/tiny:predict"
    with serving(new_endpoint(tiny_model, limits=HURRIED, log=log)) as served:
        for sent in (b"", f"POST {predict} HTTP/1.1\r\n{JSON}Content-Length: 9\r\n\r\n{{".encode(), b"\x16\r\n\r\n"):
            with raw(served.root) as line:
                line.sendall(sent)
                answer = everything(line)
            if sent.startswith(b"POST"):
                assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["status"] == "DEADLINE_EXCEEDED"
        written = wait_for(lambda: (tmp_path / "log").read_text().splitlines(), lambda lines: len(lines) == 3)
        counted = served.endpoint.metrics.page().decode()
    told = [[line[name] for name in ("interface", "path", "status")] for line in map(json.loads, written)]
    assert sorted(told) == [["unknown", "", 400], ["unknown", "", 408], ["vertex", predict, 408]]
    for interface, _, status in told:
        assert f'endpoint_requests_total{{interface="{interface}",model="",status="{status}"}} 1.0' in counted


def test_drop_by_drop_is_no_way_around_it(hurried):
    with raw(hurried.root) as line, pytest.raises(OSError):
        for letter in b"GET /ready HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 1000:
            line.sendall(bytes([letter]))
            time.sleep(0.02)


def test_an_idle_connection_gives_way_to_a_new_one(tight):
    idle = [raw(tight.root) for _ in range(20)]
    try:
        assert serves(tight)
    finally:
        for line in idle:
            line.close()


class Silent:
    """A scheduler that never answers."""

    alive, retry_after, asked = True, 1, 0

    def submit(self, requests, emit):
        self.asked, self.emit = self.asked + 1, emit
        return SimpleNamespace(cancel=lambda: None)

    def stop(self, *, seconds):
        self.alive = False


READY = b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n"
ASKED = json.dumps({"model": "tiny", "prompt": "a"})
COMPLETE = f"POST /v1/completions HTTP/1.1\r\n{JSON}Content-Length: {len(ASKED)}\r\n\r\n{ASKED}".encode()


def statuses(answers: bytes) -> list[bytes]:
    return re.findall(rb"HTTP/1\.1 (\d+) ", answers)


def test_where_all_connections_are_in_use_a_new_one_is_told_so(tiny_model):
    scheduler = Silent()
    with serving(new_endpoint(tiny_model, limits=Limits(connections=2), scheduler=scheduler)) as served:
        busy = [raw(served.root) for _ in range(2)]
        for line in busy:
            line.sendall(COMPLETE)
        wait_for(lambda: scheduler.asked, lambda asked: asked == 2)
        told = ask(f"{served.root}/ready")
        assert told.status == 503
        assert (told.headers["retry-after"], told.headers["connection"]) == ("1", "close")
        assert told.json["error"]["type"] == "server_error"
        refused = 'interface="operations",model="",status="503"} 1.0'
        wait_for(lambda: served.endpoint.metrics.page().decode(), lambda page: refused in page)
        busy.pop().close()
        wait_for(lambda: ask(f"{served.root}/ready"), lambda answer: answer.status == 200)
        busy.pop().close()


@pytest.mark.parametrize(("before", "answered"), [(b"", []), (READY, [b"200"])], ids=["alone", "behind another"])
def test_an_answer_is_not_held_for_ever(tiny_model, before, answered):
    """It is held for longer than a request may take to arrive, also that of a request which came with another."""
    limits, scheduler = Limits(header_seconds=2.0, seconds=0.1), Silent()
    with serving(new_endpoint(tiny_model, limits=limits, scheduler=scheduler)) as served, raw(served.root) as line:
        line.sendall(before + COMPLETE)
        assert statuses(everything(line)) == answered
        assert scheduler.asked == 1 and serves(served)


def test_what_comes_during_an_answer_waits_for_its_end(tiny_model):
    scheduler = Silent()
    with serving(new_endpoint(tiny_model, scheduler=scheduler)) as served, raw(served.root) as line:
        line.sendall(COMPLETE)
        wait_for(lambda: scheduler.asked, bool)
        [connection] = served.server.server_state.connections
        for part in (READY[:20], READY[20:].replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")):
            line.sendall(part)
            wait_for(lambda: connection.early, lambda kept, part=part: kept.endswith(part))
        scheduler.emit(0, Refusal("The time is over.", status=LATE))
        assert statuses(everything(line)) == [b"504", b"200"]


def test_more_than_a_body_during_an_answer_ends_the_connection(tiny_model):
    scheduler = Silent()
    with serving(new_endpoint(tiny_model, limits=Limits(body=10_000), scheduler=scheduler)) as served:
        with raw(served.root) as line:
            line.sendall(COMPLETE)
            wait_for(lambda: scheduler.asked, bool)
            line.sendall(b"x" * 20_000)
            assert everything(line) == b""
        assert serves(served)


def test_a_connection_is_kept_for_the_next_request(tiny_endpoint):
    line = http.client.HTTPConnection(tiny_endpoint.root.removeprefix("http://"), timeout=SECONDS)
    for _ in range(3):
        line.request("GET", "/ready")
        assert line.getresponse().read() == b'{"status":"ok"}'
        assert line.sock is not None
    line.close()
    with raw(tiny_endpoint.root) as many:
        many.sendall(3 * READY)
        received = b""
        while received.count(b'{"status":"ok"}') < 3:
            received += many.recv(1000)


def test_what_is_no_http_is_refused_in_json(tiny_endpoint):
    for sent in (
        b"\x16\x03\x01\x02\x00\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 100_000,
    ):
        with raw(tiny_endpoint.root) as line:
            line.sendall(sent)
            head, _, body = line.recv(5000).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 400 ") and json.loads(body)["error"]["type"] == "invalid_request_error"
    assert serves(tiny_endpoint)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": NaN}',
        b"[Infinity]",
        b"[-Infinity]",
        b"[1e999]",
        b"[1" + b"0" * 5000 + b"]",
        b'{"a": 1',
        b"\xff",
        b'"\xed\xa0\x80"',
        b'["\\ud800"]',
        b'{"\\uDC00": 1}',
        b"[" * (NESTING + 1) + b"]" * (NESTING + 1),
        b"[" * 100_000,
        b'{"a":' * 200 + b"1" + b"}" * 200,
        b"",
        b"1 2",
    ],
)
def test_what_is_no_strict_json(body):
    with pytest.raises(ValueError) as refused:
        read_json(body)
    assert len(str(refused.value)) < 100


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**100), 10**100)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(values, st.booleans())
def test_json_is_read_as_it_is(value, escaped):
    assert read_json(json.dumps(value, ensure_ascii=escaped).encode()) == value
    assert read_json(b"[" * (NESTING - 1) + b"[]" + b"]" * (NESTING - 1))


@pytest.mark.parametrize("config", [None, {"peft_type": "LORA", "target_modules": ["q_proj"]}])
def test_weights_are_never_a_pickle(tiny_model, tmp_path, config):
    class Runs:
        def __reduce__(self):
            return Path.touch, (tmp_path / "it ran",)

    folder = tmp_path / "adapter"
    folder.mkdir()
    manifest = {"weights": tiny_model.weights_hash, "base": "tiny", "method": "lora", "size": 8}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    if config:
        (folder / PEFT_CONFIG).write_text(json.dumps(config))
    for name in ("adapter.bin", "adapter.safetensors", "adapter_model.bin", PEFT_WEIGHTS):
        (folder / name).write_bytes(pickle.dumps(Runs()))
    with pytest.raises(AdapterMismatch, match="damaged"):
        load_adapter(tiny_model, folder)
    with pytest.raises(RegistryError, match="no whole adapter"):
        register("pickled", folder, metrics={}, parameters={})
    assert not (tmp_path / "it ran").exists()
