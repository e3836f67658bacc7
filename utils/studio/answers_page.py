"""What a model made of a prompt: its responses side by side, a choice of labels, or an answer for each row."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as widgets

from utils.studio.responses import Response
from utils.tables import TextTable
from utils.widgets.bars import percent
from utils.widgets.picture import Picture
from utils.widgets.view import scrolling

HEIGHT = 320
"""Pixels of all answers: they have their place before they come, and scroll in it."""
FACTS = 24
"""Pixels of the line over a response."""
NOW, OLD = "Answers", "Answers to an earlier prompt: it, its parameters or its model are others now"
NARROWEST = 240
BOX = (
    "display: flex; flex-direction: column-reverse; overflow: auto; box-sizing: border-box; padding: 6px 8px; "
    "border: 1px solid var(--jp-border-color1, #888); background: var(--jp-layout-color1, #fff)"
)
"""A box that stays at its end while text comes, unless a hand has scrolled it."""
LINE = f"height: {FACTS}px; overflow: hidden; white-space: nowrap; text-overflow: ellipsis"
TEXT = "margin: 0 0 auto; white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.45"
CHOICE_SAYS = (
    "Choosing always gives one of your labels, reads the prompt once, needs no seed, and shows how close the call was; "
    "a generated answer may be any text. The shares are the model's belief: how often it is right, Compare measures."
)


class Answers:
    """The answers under a line that says whether they are to the prompt as it is now.

    state: what is shown, as plain JSON values.
    """

    def __init__(self) -> None:
        self.line = widgets.HTML(layout=widgets.Layout(height=f"{FACTS}px", margin="0 2px"))
        self.picture = Picture(height=HEIGHT)
        self.view = widgets.VBox([self.line, self.picture])
        self.state: dict[str, Any] = {}
        self.mark(old=False)
        self.put({})

    def mark(self, *, old: bool) -> None:
        """Say whether the answers belong to an earlier prompt."""
        self.line.value = f"<b>{OLD}</b>" if old else NOW

    def put(self, state: Mapping[str, Any]) -> None:
        """Show what was shown before, from its state."""
        if "choice" in state:
            self.show_choice(state["choice"], together=state["together"])
        elif "rows" in state:
            self.show_rows(state["columns"], state["rows"])
        else:
            self.show_responses([Response(**each) for each in state.get("responses", [{"seed": 0}])])

    def show_responses(self, responses: Sequence[Response]) -> None:
        """Show responses as they stand, in places that do not change while text comes."""
        height = HEIGHT - FACTS if len(responses) <= 2 else HEIGHT // 2 - FACTS - 2
        boxes = "".join(_response(response, height) for response in responses)
        columns = f"repeat(auto-fit, minmax(min({NARROWEST}px, 100%), 1fr))"
        style = f"display: grid; grid-template-columns: {columns}; gap: 4px 12px; height: 100%; overflow: auto"
        shown = f'<div role="region" tabindex="0" aria-label="All responses" style="{style}">{boxes}</div>'
        kept = [{name: value for name, value in vars(each).items() if name != "steps"} for each in responses]
        self._put(shown, responses=kept)

    def show_choice(self, shares: Mapping[str, float], *, together: float) -> None:
        """Show each label's share. together: the probability that the model gave to all labels, 0 to 1."""
        rows = "".join(_share(label, share) for label, share in shares.items())
        part = html.escape(percent(together))
        said = f"The shares are parts of the {part} that the model gave to the labels together. {CHOICE_SAYS}"
        table = f'<table style="border-collapse: collapse; width: 100%"><tbody>{rows}</tbody></table>'
        shown = f'{table}<p style="margin: 8px 0 0; line-height: 1.4">{said}</p>'
        self._put(scrolling(shown, "Labels", height=HEIGHT), choice=dict(shares), together=together)

    def show_rows(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Show a row for each that was run: its number, its values, its answer."""
        table = TextTable(tuple(columns), tuple(map(tuple, rows)))._repr_html_()
        self._put(scrolling(table, "Answers by row", height=HEIGHT), columns=list(columns), rows=list(map(list, rows)))

    def _put(self, shown: str, **state: Any) -> None:
        self.state = state
        self.picture.value = f'<div style="color: var(--jp-ui-font-color1, #222); height: {HEIGHT}px">{shown}</div>'


def _response(response: Response, height: int) -> str:
    name = f"Response with seed {response.seed}"
    return (
        f'<section aria-label="{name}"><div style="{LINE}">{_facts(response)}</div>'
        f'<div role="region" tabindex="0" aria-label="{name}, its text" style="{BOX}; height: {height}px">'
        f'<div style="{TEXT}">{html.escape(response.text)}</div></div></section>'
    )


def _facts(response: Response) -> str:
    facts = [f"<b>Seed {response.seed}</b>"]
    if response.steps:
        facts.append(f"{len(response.steps):,} tokens")
    if response.seconds:
        facts.append(f"{response.seconds:.1f} s")
    if response.stop_reason:
        facts.append(f"ended by: {html.escape(response.stop_reason)}")
    return ", ".join(facts)


def _share(label: str, share: float) -> str:
    cell = "padding: 3px 8px 3px 0"
    return (
        f'<tr><th scope="row" style="text-align: left; {cell}">{html.escape(label)}</th>'
        f'<td style="width: 60%; {cell}"><div style="width: {share:.1%}; height: 14px; background: #0072b2"></div></td>'
        f'<td style="text-align: right; {cell}">{html.escape(percent(share))}</td></tr>'
    )
