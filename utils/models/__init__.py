"""Language models: those that the course knows; load one by name or path, encode, generate, read logits."""

from utils.models import catalog
from utils.models.environment import describe_environment
from utils.models.language_model import LanguageModel
from utils.models.loading import DEFAULT_MODEL, load_model

__all__ = ["DEFAULT_MODEL", "LanguageModel", "catalog", "describe_environment", "load_model"]
