"""The model as it is published and as it is run give the same templates."""

from __future__ import annotations

import numpy as np

from borderpost.faces.adapters.mobilefacenet import CHIP_SIDE, MEAN, SCALE, MobileFaceNetEmbedder
from borderpost.faces.adapters.sessions import open_session
from borderpost.faces.adapters.weights import MOBILEFACENET, read_verified

MAX_DELTA = 1e-6


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_without_prelu_the_templates_move_by_less_than_a_millionth():
    chips = np.random.default_rng(4).integers(0, 255, (6, CHIP_SIDE, CHIP_SIDE, 3), dtype=np.uint8)
    published = open_session(read_verified(MOBILEFACENET))  # takes one chip at a time
    pixels = ((chips.astype(np.float32) - MEAN) / SCALE).transpose(0, 3, 1, 2)
    theirs = np.concatenate([published.run(None, {"input": one[None]})[0] for one in pixels])
    assert np.abs(unit(MobileFaceNetEmbedder.load().embed(chips)) - unit(theirs)).max() <= MAX_DELTA
