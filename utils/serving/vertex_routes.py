"""The Vertex interface: `predict`, translated into completions and back."""

from collections.abc import Iterable, Sequence
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest

from utils.serving.answering import Completion, completed, unless_gone
from utils.serving.bodies import JsonRoute
from utils.serving.endpoint import Endpoint
from utils.serving.openai_requests import Question, completion_question
from utils.serving.openai_routes import renamed
from utils.serving.openai_schema import CompletionRequest
from utils.serving.vertex_schema import (
    PredictAnswer,
    Prediction,
    PredictMetadata,
    PredictRequest,
    TokenCount,
    TokenMetadata,
    VertexErrorAnswer,
)

NAMES = {
    "model": "endpoint",
    "prompt": "instances",
    "n": "parameters.candidateCount",
    "max_tokens": "parameters.maxOutputTokens",
    "stop": "parameters.stopSequences",
}
"""What a completion's fields are called here."""

Name = Annotated[str, Path(min_length=1)]


def vertex_routes(endpoint: Endpoint) -> APIRouter:
    """Return the route that Vertex's clients ask."""
    errors = {"model": VertexErrorAnswer, "description": "The request is not answered."}
    routes = APIRouter(
        prefix="/v1/endpoints", tags=["Vertex"], route_class=JsonRoute, responses={"4XX": errors, "5XX": errors}
    )
    fingerprint = endpoint.model.fingerprint

    @routes.post("/{name:path}:predict", response_model_exclude_none=True)
    async def predict(name: Name, asked: PredictRequest, client: HttpRequest) -> PredictAnswer:
        """Continue prompts."""
        record = client.state.record
        record.model = name
        with renamed(NAMES):
            question = await run_in_threadpool(completion_question, endpoint, as_completion(name, asked))
            completions = await unless_gone(client, completed(endpoint, question.requests, record))
        adapter = question.adapter
        return PredictAnswer(
            predictions=[Prediction(content=completion.text) for completion in completions],
            metadata=_counted(question, completions),
            deployed_model_id=adapter.fingerprint if adapter else fingerprint,
            model=adapter.reference if adapter else endpoint.model.name,
            model_display_name=name,
            model_version_id=adapter.reference.rpartition("/")[2] if adapter else None,
        )

    return routes


def as_completion(name: str, asked: PredictRequest) -> CompletionRequest:
    """Return what /v1/completions would be asked for the same predictions."""
    given = asked.parameters
    return CompletionRequest(
        model=name,
        prompt=[instance.prompt for instance in asked.instances],
        n=given.candidate_count,
        max_tokens=given.max_output_tokens,
        temperature=given.temperature,
        top_k=given.top_k,
        top_p=given.top_p,
        order="studio",
        stop=given.stop_sequences,
        seed=given.seed,
    )


def _counted(question: Question, completions: Sequence[Completion]) -> PredictMetadata:
    read = _count((len(prompt.ids), prompt.text) for prompt in question.prompts)
    written = _count((completion.length, completion.text) for completion in completions)
    return PredictMetadata(token_metadata=TokenMetadata(input_token_count=read, output_token_count=written))


def _count(texts: Iterable[tuple[int, str]]) -> TokenCount:
    """Return the sums of tokens and of characters that are no white space."""
    tokens, characters = zip(*((tokens, len("".join(text.split()))) for tokens, text in texts), strict=True)
    return TokenCount(total_tokens=sum(tokens), total_billable_characters=sum(characters))
