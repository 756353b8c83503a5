"""What can be had beyond the weights: each way chosen on half A, and compared on half B.

The figures of this comparison use half B's own thresholds, so that each way is seen at the same FMR or FPIR;
nothing else comes from half B. Half A is split again: one part teaches, the other chooses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from borderpost.faces.evaluation.figures import DRAWS, Protocol, split
from borderpost.faces.evaluation.metrics import (
    Counts,
    Scores,
    fnir,
    fnmr,
    genuine_scores,
    impostor_scores,
    joined,
    search,
    threshold_at,
)
from borderpost.faces.evaluation.protocols import Sample, draws
from borderpost.faces.evaluation.templates import Acquired, Vectors, templates, unit

Scorer = Callable[[Counts, Counts], Scores]
"""The scores of some rows of a sample against others."""

GALLERY: Final = 1_000
GALLERY_A: Final = 700
"""Of the part of half A that chooses: it has about 1,400 people."""

FPIR: Final = 0.01
COHORT_BEST: Final = (10, 20, 50, 100, 200, 400)
"""How many of the cohort's best scores an adaptive s-norm looks at."""

SHRINKAGE: Final = (0.1, 0.3, 1.0, 3.0, 10.0)
"""How much of the mean within-class variance is added to every direction."""

MULTIPLE: Final = (1, 2, 3)
"""Pictures in one enrolled template."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way of making scores: FNMR at two FMRs and FNIR at FPIR 1 %, on half B."""

    name: str
    fnmr_3: float
    fnmr_4: float
    fnir: float


def study(protocol: Protocol, acquired: Acquired) -> list[Way]:
    """All ways, the plainest first."""
    plain = split(protocol, acquired, templates(acquired, views=1))
    halves = split(protocol, acquired, templates(acquired))
    teaching, choosing = (halves.a.of(rows) for rows in _parts(halves.a))
    ways = [
        _way("one picture, as it is", plain.few_b, plain.b, _cosines),
        _way("mean of the card's views", halves.few_b, halves.b, _cosines),
    ]
    ways.append(_s_norm(teaching, choosing, halves.few_b, halves.b))
    ways.extend(_whitenings(teaching, choosing, halves.a, halves.few_b, halves.b))
    ways.extend(_several(halves.b))
    return ways


def _parts(half: Sample) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Two parts of a half's people, by another bit of the hash of the name."""
    bits = np.asarray(
        [hashlib.sha256(name.encode()).digest()[0] % 2 == 0 for name in half.names], dtype=np.bool_
    )
    return bits[half.people], ~bits[half.people]


def _cosines(sample: Sample) -> Scorer:
    return lambda rows, columns: np.asarray(sample.vectors[rows] @ sample.vectors[columns].T)


def _way(name: str, few: Sample, full: Sample, scorer: Callable[[Sample], Scorer]) -> Way:
    return Way(name, *_fnmrs(few, scorer(few)), _fnir(full, scorer(full), GALLERY))


def _fnmrs(sample: Sample, scorer: Scorer) -> tuple[float, float]:
    everything = np.arange(len(sample.people))

    def rows(chosen: slice) -> Scores:
        return scorer(everything[chosen], everything)

    impostors = impostor_scores(rows, sample.people)
    genuine = genuine_scores(rows, sample.people)
    first, second = (fnmr(genuine, threshold_at(impostors, rate)).rate for rate in (1e-3, 1e-4))
    return first, second


def _fnir(sample: Sample, scorer: Scorer, size: int) -> float:
    found = joined(
        [
            search(
                sample.vectors[each.enrolled],
                sample.people[each.enrolled],
                sample.vectors[each.probes],
                sample.people[each.probes],
                scorer(each.probes, each.enrolled),
            )
            for each in draws(sample, size, DRAWS, seed=2)
        ]
    )
    return fnir(found, threshold_at(np.sort(found.unmated_best), FPIR)).rate


def _s_norm(teaching: Sample, choosing: Sample, few: Sample, full: Sample) -> Way:
    """Adaptive s-norm: a score by the mean and spread of each side's best scores against a cohort of strangers."""
    _, first = np.unique(teaching.people, return_index=True)
    cohort = teaching.vectors[first]
    best = min(COHORT_BEST, key=lambda top: _fnir(choosing, s_norm(choosing, cohort, top), GALLERY_A))
    return _way(
        f"adaptive s-norm (cohort {len(cohort):,} people, best {best})",
        few,
        full,
        lambda sample: s_norm(sample, cohort, best),
    )


def s_norm(sample: Sample, cohort: Vectors, best: int) -> Scorer:
    """Scores as standard deviations above what strangers reach, the mean of both sides' view."""
    against = np.sort(sample.vectors @ cohort.T, axis=1)[:, -best:]
    mean, spread = against.mean(axis=1), against.std(axis=1)

    def scores(rows: Counts, columns: Counts) -> Scores:
        cosine = sample.vectors[rows] @ sample.vectors[columns].T
        ours = (cosine - mean[rows, None]) / spread[rows, None]
        theirs = (cosine - mean[columns]) / spread[columns]
        return np.asarray((ours + theirs) / 2, dtype=np.float32)

    return scores


def _whitenings(
    teaching: Sample, choosing: Sample, half_a: Sample, few: Sample, full: Sample
) -> Iterator[Way]:
    """Subtracting the mean, and within-class whitening; the shrinkage is chosen within half A."""
    mean = half_a.vectors.mean(axis=0)

    def way(name: str, change: Callable[[Vectors], Vectors]) -> Way:
        return _way(name, _changed(few, change), _changed(full, change), _cosines)

    yield way("less half A's mean", lambda vectors: unit(vectors - mean))

    def chosen_by(shrinkage: float) -> float:
        matrix = whitening(teaching, shrinkage)
        return _fnir(
            sample := _changed(choosing, lambda vectors: unit(vectors @ matrix)), _cosines(sample), GALLERY_A
        )

    best = min(SHRINKAGE, key=chosen_by)
    matrix = whitening(half_a, best)
    yield way(f"within-class whitening (shrinkage {best:g})", lambda vectors: unit(vectors @ matrix))


def _changed(sample: Sample, change: Callable[[Vectors], Vectors]) -> Sample:
    return Sample(change(sample.vectors), sample.people, sample.names)


def whitening(sample: Sample, shrinkage: float) -> Vectors:
    """The inverse square root of the covariance within people, shrunk towards the same variance everywhere."""
    pictures = np.bincount(sample.people)
    several = pictures[sample.people] > 1
    sums = np.zeros((len(pictures), sample.vectors.shape[1]))
    np.add.at(sums, sample.people, sample.vectors)
    off = (sample.vectors - (sums / pictures[:, None])[sample.people])[several]
    weights = 1.0 / pictures[sample.people][several]  # everybody weighs the same
    within = (off * weights[:, None]).T @ off / weights.sum()
    within += shrinkage * np.trace(within) / len(within) * np.eye(len(within))
    values, directions = np.linalg.eigh(within)
    return np.asarray((directions / np.sqrt(values)) @ directions.T, dtype=np.float32)


def _several(full: Sample) -> Iterator[Way]:
    """Several pictures in an enrolled template; probes are single pictures, always the same ones."""
    for count in MULTIPLE:
        few_and_many = [_several_draw(full, count, draw) for draw in range(DRAWS)]
        impostors = np.sort(np.concatenate([each.impostors for each in few_and_many]))
        genuine = np.concatenate([each.genuine for each in few_and_many])
        first, second = (float((genuine < threshold_at(impostors, rate)).mean()) for rate in (1e-3, 1e-4))
        best = np.sort(np.concatenate([each.best for each in few_and_many]))
        level = threshold_at(best, FPIR)
        missed = np.concatenate([(each.own < level) | (each.own < each.others) for each in few_and_many])
        name = f"people with {max(MULTIPLE) + 1} or more pictures, enrolled with {count}"
        yield Way(name, first, second, float(missed.mean()))


@dataclass(frozen=True, slots=True)
class _Several:
    """Scores of one draw: 1:1 genuine and impostor; 1:N own, best of the others, and best of strangers."""

    genuine: Scores
    impostors: Scores
    own: Scores
    others: Scores
    best: Scores


def _several_draw(full: Sample, count: int, seed: int) -> _Several:
    rng = np.random.default_rng([seed, 5])  # the same people and probes for every count
    rows_of = _rows_by_person(full, rng)
    probes = full.vectors[[rows[0] for rows in rows_of]]
    enrolled = _means(full.vectors, [rows[1 : 1 + count] or rows[:1] for rows in rows_of])
    many = np.asarray([len(rows) > max(MULTIPLE) for rows in rows_of], dtype=np.bool_)
    scores = probes @ enrolled[many].T
    own_column = np.flatnonzero(many)
    is_own = np.arange(len(probes))[:, None] == own_column
    gallery = rng.permutation(len(rows_of))[:GALLERY]
    stranger = np.ones(len(rows_of), dtype=np.bool_)
    stranger[gallery] = False
    mated = gallery[many[gallery]]
    table = probes[mated] @ enrolled[gallery].T
    is_right = mated[:, None] == gallery
    return _Several(
        genuine=scores[is_own],
        impostors=scores[~is_own],
        own=table[is_right],
        others=np.where(is_right, -np.inf, table).max(axis=1).astype(np.float32),
        best=(probes[stranger] @ enrolled[gallery].T).max(axis=1),
    )


def _rows_by_person(sample: Sample, rng: np.random.Generator) -> list[list[int]]:
    order = rng.permutation(len(sample.people))
    rows: list[list[int]] = [[] for _ in sample.names]
    for row in order.tolist():
        rows[int(sample.people[row])].append(row)
    return rows


def _means(vectors: Vectors, rows: Sequence[Sequence[int]]) -> Vectors:
    return unit(np.stack([vectors[list(each)].mean(axis=0) for each in rows]))
