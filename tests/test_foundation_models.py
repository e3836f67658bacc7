"""The list of foundation models: every number has a source; dates, names and families are in form; its figure."""

import re
from datetime import date

import pytest
from matplotlib.figure import Figure

from utils import plots
from utils.datasets.foundation_models import FILE, load_foundation_models
from utils.errors import DataError
from utils.models import catalog
from utils.plots import sizes_over_time

MODELS = load_foundation_models()


def months(released: str) -> int:
    year, month = released.split("-")
    return 12 * int(year) + int(month)


def test_it_begins_with_bert_and_has_the_models_that_the_course_speaks_of():
    names = {model.name for model in MODELS}
    assert MODELS[0].name == "BERT-large" and len(MODELS) >= 40
    assert {"GPT-2", "GPT-3", "T5-11B", "FLAN-T5-XXL", "BLOOM", "PaLM", "LLaMA-65B", "Llama 3.1 405B"} <= names
    assert {record for record in names if record.endswith("-Instruct")} == {
        "SmolLM2-135M-Instruct",
        "Qwen2.5-Coder-0.5B-Instruct",
    }


def test_every_model_stands_once_oldest_first():
    assert [(model.released, model.name) for model in MODELS] == sorted({(m.released, m.name) for m in MODELS})


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
class TestAModel:
    def test_has_a_source_that_is_an_address(self, model):
        paper = r"https://arxiv\.org/abs/\d{4}\.\d{5}"
        assert re.fullmatch(paper if "arxiv" in model.source else r"https://[\w.-]+\.\w+/\S+", model.source)

    def test_has_a_month_that_was(self, model):
        assert re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", model.released)
        assert "2018-10" <= model.released <= date.today().isoformat()
        if paper := re.search(r"abs/(\d\d)(\d\d)", model.source):
            assert abs(months(model.released) - months(f"20{paper[1]}-{paper[2]}")) <= 6

    def test_has_counts_in_whole_numbers_active_ones_fewer_or_none(self, model):
        if model.parameters is None:
            assert model.active is None and not model.open_weights
        else:
            assert isinstance(model.parameters, int) and 1e8 <= model.parameters <= 1e13
            assert model.active is None or 0 < model.active < model.parameters

    def test_says_its_family_and_under_which_licence_weights_are_given_out(self, model):
        assert model.family in ("encoder", "encoder-decoder", "decoder")
        assert model.open_weights == bool(model.licence) and model.maker.strip()

    def test_has_the_number_of_its_name(self, model):
        said = re.search(r"\b(\d+(?:\.\d+)?)([BM])\b", model.name, re.IGNORECASE)
        if said and "8x" not in model.name:
            size = float(said[1]) * (1e9 if said[2].upper() == "B" else 1e6)
            assert model.parameters == pytest.approx(size, rel=0.25)


def test_the_models_that_the_course_measures_are_those_of_its_catalog():
    known = {model.name: (model.parameters, model.licence) for model in catalog.models()}
    found = {model.name: (model.parameters, model.licence) for model in MODELS if model.name in known}
    assert len(found) == 3 and found == {name: known[name] for name in found}


@pytest.mark.parametrize("damaged", ["{", "5", '["x"]', '[{"name": "x"}]', '[{"size": 1}]'])
def test_a_damaged_list_is_a_sentence(tmp_path, damaged):
    (tmp_path / FILE.name).write_text(damaged)
    with pytest.raises(DataError, match="models.json cannot be read .*: it is a file of the course, get it again"):
        load_foundation_models(tmp_path / FILE.name)
    with pytest.raises(DataError, match="cannot be read"):
        load_foundation_models(tmp_path / "nowhere.json")


def test_the_figure_says_the_largest_of_their_time_and_how_many_have_no_count():
    alt = sizes_over_time(MODELS).alt
    assert "BERT-large 0.34 billion in 2018-10, GPT-2 1.542 billion in 2019-02" in alt
    assert "LLaMA-65B 65.2 billion in 2023-02" in sizes_over_time(MODELS, named=["LLaMA-65B"]).alt
    assert "LLaMA-65B" not in alt and f"{sum(not model.parameters for model in MODELS)} models have no" in alt
    assert sizes_over_time(MODELS).png != sizes_over_time(MODELS, named=["LLaMA-65B"]).png


def test_a_name_stands_where_no_point_line_or_other_name_is():
    axes = Figure(layout="constrained").add_subplot()
    axes.set(xlim=(0, 10), ylim=(0, 10))
    beside = [[(5, 5)], [(5, 5.5)], [(5, 1), (5, 4.5)]]
    plots._write_names(axes, {"first": (5, 5), "second": (5.4, 5)}, beside=beside)
    first, second = (text for text in axes.texts if text.get_visible())
    assert first.get_ha() == "right" and second.get_ha() == "left"
    assert not first.get_window_extent().overlaps(second.get_window_extent())
