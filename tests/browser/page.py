"""What the browser tests and the benchmark do with a page of JupyterLab."""

import re
from contextlib import suppress
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from playwright.sync_api import Locator, Page, TimeoutError, expect

from utils.authoring import KERNEL, ROOT

BUILD = ROOT / "build"
OUTPUTS = ".jp-OutputArea"
RED = f"{OUTPUTS} [data-mime-type*=stderr]"
"""What JupyterLab shows in red: errors and warnings."""
PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-WindowedPanel-outer"
SIZES = ((1280, 720), (900, 700))


def shoot(page: Page, name: str) -> None:
    """Leave a screenshot in build/."""
    BUILD.mkdir(exist_ok=True)
    page.screenshot(path=BUILD / f"{name}.png")


def write(folder: Path, name: str, *sources: str) -> str:
    """Write a notebook of these code cells and return its name."""
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in sources]
    metadata = KERNEL | {"language_info": {"name": "python"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    nbformat.write(notebook, folder / f"{name}.ipynb")
    return f"{name}.ipynb"


def run_all(page: Page) -> None:
    """Run all cells, the first of which starts the kernel; does not wait for them to end."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def run_to_the_end(page: Page, *, minutes: float) -> None:
    """Run all cells and wait until none is left that waits or runs."""
    run_all(page)
    waiting = page.locator(".jp-InputPrompt").filter(has_text="[*]")
    with suppress(AssertionError):  # done before the first look
        expect(waiting).not_to_have_count(0, timeout=5_000)
    expect(waiting).to_have_count(0, timeout=minutes * 60_000)


def run_by_hand(cell: Locator, *, minutes: float = 2) -> None:
    """Run a cell by Shift+Enter and wait until it has ended."""
    prompt = cell.locator(".jp-InputPrompt")
    before = prompt.inner_text()
    cell.locator(".cm-content").click()
    cell.page.keyboard.press("Shift+Enter")
    expect(prompt).not_to_have_text(re.compile(rf"^({re.escape(before)}|\[\*\]:)$"), timeout=minutes * 60_000)


def reload_from_disk(page: Page) -> None:
    """Show the notebook of a page as its file is now; its kernel goes on."""
    page.get_by_role("menuitem", name="File", exact=True).click()
    page.get_by_role("menuitem", name="Reload Notebook from Disk").click()
    with suppress(TimeoutError):  # asked only where something was run since
        page.locator(".jp-Dialog").get_by_role("button", name="Reload").click(timeout=2_000)
    expect(page.locator(".jp-Dialog")).to_have_count(0)


def at_size(page: Page, size: tuple[int, int]) -> None:
    """Make the window as wide and high as given, in pixels."""
    page.set_viewport_size({"width": size[0], "height": size[1]})


def open_path(page: Page, path: str) -> None:
    """Open another notebook in the same page, by its path."""
    page.get_by_role("menuitem", name="File", exact=True).click()
    page.get_by_role("menuitem", name="Open from Path…").click()
    page.locator(".jp-Dialog input").fill(path)
    page.keyboard.press("Enter")
    expect(page.locator(f".lm-TabBar-tab.lm-mod-current[title*='{Path(path).name}']")).to_be_visible(timeout=30_000)
    page.wait_for_selector(f"{PANEL} .jp-Cell")


def in_theme(page: Page, name: str) -> None:
    """Choose one of JupyterLab's themes, "Light" or "Dark", by its menu."""
    if page.locator(f"body[data-jp-theme-name='JupyterLab {name}']").count():
        return
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.locator(".lm-Menu-item", has_text="Theme").first.hover()
    page.locator(".lm-Menu-item", has_text=f"JupyterLab {name}").first.click()
    expect(page.locator(f"body[data-jp-theme-name='JupyterLab {name}']")).to_be_attached(timeout=30_000)
    expect(page.locator(".lm-Menu")).to_have_count(0, timeout=30_000)


def save(page: Page, path: Path) -> NotebookNode:
    """Save the notebook of a page and return what its file holds. Raises TimeoutError."""
    before = path.stat().st_mtime_ns
    page.keyboard.press("Control+s")
    for _ in range(100):
        with suppress(nbformat.reader.NotJSONError):  # JupyterLab is still writing
            if path.stat().st_mtime_ns > before:
                return nbformat.read(path, as_version=4)
        page.wait_for_timeout(100)
    raise TimeoutError(f"{path} was not saved")


def walk(page: Page, texts: set[str], name: str) -> set[str]:
    """Scroll through a notebook and return which texts it shows, with a screenshot of each.

    Insists on outputs without an error and on controls with a name.
    """
    panel = page.locator(".jp-WindowedPanel-outer")
    seen: set[str] = set()
    last = -1
    panel.evaluate("element => { element.scrollTop = 0; }")
    while (place := panel.evaluate("element => element.scrollTop")) != last:
        last = place
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        for text in sorted(texts - seen):
            if page.get_by_text(text, exact=True).count():
                page.get_by_text(text, exact=True).first.scroll_into_view_if_needed()
                shoot(page, f"{name}_{len(seen) + 1}")
                assert nameless(page, OUTPUTS) == []
                seen.add(text)
        assert page.locator(RED).count() == 0
        panel.evaluate("element => { element.scrollTop += element.clientHeight * 0.8; }")
    return seen


def press(control: Locator, key: str, times: int = 1) -> None:
    """Focus a control and press a key, as a hand would."""
    control.focus()
    for _ in range(times):
        control.page.keyboard.press(key)
        control.page.wait_for_timeout(30)


def nameless(page: Page, inside: str) -> list[str]:
    """Return the controls inside a selector that a screen reader could not name.

    Read from Chromium's own accessibility tree.
    """
    session = page.context.new_cdp_session(page)
    session.send("Accessibility.enable")
    roles = {"slider", "textbox", "button", "radio", "spinbutton", "combobox", "checkbox", "switch"}
    found = []
    root = session.send("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
    parts = session.send("DOM.querySelectorAll", {"nodeId": root, "selector": inside})["nodeIds"]
    for part in parts:
        nodes = session.send("Accessibility.queryAXTree", {"nodeId": part})["nodes"]
        for node in nodes:
            role = node.get("role", {}).get("value", "")
            shown = not node.get("ignored")
            if shown and role in roles and not node.get("name", {}).get("value", "").strip():
                found.append(role)
    return found
