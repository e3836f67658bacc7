"""Endpoints to ask: one in this process on a tiny model, and one in a process of its own on the course's."""

import itertools
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from transformers import PreTrainedTokenizerFast

from tests.tiny_models import SPECIAL, byte_pairs, tiny_model
from utils.models.language_model import LanguageModel
from utils.processes import module_command, module_environment
from utils.serving.adapters import Adapters
from utils.serving.app import create_app
from utils.serving.endpoint import Endpoint
from utils.serving.keys import Keys
from utils.serving.logs import RequestLog
from utils.serving.metrics import Metrics
from utils.serving.rows import Row
from utils.serving.runners import Runner
from utils.serving.scheduler import Scheduler
from utils.serving.server import Server, address, listen
from utils.serving.settings import LOCAL_NAMES, READY, Limits

VOCABULARY = 300
TEXTS = ("the lazy dog and the quick fox", '{"name": "value", "numbers": [1, 2, 3]}')
CHAT = (
    "{% for message in messages %}<|{{ message.role }}|>\n{{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
SECONDS = 120
"""How long a test waits for anything before it fails."""


@dataclass(frozen=True)
class Answer:
    """What came back: status, headers by their names in lower case, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(url: str, body: Any = None, *, method: str | None = None, headers: dict[str, str] | None = None) -> Answer:
    """Ask once, without retries; body: bytes as they are, anything else as JSON."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    kind = {"content-type": "application/json"} if data is not None else {}
    request = Request(url, data=data, method=method, headers=kind | (headers or {}))
    try:
        with urlopen(request, timeout=SECONDS) as answer:
            return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read())
    except HTTPError as error:
        with error:
            return Answer(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())


def wait_for(ask_again: Callable[[], Any], good: Callable[[Any], bool]) -> Any:
    """Return what `ask_again` gives once it is good."""
    until = time.monotonic() + SECONDS
    while not good(found := ask_again()):
        assert time.monotonic() < until, found
        time.sleep(0.05)
    return found


def tiny_language_model() -> LanguageModel:
    """A random model of two blocks that can write any text, byte by byte, under the name "tiny"."""
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=byte_pairs(TEXTS, vocabulary=VOCABULARY, special=SPECIAL),
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        chat_template=CHAT,
    )
    model = tiny_model("llama", vocabulary=len(tokenizer))
    return LanguageModel("tiny", model.eval(), tokenizer, model.config.max_position_embeddings)


def new_endpoint(model: LanguageModel, *, limits: Limits | None = None, **parts: Any) -> Endpoint:
    """Return an endpoint of its own on a model; parts: of `Endpoint`, in place of the usual ones."""
    limits, metrics = limits or Limits(), Metrics()
    usual = {
        "adapters": Adapters(model, limits),
        "scheduler": Scheduler(model, limits, metrics),
        "keys": Keys(),
        "log": RequestLog(None, lost=metrics.lost_line),
        "hosts": LOCAL_NAMES,
    }
    return Endpoint(model=model, limits=limits, metrics=metrics, **(usual | parts))


def hold(scheduler: Scheduler, *, after: int) -> threading.Event:
    """Let a scheduler make so many steps, and stop inside the next, its rows taken in, until the event is set."""
    go_on, batches, steps = threading.Event(), scheduler._batches, itertools.count()

    def held() -> dict[Runner, list[Row]]:
        if next(steps) >= after:
            go_on.wait(SECONDS)
        return batches()

    vars(scheduler)["_batches"] = held
    return go_on


@contextmanager
def serving(endpoint: Endpoint) -> Generator[SimpleNamespace]:
    """Serve an endpoint in a thread of this process: `.url` ends with /v1, `.root` does not; `.server`, `.endpoint`."""
    server = Server(endpoint, create_app(endpoint))
    with listen("127.0.0.1", 0) as listener:
        root = address(listener)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield SimpleNamespace(url=f"{root}/v1", root=root, endpoint=endpoint, server=server, thread=thread)
        finally:
            server.should_exit = True
            thread.join(SECONDS)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def tiny_endpoint() -> Generator[SimpleNamespace]:
    """An endpoint of this process on the tiny model, shared by a file's tests."""
    with serving(new_endpoint(tiny_language_model())) as served:
        yield served


@contextmanager
def process(*arguments: str, **options: Any) -> Generator[SimpleNamespace]:
    """Run `python -m utils.serving --port 0` with arguments: `.url`, `.process`, `.lines` until it was ready."""
    command = module_command("utils.serving", "--port", "0", *arguments)
    started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=module_environment(), **options)
    try:
        lines = []
        while READY not in lines:
            lines.append(started.stdout.readline().strip())
            assert lines[-1], "it ended before it was ready"
        url = next(line.split()[0] for line in lines if line.startswith("http"))
        yield SimpleNamespace(url=url, root=url.removesuffix("/v1"), process=started, lines=lines)
    finally:
        started.terminate()
        try:
            started.wait(SECONDS)
        except subprocess.TimeoutExpired:
            started.kill()
        started.stdout.close()


@pytest.fixture(scope="session")
def course_endpoint(tmp_path_factory) -> Generator[SimpleNamespace]:
    """`python -m utils.serving` on the course's model, in a process of its own: `.url`, `.log`, a file."""
    log = tmp_path_factory.mktemp("endpoint") / "requests.jsonl"
    with process("--log", str(log)) as served:
        served.log = log
        yield served


def raw(root: str) -> socket.socket:
    """Return a bare connection to an endpoint, for what no client would send."""
    host, port = root.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=SECONDS)


def everything(line: socket.socket) -> bytes:
    """Return what a connection says until it is closed."""
    parts = []
    with suppress(ConnectionError):
        while part := line.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def pytest_collection_modifyitems(items):
    """What asks the course's model in a process of its own needs both."""
    for item in items:
        if "course_endpoint" in getattr(item, "fixturenames", ()):
            item.add_marker("model")
            item.add_marker("process")
