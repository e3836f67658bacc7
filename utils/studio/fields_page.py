"""The fields of a prompt: freeform, structured, or a chat; each kind keeps what stands in it while another is shown."""

import html
from collections.abc import Callable
from dataclasses import replace

import ipywidgets as widgets

from utils.prompts.templates import Example
from utils.studio.prompt import KINDS, Prompt
from utils.widgets.picture import Picture
from utils.widgets.slider import switch
from utils.widgets.table import TableEditor
from utils.widgets.view import FULL_LABEL, button, fitted, row

USER, ASSISTANT = "user", "assistant"
Turns = tuple[tuple[str, str], ...]


class PromptFields:
    """What is written in a prompt; `prompt` is the one that was put, with these texts."""

    def __init__(self, prompt: Prompt) -> None:
        self.given = prompt
        self.kind = switch("Kind", KINDS, prompt.kind)
        self.as_chat = widgets.Checkbox(description="In the model's chat template", indent=False, layout=fitted())
        self.text = _area("Prompt", rows=20)
        self.text.placeholder = "Write what the model shall go on with. {name} is a variable."
        self.context = _area("Context", rows=2)
        self.structured = StructuredFields()
        self.chat = ChatFields()
        self.shown = widgets.VBox()
        self.put(prompt)
        self.kind.observe(lambda _change: self._show(), names="value")

    @property
    def prompt(self) -> Prompt:
        """The prompt that was put, as the fields have it now."""
        return replace(
            self.given,
            kind=self.kind.value,
            as_chat=self.as_chat.value,
            text=self.text.value,
            context=self.context.value,
            examples=self.structured.examples,
            test_input=self.structured.test_input.value,
            input_label=self.structured.input_label.value,
            output_label=self.structured.output_label.value,
            turns=self.chat.turns,
        )

    def put(self, prompt: Prompt) -> None:
        """Show another prompt."""
        self.given = prompt
        self.as_chat.value, self.text.value, self.context.value = prompt.as_chat, prompt.text, prompt.context
        self.structured.put(prompt)
        self.chat.put(prompt)
        self.kind.value = prompt.kind
        self._show()

    def when_changed(self, call: Callable[[], None]) -> None:
        """Call a function after each change."""
        for control in (self.kind, self.as_chat, self.text, self.context):
            control.observe(lambda _change: call(), names="value")
        self.structured.when_changed(call)
        self.chat.when_changed(call)

    def _show(self) -> None:
        """Show the fields of the kind."""
        kind = self.kind.value
        self.as_chat.disabled = kind == "chat"
        parts = {
            "freeform": [self.text],
            "structured": [self.context, self.structured.view],
            "chat": [self.context, self.chat.view],
        }
        self.shown.children = parts[kind]


class StructuredFields:
    """Examples and test input, and how input and output are called."""

    def __init__(self) -> None:
        self.table = TableEditor("Examples", ("Input", "Output"))
        self.test_input = _area("Test input", rows=2)
        self.input_label, self.output_label = (
            widgets.Text(description=f"Word for the {what}", style=FULL_LABEL, layout=widgets.Layout(width="220px"))
            for what in ("input", "output")
        )
        labels = row(self.input_label, self.output_label)
        self.view = widgets.VBox([self.table, self.test_input, labels])

    @property
    def examples(self) -> tuple[Example, ...]:
        """The rows of the table that hold a text."""
        return tuple(Example(*cells) for cells in self.table.rows if any(map(str.strip, cells)))

    def put(self, prompt: Prompt) -> None:
        """Show another prompt's parts."""
        self.test_input.value = prompt.test_input
        self.input_label.value, self.output_label.value = prompt.input_label, prompt.output_label
        self.table.put(prompt.examples)

    def when_changed(self, call: Callable[[], None]) -> None:
        """Call a function after each change."""
        for control in (self.test_input, self.input_label, self.output_label):
            control.observe(lambda _change: call(), names="value")
        self.table.when_changed(call)


class ChatFields:
    """The turns so far, the last answer in a box of its own where it can be changed, and what the user says next."""

    def __init__(self) -> None:
        self.earlier: Turns = ()
        self.log = Picture()
        self.answer = _area("The model's last answer", rows=3)
        self.user = _area("The user says", rows=3)
        self.back_button = button(
            "Take back the last turn", tooltip="Drop the last answer and edit what was said before"
        )
        self.back_button.on_click(lambda _button: self.take_back())
        self.acts: list[Callable[[], None]] = []
        self.view = widgets.VBox([self.log, self.answer, self.user, row(self.back_button)])

    @property
    def turns(self) -> Turns:
        """All turns, what the user says next among them."""
        answered = ((ASSISTANT, self.answer.value),) if self.has_answer else ()
        said = ((USER, self.user.value),) if self.user.value.strip() else ()
        return (*self.earlier, *answered, *said)

    @property
    def has_answer(self) -> bool:
        """Whether the model has said something."""
        return self.answer.layout.display != "none"

    def put(self, prompt: Prompt) -> None:
        """Show another chat: a user's turn that stands last is what the user says next."""
        self._put(prompt.turns)

    def answered(self, asked: Turns, text: str) -> None:
        """Let the text be the model's answer to turns that were asked; what was typed meanwhile stays in the box."""
        typed = self.user.value
        self._put((*asked, (ASSISTANT, text)))
        if typed != asked[-1][1]:
            self.user.value = typed

    def take_back(self) -> None:
        """Drop the last answer; what the user said before it goes back into the box, before what stands there."""
        typed = self.user.value
        turns = self.turns[:-1] if typed.strip() else self.turns
        if turns and turns[-1][0] == ASSISTANT:
            turns = turns[:-1]
        self._put(turns)
        self.user.value = "\n".join(filter(None, [self.user.value, typed]))

    def when_changed(self, call: Callable[[], None]) -> None:
        """Call a function after each change."""
        self.acts.append(call)
        for control in (self.answer, self.user):
            control.observe(lambda _change: call(), names="value")

    def _put(self, turns: Turns) -> None:
        turns, user = _without_last(turns, USER)
        self.earlier, answer = _without_last(turns, ASSISTANT)
        self.log.value = _log(self.earlier)
        self.answer.layout.display = "none" if answer is None else None
        self.answer.value, self.user.value = answer or "", user or ""
        self.back_button.disabled = not self.turns
        for act in self.acts:
            act()


def _without_last(turns: Turns, role: str) -> tuple[Turns, str | None]:
    """Return the turns without the last one, and its text, if it is of that role."""
    return (turns[:-1], turns[-1][1]) if turns and turns[-1][0] == role else (turns, None)


def _area(name: str, *, rows: int) -> widgets.Textarea:
    layout = widgets.Layout(width="98%", flex_flow="column")
    return widgets.Textarea(description=name, rows=rows, style=FULL_LABEL | {"text_align": "left"}, layout=layout)


def _log(turns: Turns) -> str:
    style = "white-space: pre-wrap; overflow-wrap: break-word; line-height: 1.4; margin: 0 0 6px"
    said = "".join(f'<p style="{style}"><b>{role}</b>: {html.escape(content)}</p>' for role, content in turns)
    return f'<div role="log" aria-label="Turns so far">{said}</div>'
