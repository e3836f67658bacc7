"""A pipeline: its file, all its steps on a tiny model, what stops it, and how it goes on."""

import json
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from tests.serving.conftest import new_endpoint, serving
from tests.tiny_models import letters, save, tiny_model
from utils.datasets.records import TextToText, to_json_lines
from utils.errors import DataError, ServingError, TuningError
from utils.models.loading import load_model
from utils.processes import ROOT, module_command, module_environment
from utils.registry.versions import find, set_default
from utils.serving.deployments import find_deployment, undeploy
from utils.studio import pipeline, pipeline_steps
from utils.studio.pipeline_file import Settings, parse, read
from utils.studio.pipeline_records import GONE, STEPS, Record, RunFolder, Status, runs, taken_up
from utils.tuning import worker
from utils.tuning.states import Status as JobStatus
from utils.tuning.states import folders


def pairs(numbers) -> str:
    return to_json_lines([TextToText(f"Say {n}:", "yes yes") for n in numbers])


def write(folder: Path, base: str, /, **changes) -> Path:
    """A pipeline's file whose tuned model learns to say yes; changes: other settings, None for a missing one."""
    for name, numbers in {"train": range(12), "validation": range(20, 24), "test": range(30, 36)}.items():
        (folder / f"{name}.jsonl").write_text(pairs(numbers))
    asked = {
        "name": "yes",
        "train": "train.jsonl",
        "validation": "validation.jsonl",
        "test": "test.jsonl",
        "model": base,
        "method": "bottleneck",
        "epochs": 15,
        "learning_rate_multiplier": 20,
        "metric": "chrF",
        "prompt": {"text": "{input}", "config": {"max_new_tokens": 8}},
        "smoke": {"input": "Say 40:", "holds": "yes"},
        **changes,
    }
    path = folder / "pipeline.yaml"
    path.write_text(
        yaml.safe_dump({name: value for name, value in asked.items() if value is not None}, sort_keys=False)
    )
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One folder for all pipelines here: making a store for their models takes seconds."""
    return tmp_path_factory.mktemp("tuning")


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, folder):
    monkeypatch.setenv("COURSE_TUNING", str(folder))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return str(save(tmp_path_factory.mktemp("tiny") / "llama", tiny_model("llama"), letters()))


@pytest.fixture
def in_this_process(monkeypatch):
    """A tuning job's work is done here and now, where faults can be put in."""
    monkeypatch.setattr("utils.tuning.job._spawn", lambda folder: worker.work(folder))


@pytest.fixture
def deployed(monkeypatch, model):
    """Endpoints are served by a thread of this process instead of a process of their own."""
    known = {}
    running = []

    def find_one(name):
        if name not in known:
            raise ServingError("none")
        return known[name]

    def deploy(name, *, model, adapters, port):
        context = serving(new_endpoint(load_model(model, device="cpu")))
        served = context.__enter__()
        running.append(context)
        served.endpoint.adapters.load_all(adapters)
        known[name] = SimpleNamespace(url=served.url, alive=True, served=served)
        return known[name]

    monkeypatch.setattr(pipeline_steps, "find_deployment", find_one)
    monkeypatch.setattr(pipeline_steps, "undeploy", known.pop)
    monkeypatch.setattr(pipeline_steps, "deploy", deploy)
    yield known
    for context in running:
        context.__exit__(None, None, None)


def statuses(records) -> list[str]:
    return [str(record.status) for record in records]


def run(path: Path) -> list[Record]:
    return pipeline.run(read(path))


def test_all_steps_and_once_more(tmp_path, model, in_this_process, deployed, capsys):
    path = write(tmp_path, model, name="whole")
    assert pipeline.main([str(path)]) == 0
    [only] = runs("whole")
    records = {record.step: record for record in only.records()}
    assert list(records) == list(STEPS)
    assert set(statuses(records.values())) == {"succeeded"}
    assert records["evaluate"].result["compared_with"] == ""
    assert records["evaluate"].result["gain"]["low"] > 0
    assert records["promote"].result == {"promoted": True}
    assert records["smoke test"].result["answer"].strip().startswith("yes")
    assert find("whole").reference == records["tune"].result["version"] == "whole/1"
    printed = capsys.readouterr().out
    assert "[3/6] evaluate: succeeded after" in printed

    assert pipeline.main([str(path)]) == 0
    assert len(runs("whole")) == 1 and len(folders("whole")) == 1
    again = {record.step: record for record in only.records()}
    assert {name: again[name] for name in STEPS[:5]} == {name: records[name] for name in STEPS[:5]}, "taken up"
    assert again["smoke test"].status is Status.SUCCEEDED, "always asked anew"
    assert capsys.readouterr().out.count("succeeded before") == 5


def test_the_second_version_is_compared_with_the_default_and_not_promoted(
    tmp_path, model, in_this_process, deployed, capsys
):
    run(write(tmp_path, model, name="two"))
    del deployed["two"]
    path = write(tmp_path, model, name="two", epochs=14)
    assert pipeline.main([str(path)]) == 0, "no gain is no failure"
    records = runs("two")[-1].records()
    assert statuses(records) == ["succeeded"] * 4 + ["not run"] * 2
    assert records[2].result["compared_with"] == "two/1"
    assert records[3].result == {"promoted": False}
    assert "two/2 is not promoted: its gain over the default two/1 is" in records[3].said
    assert find("two").reference == "two/1" and not deployed
    assert "Not run: deploy, smoke test." in capsys.readouterr().out


def test_another_default_is_compared_with_anew(tmp_path, model, in_this_process, deployed):
    first = write(tmp_path, model, name="moved", epochs=1, learning_rate_multiplier=0.001)
    run(first)
    path = write(tmp_path, model, name="moved")
    [*_, promoted] = run(path)[:4]
    assert promoted.result == {"promoted": True} and find("moved").reference == "moved/2"
    set_default("moved", 1)
    records = run(path)
    assert records[2].result["compared_with"] == "moved/1"
    assert find("moved").reference == "moved/2", "the same evidence, promoted again"


@pytest.mark.parametrize(
    ("changes", "step", "said"),
    [
        ({"train": "few.jsonl"}, "lint", "too few to learn from"),
        ({"model": "/no/such/model"}, "lint", "/no/such/model"),
        ({"smoke": {"input": "Say 1:", "holds": "no"}}, "smoke test", "in which 'no' does not stand"),
    ],
)
def test_one_bad_step_stops_it_with_a_sentence(tmp_path, model, in_this_process, deployed, capsys, changes, step, said):
    (tmp_path / "few.jsonl").write_text(pairs(range(3)))
    path = write(tmp_path, model, **{"name": f"bad-{step.split()[0]}"} | changes)
    assert pipeline.main([str(path)]) == 1
    records = runs(read(path).name)[-1].records()
    at = STEPS.index(step)
    assert statuses(records) == ["succeeded"] * at + ["failed"] + ["not run"] * (len(STEPS) - at - 1)
    assert said in records[at].said
    assert f"{step}: failed after" in capsys.readouterr().out


def test_a_tuning_job_that_fails_goes_on_from_its_checkpoint(tmp_path, model, in_this_process, deployed, monkeypatch):
    monkeypatch.setenv("COURSE_CHECKPOINT_SECONDS", "0")
    path, write_state = write(tmp_path, model, name="resumed"), worker.JobFolder.write_state

    def out_of_memory(folder, state):
        write_state(folder, state)
        if state.status is JobStatus.RUNNING and state.step == 5:
            raise MemoryError

    monkeypatch.setattr(worker.JobFolder, "write_state", out_of_memory)
    records = run(path)
    assert statuses(records)[:3] == ["succeeded", "failed", "not run"]
    assert "The memory is full" in records[1].said
    monkeypatch.setattr(worker.JobFolder, "write_state", write_state)
    assert set(statuses(run(path))) == {"succeeded"}
    [job] = folders("resumed")
    assert [one.step for one in job.measured()] == list(range(1, job.state.step + 1))


def test_a_later_step_that_fails_is_done_again_and_nothing_before_it(
    tmp_path, model, in_this_process, deployed, monkeypatch
):
    path = write(tmp_path, model, name="again")

    def fails(*arguments, **options):
        raise ValueError("It broke.")

    before = []
    for at, broken in ((2, "score"), (3, "set_default"), (4, "deploy"), (5, "_wait_for")):
        with monkeypatch.context() as patch:
            patch.setattr(pipeline_steps, broken, fails)
            records = run(path)
        assert statuses(records) == ["succeeded"] * at + ["failed"] + ["not run"] * (5 - at)
        assert "It stopped with ValueError (It broke.)" in records[at].said
        assert records[: len(before)] == before, "what had succeeded is taken up"
        before = records[:at]
    assert set(statuses(run(path))) == {"succeeded"}


def test_a_cancelled_run_says_so_and_goes_on(tmp_path, model, in_this_process, deployed, monkeypatch, capsys):
    path = write(tmp_path, model, name="cancelled")

    def cancelled(*arguments, **options):
        runs("cancelled")[-1].ask_to_cancel()
        for _ in range(100):
            pipeline.time.sleep(0.1)

    with monkeypatch.context() as patch:
        patch.setattr(pipeline_steps, "score", cancelled)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does for what it runs in the background
        assert pipeline.main([str(path)]) == 1
    assert "To go on: python -m utils.studio.pipeline" in capsys.readouterr().err
    assert statuses(runs("cancelled")[-1].records())[:3] == ["succeeded", "succeeded", "cancelled"]
    assert set(statuses(run(path))) == {"succeeded"}


def test_two_processes_do_not_run_one_pipeline(tmp_path, model, monkeypatch):
    monkeypatch.setattr("utils.studio.pipeline_records.LOCK_SECONDS", 0.1)
    settings = read(write(tmp_path, model, name="once"))
    with taken_up("once", "another", "") as first:
        assert first.is_running
        with pytest.raises(TuningError, match="running already"):
            pipeline.run(settings)
    assert not first.is_running


def test_a_step_whose_process_is_gone_has_failed(tmp_path):
    folder = RunFolder(tmp_path / "0001")
    folder.path.mkdir()
    folder.write(Record("lint", Status.RUNNING, began="2026-01-01T00:00:00+00:00"))
    assert folder.records()[0].said == GONE and folder.records()[0].status is Status.FAILED
    (folder.path / "1-lint.json").write_text("{")
    assert folder.record("lint").status is Status.NOT_RUN


TEXT = """\
name: yes-man
train: train.jsonl
validation: validation.jsonl
test: test.jsonl
epochs: 20
metric: chrF
prompt:
  text: "{input}"
smoke:
  input: "Say 40:"
  holds: hello
"""


class TestFile:
    def test_what_is_left_out(self, tmp_path):
        settings = read(write(tmp_path, "", prompt=None, metric=None, epochs=None, model=None))
        assert isinstance(settings, Settings)
        assert settings.prompt.about("x").text == "x" and settings.prompt.config.temperature == 0
        assert settings.deploy.name == "yes" and settings.metric == "exact match"
        assert len(settings.train.records) == 12

    def test_a_prompt_is_greedy_unless_it_says_otherwise(self, tmp_path):
        prompt = {"kind": "structured", "context": "Answer.", "examples": [{"input": "a", "output": "b"}]}
        assert read(write(tmp_path, "", prompt=prompt)).prompt.config.temperature == 0
        warm = {**prompt, "config": {"temperature": 0.7}}
        assert read(write(tmp_path, "", prompt=warm)).prompt.config.temperature == 0.7

    @pytest.mark.parametrize(
        ("line", "new", "said"),
        [
            ("name: yes-man", "name: two words", "line 1: 'two words' cannot be a name"),
            ("name: yes-man", "name: 7", "line 1: 7 cannot be a name"),
            ("test: test.jsonl", "test: other.jsonl", "line 4: There is no file"),
            ("test: test.jsonl", "test: bad.jsonl", "bad.jsonl, line 1 is not valid JSON"),
            ("test: test.jsonl", "tests: test.jsonl", "line 4: there is no setting 'tests': did you mean test."),
            ("test: test.jsonl", "", "line 1: test must be given too."),
            ("epochs: 20", "epochs: many", "line 5: Epochs is a whole number, 1 or more; 'many' was given."),
            ("epochs: 20", "epochs: 3\nepochs: 4", "line 6: epochs stands here a second time"),
            ("epochs: 20", "epochs: [", "line 7: this is no YAML"),
            ("epochs: 20", "epochs: 2026-13-45", "line 5: this is no value"),
            ("epochs: 20", "seeds: [1, 1]", "line 5: seeds are whole numbers"),
            ("epochs: 20", "method: lorra", "line 5: There is no tuning method 'lorra'"),
            ("epochs: 20", "deploy: {name: a, port: 70000}", "line 5: A port is a whole number"),
            ("metric: chrF", "metric: BLEU", "line 6: there is no metric 'BLEU'"),
            ('  text: "{input}"', "  text: Say it.", "line 7: The prompt has no place for a record's input"),
            ('  text: "{input}"', '  txt: "{input}"', "line 7: A prompt has no 'txt'"),
            ('  text: "{input}"', '  config: 3\n  text: "{input}"', "line 7: Config is written as names"),
            ("  holds: hello", "  hold: hello", "line 11: there is no setting 'hold': did you mean holds."),
            ("  holds: hello", "  holds: 7", "line 11: This is a text; 7 (int) was given."),
        ],
    )
    def test_a_fault_is_said_with_its_line(self, tmp_path, line, new, said):
        write(tmp_path, "")
        (tmp_path / "bad.jsonl").write_text("{")
        assert line in TEXT
        with pytest.raises(DataError) as caught:
            parse(TEXT.replace(line, new, 1), folder=tmp_path)
        assert said in str(caught.value) and str(caught.value).startswith("pipeline.yaml, line ")

    @pytest.mark.parametrize("text", ["", "- a\n- b", "just words", "name: a"])
    def test_what_is_no_pipeline(self, text):
        with pytest.raises(DataError, match="line 1"):
            parse(text, folder=Path())

    def test_the_readme_shows_one_that_can_be_run(self):
        readme = (ROOT / "utils" / "studio" / "README.md").read_text(encoding="utf8")
        shown = readme.split("```yaml\n")[1].split("```")[0]
        assert (
            parse(shown, folder=ROOT / "labs" / "data" / "tickets")
            .prompt.about("Hello.")
            .text.startswith("Ticket: Hello.")
        )

    def test_no_file(self, tmp_path):
        with pytest.raises(DataError, match="There is no file"):
            read(tmp_path / "none.yaml")


@pytest.mark.process
@pytest.mark.slow
def test_the_command_line_in_processes_of_its_own(tmp_path, model):
    """The way it is really used: tuned by a process, deployed as one that outlives the pipeline."""
    path = write(tmp_path, model, name="shell", deploy={"name": "shell-test"})
    command = module_command("utils.studio.pipeline", str(path))
    try:
        done = subprocess.run(command, env=module_environment(), capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert find_deployment("shell-test").alive
        status = subprocess.run([*command, "--status"], env=module_environment(), capture_output=True, text=True)
        assert status.stdout.count(": succeeded.") == len(STEPS)
        json.loads((runs("shell")[0].path / "6-smoke-test.json").read_text())
    finally:
        with suppress(ServingError):
            undeploy("shell-test")
