"""From the key press to the changed pixels: our sliders, the sampler's beside `interact`; the studio's Run."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, expect

from tests.browser.page import run_all, write
from tests.browser.server import ENVIRONMENT, browsing, serving
from tests.browser.studio import MINUTE, button, fill, go, open_studio, studio_server

MOVES, RUNS = 60, 11
PAUSE_MS = 600
OURS = """
from utils.models import load_model
from utils.widgets import sampler
view = sampler(load_model(), "The garden was full of beautiful")
"""
INLINE = """
%matplotlib inline
import matplotlib.pyplot as plt
from ipywidgets import FloatSlider, interact
from utils.decoding import DecodingConfig
from utils.models import load_model
from utils.decoding import next_token, read_prompt
read = read_prompt(load_model(), "The garden was full of beautiful")
def draw(temperature):
    found = next_token(read, DecodingConfig(temperature=temperature))
    print(found.summary)
    names = [candidate.text for candidate in found.candidates]
    figure, axes = plt.subplots(figsize=(8, 5))
    axes.barh(range(len(names)), [candidate.after for candidate in found.candidates])
    axes.barh(range(len(names)), [candidate.before for candidate in found.candidates], fill=False)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlim(0, 1)
    plt.show()
interact(draw, temperature=FloatSlider(value=1, min=0.05, max=2, step=0.05))
"""
ATTENTION = """
from utils.models import load_model
from utils.widgets import attention_view
view = attention_view(load_model(), "The cat sat down because it was very tired of walking", layer=15, head=1)
"""
NOTED = """() => {
    window.times = [];
    window.noted = (since) => requestAnimationFrame(() => {
        const painted = new MessageChannel();
        painted.port1.onmessage = () => { window.times.push(performance.now() - since); };
        painted.port2.postMessage(0);
    });
}"""
"""Keeps the milliseconds from a moment to the next painted picture."""
WATCH = """(inline) => {
    let pressed = null;
    document.addEventListener('keydown', (event) => { pressed = event.timeStamp; }, true);
    const shown = async () => {
        if (pressed === null) return;
        const images = [...document.querySelectorAll('.jp-OutputArea img')];
        if (inline) { if (!images.length) return; await images.at(-1).decode(); }
        const since = pressed;
        pressed = null;
        noted(since);
    };
    const place = inline
        ? document.querySelector('.jp-OutputArea .widget-output, .jp-OutputArea .jupyter-widgets-output-area')
        : document.querySelector('.jp-OutputArea :is(.course-bars, .course-grid)').closest('.course-picture');
    new MutationObserver((changes) => {
        const drawn = (node) => node.nodeName === 'IMG' || (node.querySelector && node.querySelector('img'));
        if (!inline || changes.some((change) => [...change.addedNodes].some(drawn))) shown();
    }).observe(place, { childList: true, subtree: true, attributes: true, characterData: true });
}"""
FIRST_TOKEN = """() => {
    let clicked = null, before = "";
    const answer = () => document.querySelector("[aria-label='Response with seed 0, its text']").innerText;
    document.addEventListener("click", (event) => { clicked = event.timeStamp; before = answer(); }, true);
    new MutationObserver(() => {
        if (clicked === null || !answer() || answer() === before) return;
        const since = clicked;
        clicked = null;
        noted(since);
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""


@dataclass(frozen=True)
class Latency:
    """Milliseconds from key press or click to changed pixels, one a move, and what was shown at the end."""

    milliseconds: tuple[float, ...]
    shown: str

    def percentile(self, share: float) -> float:
        """Return a percentile in milliseconds."""
        return float(np.percentile(self.milliseconds, share))


def measure(folder, chromium: str) -> tuple[Latency, Latency]:
    """Return our sampler's latency and that of `interact` with inline matplotlib, in one browser and server."""
    with serving(folder, ENVIRONMENT) as url, browsing(chromium) as browser:
        found = []
        for name, source in (("ours", OURS), ("inline", INLINE)):
            page = _opened(browser, url, write(folder, name, source))
            times = _moves(page, inline=name == "inline")
            shown = page.locator(".jp-OutputArea").get_by_text("tokens kept").first.inner_text().strip()
            found.append(Latency(times, shown))
            page.close()
        return tuple(found)


def measure_attention(folder: Path, chromium: str) -> Latency:
    """Return the latency of the attention viewer's layers, of a sentence of twelve tokens."""
    with serving(folder, ENVIRONMENT) as url, browsing(chromium) as browser:
        page = _opened(browser, url, write(folder, "attention", ATTENTION))
        return Latency(_moves(page, inline=False), page.locator(".course-said").inner_text())


def _opened(browser: Browser, url: str, name: str) -> Page:
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.goto(url.format(name))
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=90_000)
    run_all(page)
    return page


def _moves(page: Page, *, inline: bool) -> tuple[float, ...]:
    """Return the milliseconds of each move of a page's first slider."""
    slider = page.get_by_role("slider").first
    expect(slider).to_be_visible(timeout=120_000)
    page.wait_for_timeout(3000)
    page.evaluate(NOTED)
    page.evaluate(WATCH, inline)
    slider.evaluate("element => element.setAttribute('data-lm-suppress-shortcuts', 'true')")
    slider.focus()
    for move in range(MOVES):
        page.keyboard.press("ArrowLeft" if (move // 15) % 2 == 0 else "ArrowRight")
        page.wait_for_timeout(PAUSE_MS)
    return tuple(page.evaluate("window.times"))


def measure_first_token(folder: Path, chromium: str) -> Latency:
    """Return how long Run takes to show the first token of an answer to a short prompt, in the studio's own page."""
    with studio_server(folder, ENVIRONMENT) as address, browsing(chromium) as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        open_studio(page, address)
        go(page, "Prompt design")
        fill(page, "Prompt", "Once upon a time")
        expect(page.get_by_text(" tokens of prompt")).to_be_visible(timeout=4 * MINUTE)
        page.evaluate(NOTED)
        page.evaluate(FIRST_TOKEN)
        for run in range(RUNS):
            button(page, "Run").click()
            page.wait_for_function(f"window.times.length > {run}")
            expect(page.get_by_text("Done: ")).to_be_visible(timeout=MINUTE)
        shown = page.get_by_label("Response with seed 0, its text").inner_text()
        return Latency(tuple(page.evaluate("window.times")), shown)
