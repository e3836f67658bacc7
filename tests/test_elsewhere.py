"""What runs elsewhere and not in these tests: workflows, containers, Binder, the README's first cell for Colab.

Here they are only read: each file parses, and names what exists.
"""

import ast
import importlib.util
import json
import re
from pathlib import Path

import pytest
import yaml
from IPython.core.inputtransformer2 import TransformerManager

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = [path for path in sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")) if path.name != "config.yml"]
DOCKERFILE = ROOT / ".devcontainer" / "Dockerfile"
DEVCONTAINER = ROOT / ".devcontainer" / "devcontainer.json"
PROSE = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / ".github" / "pull_request_template.md"]
SCRIPTS = [*WORKFLOWS, DOCKERFILE, DEVCONTAINER, ROOT / "postBuild", ROOT / ".pre-commit-config.yaml", ROOT / ".ci/run"]


def commands(path: Path) -> str:
    """The text of a file; of prose only what stands as code."""
    text = path.read_text(encoding="utf8")
    if path not in PROSE:
        return text
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return "\n".join([*blocks, *re.findall(r"`(make [^`\n]+|python -m [^`\n]+)`", text)])


def each(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda path: str(path.relative_to(ROOT)))


@each([*PROSE, *SCRIPTS])
def test_every_make_target_that_is_named_exists(path):
    makefile = (ROOT / "Makefile").read_text(encoding="utf8")
    targets = set(re.findall(r"^([\w-]+):(?!=)", makefile, re.MULTILINE))
    runs = re.findall(r'(?:^|[`"] *|run: |&& |\w=\S+ )make((?: [\w=./$-]+)+)', commands(path), re.MULTILINE)
    named = {word for run in runs for word in run.split() if re.fullmatch(r"[a-z][\w-]*", word)}
    assert named - targets == set()


@each([*PROSE, *SCRIPTS])
def test_every_module_that_is_run_exists(path):
    for module in re.findall(r"-m ((?:utils|tests)[\w.]*)", commands(path)):
        assert importlib.util.find_spec(module), module


@each(WORKFLOWS)
def test_a_workflow_may_only_read_and_ends_by_itself(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf8"))
    assert workflow["permissions"] == {"contents": "read"}
    assert "concurrency" in workflow
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 120
        for step in job["steps"]:
            assert re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|[0-9a-f]{40})", step.get("uses", "actions/any@v1"))


@each(FORMS)
def test_a_form_asks_each_question_once(path):
    form = yaml.safe_load(path.read_text(encoding="utf8"))
    questions = [part["id"] for part in form["body"]]
    assert len(questions) == len(set(questions)) >= 2 and form["name"] and form["description"]


def test_the_container_copies_what_exists_and_leaves_the_root_to_binder():
    for sources in re.findall(r"^COPY --chown=\d+ (.+) \S+$", DOCKERFILE.read_text(encoding="utf8"), re.MULTILINE):
        for source in sources.split():
            assert (ROOT / source).exists(), source
    for taken_first in ("Dockerfile", "binder", ".binder"):
        assert not (ROOT / taken_first).exists(), "Binder would take it in place of environment.yml and postBuild"


def test_the_dev_container_is_valid_json_and_forwards_the_port_of_jupyterlab():
    assert json.loads(DEVCONTAINER.read_text(encoding="utf8"))["forwardPorts"] == [8888]


def test_the_checks_before_a_commit_select_tests_that_exist():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf8"))["repos"][0]["hooks"]
    selected = next(hook["entry"] for hook in hooks if hook["id"] == "notebooks").split('"')[1].split(" or ")
    source = (ROOT / "tests" / "test_notebooks.py").read_text(encoding="utf8")
    tests = re.findall(r"^def (test_\w+)", source, re.MULTILINE)
    assert [words for words in selected if not any(words in test for test in tests)] == []


def test_the_first_cell_for_colab_and_kaggle_is_valid_python():
    section = (ROOT / "README.md").read_text(encoding="utf8").split("\n## Elsewhere\n")[1].split("\n## ")[0]
    (cell,) = re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    plain = TransformerManager().transform_cell(cell)
    ast.parse(plain)
    assert plain.count("get_ipython()") == len(re.findall(r"^[!%]", cell, re.MULTILINE)) >= 4
    assert 5 <= len(cell.strip().split("\n")) <= 10
