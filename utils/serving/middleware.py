"""What stands before every route: who may ask and how much, and what is written down of each request."""

import logging
import re

from fastapi import HTTPException, Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from utils.serving.endpoint import Endpoint
from utils.serving.error_answers import error_response
from utils.serving.logs import Record
from utils.serving.refusals import FAILED, LEFT, TOO_LARGE, UNAUTHORIZED, Refusal

OPEN_TO_ALL = ("/health", "/ready")
"""Paths that need no key."""

OF_OPERATIONS, OK = ("/health", "/ready", "/metrics"), 200
"""Paths that are asked every few seconds: the log does not tell of each time that all was well."""

INTERFACES = (("/v1/endpoints/", "vertex"), ("/v1/adapters", "adapters"), ("/v1/", "openai"), ("", "operations"))
"""Which interface answers a path, by what it begins with."""

OTHER_MODELS = "unknown"
"""The label in the metrics of every model that the endpoint does not have."""

ENDED = "ended"
"""Where in a request's state the connection notes the status with which it has ended the request itself."""


def write_down(endpoint: Endpoint, record: Record, status: int) -> None:
    """Count a request that has ended, and write its line."""
    known = record.model in endpoint.adapters.names()
    model = record.model if known or not record.model else OTHER_MODELS
    endpoint.metrics.answered(interface=record.interface, model=model, status=status, seconds=record.seconds)
    if record.path not in OF_OPERATIONS or status != OK:
        endpoint.log.write(record, status=status)


class Recorded:
    """Gives each request an id, and writes its line and its counters when it is answered.

    An error that nobody expected becomes a 500; its traceback goes to the server's own log alone.
    """

    def __init__(self, app: ASGIApp, endpoint: Endpoint) -> None:
        self.app, self.endpoint = app, endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as ASGI asks for it."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        path = scope["path"]
        interface = next(name for prefix, name in INTERFACES if path.startswith(prefix))
        state = scope.setdefault("state", {})
        record = state["record"] = Record(interface, scope["method"], path)
        status, complete, left = LEFT, False, False

        async def receive_noted() -> Message:
            nonlocal left
            message = await receive()
            left |= message["type"] == "http.disconnect" and not complete
            return message

        async def send_noted(message: Message) -> None:
            nonlocal status, complete
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = record.id
            else:
                complete = not message.get("more_body", False)
            await send(message)

        try:
            await self.app(scope, receive_noted, send_noted)
        except Exception as error:
            logging.getLogger("uvicorn.error").error("Request %s failed", record.id, exc_info=error)
            record.error = type(error).__name__
            if status != LEFT:  # the answer has begun, and the connection is all that can still be ended
                raise
            refusal = Refusal(f"The endpoint failed; its log tells why, under {record.id}.", status=FAILED)
            await error_response(path, refusal)(scope, receive, send_noted)
        finally:
            write_down(self.endpoint, record, state.get(ENDED, LEFT) if left else status)


class Guarded:
    """Refuses a request that calls this machine by a foreign name, lacks a key, or has too large a body."""

    def __init__(self, app: ASGIApp, endpoint: Endpoint) -> None:
        self.app, self.endpoint = app, endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as ASGI asks for it."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        refusal = self._refusal(Request(scope))
        if refusal:
            return await error_response(scope["path"], refusal)(scope, receive, send)
        await self.app(scope, self._bounded(receive), send)

    def _refusal(self, request: Request) -> Refusal | None:
        hosts, headers = self.endpoint.hosts, request.headers
        if hosts and re.sub(r":\d+$", "", headers.get("host", "")).lower() not in hosts:
            return Refusal(f"The endpoint answers only where the Host header is one of {', '.join(hosts)}.")
        given = headers.getlist("authorization")
        if request.url.path not in OPEN_TO_ALL and not self.endpoint.keys.allow(",".join(given)):
            return Refusal("A key is needed: send the header Authorization: Bearer KEY.", status=UNAUTHORIZED)
        if int(headers.get("content-length", 0)) > self.endpoint.limits.body:
            return Refusal(self._too_large, status=TOO_LARGE)
        return None

    @property
    def _too_large(self) -> str:
        return f"The body may have {self.endpoint.limits.body:,} bytes."

    def _bounded(self, receive: Receive) -> Receive:
        """Return what receives a body, and stops at the limit also where its length was not told or was a lie."""
        read = 0

        async def receive_bounded() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.endpoint.limits.body:
                raise HTTPException(TOO_LARGE, self._too_large)  # the one kind of error that FastAPI lets through
            return message

        return receive_bounded
