"""What is installed: one list, one lock, its exports, and the Python that all of it is made with."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import requires, version
from itertools import chain
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT, TOOLS = PYPROJECT["project"], PYPROJECT["tool"]
TORCH_INDEX = ROOT / ".ci" / "torch_index.sh"
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
    unshipped = [path for path in data_files() if not any(path.match(pattern) for pattern in patterns(path))]
    assert unshipped == []
    assert all(any(path.match(pattern) for path in data_files()) for pattern in chain(*package_data().values()))


def package_data() -> dict[str, list[str]]:
    return TOOLS["setuptools"]["package-data"]


def data_files() -> list[Path]:
    """What stands beside the modules; JupyterLab's own goes another way."""
    found = [path for path in (ROOT / "utils").rglob("*.*") if path.is_file() and path.suffix not in (".py", ".toml")]
    return [path for path in found if "labextension" not in path.parts and not re.search(r"/[._]+\w+/", str(path))]


def patterns(path: Path) -> list[str]:
    """The whole patterns by which setuptools ships a file with the package that it stands in."""
    package = next(folder for folder in path.parents if (folder / "__init__.py").exists())
    name = ".".join(package.relative_to(ROOT).parts)
    given = [*package_data()["*"], *package_data().get(name, [])]
    return [str(package / pattern) for pattern in given]


def test_the_pythons_looked_for_are_the_ones_supported():
    looked_for = re.search(r'supported="(.*)"', FIND_PYTHON.read_text())[1].split()
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert looked_for == [f"3.{minor}" for minor in range(30, 0, -1) if f"3.{minor}" in allowed]


SHIM = """shift; code=$1; shift
exec "{python}" -c "import sys; sys.version_info = {version}; sys.executable = '{name}'; $code" "$@"
"""
ABSENT = 'echo "pyenv: {name}: command not found" >&2; exit 127'
FETCHING_UV = 'case "$2" in find) echo fetched;; esac'


def found(folder: Path, programs: dict, *arguments: str, script: Path = FIND_PYTHON) -> subprocess.CompletedProcess:
    """Run a script of .ci where nothing but these programs is: Pythons of a version, or lines of shell."""
    for name, what in programs.items():
        line = what if isinstance(what, str) else SHIM
        file = folder / name
        file.write_text("#!/bin/sh\n" + line.format(python=sys.executable, version=what, name=name) + "\n")
        file.chmod(0o755)
    command = [shutil.which("sh"), script, *arguments]
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


LIKE_TIMEOUT = 'shift; exec "$@"'
CPU_BUILDS = "https://download.pytorch.org/whl/cpu"


@pytest.mark.process
@pytest.mark.skipif(os.name == "nt", reason="make asks no shell for the index there")
@pytest.mark.parametrize(
    ("programs", "index"),
    [
        ({"uname": "echo Linux", "reaching": "exit 0"}, CPU_BUILDS),
        ({"uname": "echo Linux", "nvidia-smi": "exit 9", "reaching": "exit 0"}, CPU_BUILDS),
        ({"uname": "echo Linux", "nvidia-smi": "exit 0", "reaching": "exit 0"}, ""),
        ({"uname": "echo Linux", "reaching": "echo no route to host >&2; exit 1"}, ""),
        ({"uname": "echo Darwin", "reaching": "exit 0"}, ""),
    ],
)
def test_the_small_build_of_torch_is_chosen_where_it_serves_and_can_be_reached(tmp_path, programs, index):
    done = found(tmp_path, {"timeout": LIKE_TIMEOUT, **programs}, "reaching", script=TORCH_INDEX)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, index, "")


@pytest.mark.process
@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
@pytest.mark.parametrize("given", ["https://example.org/cu126", ""])
def test_a_learner_chooses_where_torch_comes_from(given, tmp_path):
    command = ["make", "--dry-run", "setup", f"VENV={tmp_path}", f"TORCH_INDEX={given}"]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert re.findall(r"--no-deps torch +(.*?) ?&", printed) == [f"--index-url {given}" if given else ""]


def minutes(*patterns: str) -> int:
    """The minutes that the notebooks say they take."""
    paths = [path for pattern in patterns for path in ROOT.glob(pattern)]
    return sum(int(re.search(r"\*\*Time\.\*\* (\d+) minutes", path.read_text(encoding="utf8"))[1]) for path in paths)


def test_the_readme_says_first_what_a_stranger_needs():
    text = (ROOT / "README.md").read_text(encoding="utf8")
    lessons, labs = minutes("notebooks/[0-9]*.ipynb"), minutes("labs/lab_*.ipynb")
    assert f"{lessons} minutes for the lessons, to read and run, and {labs} for the labs" in text
    settings = json.loads((ROOT / "utils/labextension/settings/jupyter_server_config.json").read_text())
    assert settings["MappingKernelManager"]["cull_idle_timeout"] == 3 * 3600 and "three hours without" in text
    assert f"about {round((lessons + labs) / 60)} hours" in text
    commands = text.split("```sh\n")[1].split("```")[0].splitlines()
    assert [line.split()[:2] for line in commands] == [["git", "clone"], ["make", "lab"]]
    assert (
        text.index("functions,\nlists and dictionaries in Python") < text.index("git clone") < text.index("TORCH_INDEX")
    )
