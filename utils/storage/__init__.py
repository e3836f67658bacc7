"""Files of the course: downloads, the default model's checkpoint, results kept on disk."""

from utils.storage.checkpoints import default_checkpoint
from utils.storage.downloads import fetch
from utils.storage.files import build_once, write_text
from utils.storage.places import cache_dir
from utils.storage.results import remembered

__all__ = ["build_once", "cache_dir", "default_checkpoint", "fetch", "remembered", "write_text"]
