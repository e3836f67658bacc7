"""The words of a text in any language, for scores that count them: ROUGE and diversity."""

import unicodedata

import regex

UNSEEN = regex.compile(r"[\p{Cf}--\u200b]", regex.V1)
ALONE = r"[[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]&&[\p{L}\p{Nl}]]"
"""Letters of scripts that put no spaces between words."""
RUN = rf"(?:[[\p{{L}}\p{{N}}]--{ALONE}]\p{{M}}*)+"
WORD = regex.compile(rf"(?={ALONE})\X|{RUN}", regex.V1)
JOINED = regex.compile(rf"(?={ALONE})\X|{RUN}(?:['\u2019]{RUN})*", regex.V1)


def words(text: str, *, apostrophes: bool = True) -> list[str]:
    """Return the words and numbers of a text, lower-cased, without punctuation.

    Letters with their combining marks, and digits, of any script, each accented letter spelled in one way (NFC);
    invisible format characters are left out. Chinese, Japanese, Thai, Lao, Khmer and Burmese put no spaces between
    words: there each character with its marks counts as one. apostrophes: whether "don't" is one word, or two.
    """
    seen = unicodedata.normalize("NFC", UNSEEN.sub("", text.lower()))
    return (JOINED if apostrophes else WORD).findall(seen)
