"""Models that a learner brings: GGUF files, and folders that lack something; each works or says what to do."""

import os
import shutil
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch

from utils.errors import ModelNotFound
from utils.models.loading import load_model
from utils.storage import checkpoints

LETTERS = [*"abcdefghijklmnopqrstuvwxyz.,:", "Ġ"]
HIDDEN, INNER, HEADS, BLOCKS = 32, 64, 4, 2


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write_gguf(path: Path, *, kind: str = "llama", seed: int = 0, without: str = "no tensor") -> Path:
    """Write a tiny random LLaMA as llama.cpp's tools write one, its inner matrices in 4 bits."""
    words = ["<pad>", "</s>", *LETTERS, "ab", "cd"]
    writer = gguf.GGUFWriter(path, kind)
    writer.add_name("tiny")
    writer.add_context_length(128)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(BLOCKS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(words))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(words)
    writer.add_token_types([3, 3, *[1] * (len(words) - 2)])
    writer.add_token_merges(["a b", "c d"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(1)
    writer.add_pad_token_id(0)
    random = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (len(words), HIDDEN), "output_norm.weight": (HIDDEN,)}
    for block in range(BLOCKS):
        for name in ("attn_norm", "ffn_norm"):
            shapes[f"blk.{block}.{name}.weight"] = (HIDDEN,)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            shapes[f"blk.{block}.{name}.weight"] = (HIDDEN, HIDDEN)
        for name, shape in (("gate", (INNER, HIDDEN)), ("up", (INNER, HIDDEN)), ("down", (HIDDEN, INNER))):
            shapes[f"blk.{block}.ffn_{name}.weight"] = shape
    for name, shape in shapes.items():
        weight = random.normal(size=shape).astype(np.float32)
        if without in name:
            continue
        if "ffn" in name and len(shape) == 2:
            q4 = gguf.GGMLQuantizationType.Q4_0
            writer.add_tensor(name, gguf.quantize(weight, q4), raw_dtype=q4)
        else:
            writer.add_tensor(name, weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def tiny_gguf(tmp_path) -> Path:
    return write_gguf(tmp_path / "tiny.gguf")


def kept(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.glob("models/*") if path.suffix != ".lock")


def test_a_gguf_file_is_read_once_and_found_again_by_its_content(tiny_gguf, cache, monkeypatch):
    tokenizer, direct = checkpoints.load_gguf(tiny_gguf)
    model = load_model(tiny_gguf, device="cpu")
    ids = torch.tensor([model.encode("abc: hello")])
    assert tokenizer("abc: hello")["input_ids"] == ids[0].tolist()
    assert torch.equal(model.model(ids).logits, direct(ids).logits)
    assert model.name == str(tiny_gguf) and model.context_window == 128 and model.model.dtype == torch.float32
    folder = kept(cache)
    monkeypatch.setattr(checkpoints, "load_gguf", lambda path: pytest.fail("read again"))
    moved = shutil.move(tiny_gguf, tiny_gguf.with_name("tiny.bin"))  # known by its first bytes, too
    shutil.move(moved, tiny_gguf)
    assert load_model(str(tiny_gguf), device="cpu").weights_hash == model.weights_hash
    assert kept(cache) == folder and len(folder) == 1


def test_a_gguf_file_that_changed_is_read_anew_though_time_and_size_are_the_same(tiny_gguf, cache):
    stat = tiny_gguf.stat()
    first = load_model(tiny_gguf, device="cpu")
    write_gguf(tiny_gguf, seed=1)
    os.utime(tiny_gguf, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert tiny_gguf.stat().st_size == stat.st_size
    assert load_model(tiny_gguf, device="cpu").weights_hash != first.weights_hash
    assert len(kept(cache)) == 2


def test_the_environment_variable_may_name_a_gguf_file(tiny_gguf, monkeypatch):
    monkeypatch.setenv("COURSE_MODEL", str(tiny_gguf))
    model = load_model(device="cpu")
    assert len(model.generate(["abc", "a longer one"], max_new_tokens=3)) == 2


def test_the_file_asked_for_is_read_and_not_one_of_its_name_in_the_working_folder(tiny_gguf, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    write_gguf(tmp_path / "here" / tiny_gguf.name, seed=1)
    monkeypatch.chdir(tmp_path / "here")
    _, expected = checkpoints.load_gguf(tiny_gguf)
    model = load_model(tiny_gguf, device="cpu").model
    assert torch.equal(model.get_input_embeddings().weight, expected.get_input_embeddings().weight)
    _, other = checkpoints.load_gguf(Path(tiny_gguf.name))
    assert not torch.equal(model.get_input_embeddings().weight, other.get_input_embeddings().weight)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2000])


def cut_early(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:300])


def overwrite(path: Path) -> None:
    path.write_bytes(b"<!doctype html>" * 100)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def of_an_unknown_kind(path: Path) -> None:
    write_gguf(path, kind="deep-thought")


def without_an_attention(path: Path) -> None:
    write_gguf(path, without="blk.1.attn_q")


@pytest.mark.parametrize(
    "damage", [cut, cut_early, overwrite, empty, Path.unlink, of_an_unknown_kind, without_an_attention]
)
def test_a_gguf_file_that_cannot_be_read_is_one_sentence_and_leaves_nothing(damage, tiny_gguf, cache):
    damage(tiny_gguf)
    with pytest.raises(ModelNotFound, match=rf"{tiny_gguf.name}\b") as error:
        load_model(tiny_gguf, device="cpu")
    assert "\n" not in str(error.value) and kept(cache) == []


def test_a_part_of_a_gguf_model_says_how_to_join_them(tiny_gguf):
    part = shutil.move(tiny_gguf, tiny_gguf.with_name("tiny-00001-of-00003.gguf"))
    with pytest.raises(ModelNotFound, match="one of 3 parts.*--merge"):
        load_model(part, device="cpu")
