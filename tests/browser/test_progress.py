"""A long call in a real page: it is seen to move, it stops on Interrupt, and goes on from there."""

import re

from playwright.sync_api import expect

from tests.browser.page import OUTPUTS, run_all, save, shoot, write

TRY = """
import time
from utils.progress import progress
print("before")
for n in progress(range(60), "Counting <up> & on"):
    time.sleep(0.1)
print("after")
"""


def test_try(open_notebook, folder):
    page = open_notebook(write(folder, "progress", TRY))
    run_all(page)
    bar = page.get_by_role("progressbar", name=re.compile("Counting <up> & on: .* of 60"))
    expect(bar).to_be_visible(timeout=60_000)
    first = bar.get_attribute("value")
    shoot(page, "progress_try")
    page.wait_for_timeout(1000)
    assert bar.get_attribute("value") != first
    print(page.locator(OUTPUTS).first.inner_html())
    expect(page.locator(OUTPUTS).get_by_text("after")).to_be_visible(timeout=60_000)
    page.wait_for_timeout(500)
    print(page.locator(OUTPUTS).first.inner_html())
    shoot(page, "progress_done")
    print(save(page, folder / "progress.ipynb").cells[0].outputs)
    assert 0
