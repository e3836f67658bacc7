"""A prompt as the studio has it: freeform, structured or chat, with variables, labels and parameters."""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

from utils.arguments import a_list, text, texts, whole_number
from utils.errors import CourseError, DataError, EmptyPrompt
from utils.logits.config import DecodingConfig
from utils.models.language_model import LanguageModel
from utils.prompts.conversations import conversation
from utils.prompts.templates import Example, PlainTemplate, as_examples, as_turns, build_prompt

Kind = Literal["freeform", "structured", "chat"]
KINDS: tuple[Kind, ...] = get_args(Kind)
ROLES = ("user", "assistant")
MOST_RESPONSES = 32
VARIABLE = re.compile(r"(?<!\{)\{([^\W\d]\w*)\}(?!\})")
"""A variable in a text, such as {name}; other braces are text."""
INPUT = "input"
"""The variable that stands for the input of a record."""

UNSET = DecodingConfig()
"""The parameters where none is set: the model's own probabilities."""

Row = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Prompt:
    """A prompt with its parameters.

    text: all of a freeform prompt. context, examples, test_input, labels of input and output: the parts of a structured
    one. context, turns: what a chat's model is told first, and (role, content) pairs. as_chat: whether a freeform or a
    structured prompt is written in the model's chat template. values: rows of (variable, value) pairs. labels: what
    it shall choose from, instead of generating. responses: how many, at the seeds from config.seed on. model: a
    reference (`studio.models`), "" for the course's own. Raises DataError, UnsupportedSetting.
    """

    kind: Kind = "freeform"
    text: str = ""
    context: str = ""
    examples: tuple[Example, ...] = ()
    test_input: str = ""
    input_label: str = "Input"
    output_label: str = "Output"
    turns: tuple[tuple[str, str], ...] = ()
    as_chat: bool = False
    values: tuple[Row, ...] = ()
    labels: tuple[str, ...] = ()
    config: DecodingConfig = UNSET
    responses: int = 1
    model: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise DataError(f"A prompt is {', '.join(KINDS[:-1])} or {KINDS[-1]}; {self.kind!r} was given.")
        if wrong := [role for role, _ in self.turns if role not in ROLES]:
            raise DataError(f"In a turn speaks the {' or the '.join(ROLES)}; {wrong[0]!r} was given.")
        if self.labels and (len(set(self.labels)) < max(2, len(self.labels)) or not all(map(str.strip, self.labels))):
            raise DataError("Labels to choose from are two or more, each another, and none of them empty.")
        rule = f"the number of responses is a whole number from 1 to {MOST_RESPONSES}"
        whole_number(self.responses, rule, least=1, most=MOST_RESPONSES)

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the variables, in the order in which they stand."""
        return tuple(dict.fromkeys(name for written in self._texts() for name in VARIABLE.findall(written)))

    @property
    def seeds(self) -> list[int]:
        """A seed for each response."""
        return [self.config.seed + n for n in range(self.responses)]

    def filled(self, row: Mapping[str, str]) -> "Prompt":
        """Return the prompt with values for variables, all at once: a value's own braces stay text."""
        return self._with_texts(lambda written: VARIABLE.sub(lambda found: row.get(found[1], found[0]), written))

    def about(self, input_text: str) -> "Prompt":
        """Return the prompt for a record's input: in place of {input}, else as test input. Raises DataError."""
        if INPUT in self.variables:
            return self.filled({INPUT: input_text})
        if self.kind == "structured":
            return replace(self, test_input=input_text)
        raise DataError(f"The prompt has no place for a record's input: write {{{INPUT}}} where it shall stand.")

    @property
    def messages(self) -> list[dict[str, str]] | None:
        """The prompt as messages with role and content, None where it is text to go on with."""
        if self.kind == "chat":
            told = [("system", self.context)] if self.context.strip() else []
            return [{"role": role, "content": content} for role, content in (*told, *self.turns)]
        if not self.as_chat:
            return None
        if self.kind == "structured":
            return as_turns(self._template, self.context, self.test_input, self.examples)
        return [{"role": "user", "content": self.text}]

    def written(self, model: LanguageModel) -> str:
        """Return the text that a model goes on with. Raises EmptyPrompt, DataError."""
        self.check()
        if (messages := self.messages) is not None:
            return conversation(model.tokenizer, messages)
        return self.plain

    @property
    def plain(self) -> str:
        """The text of a prompt that is no conversation. Raises EmptyPrompt."""
        if self.kind == "structured":
            return build_prompt(self.context, self.test_input, self.examples, self._template)
        return self.text

    def check(self) -> None:
        """Raise EmptyPrompt where nothing is asked, DataError for a chat in which it is not the user's turn last."""
        if self.kind == "chat":
            if not self.turns:
                raise EmptyPrompt("The chat has no turn yet: write what the user says.")
            if self.turns[-1][0] != "user":
                raise DataError("The last turn is the model's: write what the user says next.")
        asked, what = {
            "freeform": (self.text, "The prompt is empty: write what the model shall go on with."),
            "structured": (self.test_input, "The test input is empty: write the text that is asked about."),
            "chat": (self.turns[-1][1] if self.turns else "", "The user's turn is empty: write what the user says."),
        }[self.kind]
        if not asked.strip():
            raise EmptyPrompt(what)

    def as_dict(self) -> dict[str, Any]:
        """Return what differs from an empty prompt, as plain JSON values."""
        plain: dict[str, Any] = {
            "examples": [{"input": case.input_text, "output": case.output_text} for case in self.examples],
            "turns": [{role: content} for role, content in self.turns],
            "values": [dict(row) for row in self.values],
            "labels": list(self.labels),
            "config": {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in asdict(self.config).items()
                if value != getattr(DecodingConfig, name)
            },
        }
        given = {field.name: plain.get(field.name, getattr(self, field.name)) for field in fields(self)}
        return {name: value for name, value in given.items() if getattr(self, name) != getattr(Prompt, name)}

    @classmethod
    def from_dict(cls, given: Any) -> "Prompt":
        """Return the prompt that `as_dict` wrote, or a person. Raises DataError, UnsupportedSetting."""
        if not isinstance(given, Mapping):
            raise DataError(f"A prompt is written as names with values; {given!r:.80} was given.")
        if unknown := sorted(map(str, given.keys() - {field.name for field in fields(cls)})):
            raise DataError(
                f"A prompt has no {unknown[0]!r}: its parts are {', '.join(each.name for each in fields(cls))}."
            )
        return cls(**{name: _READERS.get(name, _text)(value, name) for name, value in given.items()})

    @property
    def _template(self) -> PlainTemplate:
        return PlainTemplate(self.input_label, self.output_label)

    def _texts(self) -> list[str]:
        if self.kind == "chat":
            return [self.context, *(content for _, content in self.turns)]
        if self.kind == "structured":
            return [self.context, *(written for case in self.examples for written in case), self.test_input]
        return [self.text]

    def _with_texts(self, change: Callable[[str], str]) -> "Prompt":
        return replace(
            self,
            text=change(self.text),
            context=change(self.context),
            examples=tuple(Example(*map(change, case)) for case in self.examples),
            test_input=change(self.test_input),
            turns=tuple((role, change(content)) for role, content in self.turns),
        )


def _text(value: Any, name: str) -> str:
    return text(value, f"{name} of a prompt")


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise DataError(f"{name} of a prompt is true or false; {value!r:.80} was given.")
    return value


def _config(value: Any, name: str) -> DecodingConfig:
    known = {field.name for field in fields(DecodingConfig)}
    given = _mapping(value, name)
    if unknown := sorted(given.keys() - known):
        raise DataError(f"There is no parameter {unknown[0]!r}: the parameters are {', '.join(sorted(known))}.")
    if "stop" in given:
        given["stop"] = tuple(texts(given["stop"], "the stop sequences"))
    return DecodingConfig(**given)


def _turns(value: Any, name: str) -> tuple[tuple[str, str], ...]:
    found = [_mapping(turn, "a turn") for turn in a_list(value, name)]
    if wrong := [turn for turn in found if len(turn) != 1]:
        raise DataError(f"A turn is written as `user: text` or `assistant: text`; {wrong[0]!r:.80} was given.")
    return tuple((role, text(content, "a turn")) for turn in found for role, content in turn.items())


def _rows(value: Any, name: str) -> tuple[Row, ...]:
    return tuple(
        tuple((column, text(cell, f"a value of {column}")) for column, cell in _mapping(row, "a row of values").items())
        for row in a_list(value, name)
    )


def _mapping(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise DataError(f"{name.capitalize()} is written as names with values; {value!r:.80} was given.")
    return dict(value)


_READERS: Mapping[str, Callable[[Any, str], Any]] = {
    "examples": lambda value, name: tuple(as_examples(value, name)),
    "turns": _turns,
    "as_chat": _flag,
    "values": _rows,
    "labels": lambda value, name: tuple(texts(value, name)),
    "config": _config,
    "responses": lambda value, name: value,
}
"""How what is no text is read."""


def read_prompt(given: Any) -> tuple[Prompt, str]:
    """Return the prompt that was written, or an empty one with a sentence that says what is wrong with it."""
    try:
        return Prompt.from_dict(given), ""
    except CourseError as error:
        return Prompt(), str(error)
