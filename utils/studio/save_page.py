"""The page Save: versions of prompts in the registry, and cards of what was run."""

from utils.studio.kept_page import Kept
from utils.studio.run_cards import RunCards
from utils.studio.runs_page import KeptRuns
from utils.studio.studio import Studio
from utils.studio.versions_page import Versions
from utils.widgets.view import beside

NARROWEST = 430
"""Pixels of prompts and runs, below which they stand below each other."""


class SavePage:
    """The saved prompts on the left, the run cards on the right."""

    name = "Save"

    def __init__(self, studio: Studio) -> None:
        self.versions = Versions(lambda: studio.prompt, studio.design)
        self.runs = KeptRuns(RunCards(studio.workspace), studio.models, studio.design)
        fields = {
            "name": self.versions.name,
            "message": self.versions.note,
            "tags": self.versions.tags,
            "saved": self.versions.saved,
            "version": self.versions.version,
            "other": self.versions.other,
            "alias": self.versions.alias,
            "file": self.runs.path,
        }
        self.kept = Kept(studio.workspace, self.name, fields, self.versions.message)
        self.view = beside(self.versions.view, self.runs.view, least=NARROWEST)

    def shown(self) -> None:
        """Bring both up to date with the registry and the workspace."""
        self.versions.refresh()
        self.runs.refresh()
