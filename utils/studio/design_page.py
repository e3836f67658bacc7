"""Prompt design: write a prompt, set its parameters, pick a model, and see what it makes of it."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import ipywidgets as widgets

from utils.arguments import whole_number
from utils.errors import EmptyPrompt
from utils.models.endpoints import EndpointModel
from utils.models.language_model import LanguageModel
from utils.prompts.budget import token_budget
from utils.studio.answers_page import FACTS, HEIGHT, Answers
from utils.studio.fields_page import PromptFields
from utils.studio.labels_page import LabelFields
from utils.studio.model_page import ModelPicker
from utils.studio.parameters_page import NextTokenView, Parameters
from utils.studio.prompt import MOST_RESPONSES, Prompt
from utils.studio.responses import Response, classify, label_probabilities, respond_to_all, responding
from utils.studio.studio import DESIGN, Studio
from utils.studio.values import filled, unfilled
from utils.studio.values_page import ValueFields
from utils.widgets.keys import Keys
from utils.widgets.settling import Settling
from utils.widgets.slider import NARROW, NumberBox
from utils.widgets.turns import Turns, Work, each_in_thread, in_thread
from utils.widgets.view import FULL_LABEL, beside, button, fitted, paragraph, row, told_in

NARROWEST = 380
"""Pixels of prompt and answers, below which they stand below each other."""
RESPONSES_RULE = f"responses are a whole number from 1 to {MOST_RESPONSES}"


class DesignPage:
    """A prompt with all that belongs to it, beside the answers to it.

    prompt: as the page has it. asked: the same with the chosen row's values. responses: the last ones.
    """

    name = DESIGN

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.fields = PromptFields(Prompt())
        self.parameters = Parameters(Prompt().config)
        self.values = ValueFields()
        self.labels = LabelFields()
        self.next_token = NextTokenView()
        self.answers = Answers()
        self.count = NumberBox("Responses", 1, _responses, layout=NARROW)
        self.run_button = button("Run", button_style="primary", tooltip="Run the prompt (Ctrl+Enter)")
        self.stop_button = button("Stop", tooltip="Stop (Esc)")
        self.all_button = button("Run all rows")
        self.goes_on = widgets.Dropdown(description="The chat goes on with", style=FULL_LABEL, layout=fitted())
        self.message, self.tokens = (widgets.HTML(layout=widgets.Layout(min_height="20px")) for _ in range(2))
        self.picker = ModelPicker(studio.models, self.message)
        self.turns = Turns(self.message)
        self.settling = Settling(self._settle)
        self.responses: list[Response] = []
        self.ran: tuple[Prompt, int] | None = None
        self.view = self._view()
        self._restore()
        self._observe()

    @property
    def prompt(self) -> Prompt:
        """The prompt with its values, parameters and labels. Raises DataError, UnsupportedSetting."""
        return replace(
            self.fields.prompt,
            values=self.values.rows,
            labels=self.labels.labels,
            config=self.parameters.config,
            responses=self.count.value,
            model=self.picker.reference,
        )

    @property
    def asked(self) -> Prompt:
        """The prompt as it is run: with the values of the row chosen."""
        return filled(self.prompt, self.values.chosen)

    def shown(self) -> None:
        """Take over a prompt that another page has opened, and have the model ready."""
        if self.studio.prompt != self.prompt:
            self._put(self.studio.prompt)
        self.picker.refresh()

    def run(self) -> None:
        """Let the model answer, behind the page where there is one."""
        self.turns.start(self._begun)

    def run_all(self) -> None:
        """Let the model answer for each row of values."""
        self.turns.start(self._all_begun)

    def stop(self) -> None:
        """Stop after the token that is being computed."""
        self.turns.stop()

    def _view(self) -> widgets.VBox:
        written = widgets.VBox(
            [self.fields.shown], layout=widgets.Layout(height=f"{HEIGHT + FACTS}px", overflow="auto")
        )
        answered = widgets.VBox([self.answers.view, self.goes_on])
        panels = {
            "Parameters": self.parameters.view,
            "Values": widgets.VBox([self.values.view, row(self.all_button)]),
            "Choose a label": self.labels.view,
            "Next token": self.next_token.view,
        }
        self.panels = {name: _panel(name, part) for name, part in panels.items()}
        return widgets.VBox(
            [
                Keys({"Control+Enter": self.run, "Escape": self.stop}),
                row(self.fields.kind, self.fields.as_chat, self.picker.choice, self.picker.other),
                row(self.run_button, self.stop_button, self.count, self.tokens),
                self.message,
                beside(written, answered, least=NARROWEST),
                row(*self.panels.values()),
                *panels.values(),
            ]
        )

    def _observe(self) -> None:
        self.run_button.on_click(lambda _button: self.run())
        self.stop_button.on_click(lambda _button: self.stop())
        self.all_button.on_click(lambda _button: self.run_all())
        for part in (self.fields, self.parameters, self.values, self.labels):
            part.when_changed(self.settling.changed)
        self.count.when_moved(self.settling.changed)
        self.picker.when_loaded(self.settling.changed)
        self.panels["Next token"].observe(lambda _change: self._show_next_token(), names="value")
        self.fields.kind.observe(lambda _change: self._show_goes_on(), names="value")
        self.goes_on.observe(lambda change: self._go_on_with(change["new"]), names="value")

    def _restore(self) -> None:
        """Show the prompt and the answers that are kept."""
        kept = self.studio.workspace.read(self.name)
        self._put(self.studio.prompt, row=kept.get("row", 0))
        self.labels.kept = tuple(kept.get("labels", ()))
        self.responses = [Response(**each) for each in kept.get("responses", ())]
        if self.responses:
            self.answers.show_responses(self.responses)
            self.ran = (Prompt.from_dict(kept.get("ran", {})), kept.get("row", 0))
        self._mark()
        self._show_goes_on()

    def _put(self, prompt: Prompt, *, row: int = 0) -> None:
        self.fields.put(prompt)
        self.parameters.put(prompt.config)
        self.values.put(prompt.values, prompt.variables, chosen=row)
        self.labels.put(prompt.labels)
        self.count.value = prompt.responses
        if prompt.model != self.picker.reference:
            self.picker.pick(prompt.model)

    def _settle(self) -> None:
        """Keep what the page holds, and show what it takes of the context window."""
        with told_in(self.tokens):
            prompt = self.prompt
            self.values.show_variables(prompt.variables)
            self.studio.keep(prompt)
            self._keep()
            self._mark()
            self.tokens.value = self._said(self.asked)
        self._show_next_token()

    def _keep(self) -> None:
        state: dict[str, Any] = {"row": self.values.chosen, "labels": list(self.labels.kept)}
        if self.ran:
            kept = [{**asdict(replace(each, steps=()))} for each in self.responses]
            state |= {"responses": kept, "ran": self.ran[0].as_dict()}
        self.studio.workspace.write(self.name, state)

    def _mark(self) -> None:
        """Say whether the answers belong to what stands in the page."""
        self.answers.mark(old=self.ran not in (None, (self.prompt, self.values.chosen)))

    def _said(self, prompt: Prompt) -> str:
        """Return what a prompt takes of the window, and which variables have no value. Raises CourseErrors."""
        left = unfilled(self.prompt, self.values.chosen)
        open_ones = f" {', '.join(f'{{{name}}}' for name in left)} without a value: open Values." if left else ""
        model = self.picker.loaded
        if model is None or isinstance(model, EndpointModel):
            return paragraph(open_ones.strip())
        try:
            written, longest = prompt.written(model), prompt.config.max_new_tokens
        except EmptyPrompt:  # an alarm when it is run, not before anything was written
            return ""
        model.check_window(written, max_new_tokens=longest)
        return paragraph(f"{token_budget(model, written, max_new_tokens=longest)}{open_ones}")

    def _show_next_token(self) -> None:
        model = self.picker.loaded
        if self.panels["Next token"].value and model:
            with told_in(self.next_token.message):
                self.next_token.show(model, self.asked.written(model), self.parameters.config)

    def _begun(self) -> Work:
        asked = self.asked
        asked.check()
        return self._choosing(asked) if asked.labels else self._responding(asked)

    def _responding(self, asked: Prompt) -> Work:
        model = yield from self.picker.loading(asked.model)
        self.responses = [Response(seed) for seed in asked.seeds]
        self.ran = (self.prompt, self.values.chosen)
        self.answers.show_responses(self.responses)
        self._mark()
        self.message.value = paragraph("Reading the prompt ...")
        try:
            yield from each_in_thread(responding(model, asked), self._show)
        except GeneratorExit:
            self.message.value = paragraph(f"Stopped: {self._written}.")
            self._keep()
            raise
        self.message.value = paragraph(f"Done: {self._written}.")
        if asked.kind == "chat":
            self._answered()
        self._keep()

    def _show(self, responses: tuple[Response, ...]) -> None:
        self.responses = list(responses)
        self.answers.show_responses(self.responses)
        self.message.value = paragraph(f"Writing: {self._written} ...")

    @property
    def _written(self) -> str:
        tokens, seconds = sum(len(each.steps) for each in self.responses), max(each.seconds for each in self.responses)
        return f"{tokens:,} tokens in {seconds:.1f} s" if tokens else f"{seconds:.1f} s"

    def _answered(self) -> None:
        """Let the first response be the chat's next turn, and offer the others."""
        self.fields.chat.answered(self.responses[0].text)
        self.goes_on.options = [(f"seed {each.seed}", n) for n, each in enumerate(self.responses)]
        self.ran = (self.prompt, self.values.chosen)
        self._show_goes_on()

    def _go_on_with(self, number: int | None) -> None:
        if number is not None and number < len(self.responses):
            self.fields.chat.answer.value = self.responses[number].text

    def _show_goes_on(self) -> None:
        several = self.fields.kind.value == "chat" and len(self.responses) > 1
        self.goes_on.layout.display = None if several else "none"

    def _choosing(self, asked: Prompt) -> Work:
        model = yield from self.picker.loading(asked.model)
        self.message.value = paragraph("Reading the prompt with each label ...")
        found: Mapping[str, float] = yield from in_thread(lambda: label_probabilities(model, asked))
        shares = yield from in_thread(lambda: classify(model, asked))
        self.answers.show_choice(shares, together=sum(found.values()))
        self.answers.mark(old=False)
        self.message.value = paragraph(f"Chosen: {next(iter(shares))}.")

    def _all_begun(self) -> Work:
        prompt = self.prompt
        prompts = [filled(prompt, number) for number in range(len(prompt.values))]
        for each in prompts:
            each.check()
        return self._running_all(prompt, prompts)

    def _running_all(self, prompt: Prompt, prompts: list[Prompt]) -> Work:
        model: LanguageModel = yield from self.picker.loading(prompt.model)
        answers: dict[int, str] = {}

        def take(answer: tuple[int, str]) -> None:
            answers.update([answer])
            self.message.value = paragraph(f"{len(answers):,} of {len(prompts):,} rows answered.")

        self.message.value = paragraph(f"Answering {len(prompts):,} rows ...")
        try:
            yield from each_in_thread(respond_to_all(model, prompts), take)
        finally:
            self._show_rows(prompt, answers)

    def _show_rows(self, prompt: Prompt, answers: Mapping[int, str]) -> None:
        names = prompt.variables
        rows = [
            (str(number + 1), *(dict(prompt.values[number]).get(name, "") for name in names), answers[number])
            for number in sorted(answers)
        ]
        self.answers.show_rows(("Row", *names, "Answer"), rows)
        self.answers.mark(old=False)


def _panel(name: str, part: widgets.DOMWidget) -> widgets.ToggleButton:
    """Return a button that unfolds a part; its arrow says whether it is unfolded."""
    made = widgets.ToggleButton(layout=fitted())

    def fold() -> None:
        made.description = f"{'▾' if made.value else '▸'} {name}"
        part.layout.display = None if made.value else "none"

    made.observe(lambda _change: fold(), names="value")
    fold()
    return made


def _responses(value: Any) -> int:
    return whole_number(value, RESPONSES_RULE, least=1, most=MOST_RESPONSES)
