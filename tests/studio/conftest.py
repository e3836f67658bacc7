"""What the tests of the studio share."""

import pytest

from utils.studio.studio import Studio
from utils.studio.workspace import Workspace


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def studio(workspace) -> Studio:
    """A studio without a page in front."""
    return Studio(workspace)
