"""From the scheduler's thread to a client: events as they come, whole completions, and clients that leave."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TypeVar

from starlette.requests import Request as HttpRequest
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from utils.serving.endpoint import Endpoint
from utils.serving.logs import Record
from utils.serving.refusals import LEFT, Refusal
from utils.serving.requests import Emit, Event, Finish, PromptScores, Request, Token
from utils.serving.scheduler import Scheduler, Ticket

EVENTS = "text/event-stream"

T = TypeVar("T")


@dataclass(frozen=True)
class Completion:
    """A completion that has ended: its tokens, the last with `finish`, and its prompt's scores if asked for."""

    tokens: tuple[Token, ...]
    scores: PromptScores | None = None

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(token.text for token in self.tokens)

    @property
    def finish(self) -> Finish:
        """Why it ended."""
        [reason] = [token.finish for token in self.tokens if token.finish]
        return reason

    @property
    def length(self) -> int:
        """How many tokens were written, one that ends the text included."""
        return count(self.tokens)


def count(tokens: Sequence[Token]) -> int:
    """Return how many of them the model wrote: behind a prompt that is only read stands none (id -1)."""
    return sum(token.id >= 0 for token in tokens)


async def answer(endpoint: Endpoint, requests: Sequence[Request], record: Record) -> AsyncGenerator[tuple[int, Event]]:
    """Yield what the scheduler answers, each event with its request's number, until every request has ended.

    Leaving it, by `aclosing` or a cancellation, frees what the requests hold. record: of the HTTP request, for the log.
    Raises Refusal if none is queued.
    """
    record.asked(requests)
    loop, events = asyncio.get_running_loop(), asyncio.Queue[tuple[int, Event]]()

    def emit(number: int, event: Event) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(events.put_nowait, (number, event))

    ticket = await _submitted(endpoint.scheduler, requests, emit)
    try:
        running = len(requests)
        while running:
            number, event = await events.get()
            running -= isinstance(event, Refusal) or (isinstance(event, Token) and event.finish is not None)
            record.saw(number, event)
            yield number, event
    finally:
        ticket.cancel()


async def _submitted(scheduler: Scheduler, requests: Sequence[Request], emit: Emit) -> Ticket:
    """Submit in a thread, as a schema takes its time; a ticket whose client is gone by then is given back."""
    submitting = asyncio.ensure_future(asyncio.to_thread(scheduler.submit, requests, emit))
    try:
        return await asyncio.shield(submitting)
    except asyncio.CancelledError:
        submitting.add_done_callback(lambda done: done.exception() or done.result().cancel())
        raise


async def completed(endpoint: Endpoint, requests: Sequence[Request], record: Record) -> list[Completion]:
    """Return a completion for each request. Raises the first Refusal; the other requests are then given up."""
    tokens: list[list[Token]] = [[] for _ in requests]
    scores: list[PromptScores | None] = [None] * len(requests)
    async with aclosing(answer(endpoint, requests, record)) as events:
        async for number, event in events:
            if isinstance(event, Refusal):
                raise event
            if isinstance(event, Token):
                tokens[number].append(event)
            else:
                scores[number] = event
    return [Completion(tuple(written), read) for written, read in zip(tokens, scores, strict=True)]


async def unless_gone(client: HttpRequest, work: Awaitable[T]) -> T:
    """Return what `work` returns; when the client leaves before, `work` is cancelled and a Refusal raised."""
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_left(client))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Refusal("The client left before the answer was written.", status=LEFT)
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(client: HttpRequest) -> None:
    while (await client.receive())["type"] != "http.disconnect":
        pass


class EventStream(StreamingResponse):
    """Server-sent events of which the first is there; whatever ends the response closes the generator of the rest."""

    media_type = EVENTS

    def __init__(self, first: str, rest: AsyncGenerator[str]) -> None:
        super().__init__(_chained(first, rest), headers={"cache-control": "no-cache"})
        self.rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as ASGI asks for it."""
        async with aclosing(self.rest):
            await super().__call__(scope, receive, send)


async def _chained(first: str, rest: AsyncGenerator[str]) -> AsyncGenerator[str]:
    yield first
    async for chunk in rest:
        yield chunk
