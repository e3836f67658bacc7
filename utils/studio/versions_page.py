"""The saved prompts: a new version of one, its versions and aliases, what differs between two."""

import html
from collections.abc import Callable, Sequence
from functools import partial

import ipywidgets as widgets

from utils.arguments import text
from utils.errors import DataError
from utils.registry.prompts import (
    PromptVersion,
    delete_prompt_alias,
    prompt_names,
    prompt_versions,
    restore_prompt,
    set_prompt_alias,
)
from utils.studio.differences import Part, compare_texts, compare_values
from utils.studio.prompt import Prompt
from utils.studio.saved_prompts import asked, in_text, opened, save, settings
from utils.tables import TextTable
from utils.widgets.choice import Choice
from utils.widgets.picture import short
from utils.widgets.turns import Turns, Work
from utils.widgets.view import FULL_LABEL, WIDE, button, fitted, paragraph, row, scrolling, told_in
from utils.widgets.waiting import waiting

NOTHING = ""
"""No version: what stands in the choice of one to compare with."""
NONE = "No prompt is saved yet."
LONGEST_SAME = 600
"""Characters that two versions share in one place, of which the middle is left out where there are more."""
STYLES = {
    "removed": ("del", "text-decoration: line-through; background: rgba(213, 94, 0, 0.25)"),
    "added": ("ins", "text-decoration: underline; background: rgba(0, 114, 178, 0.25)"),
}
TYPED = {"continuous_update": False, "style": FULL_LABEL, "layout": WIDE}
"""What all fields that are typed in have in common."""


class Versions:
    """Fields for a new version of the present prompt, above the versions that there are.

    prompt: gives the prompt that is saved. open: is given one to open in Prompt design. wanted: the reference of the
    version to choose once it is listed.
    """

    def __init__(self, prompt: Callable[[], Prompt], open: Callable[[Prompt], None]) -> None:
        self.prompt, self.open = prompt, open
        self.found: dict[str, PromptVersion] = {}
        self.wanted: str | None = None
        self.name = widgets.Combobox(description="Name", placeholder="of the saved prompt", **TYPED)
        self.note = widgets.Text(description="Message", placeholder="what is new in this version", **TYPED)
        self.tags = widgets.Text(description="Tags", placeholder="task=summary, by=me", **TYPED)
        self.present = widgets.HTML()
        self.save_button = button("Save as a new version", button_style="primary")
        self.saved, self.version, self.other = Choice("Saved prompt"), Choice("Version"), Choice("Compare with")
        self.alias = widgets.Text(description="Alias", placeholder="production", **{**TYPED, "layout": fitted()})
        self.give_button = button(
            "Give the alias", tooltip="Give the version the alias; another one that has it loses it"
        )
        self.take_button = button("Take it away", tooltip="Take the alias from the version that has it")
        self.open_button = button("Open in Prompt design")
        self.restore_button = button("Restore as a new version")
        self.message = widgets.HTML(layout=widgets.Layout(min_height="20px"))
        self.said = widgets.HTML(layout=widgets.Layout(min_height="20px"))
        self.table, self.details = widgets.HTML(), widgets.HTML()
        self.acting, self.listing, self.reading = Turns(self.message), Turns(self.said), Turns(self.said)
        self.view = self._view()
        self._observe()

    @property
    def chosen(self) -> PromptVersion:
        """The version that is chosen. Raises DataError."""
        if self.version.value not in self.found:
            raise DataError("Choose a saved prompt and a version of it first.")
        return self.found[self.version.value]

    def refresh(self) -> None:
        """Bring the page up to date with the registry."""
        self.present.value = paragraph(f"In Prompt design now: {_present(self.prompt())}")
        self.listing.start(self._list)

    def save(self) -> None:
        """Save the present prompt; a button that is pressed twice saves it once."""
        if not self.acting.busy:
            self.acting.start(self._save)

    def _view(self) -> widgets.VBox:
        return widgets.VBox(
            [
                widgets.HTML("<h2>Saved prompts</h2>"),
                self.present,
                self.name,
                self.note,
                self.tags,
                row(self.save_button),
                self.message,
                row(self.saved, self.version, self.other),
                row(self.open_button, self.restore_button),
                row(self.alias, self.give_button, self.take_button),
                self.said,
                self.details,
                self.table,
            ]
        )

    def _observe(self) -> None:
        self.save_button.on_click(lambda _button: self.save())
        self.open_button.on_click(lambda _button: self.acting.start(self._open))
        self.restore_button.on_click(lambda _button: self.acting.start(self._restore))
        self.give_button.on_click(lambda _button: self.acting.start(self._give))
        self.take_button.on_click(lambda _button: self.acting.start(self._take))
        self.saved.observe(lambda _change: self.reading.start(self._list_versions), names="value")
        for choice in (self.version, self.other):
            choice.observe(lambda _change: self._show(), names="value")

    def _save(self) -> Work:
        prompt, name, note = self.prompt(), self.name.value, self.note.value
        tags = read_tags(self.tags.value)
        made = yield from waiting(self.message, "Saving", lambda: save(prompt, name, message=note, tags=tags))
        self.note.value = ""
        yield from self._changed(made, f"Saved as {made.reference}.")

    def _restore(self) -> Work:
        old = self.chosen
        made = yield from waiting(self.message, "Restoring", lambda: restore_prompt(old.reference))
        yield from self._changed(made, f"{made.reference} holds what {old.reference} holds.")

    def _give(self) -> Work:
        version, alias = self.chosen, self.alias.value.strip()
        give = partial(set_prompt_alias, version.name, version.number, alias)
        yield from waiting(self.message, "Giving the alias", give)
        yield from self._changed(version, f"{version.name}@{alias} is version {version.number} now.")

    def _take(self) -> Work:
        version, alias = self.chosen, self.alias.value.strip()
        yield from waiting(self.message, "Taking the alias away", partial(delete_prompt_alias, version.name, alias))
        yield from self._changed(version, f"No version of {version.name} has the alias {alias} now.")

    def _open(self) -> Work:
        version = self.chosen
        self.open(opened(version))
        self.message.value = paragraph(f"{version.reference} is open in Prompt design.")
        yield

    def _changed(self, version: PromptVersion, said: str) -> Work:
        """Show a version that was made or changed, and say what was done."""
        self.message.value = paragraph(said)
        yield from self._list(version)

    def _list(self, version: PromptVersion | None = None) -> Work:
        """List the saved prompts, and choose a version or leave the choice as it is."""
        names = yield from waiting(self.said, "Reading the registry", prompt_names)
        self.said.value = "" if names else paragraph(NONE)
        self.name.options = names
        self.saved.offer(names)
        if version:
            self.saved.value, self.wanted = version.name, version.reference
        self.reading.start(self._list_versions)

    def _list_versions(self) -> Work:
        name, what = self.saved.value, "Reading the versions"
        found = (yield from waiting(self.said, what, lambda: prompt_versions(name))) if name else []
        self.found = {version.reference: version for version in reversed(found)}
        options = [(_label(version), reference) for reference, version in self.found.items()]
        self.version.offer(options)
        if self.wanted in self.found:
            self.version.value, self.wanted = self.wanted, None
        self.other.offer([("nothing", NOTHING), *options])
        self.table.value = scrolling(_table(found)._repr_html_(), f"The versions of {name}") if found else ""
        self._show()

    def _show(self) -> None:
        """Show the version chosen, or what leads to it from the one to compare with."""
        new, old = self.found.get(self.version.value), self.found.get(self.other.value)
        if new is None:
            self.details.value = ""
        elif old is None or old is new:
            self.details.value = scrolling(_pre(html.escape(_text(new))), f"The prompt {new.reference}")
        else:
            said = f"What leads from {old.reference} to {new.reference}"
            with told_in(self.said):
                self.details.value = scrolling(difference(old, new), said)


def read_tags(written: str) -> dict[str, str]:
    """Return tags written as name=value, with commas between them. Raises DataError."""
    pairs = [part.partition("=") for part in text(written, "tags").split(",") if part.strip()]
    if wrong := [name for name, sign, _ in pairs if not sign]:
        raise DataError(f"Tags are written as name=value, with commas between them; {wrong[0].strip()!r} was given.")
    return {name.strip(): value.strip() for name, _, value in pairs}


def difference(old: PromptVersion, new: PromptVersion) -> str:
    """Return as HTML what leads from one version to another: the text with its changes, and a table of settings."""
    parts = compare_texts(_text(old), _text(new))
    counts = {kind: sum(part.kind == kind for part in parts) for kind in STYLES}
    said = ", ".join(f"{count} passage{'s' * (count != 1)} {kind}" for kind, count in counts.items())
    changed = compare_values(settings(opened(old)), settings(opened(new)))
    rows = tuple((name.replace("_", " "), short(str(before)), short(str(after))) for name, before, after in changed)
    table = TextTable(("setting", old.reference, new.reference), rows)._repr_html_() if rows else ""
    settings_said = "" if rows else paragraph("The settings are the same.")
    return f"{paragraph(f'The text: {said}.')}{_marked(parts)}{table}{settings_said}"


def _text(version: PromptVersion) -> str:
    return in_text(asked(opened(version)))


def _marked(parts: Sequence[Part]) -> str:
    return _pre("".join(map(_part, parts)))


def _part(part: Part) -> str:
    if part.kind == "same":
        return html.escape(_cut(part.text))
    name, style = STYLES[part.kind]
    return f'<{name} style="{style}">{html.escape(part.text)}</{name}>'


def _cut(written: str) -> str:
    half = LONGEST_SAME // 2
    left_out = len(written) - 2 * half
    return f"{written[:half]} [{left_out:,} characters] {written[-half:]}" if left_out > 0 else written


def _pre(markup: str) -> str:
    return f'<div style="white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.4">{markup}</div>'


def _present(prompt: Prompt) -> str:
    written = {"freeform": prompt.text, "structured": prompt.test_input or prompt.context}
    if prompt.kind == "chat":
        return f"chat, '{short(prompt.turns[-1][1])}'" if prompt.turns else "an empty chat"
    return f"{prompt.kind}, '{short(written[prompt.kind])}'"


def _label(version: PromptVersion) -> str:
    return f"{version.number} ({', '.join(version.aliases)})" if version.aliases else str(version.number)


def _table(versions: Sequence[PromptVersion]) -> TextTable:
    rows = (
        (
            str(version.number),
            ", ".join(version.aliases),
            version.message,
            ", ".join(f"{name}={value}" for name, value in version.tags.items()),
            version.created.astimezone().strftime("%Y-%m-%d %H:%M"),
        )
        for version in reversed(versions)
    )
    return TextTable(("version", "aliases", "message", "tags", "saved"), tuple(rows))
