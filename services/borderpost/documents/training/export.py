"""Write the network as an ONNX file: weights as 16-bit floats, logits turned into probabilities, and what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from borderpost.documents.adapters.ocrb_net import HEIGHT
from borderpost.documents.mrz import ALPHABET
from borderpost.documents.training import net
from borderpost.documents.training.lines import Settings

NAME: Final = "ocrb-1"
OPSET: Final = 17
IR_VERSION: Final = 8


def write(
    path: Path, params: net.Params, seed: int, settings: Settings, temperature: float = 1.0, fonts: str = ""
) -> None:
    """Write the file. Logits are divided by the temperature before they become probabilities."""
    graph = _Graph()
    row = _evened(graph)
    for layer in net.LAYERS:
        row = _layer(graph, layer, params, row)
    # N × OUTPUTS × 1 × W/4 becomes N × W/4 × OUTPUTS.
    flat = graph.node("Squeeze", row, graph.constant("rows", np.array([2], dtype=np.int64)))
    turned = graph.node("Transpose", flat, perm=[0, 2, 1])
    sizes = graph.constant("sizes", np.array([net.CLASSES, 1], dtype=np.int64))
    classes, middle = graph.nodes("Split", (turned, sizes), 2, axis=2)
    cooled = graph.node(
        "Div", classes, graph.constant("temperature", np.array(temperature, dtype=np.float32))
    )
    graph.node("Softmax", cooled, axis=2, output="characters")
    last = graph.node("Squeeze", middle, graph.constant("depth", np.array([2], dtype=np.int64)))
    graph.node("Sigmoid", last, output="middles")
    model = helper.make_model(
        helper.make_graph(
            graph.list,
            NAME,
            [helper.make_tensor_value_info("strips", TensorProto.UINT8, ("lines", HEIGHT, "width"))],
            [
                helper.make_tensor_value_info(
                    "characters", TensorProto.FLOAT, ("lines", "columns", net.CLASSES)
                ),
                helper.make_tensor_value_info("middles", TensorProto.FLOAT, ("lines", "columns")),
            ],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="borderpost",
    )
    about = {
        "name": NAME,
        "alphabet": ALPHABET,
        "height": str(HEIGHT),
        "seed": str(seed),
        "settings_sha256": settings.digest(),
        "temperature": f"{temperature:.4f}",
        "fonts": fonts,
    }
    helper.set_model_props(model, about)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


class _Graph:
    """Nodes and constants as they are added."""

    def __init__(self) -> None:
        self.list: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, value: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def weights(self, name: str, value: Any) -> str:
        """Keep floats in 16 bits; the runtime widens them once, when it loads the file."""
        narrow = self.constant(f"{name}.half", np.asarray(value, dtype=np.float16))
        return self.node("Cast", narrow, to=TensorProto.FLOAT)

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        output = output or f"v{len(self.list)}"
        self.list.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def nodes(self, kind: str, inputs: tuple[str, ...], count: int, **attributes: Any) -> list[str]:
        outputs = [f"v{len(self.list)}.{i}" for i in range(count)]
        self.list.append(helper.make_node(kind, list(inputs), outputs, **attributes))
        return outputs


def _evened(graph: _Graph) -> str:
    """Add what `net.evened` does: N × HEIGHT × W bytes become N × 1 × HEIGHT × W floats."""
    grey = graph.node("Cast", "strips", to=TensorProto.FLOAT)
    planes = graph.node("Unsqueeze", grey, graph.constant("channel", np.array([1], dtype=np.int64)))
    mean = _pooled(graph, planes)
    square = _pooled(graph, graph.node("Mul", planes, planes))
    variance = graph.node("Sub", square, graph.node("Mul", mean, mean))
    safe = graph.node("Max", variance, graph.constant("zero", np.array(0, dtype=np.float32)))
    least = graph.constant("least", np.array(net.LEAST_DEVIATION, dtype=np.float32))
    deviation = graph.node("Add", graph.node("Sqrt", safe), least)
    return graph.node("Div", graph.node("Sub", planes, mean), deviation)


def _pooled(graph: _Graph, planes: str) -> str:
    column = graph.node("ReduceMean", planes, axes=[2], keepdims=1)
    reach = net.NEIGHBOURHOOD // 2
    return graph.node("AveragePool", column, kernel_shape=[1, net.NEIGHBOURHOOD], pads=[0, reach, 0, reach])


def _layer(graph: _Graph, layer: net.Conv, params: net.Params, row: str) -> str:
    kernel, bias = (np.asarray(value) for value in params[layer.name])
    down, across = layer.padding
    out = graph.node(
        "Conv",
        row,
        graph.weights(f"{layer.name}.kernel", kernel.transpose(3, 2, 0, 1)),
        graph.weights(f"{layer.name}.bias", bias),
        strides=list(layer.stride),
        dilations=[1, layer.dilation],
        pads=[down, across, down, across],
    )
    out = out if layer.last else graph.node("Relu", out)
    return graph.node("Add", row, out) if layer.residual else out
