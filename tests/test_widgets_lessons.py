"""The widgets of lessons 01 and 03 through their values: tokens of a text, models of the catalog, heads of a model."""

import html
import re
import time
from dataclasses import replace

import pytest

from utils.errors import DataError, EmptyPrompt, ModelNotFound, UnsupportedSetting
from utils.models import catalog, loading
from utils.models.catalog import find
from utils.transformer.attention import attention_parts, attention_weights
from utils.widgets import attention_view, model_garden, token_viewer
from utils.widgets.attention_picture import DIGITS, describe, grid_html
from utils.widgets.tokens import SHOWN

ALERT = 'role="alert"'


def words(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", markup))


# Tokens


def test_the_viewer_shows_each_token_with_its_id_and_bytes(course_model):
    made = token_viewer(course_model, "The café")
    made.text.value = "A \N{SNOWMAN}<|im_end|>"
    boxes = re.findall(r"<li([^>]*)><b>(.*?)</b> <span>(\d+)</span> <small>(.*?)</small></li>", made.picture.value)
    ids = course_model.encode("A \N{SNOWMAN}<|im_end|>")
    assert [int(number) for _, _, number, _ in boxes] == ids
    assert (boxes[0][1:], boxes[-1][1:]) == (
        ("&#x27;A&#x27;", str(ids[0]), "41"),
        ("&#x27;&lt;|im_end|&gt;&#x27;", "2", "special"),
    )
    assert bytes.fromhex(" ".join(written for *_, written in boxes[:-1])).decode() == "A \N{SNOWMAN}"
    assert "a part of a character" in made.picture.value
    assert [bool(kind) for kind, *_ in boxes] == [False] * (len(ids) - 1) + [True]


def test_the_viewer_counts_tokens_words_characters_and_bytes(course_model):
    made = token_viewer(course_model, "Korean")
    assert "1 word (" in made.message.value and "6 characters, 6 bytes." in made.message.value
    made.text.value = "한국 말"
    tokens = len(course_model.encode("한국 말"))
    assert f"{tokens} tokens, 2 words ({tokens / 2:.2f} tokens per word), 4 characters, 10 bytes." in words(
        made.message.value
    )
    made.text.value = "{}"
    assert "0 words, 2 characters" in made.message.value and "inf" not in made.message.value


def test_the_viewer_refuses_an_empty_text_and_shows_no_old_tokens(course_model):
    made = token_viewer(course_model, "Once")
    made.text.value = "  "
    assert ALERT in made.message.value and "empty" in made.message.value and made.picture.value == ""
    made.text.value = "Once"
    assert ALERT not in made.message.value and "Once" in made.picture.value
    with pytest.raises(EmptyPrompt):
        token_viewer(course_model, "")


def test_a_text_of_thousands_of_tokens_is_counted_and_its_first_tokens_shown(course_model):
    made = token_viewer(course_model, "word " * 9_000)
    assert "The context window is 8,192 tokens: the model cannot read all of it." in made.message.value
    assert made.picture.value.count("<li") == SHOWN == len(made.table)
    assert f"{made.counts['tokens'].iloc[0] - SHOWN:,} more tokens follow." in made.picture.value


def test_the_viewer_takes_every_kind_of_tokenizer(tiny):
    made = token_viewer(tiny, "abc")
    assert made.table["token"].tolist() == ["'a'", "'b'", "'c'"] and made.table["bytes"].tolist() == ["61", "62", "63"]


# Attention


def test_the_grid_shows_the_weights_of_the_chosen_head(tiny):
    made = attention_view(tiny, "abcde")
    made.layer.value, made.head.value = 1, 2
    table = attention_weights(tiny, "abcde").table(1, 2)
    squares = re.findall(r"<td [^>]*>(\d*)</td>", made.picture.value)
    written = len(table.columns) <= DIGITS
    shown = [f"{100 * w:.0f}" if written and w >= 0.005 else "" for w in table.to_numpy().flatten()]
    assert squares == shown
    assert made.picture.value.count("course-unseen") == (table.to_numpy() == 0).sum()
    assert "Layer 1, head 2. Strongest: " in made.picture.value
    assert re.findall(r'<th scope="row">(.*?)</th>', made.picture.value) == [html.escape(q) for q in table.index]


@pytest.mark.parametrize("weight", [0.01, 0.3, 0.6, 0.67, 0.68, 0.7, 1.0])
def test_what_is_written_on_a_shade_can_be_read(weight):
    from utils.widgets.attention_picture import _square

    *ground, ink = re.search(r"rgb\((\d+), (\d+), (\d+)\); color: (#\w+)", _square(weight, written=True)).groups()
    low, high = sorted([light(*map(int, ground)), light(*[255 * (ink == "#fff")] * 3)])
    assert (high + 0.05) / (low + 0.05) >= 4.5


def light(*channels: int) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (c / 255 for c in channels)]
    return sum(share * c for share, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_the_words_of_the_grid_name_the_strongest_pairs(course_model):
    found = attention_weights(course_model, "The cat sat down because it was tired")
    said = describe(found, 11, 1)
    assert said.startswith("Layer 11, head 1. Strongest: cat on The 99 %")
    strongest = found.strongest(11, 1)
    assert strongest["weight"].is_monotonic_decreasing and len(strongest) == 3
    assert strongest["weight"].iloc[0] == found.weights[11, 1, 1:].max().item()
    assert f"Mean on the previous token: {100 * found.means(11, 1)['previous token']:.0f} %." in said


def test_moving_a_slider_never_runs_the_model(tiny, monkeypatch):
    made = attention_view(tiny, "abcde")
    runs = []
    monkeypatch.setattr("utils.widgets.attention.attention_weights", lambda *given: runs.append(given))
    before = made.picture.value
    made.layer.value = 1
    made.head.value = 3
    assert runs == [] and made.picture.value != before


def test_the_grids_for_the_stops_nearby_are_drawn_ahead(tiny):
    made = attention_view(tiny, "abcde")
    made._reach(made.head)
    assert (
        made.head.ahead == {str(head): grid_html(made.found, 0, head) for head in range(4)} and made.layer.ahead == {}
    )


def test_a_model_with_an_encoder_shows_all_three_kinds_of_attention(tiny):
    made = attention_view(tiny, "abc")
    assert made.part.options == attention_parts(tiny)
    for part in attention_parts(tiny):
        made.part.value = part
        assert made.found.part == part and ALERT not in made.message.value
        rows = re.findall(r'<th scope="row">', made.picture.value)
        assert len(rows) == len(made.found.queries)
    hidden = made.part.layout.display == "none"
    assert hidden != tiny.is_encoder_decoder


def test_another_sentence_is_read_and_a_bad_one_refused_in_words(tiny):
    made = attention_view(tiny, "abc")
    made.part.value = attention_parts(tiny)[0]
    made.text.value = "xyz?"
    assert made.found.keys[-1] == "?" and made.picture.old == ""
    for bad, said in (("", "empty"), ("a" * 40, "40 tokens and the grid has room for 32"), ("a" * 300, "300 tokens")):
        made.text.value = bad
        assert ALERT in made.message.value and said in made.message.value
        assert "belongs to 'xyz?'" in made.picture.old
    made.text.value = "abc"
    assert made.picture.old == "" and ALERT not in made.message.value


def test_a_layer_or_head_that_is_not_there_is_refused_in_words(tiny):
    made = attention_view(tiny, "abc")
    made.layer.type("7")
    assert made.layer.error == "Layer is a whole number from 0 to 1; 7 was given." and made.layer.value == 0
    with pytest.raises(UnsupportedSetting, match="Head is a whole number from 0 to 3; 4 was given"):
        made.head.value = 4
    with pytest.raises(UnsupportedSetting, match="Layer is a whole number from 0 to 1; 9 was given"):
        attention_view(tiny, "abc", layer=9)
    with pytest.raises(DataError, match="room for 32"):
        attention_view(replace(tiny, context_window=50), "a" * 100)


# Models


@pytest.fixture
def elsewhere(monkeypatch):
    """A machine of 4 GB that has only the course's own model, and no network."""
    monkeypatch.setattr("utils.widgets.garden.machine_memory", lambda: 4 * 10**9)
    monkeypatch.setattr("utils.models.loading.machine_memory", lambda: 4 * 10**9)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr("huggingface_hub.model_info", refuse)


def refuse(*_, **__):
    raise OSError("no network")


def test_filters_list_the_models_that_pass(elsewhere):
    garden = model_garden()
    assert [model for _, model in garden.chosen.options] == list(catalog.models())
    garden.task.value, garden.memory.value = "instructions", "tune"
    kept = {model.name for _, model in garden.chosen.options}
    assert kept == {m.name for m in catalog.models() if m.task == "instructions" and m.tune_bytes <= 4e9}
    assert "SmolLM2-135M-Instruct" in kept and "flan-t5-base" in kept and "Qwen3-0.6B" not in kept
    garden.memory.value = "run"
    assert "Qwen3-0.6B" in {model.name for _, model in garden.chosen.options}
    garden.window.value = 32_768
    assert min(model.window for _, model in garden.chosen.options) >= 32_768
    garden.licence.value, garden.size.value = "Apache-2.0", 600 * 10**6
    assert {model.name for _, model in garden.chosen.options} == {"Qwen2.5-0.5B-Instruct", "Qwen3-0.6B"}


def test_a_filter_that_nothing_passes_says_so_and_leaves_nothing_to_load(elsewhere):
    garden = model_garden()
    garden.task.value, garden.size.value = "code", 150 * 10**6
    assert garden.chosen.value is None and garden.card.value == "" and garden.load_button.disabled
    assert "No model passes: set a filter to 'any'" in words(garden.count.value)
    with pytest.raises(ModelNotFound, match="set a filter to 'any'"):
        garden.load()
    garden.size.value = "any"
    assert garden.chosen.value.name == "Qwen2.5-Coder-0.5B-Instruct" and not garden.load_button.disabled


def test_the_chosen_model_stays_chosen_while_it_passes(elsewhere):
    garden = model_garden()
    garden.chosen.value = find("flan-t5-base")
    garden.licence.value = "Apache-2.0"
    assert garden.chosen.value.name == "flan-t5-base"
    garden.licence.value = "MIT"
    assert garden.chosen.value.name == "gpt2"


def test_the_card_says_what_is_known_of_a_model(elsewhere):
    garden = model_garden()
    card = words(garden.card.value)
    for fact in (
        "134,515,008",
        "0.5 GB in float32",
        "2.2 GB with Adam",
        "8,192 tokens",
        "Apache-2.0",
        "arXiv 2502.02737",
    ):
        assert fact in card
    assert "reviews, 8 shots: accuracy 0.83 (0.74 to 0.91)" in card
    assert 'href="https://www.apache.org/licenses/LICENSE-2.0"' in garden.card.value
    garden.chosen.value = find("gpt2")
    assert "measured" not in garden.card.value and "no: it is fetched from the hub" in garden.card.value


def test_the_garden_loads_what_is_on_this_machine(elsewhere, course_model):
    garden = model_garden()
    assert garden.model is None
    garden.load_button.click()
    assert garden.model.name == loading.DEFAULT_MODEL and "is loaded" in garden.message.value
    assert garden.model.weights_hash == course_model.weights_hash


def test_what_cannot_be_had_is_said_in_a_sentence_within_seconds(elsewhere, monkeypatch):
    garden = model_garden()
    garden.chosen.value = find("gpt2")
    garden.load_button.click()
    assert ALERT in garden.message.value and "gpt2 is not on this machine" in garden.message.value
    monkeypatch.setattr("huggingface_hub.model_info", lambda *_, **__: time.sleep(30))
    monkeypatch.setattr(loading, "HUB_SECONDS", 0.2)
    begun = time.perf_counter()
    with pytest.raises(ModelNotFound, match="openai-community/gpt2.* once with a network"):
        garden.load()
    assert time.perf_counter() - begun < 20
    garden.chosen.value = find("Mistral-7B-Instruct-v0.3")
    with pytest.raises(ModelNotFound, match=r"takes 29.0 GB to run and this machine has 4.0"):
        garden.load()
    assert garden.model is None


def test_a_model_is_found_where_course_model_says_or_in_the_hub_s_cache(elsewhere, saved_model, monkeypatch, tmp_path):
    gpt2 = find("gpt2")
    assert loading.found_here(gpt2) is None
    own = tmp_path / "gpt2"
    own.symlink_to(saved_model)
    monkeypatch.setenv("COURSE_MODEL", str(own))
    assert loading.found_here(gpt2) == str(own)
    garden = model_garden()
    garden.chosen.value = gpt2
    assert "on this machineyes" in words(garden.card.value)
    assert garden.load().name == str(own)
    monkeypatch.delenv("COURSE_MODEL")
    held = ["config.json"]
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda _, file: file if file in held else None)
    assert loading.found_here(gpt2) is None, "a model without its weights is not here"
    held.append("model.safetensors")
    assert loading.found_here(gpt2) == gpt2.hub


def test_the_hub_is_asked_only_where_it_may_be(monkeypatch):
    asked = []
    monkeypatch.setattr("huggingface_hub.model_info", lambda hub, **_: asked.append(hub) or hub)
    monkeypatch.setattr("huggingface_hub.constants.is_offline_mode", lambda: False)
    assert loading.hub_answers("a/b") and asked == ["a/b"]
    monkeypatch.setattr("huggingface_hub.constants.is_offline_mode", lambda: True)
    assert not loading.hub_answers("a/b") and asked == ["a/b"]


def test_no_option_that_a_filter_does_not_have(elsewhere):
    garden = model_garden()
    with pytest.raises(UnsupportedSetting, match="Task is one of any, go on with text.*; 'poems' was given"):
        garden.task.value = "poems"
    with pytest.raises(UnsupportedSetting, match="Models is one of"):
        garden.chosen.value = "gpt2"


# Without a kernel


def test_without_a_kernel_each_has_a_table_or_a_grid_in_words(tiny, elsewhere, shown):
    token_viewer(tiny, "abc")
    attention_view(tiny, "abcd")
    model_garden()
    tokens, attention, models = (bundle["text/html"] for bundle in shown)
    assert tokens.count("<tr") == 4 and "3 tokens" in tokens
    assert 'class="course-grid"' in attention and "Strongest: " in attention
    assert all(model.name in models for model in catalog.models()) and "4.0 GB" not in models
    assert [bundle["text/plain"].split(".")[0] for bundle in shown] == [
        "A token viewer",
        "An attention view of 'abcd'",
        "A model garden",
    ]
    for bundle in shown:
        assert "application/vnd.jupyter.widget-view+json" in bundle and "Run this cell" in bundle["text/html"]


def test_every_control_has_a_full_label(tiny, elsewhere):
    garden, view = model_garden(), attention_view(tiny, "abc")
    for control in (*garden.filters, view.text, view.part, token_viewer(tiny, "abc").text):
        assert control.description and control.style.description_width == "initial"
    assert garden.chosen.description == "Models"
    assert view.layer.label == "Layer" and view.head.label == "Head"
