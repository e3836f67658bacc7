"""The data: what the README of the dialogues promises, the reviews' splits, and bad files."""

import bz2
import codecs
import gzip
import json
import lzma
import sys
import types
from collections import Counter
from itertools import combinations
from pathlib import Path

import fsspec
import pandas as pd
import pytest
from transformers import AutoTokenizer

from utils.datasets.dialogues import Dialogue, load_dialogues
from utils.datasets.records import TextToText, as_records, load_text_to_text, save_text_to_text
from utils.datasets.reviews import LABELS, Review, load_reviews
from utils.datasets.splits import SPLITS
from utils.errors import DataError
from utils.storage.checkpoints import default_checkpoint
from utils.storage.places import tuning_dir

GOOD = '{"input_text": "in", "output_text": "out"}'


@pytest.fixture
def own_cache(monkeypatch, tmp_path):
    """An empty cache of the course, so that a test does not write into the learner's."""
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def dialogues() -> list[Dialogue]:
    return [dialogue for split in SPLITS for dialogue in load_dialogues(split)]


def words(text: str) -> list[str]:
    return [word for word in text.lower().split() if not word.startswith("#person")]


def test_the_splits_have_their_sizes_and_topics():
    for split, size in zip(SPLITS, (240, 60, 60), strict=True):
        topics = Counter(dialogue.topic for dialogue in load_dialogues(split))
        assert topics.total() == size and set(topics.values()) == {size // 20}


def test_ids_are_unique(dialogues):
    assert len({dialogue.id for dialogue in dialogues}) == len(dialogues) == 360


def test_speakers_turns_and_length(dialogues):
    tokenizer = AutoTokenizer.from_pretrained(default_checkpoint())
    for dialogue in dialogues:
        turns = dialogue.input_text.split("\n")
        assert 4 <= len(turns) <= 10
        assert all(turn.startswith(("#Person1#: ", "#Person2#: ")) for turn in turns)
        assert len(tokenizer(dialogue.input_text)["input_ids"]) <= 160


def test_summaries_are_one_sentence(dialogues):
    for dialogue in dialogues:
        summary = dialogue.output_text
        assert summary.endswith(".") and "\n" not in summary and 8 <= len(summary.split()) <= 28
        assert ". " not in summary.replace("Mr. ", "").replace("Mrs. ", "")


def test_no_opening_line_repeats(dialogues):
    openings = Counter(dialogue.input_text.split("\n")[0].lower() for dialogue in dialogues)
    assert openings.most_common(1)[0][1] == 1


def test_no_two_dialogues_share_more_than_half_of_their_word_4_grams(dialogues):
    grams = []
    for dialogue in dialogues:
        text = words(dialogue.input_text)
        grams.append({tuple(text[i : i + 4]) for i in range(len(text) - 3)})
    shared = max(len(a & b) / min(len(a), len(b)) for a, b in combinations(grams, 2))
    assert shared <= 0.5


@pytest.mark.parametrize("domain", ["movie", "product"])
def test_reviews_are_balanced_fixed_and_disjoint(domain):
    splits = {split: load_reviews(split, domain=domain) for split in SPLITS}
    for split, size in zip(SPLITS, (240, 40, 60), strict=True):
        labels = Counter(review.label for review in splits[split])
        assert labels == dict.fromkeys(LABELS, size // 2)
        assert splits[split] == load_reviews(split, domain=domain)
        assert all((review.rating > 0) == (review.label == "positive") for review in splits[split])
    texts = [review.text.lower() for reviews in splits.values() for review in reviews]
    assert len(set(texts)) == len(texts)


def test_the_first_reviews_are_the_ones_they_were():
    assert load_reviews("validation")[0].text == "One of the worst movies of the year. ... Watching it was painful."
    assert load_reviews("validation")[0].rating == -3.73


def test_labels_are_mixed_in_every_split():
    for split in SPLITS:
        first = [review.label for review in load_reviews(split)[:20]]
        assert 5 <= first.count("positive") <= 15


@pytest.mark.parametrize("load", [load_reviews, load_dialogues])
def test_an_unknown_split_is_named(load):
    with pytest.raises(DataError, match="no split 'dev': take one of train, validation, test"):
        load("dev")


def test_an_unknown_domain_is_named():
    with pytest.raises(DataError, match="no domain 'hotel'"):
        load_reviews("train", domain="hotel")


def test_a_learner_s_file_is_read_and_other_fields_are_left_out(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text(
        GOOD + "\n" + json.dumps({"input_text": "a", "output_text": "b", "note": 1}) + "\n", encoding="utf8"
    )
    assert load_text_to_text(path) == [TextToText("in", "out"), TextToText("a", "b")]


@pytest.mark.parametrize(("address", "package"), [("s3://a/b.jsonl", "s3fs"), ("gs://a/b.jsonl", "gcsfs")])
def test_cloud_storage_without_its_package_names_the_command(address, package, monkeypatch):
    protocol = address.split("://")[0]
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, protocol, raising=False)
    with pytest.raises(DataError, match=f"run `make cloud`, or `pip install {package}`") as caught:
        load_text_to_text(address)
    assert "\n" not in str(caught.value) and protocol in str(caught.value)


def test_a_cloud_address_is_read():
    with fsspec.open("memory://bucket/data.jsonl", "w") as file:
        file.write(GOOD)
    assert load_text_to_text("memory://bucket/data.jsonl") == [TextToText("in", "out")]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("", "line 2 is empty: delete it"),
        ("{not json}", r"line 2 is not valid JSON .*column 2.*mend that line"),
        ('{"input_text": "x"}', 'line 2 has no text in "output_text"'),
        ('{"input_text": " ", "output_text": "y"}', 'line 2 has no text in "input_text"'),
        ('{"input_text": 3, "output_text": "y"}', 'line 2 has no text in "input_text"'),
        ("[1, 2]", "line 2 does not begin with {: write one JSON object a line"),
        ("a,b", r"line 2 does not begin with {.*no table \(CSV\)"),
        ("null", "line 2 does not begin with {"),
        ('{"input_text": NaN, "output_text": "y"}', 'line 2 has no text in "input_text"'),
        ('{"input_text": null, "output_text": "y"}', 'line 2 has no text in "input_text"'),
        ('{"input_text": "x", "output_text": ["y"]}', 'line 2 has no text in "output_text"'),
        (
            '{"input_text": "x\\ud83d", "output_text": "y"}',
            '"input_text" of .*line 2 holds half a character .*ud83d',
        ),
        ('{"input_text": "x", "output_text": "\\ude00"}', '"output_text" of .*line 2 holds half a character'),
        ('{"input_text": "x", "output_text": "y", "input_text": "z"}', "line 2 has the field 'input_text' twice"),
        ('{"input_text": "x", "output_text": "y", "a": {"b": 1, "b": 2}}', "line 2 has the field 'b' twice"),
        ('{"input_text": ' + "[" * 100_000, "line 2 is nested too deeply"),
        ('{"input_text": "x", "a": ' + '{"a":' * 100_000, "line 2 is nested too deeply"),
        ('{"input_text": "x\ty", "output_text": "y"}', "line 2 is not valid JSON .*control character"),
        ('{"input_text": "x", "output_text": "y"} {}', "line 2 is not valid JSON .*Extra data"),
    ],
)
def test_a_bad_line_is_named_with_its_number(tmp_path, bad, message):
    path = tmp_path / "mine.jsonl"
    path.write_text(f"{GOOD}\n{bad}\n{GOOD}\n", encoding="utf8")
    with pytest.raises(DataError, match=message):
        load_text_to_text(path)


@pytest.mark.parametrize("rest", ["9" * 5000, "-" + "9" * 5000, "1e999", "NaN", "-Infinity", "[[[1]]]", '"\\ud83d"'])
def test_what_stands_in_other_fields_does_not_matter(tmp_path, rest):
    path = tmp_path / "mine.jsonl"
    path.write_text(f'{{"input_text": "in", "output_text": "out", "note": {rest}}}\n', encoding="utf8")
    assert load_text_to_text(path) == [TextToText("in", "out")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_packed_files_and_encodings_with_a_mark_are_read(tmp_path, encoding, pack, end):
    text = json.dumps({"input_text": "Größe 我 \U0001f44d", "output_text": "o\u2028ut"}, ensure_ascii=False)
    (tmp_path / "mine").write_bytes(pack(f"{text}{end}{GOOD}{end}".encode(encoding)))
    expected = [TextToText("Größe 我 \U0001f44d", "o\u2028ut"), TextToText("in", "out")]
    assert load_text_to_text(tmp_path / "mine") == load_text_to_text(f"file://{tmp_path}/mine") == expected


def test_both_bytes_orders_with_a_mark_are_read(tmp_path):
    for mark, encoding in ((codecs.BOM_UTF16_BE, "utf-16-be"), (codecs.BOM_UTF32_BE, "utf-32-be")):
        (tmp_path / "mine").write_bytes(mark + GOOD.encode(encoding))
        assert load_text_to_text(tmp_path / "mine") == [TextToText("in", "out")]


@pytest.mark.parametrize(
    "content, said",
    [
        (GOOD.encode("utf-16-le"), "holds NUL bytes, as UTF-16 without a mark.*save it as UTF-8"),
        (GOOD.encode("utf-16-be"), "holds NUL bytes"),
        (GOOD.encode() + b"\0" * 8, "holds NUL bytes"),
        (codecs.BOM_UTF16_LE + b"{", "is not UTF-16 text .*save it as UTF-8"),
        (gzip.compress(GOOD.encode(), mtime=0)[:-6], "is a damaged gzip file .*pack or download it again"),
        (gzip.compress(GOOD.encode(), mtime=0)[:12] + b"\xff" * 20, "is a damaged gzip file"),
        (bz2.compress(GOOD.encode())[:-6], "is a damaged bz2 file"),
        (lzma.compress(GOOD.encode())[:-6], "is a damaged lzma file"),
        (b"\n \n", "is empty: it needs one JSON object a line"),
        (b'[\n{"input_text": "a", "output_text": "b"}\n]', "line 1 does not begin with {.*no list around them"),
        (b"input_text,output_text\na,b", "line 1 does not begin with {"),
        (b'{\n "input_text": "a"\n}', "line 1 is not valid JSON"),
        (b"PK\x03\x04\x14\x00\x08", "holds NUL bytes"),
    ],
)
def test_other_kinds_of_files_are_refused(tmp_path, content, said):
    (tmp_path / "mine.jsonl").write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        load_text_to_text(tmp_path / "mine.jsonl")
    assert "\n" not in str(caught.value) and "mine.jsonl" in str(caught.value)


def test_a_path_is_taken_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x::y.jsonl").write_text(GOOD)
    for path in ("x::y.jsonl", tmp_path / "x::y.jsonl", "~/x::y.jsonl", Path("x::y.jsonl")):
        assert load_text_to_text(path) == [TextToText("in", "out")]


@pytest.mark.parametrize(
    "path, said",
    [
        ("x::z.jsonl", "no file x::z.jsonl: check the path"),
        ("simplecache::x.jsonl", "no file simplecache::x.jsonl"),
        ("zip://a.jsonl::b.zip", "no file zip://a.jsonl::b.zip"),
        (".", "'.' is a folder: give the path of one file in it"),
        ("", "'' is a folder"),
        ("file:///", "is a folder"),
        ("a\0b", "cannot be opened .*null"),
        ("a" * 5000, "cannot be opened .*too long"),
        ("nothing://x::y", "cannot be opened"),
        (None, r"The path of a file is a text; None \(NoneType\) was given"),
        (3, "The path of a file is a text"),
        ([TextToText("a", "b")], "The path of a file is a text"),
    ],
)
def test_what_is_no_path_of_a_file_is_refused(tmp_path, monkeypatch, path, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=said) as caught:
        load_text_to_text(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["mine", "mine.jsonl", "a.b_c-d 2", "Größe"])
def test_what_is_saved_is_read_again(own_cache, name):
    records = [TextToText("a\r\n\0\u2028\x85b", "\U0001f44d"), ("c", "d"), {"input": " e ", "output": "f\\n"}]
    path = save_text_to_text(records, name)
    assert path.name == f"{name.removesuffix('.jsonl')}.jsonl" and path.parent == tuning_dir() / "data"
    assert load_text_to_text(path) == as_records(records)


@pytest.mark.parametrize("name", ["a/b", "../a", "/tmp/a", "a\\b", "", ".", "..", ".jsonl", "a" * 101, "a\nb", "a\0"])
def test_a_name_with_folders_is_refused(own_cache, name):
    with pytest.raises(DataError, match="cannot be a file's name: take letters"):
        save_text_to_text([("a", "b")], name)


@pytest.mark.parametrize(
    "records, name, said",
    [
        ([("a", "b\ud83d")], "mine", "half a character"),
        ([("a", "b"), ("c", " \n")], "mine", "Number 2 of the records has no text in output_text"),
        ([], "mine", "no record to save"),
        ("ab", "mine", "given in a list"),
        ([("a", "b")], None, "The name of a file is a text"),
    ],
)
def test_what_could_not_be_read_again_is_not_saved(own_cache, records, name, said):
    path = save_text_to_text([("old", "kept")], "mine")
    with pytest.raises(DataError, match=said):
        save_text_to_text(records, name)
    assert load_text_to_text(path) == [TextToText("old", "kept")]


def test_odd_line_marks_inside_a_text_and_a_byte_order_mark_are_taken(tmp_path):
    path = tmp_path / "mine.jsonl"
    record = {"input_text": "one\u2028two\x85three", "output_text": "out"}
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(record, ensure_ascii=False).encode() + b"\r\n" + GOOD.encode())
    assert load_text_to_text(path) == [TextToText(**record), TextToText("in", "out")]


def test_bad_files_say_what_to_do(tmp_path):
    with pytest.raises(DataError, match="no file .*check the path"):
        load_text_to_text(tmp_path / "missing.jsonl")
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(DataError, match="is empty: it needs one JSON object a line"):
        load_text_to_text(tmp_path / "empty.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b'{"input_text": "caf\xe9"}')
    with pytest.raises(DataError, match="not UTF-8"):
        load_text_to_text(tmp_path / "latin.jsonl")
    with pytest.raises(DataError, match="nothing://x cannot be opened"):
        load_text_to_text("nothing://x")


def test_a_dataset_of_the_hub_comes_in_the_same_shape(tmp_path):
    row = {"id": "7", "dialogue": "#Person1#: Hi", "summary": "A greeting.", "topic": "hello"}
    (tmp_path / "test.jsonl").write_text(json.dumps(row))
    found = load_dialogues("test", source=str(tmp_path))
    assert found == [Dialogue("#Person1#: Hi", "A greeting.", id="7", topic="hello")]


def test_a_dataset_with_other_fields_is_refused(tmp_path):
    (tmp_path / "test.jsonl").write_text('{"text": "x"}')
    with pytest.raises(DataError, match="needs `dialogue` and `summary`"):
        load_dialogues("test", source=str(tmp_path))


def write_rows(folder, *rows):
    good = {"dialogue": "#Person1#: Hi", "summary": "A greeting."}
    (folder / "test.jsonl").write_text("".join(json.dumps(good | row) + "\n" for row in rows))


@pytest.mark.parametrize("field", ["dialogue", "summary"])
@pytest.mark.parametrize("value", [None, "", " \n"])
def test_a_record_without_text_is_named_by_its_number(tmp_path, field, value):
    write_rows(tmp_path, {}, {field: value}, {})
    with pytest.raises(DataError, match=f"The test record 2 of .* has no text in `{field}`"):
        load_dialogues("test", source=tmp_path)


@pytest.mark.parametrize("value", [3, ["#Person1#: Hi"], {"text": "Hi"}])
def test_a_record_of_another_type_is_refused(tmp_path, value):
    write_rows(tmp_path, {"dialogue": value}, {"dialogue": value})
    with pytest.raises(DataError, match="The test record 1 of .* has no text in `dialogue`"):
        load_dialogues("test", source=tmp_path)


def test_an_id_or_topic_of_null_is_none(tmp_path):
    row = {"id": None, "dialogue": "#Person1#: Hi", "summary": "A greeting.", "topic": None}
    (tmp_path / "test.jsonl").write_text(json.dumps(row))
    assert load_dialogues("test", source=tmp_path) == [Dialogue("#Person1#: Hi", "A greeting.", id="0", topic="")]


def test_a_source_is_a_text():
    with pytest.raises(DataError, match="The source is a text"):
        load_dialogues("test", source=3)


def test_a_dataset_that_is_not_there_says_what_to_do(monkeypatch):
    def refuse(source, split):
        raise ConnectionError("no network")

    monkeypatch.setitem(sys.modules, "datasets", types.SimpleNamespace(load_dataset=refuse))
    with pytest.raises(
        DataError, match=r"'knkarthick/dialogsum' could not be loaded \(no network\).*leave `source` out"
    ):
        load_dialogues("test", source="knkarthick/dialogsum")


@pytest.mark.parametrize(
    "given",
    [
        TextToText("in", "out"),
        ("in", "out"),
        ["in", "out"],
        {"input": "in", "output": "out"},
        {"input_text": "in", "output_text": "out", "note": 1},
        Review("in", "out", 2.0),
    ],
)
def test_records_pairs_and_dictionaries_are_records(given):
    assert as_records([TextToText("a", "b"), given]) == [TextToText("a", "b"), TextToText("in", "out")]
    assert as_records(iter([given])) == [TextToText("in", "out")]


def test_a_record_of_a_kind_of_its_own_stays_what_it_is():
    dialogue = Dialogue("in", "out", id="1", topic="t")
    assert as_records((dialogue,))[0] is dialogue


@pytest.mark.parametrize("names", [("input_text", "output_text"), ("input", "output")])
def test_the_rows_of_a_data_frame_are_records(names):
    table = pd.DataFrame([("a", "b", 1), ("c", "d", 2)], columns=[*names, "note"], index=[7, 7])
    assert as_records(table) == [TextToText("a", "b"), TextToText("c", "d")]


@pytest.mark.parametrize(
    "given, said",
    [
        ("ab", r"^The records are given in a list, \[\.\.\.\]; 'ab' \(str\) was given"),
        (None, "given in a list"),
        ({"input": "a", "output": "b"}, "given in a list"),
        (["ab"], "^Number 1 of the records is 'ab': give a record, a pair"),
        ([("a", "b"), None], "^Number 2 of the records is None"),
        ([("a", "b", "c")], "Number 1 of the records is .*give a record, a pair"),
        ([{"prompt": "a", "completion": "b"}], "a dictionary with `input_text` and `output_text`"),
        ([("a", 3)], r"Input and output of number 1 of the records are texts; number 2 is 3 \(int\)"),
        ([TextToText("a", float("nan"))], "number 2 is nan"),
        ([("a", "b\ud83d")], r"holds half a character \('\\ud83d', a lone surrogate\) at character 2"),
        (pd.DataFrame({"input": ["a"], "output": [None]}), "number 2 is None"),
        (pd.DataFrame({"text": ["a"]}), "Number 1 of the records is {'text': 'a'}"),
        (pd.DataFrame([["a", "b", "c"]], columns=["input", "output", "output"]), "the column 'output' twice"),
    ],
)
def test_what_is_no_list_of_records_is_refused_by_its_number(given, said):
    with pytest.raises(DataError, match=said) as caught:
        as_records(given)
    assert "\n" not in str(caught.value)
