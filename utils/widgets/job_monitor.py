"""The monitor of a tuning job: how far it is, its curves, and a button that cancels it, also while a cell waits."""

import html
import threading
import time
from dataclasses import dataclass

import ipywidgets as widgets

from utils.internals import hear_while_a_cell_runs
from utils.plots import training_curves
from utils.tuning.job import TuningJob
from utils.tuning.states import State, Status
from utils.widgets.picture import Picture
from utils.widgets.view import alert, button, paragraph, row, show, told_in

LOOK_AGAIN = 0.5
REDRAW_AFTER = 2.0
"""Seconds between two looks at the job, and between two drawings of its curves."""

CURVE_HEIGHT = 231
"""Pixels, kept free until there are curves."""
SIDE_BY_SIDE = "display: flex; flex-wrap: wrap; align-items: flex-start; gap: 0 16px"

CANCEL_ASKED = "The job ends after the step it is at."
SAID = {
    Status.PENDING: "The job's process is starting.",
    Status.VALIDATING: "The job loads the model and checks the data.",
    Status.RUNNING: "The job is training.",
}


@dataclass(frozen=True)
class Next:
    """What to do with a job that has ended, where it is shown: in a notebook, unless said otherwise."""

    tuned: str = "The tuned model is the job's result()."
    cancelled: str = "To go on from there, run the cell with its start() again, then this one."


IN_A_NOTEBOOK = Next()


class Monitor:
    """What a job's folder says, looked at again and again until the job has ended.

    `look` brings it up to date at once. then: what is said of a job that has ended.
    """

    def __init__(self, job: TuningJob, *, then: Next = IN_A_NOTEBOOK) -> None:
        self.job, self.then = job, then
        self.progress = Picture()
        self.cancel_button = button("Cancel", tooltip=f"Cancel the tuning job {job.name}")
        self.message = widgets.HTML()
        self.curves = Picture(paragraph("The curves begin with the first step."))
        self.curves.layout.min_height = f"{CURVE_HEIGHT}px"
        self.drawn_step, self.drawn_at = 0, 0.0
        self.cancel_button.on_click(lambda _button: self.cancel())
        hear_while_a_cell_runs(self.cancel_button.comm)
        self.thread = threading.Thread(target=self._watch, name=f"monitor of {job.name}", daemon=True)

    @property
    def view(self) -> widgets.VBox:
        """Progress, button and message above the curves."""
        return widgets.VBox([self.progress, row(self.cancel_button), self.message, self.curves])

    def look(self) -> bool:
        """Show how far the job is and return whether it has ended."""
        state = self.job.state
        ended = state.status.is_end
        self.progress.value = _progress(self.job.name, state)
        self.message.value = self._said(state)
        if ended:
            self.cancel_button.disabled = True
        if state.step != self.drawn_step and (ended or time.monotonic() - self.drawn_at >= REDRAW_AFTER):
            plots = (plot._repr_html_() for plot in training_curves(self.job.metrics))
            self.curves.value = f'<div style="{SIDE_BY_SIDE}">{"".join(plots)}</div>'
            self.drawn_step, self.drawn_at = state.step, time.monotonic()
        return ended

    def cancel(self) -> None:
        """Ask the job to end, as the button does."""
        with told_in(self.message):
            self.job.cancel()
            self.cancel_button.disabled = True
            self.message.value = self._cancel_asked

    def _watch(self) -> None:
        with told_in(self.message):
            while not self.look():
                time.sleep(LOOK_AGAIN)

    def _said(self, state: State) -> str:
        if state.status is Status.FAILED:
            return alert(state.cause) + (paragraph("The curves show the steps before that.") if state.step else "")
        if self.cancel_button.disabled and not state.status.is_end:
            return self._cancel_asked
        early = state.status is Status.SUCCEEDED and state.step < state.steps
        stopped = ["Training stopped early: the validation loss fell no further."] if early else []
        return paragraph("\n".join([*stopped, self._status(state.status), *state.notes]))

    def _status(self, status: Status) -> str:
        ends = {Status.SUCCEEDED: self.then.tuned, Status.CANCELLED: f"The job was cancelled. {self.then.cancelled}"}
        return (SAID | ends)[status]

    @property
    def _cancel_asked(self) -> str:
        return paragraph(f"{CANCEL_ASKED} {self.then.cancelled}")


def monitor(job: TuningJob) -> Monitor:
    """Show a monitor of a started job, which keeps itself up to date, and return it. Raises TuningError."""
    made = Monitor(job)
    ended = made.look()
    text = f"A monitor of the tuning job {job.name}."
    show(made.view, summary=paragraph(f"{text} Run this cell to watch its progress and its curves."), text=text)
    if not ended:
        made.thread.start()
    return made


def _progress(name: str, state: State) -> str:
    label = html.escape(f"Progress of the tuning job {name}")
    facts = [f"step {state.step} of {state.steps}", f"{_duration(state.seconds)} trained"] if state.steps else []
    if state.status is Status.RUNNING and state.step:
        facts.append(f"about {_duration(state.seconds / state.step * (state.steps - state.step))} left")
    return (
        '<div style="color: var(--jp-ui-font-color1, #222); line-height: 1.6">'
        f'<strong role="status">{state.status}</strong> <span>{", ".join(facts)}</span>'
        f'<progress aria-label="{label}" value="{state.step}" max="{max(1, state.steps)}" '
        'style="display: block; width: 100%; max-width: 792px; height: 18px; accent-color: #0072b2"></progress></div>'
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes_left} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
