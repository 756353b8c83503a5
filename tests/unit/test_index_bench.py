"""The bench of the template index: templates as it says, and tables that can be read on."""

from __future__ import annotations

import json

import numpy as np
import pytest

from borderpost.watchlist import bench_index
from borderpost.watchlist.bench_index import SPREADS, main, make_block


@pytest.mark.parametrize("dimension", SPREADS)
def test_templates_have_length_one_and_probes_are_near_the_row_that_they_are_made_of(dimension):
    block = make_block(SPREADS[dimension], 2_000)
    wanted = block.score + bench_index.WAY_TO_ONE * (1 - block.score)
    assert np.linalg.norm(block.vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert np.einsum("ij,ij->i", block.probes, block.vectors[block.made_of]) == pytest.approx(
        wanted, abs=1e-5
    )


def test_a_block_is_always_the_same():
    one, other = (make_block(SPREADS[128], 100) for _ in range(2))
    assert np.array_equal(one.vectors, other.vectors)
    assert np.array_equal(one.probes, other.probes)


def test_json_holds_what_was_measured_and_no_pair_is_missed(capsys, tmp_path):
    arguments = ["--sizes", "2e3", "--fast-scan", "2e3", "--dimensions", "128", "--templates", str(tmp_path)]
    assert main([*arguments, "--json"]) == 0
    tables = json.loads(capsys.readouterr().out)
    assert set(tables) == {"Exact scans", "Many probes together", "Fast scan"}
    (row,) = tables["Fast scan"]
    assert row["missed"] == row["missed just at the score"] == 0
    assert row["pairs"] >= bench_index.RECALL_PROBES


def test_tables_are_markdown(capsys, tmp_path):
    assert main(["--sizes", "1e3", "--dimensions", "512", "--templates", str(tmp_path)]) == 0
    title, _, head, rule, row, *_ = capsys.readouterr().out.splitlines()
    assert title == "### Exact scans"
    assert head.count("|") == rule.count("|") == row.count("|")
    assert "| 1,000 |" in row


def test_real_templates_are_bounded_by_a_basis_of_the_other_half(capsys, tmp_path):
    rng = np.random.default_rng(1)
    plane = rng.standard_normal((20, 512))
    views = (rng.standard_normal((1_200, 2, 20)) @ plane).astype(np.float32)
    np.savez(tmp_path / "mobilefacenet-v1-0123.npz", found=np.ones(1_200, dtype=np.bool_), views=views)
    assert main(["--sizes", "", "--templates", str(tmp_path), "--json"]) == 0
    ((row,),) = json.loads(capsys.readouterr().out).values()
    assert row["model"] == "mobilefacenet-v1"
    assert row["short row, floats"] <= 24
