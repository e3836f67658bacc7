"""Tuning data: read from anywhere, encoded, batched, packed - and the loss is transformers' own."""

import itertools
import json
from typing import ClassVar

import fsspec
import pytest
import torch
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry
from torch.nn.functional import cross_entropy

from utils.datasets import addresses
from utils.datasets.records import TextToText, completion_text, load_text_to_text
from utils.errors import DataError, EmptyPrompt
from utils.models.packing import can_pack, shared_prefix
from utils.training.forward import whole_model
from utils.training.records import IGNORED, batches_by_length, collate, encode, labels, pack

RECORDS = [
    TextToText("Repeat: abc", "abc"),
    TextToText("Repeat: a rather long one", "one that is long, too"),
    TextToText("Repeat: x\n", "y"),
    TextToText("No prefix at all.", "12"),
]
ALIKE = RECORDS[:3]


def own_loss(model, record) -> float:
    """The loss of one record as transformers computes it from `labels`."""
    encoded = encode(model, record)
    if model.is_encoder_decoder:
        inputs = {"input_ids": torch.tensor([encoded.prompt]), "labels": torch.tensor([encoded.completion])}
    else:
        whole = torch.tensor([encoded.prompt + encoded.completion])
        inputs = {"input_ids": whole, "labels": torch.tensor([labels(encoded)])}
    with torch.no_grad():
        return model.model(**inputs).loss.item()


def losses(model, records) -> list[float]:
    """The loss of each record, computed in one batch."""
    encoded = [encode(model, record) for record in records]
    with torch.no_grad():
        logits, targets = whole_model(model)(encoded)
    each = cross_entropy(logits.float(), targets, reduction="none").split([len(r.completion) for r in encoded])
    return [tokens.mean().item() for tokens in each]


def test_the_loss_of_each_record_in_a_batch_is_transformers_own(tiny):
    assert losses(tiny, RECORDS) == pytest.approx([own_loss(tiny, record) for record in RECORDS], rel=5e-5)


def test_the_loss_of_records_that_begin_alike_is_transformers_own(tiny):
    assert losses(tiny, ALIKE) == pytest.approx([own_loss(tiny, record) for record in ALIKE], rel=5e-5)


def test_a_completion_ends_with_one_end_mark(tiny):
    end = tiny.tokenizer.eos_token_id
    for output in ("abc", "abc</s>"):
        completion = encode(tiny, TextToText("x", output)).completion
        assert completion[-1] == end and completion.count(end) == 1


def test_a_space_stands_between_input_and_output_unless_there_is_one():
    assert completion_text(TextToText("in:", "out")) == " out"
    assert completion_text(TextToText("in: ", "out")) == completion_text(TextToText("in:\n", "out")) == "out"


def test_the_words_of_a_completion_are_its_tokens(course_model):
    encoded = encode(course_model, TextToText("in:", "out"))
    assert course_model.tokenizer.decode(encoded.completion[:-1]) == " out"
    assert course_model.encode("in: out") == [*encoded.prompt, *encoded.completion[:-1]]


def test_a_blank_input_is_refused(tiny):
    with pytest.raises(EmptyPrompt):
        encode(tiny, TextToText(" ", "out"))


def test_labels_leave_the_prompt_out_and_keep_the_completion(tiny):
    encoded = encode(tiny, RECORDS[0])
    found = labels(encoded)
    assert found == [IGNORED] * len(encoded.prompt) + list(encoded.completion) and len(found) == len(encoded)


def test_prompt_and_padding_are_no_targets(tiny):
    encoded = [encode(tiny, record) for record in RECORDS]
    batch = collate(tiny, encoded)
    assert batch.targets.tolist() == [token for record in encoded for token in record.completion]
    assert batch.rows.tolist() == [row for row, record in enumerate(encoded) for _ in record.completion]


def test_each_target_is_predicted_at_the_token_before_it(tiny):
    encoded = [encode(tiny, record) for record in RECORDS]
    batch = collate(tiny, encoded)
    ids = batch.inputs["decoder_input_ids" if tiny.is_encoder_decoder else "input_ids"]
    read = ids[batch.rows, batch.positions].tolist()
    start = [tiny.decoder_start if tiny.is_encoder_decoder else record.prompt[-1] for record in encoded]
    before = [[first, *record.completion[:-1]] for first, record in zip(start, encoded, strict=True)]
    assert read == list(itertools.chain(*before))


def test_what_stands_in_the_padding_changes_nothing(tiny):
    batch = collate(tiny, [encode(tiny, record) for record in RECORDS])
    other = dict(batch.inputs)
    for ids, mask in (("input_ids", "attention_mask"), ("decoder_input_ids", "decoder_attention_mask")):
        if ids in other:
            other[ids] = torch.where(other[mask].bool(), other[ids], 9)
            assert not torch.equal(other[ids], batch.inputs[ids])
    with torch.no_grad():
        logits, changed = (tiny.model(**i).logits[batch.rows, batch.positions] for i in (batch.inputs, other))
    torch.testing.assert_close(logits, changed)


def test_a_batch_of_one_length_has_no_mask(tiny):
    assert not any("mask" in name for name in collate(tiny, [encode(tiny, RECORDS[0])] * 2).inputs)


def test_a_packed_row_has_the_loss_of_separate_rows(tiny):
    if not can_pack(tiny.model):
        pytest.skip("this kind is never packed")
    encoded = [encode(tiny, record) for record in ALIKE]
    shared = shared_prefix([record.prompt for record in encoded])
    row, rows = pack(tiny, encoded, shared), collate(tiny, encoded)
    assert shared >= len("Repeat:") and row.inputs["input_ids"].shape == (1, sum(map(len, encoded)) - 3 - 2 * shared)
    assert row.targets.tolist() == rows.targets.tolist()
    with torch.no_grad():
        logits = [tiny.model(**batch.inputs).logits[batch.rows, batch.positions] for batch in (row, rows)]
    torch.testing.assert_close(*logits, atol=1e-4, rtol=1e-4)


def test_batches_hold_every_record_once_and_are_of_similar_length(tiny):
    encoded = [encode(tiny, TextToText("a" * (n * 7 % 40 + 1), "b")) for n in range(50)]
    batches = batches_by_length(encoded, 8, seed=3)
    assert sorted(itertools.chain(*batches)) == list(range(50))
    assert sorted(map(len, batches)) == [2, *[8] * 6]
    spans = sorted((min(sizes), max(sizes)) for sizes in ([len(encoded[i]) for i in batch] for batch in batches))
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))


def test_the_same_seed_gives_the_same_batches_and_another_seed_others(tiny):
    encoded = [encode(tiny, TextToText("a" * (n % 3 + 1), "b")) for n in range(40)]
    one = batches_by_length(encoded, 8, seed=0)
    other = batches_by_length(encoded, 8, seed=1)
    assert one == batches_by_length(encoded, 8, seed=0) != other
    assert {frozenset(batch) for batch in one} != {frozenset(batch) for batch in other}


class Bucket(MemoryFileSystem):
    """A cloud storage service that is in this process."""

    protocol = ("s3", "gs")
    store: ClassVar[dict] = {}
    pseudo_dirs: ClassVar[list] = [""]


@pytest.fixture
def bucket(monkeypatch):
    """Addresses s3:// and gs:// that lead into memory."""
    for protocol in ("s3", "gs"):
        monkeypatch.setitem(_registry, protocol, Bucket)


@pytest.mark.parametrize("address", ["memory://data/mine.jsonl", "s3://data/mine.jsonl", "gs://data/mine.jsonl"])
def test_a_file_is_read_from_any_storage(address, bucket):
    with fsspec.open(address, "w", encoding="utf8") as file:
        file.writelines(json.dumps({"input_text": text, "output_text": "ü"}) + "\r\n" for text in "ab")
    assert load_text_to_text(address) == [TextToText("a", "ü"), TextToText("b", "ü")]


@pytest.mark.parametrize("address", ["memory://data/none.jsonl", "s3://data/none.jsonl", "gs://data/none.jsonl"])
def test_a_file_that_is_not_there_is_named(address, bucket):
    with pytest.raises(DataError, match=f"There is no file {address}"):
        load_text_to_text(address)


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """The real libraries with no credentials, no network and little patience."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setattr(addresses, "READ_SECONDS", 2)
    for service in ("S3", "STORAGE"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", "http://127.0.0.1:9")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    for protocol in ("s3", "gs"):
        fsspec.get_filesystem_class(protocol).clear_instance_cache()
    yield monkeypatch
    for protocol in ("s3", "gs"):
        fsspec.get_filesystem_class(protocol).clear_instance_cache()


def test_s3_without_credentials_says_how_to_set_them_up(offline):
    with pytest.raises(DataError, match=r"Unable to locate credentials.*aws configure.*copy the file"):
        load_text_to_text("s3://bucket/mine.jsonl")


@pytest.mark.parametrize("address", ["s3://bucket/mine.jsonl", "gs://bucket/mine.jsonl"])
def test_storage_without_a_network_ends_soon_with_advice(address, offline, caplog):
    offline.setenv("AWS_ACCESS_KEY_ID", "none")
    offline.setenv("AWS_SECRET_ACCESS_KEY", "none")
    with pytest.raises(DataError, match="check the address and the network connection, set up your credentials"):
        load_text_to_text(address)


def test_a_web_address_that_does_not_answer_is_named():
    with pytest.raises(
        DataError, match=r"http://127.0.0.1:9/mine.jsonl cannot be opened .*network connection, or copy"
    ):
        load_text_to_text("http://127.0.0.1:9/mine.jsonl")
