"""What goes wrong around an endpoint while it is used: what it has taken is answered, and nothing else is harmed."""

import hashlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from openai import OpenAI

from tests.serving.conftest import SECONDS, Answer, ask, hold, new_endpoint, process, serving, tiny_language_model
from tests.test_registry import add, tuned
from tests.test_tracking import until
from tests.tiny_models import save
from utils import registry
from utils.models.language_model import LanguageModel
from utils.serving.settings import Limits

PROMPT = "one two three"
CLIENTS = 12


@pytest.fixture(scope="module")
def base() -> LanguageModel:
    return tiny_language_model()


@pytest.fixture(scope="module")
def folder(base, tmp_path_factory) -> Path:
    """The tiny model as a learner would have it on disk."""
    return save(tmp_path_factory.mktemp("models") / "tiny", base.model, base.tokenizer)


def question(base: LanguageModel, *, model: str, tokens: int = 20, **more: Any) -> dict[str, Any]:
    """A completion of exactly so many tokens: nothing ends it before."""
    never = {str(token): -100 for token in base.end_of_text}
    return {"model": model, "prompt": PROMPT, "max_tokens": tokens, "temperature": 0, "logit_bias": never} | more


@contextmanager
def at_once(calls: Sequence[Callable[[], Any]]) -> Iterator[list[Future]]:
    """Call each in a thread of its own."""
    with ThreadPoolExecutor(len(calls)) as pool:
        yield [pool.submit(call) for call in calls]


def gauge(root: str, name: str) -> float:
    lines = ask(f"{root}/metrics").body.decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


def asked_for(root: str) -> float:
    """How many completions wait or have begun."""
    return sum(gauge(root, name) for name in ("endpoint_queue_length", "endpoint_first_token_seconds_count"))


def digests(place: Path) -> dict[str, str]:
    """What stands in every file of a folder."""
    files = sorted(file for file in place.rglob("*") if file.is_file())
    return {str(file.relative_to(place)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.mark.process
@pytest.mark.slow
def test_killed_under_load_and_started_again(base, folder, tmp_path, monkeypatch):
    """OpenAI's client tries again by itself: each question gets its answer, and the registry is as it was."""
    monkeypatch.setenv("COURSE_TUNING", str(tmp_path / "tuning"))
    add("mine", tuned(base, "lora", tmp_path / "adapter", scale=0.3, seed=1))
    before = digests(tmp_path / "tuning")
    names = [str(folder), "mine"]
    with process("--model", str(folder), "--adapter", "mine", "--rows", "2") as first:
        client = OpenAI(base_url=first.url, api_key="none", max_retries=100, timeout=SECONDS)

        def complete(name: str) -> str:
            return client.completions.create(**question(base, model=name)).choices[0].text

        alone = {name: complete(name) for name in names}
        stop, answers = threading.Event(), []

        def load(name: str) -> None:
            while not stop.is_set():
                answers.append((name, complete(name)))

        with at_once([lambda name=name: load(name) for name in names * 3]) as loads:
            try:
                until(lambda: len(answers) > CLIENTS, seconds=SECONDS)
                first.process.kill()
                first.process.wait()
                answered = len(answers)
                port = first.root.rpartition(":")[2]
                with process("--model", str(folder), "--adapter", "mine", "--port", port) as second:
                    assert second.url == first.url
                    until(lambda: len(answers) > answered + CLIENTS, seconds=SECONDS)
                    stop.set()
                    for one in loads:
                        one.result(SECONDS)
            finally:
                stop.set()
    assert {name for name, _ in answers} == set(names) and alone[names[0]] != alone["mine"]
    assert [text for name, text in answers if text != alone[name]] == []
    assert digests(tmp_path / "tuning") == before
    assert registry.find("mine").number == 1


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_sigterm_under_load(base, folder):
    """What is written is finished, what waits is told to come back, and the process ends well."""
    asked = question(base, model=str(folder), tokens=240)
    with process("--model", str(folder), "--rows", "1") as served:
        with at_once([lambda: ask(f"{served.url}/completions", asked)] * CLIENTS) as waiting:
            until(lambda: asked_for(served.root) == CLIENTS, seconds=SECONDS)
            served.process.send_signal(signal.SIGTERM)
            answers: list[Answer] = [one.result(SECONDS) for one in waiting]
        assert served.process.wait(SECONDS) == 0
    finished = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status == 503]
    assert len(finished) >= 1 and len(refused) >= 2 and len(finished) + len(refused) == CLIENTS
    assert {answer.json["usage"]["completion_tokens"] for answer in finished} == {240}
    assert len({answer.json["choices"][0]["text"] for answer in finished}) == 1
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert {answer.json["error"]["type"] for answer in refused} == {"server_error"}


@pytest.mark.process
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_no_room_for_logs(base, folder):
    """Neither file nor standard error takes a line: the lines are counted as lost, the answers are not."""
    with (
        open("/dev/full", "w") as full,
        process("--model", str(folder), "--log", "/dev/full", stderr=full) as served,
    ):
        for _ in range(5):
            assert ask(f"{served.url}/completions", question(base, model=str(folder))).status == 200
        assert ask(f"{served.url}/completions", question(base, model="unknown")).status == 404
        assert gauge(served.root, "endpoint_log_lines_lost_total") >= 6
        served.process.terminate()
        assert served.process.wait(SECONDS) == (0 if os.name == "posix" else 1)


@pytest.mark.process
def test_a_registry_that_is_away_at_start(base, folder, tmp_path, monkeypatch):
    """An MLflow server that does not answer: the base does, the adapters' names say why they do not."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with process("--model", str(folder), "--adapter", "mine", "--follow-seconds", "0.1") as served:
        assert ask(f"{served.root}/ready").status == 200
        for _ in range(3):
            assert ask(f"{served.url}/completions", question(base, model=str(folder))).status == 200
            refused = ask(f"{served.url}/completions", question(base, model="mine"))
            assert (refused.status, refused.json["error"]["param"]) == (409, "model")
            assert "no connection" in refused.json["error"]["message"]
            assert refused.headers["x-should-retry"] == "false"


def answered(served: SimpleNamespace, bodies: Sequence[dict]) -> list[str]:
    """Ask all of it at once; return the texts, in order."""
    with at_once([lambda body=body: ask(f"{served.url}/completions", body) for body in bodies]) as waiting:
        answers = [one.result(SECONDS) for one in waiting]
    assert [answer.status for answer in answers] == [200] * len(bodies)
    return [answer.json["choices"][0]["text"] for answer in answers]


def in_work(served: SimpleNamespace) -> int:
    """How many completions wait or are written in this process."""
    scheduler = served.endpoint.scheduler
    return len(scheduler._waiting) + len(scheduler._running)


@pytest.mark.parametrize("years", [-10, 10])
def test_a_clock_that_is_set(base, monkeypatch, years):
    """Deadlines and waiting times do not look at the clock on the wall, which jumps while completions are written."""
    now, asked = time.time, question(base, model="tiny", tokens=200)
    with serving(new_endpoint(base, limits=Limits(rows=2, seconds=SECONDS))) as served:
        [alone] = answered(served, [asked])
        go_on = hold(served.endpoint.scheduler, after=20)
        with at_once([lambda: answered(served, [asked] * CLIENTS)]) as [texts]:
            until(lambda: in_work(served) == CLIENTS, seconds=SECONDS)
            monkeypatch.setattr(time, "time", lambda: now() + years * 365 * 86_400)
            monkeypatch.setattr(time, "time_ns", lambda: int((now() + years * 365 * 86_400) * 10**9))
            go_on.set()
            assert texts.result(SECONDS) == [alone] * CLIENTS
        assert answered(served, [asked] * 2) == [alone] * 2
        assert ask(f"{served.root}/ready").status == 200


def test_no_room_in_the_kv_cache(base):
    """A cache for two completions and twelve that are asked for: they wait, and none is lost."""
    asked = [question(base, model="tiny", tokens=60, seed=seed, temperature=1.0) for seed in range(12)]
    longest = len(base.encode(PROMPT)) + 60
    with serving(new_endpoint(base)) as roomy:
        wanted = answered(roomy, asked)
    with serving(new_endpoint(base, limits=Limits(cache_tokens=2 * longest))) as served:
        assert answered(served, asked) == wanted
        page = ask(f"{served.root}/metrics").body.decode()
        too_long = ask(f"{served.url}/completions", question(base, model="tiny", tokens=2 * longest))
    assert len(set(wanted)) > 6
    counts = {
        line.split('le="')[1].split('"')[0]: float(line.split()[-1])
        for line in page.splitlines()
        if line.startswith("endpoint_step_rows_bucket")
    }
    assert counts["2.0"] == counts["+Inf"] > counts["1.0"]
    assert (too_long.status, too_long.json["error"]["param"]) == (400, "prompt")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lora", "bottleneck"])
def test_an_adapter_that_goes_while_clients_use_it(base, tmp_path, monkeypatch, kind):
    """Its completions are finished as they would have been; who asks later is told that it is gone."""
    monkeypatch.setenv("COURSE_TUNING", str(tmp_path / "tuning"))
    add("going", tuned(base, kind, tmp_path / "adapter", scale=0.3, seed=1))
    bodies = [question(base, model=name, tokens=150) for name in ("going", "tiny") * (CLIENTS // 2)]
    with serving(new_endpoint(base, limits=Limits(rows=2))) as served:
        served.endpoint.adapters.add("going")
        wanted = answered(served, bodies)
        go_on = hold(served.endpoint.scheduler, after=20)
        with at_once([lambda: answered(served, bodies)]) as [texts]:
            until(lambda: in_work(served) == CLIENTS, seconds=SECONDS)
            registry.delete("going")
            assert ask(f"{served.url}/adapters/going", method="DELETE").status == 200
            gone = ask(f"{served.url}/completions", question(base, model="going"))
            go_on.set()
            assert texts.result(SECONDS) == wanted
    assert (gone.status, gone.json["error"]["param"]) == (404, "model")
    assert len(set(wanted)) == 2
