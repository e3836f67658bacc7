"""A model's responses to a prompt of the studio: token by token, at several seeds, or as a choice of labels."""

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from utils.datasets.records import TextToText, completion_text
from utils.decoding.generation import END_OF_TEXT, STOP_SEQUENCE, TOKEN_LIMIT, Step, stream_many
from utils.errors import UnknownLabel
from utils.evaluation.classification import score_labels
from utils.models.endpoints import EndpointModel
from utils.models.language_model import LanguageModel
from utils.models.settings import OWN
from utils.studio.models import identity
from utils.studio.prompt import Prompt


@dataclass(frozen=True)
class Piece:
    """What a response grows by: a token's text, or what an endpoint sends at once.

    number: which response, from 0. stop_reason: why it ends here, None if it goes on. step: None where an endpoint
    writes.
    """

    number: int
    text: str
    stop_reason: str | None = None
    step: Step | None = None


@dataclass(frozen=True)
class Response:
    """A completion of a prompt.

    seconds: from the question to its last token. stop_reason: "" while it goes on. steps: its tokens with what the
    model knew at each; none, as no `tokens`, where an endpoint writes.
    """

    seed: int
    text: str = ""
    stop_reason: str = ""
    seconds: float = 0.0
    steps: tuple[Step, ...] = ()

    @property
    def tokens(self) -> tuple[int, ...]:
        """The ids of its tokens."""
        return tuple(step.token for step in self.steps)

    def after(self, piece: Piece, *, seconds: float) -> "Response":
        """Return the response with one more piece."""
        steps = (*self.steps, piece.step) if piece.step else self.steps
        return replace(
            self, text=self.text + piece.text, stop_reason=piece.stop_reason or "", seconds=seconds, steps=steps
        )


def get_ready(model: LanguageModel) -> None:
    """Read a token and take the model's hash: the first response, and what is kept of it, need not wait for them."""
    if not isinstance(model, EndpointModel):
        model.next_token_logits(".")
        identity(model)


def stream(model: LanguageModel, prompt: Prompt, *, seed: int) -> Generator[Piece]:
    """Yield one response piece by piece. Raises what `pieces` raises."""
    return pieces(model, replace(prompt, config=replace(prompt.config, seed=seed), responses=1))


def pieces(model: LanguageModel, prompt: Prompt) -> Generator[Piece]:
    """Yield all responses piece by piece: side by side, or one after the other where an endpoint writes.

    Raises EmptyPrompt, DataError, ContextWindowExceeded, UnsupportedSetting, EndpointError, when one is asked for.
    """
    if isinstance(model, EndpointModel):
        yield from _from_endpoint(model, prompt)
        return
    for number, step in stream_many(model, prompt.written(model), prompt.config, seeds=prompt.seeds):
        yield Piece(number, step.text, step.stop_reason, step)


def responding(model: LanguageModel, prompt: Prompt) -> Generator[tuple[Response, ...]]:
    """Yield the responses, one a seed, as they stand after each piece. Raises what `pieces` raises."""
    begun = time.perf_counter()
    found = [Response(seed) for seed in prompt.seeds]
    for piece in pieces(model, prompt):
        found[piece.number] = found[piece.number].after(piece, seconds=time.perf_counter() - begun)
        yield tuple(found)


def respond(model: LanguageModel, prompt: Prompt) -> list[Response]:
    """Return the responses, one a seed. Raises what `pieces` raises."""
    *_, found = responding(model, prompt)
    return list(found)


def respond_to_all(model: LanguageModel, prompts: Sequence[Prompt]) -> Generator[tuple[int, str]]:
    """Yield each prompt's number in the list, from 0, and its response as batches end: its first seed's, or its label.

    prompts: the same but for their texts. Raises what `pieces` and `classify` raise.
    """
    first = prompts[0]
    if first.labels:
        yield from ((n, next(iter(classify(model, prompt)))) for n, prompt in enumerate(prompts))
    elif first.messages and isinstance(model, EndpointModel):
        yield from ((n, respond(model, replace(prompt, responses=1))[0].text) for n, prompt in enumerate(prompts))
    else:
        settings = {name: getattr(first.config, name) for name in OWN}
        yield from model.completions([prompt.written(model) for prompt in prompts], stop=first.config.stop, **settings)


def label_probabilities(model: LanguageModel, prompt: Prompt) -> dict[str, float]:
    """Return the probability, 0 to 1, that each of the prompt's labels comes right behind it, likeliest first.

    They need not add up to 1: the model could have written something else. Raises UnknownLabel, UnsupportedSetting for
    an endpoint, EmptyPrompt, DataError, ContextWindowExceeded.
    """
    return _likeliest_first(prompt.labels, np.exp(_label_logarithms(model, prompt)))


def classify(model: LanguageModel, prompt: Prompt) -> dict[str, float]:
    """Return each label's share of what all labels have together: 1 in all, likeliest first.

    It is the model's own belief, which need not be how often it is right. Raises what `label_probabilities` raises.
    """
    logarithms = _label_logarithms(model, prompt)
    parts = np.exp(logarithms - logarithms.max())
    return _likeliest_first(prompt.labels, parts / parts.sum())


def _label_logarithms(model: LanguageModel, prompt: Prompt) -> np.ndarray:
    """Return the log-probability of each label, written as it stands behind this prompt."""
    if not prompt.labels:
        raise UnknownLabel("There is no label to choose from: write two or more.")
    written = prompt.written(model)
    return score_labels(model, [written], [completion_text(TextToText(written, label)) for label in prompt.labels])[0]


def _likeliest_first(labels: Sequence[str], numbers: np.ndarray) -> dict[str, float]:
    found = zip(labels, numbers.tolist(), strict=True)
    return dict(sorted(found, key=lambda item: -item[1]))


def _from_endpoint(model: EndpointModel, prompt: Prompt) -> Generator[Piece]:
    prompt.check()
    ended = f"{END_OF_TEXT} or {STOP_SEQUENCE}" if prompt.config.stop else END_OF_TEXT
    reasons = {"stop": ended, "length": TOKEN_LIMIT}
    for number, seed in enumerate(prompt.seeds):
        for text, reason in model.stream(prompt.messages or prompt.plain, replace(prompt.config, seed=seed)):
            yield Piece(number, text, reasons.get(reason, reason) if reason else None)
