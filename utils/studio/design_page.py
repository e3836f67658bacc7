"""Prompt design: write a prompt, set its parameters, pick a model, and see what it makes of it."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import ipywidgets as widgets

from utils.arguments import whole_number
from utils.errors import DataError, EmptyPrompt
from utils.models.endpoints import EndpointModel
from utils.prompts.budget import token_budget
from utils.studio.answers_page import FACTS, HEIGHT, Answers
from utils.studio.fields_page import PromptFields
from utils.studio.labels_page import LabelFields
from utils.studio.model_page import ModelPicker
from utils.studio.parameters_page import NextTokenView, Parameters
from utils.studio.prompt import MOST_RESPONSES, Prompt
from utils.studio.responses import Response
from utils.studio.run_cards import RunCards
from utils.studio.running_page import Runs
from utils.studio.studio import DESIGN, Studio
from utils.studio.values import filled, unfilled
from utils.studio.values_page import ValueFields
from utils.widgets.choice import Choice
from utils.widgets.keys import Keys
from utils.widgets.settling import Settling
from utils.widgets.slider import NARROW, NumberBox
from utils.widgets.view import alert, beside, button, fitted, paragraph, row, told_in

NARROWEST = 380
"""Pixels of prompt and answers, below which they stand below each other."""
RESPONSES_RULE = f"responses are a whole number from 1 to {MOST_RESPONSES}"


class DesignPage:
    """A prompt with all that belongs to it, beside the answers to it.

    prompt: as the page has it. asked: the same with the chosen row's values.
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
        self.goes_on = Choice("The chat goes on with")
        self.message, self.tokens = (widgets.HTML(layout=widgets.Layout(min_height="20px")) for _ in range(2))
        self.picker = ModelPicker(studio.models, self.message)
        self.runs = Runs(self.picker, self.answers, self.message, RunCards(studio.workspace), self._ended)
        self.settling = Settling(self._settle)
        studio.when_left(self.settling.finish)
        self.view = self._view()
        self._restore()
        self._observe()

    @property
    def prompt(self) -> Prompt:
        """The prompt with its values, parameters and labels. Raises DataError for labels that are too few."""
        return replace(self.draft, labels=self.labels.labels)

    @property
    def draft(self) -> Prompt:
        """The same as it is kept: without labels while they cannot be chosen from."""
        return replace(
            self.fields.prompt,
            values=self.values.rows,
            labels=self.labels.usable,
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
        if (prompt := self.studio.prompt) != self.draft:
            self._put(prompt)
            self._mark()
        self.picker.refresh()

    def run(self) -> None:
        """Let the model answer, behind the page where there is one."""
        with told_in(self.message):
            self.runs.run(self.prompt, self.values.chosen)

    def run_all(self) -> None:
        """Let the model answer for each row of values."""
        with told_in(self.message):
            self.runs.run_all(self.prompt, self.values.chosen)

    def stop(self) -> None:
        """Stop after the token that is being computed."""
        self.runs.stop()

    def _view(self) -> widgets.VBox:
        place = widgets.Layout(height=f"{HEIGHT + FACTS}px", overflow="auto")
        written = widgets.VBox([self.fields.shown], layout=place)
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
        self.panels["Next token"].observe(lambda _change: self.settling.changed(), names="value")
        self.fields.kind.observe(lambda _change: self._show_goes_on(), names="value")
        self.goes_on.when_chosen(self._go_on)

    def _restore(self) -> None:
        """Show the prompt and the answers that are kept."""
        kept = self.kept_state = self.studio.workspace.read(self.name)
        self._put(self.studio.prompt, row=kept.get("row", 0))
        self.values.pasted.value = kept.get("pasted", "")
        self.labels.kept = tuple(kept.get("labels", ()))
        if "asked" in kept:
            self.answers.put(kept["answers"])
            self.runs.asked = (Prompt.from_dict(kept["asked"]), kept["asked_row"])
        self._mark()
        self._show_goes_on()

    def _put(self, prompt: Prompt, *, row: int = 0) -> None:
        self.kept = prompt
        self.fields.put(prompt)
        self.parameters.put(prompt.config)
        self.values.put(prompt.values, prompt.variables, chosen=row)
        self.labels.put(prompt.labels)
        self.count.value = prompt.responses
        if prompt.model != self.picker.reference:
            self.picker.pick(prompt.model)

    def _settle(self) -> None:
        """Keep what the page holds, and show what it takes of the context window and what comes next."""
        with told_in(self.tokens):
            self.values.show_variables(self.draft.variables)
            self._keep()
            self._mark()
            self.tokens.value, asked = "", self.asked
            with suppress(EmptyPrompt, DataError):  # nothing to say before something is asked
                asked.check()
                self.tokens.value = self._said(asked)
                self._show_next_token(asked)

    def _keep(self) -> None:
        """Keep the prompt and the page's own state, where they are not kept yet: another studio may write, too."""
        if self.draft != self.kept:
            self.kept = self.draft
            self.studio.keep(self.kept)
        state: dict[str, Any] = {
            "row": self.values.chosen,
            "pasted": self.values.pasted.value,
            "labels": list(self.labels.kept),
        }
        if self.runs.asked:
            asked, row = self.runs.asked
            state |= {"asked": asked.as_dict(), "asked_row": row, "answers": self.answers.state}
        if state != self.kept_state:
            self.kept_state = state
            if said := self.studio.workspace.write(self.name, state):
                self.message.value = alert(said)

    def _mark(self) -> None:
        """Say whether the answers belong to what stands in the page."""
        self.answers.mark(old=self.runs.asked not in (None, (self.draft, self.values.chosen)))

    def _said(self, prompt: Prompt) -> str:
        """Return what a prompt takes of the window, and which variables have no value. Raises ContextWindowExceeded."""
        names = ", ".join(f"{{{name}}}" for name in unfilled(self.draft, self.values.chosen))
        left, model = f"Without a value: {names}." if names else "", self.picker.loaded
        if model is None or isinstance(model, EndpointModel):
            return paragraph(left)
        written, longest = prompt.written(model), prompt.config.max_new_tokens
        model.check_window(written, max_new_tokens=longest)
        return paragraph(f"{token_budget(model, written, max_new_tokens=longest)} {left}")

    def _show_next_token(self, prompt: Prompt) -> None:
        if self.panels["Next token"].value and (model := self.picker.loaded):
            with told_in(self.next_token.message):
                self.next_token.show(model, prompt.written(model), prompt.config)

    def _ended(self, responses: Sequence[Response]) -> None:
        """Let the first response to a chat be its next turn, offer the others, and keep all."""
        if responses and self.runs.asked and self.runs.asked[0].kind == "chat":
            self.fields.chat.answered(self.runs.asked[0].turns, responses[0].text)
            self.goes_on.offer([(f"seed {each.seed}", n) for n, each in enumerate(responses)])
            self.runs.asked = (self.draft, self.values.chosen)
        self._show_goes_on()
        self._settle()

    def _go_on(self) -> None:
        self.fields.chat.answer.value = self.runs.responses[self.goes_on.value].text

    def _show_goes_on(self) -> None:
        several = self.fields.kind.value == "chat" and len(self.runs.responses) > 1
        self.goes_on.layout.display = None if several else "none"


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
