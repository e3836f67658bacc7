"""What buttons do, one after the other: a sentence while it lasts, and the command that does the same."""

from collections.abc import Callable, Generator
from typing import Any

import ipywidgets as widgets

from utils.studio.commands import Command
from utils.widgets.code_box import CodeBox
from utils.widgets.turns import Turns
from utils.widgets.view import paragraph
from utils.widgets.waiting import waiting

NO_COMMAND = "# Press a button: the command that does the same stands here."
Then = Callable[[Any], Generator[None] | None]


class Actions:
    """`message` says what is done or what went wrong; `command` holds what does the same as the last button."""

    def __init__(self) -> None:
        self.message = widgets.HTML(layout=widgets.Layout(min_height="40px"))
        self.command = CodeBox(code=NO_COMMAND, label="The command that does the same as the last button")
        self.turns = Turns(self.message)

    def do(self, what: str, made: Callable[[], Command], then: Then = lambda _found: None) -> None:
        """Run a command behind the page. made: the command of what stands in the fields; then: is given its result."""
        self.turns.start(lambda: self._do(what, made, then))

    def _do(self, what: str, made: Callable[[], Command], then: Then) -> Generator[None]:
        command = yield from waiting(self.message, what, made)
        self.command.code = command.text
        found = yield from waiting(self.message, what, command.run)
        self.message.value = paragraph(f"{what}: done.")
        yield from then(found) or ()
