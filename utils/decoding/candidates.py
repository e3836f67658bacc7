"""What the sampler shows: the likeliest next tokens before and after reshaping, and why each was kept or cut."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd
import torch

from utils.logits.config import DecodingConfig
from utils.logits.reshaping import Stages, entropy, stages
from utils.logits.sampling import noise_at, pick
from utils.logits.threads import one_thread
from utils.models.language_model import LanguageModel
from utils.models.tokens import quoted, token_text

SHOWN = 20
REST = "rest of the vocabulary"


@dataclass(frozen=True)
class Candidate:
    """A token, or the rest of the vocabulary together, with its probability before and after reshaping.

    cut_by: the step that cut it, None if it was kept (for the rest: if any of it was).
    cumulative: the running sum that top-p looks at: this token and all that come before it,
    likeliest first, ties in the vocabulary's order. greedy: no step cut and no seed drew, the
    likeliest was taken.
    """

    text: str
    before: float
    after: float
    cut_by: str | None
    cumulative: float
    drawn: bool
    greedy: bool = False

    @property
    def kept_or_cut(self) -> str:
        """Kept, or cut by which step; with greedy decoding, taken or not."""
        if self.greedy:
            return "taken" if self.drawn else "not taken"
        return f"cut by {self.cut_by}" if self.cut_by else "kept"

    @property
    def fate(self) -> str:
        """The same, and whether it was drawn."""
        return f"{self.kept_or_cut}, drawn" if self.drawn and not self.greedy else self.kept_or_cut


@dataclass(frozen=True)
class NextToken:
    """The next-token distribution under one configuration.

    candidates: the model's likeliest tokens in its own order, then the rest as one. kept:
    how many tokens of the vocabulary no step cut. drawn: the token chosen.
    entropy_before, entropy_after: bits.
    """

    candidates: tuple[Candidate, ...]
    kept: int
    vocabulary: int
    drawn: str
    drawn_probability: float
    entropy_before: float
    entropy_after: float
    config: DecodingConfig

    @property
    def summary(self) -> str:
        """The state in one sentence."""
        how = "Greedy decoding takes" if self.config.temperature == 0 else f"Seed {self.config.seed} draws"
        return (
            f"{self.kept:,} of {self.vocabulary:,} tokens kept. {how} {quoted(self.drawn)} with probability "
            f"{self.drawn_probability:.3f}. Entropy: {self.entropy_before:.2f} bits before, "
            f"{self.entropy_after:.2f} bits after."
        )

    def table(self) -> pd.DataFrame:
        """Return a row for each candidate: token, probability before and after, kept or cut by which step."""
        rows = [(quoted(c.text), c.before, c.after, c.kept_or_cut) for c in self.candidates]
        return pd.DataFrame(rows, columns=["token", "before", "after", "fate"]).round(3)


@dataclass(frozen=True)
class ReadPrompt:
    """A prompt that was read once: the ids a repetition penalty sees, the logits, how a token is written."""

    prompt: str
    ids: torch.Tensor
    logits: torch.Tensor
    text_of: Callable[[int], str]


def read_prompt(model: LanguageModel, prompt: str) -> ReadPrompt:
    """Run the model on a prompt. Raises EmptyPrompt, ContextWindowExceeded."""
    logits = model.next_token_logits(prompt).cpu()
    ids = [model.decoder_start] if model.is_encoder_decoder else model.encode(prompt)
    return ReadPrompt(prompt, torch.tensor(ids), logits, lambda token: token_text(model.tokenizer, token))


def given(prompt: str, probabilities: Mapping[str, float]) -> ReadPrompt:
    """Return a prompt as if a model with this small vocabulary had given these probabilities."""
    words = list(probabilities)
    logits = torch.tensor(list(probabilities.values()), dtype=torch.float64).log().float()
    return ReadPrompt(prompt, torch.zeros(0, dtype=torch.long), logits, words.__getitem__)


@one_thread()
def next_token(read: ReadPrompt, config: DecodingConfig, *, shown: int = SHOWN) -> NextToken:
    """Return what the configuration makes of the logits behind a prompt; the model is not run."""
    found = stages(read.logits, **config.sampling, input_ids=read.ids)
    before, after = found.probabilities[0], found.probabilities[-1]
    tokens = _likeliest(before, shown)
    drawn = draw(after, config)
    cumulative = _running_sums(found.probabilities[found.names.index("top-p") - 1], tokens)
    facts = zip(*(row[tokens].tolist() for row in (before, after, found.cut_by)), cumulative.tolist(), strict=True)
    candidates = [
        Candidate(
            text=read.text_of(token),
            before=first,
            after=last,
            cut_by=found.names[step] if step else None,
            cumulative=min(total, 1.0),
            drawn=token == drawn,
            greedy=config.temperature == 0,
        )
        for token, (first, last, step, total) in zip(tokens.tolist(), facts, strict=True)
    ]
    kept = int((found.cut_by == 0).sum())
    rest = [_rest(candidates, kept, found)] if len(before) > len(candidates) else []
    return NextToken(
        candidates=(*candidates, *rest),
        kept=kept,
        vocabulary=len(before),
        drawn=read.text_of(drawn),
        drawn_probability=float(after[drawn]),
        entropy_before=float(entropy(before)),
        entropy_after=float(entropy(after)),
        config=config,
    )


def compare(panels: Mapping[str, NextToken], *, tokens: int = 3) -> pd.DataFrame:
    """Return a row for each configuration: the likeliest tokens, all others, tokens kept, entropy in bits."""
    rows = [
        [*[c.after for c in found.candidates[:tokens]], sum(c.after for c in found.candidates[tokens:])]
        for found in panels.values()
    ]
    likeliest = next(iter(panels.values())).candidates[:tokens]
    table = pd.DataFrame(rows, index=list(panels), columns=[*[quoted(c.text) for c in likeliest], "all others"])
    table["tokens kept"] = [found.kept for found in panels.values()]
    table["entropy (bits)"] = [found.entropy_after for found in panels.values()]
    return table.round(2)


def draw(probabilities: torch.Tensor, config: DecodingConfig) -> int:
    """Return the first token of the completion that this configuration and seed give."""
    if config.temperature == 0:
        return int(probabilities.argmax())
    return int(pick(probabilities, noise_at(config.seed, 0, len(probabilities))))


def _likeliest(probabilities: torch.Tensor, number: int) -> torch.Tensor:
    """Return the likeliest tokens, the first in the vocabulary first among equals."""
    number = min(number, len(probabilities))
    enough = (probabilities >= probabilities.topk(number).values[-1]).nonzero()[:, 0]
    return enough[probabilities[enough].argsort(descending=True, stable=True)[:number]]


def _running_sums(probabilities: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Return, for each token, the sum of all likelier ones, of its equals earlier in `tokens`, and of itself."""
    mine = probabilities[tokens].double()
    if torch.equal(mine, probabilities.topk(len(tokens)).values.double()):
        return mine.cumsum(0)
    likelier = torch.where(probabilities > mine[:, None], probabilities.double(), 0).sum(-1)
    return likelier + mine * (mine == mine[:, None]).tril().sum(-1)


def _rest(shown: list[Candidate], kept: int, found: Stages) -> Candidate:
    """All tokens that are not shown, as one; cut by the step that cut most of them, if none was kept."""
    any_left = kept > sum(candidate.cut_by is None for candidate in shown)
    cut = torch.bincount(found.cut_by.flatten().int(), minlength=len(found.names))
    for candidate in shown:
        cut[found.names.index(candidate.cut_by) if candidate.cut_by else 0] -= 1
    return Candidate(
        text=REST,
        before=max(0.0, 1 - sum(candidate.before for candidate in shown)),
        after=max(0.0, 1 - sum(candidate.after for candidate in shown)) if any_left else 0.0,
        cut_by=None if any_left else found.names[int(cut[1:].argmax()) + 1],
        cumulative=1.0,
        drawn=not any(candidate.drawn for candidate in shown),
        greedy=shown[0].greedy,
    )
