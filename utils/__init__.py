"""What the lessons and labs of the course import."""

import os

# torch's OpenMP reads this when torch is loaded. A thread that waits by spinning takes a core from whatever else runs:
# a tuning job beside a notebook, a browser, another kernel.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
