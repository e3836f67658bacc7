"""Two to four prompts, models or settings beside each other, at the same seeds and on the same records."""

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from utils.datasets.records import TextToText
from utils.errors import CourseError, DataError
from utils.evaluation.intervals import Interval, interval_table
from utils.models.language_model import LanguageModel
from utils.studio.prompt import Prompt
from utils.studio.scoring import Scores, answer_blocks, check_metric, is_drawn, own_answers, scored

FEWEST, MOST = 2, 4
WORST = 10
FEW_RECORDS = 10
"""With fewer records than this a bootstrap interval is too narrow to be believed."""

Load = Callable[[str], LanguageModel]
"""Returns the model of a reference: `Models.load`."""


@dataclass(frozen=True)
class Contestant:
    """A prompt, with its model and settings, under the name that the comparison has for it."""

    name: str
    prompt: Prompt


@dataclass(frozen=True)
class Progress:
    """How far a comparison is. doing: what comes next, in words; done, total: answers."""

    doing: str
    done: int
    total: int

    def __str__(self) -> str:
        return f"{self.doing}: {self.done:,} of {self.total:,} answers"


@dataclass(frozen=True)
class SideBySide:
    """Answers to look at, without a measure: a tuple a contestant, an answer a seed."""

    names: tuple[str, ...]
    seeds: tuple[int, ...]
    answers: tuple[tuple[str, ...], ...]

    @property
    def said(self) -> str:
        """How many different answers each contestant gave."""
        counts = ", ".join(f"{name} {len(set(each))}" for name, each in zip(self.names, self.answers, strict=True))
        return f"Different answers at {_counted(len(self.seeds), 'seed')}: {counts}. Nothing is measured here."

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "SideBySide":
        """Return what `as_dict` wrote."""
        return cls(tuple(given["names"]), tuple(given["seeds"]), tuple(map(tuple, given["answers"])))


@dataclass(frozen=True, eq=False)
class Comparison:
    """Contestants measured on the same records at the same seeds: scores by name, the first is the baseline."""

    seeds: tuple[int, ...]
    records: tuple[TextToText, ...]
    scores: Mapping[str, Scores]

    @property
    def metric(self) -> str:
        """The metric's name."""
        return self.baseline.metric

    @property
    def baseline(self) -> Scores:
        """The first contestant's scores."""
        return next(iter(self.scores.values()))

    @property
    def means(self) -> pd.DataFrame:
        """Each contestant's mean with its 95 % interval: the columns mean, low, high."""
        return interval_table({name: scores.interval for name, scores in self.scores.items()})

    @property
    def gains(self) -> pd.DataFrame:
        """By how much each of the others is above the first, paired, with its 95 % interval: mean, low, high."""
        return interval_table({name: scores.gain(self.baseline) for name, scores in self._others()})

    @property
    def table(self) -> pd.DataFrame:
        """One row a contestant, in words: the metric, and against the first the gain, the win rate and the ties."""
        rows = {name: [str(scores.interval), "", "", ""] for name, scores in self.scores.items()}
        for name, scores in self._others():
            against = scores.gain(self.baseline), scores.win_rate(self.baseline)
            rows[name][1:] = [*map(str, against), f"{scores.ties(self.baseline):.0%}"]
        columns = [f"{self.metric} (95 % interval)", "gain on the first", "win rate (ties half)", "ties"]
        return pd.DataFrame(rows.values(), index=list(rows), columns=columns)

    @property
    def said(self) -> str:
        """What was measured, on what."""
        return f"{self.metric} on {_counted(len(self.records), 'record')} at {_counted(len(self.seeds), 'seed')}."

    def verdicts(self) -> list[str]:
        """Return a sentence for each of the others: whether the interval of its gain excludes zero."""
        first = next(iter(self.scores))
        few = len(self.records) < FEW_RECORDS
        return [_verdict(name, first, scores.gain(self.baseline), few=few) for name, scores in self._others()]

    def worst(self, name: str, count: int = WORST) -> list[int]:
        """Return the numbers of the records, from 0, in which a contestant's mean over the seeds is lowest."""
        return np.argsort(self.scores[name].values.mean(axis=0), kind="stable")[:count].tolist()

    def _others(self) -> list[tuple[str, Scores]]:
        return list(self.scores.items())[1:]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        scores = {
            name: {"metric": found.metric, "answers": found.answers, "values": found.values.tolist()}
            for name, found in self.scores.items()
        }
        return {"seeds": self.seeds, "records": [asdict(record) for record in self.records], "scores": scores}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "Comparison":
        """Return what `as_dict` wrote."""
        scores = {
            name: Scores(found["metric"], tuple(map(tuple, found["answers"])), np.array(found["values"]))
            for name, found in given["scores"].items()
        }
        return cls(tuple(given["seeds"]), tuple(TextToText(**record) for record in given["records"]), scores)


def comparing(
    contestants: Sequence[Contestant],
    load: Load,
    records: Sequence[TextToText],
    *,
    metric: str,
    seeds: Sequence[int],
) -> Generator[Progress | Comparison]:
    """Yield how far a comparison on records is, block by block, and at last the comparison.

    What was answered before is not computed again. Raises DataError, UnsupportedSetting, and what `load` and `score`
    raise, the contestant named.
    """
    check(contestants)
    check_metric(metric)
    if not records:
        raise DataError("There is no record to compare on: give a file that holds at least one.")
    rounds = {one.name: list(seeds) if is_drawn(one.prompt) else list(seeds[:1]) for one in contestants}
    done, total = 0, sum(map(len, rounds.values())) * len(records)
    scores = {}
    for one in contestants:
        yield Progress(f"Loading the model of {one.name}", done, total)
        with _named(one):
            model = load(one.prompt.model)
        found = []
        for seed in rounds[one.name]:
            answers: list[str] = []
            with _named(one):
                for block in answer_blocks(model, one.prompt, records, seed=seed):
                    answers += block
                    yield Progress(f"{one.name} answers with seed {seed}", done + len(answers), total)
            done += len(answers)
            found.append(answers)
        scores[one.name] = scored(found, records, metric=metric, seeds=len(seeds))
    yield Comparison(tuple(seeds), tuple(records), scores)


def looking(
    contestants: Sequence[Contestant], load: Load, *, seed: int, responses: int
) -> Generator[Progress | SideBySide]:
    """Yield how far the contestants' answers to their own inputs are, and at last the answers side by side.

    responses: how many answers each, at the seeds from `seed` on. Raises as `comparing` does.
    """
    check(contestants)
    found, total = [], len(contestants) * responses
    for one in contestants:
        yield Progress(f"{one.name} answers", len(found) * responses, total)
        asked = replace(one.prompt, config=replace(one.prompt.config, seed=seed), responses=responses)
        with _named(one):
            found.append(tuple(own_answers(load(asked.model), asked)))
    yield SideBySide(tuple(one.name for one in contestants), tuple(range(seed, seed + responses)), tuple(found))


def check(contestants: Sequence[Contestant]) -> None:
    """Raise DataError unless there are two to four contestants with different names."""
    if not FEWEST <= len(contestants) <= MOST:
        raise DataError(f"A comparison has {FEWEST} to {MOST} contestants, and there are {len(contestants)}.")
    names = [one.name for one in contestants]
    if not all(names):
        raise DataError("A contestant has no name: give each a name of its own.")
    if twice := [name for name in names if names.count(name) > 1]:
        raise DataError(f"Two contestants are called {twice[0]!r}: give each a name of its own.")


def about_chance(records: int | None) -> str:
    """Return what one answer is worth, and what a measure on so many records is. records: None without any."""
    alone = "One answer each proves nothing: another seed, or another input, may turn it round."
    if records is None:
        known = ", ".join(f"{count} to ± {half_width(count):.2f}" for count in (25, 100, 400))
        return f"{alone} To measure, give records with references: {known} tell a share near one half (95 %)."
    return f"{alone} {records:,} records tell a share near one half to ± {half_width(records):.2f} (95 %)."


def half_width(records: int) -> float:
    """Return by how much a share near one half may be off, 95 times in 100, when it is measured on so many records."""
    return 1.96 * math.sqrt(0.25 / records)


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def _verdict(name: str, first: str, gain: Interval, *, few: bool) -> str:
    said = f"{name} against {first}: a gain of {gain}."
    if few:
        return f"{said} On fewer than {FEW_RECORDS} records the interval itself is not to be believed: give more."
    if gain.low <= 0 <= gain.high:
        return f"{said} The interval holds zero: these records do not show which of the two is better."
    return f"{said} The interval excludes zero: {name if gain.mean > 0 else first} is better on records such as these."


@contextmanager
def _named(one: Contestant) -> Generator[None]:
    """Say whose error it is."""
    try:
        yield
    except CourseError as error:
        raise CourseError(f"{one.name}: {error}") from None
