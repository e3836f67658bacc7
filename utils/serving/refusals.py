"""Why an endpoint does not answer: a sentence and an HTTP status, which each interface puts into its own JSON shape."""

from utils.errors import CourseError

BAD, UNAUTHORIZED, UNKNOWN, NOT_ALLOWED, TIMEOUT, CONFLICT = 400, 401, 404, 405, 408, 409
TOO_LARGE, TOO_MANY, FAILED, UNAVAILABLE, LATE = 413, 429, 500, 503, 504
LEFT = 499
"""nginx's status for a client that left before it was answered: nobody receives it, log and metrics have it."""


class Refusal(CourseError):
    """A request that is not answered.

    status: of HTTP. parameter: the field that is to blame, by the name that `Request` has for it (an interface
    writes its own name). retry_after: seconds after which it is worth asking again.
    """

    def __init__(
        self, message: str, *, status: int = BAD, parameter: str | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.parameter, self.retry_after = status, parameter, retry_after
