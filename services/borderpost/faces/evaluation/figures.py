"""All figures of one engine: thresholds are chosen on half A of the people, and everything is reported on half B."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from borderpost.faces.evaluation.calibrating import calibrate
from borderpost.faces.evaluation.metrics import (
    Estimate,
    FalseMatches,
    Genuine,
    Rates,
    Scores,
    Searches,
    by_person,
    cmc,
    cosines,
    false_matches,
    fmr_estimates,
    fnir,
    fnmr,
    fnmr_curve,
    fold_accuracies,
    fpir,
    genuine_scores,
    impostor_scores,
    joined,
    search,
    threshold_at,
)
from borderpost.faces.evaluation.protocols import (
    Groups,
    Labelled,
    Pair,
    Sample,
    check_size,
    draws,
    first_of_each,
    in_first_half,
    sample_of,
)
from borderpost.faces.evaluation.templates import Acquired, Vectors, templates
from borderpost.faces.ports import ModelCard
from borderpost.runtime.calibration import (
    MAX_FMR_TARGET,
    MIN_FALSE_MATCHES,
    Calibration,
    Threshold,
    parse_calibration,
    target_fmr,
)

FMRS: Final = (1e-2, 1e-3, 1e-4, 1e-5)
FPIRS: Final = (0.1, 0.01)
SIZES: Final = (100, 300, 1_000)
"""Of the galleries within a half."""

LARGE_SIZES: Final = (3_000, 5_000)
"""Of the galleries over all people: no half has so many."""

MIN_GALLERY: Final = 30
"""People in the smallest gallery for which error rates are shown: one search in 30 is 3 %."""

DRAWS: Final = 20
"""Random galleries of each size."""

MIN_STRANGERS: Final = 20
"""A gallery that leaves fewer people unenrolled can show no FPIR."""

RANKS: Final = 20


@dataclass(frozen=True, slots=True)
class Acquisition:
    """Pictures, and those in which no face was found."""

    pictures: int
    failed: int


@dataclass(frozen=True, slots=True)
class GroupErrors:
    """A group at a threshold: pairs within it that match falsely, and its genuine pairs that don't match."""

    fmr: float
    false_matches: int
    fnmr: Estimate | None


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """At a threshold chosen on half A for the FMR `asked`: both error rates of half B.

    `supported` says whether enough false matches of half A stand behind the threshold.
    """

    asked: float
    threshold: float
    supported: bool
    fmr: Estimate
    false_matches: int
    fnmr: Estimate
    fnmr_official: Estimate | None
    groups: Mapping[str, GroupErrors]


@dataclass(frozen=True, slots=True)
class Identification:
    """Searches in galleries of `size` people, at a threshold chosen for the FPIR `asked`.

    `lowest` and `highest` are the FNIR of single draws. `groups` has FPIR and FNIR by the searched person's group.
    """

    size: int
    asked: float
    threshold: float
    supported: bool
    fpir: Estimate
    fnir: Estimate
    lowest: float
    highest: float
    rank_one: float
    groups: Mapping[str, tuple[Estimate, Estimate]]


@dataclass(frozen=True, slots=True)
class Official:
    """LFW's protocol, pictures without a face counted as no match; and findings' figures: see the report."""

    accuracy: float
    standard_error: float
    pairs: int
    pairs_without_face: int
    fnmr_same_data: Mapping[float, float]


@dataclass(frozen=True, slots=True)
class Curves:
    """For plots: FNMR over FMR, FNIR over FPIR, and the cumulative match characteristic, all of half B.

    They end where fewer than MIN_FALSE_MATCHES false matches, or people with a false alarm, stand behind. `size` is the
    gallery's; None, and nothing of identification, where none was large enough.
    """

    fmr: Rates
    fnmr: Rates
    size: int | None
    fpir: Rates
    fnir: Rates
    cmc: Rates


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that was measured of one engine."""

    card: ModelCard
    card_sha256: str
    acquisition: Acquisition
    acquisition_by_group: Mapping[str, Acquisition]
    half_a: Sample
    half_b: Sample
    impostors_b: int
    genuine_b: int
    points: tuple[OperatingPoint, ...]
    points_without: tuple[OperatingPoint, ...]
    compared: tuple[OperatingPoint, ...]
    identification: tuple[Identification, ...]
    listed: tuple[Identification, ...]
    large: tuple[Identification, ...]
    official: Official | None
    calibration: Mapping[str, Any]
    factor: float
    curves: Curves


@dataclass(frozen=True, slots=True)
class Protocol:
    """What an evaluation runs on: pictures, groups, and of LFW its pairs and its known errors."""

    data: str
    labelled: Labelled
    groups: Groups
    pairs: Sequence[Pair] = ()
    known_errors: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Halves:
    """Both halves with all pictures, and with a few of each person; and all people together."""

    a: Sample
    b: Sample
    few_a: Sample
    few_b: Sample
    everybody: Sample


def split(protocol: Protocol, acquired: Acquired, vectors: Vectors) -> Halves:
    """The halves of the people. Raises EvaluationDataError where one is too small or too large."""
    labelled = protocol.labelled
    first = np.asarray([in_first_half(name) for name in labelled.names], dtype=np.bool_)
    a = sample_of(labelled, vectors, acquired.found & first)
    b = sample_of(labelled, vectors, acquired.found & ~first)
    few_a, few_b = first_of_each(a), first_of_each(b)
    for half in (few_a, few_b):
        check_size(half)
    return Halves(a, b, few_a, few_b, sample_of(labelled, vectors, acquired.found))


def measure(protocol: Protocol, card: ModelCard, acquired: Acquired) -> Figures:
    """All figures of an engine. Raises EvaluationDataError where the pictures are too few, or too many."""
    vectors = templates(acquired)
    halves = split(protocol, acquired, vectors)
    official = [pair for pair in protocol.pairs if pair.same]
    impostors = impostor_scores(cosines(halves.few_b.vectors), halves.few_b.people)
    searched = {size: searches(halves, size) for size in _sizes(halves)}
    larger = {size: _large(halves.everybody, size) for size in LARGE_SIZES if protocol.pairs}
    official_scores = _pair_scores(protocol, vectors, official)
    content = calibrate(card.id, card.fingerprint, protocol.data, halves.few_a, halves.few_b, protocol.groups)
    calibration = parse_calibration(encoded(content))
    without_a, without_b = (_without(half, protocol.known_errors) for half in (halves.few_a, halves.few_b))
    genuine = genuine_scores(cosines(halves.few_b.vectors), halves.few_b.people)
    return Figures(
        card=card,
        card_sha256=card.fingerprint,
        acquisition=Acquisition(len(acquired.found), int((~acquired.found).sum())),
        acquisition_by_group={
            label: _acquisition(protocol, acquired, protocol.groups.members[label])
            for label in protocol.groups.members
        },
        half_a=halves.few_a,
        half_b=halves.few_b,
        impostors_b=len(impostors),
        genuine_b=len(genuine.scores),
        points=operating_points(chosen_on(halves.few_a), halves.few_b, protocol.groups, official_scores),
        points_without=operating_points(chosen_on(without_a), without_b, protocol.groups)
        if protocol.known_errors
        else (),
        compared=operating_points(
            [calibration.threshold_at(rate) for rate in FMRS], halves.few_b, protocol.groups, official_scores
        ),
        identification=tuple(
            identify(size, asked, at_fpir(first, asked), drawn, protocol.groups, halves.b.names)
            for size, (first, drawn) in searched.items()
            for asked in FPIRS
        ),
        listed=tuple(
            identify(size, asked, for_list(calibration, asked, size), drawn, protocol.groups, halves.b.names)
            for size, (_, drawn) in searched.items()
            for asked in FPIRS
        ),
        large=tuple(
            identify(size, asked, at_fpir(first, asked), drawn, protocol.groups, halves.everybody.names)
            for size, (first, drawn) in larger.items()
            for asked in FPIRS
        ),
        official=_official(protocol, vectors, acquired) if protocol.pairs else None,
        calibration=content,
        factor=calibration.safety_factor,
        curves=_curves(impostors, genuine, {size: drawn for size, (_, drawn) in searched.items()}),
    )


def chosen_on(a: Sample) -> list[Threshold]:
    """The threshold for each of FMRS that the impostors of a half give."""
    impostors = impostor_scores(cosines(a.vectors), a.people)
    return [
        Threshold(threshold_at(impostors, rate), supported=rate * len(impostors) >= MIN_FALSE_MATCHES)
        for rate in FMRS
    ]


def operating_points(
    chosen: Sequence[Threshold],
    b: Sample,
    groups: Groups,
    official: tuple[Scores, Sequence[str]] | None = None,
) -> tuple[OperatingPoint, ...]:
    """FMR and FNMR of half B at the threshold chosen for each of FMRS. `official` are genuine scores, and whose."""
    thresholds = [threshold.score for threshold in chosen]
    found = false_matches(cosines(b.vectors), b.people, thresholds)
    genuine = genuine_scores(cosines(b.vectors), b.people)
    by_group = {label: _group(b, groups, label, thresholds) for label in groups.members}
    return tuple(
        OperatingPoint(
            asked=asked,
            threshold=threshold.score,
            supported=threshold.supported,
            fmr=estimate,
            false_matches=int(found.counts[index]),
            fnmr=fnmr(genuine, threshold.score),
            fnmr_official=_of_people(official, b.names, threshold.score) if official else None,
            groups={label: each[index] for label, each in by_group.items()},
        )
        for index, (asked, threshold, estimate) in enumerate(
            zip(FMRS, chosen, fmr_estimates(found), strict=True)
        )
    )


def searches(halves: Halves, size: int) -> tuple[Searches, tuple[Searches, ...]]:
    """All searches of several draws: of half A joined, of half B draw by draw."""
    return joined(_searches(halves.a, size, DRAWS, seed=1)), _searches(halves.b, size, DRAWS, seed=2)


def at_fpir(searches: Searches, asked: float) -> Threshold:
    """The threshold that these searches give for the FPIR `asked`."""
    best = np.sort(searches.unmated_best)
    return Threshold(threshold_at(best, asked), supported=asked * len(best) >= MIN_FALSE_MATCHES)


def for_list(calibration: Calibration, asked: float, size: int) -> Threshold:
    """The threshold that the watchlist service takes for a list of `size` templates and this target."""
    return calibration.mean_threshold_at(min(target_fmr(asked, size), MAX_FMR_TARGET))


def identify(
    size: int,
    asked: float,
    chosen: Threshold,
    drawn: Sequence[Searches],
    groups: Groups,
    names: Sequence[str],
) -> Identification:
    """Open-set identification at the threshold chosen for the FPIR `asked`."""
    threshold = chosen.score
    every = joined(drawn)
    single = [fnir(each, threshold).rate for each in drawn]
    return Identification(
        size=size,
        asked=asked,
        threshold=threshold,
        supported=chosen.supported,
        fpir=fpir(every, threshold),
        fnir=fnir(every, threshold),
        lowest=min(single),
        highest=max(single),
        rank_one=float(cmc(every, 1)[0]),
        groups={
            label: (fpir(part, threshold), fnir(part, threshold))
            for label in groups.members
            if (part := _searched_of(every, groups.members[label], names)) is not None
        },
    )


def _sizes(halves: Halves) -> list[int]:
    """Galleries that leave strangers, and are large enough to say something; maybe none."""
    most = min(len(halves.a.names), len(halves.b.names)) - MIN_STRANGERS
    smaller = [max(MIN_GALLERY, most // 2)] if most >= MIN_GALLERY else []
    return [size for size in SIZES if size <= most] or smaller


def _searches(sample: Sample, size: int, count: int, seed: int) -> tuple[Searches, ...]:
    return tuple(
        search(
            sample.vectors[each.enrolled],
            sample.people[each.enrolled],
            sample.vectors[each.probes],
            sample.people[each.probes],
        )
        for each in draws(sample, size, count, seed)
    )


def _large(everybody: Sample, size: int) -> tuple[Searches, tuple[Searches, ...]]:
    """The threshold from other draws than the report, but of the same people: it says so in the report."""
    return joined(_searches(everybody, size, DRAWS, seed=3)), _searches(everybody, size, DRAWS, seed=4)


def _searched_of(every: Searches, members: frozenset[str], names: Sequence[str]) -> Searches | None:
    """Only the searches of a group's people; None where it has none of one kind."""
    is_member = np.asarray([name in members for name in names], dtype=np.bool_)
    mated, unmated = is_member[every.mated_people], is_member[every.unmated_people]
    if not (mated.any() and unmated.any()):
        return None
    return Searches(
        every.mated_scores[mated],
        every.mated_ranks[mated],
        every.mated_people[mated],
        every.unmated_best[unmated],
        every.unmated_people[unmated],
    )


def _group(sample: Sample, groups: Groups, label: str, thresholds: Sequence[float]) -> list[GroupErrors]:
    chosen = groups.rows(sample, label)
    if not chosen.any():
        return [GroupErrors(0.0, 0, None) for _ in thresholds]
    members = sample.of(chosen)
    found: FalseMatches = false_matches(cosines(members.vectors), members.people, thresholds)
    genuine: Genuine = genuine_scores(cosines(members.vectors), members.people)
    return [
        GroupErrors(float(rate), int(count), fnmr(genuine, threshold) if len(genuine.scores) else None)
        for rate, count, threshold in zip(found.rates, found.counts, thresholds, strict=True)
    ]


def _acquisition(protocol: Protocol, acquired: Acquired, members: frozenset[str]) -> Acquisition:
    of_group = np.asarray([name in members for name in protocol.labelled.names], dtype=np.bool_)
    return Acquisition(int(of_group.sum()), int((of_group & ~acquired.found).sum()))


def _without(half: Sample, known_errors: frozenset[str]) -> Sample:
    is_sound = np.asarray([name not in known_errors for name in half.names], dtype=np.bool_)
    return half.of(is_sound[half.people])


def encoded(calibration: Mapping[str, Any]) -> bytes:
    """A calibration as its file holds it; its id is the hash of these bytes."""
    return (json.dumps(calibration, indent=2) + "\n").encode()


def _pair_scores(
    protocol: Protocol, vectors: Vectors, pairs: Sequence[Pair]
) -> tuple[Scores, Sequence[str]] | None:
    """The scores of LFW's genuine pairs, and whose each is; pictures without a face left out."""
    if not pairs:
        return None
    row = {path.name: index for index, path in enumerate(protocol.labelled.pictures)}
    first, second = (vectors[[row[name] for name in side]] for side in _sides(pairs))
    acquired = np.asarray(first.any(axis=1) & second.any(axis=1))
    scores = np.asarray((first * second).sum(axis=1)[acquired])
    owners = [
        pair.first.rpartition("_")[0] for pair, kept in zip(pairs, acquired.tolist(), strict=True) if kept
    ]
    return scores, owners


def _sides(pairs: Sequence[Pair]) -> tuple[list[str], list[str]]:
    return [pair.first for pair in pairs], [pair.second for pair in pairs]


def _of_people(
    official: tuple[Scores, Sequence[str]], names: Sequence[str], threshold: float
) -> Estimate | None:
    """FNMR of the official pairs of these people, every pair weighing the same, interval over people."""
    number = {name: index for index, name in enumerate(names)}
    kept = [(score, number[owner]) for score, owner in zip(*official, strict=True) if owner in number]
    if not kept:
        return None
    people = np.asarray([person for _, person in kept], dtype=np.int64)
    missed = np.asarray([score < np.float32(threshold) for score, _ in kept], dtype=np.bool_)
    return by_person(missed, people)


def _official(protocol: Protocol, vectors: Vectors, acquired: Acquired) -> Official:
    row = {path.name: index for index, path in enumerate(protocol.labelled.pictures)}
    first, second = ([row[name] for name in side] for side in _sides(protocol.pairs))
    seen = acquired.found[first] & acquired.found[second]
    scores = np.where(seen, (vectors[first] * vectors[second]).sum(axis=1), np.float32(-1))
    same = np.asarray([pair.same for pair in protocol.pairs], dtype=np.bool_)
    folds = np.asarray([pair.fold for pair in protocol.pairs], dtype=np.int64)
    accuracies = fold_accuracies(scores, same, folds)
    used = np.zeros(len(vectors), dtype=np.bool_)
    used[[*first, *second]] = True
    everybody = sample_of(protocol.labelled, vectors, used & acquired.found)
    impostors = impostor_scores(cosines(everybody.vectors), everybody.people)
    genuine = scores[same & seen]
    return Official(
        accuracy=float(accuracies.mean()),
        standard_error=float(accuracies.std(ddof=1) / np.sqrt(len(accuracies))),
        pairs=len(same),
        pairs_without_face=int((~seen).sum()),
        fnmr_same_data={rate: float((genuine < threshold_at(impostors, rate)).mean()) for rate in FMRS},
    )


def _curves(impostors: Scores, genuine: Genuine, searched: Mapping[int, Sequence[Searches]]) -> Curves:
    lowest = max(1e-6, MIN_FALSE_MATCHES / len(impostors))
    fmrs = np.geomspace(lowest, max(lowest, 0.1), 60)
    missed = fnmr_curve(genuine, [threshold_at(impostors, rate) for rate in fmrs])
    if not searched:
        nothing = np.empty(0)
        return Curves(fmrs, missed, None, nothing, nothing, nothing)
    size = max(searched)
    every = joined(searched[size])
    fpirs, fnirs = _fnir_curve(every)
    return Curves(fmrs, missed, size, fpirs, fnirs, cmc(every, RANKS))


def _fnir_curve(every: Searches) -> tuple[Rates, Rates]:
    best = np.sort(every.unmated_best)
    lowest = max(1e-3, lowest_fpir(every))
    fpirs = np.geomspace(lowest, max(lowest, 0.5), 40)
    levels = [threshold_at(best, rate) for rate in fpirs]
    missed = [((every.mated_scores < np.float32(level)) | (every.mated_ranks > 1)).mean() for level in levels]
    return fpirs, np.asarray(missed)


def lowest_fpir(every: Searches) -> float:
    """The FPIR at which MIN_FALSE_MATCHES people have a false alarm: several draws search one person several times."""
    of_person = np.full(int(every.unmated_people.max()) + 1, -np.inf, dtype=np.float32)
    np.maximum.at(of_person, every.unmated_people, every.unmated_best)
    alarms = np.sort(of_person[np.isfinite(of_person)])
    level = alarms[-min(MIN_FALSE_MATCHES, len(alarms))]
    return float((every.unmated_best >= level).mean())
