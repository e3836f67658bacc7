"""The gallery: find a prompt, read it with what the course's model made of it, and open it in Prompt design."""

import html

import ipywidgets as widgets

from utils.studio.gallery import TASKS, Card, load_cards
from utils.studio.kept_page import Kept
from utils.studio.prompt import Prompt
from utils.studio.studio import DESIGN, Studio
from utils.tables import TextTable
from utils.widgets.choice import Choice
from utils.widgets.view import (
    FULL_LABEL,
    WIDE,
    Dropdown,
    alert,
    beside,
    button,
    fitted,
    in_words,
    paragraph,
    row,
    scrolling,
)

ANY = "any"
HEIGHT = 520
"""Pixels of the card, at most: a longer one scrolls."""
NARROWEST = 320


class GalleryPage:
    """A search and a filter, the cards that pass them, and the chosen one.

    selected: the cards in the list. card: the chosen one, None where none passes.
    """

    name = "Gallery"

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.gallery = load_cards()
        self.selected: tuple[Card, ...] = ()
        self.search = widgets.Text(
            description="Search", placeholder="words of a title, a prompt or its reason", style=FULL_LABEL, layout=WIDE
        )
        self.task = Dropdown(options=[ANY, *TASKS], description="Task", style=FULL_LABEL, layout=fitted())
        self.chosen = Choice("Cards", rows=28)
        self.open_button = button(f"Open in {DESIGN}", button_style="primary")
        self.count, self.message = widgets.HTML(), widgets.HTML()
        self.shown_card = widgets.HTML()
        listed = widgets.VBox([self.search, row(self.task, self.count), self.chosen])
        read = widgets.VBox([row(self.open_button), self.shown_card])
        self.view = widgets.VBox([self.message, beside(listed, read, least=NARROWEST)])
        self._observe()
        self._list()
        fields = {"search": self.search, "task": self.task, "chosen": self.chosen}
        self.kept = Kept(studio.workspace, self.name, fields, self.message)
        if self.gallery.problems:
            self.message.value = alert(" ".join(self.gallery.problems))

    @property
    def card(self) -> Card | None:
        """The chosen card."""
        return next((card for card in self.selected if card.name == self.chosen.value), None)

    def shown(self) -> None:
        """Leave it as it is: the cards are files of the course."""

    def open(self) -> None:
        """Open the chosen card's prompt in Prompt design."""
        if self.card:
            self.studio.design(self.card.prompt)

    def _observe(self) -> None:
        for field in (self.search, self.task):
            field.observe(lambda _change: self._list(), names="value")
        self.chosen.observe(lambda _change: self._show(), names="value")
        self.open_button.on_click(lambda _button: self.open())

    def _list(self) -> None:
        """List the cards that pass; the chosen one stays chosen where it is among them."""
        self.selected = self.gallery.find(self.search.value, task="" if self.task.value == ANY else self.task.value)
        self.chosen.offer([(f"{card.title} ({card.task})", card.name) for card in self.selected])
        found, cards = len(self.selected), len(self.gallery.cards)
        passed = f"{found} of {cards} cards" if found else "No card passes: search for less"
        self.count.value = paragraph(f"{passed}.")
        self._show()

    def _show(self) -> None:
        card = self.card
        self.open_button.disabled = card is None
        self.shown_card.value = scrolling(card_html(card), "The chosen card", height=HEIGHT) if card else ""


def card_html(card: Card) -> str:
    """Return a card whole, as HTML."""
    parts = {
        "Prompt": prompt_html(card.prompt),
        "Parameters": paragraph(_parameters(card.prompt)),
        "Why it is written so": paragraph(card.why),
        "What the course's own model makes of it": _box(card.answer),
        f"What was seen: {card.verdict}": paragraph(card.seen),
    }
    sections = "".join(f"{_heading(name)}{part}" for name, part in parts.items())
    title = f'<h2 style="margin: 0; font-size: 1.2em">{html.escape(card.title)}</h2>'
    return f"{title}{sections}"


def prompt_html(prompt: Prompt) -> str:
    """Return the texts of a prompt, as HTML."""
    parts = []
    if prompt.context:
        parts.append(_box(prompt.context))
    if prompt.text:
        parts.append(_box(prompt.text))
    if prompt.examples:
        parts.append(TextTable((prompt.input_label, prompt.output_label), prompt.examples)._repr_html_())
    if prompt.kind == "structured":
        parts.append(_box(f"{prompt.input_label}: {prompt.test_input}\n{prompt.output_label}:"))
    if prompt.turns:
        parts.append(TextTable(("Turn of", "Text"), prompt.turns)._repr_html_())
    if prompt.labels:
        parts.append(paragraph(f"To choose from: {', '.join(prompt.labels)}."))
    if prompt.values:
        rows = tuple(tuple(dict(row).get(name, "") for name in prompt.variables) for row in prompt.values)
        parts.append(TextTable(tuple(f"{{{name}}}" for name in prompt.variables), rows)._repr_html_())
    return "".join(parts)


def _parameters(prompt: Prompt) -> str:
    chat = prompt.as_chat or prompt.kind == "chat"
    form = "in the model's chat template" if chat else "as plain text, which the model goes on with"
    return f"{in_words(prompt.config)}; {form}."


def _heading(text: str) -> str:
    return f'<h3 style="margin: 10px 0 2px; font-size: 1em">{html.escape(text)}</h3>'


def _box(text: str) -> str:
    style = (
        "white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.4; margin: 2px 0 6px; padding: 4px 8px; "
        "font-family: var(--jp-code-font-family, monospace); font-size: 13px; "
        "border-left: 3px solid var(--jp-border-color1, #bdbdbd)"
    )
    return f'<p style="{style}">{html.escape(text)}</p>'
