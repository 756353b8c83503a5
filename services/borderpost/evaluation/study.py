"""What the watchlist's thresholds do: lists of one half of the people, thresholds from the other half and the list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from borderpost.evaluation.lists import Drawn, Setting, draws
from borderpost.evaluation.rates import Searched, fnir, fpir, of_list
from borderpost.faces.evaluation.metrics import (
    Counts,
    Estimate,
    Genuine,
    Scores,
    cosines,
    fnmr,
    genuine_scores,
)
from borderpost.faces.evaluation.protocols import Groups, Sample, first_of_each
from borderpost.runtime.calibration import Calibration, target_fmr
from borderpost.watchlist.thresholds import OwnScores, face_threshold, measure

SIZES: Final = (100, 300, 1_000)
TARGETS: Final = (0.1, 0.01)
DRAWS: Final = 20
"""Random lists of each kind."""

MIN_STRANGERS: Final = 100
"""Travelers of a list; fewer show no rate of 1 %."""

SEED: Final = 5

SETTINGS: Final = tuple(
    Setting(entries, several, probes) for several in (False, True) for probes in (1, 2) for entries in SIZES
)

SIMPLE: Final = tuple(setting for setting in SETTINGS if not setting.several and setting.probes == 1)
"""One template an entry, one picture of a traveler."""

DISTANCES: Final = (0.6, 0.4)
"""Thresholds that are set once for all lists: the usual distance of dlib's embeddings, and a strict one."""

PREDICTED_SIZES: Final = (*SIZES, 10_000, 100_000, 1_000_000)
PREDICTED_TARGETS: Final = (0.1, 0.01, 0.001)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A list's threshold. `calibrated`: by which factor the calibration's rate there could be off, with 95 %."""

    score: float
    supported: bool = True
    comparisons_each: float = 0.0
    expected: float | None = None
    calibrated: float = 1.0


Rule = Callable[[Drawn, OwnScores], Chosen]
"""How a list gets its threshold."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a rule did over all lists of a setting.

    `lowest`, `highest`: FPIR of single lists; `holding`: lists in whose own interval the target lies. `unsupported`:
    lists for which the calibration can't show the target. The rest are means over the lists.
    """

    fpir: Estimate
    fnir: Estimate
    lowest: float
    highest: float
    holding: int
    unsupported: int
    score: float
    comparisons_each: float
    expected: float | None
    calibrated: float


@dataclass(frozen=True, slots=True)
class Fixed:
    """A threshold that is the same for every list: its name, and the cosine that it is."""

    name: str
    score: float


@dataclass(frozen=True, slots=True)
class Result:
    """One setting: templates of an entry in the mean, travelers of a list, and each rule for each target."""

    setting: Setting
    templates_each: float
    strangers: int
    mated: int
    own: Mapping[float, Kept]
    plain: Mapping[float, Kept]
    fixed: Mapping[str, Kept]


@dataclass(frozen=True, slots=True)
class Alike:
    """A list of one group: false alarms of that group's travelers at a rule's thresholds, and of all."""

    label: str
    entries: int
    target: float
    own: Kept
    own_all: Kept
    plain: Kept
    plain_all: Kept


@dataclass(frozen=True, slots=True)
class Predicted:
    """A list that nobody measured: what the calibration says of it, one template an entry, one probe.

    `fmr` is the rate that the target takes, `fnmr` that of the other half's people at `score`.
    """

    entries: int
    target: float
    fmr: float
    score: float
    supported: bool
    fpir: float
    fnmr: float


@dataclass(frozen=True, slots=True)
class Study:
    """Everything of one engine. `pictures_each`: of a person, as many as a calibration takes."""

    calibration: Calibration
    people: int
    pictures: int
    pictures_each: float
    fixed: tuple[Fixed, ...]
    results: tuple[Result, ...]
    without_errors: tuple[Result, ...]
    alike: tuple[Alike, ...]
    predicted: tuple[Predicted, ...]


def cosine_at(distance: float, length: float) -> float:
    """The cosine of two embeddings of this length that are so far apart (Euclidean)."""
    return 1.0 - distance**2 / (2.0 * length**2)


def measured_list(sample: Sample, scores: Scores, calibration: Calibration, drawn: Drawn) -> OwnScores:
    """What the list's own templates say: all of them compared with all."""
    table = scores[np.ix_(drawn.listed, drawn.listed)]

    def reach(_: Scores, score: float) -> tuple[Counts, Counts, npt.NDArray[np.float64]]:
        probes, rows = np.nonzero(table >= np.float32(score))
        return probes, drawn.entry_of[rows], table[probes, rows].astype(np.float64)

    own, _ = measure(
        calibration,
        sample.vectors[drawn.listed],
        drawn.entry_of,
        reach,
        len(drawn.listed),
        len(drawn.people),
    )
    return own


def by_calibration(calibration: Calibration, target: float, probes: int, *, own_scores: bool) -> Rule:
    """The watchlist's threshold for a target; without own scores every template counts as another person."""

    def rule(drawn: Drawn, own: OwnScores) -> Chosen:
        threshold = face_threshold(
            calibration,
            target,
            len(drawn.listed),
            len(drawn.people),
            probes,
            own if own_scores else None,
        )
        score = calibration.rows[-1].score if threshold.score is None else threshold.score
        at = calibration.fmr_at(score)
        each = threshold.comparisons / len(drawn.people)
        return Chosen(score, threshold.supported, each, threshold.expected_fpir, at.upper_95 / at.rate)

    return rule


def _always(score: float) -> Rule:
    return lambda _drawn, _own: Chosen(score)


@dataclass(frozen=True, slots=True)
class Compared:
    """A list's best scores: strangers × entries, and of each mated traveler with the own entry."""

    drawn: Drawn
    strangers: Scores
    mated: Scores


def compared(scores: Scores, drawn: Drawn) -> Compared:
    """Every traveler with every entry: the best of any probe with any template."""
    mated = _best(scores, drawn.mated, drawn)
    return Compared(
        drawn,
        _best(scores, drawn.strangers, drawn),
        mated[np.arange(len(mated)), drawn.mated_entries],
    )


def _best(scores: Scores, travelers: Counts, drawn: Drawn) -> Scores:
    starts = np.flatnonzero(np.diff(drawn.entry_of, prepend=-1))
    by_probe = [
        np.maximum.reduceat(scores[np.ix_(probe, drawn.listed)], starts, axis=1) for probe in travelers.T
    ]
    return np.asarray(np.maximum.reduce(by_probe))


def answered(each: Compared, score: float) -> Searched:
    """All searches of a list at a threshold."""
    drawn, reached = each.drawn, each.strangers >= np.float32(score)
    found = reached.sum(axis=1)
    only = reached[found == 1].argmax(axis=1)
    return Searched(
        alarms=found > 0,
        strangers=drawn.stranger_people,
        alone=drawn.people[only],
        alone_strangers=drawn.stranger_people[found == 1],
        missed=each.mated < np.float32(score),
        mated=drawn.people[drawn.mated_entries],
    )


def kept(lists: Sequence[Searched], chosen: Sequence[Chosen], target: float) -> Kept:
    """The rates of several lists, each at its own threshold."""
    single = [of_list(each) for each in lists]
    expected = [each.expected for each in chosen if each.expected is not None]
    return Kept(
        fpir=fpir(lists),
        fnir=fnir(lists),
        lowest=min(each.rate for each in single),
        highest=max(each.rate for each in single),
        holding=sum(each.low <= target <= each.high for each in single),
        unsupported=sum(not each.supported for each in chosen),
        score=float(np.mean([each.score for each in chosen])),
        comparisons_each=float(np.mean([each.comparisons_each for each in chosen])),
        expected=float(np.mean(expected)) if expected else None,
        calibrated=float(np.mean([each.calibrated for each in chosen])),
    )


def result(
    sample: Sample, scores: Scores, calibration: Calibration, setting: Setting, fixed: Sequence[Fixed]
) -> Result | None:
    """One setting by every rule; None where too few people are left to pass by."""
    drawn = list(draws(sample, setting, DRAWS, SEED))
    if min(len(each.strangers) for each in drawn) < MIN_STRANGERS or not all(
        len(each.mated) for each in drawn
    ):
        return None
    own = [measured_list(sample, scores, calibration, each) for each in drawn]
    best = [compared(scores, each) for each in drawn]

    def by(rule: Rule, target: float) -> Kept:
        chosen = [rule(each, measured) for each, measured in zip(drawn, own, strict=True)]
        lists = [answered(each, one.score) for each, one in zip(best, chosen, strict=True)]
        return kept(lists, chosen, target)

    def calibrated(*, own_scores: bool) -> dict[float, Kept]:
        return {
            target: by(by_calibration(calibration, target, setting.probes, own_scores=own_scores), target)
            for target in TARGETS
        }

    return Result(
        setting=setting,
        templates_each=float(np.mean([len(each.listed) for each in drawn])) / setting.entries,
        strangers=round(float(np.mean([len(each.strangers) for each in drawn]))),
        mated=len(np.unique(np.concatenate([each.people[each.mated_entries] for each in drawn]))),
        own=calibrated(own_scores=True),
        plain=calibrated(own_scores=False),
        fixed={each.name: by(_always(each.score), 0.0) for each in fixed},
    )


def of_group(
    sample: Sample,
    scores: Scores,
    calibration: Calibration,
    label: str,
    members: frozenset[str],
) -> list[Alike]:
    """Lists of a group's people only: half of them at most, so that others of the group pass by."""
    is_member = np.asarray([name in members for name in sample.names], dtype=np.bool_)
    sizes = [size for size in SIZES if size <= is_member.sum() // 2]
    found = []
    for size in sizes:
        setting = Setting(size, several=False, probes=1)
        drawn = list(draws(sample, setting, DRAWS, SEED, is_member))
        own = [measured_list(sample, scores, calibration, each) for each in drawn]
        best = [compared(scores, each) for each in drawn]
        for target in TARGETS:
            rates = []
            for own_scores in (True, False):
                rule = by_calibration(calibration, target, 1, own_scores=own_scores)
                chosen = [rule(each, measured) for each, measured in zip(drawn, own, strict=True)]
                lists = [answered(each, one.score) for each, one in zip(best, chosen, strict=True)]
                inside = [_only(each, is_member) for each in lists]
                rates += [kept(inside, chosen, target), kept(lists, chosen, target)]
            found.append(Alike(label, size, target, *rates))
    return found


def _only(searched: Searched, members: npt.NDArray[np.bool_]) -> Searched:
    """The searches for the group's travelers."""
    inside, alone = members[searched.strangers], members[searched.alone_strangers]
    return replace(
        searched,
        alarms=searched.alarms[inside],
        strangers=searched.strangers[inside],
        alone=searched.alone[alone],
        alone_strangers=searched.alone_strangers[alone],
    )


def predicted(calibration: Calibration, genuine: Genuine) -> list[Predicted]:
    """Lists larger, and targets smaller, than any that were measured."""
    found = []
    for entries in PREDICTED_SIZES:
        for target in PREDICTED_TARGETS:
            if entries in SIZES and target in TARGETS:
                continue
            threshold = face_threshold(calibration, target, entries, entries, 1, None)
            score = calibration.rows[-1].score if threshold.score is None else threshold.score
            expected = target if threshold.expected_fpir is None else threshold.expected_fpir
            found.append(
                Predicted(
                    entries=entries,
                    target=target,
                    fmr=target_fmr(target, entries),
                    score=score,
                    supported=threshold.supported,
                    fpir=expected,
                    fnmr=fnmr(genuine, score).rate,
                )
            )
    return found


def study(
    half: Sample,
    calibration: Calibration,
    fixed: Sequence[Fixed],
    groups: Groups,
    known_errors: frozenset[str],
) -> Study:
    """Everything, on a half of the people that the calibration has never seen."""
    scores = half.vectors @ half.vectors.T
    is_sound = np.asarray([name not in known_errors for name in half.names], dtype=np.bool_)
    sound = half.of(is_sound[half.people])
    few = first_of_each(half)
    return Study(
        calibration=calibration,
        people=len(half.names),
        pictures=len(half.people),
        pictures_each=len(few.people) / len(few.names),
        fixed=tuple(fixed),
        results=_results(half, scores, calibration, SETTINGS, fixed),
        without_errors=_results(sound, sound.vectors @ sound.vectors.T, calibration, SIMPLE, fixed),
        alike=tuple(
            each
            for label, members in groups.members.items()
            for each in of_group(half, scores, calibration, label, members)
        ),
        predicted=tuple(predicted(calibration, genuine_scores(cosines(few.vectors), few.people))),
    )


def _results(
    sample: Sample,
    scores: Scores,
    calibration: Calibration,
    settings: Iterable[Setting],
    fixed: Sequence[Fixed],
) -> tuple[Result, ...]:
    found = (result(sample, scores, calibration, setting, fixed) for setting in settings)
    return tuple(each for each in found if each is not None)
