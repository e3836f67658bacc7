"""From OpenAI's JSON to what the scheduler is asked: prompts in tokens, settings checked, a seed for every choice."""

import json
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import SystemRandom
from typing import Any

from utils.errors import CourseError
from utils.internals import virtual_tokens
from utils.logits.config import DecodingConfig
from utils.models.language_model import LanguageModel
from utils.prompts.conversations import conversation
from utils.serving.endpoint import Endpoint
from utils.serving.openai_schema import ChatRequest, CompletionRequest, JsonSchema, PlainText, Sampled, Turn
from utils.serving.refusals import Refusal
from utils.serving.requests import Adapter, Request
from utils.serving.settings import Limits

COMPLETION_TOKENS = 16
"""A completion's length where none is asked for, as OpenAI has it."""

SETTINGS = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "order", "seed", "stop")
SEEDS = 2**63


@dataclass(frozen=True)
class Prompt:
    """A prompt as text and as the model reads it."""

    text: str
    ids: tuple[int, ...]


@dataclass(frozen=True)
class Question:
    """What a client asks: n choices for each prompt, a request for each choice, the first prompt's choices first."""

    prompts: Sequence[Prompt]
    requests: Sequence[Request]
    adapter: Adapter | None

    def prompt_of(self, number: int) -> Prompt:
        """Return the prompt of a request."""
        return self.prompts[number * len(self.prompts) // len(self.requests)]


def completion_question(endpoint: Endpoint, asked: CompletionRequest) -> Question:
    """Return what a call of /v1/completions asks. Raises Refusal, which names the field."""
    adapter = endpoint.adapters.find(asked.model, user=asked.user or "")
    given = _listed(asked.prompt)
    _check(asked, prompts=len(given), limits=endpoint.limits)
    if asked.best_of not in (None, asked.n or 1):
        raise Refusal("best_of is not supported: leave it out, or give it the value of n.", parameter="best_of")
    tokens = COMPLETION_TOKENS if asked.max_tokens is None else asked.max_tokens
    if tokens == 0 and not asked.echo:
        raise Refusal("With max_tokens 0 and without echo there is no answer: ask for a token.", parameter="max_tokens")
    request = Request(
        prompt=(),
        config=_config(asked, tokens=max(tokens, 1)),
        adapter=adapter,
        bias=_bias(endpoint.model, asked),
        logprobs=asked.logprobs,
        read_prompt=bool(asked.echo) and asked.logprobs is not None,
        only_prompt=tokens == 0,
    )
    return _question(asked, [_prompt(endpoint.model, one) for one in given], request)


def chat_question(endpoint: Endpoint, asked: ChatRequest) -> Question:
    """Return what a call of /v1/chat/completions asks. Raises Refusal, which names the field."""
    adapter = endpoint.adapters.find(asked.model, user=asked.user or "")
    _check(asked, prompts=1, limits=endpoint.limits)
    if asked.top_logprobs is not None and not asked.logprobs:
        raise Refusal("top_logprobs is told beside logprobs: set logprobs to true.", parameter="top_logprobs")
    with _blaming("messages"):
        text = conversation(endpoint.model.tokenizer, [_turn(turn) for turn in asked.messages])
        prompt = _prompt(endpoint.model, text)
    model = adapter.model if adapter and adapter.model else endpoint.model
    left = model.context_window - len(prompt.ids) - virtual_tokens(model.model)
    request = Request(
        prompt=(),
        config=_config(asked, tokens=_answer_tokens(asked) or max(1, min(left, endpoint.limits.tokens))),
        adapter=adapter,
        bias=_bias(endpoint.model, asked),
        logprobs=(asked.top_logprobs or 0) if asked.logprobs else None,
        schema=_schema(asked),
    )
    return _question(asked, [prompt], request)


def _question(asked: Sampled, prompts: Sequence[Prompt], request: Request) -> Question:
    n = asked.n or 1
    with _blaming("seed"):
        requests = [
            replace(request, prompt=prompts[k // n].ids, config=replace(request.config, seed=seed))
            for k, seed in enumerate(_seeds(prompts, n=n, seed=asked.seed))
        ]
    return Question(prompts, requests, request.adapter)


def _seeds(prompts: Sequence[Prompt], *, n: int, seed: int | None) -> list[int]:
    """Return a seed for each choice: as in `LanguageModel.generate`, a prompt that stands again goes on counting."""
    if seed is None:
        return [SystemRandom().randrange(SEEDS) for _ in range(n * len(prompts))]
    return [seed + prompts[:k].count(prompt) * n + choice for k, prompt in enumerate(prompts) for choice in range(n)]


def _check(asked: Sampled, *, prompts: int, limits: Limits) -> None:
    n = asked.n or 1
    if n * prompts > limits.choices:
        raise Refusal(
            f"{n * prompts} completions are asked for at once: at most {limits.choices} are written.",
            parameter="n" if n > 1 else "prompt",
        )
    if asked.stream_options and not asked.stream:
        raise Refusal("stream_options belongs to a stream: set stream to true.", parameter="stream_options")


def _config(asked: Sampled, *, tokens: int) -> DecodingConfig:
    settings: dict[str, Any] = {name: value for name in SETTINGS if (value := getattr(asked, name)) is not None}
    if isinstance(asked.stop, str):
        settings["stop"] = [asked.stop]
    for name, value in settings.items():  # each by itself, so that the refusal can name it
        with _blaming(name):
            DecodingConfig(**{name: value})
    with _blaming("max_tokens"):
        return DecodingConfig(**settings, max_new_tokens=tokens)


def _bias(model: LanguageModel, asked: Sampled) -> dict[int, float]:
    bias = {int(token): value for token, value in (asked.logit_bias or {}).items()}
    _check_ids(model, bias, "logit_bias")
    return bias


def _prompt(model: LanguageModel, given: str | Sequence[int]) -> Prompt:
    if isinstance(given, str):
        with _blaming("prompt"):
            return Prompt(given, tuple(model.encode(given)))
    _check_ids(model, given, "prompt")
    return Prompt(model.decode(given), tuple(given))


def _check_ids(model: LanguageModel, ids: Iterable[int], parameter: str) -> None:
    wrong = next((token for token in ids if token >= model.embedded), None)
    if wrong is not None:
        raise Refusal(f"{wrong} is no token: ids go from 0 to {model.embedded - 1}.", parameter=parameter)


def _listed(prompt: str | list[int] | list[str] | list[list[int]]) -> list[Any]:
    return [prompt] if isinstance(prompt, str) or isinstance(prompt[0], int) else list(prompt)


def _turn(turn: Turn) -> dict[str, str]:
    text = turn.content if isinstance(turn.content, str) else "\n".join(part.text for part in turn.content)
    return {"role": "system" if turn.role == "developer" else turn.role, "content": text}


def _answer_tokens(asked: ChatRequest) -> int | None:
    if asked.max_tokens and asked.max_completion_tokens and asked.max_tokens != asked.max_completion_tokens:
        raise Refusal("max_tokens is the old name of max_completion_tokens: give one of them.", parameter="max_tokens")
    return asked.max_completion_tokens or asked.max_tokens


def _schema(asked: ChatRequest) -> str | None:
    wanted = asked.response_format
    if wanted is None or isinstance(wanted, PlainText):
        return None
    return json.dumps(wanted.json_schema.json_schema if isinstance(wanted, JsonSchema) else {"type": "object"})


@contextmanager
def _blaming(parameter: str) -> Generator[None]:
    """Turn the course's own errors into refusals that name a field."""
    try:
        yield
    except Refusal:
        raise
    except CourseError as error:
        raise Refusal(str(error), parameter=parameter) from None
