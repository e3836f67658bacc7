"""What stands in a page's fields, kept in the workspace whenever it changes."""

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import ipywidgets as widgets
import traitlets

from utils.errors import CourseError
from utils.studio.workspace import Workspace
from utils.widgets.choice import Choice
from utils.widgets.view import alert, told_in


class Kept:
    """The fields of a page: they begin with what is kept, and each change of a value is kept.

    fields: by name, controls whose `value` is text, a number or a truth value. A value that a field does not take, such
    as an option that is no more, is left out; a `Choice` takes it as soon as it is offered. message: where it is said
    that another studio wrote meanwhile.
    """

    def __init__(self, workspace: Workspace, page: str, fields: Mapping[str, Any], message: widgets.HTML) -> None:
        self.workspace, self.page, self.fields, self.message = workspace, page, fields, message
        self.state = workspace.read(page)
        for name, field in fields.items():
            self._restore(name)
            if isinstance(field, Choice):
                field.offered = partial(self._restore, name)
            field.observe(lambda change, name=name: self._changed(name, change["new"]), names="value")

    def _restore(self, name: str) -> None:
        if name in self.state:
            with suppress(CourseError, traitlets.TraitError):
                self.fields[name].value = self.state[name]

    def _changed(self, name: str, value: Any) -> None:
        offered = isinstance(field := self.fields[name], Choice) and field.offering
        if offered or value is None or self.state.get(name) == value:
            return
        self.state[name] = value
        with told_in(self.message):
            if said := self.workspace.write(self.page, self.state):
                self.message.value = alert(said)
