"""The parameters of a prompt, and what they make of its next token."""

import re
from collections.abc import Callable, Generator

import ipywidgets as widgets

from utils.decoding.candidates import SHOWN, ReadPrompt, next_token, read_prompt
from utils.logits.config import ORDERS, DecodingConfig
from utils.models.language_model import LanguageModel
from utils.widgets.picture import Picture, old_prompt
from utils.widgets.sampler_picture import picture_height, sampler_picture
from utils.widgets.slider import SLIDERS, Slider, limit_box, seed_box, switch
from utils.widgets.turns import Turns, in_thread
from utils.widgets.view import FULL_LABEL, WIDE, beside, paragraph, row, told_in

NARROWEST = 300
ESCAPES = {"\\": "\\\\", "\n": "\\n", "\t": "\\t"}
"""How what a line of text cannot hold is typed in a stop sequence."""


class Parameters:
    """Sliders and boxes for all of a decoding configuration."""

    def __init__(self, config: DecodingConfig) -> None:
        self.sliders: dict[str, Slider] = {name: make(getattr(config, name)) for name, make in SLIDERS.items()}
        self.seed, self.max_new_tokens = seed_box(config.seed), limit_box(config.max_new_tokens)
        self.order = switch("Order of the steps", tuple(ORDERS), config.order)
        self.stop = widgets.Textarea(
            description="Stop sequences, one a line",
            placeholder="\\n stands for a line break",
            rows=2,
            style=FULL_LABEL,
            layout=WIDE,
        )
        self.put(config)

    @property
    def config(self) -> DecodingConfig:
        """The configuration as the controls have it."""
        values = {name: slider.value for name, slider in self.sliders.items()}
        return DecodingConfig(
            **values,
            order=self.order.value,
            seed=self.seed.value,
            max_new_tokens=self.max_new_tokens.value,
            stop=tuple(_unescaped(line) for line in self.stop.value.split("\n") if line),
        )

    @property
    def view(self) -> widgets.VBox:
        """Sliders in columns, and the boxes below them."""
        boxes = row(self.max_new_tokens, self.seed, self.order)
        return widgets.VBox([boxes, beside(*self.sliders.values(), least=NARROWEST), self.stop])

    def put(self, config: DecodingConfig) -> None:
        """Show another configuration."""
        for name in (*self.sliders, "seed", "max_new_tokens", "order"):
            control = self.sliders.get(name) or getattr(self, name)
            control.value = getattr(config, name)
        self.stop.value = "\n".join(map(_escaped, config.stop))

    def when_changed(self, call: Callable[[], None]) -> None:
        """Call a function after each change."""
        for box in (*self.sliders.values(), self.seed, self.max_new_tokens):
            box.when_moved(call)
        for control in (self.order, self.stop):
            control.observe(lambda _change: call(), names="value")


class NextTokenView:
    """The distribution of the token after a prompt, before and under the settings.

    The model reads when the prompt or the model is another; a setting that changes is drawn at once.
    """

    def __init__(self) -> None:
        self.message = widgets.HTML(layout=widgets.Layout(min_height="40px"))
        self.picture = Picture(height=picture_height(SHOWN + 1) + 4)
        self.turns = Turns(self.message)
        self.model: LanguageModel | None = None
        self.read: ReadPrompt | None = None
        self.view = widgets.VBox([self.message, self.picture])

    def show(self, model: LanguageModel, prompt: str, config: DecodingConfig) -> None:
        """Show what comes after a prompt as it is written for this model."""
        if self.read and self.model is model and self.read.prompt == prompt:
            self._draw(self.read, config)
        else:
            self.turns.start(lambda: self._reading(model, prompt, config))

    def _reading(self, model: LanguageModel, prompt: str, config: DecodingConfig) -> Generator[None]:
        with self.picture.or_old(old_prompt(self.read.prompt if self.read else prompt)):
            self.read = yield from in_thread(lambda: read_prompt(model, prompt))
            self.model = model
            self._draw(self.read, config)

    def _draw(self, read: ReadPrompt, config: DecodingConfig) -> None:
        with told_in(self.message):
            found = next_token(read, config)
            self.picture.value, self.picture.old = sampler_picture(found), ""
            self.message.value = paragraph(found.summary)


def _escaped(stop: str) -> str:
    return re.sub(r"[\\\n\t]", lambda found: ESCAPES[found[0]], stop)


def _unescaped(typed: str) -> str:
    meant = {escape: character for character, escape in ESCAPES.items()}
    return re.sub(r"\\.", lambda found: meant.get(found[0], found[0]), typed)
