"""A language model behind an address: what it is asked goes to an OpenAI-compatible endpoint."""

import hashlib
import os
import secrets
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from utils.arguments import texts
from utils.errors import ContextWindowExceeded, EndpointError, UnsupportedSetting, short_reason
from utils.logits.config import DecodingConfig
from utils.models.language_model import UNSTATED_WINDOW, LanguageModel, seeds_of, with_text
from utils.models.settings import read_settings
from utils.progress import working

if TYPE_CHECKING:
    from openai import APIError, OpenAI
    from openai.types import Completion

KEY = "COURSE_ENDPOINT_KEY"

Asked = str | Sequence[Mapping[str, str]]
"""A prompt, or the messages of a chat, each with its role and content."""

AT_ONCE = 8
"""How many prompts of a list are asked at once: the endpoint makes its batches of all that comes."""

LOOKS_SECONDS, READ_SECONDS, RETRIES = 5.0, 180.0, 5
"""How long an endpoint may take to say which models it has, and to complete a prompt; how often it is asked again."""

INSIDE = {
    "model": "what looks inside of it (logits, attention, adapters, tuning)",
    "tokenizer": "what looks at single tokens",
}
OTHERS = ("top_p", "top_k", "min_p", "repetition_penalty", "order")
"""Settings that are sent where they are not off: OpenAI's interface has the first only."""


class Refused(EndpointError):
    """An endpoint does not take what it was asked (400, 422). said: its own words; parameter: the field it blames."""

    def __init__(self, address: str, said: str, parameter: str | None) -> None:
        super().__init__(f"The endpoint at {address} does not take this: {said}")
        self.said, self.parameter = said, parameter


@dataclass(frozen=True)
class EndpointModel(LanguageModel):
    """A model that an endpoint answers for: it completes and counts; what needs its inside says so.

    name: "http://host:port/v1#model". client: asks again after 429, 5xx and a broken connection, and waits as long
    as the endpoint says (Retry-After).
    """

    model: PreTrainedModel = field(init=False, repr=False, compare=False)
    tokenizer: PreTrainedTokenizerBase = field(init=False, repr=False, compare=False)
    client: "OpenAI" = field(repr=False, compare=False)
    session: str = field(default_factory=secrets.token_hex, repr=False, compare=False)

    def __getattr__(self, name: str) -> Any:
        """Say in a sentence that the model and its tokenizer are not here: the two fields are never set."""
        if name in INSIDE:
            raise UnsupportedSetting(self._needs_a_model_here(INSIDE[name]))
        raise AttributeError(f"{type(self).__name__} has no {name}", name=name, obj=self)

    @property
    def address(self) -> str:
        """Where the endpoint answers."""
        return self.name.partition("#")[0]

    @property
    def is_encoder_decoder(self) -> bool:
        """False: what an endpoint counts, prompt and completion, shares one window."""
        return False

    @property
    def virtual_tokens(self) -> int:
        """0: a soft prompt is the endpoint's own affair."""
        return 0

    @property
    def fingerprint(self) -> str:
        """A short hash of the address, the model's name, and what the endpoint says of its state.

        An endpoint that does not say (`system_fingerprint`) may change unseen: its results are kept for this object.
        """
        state = self._ask(".", max_tokens=1).system_fingerprint or self.session
        return hashlib.sha256(f"{self.name} {state}".encode()).hexdigest()[:16]

    def count_tokens(self, prompt: str) -> int:
        """Return how many tokens of the context window a prompt takes, as the endpoint counts them (`usage`)."""
        try:
            usage = self._ask(with_text(prompt), max_tokens=1).usage
        except Refused as refused:  # nothing but its length can be to blame
            raise ContextWindowExceeded(f"The endpoint does not read the prompt: {refused.said}") from None
        if usage is None:
            raise UnsupportedSetting(self._needs_a_model_here("what counts tokens"))
        return usage.prompt_tokens

    def completions(self, prompts: Sequence[str], **settings: Any) -> Iterator[tuple[int, str]]:
        """Yield each prompt's number in the list, from 0, and its completion, as they come; settings: `generate`."""
        listed, chosen = [with_text(prompt) for prompt in texts(prompts, "prompts")], read_settings(settings)
        if chosen.others:
            raise UnsupportedSetting(self._needs_a_model_here(", ".join(chosen.others)))
        return self._side_by_side(listed, seeds_of(listed, chosen.config.seed), chosen.config)

    def stream(self, asked: Asked, config: DecodingConfig) -> Iterator[tuple[str, str | None]]:
        """Yield a completion as the endpoint sends it: what each piece adds, and `finish_reason` with the last one.

        asked: a prompt, or the messages of a chat. Raises EmptyPrompt, ContextWindowExceeded, UnsupportedSetting,
        EndpointError, all when the first piece is asked for.
        """
        settings = as_sent(config, config.seed)
        with (
            self._refusals_explained(asked, config),
            _in_words(self.address),
            self._request(asked, extra_body=settings, stream=True) as chunks,
        ):
            for chunk in chunks:
                for choice in chunk.choices:
                    added = choice.text if isinstance(asked, str) else choice.delta.content
                    yield added or "", choice.finish_reason

    def _side_by_side(
        self, prompts: Sequence[str], seeds: Sequence[int], config: DecodingConfig
    ) -> Iterator[tuple[int, str]]:
        pool = ThreadPoolExecutor(AT_ONCE)
        try:
            with working(f"Asking {self.name} for completions", total=len(prompts)) as advance:
                numbers = {
                    pool.submit(self._completion, prompt, config, seed): n
                    for n, (prompt, seed) in enumerate(zip(prompts, seeds, strict=True))
                }
                for done in as_completed(numbers):
                    advance()
                    yield numbers[done], done.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _completion(self, prompt: str, config: DecodingConfig, seed: int) -> str:
        with self._refusals_explained(prompt, config):
            return self._ask(prompt, **as_sent(config, seed)).choices[0].text

    @contextmanager
    def _refusals_explained(self, asked: Asked, config: DecodingConfig) -> Generator[None]:
        """Say what an endpoint does not take: a prompt that is too long, else a setting."""
        try:
            yield
        except Refused as refused:
            if isinstance(asked, str):
                self.check_window(asked, max_new_tokens=config.max_new_tokens)
            blamed = _blamed(as_sent(config, config.seed), refused)
            raise UnsupportedSetting(f"The endpoint at {self.address} does not take {blamed}: {refused.said}") from None

    def _ask(self, prompt: str, **settings: Any) -> "Completion":
        with _in_words(self.address):
            answer = self._request(prompt, extra_body=settings)
        if not getattr(answer, "choices", None):  # whatever else stands there
            raise EndpointError(f"What answers at {self.address} is no endpoint: check the address.")
        return answer

    def _request(self, asked: Asked, *, extra_body: dict[str, Any], **more: Any) -> Any:
        """Return an answer, or its chunks; settings go by `extra_body`, as the client has no argument for all."""
        written = isinstance(asked, str)
        way: Any = self.client.completions if written else self.client.chat.completions
        what = {"prompt": with_text(asked)} if written else {"messages": asked}
        return way.create(**what, model=self.name.partition("#")[2], extra_body=extra_body, **more)

    def _needs_a_model_here(self, what: str) -> str:
        return f'This model answers at {self.address}: {what} needs a model on this machine, load_model("name").'


def is_address(name: str) -> bool:
    """Whether a model's name is the address of an endpoint."""
    return name.lower().startswith(("http://", "https://"))


def load_endpoint(name: str) -> EndpointModel:
    """Return the model at an address, "http://host:port/v1#model"; without "#model" the first that is there.

    What the endpoint asks for as a key stands in COURSE_ENDPOINT_KEY. The endpoint is asked for its models
    (GET /models): its context window is the entry's `max_model_len`, or UNSTATED_WINDOW. Raises EndpointError, which
    is a ModelNotFound, UnsupportedSetting for an address with a key in it.
    """
    from openai import OpenAI

    address, _, served = name.partition("#")
    _check(address)
    with _in_words(address):
        key = os.environ.get(KEY) or "none"
        client = OpenAI(base_url=address, api_key=key, timeout=READ_SECONDS, max_retries=RETRIES)
        models = _models(client.with_options(timeout=LOOKS_SECONDS, max_retries=0))
    if not models or served not in {"", *models}:
        there = f"it has {', '.join(models)}" if models else "it has none"
        raise EndpointError(f"The endpoint at {address} has no model {served!r}: {there}.")
    served = served or next(iter(models))
    return EndpointModel(f"{address}#{served}", models[served].get("max_model_len") or UNSTATED_WINDOW, client)


def _models(client: "OpenAI") -> dict[str, dict[str, Any]]:
    """Return an endpoint's models by name; none where something else answers."""
    answer = client.models.with_raw_response.list().http_response
    try:
        return {model["id"]: model for model in answer.json()["data"]}
    except (ValueError, TypeError, KeyError):
        return {}


def _check(address: str) -> None:
    """Raise UnsupportedSetting for an address with a key in it, EndpointError for what is none."""
    try:
        parts = urlsplit(address)
        shows_a_key = "@" in parts.netloc or parts.query
    except ValueError as error:
        raise EndpointError(f"{address!r} is no address ({error}): write http://host:port/v1.") from None
    if shows_a_key:
        raise UnsupportedSetting(
            f"An endpoint's address is shown and kept: leave names, passwords and keys out, and put the key into {KEY}."
        )


def as_sent(config: DecodingConfig, seed: int) -> dict[str, Any]:
    """Return the fields of a request that make the endpoint decode as the settings say."""
    plain, drawn = DecodingConfig(), config.temperature > 0
    fields = {"max_tokens": config.max_new_tokens, "temperature": config.temperature}
    fields |= {name: getattr(config, name) for name in OTHERS if getattr(config, name) != getattr(plain, name)}
    return fields | ({"seed": seed} if drawn else {}) | ({"stop": list(config.stop)} if config.stop else {})


@contextmanager
def _in_words(address: str) -> Generator[None]:
    """Say in a sentence why an endpoint does not answer. Raises EndpointError."""
    import httpx2
    import openai

    try:
        yield
    except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
        raise Refused(address, _said(error), error.param) from None
    except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
        raise EndpointError(
            f"The endpoint at {address} wants a key, in {KEY}, that it knows ({_said(error)})."
        ) from None
    except openai.APIStatusError as error:
        raise EndpointError(f"The endpoint at {address} answers {error.status_code}: {_said(error)}") from None
    except (openai.APIConnectionError, httpx2.TransportError) as error:  # the second in the middle of a stream
        raise EndpointError(
            f"No endpoint answers at {address} ({short_reason(error)}): check it, or start one there with `make serve`."
        ) from None
    except openai.APIError as error:  # an event of the stream
        raise EndpointError(f"The endpoint at {address} broke off: {_said(error)}") from None


def _blamed(settings: dict[str, Any], refused: Refused) -> str:
    """Return the settings that an endpoint's words are about, or all where it names none, as they were given."""
    blamed = [name for name in settings if name == refused.parameter or name in refused.said] or settings
    return ", ".join(f"{name.replace('max_tokens', 'max_new_tokens')}={settings[name]!r}" for name in blamed)


def _said(error: "APIError") -> str:
    """Return an endpoint's own words for an error."""
    return (
        str(error.body["message"]) if isinstance(error.body, dict) and "message" in error.body else short_reason(error)
    )
