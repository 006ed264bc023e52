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


def best_rows(cast: Recast, most: int = 300) -> int:
    """The best anchors: "best.xyxy" [1, N, 4], "best.score" [1, N], "best.label" [1, N] int64, best first. Returns N."""
    count = min(most, cast.rows)
    cast.constant("most", np.array([count]))
    cast.constant("second", np.array([1]))
    cast.node("ReduceMax", ["chance"], "strongest", axes=[2], keepdims=0)
    cast.node("ArgMax", ["chance"], "named", axis=2, keepdims=0)
    cast.node("TopK", ["strongest", "most"], "best.score", "places", axis=1)
    cast.node("GatherElements", ["named", "places"], "best.label", axis=1)
    cast.constant("narrow", np.array([-1, count, 1]))
    cast.constant("wide", np.array([1, count, 4]))
    cast.node("Reshape", ["places", "narrow"], "places.column")
    cast.node("Expand", ["places.column", "wide"], "places.wide")
    cast.node("GatherElements", ["xyxy", "places.wide"], "best.xyxy", axis=1)
    return count


def column_of(cast: Recast, name: str, count: int) -> str:
    """[1, N] as [1, N, 1] of float."""
    cast.node("Cast", [name], f"{name}.float", to=FLOAT)
    cast.node("Reshape", [f"{name}.float", "narrow"], f"{name}.column")
    return f"{name}.column"


def as_yolov10(cast: Recast) -> onnx.ModelProto:
    count = best_rows(cast)
    cast.node("Concat", ["best.xyxy", column_of(cast, "best.score", count), column_of(cast, "best.label", count)], "found", axis=2)
    return cast.finished(("found", FLOAT, [1, count, 6]))


def as_efficient_nms(cast: Recast) -> onnx.ModelProto:
    count = best_rows(cast)
    cast.constant("threshold", np.float32(0.1))
    cast.node("Greater", ["best.score", "threshold"], "above")
    cast.node("Cast", ["above"], "above.number", to=TensorProto.INT32)
    cast.node("Cast", ["above"], "above.float", to=FLOAT)
    cast.node("ReduceSum", ["above.float"], "filled")
    cast.constant("single", np.array([1, 1]))
    cast.node("Reshape", ["filled", "single"], "filled.shaped")
    cast.node("Cast", ["filled.shaped"], "num_dets", to=TensorProto.INT32)
    cast.node("Cast", ["best.label"], "det_classes", to=TensorProto.INT32)
    outputs = [("num_dets", TensorProto.INT32, [1, 1]), ("best.xyxy", FLOAT, [1, count, 4])]
    return cast.finished(*outputs, ("best.score", FLOAT, [1, count]), ("det_classes", TensorProto.INT32, [1, count]))


def as_yolov7_nms(cast: Recast) -> onnx.ModelProto:
    """The operator only selects, the best label of each anchor above 0.1, best first: what overlaps is left to whoever decodes."""
    count = best_rows(cast)
    cast.constant("threshold", np.float32([0.1]))
    cast.constant("limit", np.array([count]))
    cast.constant("never", np.float32([1.0]))
    cast.constant("row", np.array([1, 1, count]))
    cast.node("Reshape", ["best.score", "row"], "best.row")
    cast.node("NonMaxSuppression", ["best.xyxy", "best.row", "limit", "never", "threshold"], "selected")
    cast.constant("last", np.array(2))
    cast.node("Gather", ["selected", "last"], "selected.place", axis=1)
    scores, labels = column_of(cast, "best.score", count), column_of(cast, "best.label", count)
    cast.constant("nought", np.float32(0))
    cast.node("Mul", [scores, "nought"], "picture")
    cast.node("Concat", ["picture", "best.xyxy", labels, scores], "every", axis=2)
    cast.constant("first", np.array(0))
    cast.node("Gather", ["every", "first"], "every.row", axis=0)
    cast.node("Gather", ["every.row", "selected.place"], "detections", axis=0)
    return cast.finished(("detections", FLOAT, ["found", 7]))


def fractions(cast: Recast) -> int:
    """The best anchors' boxes as centres and sizes in fractions of the tensor, cut off at its sides: "fractions" [1, N, 4]. Returns N."""
    count = best_rows(cast)
    cast.constant("tensor", np.array([[[*cast.size, *cast.size]]], np.float32))
    cast.node("Div", ["best.xyxy", "tensor"], "best.part")
    cast.constant("none", np.float32(0))
    cast.constant("whole", np.float32(1))
    cast.node("Clip", ["best.part", "none", "whole"], "best.inside")
    cast.columns("best.inside", 0, 2, "inside.upper")
    cast.columns("best.inside", 2, 4, "inside.lower")
    cast.node("Sub", ["inside.lower", "inside.upper"], "inside.extent")
    cast.node("Mul", ["inside.extent", "half"], "inside.half")
    cast.node("Add", ["inside.upper", "inside.half"], "inside.centre")
    cast.node("Concat", ["inside.centre", "inside.extent"], "fractions", axis=2)
    return count


def logits(cast: Recast, count: int, other: float) -> None:
    """ "logits" [1, N, C]: log(p ÷ (1 − p)) of the best label, `other` for the rest."""
    cast.constant("names", np.arange(cast.classes)[None, None])
    cast.node("Reshape", ["best.label", "narrow"], "best.label.narrow")
    cast.node("Equal", ["best.label.narrow", "names"], "is.best")
    cast.constant("one", np.float32(1))
    cast.constant("least", np.float32(1e-6))
    cast.node("Max", [column_of(cast, "best.score", count), "least"], "chance.some")
    cast.node("Sub", ["one", "chance.some"], "chance.not")
    cast.node("Div", ["chance.some", "chance.not"], "odds")
    cast.node("Log", ["odds"], "best.logit")
    cast.constant("other", np.float32(other))
    cast.node("Where", ["is.best", "best.logit", "other"], "logits")


def as_rtdetr_logits(cast: Recast) -> onnx.ModelProto:
    count = fractions(cast)
    logits(cast, count, -14)
    return cast.finished(("logits", FLOAT, [1, count, cast.classes]), ("fractions", FLOAT, [1, count, 4]))


def as_rfdetr(cast: Recast) -> onnx.ModelProto:
    count = fractions(cast)
    logits(cast, count, -14)
    cast.node("Identity", ["fractions"], "dets")
    cast.node("Identity", ["logits"], "labels")
    return cast.finished(("dets", FLOAT, [1, count, 4]), ("labels", FLOAT, [1, count, cast.classes]))


def as_detr(cast: Recast, no_object: float = 0.0) -> onnx.ModelProto:
    """Where "no object" is 0, the best label's logit is its chance against it, and nothing else."""
    count = fractions(cast)
    logits(cast, count, -40)
    cast.constant("no.object", np.full((1, count, 1), no_object, np.float32))
    cast.node("Concat", ["logits", "no.object"], "all.logits", axis=2)
    return cast.finished(("fractions", FLOAT, [1, count, 4]), ("all.logits", FLOAT, [1, count, cast.classes + 1]))


def as_rtdetr(cast: Recast) -> onnx.ModelProto:
    """With a second input, width and height that boxes are scaled to."""
    count = best_rows(cast)
    cast.graph.input.append(helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, ["N", 2]))
    cast.constant("tensor", np.array([[[*cast.size, *cast.size]]], np.float32))
    cast.node("Div", ["best.xyxy", "tensor"], "fractions")
    cast.constant("twice", np.array([1, 2]))
    cast.node("Tile", ["orig_target_sizes", "twice"], "wanted.whole")
    cast.node("Cast", ["wanted.whole"], "wanted", to=FLOAT)
    cast.node("Mul", ["fractions", "wanted"], "boxes.wanted")
    rows: list[Any] = ["N", count]
    return cast.finished(("best.label", TensorProto.INT64, rows), ("boxes.wanted", FLOAT, [*rows, 4]), ("best.score", FLOAT, rows))


CASTS: dict[str, Callable[[Recast], onnx.ModelProto]] = {
    "detr": as_detr,
    "efficient-nms": as_efficient_nms,
    "rfdetr": as_rfdetr,
    "rtdetr": as_rtdetr,
    "rtdetr-logits": as_rtdetr_logits,
    "yolov10": as_yolov10,
    "yolov5": as_yolov5,
    "yolov7-nms": as_yolov7_nms,
    "yolov8": as_yolov8,
}
