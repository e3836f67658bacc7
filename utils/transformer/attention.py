"""Who sees whom in a model, found by changing a token; and how much each head looks where: its attention weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from utils.arguments import texts as read_texts
from utils.arguments import whole_number
from utils.errors import ContextWindowExceeded, DataError, EmptyPrompt, UnsupportedSetting
from utils.internals import base_model, compute_attention_weights
from utils.models.language_model import LanguageModel
from utils.models.sharing import share
from utils.models.tokens import token_text
from utils.transformer.sizes import read_sizes

CHANGE = 1e-4
"""The least change that counts, as a share of the position's largest number; rounding stays far below."""

Visibility = pd.DataFrame
"""True where the output at a row's position depends on a column's token. Both axes: (part, token)."""

OUTPUTS = {"encoder": "encoder_attentions", "decoder": "decoder_attentions", "cross": "cross_attentions"}
WRITTEN = 12
"""Tokens that the decoder behind an encoder writes, to be looked at."""

MOST_BYTES = 2**30
"""What the weights of all heads may take."""

SCORES = ("previous token", "first token", "induction")
DRAWS = 4
"""Rows of random tokens, over which the induction score is a mean."""


@torch.inference_mode()
def visibility(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, text: str, decoder_text: str = ""
) -> Visibility:
    """Return the attention mask as measured: which positions see which tokens.

    Each token of `text` is changed in turn and the last hidden states are compared.
    decoder_text: what the decoder of an encoder-decoder model is given; its tokens follow
    those of `text` on both axes. The part is "encoder" or "decoder" there, "model" for other
    models. Shape: (positions, tokens), bool. Raises EmptyPrompt.
    """
    both = bool(model.config.is_encoder_decoder)
    first, second = (_ids(tokenizer, text), _ids(tokenizer, decoder_text) if both else [])
    ids = torch.tensor([*first, *second])
    rows = ids.repeat(len(ids) + 1, 1)
    each = torch.arange(len(ids))
    vocabulary = read_sizes(model.config).vocabulary
    rows[each + 1, each] = (ids + vocabulary // 2) % vocabulary
    hidden = _last_hidden_states(model, rows.to(model.device), len(first) if both else None)
    changes = (hidden[1:] - hidden[0]).abs().amax(-1).T
    seen = changes > CHANGE * hidden[0].abs().amax(-1)[:, None]
    parts = ["encoder"] * len(first) + ["decoder"] * len(second) if both else ["model"] * len(ids)
    words = [token_text(tokenizer, token).strip() for token in ids.tolist()]
    axis = pd.MultiIndex.from_arrays([parts, words], names=["part", "token"])
    return pd.DataFrame(seen.cpu().numpy(), index=axis, columns=axis)


def visible_pairs(families: Mapping[str, Visibility]) -> pd.DataFrame:
    """Return for each pair of parts of each family how many of its pairs of position and token are visible."""
    rows = []
    for family, seen in families.items():
        parts = seen.index.get_level_values("part").unique()
        for at in parts:
            for of in parts:
                block = seen.loc[at, of]
                rows.append((family, at, of, block.size, int(block.to_numpy().sum())))
    return pd.DataFrame(rows, columns=["family", "positions of", "see tokens of", "pairs", "seen"])


@dataclass(frozen=True)
class AttentionWeights:
    """How much each head takes from where. part: "decoder", "encoder", or "cross" (decoder on encoder).

    weights: float32, shape (layers, heads, queries, keys), from 0 to 1; a row of keys sums to 1.
    queries, keys: the texts of the tokens that look, and that are looked at. Layers and heads count from 0.
    """

    part: str
    weights: torch.Tensor
    queries: tuple[str, ...]
    keys: tuple[str, ...]

    def head(self, layer: int, head: int) -> torch.Tensor:
        """Return one head's weights, shape (queries, keys). Raises UnsupportedSetting."""
        layers, heads = self.weights.shape[:2]
        return self.weights[
            whole_number(layer, f"a layer is a whole number from 0 to {layers - 1}", least=0, most=layers - 1),
            whole_number(head, f"a head is a whole number from 0 to {heads - 1}", least=0, most=heads - 1),
        ]

    def table(self, layer: int, head: int) -> pd.DataFrame:
        """Return one head's weights, a row for each query and a column for each key. Raises UnsupportedSetting."""
        index, columns = pd.Index(self.queries, name="query"), pd.Index(self.keys, name="key")
        return pd.DataFrame(self.head(layer, head).numpy(), index=index, columns=columns)

    def strongest(self, layer: int, head: int, count: int = 3) -> pd.DataFrame:
        """Return the pairs of the largest weights: query, key, weight; only of queries that see more than one token."""
        weights = self.head(layer, head)
        choosing = torch.where((weights > 0).sum(-1, keepdim=True) > 1, weights, 0)
        values, places = choosing.flatten().topk(min(count, choosing.numel()))
        pairs = [divmod(place, len(self.keys)) for place in places.tolist()]
        rows = [(self.queries[q], self.keys[k], w) for (q, k), w in zip(pairs, values.tolist(), strict=True) if w > 0]
        return pd.DataFrame(rows, columns=["query", "key", "weight"])

    def means(self, layer: int, head: int) -> dict[str, float]:
        """Return the mean weights on the previous and on the first token, as `head_scores`; none for other parts."""
        if self.part != "decoder" or len(self.queries) < 3:
            return {}
        weights = self.head(layer, head)
        return {"previous token": float(_previous(weights).mean()), "first token": float(_first(weights).mean())}


def attention_parts(model: LanguageModel) -> tuple[str, ...]:
    """Return the kinds of attention that a model has: of its decoder, and where it has one, of and on its encoder."""
    return ("encoder", "decoder", "cross") if model.is_encoder_decoder else ("decoder",)


def attention_weights(model: LanguageModel, text: str, part: str = "decoder") -> AttentionWeights:
    """Return the attention weights of all heads while a model reads a text (Vaswani et al. 2017, arXiv 1706.03762).

    part: one of `attention_parts`. Behind an encoder, which reads the text, the decoder's tokens are the first ones
    that it writes. They are computed by a copy that shares the model's tensors: the model stays as it is.
    Raises EmptyPrompt, DataError, ContextWindowExceeded, UnsupportedSetting.
    """
    if part not in attention_parts(model):
        raise UnsupportedSetting(f"Part is one of {', '.join(attention_parts(model))}; {part!r} was given.")
    ids = _read(model, text)
    written = _written(model, text) if model.is_encoder_decoder else ids
    weights = _weights(model, [ids], [written])[part]
    queries, keys = {"encoder": (ids, ids), "decoder": (written, written), "cross": (written, ids)}[part]
    names = (tuple(token_text(model.tokenizer, token) for token in tokens) for tokens in (queries, keys))
    return AttentionWeights(part, weights[:, 0], *names)


def head_scores(model: LanguageModel, texts: Sequence[str], *, repeated: int = 25, seed: int = 0) -> pd.DataFrame:
    """Return how well each head of the decoder fits one of three patterns: mean attention weights, 0 to 1.

    Columns: layer, head; "previous token" and "first token", from the third token of the texts on; "induction"
    (Olsson et al. 2022, arXiv 2209.11895): so many random tokens are read twice, and a token of the second half looks
    at the token that followed it in the first. Raises DataError, EmptyPrompt, ContextWindowExceeded,
    UnsupportedSetting.
    """
    rows = [_read(model, text) for text in read_texts(texts, "the texts")]
    if not rows or min(map(len, rows)) < 3:
        raise DataError(
            "A head's scores need texts of three tokens or more: give at least one, and leave short ones out."
        )
    drawn = _twice(model, repeated, seed)
    read = [_weights(model, [row], [row])["decoder"] for row in rows]
    previous, first = (torch.cat([look(weights) for weights in read], dim=-1) for look in (_previous, _first))
    induction = _weights(model, drawn, drawn)["decoder"].diagonal(1 - repeated, -2, -1)[..., 1:-1]
    means = [weights.mean(dim=(1, -1)).flatten() for weights in (previous, first, induction)]
    layers, heads = previous.shape[0], previous.shape[2]
    places = [(layer, head) for layer in range(layers) for head in range(heads)]
    table = pd.DataFrame(places, columns=["layer", "head"])
    return table.assign(**{name: values.numpy() for name, values in zip(SCORES, means, strict=True)})


def heads_over(scores: pd.DataFrame, thresholds: Sequence[float] = (0.3, 0.5, 0.7)) -> pd.DataFrame:
    """Return for each threshold how many heads of `head_scores` reach it in each pattern, in none, and how many are."""
    found = scores[list(SCORES)]
    rows = {
        threshold: {
            **(found >= threshold).sum(),
            "none of them": (found < threshold).all(axis=1).sum(),
            "of": len(found),
        }
        for threshold in thresholds
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("threshold").astype(int)


def _previous(weights: torch.Tensor) -> torch.Tensor:
    """Return the weight of each token, from the third on, on the one before it: shape (..., queries - 2)."""
    return weights.diagonal(-1, -2, -1)[..., 1:]


def _first(weights: torch.Tensor) -> torch.Tensor:
    """Return the weight of each token, from the third on, on the first: shape (..., queries - 2)."""
    return weights[..., 2:, 0]


def _read(model: LanguageModel, text: str) -> list[int]:
    """Return a text's tokens. Raises UnsupportedSetting without heads, ContextWindowExceeded for too many tokens."""
    ids, config = model.encode(text), model.model.config
    if not getattr(config.get_text_config(decoder=True), "num_attention_heads", None):
        raise _no_heads(model)
    if len(ids) > model.context_window:
        raise ContextWindowExceeded(
            f"The text has {len(ids):,} tokens and the context window is {model.context_window:,}: shorten the text."
        )
    sizes = read_sizes(config)
    most = int((MOST_BYTES / (4 * sizes.layers * sizes.heads)) ** 0.5)
    if len(ids) > most:
        raise ContextWindowExceeded(
            f"The text has {len(ids):,} tokens, and the weights of all heads grow with the square of that: "
            f"give at most {most:,} tokens."
        )
    return ids


def _no_heads(model: LanguageModel) -> UnsupportedSetting:
    kind = model.model.config.model_type
    return UnsupportedSetting(
        f"{model.name} gives no attention weights, as models of its kind, {kind}, need not have heads in every layer: "
        "take a transformer."
    )


def _written(model: LanguageModel, text: str) -> list[int]:
    """Return the tokens that a decoder writes first, the one that every completion begins with before them."""
    completion = model.generate(text, max_new_tokens=WRITTEN)
    return [model.decoder_start, *model.tokenizer(completion, add_special_tokens=False)["input_ids"]]


def _twice(model: LanguageModel, repeated: int, seed: int) -> list[list[int]]:
    """Return rows of different random tokens, none of them special, each row followed by itself."""
    special = set(model.tokenizer.all_special_ids)
    ordinary = torch.tensor([token for token in range(model.embedded) if token not in special])
    most = min(len(ordinary), model.context_window // 2)
    count = whole_number(repeated, f"repeated is a whole number from 3 to {most}", least=3, most=most)
    chance = torch.Generator().manual_seed(seed)
    rows = [ordinary[torch.randperm(len(ordinary), generator=chance)[:count]].tolist() for _ in range(DRAWS)]
    return [row + row for row in rows]


@torch.inference_mode()
def _weights(model: LanguageModel, rows: list[list[int]], written: list[list[int]]) -> dict[str, torch.Tensor]:
    """Return each part's weights, shape (layers, rows, heads, queries, keys); written: what a decoder is given."""
    copy = share(base_model(model.model))
    compute_attention_weights(copy)
    inputs = {"input_ids": torch.tensor(rows, device=model.device), "output_attentions": True, "use_cache": False}
    if model.is_encoder_decoder:
        inputs["decoder_input_ids"] = torch.tensor(written, device=model.device)
    output = copy(**inputs)
    outputs = OUTPUTS if model.is_encoder_decoder else {"decoder": "attentions"}
    found = {
        part: [one for one in getattr(output, name, None) or () if one is not None] for part, name in outputs.items()
    }
    if not all(found.values()):
        raise _no_heads(model)
    return {part: torch.stack([layer.float().cpu() for layer in layers]) for part, layers in found.items()}


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    if not text.strip():
        raise EmptyPrompt("A text is empty: give each part of the model a text of a few words.")
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def _last_hidden_states(model: PreTrainedModel, rows: torch.Tensor, split: int | None) -> torch.Tensor:
    """Return hidden states of shape (rows, positions, size); the first `split` tokens go to an encoder."""
    ids = rows[:, :split]
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "output_hidden_states": True}
    if split is None:
        return model(**inputs).hidden_states[-1].float()
    output = model(**inputs, decoder_input_ids=rows[:, split:])
    return torch.cat([output.encoder_last_hidden_state, output.decoder_hidden_states[-1]], dim=1).float()
