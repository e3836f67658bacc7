"""The settings of an endpoint: where it listens, what it serves, and its limits."""

from dataclasses import dataclass
from pathlib import Path

HOST, PORT = "127.0.0.1", 8000


@dataclass(frozen=True)
class Limits:
    """What an endpoint takes at most.

    rows: completions that are written at once; cache_tokens: tokens that the KV cache holds, rows times
    the longest row; prefix_tokens, prefix_seconds: how many tokens of shared prefixes are kept, and how long
    one that nobody asks for. chunk: tokens of prompts that are read in a step. waiting: completions in the queue.
    seconds: from arrival to the last token. tokens: a completion's length. choices: completions a request.
    body: bytes of a request; connections: open ones; header_seconds: until a request has arrived whole;
    adapters: held at once.
    """

    rows: int = 32
    cache_tokens: int = 16_384
    prefix_tokens: int = 4_096
    prefix_seconds: float = 600.0
    chunk: int = 64
    waiting: int = 128
    seconds: float = 120.0
    tokens: int = 1024
    choices: int = 32
    body: int = 1_000_000
    connections: int = 256
    header_seconds: float = 10.0
    adapters: int = 64


@dataclass(frozen=True)
class Settings:
    """An endpoint's address, its model, its adapters, and who may ask.

    model: what `load_model` takes, None for the course's own. adapters: references in the registry, such as
    "name", "name@alias" or "name/3". keys: a file with one API key a line; needed where host is not this machine.
    log: a file for one JSON line a request, standard error when None; log_text: with prompt and completion.
    follow_seconds: how often the registry is asked whether an alias moved.
    """

    host: str = HOST
    port: int = PORT
    model: str | None = None
    adapters: tuple[str, ...] = ()
    keys: Path | None = None
    log: Path | None = None
    log_text: bool = False
    follow_seconds: float = 2.0
    limits: Limits = Limits()
