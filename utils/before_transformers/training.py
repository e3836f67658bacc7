"""Training a small network on rows of tokens: cross-entropy, AdamW, one cycle of the learning rate."""

from collections.abc import Callable, Iterator

import torch
from torch.nn.functional import cross_entropy

from utils.before_transformers.networks import Network
from utils.errors import TuningError
from utils.progress import progress

WARM_UP = 0.1
CLIP = 1.0

Show = Callable[[list[float]], object]
"""Takes the losses so far."""


def next_token_loss(network: Network, rows: torch.Tensor) -> torch.Tensor:
    """Return the mean cross-entropy in nats of every token but the first; rows: ids, shape (rows, tokens)."""
    return cross_entropy(network(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())


def train(
    network: Network,
    rows: torch.Tensor,
    *,
    steps: int,
    rows_a_step: int = 16,
    learning_rate: float = 4e-3,
    seed: int = 0,
    show: Show | None = None,
) -> list[float]:
    """Train a network to predict the next token and return the loss of every step, in nats a token.

    rows: ids, shape (rows, tokens), read in an order that the seed mixes, again and again. learning_rate: the highest
    of one cycle (L. Smith and N. Topin, 2018). show: is told the losses after every step. An interrupt leaves the
    network as it is after its last step. Raises TuningError when the loss is no finite number.
    """
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps, pct_start=WARM_UP)
    losses: list[float] = []
    order = _order(len(rows), rows_a_step, seed)
    network.train()
    try:
        for _ in progress(range(steps), "Training"):
            loss = next_token_loss(network, rows[next(order)])
            if not torch.isfinite(loss):
                raise TuningError(
                    f"The loss became {loss.item()} at step {len(losses) + 1}: make the network anew and train it "
                    f"with a learning rate below {learning_rate:g}."
                )
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            if show:
                show(losses)
    except KeyboardInterrupt as stopped:
        stopped.add_note(
            f"The network keeps what it has learnt in {len(losses):,} of {steps:,} steps: go on with it as it is, or "
            "make it anew and run this cell again."
        )
        raise
    finally:
        network.eval()
    return losses


def _order(rows: int, rows_a_step: int, seed: int) -> Iterator[torch.Tensor]:
    """Yield the indices of each step's rows, without an end."""
    mixed = torch.Generator().manual_seed(seed)
    while True:
        yield from torch.randperm(rows, generator=mixed).split(rows_a_step)
