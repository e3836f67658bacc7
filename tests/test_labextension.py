"""What the environment holds for JupyterLab and its kernels: files and settings. The page itself, a browser tests."""

import json
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
from jupyter_server.services.kernels.kernelmanager import MappingKernelManager
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "utils" / "labextension"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))
SHARE = Path(sys.prefix) / "share" / "jupyter"
INSTALLED = [
    (source, Path(sys.prefix) / folder / source.name)
    for folder, patterns in PROJECT["tool"]["setuptools"]["data-files"].items()
    for pattern in patterns
    for source in sorted(ROOT.glob(pattern))
]


def read(name: str) -> dict:
    return json.loads((SOURCE / name).read_text(encoding="utf8"))


@pytest.mark.parametrize(("source", "target"), INSTALLED, ids=lambda path: path.name)
def test_the_environment_has_the_files_as_they_are(source, target):
    assert target.is_file() and target.read_bytes() == source.read_bytes(), "run `make dev`: it copies what has changed"


def test_every_file_is_installed():
    assert {source for source, _ in INSTALLED} == {path for path in SOURCE.rglob("*") if path.is_file()}


def test_the_version_is_the_project_s():
    assert read("package.json")["version"] == PROJECT["project"]["version"]


def test_what_is_loaded_is_asked_for_at_every_start():
    """JupyterLab lets a browser keep what stands in a folder `static` for a year: this has no number in its name."""
    build = read("package.json")["jupyterlab"]["_build"]
    assert (SOURCE / build["load"]).is_file() and "static" not in build["load"]


def test_the_settings_are_jupyterlab_s():
    for plugin, settings in read("settings/generative-ai-course.json").items():
        package, name = plugin.split(":")
        schema = json.loads((SHARE / "lab" / "schemas" / package / f"{name}.json").read_text(encoding="utf8"))
        assert settings.keys() <= schema["properties"].keys()


def test_idle_kernels_end_but_none_in_a_break():
    culling = read("settings/jupyter_server_config.json")["MappingKernelManager"]
    assert culling["cull_connected"] and 2 * 3600 <= culling["cull_idle_timeout"] <= 6 * 3600
    assert not culling.get("cull_busy")


def test_a_kernel_whose_widget_is_told_of_a_job_is_not_idle():
    assert MappingKernelManager().track_message_type("comm_msg")


@pytest.mark.process
def test_a_kernel_that_has_imported_nothing_says_to_run_from_the_top():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("model.generate('Once')")])
    NotebookClient(notebook, kernel_name="python3", allow_errors=True).execute()
    [error] = notebook.cells[0].outputs
    assert error.traceback[0].startswith("NameError: `model` has no value in this kernel yet: run the cells above")
