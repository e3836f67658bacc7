"""The project itself: its links lead somewhere."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_readme_links_lead_somewhere():
    text = (ROOT / "README.md").read_text()
    for target in re.findall(r"\]\(([^)#]+)", text):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target
