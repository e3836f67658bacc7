"""Every notebook of the course: the template, the prose's numbers, clean and whole outputs, links."""

import ast
import os
import re
import statistics
from pathlib import Path

import nbformat
import pytest
from nbval.plugin import find_comment_markers

from tests import masters, prose_numbers
from utils.authoring import KERNEL, LABS, MASTERS, STUB, kept_of, lab_of, labs_in, learner_lab, lessons_in

ROOT = Path(__file__).parents[1]
LESSONS = lessons_in(ROOT / "notebooks")
GLOSSARY = ROOT / "notebooks" / "glossary.ipynb"
MASTER_LABS = labs_in(MASTERS)
LEARNER_LABS = labs_in(LABS)
DATA = [folder for folder in sorted((LABS / "data").iterdir()) if folder.is_dir()]
EXECUTED = [*LESSONS, *MASTER_LABS]
"""What is run, compared and shown; a learner's lab has the texts of its master, and no outputs."""
TAUGHT = [*EXECUTED, *LEARNER_LABS]
EVERY = [*TAUGHT, GLOSSARY]

WHY_NOT_COMPARED = {"widget", "timing", "training"}
"""What a cell may say in its metadata, under `not_compared`, where nbval does not compare its output."""


def each(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda path: str(path.relative_to(ROOT)))


def read(path: Path):
    return nbformat.read(path, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def shown(notebook) -> str:
    """All text among the outputs."""
    texts = []
    for cell in code(notebook):
        for output in cell.outputs:
            texts += [output.get("text", ""), *[str(v) for k, v in output.get("data", {}).items() if k != "text/html"]]
    return "\n".join(texts)


TITLE = r"# (Lab \d+|\d\d): \w"


def test_a_tenth_lab_is_found_and_stands_behind_the_second(tmp_path):
    names = ["lab_1_a.ipynb", "lab_2_b.ipynb", "lab_10_c.ipynb"]
    for name in ["notes.md", "extra.ipynb", *reversed(names)]:
        (tmp_path / name).touch()
    assert [path.name for path in labs_in(tmp_path)] == names
    assert [lab_of(f"labs/{name}::Cell 0") for name in names] == ["lab_1", "lab_2", "lab_10"]
    assert re.match(TITLE, "# Lab 10: Words") and re.sub(NOT_A_FINDING, "", "Lab 10 and lesson 10") == " and "


def test_there_are_notebooks():
    assert len(LESSONS) >= 2 and len(MASTER_LABS) == len(LEARNER_LABS) >= 1


@each(EVERY)
def test_size_and_metadata(path):
    notebook = read(path)
    assert path.stat().st_size < 1_000_000
    assert notebook.metadata == {**KERNEL, "language_info": {"name": "python"}}
    nbformat.validate(notebook)


@each(EXECUTED)
def test_executed_in_order_without_an_error(path):
    cells = code(read(path))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]
    assert not [output for cell in cells for output in cell.outputs if output.get("name") == "stderr"]
    streams = [[output for output in cell.outputs if output.output_type == "stream"] for cell in cells]
    assert max(map(len, streams)) <= 1, "one stream in two parts: make execute writes it as one"


@each(EXECUTED)
def test_no_path_of_a_machine_among_the_outputs(path):
    assert not re.search(r"/(root|home|work|tmp|Users)/\w", shown(read(path)))


@each(TAUGHT)
def test_the_template(path):
    text = prose(read(path))
    assert re.match(TITLE, text[0])
    for part in ("**Objectives.**", "**Time.**", "**Prerequisites.**"):
        assert part in text[0]
    headings = [line[3:] for cell in text for line in cell.split("\n") if line.startswith("## ")]
    assert headings[-3:] == ["Summary", "Questions to think about", "Next"]


@each(TAUGHT)
def test_cells_are_short(path):
    notebook = read(path)
    lines = [len(cell.source.split("\n")) for cell in code(notebook)]
    words = [len(source.split()) for source in prose(notebook)]
    assert statistics.median(lines) <= 8 and statistics.median(words) <= 40
    plain = [cell for cell in prose(notebook) if not re.search(r"^(#|- |\||<details>|1\. )", cell, re.MULTILINE)]
    assert [cell for cell in plain if len(cell.split()) > 45] == []


@each(TAUGHT)
def test_a_cell_that_is_not_compared_says_why(path):
    cells = code(read(path))
    for cell in cells:
        why = cell.metadata.get("not_compared")
        assert cell.metadata.get("tags", []) == (["nbval-ignore-output"] if why else []), cell.source
        assert why in {None, *WHY_NOT_COMPARED}, cell.source
        assert list(find_comment_markers(cell.source)) == [], "nbval obeys comments, too: use the tag and say why"
    assert sum(cell.metadata.get("not_compared") is None for cell in cells) > 0.7 * len(cells)


NOT_A_FINDING = r"\]\([^)]*\)|95 %|\b(19|20)\d\d\b|Lab \d+|[Ll]esson \d\d|SmolLM2-\d+M|ROUGE-[12L]|section \d+|`[^`]*`"


def numbers(text: str) -> set[str]:
    return {number.replace(",", "") for number in re.findall(r"\d+(?:,\d{3})*(?:\.\d+)?", text)}


def sections(notebook) -> list[list]:
    """The cells between one heading of the second level and the next."""
    parts: list[list] = [[]]
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            parts.append([])
        parts[-1].append(cell)
    return parts


@each(EXECUTED)
def test_numbers_in_the_prose_are_numbers_that_the_notebook_shows(path):
    """A number in the text stands in an output or the code of its section; a changed one is found here.

    The summary may repeat any number among the outputs.
    """
    notebook = read(path)
    for cells in sections(notebook)[1:]:
        part = nbformat.v4.new_notebook(cells=cells)
        summary = cells[0].source.startswith("## Summary")
        seen = numbers(shown(notebook) if summary else shown(part) + "\n".join(cell.source for cell in code(part)))
        if cells[0].source.startswith("## Next"):
            continue
        for text in prose(part):
            if text.startswith(("### Exercise", "<details>")):
                continue
            lines = [line for line in text.split("\n") if not line.startswith(("#", "|"))]
            missing = numbers(re.sub(NOT_A_FINDING, "", "\n".join(lines))) - seen
            assert missing == set(), text


@each(prose_numbers.SOURCES)
def test_a_number_in_the_prose_is_the_one_that_was_read_beside_its_outputs(path):
    """A changed number may stand elsewhere among the outputs by chance: here it is found all the same."""
    assert prose_numbers.prose_numbers(read(path)) == prose_numbers.read()[path.name], (
        "read the sentence beside its outputs, then run python -m tests.prose_numbers"
    )


@each(EXECUTED)
def test_figures_have_a_text_alternative(path):
    figures = 0
    for cell in code(read(path)):
        for output in cell.outputs:
            data = output.get("data", {})
            assert "image/png" not in data, "show figures through utils.plots: an image alone has no alt text"
            for alt in re.findall(r'<img [^>]*?alt="([^"]*)"', data.get("text/html", "")):
                figures += 1
                assert len(alt.split()) >= 12
            assert data.get("text/html", "").count("<img") == len(
                re.findall(r"<img [^>]*?alt=", data.get("text/html", ""))
            )
    if path.name.startswith("lab_1_"):
        assert figures >= 4


def hidden(notebook) -> list[str]:
    """The code cells whose stored output JupyterLab shows only when they are run."""
    return [cell.id for cell in code(notebook) if cell.metadata.get("jupyter", {}).get("outputs_hidden")]


def behind_a_question(notebook) -> list[str]:
    """The code cells with the first output behind a text that ends with a question."""
    found, asked = [], False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            asked = cell.source.endswith("?")
        elif asked and cell.outputs:
            found, asked = [*found, cell.id], False
    return found


@each(EXECUTED)
def test_what_answers_a_question_is_hidden_in_a_lesson_until_it_is_run(path):
    """A learner's lab has no outputs to hide; a master is no learner's."""
    notebook = read(path)
    if path in MASTER_LABS:
        assert hidden(notebook) == []
    else:
        assert set(behind_a_question(notebook)) <= set(hidden(notebook)) != set()


@each(MASTER_LABS)
def test_a_guess_is_asked_before_anything_shows_its_answer_and_is_revealed(path):
    sources = [cell.source for cell in code(read(path))]
    asked = {
        name: n for n, source in enumerate(sources) for name in re.findall(r"^(\w+) = guess\(", source, re.MULTILINE)
    }
    revealed = {
        name: n for n, source in enumerate(sources) for name in re.findall(r"^(\w+)\.reveal\(", source, re.MULTILINE)
    }
    assert asked and asked.keys() == revealed.keys() and all(asked[name] < revealed[name] for name in asked)


def test_the_glossary_is_text_alone_a_heading_a_term_in_alphabetical_order():
    cells = read(GLOSSARY).cells[1:]
    assert {cell.cell_type for cell in cells} == {"markdown"}
    assert [cell.id.lower() for cell in cells] == sorted(cell.id.lower() for cell in cells)
    for cell in cells:
        heading, empty, *text = cell.source.split("\n")
        assert heading == f"## {heading[3:]}" and cell.id == heading[3:].replace(" ", "-")
        assert empty == "" and text and not any(line.startswith("#") for line in text)


@each(EVERY)
def test_links_lead_somewhere(path):
    terms = {cell.source.split("\n")[0].removeprefix("## ").replace(" ", "-") for cell in read(GLOSSARY).cells[1:]}
    for target in re.findall(r"\]\(([^)]+)\)", "\n".join(prose(read(path)))):
        if target.startswith("http"):
            continue
        file, _, anchor = target.partition("#")
        assert (path.parent / file).resolve().exists(), target
        if anchor:
            assert (path.parent / file).resolve() == GLOSSARY and anchor in terms, target


@each(TAUGHT)
def test_a_term_is_linked_where_it_is_first_used(path):
    terms = re.findall(r"glossary\.ipynb#([\w-]+)", "\n".join(prose(read(path))))
    assert len(terms) == len(set(terms)), f"linked twice: {sorted({t for t in terms if terms.count(t) > 1})}"
    assert len(terms) >= 3


@each(MASTER_LABS)
def test_a_learner_s_lab_is_the_one_made_from_its_master(path):
    assert read(LABS / path.name) == learner_lab(read(path)), (
        "the lab was edited by hand, or its master changed: run make labs"
    )


@each(LEARNER_LABS)
def test_a_learner_s_lab_shows_nothing_before_it_is_run(path):
    assert not [cell.source for cell in code(read(path)) if cell.outputs or cell.execution_count is not None]


@each(MASTER_LABS)
def test_an_untouched_lab_differs_from_its_master_in_the_checks_only(path):
    master, lab = read(path), masters.untouched(path)
    shown = {cell.id: cell.outputs for cell in code(master)}
    differ = [cell.id for cell in code(lab) if cell.outputs != shown[cell.id]]
    assert differ == [cell.id for cell in code(master) if cell.id.startswith("check-")] != []
    assert [cell.source for cell in code(lab)] == [cell.source for cell in code(read(LABS / path.name))]
    assert all("not attempted yet" in cell.outputs[0].text for cell in code(lab) if cell.id in differ)


@each(LEARNER_LABS)
def test_a_learner_s_lab_holds_no_solution_outside_the_folded_cells(path):
    notebook = read(path)
    assert "SOLUTION" not in "\n".join(cell.source for cell in code(notebook))
    stubs = [cell for cell in code(notebook) if STUB in cell.source]
    checks = [cell for cell in code(notebook) if cell.source.startswith("check(")]
    folded = [text for text in prose(notebook) if text.startswith("<details><summary>Solution")]
    assert len(stubs) == len(checks) == len(folded) >= 6


@each(MASTER_LABS)
def test_in_a_master_every_check_passes_and_every_exercise_is_headed(path):
    notebook = read(path)
    checks = [cell for cell in code(notebook) if cell.source.startswith("check(")]
    assert all(": correct. " in cell.outputs[0].text for cell in checks)
    exercises = [text for text in prose(notebook) if text.startswith("### Exercise")]
    assert len(exercises) == len(checks)
    assert all(map(is_an_exercise, exercises))


def is_an_exercise(text: str) -> bool:
    """Whether the text of an exercise says how hard it is, and has a folded hint."""
    level = r"^\*\*Difficulty: (easy|medium|hard)\. Importance: (high|medium|low)\. \d+ minutes\.\*\*$"
    return re.search(level, text, re.MULTILINE) is not None and "<details><summary>Hint</summary>" in text


def exercises_are_whole(notebook, lesson: str) -> bool:
    """Whether each exercise of a lesson has its text, stub, folded solution and check, which say nothing else.

    The solution begins with what the stub gives; the check, as it is committed, says that nothing was attempted.
    """
    places = [n for n, cell in enumerate(notebook.cells) if cell.source.startswith("### Exercise")]
    parts = [notebook.cells[place : place + 4] for place in places]
    alone = sum(STUB in cell.source or cell.source.startswith("check(") for cell in code(notebook)) == 2 * len(parts)
    return alone and all(is_whole(*cells, f"{lesson}.{n}") for n, cells in enumerate(parts, 1))


def is_whole(text, stub, solution, check, number: str) -> bool:
    name = number.replace(".", "-")
    folded, checked = masters.FOLDED.fullmatch(solution.source), masters.CHECK.fullmatch(check.source)
    return (
        is_an_exercise(text.source)
        and text.source.startswith(f"### Exercise {number}: ")
        and [stub.id, solution.id, check.id] == [f"exercise-{name}", f"exercise-{name}-solution", f"check-{name}"]
        and STUB in stub.source
        and folded is not None
        and folded[1].startswith(kept_of(stub.source).strip("\n"))
        and checked is not None
        and checked[1] == number
        and [output.get("text") for output in check.outputs] == [masters.not_attempted(number)]
    )


@each(LESSONS)
def test_the_exercises_of_a_lesson_are_whole(path):
    assert exercises_are_whole(read(path), path.name[:2]), "four cells each, executed: see Adding an exercise"
    assert len(masters.exercises(path)) in (0, 2, 3, 4)


TEXT = """### Exercise 01.1: Twice

**Difficulty: easy. Importance: high. 5 minutes.**

Write `double`.

<details><summary>Hint</summary>

Add.

</details>"""
FOLDED = "<details><summary>Solution</summary>\n\n```python\n{}\n```\n\n</details>"
HEAD = 'def double(number):\n    """Return twice a number."""\n'


def made_lesson(**changed):
    """A lesson with one exercise, some of its cells changed."""
    sources = {
        "text": TEXT,
        "stub": f"{HEAD}    # Example: double(2) -> 4\n    {STUB}",
        "solution": FOLDED.format(f"{HEAD}    return 2 * number"),
        "check": 'check("01.1", double)',
        "said": masters.not_attempted("01.1"),
    } | changed
    said = nbformat.v4.new_output("stream", text=sources["said"])
    cells = [
        nbformat.v4.new_markdown_cell(sources["text"], id="text"),
        nbformat.v4.new_code_cell(sources["stub"], id="exercise-01-1"),
        nbformat.v4.new_markdown_cell(sources["solution"], id="exercise-01-1-solution"),
        nbformat.v4.new_code_cell(sources["check"], id="check-01-1", outputs=[said]),
    ]
    return nbformat.v4.new_notebook(cells=cells)


def test_exercises_of_a_lesson_are_found_and_their_solutions_run(tmp_path, monkeypatch):
    path = tmp_path / "01_made.ipynb"
    nbformat.write(made_lesson(), path)
    (tmp_path / "00_none.ipynb").write_text(nbformat.writes(nbformat.v4.new_notebook()))
    monkeypatch.setattr(masters, "LESSONS", tmp_path)
    assert masters.with_exercises()[:2] == ["01", "1"] and masters.notebook("01") == path
    assert masters.exercises(path)["01.1"].checked == "double"
    assert masters.answers("01", masters.names("01"))["01.1"](4) == 8


@pytest.mark.parametrize(
    ("whole", "changed"),
    [
        (True, {}),
        (True, {"stub": f"{HEAD}    {STUB}\n    ..."}),
        (False, {"text": TEXT.replace("01.1", "01.2")}),
        (False, {"text": TEXT.replace("easy", "simple")}),
        (False, {"text": TEXT.replace("<summary>Hint</summary>", "")}),
        (False, {"stub": f"def twice(number):\n    {STUB}\n    ..."}),
        (False, {"stub": f"{HEAD}    return 2 * number"}),
        (False, {"solution": "Add it."}),
        (False, {"check": 'check("01.2", double)'}),
        (False, {"said": "Exercise 01.1: correct.\n"}),
    ],
)
def test_an_exercise_that_is_not_whole_is_found(whole, changed):
    assert exercises_are_whole(made_lesson(**changed), "01") == whole


@each(MASTER_LABS)
def test_solutions_have_nbgrader_s_metadata(path):
    names = []
    for cell in code(read(path)):
        if "### BEGIN SOLUTION" in cell.source or cell.source.startswith("check("):
            grader = cell.metadata.nbgrader
            assert grader.solution != grader.grade and grader.schema_version == 3
            names.append(grader.grade_id)
    assert len(names) == len(set(names))


@each(TAUGHT)
def test_examples_never_come_from_the_test_split(path):
    """`train` is the only name that examples are drawn from."""
    for cell in code(read(path)):
        for call in [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)]:
            if isinstance(call.func, ast.Name) and call.func.id == "draw_examples":
                assert isinstance(call.args[0], ast.Name) and call.args[0].id in ("train", "review_train")


@each(DATA)
def test_data_is_described_and_nothing_was_left_beside_it(path):
    described = re.findall(r"^\| `(\S+)` \|", (path / "README.md").read_text(encoding="utf8"), re.MULTILINE)
    assert sorted(os.listdir(path)) == sorted(["README.md", *described])
