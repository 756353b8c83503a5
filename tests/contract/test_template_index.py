"""What every template index must do."""

from __future__ import annotations

import numpy as np
import pytest

from borderpost.watchlist.adapters.faiss_index import FaissIndex
from borderpost.watchlist.domain import Vectors
from borderpost.watchlist.ports import BuildIndex, Pairs
from fakes.watchlist import BruteForceIndex, unit_vectors

ADAPTERS: dict[str, BuildIndex] = {"faiss": FaissIndex, "brute-force": BruteForceIndex}


@pytest.fixture(params=ADAPTERS)
def build(request: pytest.FixtureRequest) -> BuildIndex:
    return ADAPTERS[request.param]


def as_set(pairs: Pairs) -> set[tuple[int, int]]:
    return {(int(p), int(r)) for p, r in zip(pairs.probes, pairs.rows, strict=True)}


def cosines(probes: Vectors, vectors: Vectors) -> np.ndarray:
    return probes.astype(np.float64) @ vectors.astype(np.float64).T


@pytest.mark.parametrize("dimension", [1, 16, 128, 512])
@pytest.mark.parametrize("score", [-1.0, 0.0, 0.25, 0.9])
def test_every_pair_at_or_above_the_score_is_found_and_no_other(
    build: BuildIndex, dimension: int, score: float
):
    vectors, probes = unit_vectors(200, dimension, seed=1), unit_vectors(3, dimension, seed=2)
    pairs = build(vectors).at_least(probes, np.full(3, score))
    wanted = cosines(probes, vectors)
    assert as_set(pairs) == {(int(p), int(r)) for p, r in np.argwhere(wanted >= score)}
    assert pairs.scores == pytest.approx(wanted[pairs.probes, pairs.rows], abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_a_pair_exactly_at_the_score_is_found_and_one_just_below_is_not(build: BuildIndex, seed: int):
    vectors, probes = unit_vectors(50, 128, seed), unit_vectors(1, 128, seed + 1000)
    index = build(vectors)
    exact = float(np.sort(index.at_least(probes, np.array([-1.0])).scores)[-3])
    assert len(index.at_least(probes, np.array([exact])).scores) == 3
    assert len(index.at_least(probes, np.array([exact + 1e-9])).scores) == 2


def test_an_empty_index_finds_nothing(build: BuildIndex):
    index = build(np.empty((0, 16), dtype=np.float32))
    assert len(index.at_least(unit_vectors(2, 16, seed=1), np.full(2, -1.0)).scores) == 0
    assert index.vectors.shape == (0, 16)


def test_an_index_shows_the_vectors_that_it_was_made_of(build: BuildIndex):
    vectors = unit_vectors(10, 16, seed=1)
    assert np.array_equal(build(vectors.copy()).vectors, vectors)


def test_equal_templates_are_all_found(build: BuildIndex):
    vectors = np.repeat(unit_vectors(1, 16, seed=1), 5, axis=0)
    assert as_set(build(vectors).at_least(vectors[:1], np.array([0.999]))) == {(0, row) for row in range(5)}
