"""Lab 1 in a real page: what a learner sees before running it, and its widgets under the hand."""

from itertools import pairwise

from playwright.sync_api import expect

from tests.browser.checks import OF_LAYOUT, found
from tests.browser.page import at_size, shoot
from utils.exercises import load_quiz

MASTER = "labs/solutions/lab_1_in_context_learning.ipynb"
DRAWN = """async () => {
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    await Promise.all([...document.querySelectorAll(".jp-OutputArea img")].map((image) => image.decode()));
}"""
"""Waits until what was scrolled into view is laid out and its pictures are decoded."""
WORKBENCH = """
from utils.datasets import load_dialogues
from utils.models import load_model
from utils.prompts import DIALOGUES
from utils.widgets import prompt_workbench
from utils.evaluation import make_bench
bench = make_bench(load_model(), load_dialogues("test")[:3], load_dialogues("train")[:3], {"plain": DIALOGUES})
view = prompt_workbench(bench)
"""
QUIZ = """
from utils.exercises import load_quiz
from utils.widgets import quiz
view = quiz(load_quiz(1))
"""


def test_a_page_that_has_not_run_shows_its_stored_figures_and_widgets_in_words(open_notebook):
    page = open_notebook(MASTER)
    panel = page.locator(".jp-WindowedPanel-outer")
    seen, words = set(), set()
    for step in range(40):
        panel.evaluate(f"element => element.scrollTop = {step * 600}")
        page.evaluate(DRAWN)
        for image in page.locator(".jp-OutputArea img").all():
            if image.evaluate("element => element.complete && element.naturalWidth > 300"):
                if image.get_attribute("alt") not in seen:
                    image.scroll_into_view_if_needed()
                    shoot(page, f"lab_1_figure_{len(seen) + 1}")
                seen.add(image.get_attribute("alt"))
        for text in ("tokens of prompt", load_quiz(1).questions[4].text):
            if page.locator(f".jp-OutputArea :text({text!r})").count():
                words.add(text)
    assert len(seen) == 4 and all(len(alt.split()) > 12 for alt in seen)
    assert len(words) == 2


def test_the_first_page_leads_to_the_lab(open_notebook):
    page = open_notebook("notebooks/00_start_here.ipynb")
    shoot(page, "start_here")
    link = page.get_by_role("link", name="Lab 1", exact=True).first
    link.scroll_into_view_if_needed()
    link.click()
    expect(page.get_by_role("heading", name="Lab 1: In-context learning")).to_be_visible(timeout=60_000)


def test_the_quiz_is_answered_with_the_keyboard_and_every_control_has_a_name(show_widget):
    page = show_widget(QUIZ)
    groups = page.get_by_role("radio")
    expect(groups.first).to_be_visible(timeout=90_000)
    assert groups.count() == 15
    question = load_quiz(1).questions[0]
    radio = page.get_by_role("radio", name=question.choices[question.right], exact=True)
    radio.focus()
    page.keyboard.press("Space")
    expect(page.get_by_text(question.why[question.right])).to_be_visible()
    expect(page.get_by_text("1 of 5 right, 1 of 5 answered.")).to_be_visible()
    for size in ((900, 700), (700, 700)):
        at_size(page, size)
        assert found(page.locator(".course-widget"), *OF_LAYOUT, "ringless") == [], size
        lines = page.locator(".course-widget .widget-radio-box label").evaluate_all(
            "labels => labels.map(label => [label.getBoundingClientRect().top, label.getBoundingClientRect().bottom])"
        )
        assert all(after[0] >= before[1] - 1 for before, after in pairwise(lines)), "choices cover each other"
    shoot(page, "lab_1_quiz")


def test_the_workbench_keeps_its_answers_to_be_compared_and_fits_the_page(show_widget):
    page = show_widget(WORKBENCH)
    page.set_viewport_size({"width": 1280, "height": 720})
    shots = page.get_by_role("combobox", name="Shots (examples)")
    expect(shots).to_be_visible(timeout=120_000)
    for role, name in (("combobox", "Dialogue"), ("textbox", "Instruction"), ("combobox", "Template")):
        expect(page.get_by_role(role, name=name, exact=True)).to_be_visible()
    tokens = page.get_by_text("tokens of prompt")
    before = tokens.inner_text()
    shots.select_option("2")
    expect(tokens).not_to_have_text(before)
    ask = page.get_by_role("button", name="Ask the model")
    ask.press("Enter")
    expect(page.get_by_role("cell", name="Now: d301, 2 shots")).to_be_visible(timeout=60_000)
    ask.press("Enter")
    expect(page.get_by_text("Asked again: the same prompt")).to_be_visible(timeout=60_000)
    shots.select_option("1")
    expect(page.get_by_text("This prompt has no answer yet")).to_be_visible()
    expect(page.get_by_role("cell", name="Now: d301")).to_have_count(0)
    ask.press("Enter")
    expect(page.get_by_role("cell", name="Now: d301, 1 shot,")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("ROUGE-1:")).to_have_count(2)
    widget = page.locator(".jp-OutputArea .jupyter-widgets").first
    for size, most in (((1280, 720), 599), ((900, 700), None), ((700, 700), None)):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.wait_for_timeout(500)
        assert found(widget, "cut", "broken", "small", "covered", "faint") == [], size
        assert most is None or widget.bounding_box()["height"] <= most
        shoot(page, f"lab_1_workbench_{size[0]}")
    page.get_by_role("textbox", name="Instruction").fill("word " * 9000)
    expect(page.get_by_role("alert").filter(has_text="context window")).to_be_visible(timeout=20_000)
    expect(page.get_by_role("cell", name="Now: d301")).to_have_count(0)
    shoot(page, "lab_1_workbench_too_long")
