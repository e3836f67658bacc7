"""Draw tokens from distributions; every random choice is fixed by a seed and a position."""

import random
from collections.abc import Sequence
from functools import lru_cache

import torch

from utils.logits.threads import one_thread


@one_thread()
def sample(probabilities: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return token ids drawn from distributions of shape (..., vocabulary): shape (...).

    Drawn by the Gumbel-max trick: the largest log-probability plus noise wins. The noise
    does not look at the probabilities, so with the same generator state another setting
    changes the token only where its own effect outweighs the noise. Source: Gumbel, 1954.
    """
    return pick(probabilities, gumbel_noise(probabilities.shape, generator))


def gumbel_noise(shape: Sequence[int], generator: torch.Generator) -> torch.Tensor:
    """Return independent noise from the standard Gumbel distribution: float64 of this shape."""
    uniform = torch.rand(shape, dtype=torch.float64, generator=generator)
    return -(-uniform.log()).log()


@lru_cache(maxsize=32)
def noise_at(seed: int, position: int, vocabulary: int) -> torch.Tensor:
    """Return the Gumbel noise of one position of a completion: float64 of shape (vocabulary,)."""
    return gumbel_noise((vocabulary,), noise_generator(seed, position))


def pick(probabilities: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Return the tokens whose log-probability plus Gumbel noise is largest: shape (...)."""
    return (probabilities.cpu().log() + noise).argmax(-1)


def noise_generator(seed: int, position: int) -> torch.Generator:
    """Return the generator of the noise for one position of a completion: the same for all settings."""
    return torch.Generator().manual_seed(random.Random(f"{seed} {position}").getrandbits(63))
