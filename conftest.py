"""Where tests and the kernels of notebooks keep their files: never in the folders of who runs them."""

import os
import signal
from pathlib import Path
from tempfile import TemporaryDirectory

BUILD = Path(__file__).parent / "build"
STUDIO = TemporaryDirectory(ignore_cleanup_errors=True)
"""Each worker's own, and empty at its start."""

signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell takes from what it runs in the background

os.environ.setdefault("COURSE_PROGRESS", "off")
os.environ.setdefault("COURSE_RESULTS", str(BUILD / "results"))
os.environ["COURSE_STUDIO"] = STUDIO.name
tuning = Path(os.environ.get("COURSE_TUNING") or BUILD / "tuning")
os.environ["COURSE_TUNING"] = str(tuning / os.environ.get("PYTEST_XDIST_WORKER", ""))
