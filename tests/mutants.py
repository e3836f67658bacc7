"""Change one digit in every compared output, and each number in the text, and count what turns red.

python -m tests.mutants                        # every notebook; each is run once
python -m tests.mutants notebooks/05_*.ipynb   # these
python -m tests.mutants --text                 # only the text, which needs no kernel

A changed output is compared with the fresh one by nbval itself, a changed text is read by what the tests call; a
learner's lab has texts only. The table is written to build/mutants.md; the exit status is 1 if a change was not found.
"""

import copy
import random
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbval.plugin import IPyNbCell

from tests.prose_numbers import LINK, NUMBER, SOURCES, prose_numbers, read
from utils.authoring import LABS, MASTERS, ROOT, labs_in, learner_lab
from utils.storage.files import write_text

TABLE = ROOT / "build" / "mutants.md"


@dataclass
class Count:
    """Changes that were made, and those that no check found."""

    made: int = 0
    survived: list[str] = field(default_factory=list)

    def add(self, where: str, *, red: bool) -> None:
        """Count one change."""
        self.made += 1
        if not red:
            self.survived.append(where)

    def __str__(self) -> str:
        return f"{self.made - len(self.survived)} of {self.made}"


def other_digit(text: str, position: int) -> str:
    """Return a text with the digit at a position changed."""
    return text[:position] + str((int(text[position]) + 1) % 10) + text[position + 1 :]


@dataclass
class Outputs:
    """A pytest plugin: after nbval has run a cell, each of its compared outputs is changed and compared again."""

    counts: dict[Path, Count]

    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Count the changes of a cell that are found."""
        assert isinstance(item, IPyNbCell)
        count = self.counts[item.path]
        if not item.options["check"] or not item.cell.outputs:
            return
        if not item.compare_outputs(item.test_outputs, item.cell.outputs):
            count.survived.append(f"{item.name}: differs before any change")
            return
        for where, changed in changed_outputs(item):
            count.add(f"{item.name}, {where}", red=not item.compare_outputs(item.test_outputs, changed))


def changed_outputs(item: IPyNbCell) -> Iterator[tuple[str, list[NotebookNode]]]:
    """Yield the committed outputs of a cell with one digit changed, once for each compared field that has a digit."""
    draw = random.Random(f"{item.path.name} {item.name}")
    for number, output in enumerate(item.cell.outputs):
        texts = output if output.output_type == "stream" else output.data
        for name, text in texts.items():
            if name in ("output_type", *item.parent.skip_compare) or not isinstance(text, str):
                continue
            if digits := compared_digits(item, text):
                outputs = copy.deepcopy(item.cell.outputs)
                target = outputs[number] if output.output_type == "stream" else outputs[number].data
                target[name] = other_digit(text, draw.choice(digits))
                yield f"output {number}, {name}", outputs


def compared_digits(item: IPyNbCell, text: str) -> list[int]:
    """Return where digits stand in a text, without those that nbval's configuration takes out."""
    hidden = {n for regex in item.parent.sanitize_patterns for m in re.finditer(regex, text) for n in range(*m.span())}
    return [n for n, character in enumerate(text) if character in "0123456789" and n not in hidden]


def is_red(path: Path, notebook: NotebookNode) -> bool:
    """Say whether the tests of `test_notebooks` see that a notebook's text was changed."""
    if path in SOURCES:
        return prose_numbers(notebook) != read()[path.name]
    return notebook != learner_lab(nbformat.read(MASTERS / path.name, as_version=4))


def count_text(path: Path) -> Count:
    """Change each number of each text cell, one at a time; numbers inside links are left as they are."""
    count, notebook = Count(), nbformat.read(path, as_version=4)
    assert not is_red(path, notebook), f"{path.name} is red before any change"
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        source = cell.source
        links = {n for link in LINK.finditer(source) for n in range(*link.span())}
        for number in NUMBER.finditer(source):
            if number.start() not in links:
                cell.source = other_digit(source, number.end() - 1)
                count.add(f"cell {cell.id}: {number[0]}", red=is_red(path, notebook))
        cell.source = source
    return count


def count_outputs(paths: list[Path]) -> dict[Path, Count]:
    """Run notebooks with nbval and change each compared output."""
    counts = {path: Count() for path in paths}
    code = pytest.main(["-q", "-p", "no:cacheprovider", *map(str, paths)], plugins=[Outputs(counts)])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        sys.exit(f"nbval ended with {code!r}")
    return counts


def table(text: dict[Path, Count], outputs: dict[Path, Count]) -> str:
    """Return a Markdown table with a row a notebook and a sum."""
    lines = ["| notebook | outputs found | numbers in the text found |", "| --- | --- | --- |"]
    for path in text:
        lines.append(f"| {path.relative_to(ROOT)} | {outputs.get(path, '')} | {text[path]} |")
    lines.append(f"| all | {total(outputs)} | {total(text)} |")
    survived = [(path, one) for counts in (text, outputs) for path in counts for one in counts[path].survived]
    return "\n".join([*lines, "", *(f"- not found: {path.relative_to(ROOT)}, {one}" for path, one in survived)]) + "\n"


def total(counts: dict[Path, Count]) -> Count:
    """Add up."""
    return Count(
        sum(count.made for count in counts.values()), [one for count in counts.values() for one in count.survived]
    )


def main(arguments: list[str]) -> int:
    """Print and write the table; return the exit status."""
    paths = [Path(name).resolve() for name in arguments if name != "--text"] or [*SOURCES, *labs_in(LABS)]
    outputs = {} if "--text" in arguments else count_outputs([path for path in paths if path in SOURCES])
    text = {path: count_text(path) for path in paths}
    TABLE.parent.mkdir(exist_ok=True)
    write_text(TABLE, table(text, outputs))
    print(TABLE.read_text(encoding="utf8"))
    return bool(total(text).survived + total(outputs).survived)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
