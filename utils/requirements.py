"""The pip part of `environment.yml`, so that conda and pip install the same list.

    python -m utils.requirements .venv/requirements.txt

Standard library only: this runs before anything is installed.
"""

import re
import sys
from pathlib import Path

ENVIRONMENT = Path(__file__).parents[1] / "environment.yml"


def pip_requirements(path: Path = ENVIRONMENT) -> list[str]:
    """Return the lines under `- pip:` of a conda environment file, comments left out."""
    after_pip = path.read_text(encoding="utf8").split("- pip:\n", maxsplit=1)[1]
    return re.findall(r"^\s+- (.+?)\s*$", after_pip, flags=re.MULTILINE)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text("\n".join(pip_requirements()) + "\n", encoding="utf8")
