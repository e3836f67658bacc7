"""The training loop: cross-entropy on the completion, warm-up, clipping, early stopping, a state to go on from."""

import itertools
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from utils.adapters.methods import trained
from utils.arguments import number, whole_number
from utils.errors import TuningError
from utils.models.language_model import LanguageModel
from utils.training.forward import Forward
from utils.training.records import Encoded, batches_by_length

WARM_UP = 0.1
CLIP = 1.0
EVALUATIONS_PER_EPOCH = 2
PATIENCE = 3
EVALUATION_BATCH = 8
MOST = 2**32
"""The largest seed: times the steps it is still one that torch takes."""


@dataclass(frozen=True)
class TrainingConfig:
    """How long and how fast to train.

    epochs: times that every record is seen; learning_rate: the highest, reached after a
    warm-up over the first tenth of the steps, then falling to zero in a straight line;
    batch_size: records a step. This is the one place that checks these settings. Raises
    UnsupportedSetting.
    """

    epochs: int
    learning_rate: float
    batch_size: int
    seed: int = 0

    def __post_init__(self) -> None:
        rate = "the learning rate is a number above 0, 1e30 at most"
        checked = {
            "epochs": whole_number(self.epochs, "the number of epochs is a whole number, 1 or more", least=1),
            "learning_rate": number(self.learning_rate, rate, least=0, most=1e30, above=True),
            "batch_size": whole_number(self.batch_size, "the batch_size is a whole number, 1 or more", least=1),
            "seed": whole_number(self.seed, "a seed is a whole number, 2**32 at most", least=-MOST, most=MOST),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Measured:
    """What was measured after one step.

    loss: mean cross-entropy of the completions' tokens, natural logarithm; accuracy: the
    fraction of correct next-step predictions, 0 to 1; both before the step's change. The
    validation's two are None between evaluations. seconds: trained so far.
    """

    step: int
    steps: int
    epoch: float
    loss: float
    accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    learning_rate: float
    seconds: float


class Training:
    """One training run: `run` yields after every step, where `state` may be taken.

    Ends with the adapter of the lowest validation loss. The optimizer is AdamW without
    weight decay (I. Loshchilov and F. Hutter, 2019).
    """

    def __init__(
        self,
        model: LanguageModel,
        forward: Forward,
        train: Sequence[Encoded],
        validation: Sequence[Encoded],
        config: TrainingConfig,
    ) -> None:
        self.model, self.forward, self.config = model.model, forward, config
        self.train, self.validation = train, sorted(validation, key=len)
        self.weights = dict(trained(self.model))
        self.optimizer = torch.optim.AdamW(self.weights.values(), lr=config.learning_rate, weight_decay=0.0)
        self.steps_per_epoch = math.ceil(len(train) / config.batch_size)
        self.steps = config.epochs * self.steps_per_epoch
        self.step, self.seconds = 0, 0.0
        self.best_loss, self.best_weights, self.worse = math.inf, {}, 0

    @property
    def stopped_early(self) -> bool:
        """Whether early stopping ended the training: the validation loss had not fallen for PATIENCE evaluations."""
        return self.worse >= PATIENCE

    def run(self) -> Iterator[Measured]:
        """Train from the step reached so far to the end.

        Raises TuningError when the loss, or after the last step a weight, is no finite number.
        """
        for indices in itertools.islice(self._order(), self.step, None):
            begun = time.perf_counter()
            rate = self._set_learning_rate()
            loss, accuracy = self._learn([self.train[index] for index in indices])
            self.step += 1
            validation = self._validate() if self._evaluates() else (None, None)
            self.seconds += time.perf_counter() - begun
            epoch = self.step / self.steps_per_epoch
            yield Measured(self.step, self.steps, epoch, loss, accuracy, *validation, rate, self.seconds)
            if self.stopped_early:
                break
        if not all(torch.isfinite(weight).all() for weight in (*self.weights.values(), *self.best_weights.values())):
            raise self._diverged("Numbers of the model are not finite after the last step")
        with torch.no_grad():
            for name, weight in self.best_weights.items():
                self.weights[name].copy_(weight)
        self.model.eval()

    def state(self) -> dict[str, Any]:
        """Return all that `resume` needs to go on from here as if nothing had happened."""
        return {
            "weights": _copies(self.weights),
            "optimizer": self.optimizer.state_dict(),
            **{name: getattr(self, name) for name in ("step", "seconds", "best_loss", "best_weights", "worse")},
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Take up a state that `state` returned."""
        with torch.no_grad():
            for name, weight in state["weights"].items():
                self.weights[name].copy_(weight)
        self.optimizer.load_state_dict(state["optimizer"])
        for name in ("step", "seconds", "best_loss", "best_weights", "worse"):
            setattr(self, name, state[name])

    def _order(self) -> Iterator[list[int]]:
        for epoch in range(self.config.epochs):
            seed = self.config.seed * self.config.epochs + epoch
            yield from batches_by_length(self.train, self.config.batch_size, seed=seed)

    def _set_learning_rate(self) -> float:
        rate = self.config.learning_rate * share_of_rate(self.step, self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def _learn(self, records: Sequence[Encoded]) -> tuple[float, float]:
        self.model.train()
        with torch.random.fork_rng():  # for models with dropout
            torch.manual_seed(self.config.seed * self.steps + self.step)
            logits, targets = self.forward(records)
        loss = cross_entropy(logits.float(), targets)
        if not torch.isfinite(loss):
            raise self._diverged(f"The loss became {loss.item()} at step {self.step + 1}")
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.weights.values(), CLIP)
        self.optimizer.step()
        return loss.item(), _share_right(logits, targets)

    def _diverged(self, what: str) -> TuningError:
        return TuningError(
            f"{what}: the training diverged. Start again with a learning rate below {self.config.learning_rate:g}, "
            "a tenth of it to begin with."
        )

    def _evaluates(self) -> bool:
        if not self.validation:
            return False
        every = max(1, self.steps_per_epoch // EVALUATIONS_PER_EPOCH)
        return self.step % every == 0 or self.step == self.steps

    def _validate(self) -> tuple[float, float]:
        loss, accuracy = evaluate(self.model, self.forward, self.validation)
        if loss < self.best_loss:
            self.best_loss, self.best_weights, self.worse = loss, _copies(self.weights), 0
        else:
            self.worse += 1
        return loss, accuracy


def share_of_rate(step: int, steps: int) -> float:
    """Return the learning-rate schedule, linear warm-up and decay: the share of the highest rate at a step from 0."""
    warm_up = max(1, round(WARM_UP * steps))
    return min((step + 1) / warm_up, (steps - step) / max(1, steps - warm_up), 1.0)


@torch.no_grad()
def evaluate(model: torch.nn.Module, forward: Forward, records: Sequence[Encoded]) -> tuple[float, float]:
    """Return mean cross-entropy and token accuracy over the completions' tokens of all records."""
    model.eval()
    losses, right, tokens = 0.0, 0.0, 0
    for start in range(0, len(records), EVALUATION_BATCH):
        logits, targets = forward(records[start : start + EVALUATION_BATCH])
        losses += cross_entropy(logits.float(), targets, reduction="sum").item()
        right += _share_right(logits, targets) * len(targets)
        tokens += len(targets)
    return losses / tokens, right / tokens


def _share_right(logits: torch.Tensor, targets: torch.Tensor) -> float:
    return (logits.argmax(-1) == targets).float().mean().item()


def _copies(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in weights.items()}
