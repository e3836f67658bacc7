"""The labels that a model chooses from, instead of generating."""

from collections.abc import Callable

import ipywidgets as widgets

from utils.widgets.view import FULL_LABEL, WIDE, fitted


class LabelFields:
    """Whether the model chooses one of a few labels instead of generating, and which; kept while it does not."""

    def __init__(self) -> None:
        self.on = widgets.Checkbox(
            description="Choose one of these labels instead of generating", indent=False, layout=fitted()
        )
        self.text = widgets.Textarea(description="Labels, one a line", rows=4, style=FULL_LABEL, layout=WIDE)
        self.view = widgets.VBox([self.on, self.text])

    @property
    def kept(self) -> tuple[str, ...]:
        """The labels, whether or not they are in use."""
        return tuple(line.strip() for line in self.text.value.split("\n") if line.strip())

    @kept.setter
    def kept(self, labels: tuple[str, ...]) -> None:
        if labels:
            self.text.value = "\n".join(labels)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels to choose from; none where the model generates."""
        return self.kept if self.on.value else ()

    @property
    def usable(self) -> tuple[str, ...]:
        """The same; none where they are too few, or one of them stands twice."""
        return self.labels if len(self.labels) == len(set(self.labels)) > 1 else ()

    def put(self, labels: tuple[str, ...]) -> None:
        """Show other labels; without any, the model generates and those here stay."""
        self.kept, self.on.value = labels, bool(labels)

    def when_changed(self, call: Callable[[], None]) -> None:
        """Call a function after each change."""
        for control in (self.on, self.text):
            control.observe(lambda _change: call(), names="value")
