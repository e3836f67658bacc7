"""What is installed: one list, one lock, its exports, and the Python that all of it is made with."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import requires, version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT, TOOLS = PYPROJECT["project"], PYPROJECT["tool"]
FIND_PYTHON = ROOT / ".ci" / "find_python.sh"
EXPORTS = {
    "requirements.txt": ["--no-emit-package", "torch"],
    "constraints.txt": ["--no-hashes", "--all-extras", "--all-groups"],
}


def uv(*arguments: str) -> str:
    command = [sys.executable, "-m", "uv", *arguments, "--offline", "--quiet"]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def lines_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_conda_reads_the_same_list_as_pip_and_the_locked_versions():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    assert pip["pip"] == ["-c constraints.txt", *PROJECT["dependencies"], "-e ."]
    assert conda == ["python=3.11", "pip"]


@pytest.mark.process
def test_the_lock_is_of_this_list():
    uv("lock", "--check", "--python", sys.executable)


@pytest.mark.process
@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_of_this_lock(name):
    exported = uv("export", "--frozen", "--no-header", "--no-annotate", "--no-emit-project", *EXPORTS[name])
    assert lines_of((ROOT / name).read_text()) == lines_of(exported)


def test_no_mirror_stands_in_the_lock():
    hosts = set(re.findall(r"https?://[^/\"]+", (ROOT / "uv.lock").read_text()))
    assert hosts == {"https://pypi.org", "https://files.pythonhosted.org"}


def test_what_is_locked_is_what_is_installed():
    for line in lines_of((ROOT / "constraints.txt").read_text()):
        locked = Requirement(line)
        if locked.marker is None or locked.marker.evaluate():
            assert version(locked.name).split("+")[0] in locked.specifier, f"{line}: make dev"
    assert version("generative-ai-course") == PROJECT["version"]


def test_the_lock_knows_what_every_build_of_torch_needs():
    needed = [Requirement(line) for line in requires("torch")]
    own = {r.name for r in needed if r.marker is None and not r.name.startswith(("nvidia-", "cuda-", "triton"))}
    (known,) = TOOLS["uv"]["dependency-metadata"]
    assert {Requirement(line).name for line in known["requires-dist"]} == own


def test_each_package_is_installed_under_the_folder_of_its_name():
    """What setuptools finds by itself is all of utils, with what a widget shows in the page."""
    settings = TOOLS["setuptools"]
    assert settings["packages"]["find"]["include"] == ["utils", "utils.*"]
    for folder in {file.parent for file in (ROOT / "utils").rglob("*.py")}:
        assert (folder / "__init__.py").exists(), f"{folder} is not a package"
    shipped = [
        path for path in (ROOT / "utils").rglob("*.*") if path.is_file() and not re.search(r"/[._]+\w+/", str(path))
    ]
    kinds = {f"*{file.suffix}" for file in shipped} - {"*.py", "*.toml"}
    assert kinds == set(settings["package-data"]["*"])


def test_the_pythons_looked_for_are_the_ones_supported():
    looked_for = re.search(r'supported="(.*)"', FIND_PYTHON.read_text())[1].split()
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert looked_for == [f"3.{minor}" for minor in range(30, 0, -1) if f"3.{minor}" in allowed]


SHIM = """shift; code=$1; shift
exec "{python}" -c "import sys; sys.version_info = {version}; sys.executable = '{name}'; $code" "$@"
"""
ABSENT = 'echo "pyenv: {name}: command not found" >&2; exit 127'
FETCHING_UV = 'case "$2" in find) echo fetched;; esac'


def found(folder: Path, programs: dict, *arguments: str) -> subprocess.CompletedProcess:
    """Run find_python.sh where nothing but these programs is: Pythons of a version, or lines of shell."""
    for name, what in programs.items():
        line = what if isinstance(what, str) else SHIM
        file = folder / name
        file.write_text("#!/bin/sh\n" + line.format(python=sys.executable, version=what, name=name) + "\n")
        file.chmod(0o755)
    command = [shutil.which("sh"), FIND_PYTHON, *arguments]
    return subprocess.run(command, cwd=folder, env={"PATH": str(folder)}, capture_output=True, text=True)


@pytest.mark.process
@pytest.mark.skipif(os.name == "nt", reason="make takes the named Python there")
@pytest.mark.parametrize(
    ("programs", "arguments", "chosen"),
    [
        ({"python3": (3, 12, 1), "python3.13": (3, 13, 0)}, (), "python3"),
        ({"python3": (3, 10, 4), "python3.11": (3, 11, 2), "python3.12": (3, 12, 1)}, (), "python3.12"),
        ({"python3": (3, 15, 0), "python3.11": (3, 11, 2)}, (), "python3.11"),
        ({"python3": ABSENT, "python3.13": ABSENT, "python3.11": (3, 11, 7)}, (), "python3.11"),
        ({"python3.9": (3, 9, 1), "uv": FETCHING_UV, "fetched": (3, 13, 0)}, (), "fetched"),
        ({"python3": (3, 12, 1), "python3.13": (3, 13, 0)}, ("python3.13",), "python3.13"),
    ],
)
def test_the_python_that_make_takes(tmp_path, programs, arguments, chosen):
    assert found(tmp_path, programs, *arguments).stdout == f"{chosen}\n"


@pytest.mark.process
@pytest.mark.skipif(os.name == "nt", reason="make takes the named Python there")
@pytest.mark.parametrize("arguments", [(), ("python3.9",), ("python3.13",)])
def test_without_a_python_one_sentence_says_what_to_do(tmp_path, arguments):
    done = found(tmp_path, {"python3": (3, 10, 4), "python3.9": (3, 9, 1), "python3.13": ABSENT}, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        r"The course needs Python 3\.11, 3\.12, 3\.13 or 3\.14, .* PYTHON=/path/to/python3\n", done.stderr
    )
