"""Templates in a flat FAISS index: exact, read by any number of threads at a time."""

from __future__ import annotations

from typing import Final

import faiss
import numpy as np

from borderpost.watchlist.domain import Vectors
from borderpost.watchlist.ports import Pairs

UNIT_ROUNDOFF: Final = 2.0**-24
"""Of IEEE 754 single precision, rounded to nearest."""


class FaissIndex:
    """A `faiss.IndexFlatIP` that is filled once. FAISS may not be searched while it is added to or removed from."""

    def __init__(self, vectors: Vectors) -> None:
        """Copy N × dimension vectors in. FAISS keeps the only copy: `vectors` shows it."""
        count, dimension = vectors.shape
        self._index = faiss.IndexFlatIP(dimension)
        self._index.add(np.ascontiguousarray(vectors, dtype=np.float32))
        if count:
            kept = faiss.rev_swig_ptr(self._index.get_xb(), count * dimension).reshape(count, dimension)
        else:
            kept = np.empty((0, dimension), dtype=np.float32)
        kept.flags.writeable = False
        self._vectors: Vectors = kept

    @property
    def vectors(self) -> Vectors:
        """What it was made of. It lives as long as this index."""
        return self._vectors

    def at_least(self, probes: Vectors, score: float) -> Pairs:
        """Every pair of a probe and a template whose cosine is `score` or more.

        FAISS sums in single precision, in an order that depends on the machine. So it is asked for a little
        more than wanted, and what it finds is summed again in double precision, which decides.
        """
        # More than one OpenMP thread makes one search slower, and the setting is the calling thread's own.
        faiss.omp_set_num_threads(1)
        dimension = probes.shape[1]
        # |computed - true| <= d·u·Σ|a·b| for a sum of d products (Higham, Accuracy and Stability, 3.1), where
        # Σ|a·b| is at most the product of the lengths: 1 within the tolerance of 1e-3 each, so 2 is safe.
        margin = 2 * dimension * UNIT_ROUNDOFF
        limits, _, rows = self._index.range_search(probes, score - margin)
        counts = np.diff(limits.astype(np.int64))
        probe_of = np.repeat(np.arange(len(probes), dtype=np.int64), counts)
        scores = np.einsum(
            "ij,ij->i", probes[probe_of].astype(np.float64), self._vectors[rows].astype(np.float64)
        )
        keep = scores >= score
        return Pairs(probe_of[keep], rows[keep].astype(np.int64), scores[keep])
