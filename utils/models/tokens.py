"""How a single token is written, as text or as bytes where it is only a part of a character; a text's tokens."""

import re
from collections.abc import Mapping

import pandas as pd
from transformers import PreTrainedTokenizerBase

from utils.arguments import text as read_text
from utils.characters import BYTES, HALF
from utils.errors import EmptyPrompt
from utils.internals import byte_alphabet
from utils.models.language_model import LanguageModel
from utils.words import words

BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")
"""How sentencepiece names a token that is one byte."""

SPACE = "\N{LOWER ONE EIGHTH BLOCK}"
"""How sentencepiece writes a space in its vocabulary."""


def token_text(tokenizer: PreTrainedTokenizerBase, token: int) -> str:
    r"""Return a token's text as it stands; for a token that is no whole text its bytes, such as `\xe2\x80`.

    Two tokens of a vocabulary have different texts: a space before a word stays, and what
    decodes to nothing, or to a text that is not the token's alone, keeps the vocabulary's own
    name for it. A row of the embedding that no token has is `[token 50000]`.
    """
    [name] = tokenizer.convert_ids_to_tokens([token])
    text = tokenizer.batch_decode([[token]])[0]
    if name is None:
        return f"[token {token}]"
    if name == text:
        return name
    if byte := BYTE_TOKEN.fullmatch(name):
        return text if _is_alone(tokenizer, text) else rf"\x{byte[1].lower()}"
    alphabet = byte_alphabet()
    if all(letter in alphabet for letter in name):
        return bytes(alphabet[letter] for letter in name).decode(errors="backslashreplace")
    spaced = name.replace(SPACE, " ")
    return spaced if spaced.strip() == text.strip() else name


def is_bytes(text: str) -> bool:
    r"""Whether a token's text, as `token_text` gives it, holds bytes such as `\xe2` that are no character."""
    return bool(BYTES.search(text))


def quoted(text: str) -> str:
    r"""Return a token's text in quotation marks as Python writes it: `' the'`, and `b'\xe2\x80'` for bytes."""
    written = repr(text)
    return "b" + written.replace(r"\\x", r"\x") if is_bytes(text) else written


def token_bytes(tokenizer: PreTrainedTokenizerBase, token: int) -> bytes:
    """Return the bytes that a token stands for; none for a special token, which stands for no text."""
    [name] = tokenizer.convert_ids_to_tokens([token])
    if name is None or is_special(tokenizer, token):
        return b""
    if byte := BYTE_TOKEN.fullmatch(name):
        return bytes.fromhex(byte[1])
    alphabet = byte_alphabet()
    if token_text(tokenizer, token) != name and all(letter in alphabet for letter in name):
        return bytes(alphabet[letter] for letter in name)
    return token_text(tokenizer, token).encode()


def is_special(tokenizer: PreTrainedTokenizerBase, token: int) -> bool:
    """Whether a token marks something, such as the end of a text, and stands for no text."""
    added = tokenizer.added_tokens_decoder.get(token)
    return token in tokenizer.all_special_ids or bool(added and added.special)


def token_table(model: LanguageModel, text: str, *, most: int | None = None) -> pd.DataFrame:
    r"""Return a row for each token of a text as the model reads it, special tokens included; only the first `most`.

    Columns: token, in quotation marks (`b'\xe2'` for a part of a character); id; bytes, two hexadecimal digits each;
    special. Raises EmptyPrompt, DataError.
    """
    tokenizer, ids = model.tokenizer, model.encode(text)[:most]
    rows = [
        (quoted(token_text(tokenizer, n)), n, token_bytes(tokenizer, n).hex(" "), is_special(tokenizer, n)) for n in ids
    ]
    return pd.DataFrame(rows, columns=["token", "id", "bytes", "special"]).rename_axis("position")


def token_counts(model: LanguageModel, texts: Mapping[str, str]) -> pd.DataFrame:
    """Return a row for each text by its name: words (`utils.words`), characters, bytes (UTF-8), tokens, and ratios.

    Tokens that the model adds, such as one at the end, are not counted. Raises EmptyPrompt, DataError.
    """
    rows = {name: _counts(model, read_text(text, f"the text {name!r}")) for name, text in texts.items()}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("text")
    ratios = {f"tokens per {one}": table["tokens"] / table[f"{one}s"] for one in ("word", "character")}
    return table.assign(**ratios)


def _counts(model: LanguageModel, text: str) -> dict[str, int]:
    if not text.strip():
        raise EmptyPrompt("The text is empty: type a few words.")
    return {
        "words": len(words(text)),
        "characters": len(text),
        "bytes": len(text.encode()),
        "tokens": len(model.known(model.tokenizer(text, add_special_tokens=False)["input_ids"])),
    }


def _is_alone(tokenizer: PreTrainedTokenizerBase, text: str) -> bool:
    """Whether one byte is a whole character, such as a line break, for which the vocabulary has no other token."""
    whole = len(text) == 1 and text not in (" ", HALF)
    return whole and tokenizer.convert_tokens_to_ids(text) in (None, tokenizer.unk_token_id)
