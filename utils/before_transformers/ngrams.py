"""n-grams: the next token from how often it stood behind the last few, counted in a text."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from utils.arguments import whole_number

Context = tuple[int, ...]


@dataclass(frozen=True)
class NGrams:
    """What stood behind every context of up to order - 1 tokens, and how often; order 1 knows no context.

    counts: by the context's length. smoothed: interpolated with all shorter contexts by the method of I. Witten and
    T. Bell (1991), else the longest context alone.
    """

    counts: tuple[dict[Context, Counter[int]], ...]
    vocabulary: int
    smoothed: bool = True

    @property
    def order(self) -> int:
        """Tokens of an n-gram: the context and the one behind it."""
        return len(self.counts)

    def of_order(self, order: int, *, smoothed: bool = True) -> "NGrams":
        """Return the n-grams of this order or a lower one. Raises UnsupportedSetting."""
        rule = f"the order of these n-grams is a whole number from 1 to {self.order}"
        kept = self.counts[: whole_number(order, rule, least=1, most=self.order)]
        return replace(self, counts=kept, smoothed=smoothed)

    def after(self, ids: Sequence[int]) -> np.ndarray:
        """Return the probability of every token behind some ids, shape (vocabulary,).

        Smoothed: p(w | h) = (count(h w) + kinds(h) p(w | shorter h)) / (count(h) + kinds(h)), where kinds(h) is how
        many different tokens stood behind h; behind no context, with 1 / vocabulary. Not smoothed: count(h w) /
        count(h), zeros for a context that was never seen.
        """
        longest = min(len(ids), self.order - 1)
        if not self.smoothed:
            return self._shares(self._seen(ids, longest))
        found = np.full(self.vocabulary, 1 / self.vocabulary)
        for length in range(longest + 1):
            seen = self._seen(ids, length)
            if not seen:
                break
            total, kinds = seen.total(), len(seen)
            found = (total * self._shares(seen) + kinds * found) / (total + kinds)
        return found

    def predict(self, ids: Sequence[int]) -> np.ndarray:
        """Return the probabilities of the next token after each of some ids, shape (ids, vocabulary)."""
        reach = self.order - 1
        return np.stack([self.after(ids[max(0, end - reach) : end]) for end in range(1, len(ids) + 1)])

    def kinds(self, ids: Sequence[int]) -> int:
        """Return how many different tokens stood behind the longest context of some ids; 0 where it was never seen."""
        return len(self._seen(ids, min(len(ids), self.order - 1)))

    def unseen(self, texts: Sequence[Sequence[int]]) -> float:
        """Return the share, 0 to 1, of all n-grams in some texts that were never counted."""
        new = [
            ids[at] not in self._seen(ids[max(0, at - self.order + 1) : at], min(at, self.order - 1))
            for ids in texts
            for at in range(1, len(ids))
        ]
        return float(np.mean(new))

    def forced(self, ids: Sequence[int]) -> float:
        """Return the share, 0 to 1, of tokens whose context had one kind of token behind it: no choice was left."""
        return float(np.mean([self.kinds(ids[:at]) == 1 for at in range(1, len(ids))]))

    def _seen(self, ids: Sequence[int], length: int) -> Counter[int]:
        return self.counts[length].get(tuple(ids[len(ids) - length :]), Counter())

    def _shares(self, seen: Counter[int]) -> np.ndarray:
        found = np.zeros(self.vocabulary)
        if seen:
            found[list(seen)] = list(seen.values())
            found /= seen.total()
        return found


def count_ngrams(texts: Sequence[Sequence[int]], *, order: int, vocabulary: int) -> NGrams:
    """Return the n-grams of some texts, given as token ids, up to an order of 1 or more. Raises UnsupportedSetting."""
    most = whole_number(order, "the order of n-grams is a whole number, 1 or more", least=1)
    counts: tuple[dict[Context, Counter[int]], ...] = tuple(defaultdict(Counter) for _ in range(most))
    for ids in texts:
        for at in range(1, len(ids)):
            for length in range(min(at, most - 1) + 1):
                counts[length][tuple(ids[at - length : at])][ids[at]] += 1
    return NGrams(tuple(map(dict, counts)), vocabulary)
