"""One YOLOX model recast into other families: the same network, its answers put into the words of another one by operators at its end.

So families of which no model is at hand are tried with real weights, or with the small ones of tests/infer/tiny.py, and what they must give is known:
what the YOLOX decoder gives.

    output [1, A, 5 + C] ─► xywh, xyxy [1, A, 4] in pixels · objectness [1, A, 1] · classes [1, A, C] · chance = objectness · classes
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.decode.yolox import anchor_grid
from edge_runtime.types import Size

FLOAT = TensorProto.FLOAT


class Recast:
    """A copy of a YOLOX model whose graph is grown at its end. `rows`: anchors; `classes`: labels."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = onnx.ModelProto()
        self.model.CopyFrom(model)
        self.graph = self.model.graph
        sides = [side.dim_value for side in self.graph.input[0].type.tensor_type.shape.dim]
        self.size = Size(sides[3], sides[2])
        _, self.rows, columns = (side.dim_value for side in self.graph.output[0].type.tensor_type.shape.dim)
        self.classes = columns - 5
        raw = self.graph.output[0].name
        del self.graph.output[:]
        grid = anchor_grid(self.size)
        self.constant("cells", grid[None, :, :2])
        self.constant("strides", grid[None, :, 2:])
        self.constant("half", np.float32(0.5))
        for name, start, end in (("offset", 0, 2), ("log", 2, 4), ("objectness", 4, 5), ("classes", 5, columns)):
            self.columns(raw, start, end, name)
        self.node("Add", ["offset", "cells"], "moved")
        self.node("Mul", ["moved", "strides"], "centre")
        self.node("Exp", ["log"], "large")
        self.node("Mul", ["large", "strides"], "extent")
        self.node("Concat", ["centre", "extent"], "xywh", axis=2)
        self.node("Mul", ["extent", "half"], "halves")
        self.node("Sub", ["centre", "halves"], "upper")
        self.node("Add", ["centre", "halves"], "lower")
        self.node("Concat", ["upper", "lower"], "xyxy", axis=2)
        self.node("Mul", ["classes", "objectness"], "chance")

    def constant(self, name: str, values: Any) -> None:
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))

    def node(self, kind: str, inputs: list[str], *outputs: str, **attributes: Any) -> None:
        self.graph.node.append(helper.make_node(kind, inputs, list(outputs), **attributes))

    def columns(self, source: str, start: int, end: int, name: str) -> None:
        """Columns [start, end) of the last axis of three."""
        for part, value in (("start", start), ("end", end), ("axis", 2)):
            self.constant(f"{name}.{part}", np.array([value]))
        self.node("Slice", [source, f"{name}.start", f"{name}.end", f"{name}.axis"], name)

    def finished(self, *outputs: tuple[str, int, list[Any]]) -> onnx.ModelProto:
        """With these outputs: name, element type, shape."""
        self.graph.output.extend(helper.make_tensor_value_info(*each) for each in outputs)
        onnx.checker.check_model(self.model)
        return self.model


def as_yolov5(cast: Recast) -> onnx.ModelProto:
    cast.node("Concat", ["xywh", "objectness", "classes"], "decoded", axis=2)
    return cast.finished(("decoded", FLOAT, [1, cast.rows, 5 + cast.classes]))


def as_yolov8(cast: Recast) -> onnx.ModelProto:
    cast.node("Concat", ["xywh", "chance"], "stacked", axis=2)
    cast.node("Transpose", ["stacked"], "output0", perm=[0, 2, 1])
    return cast.finished(("output0", FLOAT, [1, 4 + cast.classes, cast.rows]))


CASTS: dict[str, Callable[[Recast], onnx.ModelProto]] = {"yolov5": as_yolov5, "yolov8": as_yolov8}
