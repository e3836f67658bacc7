"""The endpoint on Ray Serve: two replicas answer as one process does, and one that dies is replaced."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from types import SimpleNamespace
from urllib.parse import quote

import psutil
import pytest
from httpx2 import TransportError
from openai import APIError, DefaultHttpxClient, OpenAI

from tests.serving.conftest import SECONDS, ask, new_endpoint, tiny_language_model, wait_for
from tests.tiny_models import letters, save, tiny_model
from utils.models.loading import load_model
from utils.processes import module_command, module_environment
from utils.serving.cluster import Replica, main
from utils.serving.server import READY

PROMPTS = [f"prompt {n}" for n in range(24)]


@pytest.fixture(scope="module")
def replicas(tmp_path_factory) -> Iterator[SimpleNamespace]:
    """Two replicas on a tiny model: `.url`, and `.alone`, the same model in this process."""
    folder = save(tmp_path_factory.mktemp("cluster") / "tiny", tiny_model("llama"), letters())
    command = module_command("utils.serving.cluster", "--replicas", "2", "--port", "0", "--model", str(folder))
    environment = {name: value for name, value in module_environment().items() if name != "RAY_ADDRESS"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)
    try:
        lines = [process.stdout.readline().strip()]
        while lines[-1] != READY:
            assert process.poll() is None, "it ended before it was ready"
            lines.append(process.stdout.readline().strip())
        url = next(line.split()[0] for line in lines if line.startswith("http"))
        yield SimpleNamespace(url=url, process=process, model=str(folder), alone=load_model(str(folder), device="cpu"))
    finally:
        process.terminate()
        try:
            process.wait(SECONDS)
        finally:
            os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
            process.stdout.close()


def workers(process: subprocess.Popen) -> set[int]:
    """The processes of the replicas, which Ray names after what they run."""
    found = set()
    for one in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.Error):  # it has ended since
            found |= {one.pid} if "ServeReplica:endpoint:endpoint" in " ".join(one.cmdline()) else set()
    return found


def until_there_are_two(replicas: SimpleNamespace, *, gone: int) -> None:
    until = time.monotonic() + SECONDS
    while len(workers(replicas.process) - {gone}) < 2:
        assert time.monotonic() < until, "no replica took its place"
        time.sleep(0.5)


@pytest.mark.process
@pytest.mark.slow
def test_two_replicas_answer_as_one_process_does(replicas):
    model = load_model(replicas.url)
    assert model.generate(PROMPTS, max_new_tokens=8) == replicas.alone.generate(PROMPTS, max_new_tokens=8)
    drawn = {"temperature": 1.0, "top_k": 20, "seed": 3, "max_new_tokens": 8}
    assert model.generate(PROMPTS, **drawn) == replicas.alone.generate(PROMPTS, **drawn)


@pytest.mark.process
@pytest.mark.slow
def test_both_replicas_have_a_share(replicas):
    url = f"{replicas.url}/endpoints/{quote(replicas.model, safe='')}:predict"
    with ThreadPoolExecutor(8) as beside:
        answers = list(beside.map(lambda prompt: ask(url, {"instances": [{"prompt": prompt}]}), PROMPTS))
    assert {answer.status for answer in answers} == {200}
    wait_for(lambda: predictions_of_one(replicas), lambda count: 0 < count < len(PROMPTS))


def predictions_of_one(replicas: SimpleNamespace) -> float:
    """How many predictions the replica has made which this request was given to."""
    page = ask(f"{replicas.url.removesuffix('/v1')}/metrics").body.decode()
    return sum(map(float, re.findall(r'endpoint_requests_total\{interface="vertex",.*status="200"\} (\S+)', page)))


@pytest.mark.process
@pytest.mark.slow
def test_adapters_cannot_be_changed_in_one_replica(replicas):
    answer = ask(f"{replicas.url}/adapters", {"name": "new"})
    assert answer.status == 409
    assert "alias in the registry" in answer.json["error"]["message"]


@pytest.mark.process
@pytest.mark.slow
def test_a_replica_that_dies_is_replaced_and_its_requests_are_answered(replicas):
    before, failed = workers(replicas.process), []
    assert len(before) == 2

    def note(answer) -> None:
        if answer.status_code >= 500:
            failed.append(answer.read().decode())

    noting = DefaultHttpxClient(event_hooks={"response": [note]})
    client = OpenAI(base_url=replicas.url, api_key="none", max_retries=10, http_client=noting)

    alone = replicas.alone.generate(PROMPTS, max_new_tokens=200)
    answered, tried_again = threading.Semaphore(0), threading.Event()

    def ask_on(number: int) -> bool:
        """Ask until some request has been tried again; return whether all texts were those of the model alone."""
        right, until = [], time.monotonic() + SECONDS
        while not (right and tried_again.is_set()) and time.monotonic() < until:
            raw = client.completions.with_raw_response
            answer = raw.create(model=replicas.model, prompt=PROMPTS[number], max_tokens=200, temperature=0)
            right.append(answer.parse().choices[0].text == alone[number])
            answered.release()
            if answer.retries_taken:
                tried_again.set()
        return all(right)

    with ThreadPoolExecutor(16) as beside:
        asked = [beside.submit(ask_on, number) for number in range(16)]
        assert all(answered.acquire(timeout=SECONDS) for _ in range(32))
        os.kill(min(before), signal.SIGKILL)
        assert all(one.result(2 * SECONDS) for one in asked)
    assert tried_again.is_set(), "none was under way in the replica that died"
    assert failed and "Traceback" not in "".join(failed)
    until_there_are_two(replicas, gone=min(before))


@pytest.mark.process
@pytest.mark.slow
def test_a_stream_that_is_cut_off_does_not_look_whole(replicas):
    before, client = workers(replicas.process), OpenAI(base_url=replicas.url, api_key="none")
    whole = replicas.alone.generate(PROMPTS, max_new_tokens=240)
    begun = partial(client.completions.create, model=replicas.model, max_tokens=240, temperature=0, stream=True)
    streams = [begun(prompt=prompt) for prompt in PROMPTS]
    for one in before:
        os.kill(one, signal.SIGKILL)
    cut = 0
    for stream, text in zip(streams, whole, strict=True):
        try:
            assert "".join(chunk.choices[0].text for chunk in stream) == text
        except (APIError, TransportError):
            cut += 1
    assert cut > 0
    until_there_are_two(replicas, gone=min(before))
    again = client.completions.create(model=replicas.model, prompt=PROMPTS[0], max_tokens=9, temperature=0)
    assert again.choices[0].text == replicas.alone.generate(PROMPTS[0], max_new_tokens=9)


def test_a_replica_whose_scheduler_has_ended_is_not_healthy():
    replica = Replica.__new__(Replica)
    replica.endpoint = new_endpoint(tiny_language_model())
    replica.check_health()
    replica.endpoint.scheduler.stop()
    with pytest.raises(RuntimeError, match="thread has ended"):
        replica.check_health()


def test_without_ray_it_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["--port", "0"]) == 1
    assert "make cluster" in capsys.readouterr().err


@pytest.mark.parametrize("given", [["--replicas", "0"], ["--port", "-1"], ["--host", "0.0.0.0"]])
def test_what_cannot_be_served_is_said_before_ray_starts(given, capsys):
    assert main(given) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
