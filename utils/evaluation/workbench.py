"""What the prompt workbench computes: a prompt, its token budget, a completion and its score."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from utils.datasets.dialogues import Dialogue
from utils.datasets.records import TextToText, as_records
from utils.errors import DataError, TooManyShots
from utils.evaluation.completions import first_line
from utils.evaluation.summaries import rouge_scores
from utils.models.language_model import LanguageModel
from utils.prompts.budget import TokenBudget, token_budget
from utils.prompts.templates import Example, Template, as_examples, build_prompt

MAX_NEW_TOKENS = 40


@dataclass(frozen=True)
class Asked:
    """What a prompt is made of: a dialogue, an instruction, the first `shots` examples and a template's name."""

    query: TextToText
    instruction: str
    shots: int
    template: str


@dataclass(frozen=True)
class Answer:
    """A prompt's completion and its ROUGE-1 against the dialogue's summary, 0 to 1."""

    asked: Asked
    completion: str
    rouge1: float


@dataclass(frozen=True)
class Bench:
    """The fixed parts of a workbench: a model, dialogues to ask about, examples, templates by name."""

    model: LanguageModel
    queries: tuple[TextToText, ...]
    examples: tuple[Example, ...]
    templates: dict[str, Template]

    def __post_init__(self) -> None:
        if not self.queries:
            raise DataError("There is no query to ask about: give at least one.")
        asked = {query.input_text for query in self.queries}
        if any(example.input_text in asked for example in self.examples):
            raise DataError("A dialogue to ask about is among the examples: take the examples from another split.")

    @property
    def names(self) -> list[str]:
        """What each query is called: its id and topic, where it has them, or its number and first line."""
        return [
            f"{query.id}: {query.topic}" if isinstance(query, Dialogue) else f"{n}: {first_line(query.input_text):.60}"
            for n, query in enumerate(self.queries, 1)
        ]

    def name(self, query: TextToText) -> str:
        """Return what a query is called."""
        return self.names[self.queries.index(query)]

    def prompt(self, asked: Asked) -> str:
        """Return the prompt. Raises TooManyShots."""
        if asked.shots > len(self.examples):
            raise TooManyShots(
                f"{asked.shots} shots were asked for and there are {len(self.examples)} examples: use fewer."
            )
        shown = self.examples[: asked.shots]
        return build_prompt(asked.instruction, asked.query.input_text, shown, self.templates[asked.template])

    def budget(self, prompt: str) -> TokenBudget:
        """Return what the prompt takes of the context window."""
        return token_budget(self.model, prompt, max_new_tokens=MAX_NEW_TOKENS)

    def check(self, prompt: str) -> None:
        """Raise EmptyPrompt or ContextWindowExceeded for a prompt that the model cannot answer."""
        self.model.check_window(prompt, max_new_tokens=MAX_NEW_TOKENS)

    def answer(self, asked: Asked) -> Answer:
        """Return the greedy completion's first line and its score. Raises TooManyShots, ContextWindowExceeded."""
        completion = first_line(self.model.generate(self.prompt(asked), max_new_tokens=MAX_NEW_TOKENS))
        return Answer(asked, completion, float(rouge_scores([completion], [asked.query.output_text])["ROUGE-1"][0]))


def make_bench(
    model: LanguageModel, queries: Sequence[Any], train: Sequence[Any], templates: dict[str, Template]
) -> Bench:
    """Return a workbench whose examples come from `train`; both are what `as_records` takes.

    Raises DataError if a query is among the examples, or there is none.
    """
    asked, shown = as_records(queries, "the queries"), as_examples(train, "the training records")
    return Bench(model, tuple(asked), tuple(shown), templates)
