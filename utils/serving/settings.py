"""The settings of an endpoint: where it listens, what it serves, and its limits."""

from dataclasses import dataclass, fields
from ipaddress import ip_address
from pathlib import Path

from utils.arguments import number, whole_number
from utils.errors import UnsupportedSetting

HOST, PORT = "127.0.0.1", 8000
READY = "Ready."
"""The line with which an endpoint says that it takes requests."""
LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class Limits:
    """What an endpoint takes at most.

    rows: completions that are written at once; cache_tokens: tokens that the KV cache holds, rows times
    the longest row; prefix_tokens, prefix_seconds: how many tokens of shared prefixes are kept, and how long
    one that nobody asks for. chunk: tokens of prompts that are read in a step. waiting: completions in the queue.
    seconds: from arrival to the last token. tokens: a completion's length. choices: completions a request.
    body: bytes of a request; connections: open ones; header_seconds: until a request has arrived whole;
    adapters: held at once. Raises UnsupportedSetting.
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

    def __post_init__(self) -> None:
        for field in fields(self):
            value, least = getattr(self, field.name), 0 if field.name == "prefix_tokens" else 1
            if field.type is float:
                number(value, f"{field.name} is a number above 0", least=0, above=True)
            else:
                whole_number(value, f"{field.name} is a whole number, {least} or more", least=least)


@dataclass(frozen=True)
class Settings:
    """An endpoint's address, its model, its adapters, and who may ask.

    model: what `load_model` takes, None for the course's own. adapters: references in the registry, such as
    "name", "name@alias" or "name/3". keys: a file with one API key a line; needed where host is not this machine.
    log: a file for one JSON line a request, standard error when None; log_text: with prompt and completion.
    follow_seconds: how often the registry is asked whether an alias moved. Raises UnsupportedSetting.
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

    def __post_init__(self) -> None:
        whole_number(self.port, "port is a whole number, 0 (a free one) to 65,535", least=0, most=65_535)
        number(self.follow_seconds, "follow_seconds is a number above 0", least=0, above=True)
        if not self.hosts and self.keys is None:
            raise UnsupportedSetting(
                f"Whoever reaches {self.host} could use the endpoint: give a file with keys (--keys FILE), or keep to "
                f"{HOST}."
            )

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names that this machine calls itself by, where only it is listened to; nothing for any other host."""
        try:
            alone = self.host == "localhost" or ip_address(self.host).is_loopback
        except ValueError:  # a name
            alone = False
        return tuple(dict.fromkeys((*LOCAL_NAMES, self.host))) if alone else ()
