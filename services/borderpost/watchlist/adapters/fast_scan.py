"""Templates searched by 4-bit codes first, for blocks of a million and more. Not exact by proof: it is asked for.

Each template is kept once more as 32 bytes: codes of 4 bits, whose tables fit in registers (André et al., 2015;
FAISS's "fast scan"). A group of coordinates has four codes, each for what the ones before leave (product-residual
quantisation, Babenko and Lempitsky, 2015): as fast as one code for every two coordinates (Jégou et al., 2011), and
where few directions hold most of the spread, as in dlib's templates, the error is a third less. The codes tell nearly
how similar a probe is; all that may reach the score, by a margin measured on the block itself, are scored exactly.
So what is reported is right, and a pair at the score is missed with a chance that is small, but not nil.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import faiss
import numpy as np
import numpy.typing as npt

from borderpost.watchlist.adapters.scan import (
    Found,
    Places,
    Scores,
    contiguous,
    decided,
    joined,
    none_found,
    parts_of,
    projected,
    together,
)
from borderpost.watchlist.ports import Pairs, TemplateIndex
from borderpost.watchlist.templates import Vectors

COORDINATES: Final = 128
"""Leading ones that are coded, or all if there are fewer: of 512 they hold 95 % and more, as models go."""

GROUP: Final = 8
"""Coordinates that share codes."""

CODES_OF_GROUP: Final = 4
CODE_BITS: Final = 4
"""What FAISS's fast scan takes."""

BEAM: Final = 4
"""Ways of coding that are kept in view while codes are chosen. With 2, half the time, twice as many rows of dlib's have
to be scored; FAISS's 5 gains nothing."""

TRAINED_ON: Final = 20_000
"""Rows that directions and code books are learned from, spread over the block: 1,250 for each of 16 codes."""

MEASURED_ON: Final = 2_000
"""Rows that the codes' error is measured on, spread over the block, other ones."""

DEVIATIONS: Final = 5.0
"""How far below what is expected the codes may put a pair, in standard deviations, before it is missed. The errors'
tails are heavier than a normal distribution's: with 4, one pair in some thousands just at the score was missed."""

DEPTHS: Final = (400, 1_600, 6_400)
"""Best rows of each part that are asked for, one after the other, until the last of them can't reach the score."""

SAMPLE: Final = 8192
"""Codes that are tried first, to tell how many of all may reach the score."""

CODED_AT_ONCE: Final = 8192
"""Rows that are turned at a time."""


@dataclass(frozen=True, slots=True)
class _CodeError:
    """What the codes leave out of a row: along the row itself, mean and deviation; across it, deviation alone."""

    along: float
    along_deviation: float
    across_deviation: float

    def limits(self, scores: Scores) -> Scores:
        """What the codes may tell of a pair that is just at the score, at the least.

        A probe of cosine c with a row is c of the row and √(1-c²) of a direction across it.
        """
        across = 1 - np.minimum(1, scores**2)
        deviation = np.sqrt(scores**2 * self.along_deviation**2 + across * self.across_deviation**2)
        return np.asarray(scores * (1 - self.along) - DEVIATIONS * deviation)


class FastScanIndex:
    """An exact index, and codes of its templates that are looked at first: 32 bytes more for each."""

    def __init__(self, exact: TemplateIndex) -> None:
        """Learn from the index's templates, and code them.

        A million take a core half a minute and more: not on a search's thread.
        """
        faiss.omp_set_num_threads(1)
        self._exact = exact
        vectors = exact.vectors
        sample = vectors[:: max(1, len(vectors) // TRAINED_ON)]
        self._mean = sample.mean(axis=0)
        self._directions = _directions(sample - self._mean)
        width = len(self._directions)
        empty = _uncoded(width)
        empty.train(self._turned(sample - self._mean))
        self._error = self._measured(empty)
        self._sample = self._coded(empty, vectors[:: max(1, len(vectors) // SAMPLE)])
        self._parts = [(self._coded(empty, vectors[part]), part.start) for part in parts_of(vectors)]

    @property
    def vectors(self) -> Vectors:
        """What it was made of."""
        return self._exact.vectors

    def at_least(self, probes: Vectors, scores: Scores) -> Pairs:
        """Pairs of a probe and a template whose cosine is at least that probe's score: no other, and nearly all.

        A probe for which too many templates may reach the score is left to the exact index.
        """
        asked = contiguous(probes)
        if not len(asked):
            return none_found()
        turned, limits = self._turned(asked), self._error.limits(scores) - asked @ self._mean
        expected = self._expected(turned, limits)
        left: Places = np.arange(len(asked))
        found: list[Found] = []
        for depth in DEPTHS:
            tried = left[expected[left] <= depth]
            if not len(tried):
                continue
            near, more = self._nearest(turned[tried], limits[tried], depth)
            whole = ~more[near.probes]
            found.append(Found(tried[near.probes[whole]], near.rows[whole]))
            left = np.setdiff1d(left, tried[~more])
        pairs = decided(asked, self.vectors, joined(found), scores)
        return _both(pairs, left, self._exact.at_least(asked[left], scores[left]))

    def _expected(self, turned: Vectors, limits: Scores) -> Scores:
        """How many rows of a part may reach each probe's limit, going by the sample."""
        share = len(self.vectors) / self._sample.ntotal / len(self._parts)
        near, _ = _nearest_of((self._sample, 0), turned, limits, int(DEPTHS[-1] / share) + 1)
        return np.asarray(np.bincount(near.probes, minlength=len(turned)) * share)

    def _nearest(self, turned: Vectors, limits: Scores, depth: int) -> tuple[Found, npt.NDArray[np.bool_]]:
        """The best `depth` rows of each part that may reach the limits; for which probes there may be more."""

        def look(part: tuple[Any, int]) -> tuple[Found, npt.NDArray[np.bool_]]:
            return _nearest_of(part, turned, limits, depth)

        looked = together(look, self._parts)
        return joined([found for found, _ in looked]), np.logical_or.reduce([more for _, more in looked])

    def _turned(self, vectors: Vectors) -> Vectors:
        return projected(vectors, self._directions)

    def _measured(self, trained: Any) -> _CodeError:
        """The error of the codes on rows that they weren't learned from, where there are such."""
        rows = self.vectors[1 :: max(1, len(self.vectors) // MEASURED_ON)]
        turned = self._turned(rows - self._mean)
        coded = trained.prq.decode(trained.prq.compute_codes(turned)) @ self._directions
        errors = (rows - self._mean - coded).astype(np.float64)
        along = np.einsum("ij,ij->i", rows, errors)
        others = np.roll(rows, len(rows) // 2, axis=0).astype(np.float64)
        others -= np.einsum("ij,ij->i", others, rows)[:, np.newaxis] * rows
        lengths = np.maximum(np.linalg.norm(others, axis=1), np.finfo(np.float32).tiny)
        across = np.einsum("ij,ij->i", others, errors) / lengths
        return _CodeError(float(along.mean()), float(along.std()), float(np.sqrt(np.mean(across**2))))

    def _coded(self, empty: Any, rows: Vectors) -> Any:
        index = faiss.clone_index(empty)
        for start in range(0, len(rows), CODED_AT_ONCE):
            index.add(self._turned(rows[start : start + CODED_AT_ONCE] - self._mean))
        return index


def _uncoded(width: int) -> Any:
    index = faiss.IndexProductResidualQuantizerFastScan(
        width,
        width // GROUP,
        CODES_OF_GROUP,
        CODE_BITS,
        faiss.METRIC_INNER_PRODUCT,
        faiss.AdditiveQuantizer.ST_LUT_nonorm,
    )
    for group in range(width // GROUP):
        quantizer = faiss.downcast_Quantizer(index.prq.subquantizer(group))  # type: ignore[attr-defined]
        quantizer.max_beam_size = BEAM
    return index


def _directions(centred: Vectors) -> Vectors:
    """Coordinates × dimension: the leading directions, ordered so that each group has strong ones and weak ones.

    Its codes then spend their bits where the block varies: better than an even spread (Ge et al., 2013, "parametric").
    """
    wide = centred.astype(np.float64)
    _, directions = np.linalg.eigh(wide.T @ wide)
    dimension = len(directions)
    width = min(COORDINATES, dimension - dimension % GROUP)
    places = np.arange(width).reshape(GROUP, -1)
    places[1::2] = places[1::2, ::-1]
    return np.ascontiguousarray(directions[:, ::-1].T[places.T.reshape(-1)], dtype=np.float32)


def _nearest_of(
    part: tuple[Any, int], turned: Vectors, limits: Scores, depth: int
) -> tuple[Found, npt.NDArray[np.bool_]]:
    # As in the straight scan: the setting is the calling thread's own.
    faiss.omp_set_num_threads(1)
    index, start = part
    depth = min(depth, index.ntotal)
    similar, rows = index.search(turned, depth)
    near = similar >= limits[:, np.newaxis]
    which, places = np.nonzero(near)
    return Found(which, rows[which, places] + start), near[:, -1] & (depth < index.ntotal)


def _both(pairs: Pairs, left: Places, rest: Pairs) -> Pairs:
    return Pairs(
        np.concatenate([pairs.probes, left[rest.probes]]),
        np.concatenate([pairs.rows, rest.rows]),
        np.concatenate([pairs.scores, rest.scores]),
    )
