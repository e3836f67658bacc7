"""Errors that a learner can mend: each says what happened and what to do."""


class CourseError(Exception):
    """Base of the errors below; a notebook shows its sentence without a traceback."""

    def _render_traceback_(self) -> list[str]:
        """Return what IPython prints instead of a traceback."""
        return [f"{type(self).__name__}: {self}"]


def short_reason(error: Exception, *, longest: int = 200) -> str:
    """Return the first line of an exception's text, cut to `longest` characters, or its kind when it has no text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:longest]


def opened(text: str) -> str:
    """Return a text as a sentence begins: its first letter in upper case, all others as they are."""
    return text[:1].upper() + text[1:]


class FetchError(CourseError):
    """A download did not succeed: no network, or no such file on the package index."""


class HashMismatch(CourseError):
    """A downloaded file is not the file that the course was made with."""


class DiskFull(CourseError):
    """There is not enough free space for the model or the data."""


class CacheUnusable(CourseError):
    """The cache folder cannot be made or written."""


class ModelNotFound(CourseError):
    """No model of that name or path can be loaded."""


class EndpointError(ModelNotFound):
    """An endpoint does not answer, or has not got what was asked of it."""


class ContextWindowExceeded(CourseError):
    """A prompt and the completion asked for do not fit into the context window."""


class EmptyPrompt(CourseError):
    """A prompt has no text in it."""


class DataError(CourseError):
    """A data file, a split or a record is not what the course can read."""


class UnsupportedSetting(CourseError):
    """A device or a setting for generating text that the course cannot use."""


class UnknownLabel(CourseError):
    """A label is not one of the labels of the task."""


class TooManyShots(CourseError):
    """More examples were asked for than the training split holds."""


class AdapterMismatch(CourseError):
    """An adapter does not belong to the model it is loaded on, or is damaged."""


class TuningError(CourseError):
    """A tuning job cannot be started, or ended without a tuned model."""


class RegistryError(CourseError):
    """The model registry does not have what was asked of it, or cannot be reached."""


class ServingError(CourseError):
    """An endpoint cannot be started, or did not start."""
