"""What a check raises."""


class NotAttempted(Exception):
    """The answer is still the stub that the lab came with."""


class Mistake(Exception):
    """What is wrong with an answer, and why, in words for the learner."""


def require(condition: object, message: str) -> None:
    """Raise Mistake with a message unless the condition holds."""
    if not condition:
        raise Mistake(message)
