"""A field for a data file: an address that is typed, a file that is found in a folder, handed over or dropped on it."""

from pathlib import Path

import ipywidgets as widgets

from utils.datasets.splits import DATA
from utils.studio.data_files import folders_and_files, keep
from utils.widgets.choice import Choice
from utils.widgets.drop import Drop
from utils.widgets.view import FULL_LABEL, WIDE, button, fitted, paragraph, row, told_in

UP, COURSE = ".. (the folder above)", "The course's data"


class DataField:
    """`address` holds the path or the address, whichever way it came there. label: the field's accessible name."""

    def __init__(self, label: str) -> None:
        self.address = widgets.Text(
            description=label,
            placeholder="a path, or s3://, gs://, https://; or drop a file here",
            continuous_update=False,
            style=FULL_LABEL,
            layout=WIDE,
        )
        self.browse = widgets.ToggleButton(
            value=False, description="Browse", tooltip=f"{label}: browse folders", layout=fitted()
        )
        self.upload = widgets.FileUpload(accept=".jsonl", description="Hand over a file", layout=fitted())
        self.folder = Path.cwd()
        self.where = widgets.HTML()
        self.list = Choice("Folders and data files", rows=7)
        self.open = button("Open", tooltip="Open the folder, or take the file, that is chosen in the list")
        self.message = widgets.HTML()
        self.browser = widgets.VBox([self.where, self.list, row(self.open)], layout=widgets.Layout(display="none"))
        parts = [Drop(self._keep), self.address, row(self.browse, self.upload), self.message, self.browser]
        self.view = widgets.VBox(parts)
        self.browse.observe(lambda change: self._fold(opened=change["new"]), names="value")
        self.open.on_click(lambda _button: self._open())
        self.upload.observe(lambda change: self._take(change["new"]), names="value")

    def show(self, folder: Path) -> None:
        """List a folder."""
        with told_in(self.message):
            folders, files = folders_and_files(folder)
            self.folder = folder
            self.where.value = paragraph(str(folder))
            self.list.offer(
                [
                    (UP, str(folder.parent)),
                    *([(COURSE, str(DATA))] if DATA.is_dir() else []),
                    *((f"{path.name}/", str(path)) for path in folders),
                    *((path.name, str(path)) for path in files),
                ]
            )
            self.message.value = ""

    def _fold(self, *, opened: bool) -> None:
        self.browser.layout.display = "" if opened else "none"
        if opened:
            self.show(self.folder)

    def _open(self) -> None:
        chosen = Path(self.list.value)
        if chosen.is_dir():
            self.show(chosen)
        else:
            self.address.value = str(chosen)
            self.browse.value = False

    def _take(self, files: tuple[dict, ...]) -> None:
        for file in files:
            self._keep(file["name"], bytes(file["content"]))

    def _keep(self, name: str, content: bytes) -> None:
        with told_in(self.message):
            self.address.value = str(keep(name, content))
            self.message.value = paragraph(f"{name} is kept beside the tuning jobs.")
