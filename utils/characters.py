"""Parts of characters in a text: how they are written, and the sentence that says so."""

import re
from collections.abc import Iterable

HALF = "\N{REPLACEMENT CHARACTER}"
"""What stands in a text for bytes that are no whole character."""

BYTES = re.compile(r"\\x[0-9a-f]{2}")
r"""A byte that is no character, as a token's text writes it: `\xe2`."""


def about_parts(texts: Iterable[str]) -> str:
    r"""Return a sentence on the parts of characters, `\xe2` or the replacement character, in texts; empty for none."""
    together = "\n".join(texts)
    signs = [found[0] for found in (BYTES.search(together), re.search(HALF, together)) if found]
    if not signs:
        return ""
    return f"{' and '.join(signs)}: a part of a character. One character, such as an emoji, can take several tokens."
