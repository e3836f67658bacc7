"""The endpoint on Ray Serve: two replicas answer as one process does, and one that dies is replaced."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import psutil
import pytest

from tests.serving.conftest import SECONDS, ask
from tests.tiny_models import letters, save, tiny_model
from utils.models.loading import load_model
from utils.processes import module_command, module_environment
from utils.serving.server import READY

pytestmark = [pytest.mark.process, pytest.mark.slow]

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
        yield SimpleNamespace(url=url, process=process, alone=load_model(str(folder), device="cpu"))
    finally:
        process.terminate()
        try:
            process.wait(SECONDS)
        finally:
            os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
            process.stdout.close()


def workers(process: subprocess.Popen) -> set[int]:
    """The processes of the replicas, which Ray names after what they run."""
    found = psutil.Process(process.pid).children(recursive=True)
    return {one.pid for one in found if "ServeReplica:endpoint:endpoint" in " ".join(one.cmdline())}


def test_two_replicas_answer_as_one_process_does(replicas):
    model = load_model(replicas.url)
    assert model.generate(PROMPTS, max_new_tokens=8) == replicas.alone.generate(PROMPTS, max_new_tokens=8)
    drawn = {"temperature": 1.0, "top_k": 20, "seed": 3, "max_new_tokens": 8}
    assert model.generate(PROMPTS, **drawn) == replicas.alone.generate(PROMPTS, **drawn)


def test_adapters_cannot_be_changed_in_one_replica(replicas):
    answer = ask(f"{replicas.url}/adapters", {"name": "new"})
    assert answer.status == 409
    assert "alias in the registry" in answer.json["error"]["message"]


def test_a_replica_that_dies_is_replaced_and_its_requests_are_answered(replicas):
    model, before = load_model(replicas.url), workers(replicas.process)
    assert len(before) == 2
    with ThreadPoolExecutor(1) as beside:
        asked = beside.submit(model.generate, PROMPTS * 8, max_new_tokens=40)
        time.sleep(0.5)
        os.kill(min(before), signal.SIGKILL)
        answered = asked.result(SECONDS)
    assert answered == replicas.alone.generate(PROMPTS * 8, max_new_tokens=40)
    until = time.monotonic() + SECONDS
    while len(workers(replicas.process) - {min(before)}) < 2:
        assert time.monotonic() < until, "no replica took its place"
        time.sleep(0.5)
