"""The Generative AI Studio: the way from a prompt to an endpoint, without code. `studio.open()` opens it."""

from utils.studio.studio import Studio
from utils.studio.studio import open_studio as open

__all__ = ["Studio", "open"]
