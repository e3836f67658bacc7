"""The Generative AI Studio: the way from a prompt to an endpoint, without code. `studio.open()` opens it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from utils.studio.studio import Studio

__all__ = ["open"]


def open() -> "Studio":
    """Show the studio as it was left, and return it."""
    from utils.studio.studio import show_studio  # torch and all that needs it: `python -m utils.studio` does without

    return show_studio()
