"""The choice of a tuning method: first its class, then the method, then its size."""

import ipywidgets as widgets

from utils.adapters.methods import METHODS, find_method
from utils.arguments import whole_number
from utils.widgets.choice import Choice
from utils.widgets.slider import NumberBox
from utils.widgets.view import FULL_LABEL, WIDE, Dropdown, fitted, paragraph, row

CLASSES = tuple(dict.fromkeys(method.family for method in METHODS.values()))


class MethodFields:
    """`method` holds the method's name, `size` its size where it has one."""

    def __init__(self, name: str = "lora") -> None:
        begin = METHODS[name]
        self.family = Dropdown(
            options=CLASSES, value=begin.family, description="Class of method", style=FULL_LABEL, layout=fitted()
        )
        self.method = Choice("Method")
        self.method.offer(_of(begin.family), begin=name)
        self.size = NumberBox("Adapter size", begin.size or 1, _checked, layout=WIDE)
        self.trains = widgets.HTML(layout=widgets.Layout(min_height="20px"))
        self.view = widgets.VBox([row(self.family, self.method), self.trains, self.size])
        self.family.observe(lambda change: self._offer(change["new"]), names="value")
        self.method.observe(lambda _change: self._describe(), names="value")
        self._describe()

    @property
    def adapter_size(self) -> int | None:
        """The size, None for a method without one."""
        return None if self.size.disabled else self.size.value

    def put(self, name: str) -> None:
        """Choose a method, and its class with it. Raises UnsupportedSetting."""
        self.family.value = find_method(name).family
        self.method.value = name

    def _offer(self, family: str) -> None:
        self.method.offer(_of(family))

    def _describe(self) -> None:
        method = METHODS[self.method.value]
        self.size.disabled = method.size is None
        self.size.value = method.size or 1
        self.size.hint = method.size_means or "none: it has no size"
        self.trains.value = paragraph(f"It trains {method.trains}.")


def _of(family: str) -> list[str]:
    return [method.name for method in METHODS.values() if method.family == family]


def _checked(value: int) -> int:
    return whole_number(value, "the adapter size is a whole number, 1 or more", least=1)
