"""A JupyterLab of our own, started as `make lab` starts it, and the system's Chromium."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from utils.authoring import ROOT

TOKEN = "course"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
NO_CHROMIUM = "no Chromium on this machine: install it (Debian: apt-get install chromium) to run browser tests"


def chromium() -> str | None:
    """Return the path of the system's Chromium, None where there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def browsing(path: str) -> Iterator[Browser]:
    """Start Chromium without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def serving(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """Serve a folder; yields an address with {} for the path of a notebook.

    JupyterLab keeps its settings in that folder: a test never changes those of who runs it.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [f"--port={port}", "--no-browser", "--allow-root", f"--IdentityProvider.token={TOKEN}"]
    own = {f"JUPYTERLAB_{kind}_DIR": str(folder / ".jupyter" / kind) for kind in ("SETTINGS", "WORKSPACES")}
    (ROOT / "build").mkdir(exist_ok=True)
    log = ROOT / "build" / "jupyterlab.log"
    with log.open("w") as file:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *lab_options(), *options],
            cwd=folder,
            stdout=file,
            stderr=file,
            env=environment | own,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{url}/api?token={TOKEN}", log)
        yield f"{url}/lab/tree/{{}}?token={TOKEN}&reset"
    finally:
        server.terminate()
        server.wait(timeout=30)


def wait_for(url: str, log: Path) -> None:
    """Return when an address answers. Raises TimeoutError with the server's log."""
    for _ in range(120):
        try:
            urllib.request.urlopen(url, timeout=5)
            return
        except OSError:
            time.sleep(0.5)
    raise TimeoutError(log.read_text())


def lab_options() -> list[str]:
    """The options that `make lab` starts JupyterLab with."""
    line = next(line for line in (ROOT / "Makefile").read_text().split("\n") if "/jupyter lab " in line)
    return [word for word in line.split() if word.startswith("--")]


ENVIRONMENT = dict(os.environ)
"""What this process was started with, before a test changes anything."""
