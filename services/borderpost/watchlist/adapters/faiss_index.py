"""Templates searched one by one: exact, read by any number of threads at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from borderpost.watchlist.adapters.scan import own, straight
from borderpost.watchlist.domain import Vectors
from borderpost.watchlist.ports import Pairs


class FaissIndex:
    """The straight scan: FAISS's range search over the array as it is."""

    def __init__(self, vectors: Vectors) -> None:
        """Take N × dimension vectors. A contiguous array of float32 is kept as it is, any other is copied."""
        self._vectors = own(vectors)

    @property
    def vectors(self) -> Vectors:
        """What it was made of."""
        return self._vectors

    def at_least(self, probes: Vectors, scores: npt.NDArray[np.float64]) -> Pairs:
        """Every pair of a probe and a template whose cosine is at least that probe's score."""
        return straight(self._vectors, probes, scores)
