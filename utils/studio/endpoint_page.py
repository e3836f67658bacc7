"""An endpoint's part of the page: what it serves, the traffic's split, a test call, and what it does at this moment."""

import html
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets

from utils.arguments import whole_number
from utils.errors import UnsupportedSetting
from utils.registry.versions import model_of
from utils.studio.actions_page import Actions
from utils.studio.commands import Ask, answered_by, complete, drop, load, split
from utils.studio.prompt import Prompt
from utils.studio.traffic import Reading, Snapshot, tokens_a_second
from utils.tables import TextTable
from utils.widgets.choice import Choice
from utils.widgets.picture import Picture
from utils.widgets.slider import NARROW, NumberBox
from utils.widgets.traffic_picture import BARS, tokens_figure
from utils.widgets.view import FULL_LABEL, WIDE, button, paragraph, row, scrolling

TOKENS = 60
"""The most of a test call's answer."""
PERCENT = "the weights, in %, come to 100"


class Served:
    """An endpoint that is chosen; `show` is given how it is, every `seconds`.

    look: is called where a button has changed it. open: is given a prompt for its model. parts: of each name's traffic.
    weights: what is typed to split it anew; present: how it is split, in %; weighed: the address and name of both.
    """

    def __init__(
        self, actions: Actions, *, look: Callable[[], None], open: Callable[[Prompt], None], seconds: float
    ) -> None:
        self.actions, self.look, self.open, self.seconds = actions, look, open, seconds
        self.url = ""
        self.references: Sequence[str] = ()
        self.parts: dict[str, Sequence[Mapping[str, Any]]] = {}
        self.readings: deque[Reading] = deque(maxlen=BARS + 1)
        self.held = widgets.HTML()
        self.reference = Choice("Version to load")
        self.load_button = button("Load")
        self.name = Choice("Name that clients give")
        self.drop_button = button("Drop the name", tooltip="Answer under this name no more")
        self.weights: dict[str, NumberBox] = {}
        self.present: dict[str, int] = {}
        self.weighed = ("", "")
        self.shares, self.sum = widgets.HBox(), widgets.HTML()
        self.shares.layout = widgets.Layout(flex_flow="row wrap", grid_gap="4px 12px")
        self.split_button = button("Split the traffic")
        hidden = widgets.Layout(display="none")
        self.splitting = widgets.VBox([self.shares, row(self.split_button, self.sum)], layout=hidden)
        self.prompt = widgets.Textarea(
            description="Prompt of a test call", rows=2, continuous_update=False, style=FULL_LABEL, layout=WIDE
        )
        self.user = widgets.Text(
            description="User", placeholder="a user stays with a version", continuous_update=False, style=FULL_LABEL
        )
        self.call_button = button("Call", button_style="primary")
        self.design_button = button("Open in Prompt design")
        self.answer = widgets.HTML(layout=widgets.Layout(min_height="44px"))
        self.counts = widgets.HTML(layout=widgets.Layout(min_height="38px"))
        self.figure = Picture(tokens_figure((), seconds=seconds), height=66)
        self.log = Picture()
        self.view = widgets.VBox(
            [
                row(self.name, self.drop_button, self.design_button),
                self.held,
                row(self.reference, self.load_button),
                self.splitting,
                self.prompt,
                row(self.user, self.call_button),
                self.answer,
                self.counts,
                self.figure,
                self.log,
            ]
        )
        self._observe()

    def _observe(self) -> None:
        self.name.when_chosen(self._show_weights)
        self.load_button.on_click(lambda _button: self._change("Loading the version", self._load))
        self.drop_button.on_click(lambda _button: self._change("Dropping the name", self._drop))
        self.split_button.on_click(lambda _button: self._change("Splitting the traffic", self._split))
        self.call_button.on_click(lambda _button: self.actions.do("Calling the endpoint", self._call, self._answered))
        self.design_button.on_click(lambda _button: self._design())

    def choose(self, url: str) -> None:
        """Be about another endpoint, or about one that was started anew."""
        if url != self.url:
            self.url = url
            self.readings.clear()
            self.parts = {}
            self.held.value = self.answer.value = ""

    def offer(self, references: Sequence[str]) -> None:
        """Let one choose from these references of the registry what to load, and which versions share the traffic."""
        self.reference.offer(references)
        self.references = references
        self._show_weights()

    def show(self, seen: Snapshot) -> None:
        """Show how the endpoint is."""
        for control in (self.load_button, self.drop_button, self.split_button, self.call_button, self.design_button):
            control.disabled = seen.reading is None
        self.load_button.disabled |= self.reference.value is None
        if seen.names:
            self.held.value = scrolling(_table(seen)._repr_html_(), "What the endpoint serves", height=150)
            self.parts = {one["name"]: one["split"] for one in seen.held or ()}
            self.name.offer(seen.names, begin=seen.names[-1])
        self._show_weights()
        if seen.reading:
            self.readings.append(seen.reading)
            self.counts.value = paragraph(_counted(seen, seen.reading))
        self.figure.value = tokens_figure(tokens_a_second(self.readings), seconds=self.seconds)
        lines = html.escape("\n".join(reversed(seen.log)))
        label = "The endpoint's log, the newest line first"
        self.log.value = scrolling(f'<pre style="margin: 0; line-height: 1.4">{lines}</pre>', label, height=150)

    def _show_weights(self) -> None:
        """Show a weight for each version of the name's model: of the present split, unless others were typed."""
        typed = {reference: box.value for reference, box in self.weights.items()}
        weighed = (self.url, self.name.value or "")
        keep = typed if weighed == self.weighed and typed != self.present else {}
        self.weighed, self.present = weighed, self._present_split()
        if list(self.weights) != list(self.present):
            self.weights = {one: NumberBox(f"{one} (%)", 0, _percent, layout=NARROW) for one in self.present}
            for box in self.weights.values():
                box.when_moved(self._add_up)
            self.shares.children = tuple(self.weights.values())
        for reference, box in self.weights.items():
            box.value = keep.get(reference, self.present[reference])
        self.splitting.layout.display = "" if self.weights else "none"
        self._add_up()

    def _present_split(self) -> dict[str, int]:
        """Return the share of each version of the chosen name's model, in %; none where nothing can be split."""
        name = self.name.value or ""
        if name not in self.parts or "/" in name:
            return {}
        shares = _shares(self.parts[name])
        others = [one for one in self.references if one.startswith(f"{model_of(name)}/")]
        return {reference: shares[reference] for reference in sorted({*others, *shares}, key=_number)}

    def _add_up(self) -> None:
        total = sum(box.value for box in self.weights.values())
        self.sum.value = paragraph(f"Sum: {total} %" + ("" if total == 100 else f" ({PERCENT})"))

    def _change(self, what: str, made: Callable[[], Ask]) -> None:
        self.actions.do(what, made, lambda _found: self.look())

    def _load(self) -> Ask:
        return load(self.url, self.reference.value)

    def _drop(self) -> Ask:
        return drop(self.url, self.name.value)

    def _split(self) -> Ask:
        weights = {reference: box.value for reference, box in self.weights.items() if box.value}
        if sum(weights.values()) != 100:
            raise UnsupportedSetting(f"Nothing was split: {PERCENT}.")
        return split(self.url, self.name.value, weights)

    def _call(self) -> Ask:
        return complete(self.url, self.name.value, self.prompt.value, max_tokens=TOKENS, user=self.user.value.strip())

    def _answered(self, answer: dict[str, Any]) -> None:
        version = answered_by(answer)
        said = f"Version {version} answered:" if version else "The base model answered:"
        self.answer.value = paragraph(f"{said}\n{answer['choices'][0]['text']}")

    def _design(self) -> None:
        self.open(Prompt(text=self.prompt.value, model=f"{self.url}#{self.name.value}"))


def _shares(parts: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """Return the share of a name's traffic, in %, that each version answers."""
    weights: Counter[str | None] = Counter()
    for part in parts:
        weights[part["version"]] += part["weight"]
    total = weights.total()
    return Counter({version: round(100 * weight / total) for version, weight in weights.items() if version})


def _number(reference: str) -> int:
    return int(reference.rpartition("/")[2])


def _table(seen: Snapshot) -> TextTable:
    rows = []
    for one in seen.held or ():
        total = sum(part["weight"] for part in one["split"])
        for part in one["split"]:
            share, size = f"{100 * part['weight'] / total:.0f} %", f"{part['bytes'] / 1e6:.1f}"
            answers, kind = part["version"] or "nothing", part["kind"] or ""
            rows.append((one["name"], share, answers, kind, size, part["problem"] or ""))
    return TextTable(("name", "share", "answered by", "method", "MB", "problem"), tuple(rows))


def _counted(seen: Snapshot, reading: Reading) -> str:
    answered = ", ".join(f"{version or 'the base'} {times:,}" for version, times in sorted(seen.versions.items()))
    counts = f"Requests: {reading.requests:,}. Tokens written: {reading.tokens:,}. Waiting: {reading.waiting:,}."
    return f"{counts} Answered lately by: {answered or 'none'}."


def _percent(value: Any) -> int:
    return whole_number(value, "a weight is a whole number from 0 to 100 (%)", least=0, most=100)
