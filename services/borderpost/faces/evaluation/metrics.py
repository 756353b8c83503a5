"""Error rates after ISO/IEC 19795-1, in plain numpy. No files, no models.

A comparison matches if its score is at least the threshold. Everywhere `people` numbers whose template a row is,
from 0 on. Intervals are for 95 %, and respect that comparisons share people: see `upper_95` and `interval`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float32]
Rates = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
People = npt.NDArray[np.int64]

ScoreRows = Callable[[slice], Scores]
"""The scores of some templates against all: rows × N."""

BLOCK: Final = 512
"""Rows of the score matrix at a time: 512 × 7,500 scores take 15 MB."""

Z_95: Final = 1.959964
"""Of a normal distribution 95 % lie within so many standard errors."""

RESAMPLES: Final = 1_000
"""Of each bootstrap: enough for two digits of its ends."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A rate and its 95 % interval."""

    rate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Genuine:
    """Scores of every pair of templates of the same person, and whose each is."""

    scores: Scores
    people: People


@dataclass(frozen=True, slots=True)
class FalseMatches:
    """How many impostor pairs each person has, and how many of them match at each threshold (thresholds × people).

    A pair counts for both of its people, so sums over people are twice the number of pairs.
    """

    pairs: Counts
    matches: Counts

    @property
    def total(self) -> int:
        """Impostor pairs."""
        return int(self.pairs.sum()) // 2

    @property
    def counts(self) -> Counts:
        """Matching impostor pairs at each threshold."""
        return np.asarray(self.matches.sum(axis=1) // 2, dtype=np.int64)

    @property
    def rates(self) -> Rates:
        """FMR at each threshold."""
        return np.asarray(self.counts / max(self.total, 1), dtype=np.float64)


def cosines(vectors: Scores) -> ScoreRows:
    """The cosines of templates of length 1."""
    return lambda rows: np.asarray(vectors[rows] @ vectors.T, dtype=np.float32)


def impostor_scores(score_rows: ScoreRows, people: People) -> Scores:
    """The scores of all pairs of different people, each pair once, sorted upwards."""
    found = np.concatenate(
        [
            scores[later & (rows_of[:, None] != people)]
            for rows_of, scores, later in _blocks(score_rows, people)
        ]
    )
    found.sort()
    return found


def genuine_scores(score_rows: ScoreRows, people: People) -> Genuine:
    """The scores of all pairs of one person, each pair once."""
    parts = []
    for rows_of, scores, later in _blocks(score_rows, people):
        same = later & (rows_of[:, None] == people)
        parts.append((scores[same], rows_of[np.nonzero(same)[0]]))
    return Genuine(np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts]))


def _blocks(score_rows: ScoreRows, people: People) -> Iterator[tuple[People, Scores, npt.NDArray[np.bool_]]]:
    """Block by block: whose the rows are, their scores, and which columns come later than the row."""
    columns = np.arange(len(people))
    for start in range(0, len(people), BLOCK):
        rows = slice(start, min(start + BLOCK, len(people)))
        yield people[rows], score_rows(rows), columns[rows][:, None] < columns


def threshold_at(sorted_scores: Scores, rate: float) -> float:
    """The lowest threshold that at most the share `rate` of these scores reaches."""
    allowed = math.floor(rate * len(sorted_scores) + 1e-9)
    if allowed >= len(sorted_scores):
        return float(sorted_scores[0])
    return float(np.nextafter(sorted_scores[-allowed - 1], np.float32(np.inf), dtype=np.float32))


def share_reaching(sorted_scores: Scores, threshold: float) -> float:
    """The share of scores that are at least the threshold."""
    return 1.0 - float(np.searchsorted(sorted_scores, np.float32(threshold), side="left")) / len(
        sorted_scores
    )


def false_matches(score_rows: ScoreRows, people: People, thresholds: Sequence[float]) -> FalseMatches:
    """False matches of every person at each threshold."""
    size = int(people.max()) + 1
    pictures = np.bincount(people, minlength=size)
    matches = np.zeros((len(thresholds), size), dtype=np.int64)
    for start in range(0, len(people), BLOCK):
        rows = slice(start, start + BLOCK)
        scores = np.where(people[rows, None] != people, score_rows(rows), np.float32(-np.inf))
        for index, threshold in enumerate(thresholds):
            reached = (scores >= np.float32(threshold)).sum(axis=1)
            matches[index] += np.bincount(people[rows], reached, size).astype(np.int64)
    return FalseMatches(pictures * (len(people) - pictures), matches)


def upper_95(found: FalseMatches) -> Rates:
    """The upper end of the 95 % interval of the FMR at each threshold; 1 where nothing matched."""
    return _ends(found)[1]


def fmr_estimates(found: FalseMatches) -> list[Estimate]:
    """FMR at each threshold with its interval."""
    lows, highs = _ends(found)
    return [Estimate(*each) for each in zip(found.rates.tolist(), lows.tolist(), highs.tolist(), strict=True)]


def _ends(found: FalseMatches) -> tuple[Rates, Rates]:
    """Delete-one-person jackknife, normal on the logarithm of the rate.

    Leaving out a person leaves out all of that person's comparisons, so people who resemble many others widen the
    interval. For rates so small that people hardly share false matches it is too wide by up to √2, never too narrow.
    """
    people = np.flatnonzero(found.pairs)
    counts, total, size = found.counts[:, None], found.total, len(people)
    without = (counts - found.matches[:, people]) / np.maximum(total - found.pairs[people], 1)
    spread = without - without.mean(axis=1, keepdims=True)
    error = np.sqrt((size - 1) / size * (spread**2).sum(axis=1))
    rates = found.rates
    factor = np.exp(Z_95 * error / np.where(rates > 0, rates, 1))
    lows = np.where(rates > 0, rates / factor, 0.0)
    return lows, np.where(rates > 0, np.minimum(rates * factor, 1.0), 1.0)


def fnmr(genuine: Genuine, threshold: float, seed: int = 0) -> Estimate:
    """The share of genuine pairs below the threshold, where every person weighs the same."""
    missed = (genuine.scores < np.float32(threshold)).astype(np.float64)
    pairs = np.bincount(genuine.people)
    of_person = np.bincount(genuine.people, missed)[pairs > 0] / pairs[pairs > 0]
    return interval(of_person, np.ones_like(of_person), seed)


def fnmr_curve(genuine: Genuine, thresholds: Sequence[float]) -> Rates:
    """FNMR at each threshold, every person weighing the same."""
    pairs = np.bincount(genuine.people)
    weights = 1.0 / (pairs[genuine.people] * np.count_nonzero(pairs))
    order = np.argsort(genuine.scores)
    below = np.concatenate([[0.0], np.cumsum(weights[order])])
    return np.asarray(
        below[np.searchsorted(genuine.scores[order], np.asarray(thresholds, np.float32), side="left")]
    )


def interval(errors: Rates, tries: Rates, seed: int = 0) -> Estimate:
    """A rate over people (errors by tries, one number a person), and its interval by bootstrap over people.

    Where nobody, or everybody, has an error the bootstrap sees no spread: the open end then follows the rule of
    three, 3 by the number of people.
    """
    rate = float(errors.sum() / tries.sum())
    drawn = _resamples(len(tries), seed)
    rates = (drawn @ errors.astype(np.float32)) / np.maximum(drawn @ tries.astype(np.float32), 1e-12)
    low, high = np.quantile(rates, [0.025, 0.975])
    if errors.sum() == 0:
        high = min(1.0, 3 / len(tries))
    if errors.sum() == tries.sum():
        low = max(0.0, 1 - 3 / len(tries))
    return Estimate(rate, float(low), float(high))


@functools.lru_cache(maxsize=8)
def _resamples(people: int, seed: int) -> Scores:
    """How often each person is drawn in each resample: RESAMPLES × people."""
    drawn = np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), RESAMPLES)
    return drawn.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Searches:
    """Searches of an open set: of enrolled people (mated; rank 1 if nobody scores higher), and of others."""

    mated_scores: Scores
    mated_ranks: Counts
    mated_people: People
    unmated_best: Scores
    unmated_people: People


def search(
    gallery: Scores, enrolled: People, probes: Scores, whose: People, scores: Scores | None = None
) -> Searches:
    """Search every probe in a gallery of one template a person. `scores` (probes × gallery) replaces the cosines."""
    table = probes @ gallery.T if scores is None else scores
    column = {int(person): index for index, person in enumerate(enrolled)}
    mated = np.asarray([int(person) in column for person in whose], dtype=np.bool_)
    own = np.asarray([column[int(person)] for person in whose[mated]], dtype=np.int64)
    right = table[mated][np.arange(len(own)), own]
    ranks = 1 + (table[mated] > right[:, None]).sum(axis=1)
    unmated = table[~mated]
    best = unmated.max(axis=1) if len(unmated) else np.empty(0, dtype=np.float32)
    return Searches(right, ranks.astype(np.int64), whose[mated], best, whose[~mated])


def joined(parts: Sequence[Searches]) -> Searches:
    """All searches of several draws."""
    return Searches(
        np.concatenate([part.mated_scores for part in parts]),
        np.concatenate([part.mated_ranks for part in parts]),
        np.concatenate([part.mated_people for part in parts]),
        np.concatenate([part.unmated_best for part in parts]),
        np.concatenate([part.unmated_people for part in parts]),
    )


def fnir(searches: Searches, threshold: float, seed: int = 0) -> Estimate:
    """The share of mated searches where the person isn't the first candidate, or is below the threshold."""
    missed = (searches.mated_scores < np.float32(threshold)) | (searches.mated_ranks > 1)
    return by_person(missed, searches.mated_people, seed)


def fpir(searches: Searches, threshold: float, seed: int = 0) -> Estimate:
    """The share of unmated searches that give any candidate."""
    return by_person(searches.unmated_best >= np.float32(threshold), searches.unmated_people, seed)


def cmc(searches: Searches, ranks: int) -> Rates:
    """The share of mated searches where the person is among the first 1, 2, … `ranks`, whatever the score."""
    return np.asarray([(searches.mated_ranks <= rank).mean() for rank in range(1, ranks + 1)])


def by_person(errors: npt.NDArray[np.bool_], people: People, seed: int = 0) -> Estimate:
    """The share of errors, and its interval by bootstrap over people."""
    tries = np.bincount(people)
    searched = tries > 0
    wrong = np.bincount(people, errors.astype(np.float64)).astype(np.float64)
    return interval(wrong[searched], tries[searched].astype(np.float64), seed)


def fold_accuracies(scores: Scores, same: npt.NDArray[np.bool_], folds: Counts) -> Rates:
    """LFW's protocol: the accuracy in each fold at the threshold that is best in all others."""
    accuracies = []
    for fold in np.unique(folds):
        here = folds == fold
        threshold = best_threshold(scores[~here], same[~here])
        accuracies.append(((scores[here] >= np.float32(threshold)) == same[here]).mean())
    return np.asarray(accuracies)


def best_threshold(scores: Scores, same: npt.NDArray[np.bool_]) -> float:
    """The score at which most pairs are told rightly, the lowest of several."""
    order = np.argsort(scores, kind="stable")
    values, truth = scores[order], same[order]
    first = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    right = (
        np.cumsum(~truth) - ~truth + (truth.sum() - np.cumsum(truth) + truth)
    )  # if all before are told apart
    return float(values[first[np.argmax(right[first])]])
