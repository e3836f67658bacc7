"""The tuning jobs of this machine, from whichever kernel: how each is, and what its tuned model is used for."""

from collections.abc import Callable, Generator

import ipywidgets as widgets

from utils.errors import CourseError
from utils.logits.config import DecodingConfig
from utils.studio.models import REGISTERED
from utils.studio.prompt import Prompt
from utils.tuning.job import TuningJob
from utils.tuning.states import JobFolder, State, folders, names
from utils.widgets.choice import Choice
from utils.widgets.job_monitor import LOOK_AGAIN, Monitor, Next
from utils.widgets.turns import Turns, in_thread
from utils.widgets.view import button, paragraph, row
from utils.widgets.waiting import pause, someone_looks, waiting

THEN = Next(
    tuned="The tuned model is in the registry: test it in Prompt design, or deploy it.",
    cancelled="To go on from there, press Go on.",
)
NONE = "No job was started yet."
ROWS = 6
"""Of the list of jobs: the others are scrolled to."""


def known_jobs() -> list[tuple[str, JobFolder]]:
    """Return all jobs, each with its name, its number and how it is, the one that was worked at last first."""
    jobs = [folder for name in names() for folder in folders(name)]
    jobs.sort(key=lambda job: (job.path.stat().st_mtime, job.path.name), reverse=True)
    return [(f"{job.path.parent.name}, job {int(job.path.name)}: {_status(job)}", job) for job in jobs]


def _status(job: JobFolder) -> str:
    try:
        state = job.state
    except CourseError as error:
        return f"cannot be read: {error}"
    version = f", version {state.version}" if state.version else ""
    return f"{state.status}, step {state.step} of {state.steps}{version}"


class Jobs:
    """A list of jobs, and a monitor of the one that is chosen. test: is given a prompt for a tuned model."""

    def __init__(self, test: Callable[[Prompt], None]) -> None:
        self.test = test
        self.list = Choice("Tuning jobs", rows=ROWS)
        self.test_button = button("Test the tuned model", disabled=True)
        self.go_on_button = button("Go on", disabled=True, tooltip="Go on with a job that was cancelled or interrupted")
        self.message = widgets.HTML(layout=widgets.Layout(min_height="20px"))
        self.place = widgets.VBox()
        self.listing, self.watching = Turns(self.message), Turns(self.message)
        self.job: TuningJob | None = None
        self.view = widgets.VBox([self.list, row(self.test_button, self.go_on_button), self.message, self.place])
        self.list.when_chosen(self.watch)
        self.test_button.on_click(lambda _button: self.watching.start(self._test))
        self.go_on_button.on_click(lambda _button: self.watching.start(self._go_on))

    def refresh(self) -> None:
        """Bring the list up to date."""
        self.listing.start(self._list)

    def watch(self) -> None:
        """Show the job that is chosen, until it has ended."""
        folder = self.list.value
        if folder and not (self.job and self.job.folder == folder):
            self.watching.start(lambda: self._watch(folder))

    def started(self, job: TuningJob) -> None:
        """Show a job that was started, and list it."""
        self.job = job
        self.refresh()
        self.watching.start(lambda: self._watch(job.started()))

    def _list(self) -> Generator[None]:
        found = yield from in_thread(known_jobs)
        if not found:
            self.message.value = paragraph(NONE)
        elif self.message.value == paragraph(NONE):
            self.message.value = ""
        self.list.offer(found)
        if self.job and self.job.folder in [folder for _, folder in found]:
            self.list.value = self.job.folder
        self.watch()

    def _watch(self, folder: JobFolder) -> Generator[None]:
        self.job = job = yield from in_thread(lambda: TuningJob.of(folder))
        made = Monitor(job, then=THEN)
        self.place.children = [made.view]
        ended = yield from in_thread(made.look)
        self._allow(job.state)
        while not ended and someone_looks():
            yield from pause(LOOK_AGAIN)
            ended = yield from in_thread(made.look)
        self._allow(job.state)
        self.refresh()

    def _allow(self, state: State) -> None:
        self.test_button.disabled = not state.version
        self.go_on_button.disabled = not state.can_go_on

    def _test(self) -> Generator[None]:
        assert self.job
        job, folder = self.job, self.job.started()
        train, validation = yield from in_thread(folder.records)
        text = [*validation, *train][0].input_text
        model = f"{REGISTERED}{job.name}/{job.state.version}"
        self.test(Prompt(text=text, model=model, config=DecodingConfig(temperature=0)))

    def _go_on(self) -> Generator[None]:
        assert self.job
        job = self.job
        yield from waiting(self.message, "Starting the job", lambda: job.start(quiet=True))
        yield from self._watch(job.started())
