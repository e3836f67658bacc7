"""What the course runs on: versions, device and model, for the first notebook."""

import platform
from importlib.metadata import version
from importlib.util import find_spec

import pandas as pd

from utils.models.language_model import LanguageModel

PACKAGES = ("torch", "transformers", "jupyterlab", "ipywidgets", "matplotlib")


def describe_environment(model: LanguageModel) -> pd.DataFrame:
    """Return a table of the Python version, the main packages, the device and the loaded model."""
    rows = {"Python": ".".join(platform.python_version_tuple()[:2])}
    rows |= {package: version(package).split("+")[0] for package in PACKAGES if find_spec(package)}
    rows |= {
        "device": model.device.type,
        "model": model.name,
        "parameters": f"{model.model.num_parameters():,}",
        "vocabulary": f"{model.model.config.get_text_config().vocab_size:,} tokens",
        "context window": f"{model.context_window:,} tokens",
    }
    return pd.DataFrame({"found": rows})
