"""What the pages keep: found by another studio, never half, never lost."""

import json

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
