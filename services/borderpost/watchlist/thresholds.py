"""Thresholds that mean a rate of false alarms: from a calibration, and from how alike a list's own entries are.

A list asks for a false-positive identification rate (FPIR, ISO/IEC 2382-37): of the travelers who aren't on it, the
share that gets any candidate. A search makes many comparisons, and a calibration says how often one of them matches
falsely (FMR). With n independent ones FPIR = 1 − (1 − FMR)^n (ISO/IEC 19795-1). What n is depends on the list: entries
that resemble each other, as those of one sex or origin do, match more often than the calibration's people; several
templates of one person match less often than as many people. A list's own templates, compared with one another, show
both at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from borderpost.runtime.calibration import (
    MAX_FMR_TARGET,
    MIN_FALSE_MATCHES,
    Calibration,
    Row,
    target_fmr,
)
from borderpost.watchlist.templates import Vectors

Places = npt.NDArray[np.int64]

Reach = Callable[[Vectors, float], tuple[Places, Places, npt.NDArray[np.float64]]]
"""Every pair of a probe and a template of the list whose score is at least the given one, in any order: the probe's
place, that of the template's entry, and the score."""

MAX_ALIKE: Final = 100
"""Pairs of entries that are shown as maybe one person: as many as somebody can look at."""

SAMPLED_COMPARISONS: Final = 10**8
"""Of a measurement: a second or two on two cores at 512 dimensions, and enough for a rate of 1e-6."""

MIN_SAMPLE: Final = 100
"""Probes of a measurement, however large the list is: fewer could all be of much alike people, or of none."""

EXPECTED_PAIRS: Final = 4 * MIN_FALSE_MATCHES
"""A measurement looks at the score that so many comparisons reach if the list is like the calibration's people. Also
where each pair of entries is compared from both of its sides, twice as many pairs as needed are then to be expected."""


@dataclass(frozen=True, slots=True)
class OwnScores:
    """What a list's own templates, compared with one another, say of its false matches.

    `templates` and `entries` are the list's when it was measured. Of `comparisons` (a template with all of another
    entry's, the best counts), `reaching` reached `score`; pairs of entries that may be one person are in neither.
    `factor`: how much more often that happens than the calibration says of two pictures, as far as chance doesn't
    explain it; at least 1. It is None where too few reach any score to tell: a list of few entries, or of such as
    resemble each other less than the calibration's people.
    """

    model_id: str
    calibration_id: str
    templates: int
    entries: int
    comparisons: int
    reaching: int
    score: float
    factor: float | None


@dataclass(frozen=True, slots=True)
class AlikePair:
    """The places of two entries so alike that they may be one person, the lower one first, and their best score."""

    entry: int
    other: int
    score: float


@dataclass(frozen=True, slots=True)
class FaceThreshold:
    """The score from which a face is a candidate on one list; None where the list has no template to compare.

    `comparisons` are those that count in a search with one template. `factor` is what was measured on the list. Where
    the target is not `supported`, `score` is the strictest that the calibration has, and `expected_fpir` the rate of
    false alarms to expect at it, at most.
    """

    model_id: str
    templates: int
    entries: int
    score: float | None
    supported: bool
    calibration_id: str
    comparisons: float
    factor: float | None
    expected_fpir: float | None


@dataclass(frozen=True, slots=True)
class AlertOdds:
    """What an alert means: the probability that it is right, at best (were no listed traveler ever missed).

    `base_rate` is the assumed share of travelers who are on the list; `fpir` the probability that one who isn't gives
    an alert with such a score. `is_bound`: the calibration ends below the score, so `fpir` is at most this, and
    `probability` at least.
    """

    probability: float
    base_rate: float
    fpir: float
    is_bound: bool


def face_threshold(
    calibration: Calibration, fpir: float, templates: int, entries: int, probes: int, own: OwnScores | None
) -> FaceThreshold:
    """The threshold of a list of `templates` of `entries` for a search with `probes` templates of one traveler.

    Where the list was measured against this calibration, a probe makes entries × factor comparisons that count; else
    as many as there are templates, as if each were of another person, which is at least as strict for a list that is
    like the calibration's people. Probes are taken as independent: two pictures of one traveler are not quite, so the
    target is then kept with something to spare. A rate above MAX_FMR_TARGET takes the threshold of that one, which is
    stricter. A target that the calibration can't show is never relaxed in silence: see `supported`.

    The calibration's safety factor stays out: the target is a rate over all travelers, an officer sees every alarm,
    and a stricter threshold would miss those who are listed.
    """
    if templates == 0:
        return FaceThreshold(calibration.model_id, 0, 0, None, True, calibration.id, 0.0, None, None)
    factor = _factor(calibration, templates / entries, own)
    comparisons = float(templates) if factor is None else entries * factor
    asked = min(target_fmr(fpir, comparisons * probes), MAX_FMR_TARGET)
    threshold = calibration.mean_threshold_at(asked)
    strictest = calibration.rows[-1].fmr
    return FaceThreshold(
        model_id=calibration.model_id,
        templates=templates,
        entries=entries,
        score=threshold.score,
        supported=threshold.supported,
        calibration_id=calibration.id,
        comparisons=comparisons,
        factor=factor,
        expected_fpir=None if threshold.supported else fpir_of(strictest, comparisons * probes),
    )


def alert_odds(
    calibration: Calibration, score: float, threshold: FaceThreshold, probes: int, base_rate: float
) -> AlertOdds:
    """What an alert with `score` or more means on the list of `threshold`, by Bayes: π / (π + (1 − π) · FPIR).

    `base_rate` (π) is above 0 and at most 1.
    """
    fmr = calibration.fmr_at(score)
    return odds_at(fpir_of(fmr.rate, threshold.comparisons * probes), base_rate, is_bound=fmr.is_upper_bound)


def odds_at(fpir: float, base_rate: float, *, is_bound: bool) -> AlertOdds:
    """What an alert means that so many of the travelers who aren't on the list give."""
    return AlertOdds(base_rate / (base_rate + (1.0 - base_rate) * fpir), base_rate, fpir, is_bound)


def fpir_of(fmr: float, comparisons: float) -> float:
    """The probability that any of so many independent comparisons matches falsely: 1 − (1 − FMR)^n."""
    return 1.0 if fmr >= 1.0 else -math.expm1(comparisons * math.log1p(-fmr))


def sample_size(templates: int) -> int:
    """How many of a list's templates to take as probes of a measurement: all of them up to 10,000."""
    return min(templates, max(MIN_SAMPLE, SAMPLED_COMPARISONS // max(templates, 1)))


def measure(
    calibration: Calibration,
    probes: Vectors,
    probe_entry: Places,
    reach: Reach,
    templates: int,
    entries: int,
) -> tuple[OwnScores, tuple[AlikePair, ...]]:
    """Compare a list's own templates, or a sample of them (`probes`, of the entries `probe_entry`), with all of it.

    Rates are taken at the strictest row of the calibration that MIN_FALSE_MATCHES pairs of entries reach (the "rule of
    30", ISO/IEC 19795-1, annex B; an entry's several templates make one pair), where they say most of the thresholds of
    large lists. The factor is the product of two:

    - how many of an entry's templates count: of the probes that reach any of them, most reach several;
    - how much more often two templates match than the calibration's: at least 1, and shrunk towards 1 by what chance
      alone could make of so few pairs, which share entries (positive-part James–Stein, on the logarithm).

    Pairs at the calibration's strictest score or above are left out, of the list and of the calibration alike, because
    they may be one person twice; they are answered, the likest MAX_ALIKE first. The same templates give the same
    answer, in whatever order `reach` finds them.
    """
    strictest = calibration.rows[-1]
    rows = _tried(calibration)
    look = _looked_at(rows, strictest, len(probes) * (entries - 1))
    seen = _seen(reach(probes, look.score), probe_entry, entries, strictest.score)
    row = next((row for row in rows if seen.at(row.score).pairs >= MIN_FALSE_MATCHES), None)
    comparisons = seen.comparisons(probe_entry)
    at = seen.at(strictest.score if row is None else row.score)
    factor = None
    if row is not None:
        of_calibration = (row.fmr - strictest.fmr) * comparisons * templates / entries
        counting = at.reaching / at.matches * templates / entries
        factor = max(1.0, counting * _shrunk(at.matches / of_calibration, at.variance))
    scores = OwnScores(
        model_id=calibration.model_id,
        calibration_id=calibration.id,
        templates=templates,
        entries=entries,
        comparisons=comparisons,
        reaching=at.reaching,
        score=strictest.score if row is None else row.score,
        factor=factor,
    )
    return scores, seen.alike_pairs()


@dataclass(frozen=True, slots=True)
class _Counts:
    """What reaches a score, without the pairs that are alike.

    `matches`: pairs of a probe and a template. `reaching`: of a probe and an entry. `pairs`: of two entries.
    `variance`: that of the logarithm of `matches`.
    """

    matches: int
    reaching: int
    pairs: int
    variance: float


@dataclass(frozen=True, slots=True)
class _Seen:
    """Every pair of a probe and another entry's template that a look found.

    `probe_and_entry` and `pair` are numbers of the probe with the entry, and of both entries, whatever their order.
    `alike`: those of the pairs whose best score is at least the calibration's strictest, sorted.
    """

    entries: int
    scores: npt.NDArray[np.float64]
    probe_and_entry: Places
    pair: Places
    alike: Places

    def at(self, score: float) -> _Counts:
        """What reaches a score that is at least the look's."""
        counting = (self.scores >= score) & ~np.isin(self.pair, self.alike)
        pairs, of_pair = np.unique(self.pair[counting], return_counts=True)
        return _Counts(
            matches=int(counting.sum()),
            reaching=len(np.unique(self.probe_and_entry[counting])),
            pairs=len(pairs),
            variance=self._variance(pairs, of_pair),
        )

    def _variance(self, pairs: Places, of_pair: Places) -> float:
        """That of the logarithm of a count of pairs: those that share an entry vary together, all others don't."""
        low, high = np.divmod(pairs, self.entries)
        of_entry = np.bincount(low, of_pair, self.entries) + np.bincount(high, of_pair, self.entries)
        total = max(1, int(of_pair.sum()))
        return float(((of_entry**2).sum() - (of_pair**2).sum()) / total**2)

    def comparisons(self, probe_entry: Places) -> int:
        """Of each probe with each other entry, without the pairs that are alike."""
        probes_of = np.bincount(probe_entry, minlength=self.entries)
        low, high = np.divmod(self.alike, self.entries)
        left_out = probes_of[low].sum() + probes_of[high].sum()
        return int(len(probe_entry) * (self.entries - 1) - left_out)

    def alike_pairs(self) -> tuple[AlikePair, ...]:
        """The likest MAX_ALIKE, by falling score."""
        best = np.full(len(self.alike), -np.inf)
        mine = np.isin(self.pair, self.alike)
        np.maximum.at(best, np.searchsorted(self.alike, self.pair[mine]), self.scores[mine])
        likest = np.argsort(-best, kind="stable")[:MAX_ALIKE]
        low, high = np.divmod(self.alike[likest], self.entries)
        return tuple(
            AlikePair(*each) for each in zip(low.tolist(), high.tolist(), best[likest].tolist(), strict=True)
        )


def _shrunk(times: float, variance: float) -> float:
    """How much more often, at least 1, of what was counted: less what chance alone explains.

    With z standard errors between the logarithm and 0 the part 1 − 1/z² of it is left, and nothing below z = 1.
    """
    if times <= 1.0:
        return 1.0
    return math.exp(math.log(times) * max(0.0, 1.0 - variance / math.log(times) ** 2))


def _tried(calibration: Calibration) -> list[Row]:
    """The rows at which a list may be measured, the strictest first: all that thresholds are set at but the last.

    At the last nothing would be left between it and the pairs that are left out.
    """
    return [row for row in reversed(calibration.rows[:-1]) if row.fmr <= MAX_FMR_TARGET]


def _looked_at(rows: list[Row], strictest: Row, possible: int) -> Row:
    """The row to look at: the strictest that enough of so many comparisons reach if they are like the calibration's.

    One look is enough. Where fewer pairs reach it, the list's people resemble each other less than the calibration's,
    and its threshold would be no milder for it.
    """
    likely = (row for row in rows if row.fmr * possible >= EXPECTED_PAIRS)
    return next(likely, rows[-1] if rows else strictest)


def _seen(
    found: tuple[Places, Places, npt.NDArray[np.float64]],
    probe_entry: Places,
    entries: int,
    strictest: float,
) -> _Seen:
    """What was found, without the pairs of an entry with itself."""
    probes, places, scores = found
    others = probe_entry[probes] != places
    probes, places, scores = probes[others], places[others], scores[others]
    mine = probe_entry[probes]
    pair = np.minimum(mine, places) * entries + np.maximum(mine, places)
    return _Seen(entries, scores, probes * entries + places, pair, np.unique(pair[scores >= strictest]))


def _factor(calibration: Calibration, templates_each: float, own: OwnScores | None) -> float | None:
    """The list's factor today: entries that have got more templates since it was measured match more often."""
    if own is None or own.factor is None or own.calibration_id != calibration.id:
        return None
    return own.factor * max(1.0, templates_each * own.entries / own.templates)
