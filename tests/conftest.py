"""Fixtures: tiny models of both kinds, the course's model, folders of one's own."""

import os
import re
from pathlib import Path

import pytest
import torch
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)
from xdist.scheduler import LoadScopeScheduling

from utils.adapters.methods import add_adapter, find_method
from utils.models.language_model import LanguageModel, load_model

collect_ignore = ["fixtures"]
ROOT = Path(__file__).parents[1]
WORDS = ["<pad>", "</s>", "<unk>", *"abcdefghijklmnopqrstuvwxyz", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ", *".,:\n?'#1234567890 "]


class ByLab(LoadScopeScheduling):
    """With several workers, all of a lab stays with one of them, as it shares results; so does every other file."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::")[0]
        lab = re.search(r"lab_\d", file)
        return lab[0] if lab else file


def pytest_xdist_make_scheduler(config, log):
    return ByLab(config, log)


@pytest.fixture(autouse=True)
def own_results(tmp_path, monkeypatch):
    """Results and jobs are each test's own: a test must not pass on another's."""
    monkeypatch.setenv("COURSE_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("COURSE_TUNING", str(tmp_path / "tuning"))
    monkeypatch.delenv("COURSE_MODEL", raising=False)


@pytest.fixture(scope="session")
def tiny_tokenizer() -> PreTrainedTokenizerFast:
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    letters = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="<unk>"))
    letters.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    letters.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=letters, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=256
    )


def _tiny(kind: str):
    torch.manual_seed(7)
    size = {"vocab_size": len(WORDS), "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 1}
    rotary = {
        **size,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "initializer_range": 0.5,
    }
    if kind == "llama":
        return LlamaForCausalLM(LlamaConfig(**rotary))
    if kind == "qwen2":
        return Qwen2ForCausalLM(Qwen2Config(**rotary))
    if kind == "gpt2":
        return GPT2LMHeadModel(
            GPT2Config(**size, n_embd=32, n_layer=2, n_head=4, n_positions=256, initializer_range=0.5)
        )
    if kind == "bart":
        config = BartConfig(
            vocab_size=len(WORDS),
            d_model=32,
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=64,
            decoder_ffn_dim=64,
            max_position_embeddings=256,
            init_std=0.5,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=1,
            decoder_start_token_id=1,
            forced_eos_token_id=None,
        )
        return BartForConditionalGeneration(config)
    config = T5Config(
        vocab_size=len(WORDS),
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=2,
        num_heads=4,
        decoder_start_token_id=0,
        tie_word_embeddings=False,
        initializer_factor=4.0,
    )
    model = T5ForConditionalGeneration(config)
    torch.nn.init.normal_(model.lm_head.weight)
    return model


@pytest.fixture(scope="session", params=["llama", "gpt2", "qwen2", "t5", "bart"])
def saved_model(request, tiny_tokenizer, tmp_path_factory) -> Path:
    """A tiny random model of each kind, saved as a learner would have one on disk."""
    folder = tmp_path_factory.mktemp("models") / request.param
    _tiny(request.param).save_pretrained(folder)
    tiny_tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(saved_model) -> LanguageModel:
    return load_model(str(saved_model), device="cpu")


@pytest.fixture(scope="session")
def course_model() -> LanguageModel:
    os.environ.pop("COURSE_MODEL", None)
    return load_model(device="cpu")


@pytest.fixture
def lora(tiny) -> LanguageModel:
    """A model with a LoRA adapter that changes it."""
    adapted = add_adapter(tiny, find_method("lora"))
    noise = torch.Generator().manual_seed(0)
    for name, weight in adapted.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight.data, std=0.5, generator=noise)
    adapted.model.eval()
    return adapted


@pytest.fixture
def shown(monkeypatch) -> list[dict]:
    """What is displayed, in place of a notebook's page."""
    bundles = []
    monkeypatch.setattr("utils.widgets.view.display", lambda bundle, raw: bundles.append(bundle))
    return bundles
