"""Plain twins of heads: kernels/heads.py, and each family's way from outputs to candidates, one anchor at a time, as its authors write it down.

Each twin of a family takes the outputs in the authors' order, the tensor's size, the floor and which labels are wanted, and gives boxes in tensor
pixels, scores and labels of every anchor that is good enough, wanted and finite, in the order of the anchors. Nothing is suppressed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.decode.yolox import anchor_grid
from edge_runtime.types import Size
from tests import naive

Found = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int16]]
Twin = Callable[[Sequence[NDArray[Any]], Size, float, NDArray[np.bool_]], Found]


def best_in_rows(head: NDArray[np.float32], first: int, gate: int, floor: float, keep: NDArray[np.bool_]) -> list[tuple[int, float, int]]:
    """Row, score and label; a row at a time."""
    out = []
    least = np.float32(floor)
    for number, row in enumerate(head):
        factor = row[gate] if gate >= 0 else np.float32(1)
        if gate >= 0 and not factor >= least:
            continue
        best = -1
        with np.errstate(all="ignore"):
            for label in range(len(keep)):
                reached = factor * row[first + label] >= least
                if reached and (best < 0 or row[first + label] > row[first + best]):
                    best = label
            if best >= 0 and keep[best] and np.isfinite(factor * row[first + best]):
                out.append((number, float(factor * row[first + best]), best))
    return out


def gathered(found: Sequence[tuple[Sequence[float], float, int]]) -> Found:
    """Rows of (box, score, label) as arrays, without those that are not finite."""
    rows = [each for each in found if np.isfinite(each[0]).all()]
    boxes, scores, labels = [each[0] for each in rows], [each[1] for each in rows], [each[2] for each in rows]
    return np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), np.array(labels, np.int16)


def around(x: Any, y: Any, width: Any, height: Any) -> list[float]:
    """x1, y1, x2, y2 of a box given by its centre."""
    with np.errstate(all="ignore"):
        return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def yolox(outputs: Sequence[NDArray[Any]], size: Size, floor: float, keep: NDArray[np.bool_]) -> Found:
    return naive.decode_yolox(outputs[0][0], anchor_grid(size), floor, keep)


def yolov5(outputs: Sequence[NDArray[Any]], size: Size, floor: float, keep: NDArray[np.bool_]) -> Found:
    head = outputs[0][0]
    return gathered([(around(*head[row, :4]), score, label) for row, score, label in best_in_rows(head, 5, 4, floor, keep)])


def yolov8(outputs: Sequence[NDArray[Any]], size: Size, floor: float, keep: NDArray[np.bool_]) -> Found:
    head = outputs[0][0].T
    return gathered([(around(*head[row, :4]), score, label) for row, score, label in best_in_rows(head, 4, -1, floor, keep)])


def listed(rows: Any, floor: float, keep: NDArray[np.bool_]) -> Found:
    """Rows of (x1, y1, x2, y2), score and label that the graph chose itself."""
    out = []
    for box, score, label in rows:
        if not (np.isfinite(score) and score >= np.float32(floor)):
            continue
        if not 0 <= label < len(keep):
            raise ValueError(f"label {label}")
        if keep[int(label)]:
            out.append((list(box), float(score), int(label)))
    return gathered(out)


def yolov10(outputs: Sequence[NDArray[Any]], size: Size, floor: float, keep: NDArray[np.bool_]) -> Found:
    return listed([(row[:4], row[4], row[5]) for row in outputs[0][0]], floor, keep)


def yolov7_nms(outputs: Sequence[NDArray[Any]], size: Size, floor: float, keep: NDArray[np.bool_]) -> Found:
    return listed([(row[1:5], row[6], row[5]) for row in outputs[0]], floor, keep)


def efficient_nms(outputs: Sequence[NDArray[Any]], size: Size, floor: float, keep: NDArray[np.bool_]) -> Found:
    count, boxes, scores, labels = outputs
    return listed(list(zip(boxes[0], scores[0], labels[0], strict=True))[: count[0, 0]], floor, keep)


def detr(outputs: Sequence[NDArray[Any]], size: Size, floor: float, keep: NDArray[np.bool_]) -> Found:
    """Softmax over the classes and "no object"."""
    out = []
    logits, boxes = outputs
    for row, box in zip(logits[0].astype(np.float64), boxes[0] * np.float32([*size, *size]), strict=True):
        if np.isnan(row).any() or row.max() == np.inf:
            continue  # minus infinity is a label that cannot be
        with np.errstate(all="ignore"):
            chances = np.exp(row - row.max()) / np.exp(row - row.max()).sum()
        best = int(np.argmax(chances[:-1]))
        if chances[best] >= floor and keep[best]:
            out.append((around(*box), float(chances[best]), best))
    return gathered(out)


def rtdetr_logits(outputs: Sequence[NDArray[Any]], size: Size, floor: float, keep: NDArray[np.bool_]) -> Found:
    """A sigmoid for each class."""
    logits, boxes = outputs
    out = []
    for row, logit, label in best_in_rows(logits[0], 0, -1, -np.inf, keep):
        chance = 1 / (1 + math.exp(min(-logit, 500)))
        if chance >= floor:
            out.append((around(*boxes[0, row] * np.float32([*size, *size])), chance, label))
    return gathered(out)


def rfdetr(outputs: Sequence[NDArray[Any]], size: Size, floor: float, keep: NDArray[np.bool_]) -> Found:
    return rtdetr_logits(outputs[::-1], size, floor, keep)


def rtdetr(outputs: Sequence[NDArray[Any]], size: Size, floor: float, keep: NDArray[np.bool_]) -> Found:
    labels, boxes, scores = outputs
    return listed(list(zip(boxes[0], scores[0], labels[0], strict=True)), floor, keep)


TWINS: dict[str, Twin] = {
    "detr": detr,
    "rfdetr": rfdetr,
    "rtdetr": rtdetr,
    "rtdetr-logits": rtdetr_logits,
    "efficient-nms": efficient_nms,
    "yolov10": yolov10,
    "yolov5": yolov5,
    "yolov7-nms": yolov7_nms,
    "yolov8": yolov8,
    "yolox": yolox,
}
