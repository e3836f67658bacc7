"""The n-gram writer of lesson 02 in a real page, driven by keyboard."""

import re

from playwright.sync_api import expect

from tests.browser.page import in_theme, press, run_all, shoot, write
from tests.browser.test_lessons import whole_at_every_size

WRITER = """
from utils.before_transformers import count_ngrams, learn_vocabulary
from utils.datasets import load_sentences
from utils.widgets import ngram_writer
texts = load_sentences("test")
vocabulary = learn_vocabulary(texts, size=512)
ngrams = count_ngrams(map(vocabulary.encode, texts), order=5, vocabulary=len(vocabulary))
view = ngram_writer(vocabulary, ngrams, "A", order=3)
"""


def test_the_order_is_moved_by_keys_and_another_seed_writes_another_text(open_notebook, folder):
    page = open_notebook(write(folder, "writer", WRITER))
    run_all(page)
    order = page.get_by_role("slider", name=re.compile("^Order"))
    expect(order).to_be_visible(timeout=180_000)
    written = page.get_by_text("Each token is drawn")
    expect(written).to_contain_text("by the 2 before it: A")
    whole_at_every_size(page, "writer")
    in_theme(page, "Dark")
    shoot(page, "writer_dark")
    in_theme(page, "Light")
    press(order, "ArrowRight", 2)
    expect(written).to_contain_text("by the 4 before it: A")
    before = written.inner_text()
    seed = page.get_by_role("spinbutton", name="Seed")
    press(seed, "ArrowUp")
    expect(written).not_to_have_text(before)
    press(order, "Home")
    expect(written).to_contain_text("drawn without looking back: A")
    expect(written).to_contain_text("The counts left a choice at every token")
