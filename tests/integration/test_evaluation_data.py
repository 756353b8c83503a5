"""LFW itself: its lists are read whole, and a few of its people give what the card says in full."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from borderpost.faces.adapters.engines import load_engine
from borderpost.faces.evaluation.protocols import KNOWN_ERRORS, read_folder, read_lfw_pairs, read_lfw_sex
from borderpost.faces.evaluation.templates import acquire, templates

LFW = Path(os.environ.get("BORDERPOST_DATA", Path(__file__).parents[3] / "shared/data")) / "faces/lfw"

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not LFW.is_dir(), reason="LFW is not there: set BORDERPOST_DATA"),
]


def test_the_lists_of_lfw_are_read_whole():
    pairs = read_lfw_pairs(LFW / "pairs.txt")
    labelled = read_folder(LFW / "lfw-deepfunneled")
    names = {path.name for path in labelled.pictures}
    assert (len(pairs), sum(pair.same for pair in pairs), len({pair.fold for pair in pairs})) == (
        6_000,
        3_000,
        10,
    )
    assert {pair.first for pair in pairs} | {pair.second for pair in pairs} <= names
    assert (len(labelled.pictures), len(set(labelled.names))) == (13_233, 5_749)
    assert {name for pair in KNOWN_ERRORS for name in pair} <= set(labelled.names)
    sex = read_lfw_sex(LFW).members
    assert sum(len(members) for members in sex.values()) > 5_700
    assert not sex["sex: female"] & sex["sex: male"]


@pytest.mark.parametrize("engine", ["dlib", "mobilefacenet"])
def test_official_pairs_are_told_apart(engine):
    pairs = read_lfw_pairs(LFW / "pairs.txt")
    chosen = [*[pair for pair in pairs if pair.same][:30], *[pair for pair in pairs if not pair.same][:30]]
    names = sorted({name for pair in chosen for name in (pair.first, pair.second)})
    pictures = [LFW / "lfw-deepfunneled" / name.rpartition("_")[0] / name for name in names]
    loaded = load_engine(engine)
    acquired = acquire(loaded, pictures, None)
    vectors = templates(acquired)
    row = {name: index for index, name in enumerate(names)}
    scores = np.asarray([vectors[row[pair.first]] @ vectors[row[pair.second]] for pair in chosen])
    assert acquired.found.mean() > 0.95
    assert np.median(scores[:30]) > scores[30:].max()
