"""The shell: pages made once, the one in front kept, one prompt for all of them."""

import ast
from pathlib import Path

import ipywidgets as widgets
import pytest

from utils.errors import UnsupportedSetting
from utils.studio import studio as module
from utils.studio.prompt import Prompt
from utils.studio.studio import PAGES, Studio

HERE = Path(module.__file__).parent


class Shown:
    """A page that counts how often it came to front."""

    name = "Save"

    def __init__(self, studio):
        self.view, self.times = widgets.HTML(), 0

    def shown(self):
        self.times += 1


@pytest.fixture
def one_page(monkeypatch):
    monkeypatch.setattr(module, "_find", lambda name: Shown)


def test_a_page_is_made_once_and_brought_up_to_date_each_time(studio, one_page):
    first = studio.go("Save")
    studio.go("Compare")
    assert studio.go("Save") is first and first.times == 2
    assert studio.front.children == (first.view,) and studio.navigation.value == "Save"


def test_the_page_in_front_is_found_again_by_another_studio(studio, workspace, one_page):
    studio.go("Compare")
    other = Studio(workspace)
    other.restore()
    assert other.navigation.value == "Compare" and other.page.times == 1


def test_a_prompt_is_shared_by_all_pages_and_studios(studio, workspace, one_page):
    studio.design(Prompt(text="Hello {name}"))
    assert studio.navigation.value == "Prompt design"
    assert Studio(workspace).prompt == Prompt(text="Hello {name}")


def test_what_was_changed_a_moment_before_is_kept_when_another_page_comes(studio, one_page):
    order = []
    studio.when_left(lambda: order.append(studio.navigation.value))
    studio.go("Save")
    studio.go("Compare")
    assert order == ["", "Save"]
    studio.when_left(lambda: studio.keep(Prompt(text="old")))
    studio.design(Prompt(text="opened"))
    assert order[-2:] == ["Compare", "Compare"]


def test_a_kept_prompt_that_cannot_be_read_is_said(studio, workspace):
    workspace.write("prompt", {"kind": "poem"})
    assert studio.prompt == Prompt() and "cannot be read" in studio.message.value


def test_an_unknown_page_is_said(studio):
    with pytest.raises(UnsupportedSetting, match="no page 'Chat': its pages are Gallery, Prompt design"):
        studio.go("Chat")


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names | {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def test_only_pages_and_the_shell_know_widgets():
    views = {path.name for path in HERE.glob("*.py") if {"ipywidgets", "anywidget"} & imported(path)}
    assert {name for name in views if not name.endswith("_page.py")} <= {"studio.py", "navigation.py"}


@pytest.mark.parametrize("name", PAGES)
def test_every_page_stands_where_the_shell_looks(name):
    assert module._find(name).name == name
