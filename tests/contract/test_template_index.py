"""What every template index must do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest

from borderpost.watchlist.adapters.bounded import BoundedIndex
from borderpost.watchlist.adapters.faiss_index import FaissIndex, faiss_builder
from borderpost.watchlist.ports import BuildIndex, Pairs, TemplateIndex
from borderpost.watchlist.templates import Vectors
from fakes.watchlist import BruteForceIndex, unit_vectors


def bounded(vectors: Vectors) -> BoundedIndex:
    """By any basis: what is found must not depend on it."""
    dimension = vectors.shape[1]
    square = np.random.default_rng(5).standard_normal((dimension, dimension))
    return BoundedIndex(vectors, np.linalg.qr(square)[0][: dimension // 2])


ADAPTERS: dict[str, BuildIndex] = {
    "straight": FaissIndex,
    "bounded": bounded,
    "as built": faiss_builder(bounded_from=0),
    "fast scan": faiss_builder(fast_scan_from=1_000),
    "brute force": BruteForceIndex,
}


@pytest.fixture(params=ADAPTERS)
def build(request: pytest.FixtureRequest) -> BuildIndex:
    return ADAPTERS[request.param]


def as_set(pairs: Pairs) -> set[tuple[int, int]]:
    return {(int(p), int(r)) for p, r in zip(pairs.probes, pairs.rows, strict=True)}


def cosines(probes: Vectors, vectors: Vectors) -> np.ndarray:
    return probes.astype(np.float64) @ vectors.astype(np.float64).T


@cache
def built_of_a_thousand(build: BuildIndex, dimension: int) -> TemplateIndex:
    return build(unit_vectors(1_100, dimension, seed=1))


@pytest.mark.parametrize("probe_count", [1, 3, 20])
@pytest.mark.parametrize("dimension", [2, 16, 128, 512])
@pytest.mark.parametrize("score", [-1.0, 0.0, 0.25, 0.9])
def test_every_pair_at_or_above_the_score_is_found_and_no_other(
    build: BuildIndex, probe_count: int, dimension: int, score: float
):
    index, probes = built_of_a_thousand(build, dimension), unit_vectors(probe_count, dimension, seed=2)
    probes[0] = index.vectors[700]
    pairs = index.at_least(probes, np.full(probe_count, score))
    wanted = cosines(probes, index.vectors)
    assert len(pairs.rows) == len(as_set(pairs))
    assert as_set(pairs) == {(int(p), int(r)) for p, r in np.argwhere(wanted >= score)}
    assert pairs.scores == pytest.approx(wanted[pairs.probes, pairs.rows], abs=1e-12)


def test_each_probe_has_its_own_score(build: BuildIndex):
    vectors, probes = unit_vectors(2_000, 16, seed=1), unit_vectors(4, 16, seed=2)
    scores = np.array([0.5, -2.0, 0.9, 2.0])
    pairs = build(vectors.copy()).at_least(probes, scores)
    wanted = np.argwhere(cosines(probes, vectors) >= scores[:, np.newaxis])
    assert as_set(pairs) == {(int(p), int(r)) for p, r in wanted}


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


def test_without_probes_nothing_is_found(build: BuildIndex):
    index = build(unit_vectors(1_100, 16, seed=1))
    assert len(index.at_least(np.empty((0, 16), dtype=np.float32), np.empty(0)).scores) == 0


def test_an_index_shows_the_vectors_that_it_was_made_of(build: BuildIndex):
    vectors = unit_vectors(10, 16, seed=1)
    assert np.array_equal(build(vectors.copy()).vectors, vectors)


def test_equal_templates_are_all_found(build: BuildIndex):
    vectors = np.repeat(unit_vectors(1, 16, seed=1), 5, axis=0)
    assert as_set(build(vectors).at_least(vectors[:1], np.array([0.999]))) == {(0, row) for row in range(5)}


def test_many_threads_searching_at_once_all_get_their_own_answer(build: BuildIndex):
    vectors, probes = unit_vectors(20_000, 64, seed=1), unit_vectors(24, 64, seed=2)
    index, wanted = build(vectors.copy()), cosines(probes, vectors) >= 0.4

    def found(place: int) -> set[int]:
        return {int(row) for row in index.at_least(probes[place : place + 1], np.array([0.4])).rows}

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(found, range(24)))
    assert answers == [set(np.flatnonzero(row).tolist()) for row in wanted]
