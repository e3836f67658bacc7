"""The page Pipeline: what is wrong with a file, what is kept, a run's records, and a run of its own."""

import pytest

from utils.studio.pipeline_file import parse
from utils.studio.pipeline_page import EXAMPLES, PipelinePage, example
from utils.studio.pipeline_records import STEPS, Record, Status, log_file, start, started, taken_up


def test_the_examples_can_be_run(tmp_path):
    for name in EXAMPLES:
        settings = parse(example(name), folder=tmp_path)
        assert settings.test.records and settings.smoke.holds


def test_a_fault_is_said_with_its_line_and_the_text_is_kept(studio):
    page = PipelinePage(studio)
    page.text.value = page.text.value.replace("epochs: 3", "epoch: 3")
    page.check()
    assert "there is no setting &#x27;epoch&#x27;: did you mean epochs" in page.message.value
    assert PipelinePage(studio).text.value == page.text.value
    page.take_example()
    page.check()
    assert "The file can be run: 120 training, 40 validation, 60 test records." in page.message.value
    assert page.file.read_text(encoding="utf8") == page.text.value


def test_a_run_that_was_started_elsewhere_is_shown_with_its_records(studio):
    with taken_up("elsewhere", "asked", "name: elsewhere") as folder:
        folder.write(Record("lint", Status.SUCCEEDED, said="All is <well>.", result={"findings": []}))
        folder.write(Record("tune", Status.RUNNING, said="12 of 40"))
        page = PipelinePage(studio)
        page.pipeline.value = "elsewhere"
        page.shown()
        assert "12 of 40" in page.steps.value and "All is &lt;well&gt;." in page.steps.value
        assert page.run_button.disabled and not page.cancel_button.disabled
        page.cancel()
        assert folder.is_cancel_asked
    page.shown()
    assert "tune: failed. Its process ended before the step did" in page.message.value
    assert not page.run_button.disabled
    page.step.value = "lint"
    assert '"findings": []' in page.record.code


@pytest.mark.process
@pytest.mark.slow
def test_why_a_run_failed_is_said_also_where_it_ended_before_anyone_looked(studio, monkeypatch):
    def started_and_ended(file, name):
        process = start(file, name)
        process.wait()
        return process

    monkeypatch.setattr("utils.studio.pipeline_page.start", started_and_ended)
    page = PipelinePage(studio)
    page.text.value = page.text.value.replace("method: lora-top", "model: /no/such/model")
    for again in (False, True):
        page.run()
        assert "lint: failed." in page.message.value and "/no/such/model" in page.message.value, again
        assert [record.status for record in page.records] == [Status.FAILED] + [Status.NOT_RUN] * (len(STEPS) - 1)
        page.message.value = ""


@pytest.mark.process
@pytest.mark.slow
def test_what_ends_before_it_runs_is_said(tmp_path):
    process = start(tmp_path / "none.yaml", "nothing")
    assert "There is no file" in started(process, "nothing", [])
    assert "There is no file" in log_file("nothing").read_text(encoding="utf8")
