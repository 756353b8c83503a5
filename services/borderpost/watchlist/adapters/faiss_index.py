"""Templates searched one by one, and the choice between that and what is faster for a block."""

from __future__ import annotations

from typing import Final

from borderpost.watchlist.adapters.bounded import Basis, BoundedIndex, fits, learn_basis
from borderpost.watchlist.adapters.fast_scan import FastScanIndex
from borderpost.watchlist.adapters.scan import Scores, own, straight
from borderpost.watchlist.ports import BuildIndex, Pairs, TemplateIndex
from borderpost.watchlist.templates import Vectors

BOUNDED_FROM: Final = 10_000
"""Templates of a block from which learning a basis for it pays: a straight scan of fewer takes under a millisecond."""

TRIED_AGAIN: Final = 2
"""Times the size of a block that no basis was found for, from which another block is tried."""

CODED_FROM: Final = 16
"""Dimensions from which fast scan's codes are enough that their errors average out: 8 codes."""


class FaissIndex:
    """The straight scan: FAISS's range search over the array as it is. Exact, and no memory beside the array."""

    def __init__(self, vectors: Vectors) -> None:
        """Take N × dimension vectors. A contiguous array of float32 is kept as it is, any other is copied."""
        self._vectors = own(vectors)

    @property
    def vectors(self) -> Vectors:
        """What it was made of."""
        return self._vectors

    def at_least(self, probes: Vectors, scores: Scores) -> Pairs:
        """Every pair of a probe and a template whose cosine is at least that probe's score."""
        return straight(self._vectors, probes, scores)


def faiss_builder(*, bounded_from: int = BOUNDED_FROM, fast_scan_from: int | None = None) -> BuildIndex:
    """What makes the fastest index of a block: exact, unless fast scan is asked for from a number of templates on.

    Making an index takes seconds for a million templates, and with fast scan longer: not on a search's thread. The
    basis of a block is kept for later ones, as long as it does for them: any basis is right, a good one is fast.
    """
    bases = _Bases()

    def build(vectors: Vectors) -> TemplateIndex:
        count, dimension = vectors.shape
        basis = bases.of(vectors) if count >= bounded_from else None
        exact = FaissIndex(vectors) if basis is None else BoundedIndex(vectors, basis)
        fast = fast_scan_from is not None and count >= fast_scan_from and dimension >= CODED_FROM
        return FastScanIndex(exact) if fast else exact

    return build


class _Bases:
    """The newest basis of each dimension, and the sizes of the blocks that none was found for."""

    def __init__(self) -> None:
        self._kept: dict[int, Basis] = {}
        self._in_vain: dict[int, int] = {}

    def of(self, vectors: Vectors) -> Basis | None:
        """A basis that does for these vectors. None if there is none, or was none for nearly as many."""
        count, dimension = vectors.shape
        basis = self._kept.get(dimension)
        if basis is not None and fits(basis, vectors):
            return basis
        if count < TRIED_AGAIN * self._in_vain.get(dimension, 0):
            return None
        basis = learn_basis(vectors)
        if basis is None:
            self._in_vain[dimension] = count
        else:
            self._kept[dimension] = basis
        return basis
