"""The widgets of Lab 3 through their values and files, as a job's process or a learner's hand would change them."""

import html
import os
import re
import threading
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from utils.adapters.dial import label_probabilities
from utils.errors import DataError, TuningError, UnsupportedSetting
from utils.plots import training_curves
from utils.training.loop import Measured
from utils.tuning import TuningJob
from utils.tuning.states import JobFolder, Settings, State, Status
from utils.widgets import adapter_dial, job_monitor, monitor
from utils.widgets.adapter_dial import AdapterDial, label_bars, table_html
from utils.widgets.job_monitor import CANCEL_ASKED, IN_A_NOTEBOOK, Monitor

RUNNING = State(Status.RUNNING, step=3, steps=12, seconds=30.0)
PROMPTS = {"one": "Is it a or b? ", "two": "b or a: "}


@pytest.fixture
def job(tmp_path) -> TuningJob:
    """A job that this very process pretends to train."""
    job = TuningJob("fake", [])
    job.folder = JobFolder(tmp_path / "jobs" / "fake" / "0001")
    job.folder.create(Settings("fake", "lora", 8, "none", None, 1, 0.001, 1, 0, "", {}), [], [])
    job.folder.started_by(os.getpid())
    return job


def measured(step: int, *, validated: bool = False) -> Measured:
    validation = (3 / step, 0.5) if validated else (None, None)
    return Measured(step, 12, step / 12, 4 / step, step / 12, *validation, 0.001, 10.0 * step)


def train_to(job: TuningJob, state: State) -> None:
    done = len(job.folder.measured())
    job.folder.append(measured(step, validated=step % 3 == 0) for step in range(done + 1, state.step + 1))
    job.folder.write_state(state)


def words(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", markup))


def alts(markup: str) -> list[str]:
    return [html.unescape(found) for found in re.findall(r'<img [^>]*?alt="([^"]*)"', markup)]


# The start


def test_start_says_what_became_of_the_job_and_where_to_watch_it(monkeypatch, capsys):
    monkeypatch.setattr("utils.tuning.job._spawn", lambda folder: folder.started_by(os.getpid()))
    job = TuningJob("said", [("Say 1:", "yes")], method="ia3", epochs=2)

    def said_in(state: State | None) -> str:
        if state:
            job.folder.write_state(state)
        job.start()
        return capsys.readouterr().out

    watch = "in a process of its own. monitor(job) shows its progress and the time left.\n"
    assert said_in(None) == f"Tuning job said: started with ia3 (records: 1, epochs: 2), {watch}"
    assert said_in(RUNNING) == f"Tuning job said: it goes on at step 3 of 12, {watch}"
    assert said_in(replace(RUNNING, status=Status.CANCELLED, can_go_on=True)).startswith("Tuning job said: it goes on")
    job.folder.adapter.mkdir()
    assert "it has succeeded before" in said_in(replace(RUNNING, status=Status.SUCCEEDED, step=12))
    job.start(quiet=True)
    assert capsys.readouterr().out == ""


# The monitor


def test_a_running_job_is_shown_with_progress_time_left_and_curves(job):
    made = Monitor(job)
    train_to(job, RUNNING)
    assert not made.look()
    assert words(made.progress.value) == "RUNNING step 3 of 12, 30 s trained, about 1 min 30 s left"
    assert 'aria-label="Progress of the tuning job fake" value="3" max="12"' in made.progress.value
    loss, fraction = alts(made.curves.value)
    assert "of the loss against the step, 1 to 12. train: first 4.00 at 1, last 1.33 at 3, lowest 1.33 at 3" in loss
    assert "validation: first 1.00 at 3" in loss and "of correct next-step predictions against" in fraction


def test_a_job_that_has_not_trained_yet_has_no_curves_and_no_times(job):
    made = Monitor(job)
    assert not made.look() and words(made.progress.value) == "PENDING "
    job.folder.write_state(State(Status.VALIDATING))
    assert not made.look() and "loads the model" in words(made.message.value)
    assert words(made.curves.value) == "The curves begin with the first step."


@pytest.mark.parametrize(
    ("end", "says"),
    [
        ({"status": Status.SUCCEEDED, "step": 12}, "The tuned model is the job's result()."),
        ({"status": Status.SUCCEEDED}, "Training stopped early: the validation loss fell no further."),
        ({"status": Status.SUCCEEDED, "notes": ("no <tracking>",)}, "no <tracking>"),
        ({"status": Status.FAILED, "cause": "The disk is full."}, "The disk is full."),
        ({"status": Status.FAILED, "cause": "The disk is full."}, "The curves show the steps before that."),
        ({"status": Status.CANCELLED}, "run the cell with its start() again, then this one"),
    ],
)
def test_every_end_is_told_and_nothing_is_left_to_cancel(end, says, job):
    made = Monitor(job)
    train_to(job, replace(RUNNING, **end))
    assert made.look() and made.cancel_button.disabled
    assert says in words(made.message.value)
    assert ('role="alert"' in made.message.value) == (end["status"] is Status.FAILED)
    assert "left" not in words(made.progress.value) and "last" in alts(made.curves.value)[0]


def test_a_job_that_trained_to_its_last_step_did_not_stop_early(job):
    made = Monitor(job)
    train_to(job, replace(RUNNING, status=Status.SUCCEEDED, step=12))
    made.look()
    assert "early" not in made.message.value


def test_the_button_asks_the_job_to_end_once(job):
    made = Monitor(job)
    train_to(job, RUNNING)
    made.look()
    assert not job.folder.is_cancel_asked and not made.cancel_button.disabled
    made.cancel_button.click()
    assert job.folder.is_cancel_asked and made.cancel_button.disabled
    made.look()
    assert words(made.message.value) == f"{CANCEL_ASKED} {IN_A_NOTEBOOK.cancelled}"


def test_the_curves_are_drawn_for_new_steps_only_and_not_too_often(job, monkeypatch):
    drawn = []
    real = job_monitor.training_curves
    monkeypatch.setattr(job_monitor, "training_curves", lambda metrics: drawn.append(len(metrics)) or real(metrics))
    monkeypatch.setattr(job_monitor, "REDRAW_AFTER", 1000)
    made = Monitor(job)
    train_to(job, RUNNING)
    made.look()
    made.look()
    train_to(job, replace(RUNNING, step=5))
    made.look()
    assert drawn == [3]
    monkeypatch.setattr(job_monitor, "REDRAW_AFTER", 0)
    made.look()
    made.look()
    assert drawn == [3, 5]
    monkeypatch.setattr(job_monitor, "REDRAW_AFTER", 1000)
    train_to(job, replace(RUNNING, step=6, status=Status.CANCELLED))
    made.look()
    assert drawn == [3, 5, 6], "the last curve is whole"


def test_the_monitor_follows_the_job_by_itself_and_ends_with_it(job, shown, monkeypatch):
    monkeypatch.setattr(job_monitor, "LOOK_AGAIN", 0.01)
    made = monitor(job)
    assert made.thread.daemon and made.thread.is_alive()
    train_to(job, RUNNING)
    canceller = threading.Timer(0.3, lambda: train_to(job, replace(RUNNING, status=Status.CANCELLED)))
    canceller.start()
    job.wait()
    made.thread.join(timeout=10)
    assert not made.thread.is_alive() and "CANCELLED" in made.progress.value


def test_what_goes_wrong_behind_the_page_is_told_there(job, shown, monkeypatch):
    monkeypatch.setattr(job_monitor, "LOOK_AGAIN", 0.01)
    told = []
    monkeypatch.setattr(threading, "excepthook", lambda raised: told.append(raised.exc_type))
    made = monitor(job)
    monkeypatch.setattr(Monitor, "look", lambda _made: 1 / 0)
    made.thread.join(timeout=10)
    assert told == [ZeroDivisionError] and "stopped with ZeroDivisionError" in words(made.message.value)


def test_the_monitor_says_the_same_without_a_kernel_whatever_the_job_does(job, shown):
    first = monitor(job)
    train_to(job, replace(RUNNING, status=Status.SUCCEEDED))
    assert not monitor(job).thread.is_alive(), "a job that has ended is not watched"
    first.thread.join(timeout=10)
    views = [bundle.pop("application/vnd.jupyter.widget-view+json") for bundle in shown]
    assert shown[0] == shown[1] and views[0] != views[1]
    assert shown[0]["text/plain"] == "A monitor of the tuning job fake."


def test_a_job_that_was_not_started_cannot_be_watched(shown):
    with pytest.raises(TuningError, match="call start"):
        monitor(TuningJob("idle", []))
    assert shown == []


def test_a_cell_that_runs_does_not_keep_the_button_from_being_heard(job, monkeypatch):
    """The note in which ipykernel keeps who wrote last is taken back (see the browser test)."""
    comms = []
    real = job_monitor.hear_while_a_cell_runs

    def noted(comm):
        comm._reply_subshell_id = None
        real(comm)
        comms.append(comm)

    monkeypatch.setattr(job_monitor, "hear_while_a_cell_runs", noted)
    made = Monitor(job)
    assert comms == [made.cancel_button.comm] and not hasattr(comms[0], "_reply_subshell_id")


@pytest.mark.parametrize(
    ("seconds", "says"), [(0.4, "0 s"), (59.7, "1 min 0 s"), (3599, "59 min 59 s"), (7260, "2 h 1 min")]
)
def test_durations_read_as_they_are_said(seconds, says):
    assert job_monitor._duration(seconds) == says


# The curves


def test_the_curves_of_a_job_without_validation_and_with_one_step():
    one = pd.DataFrame([vars(measured(1)) | {"steps": 1}]).set_index("step", drop=False)
    loss, fraction = (plot.alt for plot in training_curves(one))
    assert "first 4.00 at 1, last 4.00 at 1, lowest 4.00 at 1" in loss and "validation" not in loss + fraction


def test_figures_drawn_at_the_same_time_leave_matplotlib_s_settings_alone():
    import matplotlib

    before = dict(matplotlib.rcParams)
    table = pd.DataFrame([vars(measured(step)) for step in range(1, 5)]).set_index("step", drop=False)
    threads = [threading.Thread(target=training_curves, args=(table,)) for _ in range(4)]
    for thread in threads:
        thread.start()
        time.sleep(0.02)
    for thread in threads:
        thread.join()
    assert dict(matplotlib.rcParams) == before


# The dial


def test_the_dial_shows_what_the_model_says_at_its_scale(lora):
    made = AdapterDial(lora, PROMPTS, ["a", "b"])
    for scale in (0.0, 0.3, 1.0, 2.0):
        made.scale.value = scale
        assert made.found == label_probabilities(lora, PROMPTS["one"], ["a", "b"], scale)
        assert f"bar: scale {scale:g}" in made.picture.value
    assert list(made.table.index) == ["a", "b", "other"] and made.table.sum().tolist() == pytest.approx([1, 1, 1])


def test_another_prompt_is_read_at_the_same_scale(lora):
    made = AdapterDial(lora, PROMPTS, ["a", "b"])
    made.scale.value = 0.5
    made.prompt.value = "two"
    assert made.found == label_probabilities(lora, PROMPTS["two"], ["a", "b"], 0.5)
    assert made.fixed[0] == label_probabilities(lora, PROMPTS["two"], ["a", "b"], 0)
    assert words(made.text.value) == PROMPTS["two"]


def test_the_dial_leaves_the_notebook_s_model_alone(lora):
    before = lora.next_token_logits(PROMPTS["one"])
    made = AdapterDial(lora, PROMPTS, ["a", "b"])
    own = [m for m in made.model.model.modules() if hasattr(m, "scaling")]
    assert own and not {id(m) for m in own} & {id(m) for m in lora.model.modules()}
    made.scale.value = 0
    assert torch.equal(lora.next_token_logits(PROMPTS["one"]), before)


def test_a_scale_out_of_range_is_refused_in_words(lora):
    made = AdapterDial(lora, PROMPTS, ["a", "b"])
    said = "An adapter is scaled by a number from 0 to 2; "
    for typed, given in (("3", "3.0"), ("-0.1", "-0.1"), ("nan", "nan"), ("twice", "'twice'")):
        made.scale.type(typed)
        assert made.scale.value == 1 and made.scale.error == f"{said}{given} was given."
    for wrong in (2.5, "1", None):
        with pytest.raises(UnsupportedSetting, match=said):
            made.scale.value = wrong
    with pytest.raises(UnsupportedSetting, match="Prompt is one of .*; 'three' was given"):
        made.prompt.value = "three"
    made.scale.value = np.float32(0.5)
    assert made.scale.value == 0.5 and "scale 0.5" in made.picture.value


def test_bars_of_another_prompt_are_old_until_the_prompt_can_be_read(lora):
    made = AdapterDial(lora, PROMPTS | {"long": "a" * 300 + " "}, ["a", "b"])
    made.prompt.value = "long"
    for scale in (1.0, 0.0, 0.5):
        made.scale.value = scale
        assert "the context window is 256 tokens" in words(made.message.value)
        assert made.picture.old == "Old: this picture belongs to the prompt 'one'."
        assert words(made.text.value).startswith("aaa") and made.found["a"] == made.fixed[1]["a"]
    made.prompt.value = "one"
    assert made.message.value == made.picture.old == "" and "bar: scale 0.5" in made.picture.value


def test_a_model_without_a_lora_adapter_and_a_dial_without_prompts_are_refused(tiny, lora, shown):
    with pytest.raises(UnsupportedSetting, match="no LoRA adapter"):
        adapter_dial(tiny, PROMPTS, ["a", "b"])
    with pytest.raises(UnsupportedSetting, match="needs a prompt"):
        adapter_dial(lora, {}, ["a", "b"])
    with pytest.raises(UnsupportedSetting, match="by its name"):
        adapter_dial(lora, ["a text"], ["a", "b"])
    with pytest.raises(DataError, match="The labels are given in a list"):
        adapter_dial(lora, PROMPTS, "ab")
    assert shown == []


def test_markup_in_prompts_and_labels_is_written_out(lora):
    assert "&lt;b&gt;" in AdapterDial(lora, {"one": "<b>x</b> "}, ["a", "b"]).text.value
    found = {"<i>": 0.5, "other": 0.5}
    drawn = label_bars(found, found, 1) + table_html(pd.DataFrame({"base": found}))
    assert "<i>" not in drawn and drawn.count("&lt;i&gt;") == 3


def test_the_dial_without_a_kernel(lora, shown):
    adapter_dial(lora, PROMPTS, ["a", "b"])
    page, text = shown[0]["text/html"], shown[0]["text/plain"]
    assert "behind the prompt 'one' at scale 1" in alts(page)[0] and "scale 0 (base)" in page and "://" not in page
    assert re.fullmatch(r"An adapter dial, one, scale 1: a .* %, b .* %, other .* %\.", text)
