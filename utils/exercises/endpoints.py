"""Stand-ins for an endpoint with several models, some with a fault planted, and tests that find few of them or all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from utils.errors import DataError
from utils.tables import TextTable

Answers = Mapping[str, Mapping[str, str]]
"""The completion of each prompt by each model: the base first, then two adapters or more."""


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

    @property
    def base(self) -> str:
        """The model without an adapter."""
        return next(iter(self.answers))

    @property
    def adapters(self) -> list[str]:
        """The other models."""
        return list(self.answers)[1:]

    def __repr__(self) -> str:
        return f"an endpoint with {', '.join(self.answers)}"


def _swapped(endpoint: StandIn, prompt: str, model: str) -> str:
    adapters = endpoint.adapters
    return model if model == endpoint.base else adapters[adapters.index(model) - 1]


def _kept_by_prompt(endpoint: StandIn, prompt: str, model: str) -> str:
    return next((before for text, before in endpoint.asked if text == prompt), model)


NO_FAULT = "none"
FAULTS: Mapping[str, Callable[[StandIn, str, str], str]] = {
    NO_FAULT: lambda endpoint, prompt, model: model,
    "the base answers for all": lambda endpoint, prompt, model: endpoint.base,
    "one adapter answers for all": lambda endpoint, prompt, model: endpoint.adapters[0],
    "one adapter is not loaded": lambda endpoint, prompt, model: endpoint.base if model == endpoint.adapters[-1] else model,
    "adapters are exchanged": _swapped,
    "the adapter of the request before answers": lambda endpoint, prompt, model: endpoint.asked[-1][1] if endpoint.asked else model,
    "answers are kept by prompt alone": _kept_by_prompt,
    "adapters are lost after four requests": lambda endpoint, prompt, model: model if len(endpoint.asked) < 4 else endpoint.base,
}
"""Which model answers, by what is wrong with the endpoint."""


def stand_in(answers: Answers, fault: str = NO_FAULT) -> StandIn:
    """Return an endpoint that answers from a table, with one of `FAULTS`. Raises DataError for another fault."""
    if fault not in FAULTS:
        raise DataError(f"There is no fault {fault!r}: take one of {', '.join(FAULTS)}.")
    return StandIn(answers, FAULTS[fault])


def pairs(endpoint: StandIn, expected: Answers) -> list[tuple[str, str]]:
    """Return each answer of an endpoint beside the one that is expected."""
    return [(endpoint.complete(prompt, model=model), answer) for model, answers in expected.items() for prompt, answer in answers.items()]


def answers_at_all(endpoint: StandIn, expected: Answers) -> bool:
    """Whether every model answers every prompt with some text."""
    return all(answer for answer, _ in pairs(endpoint, expected))


def models_differ(endpoint: StandIn, expected: Answers) -> bool:
    """Whether no two models give the same answers to all prompts."""
    said = [tuple(endpoint.complete(prompt, model=model) for prompt in answers) for model, answers in expected.items()]
    return len(set(said)) == len(said)


def first_answers_right(endpoint: StandIn, expected: Answers) -> bool:
    """Whether each model's answer to its first prompt is the expected one."""
    return every_answer_right(endpoint, {model: dict(list(answers.items())[:1]) for model, answers in expected.items()})


def every_answer_right(endpoint: StandIn, expected: Answers) -> bool:
    """Whether each model's answer to each prompt is the expected one."""
    return all(answer == right for answer, right in pairs(endpoint, expected))


TESTS: Mapping[str, Callable[[StandIn, Answers], bool]] = {
    "it answers": answers_at_all,
    "models differ": models_differ,
    "first answers": first_answers_right,
    "every answer": every_answer_right,
}
"""Tests of an endpoint, the weakest first."""


def faults_found(answers: Answers) -> TextTable:
    """Return which of `TESTS` finds which of `FAULTS` in endpoints that should answer from a table."""
    faults = [fault for fault in FAULTS if fault != NO_FAULT]
    rows = [(fault, *("-" if test(stand_in(answers, fault), answers) else "found" for test in TESTS.values())) for fault in faults]
    return TextTable(("fault", *TESTS), tuple(rows))
