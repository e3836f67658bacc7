"""Inside a transformer: its sizes, attention and the KV cache."""

from utils.transformer.attention import (
    AttentionWeights,
    attention_parts,
    attention_weights,
    head_scores,
    heads_over,
    visibility,
    visible_pairs,
)
from utils.transformer.decoder import decoder_of, family
from utils.transformer.kv_cache import cache_bytes, timing_table, watch_passes
from utils.transformer.sizes import read_sizes

__all__ = [
    "AttentionWeights",
    "attention_parts",
    "attention_weights",
    "cache_bytes",
    "decoder_of",
    "family",
    "head_scores",
    "heads_over",
    "read_sizes",
    "timing_table",
    "visibility",
    "visible_pairs",
    "watch_passes",
]
