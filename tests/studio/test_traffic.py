"""What an endpoint does at this moment: counters, rates, and its log in short."""

import pytest

from tests.serving.conftest import ask, new_endpoint, serving, tiny_language_model
from utils.errors import EndpointError
from utils.serving.logs import RequestLog
from utils.studio.traffic import Reading, in_short, read_counters, tokens_a_second, versions_asked

ASKED = {"model": "tiny", "prompt": "the quick fox", "max_tokens": 4}


@pytest.fixture(scope="module")
def lines(tmp_path_factory) -> list[str]:
    """The log of an endpoint that was asked twice, once for a model that it does not have."""
    log = tmp_path_factory.mktemp("log") / "requests.jsonl"
    with serving(new_endpoint(tiny_language_model(), log=RequestLog(log, lost=lambda: None))) as served:
        before = read_counters(served.url)
        assert ask(f"{served.url}/completions", ASKED).status == 200
        assert ask(f"{served.url}/completions", ASKED | {"model": "other/1"}).status == 404
        after = read_counters(served.url)
        tokens = after.tokens - before.tokens
        assert (before.requests, after.requests, after.waiting) == (0, 2, 0) and 1 <= tokens <= 4
    with pytest.raises(EndpointError, match=f"The endpoint at {served.url} does not answer"):
        read_counters(served.url)
    return log.read_text().splitlines()


def test_the_log_in_short_has_a_line_for_each_prompt(lines):
    answered, refused = in_short(["Ready.", *lines])[1:]
    assert "200 POST /v1/completions  tiny  " in answered and " + 4 tokens  " in answered and answered.endswith(" s")
    assert "404 POST /v1/completions  other/1" in refused
    assert in_short(["Ready.", "{", "[1]", *lines])[:3] == ["Ready.", "{", "[1]"]


def test_versions_are_counted_by_what_they_answered(lines):
    assert versions_asked(lines) == {"": 1}
    split = [line.replace('"version": ""', '"version": "task/2"') for line in lines]
    assert versions_asked([*lines, *split, *split, "Ready."]) == {"": 1, "task/2": 2}


def test_tokens_a_second_fall_to_none_where_the_endpoint_was_started_anew():
    readings = [
        Reading(1, 10, 0, at=0.0),
        Reading(2, 30, 0, at=2.0),
        Reading(0, 0, 0, at=3.0),
        Reading(1, 5, 0, at=4.0),
    ]
    assert tokens_a_second(readings) == [10.0, 0.0, 5.0]
    assert tokens_a_second(readings[:1]) == []
