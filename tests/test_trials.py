"""Kept trainings and what is computed from them; the tasks behind them; prompt or tune."""

import json
import math

import numpy as np
import pytest
import torch

from utils.datasets.dialogues import load_dialogues
from utils.datasets.records import TextToText, load_text_to_text, save_text_to_text
from utils.errors import DataError
from utils.experiments import sweeps, trials
from utils.experiments.query_costs import break_even
from utils.experiments.trials import TRIALS, Trial, find, grid, outcomes, rouge1
from utils.models.loading import load_model
from utils.storage.results import code_hash
from utils.training.tasks import TASKS, is_right, text_to_label

FACTS = {"trainable": 1, "changed": 2, "losses": [[1, 0.5, 0.6]], "versions": {}}


def write(path, *results):
    lines = [
        json.dumps({"seed": 0, "records": 240, "size": None, "learning_rate": None, **FACTS, **r}) for r in results
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def result(**changes):
    return {"task": "dialogues", "method": "lora", "validation_loss": 1.0, "answers": ["a b"], **changes}


def test_a_trial_is_found_by_its_settings_one_outcome_a_seed(tmp_path):
    path = write(tmp_path / "t.jsonl", result(), result(seed=1), result(records=10), result(method="full"))
    assert [outcome.trial.seed for outcome in find("dialogues", "lora", path=path)] == [0, 1]
    assert find("dialogues", "lora", path=path, records=10)[0].trial == Trial("dialogues", "lora", 0, 10)
    with pytest.raises(DataError, match="make sweeps"):
        find("dialogues", "dora", path=path)


def test_scores_are_computed_from_the_answers(tmp_path):
    path = write(tmp_path / "t.jsonl", result(answers=["a b", "c"]), result(seed=1, answers=["x", "c"]))
    scores = rouge1(find("dialogues", "lora", path=path), ["a b", "c d"])
    assert scores == pytest.approx(np.array([[1, 2 / 3], [0, 2 / 3]]))


def test_a_grid_has_a_row_a_rank_and_a_column_a_rate(tmp_path):
    swept = [
        result(size=size, learning_rate=rate, validation_loss=size * rate) for size in (1, 8) for rate in (0.1, 0.01)
    ]
    path = write(tmp_path / "t.jsonl", result(), result(seed=2), *swept)
    table = grid("dialogues", "lora", value=lambda outcome: outcome.validation_loss, path=path)
    assert table.index.tolist() == [1, 8] and table.columns.tolist() == ["0.01", "0.1"]
    assert table.loc[8, "0.1"] == pytest.approx(0.8)


def test_a_machine_s_own_results_come_before_the_repository_s(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_TUNING", str(tmp_path))
    assert outcomes() == outcomes(TRIALS)
    write(trials.own_trials(), result(method="mine"))
    assert [trial.method for trial in outcomes()] == ["mine"]


def test_a_sweep_runs_what_is_missing_and_keeps_the_rest(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(sweeps, "run", lambda trial, base: ran.append(trial) or result(seed=trial.seed, **FULL))
    monkeypatch.setattr(sweeps, "load_model", lambda device: None)
    path = write(tmp_path / "t.jsonl", result(seed=1))
    sweeps.sweep((Trial("dialogues", "lora", seed) for seed in range(3)), path)
    assert [trial.seed for trial in ran] == [0, 2]
    sweeps.sweep((Trial("dialogues", "lora", seed) for seed in range(3)), path)
    assert len(ran) == 2 and sorted(trial.seed for trial in outcomes(path)) == [0, 1, 2]


FULL = {"records": 240, "size": None, "learning_rate": None, **FACTS}


def test_every_trial_of_the_sweeps_is_kept_in_the_repository():
    wanted = {trial for trials in sweeps.SWEEPS.values() for trial in trials()}
    assert wanted <= outcomes(TRIALS).keys()


def test_what_the_course_promises_of_tuning_on_reviews_holds_for_each_seed():
    runs = find("reviews", "lora")
    assert sorted(run.trial.seed for run in runs) == [0, 1, 2]
    assert min(run.correct.mean() for run in runs) >= 0.85


def test_each_seed_of_lora_on_dialogues_is_near_the_others():
    references = [dialogue.output_text for dialogue in load_dialogues("test")]
    runs = find("dialogues", "lora-top")
    means = rouge1(runs, references).mean(axis=1)
    assert sorted(run.trial.seed for run in runs) == [0, 1, 2]
    assert means.min() >= 0.33 and means.max() - means.min() < 0.03


def test_a_run_of_a_tiny_model_gives_a_line_that_is_read_back(saved_model, monkeypatch, tmp_path):
    base = load_model(str(saved_model), device="cpu")
    records = [TextToText(f"Say {n}:", "yes") for n in range(12)]
    monkeypatch.setattr("utils.training.tasks.Task.records", lambda self, split: records)
    found = sweeps.run(Trial("reviews", "lora", 0, 10, 2, 1e-3), base)
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps(found) + "\n")
    outcome = outcomes(path)[Trial("reviews", "lora", 0, 10, 2, 1e-3)]
    assert len(outcome.answers) == 12 and math.isfinite(outcome.validation_loss)
    assert outcome.losses[-1][0] == TASKS["reviews"].epochs * 2
    assert outcome.made_by == {
        "code": code_hash("utils.experiments.sweeps"),
        "threads": torch.get_num_threads(),
        "kernels": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
    }


def test_what_was_not_recorded_is_not_made_up():
    lines = [json.loads(line) for line in TRIALS.read_text(encoding="utf8").splitlines()]
    recorded = [outcome.made_by for outcome in outcomes(TRIALS).values()]
    assert recorded == [line.get("made_by") for line in lines]


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("positive", "positive"),
        (" Negative.", "negative"),
        ("positively good", ""),
        ("it is positive", ""),
        ("", ""),
        ("'negative', I think", "negative"),
    ],
)
def test_the_label_is_the_answer_s_first_word(answer, label):
    assert text_to_label(answer) == label
    assert is_right(answer, TextToText("Review", "positive")) == (label == "positive")


@pytest.mark.parametrize(
    ("tuning", "prompt", "tuned", "queries"),
    [(100, 3, 2, 100), (100, 3, 1, 50), (10, 3.5, 0.5, 4), (0, 3, 1, 0), (1, 2, 2, math.inf), (1, 1, 2, math.inf)],
)
def test_tuning_pays_from_the_first_query_at_which_it_cost_no_more(tuning, prompt, tuned, queries):
    assert break_even(tuning, prompt, tuned) == queries
    if 0 < queries < math.inf:
        assert tuning + queries * tuned <= queries * prompt
        assert tuning + (queries - 1) * tuned > (queries - 1) * prompt


def test_records_are_written_as_they_are_read(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_TUNING", str(tmp_path))
    records = [TextToText("a\nb \u201cc\u201d", "d"), TextToText("e", "f")]
    assert load_text_to_text(save_text_to_text(records, "mine")) == records
    assert load_text_to_text(save_text_to_text(records[:1], "mine")) == records[:1]
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["mine.jsonl"]
