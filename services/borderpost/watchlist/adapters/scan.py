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

from borderpost.watchlist.ports import Pairs
from borderpost.watchlist.templates import Vectors

S = TypeVar("S")
T = TypeVar("T")
F = TypeVar("F", np.float32, np.float64)
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

FEW: Final = 256
"""Rows that are a search's probes, not a block."""

DECIDED_AT_ONCE: Final = 256
"""Pairs whose double-precision copies are held at a time: 2 × 1 MB at 512 dimensions, which stay in the cache."""

CORES: Final = len(os.sched_getaffinity(0))
_helpers: Final = ThreadPoolExecutor(max(1, CORES - 1), thread_name_prefix="scan")


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
    kept = contiguous(vectors).view()
    kept.flags.writeable = False
    return kept


def contiguous(vectors: Vectors) -> Vectors:
    """The vectors as FAISS takes them."""
    return np.ascontiguousarray(vectors, dtype=np.float32)


def projected(rows: npt.NDArray[F], basis: npt.NDArray[F]) -> npt.NDArray[F]:
    """N × coordinates: rows in a basis, coordinates × dimension.

    A few rows go without BLAS, whose threads would go on spinning for a while on the cores that a scan needs.
    """
    if len(rows) <= FEW:
        few: npt.NDArray[F] = np.einsum("ij,kj->ik", rows, basis)
        return few
    return rows @ basis.T


def none_found() -> Pairs:
    """No pairs."""
    return Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))


def straight(rows: Vectors, probes: Vectors, scores: Scores) -> Pairs:
    """Every pair of a probe and a row whose cosine is at least that probe's score, each row looked at.

    Probes go together, at the lowest of their scores: what that finds too much for one of them is dropped.
    """
    asked = contiguous(probes)
    if not len(asked) or not len(rows):
        return none_found()
    found = reaching(asked, rows, float(scores.min()) - margin(rows.shape[1]))
    return decided(asked, rows, found, scores)


def reaching(probes: Vectors, rows: Vectors, score: float) -> Found:
    """All pairs whose inner product, as FAISS sums it, is above `score`. Both arrays are contiguous."""
    return joined(together(lambda part: _moved(_scan(probes, rows[part], score), part), parts_of(rows)))


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


def together(work: Callable[[S], T], items: Sequence[S]) -> list[T]:
    """What `work` makes of each item, in order: this thread takes the first, helpers the others.

    An item that no helper has begun when this thread is free is done here: busy helpers delay nobody.
    """
    later = [(_helpers.submit(work, item), item) for item in items[1:]]
    done = [work(item) for item in items[:1]]
    done.extend(work(item) if future.cancel() else future.result() for future, item in later)
    return done


def parts_of(rows: Vectors) -> list[slice]:
    """The rows in equal parts, one for each core, but none so small that it isn't worth a thread."""
    number = max(1, min(CORES, rows.nbytes // PART_BYTES))
    ends = np.linspace(0, len(rows), number + 1).astype(int)
    return [slice(int(start), int(end)) for start, end in pairwise(ends)]


def joined(parts: Sequence[Found]) -> Found:
    """All pairs of several finds."""
    if not parts:
        return Found(np.empty(0, np.int64), np.empty(0, np.int64))
    return Found(
        np.concatenate([part.probes for part in parts]), np.concatenate([part.rows for part in parts])
    )


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
