"""A request's body: JSON as its standard has it, of a bounded depth, or a sentence that says what was wrong."""

import json
import math
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute

from utils.serving.refusals import BAD, Refusal

JSON = "application/json"
UNSUPPORTED_TYPE = 415
NESTING = 64
"""How deep lists and objects may stand in each other."""
EXACT = 2**53
"""Below it every whole number is a float, too."""
DIGITS = 200
"""How long a whole number may be; Python itself refuses those of thousands of digits."""


class JsonRoute(APIRoute):
    """A route that reads strict JSON, and nothing else, where it takes a body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request, as FastAPI asks for it."""
        answer = super().get_route_handler()

        async def answer_json(request: Request) -> Response:
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if self.body_field and kind != JSON:
                raise Refusal(
                    f"The body is JSON: send it with the header Content-Type: {JSON}.", status=UNSUPPORTED_TYPE
                )
            return await answer(_JsonRequest(request.scope, request.receive))

        return answer_json


class _JsonRequest(Request):
    async def json(self) -> Any:
        """Return the body's value; FastAPI lets only an HTTPException through as it is."""
        try:
            return read_json(await self.body())
        except ValueError as error:
            raise HTTPException(BAD, f"The body is not JSON that can be read: {error}.") from None


def read_json(body: bytes) -> Any:
    """Return the value of JSON in UTF-8. Raises ValueError: no JSON, a number that is not finite, half a character."""
    try:
        text = body.decode("utf-8")
        value = json.loads(text, parse_constant=_refused, parse_float=_finite, parse_int=_whole)
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg.lower()} at character {error.pos}") from None
    except RecursionError:
        raise ValueError(f"it is nested more than {NESTING} deep") from None
    if _depth(value) > NESTING:
        raise ValueError(f"it is nested more than {NESTING} deep")
    if "\\ud" in text.lower():
        _check_characters(value)
    return value


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is no number that is taken")


def _finite(digits: str) -> float:
    """Return a number; JSON has one kind of them, so that 3.0 is 3."""
    value = float(digits)
    if not math.isfinite(value):
        _refused(digits[:20])
    return int(value) if value.is_integer() and abs(value) < EXACT else value


def _whole(digits: str) -> int:
    return int(digits) if len(digits) <= DIGITS else _refused(f"{digits[:20]}...")


def _depth(value: Any) -> int:
    """Return how many lists and objects stand in each other, without a call for each."""
    depth, level = 0, [value]
    while level := [part for part in level if isinstance(part, dict | list)]:
        depth += 1
        level = [inner for part in level for inner in (part.values() if isinstance(part, dict) else part)]
    return depth


def _check_characters(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("an escape \\ud... stands alone: it is half a character") from None
