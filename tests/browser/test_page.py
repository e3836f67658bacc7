"""What JupyterLab does with the course's pages: reading, links, kernels, reloading, running again."""

import json
import re
import urllib.request

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.checks import found
from tests.browser.page import OUTPUTS, SIZES, at_size, run_all, save, shoot, write
from tests.browser.server import TOKEN
from utils.authoring import KERNEL, WIDGET_VIEW

SHOWN = ".jp-NotebookPanel:not(.lm-mod-hidden)"
VIEW = f"{SHOWN} .jp-WindowedPanel-outer"


@pytest.fixture
def api(lab_url):
    """Return a function that asks the server: a method and a path of its API."""

    def ask(method: str, path: str):
        request = urllib.request.Request(f"{lab_url.split('/lab/')[0]}/api/{path}?token={TOKEN}", method=method)
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read() or "null")

    return ask


@pytest.fixture
def kernels(api):
    """Return a function that gives the ids of the kernels of these notebooks."""

    def running(*names: str) -> list[str]:
        return [session["kernel"]["id"] for session in api("GET", "sessions") if session["name"] in names]

    return running


def laptop(page: Page) -> Page:
    at_size(page, SIZES[0])
    return page


def tab(page: Page, name: str) -> Locator:
    return page.locator(".lm-DockPanel-tabBar .lm-TabBar-tab").filter(has_text=name)


def below_the_top(element: Locator) -> float:
    """How many pixels below the top of its notebook's view an element begins."""
    view = element.page.locator(VIEW).bounding_box()
    return element.bounding_box()["y"] - view["y"]


def follow(page: Page, term: str) -> None:
    """Follow a link of lesson 00 into the glossary, and see it land."""
    tab(page, "00_start_here").click()
    page.locator(f"{SHOWN} a[href*='glossary.ipynb'][href$='#{term}']").first.click()
    heading = page.locator(f"{SHOWN} [data-jupyter-id='{term}']")
    expect(tab(page, "glossary")).to_have_class(re.compile("lm-mod-current"), timeout=30_000)
    expect(heading).to_be_in_viewport(timeout=30_000)
    page.wait_for_timeout(1500)  # where it still is when everything is drawn
    assert 0 <= below_the_top(heading) < 100


def test_reading_changes_nothing_and_links_land(open_notebook, folder, kernels):
    names = ("00_start_here.ipynb", "glossary.ipynb")
    before = [(folder / "notebooks" / name).read_bytes() for name in names]
    page = laptop(open_notebook("notebooks/00_start_here.ipynb"))
    follow(page, "completion")
    shoot(page, "page_glossary_lands")
    follow(page, "parameter")
    assert kernels(*names) == []
    expect(page.locator(".jp-mod-dirty")).to_have_count(0)
    for name in names:
        tab(page, name).locator(".lm-TabBar-tabCloseIcon").click()
    expect(page.locator(".jp-Dialog")).to_have_count(0)
    expect(tab(page, "ipynb")).to_have_count(0)
    assert [(folder / "notebooks" / name).read_bytes() for name in names] == before


def test_the_first_run_starts_one_kernel_that_ends_with_the_notebook(open_notebook, folder, kernels):
    name = write(folder, "starts", "order = [1]", "order.append(2)", "print(order, 'is the order')")
    page = laptop(open_notebook(name))
    run_all(page)
    expect(page.get_by_text("[1, 2] is the order", exact=True)).to_be_visible(timeout=60_000)
    assert len(kernels(name)) == 1
    saved = save(page, folder / name)
    assert saved.metadata == KERNEL | {"language_info": {"name": "python"}}
    alive = kernels(name)
    page.reload()
    expect(page.get_by_text("| Idle")).to_be_visible(timeout=60_000)
    page.locator(f"{SHOWN} [data-command='notebook:restart-kernel']").first.click()
    page.locator(".jp-Dialog .jp-mod-accept").click()
    page.wait_for_timeout(3000)
    assert kernels(name) == alive
    expect(page.locator(".jp-mod-dirty")).to_have_count(0)
    tab(page, name).locator(".lm-TabBar-tabCloseIcon").click()
    expect(tab(page, name)).to_have_count(0)
    for _ in range(60):
        if not kernels(name):
            break
        page.wait_for_timeout(500)
    assert kernels(name) == []


def test_restart_and_run_all_needs_no_kernel_and_one_at_work_goes_on(open_notebook, folder, kernels):
    name = write(folder, "works", "import time\nprint('at work')\ntime.sleep(60)")
    page = laptop(open_notebook(name))
    page.locator(f"{SHOWN} [data-command='notebook:restart-run-all']").first.click()
    expect(page.locator(OUTPUTS).get_by_text("at work", exact=True)).to_be_visible(timeout=60_000)
    save(page, folder / name)
    tab(page, name).locator(".lm-TabBar-tabCloseIcon").click()
    expect(tab(page, name)).to_have_count(0)
    page.wait_for_timeout(1000)
    assert len(kernels(name)) == 1


def test_a_kernel_that_was_ended_is_told_and_the_next_run_starts_another(open_notebook, folder, api, kernels):
    name = write(folder, "ends", "import os\nprint('process', os.getpid())")
    page = laptop(open_notebook(name))
    run_all(page)
    said = page.locator(f"{SHOWN} {OUTPUTS}").get_by_text(re.compile(r"^process \d+"))
    expect(said).to_be_visible(timeout=60_000)
    first = said.inner_text()
    [kernel] = kernels(name)
    api("DELETE", f"kernels/{kernel}")
    told = page.locator(".Toastify").get_by_text(re.compile(rf"^The kernel of {name} has ended .*from the top\.$"))
    expect(told).to_be_visible(timeout=60_000)
    shoot(page, "page_kernel_ended")
    run_all(page)
    expect(said).not_to_have_text(first, timeout=60_000)
    assert len(kernels(name)) == 1


def test_a_widget_of_an_earlier_kernel_shows_its_stored_picture(open_notebook, folder):
    view = {"model_id": "gone", "version_major": 2, "version_minor": 0}
    stored = nbformat.v4.new_output("display_data", {"text/html": "<p>The bars as they were</p>", WIDGET_VIEW: view})
    name = write(folder, "stored", "'a widget'", "print('a kernel')")
    notebook = nbformat.read(folder / name, as_version=4)
    notebook.cells[0].outputs = [stored]
    nbformat.write(notebook, folder / name)
    page = laptop(open_notebook(name))
    outputs = page.locator(f"{SHOWN} {OUTPUTS}")
    expect(outputs.first).to_have_text("The bars as they were", timeout=30_000)
    page.locator(f"{SHOWN} .jp-CodeCell").nth(1).click()
    page.keyboard.press("Shift+Enter")
    expect(outputs.get_by_text("a kernel")).to_be_visible(timeout=60_000)
    page.wait_for_timeout(2000)
    expect(outputs.first).to_have_text("The bars as they were")


def test_a_reload_keeps_the_place(open_notebook):
    page = laptop(open_notebook("labs/lab_2_generative_configuration.ipynb"))
    cells = page.locator(f"{SHOWN} .jp-Cell")
    expect(cells.nth(50)).to_be_attached(timeout=60_000)
    cells.nth(50).evaluate("cell => cell.scrollIntoView()")
    page.mouse.move(700, 400)
    page.mouse.wheel(0, 150)
    page.wait_for_timeout(1500)
    before = below_the_top(cells.nth(50))
    assert before < 0
    page.reload()
    expect(cells.nth(50)).to_be_attached(timeout=90_000)
    page.wait_for_timeout(3000)
    assert below_the_top(cells.nth(50)) == pytest.approx(before, abs=3)
    shoot(page, "page_reloaded")


AGAIN = """
import time
from IPython.display import HTML, display
bar = display(HTML("<progress></progress> computing"), display_id=True)
time.sleep(4)
bar.update({}, raw=True)
display(HTML("<table><tr><td>a positive table</td></tr>" + "<tr><td>row</td></tr>" * 8 + "</table>"))
time.sleep(1)
"""
HEIGHT = "cell => cell.offsetHeight"


def test_what_was_shown_stays_greyed_until_something_new_comes(open_notebook, folder):
    name = write(folder, "again", AGAIN)
    page = laptop(open_notebook(name))
    cell = page.locator(f"{SHOWN} .jp-CodeCell").first
    old = cell.locator(".course-old-output")
    new = cell.locator(".jp-OutputArea:not(.course-old-output)")
    table = "a positive table"
    run_all(page)
    expect(cell.get_by_text("[1]:").first).to_be_visible(timeout=60_000)
    height = cell.evaluate(HEIGHT)
    run_all(page)
    expect(new.get_by_text("computing")).to_be_visible(timeout=10_000)
    expect(old.get_by_text(table)).to_be_visible()
    expect(new.get_by_text(table)).to_have_count(0)
    assert float(old.evaluate("copy => getComputedStyle(copy).opacity")) < 0.5
    assert cell.evaluate(HEIGHT) == pytest.approx(height, abs=20)
    shoot(page, "page_old_output")
    expect(new.get_by_text(table)).to_be_visible(timeout=10_000)
    expect(old).to_have_count(0)
    expect(cell.get_by_text("[2]:").first).to_be_visible(timeout=30_000)
    assert sum("positive" in str(output) for output in save(page, folder / name).cells[0].outputs) == 1


WIDE = """
from IPython.display import HTML, Markdown, display
prose = "Your prompt asks for a label, and the completion begins with neither positive nor negative. "
print(prose * 5)
display(HTML("<table><tr><td>positive</td><td>" + prose * 3 + "</td><td>negative</td></tr></table>"))
display(Markdown(prose * 3))
raise ValueError(prose * 3)
"""


def test_words_stay_whole(open_notebook, folder):
    page = laptop(open_notebook(write(folder, "words", WIDE)))
    run_all(page)
    expect(page.locator(OUTPUTS).get_by_text("Traceback").first).to_be_visible(timeout=60_000)
    outputs = page.locator(f"{SHOWN} .jp-OutputArea-output")
    for width in (1280, 700):
        at_size(page, (width, 720))
        assert [found(output, "broken") for output in outputs.all()] == [[]] * outputs.count()
        assert outputs.evaluate_all("all => all.filter(one => one.scrollWidth > one.clientWidth).length") == 0
        shoot(page, f"page_words_{width}")
