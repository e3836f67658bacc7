"""A JupyterLab of our own and the system's Chromium to look at it."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[2]
TOKEN = "course"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]


@pytest.fixture(scope="session")
def browser() -> Browser:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("no Chromium on this machine: install it (Debian: apt-get install chromium) to run browser tests")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """What the server shows: copies, so that a test never writes into the course."""
    folder = tmp_path_factory.mktemp("course")
    for name in ("notebooks", "labs"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


def lab_options() -> list[str]:
    """The options that `make lab` starts JupyterLab with."""
    line = next(line for line in (ROOT / "Makefile").read_text().split("\n") if "/jupyter lab " in line)
    return [word for word in line.split() if word.startswith("--")]


@pytest.fixture(scope="session")
def lab_url(folder) -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [f"--port={port}", "--no-browser", "--allow-root", f"--IdentityProvider.token={TOKEN}"]
    (ROOT / "build").mkdir(exist_ok=True)
    with (ROOT / "build" / "jupyterlab.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *lab_options(), *options],
            cwd=folder,
            stdout=log,
            stderr=log,
            env=os.environ,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{url}/api?token={TOKEN}", timeout=5)
                break
            except OSError:
                time.sleep(0.5)
        else:
            pytest.fail((ROOT / "build" / "jupyterlab.log").read_text())
        yield f"{url}/lab/tree/{{}}?token={TOKEN}&reset"
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture
def open_notebook(browser, lab_url):
    """Return a function that opens a notebook of the folder in a new page."""
    pages: list[Page] = []

    def open_page(path: str) -> Page:
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        pages.append(page)
        page.goto(lab_url.format(path))
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=90_000)
        return page

    yield open_page
    for page in pages:
        page.close()
