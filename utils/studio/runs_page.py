"""The run cards: what was run, run again and compared token by token, exported and imported."""

import base64
import html
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress

import ipywidgets as widgets

from utils.errors import DataError, EmptyPrompt
from utils.models.language_model import LanguageModel
from utils.studio.models import Models
from utils.studio.prompt import Prompt
from utils.studio.responses import Response, classify, responding
from utils.studio.run_cards import (
    Answer,
    Compared,
    Output,
    Replay,
    RunCard,
    RunCards,
    changes,
    compare,
    export,
    read,
    written,
)
from utils.studio.saved_prompts import in_text
from utils.widgets.bars import percent
from utils.widgets.choice import Choice
from utils.widgets.picture import Picture, short
from utils.widgets.turns import Turns, Work, each_in_thread, in_thread
from utils.widgets.view import FULL_LABEL, button, fitted, in_words, paragraph, row, scrolling
from utils.widgets.waiting import following, waiting

NONE = "No run is kept yet: Run in Prompt design leaves a card here. Run all rows leaves none: run one row by itself."


class KeptRuns:
    """The list of cards, and the one that is chosen.

    open: is given a prompt to open in Prompt design. card: the one that is shown, maybe with what came of it now.
    """

    def __init__(self, cards: RunCards, models: Models, open: Callable[[Prompt], None]) -> None:
        self.cards, self.models, self.open = cards, models, open
        self.found: dict[str, RunCard] = {}
        self.card: RunCard | None = None
        self.list = Choice("Run cards", rows=6)
        self.again_button = button("Run again and compare", button_style="primary")
        self.stop_button = button("Stop")
        self.open_button = button("Open in Prompt design")
        self.path = widgets.Text(
            description="File", placeholder="run.json", continuous_update=False, style=FULL_LABEL, layout=fitted()
        )
        self.export_button = button("Export", tooltip="Write the card to the file")
        self.download = widgets.HTML()
        self.upload = widgets.FileUpload(accept=".json", description="Import a run card", layout=fitted())
        self.message = widgets.HTML(layout=widgets.Layout(min_height="20px"))
        self.said = widgets.HTML()
        self.shown = Picture()
        self.acting, self.listing = Turns(self.message), Turns(self.said)
        self.view = widgets.VBox(
            [
                widgets.HTML("<h2>Run cards</h2>"),
                self.list,
                self.said,
                row(self.again_button, self.stop_button, self.open_button),
                row(self.path, self.export_button, self.download, self.upload),
                self.message,
                self.shown,
            ]
        )
        self.list.observe(lambda _change: self._show(), names="value")
        self.again_button.on_click(lambda _button: self.replay())
        self.stop_button.on_click(lambda _button: self.acting.stop())
        self.open_button.on_click(lambda _button: self.acting.start(self._open))
        self.export_button.on_click(lambda _button: self.acting.start(self._export))
        self.upload.observe(lambda change: self._take(change["new"]), names="value")

    @property
    def chosen(self) -> RunCard:
        """The card that is chosen. Raises DataError."""
        if self.list.value not in self.found:
            raise DataError("Choose a run card first.")
        return self.found[self.list.value]

    def refresh(self) -> None:
        """Bring the list up to date with the workspace."""
        self.listing.start(self._list)

    def replay(self) -> None:
        """Run the card that is chosen again, and compare."""
        self.acting.start(self._replay)

    def _list(self) -> Work:
        self.found, problems = yield from in_thread(self.cards.all)
        said = problems if self.found or problems else [NONE]
        self.said.value = "".join(map(paragraph, said))
        self.list.offer([(_label(card), name) for name, card in self.found.items()])
        self._show()

    def _show(self) -> None:
        """Show the card chosen, where another is shown."""
        card = self.found.get(self.list.value)
        if card != self.card:
            self.card = card
            self.shown.value = _card(card) if card else ""
            self.download.value = _link(card) if card else ""

    def _replay(self) -> Work:
        card = self.chosen
        model = yield from waiting(self.message, "Loading the model", lambda: self.models.load(card.prompt.model))
        expected = yield from waiting(self.message, "Comparing model and packages", lambda: changes(card, model))
        self._put(card, _card(card, expected))
        try:
            answer = yield from self._answer(model, card.asked)
        except GeneratorExit:
            self.message.value = paragraph("Stopped: nothing was compared.")
            raise
        found = yield from in_thread(lambda: compare(card, model, answer))
        self._put(card, _replayed(card, found))
        same = sum(each.position is None for each in found.compared)
        responses = f"{same} of {len(found.compared)} responses are the same."
        self.message.value = paragraph(f"Chosen: {found.compared[0].said}." if card.asked.labels else responses)

    def _answer(self, model: LanguageModel, asked: Prompt) -> Generator[None, None, Answer]:
        """Let the model answer, and say how far it is."""
        if asked.labels:
            return (yield from waiting(self.message, "Choosing again", lambda: classify(model, asked)))
        last: tuple[Response, ...] = ()

        def take(responses: tuple[Response, ...]) -> None:
            nonlocal last
            last = responses

        def doing() -> str:
            return f"Running again: {sum(len(each.steps) for each in last):,} tokens"

        yield from following(self.message, doing, each_in_thread(responding(model, asked), take))
        return last

    def _put(self, card: RunCard, shown: str) -> None:
        """Show what comes of a card, unless another one was chosen meanwhile."""
        if card == self.card:
            self.shown.value = shown

    def _open(self) -> Work:
        self.open(self.chosen.prompt)
        self.message.value = paragraph("The card's prompt is open in Prompt design.")
        yield

    def _export(self) -> Work:
        card, path = self.chosen, self.path.value.strip()
        if not path:
            raise DataError("Give the name of a file first, such as run.json.")
        made = yield from in_thread(lambda: export(card, path))
        self.message.value = paragraph(f"The card is in {made.absolute()}.")

    def _take(self, files: tuple[dict, ...]) -> None:
        if files:
            self.acting.start(lambda: self._import(files[0]["name"], bytes(files[0]["content"])))

    def _import(self, name: str, content: bytes) -> Work:
        card = read(content)
        said = yield from in_thread(lambda: self.cards.keep(card))
        self.upload.value = ()
        self.message.value = paragraph(f"{name} is among the run cards now. {said}".strip())
        yield from self._list()
        self.list.value = next(key for key, kept in self.found.items() if kept == card)


def _label(card: RunCard) -> str:
    made, count = card.made.astimezone().strftime("%Y-%m-%d %H:%M:%S"), len(card.outputs)
    answer = f"chosen: {short(card.outputs[0].text)}" if card.asked.labels else f"{count} response{'s' * (count != 1)}"
    return f"{made}, '{short(_text(card.asked))}', {answer}, {card.model}"


def _link(card: RunCard) -> str:
    """Return a link with the card in it, which the browser saves as a file."""
    data = base64.b64encode(written(card).encode()).decode()
    name = f"run-card-{card.made:%Y%m%d-%H%M%S}.json"
    style = "color: var(--jp-content-link-color, #0b57d0); text-decoration: underline"
    return f'<a download="{name}" href="data:application/json;base64,{data}" style="{style}">Download the card</a>'


def _card(card: RunCard, expected: Sequence[str] = ()) -> str:
    """Return a card as HTML. expected: why the model may answer otherwise now."""
    outputs = "".join(_box(_answered(output), _heading(output)) for output in card.outputs)
    return f"{_asked(card, expected)}{outputs}"


def _replayed(card: RunCard, found: Replay) -> str:
    """Return a card with what came when it was run again as HTML."""
    return f"{_asked(card, found.expected)}{''.join(map(_pair, found.compared))}"


def _pair(each: Compared) -> str:
    heading = f"{_heading(each.before)}: {each.said}"
    if each.position is None:
        return _box(_answered(each.before), heading)
    columns = "display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 4px 12px"
    boxes = _box(_answered(each.before), "On the card") + _box(_answered(each.now), "Now")
    return f'<p style="margin: 8px 0 0"><b>{html.escape(heading)}</b></p><div style="{columns}">{boxes}</div>'


def _asked(card: RunCard, expected: Sequence[str]) -> str:
    asked, used = card.asked, ", ".join(f"{name} {number}" for name, number in card.packages)
    facts = [f"{card.model} ({card.model_hash}), {in_words(asked.config) or 'parameters unset'}.", f"Made with {used}."]
    return f"{''.join(map(paragraph, [*facts, *expected]))}{_box(_text(asked), 'The prompt')}"


def _text(prompt: Prompt) -> str:
    """Return all that is asked; nothing of a structured prompt that asks about nothing."""
    with suppress(EmptyPrompt):
        return in_text(prompt.plain if prompt.messages is None else prompt.messages)
    return ""


def _answered(output: Output) -> str:
    """Return a response's text, or the share of each label in a line."""
    return "\n".join(f"{label}: {percent(share)}" for label, share in output.shares.items()) or output.text


def _heading(output: Output) -> str:
    if output.shares:
        return "Chosen"
    return f"Seed {output.seed}, {len(output.tokens):,} tokens" if output.tokens else f"Seed {output.seed}"


def _box(text: str, heading: str) -> str:
    title = f'<p style="margin: 8px 0 2px"><b>{html.escape(heading)}</b></p>'
    return f"<div>{title}{scrolling(paragraph(text), heading, height=140)}</div>"
