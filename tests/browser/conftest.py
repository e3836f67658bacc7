"""Fixtures: a browser, copies of the notebooks in a folder, a JupyterLab that serves it, pages."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.page import at_size, in_theme, reload_from_disk, run_all, write
from tests.browser.server import ENVIRONMENT, NO_CHROMIUM, browsing, chromium, serving
from utils.authoring import ROOT

OPENED = (1280, 1000)
"""The size of the window that a test begins with, in pixels."""
expect.set_options(timeout=60_000)  # a slow machine's: what is expected often comes by way of the kernel


@pytest.fixture(scope="package")
def browser() -> Browser:
    """Closed when the browser tests end: playwright keeps an event loop running, which other tests would see."""
    path = chromium()
    if path is None:
        pytest.skip(NO_CHROMIUM)
    with browsing(path) as browser:
        yield browser


@pytest.fixture(scope="package")
def folder(tmp_path_factory) -> Path:
    """What the server shows: copies, so that a test never writes into the course."""
    folder = tmp_path_factory.mktemp("course")
    for name in ("notebooks", "labs"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="package")
def lab_url(folder) -> str:
    with serving(folder, ENVIRONMENT) as url:
        yield url


@pytest.fixture
def open_notebook(browser, lab_url):
    """Return a function that opens a notebook of the folder in a new page."""
    yield from opening(browser, lab_url)


@pytest.fixture(scope="module")
def open_module_notebook(browser, lab_url):
    """The same, for a page that the tests of a file share."""
    yield from opening(browser, lab_url)


@pytest.fixture(scope="module")
def show_widget(open_module_notebook, folder, request):
    """Return a function that runs cells in a notebook whose kernel all tests share, and those of a file its page, too.

    Behind a test that failed, both are new.
    """
    shared: dict[int, Page] = {}

    def show(*sources: str) -> Page:
        failed = request.session.testsfailed
        path = write(folder, f"shown_{failed}", *sources)
        if failed in shared:
            reload_from_disk(shared[failed])
        else:
            shared[failed] = open_module_notebook(path)
        page = shared[failed]
        at_size(page, OPENED)
        in_theme(page, "Light")
        run_all(page)
        return page

    return show


def opening(browser: Browser, lab_url: str) -> Iterator[Callable[[str], Page]]:
    """Yield a function that opens a notebook in a page of its own; the pages are closed at the end.

    The studio begins empty, whatever a test before has left in it.
    """
    shutil.rmtree(ENVIRONMENT["COURSE_STUDIO"], ignore_errors=True)
    pages: list[Page] = []

    def open_page(path: str) -> Page:
        page = browser.new_page()
        at_size(page, OPENED)
        pages.append(page)
        page.goto(lab_url.format(path))
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=90_000)
        return page

    yield open_page
    for page in pages:
        page.close()
