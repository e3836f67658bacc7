"""How connections are bounded: their number, the time for a request to arrive whole, and the time to take an answer."""

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from utils.internals import answer_and_close, awaits_request, scope_under_way
from utils.serving.endpoint import Endpoint
from utils.serving.error_answers import error_response
from utils.serving.logs import Record
from utils.serving.middleware import ENDED, Recorded, write_down
from utils.serving.refusals import BAD, TIMEOUT, UNAVAILABLE, Refusal

CLOSE = (b"connection", b"close")
UNREAD = "unknown"
"""The interface, for log and metrics, of a request whose path has not been read."""


class Connection(H11Protocol):
    """One client's connection, by uvicorn's HTTP/1.1 protocol with limits.

    When `limits.connections` are open, a new one takes the place of the one that has kept its request to itself for
    the longest time; only where all of them are being answered is it told 503. A request must arrive whole within
    `header_seconds`, and its answer must be taken soon after the deadline of a completion. What comes before the
    answer is complete is kept for later, up to `body` bytes: whoever stops reading does not see a client leave.
    """

    def __init__(self, endpoint: Endpoint, **options: Any) -> None:
        super().__init__(**options)
        self.endpoint, self.limits = endpoint, endpoint.limits
        self.timer: asyncio.TimerHandle | None = None
        self.early = bytearray()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._within(self.limits.header_seconds, self._late)
        if len(self.connections) > self.limits.connections:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Read what a client sends."""
        if not awaits_request(self):
            return self._keep(data)
        if self.timeout_keep_alive_task is not None:  # the first bytes of another request
            self._within(self.limits.header_seconds, self._late)
        super().data_received(data)
        self._allow_an_answer()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request, or answer one that is here already."""
        self._within(self.limits.header_seconds, self._late)
        super().on_response_complete()
        self._allow_an_answer()
        if self.early:
            early, self.early = bytes(self.early), bytearray()
            self.data_received(early)

    def connection_lost(self, exc: Exception | None) -> None:
        """End with the connection."""
        if self.timer:
            self.timer.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(Refusal(msg, status=BAD))

    def _keep(self, data: bytes) -> None:
        self.early += data
        if len(self.early) > self.limits.body:
            self.transport.abort()

    def _allow_an_answer(self) -> None:
        if not awaits_request(self):
            self._within(self.limits.seconds + self.limits.header_seconds, self.transport.abort)

    def _within(self, seconds: float, then: Callable[[], None]) -> None:
        if self.timer:
            self.timer.cancel()
        self.timer = self.loop.call_later(seconds, then)

    def _late(self) -> None:
        self._refuse(Refusal(f"A request has {self.limits.header_seconds:g} s to arrive whole.", status=TIMEOUT))

    def _refuse(self, refusal: Refusal) -> None:
        """Answer in place of the application, which writes it down where it has the request already."""
        scope = scope_under_way(self)
        answer = error_response(scope["path"] if scope else "", refusal)
        if not answer_and_close(self, answer.status_code, [*answer.raw_headers, CLOSE], bytes(answer.body)):
            return
        if scope:
            scope["state"][ENDED] = refusal.status
        else:
            write_down(self.endpoint, Record(UNREAD, "", ""), refusal.status)

    def _make_room(self) -> None:
        silent = [other for other in self.connections if isinstance(other, Connection) and awaits_request(other)]
        oldest = min(silent, key=lambda other: other.timer.when() if other.timer else 0.0)
        if oldest is self:
            self.app = Recorded(_busy, self.endpoint)
        else:
            oldest.transport.close()


async def _busy(scope: Scope, receive: Receive, send: Send) -> None:
    refusal = Refusal("All connections are in use: ask again in a moment.", status=UNAVAILABLE, retry_after=1)
    answer = error_response(scope["path"], refusal)
    answer.headers["connection"] = "close"
    await answer(scope, receive, send)
