"""Forward passes over many rows: each row reads some tokens, and gets the logits behind them.

Rows of the base, of LoRA adapters and of soft prompts share a batch. An adapter that changes layers otherwise has a
batch of its own, on the same weights. A kind of model whose rows cannot be packed reads one after the other.
"""

from collections.abc import Sequence
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import torch

from utils.decoding.generation import CachedReader
from utils.internals import base_model, cache_layers, virtual_tokens
from utils.models.language_model import LanguageModel
from utils.models.packing import can_pack
from utils.models.sharing import share
from utils.serving.kv_cache import RowCache, plan_step, use_rows
from utils.serving.lora_stack import LoraStack
from utils.serving.prefixes import BLOCK, PrefixCache, block_names
from utils.serving.requests import Adapter
from utils.serving.rows import Row
from utils.serving.settings import Limits


class Runner(Protocol):
    """What reads rows. whole_prompts: a prompt is read in one step, and not in chunks."""

    whole_prompts: bool

    def add(self, row: Row) -> None:
        """Make room for a row."""

    def remove(self, row: Row) -> None:
        """Let go of a row."""

    def skip(self, row: Row) -> None:
        """Move a row on over what is known of its prompt already."""

    def read(self, reads: Sequence[tuple[Row, int]]) -> list[torch.Tensor]:
        """Read so many tokens of each row; return the logits behind the last, or behind all of them."""


class PackedRunner:
    """All rows' tokens packed into one pass of a model, over one KV cache."""

    whole_prompts = False

    def __init__(self, model: Any, prefixes: PrefixCache) -> None:
        self.model, self.prefixes = model, prefixes
        self.cache = RowCache()
        self._lora = LoraStack(model)
        self._soft_prompts: WeakKeyDictionary[Adapter, torch.Tensor] = WeakKeyDictionary()
        use_rows(model)

    def add(self, row: Row) -> None:
        """Make room for a row; a soft prompt is in the cache before it."""
        self.cache.add(row, tokens=row.longest)
        if (soft := self._soft_prompt(row)) is not None:
            self.cache.write(row, 0, soft)

    def remove(self, row: Row) -> None:
        """Let go of a row."""
        self.cache.remove(row)

    def skip(self, row: Row) -> None:
        """Move a row on over the blocks of its prompt that another row has read."""
        if row.request.read_prompt or row.read % BLOCK or row.read >= len(row.prompt):
            return
        for name in self._blocks(row)[row.read // BLOCK :]:
            block = self.prefixes.find(name)
            if block is None:
                return
            self.cache.write(row, row.soft + row.read, block)
            row.read += BLOCK

    def read(self, reads: Sequence[tuple[Row, int]]) -> list[torch.Tensor]:
        """Read so many tokens of each row in one pass."""
        device = self.model.device
        ids = [token for row, tokens in reads for token in row.unread[:tokens]]
        step = plan_step(self.cache, [(row, row.soft + row.read, tokens) for row, tokens in reads], device=device)
        kept, counts, end = list[int](), list[int](), 0
        for row, tokens in reads:
            end += tokens
            counts.append(tokens if row.request.read_prompt and row.read < len(row.prompt) else 1)
            kept += range(end - counts[-1], end)
        self._lora.choose([_lora(row) for row, tokens in reads for _ in range(tokens)])
        logits = self.model(
            torch.tensor([ids], device=device),
            position_ids=step.positions[None],
            logits_to_keep=torch.tensor(kept, device=device),
            use_cache=False,
            step=step,
        ).logits[0]
        for row, tokens in reads:
            self._keep_blocks(row, tokens)
        return list(logits.float().split(counts))

    def _keep_blocks(self, row: Row, tokens: int) -> None:
        """Keep the blocks of a prompt that these tokens have made whole."""
        if row.read >= len(row.prompt):
            return
        names = self._blocks(row)
        for number in range(row.read // BLOCK, min((row.read + tokens) // BLOCK, len(names))):
            if names[number] not in self.prefixes:
                start = row.soft + number * BLOCK
                self.prefixes.keep(names[number], self.cache.copy(row, start, start + BLOCK))

    def _blocks(self, row: Row) -> list[bytes]:
        adapter = row.request.adapter
        return block_names(row.prompt, reader=adapter.fingerprint if adapter else "")

    def _soft_prompt(self, row: Row) -> torch.Tensor | None:
        """Return the keys and values of a soft prompt: (layers, 2, heads, tokens, size), None without one."""
        adapter = row.request.adapter
        if adapter is None or adapter.model is None or not row.soft:
            return None
        if adapter not in self._soft_prompts:
            one = torch.tensor([row.prompt[:1]], device=self.model.device)
            cache = adapter.model.model(input_ids=one, use_cache=True).past_key_values
            layers = [torch.stack([part[0, :, : row.soft] for part in layer]) for layer in cache_layers(cache)]
            self._soft_prompts[adapter] = torch.stack(layers)
        return self._soft_prompts[adapter]


class SingleRunner:
    """One row after the other, each with a KV cache of its own: for every kind of model."""

    whole_prompts = True

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self._readers: dict[Row, CachedReader | None] = {}

    def add(self, row: Row) -> None:
        """Make room for a row."""
        self._readers[row] = None

    def remove(self, row: Row) -> None:
        """Let go of a row."""
        del self._readers[row]

    def skip(self, row: Row) -> None:
        """Nothing is known of a prompt before it is read."""

    def read(self, reads: Sequence[tuple[Row, int]]) -> list[torch.Tensor]:
        """Read a row's whole prompt, or its last token, row by row."""
        return [self._read(row) for row, _ in reads]

    def _read(self, row: Row) -> torch.Tensor:
        reader = self._readers[row]
        if reader is not None:
            return reader.read([row.ids[-1]])
        first = 1 if row.request.read_prompt else len(row.prompt)
        reader = self._readers[row] = CachedReader(self.model, row.prompt[:first], rows=1)
        return reader.start(row.prompt[first:])[0]


class Runners:
    """The runner of each adapter, and of the base; they keep prefixes in one place, each under its reader's name."""

    def __init__(self, model: LanguageModel, limits: Limits) -> None:
        self.prefixes = PrefixCache(tokens=limits.prefix_tokens, seconds=limits.prefix_seconds)
        self._packs = can_pack(model.model)
        self._base = PackedRunner(share(model.model), self.prefixes) if self._packs else SingleRunner(model)
        self._others: WeakKeyDictionary[Adapter, Runner] = WeakKeyDictionary()

    def of(self, adapter: Adapter | None) -> Runner:
        """Return what reads the rows of an adapter, of the base for None."""
        if adapter is None or adapter.model is None or (self._packs and virtual_tokens(adapter.model.model)):
            return self._base
        if adapter not in self._others:
            packed = self._packs and PackedRunner(base_model(adapter.model.model), self.prefixes)
            self._others[adapter] = packed or SingleRunner(adapter.model)
        return self._others[adapter]


def _lora(row: Row) -> Adapter | None:
    """Return a row's adapter where it is one that stacks."""
    adapter = row.request.adapter
    return adapter if adapter and adapter.weights else None
