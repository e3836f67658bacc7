"""The page Compare: two to four prompts, models or settings at the same seeds, measured on records or side by side."""

import time
from collections.abc import Generator, Mapping
from contextlib import suppress
from typing import Any

import ipywidgets as widgets

from utils.arguments import whole_number
from utils.datasets.records import load_text_to_text
from utils.logits.config import check_seed
from utils.registry.prompts import find_prompt, prompt_names, prompt_versions
from utils.studio.comparison import Comparison, Progress, SideBySide, about_chance, comparing, looking
from utils.studio.contestants_page import Contestants
from utils.studio.data_field_page import DataField
from utils.studio.kept_page import Kept
from utils.studio.measured_page import Measured, Result, figures
from utils.studio.prompt import MOST_RESPONSES, Prompt
from utils.studio.saved_prompts import opened
from utils.studio.scoring import METRICS
from utils.studio.studio import Studio
from utils.widgets.choice import Choice
from utils.widgets.keys import Keys
from utils.widgets.slider import NARROW, NumberBox
from utils.widgets.turns import Turns, each_in_thread, in_thread
from utils.widgets.view import FULL_LABEL, Dropdown, alert, button, fitted, paragraph, row
from utils.widgets.waiting import following, waiting

PRESENT = ("The prompt in Prompt design", "")
RESULTS = "Compare results"
REGISTRY = "Reading the registry"
SEEDS_RULE = f"seeds are a whole number from 1 to {MOST_RESPONSES}"


class ComparePage:
    """The contestants, what they are compared on, and the result. result: the last one, None before the first."""

    name = "Compare"

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.contestants = Contestants(studio.design)
        self.source = Choice("Prompt", [PRESENT])
        self.add_button = button("Add", tooltip="Add this prompt to the comparison")
        self.seed = NumberBox("First seed", 0, check_seed, layout=NARROW)
        self.seeds = NumberBox("Seeds", 5, _seeds, layout=NARROW)
        self.data = DataField("Records to compare on")
        self.most = NumberBox("Records at most", 40, _one_or_more, layout=NARROW)
        self.metric = Dropdown(options=list(METRICS), description="Metric", style=FULL_LABEL, layout=fitted())
        self.about = widgets.HTML()
        self.run_button = button("Compare", button_style="primary", tooltip="Compare (Ctrl+Enter)")
        self.stop_button = button("Stop", tooltip="Stop (Esc)")
        self.message = widgets.HTML(layout=widgets.Layout(min_height="40px"))
        self.measured = Measured()
        self.turns = Turns(self.message)
        self.step: Progress | Result | None = None
        self.view = self._view()
        self.kept = Kept(studio.workspace, self.name, self._fields | {"prompt": self.source}, self.message)
        self._restore()
        self._observe()

    def shown(self) -> None:
        """Offer the prompts that are saved and the models that are there."""
        Turns(self.message).start(self._offer)

    def add(self) -> None:
        """Add the prompt chosen to the comparison."""
        Turns(self.message).start(self._adding)

    def compare(self) -> None:
        """Let all contestants answer, behind the page where there is one."""
        self.turns.start(self._comparing)

    def stop(self) -> None:
        """Stop after the block of answers that is being written."""
        self.turns.stop()

    @property
    def _fields(self) -> dict[str, Any]:
        return {
            "contestants": self.contestants,
            "seed": self.seed,
            "seeds": self.seeds,
            "records": self.data.address,
            "most": self.most,
            "metric": self.metric,
        }

    @property
    def _asked(self) -> dict[str, Any]:
        return {name: field.value for name, field in self._fields.items()}

    def _view(self) -> widgets.VBox:
        return widgets.VBox(
            [
                Keys({"Control+Enter": self.compare, "Escape": self.stop}),
                row(self.source, self.add_button),
                self.contestants.view,
                row(self.run_button, self.stop_button, self.seed, self.seeds),
                row(self.metric, self.most),
                self.data.view,
                self.about,
                self.message,
                self.measured.view,
            ]
        )

    def _observe(self) -> None:
        self.add_button.on_click(lambda _button: self.add())
        self.run_button.on_click(lambda _button: self.compare())
        self.stop_button.on_click(lambda _button: self.stop())
        for field in (self.data.address, self.most, self.metric):
            field.observe(lambda _change: self._tell(), names="value")
        for field in self._fields.values():
            field.observe(lambda _change: self._compare_with_fields(), names="value")
        self._tell()
        self._compare_with_fields()

    def _restore(self) -> None:
        """Show the last result."""
        kept = self.studio.workspace.read(RESULTS)
        with suppress(LookupError, TypeError, ValueError):  # nothing is kept, or not in today's form
            self.measured.put(KINDS[kept["kind"]].from_dict(kept["result"]), kept["figures"], asked=kept["asked"])

    def _offer(self) -> Generator[None]:
        if not self.contestants.cards and self.studio.prompt != Prompt():
            self.contestants.add(self.studio.prompt)
        self.contestants.offer((yield from waiting(self.message, REGISTRY, self.studio.models.choices)))
        saved = yield from waiting(self.message, REGISTRY, _saved)
        self.source.offer([PRESENT, *((reference, reference) for reference in saved)])

    def _adding(self) -> Generator[None]:
        reference, prompt = self.source.value, self.studio.prompt
        self.message.value = ""
        if reference:
            prompt = opened((yield from waiting(self.message, REGISTRY, lambda: find_prompt(reference))))
        self.contestants.add(prompt)

    def _compare_with_fields(self) -> None:
        self.measured.compare(self._asked)

    def _tell(self) -> None:
        """Say what one answer is worth, and what so many records are."""
        if not self.data.address.value.strip():
            self.about.value = paragraph(about_chance(None))
            return
        metric = (METRICS[self.metric.value].__doc__ or "").removeprefix("Return ")
        self.about.value = paragraph(f"{about_chance(self.most.value)}\nThe metric {self.metric.value}: {metric}")

    def _comparing(self) -> Generator[None]:
        contestants, load = self.contestants.contestants, self.studio.models.load
        first, count, metric, address = self.seed.value, self.seeds.value, self.metric.value, self.data.address.value
        if not address.strip():
            yield from self._followed(looking(contestants, load, seed=first, responses=count))
            return
        found = yield from waiting(self.message, "Reading the records", lambda: load_text_to_text(address.strip()))
        records, seeds = found[: self.most.value], range(first, first + count)
        yield from self._followed(comparing(contestants, load, records, metric=metric, seeds=seeds))

    def _followed(self, steps: Generator[Progress | Result]) -> Generator[None]:
        """Say how far the contestants are, then show the result and keep it."""
        begun, self.step, asked = time.monotonic(), None, self._asked
        try:
            yield from following(self.message, self._doing, each_in_thread(steps, self._take))
        except GeneratorExit:
            self.message.value = paragraph("Stopped. What was answered is kept: Compare goes on from there.")
            raise
        result = self.step
        assert isinstance(result, Comparison | SideBySide)
        drawn = yield from waiting(self.message, "Drawing the intervals", lambda: figures(result))
        self.measured.put(result, drawn, asked=asked)
        self._compare_with_fields()
        kept = {"kind": type(result).__name__, "result": result.as_dict(), "figures": drawn, "asked": asked}
        said = yield from in_thread(lambda: self.studio.workspace.write(RESULTS, kept))
        self.message.value = alert(said) if said else paragraph(f"Done in {time.monotonic() - begun:.0f} s.")

    def _take(self, step: Progress | Result) -> None:
        self.step = step

    def _doing(self) -> str:
        return str(self.step) if isinstance(self.step, Progress) else "Comparing"


KINDS: Mapping[str, type[Result]] = {kind.__name__: kind for kind in (Comparison, SideBySide)}


def _saved() -> list[str]:
    """Return the references of all saved prompts: each version, and each alias."""
    versions = [version for name in prompt_names() for version in reversed(prompt_versions(name))]
    aliases = [f"{version.name}@{alias}" for version in versions for alias in version.aliases]
    return [*aliases, *(version.reference for version in versions)]


def _seeds(value: Any) -> int:
    return whole_number(value, SEEDS_RULE, least=1, most=MOST_RESPONSES)


def _one_or_more(value: Any) -> int:
    return whole_number(value, "records are a whole number, 1 or more", least=1)
