"""The playground: one prompt, two configurations, and the completions as they come, token by token."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import ipywidgets as widgets

from utils.arguments import whole_number
from utils.decoding.generation import Step, generate_stream
from utils.errors import UnsupportedSetting
from utils.logits.config import DecodingConfig
from utils.models.language_model import LanguageModel
from utils.models.sharing import embeddings
from utils.prompts.budget import token_budget
from utils.widgets.completion import Completion, completion_html
from utils.widgets.slider import NumberBox, limit_box, seed_box, temperature_slider, top_k_slider, top_p_slider
from utils.widgets.turns import Turns
from utils.widgets.view import FULL_LABEL, WIDE, also_set, paragraph, plain, show

NAMES = ("A", "B")
CONTROLS = ("temperature", "top_k", "top_p", "seed", "max_new_tokens")


class Column:
    """One configuration's sliders and its completion; seed and limit stand in boxes that columns may share."""

    def __init__(self, name: str, config: DecodingConfig, seed: NumberBox, max_new_tokens: NumberBox) -> None:
        self.name, self.config_before, self.seed, self.max_new_tokens = name, config, seed, max_new_tokens
        self.temperature = temperature_slider(config.temperature, name=name)
        self.top_k = top_k_slider(config.top_k, name=name)
        self.top_p = top_p_slider(config.top_p, name=name)
        self.completion = Completion(label=f"Completion {name}")
        self.steps: list[Step] = []

    @property
    def config(self) -> DecodingConfig:
        """The configuration as the controls have it."""
        moved = {name: getattr(self, name).value for name in CONTROLS}
        return replace(self.config_before, **moved)

    @property
    def also_set(self) -> str:
        """What is set and has no control, as HTML."""
        return also_set(self.config_before, controls=CONTROLS)

    @property
    def text(self) -> str:
        """The completion so far."""
        return "".join(step.text for step in self.steps)

    @property
    def view(self) -> widgets.VBox:
        """Sliders above the completion."""
        others = [widgets.HTML(self.also_set)] if self.also_set else []
        parts = [self.temperature, self.top_k, self.top_p, *others, self.completion]
        return widgets.VBox(parts, layout=widgets.Layout(width="50%", padding="0 8px 0 0"))


class Playground:
    """A prompt for both columns, and a seed and a limit for both where they are the same; else each keeps its own.

    Each control's `.value` is what the next run takes. seed, max_new_tokens: the left column's.
    """

    def __init__(self, model: LanguageModel, prompt: str, left: DecodingConfig, right: DecodingConfig) -> None:
        self.model = model
        self.prompt = widgets.Textarea(prompt, description="Prompt", rows=2, style=FULL_LABEL, layout=WIDE)
        seeds = _boxes(seed_box, left.seed, right.seed)
        limits = _boxes(limit_box, left.max_new_tokens, right.max_new_tokens)
        self.columns = tuple(map(Column, NAMES, (left, right), seeds, limits))
        self.seed, self.max_new_tokens = seeds[0], limits[0]
        self.boxes = list(dict.fromkeys((*seeds, *limits)))
        self.generate_button = widgets.Button(description="Generate", button_style="primary")
        self.stop_button = widgets.Button(description="Stop")
        self.message = widgets.HTML(layout=widgets.Layout(height="40px", overflow="hidden"))
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
        common = widgets.HBox([*self.boxes, self.generate_button, self.stop_button])
        return widgets.VBox([self.prompt, common, self.message, widgets.HBox([column.view for column in self.columns])])

    def generate(self) -> None:
        """Write both completions and wait for them."""
        self.turns.run(self._both)

    def continue_from(self, name: str, position: int, token: int) -> None:
        """Write column "A" or "B" anew from a position on, with this token there, and wait for it.

        Raises UnsupportedSetting.
        """
        column = next((column for column in self.columns if column.name == name), None)
        if column is None:
            raise UnsupportedSetting(f"There is no column {name!r}: take A or B.")
        written, last = len(column.steps), len(embeddings(self.model.model)) - 1
        at = whole_number(position, f"a position is a whole number from 0 to {written}", least=0, most=written)
        there = whole_number(token, f"a token is a whole number from 0 to {last}", least=0, most=last)
        self.turns.run(lambda: self._continued(column, at, there))

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
        config, prompt = column.config, self.prompt.value
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


def _boxes(make: Callable[..., NumberBox], *values: int) -> list[NumberBox]:
    """Return a box for each column: the same one where the values are the same."""
    if len(set(values)) == 1:
        return [make(values[0])] * len(values)
    return [make(value, name=name) for name, value in zip(NAMES, values, strict=True)]


def playground(
    model: LanguageModel, prompt: str, left: DecodingConfig | None = None, right: DecodingConfig | None = None
) -> Playground:
    """Show a playground with both completions written and return it.

    left, right: the configurations; greedy and the model's own probabilities unless given,
    with the other one's seed and limit.
    """
    given = left or right or DecodingConfig()
    other = DecodingConfig(seed=given.seed, max_new_tokens=given.max_new_tokens)
    made = Playground(model, prompt, left or replace(other, temperature=0), right or other)
    made.generate()
    show(made.view, summary=_static(made), text=f"A playground. {_words(made)}")
    return made


def _words(made: Playground) -> str:
    return " ".join(f"Completion {column.name}: {column.text!r}." for column in made.columns)


def _static(made: Playground) -> str:
    parts = [
        f"<p><b>{column.name}</b>: temperature {plain(column.config.temperature)}, top-k {column.config.top_k}, "
        f"top-p {plain(column.config.top_p)}</p>{column.also_set}{completion_html(column.steps)}"
        for column in made.columns
    ]
    own = "".join(paragraph(f"{box.label}: {box.shown}") for box in made.boxes if len(made.boxes) > 2)
    return f"{paragraph(made.prompt.value)}{own}{''.join(parts)}{paragraph('Run this cell to change the settings.')}"
