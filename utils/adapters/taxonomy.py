"""The methods of tuning in one table: their class, what they train, and what that weighs on a given model."""

import tempfile
from pathlib import Path

import pandas as pd

from utils.adapters.costs import checkpoint_bytes
from utils.adapters.methods import METHODS, Method, add_adapter, count_changed, count_trainable, save_adapter
from utils.errors import UnsupportedSetting
from utils.models.language_model import LanguageModel


def methods_table(base: LanguageModel) -> pd.DataFrame:
    """Return a row for each method: class, what it trains, trainable and changed parameters, file in MB.

    share: of trainable parameters in the model's, in %. Every adapter is added to the
    model, counted and saved; a method that finds nothing to train in this model has
    zeros. The file of full fine-tuning is computed, not written.
    """
    total = base.model.num_parameters()
    rows = []
    for method in METHODS.values():
        trainable, changed, size = _measure(base, method)
        share = 100 * trainable / total
        rows.append((method.family, method.trains, trainable, share, changed, size / 1e6))
    columns = ["class", "trains", "trainable", "share (%)", "changed", "file (MB)"]
    names = pd.Index([method.title for method in METHODS.values()], name="method")
    return pd.DataFrame(rows, index=names, columns=columns).round({"share (%)": 3, "file (MB)": 2})


def _measure(base: LanguageModel, method: Method) -> tuple[int, int, int]:
    """Return how many parameters are trained and changed, and the bytes of the saved adapter."""
    try:
        adapted = add_adapter(base, method)
    except UnsupportedSetting:
        return 0, 0, 0
    trainable, changed = count_trainable(adapted.model), count_changed(adapted.model)
    if trainable == base.model.num_parameters():
        return trainable, changed, checkpoint_bytes(trainable, tasks=1)
    with tempfile.TemporaryDirectory() as folder:
        save_adapter(adapted, method, Path(folder), base=base)
        return trainable, changed, sum(file.stat().st_size for file in Path(folder).iterdir())
