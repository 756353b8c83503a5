"""Templates searched by an upper bound of their cosine: exact, and a fraction of the bytes is read.

Embeddings fill far fewer dimensions than they have. In a basis learned from the block itself a template is kept
once more as a few leading coordinates and, last, the length of what these leave out. The inner product of two
such short rows is never less than that of the templates: what is left out adds at most the product of its lengths
(Cauchy and Schwarz). So the short rows are scanned, and cosines computed only where the bound reaches the score.
No pair can be missed, whatever the basis: only speed depends on it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from borderpost.watchlist.adapters.scan import (
    Scores,
    contiguous,
    decided,
    margin,
    none_found,
    own,
    projected,
    reaching,
    straight,
)
from borderpost.watchlist.ports import Pairs
from borderpost.watchlist.templates import Vectors

Basis = npt.NDArray[np.float64]
"""Coordinates × dimension: orthonormal rows, in double precision."""

LEARNED_FROM: Final = 20_000
"""Rows that a basis is learned from, spread over the block: 40 for each of 512 dimensions."""

SPREAD_FROM: Final = 1_000
"""Rows that strangers' cosines are sampled from, each with as many others: a million of them."""

MOST_ADDED: Final = 0.5
"""What the bound may add to a cosine on average, in standard deviations of strangers' cosines: few strangers then
get over a score that they are under."""

FITTED_ON: Final = 2_000
"""Rows that tell whether a basis that was learned from another block will do."""

MOST_MORE: Final = 1.25
"""What such a basis may leave out, by what one's own may: learning takes as long as a hundred scans of a block."""

STEP: Final = 8
"""Floats of a vector register (AVX2): a row's length is a multiple of it."""

LARGEST_SHARE: Final = 0.5
"""Of the dimensions. A basis that needs more saves too little for its memory."""

REDUCED_AT_ONCE: Final = 4096
"""Rows whose double-precision copies are held at a time: 16 MB at 512 dimensions."""

SLACK: Final = 1e-11
"""Added to the square of a left-out length, which is a difference of two sums near 1: each is off by less than
d·√m·2⁻⁵³, 1e-12 at 512 dimensions. A longer length keeps the bound a bound."""

SAMPLE: Final = 1024
"""Short rows that are tried before a scan, to tell how many will pass."""

MOST_PASSING: Final = 0.01
"""Share of pairs up to which the bound is used. At 512 dimensions on two cores it saves 0.03 µs a row, and a pair that
passes it takes 0.9 µs: at 3 % nothing would be saved."""


class BoundedIndex:
    """The vectors, and short rows that bound their cosines: a quarter more memory at 512 dimensions, as models go."""

    def __init__(self, vectors: Vectors, basis: Basis) -> None:
        """Take N × dimension vectors, as `FaissIndex` does, and make their short rows in this basis."""
        self._vectors = own(vectors)
        self._basis = basis
        self._short = shortened(self._vectors, basis)
        self._sample = self._short[:: max(1, len(self._short) // SAMPLE)].copy()

    @property
    def vectors(self) -> Vectors:
        """What it was made of."""
        return self._vectors

    @property
    def short(self) -> Vectors:
        """N × (coordinates + 1): what is scanned."""
        return self._short

    def at_least(self, probes: Vectors, scores: Scores) -> Pairs:
        """Every pair of a probe and a template whose cosine is at least that probe's score."""
        asked = contiguous(probes)
        if not len(asked) or not len(self._vectors):
            return none_found()
        short = shortened(asked, self._basis)
        limit = float(scores.min()) - margin(short.shape[1])
        if len(reaching(short, self._sample, limit).rows) > MOST_PASSING * len(short) * len(self._sample):
            return straight(self._vectors, asked, scores)
        return decided(asked, self._vectors, reaching(short, self._short, limit), scores)


def learn_basis(vectors: Vectors) -> Basis | None:
    """The leading directions of N × dimension vectors, as many as a useful bound needs; None if it needs too many,
    or if there are fewer vectors than dimensions.

    The mean is left in: inner products are bounded, and it is a direction like any other.
    """
    count, dimension = vectors.shape
    if count < dimension:
        return None
    sample = vectors[:: max(1, count // LEARNED_FROM)].astype(np.float64)
    energies, directions = np.linalg.eigh(sample.T @ sample / len(sample))
    left_out = np.maximum(0, energies.sum() - np.cumsum(energies[::-1]))
    enough = np.flatnonzero(left_out <= MOST_ADDED * _spread(sample))
    needed = int(enough[0]) + 1 if len(enough) else dimension
    length = STEP * -(-(needed + 1) // STEP)
    if length > LARGEST_SHARE * dimension:
        return None
    return np.ascontiguousarray(directions[:, ::-1][:, : length - 1].T)


def fits(basis: Basis, vectors: Vectors) -> bool:
    """Tell whether a basis that was learned from other vectors bounds these nearly as well as one of their own."""
    sample = vectors[:: max(1, len(vectors) // FITTED_ON)].astype(np.float64)
    coordinates = projected(sample, basis)
    left_out = np.einsum("ij,ij->i", sample, sample) - np.einsum("ij,ij->i", coordinates, coordinates)
    return float(left_out.mean()) <= MOST_MORE * MOST_ADDED * _spread(sample)


def shortened(vectors: Vectors, basis: Basis) -> Vectors:
    """N × (coordinates + 1): the coordinates in the basis, and the length of what they leave out."""
    short = np.empty((len(vectors), len(basis) + 1), dtype=np.float32)
    for start in range(0, len(vectors), REDUCED_AT_ONCE):
        piece = slice(start, start + REDUCED_AT_ONCE)
        wide = vectors[piece].astype(np.float64)
        coordinates = projected(wide, basis)
        left_out = np.einsum("ij,ij->i", wide, wide) - np.einsum("ij,ij->i", coordinates, coordinates)
        short[piece, :-1] = coordinates
        short[piece, -1] = np.sqrt(np.maximum(left_out, 0) + SLACK)
    short.flags.writeable = False
    return short


def _spread(sample: npt.NDArray[np.float64]) -> float:
    """The standard deviation of strangers' cosines. Neighbours may be of one person: halves are compared."""
    step = max(1, len(sample) // (2 * SPREAD_FROM))
    chosen = sample[::step]
    half = len(chosen) // 2
    return float(np.std(chosen[:half] @ chosen[half : 2 * half].T))
