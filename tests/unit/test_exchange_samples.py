"""The generated people: the same for the same seed, and rows that the reader takes."""

from __future__ import annotations

import io

import numpy as np

from borderpost.exchange.samples import write_samples
from fakes.exchange import read


def made(count: int, seed: int, dimension: int = 0) -> bytes:
    out = io.BytesIO()
    write_samples(out, count, seed, dimension, "model" if dimension else "")
    return out.getvalue()


def test_the_same_seed_makes_the_same_file_and_another_one_another():
    assert made(20, 1, 8) == made(20, 1, 8)
    assert made(20, 1, 8) != made(20, 2, 8)


def test_every_sample_is_a_row_with_all_that_is_searched_by():
    rows = read(made(50, 1, 16), "jsonl")
    assert len({row.record_id for row in rows}) == 50
    assert len({row.entry.documents[0].number for row in rows}) == 50
    for row in rows:
        assert row.entry.names[0].primary_identifier
        assert row.entry.birth_date.HasField("day")
        values = np.frombuffer(row.entry.templates[0].values, dtype="<f4")
        assert values.shape == (16,)
        assert abs(float(values @ values) - 1.0) < 1e-5


def test_without_a_dimension_there_are_no_templates():
    assert all(not row.entry.templates for row in read(made(3, 1), "jsonl"))
