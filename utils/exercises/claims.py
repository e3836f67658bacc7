"""What a notebook asserts about the course's own model: asserted for it alone, and the others are told so."""

from utils.models.language_model import LanguageModel
from utils.models.loading import DEFAULT_MODEL


def is_course_model(model: LanguageModel) -> bool:
    """Whether a model is the course's own, with or without an adapter."""
    return model.name == DEFAULT_MODEL


def claim(holds: object, model: LanguageModel, what: str = "", *, where: bool = True) -> None:
    """Assert what a notebook says of the course's model; with another model, say whether it holds there, too.

    what: the claim in words, printed with True or False. where: whether the text speaks of these data; of others
    nothing is asserted. Raises AssertionError for the course's own model.
    """
    if what:
        print(f"{what}: {bool(holds)}")
    if not where:
        print("The text speaks of other data: this is shown, not asserted.")
    elif is_course_model(model):
        assert holds, what or "What the text says of the course's model does not hold here."
    else:
        found = "it holds, too" if holds else "it does not hold"
        print(f"This is asserted of the course's own model only; with {model.name} {found}.")
