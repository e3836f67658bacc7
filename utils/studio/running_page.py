"""Runs of a prompt behind the page: its responses, a choice of labels, or an answer for each row of values."""

from collections.abc import Callable, Generator, Sequence

import ipywidgets as widgets

from utils.errors import DataError
from utils.models.language_model import LanguageModel
from utils.studio.answers_page import Answers
from utils.studio.model_page import ModelPicker
from utils.studio.prompt import Prompt
from utils.studio.responses import Response, classify, label_probabilities, respond_to_all, responding
from utils.studio.run_cards import Answer, RunCards, make_card
from utils.studio.values import filled, values_of
from utils.widgets.turns import Turns, Work, each_in_thread
from utils.widgets.view import paragraph
from utils.widgets.waiting import following, waiting


class Runs:
    """One run at a time; its responses, or the label chosen, are kept as a run card; what a table of rows got is not.

    asked: the last prompt that was run, before its row filled it, and the number of the row; None before the first.
    responses: to it. ended: called after each run with the responses to it, none where it was stopped or did not ask
    for any.
    """

    def __init__(
        self,
        picker: ModelPicker,
        answers: Answers,
        message: widgets.HTML,
        cards: RunCards,
        ended: Callable[[Sequence[Response]], None],
    ) -> None:
        self.picker, self.answers, self.message, self.cards, self.ended = picker, answers, message, cards, ended
        self.turns = Turns(message)
        self.asked: tuple[Prompt, int] | None = None
        self.responses: list[Response] = []

    def run(self, prompt: Prompt, row: int) -> None:
        """Let the model answer a prompt with a row of its values, or choose one of its labels."""
        self.turns.start(lambda: self._begun(prompt, row))

    def run_all(self, prompt: Prompt, row: int) -> None:
        """Let the model answer a prompt with each row of its values. row: the one that is chosen."""
        self.turns.start(lambda: self._all_begun(prompt, row))

    def stop(self) -> None:
        """Stop after the token that is being computed; what is there stays."""
        self.turns.stop()

    def _begun(self, prompt: Prompt, row: int) -> Work:
        filled(prompt, row).check()
        return self._choosing(prompt, row) if prompt.labels else self._responding(prompt, row)

    def _responding(self, prompt: Prompt, row: int) -> Work:
        asked = filled(prompt, row)
        model = yield from self.picker.loading(prompt.model)
        self.asked = (prompt, row)
        self._show(tuple(Response(seed) for seed in asked.seeds))
        try:
            yield from following(self.message, self._doing, each_in_thread(responding(model, asked), self._show))
        except GeneratorExit:
            if any(response.text for response in self.responses):
                next(self._keep(prompt, model, self.responses, row), None)
            self.message.value = paragraph(f"Stopped: {self._written}.")
            raise
        finally:
            self.ended(self.responses if all(response.stop_reason for response in self.responses) else ())
        said = yield from self._keep(prompt, model, self.responses, row)
        self.message.value = paragraph(f"Done: {self._written}. {said}")

    def _keep(self, prompt: Prompt, model: LanguageModel, answer: Answer, row: int) -> Generator[None, None, str]:
        """Keep a run card, and return what `RunCards.keep` says."""

        def keep() -> str:
            return self.cards.keep(make_card(prompt, model, answer, row=row))

        return (yield from waiting(self.message, "Keeping the run", keep))

    def _show(self, responses: tuple[Response, ...]) -> None:
        self.responses = list(responses)
        self.answers.show_responses(self.responses)

    def _doing(self) -> str:
        if tokens := sum(len(each.tokens) for each in self.responses):
            return f"Writing: {tokens:,} tokens"
        return "Writing" if any(each.text for each in self.responses) else "Reading the prompt"

    @property
    def _written(self) -> str:
        tokens, seconds = sum(len(each.tokens) for each in self.responses), max(each.seconds for each in self.responses)
        return f"{tokens:,} tokens in {seconds:.1f} s" if tokens else f"{seconds:.1f} s"

    def _choosing(self, prompt: Prompt, row: int) -> Work:
        asked = filled(prompt, row)
        model = yield from self.picker.loading(prompt.model)
        probabilities, shares = yield from waiting(
            self.message,
            "Reading the prompt with each label",
            lambda: (label_probabilities(model, asked), classify(model, asked)),
        )
        self.asked = (prompt, row)
        self.answers.show_choice(shares, together=sum(probabilities.values()))
        self.ended(())
        said = yield from self._keep(prompt, model, shares, row)
        self.message.value = paragraph(f"Chosen: {next(iter(shares))}. {said}")

    def _all_begun(self, prompt: Prompt, row: int) -> Work:
        if not prompt.values:
            raise DataError("There is no row of values: write a {name} in the prompt, and fill in its column.")
        rows = [filled(prompt, number) for number in range(len(prompt.values))]
        for each in rows:
            each.check()
        return self._answering_all(prompt, row, rows)

    def _answering_all(self, prompt: Prompt, row: int, rows: list[Prompt]) -> Work:
        model = yield from self.picker.loading(prompt.model)
        answers: dict[int, str] = {}

        def said() -> str:
            return f"{len(answers):,} of {len(rows):,} rows answered"

        self.asked = (prompt, row)
        work = each_in_thread(respond_to_all(model, rows), lambda answer: answers.update([answer]))
        try:
            yield from following(self.message, said, work)
        finally:
            names = prompt.variables
            cells = [[values_of(prompt, n).get(name, "") for name in names] for n in range(len(rows))]
            table = [[f"{n + 1:,}", *cells[n], answers[n]] for n in sorted(answers)]
            self.answers.show_rows(["Row", *names, "Answer"], table)
            self.message.value = paragraph(f"{said()}.")
            self.ended(())
