"""Language models: those that the course knows; load one by name or path, encode, generate, read logits."""

from utils.models import catalog
from utils.models.environment import describe_environment
from utils.models.forcing import continuation_bits, continuation_ids
from utils.models.language_model import LanguageModel
from utils.models.loading import DEFAULT_MODEL, load_model
from utils.models.memory import running_memory
from utils.models.tokens import token_counts, token_table, token_text

__all__ = [
    "DEFAULT_MODEL",
    "LanguageModel",
    "catalog",
    "continuation_bits",
    "continuation_ids",
    "describe_environment",
    "load_model",
    "running_memory",
    "token_counts",
    "token_table",
    "token_text",
]
