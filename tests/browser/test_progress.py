"""A long call in a real page: it is seen to move, it stops on Interrupt, and goes on from there."""

import re
from pathlib import Path

import nbformat
from playwright.sync_api import Page, expect

from tests.browser.page import OUTPUTS, RED, run_all, save, shoot, write
from tests.comparison import differences, reference_cells

CURVE = """
import os
from utils.datasets import load_reviews
from utils.evaluation import ClassificationTask, shots_curve
from utils.models import load_model
os.environ["COURSE_RESULTS"] = "kept"
reviews = {split: tuple(load_reviews(split)) for split in ("train", "test")}
reviews["test"] = reviews["test"][:30]
task = ClassificationTask("Is this movie review positive or negative?", ("negative", "positive"), **reviews)
model = load_model(device="cpu")
print("begun")
try:
    curve = shots_curve(model, task, shots=(0, 4, 8), seeds=range(3))
except KeyboardInterrupt:
    print("stopped")
    raise
print(len(curve.runs), "runs")
"""
SHOWN = "begun\n7 runs\n"


def seen_to_move(page: Page) -> None:
    """Wait until a bar is there that says what is done and how long it takes, and see it move."""
    bar = page.get_by_role("progressbar", name=re.compile(r"^Measuring prompts .*: \d of 7, .* \(Scoring prompts: "))
    expect(bar).to_be_visible(timeout=120_000)
    before = bar.get_attribute("aria-label")
    expect(bar).not_to_have_attribute("aria-label", before, timeout=30_000)


def red_lines(page: Page) -> list[str]:
    """Wait for what is red, and return its lines."""
    red = page.locator(RED)
    expect(red).to_have_count(1, timeout=60_000)
    return red.inner_text().strip().splitlines()


def whole_runs(folder: Path) -> dict[str, int]:
    """Return what is kept of the curve, and when it was written."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / "kept").glob("*.json")}


def test_a_curve_moves_stops_on_interrupt_and_goes_on(open_notebook, folder, request, tmp_path):
    name = write(folder, "progress", CURVE)
    page = open_notebook(name)
    run_all(page)
    seen_to_move(page)
    shoot(page, "progress_moves")
    while not whole_runs(folder):
        page.wait_for_timeout(100)
    page.locator("[data-command='notebook:interrupt-kernel']").first.click()
    expect(page.locator(OUTPUTS).get_by_text("stopped", exact=True)).to_be_visible(timeout=30_000)
    (line,) = red_lines(page)
    said = r"Stopped\. Measuring prompts .*: [1-6] of 7(?: \(Scoring .*\))?\. What is done is kept: .*\."
    assert re.fullmatch(said, line)
    shoot(page, "interrupted")
    expect(page.locator(OUTPUTS).get_by_role("progressbar")).to_have_count(0)
    before = whole_runs(folder)
    assert 1 <= len(before) < 7

    run_all(page)
    expect(page.locator(OUTPUTS).get_by_role("progressbar", name=re.compile(r": [1-6] of 7, "))).to_be_visible(
        timeout=30_000
    )
    expect(page.locator(OUTPUTS).get_by_text("7 runs")).to_be_visible(timeout=240_000)
    expect(page.locator(OUTPUTS).get_by_role("progressbar")).to_have_count(0)
    after = whole_runs(folder)
    assert len(after) == 7 and after.items() >= before.items()

    ran = save(page, folder / name)
    assert [output.output_type for output in ran.cells[0].outputs] == ["stream"]
    stream = nbformat.v4.new_output("stream", name="stdout", text="begun\n7 runs\n")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CURVE.strip(), outputs=[stream])])
    nbformat.write(notebook, tmp_path / "reference.ipynb")
    assert differences(reference_cells(request.session, tmp_path / "reference.ipynb"), ran) == []


RESTARTED = """
import utils
model.generate("The garden was full of")
"""


def test_a_cell_run_alone_after_a_restart_says_in_one_sentence_what_to_run(open_notebook, folder):
    page = open_notebook(write(folder, "restarted", RESTARTED))
    run_all(page)
    (line,) = red_lines(page)
    assert line.startswith(
        "NameError: `model` has no value in this kernel yet: run the cells above (Run, Run All Above"
    )
    shoot(page, "restarted")
