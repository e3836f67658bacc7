"""The widgets of lessons 01 and 03 in a real page, driven by keyboard."""

import re

from playwright.sync_api import expect

from tests.browser.checks import OF_LAYOUT, found
from tests.browser.page import OUTPUTS, at_size, nameless, press, run_all, shoot, write

TOKENS = """
from utils.models import load_model
from utils.widgets import token_viewer
view = token_viewer(load_model(), "The café costs 12 €.")
"""
ATTENTION = """
from utils.models import load_model
from utils.widgets import attention_view
view = attention_view(load_model(), "The cat sat down because it was very tired of walking", layer=11, head=1)
"""
GARDEN = """
from utils.widgets import model_garden
garden = model_garden()
"""
SIZES = ((1280, 720), (900, 700), (700, 700))


def whole_at_every_size(page, name: str) -> None:
    for size in SIZES:
        at_size(page, size)
        page.wait_for_timeout(300)
        shoot(page, f"{name}_{size[0]}")
        assert found(page.locator(".course-widget"), *OF_LAYOUT, "ringless") == [], size
    at_size(page, SIZES[0])
    assert nameless(page, OUTPUTS) == []


def test_tokens_follow_what_is_typed(open_notebook, folder):
    page = open_notebook(write(folder, "tokens", TOKENS))
    run_all(page)
    box = page.get_by_role("textbox", name="Text", exact=True)
    expect(box).to_be_visible(timeout=120_000)
    tokens = page.get_by_role("list", name="Tokens").get_by_role("listitem")
    expect(tokens).to_have_count(8)
    box.press("Control+End")
    page.keyboard.type(" yes<|im_end|>")
    expect(tokens).to_have_count(10)
    expect(tokens.last).to_contain_text("special")
    expect(page.get_by_text("10 tokens, ")).to_be_visible()
    whole_at_every_size(page, "tokens")
    box.press("Control+a")
    page.keyboard.press("Delete")
    expect(page.get_by_role("alert").filter(has_text="empty")).to_be_visible()
    expect(tokens).to_have_count(0)
    page.keyboard.type("word")
    expect(tokens).to_have_count(1)
    expect(page.get_by_role("alert").filter(has_text="empty")).to_have_count(0)


def test_heads_are_walked_by_keyboard(open_notebook, folder):
    page = open_notebook(write(folder, "attention", ATTENTION))
    run_all(page)
    layer, head = (page.get_by_role("slider", name=name, exact=True) for name in ("Layer", "Head"))
    expect(layer).to_be_visible(timeout=120_000)
    said = page.locator(".course-said")
    expect(said).to_contain_text("Layer 11, head 1. Strongest: cat on The 99 %")
    expect(page.get_by_role("rowheader", name="tired", exact=True)).to_be_visible()
    expect(page.get_by_role("columnheader", name="tired", exact=True)).to_be_visible()
    whole_at_every_size(page, "attention")
    press(head, "ArrowRight")
    expect(said).to_contain_text("Layer 11, head 2.")
    layer.focus()
    for number in range(12, 22):
        page.keyboard.press("ArrowRight")
        expect(said).to_contain_text(f"Layer {number}, head 2.")
    sentence = page.get_by_role("textbox", name="Sentence (press Enter)")
    sentence.fill("Paris is the capital")
    sentence.press("Enter")
    expect(page.get_by_role("rowheader")).to_have_count(4)
    for wrong, words in (("", "empty"), ("word " * 9_000, "has room for 32")):
        sentence.fill(wrong)
        sentence.press("Enter")
        expect(page.get_by_role("alert").filter(has_text=words)).to_be_visible(timeout=20_000)
        expect(page.get_by_text("belongs to 'Paris is the capital'")).to_be_visible()
    typed = page.get_by_role("textbox", name="Layer, typed")
    typed.fill("99")
    typed.press("Enter")
    expect(page.get_by_text("Layer is a whole number from 0 to 29; 99 was given.")).to_be_visible()


def test_the_garden_is_walked_filtered_and_loaded_from_by_keyboard(open_notebook, folder):
    page = open_notebook(write(folder, "garden", GARDEN, "print('loaded:', garden.model.name)"))
    cells = page.locator(".jp-CodeCell")
    cells.first.locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    listed = page.get_by_role("listbox", name="Models")
    expect(listed).to_be_visible(timeout=120_000)
    assert listed.get_by_role("option").count() > 20
    card = page.locator("caption")
    expect(card).to_have_text("SmolLM2-135M-Instruct")
    whole_at_every_size(page, "garden")
    press(listed, "ArrowDown")
    expect(card).to_have_text("bart-base")
    press(page.get_by_role("combobox", name="Task"), "ArrowDown", times=2)
    expect(page.get_by_text(re.compile(r"^\d+ of 24 models\."))).to_be_visible()
    expect(listed.get_by_role("option", name=re.compile("^gpt2"))).to_have_count(0)
    press(listed, "Home")
    expect(card).to_have_text("flan-t5-small")
    load = page.get_by_role("button", name="Load this model")
    load.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="flan-t5-small is not on this machine")).to_be_visible(
        timeout=15_000
    )
    press(listed, "ArrowDown")
    expect(card).to_have_text("SmolLM2-135M-Instruct")
    load.press("Enter")
    expect(page.get_by_text("SmolLM2-135M-Instruct is loaded")).to_be_visible(timeout=60_000)
    cells.last.locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    expect(page.get_by_text("loaded: HuggingFaceTB/SmolLM2-135M-Instruct")).to_be_visible(timeout=30_000)
