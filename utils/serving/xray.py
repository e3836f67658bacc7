"""The batching X-ray: what each row of the scheduler's batches did in every step of a real run.

The KV cache gives a batch its rows times its longest row, each with room for the whole completion. What of this holds
no token yet is padding. Source: W. Kwon et al., "Efficient Memory Management for Large Language Model Serving with
PagedAttention", SOSP 2023, which measures the same share.
"""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from queue import Queue
from typing import TYPE_CHECKING

from utils.progress import working
from utils.serving.metrics import Metrics
from utils.serving.refusals import Refusal
from utils.serving.settings import Limits

if TYPE_CHECKING:
    import pandas as pd

    from utils.logits.config import DecodingConfig
    from utils.models.language_model import LanguageModel
    from utils.serving.requests import Event, Request
    from utils.serving.rows import Row


@dataclass(frozen=True)
class Turn:
    """What one row did in a step.

    request: its number, 0 the first; adapter: the version in the registry, "" for the base. known: tokens of its
    prompt whose keys and values were kept from another row; prompt: tokens of its prompt that the model read; written:
    tokens of its completion that came of it, 0 or 1. held: tokens that its row of the KV cache holds afterwards.
    joined, left: whether this is its first step, its last.
    """

    request: int
    adapter: str
    known: int
    prompt: int
    written: int
    held: int
    joined: bool
    left: bool


@dataclass(frozen=True)
class Step:
    """One step of the scheduler: its rows' turns, and the tokens for which the KV cache has places then."""

    turns: tuple[Turn, ...]
    places: int

    @property
    def padding(self) -> int:
        """Places that hold no token."""
        return self.places - sum(turn.held for turn in self.turns)


@dataclass(frozen=True)
class Recording:
    """A run, step by step, and what came of it: each request's text and token ids, in the order of the requests."""

    steps: tuple[Step, ...]
    texts: tuple[str, ...]
    tokens: tuple[tuple[int, ...], ...]

    def turns(self) -> "pd.DataFrame":
        """Return a line for each turn: the number of its step, 1 the first, and the turn's fields."""
        import pandas as pd

        return pd.DataFrame(
            [{"step": number} | asdict(turn) for number, step in enumerate(self.steps, 1) for turn in step.turns]
        )

    def table(self) -> "pd.DataFrame":
        """Return a line for each step: rows, tokens read of prompts and written, places and the share of padding."""
        import pandas as pd

        lines = [
            {
                "rows": len(step.turns),
                "prompt tokens": sum(turn.prompt for turn in step.turns),
                "written": sum(turn.written for turn in step.turns),
                "places": step.places,
                "padding": step.padding / step.places,
            }
            for step in self.steps
        ]
        return pd.DataFrame(lines, index=pd.RangeIndex(1, len(lines) + 1, name="step"))


class Recorder:
    """What a scheduler tells of its steps, as `Step`s; called in the scheduler's thread."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._read: dict[Row, int] = {}

    def __call__(self, batches: Sequence[Sequence["Row"]], turns: Iterable[tuple["Row", int, int]]) -> None:
        """Note a step. batches: rows that share a pass; turns: the rows that read, with tokens read and written."""
        did = {row: (read, written) for row, read, written in turns}
        noted = [self._turn(row, *did.get(row, (0, 0))) for rows in batches for row in rows]
        places = sum(len(rows) * max(row.longest for row in rows) for rows in batches)
        self.steps.append(Step(tuple(noted), places))

    def _turn(self, row: "Row", read: int, written: int) -> Turn:
        joined, before = row not in self._read, self._read.get(row, 0)
        self._read[row] = row.read
        return Turn(
            request=row.number,
            adapter=row.request.adapter.reference if row.request.adapter else "",
            known=row.read - before - read,
            prompt=read if before < len(row.prompt) else 0,
            written=written,
            held=row.soft + row.read,
            joined=joined,
            left=row.is_over,
        )


def record(
    model: "LanguageModel", asked: Sequence[tuple[str, str, "DecodingConfig"]], *, limits: Limits | None = None
) -> Recording:
    """Run requests through an endpoint's scheduler as they would come from clients, all at once, and record it.

    asked: for each request the name of who answers, the model's own or a reference in the registry such as "name/3",
    the prompt, and the settings. Raises Refusal, a CourseError, for a name or a prompt that the endpoint would refuse.
    """
    from utils.serving.adapters import Adapters
    from utils.serving.requests import Request

    limits = limits or Limits()
    adapters = Adapters(model, limits)
    adapters.load_all(dict.fromkeys(name for name, _, _ in asked if name != model.name))
    requests = [Request(tuple(model.encode(prompt)), config, adapters.find(name)) for name, prompt, config in asked]
    return record_requests(model, requests, limits=limits)


def record_requests(model: "LanguageModel", requests: Sequence["Request"], *, limits: Limits) -> Recording:
    """Run requests through a scheduler of their own and record it. Raises Refusal."""
    from utils.serving.requests import Token
    from utils.serving.scheduler import Scheduler

    recorder, told = Recorder(), Queue[tuple[int, "Event"]]()
    written: list[list[Token]] = [[] for _ in requests]
    with ExitStack() as at_the_end, working("The endpoint writes completions", total=len(requests)) as finished:
        scheduler = Scheduler(model, limits, Metrics(), watch=recorder)
        at_the_end.callback(scheduler.stop)
        ticket = scheduler.submit(requests, lambda number, event: told.put((number, event)))
        at_the_end.callback(ticket.cancel)
        while not all(tokens and tokens[-1].finish for tokens in written):
            number, event = told.get()
            if isinstance(event, Refusal):
                raise event
            if isinstance(event, Token):
                written[number].append(event)
                if event.finish:
                    finished()
    return Recording(
        steps=tuple(recorder.steps),
        texts=tuple("".join(token.text for token in tokens) for tokens in written),
        tokens=tuple(tuple(token.id for token in tokens) for tokens in written),
    )
