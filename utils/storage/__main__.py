"""Fetch everything the course needs, so that nothing after it uses a network: `python -m utils.storage`."""

import sys

from utils.errors import CourseError
from utils.storage.checkpoints import default_checkpoint
from utils.storage.downloads import VADER, fetch

try:
    fetch(VADER)
    print(f"Model and data are ready in {default_checkpoint().parent}.")
except CourseError as error:
    sys.exit(str(error))
