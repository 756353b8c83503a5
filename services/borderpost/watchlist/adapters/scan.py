"""Scanning rows of float32 for inner products: finding in single precision, deciding in double precision.

FAISS sums in single precision, in an order that depends on the machine. So it is asked for a little more than is
wanted, and what it finds is summed again in double precision, which decides.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeVar

import faiss
import numpy as np
import numpy.typing as npt

from borderpost.watchlist.domain import Vectors
from borderpost.watchlist.ports import Pairs

T = TypeVar("T")
Places = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]

UNIT_ROUNDOFF: Final = 2.0**-24
"""Of IEEE 754 single precision, rounded to nearest."""

PART_BYTES: Final = 2 * 1024 * 1024
"""Rows that a second thread is worth waking for: scanning them takes 0.1 ms, handing them over a tenth of that."""

PIECE_BYTES: Final = 2 * 1024 * 1024
"""Rows that stay in a core's cache while a few probes pass over them: they are read from memory once for all."""

BLAS_FROM: Final = 8
"""Probes from which a product of matrices is faster than one pass for each probe."""

DECIDED_AT_ONCE: Final = 4096
"""Pairs whose double-precision copies are held at a time: 2 × 16 MB at 512 dimensions."""

_CORES: Final = len(os.sched_getaffinity(0))
_helpers: Final = ThreadPoolExecutor(max(1, _CORES - 1), thread_name_prefix="scan")


@dataclass(frozen=True, slots=True)
class Found:
    """Pairs of a probe and a row, in no order, by their places."""

    probes: Places
    rows: Places


def margin(dimension: int) -> float:
    """How far below the score a single-precision sum of `dimension` products may be of one that reaches it.

    |computed - true| <= d·u·Σ|a·b| for a sum of d products (Higham, Accuracy and Stability, 3.1), where Σ|a·b| is
    at most the product of the lengths: 1 within the tolerance of 1e-3 each, so 2 is safe. Two products more stand
    for the rounding of the score itself.
    """
    return 2 * (dimension + 2) * UNIT_ROUNDOFF


def own(vectors: Vectors) -> Vectors:
    """The vectors as a contiguous array of float32 that can't be written to; copied only if they aren't one yet."""
    kept = np.ascontiguousarray(vectors, dtype=np.float32).view()
    kept.flags.writeable = False
    return kept


def straight(rows: Vectors, probes: Vectors, scores: Scores) -> Pairs:
    """Every pair of a probe and a row whose cosine is at least that probe's score, each row looked at.

    Probes go together, at the lowest of their scores: what that finds too much for one of them is dropped.
    """
    asked = np.ascontiguousarray(probes, dtype=np.float32)
    if not len(asked) or not len(rows):
        return Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    found = reaching(asked, rows, float(scores.min()) - margin(rows.shape[1]))
    return decided(asked, rows, found, scores)


def reaching(probes: Vectors, rows: Vectors, score: float) -> Found:
    """All pairs whose inner product, as FAISS sums it, is above `score`. Both arrays are contiguous."""
    return joined(
        in_parts(len(rows), rows.nbytes, lambda part: _moved(_scan(probes, rows[part], score), part))
    )


def decided(probes: Vectors, rows: Vectors, found: Found, scores: Scores) -> Pairs:
    """Those of the pairs found whose inner product in double precision is at least the score of its probe."""
    products = np.empty(len(found.rows))
    for start in range(0, len(products), DECIDED_AT_ONCE):
        piece = slice(start, start + DECIDED_AT_ONCE)
        products[piece] = np.einsum(
            "ij,ij->i",
            probes[found.probes[piece]].astype(np.float64),
            rows[found.rows[piece]].astype(np.float64),
        )
    keep = products >= scores[found.probes]
    return Pairs(found.probes[keep], found.rows[keep], products[keep])


def in_parts(count: int, size: int, work: Callable[[slice], T]) -> list[T]:
    """Do `work` on every part of `count` rows of `size` bytes together: this thread on one, helpers on the others.

    A part that no helper has begun when this thread is free is done here: busy helpers delay nobody.
    """
    parts = _parts(count, size)
    later = [(_helpers.submit(work, part), part) for part in parts[1:]]
    done = [work(parts[0])]
    done.extend(work(part) if future.cancel() else future.result() for future, part in later)
    return done


def joined(parts: Sequence[Found]) -> Found:
    """All pairs of several finds."""
    if len(parts) == 1:
        return parts[0]
    return Found(
        np.concatenate([part.probes for part in parts]), np.concatenate([part.rows for part in parts])
    )


def _parts(count: int, size: int) -> list[slice]:
    number = max(1, min(_CORES, size // PART_BYTES))
    ends = np.linspace(0, count, number + 1).astype(int)
    return [slice(int(start), int(end)) for start, end in pairwise(ends)]


def _scan(probes: Vectors, rows: Vectors, score: float) -> Found:
    """One thread's part. One probe, or many, pass over it in one go; a few go over it piece by piece."""
    # More than one OpenMP thread makes one search slower, and the setting is the calling thread's own.
    faiss.omp_set_num_threads(1)
    # FAISS compares it with probes × dimension. It is the process's: another thread may set it for its own
    # dimension in between, which costs time and nothing else.
    faiss.cvar.distance_compute_blas_threshold = BLAS_FROM * probes.shape[1]
    if len(probes) == 1 or len(probes) >= BLAS_FROM:
        return _range_search(probes, rows, score)
    step = max(1, PIECE_BYTES // (rows.shape[1] * rows.itemsize))
    pieces = [slice(start, start + step) for start in range(0, len(rows), step)]
    return joined([_moved(_range_search(probes, rows[piece], score), piece) for piece in pieces])


def _range_search(probes: Vectors, rows: Vectors, score: float) -> Found:
    result = faiss.RangeSearchResult(len(probes))
    faiss.range_search_inner_product(
        faiss.swig_ptr(probes), faiss.swig_ptr(rows), rows.shape[1], len(probes), len(rows), score, result
    )
    limits = faiss.rev_swig_ptr(result.lims, len(probes) + 1).astype(np.int64)
    found = faiss.rev_swig_ptr(result.labels, int(limits[-1])).astype(np.int64)
    return Found(np.repeat(np.arange(len(probes), dtype=np.int64), np.diff(limits)), found)


def _moved(found: Found, by: slice) -> Found:
    return Found(found.probes, found.rows + by.start)
