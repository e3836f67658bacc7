"""Instruction, examples and query become a prompt."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from utils.errors import EmptyPrompt
from utils.prompts.conversations import conversation, say_where_none

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Example(NamedTuple):
    """One solved case: what goes in, and the completion that is right for it."""

    input_text: str
    output_text: str


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

    def render(self, instruction: str, query: str, examples: Sequence[Example]) -> str:
        """Return the parts with an empty line between them, ending at the output's label."""
        solved = [f"{self._open(case.input_text)}{self.completion(case.output_text)}" for case in examples]
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

    def render(self, instruction: str, query: str, examples: Sequence[Example]) -> str:
        """Return the conversation up to where the assistant's answer begins."""
        plain = PlainTemplate(self.input_label, self.output_label, self.multiline)
        messages = []
        for case in [*examples, Example(query, "")]:
            messages += [
                {"role": "user", "content": plain.render("" if messages else instruction, case.input_text, ())},
                {"role": "assistant", "content": case.output_text},
            ]
        return conversation(self.tokenizer, messages[:-1])

    def completion(self, output_text: str) -> str:
        """Return the output as it is: an answer begins on a new line."""
        return output_text


PLAIN = PlainTemplate()
REVIEWS = PlainTemplate("Review", "Sentiment")
DIALOGUES = PlainTemplate("Dialogue", "Summary", multiline=True)


def build_prompt(
    instruction: str, query: str, examples: Sequence[tuple[str, str]] = (), template: Template = PLAIN
) -> str:
    """Return one prompt out of an instruction, solved examples and the query to complete.

    instruction: what to do, may be empty; examples: (input, output) pairs, none for a
    zero-shot prompt. Raises EmptyPrompt for an empty query.
    """
    if not query.strip():
        raise EmptyPrompt("The query is empty: give the text that the prompt shall ask about.")
    return template.render(instruction, query, [Example(*example) for example in examples])
