"""What a learner is told before training: the linter, the loss mask's preview and the estimate."""

import copy
import html
import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from tokenizers.normalizers import Lowercase, Replace, Sequence

from utils.adapters.methods import METHODS
from utils.datasets.dialogues import load_dialogues
from utils.datasets.records import TextToText
from utils.errors import DataError, UnsupportedSetting
from utils.training.linter import Report, lint, require_usable
from utils.training.masking import loss_mask
from utils.training.records import encode
from utils.tuning.estimation import Estimate, estimate


def records(number: int, start: int = 0) -> list[TextToText]:
    return [TextToText(f"question {n}", f"answer {n}") for n in range(start, start + number)]


def finding(report: Report, check: str):
    return next(finding for finding in report.findings if finding.check == check)


@pytest.mark.parametrize(
    ("number", "level"), [(0, "error"), (9, "error"), (10, "advice"), (99, "advice"), (100, "ok"), (1000, "ok")]
)
def test_too_few_records_are_an_error_and_few_an_advice(tiny, number, level):
    report = lint(records(number), model=tiny)
    assert finding(report, "count").level == level
    assert report.refused == (level == "error")


def test_more_than_a_thousand_records_are_an_advice(tiny):
    assert finding(lint(records(1001), model=tiny), "count").level == "advice"


def test_good_data_is_ok_in_every_check(tiny):
    report = lint(records(120), records(10, start=500), model=tiny)
    assert {finding.level for finding in report.findings} == {"ok"}
    require_usable(report)


def test_repeated_records_are_named_from_1_and_five_at_most(tiny):
    train = records(20)
    assert "training record 21:" in finding(lint([*train, train[3]], model=tiny), "duplicates").text
    many = finding(lint(train + train, model=tiny), "duplicates")
    assert many.level == "advice" and "training records 21, 22, 23, 24, 25 and 15 more:" in many.text


def test_one_input_with_two_outputs_is_a_contradiction_and_no_duplicate(tiny):
    report = lint([*records(20), TextToText("question 4", "another")], model=tiny)
    assert "training records 5, 21:" in finding(report, "contradictions").text
    assert finding(report, "duplicates").level == "ok"
    assert finding(lint([*records(20), *records(1)], model=tiny), "contradictions").level == "ok"


def test_leakage_is_found_whatever_the_case_and_the_spaces(tiny):
    validation = [TextToText("new", "x"), TextToText("  Question \n 7", "y")]
    leak = finding(lint(records(20), validation, model=tiny), "leakage")
    assert leak.level == "advice" and "validation record 2:" in leak.text


def test_blank_fields_are_errors_in_both_splits(tiny):
    report = lint([*records(20), TextToText(" \n", "x")], [TextToText("x", "")], model=tiny)
    blank = finding(report, "blank")
    assert blank.level == "error"
    assert "the input of training record 21 and in the output of validation record 1:" in blank.text


def test_what_does_not_fit_into_the_window_is_an_error_naming_the_longest(tiny):
    window = tiny.context_window
    long = [TextToText("a" * (window + 5), "b"), TextToText("a" * (window + 9), "b")]
    length = finding(lint([*records(20), *long], model=tiny), "length")
    tokens = len(encode(tiny, long[1]).prompt) + (
        0 if tiny.is_encoder_decoder else len(encode(tiny, long[1]).completion)
    )
    assert length.level == "error"
    assert f"{window:,} tokens is too small for training records 21, 22;" in length.text
    assert f"training record 22, has {tokens:,} tokens" in length.text


def test_an_encoder_decoder_model_has_a_window_for_each_side(tiny):
    half = TextToText("a" * (tiny.context_window - 10), "b" * (tiny.context_window - 10))
    level = finding(lint([*records(20), half], model=tiny), "length").level
    assert level == ("ok" if tiny.is_encoder_decoder else "error")


def test_token_statistics_are_the_tokenizer_s(tiny):
    train = [TextToText("a" * n, "b") for n in (10, 20, 60)]
    prompt, completion = ([len(getattr(encode(tiny, r), side)) for r in train] for side in ("prompt", "completion"))
    said = finding(lint(train, model=tiny), "tokens").text
    assert f"prompt {prompt[0]} / {prompt[1]} / {prompt[2]}, completion {completion[0]}" in said


def test_require_usable_joins_the_errors_only(tiny):
    report = lint([TextToText("same", "x"), TextToText("same", "x"), TextToText("y", " ")], model=tiny)
    with pytest.raises(DataError) as caught:
        require_usable(report)
    assert str(caught.value) == f"{finding(report, 'count').text} {finding(report, 'blank').text}"


def test_a_report_shows_whole_sentences(tiny):
    report = lint(records(5), model=tiny)
    for found in report.findings:
        assert found.text in repr(report)
        assert html.escape(found.text) in report._repr_html_()


def test_what_the_tokenizer_has_no_token_for_is_said_with_its_records(tiny):
    train = [*records(20), TextToText("{a: {b}}", "{c}"), TextToText("(d", "e")]
    unknown = finding(lint(train, [TextToText("f", "g}")], model=tiny), "unknown")
    assert unknown.level == "advice"
    said = "'}' (4), '{' (3), '(' (1) in training records 21, 22 and validation record 1: write it in other characters"
    assert f"The tokenizer has no token for {said}" in unknown.text


def test_an_output_of_which_nothing_is_known_is_an_error(tiny):
    report = lint([*records(20), TextToText("a", "{}"), TextToText("(b)", "c")], model=tiny)
    error, advice = (found for found in report.findings if found.check == "unknown")
    assert (error.level, advice.level) == ("error", "advice") and report.refused
    assert "no token for anything in the output of training record 21:" in error.text
    assert "'{' (1), '}' (1), '(' (1), ')' (1) in training record 22:" in advice.text


def test_many_unknown_characters_are_counted_and_five_named(tiny):
    unknown = finding(lint([*records(20), TextToText("a((((([[[[]]]{{}!", "b")], model=tiny), "unknown")
    assert "'(' (5), '[' (4), ']' (3), '{' (2), '}' (1) and 1 more in training record 21" in unknown.text


def test_special_tokens_and_spaces_in_a_text_are_not_unknown(tiny):
    report = lint([*records(120), TextToText("a\t b</s>", "c</s>"), TextToText("<unk>", "d")], model=tiny)
    assert "unknown" not in {found.check for found in report.findings}


def test_a_tokenizer_that_drops_characters_without_a_word_is_found_too(tiny):
    tokenizer = copy.deepcopy(tiny.tokenizer)
    tokenizer.backend_tokenizer.normalizer = Sequence([Lowercase(), Replace("?", "")])
    model = replace(tiny, tokenizer=tokenizer)
    unknown = finding(lint([*records(20), TextToText("Who?", "ME")], model=model), "unknown")
    assert "for '?' (1) in training record 21" in unknown.text


def test_the_course_s_own_data_passes(course_model):
    report = lint(load_dialogues("train"), load_dialogues("validation"), model=course_model)
    assert {finding.level for finding in report.findings} == {"ok"}


def test_the_loss_mask_counts_the_completion_and_its_end_mark(tiny):
    mask = loss_mask(tiny, TextToText("abc", "de"))
    assert mask.completion[-3:] == ("d", "e", "</s>")
    assert len(mask.prompt) == len(encode(tiny, TextToText("abc", "de")).prompt)
    assert "[d][e][</s>]" in repr(mask) and f"{len(mask.prompt)} prompt tokens" in repr(mask)


def test_counted_tokens_differ_by_more_than_color_and_the_legend_says_so(tiny):
    mask = loss_mask(tiny, TextToText("abc", "de"))
    spans = re.findall(r'<span style="([^"]*)">', mask._repr_html_())
    counted = [style for style in spans if "underline" in style and "font-weight: 700" in style]
    assert len(spans) == len(mask.prompt) + len(mask.completion) and len(counted) == len(mask.completion)
    assert "Bold and underlined" in mask._repr_html_()


def test_a_long_prompt_shows_its_ends_and_says_what_is_left_out(tiny):
    mask = loss_mask(tiny, TextToText("a" * 30 + "b" * 30, "c"))
    assert f"... {len(mask.prompt) - 40} tokens ..." in mask._repr_html_()
    assert mask._repr_html_().count("<span") == 40 + len(mask.completion)


def test_tokens_of_the_loss_mask_are_escaped_and_line_breaks_seen(course_model):
    mask = loss_mask(course_model, TextToText("x <script>\n", "<b>bold</b>"))
    assert "<script" not in mask._repr_html_() and "<b>" not in mask._repr_html_()
    assert "\N{RETURN SYMBOL}" in "".join(mask.prompt) and "<b>bold</b>" in "".join(mask.completion)


@pytest.mark.parametrize("name", ["lora", "full", "last-blocks"])
def test_an_estimate_grows_with_the_job_and_leaves_the_model_alone(tiny, name):
    before, method = tiny.fingerprint, METHODS[name]
    small = estimate(tiny, method, records(20), epochs=1, batch_size=4)
    large = estimate(tiny, method, records(400), records(40), epochs=10, batch_size=4)
    assert large.seconds > 20 * small.seconds > 0
    assert tiny.fingerprint == before


@pytest.mark.parametrize("saved_model", ["llama"], indirect=True)
def test_an_estimate_takes_what_a_job_takes_and_refuses_what_a_job_refuses(tiny):
    ask = partial(estimate, tiny, METHODS["lora"])
    pairs = [(record.input_text, record.output_text) for record in records(8)]
    assert ask(pairs, epochs=np.int64(1), batch_size=np.int32(4)).memory_bytes > 0
    for wrong in ({"epochs": 1.5}, {"epochs": 0}, {"batch_size": 4.0}, {"batch_size": True}, {"epochs": float("inf")}):
        with pytest.raises(UnsupportedSetting, match="was given"):
            ask(pairs, **{"epochs": 1, "batch_size": 4, **wrong})
    for data, says in (([], "no training records"), ("ab", "given in a list"), ([("a", 1)], "number 1")):
        with pytest.raises(DataError, match=says):
            ask(data, epochs=1, batch_size=4)


def test_the_memory_of_an_estimate_is_weights_five_times_the_trained_and_activations(tiny):
    weights = sum(weight.nbytes for weight in tiny.model.parameters())
    one = estimate(tiny, METHODS["full"], records(40), epochs=1, batch_size=1).memory_bytes
    eight = estimate(tiny, METHODS["full"], records(40), epochs=1, batch_size=8).memory_bytes
    assert one > 6 * weights
    assert 4 < (eight - 6 * weights) / (one - 6 * weights) < 9  # packed records share their beginning


def test_an_estimate_keeps_to_the_trunk_s_memory_where_top_blocks_are_tuned(course_model):
    train = load_dialogues("train")[:4]
    method = replace(METHODS["lora-top"], top_blocks=1)
    top = estimate(course_model, method, train, epochs=1, batch_size=1)
    weights = sum(weight.nbytes for weight in course_model.model.parameters())
    assert 0 < top.memory_bytes - weights < 0.2 * weights


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "1 second"), (59, "59 seconds"), (240, "4 minutes"), (7300, "2 hours")]
)
def test_an_estimate_is_said_in_plain_words(seconds, said):
    assert str(Estimate(seconds, 1_900_000_000)) == f"about {said} and 1.9 GB of memory on this machine"
