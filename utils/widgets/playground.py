"""The playground: one prompt, two configurations, and the completions as they come, token by token."""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, replace

import ipywidgets as widgets

from utils.arguments import whole_number
from utils.decoding.generation import Step, generate_stream
from utils.errors import UnsupportedSetting
from utils.logits.config import DecodingConfig
from utils.models.language_model import LanguageModel
from utils.models.sharing import embeddings
from utils.prompts.budget import token_budget
from utils.widgets.completion import Completion, completion_html, legend
from utils.widgets.picture import short
from utils.widgets.slider import NumberBox, limit_box, seed_box, temperature_slider, top_k_slider, top_p_slider
from utils.widgets.turns import Turns
from utils.widgets.view import FULL_LABEL, WIDE, also_set, beside, button, paragraph, plain, row, show, told_in

NAMES = ("A", "B")
CONTROLS = ("temperature", "top_k", "top_p", "seed", "max_new_tokens")
NARROWEST = 300
"""Pixels of a column below which the two stand below each other."""


@dataclass(frozen=True)
class Asked:
    """What a completion is written with. begun: the tokens that were there before, the last of them chosen by hand."""

    prompt: str
    config: DecodingConfig
    begun: tuple[int, ...] = ()

    @property
    def caption(self) -> str:
        """The settings and what was chosen, in words."""
        chosen = f"; token {len(self.begun)} chosen by hand" if self.begun else ""
        return f"Written with {_settings(self.config)}{chosen}."


class Column:
    """One configuration's sliders and its completion; prompt, seed and limit stand in boxes that columns may share."""

    def __init__(
        self, name: str, config: DecodingConfig, prompt: widgets.Textarea, seed: NumberBox, max_new_tokens: NumberBox
    ) -> None:
        self.name, self.config_before = name, config
        self.prompt, self.seed, self.max_new_tokens = prompt, seed, max_new_tokens
        self.temperature = temperature_slider(config.temperature, name=name)
        self.top_k = top_k_slider(config.top_k, name=name)
        self.top_p = top_p_slider(config.top_p, name=name)
        self.completion = Completion(label=f"Completion {name}")
        self.asked: Asked | None = None
        self.steps: list[Step] = []
        self.compare()

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
        return widgets.VBox([self.temperature, self.top_k, self.top_p, *others, self.completion])

    def compare(self) -> None:
        """Mark the completion as old if the prompt or the controls are no longer what it was written with.

        Greedy decoding, temperature 0, takes the likeliest token whatever top-k and top-p cut: both are off.
        """
        self.top_k.disabled = self.top_p.disabled = self.temperature.value == 0
        old = ""
        if self.asked and self.asked.prompt != self.prompt.value:
            old = f"Old: this completion belongs to the prompt '{short(self.asked.prompt)}'."
        elif self.asked and self.asked.config != self.config:
            old = "Old: the controls have moved since."
        self.completion.old = old

    def written(self, asked: Asked, steps: Iterable[Step], status: Callable[[int], str]) -> Generator[None]:
        """Show steps as they come. status: what is said of a number of tokens."""
        before = (self.asked, self.text)
        self.asked, self.steps, self.completion.caption = asked, [], asked.caption
        self.compare()
        try:
            for step in steps:
                self.steps.append(step)
                self.completion.put(self.steps)
                self.completion.status = status(len(self.steps))
                yield
        except GeneratorExit:
            self.completion.status = f"Stopped after {len(self.steps)} tokens."
            raise
        self.completion.status += f" Ended by: {self.steps[-1].stop_reason}."
        if before == (self.asked, self.text):
            self.completion.status += " The same as before: prompt, settings and seed are the same."


class Playground:
    """A prompt for both columns, and a seed and a limit for both where they are the same; else each keeps its own.

    Each control's `.value` is what the next run takes. seed, max_new_tokens: the left column's.
    """

    def __init__(self, model: LanguageModel, prompt: str, left: DecodingConfig, right: DecodingConfig) -> None:
        self.model = model
        self.prompt = widgets.Textarea(prompt, description="Prompt", rows=2, style=FULL_LABEL, layout=WIDE)
        seeds = _boxes(seed_box, left.seed, right.seed)
        limits = _boxes(limit_box, left.max_new_tokens, right.max_new_tokens)
        self.columns = tuple(map(Column, NAMES, (left, right), [self.prompt] * 2, seeds, limits))
        self.seed, self.max_new_tokens = seeds[0], limits[0]
        self.boxes = list(dict.fromkeys((*seeds, *limits)))
        self.generate_button = button("Generate", button_style="primary")
        self.stop_button = button("Stop")
        self.message = widgets.HTML(layout=widgets.Layout(min_height="20px"))
        self.turns = Turns(self.message)
        self._observe()

    def _observe(self) -> None:
        self.generate_button.on_click(lambda _button: self.turns.start(self._both))
        self.stop_button.on_click(lambda _button: self.stop())
        self.prompt.observe(lambda _change: self.compare(), names="value")
        for box in self.boxes:
            box.when_moved(self.compare)
        for column in self.columns:
            for slider in (column.temperature, column.top_k, column.top_p):
                slider.when_moved(self.compare)
            column.completion.when_chosen(
                lambda position, token, column=column: self.turns.start(
                    lambda: self._continued(column, position, token)
                )
            )

    @property
    def view(self) -> widgets.VBox:
        """Common controls above the two columns."""
        common = row(*self.boxes, self.generate_button, self.stop_button)
        columns = beside(*(column.view for column in self.columns), least=NARROWEST)
        return widgets.VBox([self.prompt, common, self.message, columns, widgets.HTML(legend())])

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

    def compare(self) -> None:
        """Say what the prompt takes of the context window, and mark completions that belong to something else."""
        for column in self.columns:
            column.compare()
        with told_in(self.message):
            self._check(self.prompt.value, max(column.max_new_tokens.value for column in self.columns))

    def _check(self, prompt: str, max_new_tokens: int) -> None:
        self.model.check_window(prompt, max_new_tokens=max_new_tokens)
        budget = token_budget(self.model, prompt, max_new_tokens=max_new_tokens)
        self.message.value = paragraph(str(budget))

    def _both(self) -> Generator[None]:
        return _in_turns([self._written(column, Asked(self.prompt.value, column.config)) for column in self.columns])

    def _continued(self, column: Column, position: int, token: int) -> Generator[None]:
        prompt = column.asked.prompt if column.asked else self.prompt.value
        begun = (*(step.token for step in column.steps[:position]), token)
        return self._written(column, Asked(prompt, column.config, begun))

    def _written(self, column: Column, asked: Asked) -> Generator[None]:
        """Return the work of writing a completion. Raises EmptyPrompt, ContextWindowExceeded."""
        self._check(asked.prompt, asked.config.max_new_tokens)
        steps = generate_stream(self.model, asked.prompt, asked.config, begun=asked.begun)
        prompt, window = self.model.count_tokens(asked.prompt), self.model.context_window
        return column.written(
            asked, steps, lambda written: f"{written:,} tokens; {prompt + written:,} of {window:,} used."
        )


def _in_turns(waiting: list[Generator[None]]) -> Generator[None]:
    """Take a turn of each work until all are done; closed before, it closes them."""
    try:
        while waiting:
            for work in list(waiting):
                if next(work, work) is work:
                    waiting.remove(work)
                else:
                    yield
    finally:
        for work in waiting:
            work.close()


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


def _settings(config: DecodingConfig) -> str:
    return (
        f"temperature {plain(config.temperature)}, top-k {config.top_k}, top-p {plain(config.top_p)}, "
        f"seed {config.seed}, at most {config.max_new_tokens} tokens"
    )


def _words(made: Playground) -> str:
    return " ".join(f"Completion {column.name}: {column.text!r}." for column in made.columns)


def _static(made: Playground) -> str:
    parts = [
        f"<p><b>{column.name}</b>: {_settings(column.config)}</p>{column.also_set}{completion_html(column.steps)}"
        for column in made.columns
    ]
    return (
        f"{paragraph(made.prompt.value)}{''.join(parts)}{legend()}{paragraph('Run this cell to change the settings.')}"
    )
