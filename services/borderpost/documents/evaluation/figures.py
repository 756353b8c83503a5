"""From results to rates with intervals."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from borderpost.documents.evaluation.answers import Outcome
from borderpost.documents.evaluation.measuring import Result

CONFIDENCE: Final = 0.95
STEPS: Final = 60
"""Halvings of the interval from 0 to 1: exact to the last digit that is shown."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A share, with its exact interval for 95 % (Clopper and Pearson)."""

    count: int
    of: int

    @property
    def share(self) -> float:
        """The share itself."""
        return self.count / self.of

    @property
    def low(self) -> float:
        """The lower end."""
        return 0.0 if self.count == 0 else 1 - _upper(self.of - self.count, self.of, (1 - CONFIDENCE) / 2)

    @property
    def high(self) -> float:
        """The upper end."""
        return 1.0 if self.count == self.of else _upper(self.count, self.of, (1 - CONFIDENCE) / 2)

    @property
    def bound(self) -> float:
        """With 95 % confidence the share is no more than this, one-sided: 3 / n for none in n."""
        return 1.0 if self.count == self.of else _upper(self.count, self.of, 1 - CONFIDENCE)


def _upper(count: int, of: int, tail: float) -> float:
    """The share at which no more than `count` would still happen with the chance `tail`."""
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        if _at_most(count, of, middle) > tail:
            low = middle
        else:
            high = middle
    return high


def _at_most(count: int, of: int, share: float) -> float:
    """Chance of at most `count` of `of` events that each have the chance `share`."""
    if share in (0.0, 1.0):
        return 1.0 - share
    hit, miss = math.log(share), math.log1p(-share)
    total = math.lgamma(of + 1)
    return math.fsum(
        math.exp(total - math.lgamma(k + 1) - math.lgamma(of - k + 1) + k * hit + (of - k) * miss)
        for k in range(count + 1)
    )


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of some pictures. `seconds` is CPU time of each, in order of size."""

    counts: Mapping[Outcome, int]
    repaired: int
    seconds: Sequence[float]

    @property
    def total(self) -> int:
        """Pictures."""
        return len(self.seconds)

    def rate(self, *outcomes: Outcome) -> Rate:
        """The share of these outcomes."""
        return Rate(sum(self.counts[each] for each in outcomes), self.total)

    @property
    def median(self) -> float:
        """CPU seconds of the middle picture."""
        return statistics.median(self.seconds)

    @property
    def p95(self) -> float:
        """CPU seconds that 95 % of the pictures don't exceed."""
        return self.seconds[math.ceil(0.95 * self.total) - 1]


def tally(results: Iterable[Result]) -> Tally:
    """Count results."""
    every = list(results)
    return Tally(
        Counter(each.outcome for each in every),
        sum(each.outcome is Outcome.EXACT and each.answer.repairs > 0 for each in every),
        sorted(each.answer.seconds for each in every),
    )


def stages(results: Iterable[Result]) -> Mapping[str, float]:
    """Mean milliseconds of each step over some pictures, in the order in which they come first."""
    every = list(results)
    sums: dict[str, float] = {}
    for each in every:
        for name, milliseconds in each.answer.stages.items():
            sums[name] = sums.get(name, 0.0) + milliseconds
    return {name: total / len(every) for name, total in sums.items()}
