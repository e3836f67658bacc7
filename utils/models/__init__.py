"""Language models: load one by name or path, encode, generate, read logits."""

from utils.models.environment import describe_environment
from utils.models.language_model import DEFAULT_MODEL, LanguageModel, load_model

__all__ = ["DEFAULT_MODEL", "LanguageModel", "describe_environment", "load_model"]
