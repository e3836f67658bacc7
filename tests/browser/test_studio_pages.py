"""The studio's pages as people use them: light and dark, with the keyboard alone, small windows, and by axe's rules."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, expect

from tests.browser.page import OUTPUTS, SIZES, at_size, in_theme, nameless, run_all, shoot, write
from tests.browser.server import ENVIRONMENT
from tests.browser.studio import (
    MINUTE,
    STUDIO,
    go,
    open_studio,
    studio_process,
    studio_server,
    unreached,
    violations,
)
from utils.studio.studio import PAGES

UP_TO_DATE = {
    "Gallery": ["46 of 46 cards."],
    "Prompt design": ["The course's model ("],
    "Save": ["No prompt is saved yet.", "No run is kept yet: "],
    "Compare": ["One answer each proves nothing: "],
    "Get code": ["The prompt is empty: "],
    "Tune": ["No job was started yet."],
    "Registry and endpoints": ["No model is registered yet: ", "No endpoint is deployed."],
    "Pipeline": ["No run yet: "],
    "Reflection cards": [" 58 new, "],
}
"""What each page of an empty studio says when it has looked at registry, jobs and files."""
pytestmark = [pytest.mark.process, pytest.mark.slow]


@pytest.fixture(scope="module")
def folder_of_its_own(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("studio")


@pytest.fixture(scope="module")
def address(folder_of_its_own):
    with studio_server(folder_of_its_own, ENVIRONMENT) as address:
        yield address


@pytest.fixture(scope="module")
def asked() -> list[str]:
    """Every address that the page asks for."""
    return []


@pytest.fixture(scope="module")
def page(browser, address, asked):
    """The studio, opened once, in the light."""
    page = browser.new_page(viewport={"width": 1280, "height": 720}, color_scheme="light")
    page.on("request", lambda request: asked.append(request.url))
    open_studio(page, address)
    yield page
    page.close()


def go_and_wait(page: Page, name: str) -> None:
    """Bring a page of an empty studio to front, and wait until nothing on it changes by itself any more."""
    go(page, name)
    for said in UP_TO_DATE[name]:
        expect(page.locator(STUDIO).get_by_text(said).first).to_be_attached()
    expect(page.get_by_text(re.compile(r" \.\.\.( \d+ s)?$"))).to_have_count(0)


def beyond(page: Page) -> list[str]:
    """What reaches beyond the right edge of the window, and makes it scroll sideways."""
    return page.evaluate(
        """inside => {
            const width = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= width) return [];
            return [...document.querySelectorAll(`${inside} *`)]
                .filter((part) => part.getBoundingClientRect().right > width + 1)
                .slice(0, 5).map((part) => part.outerHTML.slice(0, 160));
        }""",
        STUDIO,
    )


@pytest.mark.parametrize("name", PAGES)
def test_a_page_in_light_and_dark_and_in_two_windows(page, name):
    go_and_wait(page, name)
    for theme, size in zip(("light", "dark"), reversed(SIZES), strict=True):
        page.emulate_media(color_scheme=theme)
        at_size(page, size)
        assert violations(page, "body") == [], theme
        assert beyond(page) == []
        shoot(page, f"studio_{name.lower().replace(' ', '_')}_{theme}")
    page.emulate_media(color_scheme="light")
    assert nameless(page, STUDIO) == []


def test_no_request_leaves_the_machine(page, address, asked):
    here = re.match(r"http://[^/]+/", address)[0]
    elsewhere = [url for url in asked if not url.startswith((here, here.replace("http", "ws"), "data:", "blob:"))]
    assert len(asked) > 20 and elsewhere == []


def test_the_page_says_what_it_is(page):
    assert page.title() == "Generative AI Studio"
    assert page.locator("html").get_attribute("lang") == "en"
    expect(page.get_by_role("main")).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_text("Generative AI Studio")


def test_the_theme_can_be_asked_for(browser, address, page):
    """The sheet that darkens the page; no kernel is waited for."""
    other = browser.new_page(color_scheme="light")
    other.goto(f"{address}&theme=dark", wait_until="commit")
    expect(other.locator("body[data-jp-theme-name='JupyterLab Dark']")).to_be_attached(timeout=MINUTE)
    expect(other.get_by_text(re.compile(r"The studio opens \.\.\. [1-9]"))).to_be_visible(timeout=MINUTE)
    other.close()


def reached(page: Page, name: str) -> None:
    """Walk with Tab alone until a control of that name has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == name:
            return
    raise AssertionError(f"Tab does not reach {name}")


@pytest.mark.parametrize("name", list(PAGES)[:3])
def test_the_keyboard_alone_changes_pages(page, name):
    page.evaluate("document.activeElement.blur()")
    reached(page, name)
    page.keyboard.press("Enter")
    chosen = page.locator(".course-pages button[aria-current]")
    expect(chosen).to_have_text(name)


@pytest.mark.parametrize("name", PAGES)
def test_the_keyboard_reaches_every_control_and_leaves_it(page, name):
    go_and_wait(page, name)
    assert unreached(page) == []


@pytest.mark.parametrize(("key", "step"), [("ArrowRight", 1), ("ArrowLeft", -1)])
def test_arrow_keys_walk_round_the_pages(page, key, step):
    buttons = page.locator(".course-pages button")
    buttons.first.focus()
    names = [*PAGES]
    for n in range(1, len(names) + 1):
        page.keyboard.press(key)
        expect(buttons.nth(step * n % len(names))).to_be_focused()


OPENED = """
import os
import tempfile

from utils import studio

os.environ["COURSE_TUNING"] = tempfile.mkdtemp()
studio.open()
"""


def test_in_jupyterlab(open_notebook, folder):
    """The same widgets, where a lesson opens them."""
    page: Page = open_notebook(write(folder, "studio_pages", OPENED))
    run_all(page)
    expect(page.locator(".course-pages")).to_be_visible(timeout=4 * MINUTE)
    in_theme(page, "Dark")
    for name in PAGES:
        go_and_wait(page, name)
        assert violations(page, f"{OUTPUTS} {STUDIO}") == [], name
    shoot(page, "studio_in_jupyterlab")


def test_ctrl_c_ends_all(browser, tmp_path):
    """The page's kernel ends with its server."""
    flags = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if sys.platform == "win32" else {}
    with studio_process(tmp_path, ENVIRONMENT, **flags) as (server, address):
        page = browser.new_page()
        open_studio(page, address)
        kernels = psutil.Process(server.pid).children(recursive=True)
        assert kernels
        server.send_signal(signal.CTRL_BREAK_EVENT if sys.platform == "win32" else signal.SIGINT)
        assert server.wait(60) == 0
        assert psutil.wait_procs(kernels, timeout=30)[1] == []
        page.close()
