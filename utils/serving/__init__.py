"""An endpoint: one base model, many adapters, every client."""

from utils.serving.process import Served, serve
from utils.serving.settings import Limits, Settings
from utils.serving.xray import record

__all__ = ["Limits", "Served", "Settings", "record", "serve"]
