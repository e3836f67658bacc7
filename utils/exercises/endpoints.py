"""Stand-ins for an endpoint with several models: they answer from a table, and some have a fault planted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from utils.errors import DataError

Answers = Mapping[str, Mapping[str, str]]
"""The completion of each prompt by each model: the base first, then the adapters."""


@dataclass(frozen=True)
class StandIn:
    """An endpoint without a process: `complete(prompt, model=name)` returns what stands in its table.

    chosen: takes the endpoint, a prompt and the model that is asked for, and names the model that answers.
    asked: the requests so far, each a prompt and a model.
    """

    answers: Answers
    chosen: Callable[["StandIn", str, str], str] = field(repr=False)
    asked: list[tuple[str, str]] = field(default_factory=list, compare=False, repr=False)

    def complete(self, prompt: str, *, model: str) -> str:
        """Return the completion of a prompt. Raises DataError for a model or a prompt that is not in the table."""
        if prompt not in self.answers.get(model, {}):
            raise DataError(f"This endpoint has no answer of {model!r} to {prompt!r:.60}: ask for what is expected of it.")
        answering = self.chosen(self, prompt, model)
        self.asked.append((prompt, model))
        return self.answers[answering][prompt]

    def __repr__(self) -> str:
        return f"an endpoint with {', '.join(self.answers)}"


def _swapped(endpoint: StandIn, prompt: str, model: str) -> str:
    base, *adapters = endpoint.answers
    return base if model == base else adapters[adapters.index(model) - 1]


def _kept_by_prompt(endpoint: StandIn, prompt: str, model: str) -> str:
    return next((before for text, before in endpoint.asked if text == prompt), model)


FAULTS: Mapping[str, Callable[[StandIn, str, str], str]] = {
    "none": lambda endpoint, prompt, model: model,
    "the base answers for all": lambda endpoint, prompt, model: next(iter(endpoint.answers)),
    "one adapter answers for all": lambda endpoint, prompt, model: list(endpoint.answers)[1],
    "the last adapter is not loaded": lambda endpoint, prompt, model: model if model != list(endpoint.answers)[-1] else next(iter(endpoint.answers)),
    "adapters are exchanged": _swapped,
    "the adapter of the request before answers": lambda endpoint, prompt, model: endpoint.asked[-1][1] if endpoint.asked else model,
    "answers are kept by prompt, whatever the model": _kept_by_prompt,
    "adapters are lost after two requests": lambda endpoint, prompt, model: model if len(endpoint.asked) < 2 else next(iter(endpoint.answers)),
}


def stand_in(answers: Answers, fault: str = "none") -> StandIn:
    """Return an endpoint that answers from a table, with one of `FAULTS`. Raises DataError for another fault."""
    if fault not in FAULTS:
        raise DataError(f"There is no fault {fault!r}: take one of {', '.join(FAULTS)}.")
    return StandIn(answers, FAULTS[fault])
