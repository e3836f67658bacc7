"""A single token as it is shown: whole texts as they stand, parts of characters as bytes, no two tokens alike."""

import copy
from types import SimpleNamespace

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import LlamaConfig, PreTrainedTokenizerFast

from tests.tiny_models import tiny_model
from utils.adapters.soft_prompts import nearest_tokens
from utils.datasets.records import TextToText
from utils.decoding.candidates import given, next_token
from utils.decoding.generation import END_OF_TEXT, TOKEN_LIMIT, Step, generate_stream
from utils.decoding.steps import steps_table
from utils.errors import DataError, EmptyPrompt
from utils.internals import byte_alphabet
from utils.logits.config import DecodingConfig
from utils.models.language_model import LanguageModel
from utils.models.tokens import is_bytes, quoted, token_bytes, token_counts, token_table, token_text
from utils.training.masking import loss_mask
from utils.transformer.attention import visibility
from utils.widgets.completion import Completion, completion_html
from utils.widgets.sampler_picture import sampler_picture

HALF = "\N{REPLACEMENT CHARACTER}"


def fast(vocabulary: list[str], decoder, pre_tokenizer=None, **special) -> PreTrainedTokenizerFast:
    made = Tokenizer(models.BPE({word: n for n, word in enumerate(vocabulary)}, [], byte_fallback=True))
    made.decoder = decoder
    if pre_tokenizer is not None:
        made.pre_tokenizer = pre_tokenizer
    return PreTrainedTokenizerFast(tokenizer_object=made, **special)


@pytest.fixture(scope="module")
def byte_level() -> PreTrainedTokenizerFast:
    """Every byte by its letter, as in GPT-2's vocabulary, and a few tokens of several bytes."""
    letters = {byte: letter for letter, byte in byte_alphabet().items()}
    longer = [b" the", "é".encode(), b" \xc3", b"\xe2\x80", b"\xe2\x9d", HALF.encode(), b"\xc3\xa9\xe2", b"\r\n"]
    vocabulary = ["<|end|>", *letters.values(), *["".join(letters[byte] for byte in token) for token in longer]]
    ways = (decoders.ByteLevel(), pre_tokenizers.ByteLevel(add_prefix_space=False))
    return fast(vocabulary, *ways, eos_token="<|end|>", pad_token="<|end|>")


@pytest.fixture(scope="module")
def sentencepiece() -> PreTrainedTokenizerFast:
    """Words that begin with a space or not, and every byte as `<0xE2>`, as in Llama-2's vocabulary."""
    words = ["<unk>", "</s>", *[f"<0x{byte:02X}>" for byte in range(256)], "▁the", "the", "▁", "▁▁", "é", "A", HALF]
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    return fast(words, decoders.Sequence(steps), unk_token="<unk>", eos_token="</s>")


def by_name(tokenizer: PreTrainedTokenizerFast) -> dict[str, str]:
    return {name: token_text(tokenizer, token) for name, token in tokenizer.get_vocab().items()}


def test_half_a_character_is_shown_as_its_bytes(byte_level):
    shown = by_name(byte_level)
    assert (shown["âĢ"], shown["âĿ"], shown["ĠÃ"], shown["Ã©â"]) == (r"\xe2\x80", r"\xe2\x9d", r" \xc3", r"é\xe2")
    assert (shown["Ġthe"], shown["Ã©"], shown["čĊ"], shown["<|end|>"]) == (" the", "é", "\r\n", "<|end|>")
    assert shown["ï¿½"] == HALF, "a token that is the replacement character itself"
    assert [text for text in shown.values() if HALF in text] == [HALF]


def test_bytes_of_a_sentencepiece_vocabulary(sentencepiece):
    shown = by_name(sentencepiece)
    assert (shown["▁the"], shown["the"], shown["▁"], shown["▁▁"]) == (" the", "the", " ", "  ")
    assert (shown["<0xE2>"], shown["<0x0A>"], shown["é"], shown["</s>"]) == (r"\xe2", "\n", "é", "</s>")
    assert (shown["<0x41>"], shown["A"], shown["<0x20>"]) == (r"\x41", "A", r"\x20"), "A has a token of its own"


@pytest.mark.parametrize("kind", ["byte_level", "sentencepiece", "tiny_tokenizer"])
def test_no_two_tokens_of_a_vocabulary_look_alike(kind, request):
    tokenizer = request.getfixturevalue(kind)
    texts = [token_text(tokenizer, token) for token in range(len(tokenizer))]
    assert len(set(texts)) == len({quoted(text) for text in texts}) == len(tokenizer) and "" not in texts


def test_any_other_vocabulary_keeps_its_own_names():
    suffixed = fast(["the", "the</w>", "<begin▁of▁text>"], decoders.BPEDecoder("</w>"), bos_token="<begin▁of▁text>")
    assert [token_text(suffixed, token) for token in range(3)] == ["the", "the</w>", "<begin▁of▁text>"]


def test_a_row_of_the_embedding_that_no_token_has_is_shown_by_its_number(byte_level):
    assert token_text(byte_level, 5000) == "[token 5000]"


@pytest.mark.parametrize(
    ("text", "written"), [(" the", "' the'"), ("\xa0", r"'\xa0'"), (r"\xa0", r"b'\xa0'"), ("\n\\xe2", r"b'\n\xe2'")]
)
def test_bytes_in_quotation_marks_are_told_from_characters(text, written):
    assert quoted(text) == written


def test_the_course_s_vocabulary_is_shown_as_ever_but_for_half_characters(course_model):
    tokenizer = course_model.tokenizer
    texts = [token_text(tokenizer, token) for token in range(len(tokenizer))]
    whole = {token: text for token, text in enumerate(texts) if not is_bytes(text)}
    assert len(set(texts)) == len(texts) and len(texts) - len(whole) > 250
    assert all(course_model.decode([token]) == text for token, text in whole.items())


# A text in tokens


@pytest.mark.parametrize("kind", ["byte_level", "sentencepiece"])
def test_the_bytes_of_tokens_together_are_the_text(kind, request):
    tokenizer = request.getfixturevalue(kind)
    for text in ("the é", "\N{SNOWMAN}é\r\n", "é\N{SNOWMAN} the"):
        ids = tokenizer(text.replace(" ", "▁") if kind == "sentencepiece" else text)["input_ids"]
        assert b"".join(token_bytes(tokenizer, token) for token in ids) == text.encode()
    assert token_bytes(tokenizer, tokenizer.eos_token_id) == token_bytes(tokenizer, 5000) == b""


def test_a_table_of_tokens_is_the_text_again_and_shows_what_is_special(course_model):
    text = "def 한국(x): # 12.5 €\n\t\N{SNOWMAN}"
    table = token_table(course_model, text + "<|im_end|>")
    assert table["id"].tolist() == course_model.encode(text + "<|im_end|>")
    assert bytes.fromhex(" ".join(table["bytes"])).decode() == text
    assert table["token"][table["special"]].tolist() == ["'<|im_end|>'"] and table["bytes"].iloc[-1] == ""


def test_a_table_shows_the_tokens_that_the_tokenizer_adds(tiny_tokenizer):
    tokenizer = copy.deepcopy(tiny_tokenizer)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    model = LanguageModel("tiny", tiny_model("llama"), tokenizer, 256)
    assert token_table(model, "ab")["token"].tolist() == ["'a'", "'b'", "'</s>'"]
    assert token_table(model, "ab")["special"].tolist() == [False, False, True]
    assert token_counts(model, {"ab": "ab"}).loc["ab", "tokens"] == 2


def test_counts_of_a_text(course_model):
    counts = token_counts(course_model, {"English": "Two words, here: 7", "Korean": "한국 말"})
    assert counts.loc["English", ["words", "characters", "bytes"]].tolist() == [4, 18, 18]
    assert counts.loc["Korean", ["words", "characters", "bytes"]].tolist() == [2, 4, 10]
    assert counts["tokens"].tolist() == [len(course_model.encode(text)) for text in ("Two words, here: 7", "한국 말")]
    assert (counts["tokens per word"] == counts["tokens"] / counts["words"]).all()
    assert (counts["tokens per character"] == counts["tokens"] / counts["characters"]).all()


def test_no_text_has_no_tokens(course_model):
    with pytest.raises(EmptyPrompt, match="empty"):
        token_table(course_model, " ")
    with pytest.raises(EmptyPrompt, match="empty"):
        token_counts(course_model, {"none": ""})
    with pytest.raises(DataError, match="'number' is a text; 7"):
        token_counts(course_model, {"number": 7})


# Where a token is shown


def test_a_step_that_ends_no_character_shows_its_bytes(course_model):
    ids = course_model.tokenizer("\N{SNOWMAN}")["input_ids"]
    steps = list(generate_stream(course_model, "Hi", DecodingConfig(max_new_tokens=len(ids)), begun=ids))
    assert "".join(step.text for step in steps) == "\N{SNOWMAN}" and steps[0].text == ""
    row = Completion()
    row.put(steps)
    first, last = (row.steps[n]["text"] for n in (0, -1))
    assert (first, last) == (token_text(course_model.tokenizer, ids[0]), "\N{SNOWMAN}") and is_bytes(first)
    assert f">{first}</span>" in completion_html(steps)
    assert steps_table(steps).token[0] == quoted(first) == rf"b'{first}'"


def step_of(text: str, token_text: str, reason: str | None = None) -> Step:
    return Step(5, text, 1.0, 1.0, 1, 0.5, (), reason, token_text)


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (step_of(HALF, r"\xe2", TOKEN_LIMIT), r"\xe2"),
        (step_of("", r"\xe2"), r"\xe2"),
        (step_of("é", r"\xa9"), "é"),
        (step_of(HALF, HALF), HALF),
        (step_of("", "</s>", END_OF_TEXT), "[end of text]"),
        (step_of("", "\n"), ""),
    ],
)
def test_what_the_row_of_tokens_shows(step, text):
    row = Completion()
    row.put([step])
    assert row.steps[0]["text"] == text


def test_the_sampler_s_rows_show_bytes():
    found = next_token(given("?", {r"\xe2": 0.6, r"\xe3": 0.4}), DecodingConfig(temperature=0))
    assert r"takes b'\xe2' with probability" in found.summary
    assert list(found.table().token) == [r"b'\xe2'", r"b'\xe3'"]
    assert r"b&#x27;\xe3&#x27;" in sampler_picture(found)


def test_nearest_tokens_of_half_characters_are_their_bytes(course_model):
    tokens = course_model.tokenizer("\N{SNOWMAN}")["input_ids"]
    vectors = course_model.model.get_input_embeddings().weight[tokens].detach()
    named = [text for text, _ in nearest_tokens(course_model, vectors)]
    assert named == [token_text(course_model.tokenizer, token) for token in tokens] and is_bytes(named[0])


def test_the_loss_mask_shows_bytes(course_model):
    mask = loss_mask(course_model, TextToText("a", "\N{SNOWMAN}"))
    assert all(HALF not in token for token in mask.completion) and any(map(is_bytes, mask.completion))


def test_the_picture_of_who_sees_whom_shows_bytes(byte_level, monkeypatch):
    monkeypatch.setattr(
        "utils.transformer.attention._last_hidden_states", lambda _model, rows, _split: torch.ones(*rows.shape, 2)
    )
    config = LlamaConfig(vocab_size=len(byte_level))
    seen = visibility(SimpleNamespace(config=config, device="cpu"), byte_level, "aé")
    assert list(seen.columns.get_level_values("token")) == ["a", r"\xc3", r"\xa9"]
