"""What models are used for: data as its READMEs promise, scores that are right, records that say what they say."""

import json
import re
from collections import Counter

import numpy as np
import pytest

from utils.datasets import uses as data
from utils.datasets.uses import USES_SPLITS, load_code_tasks, load_entities, load_passages, load_translations
from utils.errors import DataError
from utils.evaluation.entities import KINDS, capitalised, entity_counts, precision, read_entities, recall
from utils.evaluation.intervals import Interval, bootstrap, bootstrap_ratio
from utils.evaluation.passages import exact_matches, token_f1
from utils.evaluation.translations import chrf, chrf_scores
from utils.experiments.ladder import records
from utils.experiments.uses import LANGUAGES, USES, USES_RECORDS, first_mentions, list_items, uses_table
from utils.models import catalog

LOADERS = (load_translations, load_entities, load_passages, load_code_tasks)
SIZES = dict(
    zip(
        LOADERS,
        ({"train": 12, "test": 48}, {"train": 4, "test": 40}, {"train": 2, "test": 16}, {"train": 2, "test": 10}),
        strict=True,
    )
)
RECORDS = records(USES_RECORDS)
LARGER = "Qwen2.5-Coder-0.5B-Instruct"


@pytest.mark.parametrize("load", LOADERS)
class TestData:
    def test_has_its_sizes_and_nothing_twice(self, load):
        found = {split: load(split) for split in USES_SPLITS}
        assert {split: len(items) for split, items in found.items()} == SIZES[load]
        items = [item for some in found.values() for item in some]
        assert len({item.id for item in items}) == len(items)
        assert len({(item.input_text, getattr(item, "language", "")) for item in items}) == len(items)

    def test_an_unknown_split_is_named(self, load):
        with pytest.raises(DataError, match="no split 'validation': take one of train, test"):
            load("validation")


def test_every_sentence_has_a_translation_into_each_language_in_its_own_letters():
    for split, size in (("train", 3), ("test", 12)):
        by_language = {language: load_translations(split, language) for language in LANGUAGES}
        assert {len(items) for items in by_language.values()} == {size}
        assert len({tuple(item.input_text for item in items) for items in by_language.values()}) == 1
        for language, items in by_language.items():
            korean = [bool(re.search("[가-힣]", item.output_text)) for item in items]
            assert all(len(item.output_text.replace(" ", "")) >= 6 for item in items), "else nltk's chrF is below 1"
            assert all(korean) if language == "Korean" else not any(korean)
    with pytest.raises(DataError, match="no language 'Latin': take one of French, German, Spanish, Korean"):
        load_translations("test", "Latin")


def test_every_entity_stands_in_its_sentence_and_is_written_as_it_is_read():
    kinds = Counter()
    for item in [*load_entities("train"), *load_entities("test")]:
        found = read_entities(item.output_text)
        written = [] if item.output_text == "none" else item.output_text.split(", ")
        assert len(found) == len(written)
        assert all(name in item.input_text for name, _ in found)
        kinds.update(kind for _, kind in found)
    assert set(kinds) == set(KINDS) and min(kinds.values()) >= 20
    assert sum(item.output_text == "none" for item in load_entities("test")) == 6


def test_every_answer_stands_in_its_passage_and_each_passage_has_two_questions():
    items = load_passages("test")
    assert all(item.output_text.lower() in item.passage.lower() and item.input_text.endswith("?") for item in items)
    assert all(1 <= len(item.output_text.split()) <= 4 for item in items)
    assert set(Counter(item.passage for item in items).values()) == {2}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('{"id": "p1", "input_text": "Who?", "output_text": "Ann"}', 'line 2 has no text in "passage"'),
        ('{"id": 1, "passage": "A", "input_text": "Who?", "output_text": "Ann"}', 'line 2 has no text in "id"'),
        ('{"id": "p1", "passage": "A", "input_text": " ", "output_text": "Ann"}', 'line 2 has no text in "input_text"'),
        ("{", "line 2 is not valid JSON"),
        ("", "line 2 is empty"),
    ],
)
def test_a_damaged_line_is_named(line, sentence, tmp_path):
    (tmp_path / "passages").mkdir()
    good = json.dumps(vars(load_passages("test")[0]))
    (tmp_path / "passages" / "test.jsonl").write_text(f"{good}\n{line}\n{good}\n")
    with pytest.raises(DataError, match=sentence):
        data._read_split(data.PassageQuestion, "passages", "test", tmp_path)


class TestChrF:
    def test_is_one_for_the_same_and_less_the_fewer_letters_are_shared(self):
        near, far = "Die Kinder spielen im Park.", "Der Hund schläft."
        scores = chrf_scores(
            ["Die Kinder spielen im Garten.", near, far, "", " "], ["Die Kinder spielen im Garten."] * 5
        )
        assert scores[0] == pytest.approx(1) and scores[1] > 0.5 > scores[2] and scores[3:].tolist() == [0, 0]

    def test_is_the_f_measure_of_letters_with_recall_counting_three_times(self):
        """ "ab" against "abcd": 1-grams 2/2 and 2/4, 2-grams 1/1 and 1/3, no longer ones in the translation."""
        f = [10 * p * r / (9 * p + r) for p, r in ((1, 1 / 2), (1, 1 / 3))]
        assert chrf_scores(["ab"], ["abcd"])[0] == pytest.approx(sum(f) / 6, abs=1e-6)

    def test_has_its_interval_and_needs_two_lists_of_one_length(self):
        assert str(chrf(["a b c d e f"], ["a b c d e f"])) == "1.00 (1.00 to 1.00)"
        for given in ((["a"], []), ([], [])):
            with pytest.raises(DataError, match="chrF compares each translation with one reference"):
                chrf(*given)
        with pytest.raises(DataError, match="given in a list"):
            chrf("a", ["a"])


class TestEntities:
    RIGHT = ({("Lima", "place"), ("Ann", "person")}, {("1998", "date")}, set())

    def test_a_list_is_read_and_other_forms_are_none(self):
        assert read_entities("Anna Berg (person), Lima (place),3 May (date)") == {
            ("Anna Berg", "person"),
            ("Lima", "place"),
            ("3 May", "date"),
        }
        for text in ("none", "", "Lima (city)", "(place)", "Lima place", "person: Ann"):
            assert read_entities(text) == set()

    def test_precision_and_recall_are_ratios_of_sums_over_all_sentences(self):
        found = [{("Lima", "place"), ("Rain", "person"), ("Ann", "place")}, {("1998", "date")}, set()]
        assert entity_counts(found, self.RIGHT).tolist() == [[1, 3, 2], [1, 1, 1], [0, 0, 0]]
        assert precision(found, self.RIGHT).mean == 2 / 4 and recall(found, self.RIGHT).mean == 2 / 3

    def test_all_found_is_one_nothing_found_is_zero(self):
        assert precision(self.RIGHT, self.RIGHT).mean == recall(self.RIGHT, self.RIGHT).mean == 1
        nothing = [set()] * 3
        assert precision(nothing, self.RIGHT).mean == recall(nothing, self.RIGHT).mean == 0

    def test_sentences_are_compared_one_by_one(self):
        with pytest.raises(DataError, match="2 sets were found for 3 right ones"):
            precision([set()] * 2, self.RIGHT)

    def test_the_rule_finds_runs_of_capitals_and_dates(self):
        assert capitalised("On 12 June, Kofi Mensah left Accra in 2015.") == {
            "On",
            "12 June",
            "Kofi Mensah",
            "Accra",
            "2015",
        }
        assert capitalised("It was 4 October 1932.") == {"It", "4 October 1932"} and capitalised("rain") == set()


def test_a_ratio_s_interval_comes_from_items_drawn_anew():
    counts = np.array([[1, 1], [0, 2], [3, 3], [0, 0]])
    found = bootstrap_ratio(counts)
    assert found.mean == 4 / 6 and 0 <= found.low < found.mean < found.high <= 1
    ones = np.column_stack([[1, 0, 1, 1], np.ones(4)])
    assert bootstrap_ratio(ones) == bootstrap(np.array([1, 0, 1, 1]))
    assert bootstrap_ratio(np.zeros((3, 2))) == Interval(0, 0, 0)


class TestAnswers:
    def test_case_punctuation_and_articles_do_not_count(self):
        said = ["The Leek.", "a leek and salt", "", "leek the"]
        assert exact_matches(said, ["the leek"] * 4).tolist() == [1, 0, 0, 1]
        assert token_f1(said, ["the leek"] * 4).tolist() == [1, 0.5, 0, 1]

    def test_a_word_counts_as_often_as_it_stands_in_both(self):
        assert token_f1(["tea tea"], ["tea"])[0] == pytest.approx(2 / 3)

    def test_each_answer_has_its_reference(self):
        with pytest.raises(DataError, match="compared with one reference"):
            token_f1(["a"], [])


def test_items_of_a_list_and_which_are_new():
    text = "Here are some:\n1. Read\n2) Swim\n- Cook\n* read\n  • Sing\nNot one."
    assert list_items(text) == ["Read", "Swim", "Cook", "read", "Sing"]
    assert first_mentions(list_items(text)).tolist() == [1, 1, 1, 0, 1]
    assert list_items("No list.") == [] and first_mentions([]).tolist() == [0]


def test_two_models_stand_side_by_side():
    table = uses_table({"essay": Interval(0.5, 0.25, 0.75)}, beside=LARGER)
    assert table.loc["essay", ["metric", "this model"]].tolist() == ["repeated 3-grams", "0.50 (0.25 to 0.75)"]
    kept = next(record for record in RECORDS if record["name"] == LARGER)["measures"][0]
    assert table.loc["essay", LARGER] == str(Interval(kept["mean"], kept["low"], kept["high"]))
    with pytest.raises(DataError, match="no use 'poem': take one of essay"):
        uses_table({"poem": Interval(0, 0, 0)}, beside=LARGER)
    with pytest.raises(DataError, match="No record of 'gpt2'"):
        uses_table({}, beside="gpt2")


def test_the_records_are_of_the_course_s_model_and_of_a_larger_one():
    assert [record["name"] for record in RECORDS] == ["SmolLM2-135M-Instruct", LARGER]
    assert {path.stem for path in USES_RECORDS.glob("*.json")} == {record["name"] for record in RECORDS}


@pytest.mark.process  # the programs in a record are run again
@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record["name"])
def test_a_record_says_what_its_answers_are_worth(record):
    assert [(one["name"], one["unit"]) for one in record["measures"]] == [(use.name, use.unit) for use in USES]
    for one, use in zip(record["measures"], USES, strict=True):
        value = use.value(one["answers"])
        assert [one["mean"], one["low"], one["high"]] == pytest.approx([value.mean, value.low, value.high], abs=1e-4)
    known = catalog.find(record["name"])
    assert record["file"]["sha256"] == known.sha256 and record["parameters"] == known.parameters


def test_the_default_model_s_answers_are_found_again(course_model):
    kept = {one["name"]: one["answers"][0] for one in RECORDS[0]["measures"]}
    for name, items in (
        ("translation, French", 2),
        ("words to code", 2),
        ("entities found", 2),
        ("question on a text", 2),
    ):
        use = next(use for use in USES if use.name == name)
        assert use.answers(course_model, 0, items) == kept[name][:items]
    assert RECORDS[0]["weights_hash"] == course_model.weights_hash
