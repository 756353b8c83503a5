"""Concurrent callers get the numbers that one caller alone gets, from every engine, embedded in batches."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from borderpost.faces.adapters.batching import BatchingEmbedder
from borderpost.faces.adapters.engines import load_engine
from borderpost.faces.app import Faces
from borderpost.faces.domain import Profile
from fakes.faces import calibration_of

SAMPLES = Path(__file__).parents[2] / ".cache" / "samples"
CALLERS = 8
CALLS = 150

MAX_DELTA = 1e-5
"""Per value of a template: batches of other sizes round otherwise in the last bits."""


def encoded(picture, kind):
    out = io.BytesIO()
    picture.save(out, kind, quality=90)
    return out.getvalue()


@pytest.fixture(scope="module")
def pictures():
    """Mixed pictures: faces large and small, two at a time, mirrored, grey, and none at all."""
    paths = sorted(SAMPLES.glob("*.jpg"))
    if not paths:
        pytest.skip("the sample pictures are not there: `make samples` fetches them")
    mixed = [Image.new("RGB", size, (90, 90, 90)) for size in ((300, 200), (200, 300))]
    for number, path in enumerate(paths):
        whole = Image.open(path)
        for width in (240 + 8 * number, 400 + 8 * number):
            face = whole.resize((width, round(whole.height * width / whole.width)))
            mirrored = face.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            both = Image.new("RGB", (2 * width, face.height))
            both.paste(face)
            both.paste(mirrored, (width, 0))
            mixed += [face, mirrored.convert("L"), both]
    return [
        encoded(picture, kind)
        for number, picture in enumerate(mixed)
        for kind in (("JPEG", "PNG")[number % 2],)
    ]


@pytest.mark.parametrize("engine", ["mobilefacenet", "dlib"])
def test_eight_callers_get_the_answers_of_one(pictures, engine):
    loaded = load_engine(engine)
    calibration = calibration_of(loaded.embedder.card)
    alone = [Faces(loaded, calibration).extract([data], Profile.LIVE) for data in pictures]
    assert sum(one.template is not None for one in alone) > len(pictures) / 2
    batching = replace(loaded, embedder=BatchingEmbedder(loaded.embedder, at_once=1))
    faces = Faces(batching, calibration)
    order = np.random.default_rng(3).integers(0, len(pictures), CALLS)
    with ThreadPoolExecutor(CALLERS) as callers:
        together = list(callers.map(lambda index: faces.extract([pictures[index]], Profile.LIVE), order))
    for index, answer in zip(order, together, strict=True):
        wanted = alone[index]
        assert (answer.box, answer.other_boxes, answer.faces_found) == (
            wanted.box,
            wanted.other_boxes,
            wanted.faces_found,
        )
        assert answer.quality.problems == wanted.quality.problems
        assert (answer.template is None) == (wanted.template is None)
        if answer.template is not None:
            assert np.abs(answer.template.values - wanted.template.values).max() <= MAX_DELTA
