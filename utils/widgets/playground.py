"""The playground: one prompt, two configurations, and the completions as they come, token by token."""

from collections.abc import Iterator
from dataclasses import replace

import ipywidgets as widgets

from utils.decoding.generation import Step, generate_stream
from utils.errors import UnsupportedSetting
from utils.logits.config import DecodingConfig
from utils.models.language_model import LanguageModel
from utils.prompts.budget import token_budget
from utils.widgets.completion import Completion, completion_html
from utils.widgets.slider import temperature_slider, top_k_slider, top_p_slider
from utils.widgets.turns import Turns
from utils.widgets.view import FULL_LABEL, WIDE, paragraph, show

NARROW = widgets.Layout(width="230px")


class Column:
    """One configuration's sliders and its completion."""

    def __init__(self, name: str, config: DecodingConfig) -> None:
        self.name, self.config_before = name, config
        self.temperature = temperature_slider(config.temperature, name=name)
        self.top_k = top_k_slider(config.top_k, name=name)
        self.top_p = top_p_slider(config.top_p, name=name)
        self.completion = Completion(label=f"Completion {name}")
        self.steps: list[Step] = []

    @property
    def config(self) -> DecodingConfig:
        """The configuration as the sliders have it."""
        return replace(
            self.config_before,
            temperature=self.temperature.value,
            top_k=int(self.top_k.value),
            top_p=self.top_p.value,
        )

    @property
    def text(self) -> str:
        """The completion so far."""
        return "".join(step.text for step in self.steps)

    @property
    def view(self) -> widgets.VBox:
        """Sliders above the completion."""
        parts = [self.temperature, self.top_k, self.top_p, self.completion]
        return widgets.VBox(parts, layout=widgets.Layout(width="50%", padding="0 8px 0 0"))


class Playground:
    """Prompt, seed and limit for both columns; each `.value` is what the next run takes."""

    def __init__(self, model: LanguageModel, prompt: str, left: DecodingConfig, right: DecodingConfig) -> None:
        self.model = model
        self.prompt = widgets.Textarea(prompt, description="Prompt", rows=2, style=FULL_LABEL, layout=WIDE)
        self.seed = widgets.BoundedIntText(
            left.seed, min=0, max=9999, description="Seed", style=FULL_LABEL, layout=NARROW
        )
        self.max_new_tokens = widgets.BoundedIntText(
            left.max_new_tokens, min=1, max=500, description="Max new tokens", style=FULL_LABEL, layout=NARROW
        )
        self.generate_button = widgets.Button(description="Generate", button_style="primary")
        self.stop_button = widgets.Button(description="Stop")
        self.message = widgets.HTML(layout=widgets.Layout(height="40px", overflow="hidden"))
        self.columns = (Column("A", left), Column("B", right))
        self.turns = Turns(self.message)
        self.generate_button.on_click(lambda _button: self.turns.start(self._both))
        self.stop_button.on_click(lambda _button: self.stop())
        for column in self.columns:
            column.completion.when_chosen(
                lambda position, token, column=column: self.turns.start(
                    lambda: self._continued(column, position, token)
                )
            )

    @property
    def view(self) -> widgets.VBox:
        """Common controls above the two columns."""
        common = widgets.HBox([self.seed, self.max_new_tokens, self.generate_button, self.stop_button])
        return widgets.VBox([self.prompt, common, self.message, widgets.HBox([column.view for column in self.columns])])

    def generate(self) -> None:
        """Write both completions and wait for them."""
        self.turns.run(self._both)

    def continue_from(self, name: str, position: int, token: int) -> None:
        """Write column "A" or "B" anew from a position on, with this token there, and wait for it."""
        column = next((column for column in self.columns if column.name == name), None)
        if column is None:
            raise UnsupportedSetting(f"There is no column {name!r}: take A or B.")
        self.turns.run(lambda: self._continued(column, position, token))

    def stop(self) -> None:
        """Stop after the token that is being computed."""
        self.turns.stop()
        for column in self.columns:
            if not (column.steps and column.steps[-1].stop_reason):
                column.completion.status = f"Stopped after {len(column.steps)} tokens."

    def _both(self) -> Iterator[None]:
        waiting = [self._written(column, begun=()) for column in self.columns]
        while waiting:
            for work in list(waiting):
                if next(work, work) is work:
                    waiting.remove(work)
                else:
                    yield

    def _continued(self, column: Column, position: int, token: int) -> Iterator[None]:
        begun = [step.token for step in column.steps[:position]]
        return self._written(column, begun=(*begun, token))

    def _written(self, column: Column, *, begun: tuple[int, ...]) -> Iterator[None]:
        config = replace(column.config, seed=self.seed.value, max_new_tokens=self.max_new_tokens.value)
        prompt = self.prompt.value
        budget = token_budget(self.model, prompt, max_new_tokens=config.max_new_tokens)
        self.message.value = paragraph(
            f"{budget.prompt} tokens of prompt and at most {budget.completion} of completion, "
            f"out of a context window of {budget.window}."
        )
        column.steps = []
        for step in generate_stream(self.model, prompt, config, begun=begun):
            column.steps.append(step)
            column.completion.put(column.steps)
            ended = f" Ended by: {step.stop_reason}." if step.stop_reason else ""
            used = budget.prompt + len(column.steps)
            column.completion.status = f"{len(column.steps)} tokens; {used} of {budget.window} used.{ended}"
            yield


def playground(
    model: LanguageModel, prompt: str, left: DecodingConfig | None = None, right: DecodingConfig | None = None
) -> Playground:
    """Show a playground with both completions written and return it.

    left, right: the configurations; greedy and the model's own probabilities unless given.
    Seed and limit are the left one's.
    """
    made = Playground(model, prompt, left or DecodingConfig(temperature=0), right or DecodingConfig())
    made.generate()
    show(made.view, summary=_static(made), text=f"A playground. {_words(made)}")
    return made


def _words(made: Playground) -> str:
    return " ".join(f"Completion {column.name}: {column.text!r}." for column in made.columns)


def _static(made: Playground) -> str:
    parts = [
        f"<p><b>{column.name}</b>: temperature {column.config.temperature:g}, top-k {column.config.top_k}, "
        f"top-p {column.config.top_p:g}</p>{completion_html(column.steps)}"
        for column in made.columns
    ]
    return f"{paragraph(made.prompt.value)}{''.join(parts)}{paragraph('Run this cell to change the settings.')}"
