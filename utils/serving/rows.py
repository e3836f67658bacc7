"""One completion while it is written: what was read of it, how its next token is chosen, what is told of it."""

import logging
import threading
import time
from collections.abc import Sequence

import torch

from utils.decoding.generation import TOKEN_LIMIT, choose, text_so_far
from utils.errors import CourseError
from utils.internals import virtual_tokens
from utils.logits.reshaping import reshape
from utils.models.language_model import LanguageModel
from utils.serving.constraints import Grammar
from utils.serving.refusals import FAILED, Refusal
from utils.serving.requests import Emit, Event, PromptScores, Request, Score, Token

NO_TOKEN = -1
"""What stands in the last event of a request that asks for no token."""

LOG = logging.getLogger(__name__)


class Row:
    """A completion that is written side by side with others, and depends on none of them.

    number: of its request among those asked for in one go; read: how many tokens of prompt and completion the model
    has read; ids: the completion's tokens so far.
    """

    def __init__(
        self,
        model: LanguageModel,
        request: Request,
        emit: Emit,
        *,
        number: int,
        grammar: Grammar | None,
        seconds: float,
    ) -> None:
        self.request, self.number, self.read, self.ids = request, number, 0, list[int]()
        self.arrived = time.monotonic()
        self.deadline = self.arrived + seconds
        self.cancelled = self.ended = False
        self._telling = threading.Lock()
        self._model, self._emit, self._grammar = model, emit, grammar
        self._text = ""
        self._scores: list[Score] = []

    @property
    def prompt(self) -> tuple[int, ...]:
        """The prompt's tokens."""
        return self.request.prompt

    @property
    def unread(self) -> Sequence[int]:
        """The tokens that the model has not read yet: of the prompt, or the one that was chosen last."""
        read = self.read
        return self.prompt[read:] if read < len(self.prompt) else self.ids[read - len(self.prompt) :]

    @property
    def longest(self) -> int:
        """How many tokens the KV cache holds of it at most."""
        return self.soft + len(self.prompt) + self.request.config.max_new_tokens

    @property
    def soft(self) -> int:
        """How many vectors of a soft prompt stand before its prompt."""
        adapter = self.request.adapter
        return virtual_tokens(adapter.model.model) if adapter and adapter.model else 0

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be written."""
        return self.ended or self.cancelled

    def tell(self, event: Event) -> None:
        """Answer with an event, from any thread; after the last one, or where its listener fails, with nothing more."""
        with self._telling:
            if self.is_over:
                return
            self.ended = isinstance(event, Refusal) or (isinstance(event, Token) and event.finish is not None)
            try:
                self._emit(self.number, event)
            except Exception:
                LOG.exception("A completion was given up: what it was for does not listen")
                self.cancelled = True

    def take(self, logits: torch.Tensor, *, tokens: int) -> None:
        """Go on with what the model said when it read so many more tokens.

        logits: shape (kept, vocabulary), the last ones: of one token, or of all that were read where a prompt's
        scores are asked for.
        """
        if not logits.amax(-1).isfinite().all():
            raise CourseError("The model gave numbers that are not finite: its adapter may be damaged.")
        if self.request.read_prompt and self.read < len(self.prompt):
            following = self.prompt[self.read + 1 : self.read + tokens + 1]
            self._scores += [self._score(row, token) for row, token in zip(logits, following, strict=False)]
        self.read += tokens
        if self.read < len(self.prompt):
            return
        if self.request.read_prompt and not self.ids:
            self.tell(PromptScores(tuple(self._scores)))
        if self.request.only_prompt:
            self.tell(Token(NO_TOKEN, "", finish="length"))
        else:
            self._write(logits[-1])

    def _write(self, logits: torch.Tensor) -> None:
        token = self._next(logits)
        self.ids.append(token)
        text, reason = text_so_far(self._model, self.ids, self.request.config)
        if self._grammar is not None and reason is None:
            self._grammar.take(token)
            if self._grammar.done:
                text, reason = self._model.decode(self.ids, skip_special_tokens=True), "done"
        new, self._text = text[len(self._text) :], text
        finish = None if reason is None else "length" if reason == TOKEN_LIMIT else "stop"
        score = self._score(logits, token) if self.request.logprobs is not None else None
        self.tell(Token(token, new, score, finish))

    def _next(self, logits: torch.Tensor) -> int:
        config, bias = self.request.config, self.request.bias
        if bias:
            tokens = torch.tensor(list(bias), device=logits.device)
            logits = logits.index_add(0, tokens, torch.tensor(list(bias.values()), device=logits.device))
        if self._grammar is not None:
            logits = logits.masked_fill(~self._grammar.allowed().to(logits.device), -torch.inf)
        before = (self._model.decoder_start,) if self._model.is_encoder_decoder else self.prompt
        seen = torch.tensor([*before, *self.ids], device=logits.device)
        probabilities = reshape(logits, **config.sampling, input_ids=seen)
        return choose(probabilities, config, config.seed, len(self.ids))

    def _score(self, logits: torch.Tensor, token: int) -> Score:
        logprobs = logits.log_softmax(-1)
        likeliest = logprobs.topk(min(self.request.logprobs or 0, len(logprobs)))
        pairs = zip(likeliest.indices.tolist(), likeliest.values.tolist(), strict=True)
        return Score(token, float(logprobs[token]), tuple(pairs))


def failed() -> Refusal:
    """Return what is answered where the endpoint itself is to blame; the reason stands in its own log."""
    return Refusal("The endpoint failed while it wrote this completion: ask again.", status=FAILED)
