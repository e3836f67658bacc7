"""Instruction, examples and query become a prompt."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from utils.arguments import a_list, texts
from utils.errors import DataError, EmptyPrompt, opened
from utils.prompts.conversations import conversation, say_where_none

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Example(NamedTuple):
    """One solved case: what goes in, and the completion that is right for it."""

    input_text: str
    output_text: str


FIELDS = (("input_text", "output_text"), ("input", "output"))
"""How a dictionary may name an input and its output."""


def as_example(given: Any, what: str = "the example") -> Example:
    """Return a record, a pair of texts or a dictionary as an example.

    given: anything with `.example` (a review, a dialogue, any record), a tuple or list (input, output), or a
    dictionary with `input_text` and `output_text`, or `input` and `output`, whose other fields are left out.
    what: its name in an error. Raises DataError for anything else.
    """
    case = getattr(given, "example", given)
    if isinstance(case, Mapping):
        case = next(([case[field] for field in pair] for pair in FIELDS if set(pair) <= case.keys()), None)
    if not isinstance(case, tuple | list) or len(case) != 2:
        raise DataError(
            f"{opened(what)} is {given!r:.80}: give a record, a pair (input, output), or a dictionary "
            "with `input_text` and `output_text`."
        )
    return Example(*texts(case, f"input and output of {what}"))


def as_examples(given: Iterable[Any], what: str = "the examples") -> list[Example]:
    """Return `as_example` of each item of a list. Raises DataError naming the number of the first wrong one."""
    return [as_example(case, f"number {n} of {what}") for n, case in enumerate(a_list(given, what), 1)]


class Template(Protocol):
    """A way to write instruction, examples and query down as one string."""

    def render(self, instruction: str, query: str, examples: Sequence[Example]) -> str:
        """Return the prompt."""
        ...

    def completion(self, output_text: str) -> str:
        """Return an output as it stands right behind the prompt, so that its tokens are the right ones."""
        ...


@dataclass(frozen=True)
class PlainTemplate:
    """Text to be continued: instruction, solved cases, and a last case without its output.

    input_label and output_label: the words before an input and an output, such as
    "Review" and "Sentiment". multiline: whether an input begins on a line of its own.
    """

    input_label: str = "Input"
    output_label: str = "Output"
    multiline: bool = False

    def render(self, instruction: str, query: str, examples: Sequence[Any]) -> str:
        """Return the parts with an empty line between them, ending at the output's label."""
        solved = [f"{self._open(case.input_text)}{self.completion(case.output_text)}" for case in as_examples(examples)]
        return "\n\n".join(filter(None, [instruction, *solved, self._open(query)]))

    def completion(self, output_text: str) -> str:
        """Return the output after a space."""
        return f" {output_text}"

    def _open(self, text: str) -> str:
        return f"{self.input_label}:{chr(10) if self.multiline else ' '}{text}\n{self.output_label}:"


@dataclass(frozen=True)
class ChatTemplate:
    """A conversation in the form that an instruction-tuned model was trained on.

    Examples become earlier turns: the user gives an input, the assistant its output. The
    instruction stands in the first turn of the user. A tokenizer without a chat template
    gets the words User and Assistant, and a sentence says so.
    """

    tokenizer: "PreTrainedTokenizerBase"
    input_label: str = "Input"
    output_label: str = "Output"
    multiline: bool = False

    def __post_init__(self) -> None:
        say_where_none(self.tokenizer)

    def render(self, instruction: str, query: str, examples: Sequence[Any]) -> str:
        """Return the conversation up to where the assistant's answer begins."""
        plain = PlainTemplate(self.input_label, self.output_label, self.multiline)
        return conversation(self.tokenizer, as_turns(plain, instruction, query, examples))

    def completion(self, output_text: str) -> str:
        """Return the output as it is: an answer begins on a new line."""
        return output_text


def as_turns(plain: PlainTemplate, instruction: str, query: str, examples: Sequence[Any]) -> list[dict[str, str]]:
    """Return solved cases and a query as the turns of a conversation, the instruction in the user's first."""
    turns = []
    for case in [*as_examples(examples), Example(query, "")]:
        turns += [
            {"role": "user", "content": plain.render("" if turns else instruction, case.input_text, ())},
            {"role": "assistant", "content": case.output_text},
        ]
    return turns[:-1]


PLAIN = PlainTemplate()
REVIEWS = PlainTemplate("Review", "Sentiment")
DIALOGUES = PlainTemplate("Dialogue", "Summary", multiline=True)


def build_prompt(instruction: str, query: str, examples: Sequence[Any] = (), template: Template = PLAIN) -> str:
    """Return one prompt out of an instruction, solved examples and the query to complete.

    instruction: what to do, may be empty; examples: records, (input, output) pairs or
    dictionaries (`as_example`), none for a zero-shot prompt. Raises EmptyPrompt for an empty
    query, DataError for what is no text or no example.
    """
    given = texts([instruction, query], "instruction and query")
    if not query.strip():
        raise EmptyPrompt("The query is empty: give the text that the prompt shall ask about.")
    return template.render(*given, as_examples(examples))
