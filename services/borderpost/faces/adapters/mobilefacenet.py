"""The default engine: MobileFaceNet on faces aligned by five of 68 points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import onnx
from onnx import numpy_helper

from borderpost.faces.adapters.landmark_net import LandmarkNetwork
from borderpost.faces.adapters.prelu import without_prelu
from borderpost.faces.adapters.sessions import open_session
from borderpost.faces.adapters.weights import (
    LANDMARKS,
    LIGHT_DETECTOR,
    MOBILEFACENET,
    NPM_PACKAGE,
    NPM_VERSION,
    read_verified,
)
from borderpost.faces.domain import Chips, Embeddings, Face, FaceBox, Landmarks, Point
from borderpost.faces.ports import ModelCard
from borderpost.faces.similarity import cut_patch, fit_similarity
from borderpost.runtime.pictures import Rgb

CHIP_SIDE: Final = 112
MEAN: Final = 127.0
SCALE: Final = 128.0
"""What the model was trained on: 112 pixels, (x − 127) / 128."""

TARGET: Final = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)
"""Where the five points lie on the chip: the template that ArcFace's authors published and this kind of model is
trained on. Measured on LFW, half A, against dlib's points: docs/adr/0015-two-engines.md."""

MIRROR_SIZE: Final = 0.94
"""The second view is the mirror image at this size. On LFW's half A (5,055 pictures, one measuring before the choice)
it takes FNMR at FMR 1e-4 from 3.9 to 3.7 %, and at 1e-5 from 9.6 to 8.6 %, against a mirror image of the same size; a
larger face (1.06), or two more views, gain nothing further."""


def views_of(*, mirrored: bool) -> tuple[str, ...]:
    """The views that a FivePointAligner gives, in words."""
    return ("as it is", f"mirrored at {MIRROR_SIZE:g} of the size") if mirrored else ("as it is",)


CARD: Final = ModelCard(
    id="mobilefacenet-v1",
    engine="mobilefacenet",
    files=(MOBILEFACENET.as_model_file, LANDMARKS.as_model_file, LIGHT_DETECTOR.as_model_file),
    licence="MIT, as the package's licence file says",
    holder="gitguanqi (licence file); published by Faceplugin",
    provenance=f"npm package {NPM_PACKAGE} {NPM_VERSION}, pinned by its integrity hash",
    training_data="not stated",
    input="112 × 112 pixels RGB, (x − 127) / 128",
    alignment="least-squares similarity of five of 68 points onto ArcFace's template",
    views=views_of(mirrored=True),
    dimension=512,
    metric="cosine",
)


class FivePointAligner:
    """The network's points, and the chip that they fit. Safe to call from several threads at a time."""

    def __init__(
        self,
        network: LandmarkNetwork,
        target: Sequence[Point] = TARGET,
        side: int = CHIP_SIDE,
        *,
        mirrored: bool = True,
    ) -> None:
        self._network = network
        self._target = target
        self._side = side
        self._mirrored = mirrored

    def landmarks(self, picture: Rgb, box: FaceBox) -> Landmarks:
        """The points of the face in `box`."""
        return self._network.landmarks(picture, box)

    def align(self, picture: Rgb, face: Face) -> Chips:
        """The face upright, and if `mirrored` its smaller mirror image: views × side × side × 3 uint8 RGB."""
        five = face.landmarks.five or self.landmarks(picture, face.box).five
        if five is None:
            raise ValueError("the landmark network gives all five points")
        onto_chip = fit_similarity(five, self._target)
        if not self._mirrored:
            return cut_patch(picture, onto_chip, self._side).chip(onto_chip, self._side)[None]
        smaller = onto_chip.resized(MIRROR_SIZE, self._side)
        patch = cut_patch(picture, smaller, self._side)  # reaches further than the other view
        return np.stack([patch.chip(onto_chip, self._side), patch.chip(smaller, self._side)[:, ::-1]])


class MobileFaceNetEmbedder:
    """Embeds aligned chips. Safe to call from several threads at a time."""

    def __init__(self, session: Any) -> None:
        self._session = session

    @classmethod
    def load(cls) -> MobileFaceNetEmbedder:
        """Verify the weights and start the model. Raises WeightsMissingError, WeightsAlteredError."""
        return cls(open_session(_for_batches(read_verified(MOBILEFACENET))))

    @property
    def card(self) -> ModelCard:
        """What this model is, and whose."""
        return CARD

    def embed(self, chips: Chips) -> Embeddings:
        """N × 112 × 112 × 3 uint8 RGB chips to N × 512 float32, not normalised."""
        pixels = ((chips.astype(np.float32) - MEAN) / SCALE).transpose(0, 3, 1, 2)
        embeddings: Embeddings = self._session.run(None, {"input": np.ascontiguousarray(pixels)})[0]
        return embeddings


def _for_batches(data: bytes) -> bytes:
    """The model with a free batch size: its file fixes it to 1, at the input and in the last reshape."""
    model = onnx.load_model_from_string(data)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    (reshape,) = (node for node in model.graph.node if node.op_type == "Reshape")
    (shape,) = (each for each in model.graph.initializer if each.name == reshape.input[1])
    shape.CopyFrom(numpy_helper.from_array(np.asarray([-1, CARD.dimension], dtype=np.int64), shape.name))
    return bytes(without_prelu(model).SerializeToString())
