"""The project itself: what imports what, and links."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_maths_imports_no_widget():
    maths = [
        "evaluation",
        "workbench",
        "decoding",
        "diversity",
        "answers",
        "next_token",
        "forecast",
        "plots",
        "registry",
    ]
    maths += ["tuning.dial", "tuning.job", "tuning.worker", "tuning.lint", "tuning.ledger", "tuning.trials"]
    modules = ", ".join(f"utils.{name}" for name in [*maths, "exercises.lab_1", "exercises.lab_2", "exercises.lab_3"])
    code = f"import {modules}, sys; sys.exit(bool({{'ipywidgets', 'anywidget'}} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_the_readme_links_lead_somewhere():
    text = (ROOT / "README.md").read_text()
    for target in re.findall(r"\]\(([^)#]+)", text):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target
