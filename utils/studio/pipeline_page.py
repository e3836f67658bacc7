"""The page Pipeline: its file, a run of it step by step, each step's record, and the command that does the same."""

import html
import json
import re
from collections.abc import Generator
from dataclasses import asdict
from pathlib import Path

import ipywidgets as widgets

from utils.processes import ROOT
from utils.storage.files import write_text
from utils.studio.kept_page import Kept
from utils.studio.pipeline_records import STEPS, Record, RunFolder, Status, newest, newest_records, start, started
from utils.studio.studio import Studio
from utils.widgets.code_box import CodeBox
from utils.widgets.picture import Picture
from utils.widgets.turns import Turns
from utils.widgets.view import FULL_LABEL, WIDE, Dropdown, alert, beside, button, fitted, paragraph, row
from utils.widgets.waiting import pause, someone_looks, waiting

DATA = ROOT / "labs" / "data"
EXAMPLES = ("tickets", "products", "dialogues")
"""The course's own pipelines, by the folder of their data."""
NARROWEST = 430
LOOK_AGAIN = 1.0
NOTHING = "No run yet: Run begins one. It goes on when this page is closed."
GATE = (
    "A version is promoted only if the interval of its paired gain lies above 0. "
    "A model's first version is its default even if it is not promoted."
)
COLOURS = {
    Status.SUCCEEDED: "#2e7d32",
    Status.FAILED: "#c62828",
    Status.CANCELLED: "#c62828",
    Status.RUNNING: "#0072b2",
}
"""Of the bar beside a step; its status stands there in words, too."""


class PipelinePage:
    """The file on the left, the newest run of it on the right."""

    name = "Pipeline"

    def __init__(self, studio: Studio) -> None:
        self.file = studio.workspace.folder / "pipeline.yaml"
        self.text = widgets.Textarea(
            example(EXAMPLES[0]),
            description="pipeline.yaml",
            rows=18,
            continuous_update=False,
            style=FULL_LABEL,
            layout=WIDE,
        ).add_class("course-code")
        self.pipeline = widgets.Text()
        self.check_button = button("Check", tooltip="Check the whole file, its data files too, and run nothing")
        self.run_button = button("Run", button_style="primary", tooltip="Run the file, or go on where its run ended")
        self.cancel_button = button("Cancel", disabled=True, tooltip="End the run; Run goes on from there")
        self.example = Dropdown(options=EXAMPLES, description="Example", style=FULL_LABEL, layout=fitted())
        self.example_button = button("Take it", tooltip="Put this example in place of the text")
        self.message = widgets.HTML(layout=widgets.Layout(min_height="40px"))
        self.command = CodeBox(
            code=f"python -m utils.studio.pipeline {_quoted(self.file)}", label="The same in a shell"
        )
        self.steps = Picture(_steps([Record(step) for step in STEPS]))
        self.step = Dropdown(options=STEPS, description="Record of", style=FULL_LABEL)
        self.record = CodeBox(label="Record")
        self.records: list[Record] = []
        self.turns, self.following = Turns(self.message), Turns(self.message)
        self.view = self._view()
        self.kept = Kept(studio.workspace, self.name, {"text": self.text, "pipeline": self.pipeline}, self.message)
        self._observe()

    def shown(self) -> None:
        """Show the newest run, wherever it was started."""
        self.following.start(self._follow)

    def check(self) -> None:
        """Check the file and run nothing."""
        self.turns.start(self._check)

    def run(self) -> None:
        """Run the file in a process of its own, or go on with its run."""
        self.turns.start(self._run)

    def cancel(self) -> None:
        """End the run."""
        if folder := newest(self.pipeline.value):
            folder.ask_to_cancel()
            self.cancel_button.disabled = True
            self.message.value = paragraph("The run ends soon. Run goes on from there.")

    def take_example(self) -> None:
        """Put the chosen example in place of the text."""
        self.text.value = example(self.example.value)

    def _view(self) -> widgets.Widget:
        buttons = row(self.run_button, self.cancel_button, self.check_button)
        left = widgets.VBox([row(self.example, self.example_button), self.text, buttons, self.message, self.command])
        right = widgets.VBox([self.steps, widgets.HTML(paragraph(GATE)), self.step, self.record])
        return beside(left, right, least=NARROWEST)

    def _observe(self) -> None:
        self.check_button.on_click(lambda _button: self.check())
        self.run_button.on_click(lambda _button: self.run())
        self.cancel_button.on_click(lambda _button: self.cancel())
        self.example_button.on_click(lambda _button: self.take_example())
        self.step.observe(lambda _change: self._show_record(), names="value")

    def _check(self) -> Generator[None]:
        yield from self._checked()

    def _checked(self) -> Generator[None, None, str]:
        """Keep the file, check it, and return the pipeline's name."""
        text = self.text.value

        def checked() -> tuple[str, str]:
            from utils.studio.pipeline_file import read  # torch and all that needs it

            self.file.parent.mkdir(parents=True, exist_ok=True)
            write_text(self.file, text)
            settings = read(self.file)
            splits = {"training": settings.train, "validation": settings.validation, "test": settings.test}
            return settings.name, ", ".join(f"{len(split.records):,} {what}" for what, split in splits.items())

        name, counted = yield from waiting(self.message, "Checking the file", checked)
        self.message.value = paragraph(f"The file can be run: {counted} records.")
        return name

    def _run(self) -> Generator[None]:
        self.pipeline.value = name = yield from self._checked()
        before = newest_records(name)
        process = start(self.file, name)
        said = yield from waiting(self.message, "Starting the run", lambda: started(process, name, before))
        self.message.value = alert(said) if said else ""
        if not said:
            self.following.start(self._follow)

    def _follow(self) -> Generator[None]:
        """Show how the newest run is, until it has ended."""
        while folder := newest(self.pipeline.value):
            running = self._look(folder)
            if not (running and someone_looks()):
                self._tell_end()
                return
            yield from pause(LOOK_AGAIN)
        self.message.value = self.message.value or paragraph(NOTHING)

    def _look(self, folder: RunFolder) -> bool:
        """Show the records of a run, and return whether it goes on."""
        running = folder.is_running
        self.records = folder.records()
        self.steps.value = _steps(self.records)
        self.run_button.disabled, self.cancel_button.disabled = running, not running or folder.is_cancel_asked
        self._show_record()
        return running

    def _tell_end(self) -> None:
        ended = [record for record in self.records if record.status is not Status.NOT_RUN]
        if ended:
            told = alert if ended[-1].status is Status.FAILED else paragraph
            self.message.value = told(f"{ended[-1].step}: {ended[-1].status}. {ended[-1].said}")

    def _show_record(self) -> None:
        found = next((record for record in self.records if record.step == self.step.value), None)
        self.record.code = json.dumps(asdict(found), indent=1, ensure_ascii=False) if found else ""


def example(name: str) -> str:
    """Return one of the course's own pipelines, with paths that hold in any folder."""
    folder = DATA / name
    written = (folder / "pipeline.yaml").read_text(encoding="utf8")
    places = re.compile(r"^(train|validation|test): (.+)$", re.MULTILINE)
    return places.sub(lambda found: f"{found[1]}: {_quoted(folder / found[2])}", written.partition("\n")[2])


def _quoted(path: Path) -> str:
    return json.dumps(path.as_posix(), ensure_ascii=False)


def _steps(records: list[Record]) -> str:
    return f'<ol aria-label="Steps" style="margin: 0; padding-left: 28px">{"".join(map(_step, records))}</ol>'


def _step(record: Record) -> str:
    colour = COLOURS.get(record.status, "var(--jp-border-color1, #bdbdbd)")
    seconds = f", {record.seconds:,.0f} s" if record.seconds else ""
    return (
        f'<li style="border-left: 4px solid {colour}; padding: 2px 8px; margin: 4px 0; line-height: 1.4; '
        f'overflow-wrap: anywhere"><strong>{record.step}</strong>: {record.status}{seconds}'
        f"<br>{html.escape(record.said) or '&nbsp;'}</li>"
    )
