"""Reflection cards: a question, its answer with a link to the cell that shows it, and how well it was known."""

import html
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import ipywidgets as widgets

from utils.studio.reflection import RATINGS, RatingName, ReflectionCard, kept_reflection
from utils.studio.studio import Studio
from utils.widgets.picture import Picture
from utils.widgets.view import button, paragraph, row, told_in

VOILA = "VOILA_REQUEST_URL"
"""What Voila sets in the environment of its kernels: its page opens no notebook."""
NOTHING = "Nothing is due. Come back then: what is asked again just before it is forgotten stays longest."
HEIGHT = 100
"""Pixels kept for the answer, so that the buttons stay where they are."""
UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


class ReflectionPage:
    """One card at a time. card: the one that is asked, None where none is due."""

    name = "Reflection cards"

    def __init__(self, studio: Studio) -> None:
        self.reflection = kept_reflection()
        self.card: ReflectionCard | None = None
        self.status, self.message = widgets.HTML(), widgets.HTML(layout=widgets.Layout(min_height="20px"))
        self.question, self.answer = Picture(), Picture()
        self.where = widgets.Output()
        self.show_button = button("Show the answer", button_style="primary")
        self.ratings: dict[RatingName, widgets.Button] = {rating: button(rating) for rating in RATINGS}
        self.show_button.on_click(lambda _button: self.show_answer())
        for rating, each in self.ratings.items():
            each.on_click(lambda _button, rating=rating: self.rate(rating))
        answered = widgets.VBox([self.answer, self.where], layout=widgets.Layout(min_height=f"{HEIGHT}px"))
        self.view = widgets.VBox(
            [
                self.status,
                self.question,
                row(self.show_button),
                answered,
                row(widgets.HTML("How well did you know it?"), *self.ratings.values()),
                self.message,
            ]
        )
        self._ask()

    def shown(self) -> None:
        """Bring what is due up to date; a card that is being answered stays."""
        with told_in(self.message):
            self.reflection.read()
            if self.card not in self.reflection.due():
                self._ask()
            self._tell()

    def show_answer(self) -> None:
        """Show the answer and where it comes from, and when the card would come again after each rating."""
        if self.card is None:
            return
        now = datetime.now(UTC)
        self.answer.value = f'<div role="status">{paragraph(self.card.answer)}</div>'
        self.where.outputs = ({"output_type": "display_data", "data": _place(self.card), "metadata": {}},)
        for rating, due in self.reflection.outlook(self.card, now).items():
            self.ratings[rating].description = f"{rating}: in {wait_in_words(due - now)}"
        self._allow(rating=True)
        self.ratings["Again"].focus()

    def rate(self, rating: RatingName) -> None:
        """Keep how well the card was known, and ask the next one."""
        if self.card is None:
            return
        with told_in(self.message):
            due = self.reflection.review(self.card, rating)
            self.message.value = paragraph(f"{rating}: it comes again in {wait_in_words(due - datetime.now(UTC))}.")
            self._ask()
            self.show_button.focus()

    def _ask(self) -> None:
        self.card = next(iter(self.reflection.due()), None)
        text = html.escape(self.card.question if self.card else NOTHING)
        self.question.value = f'<h2 style="margin: 4px 0; font-size: 1.2em; min-height: 3em">{text}</h2>'
        self.answer.value, self.where.outputs = "", ()
        for rating, each in self.ratings.items():
            each.description = rating
        self._allow(rating=False)
        self._tell()

    def _allow(self, *, rating: bool) -> None:
        self.show_button.disabled = self.card is None or rating
        for each in self.ratings.values():
            each.disabled = not rating

    def _tell(self) -> None:
        """Say how many cards are due, how many are new, and when the next one comes."""
        now, new = datetime.now(UTC), len(self.reflection.new)
        said = [f"{len(self.reflection.due(now)) - new} to repeat, {new} new, of {len(self.reflection.cards)} cards."]
        due = self.reflection.next_due()
        if due and due > now:
            said.append(f"The next one to repeat is due in {wait_in_words(due - now)}.")
        if self.reflection.path is None:
            said.append("COURSE_PROGRESS is off: what you rate is not kept.")
        self.status.value = paragraph(" ".join([*said, self.reflection.problem]).strip())


def wait_in_words(wait: timedelta) -> str:
    """Return a wait in its largest unit, a minute at least."""
    seconds = max(60.0, wait.total_seconds())
    size, unit = next(pair for pair in UNITS if seconds >= pair[0])
    count = round(seconds / size)
    return f"{count:,} {unit}{'s' if count > 1 else ''}"


def _place(card: ReflectionCard) -> Mapping[str, str]:
    """Return where a card's answer comes from: a link to the cell, or words where the page opens no notebook."""
    title, heading = card.section
    course = next((folder for folder in (Path(), *Path.cwd().parents) if (folder / card.notebook).exists()), None)
    if course is None or VOILA in os.environ:
        said = f"Shown in {title}, under “{heading}”: {card.notebook} in JupyterLab (make lab)."
        return {"text/html": paragraph(said)}
    link = Path(os.path.relpath(course / card.notebook)).as_posix()
    return {"text/markdown": f"Shown in [{title}, under “{heading}”]({link}#cell-id={card.cell})."}
