"""A pipeline's file, pipeline.yaml: read and checked whole before anything runs, each fault with its line."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from utils.adapters.methods import find_method
from utils.arguments import number, text, whole_number
from utils.datasets.records import TextToText, load_text_to_text
from utils.errors import CourseError, DataError, short_reason
from utils.logits.config import DecodingConfig, check_seeds
from utils.studio.prompt import Prompt
from utils.studio.scoring import METRICS
from utils.tuning.job import EPOCHS, NAME

GREEDY = DecodingConfig(temperature=0)
AS_RECORDED = Prompt(text="{input}", config=GREEDY)
"""How inputs are written unless the file says otherwise: as they stand in the records."""


@dataclass(frozen=True)
class Split:
    """The records of one data file. address: a path or an address such as s3:// or gs://."""

    address: str
    records: tuple[TextToText, ...]


@dataclass(frozen=True)
class Smoke:
    """A first question to the endpoint. holds: what its answer must hold."""

    input: str
    holds: str


@dataclass(frozen=True)
class Target:
    """The endpoint that is deployed. port: 0 takes a free one."""

    name: str
    port: int = 0


@dataclass(frozen=True)
class Settings:
    """What a pipeline does.

    name: of the tuning job and of the model in the registry. prompt: how the input of a record is written, for tuning,
    evaluation and smoke test alike. model: the base, what `load_model` takes; "" is the course's own.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    smoke: Smoke
    deploy: Target
    prompt: Prompt = AS_RECORDED
    model: str = ""
    method: str = "lora"
    epochs: int = EPOCHS
    learning_rate_multiplier: float = 1.0
    metric: str = "exact match"
    seeds: tuple[int, ...] = (0,)
    text: str = field(default="", repr=False, compare=False)


def read(path: str | Path) -> Settings:
    """Return the settings of a pipeline's file; relative paths in it count from its folder. Raises DataError."""
    file = Path(text(path, "the path of the pipeline's file")).expanduser()
    try:
        written = file.read_text(encoding="utf8")
    except FileNotFoundError:
        raise DataError(f"There is no file {file}: check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read ({error}): give a YAML file in UTF-8.") from None
    return parse(written, source=file.name, folder=file.absolute().parent)


def parse(written: str, *, source: str = "pipeline.yaml", folder: Path) -> Settings:
    """Return the settings in a pipeline's text. source: its name in an error; folder: from where relative paths count.

    Raises DataError with the line.
    """
    try:
        root = yaml.compose(written, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DataError(f"{source}, line {line}: this is no YAML ({error.problem}): mend that line.") from None
    except yaml.YAMLError as error:
        raise DataError(f"{source} is no YAML ({error}): mend it.") from None
    checks = _Checks(source, folder)
    given = checks.mapping(root, checks.settings, needed=("name", "train", "validation", "test", "smoke"))
    given.setdefault("deploy", Target(given["name"]))
    return Settings(**given, text=written)


class _AtALine(DataError):
    """A fault whose line is said."""


Check = Callable[[yaml.Node], Any]


@dataclass(frozen=True)
class _Checks:
    """What may stand in a file, and how each value is checked."""

    source: str
    folder: Path

    @property
    def settings(self) -> dict[str, Check]:
        return {
            "name": _checked(_name),
            "train": _checked(self._split),
            "validation": _checked(self._split),
            "test": _checked(self._split),
            "prompt": _checked(_prompt),
            "model": _checked(lambda value: text(value, "the model")),
            "method": _checked(lambda value: find_method(text(value, "the method")).name),
            "epochs": _checked(lambda value: whole_number(value, "epochs is a whole number, 1 or more", least=1)),
            "learning_rate_multiplier": _checked(
                lambda value: number(value, "the learning_rate_multiplier is a number above 0", least=0, above=True)
            ),
            "metric": _checked(_metric),
            "seeds": _checked(_seeds),
            "deploy": lambda node: Target(
                **self.mapping(node, {"name": _checked(_name), "port": _checked(_port)}, needed=("name",))
            ),
            "smoke": lambda node: Smoke(
                **self.mapping(node, {"input": _checked(_filled), "holds": _checked(_filled)}, ("input", "holds"))
            ),
        }

    def mapping(self, node: yaml.Node | None, checks: Mapping[str, Check], needed: tuple[str, ...]) -> dict[str, Any]:
        """Return the values of a mapping's keys, each checked. Raises DataError."""
        if not isinstance(node, yaml.MappingNode):
            raise self._error(node, f"here stand names with values, such as {needed[0]}: ...")
        found: dict[str, Any] = {}
        for key, value in node.value:
            name = str(key.value)
            if name not in checks:
                raise self._error(key, f"there is no setting {name!r}: {_instead(name, checks)}.")
            if name in found:
                raise self._error(key, f"{name} stands here a second time: delete one of the two.")
            try:
                found[name] = checks[name](value)
            except _AtALine:
                raise
            except CourseError as error:
                raise self._error(key, str(error)) from None
        missing = [name for name in needed if name not in found]
        if missing:
            raise self._error(node, f"{' and '.join(missing)} must be given too.")
        return found

    def _error(self, node: yaml.Node | None, problem: str) -> _AtALine:
        return _AtALine(f"{self.source}, line {node.start_mark.line + 1 if node else 1}: {problem}")

    def _split(self, value: Any) -> Split:
        given = text(value, "a data file")
        address = given if "://" in given else str(self.folder / Path(given).expanduser())
        return Split(address, tuple(load_text_to_text(address)))


def _checked(check: Callable[[Any], Any]) -> Check:
    """Return a check of a node by a check of its value."""

    def read_node(node: yaml.Node) -> Any:
        loader = yaml.SafeLoader("")
        try:
            value = loader.construct_document(node)
        except (yaml.YAMLError, ValueError) as error:
            raise DataError(f"this is no value that can be read ({short_reason(error)}).") from None
        finally:
            loader.dispose()
        return check(value)

    return read_node


def _name(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(NAME, value):
        raise DataError(f"{value!r:.80} cannot be a name: use letters, digits, - and _, 64 at most.")
    return value


def _filled(value: Any) -> str:
    found = text(value, "this")
    if not found.strip():
        raise DataError("this is a text, not an empty one.")
    return found


def _metric(value: Any) -> str:
    if value not in METRICS:
        raise DataError(f"there is no metric {value!r}: take one of {', '.join(METRICS)}.")
    return value


def _seeds(value: Any) -> tuple[int, ...]:
    found = tuple(check_seeds(value))
    if not found or len(set(found)) < len(found):
        raise DataError("seeds are whole numbers, one or more, none of them twice: [0, 1, 2].")
    return found


def _port(value: Any) -> int:
    return whole_number(value, "a port is a whole number from 0 (a free one) to 65535", least=0, most=65535)


def _prompt(value: Any) -> Prompt:
    """Return a prompt that has a place for an input; it is greedy unless it says otherwise."""
    prompt = Prompt.from_dict(value)
    if "temperature" not in value.get("config", {}):
        prompt = replace(prompt, config=replace(prompt.config, temperature=0))
    prompt.about("an input")
    return prompt


def _instead(name: str, known: Mapping[str, Any]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}" if close else f"there are {', '.join(known)}"
