"""The widgets of Lab 3 in a real page: a job that is watched and cancelled while a cell waits for it, and the dial."""

import re

from playwright.sync_api import Page, expect

from tests.browser.checks import OF_LAYOUT, found
from tests.browser.page import OUTPUTS, at_size, in_theme, nameless, press, shoot

JOB = """
import subprocess, sys
from pathlib import Path
from utils.tuning import TuningJob
from utils.tuning.states import JobFolder, Settings
from utils.widgets import monitor

STEPS = '''
import json, os, time
for step in range(1, 401):
    ended = os.path.exists("cancel")
    with open("metrics.jsonl", "a") as file:
        file.write(json.dumps({
            "step": step, "steps": 400, "epoch": 0.0, "loss": 4 / step**0.4, "accuracy": min(1, 0.3 + step / 200),
            "validation_loss": 3 / step**0.3 if step % 5 == 0 else None,
            "validation_accuracy": 0.5 if step % 5 == 0 else None, "learning_rate": 0.001, "seconds": step / 2,
        }) + chr(10))
    with open("new", "w") as file:
        json.dump({"status": "CANCELLED" if ended else "RUNNING", "step": step, "steps": 400, "seconds": step / 2,
                   "notes": [], "can_go_on": ended}, file)
    os.replace("new", "state.json")
    if ended:
        break
    time.sleep(0.5)
'''
folder = JobFolder(Path("slow").absolute() / "0001")
folder.create(Settings("slow", "lora", 8, "no model", None, 1, 0.001, 1, 0, "", {}), [], [])
folder.started_by(subprocess.Popen([sys.executable, "-c", STEPS], cwd=folder.path).pid)
job = TuningJob("slow", [])
job.folder = folder
view = monitor(job)
"""
WAIT = 'print("waited for:", job.wait().status)'
DIAL = """
import torch
from utils.models import load_model
from utils.adapters import add_adapter, find_method
from utils.widgets import adapter_dial
model = add_adapter(load_model(), find_method("lora"))
for name, weight in model.model.named_parameters():
    if "lora_B" in name:
        torch.nn.init.normal_(weight.data, std=0.02, generator=torch.Generator().manual_seed(0))
model.model.eval()
prompts = {"one": "Review: A joy.\\nSentiment:", "two": "Review: It never ends.\\nSentiment:", "long": "never " * 9000}
view = adapter_dial(model, prompts, ["negative", "positive"])
"""


def test_a_job_is_watched_and_cancelled_while_a_cell_waits_for_it(show_widget):
    page = show_widget(JOB, WAIT)
    cancel = page.get_by_role("button", name="Cancel", exact=True)
    expect(cancel).to_be_visible(timeout=120_000)
    expect(page.get_by_role("status").filter(has_text="RUNNING")).to_be_visible(timeout=20_000)
    progress = page.get_by_role("progressbar", name="Progress of the tuning job slow")
    begun = progress.get_attribute("value")
    curves = page.locator(f"{OUTPUTS} img[alt*='loss against the step']")
    expect(curves).to_have_attribute("alt", re.compile(r"validation: first .* at 5, "), timeout=20_000)
    expect(progress).not_to_have_attribute("value", begun, timeout=20_000)
    assert nameless(page, OUTPUTS) == []
    curves.scroll_into_view_if_needed()
    shoot(page, "lab_3_monitor")
    holds_at_every_size(page)
    cancel.press("Enter")
    expect(page.get_by_text("The job ends after the step it is at.")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("run the cell with its start() again, then this one")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="CANCELLED")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("waited for: CANCELLED")).to_be_visible(timeout=20_000)
    expect(cancel).to_be_disabled()
    in_theme(page, "Dark")
    shoot(page, "lab_3_monitor_dark")


def test_the_dial_answers_by_keyboard(show_widget):
    page = show_widget(DIAL)
    slider = page.get_by_role("slider", name="Adapter scale")
    expect(slider).to_be_visible(timeout=120_000)
    drawing = page.get_by_role("img", name="Label probabilities at scale 1.")
    expect(drawing).to_be_visible()
    press(slider, "Home")
    expect(page.get_by_role("img", name="Label probabilities at scale 0.")).to_be_visible(timeout=10_000)
    press(slider, "End")
    expect(page.get_by_role("img", name="Label probabilities at scale 2.")).to_be_visible(timeout=10_000)
    assert nameless(page, OUTPUTS) == []
    page.get_by_role("combobox", name="Prompt").select_option("two")
    expect(page.locator(OUTPUTS).get_by_text("It never ends.")).to_be_visible(timeout=10_000)
    page.get_by_role("combobox", name="Prompt").select_option("long")
    expect(page.get_by_role("alert").filter(has_text="the context window is")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("Old: this picture belongs to the prompt 'two'.")).to_be_visible()
    assert found(page.locator(".course-widget"), "contradicted") == []
    page.get_by_role("combobox", name="Prompt").select_option("one")
    expect(page.get_by_text("Old: this picture")).to_be_hidden(timeout=20_000)
    shoot(page, "lab_3_dial")
    holds_at_every_size(page)
    in_theme(page, "Dark")
    shoot(page, "lab_3_dial_dark")


def holds_at_every_size(page: Page) -> None:
    """Nothing of the widget is cut, broken, too small to read or scrolls of itself, down to a window of 700 pixels."""
    for size in ((900, 700), (700, 700), (1280, 720)):
        at_size(page, size)
        page.wait_for_timeout(300)
        assert found(page.locator(".course-widget"), *OF_LAYOUT, "ringless") == [], size
