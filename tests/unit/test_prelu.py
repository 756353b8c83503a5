"""PRelu rewritten: the same numbers, and only where it is sure to hold."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from borderpost.faces.adapters.prelu import without_prelu

RNG = np.random.default_rng(7)


def run(model, picture):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), sess_options=options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"picture": picture})


def kinds(model):
    return [node.op_type for node in model.graph.node]


def constant(name, *shape):
    return numpy_helper.from_array(RNG.normal(size=shape).astype(np.float32), name)


def slopes(*values):
    return numpy_helper.from_array(np.asarray(values, np.float32).reshape(-1, 1, 1), "slopes")


def model_of(nodes, constants, outputs=("out",)):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", "c", "h", "w"]) for name in outputs],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model


FRONT = (
    helper.make_node("Conv", ["picture", "w", "b"], ["z"], pads=[1, 1, 1, 1]),
    helper.make_node("PRelu", ["z", "slopes"], ["y"]),
)
BACK = helper.make_node("Conv", ["y", "v"], ["out"], pads=[1, 1, 1, 1])
W, B, V = constant("w", 4, 3, 3, 3), constant("b", 4), constant("v", 2, 4, 3, 3)


@pytest.mark.parametrize(
    "values",
    [(0.25, 0.25, 0.25, 0.25), (-1.4, 0.0, 0.99, 1.3), (1.0, 1.0000001, 2.0, -0.5)],
    ids=["usual", "negative and above one", "exactly one"],
)
def test_the_numbers_stay_the_same(values):
    model = model_of([*FRONT, BACK], [W, B, V, slopes(*values)])
    picture = RNG.normal(size=(2, 3, 8, 8)).astype(np.float32)
    rewritten = without_prelu(model)
    assert "PRelu" not in kinds(rewritten)
    assert run(rewritten, picture)[0] == pytest.approx(run(model, picture)[0], abs=2e-5)


@pytest.mark.parametrize(("groups", "channels"), [(4, 4), (4, 8), (2, 6)])
def test_grouped_convolutions_behind_it_keep_their_numbers(groups, channels):
    back = helper.make_node("Conv", ["y", "g"], ["out"], group=groups)
    grouped = constant("g", channels, 4 // groups, 3, 3)
    model = model_of([*FRONT, back], [W, B, grouped, slopes(0.1, 1.4, -0.2, 1.2)])
    picture = RNG.normal(size=(1, 3, 8, 8)).astype(np.float32)
    rewritten = without_prelu(model)
    assert "PRelu" not in kinds(rewritten)
    assert run(rewritten, picture)[0] == pytest.approx(run(model, picture)[0], abs=2e-5)


def test_convolutions_that_share_weights_are_not_mixed_up():
    again = helper.make_node("Conv", ["picture", "w"], ["also"], pads=[1, 1, 1, 1])
    model = model_of([*FRONT, BACK, again], [W, B, V, slopes(0.1, 0.2, 0.3, 0.4)], ("out", "also"))
    picture = RNG.normal(size=(1, 3, 8, 8)).astype(np.float32)
    for got, want in zip(run(without_prelu(model), picture), run(model, picture), strict=True):
        assert got == pytest.approx(want, abs=2e-5)


@pytest.mark.parametrize(
    ("nodes", "outputs"),
    [
        ([*FRONT, BACK], ("out", "y")),
        ([*FRONT, BACK], ("out", "z")),
        ([*FRONT, BACK, helper.make_node("Relu", ["z"], ["also"])], ("out", "also")),
        ([*FRONT, helper.make_node("Relu", ["y"], ["out"])], ("out",)),
    ],
    ids=[
        "its output leaves the model",
        "its input leaves the model",
        "its input is shared",
        "no convolution behind",
    ],
)
def test_it_stays_where_others_see_its_values(nodes, outputs):
    model = model_of(nodes, [W, B, V, slopes(0.1, 0.2, 0.3, 0.4)], outputs)
    assert kinds(without_prelu(model)) == kinds(model)


def test_one_slope_for_all_channels_stays():
    model = model_of([*FRONT, BACK], [W, B, V, numpy_helper.from_array(np.float32([0.2]), "slopes")])
    assert "PRelu" in kinds(without_prelu(model))


def test_the_given_model_is_left_alone():
    model = model_of([*FRONT, BACK], [W, B, V, slopes(0.1, 0.2, 0.3, 0.4)])
    before = model.SerializeToString()
    without_prelu(model)
    assert model.SerializeToString() == before
