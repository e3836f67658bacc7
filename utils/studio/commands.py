"""What a button does, as the command that does the same: both are made of one thing, so they cannot differ."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from types import FunctionType
from typing import Any, Protocol
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

from utils.errors import EndpointError, short_reason

SECONDS = 150.0
"""How long an endpoint may take to answer; to load an adapter takes seconds, a completion its deadline."""
JSON = {"content-type": "application/json"}


class Command(Protocol):
    """Something to do, here or by hand."""

    @property
    def text(self) -> str:
        """What to type to do the same: the shell's or Python's."""
        ...

    def run(self) -> Any:
        """Do it and return what comes of it. Raises CourseError."""
        ...


@dataclass(frozen=True)
class Call:
    """A call of a function that its room exports."""

    function: FunctionType
    arguments: tuple[Any, ...] = ()
    named: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The call in Python."""
        room, name = ".".join(self.function.__module__.split(".")[:2]), self.function.__name__
        given = [*map(repr, self.arguments), *(f"{key}={value!r}" for key, value in self.named.items())]
        return f"from {room} import {name}\n\n{name}({', '.join(given)})"

    def run(self) -> Any:
        """Call it."""
        return self.function(*self.arguments, **self.named)


@dataclass(frozen=True)
class Ask:
    """A request to an endpoint: address, method of HTTP, body as JSON."""

    address: str
    method: str = "GET"
    body: Mapping[str, Any] | None = None

    @property
    def text(self) -> str:
        """The request with curl."""
        method = [] if self.method == ("GET" if self.body is None else "POST") else ["-X", self.method]
        command = shlex.join(["curl", "--fail-with-body", *method, self.address])
        if self.body is None:
            return command
        body = shlex.quote(json.dumps(self.body, ensure_ascii=False))
        return f"{command} \\\n  -H 'content-type: application/json' \\\n  -d {body}"

    def run(self) -> Any:
        """Send it and return the answer's JSON. Raises EndpointError, in the endpoint's own words."""
        data = None if self.body is None else json.dumps(self.body).encode()
        request = Request(self.address, data, JSON if data else {}, method=self.method)
        try:
            with urlopen(request, timeout=SECONDS) as answer:
                return json.load(answer)
        except HTTPError as error:
            with error:
                raise EndpointError(_said(error)) from None
        except (OSError, HTTPException, ValueError) as error:
            raise EndpointError(f"No endpoint answers at {self.address} ({short_reason(error)}).") from None


def models(url: str) -> Ask:
    """Return the question for the names that an endpoint serves. url: ends with /v1, here and below."""
    return Ask(f"{url}/models")


def adapters(url: str) -> Ask:
    """Return the question for the adapters that an endpoint holds."""
    return Ask(f"{url}/adapters")


def load(url: str, reference: str) -> Ask:
    """Return what makes an endpoint hold a registered adapter, under its reference."""
    return Ask(f"{url}/adapters", "POST", {"reference": reference})


def split(url: str, name: str, weights: Mapping[str, float]) -> Ask:
    """Return what splits a name's traffic between references by weights."""
    return Ask(_at(url, name), "PUT", {"split": dict(weights)})


def drop(url: str, name: str) -> Ask:
    """Return what makes an endpoint answer no more under a name."""
    return Ask(_at(url, name), "DELETE")


def complete(url: str, name: str, prompt: str, *, max_tokens: int, user: str = "") -> Ask:
    """Return what asks for a greedy completion; user: whose request it is, for a split."""
    asked = {"model": name, "prompt": prompt, "max_tokens": max_tokens, "temperature": 0}
    return Ask(f"{url}/completions", "POST", asked | ({"user": user} if user else {}))


def answered_by(answer: Mapping[str, Any]) -> str:
    """Return the version that wrote an answer of this course's endpoint, such as "name/3"; empty for the base.

    Its system_fingerprint holds a hash of the base's weights and, behind it, the version and a hash of the adapter's.
    """
    return " ".join(answer["system_fingerprint"].split(" ")[1:-1])


def _at(url: str, name: str) -> str:
    return f"{url}/adapters/{quote(name, safe='/@')}"


def _said(error: HTTPError) -> str:
    try:
        return str(json.load(error)["error"]["message"])
    except (ValueError, LookupError, TypeError):
        return f"The endpoint answers {error.code}: {error.reason}."
