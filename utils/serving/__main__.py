"""An endpoint from a shell: `python -m utils.serving`. Each option may stand in the environment, COURSE_SERVING_..."""

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from utils.errors import CourseError
from utils.serving.settings import HOST, PORT, Limits, Settings

LIMITS = {
    "rows": "completions that are written at once",
    "cache_tokens": "tokens that the KV cache holds: rows times the longest row",
    "prefix_tokens": "tokens of shared prefixes that are kept",
    "prefix_seconds": "how long a prefix is kept that nobody asks for",
    "chunk": "tokens of prompts that are read in a step",
    "waiting": "completions in the queue",
    "seconds": "a completion's deadline, from arrival to its last token",
    "tokens": "the most tokens of a completion",
    "choices": "the most completions of a request",
    "body": "bytes of a request",
    "connections": "open connections",
    "header_seconds": "seconds in which a request arrives whole",
    "adapters": "adapters that are held at once",
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options; what is not given has the default of `Settings` and `Limits`."""
    options = argparse.ArgumentParser(
        prog="python -m utils.serving",
        description=__doc__,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )

    def add(name: str, *, read: Callable[[str], Any] = str, **details: Any) -> None:
        given = os.environ.get(f"COURSE_SERVING_{name.upper()}")
        options.add_argument(f"--{name.replace('_', '-')}", **({"default": read(given)} if given else {}), **details)

    add("host", help=f"the address to listen at, {HOST} if left out; any but this machine's own needs --keys")
    add("port", type=int, help=f"{PORT} if left out, 0 for a free one")
    add("model", help="a model's name or folder; the course's own if left out")
    add("adapter", read=str.split, action="append", metavar="NAME[@ALIAS]", help="a registered model; may be repeated")
    add("keys", type=Path, help="a file with one API key a line")
    add("log", type=Path, help="a file for one JSON line a request; standard error if left out")
    add("log_text", read=_is_on, action=argparse.BooleanOptionalAction, help="log prompts and completions, too")
    add("follow_seconds", type=float, help="how often the registry is asked whether an alias moved")
    for field in fields(Limits):
        kind: Any = field.type
        add(field.name, type=kind, help=f"{LIMITS[field.name]}, {field.default:,} if left out")
    options.add_argument("--stop-with-input", action="store_true", help="stop when standard input ends")
    return options


def main(arguments: list[str]) -> int:
    """Serve until stopped and return the exit status: 0, or 1 where the endpoint cannot be started."""
    given = vars(parser().parse_args(arguments))
    if given.get("stop_with_input"):
        threading.Thread(target=_stop_with_input, name="standard input", daemon=True).start()
    try:
        settings = read_settings(given)
        logging.basicConfig(format="%(message)s")
        logging.getLogger("utils.serving").setLevel(logging.INFO)
        from utils.serving.server import run  # imports torch: what is wrong with the options is said before

        run(settings)
    except CourseError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # while the model is loaded
        return 130
    return 0


def read_settings(given: Mapping[str, Any]) -> Settings:
    """Return the settings that the options state. Raises UnsupportedSetting."""
    limits = Limits(**{name: given[name] for name in LIMITS if name in given})
    own = {field.name for field in fields(Settings)} - {"adapters", "limits"}
    known: dict[str, Any] = {name: given[name] for name in own & given.keys()}
    return Settings(adapters=tuple(given.get("adapter", ())), limits=limits, **known)


def _is_on(value: str) -> bool:
    return value.lower() not in ("0", "false", "no", "off")


def _stop_with_input() -> None:
    """Stop as on SIGTERM when whoever holds the other end of standard input has closed it, or is gone."""
    while os.read(sys.stdin.fileno(), 1024):  # not by `sys.stdin`, whose lock would hold up Python's end
        continue
    signal.raise_signal(signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
