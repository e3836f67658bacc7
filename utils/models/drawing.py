"""The course's own settings inside transformers' `generate`: what every row draws depends on no other row."""

from collections.abc import Callable, Sequence

import torch
from transformers import LogitsProcessor, StoppingCriteria

from utils.logits.config import DecodingConfig
from utils.logits.reshaping import reshape
from utils.logits.sampling import noise_at
from utils.models.stopping import Decode, before_stop


class Draw(LogitsProcessor):
    """Reshaped log-probabilities plus the noise of each row's seed: the largest is the token that is drawn.

    begun: how many tokens stand before the completions; mask: shape (rows, begun), 0 for padding,
    which a repetition penalty does not see.
    """

    def __init__(self, config: DecodingConfig, seeds: Sequence[int], mask: torch.Tensor) -> None:
        self.config, self.seeds, self.mask = config, seeds, mask.bool()

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return scores whose largest is the token to take, both of shape (rows, vocabulary)."""
        begun = self.mask.shape[1]
        before = torch.where(self.mask, input_ids[:, :begun], input_ids[:, begun - 1 : begun])
        seen = torch.cat([before, input_ids[:, begun:]], dim=1)
        probabilities = reshape(scores, **self.config.sampling, input_ids=seen)
        if self.config.temperature == 0:
            return probabilities
        position = input_ids.shape[1] - begun
        noise = torch.stack([noise_at(seed, position, scores.shape[-1]) for seed in self.seeds])
        return (probabilities.cpu().log() + noise).to(scores.device)


class Stop(StoppingCriteria):
    """Ends each row where a stop string stands in its completion, and says that a step is done.

    begun: how many tokens stand before the completions. lengths: tokens of the rows that it ended.
    """

    def __init__(self, decode: Decode, stop: Sequence[str], advance: Callable[[], None]) -> None:
        self.decode, self.stop, self.advance = decode, stop, advance
        self.begun, self.steps = 0, 0
        self.lengths: dict[int, int] = {}

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_unused: object) -> torch.Tensor:
        """Return which rows have ended, shape (rows,)."""
        self.steps += 1
        self.advance()
        new = input_ids[:, self.begun :]
        for row, ids in enumerate(new.tolist() if self.stop else ()):
            if row not in self.lengths and before_stop(self.decode, ids, self.stop) is not None:
                self.lengths[row] = len(ids)
        return torch.tensor([row in self.lengths for row in range(len(new))], device=input_ids.device)
