"""A tuning job as fields say it: data split and named by line, the job and the command that starts the same."""

import json
import shlex

import pytest

from utils.datasets.records import TextToText
from utils.datasets.splits import set_aside
from utils.errors import DataError, TuningError, UnsupportedSetting
from utils.studio.data_files import folders_and_files, keep
from utils.studio.tuning_plan import Plan
from utils.tuning.__main__ import parser
from utils.tuning.job import TuningJob


def json_lines(count: int, start: int = 0) -> str:
    return "".join(
        json.dumps({"input_text": f"{{n}} <b>질문 {n}</b>", "output_text": "답 🙂"}, ensure_ascii=False) + "\n"
        for n in range(start, start + count)
    )


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "it's data.jsonl"
    path.write_text(json_lines(20), encoding="utf8")
    return path


@pytest.fixture
def plan(file) -> Plan:
    return Plan("tickets", str(file))


def test_a_share_is_set_aside_the_same_everywhere_and_by_the_seed(plan):
    train, validation = plan.records()
    assert (len(train), len(validation)) == (16, 4) and set(train).isdisjoint(validation)
    assert (
        sorted([*train, *validation], key=lambda one: int(one.input_text.split()[2][:-4]))
        == Plan("tickets", plan.train, "none").records()[0]
    )
    assert plan.records() == (train, validation)
    assert Plan("tickets", plan.train, split_seed=1).records()[1] != validation


def test_what_has_the_same_text_is_drawn_together():
    records = [TextToText(f"Q{n % 50}", str(n)) for n in range(100)]
    train, aside = set_aside(records, 0.2, key=lambda record: record.input_text)
    assert len(aside) == 20
    assert {one.input_text for one in train}.isdisjoint(one.input_text for one in aside)
    assert set_aside(records, 0.0, key=lambda record: record.input_text) == (records, [])
    with pytest.raises(UnsupportedSetting, match="a number from 0 to 1"):
        set_aside(records, 1.5, key=lambda record: record.input_text)


def test_the_records_of_files(plan, tmp_path):
    own = tmp_path / "v.jsonl"
    own.write_text(json_lines(3, start=50), encoding="utf8")
    train, validation = Plan("tickets", f" {plan.train} ", "file", validation_file=str(own)).records()
    assert (len(train), len(validation)) == (20, 3)
    with pytest.raises(DataError, match="^Choose a data file"):
        Plan("tickets", " ").records()
    with pytest.raises(DataError, match="^Choose a file for the validation"):
        Plan("tickets", plan.train, "file").records()


def test_a_wrong_line_is_named(file):
    file.write_text(json_lines(2) + "{}\n", encoding="utf8")
    with pytest.raises(DataError, match=r'line 3 has no text in "input_text"'):
        Plan("tickets", str(file)).job()


@pytest.mark.parametrize("changes", [{}, {"validation": "none"}, {"validation": "file"}, {"model": "gpt2"}])
@pytest.mark.parametrize("method", [{"method": "ia3"}, {"method": "lora", "adapter_size": 4, "multiplier": 0.5}])
def test_the_command_starts_the_same_job(plan, file, changes, method):
    made = Plan(plan.name, plan.train, **{"validation_file": str(file), "epochs": 2} | changes | method)
    job, command = made.job()
    python, dash, module, *options = shlex.split(command)
    assert (python, dash, module) == ("python", "-m", "utils.tuning")
    asked = vars(parser().parse_args(options))
    again = TuningJob(**{key: asked[key] for key in asked if key not in ("status", "cancel", "register", "anew")})
    assert (again.name, again.asked) == (job.name, job.asked)
    assert (again.train_data, again.validation_data) == (job.train_data, job.validation_data)
    assert job.asked["method"] == made.method and job.asked["epochs"] == 2


def test_a_name_and_a_size_that_cannot_be_are_said(plan):
    with pytest.raises(TuningError, match="cannot be a job's name"):
        Plan("a b", plan.train).job()
    with pytest.raises(UnsupportedSetting, match="has no size to set"):
        Plan("tickets", plan.train, method="ia3", adapter_size=2).job()


def test_a_folder_shows_its_folders_and_data_files(tmp_path):
    for name in ("B", "a", ".hidden"):
        (tmp_path / name).mkdir()
    for name in ("z.jsonl", "A.jsonl.gz", "notes.txt", ".x.jsonl"):
        (tmp_path / name).touch()
    folders, files = folders_and_files(tmp_path)
    assert [path.name for path in folders] == ["a", "B"] and [path.name for path in files] == ["A.jsonl.gz", "z.jsonl"]
    with pytest.raises(DataError, match="cannot be read"):
        folders_and_files(tmp_path / "none")


def test_a_file_that_is_handed_over_is_kept_under_a_name_of_its_own():
    first, second = keep("my data (1).jsonl", b"one"), keep("my data (1).jsonl", b"two")
    assert first != second and first.read_bytes() == b"one" and keep("my data (1).jsonl", b"one") == first
    assert first.name.startswith("my-data-1-") and first.suffix == ".jsonl"
    assert keep("../../etc/<b>.jsonl", b"x").parent == first.parent
