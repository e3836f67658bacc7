"""What small models make of a text: bits, words of their own, and how far back they look."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from utils.before_transformers.networks import Network
from utils.before_transformers.ngrams import NGrams
from utils.before_transformers.vocabulary import Vocabulary

Bits = Callable[[Sequence[tuple[str, str]]], list[float]]
"""Pairs of a text and its continuation to the bits of each continuation: -log2 of its probability."""


@dataclass(frozen=True)
class Reader:
    """What predicts the next token, with the vocabulary that its tokens are of."""

    vocabulary: Vocabulary
    model: NGrams | Network

    def predict(self, ids: Sequence[int]) -> np.ndarray:
        """Return the probabilities of the next token after each of some ids, shape (ids, vocabulary)."""
        if isinstance(self.model, NGrams):
            return self.model.predict(ids)
        with torch.inference_mode():
            return self.model(torch.tensor([list(ids)]))[0].double().softmax(-1).numpy()

    def bits(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return the bits of each continuation behind its text; infinite where its probability is zero.

        The two must meet where a word begins, so that no token stands across.
        """
        found = []
        for before, continuation in pairs:
            given, ids = len(self.vocabulary.encode(before)), self.vocabulary.encode(before + continuation)
            probabilities = self.predict(ids[:-1])[np.arange(given - 1, len(ids) - 1), ids[given:]]
            with np.errstate(divide="ignore"):
                found.append(float(-np.log2(probabilities).sum()))
        return found

    def write(self, prompt: str, *, tokens: int, seed: int) -> str:
        """Return a prompt with what follows: so many tokens drawn by their probabilities, or up to the text's end."""
        ids, rng = self.vocabulary.encode(prompt), np.random.default_rng(seed)
        for _ in range(tokens):
            probabilities = self._last(ids)
            if not probabilities.any():
                break
            token = int(np.searchsorted(probabilities.cumsum(), rng.random() * probabilities.sum()))
            if token == 0:
                break
            ids.append(token)
        return self.vocabulary.decode(ids)

    def _last(self, ids: list[int]) -> np.ndarray:
        return self.model.after(ids) if isinstance(self.model, NGrams) else self.predict(ids)[-1]


def bits_per_byte(bits: Bits, texts: Sequence[str]) -> np.ndarray:
    """Return the bits that each text takes, divided by its bytes in UTF-8: low where a model expected the text.

    The first word is given, so that a model needs no token that begins a text, and is not counted. What it depends on
    is neither a vocabulary nor its size: models with different tokens are comparable.
    """
    pairs = [(first, f" {rest}") for first, rest in (text.split(" ", 1) for text in texts)]
    return np.array([some / len(rest.encode()) for some, (_, rest) in zip(bits(pairs), pairs, strict=True)])


def gradient_reach(network: Network, rows: torch.Tensor) -> np.ndarray:
    """Return how much the loss of each row's last token depends on the vectors of the tokens before it.

    rows: ids, shape (rows, tokens). Returns shape (tokens - 1,): at k, the mean over rows of the norm of the loss's
    gradient with respect to the token k + 1 steps before (S. Hochreiter, 1991; Y. Bengio and others, 1994).
    """
    vectors = network.embedding(rows[:, :-1]).detach().requires_grad_()
    loss = cross_entropy(network.read(vectors)[:, -1], rows[:, -1], reduction="sum")
    (gradient,) = torch.autograd.grad(loss, vectors)
    return gradient.norm(dim=-1).mean(0).flip(0).numpy()
