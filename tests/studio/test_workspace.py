"""What the pages keep: found by another studio, never half, never lost."""

import json
import subprocess
import sys

import pytest

from utils.studio.workspace import Workspace


def test_another_studio_finds_what_was_kept(workspace):
    assert workspace.read("Save") == {}
    assert workspace.write("Save", {"name": "안녕 <b>"}) == ""
    assert Workspace(workspace.folder).read("Save") == {"name": "안녕 <b>"}
    assert workspace.write("Save", {"name": "b"}) == "" and workspace.problem == ""


def test_what_another_studio_wrote_meanwhile_is_kept_and_said(workspace):
    workspace.write("Save", {"name": "first"})
    other = Workspace(workspace.folder)
    other.read("Save")
    other.write("Save", {"name": "theirs"})
    said = workspace.write("Save", {"name": "mine"})
    assert said.startswith("Another studio has changed this page meanwhile")
    (kept,) = (workspace.folder / "earlier").iterdir()
    assert json.loads(kept.read_text(encoding="utf8")) == {"name": "theirs"} and str(kept) in said
    assert Workspace(workspace.folder).read("Save") == {"name": "mine"}
    assert workspace.write("Save", {"name": "mine again"}) == ""


WRITES = 100
WRITER = f"""
import sys
from pathlib import Path
from utils.studio import workspace
workspace.LOCK_SECONDS = 300
studio = workspace.Workspace(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(sum(bool(studio.write("Save", {{"by": sys.argv[2], "n": n}})) for n in range({WRITES})))
"""


@pytest.mark.process
def test_two_processes_that_write_at_once_lose_nothing(workspace):
    """What one replaces of the other's is said and kept each time, and no write takes the number of another."""
    commands = [[sys.executable, "-c", WRITER, str(workspace.folder), name] for name in ("one", "two")]
    studios = [subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for line in commands]
    try:
        assert [studio.stdout.readline() for studio in studios] == ["ready\n"] * 2
        for studio in studios:
            studio.stdin.write("go\n")
            studio.stdin.flush()
        said = [int(studio.communicate(timeout=300)[0]) for studio in studios]
    finally:
        for studio in studios:
            studio.kill()
            studio.wait()
    assert json.loads((workspace.folder / "save.json").read_text())["revision"] == 2 * WRITES
    assert len(list((workspace.folder / "earlier").glob("*.json"))) == sum(said) > 0


def test_the_same_from_two_studios_is_no_conflict(workspace):
    workspace.write("Save", {"name": "same"})
    assert Workspace(workspace.folder).write("Save", {"name": "same"}) == ""


def test_a_damaged_file_is_put_aside_and_said(workspace):
    workspace.write("Save", {})
    (workspace.folder / "save.json").write_text('{"revision": 1, "sta')
    assert workspace.read("Save") == {} and "damaged and was put aside" in workspace.problem
    (kept,) = (workspace.folder / "earlier").iterdir()
    assert kept.read_text() == '{"revision": 1, "sta'
    assert workspace.write("Save", {"a": 1}) == "" and workspace.read("Save") == {"a": 1}
