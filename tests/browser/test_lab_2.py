"""Lab 2 in a real page: every control moved by keyboard, pixels and accessibility tree read."""

import hashlib
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.checks import OF_LAYOUT, found
from tests.browser.page import OUTPUTS, in_theme, nameless, press, shoot

SAMPLER = """
from utils.models import load_model
from utils.widgets import sampler
view = sampler(load_model(), "The garden was full of beautiful")
"""
FAR = """
from utils.decoding import DecodingConfig
from utils.models import load_model
from utils.widgets import sampler
view = sampler(load_model(), "The garden was full of beautiful", DecodingConfig(3, 49_152, seed=2**60 + 1))
"""
PLAYGROUND = """
from utils.decoding import DecodingConfig
from utils.models import load_model
from utils.widgets import playground
view = playground(load_model(), "The garden was full of beautiful", DecodingConfig(temperature=0, max_new_tokens=12))
"""
FORECASTS = """
from utils.exercises.lab_2 import FORECASTS
from utils.models import load_model
from utils.decoding import read_prompt
from utils.widgets import predict
view = predict(read_prompt(load_model(), "The garden was full of beautiful"), FORECASTS)
"""
REPETITION = """
from utils.decoding import DecodingConfig
from utils.models import load_model
from utils.widgets import repetition
view = repetition(load_model(), "Once upon a time", DecodingConfig(max_new_tokens=5), temperatures=(0, 1))
"""
BACK = {"ArrowRight": "ArrowLeft", "ArrowLeft": "ArrowRight", "ArrowUp": "ArrowDown", "ArrowDown": "ArrowUp"}


def pixels(part: Locator) -> str:
    """What is drawn, as a hash of its screenshot."""
    return hashlib.sha256(part.screenshot()).hexdigest()


def changed(part: Locator, before: str) -> bool:
    """Whether a part looks different, now or soon."""
    for _ in range(60):
        if pixels(part) != before:
            return True
        part.page.wait_for_timeout(100)
    return False


def picture(page: Page) -> Locator:
    """The place of the drawing; what is in it is replaced with every change."""
    return page.locator(f"{OUTPUTS} .course-picture").first


def seen_whole(page: Page, name: str, *, width: int, height: int, most: int) -> None:
    """Insist that a widget is laid out without a fault at a size of the window, and at most so high."""
    page.set_viewport_size({"width": width, "height": height})
    widget = page.locator(f"{OUTPUTS} .widget-vbox").first
    widget.evaluate("element => element.scrollIntoView()")
    page.wait_for_timeout(700)
    shoot(page, f"{name}_{width}")
    assert found(widget, *OF_LAYOUT, "ringless") == [], width
    assert widget.bounding_box()["height"] <= most, width


def outside(page: Page) -> list[str]:
    """The controls and pictures that do not lie in the notebook's view."""
    return found(page.locator(f"{OUTPUTS} .widget-vbox").first, "outside")


def typed(page: Page, box: Locator, text: str) -> None:
    """Replace what stands in a box, key by key, and press Enter."""
    box.click()
    page.keyboard.press("Control+a")
    page.keyboard.type(text, delay=30)
    expect(box).to_have_value(text)
    page.keyboard.press("Enter")


@pytest.fixture
def sampler_page(show_widget):
    page = show_widget(SAMPLER)
    expect(page.get_by_role("slider", name="Temperature")).to_be_visible(timeout=240_000)
    page.wait_for_timeout(1000)
    return page


def test_every_control_of_the_sampler_moves_by_keyboard_and_redraws_the_picture(sampler_page):
    page = sampler_page
    shoot(page, "lab_2_sampler")
    page.get_by_role("button", name="More settings").press("Enter")
    prompt = page.get_by_role("textbox", name="Prompt (press Enter)")
    prompt.fill("Paris, London, Paris, London, Paris,")
    prompt.press("Enter")
    drawing = picture(page).get_by_role("img")
    expect(drawing).to_have_attribute("aria-label", re.compile("London"), timeout=20_000)
    moves = [
        ("slider", "Repetition penalty", "ArrowRight", 5),
        ("slider", "Temperature", "ArrowRight", 5),
        ("slider", "Top-k", "ArrowUp", 5),
        ("slider", "Top-p", "ArrowLeft", 5),
        ("slider", "Min-p", "ArrowRight", 30),
        ("radio", "sample", "ArrowDown", 1),
        ("radio", "greedy", "ArrowUp", 1),
    ]
    for role, name, key, times in moves:
        before = pixels(picture(page))
        press(page.get_by_role(role, name=name, exact=True), key, times)
        assert changed(picture(page), before), name
        press(page.get_by_role(role, name=name, exact=True), BACK[key], times if role == "slider" else 0)
    shoot(page, "lab_2_sampler_moved")
    press(page.get_by_role("slider", name="Temperature"), "End")
    press(page.get_by_role("slider", name="Top-k"), "Home")
    before = pixels(picture(page))
    press(page.get_by_role("radio", name="transformers", exact=True), "ArrowDown")
    assert changed(picture(page), before)
    press(page.get_by_role("spinbutton", name="Seed"), "ArrowUp")
    expect(page.get_by_text("Seed 1 draws")).to_be_visible()


def test_what_a_slider_shows_agrees_with_the_kernel_and_nothing_jumps(sampler_page):
    page = sampler_page
    top_p = page.get_by_role("slider", name="Top-p")
    place = picture(page).bounding_box()
    press(top_p, "ArrowLeft", 50)
    expect(picture(page)).to_contain_text("top-p 0.5")
    expect(page.get_by_role("textbox", name="Top-p, typed")).to_have_value("0.5")
    expect(page.get_by_text("1 of 49,152 tokens kept")).to_be_visible()
    assert picture(page).bounding_box() == place


def test_a_wrong_value_is_refused_in_words_and_the_last_good_one_stays(sampler_page):
    page = sampler_page
    for name, typed in (("Temperature", "-1"), ("Top-p", "1.5"), ("Top-k", "many")):
        box = page.get_by_role("textbox", name=f"{name}, typed")
        before = box.input_value()
        box.fill(typed)
        box.press("Enter")
        expect(page.get_by_role("alert").filter(has_text=re.compile(rf"; '?{typed}(\.0)?'? was given"))).to_be_visible()
        expect(box).to_have_value(before)
    shoot(page, "lab_2_refused")


def test_values_beyond_a_slider_s_stops_are_shown_as_they_are_and_others_typed(show_widget):
    page = show_widget(FAR)
    seed, top_k = page.get_by_role("spinbutton", name="Seed"), page.get_by_role("textbox", name="Top-k, typed")
    slider, box = page.get_by_role("slider", name="Temperature"), page.get_by_role("textbox", name="Temperature, typed")
    expect(seed).to_have_value(str(2**60 + 1), timeout=120_000)
    expect(page.get_by_text(f"Seed {2**60 + 1} draws")).to_be_visible()
    expect(box).to_have_value("3")
    expect(slider).to_have_attribute("aria-valuetext", "3")
    expect(top_k).to_have_value("49152")
    seed.fill("-7")
    seed.press("Tab")
    expect(page.get_by_text("Seed -7 draws")).to_be_visible()
    seed.fill("1.5")
    seed.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="A seed is a whole number; '1.5' was given.")).to_be_visible()
    expect(seed).to_have_value("-7")
    box.fill("4")
    box.press("Enter")
    expect(slider).to_have_attribute("aria-valuetext", "4")
    press(slider, "ArrowLeft", 2)
    expect(box).to_have_value("2")
    shoot(page, "lab_2_far")


def test_the_sampler_is_seen_whole_from_700_pixels_up_and_in_the_dark(sampler_page):
    page = sampler_page
    seen_whole(page, "lab_2_sampler_closed", width=1280, height=720, most=560)
    assert outside(page) == []
    page.get_by_role("button", name="More settings").press("Enter")
    seen_whole(page, "lab_2_sampler_open", width=1280, height=720, most=600)
    assert outside(page) == [] and nameless(page, OUTPUTS) == []
    light = pixels(picture(page))
    in_theme(page, "Dark")
    assert changed(picture(page), light)
    assert found(page.locator(OUTPUTS).first, "faint") == []
    shoot(page, "lab_2_sampler_dark")
    page.get_by_role("button", name="More settings").press("Enter")
    seen_whole(page, "lab_2_sampler", width=900, height=700, most=800)
    assert [part for part in outside(page) if "picture" not in part] == [], "every control, and the first bars"
    seen_whole(page, "lab_2_sampler", width=700, height=700, most=950)
    in_theme(page, "Light")


def test_no_picture_of_the_sampler_stands_under_a_message_that_contradicts_it(sampler_page):
    page = sampler_page
    prompt, old = page.get_by_role("textbox", name="Prompt (press Enter)"), page.locator(".course-old")
    seed, top_k = page.get_by_role("spinbutton", name="Seed"), page.get_by_role("textbox", name="Top-k, typed")
    refusals = page.get_by_role("alert").filter(has_text=re.compile("."))
    for text, said in (("", "The prompt is empty"), ("word " * 9000, "9,001 tokens, but the context window is 8,192")):
        prompt.fill(text)
        prompt.press("Enter")
        expect(refusals.filter(has_text=said)).to_be_visible(timeout=20_000)
        expect(old).to_contain_text("Old: this picture belongs to the prompt 'The garden was full of beautiful'.")
        press(page.get_by_role("slider", name="Temperature"), "ArrowRight")
        expect(old).to_be_visible()
    shoot(page, "lab_2_old")
    assert found(page.locator(OUTPUTS).first, "contradicted", "cut", "faint") == []
    for refused in ("3.5", "1e3", "-"):
        typed(page, seed, refused)
        expect(refusals.filter(has_text=f"A seed is a whole number; '{refused}' was given.")).to_be_visible()
        expect(seed).to_have_value("0")
    prompt.fill("The capital of France is")
    prompt.press("Enter")
    expect(picture(page)).to_contain_text("Paris", timeout=20_000)
    expect(old).to_have_count(0)
    expect(refusals).to_have_count(0)
    typed(page, top_k, "many")
    expect(refusals.filter(has_text="'many' was given")).to_be_visible()
    typed(page, seed, "-1")
    expect(page.get_by_text("Seed -1 draws")).to_be_visible()
    expect(refusals).to_have_count(0)
    expect(seed).to_have_value("-1")
    press(seed, "ArrowDown", 3)
    expect(page.get_by_text("Seed -4 draws")).to_be_visible()


def test_greedy_decoding_blames_no_temperature_and_locks_what_it_ignores(sampler_page):
    page = sampler_page
    page.get_by_role("button", name="More settings").press("Enter")
    press(page.get_by_role("radio", name="sample", exact=True), "ArrowDown")
    expect(picture(page)).to_contain_text("not taken")
    expect(page.get_by_text("Only the repetition penalty still counts.")).to_be_visible()
    assert "temperature" not in (picture(page).text_content() or "")
    for name in ("Temperature", "Top-k", "Top-p", "Min-p"):
        expect(page.get_by_role("slider", name=name)).to_be_disabled()
    expect(page.get_by_role("spinbutton", name="Seed")).to_be_disabled()
    expect(page.get_by_role("slider", name="Repetition penalty")).to_be_enabled()
    shoot(page, "lab_2_greedy")
    press(page.get_by_role("radio", name="greedy", exact=True), "ArrowUp")
    expect(page.get_by_role("slider", name="Temperature")).to_be_enabled()


def test_moved_faster_than_it_can_answer_the_sampler_ends_at_the_last_value(sampler_page):
    page = sampler_page
    slider = page.get_by_role("slider", name="Temperature")
    slider.focus()
    page.evaluate(
        """() => { window.redraws = 0; new MutationObserver(() => { window.redraws += 1; }).observe(
            document.querySelector('.course-bars').closest('.course-picture'),
            { childList: true, subtree: true, attributes: true, characterData: true }); }"""
    )
    slider.evaluate(
        """element => { for (let n = 0; n < 200; n++) {
            element.value = n % 40; element.dispatchEvent(new Event('input', { bubbles: true }));
        } }"""
    )
    expect(page.get_by_role("textbox", name="Temperature, typed")).to_have_value("1.95")
    expect(page.get_by_text("12.10 bits after")).to_be_visible(timeout=30_000)
    print("REDRAWS", page.evaluate("window.redraws"))
    assert 1 <= page.evaluate("window.redraws") < 40, "a queue of old values was worked off"


@pytest.fixture
def playground_page(show_widget):
    page = show_widget(PLAYGROUND)
    page.set_viewport_size({"width": 1280, "height": 720})
    expect(page.get_by_role("button", name="Generate")).to_be_visible(timeout=120_000)
    return page


def test_the_playground_streams_stops_and_goes_on_from_an_alternative(playground_page):
    page = playground_page
    statuses = page.get_by_role("status").filter(has_text="tokens")
    expect(statuses.first).to_contain_text("12 tokens; 18 of 8,192 used. Ended by: max new tokens.")
    right = page.get_by_role("group", name="Completion B")
    before = right.inner_text()
    press(right.get_by_role("button").first, "ArrowRight", 2)
    expect(page.get_by_text("by the model").first).to_be_visible()
    assert nameless(page, OUTPUTS) == []
    page.get_by_role("button", name="Continue from token 3 with").first.press("Enter")
    expect(right).not_to_have_text(before, timeout=20_000)
    expect(page.get_by_text("token 3 chosen by hand")).to_be_visible()
    limit = page.get_by_role("spinbutton", name="Max new tokens")
    limit.fill("200")
    limit.press("Tab")
    page.get_by_role("button", name="Generate").press("Enter")
    expect(statuses.first).to_have_text(re.compile(r"^\d+ tokens; \d+ of 8,192 used\.$"), timeout=30_000)
    page.get_by_role("button", name="Stop", exact=True).press("Enter")
    expect(page.get_by_text("Stopped after").first).to_be_visible()
    press(page.get_by_role("slider", name="Temperature A"), "ArrowRight", 3)
    expect(page.get_by_role("textbox", name="Temperature A, typed")).to_have_value("0.15")


def test_the_playground_is_seen_whole_from_700_pixels_up_and_marks_what_is_old(playground_page):
    page = playground_page
    widget = page.locator(f"{OUTPUTS} .widget-vbox").first
    right = page.get_by_role("group", name="Completion B")
    press(right.get_by_role("button").first, "ArrowRight", 2)
    seen_whole(page, "lab_2_playground", width=1280, height=720, most=599)
    assert outside(page) == []
    for name in ("Temperature B", "Top-k B", "Top-p B"):
        assert page.get_by_role("slider", name=name).bounding_box()["width"] > 200, "pixels for 100 steps"
    expect(page.get_by_role("slider", name="Top-k A")).to_be_disabled()
    expect(page.get_by_text("from sure to surprising")).to_be_visible()
    seen_whole(page, "lab_2_playground", width=900, height=700, most=1100)
    seen_whole(page, "lab_2_playground", width=700, height=700, most=1300)
    page.set_viewport_size({"width": 1280, "height": 720})
    page.get_by_role("button", name="Generate").press("Enter")
    expect(page.get_by_text("The same as before: prompt, settings and seed").first).to_be_visible(timeout=20_000)
    press(page.get_by_role("slider", name="Temperature B"), "ArrowLeft", 3)
    expect(page.get_by_text("Old: the controls have moved since.")).to_have_count(1)
    expect(page.get_by_text("Written with temperature 1, top-k 0, top-p 1, seed 0")).to_be_visible()
    prompt = page.get_by_role("textbox", name="Prompt")
    for text, said in (("", "The prompt is empty"), ("word " * 9000, "but the context window is 8,192 tokens")):
        prompt.fill(text)
        expect(page.get_by_role("alert").filter(has_text=said)).to_be_visible(timeout=20_000)
        expect(page.get_by_text("Old: this completion belongs to the prompt 'The garden")).to_have_count(2)
        page.get_by_role("button", name="Generate").press("Enter")
        page.wait_for_timeout(500)
        assert found(widget, "contradicted", "cut", "broken") == []
        shoot(page, f"lab_2_playground_{'too_long' if text else 'empty'}")
    in_theme(page, "Dark")
    assert found(widget, "faint") == []
    prompt.fill("The garden was full of beautiful")
    expect(page.get_by_text("Old:")).to_have_count(1)
    assert found(widget, "faint") == []
    shoot(page, "lab_2_playground_dark")
    in_theme(page, "Light")


def test_a_slider_unlocks_when_its_forecast_is_committed(show_widget):
    page = show_widget(FORECASTS)
    commit = page.get_by_role("button", name="Commit forecast 1")
    expect(commit).to_be_visible(timeout=120_000)
    slider, guess = page.get_by_role("slider", name="Temperature").first, page.get_by_role("textbox", name="Forecast 1")
    refusal = page.get_by_role("alert").filter(has_text=re.compile("."))
    for wrong, meant in (("a lot", "0.25 or 25 %"), ("-1", "0.25 or 25 %"), ("70", "0.7 or 70 %")):
        typed(page, guess, wrong)
        said = f"This forecast is a probability, 0 to 1: write {meant}; '{wrong}' was given."
        expect(refusal).to_have_text(said)
        expect(slider).to_be_disabled()
    seen_whole(page, "lab_2_forecasts", width=1280, height=720, most=460)
    assert outside(page) == [] and nameless(page, OUTPUTS) == []
    typed(page, guess, "90 %")
    expect(page.get_by_text("You said 0.9, the model says 0.978: near enough. Now move the slider.")).to_be_visible()
    expect(refusal).to_have_count(0)
    expect(guess).to_be_disabled()
    before = pixels(picture(page))
    press(slider, "ArrowLeft", 5)
    assert changed(picture(page), before)
    caption = page.get_by_text("The picture shows")
    expect(caption).to_contain_text("1 of 4 committed. The picture shows Temperature 0.75.")
    press(page.get_by_role("radio", name="1", exact=True), "ArrowRight", 3)
    expect(caption).to_contain_text("The picture shows Top-p 1.")
    last = page.get_by_role("textbox", name="Forecast 4")
    last.fill("0.9")
    page.get_by_role("button", name="Commit forecast 4").click()
    expect(refusal).to_contain_text("a whole number of tokens, 1 to 49,152; '0.9' was given.")
    last.fill("60")
    page.get_by_role("button", name="Commit forecast 4").click()
    expect(page.get_by_text("You said 60, the model says 65: near enough.")).to_be_visible()
    expect(caption).to_contain_text("2 of 4 committed. The picture shows Top-p 1.")
    seen_whole(page, "lab_2_forecasts", width=900, height=700, most=500)
    assert outside(page) == []
    in_theme(page, "Dark")
    seen_whole(page, "lab_2_forecasts_dark", width=700, height=700, most=560)
    assert found(page.locator(OUTPUTS).first, "faint") == []
    in_theme(page, "Light")


def test_repetition_is_measured_by_a_button_and_drawn_with_its_table(show_widget):
    page = show_widget(REPETITION)
    page.set_viewport_size({"width": 1280, "height": 720})
    measure = page.get_by_role("button", name="Measure")
    expect(measure).to_be_visible(timeout=120_000)
    widget = page.locator(f"{OUTPUTS} .widget-vbox").first
    drawing = page.locator(f"{OUTPUTS} img").first
    before = drawing.get_attribute("alt")
    seen_whole(page, "lab_2_repetition", width=1280, height=720, most=560)
    assert outside(page) == [] and nameless(page, OUTPUTS) == []
    measure.press("Enter")
    expect(page.get_by_text("Measured 2 times with these settings")).to_be_visible(timeout=60_000)
    press(page.get_by_role("slider", name="Top-k"), "ArrowRight", 1)
    expect(page.get_by_text("Not measured yet: press Measure.")).to_be_visible()
    expect(page.get_by_text("Old: the controls have moved since.")).to_be_visible()
    shoot(page, "lab_2_repetition_old")
    measure.press("Enter")
    expect(page.get_by_text("2 of 2 temperatures measured.")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("at most 5 tokens, top-k 1, top-p 1.")).to_be_visible()
    expect(drawing).not_to_have_attribute("alt", before)
    expect(page.get_by_text("Old:")).to_have_count(0)
    prompt = page.get_by_role("textbox", name="Prompt")
    prompt.fill("")
    prompt.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="The prompt is empty")).to_be_visible()
    expect(page.get_by_text("Old: this picture belongs to the prompt 'Once upon a time'.")).to_be_visible()
    assert found(widget, "contradicted") == []
    shoot(page, "lab_2_repetition_empty")
    page.get_by_role("button", name="First completions").press("Enter")
    expect(page.get_by_role("cell", name="T = 1", exact=True)).to_be_visible()
    prompt.fill("Once upon a time")
    prompt.press("Enter")
    expect(page.get_by_text("Old:")).to_have_count(0)
    seen_whole(page, "lab_2_repetition", width=900, height=700, most=1000)
    seen_whole(page, "lab_2_repetition", width=700, height=700, most=1150)
    in_theme(page, "Dark")
    assert found(widget, "faint") == []
    in_theme(page, "Light")
