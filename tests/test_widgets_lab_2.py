"""The widgets of Lab 2 through their values and messages, as a learner's hand or code would change them."""

import asyncio
import html
import re
from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace

import ipywidgets as widgets
import numpy as np
import pandas as pd
import pytest
import torch

from utils.decoding.candidates import given, next_token, read_prompt
from utils.decoding.diversity import COLUMNS
from utils.decoding.generation import END_OF_TEXT, TOKEN_LIMIT, Step, generate_stream
from utils.errors import DataError, EmptyPrompt, UnsupportedSetting
from utils.exercises.lab_2 import FORECASTS
from utils.logits.config import DecodingConfig
from utils.models.language_model import LanguageModel
from utils.widgets import playground, predict, repetition, sampler
from utils.widgets.completion import Completion, completion_html, legend
from utils.widgets.forecasts import Predict, Question
from utils.widgets.picture import Picture, old_prompt
from utils.widgets.playground import Asked, Playground
from utils.widgets.repetition import Repetition
from utils.widgets.sampler import Sampler
from utils.widgets.sampler_picture import describe, percent, sampler_picture
from utils.widgets.slider import SLIDERS, Slider, limit_box, seed_box, temperature_slider, top_k_slider, top_p_slider
from utils.widgets.turns import Turns
from utils.widgets.view import Dropdown, RadioButtons, alert, paragraph, plain, prompt_box, show, told_in

SAMPLER, REPETITION = import_module("utils.widgets.sampler"), import_module("utils.widgets.repetition")
PROMPT = "The garden was full of beautiful"
SHORT = DecodingConfig(temperature=0.9, max_new_tokens=4)


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """The prompts that the model was run on."""
    prompts = []
    logits = LanguageModel.next_token_logits
    monkeypatch.setattr(
        LanguageModel, "next_token_logits", lambda model, prompt: prompts.append(prompt) or logits(model, prompt)
    )
    return prompts


@pytest.fixture(scope="module")
def read(course_model):
    return read_prompt(course_model, PROMPT)


def words_of(place: widgets.HTML) -> str:
    """The text of an HTML widget."""
    return html.unescape(re.sub(r"<[^>]*>", "", place.value))


def is_alert(place: widgets.HTML) -> bool:
    return place.value.startswith('<p role="alert"')


def stands_without_a_kernel(bundle: dict) -> bool:
    """A picture with a text alternative or tokens, words, and nothing to fetch."""
    page, text = bundle["text/html"], bundle["text/plain"]
    alts = [html.unescape(alt) for alt in re.findall(r'<img [^>]*?alt="([^"]*)"', page)]
    tokens = re.findall(r'<span title="probability \d\.\d+"', page)
    assert page.count("<img") == len(alts) and all(len(alt.split()) >= 12 for alt in alts)
    assert "application/vnd.jupyter.widget-view+json" in bundle and "://" not in page and len(text.split()) > 3
    return bool(alts or tokens)


# A slider


@pytest.mark.parametrize("make", SLIDERS.values(), ids=list(SLIDERS))
def test_every_slider_has_a_label_a_hint_and_stops_in_order(make):
    slider = make()
    assert slider.label and slider.hint and not slider.disabled and slider.error == ""
    assert list(slider.stops) == sorted(set(slider.stops)) and slider.value in slider.stops


def test_two_configurations_are_told_apart_by_their_labels():
    assert temperature_slider(name="A").label == "Temperature A" and top_k_slider(name="B").label == "Top-k B"


@pytest.mark.parametrize(
    ("typed", "value"),
    [("0,7", 0.7), ("0.7", 0.7), (" 1 ", 1), ("0", 0), ("2", 2), ("0.123", 0.123), ("3", 3), ("1e-9", 1e-9)],
)
def test_a_number_that_the_configuration_takes_is_taken_as_typed(typed, value):
    slider = temperature_slider(1.5)
    slider.type(typed)
    assert (slider.value, slider.error) == (value, "")


def in_words(setting: str, value: object) -> str:
    """What `DecodingConfig` says of a value."""
    with pytest.raises(UnsupportedSetting) as told:
        DecodingConfig(**{setting: value})
    return str(told.value)


@pytest.mark.parametrize(
    ("typed", "read"),
    [("-1", -1.0), ("nan", float("nan")), ("inf", float("inf")), ("1e999", float("inf")), ("9" * 5000, float("inf"))]
    + [(typed, typed) for typed in ("many", "", "1.2.3", "0,5,5")],
)
def test_what_is_refused_is_told_as_the_configuration_tells_it_and_the_last_good_value_stays(typed, read):
    slider = temperature_slider(0.4)
    slider.type(typed)
    assert slider.value == 0.4 and slider.shown == "0.4"
    assert slider.error == in_words("temperature", read)


@pytest.mark.parametrize("typed", ["1.5", "-1", "many", "", "nan", "inf", "1,000", "3.0"])
def test_top_k_takes_whole_numbers_only(typed):
    slider = top_k_slider(7)
    slider.type(typed)
    assert slider.value == 7
    assert slider.error == in_words("top_k", -1 if typed == "-1" else typed)


def test_a_whole_number_between_two_stops_may_be_typed():
    slider = top_k_slider()
    slider.type("37")
    assert slider.value == 37 and slider.error == "" and 37 not in slider.stops


BEYOND = [
    ("temperature", 3),
    ("top_k", 49_152),
    ("repetition_penalty", 5),
    ("repetition_penalty", 0.01),
    ("temperature", np.float32(2.5)),
    ("top_k", np.int64(20_000)),
    ("top_p", np.float64(0.25)),
    ("temperature", torch.tensor(7)),
]


@pytest.mark.parametrize(("setting", "value"), BEYOND)
def test_a_slider_holds_whatever_the_configuration_takes(setting, value):
    kept = getattr(DecodingConfig(**{setting: value}), setting)
    built, moved, typed = SLIDERS[setting](value), SLIDERS[setting](), SLIDERS[setting]()
    moved.value = value
    typed.type(str(kept))
    for slider in (built, moved, typed):
        assert slider.value == kept and type(slider.value) in (int, float) and slider.error == ""
        assert slider.stops[0] <= kept <= slider.stops[-1] and slider.stops == sorted(slider.stops)
    built.draw_ahead(str)
    assert built.ahead.get(plain(kept)) == (str(kept) if kept in built.stops else None)


def test_a_number_that_a_page_would_round_is_refused_in_words():
    with pytest.raises(UnsupportedSetting, match="Top-k goes up to 9007199254740991 on a slider; 9007199254740993 was"):
        top_k_slider(2**53 + 1)
    with pytest.raises(UnsupportedSetting, match="Temperature goes up to"):
        temperature_slider(10**400)
    slider = top_k_slider(2**53 - 1)
    slider.type(str(2**53))
    assert slider.value == 2**53 - 1 and "goes up to" in slider.error


# A box for a number


@pytest.mark.parametrize("seed", [20_240_101, -1, 2**53 + 1, -(10**40), np.int64(7), torch.tensor(3)])
def test_a_seed_box_holds_any_whole_number_and_shows_all_of_its_digits(seed):
    built, moved, typed = seed_box(seed), seed_box(0), seed_box(0)
    moved.value = seed
    typed.type(f" {int(seed)} ")
    for box in (built, moved, typed):
        assert box.value == int(seed) and type(box.value) is int and box.shown == str(int(seed)) and box.error == ""
    assert built.get_state()["shown"] == str(int(seed)) and "value" not in built.get_state()


@pytest.mark.parametrize("typed", ["1.5", "", "many", "3.0", "1e3"])
def test_what_is_no_seed_is_told_and_the_last_one_stays(typed):
    box = seed_box(5)
    box._handle_custom_msg({"typed": typed}, [])
    assert box.value == 5 and box.error == in_words("seed", typed)
    box.type("5")
    assert box.error == ""


@pytest.mark.parametrize(("make", "setting", "value"), [(seed_box, "seed", 1.5), (limit_box, "max_new_tokens", 0)])
def test_a_wrong_number_in_code_is_refused_as_the_configuration_does(make, setting, value):
    box = make(9)
    with pytest.raises(UnsupportedSetting) as told:
        box.value = value
    assert str(told.value) == in_words(setting, value) and box.value == 9 and box.shown == "9"


def test_a_good_value_clears_the_error_typed_moved_or_the_same():
    for better in (lambda s: s.type("0.5"), lambda s: setattr(s, "value", 0.5), lambda s: s.type("1")):
        slider = temperature_slider(1)
        slider.type("many")
        assert slider.error
        better(slider)
        assert slider.error == ""


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        *(("temperature", value) for value in (-1, "1", float("nan"), True)),
        *(("top_k", 1.5), ("top_p", 1.5), ("min_p", -0.1), ("top_p", None), ("repetition_penalty", 0)),
    ],
)
def test_a_wrong_value_in_code_is_refused_as_the_configuration_does(setting, value):
    slider = SLIDERS[setting]()
    before = slider.value
    for wrong in (lambda: setattr(slider, "value", value), lambda: SLIDERS[setting](value)):
        with pytest.raises(UnsupportedSetting) as told:
            wrong()
        assert str(told.value) == in_words(setting, value)
    assert slider.value == before


def test_the_page_sends_what_was_typed_and_hears_what_holds(monkeypatch):
    sent = []
    monkeypatch.setattr(Slider, "send", lambda _slider, content: sent.append(content))
    slider = top_p_slider(0.9)
    moved = []
    slider.when_moved(lambda: moved.append(slider.value))
    for typed in ("0.5", "many"):
        slider._handle_custom_msg({"typed": typed}, [])
    assert slider.value == 0.5 and moved == [0.5] and sent == [{"shown": 0.5}] * 2


# The sampler


@pytest.fixture
def view(course_model) -> Sampler:
    return Sampler(course_model, PROMPT, DecodingConfig())


MOVES = [
    ("temperature", 0.5, "49,152 of 49,152"),
    ("top_k", 3, "3 of 49,152"),
    ("top_p", 0.5, "1 of 49,152"),
    ("min_p", 0.1, "2 of 49,152"),
    ("repetition_penalty", 1.5, "49,152 of 49,152"),
]


@pytest.mark.parametrize(("name", "value", "kept"), MOVES, ids=[name for name, *_ in MOVES])
def test_a_moved_slider_changes_picture_and_message_and_never_runs_the_model(view, reads, name, value, kept):
    before = view.picture.value
    getattr(view, name).value = value
    expected = next_token(view.read, DecodingConfig(**{name: value}))
    assert words_of(view.message) == expected.summary and expected.summary.startswith(f"{kept} tokens kept")
    assert view.picture.value == sampler_picture(expected) != before
    assert reads == [] and getattr(view.config, name) == value


def reach(slider: Slider) -> None:
    """What the page sends when a slider gets the focus."""
    slider._handle_custom_msg({"reached": True}, [])


def test_what_waits_ahead_of_the_hand_is_what_the_kernel_draws(view, reads):
    reach(view.top_p)
    waiting = dict(view.top_p.ahead)
    assert list(waiting) == ["0.97", "0.98", "0.99", "1"]
    for value in (0.99, 0.98, 0.97):
        view.top_p.value = value
        assert view.picture.value == waiting[f"{value:g}"]
    assert "0.94" in view.top_p.ahead and reads == []


@pytest.mark.parametrize("change", ["seed", "order", "prompt", "top_k"])
def test_nothing_out_of_date_waits_ahead(view, change):
    reach(view.temperature)
    old = dict(view.temperature.ahead)
    new = {"seed": 3, "order": "studio", "prompt": "The capital of France is", "top_k": 5}[change]
    if change == "top_k":
        reach(view.top_k)
    getattr(view, change).value = new
    ahead = view.temperature.ahead
    if change == "top_k":
        assert ahead == {} and view.top_k.ahead[f"{new}"] == view.picture.value
    else:
        assert ahead.keys() == old.keys() and ahead["1"] == view.picture.value
        assert change == "order" or ahead != old


def test_code_that_moves_a_slider_draws_nothing_ahead(view):
    view.temperature.value = 0.5
    assert all(slider.ahead == {} for slider in view.sliders.values())


def test_a_refused_value_leaves_the_picture(view):
    before = (view.picture.value, view.message.value)
    view.temperature.type("many")
    view.top_k.type("1.5")
    assert (view.picture.value, view.message.value) == before and view.top_k.error


def test_a_new_prompt_runs_the_model_once(view, reads):
    before = view.picture.value
    view.prompt.value = "The capital of France is"
    view.temperature.value = 0.5
    view.seed.value = 7
    assert reads == ["The capital of France is"] and view.picture.value != before
    assert "Paris" in view.picture.value and "Seed 7 draws" in words_of(view.message)


@pytest.mark.parametrize(
    ("prompt", "said"), [("", "The prompt is empty"), ("  ", "is empty"), ("word " * 9000, "9,001")]
)
def test_a_prompt_that_is_refused_leaves_the_last_picture_marked_as_old(view, reads, prompt, said):
    before = view.picture.value
    view.prompt.value = prompt
    for temperature in (0.5, 1.5):
        assert is_alert(view.message) and said in words_of(view.message)
        assert view.picture.value == before, "no new picture under a prompt that was not read"
        assert view.picture.old == f"Old: this picture belongs to the prompt '{PROMPT}'."
        view.temperature.value = temperature
    view.prompt.value = PROMPT
    assert "tokens kept" in words_of(view.message) and view.picture.old == "" and view.picture.value != before


def test_a_prompt_too_long_for_the_window_is_told_in_words_that_fit_the_sampler(view):
    view.prompt.value = "word " * 9000
    assert words_of(view.message) == (
        "The prompt has 9,001 tokens, but the context window is 8,192 tokens, the next one included: "
        "shorten the prompt."
    )


def test_a_picture_is_old_until_it_is_drawn_anew():
    picture = Picture("<svg></svg>", height=10)
    with pytest.raises(EmptyPrompt), picture.or_old(old_prompt("a\nb " * 40)):
        raise EmptyPrompt("empty")
    assert picture.old == f"Old: this picture belongs to the prompt '{('a b ' * 40)[:60]}…'."
    with picture.or_old("never said"):
        picture.value = "<svg/>"
    assert picture.old == ""


def test_the_order_of_the_steps_can_be_switched(view):
    view.temperature.value, view.top_p.value = 1.5, 0.9
    transformers = words_of(view.message)
    view.order.value = "studio"
    assert transformers.startswith("2,879 of") and words_of(view.message).startswith("65 of")
    assert view.config.order == "studio"


def test_greedy_takes_the_likeliest_token_and_sampling_comes_back(view):
    view.temperature.value = 1.5
    sampled = view.message.value
    view.choice.value = "greedy"
    assert "Greedy decoding takes ' flowers' with probability 1.000" in words_of(view.message)
    assert "Only the repetition penalty still counts." in words_of(view.message)
    assert view.config.temperature == 0 and "temperature" not in view.picture.value.replace("Temperature", "")
    assert view.picture.value.count(">not taken<") == len(view.found.candidates) - 1
    view.choice.value = "sample"
    assert view.message.value == sampled


def test_what_greedy_decoding_ignores_is_locked_and_nothing_else(view, course_model):
    def locked(view: Sampler) -> set[str]:
        names = (*SLIDERS, "choice", "order", "seed", "prompt", "more")
        return {name for name in names if getattr(view, name).disabled}

    ignored = {"temperature", "top_k", "top_p", "min_p", "order", "seed"}
    assert locked(view) == set()
    view.choice.value = "greedy"
    assert locked(view) == ignored == locked(Sampler(course_model, PROMPT, DecodingConfig(temperature=0)))
    drawn = view.found.candidates
    view.top_k.value, view.min_p.value, view.order.value, view.seed.value = 3, 0.5, "studio", 9
    assert [(c.after, c.fate) for c in view.found.candidates] == [(c.after, c.fate) for c in drawn]
    view.choice.value = "sample"
    assert locked(view) == set()


def test_more_settings_unfold_two_sliders(view):
    assert view.view.children[0] is view.prompt
    folded = (view.min_p, view.repetition_penalty)
    assert [slider.layout.display for slider in folded] == ["none"] * 2
    view.more.value = True
    assert [slider.layout.display for slider in folded] == [None] * 2
    view.more.value = False
    assert [slider.layout.display for slider in folded] == ["none"] * 2


def test_the_controls_stand_as_the_configuration_says(course_model):
    config = DecodingConfig(temperature=0.7, top_k=40, top_p=0.9, min_p=0.02, repetition_penalty=1.2, seed=4)
    for order in ("transformers", "studio"):
        assert Sampler(course_model, PROMPT, replace(config, order=order)).config == replace(config, order=order)
    greedy = Sampler(course_model, PROMPT, DecodingConfig(temperature=0))
    assert greedy.config.temperature == 0 and greedy.choice.value == "greedy" and greedy.temperature.value == 1


ALL = DecodingConfig(3, 49_152, 0.123, 0.0625, 5, "studio", 20_240_101, 600, ("\n", "Q:"))


@pytest.mark.parametrize(
    "config", [ALL, replace(ALL, seed=-1), replace(ALL, temperature=0), DecodingConfig(seed=2**80)]
)
def test_the_sampler_keeps_every_setting_and_shows_its_draw(read, config):
    made = sampler_of(read, config)
    assert made.config == config and made.found == next_token(read, config)
    if config.temperature:
        assert f"Seed {config.seed} draws" in words_of(made.message) and made.seed.shown == str(config.seed)


def sampler_of(read, config: DecodingConfig) -> Sampler:
    """A sampler on a prompt that was read already."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SAMPLER, "read_prompt", lambda _model, _prompt: read)
        return Sampler(None, read.prompt, config)


def test_numpy_s_numbers_are_settings_too(read):
    config = DecodingConfig(np.float64(0.5), np.int64(40), np.float64(0.9), seed=np.int64(3))
    made = sampler_of(read, config)
    made.seed.value, made.top_k.value = np.int64(-4), np.int32(7)
    assert made.config == replace(config, seed=-4, top_k=7) and "Seed -4 draws" in words_of(made.message)


def test_a_choice_that_there_is_not_is_refused_in_words(view):
    with pytest.raises(
        UnsupportedSetting, match="Order of the steps is one of transformers, studio; 'vertex' was given"
    ):
        view.order.value = "vertex"
    with pytest.raises(UnsupportedSetting, match="Choice of the token is one of sample, greedy; None was given"):
        view.choice.value = None
    assert view.config == DecodingConfig()


def test_a_prompt_of_several_lines_stays_so_in_its_box(read):
    assert isinstance(sampler_of(replace(read, prompt="a\nb"), DecodingConfig()).prompt, widgets.Textarea)
    assert isinstance(prompt_box("a b", description="Prompt"), widgets.Text)
    assert prompt_box("a\nb", description="Prompt").value == "a\nb"


def test_every_control_of_the_sampler_has_a_full_label(view):
    for control in (view.prompt, view.choice, view.order):
        assert control.description and control.style.description_width == "initial"
    for control in (view.temperature, view.top_k, view.top_p, view.min_p, view.repetition_penalty, view.seed):
        assert control.label


def test_an_unexpected_error_is_shown_in_the_message_and_raised(view, monkeypatch):
    monkeypatch.setattr(SAMPLER, "next_token", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        view.temperature.value = 0.5
    assert is_alert(view.message) and "stopped with ZeroDivisionError: division by zero" in words_of(view.message)


def test_the_sampler_without_a_kernel(course_model, shown):
    made = sampler(course_model, PROMPT, DecodingConfig(temperature=1.5, top_p=0.9))
    assert stands_without_a_kernel(shown[0])
    page = html.unescape(shown[0]["text/html"])
    assert made.found.summary in page and describe(made.found) in page and "Run this cell" in page
    assert f"Prompt: '{PROMPT}'. Settings: temperature 1.5, top-p 0.9." in page
    assert shown[0]["text/plain"] == f"A sampler. {made.found.summary}"
    with pytest.raises(EmptyPrompt):
        sampler(course_model, " ")


# Its picture


CONFIGS = [
    DecodingConfig(),
    DecodingConfig(temperature=0),
    DecodingConfig(temperature=2, top_p=0.75),
    DecodingConfig(temperature=2, top_p=0.75, order="studio"),
    DecodingConfig(top_k=5, min_p=0.1, repetition_penalty=1.5),
]


def axis(picture: str) -> list[tuple[str, str]]:
    """Position and text of the marks under the bars."""
    return re.findall(r'<text x="([\d.]+%)"[^>]*>(\d+ %)</text>', picture)


def test_the_picture_says_what_was_cut_and_how_likely_each_token_is(read):
    found = next_token(read, DecodingConfig(top_p=0.6))
    picture = sampler_picture(found)
    for part in ("cut by top-p", "58.9 %", 'pattern id="course-cut"', 'fill="url(#course-cut)"', ">top-p 0.6<"):
        assert part in picture, part
    assert picture.count(">top-p<") == sum(c.cut_by == "top-p" for c in found.candidates)
    assert picture.count("\u25b6") == 1, "one token is drawn"


@pytest.mark.parametrize("tokens", [{"a": 1.0}, {"a" * 40: 0.9, "b": 0.1}, dict.fromkeys(range(9), 0.01)])
def test_the_marker_covers_no_name(tokens):
    """It stands between the names, which end left of it, and the bars."""
    picture = sampler_picture(next_token(given("?", {str(name): p for name, p in tokens.items()}), DecodingConfig()))
    names, marker = re.findall(r'<text x="(-[\d.]+)"[^>]*>[^<]*?(?:\u25b6)?<', picture), "-15"
    assert re.search(r'<text x="(-[\d.]+)"[^>]*>\u25b6<', picture)[1] == marker
    assert set(names) >= {"-20", marker}, "a name ends where the marker has not begun"


def test_nothing_is_hatched_where_nothing_is_cut(read):
    assert "url(#course-cut)" not in sampler_picture(next_token(read, DecodingConfig()))


@pytest.mark.parametrize("config", CONFIGS, ids=range(len(CONFIGS)))
def test_the_axis_never_moves(read, config):
    assert [text for _, text in axis(sampler_picture(next_token(read, config)))] == [
        *("0 %", "25 %", "50 %", "75 %", "100 %")
    ]
    assert axis(sampler_picture(next_token(read, config))) == axis(sampler_picture(next_token(read, CONFIGS[0])))


@pytest.mark.parametrize("config", CONFIGS, ids=range(len(CONFIGS)))
def test_the_picture_is_an_image_whose_label_says_the_same(read, config):
    found = next_token(read, config)
    picture = sampler_picture(found)
    label = html.unescape(re.match(r'<div role="img" aria-label="([^"]*)"', picture)[1])
    assert label == f"{found.summary} {describe(found)}"
    assert "flowers 58.9 %" in label and "rest of the vocabulary" in label


def test_the_line_stands_at_the_running_sum_of_every_row_but_the_rest(read):
    for found in (next_token(read, DecodingConfig()), next_token(given("?", {"a": 0.75, "b": 0.25}), DecodingConfig())):
        points = re.search(r'<polyline points="([^"]*)"', sampler_picture(found))[1].split()
        expected = [100 * c.cumulative for c in found.candidates if c.text != "rest of the vocabulary"]
        assert [float(point.split(",")[0]) for point in points] == pytest.approx(expected, abs=0.006)


def test_a_token_that_looks_like_markup_is_written_out():
    picture = sampler_picture(next_token(given("?", {"<b>&": 0.75, '"': 0.25}), DecodingConfig()))
    assert "<b>" not in picture and "&lt;b&gt;&amp;" in picture and "&quot;" in picture


@pytest.mark.parametrize(("probability", "text"), [(0, "0.0 %"), (1e-9, "< 0.1 %"), (0.0005, "0.1 %"), (1, "100.0 %")])
def test_a_percentage_never_reads_0_where_something_is_left(probability, text):
    assert percent(probability) == text


# The playground


@pytest.fixture
def both(course_model) -> Playground:
    made = Playground(course_model, PROMPT, replace(SHORT, temperature=0), SHORT)
    made.generate()
    return made


def text_of(model, prompt: str, config: DecodingConfig, begun: tuple[int, ...] = ()) -> str:
    return "".join(step.text for step in generate_stream(model, prompt, config, begun=begun))


def test_both_columns_write_what_generate_stream_writes(course_model, both):
    left, right = both.columns
    assert left.text == text_of(course_model, PROMPT, replace(SHORT, temperature=0))
    assert right.text == text_of(course_model, PROMPT, SHORT) != left.text
    for column in both.columns:
        assert "".join(step["text"] for step in column.completion.steps).startswith(column.text)
        assert column.completion.label == f"Completion {column.name}"


def test_the_sliders_the_seed_and_the_limit_are_what_the_next_run_takes(course_model, both):
    left, right = both.columns
    left.temperature.value, left.top_k.value, left.top_p.value = 1.2, 50, 0.9
    both.seed.value, both.max_new_tokens.value = 11, 3
    both.generate()
    config = DecodingConfig(temperature=1.2, top_k=50, top_p=0.9, seed=11, max_new_tokens=3)
    assert left.text == text_of(course_model, PROMPT, config) and len(left.steps) == len(right.steps) == 3
    assert right.text == text_of(course_model, PROMPT, replace(SHORT, seed=11, max_new_tokens=3))


def test_the_same_seed_and_settings_give_the_same_text(both):
    left, right = both.columns
    left.temperature.value = right.temperature.value
    both.generate()
    first = left.text
    assert left.text == right.text
    both.generate()
    assert left.text == first
    both.seed.value = 1
    both.generate()
    assert left.text == right.text != first


def test_the_lines_count_the_tokens(both):
    assert words_of(both.message) == "6 tokens of prompt and at most 4 of completion, out of a context window of 8,192."
    for column in both.columns:
        assert column.completion.status == "4 tokens; 10 of 8,192 used. Ended by: max new tokens."


def test_a_completion_continues_from_an_alternative_and_the_other_column_stays(course_model, both):
    left, right = both.columns
    kept, other = [step.token for step in left.steps[:2]], left.steps[2].alternatives[0]
    untouched = right.steps
    both.continue_from("A", 2, other.token)
    assert [step.token for step in left.steps[:3]] == [*kept, other.token] and len(left.steps) == 4
    assert left.text == text_of(course_model, PROMPT, replace(SHORT, temperature=0), (*kept, other.token))
    assert right.steps is untouched


def test_a_click_on_an_alternative_continues_from_it(both):
    left = both.columns[0]
    other = left.completion.steps[0]["alternatives"][1]
    left.completion._handle_custom_msg({"position": 0, "token": other["token"]}, [])
    assert left.steps[0].token == other["token"] and left.completion.steps[0]["text"] == other["text"]


def test_the_button_generates(both):
    before = both.columns[0].steps
    both.prompt.value = "The capital of France is"
    both.generate_button.click()
    assert both.columns[0].steps is not before and "Paris" in both.columns[0].text


def test_stop_ends_both_completions_after_the_token_that_is_computed(course_model):
    made = Playground(course_model, PROMPT, replace(SHORT, max_new_tokens=200), replace(SHORT, max_new_tokens=200))

    async def learner():
        made.generate_button.click()
        while len(made.columns[1].steps) < 3:
            await asyncio.sleep(0.001)
        made.stop_button.click()
        await made.turns.task

    asyncio.run(learner())
    for column in made.columns:
        assert 3 <= len(column.steps) <= 5
        assert column.completion.status == f"Stopped after {len(column.steps)} tokens."


def test_what_is_refused_does_not_stop_what_is_being_written_and_what_replaces_it_says_so(course_model):
    made = Playground(course_model, PROMPT, replace(SHORT, max_new_tokens=200), replace(SHORT, max_new_tokens=200))
    left, right = made.columns

    async def until(tokens: int):
        while len(right.steps) < tokens:
            await asyncio.sleep(0.001)

    async def learner():
        made.generate_button.click()
        await until(2)
        made.prompt.value = ""
        made.generate_button.click()
        assert is_alert(made.message) and "The prompt is empty" in words_of(made.message)
        assert left.completion.old == f"Old: this completion belongs to the prompt '{PROMPT}'."
        await until(4)
        left.completion._handle_custom_msg({"position": 1, "token": left.steps[0].token}, [])
        await asyncio.sleep(0.01)
        assert right.completion.status == f"Stopped after {len(right.steps)} tokens."
        assert left.asked == Asked(PROMPT, left.config, (left.steps[0].token, left.steps[0].token))
        made.stop_button.click()
        await made.turns.task

    asyncio.run(learner())


def test_a_completion_says_what_it_was_written_with_and_when_that_is_old(both):
    left, right = both.columns
    settings = "top-k 0, top-p 1, seed 0, at most 4 tokens"
    assert left.completion.caption == f"Written with temperature 0, {settings}."
    assert [column.completion.old for column in both.columns] == ["", ""]
    right.temperature.value = 1.5
    assert [column.completion.old for column in both.columns] == ["", "Old: the controls have moved since."]
    assert right.completion.caption == f"Written with temperature 0.9, {settings}.", "as it was written"
    both.seed.value = 3
    assert left.completion.old == "Old: the controls have moved since."
    both.prompt.value = "Once"
    assert left.completion.old == right.completion.old == f"Old: this completion belongs to the prompt '{PROMPT}'."
    both.continue_from("A", 2, left.steps[2].alternatives[0].token)
    assert left.completion.caption.endswith("seed 3, at most 4 tokens; token 3 chosen by hand.")
    assert left.asked.prompt == PROMPT and left.completion.old, "it goes on in its own prompt"
    both.generate()
    assert left.completion.old == right.completion.old == ""


def test_writing_the_same_again_says_so(both):
    both.generate()
    for column in both.columns:
        assert column.completion.status.endswith("The same as before: prompt, settings and seed are the same.")
    both.columns[0].temperature.value = 0.5
    both.generate()
    assert ["The same" in column.completion.status for column in both.columns] == [False, True]


def test_greedy_decoding_turns_off_what_has_no_effect_on_it(both):
    left, right = both.columns
    assert left.top_k.disabled and left.top_p.disabled and not (right.top_k.disabled or right.top_p.disabled)
    left.temperature.value = 0.5
    assert not (left.top_k.disabled or left.top_p.disabled)


def test_the_message_follows_the_prompt_and_a_refusal_goes_with_its_cause(both):
    both.prompt.value = "Once upon"
    assert words_of(both.message).startswith("2 tokens of prompt and at most 4 of completion")
    both.prompt.value = " "
    both.prompt.value = "word " * 9000
    assert is_alert(both.message) and "context window is 8,192 tokens" in words_of(both.message)
    both.prompt.value = PROMPT
    assert not is_alert(both.message) and both.columns[0].completion.old == ""


def test_stop_says_nothing_about_a_completion_that_had_ended(both):
    both.stop()
    assert both.columns[0].completion.status.endswith("Ended by: max new tokens.")


@pytest.mark.parametrize(
    ("prompt", "said"),
    [("", "The prompt is empty"), ("word " * 9000, "context window is 8,192 tokens: shorten the prompt.")],
)
def test_a_prompt_that_cannot_be_read_is_told_in_the_message(both, prompt, said):
    before = both.columns[0].text
    both.prompt.value = prompt
    both.generate()
    assert is_alert(both.message) and said in words_of(both.message)
    both.prompt.value = PROMPT
    both.generate()
    assert not is_alert(both.message) and both.columns[0].text == before


def test_a_column_keeps_the_settings_that_have_no_slider(course_model):
    config = DecodingConfig(min_p=0.1, repetition_penalty=1.2, order="studio", stop=("\n",), max_new_tokens=4)
    made = Playground(course_model, PROMPT, config, DecodingConfig())
    assert made.columns[0].config == config
    said = "Also set: min-p 0.1, repetition penalty 1.2, order 'studio', stops at a line break."
    assert made.columns[0].also_set == paragraph(said) and made.columns[1].also_set == ""


@pytest.mark.parametrize("config", [ALL, replace(ALL, temperature=0, seed=-1)])
def test_a_playground_shows_every_setting_as_it_is(config):
    made = Playground(None, PROMPT, config, config)
    assert [column.config for column in made.columns] == [config, config]
    assert (made.seed.shown, made.max_new_tokens.shown) == (str(config.seed), "600")


def test_columns_with_another_seed_or_limit_keep_their_own_and_say_so(course_model, shown):
    left, right = replace(SHORT, seed=-3), replace(SHORT, seed=20_240_101, max_new_tokens=2)
    made = playground(course_model, PROMPT, left, right)
    assert [box.label for box in made.boxes] == ["Seed A", "Seed B", "Max new tokens A", "Max new tokens B"]
    assert [column.text for column in made.columns] == [text_of(course_model, PROMPT, c) for c in (left, right)]
    page = html.unescape(shown[0]["text/html"])
    assert all(said in page for said in ("seed -3, at most 4", "seed 20240101, at most 2"))
    made.columns[1].seed.value = -3
    made.columns[1].max_new_tokens.value = 4
    made.generate()
    assert made.columns[0].text == made.columns[1].text


def test_columns_that_agree_share_one_box_and_the_one_not_given_agrees(tiny):
    left, right = DecodingConfig(seed=5, max_new_tokens=2), DecodingConfig(seed=6, max_new_tokens=3)
    for asked_for, expected in (((left, None), left), ((None, right), right), ((None, None), DecodingConfig())):
        made = Playground(tiny, PROMPT, left, left)
        assert [box.label for box in made.boxes] == ["Seed", "Max new tokens"]
        made = playground(tiny, "a b", *asked_for)
        assert [box.value for box in made.boxes] == [expected.seed, expected.max_new_tokens]
    assert [column.config.temperature for column in made.columns] == [0, 1]


@pytest.mark.parametrize("limit", [0, -1, 2.5, "10"])
def test_a_limit_that_is_none_is_refused_in_words(tiny, limit):
    made = Playground(tiny, PROMPT, SHORT, SHORT)
    with pytest.raises(UnsupportedSetting, match="ax new tokens is a whole number, 1 or more"):
        made.max_new_tokens.value = limit
    assert made.columns[0].config == SHORT


def test_a_limit_beyond_the_window_is_told_when_it_is_asked_for(both):
    both.max_new_tokens.type("9000")
    both.generate()
    assert is_alert(both.message) and "the completion may have 9,000" in words_of(both.message)


@pytest.mark.parametrize(("position", "token"), [(-1, 5), (99, 5), (1.5, 5), (0, -1), (0, 49_152), (0, "the")])
def test_going_on_where_there_is_no_token_is_refused_in_words(both, position, token):
    before = both.columns[0].steps
    with pytest.raises(UnsupportedSetting, match=r"is a whole number from 0 to \d+; .* was given"):
        both.continue_from("A", position, token)
    assert both.columns[0].steps is before


def test_the_playground_without_a_kernel(course_model, shown):
    made = playground(course_model, PROMPT, SHORT, SHORT)
    assert stands_without_a_kernel(shown[0])
    spans = re.findall(r"<span [^>]*>(.*?)</span>", shown[0]["text/html"], re.DOTALL)
    assert html.unescape("".join(spans[:4])).startswith(made.columns[0].text)
    assert PROMPT in shown[0]["text/html"] and repr(made.columns[1].text) in shown[0]["text/plain"]


# A row of tokens


def step_of(text: str, *, token: int = 5, probability: float = 1.0, reason: str | None = None) -> Step:
    return Step(token, text, 1.0, probability, 1, 0.5, (), reason)


def test_a_token_without_text_is_named_by_why_it_is_there():
    row = Completion(label="Completion A")
    row.put([step_of("a"), step_of("", reason=END_OF_TEXT)])
    assert [step["text"] for step in row.steps] == ["a", "[end of text]"]
    assert "[end of text]" in completion_html([step_of("", reason=END_OF_TEXT)])


def test_a_token_that_looks_the_same_keeps_its_place_and_another_does_not():
    def key(step: Step) -> str:
        row = Completion()
        row.put([step])
        return row.steps[0]["key"]

    first = step_of("a", probability=0.5)
    assert key(first) == key(step_of("a", probability=0.5))
    others = [
        step_of("a", probability=0.9),
        step_of("b", token=6, probability=0.5),
        step_of("", probability=0.5, reason=TOKEN_LIMIT),
    ]
    assert key(first) not in [key(other) for other in others], "the page redraws what another prompt made likelier"


def test_a_part_of_a_character_is_shown_as_its_bytes_with_a_sentence():
    half = "\N{REPLACEMENT CHARACTER}"
    parts = [
        replace(step_of(""), token_text=r"\xe2"),
        replace(step_of(f"{half} a"), token_text=" a"),
        replace(step_of(half, reason=TOKEN_LIMIT), token_text=r"\xe2\x80"),
    ]
    row = Completion()
    row.put(parts)
    assert [step["text"] for step in row.steps] == [r"\xe2", " a", r"\xe2\x80"]
    assert row.parts.startswith(r"\xe2: a part of a character.") and row.parts in completion_html(parts)
    row.put([step_of("a")])
    assert row.parts == row.steps[0]["parts"] == "" and "part of a character" not in completion_html([step_of("a")])


def test_the_legend_has_the_shades_of_the_tokens():
    for probability in (1, 0.75, 0.5, 0.25, 0):
        [shade] = re.findall(r"background: [^\"]*", completion_html([step_of("a", probability=probability)]))
        assert re.search(rf'{re.escape(shade)}">{100 * probability:.0f} %', legend())


def test_markup_in_a_completion_is_written_out():
    assert "&lt;b&gt;" in completion_html([step_of("<b>")])


# The repetition widget


ANY = SimpleNamespace(check_window=lambda prompt, max_new_tokens: None)
"""A model that takes every prompt."""


def quick_curve(asked: list):
    def curve(model, prompt, config, *, temperatures, seeds):
        asked.append((prompt, config, tuple(temperatures), len(seeds)))
        rows = [[t / 10, 0.5, 0.25, 2 + t] for t in temperatures]
        return pd.DataFrame(rows, index=pd.Index(map(float, temperatures)), columns=list(COLUMNS))

    return curve


@pytest.fixture
def asked(monkeypatch) -> list:
    """What the repetition widget measured; the numbers are made up."""
    asked = []
    monkeypatch.setattr(REPETITION, "diversity_curve", quick_curve(asked))
    monkeypatch.setattr(
        REPETITION,
        "completions",
        lambda model, prompt, config, seeds: [f"run at {config.temperature:g}"] * len(seeds),
    )
    return asked


def test_the_repetition_widget_measures_every_temperature(asked):
    made = Repetition(ANY, PROMPT, DecodingConfig(), (0, 0.7, 1.5))
    made.measure()
    assert [temperatures for *_, temperatures, _ in asked] == [(0,), (0.7,), (1.5,)]
    assert list(made.curve.index) == [0, 0.7, 1.5] and tuple(made.curve.columns) == COLUMNS
    assert words_of(made.message) == "3 of 3 temperatures measured."
    assert (
        "bits per token against temperature, axis 0 to 16. 2.00 at 0.0, 2.70 at 0.7, 3.50 at 1.5" in made.picture.value
    )
    assert ">3.50</td>" in made.picture.value
    assert all(f"run at {t}" in made.first_runs.value for t in ("0", "0.7", "1.5"))
    said = f"Measured for '{PROMPT}': 8 runs at each temperature T, seeds 0 to 7, at most 50 tokens, top-k 0, top-p 1."
    assert words_of(made.caption) == said


def test_a_curve_says_when_it_belongs_to_something_else(asked):
    made = Repetition(ANY, PROMPT, DecodingConfig(), (0, 1))
    made.measure()
    caption = made.caption.value
    for move, back in ((5, 0), (40, 0)):
        made.top_k.value = move
        assert made.picture.old == "Old: the controls have moved since." and "press Measure" in words_of(made.message)
        made.top_k.value = back
        assert made.picture.old == "" and words_of(made.message) == "2 of 2 temperatures measured."
    made.prompt.value = "Once"
    assert made.picture.old == f"Old: this picture belongs to the prompt '{PROMPT}'." and made.caption.value == caption
    made.measure()
    assert made.picture.old == "" and "Measured for 'Once'" in words_of(made.caption)


def test_measuring_the_same_again_says_so(asked):
    made = Repetition(ANY, PROMPT, DecodingConfig(), (0, 1))
    made.measure()
    for times in (2, 3):
        made.measure()
        assert f"Measured {times} times with these settings: the same seeds" in words_of(made.message)
    made.runs.value = 4
    made.measure()
    assert words_of(made.message) == "2 of 2 temperatures measured."


def test_what_is_not_measured_yet_keeps_its_place_in_the_table(asked):
    made = Repetition(ANY, PROMPT, DecodingConfig(), (0, 1, 2))
    work = made._begun()
    next(work), next(work)
    assert made.picture.value.count(">...</td>") == 8 and made.picture.value.count("<tr>") == 4


def test_its_controls_are_what_the_next_measurement_takes(asked):
    made = Repetition(ANY, PROMPT, DecodingConfig(), (1,))
    made.prompt.value, made.runs.value, made.max_new_tokens.value = "Once", 3, 12
    made.top_k.value, made.top_p.value = 40, 0.9
    made.measure_button.click()
    assert asked == [("Once", DecodingConfig(top_k=40, top_p=0.9, max_new_tokens=12), (1,), 3)]


def test_the_repetition_widget_keeps_every_setting_and_says_what_has_no_control(asked, shown):
    made = repetition(ANY, PROMPT, ALL, temperatures=np.array([0, 1.5]))
    assert made.config == ALL and [config for _, config, *_ in asked] == [ALL, ALL]
    said = "Also set: min-p 0.0625, repetition penalty 5, order 'studio', seed 20240101, stops at a line break or 'Q:'."
    assert words_of(made.also_set) == said and said in html.unescape(shown[0]["text/html"])
    assert made.also_set in made.view.children
    assert Repetition(ANY, PROMPT, DecodingConfig(seed=0), (0,)).also_set.value == ""


def test_the_runs_begin_with_the_configuration_s_seed(monkeypatch):
    drawn, curve = [], quick_curve([])
    monkeypatch.setattr(
        REPETITION, "diversity_curve", lambda *a, **named: drawn.append(named["seeds"]) or curve(*a, **named)
    )
    monkeypatch.setattr(REPETITION, "completions", lambda *_, seeds: drawn.append(seeds) or ["x"])
    Repetition(ANY, PROMPT, DecodingConfig(seed=-1), (1,)).measure()
    assert drawn == [range(-1, 7)] * 2


@pytest.mark.parametrize("runs", [1, 17, 2.5, "3"])
def test_how_many_runs_there_can_be_is_said(runs):
    made = Repetition(ANY, PROMPT, DecodingConfig(), (0,))
    with pytest.raises(UnsupportedSetting, match="Runs lie between 2, .* and 16, .* was given"):
        made.runs.value = runs
    made.runs.type(str(runs) if runs != "3" else "three")
    assert made.runs.value == 8 and "Runs lie between" in made.runs.error


def test_a_temperature_that_is_none_is_refused_before_anything_is_measured(asked, shown):
    with pytest.raises(UnsupportedSetting, match="Temperature is 0"):
        repetition(ANY, PROMPT, temperatures=(0, -1))
    with pytest.raises(DataError, match="Temperatures are given in a list"):
        repetition(ANY, PROMPT, temperatures=0.7)
    assert asked == [] and shown == []


def test_a_measurement_can_be_stopped_between_two_temperatures(asked):
    made = Repetition(ANY, PROMPT, DecodingConfig(), (0, 1, 2))

    async def learner():
        made.measure_button.click()
        while len(made.curve) < 1:
            await asyncio.sleep(0)
        made.stop_button.click()
        await made.turns.task

    asyncio.run(learner())
    assert len(asked) == 1 and words_of(made.message) == "Stopped: 1 of 3 temperatures measured."
    made.measure()
    made.stop()
    assert words_of(made.message) == "3 of 3 temperatures measured."


def test_a_prompt_that_cannot_be_measured_is_told(course_model):
    made = Repetition(course_model, "", DecodingConfig(max_new_tokens=5), (0,))
    made.measure()
    assert is_alert(made.message) and "The prompt is empty" in words_of(made.message)
    made.prompt.value = "Once"
    made.measure()
    for prompt, said in (("", "The prompt is empty"), ("word " * 9000, "context window is 8,192 tokens")):
        made.prompt.value = prompt
        for _ in range(2):
            assert is_alert(made.message) and said in words_of(made.message)
            assert made.picture.old == "Old: this picture belongs to the prompt 'Once'."
            made.measure()


def test_the_repetition_widget_without_a_kernel(asked, shown):
    repetition(ANY, PROMPT, temperatures=(0, 1))
    assert stands_without_a_kernel(shown[0])
    assert "self-BLEU" in shown[0]["text/plain"] and "run at 1" in shown[0]["text/html"]


# Forecasts


@pytest.fixture
def made(read) -> Predict:
    return Predict(read, FORECASTS)


def commit_typed(question: Question, typed: str) -> None:
    """What the page sends when a forecast is typed and committed."""
    question.guess._handle_custom_msg({"typed": True}, [])
    question.guess._handle_custom_msg({"committed": typed}, [])


def test_every_slider_is_locked_until_its_own_forecast_is_committed(made):
    assert all(question.slider.disabled for question in made.questions)
    made.commit("flatter", 0.2)
    assert [question.slider.disabled for question in made.questions] == [True, False, True, True]
    assert [question.guess.disabled for question in made.questions] == [False, True, False, False]


def test_what_is_typed_is_committed(made):
    first = made.questions[0]
    commit_typed(first, "0,9")
    truth = made.committed["sharper"].truth
    assert words_of(first.verdict) == (f"You said 0.9, the model says {truth:.3g}: near enough. Now move the slider.")
    assert words_of(made.score) == "1 of 4 near enough, 1 of 4 committed. The picture shows Temperature 1."
    assert first.guess.disabled


@pytest.mark.parametrize("typed", ["", "many", "nan", "70", "-1", "1.01", "150 %"])
def test_what_is_no_forecast_is_told_and_the_slider_stays_locked(made, typed):
    first = made.questions[0]
    before = words_of(first.verdict)
    commit_typed(first, typed)
    assert is_alert(first.verdict) and "This forecast is a probability, 0 to 1: write" in words_of(first.verdict)
    assert first.slider.disabled and not first.guess.disabled and made.committed == {}
    first.guess._handle_custom_msg({"typed": True}, [])
    assert words_of(first.verdict) == before, "a refusal goes with the next key"
    commit_typed(first, typed)
    made.turn.index = 1
    made.turn.index = 0
    assert words_of(first.verdict) == before, "and when another forecast is looked at"


def test_a_forecast_s_slider_knows_what_comes_next_and_the_score_names_the_setting(made):
    made.commit("sharper", 0.9)
    slider = made.questions[0].slider
    reach(slider)
    waiting = slider.ahead["0.95"]
    slider.value = 0.95
    assert made.picture.value == waiting and "The picture shows Temperature 0.95." in words_of(made.score)


def test_the_score_never_loses_the_setting_that_the_picture_shows(made):
    said = lambda: words_of(made.score).partition("The picture shows ")[2]  # noqa: E731
    assert said() == "Temperature 1."
    made.commit("sharper", 0.9)
    made.questions[0].slider.value = 0.5
    made.commit("fixed number", 0.9)
    assert said() == "Temperature 0.5.", "the picture has not changed"
    made.turn.index = 2
    assert said() == "Top-k 0." and made.picture.value == sampler_picture(made.first)
    made.questions[0].slider.value = 0.7
    assert made.turn.index == 0 and said() == "Temperature 0.7.", "what moves is what is seen"


def test_one_forecast_is_seen_at_a_time(made):
    asked = made.view.children[1]
    for index in range(4):
        made.turn.index = index
        assert asked.selected_index == index and made.shown is made.questions[index]


def test_a_far_forecast_is_told_so(made):
    made.commit("fixed share", 5000)
    assert "You said 5000, the model says 65: not near enough." in words_of(made.questions[3].verdict)


def test_in_code_a_second_commit_is_refused(made):
    made.commit("sharper", 0.9)
    with pytest.raises(UnsupportedSetting, match="committed already"):
        made.commit("sharper", 0.8)


def test_a_moved_slider_shows_its_setting_alone(made, read):
    before = made.picture.value
    settings = [{"temperature": 0.5}, {"temperature": 1.5}, {"top_k": 3}, {"top_p": 0.5}]
    for question, setting in zip(made.questions, settings, strict=True):
        made.commit(question.item.name, 1)
        question.slider.value = next(iter(setting.values()))
        assert made.picture.value == sampler_picture(next_token(read, DecodingConfig(**setting), shown=10)) != before


def test_the_forecasts_without_a_kernel(read, shown):
    predict(read, FORECASTS)
    assert stands_without_a_kernel(shown[0])
    assert all(item.question in html.unescape(shown[0]["text/html"]) for item in FORECASTS)


# Work in turns


@pytest.fixture
def turns() -> Turns:
    return Turns(widgets.HTML())


def counting(done: list, number: int):
    def work():
        for n in range(number):
            done.append(n)
            yield

    return work


def test_without_an_event_loop_work_is_done_at_once(turns):
    for begin in (turns.run, turns.start):
        done = []
        begin(counting(done, 4))
        assert done == [0, 1, 2, 3]


def test_with_an_event_loop_work_is_done_between_other_things(turns):
    async def page():
        done = []
        turns.start(counting(done, 3))
        assert done == []
        await turns.task
        return done

    assert asyncio.run(page()) == [0, 1, 2]


@pytest.mark.parametrize("begin", ["start", "run"])
def test_a_new_run_ends_the_one_before(turns, begin):
    async def page():
        first, second = [], []
        turns.start(counting(first, 100))
        old = turns.task
        await asyncio.sleep(0.01)
        getattr(turns, begin)(counting(second, 3))
        await asyncio.gather(old, turns.task)
        return first, second

    first, second = asyncio.run(page())
    assert 0 < len(first) < 100 and second == [0, 1, 2]


def test_stop_ends_the_work_after_its_turn(turns):
    async def page():
        done = []
        turns.start(counting(done, 100))
        await asyncio.sleep(0.01)
        turns.stop()
        before = len(done)
        await turns.task
        return before, len(done)

    before, after = asyncio.run(page())
    assert 0 < before == after < 100


def failing(error: Exception):
    def work():
        yield
        raise error

    return work


def test_an_unexpected_error_of_the_work_is_shown_and_raised(turns, monkeypatch):
    with pytest.raises(RuntimeError, match="broken"):
        turns.run(failing(RuntimeError("broken")))
    assert is_alert(turns.message) and "stopped with RuntimeError: broken" in words_of(turns.message)
    turns.message.value, tracebacks = "", []

    class Shell:
        def showtraceback(self):
            tracebacks.append(1)

    async def page():
        turns.start(failing(RuntimeError("broken")))
        await turns.task

    monkeypatch.setattr("utils.widgets.turns.get_ipython", Shell)
    asyncio.run(page())
    assert tracebacks == [1] and "stopped with RuntimeError: broken" in words_of(turns.message)


def test_a_learner_s_error_is_shown_and_not_raised(turns):
    async def page():
        turns.start(failing(EmptyPrompt("no prompt")))
        await turns.task

    for begin in (lambda: turns.run(failing(EmptyPrompt("no prompt"))), lambda: asyncio.run(page())):
        turns.message.value = ""
        begin()
        assert is_alert(turns.message) and words_of(turns.message) == "no prompt"


# What all widgets share


def test_a_choice_takes_its_options_and_whatever_equals_one():
    shots = Dropdown(options=range(4), description="Shots")
    shots.value = np.int64(2)
    assert shots.value == 2 and shots.index == 2
    with pytest.raises(UnsupportedSetting, match="Shots is one of 0, 1, 2, 3; 9 was given"):
        shots.value = 9
    answer = RadioButtons(options=[("yes", 0), ("no", 1)], value=None, description="Answer")
    with pytest.raises(UnsupportedSetting, match="Answer is one of yes, no; 2 was given"):
        answer.value = 2
    assert shots.value == 2 and answer.value is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (0.15, "0.15"),
        (49_152, "49152"),
        (1_234_567.0, "1234567"),
        (1e300, "1e+300"),
        (10**20, "1" + "0" * 20),
    ],
)
def test_a_number_is_shown_with_all_of_its_digits(value, text):
    assert plain(value) == text


def test_errors_are_told_in_their_place():
    place = widgets.HTML("before")
    with told_in(place):
        pass
    assert place.value == "before"
    with told_in(place):
        raise UnsupportedSetting("use <b>")
    assert place.value == alert("use <b>") and "&lt;b&gt;" in place.value
    with pytest.raises(KeyError), told_in(place):
        raise KeyError("lost")
    assert "stopped with KeyError" in words_of(place) and "Please report this" in words_of(place)


def test_a_widget_is_shown_with_its_words_and_guarded_keys(shown):
    slider = top_p_slider()
    show(slider, summary="<p>summary</p>", text="in words")
    assert shown[0]["text/html"] == "<p>summary</p>" and shown[0]["text/plain"] == "in words"
    assert "application/vnd.jupyter.widget-view+json" in shown[0]


def test_paragraphs_escape_their_text():
    assert "a &lt; b\n" in paragraph("a < b\n") and "role" not in paragraph("a")
