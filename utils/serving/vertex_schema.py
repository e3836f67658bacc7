"""The Vertex interface's JSON, as Google documents it for its text models; in Python the names have underscores.

Source: "Text", the reference of PaLM 2 for text, and PredictResponse of the API aiplatform v1.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from utils.serving.openai_schema import STOPS, Asked, StopString

CANDIDATES, TOP_K = 8, 40
"""The most candidates an instance, and the largest topK."""


class VertexAsked(Asked):
    """What a client sends, its names in camel case."""

    model_config = ConfigDict(alias_generator=to_camel)


class Instance(VertexAsked):
    """One prompt."""

    prompt: Annotated[str, Field(min_length=1)]


class Parameters(VertexAsked):
    """The settings of all instances, with the studio's ranges and defaults.

    top_k and top_p look at the model's own probabilities, the temperature comes after them; at 0 it is greedy.
    """

    temperature: Annotated[float, Field(ge=0, le=1)] = 0.0
    max_output_tokens: Annotated[int, Field(ge=1)] = 128
    top_k: Annotated[int, Field(ge=1, le=TOP_K)] = TOP_K
    top_p: Annotated[float, Field(ge=0, le=1)] = 0.95
    stop_sequences: Annotated[list[StopString], Field(max_length=STOPS, default_factory=list)]
    candidate_count: Annotated[int, Field(ge=1, le=CANDIDATES)] = 1
    seed: Annotated[int, Field(ge=-(2**31), lt=2**31)] | None = None


class PredictRequest(VertexAsked):
    """POST /v1/endpoints/{name}:predict."""

    instances: Annotated[list[Instance], Field(min_length=1)]
    parameters: Parameters = Parameters()


class VertexAnswer(BaseModel):
    """What a client gets, its names in camel case."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)


class Prediction(VertexAnswer):
    """A completion."""

    content: str


class TokenCount(VertexAnswer):
    """total_billable_characters: all but white space."""

    total_tokens: int
    total_billable_characters: int


class TokenMetadata(VertexAnswer):
    """What was read, each prompt once, and what was written, a token that ends a text included."""

    input_token_count: TokenCount
    output_token_count: TokenCount


class PredictMetadata(VertexAnswer):
    """What is told of a request as a whole."""

    token_metadata: TokenMetadata


class PredictAnswer(VertexAnswer):
    """predictions: the candidates of the first instance, then those of the next.

    deployed_model_id: a hash of all that a completion depends on. model: the base's name, or the adapter's version in
    the registry, such as "name/3"; model_version_id: its number, left out for the base.
    """

    predictions: list[Prediction]
    metadata: PredictMetadata
    deployed_model_id: str
    model: str
    model_display_name: str
    model_version_id: str | None = None


class VertexErrorDetail(BaseModel):
    """code: the HTTP status; status: its name in google.rpc.Code; details: the field that is to blame."""

    code: int
    message: str
    status: str
    details: list[dict[str, Any]] | None = None


class VertexErrorAnswer(BaseModel):
    """An error of any status."""

    error: VertexErrorDetail
