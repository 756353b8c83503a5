"""Bounds of cosines: never too low, worth their bytes only where templates fill few dimensions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from borderpost.watchlist.adapters import bounded, faiss_index
from borderpost.watchlist.adapters.bounded import BoundedIndex, fits, learn_basis, shortened
from borderpost.watchlist.adapters.faiss_index import FaissIndex, faiss_builder
from borderpost.watchlist.adapters.scan import margin
from borderpost.watchlist.templates import Vectors
from fakes.watchlist import unit_vectors

FILLED = 12
DIMENSION = 64


def flat(count: int, seed: int) -> Vectors:
    """Vectors of 64 dimensions that fill 12 of them, and the others a little."""
    rng = np.random.default_rng(seed)
    plane = np.linalg.qr(np.random.default_rng(99).standard_normal((DIMENSION, FILLED)))[0].T
    vectors = rng.standard_normal((count, FILLED)) @ plane + 0.01 * rng.standard_normal((count, DIMENSION))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@given(seed=st.integers(0, 2**32 - 1), coordinates=st.integers(0, 23), lengthened=st.floats(0.999, 1.001))
def test_the_short_rows_inner_product_is_never_below_the_cosine(seed, coordinates, lengthened):
    rows, probes = unit_vectors(40, 24, seed) * np.float32(lengthened), unit_vectors(5, 24, seed + 1)
    probes[0] = rows[0]
    basis = np.linalg.qr(np.random.default_rng(seed).standard_normal((24, 24)))[0][:coordinates]
    bounds = shortened(probes, basis) @ shortened(rows, basis).T
    cosines = probes.astype(np.float64) @ rows.astype(np.float64).T
    assert (bounds >= cosines - margin(coordinates + 1)).all()


def test_a_basis_is_learned_where_templates_fill_few_dimensions():
    basis = learn_basis(flat(3_000, seed=1))
    assert basis is not None
    assert FILLED <= len(basis) < 2 * FILLED
    assert np.allclose(basis @ basis.T, np.eye(len(basis)))


def test_no_basis_is_learned_where_templates_fill_all_dimensions():
    assert learn_basis(unit_vectors(3_000, DIMENSION, seed=1)) is None


def test_no_basis_is_learned_from_fewer_templates_than_dimensions():
    assert learn_basis(flat(DIMENSION - 1, seed=1)) is None


def test_a_basis_of_one_half_bounds_the_other_half_as_well():
    basis = learn_basis(flat(3_000, seed=1))
    assert basis is not None
    other = flat(1_000, seed=2)
    short = shortened(other, basis)
    added = short @ short.T - other @ other.T
    assert 0 < added.mean() < bounded.MOST_ADDED * np.std(other[:500] @ other[500:].T)


def test_a_basis_fits_blocks_like_the_one_it_was_learned_from_and_no_others():
    basis = learn_basis(flat(3_000, seed=1))
    assert basis is not None
    assert fits(basis, flat(3_000, seed=2))
    assert not fits(basis, unit_vectors(3_000, DIMENSION, seed=3))


def test_the_builder_learns_one_basis_for_blocks_that_are_alike(monkeypatch):
    learned = []
    monkeypatch.setattr(faiss_index, "learn_basis", lambda vectors: learned.append(1) or learn_basis(vectors))
    build = faiss_builder(bounded_from=2_000)
    assert all(isinstance(build(flat(3_000, seed)), BoundedIndex) for seed in (1, 2, 3))
    assert len(learned) == 1
    for seed in (4, 5):
        assert isinstance(build(unit_vectors(3_000, DIMENSION, seed)), FaissIndex)
    assert len(learned) == 2
    assert isinstance(build(unit_vectors(6_000, DIMENSION, seed=6)), FaissIndex)
    assert len(learned) == 3


def test_the_builder_bounds_large_blocks_where_it_pays_and_scans_the_others_straight():
    build = faiss_builder(bounded_from=2_000)
    assert isinstance(build(flat(2_000, seed=1)), BoundedIndex)
    assert isinstance(build(flat(1_999, seed=1)), FaissIndex)
    assert isinstance(build(unit_vectors(2_000, DIMENSION, seed=1)), FaissIndex)


@pytest.mark.parametrize("score", [-1.0, 0.2, 0.7])
def test_where_too_many_pass_the_bound_the_answer_is_the_same(score):
    vectors, probes = flat(3_000, seed=1), flat(5, seed=2)
    basis = learn_basis(vectors)
    assert basis is not None
    scores = np.full(5, score)
    pairs, straight = (
        BoundedIndex(vectors, basis).at_least(probes, scores),
        FaissIndex(vectors).at_least(probes, scores),
    )
    assert sorted(zip(pairs.probes, pairs.rows, strict=True)) == sorted(
        zip(straight.probes, straight.rows, strict=True)
    )


def test_the_vectors_are_not_copied_and_cant_be_written_to():
    vectors = flat(3_000, seed=1)
    index = FaissIndex(vectors)
    assert np.shares_memory(index.vectors, vectors)
    with pytest.raises(ValueError, match="read-only"):
        index.vectors[0, 0] = 1
