"""How a single token is written: as the text that it is, or as bytes where it is only a part of a character."""

import re

from transformers import PreTrainedTokenizerBase

from utils.characters import BYTES, HALF
from utils.internals import byte_alphabet

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


def _is_alone(tokenizer: PreTrainedTokenizerBase, text: str) -> bool:
    """Whether one byte is a whole character, such as a line break, for which the vocabulary has no other token."""
    whole = len(text) == 1 and text not in (" ", HALF)
    return whole and tokenizer.convert_tokens_to_ids(text) in (None, tokenizer.unk_token_id)
