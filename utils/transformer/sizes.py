"""The sizes of a transformer's blocks, whatever its kind calls them."""

from dataclasses import dataclass

from transformers import PreTrainedConfig


@dataclass(frozen=True)
class Sizes:
    """What the blocks of a model have; of an encoder-decoder model, those of its decoder.

    vocabulary: tokens that it knows; hidden: numbers that a block hands on for each token;
    key_value_heads: fewer than heads where several share their keys and values; head_size:
    numbers of a key. windowed: layers that look back at most `window` tokens, the newest included.
    """

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    key_value_heads: int
    head_size: int
    windowed: int = 0
    window: int = 0

    def cache_numbers(self, tokens: int) -> int:
        """Return how many numbers the KV cache of a text holds: keys and values of all tokens that are still seen."""
        seen = (self.layers - self.windowed) * tokens + self.windowed * min(tokens, self.window - 1)
        return 2 * self.key_value_heads * self.head_size * seen


def read_sizes(config: PreTrainedConfig) -> Sizes:
    """Return the sizes that a model's configuration states, or that follow from what it states."""
    text = config.get_text_config(decoder=True)
    heads, window = text.num_attention_heads, getattr(text, "sliding_window", None) or 0
    layers = getattr(text, "num_decoder_layers", None) or text.num_hidden_layers
    kinds = getattr(text, "layer_types", None) or ["sliding_attention"] * layers
    windowed = kinds.count("sliding_attention") if window else 0
    return Sizes(
        vocabulary=text.vocab_size,
        hidden=text.hidden_size,
        layers=layers,
        heads=heads,
        key_value_heads=getattr(text, "num_key_value_heads", None) or heads,
        head_size=getattr(text, "head_dim", None) or text.hidden_size // heads,
        windowed=windowed,
        window=window if windowed else 0,
    )
