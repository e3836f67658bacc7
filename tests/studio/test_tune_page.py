"""The page Tune: data that is wrong is said at once, what to know before, the job, and what comes of it."""

import asyncio
import html
import json
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.tiny_models import save, tiny_model
from utils.studio.method_page import CLASSES, MethodFields
from utils.studio.tune_page import FILE, JOBS, NONE, REPORT, TunePage
from utils.training.loop import Measured
from utils.tuning import TuningJob, worker
from utils.tuning.states import JobFolder, Settings, State, Status, names
from utils.widgets.drop import Drop


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One folder for all jobs here: making a store for their tracking takes seconds."""
    return tmp_path_factory.mktemp("tuning")


@pytest.fixture(scope="module")
def model(tmp_path_factory, tiny_tokenizer) -> Path:
    return save(tmp_path_factory.mktemp("models") / "llama", tiny_model("llama"), tiny_tokenizer)


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, folder, model):
    monkeypatch.setenv("COURSE_TUNING", str(folder))
    monkeypatch.setenv("COURSE_MODEL", str(model))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def in_this_process(monkeypatch):
    """A job's work is done here and now."""
    monkeypatch.setattr("utils.tuning.job._spawn", lambda folder: worker.work(folder))


def write(path: Path, count: int, *more: str) -> Path:
    lines = [json.dumps({"input_text": f"Say {n}:", "output_text": f"yes {n % 7}"}) for n in range(count)]
    path.write_text("\n".join([*lines, *more]), encoding="utf8")
    return path


@pytest.fixture
def page(studio) -> TunePage:
    made = TunePage(studio)
    made.shown()
    return made


@pytest.fixture
def filled(page, tmp_path) -> TunePage:
    page.job_name.value = "tickets"
    page.data.address.value = str(write(tmp_path / "train.jsonl", 20))
    page.epochs.value = 1
    return page


def words(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", " ", markup))


def progress(page: TunePage) -> str:
    """What the monitor says of the job that is watched, empty where there is none."""
    return words(page.jobs.place.children[0].children[0].value) if page.jobs.place.children else ""


def test_how_many_records_there_are_is_said_at_once(filled, tmp_path):
    assert "16 records to train on, 4 to validate with." in words(filled.message.value)
    filled.share.value = 50
    assert "10 records to train on, 10 to validate with." in words(filled.message.value)
    filled.validation.value = FILE
    assert filled.split.layout.display == "none" and filled.message.value == ""
    filled.own.address.value = str(write(tmp_path / "v.jsonl", 3))
    assert "20 records to train on, 3 to validate with." in words(filled.message.value)
    filled.validation.value = NONE
    assert "20 records to train on, 0 to validate with." in words(filled.message.value)


def test_a_thousand_rows_are_read(page, tmp_path):
    page.data.address.value = str(write(tmp_path / "many.jsonl", 1000))
    assert "800 records to train on, 200 to validate with." in words(page.message.value)


def test_a_wrong_line_is_named_at_once_and_starts_nothing(page, tmp_path):
    page.job_name.value = "wrong"
    page.data.address.value = str(write(tmp_path / "bad.jsonl", 2, "{}"))
    assert "line 3 has no text in" in words(page.message.value) and 'role="alert"' in page.message.value
    page.data.address.value = "nowhere://data.jsonl"
    assert "nowhere://data.jsonl" in words(page.message.value)
    for act in (page.check, page.start):
        act()
        assert 'role="alert"' in page.message.value
    assert "wrong" not in names()


def test_report_mask_and_estimate_before_anything_starts(filled):
    filled.job_name.value = "only-checked"
    filled.check_button.click()
    assert "There are 16 training records" in words(filled.report.value)
    assert 'tabindex="0" role="region" aria-label="What the linter found"' in filled.report.value
    assert "the loss counts" in words(filled.mask.value)
    assert re.search(r"Tuning with lora 8 \(epochs: 1\) takes about \d+ seconds? and", words(filled.message.value))
    first = filled.mask.value
    filled.record.value = 2
    assert filled.mask.value != first
    filled.record.value = 17
    assert "There are 16 records to train on" in words(filled.message.value)
    assert filled.beside.value == REPORT and "only-checked" not in names()


def test_the_report_is_there_for_another_studio(filled, studio, workspace):
    filled.check_button.click()
    filled.record.value = 2
    other = TunePage(type(studio)(workspace))
    other.shown()
    assert (other.report.value, other.mask.value) == (filled.report.value, filled.mask.value)
    assert other.beside.value == REPORT and other.known.layout.display == ""
    other.record.value = 3
    assert "Press Check first" in words(other.message.value) and other.mask.value == filled.mask.value


def test_data_that_cannot_be_trained_on_is_refused(page, tmp_path):
    page.job_name.value, page.validation.value = "few", NONE
    page.data.address.value = str(write(tmp_path / "few.jsonl", 3))
    page.start_button.click()
    assert "The job was not started" in words(page.message.value)
    assert "too few to learn from" in words(page.report.value) and "few" not in names()


def test_a_job_is_started_and_its_model_opened_in_prompt_design(filled, studio, in_this_process, monkeypatch):
    opened = []
    monkeypatch.setattr(filled.jobs, "test", opened.append)
    filled.start_button.click()
    assert filled.beside.value == JOBS and filled.jobs.list.label.startswith("tickets, job 1: ")
    assert filled.command.code.startswith("python -m utils.tuning --name=tickets --train-data=")
    assert "SUCCEEDED" in words(filled.jobs.list.label) and "SUCCEEDED" in progress(filled)
    filled.jobs.test_button.click()
    assert opened[0].model == "models:/tickets/1" and opened[0].text.startswith("Say ")
    tuned = studio.models.load(opened[0].model)
    assert isinstance(tuned.generate(opened[0].text, max_new_tokens=2), str)
    filled.start_button.click()
    assert "has succeeded before" in words(filled.message.value)


def test_a_job_of_another_kernel_is_found_and_one_that_was_cancelled_goes_on(page, tmp_path, in_this_process):
    job = TuningJob("elsewhere", str(write(tmp_path / "train.jsonl", 20)), epochs=1)
    job.start(quiet=True)
    folder = job.started()
    folder.write_state(State(Status.CANCELLED, can_go_on=True, step=1, steps=3))
    page.shown()
    assert ("elsewhere, job 1: CANCELLED, step 1 of 3", folder) in page.jobs.list.options
    page.jobs.list.value = folder
    assert not page.jobs.go_on_button.disabled and page.jobs.test_button.disabled
    assert "press Go on" in words(page.jobs.place.children[0].children[2].value)
    page.jobs.go_on_button.click()
    assert job.status is Status.SUCCEEDED and not page.jobs.test_button.disabled and page.jobs.go_on_button.disabled


def test_a_damaged_job_is_listed_with_what_is_wrong(page, folder):
    (folder / "jobs" / "damaged" / "0001").mkdir(parents=True)
    page.shown()
    assert any(label.startswith("damaged, job 1: cannot be read") for label, _ in page.jobs.list.options)


def new_job(folder: Path, name: str, number: int = 1) -> JobFolder:
    job = JobFolder(folder / "jobs" / name / f"{number:04d}")
    job.create(Settings(name, "lora", 8, "none", None, 1, 0.001, 1, 0, "", {}), [], [])
    job.append([Measured(step, 3, step / 3, 1 / step, step / 3, None, None, 0.001, 1.0) for step in (1, 2, 3)])
    return job


def test_earlier_jobs_of_a_name_are_listed_behind_its_newest_and_watched(page, folder):
    jobs = [new_job(folder, "often", number) for number in (1, 2, 3)]
    for number, job in enumerate(jobs, 1):
        job.write_state(State(Status.SUCCEEDED, step=3, steps=3, version=number))
        os.utime(job.path, (number, number))
    page.shown()
    listed = [(label, job) for label, job in page.jobs.list.options if job in jobs]
    said = [f"often, job {number}: SUCCEEDED, step 3 of 3, version {number}" for number in (3, 2, 1)]
    assert listed == list(zip(said, reversed(jobs), strict=True))
    for job in jobs:
        page.jobs.list.value = job
        assert page.jobs.job.folder == job and page.jobs.list.value == job and not page.jobs.test_button.disabled
    assert 1 < page.jobs.list.rows < 10, "a box that scrolls"


def test_a_running_job_is_watched_while_the_page_stays_free(page, folder):
    job = new_job(folder, "running")
    job.started_by(os.getpid())
    job.write_state(State(Status.RUNNING, step=1, steps=3))

    async def until(condition: Callable[[], bool]) -> None:
        while not condition():
            await asyncio.sleep(0.01)

    async def watched() -> None:
        page.jobs.started(TuningJob.find("running"))
        await until(lambda: "RUNNING" in progress(page))
        assert page.jobs.test_button.disabled
        job.write_state(State(Status.SUCCEEDED, step=3, steps=3, version=7))
        await until(lambda: not page.jobs.test_button.disabled)
        await until(lambda: "running, job 1: SUCCEEDED, step 3 of 3, version 7" in page.jobs.list.label)

    page.jobs.refresh()
    asyncio.run(asyncio.wait_for(watched(), 60))


def test_a_file_is_found_in_folders(page, tmp_path):
    (tmp_path / "data").mkdir()
    write(tmp_path / "data" / "mine.jsonl", 12)
    page.data.folder = tmp_path
    page.data.browse.value = True
    assert str(tmp_path) in words(page.data.where.value)
    page.data.list.value = str(tmp_path / "data")
    page.data.open.click()
    page.data.list.value = str(tmp_path / "data" / "mine.jsonl")
    page.data.open.click()
    assert page.data.address.value == str(tmp_path / "data" / "mine.jsonl")
    assert not page.data.browse.value and page.data.browser.layout.display == "none"
    page.data.show(tmp_path / "none")
    assert "cannot be read" in words(page.data.message.value)


def test_a_file_that_is_handed_over_is_kept_and_read(page, tmp_path):
    content = write(tmp_path / "x.jsonl", 12).read_bytes()
    handed_over = {"name": "mine.jsonl", "type": "", "size": len(content), "last_modified": datetime.now(UTC)}
    page.data.upload.value = ({**handed_over, "content": memoryview(content)},)
    assert Path(page.data.address.value).read_bytes() == content
    assert "10 records to train on, 2 to validate with." in words(page.message.value)


def test_a_file_that_is_dropped_on_the_field_is_kept_and_read(page, tmp_path):
    content = write(tmp_path / "x.jsonl", 12).read_bytes()
    (place,) = [part for part in page.data.view.children if isinstance(part, Drop)]
    place._handle_custom_msg({"dropped": "mine.jsonl"}, [memoryview(content)])
    assert Path(page.data.address.value).read_bytes() == content
    assert "10 records to train on, 2 to validate with." in words(page.message.value)


def test_a_method_is_chosen_by_its_class():
    fields = MethodFields()
    assert (fields.family.value, fields.method.value, fields.adapter_size) == ("reparametrization", "lora", 8)
    for family in CLASSES:
        fields.family.value = family
        assert fields.method.options and fields.method.value == fields.method.options[0]
    fields.family.value = "selective"
    assert "bitfit" in fields.method.options and fields.adapter_size is None and fields.size.disabled
    fields.method.value = "last-blocks"
    assert fields.adapter_size == 2 and fields.size.hint == "blocks" and "the top blocks" in words(fields.trains.value)


def test_what_stands_in_the_fields_is_there_for_another_studio(filled, studio, workspace):
    filled.method.family.value = "additive: soft prompt"
    filled.method.method.value, filled.method.size.value = "prefix", 5
    filled.validation.value, filled.multiplier.value, filled.share.value = FILE, 2.0, 30
    other = TunePage(type(studio)(workspace))
    other.shown()
    assert other.plan == filled.plan and other.plan.method == "prefix" and other.plan.adapter_size == 5
    assert other.own.view.layout.display == ""
