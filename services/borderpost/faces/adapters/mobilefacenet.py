"""The second engine: MobileFaceNet on faces aligned by dlib's 5-point model."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import onnx
from onnx import numpy_helper

from borderpost.faces.adapters.dlib_hog import DlibFaceFinder
from borderpost.faces.adapters.prelu import without_prelu
from borderpost.faces.adapters.sessions import open_session
from borderpost.faces.adapters.similarity import cut_chip, fit_similarity
from borderpost.faces.adapters.weights import (
    FIVE_POINTS,
    MOBILEFACENET,
    NPM_PACKAGE,
    NPM_VERSION,
    read_verified,
)
from borderpost.faces.domain import Chip, Chips, Embeddings, Face, FaceBox, Landmarks
from borderpost.faces.ports import ModelCard
from borderpost.runtime.pictures import Rgb

CHIP_SIDE: Final = 112
MEAN: Final = 127.0
SCALE: Final = 128.0
"""What the model was trained on: 112 pixels, (x − 127) / 128."""

TARGET: Final = ((37.9, 52.8), (73.2, 52.7), (55.5, 79.7))
"""Where both eyes' middles and the nose base lie on the chip: means over LFW, half A (design findings)."""

CARD: Final = ModelCard(
    id="mobilefacenet-v1",
    engine="mobilefacenet",
    files=(MOBILEFACENET.as_model_file, FIVE_POINTS.as_model_file),
    licence="MIT, as the package's licence file says",
    holder="gitguanqi (licence file); published by Faceplugin",
    provenance=f"npm package {NPM_PACKAGE} {NPM_VERSION}, pinned by its integrity hash",
    training_data="not stated",
    input="112 × 112 pixels RGB, (x − 127) / 128",
    alignment="least-squares similarity of the eyes' middles and the nose base (dlib 5 points)",
    mirrored=True,
    dimension=512,
    metric="cosine",
)


class MobileFaceNetAligner:
    """dlib's five points, and the chip that MobileFaceNet wants. Safe to call from several threads at a time."""

    def __init__(self, finder: DlibFaceFinder) -> None:
        self._finder = finder

    def landmarks(self, picture: Rgb, box: FaceBox) -> Landmarks:
        """The five points of the face in `box`."""
        return self._finder.landmarks(picture, box)

    def align(self, picture: Rgb, face: Face) -> Chip:
        """The face's chip, 112 × 112 × 3 uint8 RGB, upright."""
        points = face.landmarks
        source = (points.left_eye, points.right_eye, points.nose_base)
        return cut_chip(picture, fit_similarity(source, TARGET), CHIP_SIDE)


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
