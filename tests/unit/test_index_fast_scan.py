"""Fast scan: what it reports is exact, and the limit under which it stops looking is measured on the block."""

from __future__ import annotations

import numpy as np
import pytest

from borderpost.watchlist.adapters import fast_scan
from borderpost.watchlist.adapters.faiss_index import FaissIndex, faiss_builder
from borderpost.watchlist.adapters.fast_scan import FastScanIndex
from borderpost.watchlist.ports import Pairs
from borderpost.watchlist.templates import Vectors
from fakes.watchlist import unit_vectors

DIMENSION = 32


class CountedIndex(FaissIndex):
    """A straight scan that tells how many probes it was asked for."""

    asked = 0

    def at_least(self, probes: Vectors, scores: np.ndarray) -> Pairs:
        self.asked += len(probes)
        return super().at_least(probes, scores)


@pytest.fixture(scope="module")
def exact() -> CountedIndex:
    return CountedIndex(unit_vectors(10_000, DIMENSION, seed=1))


@pytest.fixture(scope="module")
def fast(exact: CountedIndex) -> FastScanIndex:
    return FastScanIndex(exact)


def probes_at(cosine: float, rows: Vectors) -> Vectors:
    """Probes of just this cosine with the rows, each in a direction of its own."""
    wide = rows.astype(np.float64)
    across = np.random.default_rng(7).standard_normal(wide.shape)
    across -= (across * wide).sum(axis=1, keepdims=True) * wide
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    return (cosine * wide + np.sqrt(1 - cosine**2) * across).astype(np.float32)


def as_list(pairs: Pairs) -> list[tuple[int, int, float]]:
    return sorted(zip(pairs.probes.tolist(), pairs.rows.tolist(), pairs.scores.tolist(), strict=True))


@pytest.mark.parametrize("score", [0.6, 0.7, 0.8])
def test_pairs_just_at_the_score_are_found_as_an_exact_scan_finds_them(exact, fast, score):
    probes = probes_at(score + 1e-6, exact.vectors[::50])
    scores = np.full(len(probes), score)
    wanted = FaissIndex(exact.vectors).at_least(probes, scores)
    assert as_list(fast.at_least(probes, scores)) == as_list(wanted)
    assert len(wanted.rows) >= len(probes)


def test_a_score_that_few_reach_needs_no_exact_scan(exact, fast):
    exact.asked = 0
    fast.at_least(probes_at(0.9, exact.vectors[:40]), np.full(40, 0.9))
    assert exact.asked == 0


def test_probes_for_which_too_many_may_reach_the_score_are_left_to_the_exact_index(exact, fast):
    exact.asked = 0
    scores = np.array([0.9, -1.0, 0.9, -0.5])
    probes = unit_vectors(4, DIMENSION, seed=2)
    pairs = fast.at_least(probes, scores)
    assert exact.asked == 2
    assert as_list(pairs) == as_list(FaissIndex(exact.vectors).at_least(probes, scores))


def test_it_looks_deeper_until_the_last_row_cant_reach_the_score(exact, monkeypatch):
    monkeypatch.setattr(fast_scan, "DEPTHS", (1, 3, 6_400))
    block = np.concatenate([np.repeat(exact.vectors[:1], 500, axis=0), exact.vectors[:2_000]])
    index = FastScanIndex(CountedIndex(block))
    pairs = index.at_least(exact.vectors[:1], np.array([0.99]))
    assert len(pairs.rows) == 501


def test_the_builder_scans_fast_only_where_asked_and_from_the_size_asked():
    vectors = unit_vectors(2_000, DIMENSION, seed=1)
    assert isinstance(faiss_builder(fast_scan_from=2_000)(vectors), FastScanIndex)
    assert not isinstance(faiss_builder(fast_scan_from=2_001)(vectors), FastScanIndex)
    assert not isinstance(faiss_builder()(vectors), FastScanIndex)
