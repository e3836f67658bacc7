"""Inside a transformer: attention and the KV cache."""

from utils.transformer.attention import visibility, visible_pairs
from utils.transformer.kv_cache import cache_bytes, timing_table, watch_passes

__all__ = ["cache_bytes", "timing_table", "visibility", "visible_pairs", "watch_passes"]
