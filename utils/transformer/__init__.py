"""Inside a transformer: its parts and their costs, attention, the KV cache, the logit lens and ablations."""

from utils.transformer.ablation import Ablation, ablation_table, switched_off
from utils.transformer.activations import llama_kind, record_activations
from utils.transformer.attention import (
    AttentionWeights,
    attention_parts,
    attention_weights,
    head_scores,
    heads_over,
    visibility,
    visible_pairs,
)
from utils.transformer.costs import cost_by_part, time_by_part
from utils.transformer.decoder import decoder_of, family
from utils.transformer.kv_cache import cache_bytes, timing_table, watch_passes
from utils.transformer.logit_lens import answers_forming, lens_table, logit_lens
from utils.transformer.map import model_map
from utils.transformer.sizes import read_sizes

__all__ = [
    "Ablation",
    "AttentionWeights",
    "ablation_table",
    "answers_forming",
    "attention_parts",
    "attention_weights",
    "cache_bytes",
    "cost_by_part",
    "decoder_of",
    "family",
    "head_scores",
    "heads_over",
    "lens_table",
    "llama_kind",
    "logit_lens",
    "model_map",
    "read_sizes",
    "record_activations",
    "switched_off",
    "time_by_part",
    "timing_table",
    "visibility",
    "visible_pairs",
    "watch_passes",
]
