"""API keys: read from a file, compared in constant time, never shown."""

import hmac
from collections.abc import Sequence
from pathlib import Path

from utils.errors import ServingError, short_reason

SHORTEST = 16
"""Characters that a key has at least."""


class Keys:
    """Who may ask: everyone where there is no key, else who sends one as `Authorization: Bearer KEY`."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._keys = [key.encode() for key in keys]

    def __bool__(self) -> bool:
        return bool(self._keys)

    def allow(self, authorization: str) -> bool:
        """Whether a request with this Authorization header may be answered; it takes as long for every wrong key."""
        scheme, _, given = authorization.partition(" ")
        right = [hmac.compare_digest(key, given.strip().encode()) for key in self._keys]
        return not self._keys or (scheme.lower() == "bearer" and any(right))


def read_keys(path: Path) -> Keys:
    """Return the keys of a file that has one on a line. Raises ServingError."""
    try:
        keys = path.read_text(encoding="utf8").split()
    except (OSError, ValueError) as error:
        raise ServingError(f"The keys' file {path} cannot be read ({short_reason(error)}): name another.") from None
    if not keys:
        raise ServingError(f"The keys' file {path} holds no key: write one on a line of its own.")
    if min(map(len, keys)) < SHORTEST:
        raise ServingError(
            f"A key in {path} has fewer than {SHORTEST} characters: make one with "
            'python -c "import secrets; print(secrets.token_urlsafe(32))".'
        )
    return Keys(keys)
