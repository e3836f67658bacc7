"""The project itself: one list of dependencies, and code in its style."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import yaml

from utils.requirements import pip_requirements

ROOT = Path(__file__).parents[1]


def test_pip_and_conda_read_the_same_exact_list():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["dependencies"][-1]["pip"] == pip_requirements()
    assert environment["dependencies"][:-1] == ["python=3.11", "pip"]


def test_what_is_listed_is_what_is_installed():
    for requirement in pip_requirements()[:-1]:
        name, _, wanted = requirement.partition("==")
        assert version(name).split("+")[0] == wanted
    assert pip_requirements()[-1] == "-e ."


def test_ruff_finds_nothing():
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run([sys.executable, "-m", "ruff", *command], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_the_readme_links_lead_somewhere():
    import re

    text = (ROOT / "README.md").read_text()
    for target in re.findall(r"\]\(([^)#]+)", text):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target
