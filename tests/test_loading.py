"""Models that a learner brings: GGUF files, and folders that lack something; each works or says what to do."""

import copy
import json
import os
import re
import shutil
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertLMHeadModel,
    ByT5Tokenizer,
    ElectraConfig,
    ElectraForPreTraining,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForCausalLM,
    T5Config,
    T5EncoderModel,
    T5ForConditionalGeneration,
    ViTConfig,
    ViTForImageClassification,
    WhisperConfig,
    WhisperForConditionalGeneration,
)

from tests.tiny_models import LETTERS as WORDS
from utils.datasets.records import TextToText
from utils.errors import CourseError, DataError, ModelNotFound, UnsupportedSetting
from utils.evaluation.classification import score_labels
from utils.models.language_model import LanguageModel
from utils.models.loading import is_present, load_model
from utils.storage import checkpoints
from utils.training.forward import whole_model
from utils.training.loop import Training, TrainingConfig
from utils.training.records import encode

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


SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
LLAMA = {**SIZES, "vocab_size": len(WORDS), "max_position_embeddings": 256, "initializer_range": 0.5}
T5 = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "initializer_factor": 4.0}


@pytest.fixture
def folder(saved_model, tmp_path) -> Path:
    """A copy of a saved model, for a test to spoil."""
    return Path(shutil.copytree(saved_model, tmp_path / "model"))


def save(model, tokenizer, folder: Path) -> Path:
    model.save_pretrained(folder)
    if tokenizer:
        tokenizer.save_pretrained(folder)
    return folder


def llama(**changes) -> LlamaForCausalLM:
    torch.manual_seed(7)
    return LlamaForCausalLM(
        LlamaConfig(**{**LLAMA, "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 1, **changes})
    )


def change_weights(folder: Path, change) -> None:
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})


def refusal(folder: Path | str) -> str:
    with pytest.raises(ModelNotFound) as error:
        load_model(folder, device="cpu")
    assert "\n" not in str(error.value)
    return str(error.value)


def works_to_its_end(model: LanguageModel) -> None:
    """Generate a batch, encode, score labels, tune a step."""
    assert model.generate(["abc", "a longer prompt"], max_new_tokens=4) == [
        model.generate(prompt, max_new_tokens=4) for prompt in ("abc", "a longer prompt")
    ]
    assert len(model.fingerprint) == 16 and model.next_token_logits("abc").isfinite().all()
    assert score_labels(model, ["abc:", "hello:"], ["yes", "no"]).shape == (2, 2)
    records = [encode(model, TextToText(text, text)) for text in ("abc", "longer")]
    tuned = copy.deepcopy(model)
    [*_] = Training(
        tuned, whole_model(tuned), records, [], TrainingConfig(epochs=1, batch_size=2, learning_rate=1e-2)
    ).run()
    assert tuned.weights_hash != model.weights_hash


def test_a_folder_without_some_of_its_weights_is_refused(folder):
    def lose(weights):
        return {name: weight for name, weight in weights.items() if ".1." not in name}

    change_weights(folder, lose)
    assert re.search(r"not whole: \d+ of its weights are missing, such as \S+\.1\.", refusal(folder))


def test_a_folder_with_renamed_weights_is_refused(folder):
    change_weights(folder, lambda weights: {f"my.{name}": weight for name, weight in weights.items()})
    assert re.search(r"\d+ of its weights are missing.*\d+ that the model does not use, such as my\.", refusal(folder))


def test_a_folder_whose_weights_have_another_shape_is_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    changed = dict.fromkeys(("intermediate_size", "n_inner", "d_ff", "encoder_ffn_dim", "ffn_dim"), 96)
    (folder / "config.json").write_text(json.dumps(config | changed))
    assert re.search(r"does not fit its config.json: \d+ of its weights have another shape", refusal(folder))


def test_weights_that_are_no_numbers_are_refused(folder):
    change_weights(folder, lambda weights: {name: weight * float("nan") for name, weight in weights.items()})
    assert "no numbers" in refusal(folder)


def test_weights_that_the_model_does_not_use_do_no_harm(folder):
    expected = load_model(folder, device="cpu")
    change_weights(folder, lambda weights: weights | {"pooler.dense.weight": torch.ones(3, 3)})
    assert load_model(folder, device="cpu").weights_hash == expected.weights_hash


def test_a_head_that_is_tied_to_the_embedding_is_not_missing(tiny_tokenizer, tmp_path):
    folder = save(llama(tie_word_embeddings=True), tiny_tokenizer, tmp_path / "tied")
    assert "lm_head.weight" not in load_file(folder / "model.safetensors")
    works_to_its_end(load_model(folder, device="cpu"))


@pytest.mark.parametrize(
    ("kind", "config", "says"),
    [
        (BertForMaskedLM, BertConfig(**SIZES, vocab_size=len(WORDS)), "BertForMaskedLM"),
        (BertLMHeadModel, BertConfig(**SIZES, vocab_size=len(WORDS)), "as BERT does"),
        (RobertaForCausalLM, RobertaConfig(**SIZES, vocab_size=len(WORDS)), "as BERT does"),
        (ElectraForPreTraining, ElectraConfig(**SIZES, vocab_size=len(WORDS)), "ElectraForPreTraining"),
        (LlamaForSequenceClassification, LlamaConfig(**LLAMA, pad_token_id=0), "LlamaForSequenceClassification"),
        (T5EncoderModel, T5Config(**T5, vocab_size=len(WORDS)), "T5EncoderModel"),
        (ViTForImageClassification, ViTConfig(**SIZES), "ViTForImageClassification"),
        (
            WhisperForConditionalGeneration,
            WhisperConfig(
                d_model=32, encoder_layers=1, decoder_layers=1, vocab_size=len(WORDS), encoder_attention_heads=2,
                decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32,
            ),
            "WhisperForConditionalGeneration",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)  # fmt: skip
def test_a_model_that_writes_no_text_is_refused(kind, config, says, tiny_tokenizer, tmp_path):
    config.pad_token_id = 0
    folder = save(kind(config), tiny_tokenizer, tmp_path / "reader")
    message = refusal(folder)
    assert says in message and "write" in message


def test_a_bert_that_was_made_a_decoder_writes(tiny_tokenizer, tmp_path):
    config = BertConfig(**SIZES, vocab_size=len(WORDS), is_decoder=True, pad_token_id=0, eos_token_id=1)
    works_to_its_end(load_model(save(BertLMHeadModel(config), tiny_tokenizer, tmp_path / "bert"), device="cpu"))


def retokenized(tiny_tokenizer, **changes) -> PreTrainedTokenizerFast:
    tokens = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "model_max_length": 256} | changes
    return PreTrainedTokenizerFast(tokenizer_object=copy.deepcopy(tiny_tokenizer.backend_tokenizer), **tokens)


@pytest.mark.parametrize(
    ("tokens", "config"),
    [
        ({"pad_token": "[PAD]"}, {}),
        ({"pad_token": None}, {}),
        ({"eos_token": None}, {}),
        ({"pad_token": None, "eos_token": None}, {"eos_token_id": [1, 5]}),
        ({}, {"eos_token_id": [1, 5]}),
        ({}, {"eos_token_id": None, "pad_token_id": None}),
        ({"extra_special_tokens": ["<image>"]}, {}),
    ],
    ids=str,
)
def test_special_tokens_of_every_kind_work_to_the_end(tokens, config, tiny_tokenizer, tmp_path):
    folder = save(llama(**config), retokenized(tiny_tokenizer, **tokens), tmp_path / "model")
    model = load_model(folder, device="cpu")
    assert model.tokenizer.pad_token_id < len(WORDS) and 1 in model.end_of_text
    works_to_its_end(model)


def test_a_model_that_no_token_ends_writes_and_is_not_tuned(tiny_tokenizer, tmp_path):
    tokenizer = retokenized(tiny_tokenizer, eos_token=None, pad_token=None, unk_token=None)
    folder = save(llama(eos_token_id=None, pad_token_id=None, bos_token_id=None), tokenizer, tmp_path / "model")
    model = load_model(folder, device="cpu")
    assert model.end_of_text == ()
    assert model.generate(["abc", "a longer prompt"], max_new_tokens=4)[0] == model.generate("abc", max_new_tokens=4)
    assert score_labels(model, ["abc:", "hello:"], ["yes", "no"]).shape == (2, 2)
    with pytest.raises(UnsupportedSetting, match="no end-of-text token"):
        encode(model, TextToText("abc", "abc"))


def test_a_token_that_the_model_has_no_embedding_for_is_refused_where_it_stands(tiny_tokenizer, tmp_path):
    tokenizer = retokenized(tiny_tokenizer, extra_special_tokens=["<image>"])
    model = load_model(save(llama(), tokenizer, tmp_path / "model"), device="cpu")
    for ask in (model.generate, model.next_token_logits, lambda text: encode(model, TextToText("abc", text))):
        with pytest.raises(DataError, match="holds '<image>', a token"):
            ask("see <image>")


def test_a_tokenizer_of_another_model_is_refused(tiny_tokenizer, tmp_path):
    assert "do not belong together" in refusal(save(llama(vocab_size=20), tiny_tokenizer, tmp_path / "model"))


def test_a_folder_without_a_tokenizer_is_refused(folder):
    for file in folder.glob("tokenizer*"):
        file.unlink()
    assert "tokenizer" in refusal(folder)


@pytest.mark.parametrize(
    ("templates", "has"),
    [
        ({"default": "{{ messages[0].content }}", "tool_use": "tools"}, True),
        ({"chat": "{{ messages[0].content }}"}, True),
        ({"tool_use": "tools", "rag": "documents"}, False),
    ],
    ids=str,
)
def test_of_several_chat_templates_the_default_is_taken(templates, has, tiny_tokenizer, tmp_path):
    tokenizer = retokenized(tiny_tokenizer)
    tokenizer.chat_template = templates
    model = load_model(save(llama(), tokenizer, tmp_path / "model"), device="cpu")
    assert model.tokenizer.chat_template == ("{{ messages[0].content }}" if has else None)


def test_a_tokenizer_in_python_works_to_the_end_and_is_in_the_hash(tmp_path):
    torch.manual_seed(7)
    config = T5Config(**T5, vocab_size=384, decoder_start_token_id=0, tie_word_embeddings=False)
    folder = save(T5ForConditionalGeneration(config), ByT5Tokenizer(), tmp_path / "byt5")
    model = load_model(folder, device="cpu")
    works_to_its_end(model)
    other = load_model(save(model.model, ByT5Tokenizer(extra_ids=10), tmp_path / "other"), device="cpu")
    assert other.weights_hash != model.weights_hash == load_model(folder, device="cpu").weights_hash


def test_a_decoder_without_a_first_token_takes_one_or_is_refused(tiny_tokenizer, tmp_path):
    config = T5Config(**T5, vocab_size=len(WORDS), tie_word_embeddings=False)
    folder = save(T5ForConditionalGeneration(config), tiny_tokenizer, tmp_path / "model")
    assert "decoder_start_token_id" in refusal(folder)


@pytest.mark.parametrize(
    "content", ["[]", "{", '{"model_type": "llama", "hidden_size": "many"}', '{"model_type": 3}', ""]
)
def test_a_config_that_is_none_is_refused(content, folder):
    (folder / "config.json").write_text(content)
    refusal(folder)


@pytest.mark.parametrize("file", ["adapter.json", "adapter_config.json"])
def test_a_folder_that_holds_an_adapter_says_so(file, tmp_path, monkeypatch):
    (tmp_path / file).write_text('{"base_model_name_or_path": "no-such/model", "peft_type": "LORA"}')
    monkeypatch.setenv("COURSE_MODEL", str(tmp_path))
    with pytest.raises(ModelNotFound, match="holds an adapter and not a model.*load_adapter"):
        load_model(device="cpu")


def test_a_file_and_a_folder_of_gguf_files_say_what_to_give(folder, tiny_gguf):
    assert "give the folder" in refusal(folder / "model.safetensors")
    assert str(tiny_gguf) in refusal(tiny_gguf.parent)


@pytest.mark.parametrize("name", [Path, str, np.str_])
@pytest.mark.parametrize("device", ["cpu", torch.device("cpu")])
def test_names_are_texts_or_paths_and_devices_texts_or_torch_s(name, device, saved_model):
    model = load_model(name(saved_model), device=device)
    assert model.name == str(saved_model) and type(model.name) is str and model.device == torch.device("cpu")


@pytest.mark.parametrize("name", [3, b"model", ["model"]])
def test_a_name_that_is_no_text_is_refused(name):
    with pytest.raises(CourseError, match="name or path is a text"):
        load_model(name)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "cpu:first", "cuda:", ""])
def test_devices_that_are_not_there(device):
    assert not is_present(device)
