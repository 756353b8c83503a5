"""A working engine without models: it sees what is red, and embeds its mean colour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from borderpost.faces.domain import FaceBox, Landmarks
from borderpost.faces.ports import Engine, ModelCard
from borderpost.runtime.calibration import Calibration, Row

CARD = ModelCard(
    id="fake-1",
    engine="fake",
    files=(),
    licence="none",
    holder="nobody",
    provenance="made up",
    training_data="none",
    input="any",
    alignment="none",
    views=("as it is",),
    dimension=4,
    metric="cosine",
)
CALIBRATION = Calibration(
    "c1",
    "fake-1",
    CARD.fingerprint,
    "cosine",
    "made up",
    "made up",
    10_000,
    (),
    1.0,
    "made up",
    (Row(1.0, 0.0, 10_000, 1.0, {}), Row(0.1, 0.5, 1_000, 0.12, {}), Row(0.01, 0.8, 100, 0.013, {})),
    {},
)


class ColourFinder:
    """Sees a face wherever a picture is red; its one view is the picture's corner."""

    def detect(self, picture):
        return (FaceBox(50, 50, 100, 100),) if picture[..., 0].mean() > 50 else ()

    def landmarks(self, picture, box):
        return Landmarks((70, 90), (90, 90), (110, 90), (130, 90), (100, 120))

    def align(self, picture, face):
        return np.ascontiguousarray(picture[None, :150, :150])


class MeanEmbedder:
    """Embeds a chip as its mean colour and a one."""

    card = CARD

    def embed(self, chips):
        means = chips.astype(np.float32).mean(axis=(1, 2))
        return np.concatenate([means, np.ones((len(chips), 1), np.float32)], axis=1)


def calibration_of(card):
    """The made-up calibration, for this engine."""
    return replace(CALIBRATION, model_id=card.id, card_sha256=card.fingerprint)


def fake_engine():
    return Engine(ColourFinder(), ColourFinder(), MeanEmbedder())
