"""Bottleneck adapters: a narrow two-layer network behind each feed-forward layer.

Source: N. Houlsby et al., "Parameter-Efficient Transfer Learning for NLP", ICML 2019; one
adapter a block, as in J. Pfeiffer et al., "AdapterFusion", EACL 2021. peft has none.
"""

import torch
from torch import nn
from transformers import PreTrainedModel

from utils.errors import UnsupportedSetting
from utils.transformer.sizes import read_sizes

FEED_FORWARD = ("mlp", "DenseReluDense", "fc2")
"""What models call the last part of a block: LLaMA, Qwen and GPT-2; T5; BART."""


class Bottleneck(nn.Module):
    """A layer with an adapter behind it: output + up(gelu(down(output))).

    `up` begins with zeros, so that the layer first does what it did before.
    """

    def __init__(self, layer: nn.Module, hidden_size: int, width: int) -> None:
        super().__init__()
        self.layer = layer
        self.down = nn.Linear(hidden_size, width)
        self.up = nn.Linear(width, hidden_size)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return the adapted output, shape (..., hidden size)."""
        output = self.layer(hidden)
        return output + self.up(nn.functional.gelu(self.down(output)))


def add_bottlenecks(model: PreTrainedModel, width: int) -> PreTrainedModel:
    """Put an adapter behind every feed-forward layer of a model and return the model. Raises UnsupportedSetting."""
    places = [name for name, _ in model.named_modules() if name.rpartition(".")[2] in FEED_FORWARD]
    if not places:
        raise UnsupportedSetting(
            f"No feed-forward layers are known in a model of type {model.config.model_type!r}: use method='lora'."
        )
    size = read_sizes(model.config).hidden
    for name in places:
        parent, _, child = name.rpartition(".")
        layer = model.get_submodule(name)
        setattr(model.get_submodule(parent), child, Bottleneck(layer, size, width).to(model.device))
    return model
