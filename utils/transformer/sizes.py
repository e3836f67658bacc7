"""The sizes of a transformer's blocks, whatever its kind calls them."""

from dataclasses import dataclass

from transformers import PreTrainedConfig


@dataclass(frozen=True)
class Sizes:
    """What the blocks of a model have; of an encoder-decoder model, those of its decoder.

    vocabulary: tokens that it knows; hidden: numbers that a block hands on for each token;
    key_value_heads: fewer than heads where several share their keys and values; head_size:
    numbers of a key.
    """

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    key_value_heads: int
    head_size: int


def read_sizes(config: PreTrainedConfig) -> Sizes:
    """Return the sizes that a model's configuration states, or that follow from what it states."""
    text = config.get_text_config(decoder=True)
    heads = text.num_attention_heads
    return Sizes(
        vocabulary=text.vocab_size,
        hidden=text.hidden_size,
        layers=getattr(text, "num_decoder_layers", None) or text.num_hidden_layers,
        heads=heads,
        key_value_heads=getattr(text, "num_key_value_heads", None) or heads,
        head_size=getattr(text, "head_dim", None) or text.hidden_size // heads,
    )
