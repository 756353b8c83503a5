"""The parser of dlib's serialisation, and the pinned weight files."""

from __future__ import annotations

import math
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borderpost.faces.adapters.dlib_onnx import build_model
from borderpost.faces.adapters.dlib_weights import (
    AddEarlier,
    Affine,
    ByteReader,
    Convolution,
    FullyConnected,
    Pool,
    Rectifier,
    parse_network,
)
from borderpost.faces.adapters.weights import RESNET, read_verified
from borderpost.faces.errors import WeightsAlteredError, WeightsMissingError


def encode_integer(value: int) -> bytes:
    """dlib's encoding, written here from its description alone."""
    magnitude = abs(value)
    count = max(1, (magnitude.bit_length() + 7) // 8)
    return bytes([count | (0x80 if value < 0 else 0)]) + magnitude.to_bytes(count, "little")


def encode_real(value: float) -> bytes:
    mantissa, exponent = math.frexp(value)
    return encode_integer(int(mantissa * 2**53)) + encode_integer(exponent - 53)


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_every_64_bit_integer_is_read_back(value):
    reader = ByteReader(encode_integer(value))
    assert reader.integer() == value
    assert reader.finished


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_float_is_read_back(value):
    assert ByteReader(encode_real(value)).real() == value


@pytest.mark.parametrize(
    ("exponent", "wanted"), [(32_000, math.inf), (32_001, -math.inf), (32_002, math.nan)]
)
def test_the_special_floats_are_read(exponent, wanted):
    got = ByteReader(encode_integer(0) + encode_integer(exponent)).real()
    assert got == wanted or (math.isnan(got) and math.isnan(wanted))


@given(st.lists(st.floats(width=32, allow_nan=False), max_size=24))
def test_a_tensor_is_read_back_bit_by_bit(values):
    sizes = (len(values), 1, 1, 1)
    data = encode_integer(2) + b"".join(map(encode_integer, sizes)) + struct.pack(f"<{len(values)}f", *values)
    tensor = ByteReader(data).tensor()
    assert tensor.shape == sizes
    assert tensor.ravel().tobytes() == np.asarray(values, dtype="<f4").tobytes()


@given(st.binary(max_size=64))
def test_arbitrary_bytes_are_a_typed_error(data):
    with pytest.raises(WeightsAlteredError):
        parse_network(data)


@pytest.fixture(scope="module")
def weights():
    return read_verified(RESNET)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_cut_file_is_a_typed_error(weights, data):
    length = data.draw(st.integers(min_value=0, max_value=len(weights) - 1))
    with pytest.raises(WeightsAlteredError):
        parse_network(weights[:length])


def test_bytes_behind_the_end_are_refused(weights):
    with pytest.raises(WeightsAlteredError, match="end of the file"):
        parse_network(weights + b"\x00")


def test_the_network_is_dlibs_29_convolution_resnet(weights):
    network = parse_network(weights)
    kinds = [type(layer) for layer in network.layers]
    assert network.side == 150
    assert network.mean == pytest.approx((122.782, 117.001, 104.298), abs=1e-4)
    assert kinds.count(Convolution) == kinds.count(Affine) == 29
    assert kinds.count(AddEarlier) == 14
    assert kinds.count(Rectifier) == 29
    assert [layer.average for layer in network.layers if isinstance(layer, Pool)] == [False] + [True] * 5
    assert isinstance(network.layers[-1], FullyConnected)
    assert network.layers[-1].weights.shape == (256, 128)


def test_a_network_of_another_shape_is_refused_when_the_graph_is_built(weights):
    network = parse_network(weights)
    with pytest.raises(WeightsAlteredError):
        build_model(replace(network, layers=network.layers[:-1]))


def test_weights_with_another_hash_are_refused():
    with pytest.raises(WeightsAlteredError, match="SHA-256"):
        read_verified(replace(RESNET, sha256="0" * 64))


def test_weights_that_are_not_installed_are_a_typed_error():
    with pytest.raises(WeightsMissingError):
        read_verified(replace(RESNET, package="no_such_package"))
    with pytest.raises(WeightsMissingError):
        read_verified(replace(RESNET, path="models/no_such_file.dat"))
