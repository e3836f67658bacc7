"""The OpenAI interface's JSON: what is asked, what is answered, what an error looks like.

A field that is not named here is refused. One that is here at a single value is taken at that value alone: it asks
for nothing that the endpoint does not have.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from utils.logits.config import Order
from utils.serving.requests import Finish

LOGPROBS, TOP_LOGPROBS = 5, 20
"""The most alternatives a token that a completion and a chat tell."""

STOPS = 16

Zero = Annotated[float, Field(ge=0, le=0)]
Empty = Annotated[list[Any], Field(max_length=0)]
StopString = Annotated[str, Field(min_length=1)]
TokenId = Annotated[int, Field(ge=0)]
TokenIds = Annotated[list[TokenId], Field(min_length=1)]
Texts = Annotated[list[str], Field(min_length=1)]
Bias = Annotated[
    dict[Annotated[str, Field(pattern="^[0-9]{1,9}$")], Annotated[float, Field(ge=-100, le=100)]],
    Field(json_schema_extra={"additionalProperties": False}),
]


def documented(**ranges: JsonValue) -> Any:
    """Return a field whose range is told here and checked by `DecodingConfig`, which has the better words."""
    return Field(json_schema_extra=ranges)


class Asked(BaseModel):
    """JSON that a client sends: no other fields, no other types, no NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class StreamOptions(Asked):
    """include_usage: a last chunk counts the tokens."""

    include_usage: bool | None = None
    include_obfuscation: Literal[False] | None = None


class Sampled(Asked):
    """What completions and chats have in common; top_k, min_p, repetition_penalty and order are this course's own.

    n: choices a prompt. A list of prompts, or n, takes the seeds that follow `seed`; without one each draws its own.
    """

    model: Annotated[str, Field(min_length=1)]
    n: Annotated[int, Field(ge=1)] | None = None
    max_tokens: Annotated[int, Field(ge=0)] | None = None
    temperature: Annotated[float, documented(minimum=0)] | None = None
    top_p: Annotated[float, documented(minimum=0, maximum=1)] | None = None
    top_k: Annotated[int, documented(minimum=0)] | None = None
    min_p: Annotated[float, documented(minimum=0, maximum=1)] | None = None
    repetition_penalty: Annotated[float, documented(minimum=0.01, maximum=100)] | None = None
    order: Order | None = None
    seed: Annotated[int, documented(minimum=-(10**99), maximum=10**99)] | None = None
    stop: StopString | Annotated[list[StopString], Field(max_length=STOPS)] | None = None
    logit_bias: Bias | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None
    presence_penalty: Zero | None = None
    frequency_penalty: Zero | None = None


class CompletionRequest(Sampled):
    """POST /v1/completions. echo with max_tokens 0 scores the prompt and writes nothing."""

    prompt: str | TokenIds | Texts | Annotated[list[TokenIds], Field(min_length=1)]
    echo: bool | None = None
    logprobs: Annotated[int, Field(ge=0, le=LOGPROBS)] | None = None
    suffix: None = None
    best_of: Annotated[int, Field(ge=1)] | None = None


class TextPart(Asked):
    """A part of a turn."""

    type: Literal["text"]
    text: str


class Turn(Asked):
    """A turn of a conversation; the parts of its content are joined by line breaks."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | Annotated[list[TextPart], Field(min_length=1)]
    refusal: None = None
    tool_calls: Empty | None = None


class PlainText(Asked):
    """No constraint."""

    type: Literal["text"]


class JsonObject(Asked):
    """The answer is a JSON object."""

    type: Literal["json_object"]


class NamedSchema(Asked):
    """A JSON schema; it is always obeyed, strict or not."""

    name: Annotated[str, Field(pattern="^[a-zA-Z0-9_-]{1,64}$")]
    description: str | None = None
    json_schema: Annotated[dict[str, Any], Field(alias="schema")]
    strict: bool | None = None


class JsonSchema(Asked):
    """The answer is JSON that obeys a schema."""

    type: Literal["json_schema"]
    json_schema: NamedSchema


class ChatRequest(Sampled):
    """POST /v1/chat/completions. Without max_tokens the answer may fill the window, up to the endpoint's limit."""

    messages: Annotated[list[Turn], Field(min_length=1)]
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=TOP_LOGPROBS)] | None = None
    response_format: Annotated[PlainText | JsonObject | JsonSchema, Field(discriminator="type")] | None = None
    tools: Empty | None = None
    tool_choice: Literal["none", "auto"] | None = None


class Usage(BaseModel):
    """Tokens: a prompt counts once for all its choices; a token that ends a text counts, though it has no text."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Head(BaseModel):
    """What all answers and chunks begin with; system_fingerprint: the weights that answer, and the adapter's version.

    usage: in a stream only in the last chunk, where it was asked for.
    """

    id: str
    created: int
    model: str
    system_fingerprint: str
    usage: Usage | None = None


class CompletionLogprobs(BaseModel):
    """A column a field, a row a token; text_offset: how much of the choice's text was certain before the token.

    The first token of a prompt has no log-probability. top_logprobs: the likeliest tokens and the token itself.
    """

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class CompletionChoice(BaseModel):
    """One completion, or what a chunk adds to it."""

    index: int
    text: str
    logprobs: CompletionLogprobs | None
    finish_reason: Finish | None


class CompletionAnswer(Head):
    """An answer of /v1/completions, whole or a chunk of a stream."""

    object: Literal["text_completion"]
    choices: list[CompletionChoice]


class TopLogprob(BaseModel):
    """A token that could have stood here. bytes: of its text in UTF-8, perhaps only a part of a character."""

    token: str
    logprob: float
    bytes: list[int]


class TokenLogprob(TopLogprob):
    """A token of an answer."""

    top_logprobs: list[TopLogprob]


class ChatLogprobs(BaseModel):
    """A row a token."""

    content: list[TokenLogprob]


class Message(BaseModel):
    """What the assistant says."""

    role: Literal["assistant"]
    content: str


class ChatChoice(BaseModel):
    """One answer of the assistant."""

    index: int
    message: Message
    logprobs: ChatLogprobs | None
    finish_reason: Finish


class ChatAnswer(Head):
    """An answer of /v1/chat/completions."""

    object: Literal["chat.completion"]
    choices: list[ChatChoice]


class Delta(BaseModel):
    """What a chunk adds to a message."""

    role: Literal["assistant"] | None = None
    content: str | None = None


class ChatChunkChoice(BaseModel):
    """What a chunk adds to an answer of the assistant."""

    index: int
    delta: Delta
    logprobs: ChatLogprobs | None
    finish_reason: Finish | None


class ChatChunk(Head):
    """A chunk of a streamed answer."""

    object: Literal["chat.completion.chunk"]
    choices: list[ChatChunkChoice]


class Model(BaseModel):
    """A model that can be asked. max_model_len: its context window in tokens. parent: the base of an adapter."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    max_model_len: int
    parent: str | None


class Models(BaseModel):
    """The base and the adapters."""

    object: Literal["list"]
    data: list[Model]


class ErrorDetail(BaseModel):
    """param: the field that is to blame."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorAnswer(BaseModel):
    """An error of any status, or in the middle of a stream."""

    error: ErrorDetail
