"""A passive liveness model of an agency's own, described by a card: a tiny one is made here."""

from __future__ import annotations

import hashlib

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from borderpost.faces.adapters.onnx_liveness import OnnxLiveness
from borderpost.faces.capture.passive import judge, square_around
from borderpost.faces.domain import Face, FaceBox, Landmarks, Status
from borderpost.faces.errors import LivenessCardError

FACE = Face(FaceBox(40, 40, 20, 20), Landmarks((42, 48), (46, 48), (54, 48), (58, 48), (50, 54)))


def brightness_model():
    """Outputs (-1, mean of the first channel): "live" where the first channel is bright."""
    channel = helper.make_node("Gather", ["input", "zero"], ["channel"], axis=1)
    mean = helper.make_node("ReduceMean", ["channel"], ["mean"], axes=[1, 2], keepdims=0)
    flat = helper.make_node("Reshape", ["mean", "shape"], ["flat"])
    both = helper.make_node("Concat", ["minus", "flat"], ["output"], axis=1)
    graph = helper.make_graph(
        [channel, mean, flat, both],
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 2])],
        [
            helper.make_tensor("zero", TensorProto.INT64, [], [0]),
            helper.make_tensor("shape", TensorProto.INT64, [2], [1, 1]),
            helper.make_tensor("minus", TensorProto.FLOAT, [1, 1], [-1.0]),
        ],
    )
    opsets = [helper.make_opsetid("", 13)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()


def card(tmp_path, **changes):
    model = brightness_model()
    (tmp_path / "tiny.onnx").write_bytes(model)
    fields = {
        "name": '"tiny"',
        "version": '"1"',
        "file": '"tiny.onnx"',
        "sha256": f'"{hashlib.sha256(model).hexdigest()}"',
        "licence": '"none"',
        "holder": '"nobody"',
        "provenance": '"made up"',
        "measured": "false",
        "side": "8",
        "crop": "1.0",
        "colour": '"BGR"',
        "mean": "[127.5, 127.5, 127.5]",
        "scale": "[127.5, 127.5, 127.5]",
        "softmax": "true",
        "live": "1",
        "threshold": "0.5",
    } | changes
    path = tmp_path / "card.toml"
    path.write_text("\n".join(f"{name} = {value}" for name, value in fields.items() if value), "utf-8")
    return path


def picture(red, blue):
    pixels = np.zeros((100, 100, 3), np.uint8)
    pixels[..., 0], pixels[..., 2] = red, blue
    return pixels


@pytest.mark.parametrize(
    ("colour", "red", "blue", "status"),
    [
        ("BGR", 0, 255, Status.PASSED),
        ("BGR", 255, 0, Status.FAILED),
        ("RGB", 0, 255, Status.FAILED),
        ("RGB", 255, 0, Status.PASSED),
    ],
)
def test_a_model_gets_what_its_card_says_and_its_share_is_held_against_the_threshold(
    tmp_path, colour, red, blue, status
):
    model = OnnxLiveness.load(card(tmp_path, colour=f'"{colour}"', threshold="0.6"))
    result = judge(model, picture(red, blue), FACE)
    assert (result.status, result.method, result.version) == (status, "tiny", "1")
    assert not result.measured
    assert result.reasons == (() if status is Status.PASSED else ("PASSIVE_NOT_LIVE",))


def test_outputs_that_are_no_shares_yet_become_some(tmp_path):
    share = OnnxLiveness.load(card(tmp_path)).live_share(picture(0, 255), FACE)
    assert share == pytest.approx(1 / (1 + np.exp(-2)))


def test_a_face_at_the_edge_is_cut_all_the_same(tmp_path):
    face = Face(FaceBox(-30, -30, 60, 60), FACE.landmarks)
    assert 0 <= OnnxLiveness.load(card(tmp_path, crop="2.7")).live_share(picture(0, 255), face) <= 1
    assert square_around(FaceBox(10, 10, 20, 40), 2.0) == FaceBox(-20, -10, 80, 80)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"sha256": f'"{"0" * 64}"'}, "another SHA-256"),
        ({"file": '"absent.onnx"'}, "absent.onnx"),
        ({"threshold": '"high"'}, "threshold"),
        ({"threshold": ""}, "threshold"),
        ({"colour": '"CMYK"'}, "colour"),
        ({"surprise": "1"}, "surprise"),
        ({"name": "]["}, "no card"),
    ],
    ids=["other bytes", "no file", "no number", "missing", "no colour", "unknown", "no TOML"],
)
def test_a_card_that_does_not_fit_is_refused_with_what_is_wrong(tmp_path, changes, named):
    with pytest.raises(LivenessCardError, match=named):
        OnnxLiveness.load(card(tmp_path, **changes))


def test_a_file_that_is_no_model_is_refused(tmp_path):
    path = card(tmp_path, sha256=f'"{hashlib.sha256(b"no model").hexdigest()}"')
    (tmp_path / "tiny.onnx").write_bytes(b"no model")
    with pytest.raises(LivenessCardError, match="can't be loaded"):
        OnnxLiveness.load(path)


def test_the_tiny_model_is_one():
    onnx.checker.check_model(onnx.load_model_from_string(brightness_model()))
