"""What an endpoint does at this moment: its counters, what they come to a second, what it holds, its log in short."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http.client import HTTPException
from itertools import pairwise
from typing import Any
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from utils.errors import CourseError, EndpointError, short_reason
from utils.serving.deployments import Deployment, Status
from utils.studio.commands import adapters, models

SECONDS = 5.0
"""How long an endpoint may take to say its counters."""
LINES, SHOWN = 200, 30
"""Of the log: how many lines are read, and how many of those in short are shown."""
ASKED = ("openai", "vertex")
"""The interfaces whose requests are counted: those that answer prompts."""


@dataclass(frozen=True)
class Reading:
    """What an endpoint has counted since it started.

    requests: answered ones for completions; tokens: written; waiting: completions in the queue; at: seconds of the
    monotonic clock.
    """

    requests: int
    tokens: int
    waiting: int
    at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Snapshot:
    """An endpoint at a moment.

    names: that clients give, the base's first; held: what answers under the others, as /v1/adapters says; both only
    where they were asked for. log: its last lines in short. versions: how many of the
    last requests each version answered. problem: why it does not answer, though its process runs.
    """

    status: Status
    reading: Reading | None = None
    names: Sequence[str] | None = None
    held: Sequence[Mapping[str, Any]] | None = None
    log: Sequence[str] = ()
    versions: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""


def look(deployment: Deployment, *, held: bool = True) -> Snapshot:
    """Return how an endpoint is now. held: whether it is asked what it serves, too."""
    status = deployment.status
    lines = deployment.log(lines=LINES).splitlines()
    seen = Snapshot(status, log=in_short(lines)[-SHOWN:], versions=versions_asked(lines))
    if status != "ready":
        return seen
    try:
        seen = replace(seen, reading=read_counters(deployment.url))
        if not held:
            return seen
        names = [model["id"] for model in models(deployment.url).run()["data"]]
        return replace(seen, names=names, held=adapters(deployment.url).run()["data"])
    except CourseError as error:
        return replace(seen, problem=str(error))


def read_counters(url: str) -> Reading:
    """Return an endpoint's counters from its /metrics, in Prometheus' text format. url: ends with /v1.

    Raises EndpointError.
    """
    try:
        with urlopen(f"{url.removesuffix('/v1')}/metrics", timeout=SECONDS) as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
    except (OSError, HTTPException, ValueError) as error:
        raise EndpointError(f"The endpoint at {url} does not answer ({short_reason(error)}).") from None
    samples = [sample for family in families for sample in family.samples]

    def total(name: str) -> int:
        """Add up a counter; a request that names no model asks about the endpoint itself, and does not count."""
        return int(sum(one.value for one in samples if one.name == name and one.labels.get("model") != ""))

    return Reading(total("endpoint_requests_total"), total("endpoint_tokens_total"), total("endpoint_queue_length"))


def tokens_a_second(readings: Sequence[Reading]) -> list[float]:
    """Return the tokens a second between each two readings; 0 where the endpoint was started anew between them."""
    return [max(0.0, (now.tokens - before.tokens) / (now.at - before.at)) for before, now in pairwise(readings)]


def in_short(log: Iterable[str]) -> list[str]:
    """Return a log's lines for people: who asked what, which version answered, how long it took.

    Questions about the endpoint itself (GET) are left out; what is no request stands as it is.
    """
    return [_in_short(line, asked) for line, asked in _parsed(log) if asked is None or asked["method"] != "GET"]


def versions_asked(log: Iterable[str]) -> Counter[str]:
    """Return how many of a log's completions each version has answered; the base has no version, ""."""
    answers = (asked for _, asked in _parsed(log) if asked and asked["interface"] in ASKED and asked["status"] == 200)
    return Counter(asked["version"] for asked in answers if asked["method"] == "POST")


def _parsed(log: Iterable[str]) -> Iterator[tuple[str, dict[str, Any] | None]]:
    for line in log:
        try:
            asked = json.loads(line)
            yield line, asked if isinstance(asked, dict) and "interface" in asked else None
        except ValueError:
            yield line, None


def _in_short(line: str, asked: dict[str, Any] | None) -> str:
    if asked is None:
        return line
    tokens = f"{asked['prompt_tokens']} + {asked['completion_tokens']} tokens" if asked["prompt_tokens"] else ""
    who = asked["version"] or asked["model"]
    parts = (f"{asked['status']} {asked['method']} {asked['path']}", who, tokens, f"{asked['seconds']:.2f} s")
    return "  ".join(filter(None, (asked["time"][11:19], *parts, asked["error"])))
