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


# -- small heads ---------------------------------------------------------------------------------------------------------------


def split(head: NDArray[np.float32], strides: Sequence[int], columns: Sequence[int]) -> list[Outputs]:
    """[N, ΣK] as [1, Nₛ, K]: a list of strides for each part of the columns."""
    rows = np.cumsum([cells(SIZE, (stride,)) for stride in strides])[:-1]
    return [[np.ascontiguousarray(level[None]) for level in np.split(part, rows)] for part in np.split(head, np.cumsum(columns)[:-1], axis=1)]


def distribution_head(strides: Sequence[int], offset: Callable[[int], float], objects: Objects) -> NDArray[np.float32]:
    """[N, C + 32]: distances of stride 8, each between two bins. Each object has a cell of its own near its centre."""
    head = np.full((cells(SIZE, strides), len(LABELS) + 32), -50, np.float32)
    head[:, : len(LABELS)] = 0
    for number, ((x1, y1, x2, y2), score, label) in enumerate(objects):
        column, row = int((x1 + x2) / 16) + number, int((y1 + y2) / 16)
        x, y = column * 8 + offset(8), row * 8 + offset(8)
        cell = row * (SIZE.width // 8) + column
        head[cell, label] = score
        for side, distance in enumerate((x - x1, y - y1, x2 - x, y2 - y)):
            low = min(int(distance / 8), 6)
            share = distance / 8 - low
            numbers = head[cell, len(LABELS) + 8 * side :]
            numbers[low], numbers[low + 1] = np.log(max(1 - share, 1e-20)), np.log(max(share, 1e-20))
    return head


def distribution_example(strides: Sequence[int], offset: Callable[[int], float], *, together: bool = False) -> Example:
    def arranged(head: NDArray[np.float32]) -> Outputs:
        classes, sides = split(head, strides, (len(LABELS), 32))
        return [head[None]] if together else [*classes, *sides]

    def random(rng: np.random.Generator) -> Outputs:
        head = rng.normal(0, 2, (cells(SIZE, strides), len(LABELS) + 32)).astype(np.float32)
        head[:, : len(LABELS)] = rng.uniform(0, 1, (len(head), len(LABELS)))
        return arranged(head)

    return Example(random, lambda objects: arranged(distribution_head(strides, offset, objects)))


def fastestdet_random(rng: np.random.Generator) -> Outputs:
    head = rng.normal(-1, 1, (1, 5 + len(LABELS), 4, 6)).astype(np.float32)
    head[0, 0], head[0, 5:] = rng.uniform(0, 1, (4, 6)), rng.uniform(0, 1, (len(LABELS), 4, 6))
    return [head]


def fastestdet_saying(objects: Objects) -> Outputs:
    """Every centre can be said by the cell that it is in, and by the next one too: so two objects may be near each other."""
    head = np.zeros((1, 5 + len(LABELS), 4, 6), np.float32)
    for number, (box, score, label) in enumerate(objects):
        x, y, width, height = centred(box)
        column, row = int(x / 16) + number % 2, int(y / 16)
        cell = head[0, :, row, column]
        cell[0], cell[5 + label] = score ** (1 / 0.6), 1
        cell[1], cell[2] = np.arctanh(x / 16 - column), np.arctanh(y / 16 - row)
        cell[3], cell[4] = (-np.log(whole / side - 1) for whole, side in ((SIZE.width, width), (SIZE.height, height)))
    return [head]


def ssd_rows(xyxy: Any, score: Any, label: Any) -> Outputs:
    """The rest of each row is background."""
    scores, boxes = np.zeros((1, 50, 1 + len(LABELS)), np.float32), np.zeros((1, 50, 4), np.float32)
    scores[..., 0] = 1
    for row, (box, chance, which) in enumerate(zip(xyxy, score, label, strict=True), 1):
        scores[0, -row, 0], scores[0, -row, 1 + which] = 1 - chance, chance
        boxes[0, -row] = np.array(box) / [*SIZE, *SIZE]
    return [scores, boxes]


def yunet_outputs(head: NDArray[np.float32]) -> Outputs:
    """[N, 6] of face, objectness and box; points that nobody looks at."""
    parts = split(np.concatenate([head, np.full((len(head), 10), 3, np.float32)], axis=1), STRIDES, (1, 1, 4, 10))
    return [level for part in parts for level in part]


def yunet_random(rng: np.random.Generator) -> Outputs:
    head = rng.normal(0, 0.7, (ANCHORS, 6)).astype(np.float32)
    head[:, :2] = rng.uniform(0, 1, (ANCHORS, 2))
    head[:, 4:] += 1
    return yunet_outputs(head)


def yunet_saying(objects: Objects) -> Outputs:
    head = np.zeros((ANCHORS, 6), np.float32)
    for anchor, (box, score, _) in enumerate(objects):  # cell (anchor, 0), stride 8
        x, y, width, height = centred(box)
        head[anchor] = [score * score, 1, x / 8 - anchor, y / 8, np.log(width / 8), np.log(height / 8)]
    return yunet_outputs(head)


LPD_PRIORS = 12 * 8 * 3 + 6 * 4 * 2 + 3 * 2 * 2 + 1 * 1 * 3


def lpd_outputs(loc: NDArray[np.float32], chance: NDArray[np.float32]) -> Outputs:
    return [loc, np.stack([1 - chance, chance], axis=1).astype(np.float32), np.ones((LPD_PRIORS, 1), np.float32)]


def lpd_random(rng: np.random.Generator) -> Outputs:
    outputs = lpd_outputs(rng.normal(0, 8, (LPD_PRIORS, 14)).astype(np.float32), rng.uniform(0, 1, LPD_PRIORS).astype(np.float32))
    outputs[2][:] = rng.uniform(-0.5, 1.5, (LPD_PRIORS, 1))
    return outputs


def lpd_saying(objects: Objects) -> Outputs:
    """By priors of the first cell, at (4, 4), with sides of 10, 16 and 24."""
    loc, chance = np.zeros((LPD_PRIORS, 14), np.float32), np.zeros(LPD_PRIORS, np.float32)
    for row, ((x1, y1, x2, y2), score, _) in enumerate(objects):
        points = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])
        loc[row, [4, 5, 6, 7, 10, 11, 12, 13]] = ((points - 4) / 0.1 / (10, 16, 24)[row]).ravel()
        chance[row] = score * score
    return lpd_outputs(loc, chance)


EXAMPLES = {
    "fastestdet": Example(fastestdet_random, fastestdet_saying),
    "lpd-yunet": Example(lpd_random, lpd_saying, labels=("plate",)),
    "nanodet": distribution_example(STRIDES, lambda stride: (stride - 1) / 2),
    "nanodet-plus": distribution_example((8, 16, 32, 64), lambda stride: 0, together=True),
    "picodet": distribution_example((8, 16, 32, 64), lambda stride: stride / 2),
    "ssd": rows_example(ssd_rows),
    "yunet": Example(yunet_random, yunet_saying, labels=("face",)),
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
