"""The house: rooms from the ground up, as CONTRIBUTING lists them, and arrows that only point down."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UTILS = ROOT / "utils"


def listed_rooms() -> list[str]:
    """The rooms of `utils` in CONTRIBUTING's tree, from the ground up."""
    tree = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf8").split("```")[1]
    return re.findall(r"^  (\w+)/? ", tree.split("\nutils/")[1], re.MULTILINE)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(UTILS.rglob("*.py"))}
ROOMS = listed_rooms()


def imported(path: Path) -> set[str]:
    """The modules of the package that a file imports, wherever in its text it does so."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: import by the full name"
            submodules = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in submodules if name in MODULES} or {str(node.module)}
    return {name for name in found if name.split(".")[0] == "utils"}


def room(module: str) -> str:
    return module.split(".")[1]


def test_every_room_is_listed_and_no_folder_holds_another():
    found = {room(name) for name in MODULES if name != "utils"}
    assert found == set(ROOMS)
    assert max(len(name.split(".")) for name in MODULES) == 3


def arrows() -> list[tuple[str, str]]:
    return [(name, target) for name, path in MODULES.items() for target in sorted(imported(path))]


def test_arrows_point_down():
    assert [(name, target) for name, target in arrows() if target not in MODULES] == []
    up = [(name, target) for name, target in arrows() if ROOMS.index(room(target)) > ROOMS.index(room(name))]
    assert up == [], "an import from a room that stands higher in the house"


def test_inside_the_house_modules_are_imported_by_their_full_name():
    faces = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    assert [(name, target) for name, target in arrows() if target in faces and name not in faces] == []


def test_no_circle():
    graph = {name: imported(path) - {name} for name, path in MODULES.items()}
    list(TopologicalSorter(graph).static_order())


def test_every_module_says_what_it_is():
    undocumented = [
        name for name, path in MODULES.items() if not ast.get_docstring(ast.parse(path.read_text(encoding="utf8")))
    ]
    assert undocumented == []


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.process
def test_reading_data_costs_no_torch():
    assert (
        run("import sys, utils.datasets; print({'torch', 'transformers', 'pandas'} & sys.modules.keys())") == "set()\n"
    )


@pytest.mark.process
def test_the_maths_imports_no_widget():
    below = ", ".join(f"utils.{name}" for name in ROOMS[: ROOMS.index("widgets")])
    assert run(f"import {below}, sys; print({{'ipywidgets', 'anywidget'}} & sys.modules.keys())") == "set()\n"
