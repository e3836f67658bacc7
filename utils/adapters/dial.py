"""The scale of a LoRA adapter: its change of the weights, times a number from 0 to 2."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd
from peft.helpers import rescale_adapter_scale

from utils.arguments import a_list, number, texts
from utils.datasets.records import TextToText, completion_text
from utils.errors import UnknownLabel, UnsupportedSetting
from utils.internals import is_variant, lora_layers
from utils.models.forcing import continuation_ids
from utils.models.language_model import LanguageModel

LOWEST, HIGHEST = 0.0, 2.0
OTHER = "other"


def check_scale(scale: Any) -> float:
    """Return a scale, 0 to 2. Raises UnsupportedSetting."""
    return number(scale, "an adapter is scaled by a number from 0 to 2", least=LOWEST, most=HIGHEST)


@contextmanager
def at_scale(model: LanguageModel, scale: float) -> Generator[None]:
    """Run a model with its LoRA adapter's change times a scale, and set it back afterwards.

    scale: 0 (the base model) to 2; 1 is the adapter as it was tuned. One `at_scale` inside
    another multiplies their scales. Raises UnsupportedSetting for another scale, and for a
    model without a LoRA adapter that can be scaled as a whole (peft's `rescale_adapter_scale`).
    """
    scale = check_scale(scale)
    layers = lora_layers(model.model)
    if not layers:
        raise UnsupportedSetting(
            f"{model.name} has no LoRA adapter to scale: take a model tuned with 'lora', before it is merged."
        )
    if any(map(is_variant, layers)):
        raise UnsupportedSetting(
            "A DoRA adapter also changes the length of each row, which a scale leaves as it is: "
            "take a model tuned with 'lora'."
        )
    with rescale_adapter_scale(model.model, float(scale)):
        yield


def label_probabilities(model: LanguageModel, prompt: str, labels: Sequence[str], scale: float) -> dict[str, float]:
    """Return the probability of each label's first token behind a prompt, and of all other tokens as "other".

    The labels stand behind the prompt as they do in a record that is tuned on. The values
    sum to 1. Raises UnsupportedSetting as `at_scale` does, and UnknownLabel for
    labels that begin with the same token.
    """
    labels = texts(labels, "the labels")
    tokens = [_first_token(model, prompt, label) for label in labels]
    if len(set(tokens)) < len(labels):
        raise UnknownLabel(f"The labels {', '.join(labels)} begin with the same token: take other ones.")
    with at_scale(model, scale):
        probabilities = model.next_token_logits(prompt).softmax(-1)
    found = {label: float(probabilities[token]) for label, token in zip(labels, tokens, strict=True)}
    return {**found, OTHER: max(0.0, 1 - sum(found.values()))}


def dial_curve(
    model: LanguageModel, prompts: Mapping[str, str], labels: Sequence[str], scales: Sequence[float]
) -> pd.DataFrame:
    """Return the probability of the first label among the labels: a row for each scale, a column for each prompt.

    prompts: by the name of their column. Raises what `label_probabilities` raises.
    """
    labels, scales = texts(labels, "the labels"), a_list(scales, "scales")
    columns = {
        name: [among(label_probabilities(model, prompt, labels, scale))[labels[0]] for scale in scales]
        for name, prompt in prompts.items()
    }
    return pd.DataFrame(columns, index=pd.Index(scales, name="scale", dtype=float))


def among(probabilities: Mapping[str, float]) -> dict[str, float]:
    """Return the shares that the labels have among themselves, "other" left out; they sum to 1."""
    labels = {label: value for label, value in probabilities.items() if label != OTHER}
    total = sum(labels.values())
    return {label: value / total if total else 1 / len(labels) for label, value in labels.items()}


def _first_token(model: LanguageModel, prompt: str, label: str) -> int:
    tokens = (
        continuation_ids(model, prompt, completion_text(TextToText(prompt, label.strip()))) if label.strip() else []
    )
    if not tokens:
        raise UnknownLabel(f"The label {label!r} has no token: give every label at least one character that is read.")
    return tokens[0]
