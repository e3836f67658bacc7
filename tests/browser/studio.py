"""The studio as a page of its own, started as `make studio` starts it, and what the tests do with its pages."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from utils.authoring import ROOT

ADDRESS = re.compile(r"http://\S+")
MINUTE = 60_000


@contextmanager
def studio_server(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """Serve the studio from a process of its own; yields its address. folder: where it, jobs and endpoints keep all."""
    own = {"COURSE_STUDIO": str(folder / "studio"), "COURSE_TUNING": str(folder / "tuning")}
    command = [sys.executable, "-m", "utils.studio", "--no-browser"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment | own, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            yield ADDRESS.search(server.stdout.readline())[0]
        finally:
            server.terminate()


def open_studio(page: Page, address: str) -> None:
    """Open the studio and wait for its pages."""
    page.goto(address, timeout=MINUTE)
    expect(page.locator(".course-pages")).to_be_visible(timeout=2 * MINUTE)


def go(page: Page, name: str) -> None:
    """Bring a page of the studio to front."""
    chosen = page.get_by_role("navigation", name="Pages of the studio").get_by_role("button", name=name, exact=True)
    chosen.click()
    expect(chosen).to_have_attribute("aria-current", "page", timeout=MINUTE)
    expect(page.get_by_text(f"Opening {name} ...")).to_have_count(0, timeout=MINUTE)


def button(page: Page, name: str) -> Locator:
    """Return the button of that name in the page in front."""
    return page.locator("button.jupyter-button", has_text=re.compile(f"^{re.escape(name)}$"))


def fill(page: Page, label: str, text: str) -> None:
    """Write into a field and leave it, as a hand does."""
    field = page.get_by_label(label, exact=True)
    field.fill(text)
    field.press("Tab")


def drop(page: Page, label: str, file: Path) -> None:
    """Drop a file on a field, as a hand does from a window of files."""
    made = "([name, text]) => { const held = new DataTransfer(); held.items.add(new File([text], name)); return held; }"
    held = page.evaluate_handle(made, [file.name, file.read_text(encoding="utf8")])
    page.get_by_label(label, exact=True).dispatch_event("drop", {"dataTransfer": held})
