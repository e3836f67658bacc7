"""Models of several sizes: their records are whole and say what the answers say; the default's is found again."""

import dataclasses
import hashlib
import json
import math
import os
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from gguf import GGUFWriter, LlamaFileType

from utils.datasets.dialogues import Dialogue
from utils.errors import DataError, ModelNotFound
from utils.experiments import climb, four_tasks
from utils.experiments.climb import measured
from utils.experiments.four_tasks import MEASURES, OPENING, evaluate, read_held_out
from utils.experiments.ladder import RECORDS, apart, ladder_table, load_ladder, records
from utils.experiments.provenance import machine
from utils.models import catalog
from utils.models.loading import DEFAULT_MODEL, load_model
from utils.plots import ability_against_size

KEPT = {"SmolLM2-135M-Instruct", "gemma-3-270m", "Qwen2.5-Coder-0.5B-Instruct"}
ITEMS = {"reviews, 0 shots": 60, "reviews, 8 shots": 60, "questions": 40}
ITEMS |= {"dialogues, 0 shots": 16, "dialogues, 3 shots": 16, "held-out text": 60}
NUMBERS = ("mean", "low", "high", "seconds")


def test_the_models_that_the_lessons_compare_are_kept():
    assert {record["name"] for record in records()} >= KEPT
    assert {path.stem for path in RECORDS.glob("*.json")} == {record["name"] for record in records()}


@pytest.mark.parametrize("record", records(), ids=lambda record: record["name"])
class TestARecord:
    def test_has_every_measure_of_every_item(self, record):
        assert [(one["name"], one["unit"]) for one in record["measures"]] == [(m.name, m.unit) for m in MEASURES]
        for one, measure in zip(record["measures"], MEASURES, strict=True):
            assert tuple(one["seeds"]) == measure.seeds and one["seconds"] > 0
            assert [len(answers) for answers in one["answers"]] == [ITEMS[measure.name]] * len(measure.seeds)

    def test_says_what_its_answers_are_worth(self, record):
        for one, measure in zip(record["measures"], MEASURES, strict=True):
            value = measure.value(one["answers"])
            assert [one[end] for end in ("mean", "low", "high")] == pytest.approx(
                [value.mean, value.low, value.high], abs=1e-4
            )
            assert one["low"] <= one["mean"] <= one["high"]

    def test_is_of_a_model_of_the_catalog(self, record):
        known = catalog.find(record["name"])
        facts = ("hub", "task", "licence", "terms", "parameters", "kind", "window")
        assert {fact: record[fact] for fact in facts} == {fact: getattr(known, fact) for fact in facts}
        assert record["file"]["sha256"] == known.sha256

    def test_says_what_made_it_and_names_no_machine(self, record):
        assert set(record["versions"]) == {"torch", "transformers", "tokenizers"}
        assert set(record["made_by"]) == {"code", "threads", "kernels", "torch"}
        assert set(record["machine"]) == {"processor", "cores", "memory"}
        assert len(record["weights_hash"]) == 64 and record["number format"] == "float32"
        facts = json.dumps({key: value for key, value in record.items() if key not in ("measures", "terms")})
        assert "/" not in facts.replace(record["hub"], "") and "\\" not in facts


def test_the_table_has_a_row_for_each_model_and_measure_smallest_model_first():
    table = load_ladder()
    assert len(table) == len(records()) * len(MEASURES)
    assert table["parameters"].is_monotonic_increasing
    assert table["measure"].tolist()[: len(MEASURES)] == [measure.name for measure in MEASURES]
    assert table.loc[0, ["model", "mean"]].tolist() == ["SmolLM2-135M-Instruct", 0.65]


def rungs(*models: tuple[str, int, float, float, float], unit: str = "accuracy") -> pd.DataFrame:
    """A ladder of one measure: model, parameters, mean, low and high."""
    columns = ["model", "parameters", "mean", "low", "high"]
    return pd.DataFrame(models, columns=columns).assign(measure="one", unit=unit)


def test_a_row_a_measure_and_a_column_a_model_in_their_order():
    table = ladder_table(load_ladder())
    assert [name for name, _ in table.index] == [measure.name for measure in MEASURES]
    assert list(table) == [record["name"] for record in records()]
    assert table.iloc[0, 0] == "0.65 (0.53 to 0.77)"


def test_apart_are_models_whose_intervals_have_no_value_in_common():
    close = rungs(("small", 1, 0.5, 0.4, 0.6), ("large", 2, 0.7, 0.6, 0.8))
    assert apart(close).empty and list(apart(close)) == ["measure", "better", "worse", "the larger is better"]
    far = rungs(("small", 1, 0.5, 0.4, 0.59), ("large", 2, 0.7, 0.6, 0.8), ("larger", 3, 0.5, 0.4, 0.59))
    assert apart(far).to_numpy().tolist() == [["one", "large", "small", True], ["one", "large", "larger", False]]
    bits = rungs(("small", 1, 1.2, 1.1, 1.3), ("large", 2, 1.5, 1.4, 1.6), unit="bits per byte")
    assert apart(bits).to_numpy().tolist() == [["one", "small", "large", False]]


def test_a_measure_is_taken_now_and_by_its_name(tiny, monkeypatch):
    asked = []

    def answers(model, seed, items):
        asked.append((seed, items, os.environ["COURSE_RESULTS"]))
        return [0.25, 0.75]

    monkeypatch.setattr(
        four_tasks, "MEASURES", (four_tasks.Measure("quick", "share", answers, np.array, seeds=(0, 1)),)
    )
    assert evaluate(tiny, "quick").mean == 0.5 and asked == [(0, None, "off"), (1, None, "off")]
    with pytest.raises(DataError, match="There is no measure 'slow': take one of quick"):
        evaluate(tiny, "slow")


def test_the_figure_says_every_mean_with_its_interval():
    alt = ability_against_size(load_ladder()).alt
    assert "reviews, 0 shots, accuracy: SmolLM2-135M-Instruct 0.65 (0.53 to 0.77), gemma" in alt
    assert all(measure.name in alt for measure in MEASURES)


def test_a_folder_without_records_and_a_damaged_record_are_named(tmp_path):
    with pytest.raises(DataError, match="no record"):
        load_ladder(tmp_path)
    for text in ("{", "{}", "[]", "1"):
        (tmp_path / "model.json").write_text(text)
        with pytest.raises(DataError, match="damaged"):
            load_ladder(tmp_path)


def test_the_default_model_s_record_is_found_again(course_model):
    kept = {one["name"]: one["answers"] for one in records()[0]["measures"]}
    for measure, items in zip(MEASURES, (4, 2, 4, 1, 1, 1), strict=True):
        answers = measure.answers(course_model, measure.seeds[-1], items)
        expected = kept[measure.name][-1][:items]
        assert answers == (pytest.approx(expected, abs=1e-3) if measure.unit == "bits per byte" else expected)
    assert records()[0]["weights_hash"] == course_model.weights_hash


def short(text: str) -> Dialogue:
    return Dialogue(f"{OPENING} {text}", "a summary.", "1", "topic")


def test_bits_per_byte_is_the_cross_entropy_of_all_but_the_opening(tiny, monkeypatch):
    monkeypatch.setattr(
        four_tasks, "load_dialogues", lambda split: [short("hello there.\n#Person2#: yes."), short("no")]
    )
    prompt, text = tiny.encode(OPENING), " no\na summary."
    ids = tiny.tokenizer(text, add_special_tokens=False)["input_ids"]
    if tiny.decode(ids) != text:
        with pytest.raises(DataError, match="does not give a text back"):
            read_held_out(tiny, 0, None)
        return
    found = read_held_out(tiny, 0, None)
    if tiny.is_encoder_decoder:
        inputs = {"input_ids": [prompt], "decoder_input_ids": [[tiny.decoder_start, *ids[:-1]]]}
    else:
        inputs = {"input_ids": [[*prompt, *ids[:-1]]]}
    with torch.inference_mode():
        logits = tiny.model(**{name: torch.tensor(row) for name, row in inputs.items()}).logits[0, -len(ids) :]
    nats = torch.nn.functional.cross_entropy(logits, torch.tensor(ids), reduction="sum")
    assert found[1] == pytest.approx(float(nats) / math.log(2) / len(text), abs=1e-3)
    assert read_held_out(tiny, 0, 1) == pytest.approx(found[:1], abs=1e-3)


def test_a_text_that_the_tokenizer_does_not_give_back_is_refused(tiny, monkeypatch):
    monkeypatch.setattr(four_tasks, "load_dialogues", lambda split: [short("Größe")])
    with pytest.raises(DataError, match="does not give a text back"):
        read_held_out(tiny, 0, None)


def test_a_measure_that_a_model_cannot_take_says_so_and_the_others_go_on(saved_model):
    record = measured(str(saved_model), items=2)
    taken = {one["name"]: one for one in record["measures"]}
    assert "context window is 256" in taken["reviews, 8 shots"]["refused"] or record["kind"] == "t5"
    assert set(taken["reviews, 0 shots"]["answers"][0]) <= {"negative", "positive"}
    assert record["name"] == saved_model.name and record["licence"] is None and record["file"] is None


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """A ladder of one quick measure, its records in a folder of the test's own, and how often it is computed."""
    asked = []

    def answers(model, seed, items):
        asked.append(seed)
        return [0.25, 0.75]

    monkeypatch.setattr(climb, "MEASURES", (four_tasks.Measure("quick", "share", answers, np.array, seeds=(0, 1)),))
    monkeypatch.setattr(climb, "RECORDS", tmp_path / "records")
    return asked


def test_a_second_ladder_computes_nothing_and_writes_the_same(saved_model, quick, tmp_path):
    climb.main([str(saved_model)])
    path = tmp_path / "records" / f"{saved_model.name}.json"
    first = path.read_text()
    climb.main([str(saved_model)])
    assert quick == [0, 1] and path.read_text() == first
    table = load_ladder(tmp_path / "records")
    assert table["mean"].tolist() == [0.5] and set(NUMBERS) <= set(table)


def test_the_uses_have_records_of_their_own(saved_model, quick, monkeypatch, tmp_path):
    monkeypatch.setattr(climb, "USES", climb.MEASURES)
    monkeypatch.setattr(climb, "USES_RECORDS", tmp_path / "uses")
    climb.main(["--uses", str(saved_model)])
    assert [path.stem for path in tmp_path.rglob("*.json") if path.parent.name == "uses"] == [saved_model.name]
    assert not (tmp_path / "records").exists()


def test_what_was_measured_by_other_code_is_measured_again(tiny, monkeypatch):
    asked = []
    measure = four_tasks.Measure("coded", "share", lambda *_: asked.append(1) or [1.0], np.array)
    for code in ("first", "first", "second"):
        monkeypatch.setattr(four_tasks, "code_hash", lambda module, code=code: f"{module} {code}")
        four_tasks.take(tiny, measure, 0, None)
    assert len(asked) == 2


def test_what_is_timed_is_computed_and_not_read(tiny, monkeypatch):
    before, seen = os.environ["COURSE_RESULTS"], []
    measure = four_tasks.Measure(
        "env", "share", lambda *_: seen.append(os.environ["COURSE_RESULTS"]) or [1.0], np.array
    )
    for _ in range(2):
        assert four_tasks.take(tiny, measure, 0, None)["answers"] == [1.0]
    assert seen == ["off"] and os.environ["COURSE_RESULTS"] == before


def test_another_model_under_a_known_name_is_not_taken_for_it(saved_model, quick, tmp_path):
    shutil.copytree(saved_model, tmp_path / "gpt2")
    record = measured(str(tmp_path / "gpt2"))
    assert record["hub"] is None and record["parameters"] == load_model(str(saved_model)).model.num_parameters()


def test_a_name_of_the_catalog_is_looked_for_on_the_hub_and_a_folder_first_on_disk(tmp_path, monkeypatch):
    assert climb._source("SmolLM2-135M-Instruct") == DEFAULT_MODEL
    assert climb._source("someone/model") == "someone/model"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gpt2").mkdir()
    assert climb._source("gpt2") == "gpt2"


def test_a_gguf_file_is_described_by_its_hash_and_its_number_format(tmp_path):
    path = tmp_path / "small.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_file_type(LlamaFileType.MOSTLY_Q4_K_M)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    content = path.read_bytes()
    found = {"name": "small.gguf", "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert climb._file(str(path)) == found | {"number format": "Q4_K_M"}


def test_a_file_of_any_name_is_known_by_its_hash(tiny, monkeypatch):
    known = dataclasses.replace(catalog.find("gpt2"), kind=tiny.model.config.model_type, sha256="0" * 64)
    known = dataclasses.replace(known, sizes={"vocab_size": tiny.model.config.vocab_size})
    monkeypatch.setattr(catalog, "models", lambda: (known,))
    assert climb._entry("any/name.gguf", tiny, {"sha256": "0" * 64}) == known
    assert climb._entry("any/name.gguf", tiny, {"sha256": "1" * 64}) is None


def test_a_model_that_is_not_there_is_a_sentence():
    with pytest.raises(ModelNotFound):
        measured("./nowhere")


def test_the_machine_is_described_without_its_name():
    assert machine().keys() == {"processor", "cores", "memory"} and machine()["cores"] >= 1
