"""What the lessons and labs of the course import."""

import os
import sys

# torch's OpenMP reads this when torch is loaded. A thread that waits by spinning takes a core from whatever else runs:
# a tuning job beside a notebook, a browser, another kernel.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

if (ipython := sys.modules.get("IPython")) and (shell := ipython.get_ipython()):
    for extension in ("utils.progress", "utils.tracebacks"):
        shell.extension_manager.load_extension(extension)
