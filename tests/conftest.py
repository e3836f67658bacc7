"""What tests need and in which order they run; fixtures: tiny models, the course's model, folders of one's own."""

import os
import platform
from collections import defaultdict
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedTokenizerFast
from xdist.scheduler import LoadScopeScheduling

from tests.tiny_models import KINDS, letters, save, tiny_model
from utils.adapters.methods import add_adapter, find_method
from utils.authoring import lab_of
from utils.models.language_model import LanguageModel
from utils.models.loading import load_model

ROOT = Path(__file__).parents[1]


platform.processor()  # starts a process, once; MLflow asks when it is imported


def add_needs(item: pytest.Item) -> None:
    """Mark what a test needs, where its place or its fixtures say so."""
    if item.path.suffix == ".ipynb":
        item.add_marker("model")
        item.add_marker("process")
    if item.path.parent.name == "browser":
        item.add_marker("browser")
    if "course_model" in getattr(item, "fixturenames", ()):
        item.add_marker("model")


def group(nodeid: str) -> str:
    """Return what one worker does in one go: all of a lab, as it shares results; so with every other file."""
    return lab_of(nodeid) or nodeid.split("::")[0]


class InGroups(LoadScopeScheduling):
    """pytest-xdist's scheduler, by these groups: its own `loadgroup` splits a notebook's cells with this pytest."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def pytest_xdist_make_scheduler(config, log):
    return InGroups(config, log)


SECONDS = {"browser": 20.0, "process": 4.0, "slow": 3.0}
"""About how long a test takes that has such a marker; where it has several, the longest counts."""
CELL, LAB, OTHER = 2.0, 150.0, 0.1
"""The same of a notebook's cell, of a learner's lab that runs whole in a page, and of any other test."""


def seconds(item: pytest.Item) -> float:
    """Return about how long a test takes: enough to begin with the longest groups."""
    if item.path.suffix == ".ipynb":
        return CELL
    if item.path.name == "test_labs.py" and lab_of(item.name):
        return LAB
    return max((SECONDS[mark.name] for mark in item.iter_markers() if mark.name in SECONDS), default=OTHER)


def in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """Sort so that workers end together: the groups that take longest come first.

    Inside a lab the master comes first: what it keeps, the learner's lab finds.
    """
    takes: defaultdict[str, float] = defaultdict(float)
    for item in items:
        takes[group(item.nodeid)] += seconds(item)

    def place(item: pytest.Item) -> tuple:
        name = group(item.nodeid)
        return -takes[name], name, item.path.suffix != ".ipynb"

    return sorted(items, key=place)


def pytest_collection_modifyitems(items):
    for item in items:
        add_needs(item)
    items[:] = in_order(items)


def refusing(marker: str):
    """Return a function that fails the test that calls it, past every `except Exception`."""
    return lambda *args, **kwargs: pytest.fail(f"mark this test with {marker}: it needs it")


@pytest.fixture(autouse=True)
def only_what_is_marked(request, monkeypatch):
    """A test has what its markers say: `make quick` stays quick."""
    marked = {mark.name for mark in request.node.iter_markers()}
    if not marked & {"process", "browser"}:
        monkeypatch.setattr("subprocess.Popen.__init__", refusing("process"))
        monkeypatch.setattr("os.fork", refusing("process"), raising=False)
    if "model" not in marked:
        monkeypatch.setattr("utils.models.loading.default_checkpoint", refusing("model"))
    if "browser" not in marked:
        monkeypatch.setattr("playwright.sync_api.PlaywrightContextManager.__enter__", refusing("browser"))


@pytest.fixture(autouse=True)
def own_results(tmp_path, monkeypatch):
    """Results and jobs are each test's own: a test must not pass on another's."""
    monkeypatch.setenv("COURSE_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("COURSE_TUNING", str(tmp_path / "tuning"))
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress"))
    monkeypatch.setenv("COURSE_STUDIO", str(tmp_path / "studio"))
    monkeypatch.delenv("COURSE_MODEL", raising=False)


@pytest.fixture(scope="session")
def tiny_tokenizer() -> PreTrainedTokenizerFast:
    return letters()


@pytest.fixture(scope="session", params=KINDS)
def saved_model(request, tiny_tokenizer, tmp_path_factory) -> Path:
    """A tiny random model of each kind, saved as a learner would have one on disk."""
    return save(tmp_path_factory.mktemp("models") / request.param, tiny_model(request.param), tiny_tokenizer)


@pytest.fixture(scope="session")
def tiny(saved_model) -> LanguageModel:
    return load_model(str(saved_model), device="cpu")


@pytest.fixture(scope="session")
def course_model() -> LanguageModel:
    os.environ.pop("COURSE_MODEL", None)
    return load_model(device="cpu")


@pytest.fixture
def lora(tiny) -> LanguageModel:
    """A model with a LoRA adapter that changes it."""
    adapted = add_adapter(tiny, find_method("lora"))
    noise = torch.Generator().manual_seed(0)
    for name, weight in adapted.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight.data, std=0.5, generator=noise)
    adapted.model.eval()
    return adapted


@pytest.fixture
def shown(monkeypatch) -> list[dict]:
    """What is displayed, in place of a notebook's page."""
    bundles = []
    monkeypatch.setattr("utils.widgets.view.display", lambda bundle, raw: bundles.append(bundle))
    return bundles
