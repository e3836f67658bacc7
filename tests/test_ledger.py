"""The ledger: runs become rows, and a damaged file is named."""

import json

import pytest

from utils.errors import DataError
from utils.experiments.ledger import load_ledger
from utils.plots import shares_and_accuracies


def run(method="lora", size=8, seed=0, **changed):
    record = {
        "method": method,
        "size": size,
        "seed": seed,
        "trainable": 10,
        "changed": 200,
        "file_bytes": 5_000_000,
        "step_seconds": 1.0,
        "peak_bytes": 2_000_000_000,
        "inference_ratio": 1.5,
        "correct": [True, True, True, False],
        "validation_loss": 0.5,
        "versions": {},
    }
    return record | changed


BASE = run("base", None, trainable=0, changed=0, step_seconds=None, peak_bytes=None, validation_loss=None)
FULL = run("full", None, trainable=1_000, changed=1_000, correct=[True] * 4)


@pytest.fixture
def load(tmp_path):
    def write_and_load(*records):
        path = tmp_path / "ledger.json"
        path.write_text(json.dumps(records), encoding="utf8")
        return load_ledger(path, parameters=1_000)

    return write_and_load


def test_seeds_are_averaged_and_units_are_the_columns(load):
    row = load(run(), run(seed=1, step_seconds=2.0, correct=[False] * 4)).loc["lora 8"]
    assert row["trainable (%)"] == 1 and row["changed (%)"] == 20
    assert row["file (MB)"] == 5 and row["peak memory (GB)"] == 2
    assert row["step (s)"] == 1.5 and row["inference (ratio)"] == 1.5
    assert row["accuracy"] == pytest.approx(0.38)
    assert row["low"] < row["accuracy"] < row["high"]


def test_methods_and_sizes_are_rows_fewest_trained_parameters_first(load):
    table = load(FULL, run(size=16, trainable=20), run(), run(size=None, seed=1), BASE)
    assert list(table.index) == ["base", "lora 8", "lora 16", "full"]
    assert table.loc["lora 8", "trainable (%)"] == 1, "null is the method's own size"
    assert table.loc["base", ["step (s)", "peak memory (GB)"]].isna().all()
    assert table.loc["full", ["accuracy", "low", "high"]].tolist() == [1, 1, 1]


def test_the_figure_says_every_method_s_numbers(load):
    plot = shares_and_accuracies(load(BASE, run(), FULL))
    assert "lora 8: 1 %, 0.75 (" in plot.alt and "full: 100 %, 1.00 (1.00 to 1.00)" in plot.alt
    assert plot.png.startswith(b"\x89PNG")


def test_runs_on_other_texts_are_refused(load):
    with pytest.raises(DataError, match="lora 8"):
        load(run(), run(seed=1, correct=[True]))


def test_a_record_without_a_field_is_named(load):
    incomplete = run()
    del incomplete["peak_bytes"]
    with pytest.raises(DataError, match="Record 2 .* has no peak_bytes"):
        load(run(), incomplete)


@pytest.mark.parametrize(("text", "said"), [("{", "not valid JSON"), ("[]", "no list"), (None, "There is no ledger")])
def test_a_missing_or_damaged_file_is_named(tmp_path, text, said):
    path = tmp_path / "ledger.json"
    if text is not None:
        path.write_text(text, encoding="utf8")
    with pytest.raises(DataError, match=said):
        load_ledger(path)
