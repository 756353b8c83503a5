"""dlib's face recognition network, rebuilt as an ONNX graph and run by ONNX Runtime.

Numerically equal to dlib's own `compute_face_descriptor` (tests hold |Δ| to 1e-5) and many times faster,
because dlib's wheel has no BLAS; and ONNX Runtime releases the GIL while it computes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from borderpost.faces.adapters.dlib_weights import (
    AddEarlier,
    Affine,
    Convolution,
    FullyConnected,
    Network,
    Pool,
    Rectifier,
    parse_network,
)
from borderpost.faces.adapters.weights import RESNET, read_verified
from borderpost.faces.domain import Chips, Embeddings
from borderpost.faces.errors import WeightsAlteredError
from borderpost.faces.ports import ModelCard

SCALE: Final = 256.0
"""dlib `input_rgb_image_sized` divides by 256, not by 255."""

OPSET: Final = 17
IR_VERSION: Final = 9
"""ONNX 1.14: old enough for every ONNX Runtime that the lock allows."""

CARD: Final = ModelCard(
    id="dlib-resnet-v1",
    file=RESNET.path.rpartition("/")[2],
    sha256=RESNET.sha256,
    licence="public domain (CC0 1.0)",
    holder="Davis E. King",
    provenance="weights: dlib-models, by way of the package face-recognition-models 0.3.0; training data: about "
    "3 million pictures of 7,485 people (face scrub, VGG, and pictures scraped from the internet), as its author says",
    dimension=128,
    metric="cosine",
    alignment="dlib 5 points, 150 × 150 pixels, padding 0.25, no mirroring",
)


class DlibOnnxEmbedder:
    """Embeds aligned chips. Safe to call from several threads at a time."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session

    @classmethod
    def load(cls, intra_op_threads: int = 1, inter_op_threads: int = 1) -> DlibOnnxEmbedder:
        """Verify the installed weights, build the graph, start it. Takes well under a second.

        Raises WeightsMissingError, WeightsAlteredError.
        """
        model = build_model(parse_network(read_verified(RESNET)))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = intra_op_threads
        options.inter_op_num_threads = inter_op_threads
        return cls(
            onnxruntime.InferenceSession(
                model.SerializeToString(), sess_options=options, providers=["CPUExecutionProvider"]
            )
        )

    @property
    def card(self) -> ModelCard:
        """What this model is, and whose."""
        return CARD

    def embed(self, chips: Chips) -> Embeddings:
        """N × 150 × 150 × 3 uint8 RGB chips to N × 128 float32, as dlib gives them (not normalised)."""
        embeddings: Embeddings = self._session.run(["embedding"], {"chips": chips})[0]
        return embeddings


def build_model(network: Network) -> onnx.ModelProto:
    """The network as ONNX: `chips` (N × side × side × 3, uint8) in, `embedding` (N × 128, float32) out.

    Raises WeightsAlteredError where the layers are not those of dlib's residual network.
    """
    graph = _GraphBuilder(network)
    for position, layer in enumerate(network.layers):
        graph.add(layer, is_down=_is_shortcut_pool(network, position))
    return graph.finish()


def _is_shortcut_pool(network: Network, position: int) -> bool:
    """A pool right before an addition isn't in the block's path: it shrinks the block's input (`skip1`)."""
    here, after = network.layers[position], network.layers[position + 1 : position + 2]
    return isinstance(here, Pool) and bool(after) and isinstance(after[0], AddEarlier)
