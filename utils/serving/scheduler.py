"""Continuous batching: at every step of the model, completions join the batch and leave it.

One thread turns a loop: let go of what has ended, take from the queue what fits, let every row read what it has not
read, and choose the next token of each. A long prompt is read in chunks, so that the others go on writing meanwhile.
Source: G.-I. Yu et al., "Orca: A Distributed Serving System for Transformer-Based Generative Models", OSDI 2022;
chunks: A. Agrawal et al., "Sarathi-Serve", OSDI 2024.
"""

import logging
import math
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from utils.models.language_model import LanguageModel
from utils.serving.constraints import Grammars
from utils.serving.metrics import Metrics
from utils.serving.refusals import LATE, TOO_MANY, UNAVAILABLE, Refusal
from utils.serving.requests import Emit, Request
from utils.serving.rows import Row, failed
from utils.serving.runners import Runner, Runners
from utils.serving.settings import Limits

ALONE = 4
"""How many chunks of prompts are read in a step where no row waits for its next token."""

LONGEST_RETRY = 60
"""The most seconds after which a client is told to ask again."""

IDLE_SECONDS = 60.0
"""How often a thread without work lets go of prefixes whose time is over."""

LOG = logging.getLogger(__name__)

Watch = Callable[[Sequence[Sequence[Row]], Sequence[tuple[Row, int, int]]], None]
"""Told of every step, in the scheduler's thread: its batches; each row that read, with the tokens read and written."""


@dataclass(frozen=True)
class Ticket:
    """What was asked for in one go."""

    rows: Sequence[Row]

    def cancel(self) -> None:
        """Give it up: its rows leave the batch before the next step, and nothing more is told."""
        for row in self.rows:
            row.cancelled = True


class Scheduler:
    """The queue, the rows that are written now, and the thread that writes them."""

    def __init__(self, model: LanguageModel, limits: Limits, metrics: Metrics, *, watch: Watch | None = None) -> None:
        self._model, self._limits, self._metrics, self._watch = model, limits, metrics, watch
        self._runners, self._grammars = Runners(model, limits), Grammars(model)
        self._waiting: deque[Row] = deque()
        self._running: list[Row] = []
        self._changed = threading.Condition()
        self._stopping = False
        self._seconds = 1.0
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether requests are taken."""
        return self._thread.is_alive() and not self._stopping

    @property
    def retry_after(self) -> int:
        """The seconds after which the queue is likely to have room: those of a completion for each turn before."""
        turns = 1 + len(self._waiting) / self._limits.rows
        return min(LONGEST_RETRY, max(1, math.ceil(self._seconds * turns)))

    def submit(self, requests: Sequence[Request], emit: Emit) -> Ticket:
        """Queue requests, all or none of them; `emit` is told what comes of each. Raises Refusal."""
        rows = [self._row(request, emit, number) for number, request in enumerate(requests)]
        if len(rows) > self._limits.waiting:
            raise Refusal(f"{len(rows)} completions at once are too many: ask for {self._limits.waiting} at most.")
        with self._changed:
            if not self.alive:
                raise stopping()
            if len(self._waiting) + len(rows) > self._limits.waiting:
                seconds = self.retry_after
                raise Refusal(
                    f"The queue is full: ask again in {seconds} seconds.", status=TOO_MANY, retry_after=seconds
                )
            self._waiting += rows
            self._changed.notify()
        return Ticket(rows)

    def stop(self, *, seconds: float = 30.0) -> None:
        """Take no more: what waits is refused, what is written now is finished if these seconds are enough."""
        with self._changed:
            self._stopping = True
            waiting, self._waiting = list(self._waiting), deque()
            self._changed.notify()
        for row in waiting:
            row.tell(stopping())
        self._thread.join(seconds)
        for row in [*self._running]:
            row.tell(stopping())

    def _row(self, request: Request, emit: Emit, number: int) -> Row:
        seconds = min(request.seconds or math.inf, self._limits.seconds)
        grammar = None if request.schema is None else self._grammars.begin(request.schema)
        row = Row(self._model, request, emit, number=number, grammar=grammar, seconds=seconds)
        self._check(row)
        return row

    def _check(self, row: Row) -> None:
        """Raise Refusal for what could never be written here."""
        request, limits = row.request, self._limits
        prompt, new = len(row.prompt), request.config.max_new_tokens
        if not prompt:
            raise Refusal("The prompt is empty: write what the model shall continue.", parameter="prompt")
        if max(row.prompt) >= self._model.embedded or min(row.prompt) < 0:
            raise Refusal(f"Token ids lie between 0 and {self._model.embedded - 1}.", parameter="prompt")
        if new > limits.tokens:
            raise Refusal(
                f"A completion has {limits.tokens:,} tokens at most; {new:,} were asked for.", parameter="max_tokens"
            )
        read, window = row.soft + prompt, self._model.context_window
        left = window - (0 if self._model.is_encoder_decoder else read)
        if read > window or left < 1:
            raise Refusal(
                f"The prompt has {read:,} tokens and the context window {window:,}: shorten the prompt.",
                parameter="prompt",
            )
        if new > left:
            raise Refusal(
                f"The prompt has {read:,} tokens, the completion may have {new:,}, and the context window is "
                f"{window:,}: shorten the prompt, or ask for {left:,} tokens at most.",
                parameter="max_tokens",
            )
        if row.longest > limits.cache_tokens:
            raise Refusal(
                f"Prompt and completion have {row.longest:,} tokens and the endpoint's KV cache holds "
                f"{limits.cache_tokens:,}: shorten the prompt.",
                parameter="prompt",
            )
        if request.read_prompt and self._model.is_encoder_decoder:
            raise Refusal(
                "An encoder-decoder model gives its prompt no probabilities: leave echo out.", parameter="echo"
            )

    def _run(self) -> None:
        with torch.inference_mode():
            while self._has_work():
                try:
                    self._step()
                except Exception:  # whatever it is, nobody waits for ever, and the next request finds the thread alive
                    self._fail([*self._running, *self._waiting])

    def _has_work(self) -> bool:
        """Wait for work; False once nothing more will come."""
        with self._changed:
            while not self._changed.wait_for(lambda: self._waiting or self._running or self._stopping, IDLE_SECONDS):
                self._runners.prefixes.let_go()
        return bool(self._running) or not self._stopping

    def _step(self) -> None:
        self._refuse_late()
        self._admit()
        batches = self._batches()
        turns = [turn for runner, rows in batches.items() for turn in self._advance(runner, rows)]
        tokens = sum(written for _, _, written in turns)
        self._metrics.stepped(rows=len(self._running), tokens=tokens, waiting=len(self._waiting))
        for row in [row for row in self._running if row.is_over]:
            self._leave(row)
        if self._watch:
            self._watch([*batches.values()], turns)

    def _refuse_late(self) -> None:
        """Let go of what was given up, and of what has had its time."""
        now = time.monotonic()
        for row in [*self._waiting, *self._running]:
            if not row.is_over and now > row.deadline:
                after = f"after {row.deadline - row.arrived:.0f} seconds with {len(row.ids)} tokens written"
                row.tell(Refusal(f"The time for this request is over, {after}: ask for fewer tokens.", status=LATE))
        with self._changed:
            self._waiting = deque(row for row in self._waiting if not row.is_over)
        for row in [row for row in self._running if row.is_over]:
            self._leave(row)

    def _admit(self) -> None:
        """Take rows from the queue, in order, while there is room for the next."""
        while row := self._next():
            self._running.append(row)
            try:
                self._runners.of(row.request.adapter).add(row)
            except Exception:
                self._fail([row])

    def _next(self) -> Row | None:
        """Take the next row from the queue, None while there is no room for it."""
        with self._changed:
            return self._waiting.popleft() if self._waiting and self._fits(self._waiting[0]) else None

    def _fits(self, row: Row) -> bool:
        """Whether the KV cache has room for a row more: each batch takes its rows times its longest row."""
        lengths = defaultdict[Runner, list[int]](list)
        for one in [*self._running, row]:
            lengths[self._runners.of(one.request.adapter)].append(one.longest)
        tokens = sum(len(batch) * max(batch) for batch in lengths.values())
        return len(self._running) < self._limits.rows and tokens <= self._limits.cache_tokens

    def _batches(self) -> dict[Runner, list[Row]]:
        batches = defaultdict[Runner, list[Row]](list)
        for row in self._running:
            batches[self._runners.of(row.request.adapter)].append(row)
        return batches

    def _advance(self, runner: Runner, rows: list[Row]) -> list[tuple[Row, int, int]]:
        """Let every row of a batch read what is its turn; return those that did, with the tokens read and written."""
        reads = self._turns(runner, rows)
        try:
            logits = runner.read(reads)
        except Exception:
            self._fail(rows)
            return []
        return [(row, read, self._take(row, read, behind)) for (row, read), behind in zip(reads, logits, strict=True)]

    def _turns(self, runner: Runner, rows: list[Row]) -> list[tuple[Row, int]]:
        """Return how many tokens each row reads in this step: one that was written, or a chunk of its prompt."""
        writing = [row for row in rows if row.ids]
        left = self._limits.chunk * (1 if writing else ALONE)
        turns = [(row, 1) for row in writing]
        for row in rows:
            if row.ids or not left:
                continue
            runner.skip(row)
            tokens = len(row.unread) if runner.whole_prompts else min(left, len(row.unread))
            turns.append((row, tokens))
            left -= min(left, tokens)
        return turns

    def _take(self, row: Row, tokens: int, logits: torch.Tensor) -> int:
        before = len(row.ids)
        try:
            row.take(logits, tokens=tokens)
        except Refusal as refusal:
            row.tell(refusal)
        except Exception:
            self._fail([row])
        if row.ids and not before:
            self._metrics.began(time.monotonic() - row.arrived)
        return len(row.ids) - before

    def _fail(self, rows: Sequence[Row]) -> None:
        """Answer rows with a failure; the reason is for whoever runs the endpoint."""
        LOG.exception("%d completions failed", len(rows))
        for row in rows:
            row.tell(failed())

    def _leave(self, row: Row) -> None:
        self._running.remove(row)
        self._runners.of(row.request.adapter).remove(row)
        self._seconds += 0.1 * (time.monotonic() - row.arrived - self._seconds)


def stopping() -> Refusal:
    """Return what is answered once the endpoint has begun to stop."""
    return Refusal(
        "The endpoint is stopping: ask again when it runs.", status=UNAVAILABLE, retry_after=LONGEST_RETRY // 10
    )
