"""Reads dlib's serialised face recognition network, in pure Python and NumPy.

The format is dlib's own (`serialize.h`, `dnn/core.h`, `dnn/layers.h`). What it needs here:

- An integer is one byte, whose low four bits count the bytes that follow and whose top bit is the sign,
  then the magnitude, little endian.
- A float is two integers, mantissa and exponent of two; exponents of 32,000 and up mean ±infinity and NaN.
- A string is its length and its bytes. A truth value is the character 1 or 0.
- A tensor is the version 2, four sizes, and float32 values, little endian.
- A network is nested from its output to its input: first the version of every layer, output first, then
  the input's details, then the details of every layer, input first. Tags and skips have a version and no
  details; what is added to what follows from the architecture (see `dlib_onnx`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from borderpost.faces.errors import WeightsAlteredError

Floats = npt.NDArray[np.float32]

EXPONENT_INFINITY: Final = 32_000
EXPONENT_MINUS_INFINITY: Final = 32_001
EXPONENT_NAN: Final = 32_002
"""dlib `float_details.h`: exponents that stand for what has no mantissa."""

MAX_INTEGER_BYTES: Final = 8
"""dlib serialises no integer above 64 bits."""

VERSION_WRAPPER: Final = 1
VERSION_LAYER: Final = 2
VERSION_FIRST_LAYER: Final = 3
"""dlib `dnn/core.h`: a tag, a skip or a loss; a layer; the layer that stands on the input."""

LAYER_STATE_TENSORS: Final = 3
"""Gradients and cached output of training, kept in the file, empty, behind every layer's details."""


class ByteReader:
    """Walks over bytes in dlib's encoding. Raises WeightsAlteredError where they don't follow it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def finished(self) -> bool:
        """Whether every byte was read."""
        return self._at == len(self._data)

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        piece = self._data[self._at : self._at + count]
        if len(piece) != count:
            raise self.malformed(f"{count} more bytes")
        self._at += count
        return piece

    def integer(self) -> int:
        """One signed integer."""
        head = self.take(1)[0]
        count = head & 0x0F
        if not 1 <= count <= MAX_INTEGER_BYTES or head & 0x70:
            raise self.malformed("an integer")
        magnitude = int.from_bytes(self.take(count), "little")
        return -magnitude if head & 0x80 else magnitude

    def size(self) -> int:
        """One integer that counts something."""
        value = self.integer()
        if value < 0:
            raise self.malformed("a size")
        return value

    def expect(self, wanted: int, what: str) -> None:
        """One integer that must have this value."""
        if self.integer() != wanted:
            raise self.malformed(f"{what} {wanted}")

    def real(self) -> float:
        """One float."""
        mantissa, exponent = self.integer(), self.integer()
        if exponent < EXPONENT_INFINITY:
            try:
                return math.ldexp(mantissa, exponent)
            except OverflowError:
                raise self.malformed("a float") from None
        special = {EXPONENT_INFINITY: math.inf, EXPONENT_MINUS_INFINITY: -math.inf, EXPONENT_NAN: math.nan}
        if exponent not in special:
            raise self.malformed("a float")
        return special[exponent]

    def truth(self) -> bool:
        """One truth value."""
        value = self.take(1)
        if value not in (b"0", b"1"):
            raise self.malformed("a truth value")
        return value == b"1"

    def string(self) -> str:
        """One string of ASCII characters."""
        try:
            return self.take(self.size()).decode("ascii")
        except UnicodeDecodeError:
            raise self.malformed("a name") from None

    def tensor(self) -> Floats:
        """One tensor: samples × channels × rows × columns."""
        self.expect(2, "tensor version")
        shape = tuple(self.size() for _ in range(4))
        values = np.frombuffer(self.take(4 * math.prod(shape)), dtype="<f4")
        return values.astype(np.float32).reshape(shape)

    def malformed(self, wanted: str) -> WeightsAlteredError:
        """The error for this place."""
        return WeightsAlteredError(
            f"dlib weights: byte {self._at:,}: want {wanted}: install the package again"
        )


@dataclass(frozen=True, slots=True)
class Convolution:
    """`con_`: filters × channels × rows × columns, and a bias per filter."""

    filters: Floats
    bias: Floats
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Affine:
    """`affine_`: a factor and an offset per channel; what batch normalisation leaves behind."""

    gamma: Floats
    beta: Floats


@dataclass(frozen=True, slots=True)
class Rectifier:
    """`relu_`."""


@dataclass(frozen=True, slots=True)
class Pool:
    """`max_pool_` or `avg_pool_`; a window of (0, 0) is the whole picture. No padding."""

    average: bool
    window: tuple[int, int]
    stride: tuple[int, int]


@dataclass(frozen=True, slots=True)
class AddEarlier:
    """`add_prev_`: adds the output of a tagged, earlier layer."""


@dataclass(frozen=True, slots=True)
class FullyConnected:
    """`fc_` without bias: inputs × outputs."""

    weights: Floats


Layer: TypeAlias = Convolution | Affine | Rectifier | Pool | AddEarlier | FullyConnected


@dataclass(frozen=True, slots=True)
class Network:
    """The input's mean colour (red, green, blue) and side in pixels, and its layers, input first."""

    mean: tuple[float, float, float]
    side: int
    layers: tuple[Layer, ...]


MAX_LAYERS: Final = 1_000
"""Bounds the walk over versions in a file that isn't what it should be; the network has 108."""

FC_NO_BIAS: Final = 1
"""dlib `fc_bias_mode`."""

CONV_MODE: Final = 0
"""dlib `layer_mode`: one factor per channel."""


def parse_network(data: bytes) -> Network:
    """Parse a `loss_metric` network on an `input_rgb_image_sized`. Raises WeightsAlteredError."""
    reader = ByteReader(data)
    reader.expect(VERSION_WRAPPER, "loss version")
    _name(reader, "loss_metric_2")
    _skip_reals(reader, 2)  # margin and distance threshold of training
    layer_count = _count_layers(reader)
    mean, side = _input(reader)
    layers = tuple(_layer(reader, is_first=index == 0) for index in range(layer_count))
    if not reader.finished:
        raise reader.malformed("the end of the file")
    return Network(mean, side, layers)


def _count_layers(reader: ByteReader) -> int:
    layers = 0
    for _ in range(MAX_LAYERS):
        version = reader.integer()
        if version not in (VERSION_WRAPPER, VERSION_LAYER, VERSION_FIRST_LAYER):
            break
        layers += version != VERSION_WRAPPER
        if version == VERSION_FIRST_LAYER:
            return layers
    raise reader.malformed("a layer version")


def _input(reader: ByteReader) -> tuple[tuple[float, float, float], int]:
    _name(reader, "input_rgb_image_sized")
    mean = (reader.real(), reader.real(), reader.real())
    rows, columns = reader.size(), reader.size()
    if rows != columns:
        raise reader.malformed("a square input")
    return mean, rows


def _layer(reader: ByteReader, *, is_first: bool) -> Layer:
    name = reader.string()
    if name not in DETAILS:
        raise reader.malformed("a known layer")
    layer = DETAILS[name](reader)
    for _ in range(3):
        reader.truth()  # set up; gradient stale; output and gradient disabled
    for _ in range(LAYER_STATE_TENSORS):
        reader.tensor()
    if is_first:
        reader.expect(1, "sample expansion factor")
    return layer


def _convolution(reader: ByteReader) -> Convolution:
    params = reader.tensor().ravel()
    count, rows, columns, *motion = (reader.size() for _ in range(7))
    filters, bias = _alias(reader), _alias(reader)
    _skip_reals(reader, 4)
    if filters[0] != count or filters[2:] != (rows, columns) or bias != (1, count, 1, 1):
        raise reader.malformed("filters and a bias for each")
    weights, offsets = _split(reader, params, filters, bias)
    return Convolution(weights, offsets.ravel(), (motion[0], motion[1]), (motion[2], motion[3]))


def _affine(reader: ByteReader) -> Affine:
    params = reader.tensor().ravel()
    shape, other = _alias(reader), _alias(reader)
    reader.expect(CONV_MODE, "layer mode")
    gamma, beta = _split(reader, params, shape, other)
    return Affine(gamma.ravel(), beta.ravel())


def _rectifier(_: ByteReader) -> Rectifier:
    return Rectifier()


def _add_earlier(_: ByteReader) -> AddEarlier:
    return AddEarlier()


def _max_pool(reader: ByteReader) -> Pool:
    return _pool(reader, average=False)


def _average_pool(reader: ByteReader) -> Pool:
    return _pool(reader, average=True)


def _pool(reader: ByteReader, *, average: bool) -> Pool:
    window, stride = (reader.size(), reader.size()), (reader.size(), reader.size())
    reader.expect(0, "padding")
    reader.expect(0, "padding")
    return Pool(average, window, stride)


def _fully_connected(reader: ByteReader) -> FullyConnected:
    outputs, inputs = reader.size(), reader.size()
    weights = reader.tensor()
    shape, _ = _alias(reader), _alias(reader)
    reader.expect(FC_NO_BIAS, "bias mode")
    _skip_reals(reader, 4)
    if shape != (inputs, outputs, 1, 1) or weights.shape != shape:
        raise reader.malformed("inputs × outputs weights")
    return FullyConnected(weights.reshape(inputs, outputs))


DETAILS: Final[Mapping[str, Callable[[ByteReader], Layer]]] = {
    "con_4": _convolution,
    "affine_": _affine,
    "relu_": _rectifier,
    "max_pool_2": _max_pool,
    "avg_pool_2": _average_pool,
    "add_prev_": _add_earlier,
    "fc_2": _fully_connected,
}
"""How each layer's details are written, by the name that stands before them."""

Shape: TypeAlias = tuple[int, int, int, int]


def _alias(reader: ByteReader) -> Shape:
    """The shape of a part of a parameter tensor."""
    reader.expect(1, "alias version")
    return (reader.size(), reader.size(), reader.size(), reader.size())


def _split(reader: ByteReader, params: Floats, first: Shape, second: Shape) -> tuple[Floats, Floats]:
    middle = math.prod(first)
    if params.size != middle + math.prod(second):
        raise reader.malformed("as many parameters as the parts have")
    return params[:middle].reshape(first), params[middle:].reshape(second)


def _name(reader: ByteReader, wanted: str) -> None:
    if reader.string() != wanted:
        raise reader.malformed(wanted)


def _skip_reals(reader: ByteReader, count: int) -> None:
    """Figures that only training uses: margins, learning rates, weight decay."""
    for _ in range(count):
        reader.real()
