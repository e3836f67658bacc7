"""The contestants of a comparison: each a prompt with a name, a model and the settings that often differ."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import ipywidgets as widgets
import traitlets

from utils.errors import CourseError, DataError
from utils.studio.comparison import MOST, Contestant
from utils.studio.models import OWN
from utils.studio.prompt import Prompt
from utils.widgets.choice import Choice
from utils.widgets.picture import short
from utils.widgets.slider import temperature_slider, top_k_slider, top_p_slider
from utils.widgets.view import FULL_LABEL, beside, button, in_words, paragraph, row

NAMES = "ABCD"
SETTINGS = ("temperature", "top_k", "top_p")
NARROWEST = 260
"""Pixels of a contestant, below which they stand below each other."""

Choices = Sequence[tuple[str, str]]
"""Labels and references of models."""


class Card:
    """One contestant: its prompt in a line, and controls for its name, its model and three settings."""

    def __init__(self, contestant: Contestant, choices: Choices, *, changed: Callable[[], None]) -> None:
        self.before = contestant.prompt
        config = self.before.config
        self.title = widgets.Text(
            contestant.name,
            description="Name",
            continuous_update=False,
            style=FULL_LABEL,
            layout=widgets.Layout(width="180px"),
        )
        self.model = Choice("Model")
        self.offer(choices)
        self.temperature = temperature_slider(config.temperature, name=contestant.name)
        self.top_k = top_k_slider(config.top_k, name=contestant.name)
        self.top_p = top_p_slider(config.top_p, name=contestant.name)
        self.open_button = button("Open", tooltip=f"Open {contestant.name} in Prompt design")
        self.remove_button = button("Remove", tooltip=f"Remove {contestant.name} from the comparison")
        sliders = [self.temperature, self.top_k, self.top_p]
        head = row(self.title, self.open_button, self.remove_button)
        self.view = widgets.VBox([head, widgets.HTML(_line(self.before)), self.model, *sliders])
        self.model.when_chosen(changed)
        for field in (self.title, *sliders):
            field.observe(lambda _change: changed(), names="value")

    @property
    def contestant(self) -> Contestant:
        """The contestant as the controls have it."""
        moved = {name: getattr(self, name).value for name in SETTINGS}
        config = replace(self.before.config, **moved)
        return Contestant(self.title.value.strip(), replace(self.before, model=self.model.value, config=config))

    def offer(self, choices: Choices) -> None:
        """Offer these models, and the contestant's own where it is not among them."""
        chosen = self.model.value if self.model.options else self.before.model
        known = {reference for _, reference in choices}
        self.model.offer([*choices, *([] if chosen in known else [(chosen or OWN, chosen)])])
        self.model.value = chosen


class Contestants(traitlets.HasTraits):
    """The cards side by side. value: name and prompt of each, as JSON values; it is set to show others."""

    value = traitlets.List(traitlets.Dict())

    def __init__(self, open_prompt: Callable[[Prompt], None]) -> None:
        super().__init__()
        self.open_prompt = open_prompt
        self.choices: Choices = []
        self.cards: list[Card] = []
        self.view = beside(least=NARROWEST)

    @property
    def contestants(self) -> list[Contestant]:
        """The contestants as the controls have them."""
        return [card.contestant for card in self.cards]

    def add(self, prompt: Prompt) -> None:
        """Add a prompt under the first letter that is free. Raises DataError."""
        if len(self.cards) == MOST:
            raise DataError(f"There are {MOST} contestants already: remove one first.")
        taken = {one.name for one in self.contestants}
        name = next(letter for letter in NAMES if letter not in taken)
        self._put([*self.contestants, Contestant(name, prompt)])

    def remove(self, card: Card) -> None:
        """Take a contestant out."""
        self._put([each.contestant for each in self.cards if each is not card])

    def offer(self, choices: Choices) -> None:
        """Offer these models to every contestant."""
        self.choices = choices
        for card in self.cards:
            card.offer(choices)

    def _put(self, contestants: Sequence[Contestant]) -> None:
        self.cards = [Card(one, self.choices, changed=self._say) for one in contestants]
        for card in self.cards:
            card.open_button.on_click(lambda _button, card=card: self.open_prompt(card.contestant.prompt))
            card.remove_button.on_click(lambda _button, card=card: self.remove(card))
        self.view.children = [card.view for card in self.cards]
        self._say()

    def _say(self) -> None:
        self.value = [{"name": one.name, "prompt": one.prompt.as_dict()} for one in self.contestants]

    @traitlets.observe("value")
    def _restore(self, change: Any) -> None:
        """Show what was kept; a prompt that cannot be read is left out."""
        if change["new"] == [{"name": one.name, "prompt": one.prompt.as_dict()} for one in self.contestants]:
            return
        found = []
        for kept in change["new"][:MOST]:
            try:
                found.append(Contestant(str(kept["name"]), Prompt.from_dict(kept["prompt"])))
            except (CourseError, KeyError):
                continue
        self._put(found)


def _line(prompt: Prompt) -> str:
    """Return a prompt in a line or two, as HTML."""
    asked = {"freeform": prompt.text, "structured": prompt.context or prompt.test_input, "chat": prompt.context}
    text = asked[prompt.kind] or next((content for _, content in prompt.turns), "")
    others = in_words(prompt.config, without=(*SETTINGS, "seed"))
    labels = f"chooses from {', '.join(prompt.labels)}" if prompt.labels else ""
    return paragraph("; ".join(filter(None, [f"{prompt.kind.capitalize()}: {short(text)}", labels, others])))
