"""Where a completion ends: one rule for a list, a stream and many seeds.

A stop string is looked for in the completion alone, never in the prompt, with the names of special tokens in
it ("<|im_start|>"). The completion is what stands before it, without special tokens.
"""

from collections.abc import Callable, Sequence

Decode = Callable[..., str]
"""`LanguageModel.decode`: token ids, and whether special tokens are skipped, to text."""


def before_stop(decode: Decode, ids: Sequence[int], stop: Sequence[str]) -> str | None:
    """Return the text of a completion before the first stop string in it, None where there is none."""
    raw = decode(ids)
    found = [raw.index(text) for text in stop if text in raw]
    return text_before(decode, ids, min(found)) if found else None


def certain_text(decode: Decode, ids: Sequence[int], stop: Sequence[str]) -> str:
    """Return the text that no later token can change: without half a character, or half a stop string, at its end."""
    raw = decode(ids)
    whole = raw.rstrip("\N{REPLACEMENT CHARACTER}")
    begun = [n for text in stop for n in range(1, len(text)) if whole.endswith(text[:n])]
    return text_before(decode, ids, len(whole) - max(begun, default=0))


def text_before(decode: Decode, ids: Sequence[int], cut: int) -> str:
    """Return the first `cut` characters of a completion, counted with special tokens' names and given without them."""
    if cut >= len(decode(ids)):
        return decode(ids, skip_special_tokens=True)
    whole = next(n for n in range(len(ids), -1, -1) if len(decode(ids[:n])) <= cut)
    text, raw = decode(ids[:whole], skip_special_tokens=True), decode(ids[:whole])
    is_special = decode(ids[whole : whole + 1], skip_special_tokens=True) != decode(ids[whole : whole + 1])
    return text if is_special else text + decode(ids)[len(raw) : cut]
