"""The OpenAI interface: /v1/models, /v1/completions, /v1/chat/completions."""

import time
import uuid
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from utils.serving.answering import EVENTS, EventStream, answer, completed, unless_gone
from utils.serving.bodies import JsonRoute
from utils.serving.endpoint import Endpoint
from utils.serving.openai_answers import ChatWriter, CompletionWriter, Writer, streamed_answer, whole_answer
from utils.serving.openai_requests import Question, chat_question, completion_question
from utils.serving.openai_schema import (
    ChatAnswer,
    ChatRequest,
    CompletionAnswer,
    CompletionRequest,
    ErrorAnswer,
    Model,
    Models,
    Sampled,
)
from utils.serving.refusals import Refusal

ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorAnswer, "description": "The request is not answered: `param` names the field to blame."},
    "5XX": {"model": ErrorAnswer, "description": "The endpoint cannot answer now."},
}
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer; with `stream`, its chunks as server-sent events, the last of them [DONE].",
        "content": {EVENTS: {"schema": {"type": "object", "properties": {"data": {"type": "string"}}}}},
    }
}


def openai_routes(endpoint: Endpoint) -> APIRouter:
    """Return the routes that OpenAI's clients ask."""
    routes = APIRouter(prefix="/v1", tags=["OpenAI"], route_class=JsonRoute, responses=ERRORS)
    base, begun = endpoint.model, int(time.time())
    fingerprint = base.fingerprint

    def described(name: str) -> Model:
        return Model(
            id=name,
            object="model",
            created=begun,
            owned_by="course",
            max_model_len=base.context_window,
            parent=None if name == base.name else base.name,
        )

    def head(kind: str, question: Question, asked: Sampled) -> dict[str, Any]:
        adapter = question.adapter
        version = (adapter.reference, adapter.fingerprint) if adapter else ()
        return {
            "id": f"{kind}-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": asked.model,
            "system_fingerprint": " ".join((fingerprint, *version)),
        }

    async def written(
        writer: Writer, head: Mapping[str, Any], question: Question, asked: Sampled, client: HttpRequest
    ) -> Response:
        record = client.state.record
        if asked.stream:
            counted = bool(asked.stream_options and asked.stream_options.include_usage)
            events = answer(endpoint, question.requests, record)
            chunks = streamed_answer(writer, head, question, events, include_usage=counted)
            return EventStream(await unless_gone(client, anext(chunks)), chunks)
        completions = await unless_gone(client, completed(endpoint, question.requests, record))
        whole = await run_in_threadpool(whole_answer, writer, head, question, completions)
        return Response(whole.model_dump_json(), media_type="application/json")

    @routes.get("/models")
    async def list_models() -> Models:
        """List the base and the adapters, by the names that a request gives."""
        return Models(object="list", data=[described(name) for name in endpoint.adapters.names()])

    @routes.get("/models/{name:path}")
    async def find_model(name: str) -> Model:
        """Describe one of them."""
        endpoint.adapters.find(name)
        return described(name)

    @routes.post("/completions", response_model=CompletionAnswer, responses=STREAMED)
    async def complete(asked: CompletionRequest, client: HttpRequest) -> Response:
        """Continue prompts."""
        client.state.record.model = asked.model
        question = await run_in_threadpool(completion_question, endpoint, asked)
        writer = CompletionWriter(base.tokenizer, question, echo=bool(asked.echo))
        return await written(writer, head("cmpl", question, asked), question, asked, client)

    @routes.post("/chat/completions", response_model=ChatAnswer, responses=STREAMED)
    async def chat(asked: ChatRequest, client: HttpRequest) -> Response:
        """Answer with the assistant's next turn."""
        client.state.record.model = asked.model
        with renamed(chat_names(asked)):
            question = await run_in_threadpool(chat_question, endpoint, asked)
            writer = ChatWriter(base.tokenizer)
            return await written(writer, head("chatcmpl", question, asked), question, asked, client)

    return routes


def chat_names(asked: ChatRequest) -> dict[str, str]:
    """Return the names that a chat has for the fields that a refusal blames."""
    names = {"prompt": "messages", "schema": "response_format"}
    return names if asked.max_tokens else {**names, "max_tokens": "max_completion_tokens"}


@contextmanager
def renamed(names: Mapping[str, str]) -> Generator[None]:
    """Give a refusal the names that an interface has for its fields."""
    try:
        yield
    except Refusal as refusal:
        refusal.parameter = names.get(refusal.parameter or "", refusal.parameter)
        raise
