"""The studio as a page of its own, started as `make studio` starts it, and what the tests do with its pages."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from utils.authoring import ROOT

ADDRESS = re.compile(r"(http://\S+) until")
MINUTE = 60_000
STUDIO = ".course-widget"
GRAVE = ("serious", "critical")
START_SECONDS = 240


@contextmanager
def studio_process(folder: Path, environment: dict[str, str], **options: int) -> Iterator[tuple[subprocess.Popen, str]]:
    """Serve the studio from a process of its own; yields it and its address. options: of the process.

    folder: where it, jobs and endpoints keep all, and its log.
    """
    own = {"COURSE_STUDIO": str(folder / "studio"), "COURSE_TUNING": str(folder / "tuning")}
    command = [sys.executable, "-m", "utils.studio", "--no-browser"]
    log = folder / "studio.log"
    with (
        log.open("w") as file,
        subprocess.Popen(command, cwd=ROOT, env=environment | own, stdout=file, stderr=file, **options) as server,
    ):
        try:
            yield server, address_in(log, server)
        finally:
            server.terminate()
            with suppress(subprocess.TimeoutExpired):
                server.wait(30)
            server.kill()


@contextmanager
def studio_server(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """The same, for who needs the address alone."""
    with studio_process(folder, environment) as (_, address):
        yield address


def address_in(log: Path, server: subprocess.Popen) -> str:
    """Return the address that the studio says, once it serves. Raises TimeoutError with its log."""
    end = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < end:
        if said := ADDRESS.search(log.read_text()):
            return said[1]
        time.sleep(0.2)
    raise TimeoutError(f"the studio did not start: {log.read_text()}")


def open_studio(page: Page, address: str) -> None:
    """Open the studio and wait for its pages."""
    page.goto(address, timeout=MINUTE)
    expect(page.locator(".course-pages")).to_be_visible(timeout=4 * MINUTE)


def go(page: Page, name: str) -> None:
    """Bring a page of the studio to front."""
    chosen = page.get_by_role("navigation", name="Pages of the studio").get_by_role("button", name=name, exact=True)
    chosen.click()
    expect(chosen).to_have_attribute("aria-current", "page")
    expect(page.get_by_text(f"Opening {name} ...")).to_have_count(0)


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


def violations(page: Page, inside: str = "body") -> list[str]:
    """Return what axe finds serious or critical, each with the elements that it is about."""
    found = Axe().run(page, context=inside).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {', '.join(node['html'][:160] for node in one['nodes'][:4])}"
        for one in found
        if one["impact"] in GRAVE
    ]


def unreached(page: Page) -> list[str]:
    """Return the controls of the page in front that Tab alone does not reach."""
    page.evaluate("document.activeElement.blur()")
    wanted = page.evaluate(
        """inside => {
            const usable = (part) => !part.disabled && part.tabIndex >= 0 && part.checkVisibility()
                && part.type !== "file" && !(part.type === "radio" && !part.checked);
            document.querySelectorAll("[data-tab]").forEach((part) => delete part.dataset.tab);
            const all = document.querySelectorAll(`${inside} :is(button, input, select, textarea)`);
            return [...all].filter(usable).map((part, n) => (part.dataset.tab = n)).length;
        }""",
        STUDIO,
    )
    missing = set(map(str, range(wanted)))
    for _ in range(3 * wanted + 60):
        if not missing:
            break
        page.keyboard.press("Tab")
        missing.discard(page.evaluate("document.activeElement.dataset.tab ?? ''"))
    html = "part => part.outerHTML.slice(0, 160)"
    return [page.locator(f"[data-tab='{n}']").first.evaluate(html) for n in missing]
