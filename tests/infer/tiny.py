"""Small real models of our own: a YOLOX head on averaged pixels. They see nothing sensible, but ONNX Runtime runs them like any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STRIDES = (8, 16, 32)
LABELS = ("car", "bus", "person", "bicycle")


def constant(name: str, values: Any, dtype: Any = np.int64) -> TensorProto:
    return numpy_helper.from_array(np.array(values, dtype), name)


def tiny_yolox(
    *, width: Any = 64, height: Any = 64, batch: Any = 1, classes: int = len(LABELS), burn: int = 0, decoded: bool = False, sigmoid: bool = True
) -> onnx.ModelProto:
    """[batch, 3, height, width] -> [batch, anchors, 5 + classes]. `burn`: how many large convolutions it does for nothing (some 50 ms each)."""
    rng = np.random.default_rng(7)
    columns = 5 + classes
    nodes, weights, levels = [], [], []
    image = "images"
    for number in range(burn):
        channels = 3 if number == 0 else 64
        weights.append(numpy_helper.from_array(rng.normal(0, 0.01, (64, channels, 9, 9)).astype(np.float32), f"burn{number}"))
        nodes.append(helper.make_node("Conv", [image, f"burn{number}"], [f"burnt{number}"], pads=[4, 4, 4, 4]))
        image = f"burnt{number}"
    channels = 64 if burn else 3
    for stride in STRIDES:
        weights.append(numpy_helper.from_array(rng.normal(0, 0.004, (columns, channels, 1, 1)).astype(np.float32), f"w{stride}"))
        nodes += [
            helper.make_node("AveragePool", [image], [f"pool{stride}"], kernel_shape=[stride, stride], strides=[stride, stride]),
            helper.make_node("Conv", [f"pool{stride}", f"w{stride}"], [f"level{stride}"]),
            helper.make_node("Reshape", [f"level{stride}", "flat"], [f"rows{stride}"]),
        ]
        levels.append(f"rows{stride}")
    nodes += [
        helper.make_node("Concat", levels, ["all"], axis=2),
        helper.make_node("Transpose", ["all"], ["anchors"], perm=[0, 2, 1]),
        helper.make_node("Split", ["anchors", "parts"], ["box", "scores"], axis=2),
        helper.make_node("Sigmoid", ["scores"], ["chances"]) if sigmoid else helper.make_node("Identity", ["scores"], ["chances"]),
        helper.make_node("Add", ["box", "far"], ["place"]) if decoded else helper.make_node("Identity", ["box"], ["place"]),
        helper.make_node("Concat", ["place", "chances"], ["output"], axis=2),
    ]
    weights += [constant("flat", [0, columns, -1]), constant("parts", [4, columns - 4])]
    anchors: Any = "anchors"
    if isinstance(width, int) and isinstance(height, int):
        anchors = sum((width // stride) * (height // stride) for stride in STRIDES)
        if decoded:
            places = [(x * s, y * s, 9, 9) for s in STRIDES for y in range(height // s) for x in range(width // s)]
            weights.append(constant("far", [places], np.float32))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, height, width])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [batch, anchors, columns])],
        weights,
    )
    model = helper.make_model(graph, producer_name="tests", opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def write_labels(folder: Path) -> Path:
    file = folder / "names.txt"
    file.write_text("".join(f"{label}\n" for label in LABELS))
    return file


def write_model(folder: Path, model: onnx.ModelProto | None = None, name: str = "tiny.onnx") -> Path:
    file = folder / name
    file.write_bytes((model or tiny_yolox()).SerializeToString())
    return file
