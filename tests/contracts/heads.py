"""How to speak each family's language: outputs that say many random things, nothing, or exactly what is wanted. For the contract of decoders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.decode.grids import cells, grids_of
from edge_runtime.decode.ports import Port
from edge_runtime.types import Size

SIZE = Size(96, 64)
LABELS = ("car", "bus", "person", "bicycle")
STRIDES = (8, 16, 32)
ANCHORS = cells(SIZE, STRIDES)

Outputs = list[NDArray[Any]]
Objects = Sequence[tuple[Sequence[float], float, int]]  # box in tensor pixels, score, label


@dataclass(frozen=True)
class Example:
    """One family's language. `open_sides`: sides that such models declare without a number, as (output, axis)."""

    random: Callable[[np.random.Generator], Outputs]
    saying: Callable[[Objects], Outputs]
    labels: tuple[str, ...] = LABELS
    told: bool = True  # whether the shapes tell how many classes there are
    open_sides: tuple[tuple[int, int], ...] = ()
    names: tuple[str, ...] = ()

    def nothing(self) -> Outputs:
        return self.saying([])

    def ports(self, outputs: Outputs) -> list[Port]:
        """As a model declares them."""
        names = self.names or [f"output{index}" for index in range(len(outputs))]
        declared = [Port(name, str(each.dtype), each.shape) for name, each in zip(names, outputs, strict=True)]
        for index, axis in self.open_sides:
            port = declared[index]
            declared[index] = Port(port.name, port.dtype, (*port.shape[:axis], "found", *port.shape[axis + 1 :]))
        return declared


def middles(strides: Sequence[int] = STRIDES) -> NDArray[np.float32]:
    return np.concatenate([grid.centres for grid in grids_of(SIZE, strides)])


def centred(box: Sequence[float]) -> list[float]:
    x1, y1, x2, y2 = box
    return [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]


# -- YOLO ----------------------------------------------------------------------------------------------------------------------


def yolox_random(rng: np.random.Generator) -> Outputs:
    raw = rng.normal(0, 0.7, (1, ANCHORS, 5 + len(LABELS))).astype(np.float32)
    raw[..., 2:4] += 1
    raw[..., 4:] = rng.uniform(0, 1, raw[..., 4:].shape)
    return [raw]


def yolox_saying(objects: Objects) -> Outputs:
    raw = np.zeros((1, ANCHORS, 5 + len(LABELS)), np.float32)
    for anchor, ((x1, y1, x2, y2), score, label) in enumerate(objects):  # anchors of the first row: cell (anchor, 0), stride 8
        raw[0, anchor, :2] = (x1 + x2) / 16 - anchor, (y1 + y2) / 16
        raw[0, anchor, 2:4] = np.log((x2 - x1) / 8), np.log((y2 - y1) / 8)
        raw[0, anchor, 4], raw[0, anchor, 5 + label] = score, 1
    return [raw]


def yolov5_random(rng: np.random.Generator) -> Outputs:
    head = rng.uniform(0, 1, (1, 3 * ANCHORS, 5 + len(LABELS))).astype(np.float32)
    head[0, :, :2] = np.tile(middles(), (3, 1)) + rng.uniform(-4, 4, (3 * ANCHORS, 2))
    head[..., 2:4] *= 40
    return [head]


def yolov5_saying(objects: Objects) -> Outputs:
    head = np.zeros((1, 3 * ANCHORS, 5 + len(LABELS)), np.float32)
    for row, (box, score, label) in enumerate(objects, 1):
        head[0, -row, :4] = centred(box)
        head[0, -row, 4], head[0, -row, 5 + label] = score, 1
    return [head]


def yolov8_random(rng: np.random.Generator) -> Outputs:
    head = rng.uniform(0, 1, (1, 4 + len(LABELS), ANCHORS)).astype(np.float32)
    head[0, :2] = middles().T + rng.uniform(-4, 4, (2, ANCHORS))
    head[0, 2:4] *= 40
    return [head]


def yolov8_saying(objects: Objects) -> Outputs:
    head = np.zeros((1, 4 + len(LABELS), ANCHORS), np.float32)
    for column, (box, score, label) in enumerate(objects, 1):
        head[0, :4, -column] = centred(box)
        head[0, 4 + label, -column] = score
    return [head]


# -- rows that the graph chose ---------------------------------------------------------------------------------------------------


def random_rows(rng: np.random.Generator, count: int) -> tuple[Any, Any, Any]:
    """Boxes [N, 4], scores [N] and labels [N], best first."""
    corner = rng.uniform(-4, 60, (count, 2))
    xyxy = np.concatenate([corner, corner + rng.uniform(2, 40, (count, 2))], axis=1).astype(np.float32)
    return xyxy, -np.sort(-rng.uniform(0, 1, count)).astype(np.float32), rng.integers(0, len(LABELS), count)


def told_rows(objects: Objects) -> tuple[Any, Any, Any]:
    boxes = np.array([box for box, _, _ in objects], np.float32).reshape(-1, 4)
    return boxes, np.array([score for _, score, _ in objects], np.float32), np.array([label for *_, label in objects], np.int64)


def yolov10_rows(xyxy: Any, score: Any, label: Any) -> Outputs:
    rows = np.zeros((1, 40, 6), np.float32)
    rows[0, : len(score)] = np.concatenate([xyxy, score[:, None], label[:, None]], axis=1)
    return [rows]


def yolov7_nms_rows(xyxy: Any, score: Any, label: Any) -> Outputs:
    return [np.concatenate([np.zeros((len(score), 1)), xyxy, label[:, None], score[:, None]], axis=1).astype(np.float32)]


def efficient_nms_rows(xyxy: Any, score: Any, label: Any) -> Outputs:
    """What is not filled holds rubbish."""
    count = len(score)
    boxes, scores, classes = np.full((1, 40, 4), 7, np.float32), np.full((1, 40), 0.99, np.float32), np.full((1, 40), -1, np.int32)
    boxes[0, :count], scores[0, :count], classes[0, :count] = xyxy, score, label
    return [np.array([[count]], np.int32), boxes, scores, classes]


def rtdetr_rows(xyxy: Any, score: Any, label: Any) -> Outputs:
    boxes, scores, labels = np.zeros((1, 40, 4), np.float32), np.zeros((1, 40), np.float32), np.zeros((1, 40), np.int64)
    boxes[0, : len(score)], scores[0, : len(score)], labels[0, : len(score)] = xyxy, score, label
    return [labels, boxes, scores]


def rtdetr_logits_rows(xyxy: Any, score: Any, label: Any) -> Outputs:
    """A query of its own for each: the last ones. Of the others nothing is likely."""
    logits, boxes = np.full((1, 100, len(LABELS)), -6, np.float32), np.full((1, 100, 4), 0.5, np.float32)
    for row, (box, chance, which) in enumerate(zip(xyxy, score, label, strict=True), 1):
        logits[0, -row, which] = np.log(chance / (1 - chance))
        boxes[0, -row] = np.clip(np.array(centred(box)) / [*SIZE, *SIZE], 0, 1)
    return [logits, boxes]


def rfdetr_rows(xyxy: Any, score: Any, label: Any) -> Outputs:
    return rtdetr_logits_rows(xyxy, score, label)[::-1]


def detr_rows(xyxy: Any, score: Any, label: Any) -> Outputs:
    """The label's share against "no object", which is what all others say."""
    logits, boxes = rtdetr_logits_rows(xyxy, score, label)
    logits[logits == -6] = -30
    return [np.concatenate([logits, np.zeros((1, 100, 1), np.float32)], axis=2), boxes]


def rows_example(arrange: Callable[[Any, Any, Any], Outputs], **about: Any) -> Example:
    return Example(lambda rng: arrange(*random_rows(rng, 30)), lambda objects: arrange(*told_rows(objects)), **about)


EXAMPLES = {
    "detr": rows_example(detr_rows),
    "efficient-nms": rows_example(efficient_nms_rows, told=False),
    "rfdetr": rows_example(rfdetr_rows, names=("dets", "labels")),
    "rtdetr": rows_example(rtdetr_rows, told=False),
    "rtdetr-logits": rows_example(rtdetr_logits_rows),
    "yolov10": rows_example(yolov10_rows, told=False),
    "yolov7-nms": rows_example(yolov7_nms_rows, told=False, open_sides=((0, 0),)),
    "yolov5": Example(yolov5_random, yolov5_saying),
    "yolov8": Example(yolov8_random, yolov8_saying),
    "yolox": Example(yolox_random, yolox_saying),
}
