"""Endpoints that outlive the kernel: started, found by others, ended, died, and two that want one name."""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.serving.conftest import SECONDS, ask, tiny_language_model, wait_for
from tests.tiny_models import save
from utils.errors import ServingError
from utils.processes import module_environment
from utils.serving import Deployment, deploy, find_deployment, redeploy, undeploy
from utils.serving.deployments import _file, deployments

KERNEL = "from utils.serving import deploy; deploy('kept', model={model!r}, rows=3)"


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory) -> Path:
    model = tiny_language_model()
    return save(tmp_path_factory.mktemp("models") / "tiny", model.model, model.tokenizer)


def written(name: str, **facts: object) -> Deployment:
    """What a deployment's file says that no process belongs to."""

    made = Deployment(name, None, ("task@default",), {"port": 0}, 2**22 + 1, 0.0)
    path = _file(name, "json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(made) | facts))
    return made


@pytest.mark.process
def test_an_endpoint_outlives_its_kernel_and_any_other_finds_calls_and_ends_it(tiny_folder, monkeypatch):
    monkeypatch.setattr("utils.serving.process.ANSWER_SECONDS", SECONDS)
    script = KERNEL.format(model=str(tiny_folder))
    subprocess.run([sys.executable, "-c", script], env=module_environment(), check=True)
    (found,) = deployments()
    assert (found.name, found.status, found.alive) == ("kept", "ready", True)
    assert f"{found.url} serves {tiny_folder}" in repr(found) and "3 completions at once" in found.described
    asked = {"model": str(tiny_folder), "prompt": "the quick fox", "max_tokens": 4}
    assert ask(f"{found.url}/completions", asked).status == 200
    wait_for(lambda: found.log(lines=1), lambda line: '"status": 200' in line)
    assert found.log().splitlines()[-1] == found.log(lines=1)
    with pytest.raises(ServingError, match=re.escape(f"An endpoint named 'kept' answers at {found.url}")):
        deploy("kept")
    with pytest.raises(ServingError, match="already answers"):
        deploy("another", port=int(found.url.split(":")[2].split("/")[0]))
    undeploy("kept")
    assert deployments() == [] and not found.alive and found.status == "ended"
    assert '"status": 200' in found.log(), "its log stays"


@pytest.mark.process
def test_of_two_that_deploy_one_name_at_once_one_wins_and_one_that_died_can_be_deployed_again(tiny_folder):
    def attempt(_: int) -> Deployment | ServingError:
        try:
            return deploy("twice", model=tiny_folder)
        except ServingError as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        made, refused = sorted(pool.map(attempt, range(2)), key=lambda one: isinstance(one, ServingError))
    assert made.status == "ready" and str(refused).startswith("An endpoint named 'twice' ")
    made.process.kill()
    wait_for(lambda: made.status, lambda status: status == "ended")
    assert find_deployment("twice") == made and "has ended: Ready." in repr(made)
    again = redeploy("twice")
    assert again.pid != made.pid and (again.model, again.options) == (made.model, made.options)
    undeploy("twice")


@pytest.mark.process
def test_one_that_cannot_start_says_why_and_is_remembered_as_ended():
    with pytest.raises(ServingError, match="^Rows is a whole number, 1 or more; 0 was given.$"):
        deploy("bad", rows=0)
    known = find_deployment("bad")
    assert known.status == "ended" and known.last_words.startswith("Rows is a whole number")
    with pytest.raises(ServingError, match="Rows is"):
        redeploy("bad")
    undeploy("bad")
    assert deployments() == []


@pytest.mark.process
def test_an_interrupted_wait_leaves_no_endpoint_behind(tiny_folder, monkeypatch):
    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("utils.serving.deployments.when_ready", interrupted)
    with pytest.raises(KeyboardInterrupt):
        deploy("interrupted", model=tiny_folder)
    assert deployments() == []


@pytest.mark.parametrize("name", ["", "a b", "../a", "-a", "a" * 65])
def test_a_name_is_a_word(name):
    with pytest.raises(ServingError, match="cannot be an endpoint's name"):
        deploy(name)


def test_what_is_not_there_or_damaged_is_said():
    with pytest.raises(ServingError, match="No endpoint named 'none' is deployed"):
        undeploy("none")
    written("one")
    damaged = written("two").log_file.with_suffix(".json")
    damaged.write_text("{")
    assert [one.name for one in deployments()] == ["one"]
    with pytest.raises(ServingError, match=r"two\.json cannot be read"):
        find_deployment("two")


def test_an_endpoint_that_says_nothing_yet_has_no_address():
    known = written("quiet")
    assert (known.url, known.described, known.log(), known.status) == ("", "", "", "ended")
    assert "without a word" in known.last_words


def test_the_command_is_the_shells():
    made = Deployment("x", "a folder/of mine", ("task@default",), {"port": 0, "log_text": True}, 1, 0.0)
    assert made.command == (
        "python -m utils.serving '--model=a folder/of mine' --port=0 --log-text --adapter=task@default"
    )


def test_a_process_id_that_was_given_again_is_no_endpoint():
    assert not written("old", pid=os.getpid(), began=1.0).alive
    assert not find_deployment("old").alive
