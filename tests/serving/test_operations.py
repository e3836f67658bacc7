"""Health, readiness, metrics, the log, start and stop."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from prometheus_client.parser import text_string_to_metric_families

from tests.serving.conftest import SECONDS, ask, new_endpoint, process, raw, serving, tiny_language_model, wait_for
from tests.tiny_models import save
from utils.errors import ModelNotFound, ServingError
from utils.processes import module_environment
from utils.serving import serve
from utils.serving.__main__ import main, parser, read_settings
from utils.serving.endpoint import open_endpoint
from utils.serving.logs import Record, RequestLog
from utils.serving.requests import Token
from utils.serving.server import allow_files, listen
from utils.serving.settings import Limits, Settings

ASKED = {"model": "tiny", "prompt": "the quick fox", "max_tokens": 4}


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory) -> Path:
    """The tiny model as a learner would have it on disk."""
    model = tiny_language_model()
    return save(tmp_path_factory.mktemp("models") / "tiny", model.model, model.tokenizer)


def logged(model, folder: Path, **options) -> tuple[SimpleNamespace, Path]:
    log = folder / "requests.jsonl"
    return new_endpoint(model, log=RequestLog(log, lost=lambda: None, **options)), log


def lines(log: Path) -> list[dict]:
    return [json.loads(line) for line in log.read_text(encoding="utf8").splitlines()]


def counted(served) -> dict[tuple, float]:
    """The samples of /metrics: (name, labels) -> value."""
    page = ask(f"{served.root}/metrics").body.decode()
    found = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    return {(sample.name, *sorted(sample.labels.values())): sample.value for sample in found}


def test_health_and_readiness(tiny_endpoint):
    for path in ("/health", "/ready"):
        answer = ask(tiny_endpoint.root + path)
        assert (answer.status, answer.json) == (200, {"status": "ok"})


def test_an_endpoint_that_stops_lives_and_takes_nothing():
    with serving(new_endpoint(tiny_language_model())) as served:
        served.endpoint.stop(seconds=SECONDS)
        assert ask(f"{served.root}/health").status == 200
        assert (ask(f"{served.root}/ready").status, ask(f"{served.url}/completions", ASKED).status) == (503, 503)


def test_an_endpoint_whose_scheduler_is_gone_is_not_healthy():
    with serving(new_endpoint(tiny_language_model())) as served:
        served.endpoint.scheduler.stop(seconds=SECONDS)
        assert [ask(served.root + path).status for path in ("/health", "/ready")] == [503, 503]


def test_metrics_count_what_was_answered():
    with serving(new_endpoint(tiny_language_model())) as served:
        for _ in range(3):
            assert ask(f"{served.url}/completions", ASKED).status == 200
        for name in range(50):
            assert ask(f"{served.url}/completions", ASKED | {"model": f"made-up-{name}"}).status == 404
        found = counted(served)
    assert found["endpoint_requests_total", "200", "openai", "tiny"] == 3
    assert found["endpoint_requests_total", "404", "openai", "unknown"] == 50
    assert found["endpoint_tokens_total",] == 3 * ASKED["max_tokens"]
    assert found["endpoint_first_token_seconds_count",] == 3
    assert found["endpoint_queue_length",] == 0
    assert found["endpoint_step_rows_sum",] == 3 * ASKED["max_tokens"]
    assert len(found) < 100, "a client must not make up labels"


def test_one_line_a_request_without_its_text(tmp_path):
    endpoint, log = logged(tiny_language_model(), tmp_path)
    with serving(endpoint) as served:
        secret = {"authorization": "Bearer secret-of-a-client"}
        answered = ask(f"{served.url}/completions", ASKED, headers=secret)
        ask(f"{served.url}/completions", ASKED | {"model": "gone\n{}"})
        ask(f"{served.root}/nothing%0a%22?key=hidden")
    first, second, third = lines(log)
    assert first | {"time": "", "seconds": 0, "first_token_seconds": 0, "id": ""} == {
        "time": "",
        "id": "",
        "interface": "openai",
        "method": "POST",
        "path": "/v1/completions",
        "status": 200,
        "model": "tiny",
        "version": "",
        "prompt_tokens": answered.json["usage"]["prompt_tokens"],
        "completion_tokens": 4,
        "seconds": 0,
        "first_token_seconds": 0,
        "error": "",
    }
    assert 0 < first["first_token_seconds"] <= first["seconds"]
    assert datetime.fromisoformat(first["time"]).utcoffset().total_seconds() == 0
    assert first["id"] == answered.headers["x-request-id"]
    assert (second["status"], second["model"]) == (404, "gone\n{}")
    assert (third["status"], third["path"]) == (404, '/nothing\n"')
    written = log.read_text(encoding="utf8")
    assert not re.search("secret|hidden|quick|" + re.escape(answered.json["choices"][0]["text"]), written)


def test_the_log_tells_of_no_scrape_that_was_well(tmp_path):
    endpoint, log = logged(tiny_language_model(), tmp_path)
    with serving(endpoint) as served:
        for path in ("/health", "/ready", "/metrics", "/v1/models"):
            assert ask(served.root + path).status == 200
        assert ask(f"{served.root}/health", {}).status == 405
    assert [(line["path"], line["status"]) for line in lines(log)] == [("/v1/models", 200), ("/health", 405)]


def test_texts_are_logged_where_asked(tmp_path):
    model = tiny_language_model()
    endpoint, log = logged(model, tmp_path, decode=model.decode)
    with serving(endpoint) as served:
        answered = ask(f"{served.url}/completions", ASKED | {"n": 2, "temperature": 1.0}).json
    [line] = lines(log)
    assert line["prompts"] == [ASKED["prompt"]] * 2
    assert line["completions"] == [choice["text"] for choice in answered["choices"]]


def test_ids_are_made_here(tiny_endpoint):
    given = {"x-request-id": "mine"}
    ids = {ask(f"{tiny_endpoint.root}/ready", headers=given).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3 and all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)


def test_a_clock_that_is_set_back_makes_no_negative_seconds(tmp_path, monkeypatch):
    log = RequestLog(tmp_path / "log", lost=lambda: None)
    record = Record("openai", "POST", "/v1/completions")
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now - 3600)
    record.saw(0, Token(5, "a"))
    log.write(record, status=200)
    [line] = lines(tmp_path / "log")
    assert 0 <= line["first_token_seconds"] <= line["seconds"] < SECONDS


def test_a_full_disk_loses_lines_and_no_answer(tmp_path, monkeypatch, capsys):
    lost, write = [], os.write
    log = RequestLog(tmp_path / "log", lost=lambda: lost.append(1))
    record = Record("openai", "POST", "/v1/completions")
    log.write(record, status=200)
    with monkeypatch.context() as full:
        full.setattr("os.write", lambda file, line: write(file, line[:7]))
        log.write(record, status=201)
        full.setattr("os.write", lambda file, line: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        log.write(record, status=202)
    log.write(record, status=203)
    whole = (tmp_path / "log").read_text().splitlines()
    assert [json.loads(line)["status"] for line in whole if line.endswith("}")] == [200, 203]
    assert len(lost) == 2
    assert capsys.readouterr().err.count("cannot be written") == 1


def test_an_error_that_nobody_expected_tells_the_client_nothing(tmp_path, monkeypatch, caplog):
    endpoint, log = logged(tiny_language_model(), tmp_path)
    monkeypatch.setattr(endpoint.metrics, "page", lambda: [][1])
    with serving(endpoint) as served:
        answer = ask(f"{served.root}/metrics")
    assert answer.status == 500 and answer.json["error"]["type"] == "server_error"
    assert not re.search("Traceback|IndexError|list index", answer.body.decode())
    [line] = lines(log)
    assert (line["status"], line["error"]) == (500, "IndexError")
    assert line["id"] in answer.json["error"]["message"] and line["id"] in caplog.text
    assert "list index out of range" in caplog.text


@pytest.mark.parametrize("path, google", [("/v1/nothing", False), ("/v1/endpoints/nothing", True)])
def test_unknown_paths_and_methods_have_the_shape_of_their_interface(tiny_endpoint, path, google):
    error = ask(tiny_endpoint.root + path).json["error"]
    assert (error.get("status"), error["code"]) == (("NOT_FOUND", 404) if google else (None, "not_found"))


def test_every_allowed_method_is_told(tiny_endpoint):
    answer = ask(f"{tiny_endpoint.url}/completions", method="PUT")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    page = ask(f"{tiny_endpoint.root}/openapi.json", method="PUT")
    assert (
        page.status == 405 and "GET" in page.headers["allow"] and page.headers["allow"] in page.json["error"]["message"]
    )
    both = ask(f"{tiny_endpoint.url}/adapters", method="PUT")
    assert (both.status, both.headers["allow"]) == (405, "GET, POST")


def test_the_field_is_named(tiny_endpoint):
    chat = {"model": "tiny", "messages": [{"role": "nobody", "content": "x"}]}
    wrong = {"model": "tiny", "prompt": [["x"]]}
    unknown = ASKED | {"x" * 10_000: 1}
    asked = [("chat/completions", chat), ("completions", wrong), ("completions", unknown)]
    named = [ask(f"{tiny_endpoint.url}/{path}", body).json["error"]["param"] for path, body in asked]
    assert named[0] == "messages[0].role"
    assert named[1].startswith("prompt") and named[2] == "x" * 200


def test_settings_from_flags_and_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_SERVING_ROWS", "7")
    monkeypatch.setenv("COURSE_SERVING_ADAPTER", "a b@best")
    monkeypatch.setenv("COURSE_SERVING_LOG_TEXT", "0")
    given = ["--port", "0", "--seconds", "1.5", "--keys", str(tmp_path), "--adapter", "c/3", "--waiting=2"]
    settings = read_settings(vars(parser().parse_args(given)))
    assert settings == Settings(
        port=0, adapters=("a", "b@best", "c/3"), keys=tmp_path, limits=Limits(rows=7, seconds=1.5, waiting=2)
    )
    assert read_settings(vars(parser().parse_args(["--rows", "8", "--log-text"]))).log_text


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--rows", "0"], "Rows is a whole number, 1 or more; 0 was given."),
        (["--seconds", "nan"], "Seconds is a number above 0; nan was given."),
        (["--port", "70000"], "Port is a whole number, 0 (a free one) to 65,535; 70000 was given."),
        (["--host", "0.0.0.0"], "give a file with keys"),
        (["--port", "0", "--keys", "/no/such/file"], "cannot be read"),
        (["--port", "0", "--log", "/no/such/folder/log"], "The log /no/such/folder/log cannot be written"),
        (["--port", "0", "--model", "/no/such/model"], "/no/such/model"),
        (["--port", "0", "--host", "127.0.0.1.nowhere.invalid", "--keys", "x"], "choose another host or port"),
    ],
)
def test_what_cannot_be_started_says_why_in_a_sentence(arguments, said, capsys):
    assert main(arguments) == 1
    error = capsys.readouterr().err.strip()
    assert said in error and "\n" not in error


def test_a_port_that_is_taken(capsys):
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert main(["--port", str(port)]) == 1
    assert (
        capsys.readouterr().err
        == f"Port {port} of 127.0.0.1 is taken: choose another with --port, or --port 0 for a free one.\n"
    )


def test_files_for_all_connections_may_be_opened():
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, before[1]))
        for count, allowed in ((384, 384), (100, 384)):
            allow_files(count)
            assert resource.getrlimit(resource.RLIMIT_NOFILE) == (allowed, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_base_that_would_run_code_is_refused(tiny_folder, tmp_path):
    class Runs:
        def __reduce__(self):
            return Path.touch, (tmp_path / "it ran",)

    folder = shutil.copytree(tiny_folder, tmp_path / "model", ignore=shutil.ignore_patterns("*.safetensors"))
    for weights in ({"lm_head.weight": Runs()}, Runs()):
        torch.save(weights, folder / "pytorch_model.bin")
        with pytest.raises(ModelNotFound, match="does not hold a model"):
            open_endpoint(Settings(model=str(folder)))
    assert not (tmp_path / "it ran").exists()


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_signal_ends_it_well(tiny_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_TUNING", str(tmp_path))
    with process("--model", str(tiny_folder), "--adapter", "no-such@thing", stderr=subprocess.PIPE) as served:
        assert ask(f"{served.root}/ready").status == 200
        assert re.fullmatch(r"http://127.0.0.1:\d+/v1 serves .*tiny.*: 32 completions at once, .*", served.lines[-2])
        gone = ask(f"{served.url}/completions", ASKED | {"model": "no-such@thing"})
        assert (gone.status, gone.json["error"]["param"]) == (409, "model")
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(SECONDS) == 0
        said = served.process.stderr.read()
    assert "no-such" in said and "Traceback" not in said


@pytest.mark.process
def test_an_endpoint_of_a_notebook(tiny_folder, monkeypatch):
    monkeypatch.setattr("utils.serving.process.ANSWER_SECONDS", SECONDS)
    served = serve(tiny_folder, port=0, rows=3)
    try:
        assert f"{served.url} serves" in repr(served) and "3 completions at once" in repr(served)
        body = ASKED | {"model": str(tiny_folder)}
        assert ask(f"{served.url}/completions", body).status == 200
        wait_for(served.log, lambda log: '"status": 200' in log)
        port = int(served.url.split(":")[2].split("/")[0])
        with pytest.raises(ServingError, match=re.escape(f"already answers at {served.url}, for {tiny_folder}")):
            serve(port=port)
    finally:
        served.stop()
    served.stop()
    assert served.process.returncode == 0 and repr(served) == f"The endpoint at {served.url} has ended."


@pytest.mark.process
def test_an_endpoint_that_cannot_start_says_so_in_the_notebook():
    with pytest.raises(ServingError, match="^Rows is a whole number, 1 or more; 0 was given.$"):
        serve(port=0, rows=0)
    with pytest.raises(ServingError, match="unrecognized arguments: --no-such-setting=1"):
        serve(port=0, no_such_setting=1)


STARTED = """
from utils.serving import serve
served = serve({model!r}, port=0, keep={keep})
print(served.process.pid, served.url, flush=True)
import time; time.sleep(600)
"""


@pytest.mark.process
@pytest.mark.parametrize("keep", [False, True])
def test_it_ends_with_its_kernel_even_one_that_is_killed(tiny_folder, keep, tmp_path):
    script = tmp_path / "kernel.py"
    script.write_text(STARTED.format(model=str(tiny_folder), keep=keep))
    kernel = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=module_environment()
    )
    pid, url = kernel.stdout.readline().split()
    kernel.kill()
    kernel.wait()
    kernel.stdout.close()
    root = url.removesuffix("/v1")
    if keep:
        assert ask(f"{root}/ready").status == 200
        os.kill(int(pid), signal.SIGINT)
    wait_for(lambda: refuses(root), bool)


def refuses(root: str) -> bool:
    """Whether nobody listens there any more."""
    try:
        raw(root).close()
    except OSError:
        return True
    return False


WRONG_OPTION = """
import runpy, sys
sys.argv = ["utils.serving", "--rows", "x"]
try:
    runpy.run_module("utils.serving", run_name="__main__")
except SystemExit as end:
    print(end.code, "torch" in sys.modules)
"""


@pytest.mark.process
def test_a_wrong_option_is_told_before_anything_heavy_is_imported():
    command = [sys.executable, "-c", WRONG_OPTION]
    told = subprocess.run(command, capture_output=True, text=True, env=module_environment())
    assert told.stdout == "2 False\n" and "argument --rows: invalid int value: 'x'" in told.stderr
